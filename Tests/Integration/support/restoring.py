"""What the tests of `sluice restore` share: small directories, and what can be read in them."""

import os
import sqlite3
import subprocess
from pathlib import Path

import data as make
from harness import run

SLOW = os.environ.get("RUN_SLOW") == "1"

# A small process between, since a child's peak begins with what its parent has.
MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
sys.exit(status)
"""


def rows(path):
    """Everything in a database, in its own words; it must be whole."""
    connection = sqlite3.connect(path, timeout=0)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())
    finally:
        connection.close()


def small(directory, word, names=("a.db", "b.db", "c.db")):
    """Databases of both kinds and a file, which all say the same word."""
    directory.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        connection = make.create(directory / name, (make.WAL, make.ROLLBACK)[index % 2])
        connection.execute("CREATE TABLE t(word)")
        connection.executemany("INSERT INTO t VALUES (?)", [(word,)] * 200)
        connection.close()
    (directory / "floor_plan").mkdir(exist_ok=True)
    (directory / "floor_plan/plan.json").write_text(word)
    return directory


# To Unicode the first two are one name, and so are the last two; to the file systems of Linux all of them are names.
LOOKALIKES = ("\u00e9.db", "e\u0301.db", "K.db", "\u212a.db")


def lookalikes(directory, names=LOOKALIKES):
    """Databases whose names look the same, each of which says its own."""
    for index, name in enumerate(names):
        connection = make.create(directory / name, (make.WAL, make.ROLLBACK)[index % 2])
        connection.execute("CREATE TABLE t(word)")
        connection.execute("INSERT INTO t VALUES (?)", (ascii(name),))
        connection.commit()
        connection.close()
    return directory


def backup(directory, archive, *options):
    assert run("backup", "--data", directory, "-o", archive, *options).returncode == 0
    return archive


def restore(archive, directory, *arguments, **options):
    return run("restore", archive, "--into", directory, *arguments, **options)


def word(path):
    """What a database or a file says; None if it cannot be opened."""
    if path.suffix == ".json":
        return path.read_text() if path.exists() else None
    if not os.path.lexists(path):
        return None
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=0)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            [(said,)] = connection.execute("SELECT DISTINCT word FROM t")
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (200,)
            return said
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        assert "unable to open database file" in str(error)
        return None


def words(directory):
    return {name: word(directory / name) for name in ("a.db", "b.db", "c.db", "floor_plan/plan.json")}


def tree(directory):
    """Every name, what it is, and its bytes."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(directory.rglob("*"))
    }


def leave_log(path, word):
    """Writes as an application that is killed: the content is in the log alone."""
    script = f"""
import os, sqlite3
connection = sqlite3.connect({str(path)!r}, isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("UPDATE t SET word = {word!r}")
os.kill(os.getpid(), 9)
"""
    subprocess.run(["/usr/bin/python3", "-c", script])
    assert path.with_name(path.name + "-wal").stat().st_size > 0


def replaced(directory):
    """A directory with older databases, one of which a crashed application has left with its log."""
    directory = small(directory, "older")
    leave_log(directory / "a.db", "old")
    for name in ("b.db", "c.db"):
        connection = sqlite3.connect(directory / name)
        connection.execute("UPDATE t SET word = 'old'")
        connection.commit()
        connection.close()
    (directory / "floor_plan/plan.json").write_text("old")
    return directory


def change(path, sql):
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()


def crashed(directory, names):
    """A transaction over several databases, whose application was killed as it committed."""
    script = f"""
import os, sqlite3
names = {names!r}
connection = sqlite3.connect(names[0], isolation_level=None)
for number, name in enumerate(names[1:]):
    connection.execute("ATTACH ? AS other" + str(number), (name,))
for schema in ["main"] + ["other" + str(number) for number in range(len(names) - 1)]:
    connection.execute("PRAGMA " + schema + ".cache_size=1")
    connection.execute("PRAGMA " + schema + ".journal_mode=DELETE")
connection.execute("BEGIN")
for schema in ["main"] + ["other" + str(number) for number in range(len(names) - 1)]:
    connection.execute("UPDATE " + schema + ".t SET word = 'half of it, and long enough for more pages' || randomblob(4000)")
os.kill(os.getpid(), 9)
"""
    subprocess.run(["/usr/bin/python3", "-c", script], cwd=directory)
    # What SQLite writes next: the super-journal, and its name at the end of each journal (pager.c, writeSuperJournal).
    name = str(directory / (names[0] + "-mj0123ABCD9EF")).encode()
    tail = (1).to_bytes(4, "big") + name + len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big") + bytes.fromhex("d9d505f920a163d7")
    for database in names:
        journal = directory / (database + "-journal")
        content = journal.read_bytes()
        assert content[:8] == bytes.fromhex("d9d505f920a163d7")
        journal.write_bytes(content + tail)
    journals = [str(directory / (database + "-journal")).encode() + b"\0" for database in names]
    Path(os.fsdecode(name)).write_bytes(b"".join(journals))
