"""What `sluice backup -o` may replace, and what it must not."""

import os
import subprocess

import pytest

from archive import Archive
from harness import AS_ORDINARY_USER, run


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


@pytest.mark.parametrize("name", ["", "-wal", "-shm", "-journal", " by a link"])
def test_a_database_is_not_replaced(house, name):
    output = house / f"events.db{name}"
    if "link" in name:
        output.symlink_to("events.db")
    before = {path: path.read_bytes() for path in house.glob("events.db*")}
    ended = run("backup", "--data", house, "-o", output)
    assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "a database of SQLite; give another name" in ended.stderr
    assert {path: path.read_bytes() for path in house.glob("events.db*")} == before


def test_a_link_stays_a_link_to_the_new_archive(house, tmp_path):
    target, link = tmp_path / "target.zip", tmp_path / "link.zip"
    target.write_bytes(b"old")
    link.symlink_to(target)
    assert run("backup", "--data", house, "-o", link).returncode == 0
    assert link.is_symlink()
    Archive(target.read_bytes())


@pytest.mark.parametrize("mark", ["\u0301", "\u0600"], ids=["combining mark", "prepended sign"])
def test_a_slash_beside_a_mark_is_a_slash(house, tmp_path, monkeypatch, mark):
    folder, name = tmp_path / "parent" / f"f{mark}", f"{mark}\\x\\{mark}.zip"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o555)  # the file that is being written belongs beside the one that is to be
    monkeypatch.chdir(folder.parent)
    ended = run("backup", "--data", house, "-o", f"{folder}/{name}", prefix=AS_ORDINARY_USER)
    assert ended.returncode == 0, ended.stderr
    Archive((folder / name).read_bytes())
    check = subprocess.run(["sha256sum", "--check"], input=ended.stdout, text=True, capture_output=True)
    assert check.returncode == 0, check.stderr


def test_a_file_time_beyond_reason_harms_no_backup(house, tmp_path):
    os.utime(house / "floor_plan/plan.json", (0, 10_413_792_000))
    ended = run("backup", "--data", house, "-o", tmp_path / "x.zip")
    assert ended.returncode == 0, ended.stderr


def test_a_folder_that_is_not_there_is_the_reason(house, tmp_path):
    result = run("backup", "--data", house, "-o", tmp_path / "missing/x.zip")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith("missing/x.zip cannot be written to: No such file or directory (open)")
