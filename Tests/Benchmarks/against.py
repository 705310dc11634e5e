"""What a backup of a WAL database costs, against another build of the program, turn by turn.

    python3 against.py BASELINE SLUICE [MEBIBYTES [ROUNDS]]

The throughput of `default` and `store`, and the seconds of the processor for each GB; medians of so many rounds (7). Beside `default`
the ceiling: what all processors could do if they did nothing but deflate, SHA-256 and CRC-32, measured in the same run. And the p99 of
the commits beside default backups, and beside those whose client interrupts no thread when it wakes, as one on another machine. And
how much longer a commit takes, with so many frames in the WAL, while a client that reads nothing holds a backup whose pin found the
WAL wholly checkpointed. And the peak memory and the first byte of a backup of 1,000 small databases in WAL mode.
"""

import ctypes
import ctypes.util
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import mean, median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration/support"))

import data as make  # noqa: E402
from harness import TICKS_PER_SECOND, Server  # noqa: E402
from interference import writing  # noqa: E402
from levels import BLOCK, isal_size, seconds  # noqa: E402

SLICE = 128 << 20
FRAMES = (5_000, 20_000, 40_000)
COMMITS = 300  # whose times are averaged
BESIDE = 10  # seconds of commits beside backups
DATABASES = 1000


def serving(program, directory):
    server = Server([program, "serve", "--data", directory, "--listen", "127.0.0.1:0", "--max-wal-growth", "4GiB"])
    server.wait_until_it_listens()
    return server


def backup(program, directory, level):
    """Seconds, and those of the processor."""
    server = serving(program, directory)
    try:
        with server.connect(timeout=600) as client:
            start, ticks = time.perf_counter(), server.cpu_ticks()
            response = client.begin(f"/api/backup?compression={level}")
            piece = bytearray(1 << 18)
            while response.readinto(piece):
                pass
            return time.perf_counter() - start, (server.cpu_ticks() - ticks) / TICKS_PER_SECOND
    finally:
        server.kill()


def arithmetic(path):
    """Seconds of one processor for each byte of a default backup, if it did nothing but that."""
    library = ctypes.CDLL(ctypes.util.find_library("isal"))
    with path.open("rb") as file:
        content = file.read(SLICE)
    blocks = [content[start : start + BLOCK] for start in range(0, len(content), BLOCK)]
    digest = hashlib.sha256()
    whole = (isal_size(library, 2), digest.update, lambda block: library.crc32_gzip_refl(0, block, len(block)))
    return sum(min(seconds(part, blocks) for _ in range(3)) for part in whole) / len(content)


def p99(directory, program=None, policy=os.SCHED_OTHER):
    """Seconds that 99 of 100 commits take no longer than, beside backups of `program` or none, to a client of a scheduling policy."""
    with writing(directory / "large.db", 5000) as writer, scheduled(policy):
        end = time.perf_counter() + BESIDE
        while time.perf_counter() < end:
            backup(program, directory, "default") if program else time.sleep(0.1)
        output, _ = writer.communicate(timeout=60)
    return quantiles([duration for _, duration in json.loads(output)], n=100)[98]


@contextmanager
def scheduled(policy):
    """Of this thread alone, and of none that it starts."""
    os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def commit(frames, program=None):
    """Seconds for a commit of two pages once the WAL has so many frames, beside a backup of `program` or none."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        return commit_in(Path(work), frames, program)


def commit_in(directory, frames, program):
    path = directory / "written.db"
    make.bulk(path, make.WAL, 64)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("CREATE TABLE beat(id INTEGER PRIMARY KEY, content BLOB)")
        connection.executemany("INSERT INTO beat(content) VALUES (zeroblob(?))", [(3500,)] * 2000)
        assert connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0] == 0
        server = serving(program, directory) if program else None
        try:
            if server:
                client = server.connect(receive_buffer=4096)
                client.begin("/api/backup?compression=store")
            times = []
            for number in range(frames // 2):
                start = time.perf_counter()
                connection.execute("UPDATE beat SET content = randomblob(3500) WHERE id % 1000 = ?", (number % 1000,))
                times.append(time.perf_counter() - start)
            return mean(times[-COMMITS:])
        finally:
            if server:
                client.close()
                server.kill()


def many(program, directory):
    """MB of memory at the most, and seconds to the first byte."""
    server = serving(program, directory)
    try:
        with server.connect(timeout=600) as client:
            start = time.perf_counter()
            response = client.begin("/api/backup?compression=fast")
            first = time.perf_counter() - start
            response.read()
        status = Path(f"/proc/{server.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1000, first
    finally:
        server.kill()


def many_in(directory, programs, rounds):
    make.create(directory / "0.db", make.WAL).close()
    with closing(sqlite3.connect(directory / "0.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE beat(id INTEGER PRIMARY KEY, content BLOB)")
        connection.executemany("INSERT INTO beat(content) VALUES (randomblob(?))", [(1000,)] * 40)
    for number in range(1, DATABASES):
        shutil.copy(directory / "0.db", directory / f"{number}.db")
    figures = {program: [] for program in programs}
    for _ in range(rounds):
        for program in programs:
            figures[program].append(many(program, directory))
    memory, first = zip(*(map(median, zip(*figures[program], strict=True)) for program in programs), strict=True)
    print(f"{DATABASES} databases: {memory[0]:.0f} and {memory[1]:.0f} MB, first byte {first[0]:.2f} and {first[1]:.2f} s")
    print(f"÷ baseline: memory {memory[1] / memory[0]:.2f}, first byte {first[1] / first[0]:.2f}", flush=True)


def main(programs, mebibytes=512, rounds=7):
    before, after = programs
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        data = Path(work)
        make.bulk(data / "large.db", make.WAL, mebibytes)
        size = (data / "large.db").stat().st_size
        per_byte = arithmetic(data / "large.db")
        for level in ("default", "store"):
            figures = {program: [] for program in programs}
            for _ in range(rounds):
                for program in programs:
                    figures[program].append(backup(program, data, level))
            speed = {program: size / median(real for real, _ in figures[program]) for program in programs}
            cost = {program: median(processor for _, processor in figures[program]) / size for program in programs}
            for program in programs:
                print(f"{level}, {program}: {speed[program] / 1e6:.0f} MB/s, processor {cost[program] * 1e9:.2f} s/GB")
            print(f"{level} ÷ baseline: throughput {speed[after] / speed[before]:.2f}, processor {cost[after] / cost[before]:.2f}")
            if level == "default":
                ceiling = len(os.sched_getaffinity(0)) / per_byte
                print(f"ceiling {ceiling / 1e6:.0f} MB/s: reached {speed[before] / ceiling:.2f} and {speed[after] / ceiling:.2f}")
        ways = [(None, os.SCHED_OTHER), *((program, policy) for policy in (os.SCHED_OTHER, os.SCHED_BATCH) for program in programs)]
        alone, *beside = map(median, zip(*([p99(data, *way) for way in ways] for _ in range(rounds)), strict=True))
        here, elsewhere = (f"{before / alone:.2f} and {after / alone:.2f}" for before, after in (beside[:2], beside[2:]))
        print(f"p99 of a commit ÷ without a backup: {here}; with a client that interrupts no thread: {elsewhere}", flush=True)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        many_in(Path(work), programs, rounds)
    for frames in FRAMES:
        alone = commit(frames)
        times = [commit(frames, program) / alone for program in programs]
        print(f"commit with {frames} frames ÷ without a backup: {times[0]:.1f} and {times[1]:.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:3], *map(int, sys.argv[3:]))
