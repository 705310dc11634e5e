"""Not a byte of the application's databases changes, and every lock is kept and given back."""

import os
import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest

import data as make
from archive import Archive
from harness import run, serve, wait_until
from measure import truncates
from writers import running


def everything(directory):
    """All files with their bytes and times. The `-shm` is shared memory, where readers set their marks."""
    return {
        path.relative_to(directory): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in Path(directory).rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }


def journal_modes(directory):
    """The version numbers of fileformat2.html §1.3.3, which every change of the journal mode changes."""
    return {path.name: path.read_bytes()[18:20] for path in Path(directory).glob("*.db")}


def leave_halfway(server):
    with server.connect(receive_buffer=4096) as connection:
        connection.begin("/api/backup?compression=store").read(1000)


WAYS = {
    "a backup": lambda server, house, tmp: server.get("/api/backup"),
    "a backup of one database": lambda server, house, tmp: server.get("/api/backup?db=events.db"),
    "a request for the head": lambda server, house, tmp: server.connect().answer("HEAD", "/api/backup"),
    "a client that leaves": lambda server, house, tmp: leave_halfway(server),
    "the command": lambda server, house, tmp: run("backup", "--data", house, "-o", tmp / "out.zip", check=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_byte_changes_while_an_idle_application_is_connected(house, tmp_path, way):
    (house / "no-database.db").write_bytes(b"just bytes" * 100)
    (house / "empty.db").touch()
    with ExitStack() as stack:
        for name in ("analytics.db", "baseline.db", "events.db"):
            stack.enter_context(running("idle", house / name))
        before, modes = everything(house), journal_modes(house)
        assert before[Path("events.db-wal")][0]
        with serve(house) as server:
            WAYS[way](server, house, tmp_path)
            wait_until(lambda: server.get("/healthz").json()["running_backups"] == 0, "the end of the backup")
            assert everything(house) == before
        assert everything(house) == before
        assert journal_modes(house) == modes


def test_a_closed_database_gets_no_more_than_sqlites_own_empty_companions(house):
    """SQLite needs a `-shm` to read a WAL database, and makes it with an empty `-wal`; nothing else appears."""
    before, modes = everything(house), journal_modes(house)
    with serve(house) as server:
        assert Archive(server.get("/api/backup").body).manifest["complete"]
    after = everything(house)
    new = {path.name: content for path, (content, *_) in after.items() if path not in before}
    assert new.keys() <= {"events.db-wal", "baseline.db-wal"} and not any(new.values())
    assert {path: after[path] for path in before} == before
    assert journal_modes(house) == modes


def test_the_last_one_to_close_leaves_the_log_as_it_is(house):
    """By default SQLite's last connection moves the log into the database and deletes it."""
    with running("idle", house / "events.db") as application:
        application.kill()
    before = everything(house)
    assert before[Path("events.db-wal")][0]
    with serve(house) as server:
        server.get("/api/backup?db=events.db")
    assert everything(house) == before


@pytest.mark.parametrize("companion", ["-wal", "-shm"])
def test_a_pin_survives_backups_that_read_the_same_file_under_another_name(reservoir, companion):
    """POSIX drops a process's locks on a file when it closes any descriptor of it: howtocorrupt.html §2.2."""
    path = reservoir / "reservoir.db"
    with ExitStack() as stack:
        application = sqlite3.connect(path, isolation_level=None, timeout=0)
        stack.callback(application.close)
        application.execute("CREATE TABLE kept(x)")
        (reservoir / "floor_plan").mkdir()
        os.link(f"{path}{companion}", reservoir / "floor_plan/link")
        server = stack.enter_context(serve(reservoir, "--resume-grace", "0s"))
        slow = stack.enter_context(server.connect(receive_buffer=4096))
        slow.begin("/api/backup?compression=store&db=reservoir.db").read(1000)
        application.execute("INSERT INTO kept VALUES (1)")
        for _ in range(2):
            assert server.get("/api/backup?compression=fast").status == 200
            wait_until(lambda: server.get("/healthz").json()["running_backups"] == 1, "the other's end")
            assert not truncates(path)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                application.execute("PRAGMA journal_mode=DELETE").fetchone()
        slow.close()
        wait_until(lambda: truncates(path), "a checkpoint once the pin is gone")


def test_a_rollback_database_is_free_as_soon_as_it_is_copied(reservoir):
    path = make.ledger(reservoir / "ledger.db", make.ROLLBACK)
    with serve(reservoir) as server, server.connect(receive_buffer=4096) as slow:
        slow.begin("/api/backup?compression=store").read(1000)
        application = sqlite3.connect(path, timeout=0, isolation_level=None)
        application.execute("PRAGMA locking_mode=EXCLUSIVE")
        application.execute("UPDATE account SET padding = NULL")
        application.execute("VACUUM")
        application.close()
