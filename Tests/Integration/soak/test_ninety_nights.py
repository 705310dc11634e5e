"""Ninety nights of three hosts, whose clocks are moved, and of one machine that pulls from them: what its directories, restic and borg keep."""

import hashlib
import os
import shutil
import signal
import sqlite3
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

import data as make
from archive import Archive
from clock import Clock, utc
from engines import Borg, Restic, environment
from faults import preloaded
from harness import serve, wait_until
from pulling import TARGET, Puller, hook, proxy
from restoring import restore, rows
from stores import CommandStore, EngineStore
from tiers import CREATED, MODIFIED, Backup, newest, to_be_kept

# The year ends in these nights, and so does a February with 29 days.
FIRST = utc(2003, 12, 4, 3)
# No whole number of days back: a name would come twice.
YEAR, DAYS = timedelta(days=366), timedelta(days=10, hours=1)

# What happens in a night, to which host.
FULL = {
    **{night: {"wiki": "the host is down"} for night in range(10, 17)},
    25: {"app": "its volume is not mounted"},
    26: {"app": "the directory of the backups is not mounted"},
    35: {"wiki": "a database is locked"},
    45: {"app": "the store is away", "wiki": "the store is away", "mail": "the store is away"},
    46: {"app": "the store is away", "wiki": "the store is away", "mail": "the store is away"},
    55: {"app": "kill the server"},
    58: {"wiki": "kill sluice pull"},
    61: {"mail": "kill curl"},
    64: {"app": "kill the command", "wiki": "kill the command", "mail": "kill the command"},
}
# By how much a clock is wrong in a night; "puller" is that of the machine that keeps the backups.
FULL_CLOCKS = {
    20: {"wiki": YEAR}, 21: {"wiki": YEAR},
    30: {"puller": YEAR}, 31: {"puller": YEAR, "wiki": YEAR},
    40: {"mail": -timedelta(days=3, hours=2)},
    50: {"puller": -DAYS}, 51: {"puller": -DAYS}, 52: {"puller": -DAYS, "mail": -DAYS},
}  # fmt: skip
FULL_TIERS = {"last": 3, "daily": 7, "weekly": 4, "monthly": 3}

SHORT = {
    2: {"app": "its volume is not mounted", "mail": "the store is away"},
    3: {"app": "kill the server", "wiki": "a database is locked", "mail": "kill curl"},
    5: {"wiki": "kill sluice pull", "mail": "kill the command"},
    6: {"mail": "the directory of the backups is not mounted"},
    7: {"mail": "the host is down"},
}
SHORT_CLOCKS = {1: {"wiki": YEAR}, 3: {"puller": YEAR}, 4: {"puller": YEAR, "wiki": YEAR}, 5: {"puller": -DAYS, "mail": -DAYS}}
SHORT_TIERS = {"last": 1, "daily": 2}

# How the pull ends then, and whether there is a new archive: a whole one, one that says what it lacks, or none.
ENDS = {
    None: (0, "whole"),
    "the host is down": (1, None),
    # An archive is kept, and since databases are gone, no old one is removed.
    "its volume is not mounted": (1, "incomplete"),
    "the directory of the backups is not mounted": (1, None),
    "a database is locked": (3, "incomplete"),
    "the store is away": (1, "whole"),
    "kill the server": (1, None),
    "kill sluice pull": (-signal.SIGKILL, None),
    "kill curl": (1, None),
    "kill the command": (1, "whole"),
}
# What is killed while the archive is on the wire.
HALF_WAY = {"kill the server": "server", "kill sluice pull": "pull", "kill curl": "curl"}
# More than the kernel holds for a client that has stopped.
NOISE, MUCH_NOISE, HALF = 100_000, 16 << 20, 2 << 20
# An archive is kept in the directory, and the store has not got it.
STORELESS = ("the store is away", "kill the command")
STORES = {
    "app": lambda path: EngineStore(path, Restic, "restic"),
    # As its interpreter is called.
    "wiki": lambda path: EngineStore(path, Borg, "python3"),
    "mail": CommandStore,
}


