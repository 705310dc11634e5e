#!/bin/sh
# One file has two sets of locks where it is reached by two mounts: SQLite's reader keeps no checkpoint from running.
#
# bindfs 1.14.7, mergerfs 2.33.5, overlayfs of the running kernel; SQLite 3.40 (Python's). Two processes open one WAL database, one by the
# mount, one by the directory below it. The reader begins a read transaction and reads half of a table; the application updates every
# row and runs `PRAGMA wal_checkpoint(TRUNCATE)`; the reader reads the other half. Seen, whichever of the two is below:
#
#   by one path, or by a bind mount      the checkpoint answers "busy": SQLite waits for the reader
#   bindfs, mergerfs, overlayfs          the checkpoint succeeds under the reader
#
# So does every checkpoint that SQLite runs by itself: the reader then has pages of several commits, or "malformed". A process that
# opens a WAL database and sees no other one's locks also empties the -shm that the other one has mapped into its memory.
#
# mergerfs without `use_ino` gives a file another inode number when the kernel has forgotten it: programs that compare numbers (backups,
# ETags, `find -samefile`) take it for another file.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
    cannot_run("only root may mount, and FUSE must be there")
debs("bindfs=1.14.7-*", "mergerfs=2.33.5-*", "libfuse3-3=3.14.0-*")
program = write("program.py", """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.1)
for line in sys.stdin:
    try:
        print(db.execute(line).fetchall(), flush=True)
    except sqlite3.Error as error:
        print(error, flush=True)
""")


class Connection:
    def __init__(self, path):
        self.process = subprocess.Popen([sys.executable, program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, statement):
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.kill()
        self.process.communicate()


def checkpoint_under_a_reader(applications, readers):
    application, reader = Connection(applications + "/a.db"), Connection(readers + "/a.db")
    try:
        for statement in ("PRAGMA journal_mode=WAL", "CREATE TABLE t(v, b)", "INSERT INTO t VALUES(0, zeroblob(3000)), (0, zeroblob(3000))"):
            application(statement)
        reader("BEGIN")
        reader("SELECT v FROM t WHERE rowid = 1")
        application("UPDATE t SET v = 1")
        return "busy" if application("PRAGMA wal_checkpoint(TRUNCATE)").startswith("[(1,") else "done"
    finally:
        application.close()
        reader.close()


def mount(kind, below, above):
    if kind in ("bindfs", "mergerfs"):
        command = [ROOT + "/usr/bin/" + kind, below, above]
    elif kind == "bind mount":
        command = ["mount", "--bind", below, above]
    else:
        command = ["mount", "-t", "overlay", "-o", f"lowerdir={DIR}/lower,upperdir={below},workdir={DIR}/ram/work", "overlay", above]
    if subprocess.run(command, env=ENV).returncode:
        cannot_run(kind)
    for _ in range(100):
        if os.path.ismount(above):
            return
        time.sleep(0.05)
    cannot_run(kind + " does not mount")


def umount(path):
    subprocess.run(["umount", "--lazy", path])


seen = {}
os.makedirs(DIR + "/ram")
os.makedirs(DIR + "/lower")
subprocess.run(["mount", "-t", "tmpfs", "ram", DIR + "/ram"], check=True)
atexit.register(umount, DIR + "/ram")
os.makedirs(DIR + "/ram/work")
for number, kind in enumerate(("bind mount", "bindfs", "mergerfs", "overlayfs")):
    below, above = f"{DIR}/ram/below{number}", f"{DIR}/above{number}"
    os.makedirs(above)
    for side in ("below", "above"):
        shutil.rmtree(below, ignore_errors=True)
        os.makedirs(below)
        mount(kind, below, above)
        try:
            seen[f"{kind}, application {side}"] = checkpoint_under_a_reader(*((below, above) if side == "below" else (above, below)))
        finally:
            umount(above)
seen["one path"] = checkpoint_under_a_reader(DIR + "/lower", DIR + "/lower")

below, above = DIR + "/ram/below2", DIR + "/above2"
numbers = []
mount("mergerfs", below, above)
try:
    for name in ("a.db", "a.db-wal"):
        open(f"{below}/{name}", "a").close()
    for name in ("a.db", "a.db-wal"):
        os.stat(f"{above}/{name}")
    for _ in range(2):
        numbers.append(os.stat(above + "/a.db").st_ino)
        subprocess.run(["sync"])
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("2")
finally:
    umount(above)
seen["mergerfs, inode number after the kernel forgot it"] = "the same" if numbers[0] == numbers[1] else "another"

expect(seen, {
    "one path": "busy", "bind mount, application below": "busy", "bind mount, application above": "busy",
    "bindfs, application below": "done", "bindfs, application above": "done",
    "mergerfs, application below": "done", "mergerfs, application above": "done",
    "overlayfs, application below": "done", "overlayfs, application above": "done",
    "mergerfs, inode number after the kernel forgot it": "another"})
END
