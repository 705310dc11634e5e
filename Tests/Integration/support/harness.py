"""A real `sluice` process: its arguments, its output, what it costs."""

import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from client import Connection

ROOT = Path(__file__).resolve().parents[3]
SLUICE = Path(os.environ.get("SLUICE", ROOT / ".build/release/sluice")).resolve()
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# Root may read everything, and CI is root. Without these two capabilities root is a user like any other.
AS_ORDINARY_USER = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    if os.geteuid() == 0
    else []
)


def wait_until(condition, what, timeout=60):
    """Returns the first true value of `condition()`; a test waits for nothing in any other way."""
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.005)


def free_ports(count):
    """On 127.0.0.1. All of them are held until the last is found, so no two are the same."""
    with ExitStack() as held:
        return [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]


def open_the_way(directory):
    """Lets other users, as whom nginx's workers run, come to a directory."""
    for parent in directory.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(0o711)


def run(*arguments, prefix=(), timeout=120, **options):
    """Runs a command of sluice to its end."""
    options = {"capture_output": True, "text": True} | options
    return subprocess.run([*prefix, SLUICE, *map(str, arguments)], timeout=timeout, **options)


def cpu_ticks(process):
    """utime + stime of a directory in /proc, in units of 10 ms."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def threads(pid):
    """The names of its threads, by their ids."""
    names = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # before it is opened, and between that and the read, it may end
            names[int(task.name)] = (task / "comm").read_text().strip()
    return names


def policies(pid):
    """What the kernel schedules its threads by, each once: os.SCHED_OTHER and so on."""
    return {os.sched_getscheduler(thread) for thread in threads(pid)}


# Of the log of a server whose test fails.
LINES_SHOWN = 200


class Server:
    """A `sluice serve` that listens."""

    def __init__(self, command, **options):
        self.lines = []
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | options
        self.process = subprocess.Popen(command, **options)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return "\n".join(self.lines)

    def wait_for_line(self, pattern, timeout=60):
        """The first line of its output in which `pattern` is found."""

        def found():
            ended = self.process.poll() is not None
            if ended:
                self._reader.join()
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            assert not ended, f"sluice ended without saying {pattern!r}:\n{self.log}"

        return wait_until(found, f"a line with {pattern!r} in:\n{self.log}", timeout)

    def wait_until_it_listens(self):
        line = self.wait_for_line(r"https?://|unix:")
        self.ports = [int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", line)]
        if self.ports:
            self.url = f"http://127.0.0.1:{self.ports[0]}"

    def connect(self, **options):
        """A connection of HTTP/1.1, to be read as slowly as a test wants."""
        return Connection(("127.0.0.1", self.ports[0]), **options)

    def get(self, target, **options):
        """A whole answer, over a connection of its own."""
        with self.connect() as connection:
            return connection.answer("GET", target, **options)

    # What it costs, as the kernel has it: proc(5).

    def open_files(self):
        """The paths, and what else the kernel calls its descriptors."""
        paths = []
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                paths.append(os.readlink(descriptor))
        return paths

    def open_kinds(self):
        """How many it has open, by path; sockets and what else has no path by what they are."""
        return Counter(path.partition(":")[0] for path in self.open_files())

    def cpu_ticks(self):
        return cpu_ticks(Path(f"/proc/{self.pid}"))

    def niceness(self):
        """Of its threads, by name."""
        return {name: os.getpriority(os.PRIO_PROCESS, thread) for thread, name in threads(self.pid).items()}

    def resident_kib(self):
        return self._status("VmRSS")

    def peak_resident_kib(self):
        return self._status("VmHWM")

    def _status(self, field):
        if os.environ.get("COSTS") == "any":
            return 0  # a sanitizer's own books, or the size of a debug program
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s*(\d+) kB$", text, re.MULTILINE)[1])

    # The end.

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, timeout=60):
        """The exit status."""
        status = self.process.wait(timeout)
        self._reader.join()
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self.process.stdout.close()


@contextmanager
def serve(data, *arguments, listen=("127.0.0.1:0",), prefix=(), **options):
    """Serves `data` until the block ends; then it must leave with status 0, unless the test ended it itself."""
    addresses = [part for address in listen for part in ("--listen", address)]
    arguments = [*map(str, arguments)]
    if "--drain-timeout" not in arguments:
        arguments += ["--drain-timeout", "200ms"]
    server = Server([*prefix, SLUICE, "serve", "--data", data, *addresses, *arguments], **options)
    try:
        server.wait_until_it_listens()
        yield server
        if server.process.poll() is None:
            server.signal()
            assert server.wait() == 0, server.log
    except BaseException:
        # pytest shows it beside the failure.
        print(f"the last lines of {' '.join(map(str, arguments))}:", *server.lines[-LINES_SHOWN:], sep="\n")
        raise
    finally:
        server.kill()
