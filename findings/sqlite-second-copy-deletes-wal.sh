#!/bin/sh
# A SELECT through polars, ADBC, GDAL or DuckDB in the application's process deletes the -wal that the application writes to.
#
# polars 2.1.0 with connectorx 0.4.6, adbc-driver-sqlite 1.13.0, pyogrio 0.13.0 (GDAL) and duckdb 1.5.5 with its sqlite extension, beside Python's
# sqlite3. Each carries an SQLite of its own, and Linux drops a process's locks on a file when any of its descriptors is closed. sqlite.org
# names two copies as a way to corrupt a database; what a reader does was not to be expected. Seen, while the application is connected:
#
#   the SELECT          takes itself for the last connection when it closes: it checkpoints and deletes -wal and -shm
#   the application     goes on in the deleted -wal: no error, it sees its own rows, no other process does
#   another process     commits rows, and reads them; the application's next checkpoint, at the latest when it closes, writes over them
#   afterwards          the rows of the other process are gone, and integrity_check says ok
#   the application is killed instead     what it committed since its last checkpoint is gone
#
# DuckDB with READ_ONLY, and apsw with SQLITE_OPEN_READONLY, leave the -wal where it is.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

python = venv("polars==2.1.0", "connectorx==0.4.6", "pyarrow==26.0.1", "adbc-driver-sqlite==1.13.0", "pyogrio==0.13.0", "duckdb==1.5.5",
              "duckdb-extension-sqlite-scanner==1.5.5", "apsw==3.54.1.0") + "python"
application = write("application.py", """
import glob, os, signal, sqlite3, subprocess, sys, time
kind, end = sys.argv[1:]
path, ask = os.path.abspath(f"{kind}-{end}.db"), "SELECT count(*) FROM t"
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE t(state)")
run = lambda state, rows: [db.execute("INSERT INTO t VALUES(?)", (state,)) for _ in range(rows)]
run("before", 100)
if kind == "polars":
    import polars
    polars.read_database_uri(ask, "sqlite://" + path)
elif kind == "adbc":
    import adbc_driver_sqlite.dbapi
    with adbc_driver_sqlite.dbapi.connect(path) as other, other.cursor() as cursor:
        cursor.execute(ask)
        cursor.fetchall()
elif kind == "pyogrio":
    import pyogrio
    pyogrio.read_arrow(path, sql=ask)
elif kind.startswith("duckdb"):
    import duckdb, duckdb_extension_sqlite_scanner
    extension = glob.glob(os.path.dirname(duckdb_extension_sqlite_scanner.__file__) + "/**/*.duckdb_extension", recursive=True)[0]
    with duckdb.connect() as other:
        other.execute(f"LOAD '{extension}'")
        other.execute(f"ATTACH '{path}' AS a (TYPE sqlite{', READ_ONLY' if kind == 'duckdb-ro' else ''})")
        other.execute("SELECT count(*) FROM a.t").fetchall()
        other.execute("DETACH a")
elif kind == "apsw-ro":
    import apsw
    other = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    list(other.execute(ask))
    other.close()
time.sleep(1)  # connectorx closes its connections in another thread.
wal = "wal" if os.path.exists(path + "-wal") else "no wal"
run("after", 100)
elsewhere = lambda sql: subprocess.run(
    [sys.executable, "-c", "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(*db.execute(sys.argv[2]).fetchall()); db.commit()", path, sql],
    capture_output=True, text=True, check=True).stdout.strip()
sees = elsewhere("SELECT count(*) FROM t")
if end == "kill":
    print(wal, sees, "", sep="; ", end="", flush=True)
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(0)
elsewhere("INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT 'other' FROM n")
run("more", 100)
db.close()
print(wal, sees, "", sep="; ", end="", flush=True)
""")


def seen(kind, end):
    run = subprocess.run([python, application, kind, end], cwd=DIR, capture_output=True, text=True, timeout=120)
    rows = "SELECT group_concat(state || ' ' || n, ', ') FROM (SELECT state, count(*) n FROM t GROUP BY state)"
    check = subprocess.run([python, "-c", f"""import sqlite3
db = sqlite3.connect("{DIR}/{kind}-{end}.db")
print(db.execute("{rows}").fetchone()[0], db.execute("PRAGMA integrity_check").fetchone()[0], sep="; ")"""], capture_output=True, text=True)
    return run.stdout + check.stdout.strip() + run.stderr[-300:] + check.stderr[-300:]


LOST = "no wal; (100,); after 100, before 100, more 100; ok"
KEPT = "wal; (200,); after 100, before 100, more 100, other 50; ok"
cases = {("none", "close"): KEPT, ("duckdb-ro", "close"): KEPT, ("apsw-ro", "close"): KEPT, ("none", "kill"): "wal; (200,); after 100, before 100; ok"}
for kind in "polars", "adbc", "pyogrio", "duckdb":
    cases[kind, "close"], cases[kind, "kill"] = LOST, "no wal; (100,); before 100; ok"
expect({f"{kind}, {end}": seen(kind, end) for kind, end in cases}, {f"{kind}, {end}": value for (kind, end), value in cases.items()})
END
