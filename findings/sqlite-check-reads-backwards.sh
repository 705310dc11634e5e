#!/bin/sh
# SQLite's integrity_check and quick_check read a table from its last page to its first, one page at a time from the disk.
#
# The sqlite3 shell 3.40.1 (Debian 12) and SQLite 3.54.1 (apsw 3.54.1.0), Linux 6.18, ext4 on a loop device (root only), default readahead of
# 128 KiB. The database has one table of 500,000 rows, written in order, 27,802 pages, and none of it is in memory. Guess: the check goes
# through the file as a SELECT does, in some hundred requests to the disk. Seen, in requests, by both:
#
#   SELECT over all rows 95, VACUUM INTO 96, .backup 93
#   integrity_check and quick_check 27,785: each page by itself, since the kernel reads ahead of what goes forward only
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

if os.geteuid():
    cannot_run("only root may mount a loop device")
debs("sqlite3=3.40.1-2*", "libsqlite3-0=3.40.1-2*")
python = venv("apsw==3.54.1.0") + "python"
write("apsw-shell.py", "import apsw, sys\nprint(apsw.Connection(sys.argv[1]).execute(sys.argv[2]).fetchall())\n")
os.mkdir(DIR + "/disk")
with open(DIR + "/image", "wb") as image:
    image.truncate(600 << 20)
subprocess.run(["mkfs.ext4", "-q", DIR + "/image"], check=True)
if subprocess.run(["mount", "-o", "loop", DIR + "/image", DIR + "/disk"]).returncode:
    cannot_run("there is no loop device")
atexit.register(subprocess.run, ["umount", "--lazy", DIR + "/disk"])
DATABASE = DIR + "/disk/app.db"
SHELL = [ROOT + "/usr/bin/sqlite3", "-batch", DATABASE]
MAKE = """CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500000) INSERT INTO t SELECT i, printf('%.20c%d', 'x', i) || hex(zeroblob(90)) FROM n"""
subprocess.run([*SHELL, MAKE], env=ENV, check=True)
device = os.stat(DATABASE).st_dev
pages = os.path.getsize(DATABASE) // 4096


def requests(*command):
    """How many reads the device does for a command that finds nothing of the database in memory."""
    with open(DATABASE, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def done():
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat") as stat:
            return int(stat.read().split()[0])

    before = done()
    if subprocess.run(command, env=ENV, stdout=subprocess.DEVNULL).returncode:
        cannot_run(" ".join(command))
    return done() - before


print(pages, "pages")
as_described = True
for name, shell in (("3.40.1", SHELL), ("3.54.1", [python, DIR + "/apsw-shell.py", DATABASE])):
    found = {sql: requests(*shell, sql) for sql in ("SELECT sum(length(a)) FROM t", "PRAGMA integrity_check", "PRAGMA quick_check", f"VACUUM INTO '{DIR}/{name}.db'")}
    if shell is SHELL:
        found[".backup"] = requests(*shell, f".backup {DIR}/backup.db")
    for what, count in found.items():
        print(f"{name}: {what.split(' /')[0]}: {count} requests")
        as_described &= count > 0.9 * pages if "check" in what else count < pages / 20
sys.exit(not as_described)
END
