"""A service manager in a few lines, for what needs no systemd: it passes sockets, and hears what a service says."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress

import harness
from harness import wait_until


class Manager:
    """The two things that a service manager does: it passes sockets, and hears what the service says."""

    def __init__(self, directory, *sockets, **environment):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(directory / "notify"))
        self.notify.setblocking(False)
        self.said = ""
        self.environment = os.environ | {
            "NOTIFY_SOCKET": str(directory / "notify"),
            "LISTEN_FDS": str(len(sockets)),
            "LISTEN_FDNAMES": ":".join(f"sluice-{number}" for number in range(len(sockets))),
            **environment,
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

    @contextmanager
    def running(self, *arguments):
        """`sluice serve` until the block ends, when it must have left, or leave, with status 0."""
        self.said = ""
        process = self.start(harness.SLUICE, "serve", *arguments)
        try:
            self.wait_for("READY=1")
            yield process
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0, output
        finally:
            process.kill()
            process.communicate()

    def hears(self, word):
        with suppress(BlockingIOError):
            while True:
                self.said += self.notify.recv(4096).decode() + "\n"
        return word in self.said

    def wait_for(self, word, timeout=60):
        wait_until(lambda: self.hears(word), word, timeout)
