"""What the service promises, a row each: what, its limit, what was measured."""

import os
import resource
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from statistics import median

import data as make
import levels
from harness import SLUICE, TICKS_PER_SECOND, Server, serve
from measure import checkpoint_delay, downloading, first_bytes, health_p99, swallow, wait_until_still

IDLE_CONNECTIONS = 5000


def measured(work):
    databases = {"64 MB": 62, "600 MB": 580, "2 GB": 2000}
    for name, mebibytes in databases.items():
        (work / name).mkdir()
        make.bulk(work / name / "large.db", make.WAL, mebibytes)
        yield from one(work / name, name)
    yield sparse(work / "8 GB")
    yield memory_of_more(work / "600 MB")
    yield memory_of_many(work / "many")
    yield from latency(work / "2 GB")
    yield first_byte_of_fifteen(work / "fifteen")
    yield from health(work / "600 MB")
    yield from stopped_client(work / "600 MB")
    yield from efficiency(work / "600 MB")
    yield start(work / "600 MB")
    yield from reading(work / "600 MB", work)


def one(directory, name):
    with serve(directory) as server:
        ticks = server.cpu_ticks()
        swallow(server)
        seconds = (server.cpu_ticks() - ticks) / TICKS_PER_SECOND
        swallow(server, "/api/backup?compression=store")
        yield f"peak memory, {name} WAL database", "24 MiB", f"{server.peak_resident_kib() / 1024:.1f} MiB"
    size = (directory / "large.db").stat().st_size
    yield f"processor for each GB, {name}", "flat", f"{seconds * 1e9 / size:.2f} s"


def sparse(directory):
    """A database that SQLite takes for 8 GB, of which the file system holds little."""
    directory.mkdir()
    path = make.bulk(directory / "sparse.db", make.WAL, 8)
    pages = (8 << 30) // 4096
    with open(path, "r+b") as file:
        file.truncate(pages * 4096)
        file.seek(28)  # The in-header database size: fileformat2.html §1.3.7.
        file.write(pages.to_bytes(4, "big"))
    with serve(directory) as server:
        swallow(server)
        return "peak memory, 8 GB sparse", "24 MiB", f"{server.peak_resident_kib() / 1024:.1f} MiB"