class Application:
    """A host's data directory, which changes every day."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        for name, mode in (("main.db", make.WAL), ("log.db", make.ROLLBACK)):
            with closing(make.create(directory / name, mode)) as connection:
                connection.execute("CREATE TABLE night(number INTEGER PRIMARY KEY, noise BLOB)")

    def live(self, night, noise):
        """A day. What the databases hold then."""
        for name in ("main.db", "log.db"):
            with closing(sqlite3.connect(self.directory / name)) as connection:
                with connection:
                    connection.execute("INSERT INTO night VALUES (?, randomblob(?))", (night, noise if name == "main.db" else 1000))
                    connection.execute("DELETE FROM night WHERE number < ? OR length(noise) > ?", (night - 2, noise))
                connection.executescript("PRAGMA incremental_vacuum")
        return content(self.directory)


def content(directory):
    """Each database that is there, by a digest of its rows."""
    return {path.name: hashlib.sha256("\n".join(rows(path)).encode()).hexdigest() for path in sorted(directory.glob("*.db"))}


@contextmanager
def away(directory, mount_point=False):
    """It is not mounted: it is missing, or an empty directory is in its place."""
    directory.rename(aside := directory.with_name("aside"))
    if mount_point:
        directory.mkdir()
    yield
    if mount_point:
        directory.rmdir()
    aside.rename(directory)


def child(process, word):
    """Waits for the process below another one whose command is this. Its number."""

    def found():
        parents, commands = {}, {}
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                commands[int(path.name)] = Path(os.fsdecode((path / "cmdline").read_bytes().split(b"\0")[0])).name
        for pid in (pid for pid, command in commands.items() if command == word):
            above = pid
            while above := parents.get(above):
                if above == process.pid:
                    return pid
        return None

    return wait_until(found, f"{word} to run")


@dataclass
class Night:
    number: int
    now: object  # by the puller's clock
    event: str
    # How the pull ends, and what comes to the store.
    status: int
    arrives: bool
    is_blocked: bool

    @property
    def is_good(self):
        return self.status == 0


class Host:
    """One of three: its server, its data, and what the puller keeps of it."""

    def __init__(self, name, path, library, puller_clock, engines, url, tiers):
        path.mkdir()
        self.name, self.path, self.tiers, self.url = name, path, tiers, url
        self.application = Application(path / "data")
        (path / "state").mkdir()
        self.clock = Clock(path / "clock", library)
        self.puller = Puller(path)
        self.puller.environment |= puller_clock.environment
        self.made, self.store, self.stack = {}, STORES[name](path / "store"), ExitStack()
        self.puller.environment |= engines | self.store.environment
        # Those that have been removed too; and in how many nights they were judged by the nights as they were.
        self.ever, self.judged = [], 0
        self.settings = {"delta": "yes", "name": name, "notify": f"{url}/{name}", "ping": f"{url}/{name}"}
        self.settings["keep"] = " ".join(f"--{tier} {count}" for tier, count in tiers.items())
        self.start()

    def start(self):
        environment = os.environ | self.clock.environment
        arguments = ["--state-directory", self.path / "state", "--busy-timeout", "100ms"]
        self.server = self.stack.enter_context(serve(self.path / "data", *arguments, env=environment))

    def stop(self):
        self.stack.close()

    def pull(self, url=None, **settings):
        return self.puller.start((url or self.server.url) + TARGET, *self.store.options, **self.settings | settings)

    def names(self):
        return {name for name in os.listdir(self.puller.kept) if not name.startswith(".")} if self.puller.kept.exists() else set()

    def night(self, number, now, event):
        status, worth = ENDS[event]
        arrives = worth is not None and event not in STORELESS
        # A store of old and new dates is named only where it would have removed something.
        is_blocked = status == 0 and self.store.is_blocked(now)
        return Night(number, now, event, 1 if is_blocked else status, arrives, is_blocked)

    def spend(self, night):
        """A night: the pull, and how it ended."""
        event, process = night.event, None
        with ExitStack() as stack:
            if event == "the host is down":
                self.stop()
            elif event == "its volume is not mounted":
                stack.enter_context(away(self.path / "data", mount_point=True))
            elif event == "the directory of the backups is not mounted":
                stack.enter_context(away(self.puller.kept))
            elif event == "the store is away":
                stack.enter_context(away(self.store.path))
            elif event == "a database is locked":
                connection = stack.enter_context(closing(sqlite3.connect(self.path / "data/log.db")))
                connection.execute("BEGIN EXCLUSIVE")
            elif event == "kill the command":
                process = self.kill_command()
            elif event:
                process = self.kill_half_way(HALF_WAY[event])
            return self.puller.result(process or self.pull())

    def kill_command(self):
        self.store.hold()
        process = self.pull()
        wait_until(self.store.is_half_way, "half of the archive in the store")
        os.kill(child(process, self.store.process), signal.SIGKILL)
        self.store.go_on()
        return process

    def kill_half_way(self, victim):
        """Kills a process while the archive is on the wire."""
        half, killed = Event(), Event()

        def change(number, at, data):
            if at >= HALF and not killed.is_set():
                half.set()
                assert killed.wait(60)
            return data

        with proxy(self.server, change, receive_buffer=4096) as url:
            process = self.pull(url.removesuffix(TARGET))
            assert half.wait(60)
            if victim == "server":
                self.server.signal(signal.SIGKILL)
                self.server.wait()
            else:
                os.kill(process.pid if victim == "pull" else child(process, victim), signal.SIGKILL)
            killed.set()
            process.wait(60)
        if victim == "pull":
            # As the unit does, whose main process has ended so.
            end = {"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}
            assert self.puller.run(self.server.url + TARGET, "--ended", **self.settings | end).returncode == 0
        return process


def assert_told(host, heard, night):
    """Once that it began and once how it ended, in each way, with the puller's time."""
    heard = [(method, path, message) for method, path, message in heard if path.startswith(f"/{host.name}")]
    end = "success" if night.is_good else "failure"
    messages = [message for method, _, message in heard if method == "POST"]
    assert [message["event"] for message in messages] == ["start", end], (night, messages)
    assert {message["time"][:10] for message in messages} == {f"{night.now:%Y-%m-%d}"}, (night, messages)
    pings = [path for method, path, _ in heard if method == "GET"]
    assert pings == [f"/{host.name}/start", f"/{host.name}" if night.is_good else f"/{host.name}/fail"], (night, pings)


