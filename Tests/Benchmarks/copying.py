"""What copies of databases with a rollback journal cost, against another build of the program, turn by turn.

    python3 copying.py BASELINE SLUICE [MEBIBYTES [ROUNDS [COMMITS [DIRECTORY]]]]

A writer commits so many times a second (20), with a busy timeout of 5 s, to a database of that size (4096) while it is copied: its
longest wait and its errors. And the first byte of 256 MB of databases, half of them copied. Medians of so many rounds (7). In DIRECTORY
(/var/tmp): where its file system can clone files, a large database is cloned in so short a time that 20 commits a second may all miss it,
and 500 do not.
"""

import json
import select
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration/support"))

import data as make  # noqa: E402
from harness import TICKS_PER_SECOND, Server  # noqa: E402


def write(path, commits):
    """The writer, until its standard input ends."""
    longest, errors = 0, 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA busy_timeout=5000")
        connection.execute("CREATE TABLE IF NOT EXISTS beat(id INTEGER PRIMARY KEY, at REAL)")
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 1 / commits)[0]:
            start = time.perf_counter()
            try:
                connection.execute("INSERT INTO beat(at) VALUES (?)", (start,))
            except sqlite3.OperationalError:
                errors += 1
            longest = max(longest, time.perf_counter() - start)
    print(json.dumps([longest, errors]))


def first_byte(program, directory, spool):
    """Seconds until the head of the answer, and those of the processor until then."""
    arguments = ["serve", "--data", directory, "--listen", "127.0.0.1:0", "--spool-directory", spool]
    server = Server([program, *arguments])
    try:
        server.wait_until_it_listens()
        with server.connect(timeout=600) as client:
            start, ticks = time.perf_counter(), server.cpu_ticks()
            client.begin("/api/backup?compression=store")
            return time.perf_counter() - start, (server.cpu_ticks() - ticks) / TICKS_PER_SECOND
    finally:
        server.kill()


def longest_wait(program, directory, spool, commits):
    command = [sys.executable, __file__, "--write", directory / "large.db", str(commits)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "ready\n"
    seconds, processor = first_byte(program, directory, spool)
    output, _ = writer.communicate()
    return (*json.loads(output), seconds, processor)


def main(programs, mebibytes=4096, rounds=7, commits=20, directory="/var/tmp"):
    with tempfile.TemporaryDirectory(dir=directory) as work:
        large, mixed, spool = (Path(work) / name for name in ("large", "mixed", "spool"))
        for directory in (large, mixed, spool):
            directory.mkdir()
        make.bulk(large / "large.db", make.ROLLBACK, mebibytes)
        for number in range(8):
            make.bulk(mixed / f"{number}.db", (make.WAL, make.ROLLBACK)[number % 2], 32)
        waits, firsts = ({program: [] for program in programs} for _ in range(2))
        for _ in range(rounds):
            for program in programs:
                waits[program].append(longest_wait(program, large, spool, commits))
                firsts[program].append(first_byte(program, mixed, spool))
        for program in programs:
            wait, _, large_first, large_processor = map(median, zip(*waits[program], strict=True))
            errors = sum(errors for _, errors, _, _ in waits[program])
            first, processor = map(median, zip(*firsts[program], strict=True))
            print(
                f"{program}: longest wait {wait:.3f} s, {errors} failed commits, first byte {large_first:.1f} s (processor"
                f" {large_processor:.1f} s); 256 MB, half copied: first byte {first * 1000:.0f} ms (processor {processor:.2f} s)"
            )
        before, after = programs
        for what, figures in (("longest wait", waits), ("first byte of 256 MB", firsts)):
            figure = {program: median(row[0] for row in figures[program]) for program in programs}
            print(f"{what} ÷ baseline: {figure[after] / figure[before] if figure[before] else float('nan'):.2f}")


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        write(sys.argv[2], int(sys.argv[3]))
    else:
        main(sys.argv[1:3], *map(int, sys.argv[3:6]), *sys.argv[6:])
