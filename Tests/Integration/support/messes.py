"""What broken applications and people leave in a data directory, and what is to become of it."""

import os
import random
import shutil
import sqlite3
from contextlib import closing

import data as make
from writers import running


def cut(path, size):
    os.truncate(path, size if size >= 0 else path.stat().st_size + size)


def overwrite(path, offset, content):
    with path.open("r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        file.write(content)


def beside(path, suffix):
    return path.with_name(path.name + suffix)


AS_SQLITE, AS_FILE = "as SQLite sees it", "as a file"
# What becomes of a database with its last commit in its log and no index, or of one with a rollback journal; of both, or
# of one of them. `other` has the log and the journal of another database.
MESSES = {
    "a log cut in the middle of its last frame": ("wal", AS_SQLITE, lambda path, other: cut(beside(path, "-wal"), -2000)),
    "a log cut in the middle of its first frame": ("wal", AS_SQLITE, lambda path, other: cut(beside(path, "-wal"), 1000)),
    "a log of which half a header is there": ("wal", AS_SQLITE, lambda path, other: cut(beside(path, "-wal"), 16)),
    "a log whose last frame is damaged": ("wal", AS_SQLITE, lambda path, other: overwrite(beside(path, "-wal"), -100, bytes(50))),
    "a log whose header is damaged": ("wal", AS_SQLITE, lambda path, other: overwrite(beside(path, "-wal"), 24, b"12345678")),
    "a log with noise behind it": ("wal", AS_SQLITE, lambda path, other: overwrite(beside(path, "-wal"), 10**6, bytes(range(256)) * 99)),
    "another database's log": ("wal", AS_SQLITE, lambda path, other: shutil.copy(beside(other, "-wal"), beside(path, "-wal"))),
    "another database's log beside a journal's": (
        "rollback", AS_SQLITE, lambda path, other: shutil.copy(beside(other, "-wal"), beside(path, "-wal"))),
    "an index of noise": ("wal", AS_SQLITE, lambda path, other: beside(path, "-shm").write_bytes(random.Random(1).randbytes(32768))),
    "an empty index": ("wal", AS_SQLITE, lambda path, other: beside(path, "-shm").touch()),
    "another database's journal": (
        "rollback", "hot-journal", lambda path, other: shutil.copy(beside(other, "-journal"), beside(path, "-journal"))),
    "an empty journal": ("rollback", AS_SQLITE, lambda path, other: beside(path, "-journal").touch()),
    "a journal with its header zeroed": (
        "rollback", AS_SQLITE, lambda path, other: beside(path, "-journal").write_bytes(bytes(512) + b"x" * 9000)),
    "pages zeroed": ("both", AS_SQLITE, lambda path, other: overwrite(path, 4096 * 4, bytes(4096 * 3))),
    "the first page zeroed": ("rollback", AS_FILE, lambda path, other: overwrite(path, 0, bytes(4096))),
    "the first page zeroed, the log there": ("wal", AS_SQLITE, lambda path, other: overwrite(path, 0, bytes(4096))),
    "another magic": ("rollback", AS_FILE, lambda path, other: overwrite(path, 0, b"SQLite format 4\0")),
    "a page size that is none": ("rollback", AS_FILE, lambda path, other: overwrite(path, 16, b"\x10\x01")),
    "a version that nobody can read": ("rollback", "unsupported-format", lambda path, other: overwrite(path, 18, b"\7\7")),
    "a schema of noise": ("rollback", "corrupt", lambda path, other: overwrite(path, 200, b"\xff" * 3800)),
    "a schema of noise, the log there": ("wal", AS_SQLITE, lambda path, other: overwrite(path, 200, b"\xff" * 3800)),
    "a file cut in the middle of a page": ("rollback", "corrupt", lambda path, other: cut(path, 4096 * 9 + 100)),
    "a file cut between two pages": ("rollback", "corrupt", lambda path, other: cut(path, 4096 * 9)),
    "a file cut amid its header": ("rollback", "corrupt", lambda path, other: cut(path, 60)),
    "a file of nothing": ("rollback", AS_SQLITE, lambda path, other: cut(path, 0)),
    "a file of nothing, the log there": ("wal", "corrupt", lambda path, other: cut(path, 0)),
    "a log without its database": ("wal", "not at all", lambda path, other: path.unlink()),
}  # fmt: skip


def damage(path, chance):
    """Something somewhere in a file, drawn by lot."""
    size = path.stat().st_size
    kind, place = chance.randrange(6), chance.choice([chance.randrange(size + 1), chance.randrange(min(size, 200) + 1)])
    if kind == 0:
        cut(path, place)
    elif kind == 1:
        overwrite(path, size, chance.randbytes(chance.randrange(1, 9000)))
    else:
        few = bytes([chance.choice([0, 1, 0xFF, chance.randrange(256)])])
        overwrite(path, place, chance.choice([few, chance.randbytes(4), bytes(512), path.read_bytes()[place // 2 :][:512]]))


def left_by_a_crash(path, mode):
    """A database of an application that was killed: its last commits are in its log, or it has a journal to roll back."""
    make.ledger(path, mode, accounts=50 if path.stem == "other" else 70, padding=3000)
    with running("idle" if mode == make.WAL else "spill", path) as application:
        application.kill()
    return path


def view(path):
    """Everything that SQLite finds in a database, opened as its application would; or its error."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("PRAGMA user_version").fetchall() + list(connection.iterdump())
    except sqlite3.DatabaseError as error:
        return str(error)
