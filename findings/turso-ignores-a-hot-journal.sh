#!/bin/sh
# Turso reads half of a transaction that was never committed, since it ignores a hot rollback journal; SQLite then takes Turso's commits away.
#
# pyturso 0.8.3, SQLite 3.40 (Python's). An application with a rollback journal, SQLite's default, is killed within a transaction that is larger than the
# page cache: half of it is in the database file, and the -journal beside it has what was there before. Any SQLite rolls that back when
# it opens the file. sqlite.org describes hot journals as a part of the file format. Seen, if Turso is the first to open it:
#
#   what Turso reads                        rows of both states, no error; `integrity_check` says ok
#   files                                   Turso makes a -wal beside the -journal, and leaves the -journal hot
#   UPDATE by Turso, connection closed      SQLite's next open rolls the journal back over it: the update is gone, `integrity_check` says ok
#   INSERT that makes the file longer       SQLite's next open: `database disk image is malformed`
#
# After one open by SQLite (`PRAGMA schema_version` in the shell is enough), Turso reads and writes the rows right.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import sqlite3

from common import *

python = venv("pyturso==0.8.3") + "python"
write("application.py", """
import os, sqlite3
connection = sqlite3.connect("app.db", isolation_level=None)
connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, amount, note)")
connection.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO account SELECT i, 100, zeroblob(300) FROM n")
connection.execute("BEGIN")
connection.execute("UPDATE account SET amount = 99 WHERE id <= 10000")
connection.execute("UPDATE account SET amount = 101 WHERE id > 10000")
os.kill(os.getpid(), 9)
""")
turso = write("turso.py", """
import sys
sys.path.pop(0)
import turso
connection = turso.connect("app.db", isolation_level=None)
for statement in sys.argv[1:]:
    print(sorted(row[0] for row in connection.execute(statement).fetchall()))
connection.close()
""")
AMOUNTS, CHECK = "SELECT DISTINCT amount FROM account", "PRAGMA integrity_check"
UPDATE = "UPDATE account SET amount = 500 WHERE id IN (5, 15000)"
INSERT = "INSERT INTO account(amount, note) SELECT 7, zeroblob(2000) FROM account WHERE id < 2000"
subprocess.run([sys.executable, "application.py"], cwd=DIR)


def seen(*statements, first=False):
    """What Turso answers, the files that it leaves, and what SQLite then finds; with `first`, SQLite opens the database before Turso does."""
    place = tempfile.mkdtemp(dir=DIR)
    for end in "", "-journal":
        shutil.copy(DIR + "/app.db" + end, place)
    connect = lambda: sqlite3.connect(place + "/app.db", isolation_level=None)
    if first:
        connect().execute("PRAGMA schema_version").fetchall()
    run = subprocess.run([python, turso, *statements], cwd=place, capture_output=True, text=True, timeout=120)
    files = sorted(name[6:] for name in os.listdir(place))
    try:
        found = sorted(row[0] for row in connect().execute(AMOUNTS)), connect().execute(CHECK).fetchone()[0]
    except sqlite3.Error as error:
        found = str(error)
    return run.stdout.split("\n")[:-1] + run.stderr.split("\n")[-2:-1], files, found


HALF, BOTH = "[99, 100, 101]", ["", "-journal", "-wal"]
expect({"read": seen(AMOUNTS, CHECK), "update": seen(UPDATE), "insert": seen(INSERT), "update, SQLite first": seen(AMOUNTS, UPDATE, first=True),
        "insert, SQLite first": seen(INSERT, first=True)},
       {"read": ([HALF, "['ok']"], BOTH, ([100], "ok")), "update": (["[]"], BOTH, ([100], "ok")), "insert": (["[]"], BOTH, "database disk image is malformed"),
        "update, SQLite first": (["[100]", "[]"], ["", "-wal"], ([100, 500], "ok")), "insert, SQLite first": (["[]"], ["", "-wal"], ([7, 100], "ok"))})
END
