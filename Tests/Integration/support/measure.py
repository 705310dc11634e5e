"""Figures that the tests hold to their limits and that the benchmarks write down; times are in seconds."""

import math
import sqlite3
import time
from contextlib import contextmanager
from statistics import median
from threading import Event, Thread

from harness import wait_until


def swallow(server, target="/api/backup"):
    """Reads a whole answer and keeps none of it. Its size."""
    with server.connect() as connection:
        response, size = connection.begin(target), 0
        assert response.status == 200
        buffer = bytearray(1 << 20)
        while count := response.readinto(buffer):
            size += count
        return size


def first_bytes(server, rounds=9):
    """Until the first byte of the response, and until the first of the zip; medians."""
    heads, contents = [], []
    for _ in range(rounds):
        with server.connect(receive_buffer=4096) as connection:
            start = time.perf_counter()
            response = connection.begin("/api/backup")
            heads.append(time.perf_counter() - start)
            response.read(1)
            contents.append(time.perf_counter() - start)
    return median(heads), median(contents)


def health_p99(server, requests=500):
    """Of the times that /healthz takes while a backup is under way."""
    times = []
    with server.connect() as connection:
        for _ in range(requests):
            start = time.perf_counter()
            answer = connection.answer("GET", "/healthz")
            times.append(time.perf_counter() - start)
            assert answer.status == 200 and answer.json()["running_backups"] >= 1
    return sorted(times)[math.ceil(0.99 * requests) - 1]


@contextmanager
def downloading(server):
    """Keeps a client busy with one backup after the other."""
    done = Event()

    def download():
        buffer = bytearray(1 << 18)
        while not done.is_set():
            with server.connect() as connection:
                response = connection.begin("/api/backup")
                while not done.is_set() and response.readinto(buffer):
                    pass

    thread = Thread(target=download)
    thread.start()
    try:
        wait_until(lambda: server.get("/healthz").json()["running_backups"], "the backup to run")
        yield
    finally:
        done.set()
        thread.join()


def wait_until_still(server):
    """Until it has used no processor time for a third of a second."""
    ticks, since = server.cpu_ticks(), time.monotonic()

    def still():
        nonlocal ticks, since
        if (now := server.cpu_ticks()) != ticks:
            ticks, since = now, time.monotonic()
        return time.monotonic() - since > 0.35

    wait_until(still, "the server to come to rest")


def truncates(path, timeout=0):
    """Whether a TRUNCATE checkpoint of a WAL database succeeds: no reader has an older state of it."""
    connection = sqlite3.connect(path, timeout=timeout)
    try:
        return connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    finally:
        connection.close()


def checkpoint_delay(path, leave):
    """From a client's leaving until a TRUNCATE checkpoint, which waits for its readers, succeeds."""
    assert not truncates(path), "the snapshot is not pinned"
    leave()
    start = time.monotonic()
    assert truncates(path, timeout=60)
    return time.monotonic() - start