def memory_of_more(directory):
    with serve(directory, "--max-backups", 5) as server:
        swallow(server)
        before = server.peak_resident_kib()
        clients = [threading.Thread(target=swallow, args=(server,)) for _ in range(5)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        added = (server.peak_resident_kib() - before) / 4 / 1024
    return "memory for each further backup at once", "4 MiB", f"{added:.1f} MiB"


def memory_of_many(directory):
    directory.mkdir()
    for number in range(1000):
        make.ledger(directory / f"{number}.db", (make.WAL, make.ROLLBACK)[number % 2], accounts=1)
    with serve(directory) as server:
        before = server.peak_resident_kib()
        swallow(server)
        added = (server.peak_resident_kib() - before) / 1000
    return "memory for each of 1,000 small databases, half of them in WAL mode", "", f"{added:.0f} KiB"


def latency(directory):
    with serve(directory) as server:
        head, content = first_bytes(server, rounds=21)
    yield "first byte of the response, 2 GB WAL database", "5 ms", f"{head * 1000:.1f} ms"
    yield "first byte of the zip, the same", "", f"{content * 1000:.1f} ms"


def first_byte_of_fifteen(directory):
    directory.mkdir()
    for number in range(15):
        make.bulk(directory / f"{number}.db", make.WAL if number < 3 else make.ROLLBACK, 1)
    with serve(directory) as server:
        head, _ = first_bytes(server, rounds=21)
    return "first byte, 15 databases of 1 MiB, 12 of them copied", "50 ms", f"{head * 1000:.1f} ms"


def health(directory):
    with serve(directory) as server, downloading(server):
        p99 = health_p99(server, requests=5000)
    yield "`/healthz`, p99 of 5000, a backup running", "10 ms", f"{p99 * 1000:.2f} ms"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        server = stack.enter_context(serve(directory))
        before = server.resident_kib()
        for _ in range(IDLE_CONNECTIONS):
            stack.enter_context(server.connect()).connect()
        wait_until_still(server)
        memory = (server.resident_kib() - before) / IDLE_CONNECTIONS
        for _ in range(4):
            stack.enter_context(downloading(server))
        p99 = health_p99(server, requests=2000)
    yield f"memory for each of {IDLE_CONNECTIONS} idle connections", "8 KiB", f"{memory:.1f} KiB"
    yield "`/healthz`, p99 of 2000, 4 backups running beside those", "10 ms", f"{p99 * 1000:.2f} ms"


def stopped_client(directory):
    with serve(directory, "--resume-grace", "0s") as server, server.connect(receive_buffer=4096) as client, ExitStack() as stack:
        path = directory / "large.db"
        application = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        client.begin().read(1000)
        wait_until_still(server)
        resident = server.resident_kib()
        p99 = health_p99(server, requests=5000)
        yield "`/healthz`, p99 of 5000, a client stopped", "10 ms", f"{p99 * 1000:.2f} ms"
        yield "memory added meanwhile", "flat", f"{server.resident_kib() - resident} KiB"
        wait_until_still(server)
        ticks = server.cpu_ticks()
        time.sleep(10)
        ticks = server.cpu_ticks() - ticks
        yield "processor that the stopped client costs", "none", f"{ticks * 1000 / TICKS_PER_SECOND:.0f} ms in 10 s"
        application.execute("UPDATE record SET at = 0 WHERE id = 1")
        delay = checkpoint_delay(path, client.close)
        yield "from its leaving to a `wal_checkpoint(TRUNCATE)`", "1 s", f"{delay * 1000:.0f} ms"


def efficiency(directory):
    """How much of what all cores could deflate, and do nothing else, becomes of the archive."""
    path = directory / "large.db"
    with open(path, "rb") as file:
        sample = [file.read(levels.BLOCK) for _ in range(128)]
    engine = "ISA-L" if "libisal" in subprocess.check_output(["ldd", SLUICE], text=True) else "zlib"
    raw = dict(levels.engines())
    default = "ISA-L 2" if engine == "ISA-L" else "zlib 5, memLevel 8"
    with serve(directory) as server:
        for level, name in (("default", default), ("best", "zlib 8, memLevel 8")):
            speed = sum(map(len, sample)) / min(levels.seconds(raw[name], sample) for _ in range(levels.ROUNDS))
            start = time.perf_counter()
            swallow(server, f"/api/backup?compression={level}")
            reached = path.stat().st_size / (time.perf_counter() - start) / (speed * os.cpu_count())
            yield f"deflate efficiency, `{level}` ({name})", "90 %", f"{reached:.0%} of all cores' {speed / 1e6:.0f} MB/s"


def start(directory):
    """From exec to the line that says so; the median."""
    times = []
    for _ in range(21):
        begun = time.perf_counter()
        server = Server([SLUICE, "serve", "--data", directory, "--listen", "127.0.0.1:0"], bufsize=0)
        server.wait_for_line("http://")
        times.append(time.perf_counter() - begun)
        server.kill()
    return "start to listening", "15 ms", f"{median(times) * 1000:.1f} ms"


READING_ROUNDS = 7


def reading(directory, work):
    """`verify` and `restore` beside what does the same without Sluice, turn by turn.

    SQLite's check runs on one processor: `verify` of one database cannot be faster than that check, which is named as its ceiling.
    """
    archive, unpacked = work / "read.zip", work / "unpacked"
    subprocess.run([SLUICE, "backup", "--data", directory, "-o", archive], check=True, capture_output=True)
    subprocess.run(["unzip", "-q", archive, "-d", unpacked], check=True)

    def seconds(*command):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - begun

    def into_new(*command):
        shutil.rmtree(work / "target", ignore_errors=True)
        (work / "target").mkdir()
        return seconds(*command, work / "target")

    ways = {
        "unzip -t": lambda: seconds("unzip", "-tq", archive),
        "integrity_check": lambda: seconds("sqlite3", unpacked / "large.db", "PRAGMA integrity_check"),
        "verify": lambda: seconds(SLUICE, "verify", archive),
        "unzip": lambda: into_new("unzip", "-q", archive, "-d"),
        "restore": lambda: into_new(SLUICE, "restore", archive, "--into"),
    }
    times = {name: [] for name in ways}
    for _ in range(READING_ROUNDS):
        for name, run in ways.items():
            times[name].append(run())
    middle = {name: median(several) for name, several in times.items()}
    both = middle["unzip -t"] + middle["integrity_check"]
    yield (
        "`verify`, 600 MB, against `unzip -t` and then `PRAGMA integrity_check`", "0.6",
        f"{middle['verify'] / both:.2f}; SQLite's check alone {middle['integrity_check'] / both:.2f}",
    )  # fmt: skip
    yield "`restore`, 600 MB, verified and synced, against `unzip`", "0.5", f"{middle['restore'] / middle['unzip']:.2f}"
