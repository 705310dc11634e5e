"""What the tests of failing calls share: a small directory, strace(1) beside a server, what must hold afterwards."""

import http.client
import mmap
import os
import re
import shutil
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

import data as make
from archive import Archive
from harness import run, wait_until
from measure import truncates
from restoring import rows

CODES = r"ERROR\b|BUSY|CANTOPEN|CORRUPT|FULL|IOERR|LOCKED|NOMEM|NOTADB|PERM|PROTOCOL|READONLY"
# What its calls answer, by https://www.sqlite.org/rescode.html.
RESULTS = {"ERROR": 1, "BUSY": 5, "NOMEM": 7, "IOERR": 10, "CORRUPT": 11, "NOTFOUND": 12, "FULL": 13, "CANTOPEN": 14}
# The names of all its codes, where Python knows them: from 3.11 on.
SQLITE = {code: f"SQLITE_{name}" for name, code in RESULTS.items()}
SQLITE |= {code: name for name, code in vars(sqlite3).items() if re.match(f"SQLITE_({CODES})", name)}
DATABASES = ("copied.db", "pinned.db", "floor_plan/inner.sqlite")
NAMES = (*DATABASES, "floor_plan/plan.json", "VERSION")


def one_of_each(directory):
    """A database that is spooled, one with its content in the log, one in a folder, a file; and the folder of spools.

    Their rows are longer than a page.
    """
    (directory / "floor_plan").mkdir(parents=True)
    spool(directory).mkdir()
    for name, mode in zip(DATABASES, (make.ROLLBACK, make.WAL, make.WAL), strict=True):
        make.ledger(directory / name, mode, accounts=4, padding=5000)
    (directory / "floor_plan/plan.json").write_text('{"rooms": 4}' * 1000)
    return directory


def spool(directory):
    return directory.with_name("spool")


def options(directory):
    return ["--memory-budget", "0", "--spool-directory", spool(directory), "--busy-timeout", "100ms"]


def is_at_rest(server):
    """Whether none of its threads runs or is stopped by strace(1)."""
    for stat in Path(f"/proc/{server.pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            if stat.read_text().rpartition(")")[2].split()[0] != "S":
                return False
    return True


@contextmanager
def traced(server, log, call, *injection):
    """Follows one call of a server that runs already. Taken off amid a call that it changes, strace(1) spoils that one.

    What it yields tells, afterwards, whether a call was made to fail.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may follow whatever process it wants")
    command = ["strace", "-f", "-qq", "-y", "-p", str(server.pid), "-o", log, "-e", f"trace={call}", *injection]
    strace = subprocess.Popen(command)
    try:
        status = Path(f"/proc/{server.pid}/status")
        wait_until(lambda: f"TracerPid:\t{strace.pid}\n" in status.read_text(), "strace to be there")
        yield lambda: "(INJECTED)" in log.read_text()
        wait_until(lambda: server.process.poll() is not None or is_at_rest(server) and is_at_rest(server), "it to rest")
    finally:
        strace.terminate()
        strace.wait()


def sqlite_names(text):
    """The codes that lines of the log name, by their names."""
    codes = set(map(int, re.findall(r"SQLite code (\d+)", text)))
    return "".join(f" {name}" for name in sorted(SQLITE.get(code, str(code)) for code in codes))


def places(server, log, call):
    """How often the thread that makes most of these calls makes one for a backup."""
    with traced(server, log, call):
        assert server.get("/api/backup").status == 200
    lines = [line.split() for line in log.read_text().splitlines() if f"{call}(" in line]
    return max(Counter(thread for thread, *_ in lines).values(), default=0)


def fetch(server):
    """An answer, or None if there was no whole one."""
    try:
        with server.connect(timeout=30) as connection:
            return connection.answer("GET", "/api/backup")
    except (http.client.HTTPException, ConnectionError):
        return None


def check_archive(body, status, directory, version=None):
    """What is in it is what is in the directory, row by row and byte by byte, and what is not in it is named; `sluice
    verify` says the same. The pinned one has its `version`, which stands in the log alone.
    """
    assert run("verify", "-", input=body, text=False).returncode == status
    archive = Archive(body)
    skipped = tuple(archive.skipped)
    for name in NAMES:
        assert (name in archive.entries) != any(f"{name}/".startswith(f"{path}/") for path in skipped), (name, skipped)
    for name in archive.entries.keys() - {"VERSION"}:
        if "database" not in archive.entries[name]:
            assert archive.read(name) == (directory / name).read_bytes(), name
            continue
        with archive.database(name) as copy:
            assert list(copy.iterdump()) == rows(directory / name), name
            if version is not None and name == "pinned.db":
                assert copy.execute("PRAGMA user_version").fetchone() == (version,), "without its log"
    return archive


def assert_free(directory):
    """Nothing is locked or pinned any more."""
    assert all(truncates(directory / name) for name in DATABASES[1:])
    with closing(sqlite3.connect(directory / DATABASES[0], timeout=0, isolation_level=None)) as application:
        application.execute("BEGIN EXCLUSIVE")


def numbers(path, count=3):
    """Numbers in a file that a library put before the system's shares with us."""
    path.write_bytes(bytes(4 * count))
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("I")


class Faults:
    """The file by which faulty.c hears how often calls are to fail, and tells how often they did."""

    def __init__(self, path):
        self._numbers = numbers(path)

    @contextmanager
    def one_in(self, calls):
        self._numbers[0] = calls
        try:
            yield
        finally:
            self._numbers[0] = 0

    @property
    def count(self):
        return self._numbers[2]


class Refusals:
    """The file by which nomem.c hears which piece of memory SQLite is not to have."""

    def __init__(self, tmp_path):
        path = tmp_path / "refusals"
        self._numbers = numbers(path)
        self.prefix = ["env", f"REFUSALS={path}", f"LD_PRELOAD={preloaded(tmp_path, 'nomem')}"]

    @contextmanager
    def of(self, number, lasts):
        """Refuses that one; if it lasts, all after it, too. What it yields tells whether so many were asked for."""
        self._numbers[1], self._numbers[2], self._numbers[0] = lasts, 0, number
        try:
            yield lambda: self._numbers[2] >= number
        finally:
            self._numbers[0] = 0


class Failures:
    """The file by which sqlite.c hears which call of one of SQLite's functions is to fail, and with which code."""

    def __init__(self, tmp_path, function):
        path = tmp_path / "failures"
        self._numbers = numbers(path, 4)
        self.prefix = ["env", f"FAILURES={path}", f"FUNCTION={function}", f"LD_PRELOAD={preloaded(tmp_path, 'sqlite')}"]

    @contextmanager
    def of(self, number, code, lasts=False):
        """Lets that one fail; if it lasts, all after it, too. What it yields tells whether so many were made."""
        self._numbers[1], self._numbers[2], self._numbers[3] = lasts, RESULTS[code], 0
        self._numbers[0] = number
        try:
            yield lambda: self.count >= number
        finally:
            self._numbers[0] = 0

    @property
    def count(self):
        """How many were made meanwhile."""
        return self._numbers[3]


def preloaded(tmp_path, name):
    """A library to be put before the system's."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("the library that this needs is C")
    library = tmp_path / f"{name}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).with_name(f"{name}.c")], check=True)
    return library
