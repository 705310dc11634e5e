"""Ninety nights of three hosts, whose clocks are moved, and of one machine that pulls from them: what is kept, told and restored."""

import filecmp
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
from faults import preloaded
from harness import serve, wait_until
from pulling import TARGET, Puller, hook, proxy
from restoring import restore, rows

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
    45: {"mail": "the store is away"},
    46: {"mail": "the store is away"},
    55: {"app": "kill the server"},
    58: {"wiki": "kill sluice pull"},
    61: {"mail": "kill curl"},
    64: {"mail": "kill the command"},
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
    2: {"app": "its volume is not mounted", "wiki": "the host is down", "mail": "the store is away"},
    3: {"app": "kill the server", "wiki": "a database is locked", "mail": "kill curl"},
    5: {"app": "the directory of the backups is not mounted", "wiki": "kill sluice pull", "mail": "kill the command"},
}
SHORT_CLOCKS = {1: {"wiki": YEAR}, 3: {"puller": YEAR}, 4: {"puller": YEAR, "wiki": YEAR}, 5: {"puller": -DAYS, "mail": -DAYS}}
SHORT_TIERS = {"last": 1, "daily": 2, "weekly": 1}

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
# What the command of a store does; a file `hold` stops it half way.
STORE = "cd '{}' && head -c 65536 >part && if [ -e hold ]; then : >half; exec sleep 600; fi && cat >>part && mv part $SLUICE_NAME"


@dataclass(eq=False)
class Backup:
    """What a night has made, as the test knows it: no clock and no name of the program's."""

    night: int
    true: object  # when it was
    created: object  # by the host's clock
    modified: object  # by the puller's
    whole: bool
    content: dict
    seen_ahead: bool = False


CREATED, MODIFIED = (lambda backup: backup.created), (lambda backup: backup.modified)
PERIODS = {
    "daily": lambda date: date.date(),
    "weekly": lambda date: date.isocalendar()[:2],
    "monthly": lambda date: (date.year, date.month),
}


def newest(backups, date, tiers):
    """The newest N, and the newest of each of the last N days, weeks and months that have a backup."""
    backups = sorted(backups, key=date, reverse=True)
    kept = {*backups[: tiers["last"]]}
    for tier, period in PERIODS.items():
        of_period = {}
        for backup in backups:
            of_period.setdefault(period(date(backup)), backup)
        kept |= {*[*of_period.values()][: tiers.get(tier, 0)]}
    return kept


def to_be_kept(backups, now, tiers):
    """The tiers, as docs/off-site.md has them."""
    # "A backup that both clocks place in the future is kept and counts for nothing."
    future = {backup for backup in backups if min(backup.created, backup.modified) > now}
    counted = backups - future
    # "An incomplete backup never takes a complete one's place"; nor does one that was once seen in the future.
    whole = {backup for backup in counted if backup.whole}
    kept = future
    # "A backup that either order keeps is kept."
    for date in (
        CREATED,
        lambda backup: backup.created if backup.created <= now else backup.modified,
        lambda backup: backup.modified if backup.modified <= now else backup.created,
    ):
        for pool in (counted, whole, {backup for backup in whole if not backup.seen_ahead}):
            kept = kept | newest(pool, date, tiers)
    for backup in future:
        backup.seen_ahead |= min(backup.created, backup.modified) > now + timedelta(days=1)
    return kept


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

    @property
    def is_good(self):
        return ENDS[self.event][0] == 0


