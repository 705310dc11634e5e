"""Writers that do not share SQLite's locks with Sluice: what they write under a snapshot breaks the backup off, and is never
in an archive that looks whole."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

import data as make
from application import UPDATE, Application, table
from archive import Archive
from client import BROKEN_OFF
from harness import run, serve, wait_until


def why_not():
    if os.geteuid() != 0:
        return "only root may mount"
    if not shutil.which("bindfs"):
        return "bindfs is not installed"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"no FUSE: {error}"
    return None


@contextmanager
def mounted(branch, place):
    """The same files under another name, with locks of their own."""
    if reason := why_not():
        # Where the tests must count, one that does not run is one that fails, if the machine could run it.
        must = os.environ.get("CI") == "true" and Path("/dev/fuse").exists()
        (pytest.fail if must else pytest.skip)(reason)
    place.mkdir()
    subprocess.run(["bindfs", branch, place], check=True)
    try:
        wait_until(place.is_mount, "the mount")
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def commits(archive):
    """Of how many commits the rows are."""
    with archive.database("a.db") as copy:
        return copy.execute("SELECT count(DISTINCT commits) FROM t").fetchone()[0]


@pytest.mark.parametrize(
    ("side", "log", "checkpoint"),
    [("below", "empty", "PASSIVE"), ("below", "with frames", "TRUNCATE"), ("above", "with frames", "PASSIVE")],
)
def test_an_application_on_the_other_side_of_a_fuse_mount_breaks_the_backup_off(tmp_path, side, log, checkpoint):
    branch = tmp_path / "branch"
    branch.mkdir()
    with mounted(branch, tmp_path / "mount") as mount:
        ours, its = (mount, branch) if side == "below" else (branch, mount)
        with Application(its / "a.db") as application, serve(ours, "--resume-grace", "0s") as server:
            table(application)
            if log == "with frames":
                application("UPDATE t SET content = randomblob(1000) WHERE id = 1")
            with server.connect(receive_buffer=4096) as client:
                response = client.begin("/api/backup?compression=store")
                content = response.read(1000)
                application(UPDATE)
                busy, *_ = application(f"PRAGMA wal_checkpoint({checkpoint})")[0]
                assert not busy, "it does not see the lock"
                with pytest.raises(BROKEN_OFF):
                    content += response.read()
            server.wait_for_line("backup failed.*reason=unseen-writer")
            assert 'aborted_total{reason="unseen-writer"} 1\n' in server.get("/metrics").body.decode()
            # While it is quiet, there is a backup all the same.
            assert commits(Archive(server.get("/api/backup").body)) == 1


def test_it_is_noticed_while_the_client_takes_nothing(tmp_path):
    branch = tmp_path / "branch"
    branch.mkdir()
    with mounted(branch, tmp_path / "mount") as mount, Application(branch / "a.db") as application, serve(mount) as server:
        table(application)
        with server.connect(receive_buffer=4096) as client:
            client.begin("/api/backup?compression=store").read(1000)
            application(UPDATE)
            application("PRAGMA wal_checkpoint(TRUNCATE)")
            server.wait_for_line("backup failed.*reason=unseen-writer")


@pytest.mark.parametrize("checkpoint", ["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
@pytest.mark.parametrize("log", ["empty", "checkpointed", "with frames"])
def test_checkpoints_that_meet_the_snapshot_are_no_unseen_writers(tmp_path, log, checkpoint):
    with Application(tmp_path / "a.db") as application, serve(tmp_path) as server:
        table(application)
        if log != "empty":
            application("UPDATE t SET content = randomblob(1000) WHERE id < 6000")
        if log == "checkpointed":
            application("PRAGMA wal_checkpoint(FULL)")
        with server.connect(receive_buffer=4096) as client:
            response = client.begin("/api/backup?compression=store")
            content = response.read(1000)
            for _ in range(2):
                application(f"PRAGMA wal_checkpoint({checkpoint})")
                application(UPDATE)
            archive = Archive(content + response.read())
        assert archive.manifest["complete"]
        assert commits(archive) == 1


def test_a_writer_that_locks_by_a_folder_is_never_copied_in_the_middle(tmp_path):
    """The VFS unix-dotfile; with no journal, nothing else tells that a transaction is under way."""
    with Application(f"file:{tmp_path / 'a.db'}?vfs=unix-dotfile") as application:
        table(application)
        application("PRAGMA journal_mode=OFF")
        application("PRAGMA cache_size=5")
        application("BEGIN")
        application("UPDATE t SET commits = 1 WHERE id < 6000")
        result = run("backup", "--data", tmp_path, "--busy-timeout", "50ms", "-o", tmp_path / "a.zip")
        assert result.returncode == 3, result
        assert "a.db (unseen-writer)" in result.stderr and "unix-dotfile" in result.stderr
        application("COMMIT")
        assert run("backup", "--data", tmp_path, "-o", tmp_path / "b.zip").returncode == 0
        assert commits(Archive((tmp_path / "b.zip").read_bytes())) == 2


def test_the_journal_of_such_a_writer_is_nothing_to_be_settled(tmp_path):
    with Application(f"file:{tmp_path / 'a.db'}?vfs=unix-dotfile") as application:
        table(application)
        application("PRAGMA journal_mode=DELETE")
        application("PRAGMA cache_size=5")
        application("BEGIN")
        application(UPDATE)
        assert (tmp_path / "a.db-journal").stat().st_size > 0
        result = run("backup", "--data", tmp_path, "--busy-timeout", "50ms", "-o", tmp_path / "a.zip")
        assert result.returncode == 3
        assert "a.db (unseen-writer)" in result.stderr
        assert "open it" not in result.stderr


def test_the_manifest_notes_what_cannot_be_judged(tmp_path):
    make.ledger(tmp_path / "plain.db", make.WAL)
    make.ledger(tmp_path / "turso.db", make.WAL)
    (tmp_path / "turso.db-tshm").touch()
    subprocess.run(
        ["sqlite3", tmp_path / "sums.db", ".filectrl reserve_bytes 8", "CREATE TABLE t(x)"], check=True, capture_output=True
    )
    with serve(tmp_path) as server:
        entries = Archive(server.get("/api/backup").body).entries
    assert "note" not in entries["plain.db"]
    assert "-tshm" in entries["turso.db"]["note"]
    assert "each page has 8 reserved bytes at its end" in entries["sums.db"]["note"]


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_a_copy_is_the_file_byte_for_byte(tmp_path, page_size):
    path = make.ledger(tmp_path / "a.db", make.ROLLBACK, page_size)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE account SET balance = balance WHERE id = 1")
    connection.commit()
    connection.close()
    with serve(tmp_path) as server:
        archive = Archive(server.get("/api/backup").body)
    assert archive.entries["a.db"]["database"]["method"] == "copied"
    assert archive.read("a.db") == path.read_bytes()
