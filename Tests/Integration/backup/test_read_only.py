"""Databases on read-only file systems: read where no process can write to them, else skipped with advice. SQLite can make no -shm
there, without which it opens no WAL database."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

import data as make
from archive import Archive
from harness import run
from writers import running


@contextmanager
def mounted(place, *arguments):
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        (pytest.fail if os.environ.get("CI") == "true" and os.geteuid() == 0 else pytest.skip)("no mounts here")
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def remount(place, *options):
    subprocess.run(["mount", "-o", ",".join(["remount", *options]), place], check=True)


@pytest.fixture
def volume(tmp_path):
    """A small file system with two databases that no process uses."""
    with mounted(tmp_path / "volume", "-t", "tmpfs", "volume") as volume:
        make.ledger(volume / "wal.db", make.WAL)
        make.ledger(volume / "rollback.db", make.ROLLBACK)
        yield volume


def backup(data, archive):
    result = run("backup", "--data", data, "-o", archive)
    assert result.returncode in (0, 3), result
    content = Archive(archive.read_bytes())
    archive.unlink()
    return content


def skipped(archive):
    [skipped] = archive.manifest["skipped"]
    return skipped


def test_an_idle_wal_database_on_a_read_only_file_system_is_read_as_it_is(volume, tmp_path):
    names = sorted(os.listdir(volume))
    remount(volume, "ro")
    archive = backup(volume, tmp_path / "a.zip")
    assert archive.manifest["complete"]
    entry = archive.entries["wal.db"]
    assert (entry["database"]["journal_mode"], entry["database"]["method"]) == ("wal", "pinned")
    assert archive.read("wal.db") == (volume / "wal.db").read_bytes()
    assert sorted(os.listdir(volume)) == names


def test_a_read_only_view_of_a_file_system_that_may_be_written_to_is_not_trusted(volume, tmp_path):
    """As a bind mount into a container is."""
    with mounted(tmp_path / "view", "--bind", volume) as view:
        remount(view, "bind", "ro")
        archive = backup(view, tmp_path / "a.zip")
        assert skipped(archive)["reason"] == "cannot-open"
        for part in ("-shm", "immutable=1", "another process may write to it"):
            assert part in skipped(archive)["detail"]
        assert "rollback.db" in archive.entries
        # With its application there, the locks are in its -shm.
        with running("idle", volume / "wal.db"):
            assert backup(view, tmp_path / "a.zip").manifest["complete"]


@pytest.mark.parametrize("index", ["left", "gone"])
def test_a_log_with_rows_is_never_left_out_silently(volume, tmp_path, index):
    with running("idle", volume / "wal.db") as application:
        application.kill()
    assert (volume / "wal.db-wal").stat().st_size > 0
    if index == "gone":
        (volume / "wal.db-shm").unlink()
    remount(volume, "ro")
    archive = backup(volume, tmp_path / "a.zip")
    assert skipped(archive)["reason"] == "cannot-open"
    assert "its -wal holds rows" in skipped(archive)["detail"]


def test_a_file_system_in_user_space_is_not_trusted(volume, tmp_path):
    if not shutil.which("bindfs") or not os.path.exists("/dev/fuse"):
        pytest.skip("no bindfs, or no FUSE")
    remount(volume, "ro")
    (tmp_path / "view").mkdir()
    subprocess.run(["bindfs", "-r", volume, tmp_path / "view"], check=True)
    try:
        assert skipped(backup(tmp_path / "view", tmp_path / "a.zip"))["reason"] == "cannot-open"
    finally:
        subprocess.run(["umount", "--lazy", tmp_path / "view"], check=True)
