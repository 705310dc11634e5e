"""Random data directories: what applications, people and crashes leave, drawn by lot, and what a backup of it must hold."""

import os
import random
import shutil
import socket
import sqlite3
import stat
import string
import tempfile
from contextlib import closing
from pathlib import Path

SIZES = [0, 1, 1, 2, 15, 16, 17, 99, 100, 101, 511, 512, 4095, 4096, 4097, 65535, 65536, 65537, 70000]
MAGIC = b"SQLite format 3\0"
# A name that ends so is a database's by custom.
ENDINGS = (b".db", b".db3", b".sqlite", b".sqlite3", b".s3db", b".sl3", b".duckdb")
COMPANIONS = (b"-wal", b"-shm", b"-journal")
# Taken in by themselves if they are there, and one by --include.
FOLDERS = [b"floor_plan", b"floorplan", b"attachments"]
ODD_NAMES = [
    b"a b", b" ", b"...", b".hidden", b"-o", b"--", b"con", b"nul.txt", b"a\\b", b"a:b", b"a\nb", b"a\tb", b"a\x1bb", b"a\x7fb",
    b'a"b', b"a'b", b"a*b", b"a?b", b"$HOME", b"%41", b"VERSION", b"MANIFEST.json", b"\xff\xfe", b"a\xc3", b"x" * 255, b"x" * 246,
    "é".encode(), "e\u0301".encode(), "日本".encode(), "\u202eabc".encode(), "\u2028".encode(), "K".encode(), "\u212a".encode(),
    b"UPPER", b"upper", b"a.db-wal", b"b-shm", b"c-journal", b"d-wal", b"Thumbs.db", b"x.db.before-restore-20260101T000000Z",
    b".sluice-restore-0", b"data.wal", b"x-log",
]  # fmt: skip
DATABASE_NAMES = [
    b"a.db", b"b.db", b"db.sqlite3", b"app.sqlite", b"x.db3", b"History", b"Cookies", b"store.data", b"UPPER.DB", b".hidden.db",
    b".db", "\u00fc.db".encode(), b"a b.db", b"\xff.db", b"-o.db", b"c.db-x", b"long" * 60 + b".db", b"l" * 252 + b".db",
]  # fmt: skip


