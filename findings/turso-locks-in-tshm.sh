#!/bin/sh
# Turso's multiprocess_wal and SQLite do not see each other's locks on one WAL database, on any file system.
#
# pyturso 0.8.3 with experimental_features="multiprocess_wal", SQLite 3.40 (Python's). The file has SQLite's format and a -wal beside it. Turso keeps
# its locks and its index in app.db-tshm, and never looks at app.db-shm. Seen, while an SQLite connection is in a read transaction:
#
#   Turso's `PRAGMA wal_checkpoint(TRUNCATE)`      succeeds, and the -wal is empty
#   the SQLite reader, of the second half of the table      a row of the later commit, or an error: not the row of its transaction
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

python = venv("pyturso==0.8.3") + "python"
program = write("program.py", """
import os, sqlite3, turso
application = turso.connect("app.db", experimental_features="multiprocess_wal", isolation_level=None)
run = lambda statement: application.execute(statement).fetchall()
run("PRAGMA journal_mode=WAL")
run("CREATE TABLE t(v, b)")
for _ in range(200):
    run("INSERT INTO t VALUES(0, randomblob(1000))")
run("PRAGMA wal_checkpoint(TRUNCATE)")
reader = sqlite3.connect("app.db", isolation_level=None, timeout=0.1)
reader.execute("PRAGMA cache_size=1")
reader.execute("BEGIN")
print("first half:", reader.execute("SELECT group_concat(DISTINCT v) FROM t WHERE rowid < 100").fetchone()[0])
run("UPDATE t SET v = 1")
print("checkpoint busy:", run("PRAGMA wal_checkpoint(TRUNCATE)")[0][0], "wal:", os.path.getsize("app.db-wal"))
try:
    print("second half:", reader.execute("SELECT group_concat(DISTINCT v) FROM t WHERE rowid > 110").fetchone()[0])
except sqlite3.Error as error:
    print("second half:", error)
print("files:", *sorted(name for name in os.listdir(".") if name.startswith("app.db")))
""")
run = subprocess.run([python, program], cwd=DIR, capture_output=True, text=True, timeout=60)
print(run.stderr, end="")
expect(dict(enumerate(run.stdout.splitlines())), dict(enumerate([
    "first half: 0", "checkpoint busy: 0 wal: 0", "second half: 1", "files: app.db app.db-shm app.db-tshm app.db-wal"])))
END
