"""What others do to a data directory: applications that die, files that they leave broken, changes amid a download."""

import random
import shutil
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

import data as make
from archive import Archive
from client import BROKEN_OFF
from faults import traced
from harness import run, serve, wait_until
from messes import AS_FILE, AS_SQLITE, MESSES, beside, damage, left_by_a_crash, view
from restoring import SLOW
from writers import CHECKPOINTS, Writer

KILLS, DAMAGES = (500, 3000) if SLOW else (25, 100)


def conserved(answer):
    """The databases of an answer, all of which must add up; and why the others were skipped."""
    assert answer.status == 200
    archive = Archive(answer.body)
    for name in ("rollback.db", "wal.db"):
        if name in archive.entries:
            with archive.database(name) as copy:
                assert make.is_conserved(copy), name
    return {name: skipped["reason"] for name, skipped in archive.skipped.items()}


def test_applications_that_are_killed_amid_a_backup_spoil_none(tmp_path, figure, record_property):
    modes = {"rollback.db": make.ROLLBACK, "wal.db": make.WAL}
    paths = [make.ledger(tmp_path / name, mode, accounts=6000) for name, mode in modes.items()]
    seen, chance = Counter(), random.Random(KILLS)
    with serve(tmp_path, "--busy-timeout", "5s") as server, ThreadPoolExecutor() as pool:
        for _ in range(KILLS):
            # Without a pause, it is soon amid a large transaction; with them, readers come in.
            roles = (chance.choice(["transfer", "transfer_at_times"]), "transfer")
            writers = [Writer(role, path) for role, path in zip(roles, paths, strict=True)]
            answer = pool.submit(server.get, "/api/backup?compression=fast")
            time.sleep(chance.uniform(0, 0.15))  # the moment itself, which is any
            for writer in writers:
                writer.kill()
            during, after = conserved(answer.result()), conserved(server.get("/api/backup?compression=store"))
            # Of the log that it leaves, all that was committed is there; a journal is for the application to roll back.
            assert during.keys() | after.keys() <= {"rollback.db"}, (during, after)
            assert set(during.values()) | set(after.values()) <= {"hot-journal"}, (during, after)
            seen[during.get("rollback.db", "whole")] += 1
            seen[after.get("rollback.db", "whole")] += 1
            for path in paths:
                with closing(sqlite3.connect(path)) as application:
                    assert make.is_conserved(application)
            assert conserved(server.get("/api/backup?compression=fast")) == {}
            seen["whole"] += 1
    assert seen["whole"] > KILLS
    record_property("cases", KILLS)
    figure(f"backups beside {KILLS} kills", dict(seen))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The log and the journal of another database, by the name `other.db`."""
    directory, both = tmp_path_factory.mktemp("other"), {"-wal": make.WAL, "-journal": make.ROLLBACK}
    for suffix, mode in both.items():
        (directory / mode).mkdir()
        path = left_by_a_crash(directory / mode / "other.db", mode)
        shutil.copy(beside(path, suffix), directory)
    return directory / "other.db"


@pytest.mark.parametrize(
    ("what", "mode"), [(what, mode) for what, (kind, *_) in MESSES.items() for mode in ("rollback", "wal") if kind in ("both", mode)]
)
def test_a_broken_database_is_taken_as_sqlite_itself_sees_it_or_named(tmp_path, other, figure, what, mode):
    directory, copy = tmp_path / "data", tmp_path / "copy"
    directory.mkdir()
    path = directory / "bad.db"
    if mode == "wal":
        beside(left_by_a_crash(path, make.WAL), "-shm").unlink()
    else:
        make.ledger(path, make.ROLLBACK, accounts=70, padding=3000)
    make.ledger(directory / "good.db", make.ROLLBACK, accounts=10)
    expected, mess = MESSES[what][1:]
    mess(path, other)
    shutil.copytree(directory, copy)
    # But for the -shm, which SQLite makes again.
    before = {name: content for name, content in contents(directory).items() if not name.endswith("-shm")}
    seen = view(copy / "bad.db") if path.exists() else None

    ended = run("backup", "--data", directory, "-o", tmp_path / "file.zip")
    assert before.items() <= contents(directory).items(), "the source was changed"
    archive = Unchecked(tmp_path / "file.zip")
    verdict = run("verify", tmp_path / "file.zip").returncode
    assert "good.db" in archive.entries
    if expected in (AS_SQLITE, AS_FILE):
        entry = archive.entries["bad.db"]
        assert ended.returncode == 0 and not archive.skipped
        assert ("note" in entry, entry["kind"]) == ((False, "database") if expected == AS_SQLITE else (True, "file"))
        archive.zip.extract("bad.db", tmp_path / "extracted")
        assert view(tmp_path / "extracted/bad.db") == seen
        # What SQLite finds damaged was so before, and `verify` tells it of the archive.
        assert verdict == (1 if isinstance(seen, str) and expected == AS_SQLITE else 0)
    elif expected == "not at all":
        assert (ended.returncode, verdict) == (0, 0) and archive.entries.keys() == {"good.db", "VERSION"}
    else:
        assert (ended.returncode, verdict) == (3, 3) and f"bad.db ({expected})" in ended.stderr
        assert archive.skipped["bad.db"]["reason"] == expected
    figure(f"{what} ({mode})", f"{expected}{f': {seen}' if isinstance(seen, str) else ''}")


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def crashed(tmp_path_factory):
    """Databases with logs of many frames, of which some are from before the WAL was reset, and one without a log."""
    directory = tmp_path_factory.mktemp("crashed")
    make.ledger(directory / "rollback.db", make.ROLLBACK, accounts=70, padding=3000)
    for page_size in (512, 4096, 65536):
        application = make.create(directory / "live.db", make.WAL, page_size)
        with closing(application):
            application.execute("PRAGMA wal_autocheckpoint=0")
            application.execute("CREATE TABLE t(a, b)")
            for number in range(30):
                application.execute("INSERT INTO t VALUES (?, randomblob(700))", [number])
            application.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            for number in range(7):
                application.execute("UPDATE t SET b = randomblob(500) WHERE a % 7 = ?", [number])
            for suffix in ("", "-wal"):
                shutil.copy(directory / f"live.db{suffix}", directory / f"{page_size}.db{suffix}")
        (directory / "live.db").unlink()
    return directory


def test_damage_that_is_drawn_by_lot_is_taken_as_sqlite_itself_sees_it_or_named(tmp_path, crashed, figure, record_property):
    outcomes = Counter()
    for seed in range(DAMAGES):
        chance, directory = random.Random(seed), tmp_path / "data"
        directory.mkdir()
        name = chance.choice(["rollback", "512", "4096", "65536"])
        for path in crashed.glob(f"{name}.db*"):
            shutil.copy(path, directory / path.name.replace(name, "bad"))
        for _ in range(chance.choice([1, 1, 2, 3])):
            damage(chance.choice(sorted(directory.iterdir())), chance)
        shutil.copytree(directory, tmp_path / "copy")
        seen = view(tmp_path / "copy/bad.db")
        ended = run("backup", "--data", directory, "-o", tmp_path / "file.zip")
        assert ended.returncode in (0, 3), (seed, ended)
        archive, verdict = Unchecked(tmp_path / "file.zip"), run("verify", tmp_path / "file.zip").returncode
        if "bad.db" in archive.entries:
            archive.zip.extract("bad.db", tmp_path / "extracted")
            assert view(tmp_path / "extracted/bad.db") == seen, seed
            # Without any database, the directory is incomplete.
            assert verdict in ((0, 1) if archive.entries["bad.db"]["kind"] == "database" else (3,)), seed
            outcomes[f"{archive.entries['bad.db']['kind']}{', damaged' if verdict == 1 else ''}"] += 1
        else:
            assert verdict == 3, seed
            outcomes[archive.skipped["bad.db"]["reason"]] += 1
        for made in ("data", "copy", "extracted"):
            shutil.rmtree(tmp_path / made, ignore_errors=True)
    figure(f"{DAMAGES} databases damaged by lot", dict(outcomes))
    record_property("cases", DAMAGES)
    assert outcomes["database"] and outcomes["corrupt"]


class Unchecked(Archive):
    """An archive of which no database is opened, since the source was damaged."""

    def _check_database(self, entry, head):
        pass


# What is done to `big.db`, half of which a client has read.


@pytest.fixture(scope="module", params=[make.WAL, make.ROLLBACK])
def pristine_big(request, tmp_path_factory):
    """A database larger than what the kernel buffers for a client that has stopped."""
    return make.ledger(tmp_path_factory.mktemp("big") / "big.db", request.param, accounts=1500, padding=16_000), request.param


def checkpoint(path, application):
    application.execute("UPDATE account SET balance = balance + iif(id % 2, 9, -9)")
    for kind in CHECKPOINTS:
        application.execute(f"PRAGMA wal_checkpoint({kind})").fetchone()


def change_page_size(path, application):
    application.execute("PRAGMA page_size=8192")
    application.execute("VACUUM")


def switch_journal_mode(path, application):
    [(mode,)] = application.execute("PRAGMA journal_mode")
    try:
        application.execute(f"PRAGMA journal_mode={make.ROLLBACK if mode == make.WAL else make.WAL}").fetchone()
    except sqlite3.OperationalError as error:
        # Only the last reader of a WAL may leave it.
        assert mode == make.WAL and "locked" in str(error)


def shrink(path, application):
    application.execute("DELETE FROM account WHERE id >= 10")
    application.execute("VACUUM")


def replace(path, application):
    application.close()
    make.ledger(path.with_name("new"), make.ROLLBACK, accounts=10)
    for suffix in ("-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)
    path.with_name("new").replace(path)


def delete(path, application):
    for suffix in ("", "-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)


@pytest.mark.parametrize("change", [checkpoint, shrink, change_page_size, switch_journal_mode, replace, delete])
def test_what_happens_amid_a_download_is_not_in_it(tmp_path, pristine_big, change):
    pristine, mode = pristine_big
    directory = tmp_path / "data"
    directory.mkdir()
    path = shutil.copy(pristine, directory / "big.db")
    application = sqlite3.connect(path, isolation_level=None, timeout=0)
    with closing(application), serve(directory) as server:
        with server.connect(receive_buffer=4096) as client:
            response = client.begin("/api/backup?compression=store")
            content = response.read(4 << 20)
            assert server.get("/healthz").json()["running_backups"] == 1
            change(path, application)
            archive = Archive(content + response.read())
        assert archive.manifest["complete"] and archive.entries["big.db"]["database"]["journal_mode"] == mode
        with archive.database("big.db") as copy:
            assert copy.execute("SELECT DISTINCT balance FROM account").fetchall() == [(make.OPENING_BALANCE,)]
            assert copy.execute("SELECT count(*) FROM account").fetchone() == (1500,)
        now = Archive(server.get("/api/backup?compression=fast").body)
    # Without its only database the directory is incomplete.
    assert now.manifest["complete"] == ("big.db" in now.entries) == path.exists()
    if path.exists():
        with now.database("big.db") as copy:
            assert make.is_conserved(copy)


def lose_index(path):
    beside(path, "-shm").unlink()


def lose_log_and_index(path):
    beside(path, "-wal").unlink()
    beside(path, "-shm").unlink()


def move(path):
    return path.rename(path.with_name("moved"))


@pytest.mark.parametrize("lose", [lose_index, lose_log_and_index, move])
def test_a_pin_that_newcomers_do_not_meet_breaks_the_archive_off(tmp_path, lose):
    """Its locks are in files that are found by name. A writer that finds others writes as if there were no reader."""
    (tmp_path / "floor_plan").mkdir()
    path = make.ledger(tmp_path / "floor_plan/visits.sqlite", make.WAL, accounts=1500, padding=16_000)
    with serve(tmp_path) as server, server.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup?compression=store")
        assert response.read(4 << 20)
        with closing(sqlite3.connect(lose(path) or path, isolation_level=None, timeout=0)) as newcomer:
            newcomer.execute("UPDATE account SET balance = balance + iif(id % 2, 9, -9)")
            assert newcomer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        with pytest.raises(BROKEN_OFF):
            response.read()
        server.wait_for_line("backup failed .*moved, replaced or deleted")


def test_a_database_that_is_replaced_while_it_is_copied_is_not_mixed_with_the_new_one(tmp_path):
    """Between two steps of a copy nothing is locked, and SQLite would take the new one's log for that of the old."""
    directory, log = tmp_path / "data", tmp_path / "strace"
    (tmp_path / "spool").mkdir()
    directory.mkdir()
    path = make.ledger(directory / "big.db", make.ROLLBACK, accounts=1500, padding=16_000)
    new = make.ledger(tmp_path / "new.db", make.WAL, accounts=1500, padding=16_000)
    with serve(directory, "--memory-budget", "0", "--spool-directory", tmp_path / "spool") as server, ThreadPoolExecutor() as pool:
        with traced(server, log, "pwrite64", "-e", "inject=pwrite64:delay_enter=50000"):
            answer = pool.submit(server.get, "/api/backup?compression=fast")
            wait_until(lambda: log.exists() and log.read_text().count("/copy") > 10, "the copy to be under way")
            new.replace(path)
            with closing(sqlite3.connect(path, isolation_level=None)) as application:
                application.execute("UPDATE account SET balance = balance + iif(id % 2, 9, -9)")
                archive = Archive(answer.result().body)
    assert archive.skipped["big.db"]["reason"] == "changed"
