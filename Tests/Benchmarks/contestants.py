"""The ways to make the archive: servers, each a fresh process for every round, and pipelines of commands."""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import costs
from archive import Archive
from harness import SLUICE, Server, wait_until

HERE = Path(__file__).resolve().parent


class Unfinished(Exception):
    """It failed, or was given up after the time that it had."""


@dataclass
class Round:
    """Seconds, bytes."""

    first: float
    total: float
    size: int
    cpu: float
    peak: int


@dataclass
class Contestant:
    name: str
    about: str
    check: object = None  # of the archive
    data: Path = None  # the databases that it reads by way of SQLite, if so

    def run(self, output="/dev/null", patience=3600):
        """Makes one archive. Raises Unfinished if it takes longer than `patience` seconds."""
        raise NotImplementedError


@dataclass
class Served(Contestant):
    """An HTTP server, read by curl."""

    command: tuple = ()
    targets: tuple = ()

    @contextmanager
    def listening(self):
        server = Server(self.command)
        try:
            server.wait_until_it_listens()
            yield server.pid, server.url
        finally:
            server.kill()

    def run(self, output="/dev/null", patience=3600):
        with self.listening() as (pid, url):
            before = costs.cpu_seconds(pid)
            form = "%{time_starttransfer} %{time_total} %{size_download}\n"
            command = ["curl", "-fsS", "--max-time", str(patience), "-w", form]
            for target in self.targets:
                command += ["-o", output, url + target]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if ended.returncode == 28:  # curl's own number for it
                raise Unfinished
            ended.check_returncode()
            transfers = [[float(field) for field in line.split()] for line in ended.stdout.splitlines()]
            total = sum(transfer[1] for transfer in transfers)
            size = sum(int(transfer[2]) for transfer in transfers)
            return Round(transfers[0][0], total, size, costs.cpu_seconds(pid) - before, costs.peak_bytes(pid))


@dataclass
class Nginx(Served):
    """nginx sends the files of a directory: what there is to be had without any work."""

    CONFIGURATION = """
        daemon off; pid {work}/pid; error_log {work}/error.log; {user} worker_processes {processors};
        events {{ }}
        http {{
          access_log off; sendfile on; tcp_nopush on;
          client_body_temp_path {work}/t; proxy_temp_path {work}/t; fastcgi_temp_path {work}/t;
          uwsgi_temp_path {work}/t; scgi_temp_path {work}/t;
          server {{ listen 127.0.0.1:{port}; root {root}; }}
        }}
    """

    root: Path = None

    @contextmanager
    def listening(self):
        with socket.socket() as lent:
            lent.bind(("127.0.0.1", 0))
            port = lent.getsockname()[1]
        user = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""
        with tempfile.TemporaryDirectory() as work:
            values = {"work": work, "port": port, "root": self.root, "user": user, "processors": os.cpu_count()}
            Path(work, "nginx.conf").write_text(self.CONFIGURATION.format(**values))
            nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
            process = subprocess.Popen([nginx, "-e", f"{work}/error.log", "-c", f"{work}/nginx.conf"])
            try:
                with socket.socket() as probe:
                    wait_until(lambda: probe.connect_ex(("127.0.0.1", port)) == 0, "nginx to listen")
                yield process.pid, f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait()


@dataclass
class Pipeline(Contestant):
    """Commands of a shell whose output is the archive; DATA is what they read, COPIES an empty directory."""

    script: str = ""

    def run(self, output="/dev/null", patience=3600):
        with tempfile.TemporaryDirectory(dir=self.data.parent) as copies, open(output, "wb") as sink:
            start = time.perf_counter()
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", self.script], stdout=subprocess.PIPE, start_new_session=True,
                env=os.environ | {"DATA": str(self.data), "COPIES": copies},
            )  # fmt: skip
            sampler = costs.PeakSampler(process.pid)
            alarm = Alarm(process.pid, patience)
            first, size, buffer = None, 0, bytearray(1 << 20)
            while count := process.stdout.readinto(buffer):
                first = first or time.perf_counter() - start
                size += count
                sink.write(memoryview(buffer)[:count])
            total = time.perf_counter() - start
            peak = sampler.stop()
            rang = alarm.cancel()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stdout.close()
            if rang or process.returncode != 0:  # SQLite's shell gives up when it finds a database locked
                raise Unfinished
            return Round(first, total, size, usage.ru_utime + usage.ru_stime, peak)


