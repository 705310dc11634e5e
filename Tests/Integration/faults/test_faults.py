"""Every system call of a backup fails, every call of SQLite and every piece of its memory: it is whole, or all see that it is not."""

import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing, contextmanager

import pytest

from archive import Archive
from client import skipped_by_header
from faults import (
    DATABASES, Failures, Refusals, assert_free, check_archive, fetch, one_of_each, options, places, preloaded, spool,
    sqlite_names, traced,
)  # fmt: skip
from harness import run, serve, wait_until
from restoring import SLOW
from writers import running

# What the server's calls may answer: errno(3) and their pages in section 2. EAGAIN of a socket would be a lie, since the
# kernel says it only where an edge will follow, and a close that fails has closed all the same. "nothing" is an end of the
# file where it does not end, as file systems in user space and over a network may make one.
SERVER = {
    "openat": ["EMFILE", "EIO", "ENFILE", "ENOMEM", "EACCES", "EINTR"],
    "newfstatat": ["EIO", "ENOMEM", "EACCES", "EOVERFLOW"],
    "getdents64": ["EIO", "ENOMEM"],
    "pread64": ["EIO", "EINTR", "ENOMEM", "nothing"],
    "fcntl": ["EAGAIN", "ENOLCK", "EIO", "EINTR"],
    "mmap": ["ENOMEM", "ENFILE"],
    "mkdir": ["ENOSPC", "EACCES", "EMLINK"],
    "ftruncate": ["ENOSPC", "EIO", "EINTR"],
    "fchown": ["EPERM", "EIO"],
    "pwrite64": ["ENOSPC", "EIO", "EDQUOT", "EINTR"],
    "unlink": ["EIO", "EACCES"],
    "rmdir": ["EIO", "EBUSY"],
    "read": ["EIO", "EINTR"],
    "accept4": ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ECONNABORTED", "EPROTO", "EINTR"],
    "setsockopt": ["ENOMEM", "ENOBUFS"],
    "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_wait": ["EINTR"],
    "recvfrom": ["ECONNRESET", "ENOMEM", "EINTR"],
    "sendmsg": ["ECONNRESET", "EPIPE", "ENOMEM", "ENOBUFS", "EINTR"],
    "eventfd2": ["EMFILE", "ENFILE", "ENOMEM"],
    "clone3": ["EAGAIN", "ENOMEM"],
}
# What may fail from one place on for good: a dead disk, a full one, no descriptor left. What is repeated on EINTR would be
# repeated for ever, and a lock that no process gets keeps SQLite for ten seconds each time.
LASTING = {"openat", "newfstatat", "getdents64", "pread64", "mmap", "mkdir", "ftruncate", "pwrite64", "sendmsg", "clone3"}
# What SQLite's functions may answer, and the methods of its VFS. Not here: those that cannot fail, those that fail by what
# nomem.c does, those that are called once in a process, and xDelete, xFetch, xSync and xTruncate, to which no backup comes.
SQLITE_CALLS = {
    "sqlite3_open_v2": ["CANTOPEN", "IOERR", "NOMEM"],
    "sqlite3_db_config": ["ERROR"],
    "sqlite3_exec": ["BUSY", "IOERR", "CORRUPT", "NOMEM"],
    "sqlite3_prepare_v2": ["BUSY", "IOERR", "CORRUPT", "NOMEM"],
    "sqlite3_step": ["BUSY", "IOERR", "CORRUPT", "NOMEM"],
    "sqlite3_file_control": ["ERROR", "NOTFOUND", "IOERR"],
    "xOpen": ["CANTOPEN", "IOERR", "NOMEM"],
    "xRead": ["IOERR", "CORRUPT"],
    "xFileSize": ["IOERR"],
    "xLock": ["BUSY", "IOERR"],
    "xShmMap": ["IOERR", "NOMEM"],
    "xShmLock": ["IOERR", "BUSY"],
}
# Each of them SQLite tries again; if it lasts, for ten seconds at each database, and in the end it is another code.
TRIED_AGAIN = {("xShmLock", "BUSY")}
# Nothing is kept for a client that was lost: what is left is looked for.
AT_ONCE = ["--resume-grace", "0s"]
# Before there is a request, there is no backup of which the log could say anything.
OF_CONNECTIONS = {"accept4", "setsockopt", "epoll_ctl", "recvfrom"}


@pytest.fixture
def directory(tmp_path):
    return one_of_each(tmp_path / "data")


