#!/bin/sh
# A reader with SQLite's default VFS rolls back the running transaction of an application with vfs=unix-dotfile.
#
# SQLite 3.54.1 (apsw 3.54.1.0), and 3.40.1 for the reader (Debian 12's sqlite3). The application's lock is a folder `app.db.lock`, which the
# default VFS does not look for; it documents that lock styles do not mix. Seen, while the application is in a transaction of which
# some pages are already in the file:
#
#   the reader          `SELECT` succeeds: it takes the journal for a crashed writer's, rolls it back and deletes it
#   the application     COMMIT fails with "disk I/O error"; afterwards the table has rows of both states
#   PRAGMA integrity_check of the file    ok
#
# So "open it with sqlite3 once", the usual advice for a journal that was left behind, destroys a transaction here.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

python = venv("apsw==3.54.1.0") + "python"
debs("sqlite3=3.40.1-*", "libsqlite3-0=3.40.1-*")
application = write("application.py", """
import apsw, subprocess, sys
db = apsw.Connection("app.db", vfs="unix-dotfile")
db.execute("CREATE TABLE t(state, filling); PRAGMA cache_size=5")
for _ in range(200):
    db.execute("INSERT INTO t VALUES('before', zeroblob(3000))")
db.execute("BEGIN IMMEDIATE; UPDATE t SET state = 'after'")  # More than the cache holds: pages go to the file now.
import os; print("files:", *sorted(f for f in os.listdir(".") if f.startswith("app.db")))
read = subprocess.run([sys.argv[1], "app.db", "SELECT count(*) FROM t"], capture_output=True, text=True)
print("reader:", read.stdout.strip() or read.stderr.strip())
print("files:", *sorted(f for f in os.listdir(".") if f.startswith("app.db")))
try:
    db.execute("COMMIT")
    print("commit: done")
except apsw.Error as error:
    print("commit:", error)
print("states:", *sorted(row[0] for row in db.execute("SELECT DISTINCT state FROM t")))
print("check:", db.execute("PRAGMA integrity_check").fetchall()[0][0])
""")
run = subprocess.run([python, application, ROOT + "/usr/bin/sqlite3"], cwd=DIR, env=ENV, capture_output=True, text=True, timeout=60)
print(run.stderr, end="")
expect(dict(enumerate(run.stdout.splitlines())), dict(enumerate([
    "files: app.db app.db-journal app.db.lock", "reader: 200", "files: app.db app.db.lock",
    "commit: disk I/O error", "states: after before", "check: ok"])))
END
