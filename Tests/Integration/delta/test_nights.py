"""Night after night: whatever an application did to its data, the delta makes the archive that a full answer would have been."""

import random
import shutil
import sqlite3
import threading
from contextlib import suppress

import pytest

from archive import Archive
from client import BROKEN_OFF
from deltas import STORED, Client, answer, has_history, histories
from harness import serve, wait_until
from restoring import SLOW

SEEDS = 10 if SLOW else 2
NIGHTS = 300 if SLOW else 15
DAMAGES = 2000 if SLOW else 40
KILLS = 200 if SLOW else 8

# Some sort before all others, some after.
NAMES = ["0.db", "Main.db", "a.db", "main.db", "z.db", "é.db"]


class Application:
    """A data directory that changes at random."""

    def __init__(self, directory, seed):
        self.directory, self.chance = directory, random.Random(seed)
        (directory / "floor_plan").mkdir(parents=True)
        (directory / "floor_plan/plan.bin").write_bytes(self.chance.randbytes(9000))
        for name in ("main.db", "a.db"):
            self.create(name)

    def databases(self):
        return sorted(path for path in self.directory.iterdir() if path.suffix == ".db")

    def create(self, name):
        connection = sqlite3.connect(self.directory / name, isolation_level=None)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(f"PRAGMA page_size={self.chance.choice([512, 1024, 4096, 4096, 8192, 65536])}")
        connection.execute(f"PRAGMA journal_mode={self.chance.choice(['wal', 'delete'])}")
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB)")
        self.insert(connection, self.chance.choice([0, 10, 300, 1500]))
        connection.close()

    def insert(self, connection, rows):
        rows = [(self.chance.randbytes(self.chance.randrange(700)),) for _ in range(rows)]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t(x) VALUES (?)", rows)
        connection.execute("COMMIT")

    def change(self):
        chance = self.chance
        databases = self.databases()
        path = chance.choice(databases)
        kind = chance.randrange(14)
        if kind == 0:
            self.files()
        elif kind == 1 and (missing := [name for name in NAMES if not (self.directory / name).exists()]):
            self.create(chance.choice(missing))
        elif kind == 2 and len(databases) > 1:
            self.remove(path)
        elif kind == 3:
            target = self.directory / chance.choice(NAMES)
            self.settle(path)
            if target != path:
                self.remove(target)
                path.rename(target)
        elif kind == 4 and len(databases) > 1:
            # One of them becomes a copy of the other.
            self.settle(path)
            other = chance.choice([database for database in databases if database != path])
            self.remove(other)
            shutil.copy(path, other)
        else:
            self.edit(path, kind)

    def edit(self, path, kind):
        chance = self.chance
        connection = sqlite3.connect(path, isolation_level=None, timeout=60)
        connection.execute("PRAGMA synchronous=OFF")
        if kind == 5:
            connection.execute("VACUUM")
        elif kind == 6:
            self.leave_the_wal(connection)
            connection.execute(f"PRAGMA page_size={chance.choice([512, 1024, 4096, 8192, 65536])}")
            connection.execute("VACUUM")
            connection.execute(f"PRAGMA journal_mode={chance.choice(['wal', 'delete'])}")
        elif kind == 7:
            connection.execute("DELETE FROM t WHERE id % 5 = ?", [chance.randrange(5)])
        elif kind == 8:
            self.insert(connection, chance.choice([1, 50, 1000]))
        elif kind == 9:
            connection.execute("DELETE FROM t WHERE id > (SELECT max(id) / 2 FROM t)")
            connection.execute("VACUUM")
        else:
            connection.execute(
                "UPDATE t SET x = randomblob(length(x)) WHERE id IN (SELECT id FROM t ORDER BY random() LIMIT ?)",
                [chance.choice([1, 5, 100])],
            )
        connection.close()

    @staticmethod
    def leave_the_wal(connection):
        def left():
            with suppress(sqlite3.OperationalError):
                return connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)

        wait_until(left, "no other process to have the database open")

    def settle(self, path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=60)
        self.leave_the_wal(connection)
        connection.close()

    def remove(self, path):
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def files(self):
        path = self.directory / "floor_plan" / self.chance.choice(["plan.bin", "0.bin", "z.bin"])
        if path.exists() and self.chance.random() < 0.3:
            path.unlink()
        elif path.exists() and self.chance.random() < 0.5:
            with open(path, "ab") as file:
                file.write(self.chance.randbytes(self.chance.choice([1, 5000])))
        else:
            path.write_bytes(self.chance.randbytes(self.chance.choice([0, 1, 4096, 66_000, 300_000])))


