"""Every archive is one moment of each database, whatever is written to it meanwhile."""

import os
import sqlite3
from contextlib import ExitStack, closing

import pytest

import data as make
from archive import Archive
from harness import serve, wait_until
from writers import CHECKPOINTS, running, stopped

BACKUPS = int(os.environ.get("CONSISTENCY_BACKUPS", "200"))
COMPRESSIONS = ("fast", "store", "default")


def unsound(content, directory):
    """The databases of an archive, each one's integrity checked by `Archive`, that do not add up."""
    archive = Archive(content)
    assert archive.manifest["complete"], archive.skipped
    found = []
    for name in ("wal.db", "rollback.db"):
        with archive.database(name) as copy:
            if not make.is_conserved(copy):
                found.append(directory / name)
    return archive, found


def is_sqlite_to_blame(path):
    """Ends a test as known to fail if the database itself no longer adds up.

    Before 3.51.3 SQLite may lose a transaction when a checkpoint runs just while a writer resets the WAL
    (https://www.sqlite.org/wal.html#walresetbug): here, once in some 100,000 commits beside a process that does nothing
    but checkpoint.
    """
    with closing(sqlite3.connect(path, timeout=60)) as source:
        if sqlite3.sqlite_version_info < (3, 51, 3) and not make.is_conserved(source):
            pytest.xfail("SQLite itself has lost a transaction of the database: the WAL-reset bug")
    return False


@pytest.mark.parametrize(
    ("page_size", "backups"), [(4096, BACKUPS), (512, max(1, BACKUPS // 10)), (65536, max(1, BACKUPS // 10))]
)
def test_backups_under_two_writers_and_a_checkpointer_are_consistent(tmp_path, figure, record_property, page_size, backups):
    wal = make.ledger(tmp_path / "wal.db", make.WAL, page_size, accounts=3000)
    rollback = make.ledger(tmp_path / "rollback.db", make.ROLLBACK, page_size, accounts=3000)
    observer = sqlite3.connect(wal, timeout=60)
    # SQLite changes this number with every commit of another connection.
    version = lambda: observer.execute("PRAGMA data_version").fetchone()  # noqa: E731
    seen = set()
    with serve(tmp_path) as server, ExitStack() as stack:
        roles = [("transfer", wal), ("transfer_at_times", rollback), ("checkpoint", wal)]
        writers = [stack.enter_context(running(*role)) for role in roles]
        for number in range(backups):
            target = f"/api/backup?compression={COMPRESSIONS[number % 3]}"
            with server.connect(receive_buffer=4096) as connection:
                response = connection.begin(target)
                content = response.read(1000)
                if number % 5 == 0:
                    # A slow client: the snapshots grow old while the writers go on.
                    before = version()
                    wait_until(lambda: version() != before, "a commit during the backup")
                content += response.read()
            with stopped(writers):
                archive, bad = unsound(content, tmp_path)
            assert all(is_sqlite_to_blame(path) for path in bad)
            seen.add(archive.entries["wal.db"]["sha256"])
        # A writer that met any error at all has ended with another status.
        *transfers, checkpoints = [writer.finish() for writer in writers]
    figure(f"{backups} backups at {page_size}", {"commits": [report["commits"] for report in transfers], **checkpoints})
    record_property("cases", backups)
    assert all(report["commits"] > backups for report in transfers)
    assert all(checkpoints["checkpoints"][mode] > 0 for mode in CHECKPOINTS)
    assert len(seen) > backups / 2
    observer.close()


def test_a_plain_copy_is_found_out(tmp_path):
    """The check itself: what `cp` makes of a database in use does not pass for long."""
    path = make.ledger(tmp_path / "rollback.db", make.ROLLBACK, accounts=3000)

    def is_unsound():
        (tmp_path / "copy.db").write_bytes(path.read_bytes())
        copy = sqlite3.connect(tmp_path / "copy.db")
        try:
            return copy.execute("PRAGMA integrity_check").fetchall() != [("ok",)] or not make.is_conserved(copy)
        finally:
            copy.close()

    with running("transfer", path):
        wait_until(is_unsound, "an unsound copy")


@pytest.mark.parametrize("end", ["rolled back", "killed"])
def test_a_transaction_that_reaches_an_emptied_log_and_never_commits_is_no_other_process_s(tmp_path, end):
    wal = make.ledger(tmp_path / "wal.db", make.WAL)
    with closing(sqlite3.connect(wal)) as application, serve(tmp_path) as server:
        application.execute("SELECT count(*) FROM account").fetchone()
        # So large that frames reach the log before the end.
        with running("spill", wal) as writer:
            if end == "killed":
                writer.kill()
        assert wal.with_name("wal.db-wal").stat().st_size > 500_000
        archive = Archive(server.get("/api/backup").body)
        assert archive.manifest["complete"], archive.skipped
        with archive.database("wal.db") as copy:
            assert make.is_conserved(copy)


def test_four_clients_at_once_get_consistent_archives(tmp_path):
    wal = make.ledger(tmp_path / "wal.db", make.WAL, accounts=3000)
    rollback = make.ledger(tmp_path / "rollback.db", make.ROLLBACK, accounts=3000)
    with ExitStack() as stack:
        # On a slow machine the log grows by a gigabyte meanwhile.
        server = stack.enter_context(serve(tmp_path, "--max-wal-growth", "64GiB"))
        writers = [stack.enter_context(running(*role)) for role in (("transfer", wal), ("transfer_at_times", rollback))]
        for _ in range(max(1, BACKUPS // 40)):
            connections = [stack.enter_context(server.connect(receive_buffer=4096)) for _ in range(4)]
            responses = [connection.begin("/api/backup?compression=fast") for connection in connections]
            contents = [response.read() for response in responses]
            with stopped(writers):
                bad = [path for content in contents for path in unsound(content, tmp_path)[1]]
            assert all(is_sqlite_to_blame(path) for path in bad)


def test_a_rollback_database_is_copied_although_it_is_written_all_the_time(tmp_path):
    """The method of the replaced endpoint starts again at each write and never comes to an end."""
    path = make.ledger(tmp_path / "busy.db", make.ROLLBACK, accounts=3000, padding=16_000)
    with serve(tmp_path) as server, running("transfer_at_times", path) as writer:
        archive = Archive(server.get("/api/backup?compression=fast").body)
        assert writer.finish()["commits"] > 0
    assert archive.manifest["complete"], archive.skipped
    with archive.database("busy.db") as copy:
        assert make.is_conserved(copy)


def test_a_log_that_a_crash_left_behind_is_taken_and_left_alone(tmp_path):
    path = make.ledger(tmp_path / "crashed.db", make.WAL)
    with running("idle", path) as application:
        application.kill()
    log = (tmp_path / "crashed.db-wal").read_bytes()
    assert log
    with serve(tmp_path) as server:
        archive = Archive(server.get("/api/backup").body)
    with archive.database("crashed.db") as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (7,)
    assert (tmp_path / "crashed.db-wal").read_bytes() == log
