"""What `sluice backup -o` may replace, and what it must not."""

import os

import pytest

from archive import Archive
from harness import run


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_regular_file_is_not_replaced(house, tmp_path, kind):
    output = tmp_path / "output"
    if kind == "pipe":
        os.mkfifo(output)
    elif kind == "folder":
        output.mkdir()
    else:
        output.symlink_to("/dev/null")
    before = output.stat().st_mode
    ended = run("backup", "--data", house, "-o", output, timeout=20)
    assert ended.returncode == 1 and "regular file" in ended.stderr
    assert output.stat().st_mode == before


def test_a_link_stays_a_link_to_the_new_archive(house, tmp_path):
    target, link = tmp_path / "target.zip", tmp_path / "link.zip"
    target.write_bytes(b"old")
    link.symlink_to(target)
    assert run("backup", "--data", house, "-o", link).returncode == 0
    assert link.is_symlink()
    Archive(target.read_bytes())


def test_a_file_time_beyond_reason_harms_nobody(house, tmp_path):
    os.utime(house / "floor_plan/plan.json", (0, 10_413_792_000))
    ended = run("backup", "--data", house, "-o", tmp_path / "x.zip")
    assert ended.returncode == 0, ended.stderr