def assert_kept(host, before, night, result, made):
    """After a success exactly what the tiers keep, after a failure no less; and no other good one is lost."""
    status, worth = ENDS[night.event]
    assert result.returncode == night.status, (night, result.output, result.error)
    gone = {line.removeprefix("removed ") for line in result.output.splitlines() if line.startswith("removed ")}
    new = (host.names() | gone) - before
    assert len(new) == (worth is not None), (night, new, result.error)
    for name in new:
        assert name.endswith("-incomplete.zip") == (worth == "incomplete"), (night, name)
        host.made[name] = made
        host.ever.append(made)
    there, left = ({host.made[name] for name in names} for names in (before | new, host.names()))
    kept = to_be_kept(there, night.now, host.tiers) if worth else there
    seen = (night, sorted(backup.night for backup in kept), sorted(backup.night for backup in left), result.output)
    assert left == kept if status == 0 else left >= kept, seen
    # "One wrong clock removes nothing": if the other has always been right, the tiers hold for the nights as they were.
    if any(all(date(backup) == backup.true for backup in host.ever) for date in (CREATED, MODIFIED)):
        lost = newest({backup for backup in host.ever if backup.whole}, lambda backup: backup.true, host.tiers) - left
        assert not lost, seen
        host.judged += 1
    return new