def outcome(call, answer, lines, directory, version):
    """What became of a backup, by its answer and by the log: the two must agree."""
    ends = [line for line in lines if re.search("backup (sent|failed)", line)]
    codes = sqlite_names("".join(ends if "failed" in "".join(ends) else lines))
    if answer and answer.status == 200:
        assert len(ends) == 1 and "backup sent" in ends[0], lines
        skipped = skipped_by_header(answer) if "Sluice-Skipped" in answer.headers else {}
        archive = check_archive(answer.body, 3 if skipped else 0, directory, version)
        assert {name: entry["reason"] for name, entry in archive.skipped.items()} == skipped
        assert len(lines) == 1 + len(skipped) and all(any(name in line for line in lines) for name in skipped), lines
        named = ", ".join(sorted(set(skipped.values())))
        as_file = [name for name in DATABASES if name in archive.entries and "database" not in archive.entries[name]]
        # As a test of its own has it: see below.
        assert not as_file, "without its log"
        return f"incomplete ({named}{codes})" if skipped else "whole"
    if not ends and call in OF_CONNECTIONS:
        assert answer is None and not lines
        return "connection lost"
    assert len(ends) == 1 and re.search(r" detail=.+ reason=\S+", ends[0]), lines
    assert all("warning: skipped" in line for line in lines if line not in ends), lines
    if answer:
        assert answer.status >= 500 and answer.problem()
    reason = re.search(r"reason=(\S+)", ends[0])[1]
    # A shortage of our own is nothing that the client did.
    assert reason != "client-left" or not re.search("Cannot allocate memory|No buffer space", ends[0]), ends
    return f"{answer.status if answer else 'broken off'} ({reason}{codes})"


class Victim:
    """A server whose calls fail, beside an application that commits to the pinned database's log before each backup."""

    def __init__(self, server, directory, application):
        self.server, self.directory, self.application = server, directory, application
        self.opened = len(server.open_files())

    def backup(self, call, number, failing):
        """A backup while something fails, and one after it, which must be whole. What became of the first; None if nothing
        has failed."""
        server = self.server
        self.application.execute("UPDATE account SET balance = balance + iif(id % 2, 1, -1)")
        self.application.execute(f"PRAGMA user_version={number}")
        said = len(server.lines)
        with failing as happened:
            answer = fetch(server)
        assert server.process.poll() is None, server.log
        wait_until(lambda: server.get("/healthz").json()["running_backups"] == 0, "the end of the backup")
        if call not in OF_CONNECTIONS or answer:
            wait_until(lambda: re.search("backup (sent|failed)", "".join(server.lines[said:])), "the log")
        became = outcome(call, answer, server.lines[said:], self.directory, number)
        assert_free(self.directory)
        if call in ("unlink", "rmdir"):
            shutil.rmtree(spool(self.directory))
            spool(self.directory).mkdir()
        assert not any(spool(self.directory).iterdir())
        wait_until(lambda: len(server.open_files()) <= self.opened, "what it had opened to be closed")
        said = len(server.lines)
        check_archive(server.get("/api/backup").body, 0, self.directory, number)
        wait_until(lambda: "backup sent" in "".join(server.lines[said:]), "the log")
        return became if happened() else None


@contextmanager
def victim(directory, **options_of_process):
    application = sqlite3.connect(directory / "pinned.db", isolation_level=None)
    application.execute("PRAGMA wal_autocheckpoint=0")
    with closing(application), serve(directory, *options(directory), *AT_ONCE, **options_of_process) as server:
        assert server.get("/api/backup").status == 200  # after it, SQLite's own files are there and found
        wait_until(lambda: "backup sent" in server.log, "the log")
        yield Victim(server, directory, application)


def told(outcomes):
    return ", ".join(f"{times} {what}" for what, times in outcomes.most_common())


