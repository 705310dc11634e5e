"""The end: what is under way may finish, for a while."""

import signal

import pytest

from archive import Archive
from client import BROKEN_OFF, Connection
from harness import serve

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_running_backup_is_finished_and_the_status_is_0(reservoir, number):
    with serve(reservoir, "--drain-timeout", "60s") as server, server.connect(receive_buffer=4096) as slow:
        response = slow.begin("/api/backup?compression=store")
        content = response.read(1000)
        server.signal(number)
        server.wait_for_line("stopping")
        assert server.process.poll() is None
        assert Archive(content + response.read()).manifest["complete"]
        assert server.wait() == 0


def test_a_connection_that_is_new_still_gets_its_first_answer(house):
    with serve(house, "--drain-timeout", "60s") as server, server.connect() as new:
        new.connect()
        server.get("/healthz")  # accepted after the other
        server.signal()
        server.wait_for_line("stopping")
        assert new.answer("GET", "/healthz").status == 200
        assert server.wait(10) == 0


def test_an_idle_connection_does_not_hold_it_up(house):
    with serve(house, "--drain-timeout", "60s") as server, server.connect() as idle, server.connect() as silent:
        assert idle.answer("GET", "/healthz").status == 200
        silent.connect()
        server.signal()
        assert server.wait(10) == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_leaves_at_once(reservoir, number):
    with serve(reservoir, "--drain-timeout", "60s") as server, server.connect(receive_buffer=4096) as slow:
        response = slow.begin("/api/backup")
        server.signal()
        server.wait_for_line("stopping")
        server.signal(number)
        server.wait(10)
        with pytest.raises(BROKEN_OFF):
            response.read()


def test_a_backup_that_outlasts_the_drain_timeout_is_broken_off(reservoir):
    with serve(reservoir, "--drain-timeout", "300ms") as server, server.connect(receive_buffer=4096) as slow:
        response = slow.begin("/api/backup?compression=store")
        server.signal()
        assert server.wait(10) == 0
        assert "backup failed" in server.log
        with pytest.raises(BROKEN_OFF):
            response.read()


def test_no_new_client_is_accepted_while_it_drains(reservoir):
    with serve(reservoir, "--drain-timeout", "60s") as server, server.connect(receive_buffer=4096) as slow:
        response = slow.begin("/api/backup?compression=store")
        server.signal()
        server.wait_for_line("stopping")
        with server.connect(timeout=0.5) as late, pytest.raises(OSError):
            late.answer("GET", "/healthz")
        response.read()
        assert server.wait() == 0


def test_a_unix_socket_can_be_served_again_after_a_stop(house, tmp_path):
    place = f"unix:{tmp_path}/sluice.sock"
    for _ in range(2):
        with serve(house, listen=[place]), Connection(tmp_path / "sluice.sock") as connection:
            assert connection.answer("GET", "/healthz").status == 200
