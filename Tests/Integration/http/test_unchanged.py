"""`ETag` and `If-None-Match`: no archive for a client that has it already, and never a 304 when anything has changed."""

import os
import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

import data as make
from archive import Archive
from etags import settled, state
from harness import serve, wait_until
from metrics import samples
from restoring import SLOW

CHANGES = 2000 if SLOW else 200
BACKUP = "/api/backup?compression=store"


@pytest.fixture
def server(house):
    with serve(house) as server:
        yield server


def test_a_client_that_has_the_archive_gets_no_other(server):
    first = settled(server)
    tag = first.headers["ETag"]
    size = samples(server)["sluice_sent_bytes_total"]
    other = '"of-another"'
    for known in (tag, f"W/{tag}", f'{other}, W/"x,y" , {tag}', "*"):
        for method in ("GET", "HEAD"):
            with server.connect() as client:
                answer = client.answer(method, "/api/backup", If_None_Match=known)
                assert (answer.status, answer.body) == (304, b""), known
                assert answer.headers["ETag"] == tag or known == "*"
                # RFC 9110 section 15.4.5.
                assert answer.headers["Cache-Control"] == first.headers["Cache-Control"]
                # The connection is still in step.
                assert client.answer("GET", "/healthz").status == 200
    after = samples(server)
    assert after["sluice_sent_bytes_total"] == size
    assert after["sluice_requests_unchanged_total"] == 8
    assert after["sluice_snapshot_age_seconds"] == 0
    for unknown in (other, tag.replace("-", "+"), tag[:-5] + 'é"', '""'):
        answer = server.get("/api/backup", If_None_Match=unknown.encode())
        assert answer.status == 200 and Archive(answer.body)


@pytest.mark.parametrize("value", ["x", "*, *", '"a" "b"', '"a', "w/\"a\"", ","])
def test_what_is_no_list_of_tags_is_refused(server, value):
    assert server.get("/api/backup", If_None_Match=value).status == 400


def test_no_two_archives_have_one_tag(server):
    """A strong tag names bytes: RFC 9110 section 8.8.1."""
    answers = [settled(server), settled(server)]
    assert state(answers[0]) == state(answers[1])
    assert answers[0].headers["ETag"] != answers[1].headers["ETag"]


def test_what_is_asked_for_and_how_is_part_of_the_state(house):
    targets = ["", "?compression=fast", "?compression=best", "?db=events.db", "?db=events.db&db=analytics.db"]
    states = set()
    for options in ([], ["--app-version", "2"], ["--name", "x"], ["--include", "notes.txt"]):
        with serve(house, *options) as server:
            settled(server)
            states |= {state(server.get(f"/api/backup{target}")) for target in targets}
            asked = server.get("/api/backup?strict=1")
            assert state(asked) in states
    # A selection has no includes to differ by.
    assert len(states) == 4 * len(targets) - 2


def test_a_commit_that_leaves_the_wal_meanwhile_is_a_change(tmp_path):
    """It was in the WAL when the files were looked at, and is in the database when the snapshot is taken."""
    application = make.create(tmp_path / "a.db", make.WAL)
    application.executescript("CREATE TABLE t(x); INSERT INTO t VALUES ('old'); PRAGMA wal_checkpoint(TRUNCATE)")
    other = make.create(tmp_path / "b.db", make.ROLLBACK)
    other.execute("CREATE TABLE t(x)")
    with serve(tmp_path) as server:
        tag = settled(server, BACKUP).headers["ETag"]
        answer = server.get(BACKUP, If_None_Match=tag)
        assert (answer.status, answer.headers["Vary"]) == (304, "A-IM")
        application.execute("UPDATE t SET x = 'new'")
        assert (tmp_path / "a.db-wal").stat().st_size > 0
        # The service waits for this one before it takes the snapshot of the other.
        other.execute("BEGIN EXCLUSIVE")
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(server.get, BACKUP, If_None_Match=tag)
            wait_until(lambda: answer.done() or str(tmp_path / "b.db") in server.open_files(), "the request to wait")
            assert application.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
            other.execute("COMMIT")
            answer = answer.result()
        assert answer.status == 200 and b"new" in Archive(answer.body).read("a.db")
    application.close()
    other.close()


