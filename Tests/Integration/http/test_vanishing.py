"""Clients that are half gone or wholly, and do not say so: one that may still be reading is served, no other is kept."""

import os
import socket

import pytest

from archive import Archive
from cable import laid, why_not
from client import Connection
from crowd import REQUEST, address, all_comes_back, connections, stalled, whole, write
from harness import serve, wait_until
from measure import truncates, wait_until_still


@pytest.fixture
def cable():
    if reason := why_not():
        # Where the tests must count, one that does not run is one that fails.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with laid() as cable:
        yield cable


def test_a_client_that_vanishes_in_a_download_is_let_go(reservoir, tmp_path, cable):
    path, place = reservoir / "reservoir.db", tmp_path / "sluice.sock"
    with cable.serve(reservoir, place, "--stall-timeout", "1s", "--resume-grace", "0s") as server, all_comes_back(server, place) as ours:
        with cable.connect(timeout=2) as client:
            response = client.begin("/api/backup?compression=store")
            assert response.read(1 << 20)
            write(path)
            cable.set("down")
            with pytest.raises(TimeoutError):  # it would read on, and nothing comes
                while response.read1(1 << 20):
                    pass
            wait_until(lambda: stalled(ours) == 1, "the backup to be broken off")
            wait_until(lambda: truncates(path), "the snapshot to be released")
            assert connections(ours) == 1
            assert whole(ours)


def test_a_short_outage_costs_a_client_nothing(reservoir, tmp_path, cable):
    place = tmp_path / "sluice.sock"
    with cable.serve(reservoir, place) as server, all_comes_back(server, place), cable.connect() as client:
        response = client.begin("/api/backup?compression=store")
        content = response.read(1 << 20)
        cable.set("down")
        wait_until_still(server)
        cable.set("up")
        assert Archive(content + response.read()).manifest["complete"]
        client.close()


@pytest.mark.slow
def test_an_idle_client_that_vanishes_is_dropped(house, tmp_path, cable):
    """After 75 s: nginx keeps its connections for 60."""
    place = tmp_path / "sluice.sock"
    with cable.serve(house, place) as server, all_comes_back(server, place) as ours:
        with cable.connect() as idle, cable.connect():
            assert idle.answer("GET", "/healthz").status == 200
            assert connections(ours) == 3
            cable.set("down")
            wait_until(lambda: connections(ours) == 1, "the idle connections to be dropped", timeout=120)


@pytest.mark.parametrize("family", ["tcp", "unix"])
@pytest.mark.parametrize("compression", ["store", "fast"])
def test_a_client_that_has_only_finished_sending_gets_its_whole_archive(reservoir, tmp_path, family, compression):
    place = tmp_path / "sluice.sock"
    with serve(reservoir, listen=["127.0.0.1:0", f"unix:{place}"]) as server, all_comes_back(server):
        with Connection(place if family == "unix" else address(server), receive_buffer=4096) as client:
            client.request("GET", f"/api/backup?compression={compression}")
            client.sock.shutdown(socket.SHUT_WR)
            assert Archive(client.getresponse().read()).manifest["complete"]
            assert client.sock.recv(1) == b"", "nothing more can be asked"


@pytest.mark.parametrize("family", ["tcp", "unix"])
@pytest.mark.parametrize("said", ["nothing", "half a head", "a request"])
def test_a_client_that_has_finished_sending_and_waits_for_nothing_is_dropped(house, tmp_path, family, said):
    place = tmp_path / "sluice.sock"
    with serve(house, listen=["127.0.0.1:0", f"unix:{place}"]) as server, all_comes_back(server):
        with Connection(place if family == "unix" else address(server)) as client:
            client.connect()
            if said == "half a head":
                client.sock.sendall(REQUEST[:20])
            elif said == "a request":
                assert client.answer("GET", "/healthz").status == 200
            client.sock.shutdown(socket.SHUT_WR)
            assert client.sock.recv(1) == b""