class Host:
    """One of three: its server, its data, and what the puller keeps of it."""

    def __init__(self, name, path, library, puller_clock, url, tiers):
        path.mkdir()
        self.name, self.path, self.tiers, self.url = name, path, tiers, url
        self.application = Application(path / "data")
        (path / "state").mkdir()
        self.clock = Clock(path / "clock", library)
        self.puller = Puller(path)
        self.puller.environment |= puller_clock.environment
        self.made, self.store, self.stack = {}, None, ExitStack()
        # Those that have been removed too; and in how many nights they were judged by the nights as they were.
        self.ever, self.judged = [], 0
        self.settings = {"delta": "yes", "name": name, "notify": f"{url}/{name}", "ping": f"{url}/{name}"}
        self.settings["keep"] = " ".join(f"--{tier} {count}" for tier, count in tiers.items())
        if name == "mail":
            (path / "store").mkdir()
            self.store = path / "store"
        self.start()

    def start(self):
        environment = os.environ | self.clock.environment
        arguments = ["--state-directory", self.path / "state", "--busy-timeout", "100ms"]
        self.server = self.stack.enter_context(serve(self.path / "data", *arguments, env=environment))

    def stop(self):
        self.stack.close()

    def pull(self, url=None, **settings):
        options = ["--to", STORE.format(self.store)] if self.store else []
        return self.puller.start((url or self.server.url) + TARGET, *options, **self.settings | settings)

    def names(self):
        return {name for name in os.listdir(self.puller.kept) if not name.startswith(".")} if self.puller.kept.exists() else set()

    def stored(self):
        return {name for name in os.listdir(self.store) if name.endswith(".zip")}

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
                stack.enter_context(away(self.store))
            elif event == "a database is locked":
                connection = stack.enter_context(closing(sqlite3.connect(self.path / "data/log.db")))
                connection.execute("BEGIN EXCLUSIVE")
            elif event == "kill the command":
                process = self.kill_command()
            elif event:
                process = self.kill_half_way(HALF_WAY[event])
            return self.puller.result(process or self.pull())

    def kill_command(self):
        (self.store / "hold").touch()
        process = self.pull()
        wait_until((self.store / "half").exists, "half of the archive in the store")
        os.kill(child(process, "sleep"), signal.SIGKILL)
        for name in ("hold", "half", "part"):
            (self.store / name).unlink()
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
    assert result.returncode == status, (night, result.output, result.error)
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
    assert left == kept if night.is_good else left >= kept, seen
    # "One wrong clock removes nothing": if the other has always been right, the tiers hold for the nights as they were.
    if any(all(date(backup) == backup.true for backup in host.ever) for date in (CREATED, MODIFIED)):
        lost = newest({backup for backup in host.ever if backup.whole}, lambda backup: backup.true, host.tiers) - left
        assert not lost, seen
        host.judged += 1
    return new


def assert_stored(host, before, night):
    """The store has the archive if the pull has succeeded, and nothing new if not."""
    new = host.stored() - before
    assert len(new) == night.is_good, (night, new)
    for name in new & host.names():
        assert filecmp.cmp(host.store / name, host.puller.kept / name, shallow=False), (night, name)


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
        pytest.param(6, SHORT, SHORT_CLOCKS, SHORT_TIERS, id="6"),
        pytest.param(90, FULL, FULL_CLOCKS, FULL_TIERS, id="90", marks=pytest.mark.slow),
    ],
)
def test_nights(tmp_path, figure, nights, events, clocks, tiers):
    library = preloaded(tmp_path, "clock")
    puller_clock = Clock(tmp_path / "clock", library)
    told, deltas = {"success": 0, "failure": 0}, 0
    with hook() as (url, heard), ExitStack() as servers:
        hosts = []
        for name in ("app", "wiki", "mail"):
            hosts.append(Host(name, tmp_path / name, library, puller_clock, url, tiers))
            servers.callback(hosts[-1].stop)
        for number in range(1, nights + 1):
            for minute, host in enumerate(hosts):
                true = FIRST + timedelta(days=number, minutes=10 * minute)
                wrong = clocks.get(number, {})
                night = Night(number, true + wrong.get("puller", timedelta(0)), events.get(number, {}).get(host.name))
                created = true + wrong.get(host.name, timedelta(0))
                host.clock.set(created)
                puller_clock.set(night.now)
                noise = MUCH_NOISE if night.event in HALF_WAY else NOISE
                held = host.application.live(number, noise)
                before, stored = host.names(), host.stored() if host.store else None
                heard.clear()
                result = host.spend(night)
                made = Backup(number, true, created, night.now, ENDS[night.event][1] == "whole", held)
                new = assert_kept(host, before, night, result, made)
                # A tier may remove it before the end.
                for name in new & host.names() if night.event else ():
                    assert_restores(host.puller.kept / name, made, tmp_path / "restored")
                assert_told(host, heard, night)
                if host.store:
                    assert_stored(host, stored, night)
                told["success" if night.is_good else "failure"] += 1
                deltas += "transferred instead of" in result.output
                if host.server.process.poll() is not None:
                    host.stop()
                    host.start()
    restored = 0
    for host in hosts:
        for name in sorted(host.names()):
            assert_restores(host.puller.kept / name, host.made[name], tmp_path / "restored")
            restored += 1
    figure("pulls", f"{told['success']} good and {told['failure']} bad nights, {deltas} deltas; {restored} kept and restored")
    # "app" has had a right clock all the time.
    figure("judged by the nights as they were", [host.judged for host in hosts])
    assert hosts[0].judged == nights
