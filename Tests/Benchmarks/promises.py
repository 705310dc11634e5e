"""What the service promises, a row each: what, its limit, what was measured."""

import sqlite3
import time
from contextlib import ExitStack, closing

import data as make
from harness import TICKS_PER_SECOND, serve
from measure import checkpoint_delay, downloading, first_bytes, health_p99, swallow, wait_until_still


def measured(work):
    for name, mebibytes in (("600 MB", 580), ("2 GB", 2000)):
        (work / name).mkdir()
        make.bulk(work / name / "large.db", make.WAL, mebibytes)
        yield memory_of_one(work / name, name)
    yield memory_of_many(work / "many")
    yield from latency(work / "600 MB")
    yield from stopped_client(work / "600 MB")


def memory_of_one(directory, name):
    with serve(directory) as server:
        for level in ("fast", "store"):
            swallow(server, f"/api/backup?compression={level}")
        return f"peak memory, {name} WAL database", "32 MiB", f"{server.peak_resident_kib() / 1024:.1f} MiB"


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
    yield "first byte of the response, 600 MB WAL database", "50 ms", f"{head * 1000:.1f} ms"
    yield "first byte of the zip, the same", "", f"{content * 1000:.1f} ms"
    with serve(directory) as server, downloading(server):
        p99 = health_p99(server, requests=5000)
    yield "`/healthz`, p99 of 5000, a backup running", "10 ms", f"{p99 * 1000:.2f} ms"


def stopped_client(directory):
    with serve(directory) as server, server.connect(receive_buffer=4096) as client, ExitStack() as stack:
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
