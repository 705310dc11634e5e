"""What the application's writers notice: the time that their commits take while a backup is made, and without.

    python3 interference.py DATABASE MILLISECONDS

is such a writer: it commits 50 times a second with that busy timeout until its standard input ends, then prints
when each commit began and how long it took, in seconds, or null if it failed.
"""

import json
import select
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

PERIOD = 1 / 50
# Of each writer, by what its column is called: the database, and its busy timeout in milliseconds.
DATABASES = {
    "WAL": ("telemetry.db", 5000), "rollback": ("events.db", 5000), "rollback, no timeout": ("analytics.db", 0),
}  # fmt: skip


@dataclass
class Noticed:
    """Of one contestant, over all its rounds."""

    times: dict = field(default_factory=lambda: {mode: [] for mode in DATABASES})  # a list for each round
    errors: dict = field(default_factory=lambda: dict.fromkeys(DATABASES, 0))
    finished: int = 0
    unfinished: int = 0


def measure(noticed, directory, make_backup, seconds, unfinished):
    """Lets writers run for at least so long, one backup after the other beside them."""
    windows = []
    with ExitStack() as stack:
        writers = {mode: stack.enter_context(writing(directory / name, timeout)) for mode, (name, timeout) in DATABASES.items()}
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            try:
                make_backup()
                noticed.finished += 1
            except unfinished:
                noticed.unfinished += 1
            windows.append((start, time.perf_counter()))
        for mode, writer in writers.items():
            output, _ = writer.communicate(timeout=60)
            assert writer.returncode == 0
            commits = [duration for at, duration in json.loads(output) if any(a <= at < b for a, b in windows)]
            noticed.times[mode].append([duration for duration in commits if duration is not None])
            noticed.errors[mode] += commits.count(None)


@contextmanager
def writing(path, timeout):
    process = subprocess.Popen(
        [sys.executable, __file__, path, str(timeout)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def write(path, timeout):
    commits = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout={timeout}")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("CREATE TABLE IF NOT EXISTS beat(id INTEGER PRIMARY KEY, at REAL)")
        print("ready", flush=True)
        due = time.perf_counter()
        while not select.select([sys.stdin], [], [], max(0, due - time.perf_counter()))[0]:
            due = max(due + PERIOD, time.perf_counter())
            start = time.perf_counter()
            try:
                connection.execute("INSERT INTO beat(at) VALUES (?)", (start,))
                commits.append((start, time.perf_counter() - start))
            except sqlite3.OperationalError:  # locked
                commits.append((start, None))
    print(json.dumps(commits))


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
