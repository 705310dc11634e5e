#!/bin/sh
# borgmatic that meets a large transaction keeps the database as an empty one, and its restore removes the database for that. Exit status 0 for both.
#
# borgmatic 2.1.10 with its hook `sqlite_databases`, Borg 1.2.4, the sqlite3 shell 3.40.1. The database has a rollback journal, SQLite's default; an
# import that is larger than the page cache locks it from its first spilled page to its COMMIT. Seen:
#
#   `sqlite3 -bail app.db .dump`           exit status 0, nothing on standard error; four lines: BEGIN, the error as a comment, ROLLBACK
#   borgmatic create, meanwhile            exit status 0, no message; the archive has these four lines
#   borgmatic restore of that archive      exit status 0; the database that was there is removed, the new one has 0 bytes
#   borgmatic create with the shell of SQLite 3.54.1 as `sqlite_command`      exit status 1: the shell's own is 1
#
# `.backup` and `VACUUM INTO` of the shell 3.40.1 fail on the same lock with exit status 1 and 5.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import glob
import sqlite3

from common import *

debs("sqlite3=3.40.1-*", "libsqlite3-0=3.40.1-*", "borgbackup=1.2.4-*", "python3-msgpack=1.0.3-*", "python3-packaging=23.0-*", "python3-pkg-resources=66.1.1-*",
     "libxxhash0=0.8.1-*")
bin = venv("borgmatic==2.1.10", "apsw==3.54.1.0")
newest = glob.glob(bin + "../lib/python3*/site-packages/apsw/sqlite_extra_binaries/sqlite3_shell")[0]
os.chmod(newest, 0o755)
borg = write("borg", f'#!/bin/sh\nPYTHONPATH={ROOT}/usr/lib/python3/dist-packages exec /usr/bin/python3 {ROOT}/usr/bin/borg "$@"\n')
os.chmod(borg, 0o755)
for folder in "run", "state":
    os.mkdir(f"{DIR}/{folder}")
ENV.update(PATH=f"{ROOT}/usr/bin:{ENV['PATH']}", BORG_BASE_DIR=DIR + "/base")
database = DIR + "/app.db"


def configuration(shell):
    return write(shell.rpartition("/")[2] + ".yaml", f"""
repositories: [{{path: {DIR}/repository}}]
sqlite_databases: [{{name: app, path: {database}, sqlite_command: {shell}}}]
local_path: {borg}
user_runtime_directory: {DIR}/run
user_state_directory: {DIR}/state
""")


def borgmatic(configuration, *command):
    return subprocess.run([bin + "borgmatic", "-c", configuration, *command], env=ENV, cwd=DIR, stdout=open(DIR + "/log", "w"), stderr=subprocess.STDOUT, timeout=300).returncode


def rows():
    with sqlite3.connect(database) as connection:
        try:
            return connection.execute("SELECT count(*) FROM t").fetchone()[0]
        except sqlite3.Error as error:
            return str(error)


application = sqlite3.connect(database, isolation_level=None)
application.execute("CREATE TABLE t(x)")
IMPORT = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT randomblob(900) FROM n"
application.execute(IMPORT, (100,))
usual, later = configuration("sqlite3"), configuration(newest)
seen = {"repo-create": borgmatic(usual, "repo-create", "--encryption", "none"), "create": borgmatic(usual, "create")}
seen["restore"] = borgmatic(usual, "restore", "--archive", "latest"), rows()

application = sqlite3.connect(database, isolation_level=None)
application.execute("BEGIN")
application.execute(IMPORT, (5000,))
dump = subprocess.run(["sqlite3", "-bail", database, ".dump"], env=ENV, capture_output=True, text=True)
seen["the shell, locked"] = dump.returncode, dump.stderr, dump.stdout.split("\n")[2:4]
seen["create, locked"] = borgmatic(usual, "create"), open(DIR + "/log").read()
seen["create, locked, 3.54.1"] = borgmatic(later, "create")
application.execute("COMMIT")
application.close()
seen["rows after the import"] = rows()
seen["restore, of locked"] = borgmatic(usual, "restore", "--archive", "latest"), os.path.getsize(database), rows()
expect(seen, {
    "repo-create": 0, "create": 0, "restore": (0, 100),
    "the shell, locked": (0, "", ["/**** ERROR: (5) database is locked *****/", "ROLLBACK; -- due to errors"]),
    "create, locked": (0, ""), "create, locked, 3.54.1": 1, "rows after the import": 5100, "restore, of locked": (0, 0, "no such table: t"),
})
END
