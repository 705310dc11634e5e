"""A throw-away machine: a real systemd over a view of this one's files, for the tests of what an administrator sees."""

import ctypes
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import client
from harness import wait_until

BOOT = Path(__file__).with_name("boot.sh")
SYSTEMD = Path("/lib/systemd/systemd")
CLONE_NEWNET = 0x40000000  # sched.h


def why_not():
    """What a machine cannot be booted for, if anything."""
    if os.geteuid() != 0:
        return "booting systemd needs root"
    if not SYSTEMD.exists():
        return "booting systemd needs the package systemd"
    if not control_groups():
        return "booting systemd needs a cgroup2 file system"
    return None


def control_groups():
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)


def remove(cgroup):
    """Removes a control group and all below it; whether it is gone."""
    for directory, _, _ in os.walk(cgroup, topdown=False):
        with suppress(OSError):  # a process in it has not died yet
            os.rmdir(directory)
    return not cgroup.exists()


class Machine:
    """What it changes is gone with it, but for its /srv, which is `shared`, a directory of this machine."""

    def __init__(self, cgroup, shared):
        self.cgroup, self.shared = cgroup, shared

    def boot(self, directory):
        namespaces = ["--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--net"]
        # No process is left behind, however the tests end: each is killed when its parent dies.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "unshare", *namespaces, BOOT, self.cgroup, directory, self.shared],
            stdin=subprocess.DEVNULL, stdout=(log := directory / "log").open("wb"), stderr=subprocess.STDOUT,
        )  # fmt: skip

        def is_up():
            assert self.process.poll() is None, f"the machine did not boot:\n{log.read_text()}"
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            # PID 1 there, as it is called here. Before it has its own /, there is nothing to enter.
            self.pid = children and children[0]
            return (
                children
                and Path(f"/proc/{self.pid}/comm").read_text() == "systemd\n"
                and self.run("systemctl", "is-active", "multi-user.target", check=False).returncode == 0
            )

        wait_until(is_up, "systemd to be up", timeout=60)

    def halt(self):
        self.process.kill()
        self.process.wait()
        with suppress(FileNotFoundError):
            (self.cgroup / "cgroup.kill").write_text("1")
        wait_until(lambda: remove(self.cgroup), "the machine's processes to be gone")

    def path(self, path):
        """A file of the machine, as it is called on this one."""
        return Path(f"/proc/{self.pid}/root{path}")

    def write(self, path, content, owner="root", mode="0644"):
        """A new file, in place of any that is there."""
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).unlink(missing_ok=True)
        self.path(path).write_text(content)
        self.run("chown", owner, path)
        self.run("chmod", mode, path)

    def on_host(self, path):
        """A file in /srv, for programs that would follow `path` to the host's own."""
        return self.shared / Path(path).relative_to("/srv")

    def connect(self, port, receive_buffer=None, timeout=60):
        """A socket connected to a port of the machine's loopback address."""

        def connect():
            # A socket is of the network that its thread was in when it was made: setns(2).
            with open(f"/proc/{self.pid}/ns/net") as network:
                assert ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET) == 0, ctypes.get_errno()
            return client.connect(("127.0.0.1", port), receive_buffer, timeout)

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(connect).result()

    def command(self, *command):
        namespaces = ["--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup"]
        return ["nsenter", f"--target={self.pid}", *namespaces, *map(str, command)]

    def run(self, *command, check=True, **options):
        """Runs a command to its end; with `check`, it must succeed."""
        options = {"capture_output": True, "text": True, "timeout": 60} | options
        ended = subprocess.run(self.command(*command), cwd="/", **options)
        assert not check or ended.returncode == 0, f"{command}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended

    def start(self, *command):
        return subprocess.Popen(self.command(*command), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def systemctl(self, *arguments, **options):
        return self.run("systemctl", *arguments, **options).stdout

    def show(self, unit, name):
        """As systemctl shows it: ActiveState, MainPID, NRestarts…"""
        return self.systemctl("show", "--value", f"--property={name}", unit).strip()

    def wait_for_property(self, unit, name, value, timeout=60):
        wait_until(lambda: self.show(unit, name) == value, f"{unit}: {name}={value}", timeout)

    def journal(self, *arguments):
        """What it has been told until now: one dictionary of fields for each entry."""
        self.run("journalctl", "--sync")
        output = self.run("journalctl", "--output=json", "--all", *arguments).stdout
        return [json.loads(line) for line in output.splitlines()]


@contextmanager
def running_machine(directory):
    """A machine that has its files in an empty directory of this one."""
    prefix = "sluice-tests."
    for left in control_groups().glob(f"{prefix}*"):
        if not Path("/proc", left.name.removeprefix(prefix)).exists():
            remove(left)  # of tests that were killed
    (cgroup := control_groups() / f"{prefix}{os.getpid()}").mkdir()
    (booting := directory / "boot").mkdir()
    (shared := directory / "srv").mkdir()
    directory.chmod(0o755)
    machine = Machine(cgroup, shared)
    try:
        machine.boot(booting)
        yield machine
    finally:
        machine.halt()
