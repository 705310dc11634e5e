"""`sluice pull` into an object store of several servers, some of which are killed in the middle of a night, or all before it."""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import zipfile
from threading import Event

import pytest

import data as make
from engines import Borg, environment
from harness import SLUICE, run, serve, wait_until
from pulling import HEAD, answering, proxy
from restoring import SLOW, backup
from seaweed import KEYS, VOLUMES, seaweed

MEBIBYTE = 1 << 20
MEBIBYTES = 32
# Of SQLite's.
PAGE = 4096
# restic 0.14 tries each request ten times, with pauses that grow, and then the same again to remove its lock.
LONGEST_NIGHT = 3600 if SLOW else 300
# In the words of the engines.
CAUSES = "connection refused|[Ii]nternal ?[Ee]rror|Service ?Unavailable"


class Restic:
    def __init__(self, store, place):
        self.repository = f"s3:{store.s3}/backups/restic-{place}"
        self.options, self.source = ["--restic", self.repository], f"restic:{self.repository}"
        self.call("init")

    def call(self, *arguments):
        return subprocess.run(["restic", "-q", "-r", self.repository, *arguments], check=True, capture_output=True, timeout=120).stdout

    def names(self):
        return {snapshot["id"] for snapshot in json.loads(self.call("snapshots", "--json"))}

    def check(self):
        # The engine that was killed in the night of the cut archive has left its lock.
        self.call("unlock")
        self.call("check", "--read-data")