@pytest.mark.parametrize("call", SERVER)
def test_a_call_that_fails_costs_one_backup_at_the_most(directory, tmp_path, figure, record_property, call):
    """In CI, at some places; with RUN_SLOW=1, at each."""
    log, cases = tmp_path / "strace", 0
    with victim(directory) as harmed:
        count = places(harmed.server, log, call)
        assert count > 0, f"no backup calls {call} any more"
        lasting = [(error, "+") for error in SERVER[call] if call in LASTING and error != "EINTR"]
        for error, more in [(error, "") for error in SERVER[call]] + (lasting if SLOW else lasting[:1]):
            outcomes = Counter()
            for number in range(1, count + 1, 1 if SLOW else max(1, count // 4)):
                what = "retval=0" if error == "nothing" else f"error={error}"
                failing = traced(harmed.server, log, call, "-e", f"inject={call}:{what}:when={number}{more}")
                outcomes[harmed.backup(call, number, failing)] += 1
            del outcomes[None]
            assert outcomes, f"{call} never failed with {error}"
            cases += outcomes.total()
            figure(f"{call} {error}{' from then on' if more else ''}", f"{outcomes.total()} of {count} places: {told(outcomes)}")
    record_property("cases", cases)


@pytest.mark.parametrize("function", SQLITE_CALLS)
def test_a_call_of_sqlite_that_fails_costs_one_backup_at_the_most(directory, tmp_path, figure, record_property, function):
    """Each in turn; from one on, with each code only with RUN_SLOW=1."""
    failures, seen = Failures(tmp_path, function), Counter()
    with victim(directory, prefix=failures.prefix) as harmed:
        assert harmed.backup(function, 0, failures.of(2**31, "ERROR")) is None
        count = failures.count
        assert count > 0, f"no backup calls {function} any more"
        codes = SQLITE_CALLS[function]
        lasting = [code for code in codes if (function, code) not in TRIED_AGAIN]
        for code, lasts in [(code, False) for code in codes] + [(code, True) for code in (lasting if SLOW else lasting[:1])]:
            outcomes = Counter()
            for number in range(1, count + 1):
                outcomes[harmed.backup(function, number, failures.of(number, code, lasts))] += 1
            del outcomes[None]
            assert outcomes, f"{function} never failed with {code}"
            seen += outcomes
            figure(f"{function} {code}{' from then on' if lasts else ''}", f"{outcomes.total()} of {count} places: {told(outcomes)}")
    record_property("cases", seen.total())
    # A code that is never reported was taken for another, or never came.
    named = set(re.findall(r"SQLITE_(\w+)", " ".join(seen)))
    assert {code for code in codes if (function, code) not in TRIED_AGAIN} <= named


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "from then on"])
def test_memory_that_sqlite_does_not_get_costs_one_backup_at_the_most(directory, tmp_path, figure, record_property, lasts):
    """Each piece that it asks for is not there, in turn: SQLITE_NOMEM, or what SQLite makes of it."""
    refusals, outcomes = Refusals(tmp_path), Counter()
    with victim(directory, prefix=refusals.prefix) as harmed:
        for number in range(1, 100_000, 1 if SLOW else 11):
            became = harmed.backup("malloc", number, refusals.of(number, lasts))
            if became is None:
                break
            outcomes[became] += 1
    figure(f"malloc of SQLite: no memory {'from then on' if lasts else 'once'}", f"{outcomes.total()} places: {told(outcomes)}")
    record_property("cases", outcomes.total())
    assert any("NOMEM" in became for became in outcomes) and outcomes.total() > 3


def test_a_database_that_cannot_be_looked_into_is_not_taken_for_a_file(directory, tmp_path):
    with running("idle", directory / "floor_plan/inner.sqlite"), serve(directory, *options(directory), *AT_ONCE) as server:
        with traced(server, tmp_path / "strace", "pread64", "-e", "inject=pread64:error=EIO:when=1"):
            archive = Archive(fetch(server).body)
    if "floor_plan/inner.sqlite" not in archive.skipped:
        with archive.database("floor_plan/inner.sqlite") as copy:
            assert copy.execute("PRAGMA user_version").fetchone() == (7,), "what was committed is missing, and nothing says so"


@pytest.fixture
def short(tmp_path):
    """Puts a library before the system's whose reads and writes are short; where they tell of themselves."""
    library = preloaded(tmp_path, "short")
    (tmp_path / "told").mkdir()
    return ["env", f"TOLD={tmp_path}/told", f"LD_PRELOAD={library}"], tmp_path / "told"


def test_reads_and_writes_that_move_a_part_or_are_interrupted_make_a_whole_archive(directory, tmp_path, short):
    prefix, told = short
    application = sqlite3.connect(directory / "pinned.db", isolation_level=None)
    application.execute("UPDATE account SET balance = balance + iif(id % 2, 1, -1)")
    with closing(application):
        with serve(directory, *options(directory), prefix=prefix) as server:
            for compression in ("fast", "store"):
                check_archive(server.get(f"/api/backup?compression={compression}").body, 0, directory)
        ended = run("backup", "--data", directory, *options(directory), "-o", tmp_path / "file.zip", prefix=prefix)
        assert (ended.returncode, ended.stderr) == (0, "")
        check_archive((tmp_path / "file.zip").read_bytes(), 0, directory)
    assert {path.name for path in told.iterdir()} == {"pread64", "pwrite64", "write", "recv", "sendmsg"}
