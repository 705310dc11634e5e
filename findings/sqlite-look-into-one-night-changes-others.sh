#!/bin/sh
# A `SELECT` in one night of rsnapshot changes the other nights: they share the database file, and SQLite checkpoints that night's -wal into it.
#
# rsnapshot 1.4.5, rsync 3.5.0 and the sqlite3 shell 3.40.1 of Debian 12. The application holds a WAL database open and is idle while a night is
# copied. Between two checkpoints its database file stays as it is: all nights have hard links to one file, and each a -wal of its own.
# Seen, by the rows of copies of three nights, before and after `sqlite3 daily.0/app.db "SELECT count(*) FROM t"`:
#
#   the night that was looked into     the same rows; -wal and -shm are gone, their pages are in the file that all nights share
#   the night before                   25 rows of the later night among 275 of its own: its -wal lies over the later pages; `integrity_check` says ok
#   the night before that              likewise, 76 rows of later nights
#   with `file:…?mode=ro`              nothing changes
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import sqlite3

from common import *

debs("rsnapshot=1.4.5-*", "rsync=3.5.0*", "libpopt0=1.19*", "libxxhash0=0.8.1-*", "sqlite3=3.40.1-*", "libsqlite3-0=3.40.1-*")


def rows(night):
    """What a copy of a night has."""
    copy = tempfile.mkdtemp(dir=DIR)
    shutil.copytree(night, copy, dirs_exist_ok=True)
    connection = sqlite3.connect(copy + "/app.db")
    states = connection.execute("SELECT group_concat(state || ' ' || n, ', ') FROM (SELECT state, count(*) n FROM t GROUP BY state ORDER BY min(id))").fetchone()[0]
    check = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    connection.close()
    return states if check == "ok" else check


def seen(name):
    """The rows of the three nights, the newest first, before and after a look into the newest one by that name."""
    place = tempfile.mkdtemp(dir=DIR)
    os.mkdir(place + "/data")
    settings = write("rsnapshot.conf", "".join(line.replace(" ", "\t", 1) + "\n" for line in [
        "config_version 1.2", f"snapshot_root {place}/nights/", "cmd_cp /bin/cp", "cmd_rm /bin/rm", f"cmd_rsync {ROOT}/usr/bin/rsync",
        "rsync_long_args --delete", "retain daily\t7", "link_dest 1", f"lockfile {place}/pid", f"backup {place}/data/\t./"]))
    application = sqlite3.connect(place + "/data/app.db", isolation_level=None)
    application.execute("PRAGMA journal_mode=WAL")
    application.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, state, filling)")
    application.execute("INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, 'first', randomblob(900) FROM n")
    application.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for change in "UPDATE t SET state = 'second' WHERE id % 10 = 0", "UPDATE t SET state = 'third' WHERE id % 7 = 0", "UPDATE t SET state = 'fourth' WHERE id % 3 = 0":
        application.execute(change)
        if subprocess.run([ROOT + "/usr/bin/rsnapshot", "-c", settings, "daily"], env=ENV).returncode:
            cannot_run("rsnapshot")
        time.sleep(1.1)  # A night later: rsync compares times of whole seconds.
    nights = [f"{place}/nights/daily.{number}" for number in range(3)]
    links = {os.stat(night + "/app.db").st_ino for night in nights}
    before = [rows(night) for night in nights]
    shell = subprocess.run([ROOT + "/usr/bin/sqlite3", name.format(nights[0]), "SELECT count(*) FROM t"], env=ENV, capture_output=True, text=True)
    files = sorted(os.listdir(nights[0]))
    return len(links), shell.stdout.strip() + shell.stderr.strip(), files, before, [rows(night) for night in nights]


LOOKED, BEFORE, FIRST = "first 155, fourth 100, third 28, second 17", "first 232, third 42, second 26", "first 270, second 30"
MIXED = "first 207, fourth 25, third 42, second 26", "first 194, fourth 60, third 16, second 30"
expect({"a look": seen("{}/app.db"), "a look with mode=ro": seen("file:{}/app.db?mode=ro")},
       {"a look": (1, "300", ["app.db"], [LOOKED, BEFORE, FIRST], [LOOKED, *MIXED]),
        "a look with mode=ro": (1, "300", ["app.db", "app.db-shm", "app.db-wal"], [LOOKED, BEFORE, FIRST], [LOOKED, BEFORE, FIRST])})
END