class Rclone:
    def __init__(self, store, place):
        self.folder = f"weed:backups/rclone-{place}"
        for name, value in {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": store.s3, "ACCESS_KEY_ID": KEYS["AWS_ACCESS_KEY_ID"], "SECRET_ACCESS_KEY": KEYS["AWS_SECRET_ACCESS_KEY"]}.items():
            os.environ[f"RCLONE_CONFIG_WEED_{name}"] = value
        self.options, self.source = ["--rclone", self.folder], f"rclone:{self.folder}"

    def names(self):
        # A directory that nothing has been put into is none.
        listed = subprocess.run(["rclone", "lsf", self.folder], capture_output=True, text=True, timeout=120)
        assert listed.returncode in (0, 3), listed.stderr
        return {name for name in listed.stdout.split() if not name.endswith(".sluice-partial")}

    def check(self):
        pass


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path, before = tmp_path_factory.mktemp("store"), dict(os.environ)
    os.environ |= KEYS | environment(path) | {"BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}
    # With it, rclone 1.60 opens no S3 remote, not even one without TLS.
    os.environ.pop("AWS_CA_BUNDLE", None)
    # SeaweedFS takes up to half a minute before it refuses. rclone asks ten times, and so does the S3 library of restic for each try.
    os.environ["RCLONE_LOW_LEVEL_RETRIES"] = "2"
    (programs := path / "bin").mkdir()
    (programs / "restic").write_text(f'#!/bin/sh\nexec {shutil.which("restic")} -o s3.retries=1 "$@"\n')
    (programs / "restic").chmod(0o755)
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    with seaweed(path / "seaweed") as store:
        yield store
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """The archive of each night, which has nothing in common with the last one's."""
    path, archives = tmp_path_factory.mktemp("nights"), []
    for night in range(3):
        (data := path / f"{night}").mkdir()
        chance, connection = random.Random(night), make.create(data / "main.db", make.WAL)
        connection.execute("CREATE TABLE record(content BLOB)")
        connection.executemany("INSERT INTO record VALUES (?)", ((chance.randbytes(MEBIBYTE),) for _ in range(MEBIBYTES)))
        connection.close()
        archives.append(backup(data, path / f"{night}.zip", "--compression", "store").read_bytes())
    return archives


def start(url, engine):
    return subprocess.Popen(
        [SLUICE, "pull", url, "--pause", "0s", *engine.options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result(process):
    process.output, process.error = process.communicate(timeout=LONGEST_NIGHT)
    assert "secret-of" not in process.output + process.error
    return process


def pulled(engine, *parts):
    with answering(HEAD, *parts) as url:
        return result(start(url, engine))


def assert_restored(engine, archive, directory):
    """The newest backup in the store gives the database of this archive back."""
    directory.mkdir()
    restored = run("restore", "--from", engine.source, "--into", directory, "--spool-directory", directory.parent)
    assert restored.returncode == 0, restored.stderr
    path = directory.parent / "expected.zip"
    path.write_bytes(archive)
    with zipfile.ZipFile(path) as expected:
        assert (directory / "main.db").read_bytes() == expected.read("main.db")


def assert_named(failed, engine):
    """One line says what the store did."""
    lines = [line for line in failed.error.splitlines() if ": removed what was left: " not in line]
    assert failed.returncode == 1 and len(lines) == 1, (failed.returncode, failed.error)
    assert re.fullmatch(rf"sluice: {re.escape(' '.join(engine.options))}: .*({CAUSES}).* \(status 1\)", lines[0]), failed.error


def arrived(store, before):
    return {name: store.held(name) - before[name] for name in VOLUMES}


def killed_servers(store, killed, before):
    """Volume servers are those that have got most of the night's backup."""
    volumes = sorted(VOLUMES, key=arrived(store, before).get)
    return {"volume": volumes[-1:], "two-volumes": volumes[-2:]}.get(killed, [killed])


SLOW_ONES = [pytest.param(name, marks=pytest.mark.slow) for name in ("two-volumes", "filer", "master")]


@pytest.mark.parametrize("kind", [Restic, Rclone])
@pytest.mark.parametrize("killed", ["volume", *SLOW_ONES])
def test_servers_are_killed_in_the_middle_of_a_night(store, nights, tmp_path, kind, killed):
    store.start_all()
    engine = kind(store, killed)
    first, second, third = nights

    good = pulled(engine, first)
    assert good.returncode == 0 and len(listed := engine.names()) == 1, good.error
    assert_restored(engine, first, tmp_path / "first")

    part, rest = second[: len(second) * 3 // 4], second[len(second) * 3 // 4 :]
    cut = pulled(engine, part)
    assert cut.returncode == 1 and cut.output == "" and "no sound backup has come" in cut.error, cut.error
    assert engine.names() == listed

    before, go_on = {name: store.held(name) for name in VOLUMES}, Event()
    with answering(HEAD, part, go_on, rest) as url:
        process = start(url, engine)
        try:
            # Two copies.
            wait_until(lambda: sum(arrived(store, before).values()) >= 2 * 8 * MEBIBYTE, "a part of the backup to arrive")
            for name in killed_servers(store, killed, before):
                store.kill(name)
        finally:
            go_on.set()
        night = result(process)
    if night.returncode:
        assert_named(night, engine)
    # Of all servers, the store can do without one volume server alone.
    if killed != "volume":
        store.start_all()
    assert engine.names() >= listed and len(new := engine.names() - listed) == (night.returncode == 0), night.error
    assert_restored(engine, second if new else first, tmp_path / "second")

    good = pulled(engine, third)
    assert good.returncode == 0 and len(engine.names() - listed - new) == 1, good.error
    assert_restored(engine, third, tmp_path / "third")

    store.start_all()
    engine.check()
    assert_restored(engine, third, tmp_path / "again")


@pytest.mark.parametrize("kind", [pytest.param(Restic, marks=pytest.mark.slow), Rclone])
def test_the_store_is_away_for_a_night(store, nights, tmp_path, kind):
    store.start_all()
    engine = kind(store, "away")
    first, second, third = nights
    assert pulled(engine, first).returncode == 0 and len(listed := engine.names()) == 1

    for name in [*store.running]:
        store.kill(name)
    away = pulled(engine, second)
    assert_named(away, engine)

    store.start_all()
    assert engine.names() == listed
    assert_restored(engine, first, tmp_path / "first")
    good = pulled(engine, third)
    assert good.returncode == 0 and len(engine.names() - listed) == 1, good.error
    assert_restored(engine, third, tmp_path / "third")
    engine.check()


@pytest.mark.parametrize("mebibytes", [32, pytest.param(1024, marks=pytest.mark.slow)])
def test_the_second_night_of_borg_adds_little(store, tmp_path, figure, mebibytes):
    """1 % of the pages have changed. Its repository is copied to the store as docs/off-site.md has it."""
    store.start_all()
    for name in ("data", "state", "kept", "back"):
        (tmp_path / name).mkdir()
    text, count = make.readings(tmp_path / "data/main.db", mebibytes)
    repository, remote = Borg(tmp_path / "borg"), Rclone(store, "of-borg").folder
    fetched = []

    def night(url):
        """How many bytes were fetched, and how many the store has got, of which it keeps two copies."""
        fetched.clear()
        before = sum(map(store.held, VOLUMES))
        pull = run("pull", url.partition("?")[0], "--into", tmp_path / "kept", *repository.options, timeout=LONGEST_NIGHT)
        assert (pull.returncode, pull.stderr) == (0, "")
        sync("rclone", "sync", repository.path, remote, "--exclude", "/{index,hints,integrity}.*")
        return sum(fetched), (sum(map(store.held, VOLUMES)) - before) / 2

    def sync(*command):
        subprocess.run(command, check=True, timeout=LONGEST_NIGHT)

    with serve(tmp_path / "data", "--state-directory", tmp_path / "state") as server:
        with proxy(server, lambda _, at, data: fetched.append(len(data)) or data) as url:
            whole = night(url)
            assert whole[0] >= mebibytes * MEBIBYTE < 4 * whole[1]
            changed = PAGE * make.change_readings(tmp_path / "data/main.db", text, count, seed=1)
            second = night(url)
    figure("the second night, fetched", f"1/{whole[0] / second[0]:.0f} of the whole")
    figure("the second night, added to borg on S3", f"{second[1] / changed:.2f} times the changed pages")
    assert second[0] <= whole[0] / 40 and second[1] <= 2.5 * changed

    # The way back, from the store alone.
    sync("rclone", "sync", remote, tmp_path / "back")
    sync("borg", "check", tmp_path / "back")
    newest = max((tmp_path / "kept").glob("*.zip"))
    (tmp_path / "restored").mkdir()
    restored = run("restore", "--from", f"borg:{tmp_path / 'back'}", "--into", tmp_path / "restored", "--spool-directory", tmp_path)
    assert (restored.returncode, restored.stderr) == (0, "")
    with zipfile.ZipFile(newest) as archive, archive.open("main.db") as expected, open(tmp_path / "restored/main.db", "rb") as found:
        assert hashlib.file_digest(found, "sha256").digest() == hashlib.file_digest(expected, "sha256").digest()
