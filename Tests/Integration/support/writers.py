"""Other processes that use a database while it is backed up, each with connections of its own.

    python3 writers.py ROLE DATABASE

Every role says `ready` once it is what its name says, goes on until its standard input ends, and ends with one
line of JSON.
"""

import json
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager

CHECKPOINTS = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")


class Writer:
    """A role in a process of its own."""

    def __init__(self, role, path):
        self.process = subprocess.Popen(
            [sys.executable, __file__, role, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "ready\n"

    def finish(self):
        """Ends it; what it has to report."""
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return json.loads(output)

    def kill(self):
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@contextmanager
def running(role, path):
    writer = Writer(role, path)
    try:
        yield writer
        if writer.process.returncode is None:
            writer.finish()
    finally:
        if writer.process.returncode is None:
            writer.kill()


@contextmanager
def stopped(writers):
    """They do nothing meanwhile, and hold what they hold: the processors are the test's, for what has nothing to do with them."""
    for writer in writers:
        writer.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for writer in writers:
            writer.process.send_signal(signal.SIGCONT)


# In the process.


def is_wanted():
    return not select.select([sys.stdin], [], [], 0)[0]


def ready():
    print("ready", flush=True)


def open_database(path, busy_timeout):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={busy_timeout}")
    return connection


def transfer(path, pause=0):
    """Moves money, without a pause. Any error ends the process, and so the test."""
    if os.environ.get("COSTS") == "any":
        # A program under a sanitizer takes ten times as long for a log that grows as fast as ever: past --max-wal-growth.
        pause = max(pause, 0.005)
    connection = open_database(path, 5000)
    # So small that a large transaction reaches the file before it is committed.
    connection.execute("PRAGMA cache_size=-64")
    connection.execute("PRAGMA synchronous=NORMAL")
    accounts = connection.execute("SELECT count(*) FROM account").fetchone()[0]
    chance = random.Random(7)
    commits = 0
    while is_wanted():
        connection.execute("BEGIN IMMEDIATE")
        source, target = chance.sample(range(accounts), 2)
        amount = chance.randrange(1000)
        connection.execute("UPDATE account SET balance = balance - ? WHERE id = ?", (amount, source))
        connection.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (amount, target))
        note = "x" * chance.randrange(500)
        connection.execute("INSERT INTO transfer VALUES (NULL, ?, ?, ?, ?)", (source, target, amount, note))
        if commits % 40 == 20:
            # Every page at once, some of them written before the commit, or before the rollback.
            connection.execute("UPDATE account SET balance = balance + iif(id % 2, 1, -1)")
        if commits % 80 == 60:
            # Later the database shrinks.
            connection.execute("DELETE FROM transfer")
        connection.execute("ROLLBACK" if commits % 80 == 20 else "COMMIT")
        if commits % 80 == 60:
            connection.execute("PRAGMA incremental_vacuum").fetchall()
        commits += 1
        if commits == 1:
            ready()
        time.sleep(pause)
    return {"commits": commits}


def transfer_at_times(path):
    """The same a hundred times a second or so: without any pause, a rollback journal locks all readers out."""
    return transfer(path, pause=0.005)


def checkpoint(path):
    """Checkpoints in all four modes, without a pause."""
    # A checkpoint that waited would hold the writers' lock meanwhile: it asks again instead.
    connection = open_database(path, busy_timeout=0)
    done = dict.fromkeys(CHECKPOINTS, 0)
    ready()
    while is_wanted():
        for mode in CHECKPOINTS:
            for _ in range(20):
                busy, _, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
                if not busy:
                    done[mode] += 1
                    break
    return {"checkpoints": done}


def lock(path):
    """Holds an exclusive transaction."""
    connection = open_database(path, 5000)
    connection.execute("BEGIN EXCLUSIVE")
    return stay(connection)


def lock_again_and_again(path):
    """Commits something and keeps all readers out meanwhile, for 0.8 s out of every 0.88."""
    connection = open_database(path, 5000)
    ready()
    while is_wanted():
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("UPDATE account SET balance = balance + iif(id % 2, 1, -1) WHERE id < 2")
        time.sleep(0.8)
        connection.execute("COMMIT")
        time.sleep(0.08)
    return {}


def vacuum_to_other_page_sizes(path):
    """Rewrites the whole database, time after time, with pages of another size."""
    connection = open_database(path, 5000)
    connection.execute("PRAGMA synchronous=OFF")
    ready()
    vacuums = 0
    while is_wanted():
        connection.execute(f"PRAGMA page_size={(1024, 4096, 16384)[vacuums % 3]}")
        connection.execute("VACUUM")
        vacuums += 1
        time.sleep(0.02)
    return {"vacuums": vacuums}


def exclusive_mode(path):
    """Has the database to itself: `PRAGMA locking_mode=EXCLUSIVE`."""
    connection = open_database(path, 5000)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("CREATE TABLE claimed(x)")
    return stay(connection)


def spill(path):
    """Holds a transaction of which a part is in the file already; killed, it leaves a hot journal."""
    connection = open_database(path, 5000)
    connection.execute("PRAGMA cache_size=5")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE account SET balance = 0")
    return stay(connection)


def idle(path):
    """An application that has the database open, has written to it, and now does nothing."""
    connection = open_database(path, 5000)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA user_version=7")
    return stay(connection)


def stay(_):
    ready()
    sys.stdin.read()
    return {}


ROLES = {
    role.__name__: role
    for role in (
        transfer, transfer_at_times, checkpoint, lock, lock_again_and_again, vacuum_to_other_page_sizes,
        exclusive_mode, spill, idle
    )
}  # fmt: skip

if __name__ == "__main__":
    print(json.dumps(ROLES[sys.argv[1]](sys.argv[2])))
