"""Sluice as an administrator has it on a machine: its units, its settings, what the journal says of it."""

import os
import re
import shlex
import shutil
import subprocess

import harness
from client import Connection
from harness import cpu_ticks, wait_until

SERVICE, SOCKET = "sluice.service", "sluice.socket"
SOCKET_PATH = "/run/sluice/sluice.sock"
UNIT_STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"  # SD_MESSAGE_UNIT_STARTING_STR in sd-messages.h

APPLICATION = "application"  # whose the databases are, on each machine


def install(machine):
    make("install", "PREFIX=/usr", f"DESTDIR={machine.path('')}")


def build_package():
    """The path of a Debian package of the program under test."""
    return harness.ROOT / re.search(r"in '(.*\.deb)'", make("deb"))[1]


# A package of a test need not be small.
QUICKLY = {"DPKG_DEB_COMPRESSOR_LEVEL": "0", "XZ_OPT": "-0"}


def make(*arguments):
    # What is tested is built already.
    command = ["make", "--silent", "--directory", harness.ROOT, "--old-file=build", f"SLUICE={harness.SLUICE}"]
    return subprocess.run([*command, *arguments], env=os.environ | QUICKLY, check=True, capture_output=True, text=True).stdout


class Service:
    """What it serves is a directory in the machine's /srv."""

    def __init__(self, machine, unit=SERVICE):
        self.machine, self.unit = machine, unit
        self.cursor = machine.run("journalctl", "--lines=0", "--show-cursor").stdout.split("cursor: ")[1].strip()

    def settle(self, data, *options, user=APPLICATION, service="", socket=""):
        """Writes the settings and listens; `service` and `socket` are further lines for drop-ins."""
        machine = self.machine
        machine.write("/etc/default/sluice", f"SLUICE_DATA={data}\nSLUICE_OPTIONS={shlex.join(map(str, options))}\n")
        lines = [f"ReadWritePaths=-{data}", *([f"DynamicUser=no\nUser={user}"] if user else []), service]
        machine.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", "[Service]\n" + "\n".join(lines) + "\n")
        machine.write(f"/etc/systemd/system/{SOCKET}.d/test.conf", f"[Socket]\n{socket}\n")
        machine.systemctl("daemon-reload")
        machine.systemctl("start", SOCKET)

    def remove(self):
        self.machine.systemctl("stop", SOCKET, SERVICE, check=False)
        self.machine.systemctl("reset-failed", SOCKET, SERVICE, check=False)
        for unit in (SERVICE, SOCKET):
            shutil.rmtree(self.machine.path(f"/etc/systemd/system/{unit}.d"), ignore_errors=True)
        # What it knows of one test's directory is nothing to the next.
        self.machine.run("rm", "-rf", "/var/lib/sluice", "/var/lib/private/sluice")
        self.machine.systemctl("daemon-reload")

    # As a client has it.

    def connect(self, path=SOCKET_PATH, **options):
        return Connection(self.machine.path(path), **options)

    def get(self, target, **headers):
        with self.connect() as connection:
            return connection.answer("GET", target, **headers)

    # As systemd has it.

    def show(self, name):
        return self.machine.show(self.unit, name)

    def wait_for(self, name, value, **options):
        self.machine.wait_for_property(self.unit, name, value, **options)

    @property
    def pid(self):
        """As it is called on the machine; 0 while nothing runs."""
        return int(self.show("MainPID"))

    def signal(self, name):
        self.machine.systemctl("kill", f"--signal={name}", "--kill-whom=main", self.unit)

    def cpu_ticks(self):
        return cpu_ticks(self.machine.path(f"/proc/{self.pid}"))

    def open_files(self):
        listing = self.machine.run("find", f"/proc/{self.pid}/fd", "-type", "l", "-printf", "%l\\n", check=False)
        return listing.stdout.splitlines()

    # As the journal has it.

    def journal(self):
        """All that was said by the service and of it, since the test began."""
        # journalctl itself would lose an entry: what it finds by other filters, it does not count from a cursor on.
        entries = self.machine.journal(f"--after-cursor={self.cursor}")
        return [entry for entry in entries if self.unit in (entry.get("_SYSTEMD_UNIT"), entry.get("UNIT"))]

    def said(self):
        """What it said by itself."""
        return [entry for entry in self.journal() if entry.get("_SYSTEMD_UNIT") == self.unit]

    def lines(self):
        return [entry["MESSAGE"] for entry in self.said()]

    def starts(self):
        return sum(entry.get("MESSAGE_ID") == UNIT_STARTING for entry in self.journal())

    def wait_for_line(self, word, timeout=60):
        def found():
            return next((line for line in self.lines() if word in line), None)

        return wait_until(found, f"{word!r} in the journal", timeout)
