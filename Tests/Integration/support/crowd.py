"""What a crowd of slow, idle and vanished clients costs a server, and that all of it comes back."""

import re
import sqlite3
from contextlib import contextmanager

from archive import Archive
from client import Connection
from harness import wait_until
from measure import truncates, wait_until_still

MEMORY_LIMIT_KIB = 32 * 1024
REQUEST = b"GET /api/backup?compression=store HTTP/1.1\r\nHost: localhost\r\n\r\n"


def metric(client, name):
    text = client.answer("GET", "/metrics").body.decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])


def connections(client):
    return metric(client, "sluice_connections")


def stalled(client):
    return metric(client, 'sluice_backups_aborted_total{reason="client-stalled"}')


def address(server):
    return ("127.0.0.1", server.ports[0])


@contextmanager
def all_comes_back(server, place=None, peak_kib=MEMORY_LIMIT_KIB):
    """Our own connection, which is served all the time, and at the end is the only one that has cost anything."""
    with Connection(place or address(server)) as ours:
        assert ours.answer("GET", "/api/backup").status == 200  # threads are there from here on
        wait_until_still(server)
        before = server.open_kinds()
        yield ours
        ours.close()  # in a flood it may have given way
        assert ours.answer("GET", "/healthz").status == 200
        wait_until(lambda: connections(ours) == 1, "the others' connections to be gone")
        wait_until(lambda: server.open_kinds() == before, "their descriptors to be gone")
        assert (peak := server.peak_resident_kib()) <= peak_kib, f"{peak} KiB"


def whole(client):
    answer = client.answer("GET", "/api/backup")
    return answer.status == 200 and Archive(answer.body).manifest["complete"]


def write(path):
    """Something new, which a checkpoint cannot put into the database while a snapshot of before is held."""
    with sqlite3.connect(path) as application:
        application.execute("CREATE TABLE news(x)")
    application.close()
    assert not truncates(path), "the snapshot is not pinned"