class Alarm:
    """Ends a process and its group after a time."""

    def __init__(self, group, seconds):
        self.rang = False
        self.timer = Timer(seconds, self._ring, [group])
        self.timer.start()

    def _ring(self, group):
        self.rang = True
        os.killpg(group, signal.SIGKILL)

    def cancel(self):
        self.timer.cancel()
        return self.rang


# Those who take part.


def readable_by(*command):
    return lambda path: subprocess.run([*command, path], check=True, stdout=subprocess.DEVNULL)


def is_complete(path):
    assert Archive(path).manifest["complete"]


COPY = """for database in "$DATA"/*.db; do sqlite3 -cmd '.timeout 5000' "$database" "{}"; done"""
BACKUP = COPY.format(".backup '$COPIES/${database##*/}'")
VACUUM = COPY.format("VACUUM INTO '$COPIES/${database##*/}'")


def field(data, work):
    """All of them, in the order of the tables. The replaced method changes what it reads and gets a copy of its own."""
    unzips, untars = readable_by("unzip", "-tq"), readable_by("tar", "-tzf")
    yield replaced_method(data, work)
    yield Pipeline(
        ".backup, zip -6", "`sqlite3 .backup` of each database, then `zip -6` of the copies", unzips, data,
        script=f'{BACKUP}; cd "$COPIES"; zip -6 -q - *.db',
    )  # fmt: skip
    yield Pipeline(
        "VACUUM INTO, pigz", "`VACUUM INTO` of each database, then `tar` of the copies through `pigz -6`", untars, data,
        script=f'{VACUUM}; tar -C "$COPIES" -c . | pigz -6',
    )  # fmt: skip
    if subprocess.run([sys.executable, "-c", "import zipstream"], stderr=subprocess.DEVNULL).returncode == 0:
        yield Pipeline(
            "zipstream-ng", "`Connection.backup` of each database in Python, then zipstream-ng, level 6", unzips, data,
            script=f"exec {sys.executable} {HERE}/zipstreamed.py",
        )  # fmt: skip
    yield from sluice(data)
    yield raw_files(data)
    yield Nginx("nginx, ready zip", "an archive of Sluice's made before", targets=("/ready.zip",), root=work)


def duel(data, work):
    """Sluice, what it replaces, and the ceiling."""
    yield replaced_method(data, work)
    yield from sluice(data)
    yield raw_files(data)


def replaced_method(data, work):
    program = work / "replaced-method"
    subprocess.run(["go", "build", "-o", program, "."], cwd=HERE / "replaced-method", check=True)
    copy = shutil.copytree(data, work / "copy")
    return Served(
        "replaced method", "whole databases into memory, Go's `archive/zip`", readable_by("unzip", "-tq"), copy,
        command=(program, copy, "127.0.0.1:0"), targets=("/api/backup",),
    )  # fmt: skip


def sluice(data):
    command = (SLUICE, "serve", "--data", data, "--listen", "127.0.0.1:0")
    for level in ("default", "fast", "store"):
        yield Served(
            f"Sluice, {level}", f"`?compression={level}`", is_complete, data,
            command=command, targets=(f"/api/backup?compression={level}",),
        )  # fmt: skip


def raw_files(data):
    names = tuple(f"/{path.name}" for path in sorted(data.glob("*.db")))
    return Nginx("nginx, raw files", "the databases as they are, by `sendfile`, no snapshot", targets=names, root=data)