class Tree:
    """One directory."""

    def __init__(self, path, seed):
        self.path, self.chance = Path(path), random.Random(seed)
        # What a copy of each database with all that was committed is, byte for byte.
        self.states = {}
        self.path.mkdir()
        for name in self.some(DATABASE_NAMES, 5):
            self.database(name)
        for name in self.some(ODD_NAMES, 2):
            self.entry(name)
        for folder in self.some(FOLDERS, 3):
            self.folder(folder, 0)
        self.modes()

    def some(self, names, most):
        return self.chance.sample(names, self.chance.randint(0, most))

    def at(self, name):
        return os.path.join(os.fsencode(self.path), name)

    def size(self):
        return self.chance.choice([*SIZES, self.chance.randrange(70001)])

    def write(self, name, content):
        with open(self.at(name), "wb") as file:
            file.write(content)

    # What a name may be.

    def folder(self, name, depth):
        os.mkdir(self.at(name))
        for inner in self.some(ODD_NAMES, 6):
            self.entry(os.path.join(name, inner), depth)
        for _ in range(self.chance.randint(0, 3)):
            letters = self.chance.choices(string.ascii_lowercase, k=8)
            self.entry(os.path.join(name, "".join(letters).encode()), depth)
        if self.chance.random() < 0.5:
            self.database(os.path.join(name, self.chance.choice(DATABASE_NAMES)))

    def entry(self, name, depth=0):
        if os.path.lexists(self.at(name)):
            return
        kind = self.chance.choices(
            ["file", "folder", "link", "hard link", "fifo", "socket"], [60, 12 if depth < 4 else 0, 8, 6, 2, 1]
        )[0]
        if kind == "folder":
            self.folder(name, depth + 1)
        elif kind == "link":
            os.symlink(self.chance.choice([b"a.db", b"nowhere", b"/etc/passwd", b".", b"..", b"floor_plan"]), self.at(name))
        elif kind == "hard link" and (others := self.files()):
            os.link(self.at(self.chance.choice(others)), self.at(name))
        elif kind == "fifo":
            os.mkfifo(self.at(name))
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as listener, tempfile.TemporaryDirectory(dir=self.path.parent) as place:
                listener.bind(f"{place}/s")
                os.rename(f"{place}/s", self.at(name))
        else:
            self.write(name, self.chance.randbytes(self.size()))

    def database(self, name):
        if os.path.lexists(self.at(name)):
            return
        kinds = ["wal", "rollback", "rollback", "plain", "odd", "wal with its log", "hot journal", "encrypted"]
        # Beside the longest names no log can be, and none where something else has its name.
        has_room = len(os.path.basename(name)) <= 247 and not any(os.path.lexists(self.at(name) + end) for end in COMPANIONS)
        kind = self.chance.choice(kinds if has_room else kinds[:5])
        if kind == "plain":
            self.write(name, self.chance.randbytes(self.size()))
        elif kind == "odd":
            # The magic, and then nothing that SQLite can read; or a version that only another program reads.
            version = self.chance.choice([b"\1\1", b"\xff\xff", b"\3\3"])
            content = MAGIC + b"\x10\0" + version + self.chance.randbytes(self.chance.choice([0, 80, 4096]))
            self.write(name, content[: self.chance.choice([15, 16, 20, len(content)])])
        elif kind == "encrypted":
            self.write(name, self.chance.randbytes(4096 * self.chance.randint(1, 4)))
            with open(self.at(name) + self.chance.choice([b"-wal", b"-journal"]), "wb") as log:
                log.write(self.chance.randbytes(4152))
        else:
            self.sqlite(name, kind)

    def sqlite(self, name, kind):
        """A sound database, as it lies there while an application uses it, or once that has ended or crashed."""
        with tempfile.TemporaryDirectory(dir=self.path.parent) as place:
            path = os.path.join(place, "x")
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA page_size={self.chance.choice([512, 1024, 4096, 4096, 65536])}")
                connection.execute(f"PRAGMA auto_vacuum={self.chance.randrange(3)}")
                connection.execute(f"PRAGMA encoding='{self.chance.choice(['UTF-8', 'UTF-16le'])}'")
                connection.execute(f"PRAGMA journal_mode={'wal' if 'wal' in kind else 'delete'}")
                connection.execute("PRAGMA synchronous=OFF")
                connection.execute("PRAGMA cache_size=5")
                connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT UNIQUE, bytes BLOB)")
                rows = self.chance.choice([0, 1, 30, 100])
                connection.executemany(
                    "INSERT INTO t VALUES (?, ?, ?)",
                    ((id, f"wörd {id}", self.chance.randbytes(self.chance.randrange(600))) for id in range(rows)),
                )
                if kind == "wal with its log":
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    connection.execute("PRAGMA wal_autocheckpoint=0")
                    connection.execute("INSERT INTO t (word, bytes) VALUES ('in the log', randomblob(3000))")
                    self.take(path, name, "-wal")
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                elif kind == "hot journal":
                    connection.execute("BEGIN")
                    connection.execute("UPDATE t SET bytes = randomblob(length(bytes) + 9)")
                    connection.execute("INSERT INTO t (word, bytes) SELECT word || ' again', randomblob(900) FROM t")
                    self.take(path, name, *(["-journal"] if os.path.exists(path + "-journal") else []))
                    return
            with open(path, "rb") as file:
                self.states[name] = file.read()
            if kind != "wal with its log":
                self.take(path, name)

    def take(self, path, name, *suffixes):
        for suffix in ("", *suffixes):
            shutil.copy(path + suffix, self.at(name) + suffix.encode())

    def modes(self):
        """Last of all, since some can no longer be entered; not of the directory itself, in which SQLite makes its files."""
        for name in self.files():
            # Of what has two names, or a log beside it, both are as they are.
            if self.chance.random() < 0.3 and os.lstat(self.at(name)).st_nlink == 1 and name not in self.states:
                os.chmod(self.at(name), self.chance.choice([0, 0o400, 0o444, 0o600, 0o640, 0o755, 0o777]))

    # What is there.

    def walk(self):
        """Every name that is no directory, relative, in no order."""
        for parent, folders, files in os.walk(os.fsencode(self.path)):
            links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
            for name in files + links:
                yield os.path.relpath(os.path.join(parent, name), os.fsencode(self.path))

    def files(self):
        return sorted(name for name in self.walk() if stat.S_ISREG(os.lstat(self.at(name)).st_mode))

    def read(self, name):
        with open(self.at(name), "rb") as file:
            return file.read()

    def begins_as_a_database(self, name):
        """Whether a backup can tell: none can look into a file that it may not read."""
        if not os.lstat(self.at(name)).st_mode & 0o400:
            return False
        with open(self.at(name), "rb") as file:
            return file.read(15) == MAGIC[:15]