def content(archive):
    """What two archives of one state have in common, where each member's data begins among it."""
    inside = [name for name in archive.names if name != "MANIFEST.json"]
    return [(name, archive.entries[name]["sha256"]) for name in inside], archive.data_offsets


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_night_makes_the_archive_of_a_full_answer(tmp_path, seed, figure):
    application = Application(tmp_path / "data", seed)
    (tmp_path / "state").mkdir()
    counts = {200: 0, 226: 0, 304: 0}
    with serve(tmp_path / "data", "--state-directory", tmp_path / "state") as server:
        client = Client(server, tmp_path / "client")
        for night in range(NIGHTS):
            for _ in range(application.chance.randrange(4)):
                application.change()
            client.manipulations = application.chance.choice(["vcdiff", "vcdiff, gzip"])
            # Its trailer is the digest of the archive that the service has made, and `take` compares it.
            status = client.fetch(TE="trailers")
            counts[status] += 1
            archive = Archive(client.archive)
            assert archive.manifest["complete"]
            full = Archive(server.get(STORED + "&strict=1").body)
            assert content(archive) == content(full), f"night {night}"
    figure(f"nights, seed {seed}", f"{counts[226]} deltas, {counts[200]} whole, {counts[304]} unchanged")
    assert counts[226] > NIGHTS / 3


def damage(chance, path, others):
    """Does something to a history."""
    content = bytearray(path.read_bytes())
    match chance.randrange(8):
        case 0:
            path.unlink()
        case 1:
            path.write_bytes(content[: chance.randrange(len(content))])
        case 2 | 3:
            for _ in range(chance.choice([1, 1, 100])):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            path.write_bytes(content)
        case 4:
            path.write_bytes(chance.choice(others))
        case 5:
            other = chance.choice(others)
            start = chance.randrange(len(content))
            path.write_bytes(content[:start] + other[start : start + chance.choice([16, 4112, 1 << 20])] + content[start + 4112 :])
        case 6:
            path.write_bytes(b"sluice history 2" + content[16:])
        case 7:
            path.write_bytes(content + chance.randbytes(chance.choice([1, 4096])))


def test_a_damaged_history_makes_no_wrong_archive(tmp_path, figure):
    chance = random.Random(4)
    application = Application(tmp_path / "data", 99)
    make_larger(application, 1000)
    (state := tmp_path / "state").mkdir()
    counts = {200: 0, 226: 0}
    with serve(tmp_path / "data", "--state-directory", state) as server:
        client = Client(server, tmp_path / "client")
        client.fetch()
        wait_until(lambda: has_history(state, client), "the history")
        others = []
        for case in range(DAMAGES):
            application.edit(application.directory / "main.db", 10)
            newest = next(path for path in histories(state) if path.name.endswith(client.tag.strip('"')))
            others = [*others[-5:], newest.read_bytes()]
            answering = None
            if chance.random() < 0.8:
                damage(chance, newest, others)
            else:
                # While it is being read.
                answering = threading.Timer(chance.random() * 0.03, damage_quietly, (chance, newest, others))
                answering.start()
            status = client.fetch(TE="trailers")
            if answering:
                answering.join()
            counts[status] = counts.get(status, 0) + 1
            assert Archive(client.archive).manifest["complete"], case
            wait_until(lambda: has_history(state, client), "the history")
    figure("damaged histories", f"{DAMAGES}: {counts[200]} whole, {counts[226]} deltas, none wrong")
    assert counts[200] > DAMAGES / 2


def make_larger(application, rows):
    connection = sqlite3.connect(application.directory / "main.db", isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    application.insert(connection, rows)
    connection.close()


def damage_quietly(chance, path, others):
    with suppress(FileNotFoundError):
        damage(chance, path, others)


def test_when_either_is_killed_the_next_night_is_right(tmp_path, figure):
    chance = random.Random(5)
    application = Application(tmp_path / "data", 7)
    make_larger(application, 8000)
    (state := tmp_path / "state").mkdir()
    client = Client(None, tmp_path / "client")
    counts = {200: 0, 226: 0, 304: 0}
    for case in range(KILLS):
        application.change()
        with serve(tmp_path / "data", "--state-directory", state, "--resume-grace", "0s") as server:
            assert not [path for path in histories(state) if path.suffix == ".partial"]
            client.server = server
            fields = {"A_IM": "vcdiff, gzip", "If_None_Match": client.tag} if client.tag else {}
            if chance.random() < 0.6:
                # The server, at a moment of an answer.
                timer = threading.Timer(chance.random() * 0.08, server.process.kill)
                timer.start()
                with suppress(*BROKEN_OFF, OSError):
                    answer(("127.0.0.1", server.ports[0]), "GET", STORED, **fields)
                timer.join()
                server.wait()
            else:
                # The client.
                with server.connect(receive_buffer=4096) as connection, suppress(*BROKEN_OFF):
                    connection.begin(STORED, **fields).read(chance.choice([1, 1000, 100_000]))
                counts[client.fetch(TE="trailers")] += 1
                assert Archive(client.archive).manifest["complete"], case
        if chance.random() < 0.5:
            with serve(tmp_path / "data", "--state-directory", state) as server:
                client.server = server
                counts[client.fetch(TE="trailers")] += 1
                archive = Archive(client.archive)
                assert content(archive) == content(Archive(server.get(STORED + "&strict=1").body)), case
    figure("killed", f"{KILLS} times; then {counts[226]} deltas, {counts[200]} whole, {counts[304]} unchanged")
