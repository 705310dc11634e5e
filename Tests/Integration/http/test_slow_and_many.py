"""Clients that are slow, idle or far too many: others are served, and what they cost comes back."""

import resource
import selectors
import time
from itertools import chain, islice, repeat
from pathlib import Path

import pytest

from archive import Archive
from client import BROKEN_OFF, connect
from crowd import MEMORY_LIMIT_KIB, REQUEST, address, all_comes_back, connections, stalled, whole, write
from harness import serve, wait_until
from measure import truncates, wait_until_still

MOST_CONNECTIONS = 10_000  # ConnectionLimits.connectionCount


def test_heads_that_come_octet_by_octet_and_never_end_are_given_up(house):
    with serve(house) as server, all_comes_back(server) as ours, selectors.DefaultSelector() as slow:
        for _ in range(200):
            slow.register(connect(address(server)), selectors.EVENT_READ)
        for octet in islice(chain(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", repeat(ord("x"))), 600):
            for key in list(slow.get_map().values()):
                key.fileobj.sendall(bytes([octet]))
            assert ours.answer("GET", "/healthz").status == 200
            assert octet != ord("\n") or whole(ours)
            for key, _ in slow.select(0.05):  # the pace of the clients
                assert key.fileobj.recv(1000).startswith(b"HTTP/1.1 408 ")
                slow.unregister(key.fileobj)
                key.fileobj.close()
            if not slow.get_map():
                break
        assert not slow.get_map(), "600 octets, and no client has been given up"


def test_half_a_head_costs_64_kib_at_most(house, figure):
    head = b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 8000 + b"\r\nY: " + b"y" * 7900  # as long as one may be
    with serve(house) as server, all_comes_back(server, peak_kib=2 * MEMORY_LIMIT_KIB) as ours:
        resident, slow = server.resident_kib(), [connect(address(server)) for _ in range(500)]
        for piece in (head, b"y", b"y"):
            for sock in slow:
                sock.sendall(piece)
            wait_until_still(server)
        assert connections(ours) == 501 and whole(ours)
        grown = (server.resident_kib() - resident) / len(slow)
        for sock in slow:
            sock.close()
    figure("memory for half a head of 16 KiB", f"{grown:.1f} KiB")
    assert grown <= 64


def test_clients_that_read_octet_by_octet_hold_up_no_other(reservoir):
    with serve(reservoir, "--max-backups", "4", "--resume-grace", "0s") as server, all_comes_back(server, peak_kib=64 << 10) as ours:
        slow = [connect(address(server), receive_buffer=4096) for _ in range(3)]
        for sock in slow:
            sock.sendall(REQUEST)
        for _ in range(3):
            for sock in slow * 100:
                assert sock.recv(1)
            assert whole(ours)
            assert ours.answer("GET", "/healthz").json()["running_backups"] == 3
        write(reservoir / "reservoir.db")
        for sock in slow:
            sock.close()
        wait_until(lambda: truncates(reservoir / "reservoir.db"), "the snapshots to be released")


def test_clients_that_read_no_more_are_cut_off_and_their_places_are_free(reservoir):
    options = ["--max-backups", "3", "--stall-timeout", "2s", "--resume-grace", "0s"]
    with serve(reservoir, *options) as server, all_comes_back(server) as ours:
        slow = [connect(address(server), receive_buffer=4096) for _ in range(3)]
        for sock in slow:
            sock.sendall(REQUEST)
        for sock in slow:
            assert sock.recv(1) == b"H"
        assert ours.answer("GET", "/api/backup").status == 503
        write(reservoir / "reservoir.db")

        wait_until(lambda: stalled(ours) == 3, "the slow clients to be cut off")
        assert whole(ours)
        assert truncates(reservoir / "reservoir.db")
        for sock in slow:
            with pytest.raises(ConnectionResetError):
                while sock.recv(1 << 20):
                    pass
            sock.close()


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_a_client_that_takes_a_little_all_the_time_is_not_cut_off(reservoir, tmp_path, family):
    place = str(tmp_path / "sluice.sock")
    with serve(reservoir, "--stall-timeout", "3s", listen=["127.0.0.1:0", f"unix:{place}"]) as server:
        with connect(place if family == "unix" else address(server), receive_buffer=16 << 10) as slow:
            slow.sendall(REQUEST)
            deadline = time.monotonic() + 6  # twice the timeout, at some 120 kB/s
            while time.monotonic() < deadline:
                assert slow.recv(1300)
                assert "backup failed" not in server.log
                time.sleep(0.01)  # a client that has other things to do


def send_queue(server, client):
    """How many bytes the server's kernel holds that the client's has not confirmed: proc_net_tcp.txt, tx_queue."""
    ends = [":%04X" % port for port in (server.ports[0], client.getsockname()[1])]
    for line in Path(f"/proc/{server.pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if [address[-5:] for address in fields[1:3]] == ends:
            return int(fields[4].partition(":")[0], 16)
    return None


def test_what_a_clients_kernel_confirms_counts_and_what_ours_still_holds_does_not(reservoir):
    """Its kernel confirms 13 kB/s, so that ours, which takes more when 128 kB are left to send, takes nothing meanwhile."""
    with serve(reservoir, "--stall-timeout", "3s", "--resume-grace", "0s") as server, server.connect() as ours:
        with connect(address(server), receive_buffer=4096) as slow:
            slow.sendall(REQUEST)
            held = [0]
            while held[-1] < (128 << 10) or held[-1] != held[-2]:  # until it holds as much as it takes
                time.sleep(0.1)
                held = [held[-1], send_queue(server, slow)]
            deadline = time.monotonic() + 6  # twice the timeout
            while time.monotonic() < deadline:
                assert slow.recv(512)
                assert "backup failed" not in server.log
                held.append(send_queue(server, slow))
                time.sleep(0.04)  # the pace of the client
            assert held == sorted(held, reverse=True), "it took more to send: the test shows nothing"
            assert 0 < held[-1] < held[0]
            assert ours.answer("GET", "/healthz").json()["running_backups"] == 1

            wait_until(lambda: send_queue(server, slow) is None, "the client that reads no more to be cut off")
            server.wait_for_line("backup failed.*reason=client-stalled")
            with pytest.raises(ConnectionResetError):
                while slow.recv(1 << 20):
                    pass


@pytest.fixture
def many_descriptors():
    """Twice as many as there may be connections: for us, and for the server that we start."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 2 * MOST_CONNECTIONS
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1] if before[1] > count else count))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_ten_thousand_idle_connections_cost_8_kib_each_at_most(house, many_descriptors, figure):
    limit = MEMORY_LIMIT_KIB + 8 * MOST_CONNECTIONS
    with serve(house) as server, all_comes_back(server, peak_kib=limit) as ours:
        peaks, resident = [], server.resident_kib()
        for _ in range(2):
            idle = [connect(address(server)) for _ in range(MOST_CONNECTIONS - 1)]
            wait_until(lambda: connections(ours) == MOST_CONNECTIONS, "all of them to be accepted")
            grown = server.resident_kib() - resident
            with server.connect() as late:
                assert late.answer("GET", "/healthz").status == 200
                assert whole(ours)
                assert connections(ours) == MOST_CONNECTIONS
                assert idle.pop(0).recv(1) == b"", "the one that has waited longest gives way"
            peaks.append(server.peak_resident_kib())
            for sock in idle:
                sock.close()
            wait_until(lambda: connections(ours) == 1, "all of them to be gone")
        figure("memory for an idle connection", f"{grown / MOST_CONNECTIONS:.1f} KiB")
        figure("resident before, and when all are gone", f"{resident} KiB, {server.resident_kib()} KiB")
        assert server.resident_kib() <= resident + (8 << 10)
        assert grown <= 8 * MOST_CONNECTIONS
        assert peaks[1] - peaks[0] <= 2 << 10, "the first ones are still paid for"


def test_half_heads_in_every_place_make_no_client_wait(house):
    with serve(house, prefix=["prlimit", "--nofile=64"]) as server, all_comes_back(server):
        slow = [connect(address(server)) for _ in range(100)]
        for sock in slow:
            sock.sendall(b"GET /healthz HT")
        assert server.get("/healthz").status == 200
        for sock in slow:
            sock.close()


@pytest.mark.parametrize("what", ["connections", "descriptors"])
def test_a_flood_past_the_limit_harms_no_backup_and_no_thread_spins(reservoir, what):
    """Half of the descriptors are for connections. Fewer than it had when it began are counted on in vain."""
    prefix = ["prlimit", "--nofile=64"] if what == "connections" else []
    with serve(reservoir, prefix=prefix) as server, all_comes_back(server) as ours:
        with server.connect(receive_buffer=4096) as slow:
            response = slow.begin("/api/backup?compression=store")
            content = response.read(1000)
            if what == "descriptors":
                resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (40, 40))
            flood = [connect(address(server)) for _ in range(500)]
            for sock in flood:
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if what == "connections":
                wait_until(lambda: sum(name.startswith("socket:") for name in server.open_files()) == 33, "all places taken")
            else:
                wait_until(lambda: len(server.open_files()) >= 39, "the descriptors to run out")
            wait_until_still(server)
            ticks = server.cpu_ticks()
            time.sleep(1)  # the window itself: nothing may happen in it
            assert server.cpu_ticks() - ticks <= 5
            # A client that comes late is answered all the same, if only to hear that a backup would lack descriptors.
            assert server.get("/healthz").status in ((200,) if what == "connections" else (200, 503))
            assert Archive(content + response.read()).manifest["complete"]
            for sock in flood:
                sock.close()
        ours.close()
        assert whole(ours)


def test_a_first_backup_that_runs_out_of_descriptors_kills_no_process(house):
    for room in range(9, 14):
        with serve(house) as server, server.connect() as client:
            assert client.answer("GET", "/healthz").status == 200
            count = len(server.open_files()) + room
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (count, count))
            try:
                assert client.answer("GET", "/api/backup").status in (200, 503)
            except BROKEN_OFF:
                pass
            assert server.get("/healthz").status == 200