def assert_stored(host, night, result, made):
    """The store has the archive if that was kept, and of the older ones what its own rules keep; after a bad night, all."""
    store = host.store
    new = store.names() - {*store.kept}
    assert len(new) == night.arrives, (night, new, result.error)
    store.kept |= dict.fromkeys(new, made)
    kept = store.to_be_kept(host.tiers) if night.is_good else {*store.kept.values()}
    store.kept = {name: backup for name, backup in store.kept.items() if backup in kept}
    assert store.names() == {*store.kept}, (night, sorted(backup.night for backup in kept))
    # One line says why the store has not got it, or keeps too many.
    lines = [line for line in result.error.splitlines() if line.startswith(f"sluice: {store.option} ")]
    assert len(lines) == (night.is_blocked or night.event in STORELESS), (night, lines)
    if night.is_blocked and night.now == made.true:
        assert f"old ones cannot be removed: {store.remove_latest()} is dated later" in lines[0], (night, lines)


def assert_restores(archive, backup, into):
    """An archive holds what was there in its night, and what is not in it is named."""
    into.mkdir()
    result = restore(archive, into)
    assert result.returncode == (0 if backup.whole else 3), (archive, result.stderr)
    found = content(into)
    assert found.items() <= backup.content.items(), (archive, backup.night)
    skipped = {entry["path"] for entry in Archive(archive).manifest["skipped"]}
    assert backup.whole == (not skipped) and ("." in skipped or {*backup.content} - {*found} == skipped), (archive, skipped)
    shutil.rmtree(into)


@pytest.mark.parametrize(
    ("nights", "events", "clocks", "tiers"),
    [
        pytest.param(7, SHORT, SHORT_CLOCKS, SHORT_TIERS, id="7"),
        pytest.param(90, FULL, FULL_CLOCKS, FULL_TIERS, id="90", marks=pytest.mark.slow),
    ],
)
def test_nights(tmp_path, monkeypatch, figure, nights, events, clocks, tiers):
    for name, value in (engines := environment(tmp_path)).items():
        monkeypatch.setenv(name, value)
    library = preloaded(tmp_path, "clock")
    puller_clock = Clock(tmp_path / "clock", library)
    told, deltas = {"success": 0, "failure": 0}, 0
    with hook() as (url, heard), ExitStack() as servers:
        hosts = []
        for name in ("app", "wiki", "mail"):
            hosts.append(Host(name, tmp_path / name, library, puller_clock, engines, url, tiers))
            servers.callback(hosts[-1].stop)
        for number in range(1, nights + 1):
            for minute, host in enumerate(hosts):
                true = FIRST + timedelta(days=number, minutes=10 * minute)
                wrong = clocks.get(number, {})
                night = host.night(number, true + wrong.get("puller", timedelta(0)), events.get(number, {}).get(host.name))
                created = true + wrong.get(host.name, timedelta(0))
                host.clock.set(created)
                puller_clock.set(night.now)
                noise = MUCH_NOISE if night.event in HALF_WAY else NOISE
                held = host.application.live(number, noise)
                before = host.names()
                heard.clear()
                result = host.spend(night)
                made = Backup(number, true, created, night.now, ENDS[night.event][1] == "whole", held)
                new = assert_kept(host, before, night, result, made)
                # A tier may remove it before the end.
                for name in new & host.names() if night.event else ():
                    assert_restores(host.puller.kept / name, made, tmp_path / "restored")
                assert_told(host, heard, night)
                assert_stored(host, night, result, made)
                told["success" if night.is_good else "failure"] += 1
                deltas += "transferred instead of" in result.output
                if host.server.process.poll() is not None:
                    host.stop()
                    host.start()
    restored = {}
    for host in hosts:
        for name in host.names():
            assert_restores(host.puller.kept / name, host.made[name], tmp_path / "restored")
        for name, backup in host.store.kept.items():
            (path := tmp_path / "stored.zip").write_bytes(host.store.content(name))
            assert_restores(path, backup, tmp_path / "restored")
        restored[host.name] = len(host.names()), len(host.store.kept)
    figure("pulls", f"{told['success']} good and {told['failure']} bad nights, {deltas} deltas")
    figure("kept and restored, in the directory and in the store", restored)
    # "app" has had a right clock all the time.
    figure("judged by the nights as they were", [host.judged for host in hosts])
    assert hosts[0].judged == nights