def test_a_restart_changes_nothing(house):
    with serve(house) as server:
        tag = settled(server).headers["ETag"]
    with serve(house) as server:
        assert server.get("/api/backup", If_None_Match=tag).status == 304


class Application:
    """Changes a data directory at random; most changes leave every size as it was."""

    def __init__(self, directory, seed):
        self.directory, self.chance = directory, random.Random(seed)
        directory.mkdir()
        (directory / "floor_plan").mkdir()
        self.file = directory / "floor_plan/plan.bin"
        self.file.write_bytes(bytes(100))
        self.open = {}
        for name, mode in {"wal.db": "wal", "delete.db": "delete", "persist.db": "persist"}.items():
            make.ledger(directory / name, make.WAL if mode == "wal" else make.ROLLBACK, accounts=20)
            self.start(name, mode)

    def start(self, name, mode):
        connection = sqlite3.connect(self.directory / name, isolation_level=None)
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("CREATE TABLE IF NOT EXISTS field(id INTEGER PRIMARY KEY, x)")
        connection.execute("INSERT OR IGNORE INTO field VALUES (1, zeroblob(8))")
        self.open[name] = (connection, mode)

    def change(self):
        chance = self.chance
        name = chance.choice([*self.open])
        connection, mode = self.open[name]
        edit = "UPDATE field SET x = randomblob(8) WHERE id = 1"
        match chance.randrange(13):
            case 0 | 1 | 2:
                connection.execute(edit)
            case 3:
                connection.execute("INSERT INTO field(x) VALUES (randomblob(?))", [chance.randrange(9000)])
            case 4:
                connection.execute("DELETE FROM field WHERE id > 1 AND id % 3 = ?", [chance.randrange(3)])
            case 5:
                connection.execute(f"PRAGMA wal_checkpoint({chance.choice(['PASSIVE', 'RESTART', 'TRUNCATE'])})")
            case 6:  # through the log and into the file, and no trace of the log
                connection.execute(edit)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            case 7:
                connection.execute("VACUUM")
            case 8:
                wait_until(lambda: self.leave_the_log(connection), "no other process to have the database open")
                connection.execute(f"PRAGMA page_size={chance.choice([512, 1024, 4096, 8192])}")
                connection.execute("VACUUM")
                connection.execute(f"PRAGMA journal_mode={mode}")
            case 9:  # the last to close moves the log into the file
                connection.execute(edit)
                connection.close()
                self.start(name, mode)
            case 10:
                connection.execute("BEGIN")
                connection.execute(edit)
                connection.execute("ROLLBACK")
            case 11:  # the same size, and the time that it had before
                status = self.file.stat()
                with open(self.file, "r+b") as file:
                    file.write(chance.randbytes(100))
                os.utime(self.file, ns=(status.st_atime_ns, status.st_mtime_ns))
            case 12:
                other = self.file.with_name("other")
                other.write_bytes(chance.randbytes(chance.choice([100, 50])))
                other.replace(self.file)

    @staticmethod
    def leave_the_log(connection):
        """SQLite waits for no reader here, and a backup's connection outlives its last byte by a moment."""
        try:
            return connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
        except sqlite3.OperationalError as error:
            assert "locked" in str(error)

    def close(self):
        for connection, _ in self.open.values():
            connection.close()


@pytest.mark.parametrize("seed", range(4))
def test_the_tag_changes_whenever_the_content_does(tmp_path, seed, figure, record_property):
    application = Application(tmp_path / "data", seed)
    content_of, changed, kept = {}, 0, 0
    with serve(tmp_path / "data") as server, server.connect() as client:
        before = None
        for _ in range(CHANGES // 4):
            application.change()
            # Sometimes at once, within one tick of the file system's clock, and sometimes when the tag is a lasting one.
            if application.chance.random() < 0.5:
                settled(server, BACKUP)
            answer = client.answer("GET", BACKUP)
            archive = Archive(answer.body)
            assert archive.manifest["complete"]
            content = {name: archive.read(name) for name in archive.names if name != "MANIFEST.json"}
            tag = state(answer)
            assert content_of.setdefault(tag, content) == content, "two states of one tag"
            changed += content != before
            kept += content == before
            before = content
    application.close()
    figure(f"states, seed {seed}", f"{len(content_of)} tags, content changed {changed} times, stayed {kept} times")
    record_property("cases", changed + kept)
    assert changed > CHANGES / 8
