#!/bin/sh
# A writer that finds SQLite's WAL empty gives it salts of its own, and not those that the wal-index announces.
#
# SQLite 3.54.1 (apsw 3.54.1.0). fileformat2.html §4.1 and walformat.html say: salt-1 is incremented each time the WAL is restarted. So
# what tells a WAL from the one before it ought to be its predecessor's salt-1 plus 1, and after `wal_checkpoint(TRUNCATE)` the
# wal-index has that number. Seen, with three processes, of which one truncates the WAL and another writes next:
#
#   the wal-index after TRUNCATE       salt-1 of the old WAL + 1
#   the next WAL of another writer     both salts at random, unless that writer has restarted the WAL itself before
#   a large transaction, rolled back   the WAL has a header and hundreds of frames with salts that the wal-index does not have, and keeps
#                                      not having: until the next commit, no two of the three agree
#
# All connections read the right rows: without a commit, SQLite looks at no frame. But "the WAL's salts are not the index's" proves
# no foreign WAL, and no restart that the index has missed.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

python = venv("apsw==3.54.1.0") + "python"
writer = write("writer.py", """
import apsw, sys
db = apsw.Connection("app.db")
db.execute("PRAGMA cache_size=5; SELECT count(*) FROM t").fetchall()
for line in sys.stdin:
    db.execute(line).fetchall()
    print("done", flush=True)
""")
application = write("application.py", """
import apsw, struct, subprocess, sys
db = apsw.Connection("app.db")
db.execute("PRAGMA journal_mode=WAL; CREATE TABLE t(x)").fetchall()
for _ in range(2000):
    db.execute("INSERT INTO t VALUES(zeroblob(900))")
other = subprocess.Popen([sys.executable, sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

def run(sql):
    other.stdin.write(sql + "\\n"); other.stdin.flush()
    assert other.stdout.readline() == "done\\n"

def read(name):  # By another process: to close the file here would drop SQLite's locks.
    return subprocess.run(["cat", name], capture_output=True, check=True).stdout

def wal(): return struct.unpack(">II", read("app.db-wal")[16:24])
def index(): return struct.unpack(">II", read("app.db-shm")[32:40])
def frames(): return struct.unpack("<I", read("app.db-shm")[16:20])[0]

run("SELECT 1")
for size, end in (901, "COMMIT"), (902, "ROLLBACK"):
    before = wal()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    announced = index()
    print(end, "announced:", "salt-1 + 1" if announced[0] == (before[0] + 1) & 0xffffffff else "another")
    run(f"BEGIN; UPDATE t SET x = zeroblob({size}); {end}")
    found = wal()
    print(end, "written:", "as announced" if found == announced else "salt-1 as announced" if found[0] == announced[0] else "another pair")
    print(end, "index:", "the WAL's" if index() == found else "as announced" if index() == announced else "another pair", frames() > 0)
print("rows:", *db.execute("SELECT count(*), max(length(x)) FROM t").fetchall())
""")
run = subprocess.run([python, application, writer], cwd=DIR, env=ENV, capture_output=True, text=True, timeout=120)
print(run.stderr, end="")
expect(dict(enumerate(run.stdout.splitlines())), dict(enumerate([
    "COMMIT announced: salt-1 + 1", "COMMIT written: another pair", "COMMIT index: the WAL's True",
    "ROLLBACK announced: salt-1 + 1", "ROLLBACK written: another pair", "ROLLBACK index: as announced False",
    "rows: (2000, 901)"])))
END
