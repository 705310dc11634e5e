"""The end: what is under way may finish, for a while; what systemd lent is left as it was."""

import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

import harness
from archive import Archive
from client import BROKEN_OFF, Connection
from harness import serve, wait_until

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


def test_nobody_new_is_let_in_while_it_drains(reservoir):
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


class Systemd:
    """The two things that a service manager does: it passes sockets, and hears what the service says."""

    def __init__(self, directory, *sockets):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(directory / "notify"))
        self.notify.setblocking(False)
        self.said = ""
        self.environment = os.environ | {
            "NOTIFY_SOCKET": str(directory / "notify"),
            "LISTEN_FDS": str(len(sockets)),
            "LISTEN_FDNAMES": ":".join(f"sluice-{number}" for number in range(len(sockets))),
        }
        self.sockets = sockets

    def start(self, *command):
        # sd_listen_fds(3): descriptors from 3 on, for the process whose id is in LISTEN_PID.
        program = (
            "import os, sys\n"
            "for to, descriptor in enumerate(map(int, sys.argv[1].split(',')), 3): os.dup2(descriptor, to)\n"
            "os.environ['LISTEN_PID'] = str(os.getpid())\n"
            "os.execv(sys.argv[2], sys.argv[2:])\n"
        )
        # Out of the way of the numbers that they are to have.
        high = [fcntl.fcntl(passed, fcntl.F_DUPFD, 100) for passed in self.sockets]
        process = subprocess.Popen(
            [sys.executable, "-c", program, ",".join(map(str, high)), *map(str, command)],
            env=self.environment, pass_fds=high, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        for descriptor in high:
            os.close(descriptor)
        return process

    def hears(self, word):
        try:
            self.said += self.notify.recv(4096).decode() + "\n"
        except BlockingIOError:
            pass
        return word in self.said


def test_it_serves_the_sockets_that_systemd_passes_and_tells_it_so(house, tmp_path):
    tcp = socket.create_server(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "passed.sock"))
    unix.listen()
    systemd = Systemd(tmp_path, tcp, unix)
    for _ in range(2):  # a passed socket is left listening, for the next start
        systemd.said = ""
        process = systemd.start(harness.SLUICE, "serve", "--data", house)
        try:
            wait_until(lambda: systemd.hears("READY=1"), "READY=1")
            for place in (tcp.getsockname(), tmp_path / "passed.sock"):
                with Connection(place) as connection:
                    assert Archive(connection.answer("GET", "/api/backup").body).manifest["complete"]
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: systemd.hears("STOPPING=1"), "STOPPING=1")
            output, _ = process.communicate(timeout=10)
            assert process.returncode == 0, output
        finally:
            process.kill()
            process.communicate()
    tcp.close()
    unix.close()
    systemd.notify.close()
