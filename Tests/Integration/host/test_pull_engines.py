"""`sluice pull` and its engines: nights in which a database is gone, whose secrets each gets, and one that does not end or is killed."""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
from pathlib import Path
from threading import Event

import pytest

import data as make
from faults import preloaded
from harness import SLUICE, run, serve, wait_until
from pulling import HEAD, answering, children, hook
from restoring import change, small


class Nights:
    """A repository each of restic and borg, and the pulls into them that keep one backup."""

    def __init__(self, path):
        self.path, self.state, self.engines = path, path / "state", ["restic", "borg"]
        self.state.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(path), "TMPDIR": str(path), "STATE_DIRECTORY": str(self.state),
            "RESTIC_PASSWORD": "secret-of-restic", "BORG_PASSPHRASE": "secret-of-borg",
        }  # fmt: skip
        self.call("restic", "-q", "-r", "restic", "init")
        self.call("borg", "init", "-e", "repokey", "borg")

    def call(self, *command):
        return subprocess.run(command, env=self.environment, cwd=self.path, check=True, capture_output=True, text=True).stdout

    def start(self, url, *options, **environment):
        command = [SLUICE, "pull", *([url] if url else []), "--pause", "0s", *map(str, options)]
        environment = {name: value for name, value in (self.environment | environment).items() if value}
        return subprocess.Popen(
            command, env=environment, cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def result(self, process):
        process.stdout, process.stderr = process.communicate(timeout=120)
        return process

    def night(self, url, *options, **environment):
        engines = [word for engine in self.engines for word in (f"--{engine}", engine)]
        return self.result(self.start(url, *engines, "--last", "1", *options, **environment))

    def wrap(self, program, script):
        """Runs a line of shell before a program; the variables for it."""
        (bin := self.path / "bin").mkdir(exist_ok=True)
        (bin / program).write_text(f'#!/bin/sh\n{script}\nexec {shutil.which(program)} "$@"\n')
        (bin / program).chmod(0o755)
        return {"PATH": f"{bin}:{os.environ['PATH']}"}

    def counts(self):
        """Of each engine's backups."""
        lists = {"restic": ["restic", "-r", "restic", "snapshots", "--json"], "borg": ["borg", "list", "--json", "borg"]}
        found = {engine: json.loads(self.call(*lists[engine])) for engine in self.engines}
        return [len(each["archives"] if engine == "borg" else each) for engine, each in found.items()]

    def record(self):
        return json.loads((self.state / ".backup.pull.json").read_text())


@pytest.fixture
def nights(tmp_path):
    return Nights(tmp_path)


@pytest.fixture
def restic(nights):
    nights.engines = ["restic"]
    return nights


@pytest.fixture
def data(tmp_path):
    return small(tmp_path / "data", "word")


GONE = r"sluice: http\S+: backup-\S+Z\.zip is kept, but nothing is removed: backup-\S+Z\.zip lacks what {} has: {} \(absent or without a table\); if that is meant, add --gone {}\n"


def test_while_a_database_is_gone_no_engine_removes_an_old_backup(nights, data):
    with serve(data) as server:
        url = f"{server.url}/api/backup"
        for _ in range(2):
            result = nights.night(url)
            assert (result.returncode, result.stderr, nights.counts()) == (0, "", [1, 1])
        good = nights.record()["last_good"]
        assert good["databases"] == ["a.db", "b.db", "c.db"]
        (data / "b.db").rename(nights.path / "b.db")
        for count in (2, 3):
            with hook() as (place, heard):
                result = nights.night(url, "--notify", place, "--textfile", nights.path / "pull.prom")
            assert result.returncode == 1 and nights.counts() == [count, count]
            assert re.fullmatch(GONE.format(good["file"], r"b\.db", r"b\.db"), result.stderr), result.stderr
            record, told = nights.record(), heard[-1][2]
            assert (record["exit_status"], record["last_good"]) == (1, good)
            assert told["event"] == "failure" and told["exit_status"] == 1
            assert told["detail"] == record["detail"] and "lacks what" in told["detail"]
            assert 'sluice_pull_last_exit_status{series="backup"} 1\n' in (nights.path / "pull.prom").read_text()
        # What the manifest names as left out is not gone.
        (data / "b.db").symlink_to("nowhere")
        assert nights.night(url).returncode == 3
        (data / "b.db").unlink()
        # Back again, as it was.
        (nights.path / "b.db").rename(data / "b.db")
        assert nights.night(url).returncode == 0
        assert nights.counts() == [2, 2]  # the incomplete one stands for itself


def test_a_database_that_is_meant_to_be_gone_is_named_once(restic, data):
    with serve(data) as server:
        url = f"{server.url}/api/backup"
        assert restic.night(url).returncode == 0
        change(data / "a.db", "DROP TABLE t; VACUUM")
        (data / "c.db").unlink()
        result = restic.night(url, "--gone", "c.*")
        assert result.returncode == 1 and ": a.db (absent or without a table)" in result.stderr
        for options in (["--gone", "?.db"], []):
            result = restic.night(url, *options)
            assert (result.returncode, result.stderr, restic.counts()) == (0, "", [1])
        assert restic.record()["last_good"]["databases"] == ["b.db"]


def test_a_loss_in_an_incomplete_night_is_told_too(restic, data):
    with serve(data) as server:
        url = f"{server.url}/api/backup"
        assert restic.night(url).returncode == 0
        (data / "b.db").unlink()
        (data / "other.db").symlink_to("nowhere")
        result = restic.night(url)
        assert result.returncode == 1 and "lacks what" in result.stderr and "not in the archive: other.db" in restic.record()["detail"]


def test_without_a_record_nothing_is_known_to_be_gone(restic, data):
    with serve(data) as server:
        url = f"{server.url}/api/backup"
        assert restic.night(url).returncode == 0
        (data / "b.db").unlink()
        (restic.state / ".backup.pull.json").unlink()
        result = restic.night(url)
        assert (result.returncode, result.stderr, restic.counts()) == (0, "", [1])
        # Cron has no such directory, and nothing is remembered.
        result = restic.night(url, STATE_DIRECTORY="")
        assert result.returncode == 0 and re.fullmatch(r"sluice: warning: .* set STATE_DIRECTORY .*\n", result.stderr)


def test_the_record_stays_when_no_engine_has_the_archive(nights, data):
    """A database that only an archive had that no engine kept is not gone."""
    with serve(data) as server:
        url = f"{server.url}/api/backup"
        assert nights.night(url).returncode == 0
        good = nights.record()["last_good"]
        small(data, "word", names=("new.db",))
        result = nights.night(url, RESTIC_PASSWORD="wrong", BORG_PASSPHRASE="wrong")
        assert result.returncode == 1 and nights.record()["last_good"] == good
        (data / "new.db").unlink()
        result = nights.night(url)
        assert (result.returncode, result.stderr) == (0, "")
        # One of them has it.
        small(data, "word", names=("new.db",))
        assert nights.night(url, BORG_PASSPHRASE="wrong").returncode == 1
        assert "new.db" in nights.record()["last_good"]["databases"]


@pytest.fixture
def archive(tmp_path):
    make.bulk((directory := tmp_path / "bulk").mkdir() or directory / "main.db", make.WAL, 2)
    path = tmp_path / "bulk.zip"
    assert run("backup", "--data", directory, "--compression", "store", "-o", path).returncode == 0
    return path.read_bytes()


def running(process):
    """The processes below it by the program's name; a guard, by that of what it guards."""
    found = {}
    for pid, line in children(process).items():
        name = Path(os.fsdecode(line[0])).name
        if name == "sh" and line[3:4] == [b"sluice-pull"]:
            name = f"guard of {os.fsdecode(line[5])}"
        elif line[1:2] == [b"/usr/bin/borg"]:
            name = "borg"
        elif name == "exe":
            name = os.fsdecode(line[1])
        found[name] = pid
    return found


# What each program may have, whatever else the settings of the pull have.
ENGINES = {"AWS_SECRET_ACCESS_KEY", "OWN_SECRET"}
RESTIC, BORG, RCLONE = {"RESTIC_PASSWORD", "RESTIC_REST_PASSWORD"}, {"BORG_PASSPHRASE"}, {"RCLONE_CONFIG_PASS"}
SETTINGS = {"SLUICE_PULL_URL", "SLUICE_PULL_NOTIFY"}
ALLOWED = {
    "curl": set(), "verify": set(), "drill": ENGINES | RESTIC, "restic": ENGINES | RESTIC, "borg": ENGINES | BORG, "rclone": ENGINES | RCLONE,
    "guard of restic": ENGINES | RESTIC, "guard of borg": ENGINES | BORG, "guard of rclone": ENGINES | RCLONE,
    "guard of /bin/sh": ENGINES | RESTIC | BORG | RCLONE, "cat": ENGINES | RESTIC | BORG | RCLONE,
}  # fmt: skip
SECRETS = set().union(*ALLOWED.values(), SETTINGS)


def test_each_program_gets_no_secret_of_another(nights, archive):
    done, seen = Event(), nights.path / "seen"
    secrets = {name: f"secret-{name}" for name in SECRETS} | nights.environment
    for name in ("curl", "restic", "borg", "rclone"):
        secrets |= nights.wrap(name, f"env | sed 's/^/{name} /' >>'{seen}'")
    (remote := nights.path / "remote").mkdir()
    options = ["--restic", "restic", "--borg", "borg", "--rclone", remote, "--to", "cat >/dev/null; true", "--drill", "1d"]
    with answering(HEAD, archive[: len(archive) // 2], done, archive[len(archive) // 2 :]) as url, hook() as (place, heard):
        settings = {"SLUICE_PULL_URL": url, "SLUICE_PULL_DIRECTORY": "none", "SLUICE_PULL_NOTIFY": place, "SLUICE_PULL_DELTA": "yes"}
        process = nights.start(None, *options, **secrets | settings)
        try:
            now = wait_until(lambda: (now := running(process)).keys() >= ALLOWED.keys() - {"drill"} and now, "all of them to run")
            for name, pid in now.items():
                if name in ALLOWED:
                    got = {each.partition(b"=")[0].decode() for each in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
                    assert got & SECRETS == ALLOWED[name], name
                    assert {"PATH", "HOME", "TMPDIR"} <= got, name
        finally:
            done.set()
        result = nights.result(process)
    assert (result.returncode, result.stderr) == (0, "") and len(heard) == 2
    # Also before and after: the messages, the other commands of the engines, and the drill's.
    lines = [line.split(" ", 1) for line in seen.read_text().splitlines()]
    got = {(name, line.partition("=")[0]) for name, line in lines} & {(name, secret) for name in ALLOWED for secret in SECRETS}
    assert got == {(name, secret) for name in ("restic", "borg", "rclone") for secret in ALLOWED[name]}


def test_restic_s_rclone_gets_rclone_s_variables(nights, data):
    seen = nights.path / "seen"
    (conf := nights.path / "rclone.conf").touch()
    environment = nights.wrap("rclone", f"env >>'{seen}'") | {"RCLONE_CONFIG": str(conf), "HOME": str(nights.path)}
    repository = f"rclone:{nights.path}/behind"
    subprocess.run(["restic", "-q", "-r", repository, "init"], env=nights.environment | environment, check=True)
    seen.unlink()
    with serve(data) as server:
        result = nights.result(nights.start(f"{server.url}/api/backup", "--restic", repository, "--last", "1", **environment))
    assert (result.returncode, result.stderr) == (0, "")
    assert f"RCLONE_CONFIG={conf}\n" in seen.read_text() and "BORG_" not in seen.read_text()


class BootClock:
    """The clock by which a pull waits, which a test puts ahead."""

    def __init__(self, path):
        self.path = path / "ahead"
        self.path.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(preloaded(path, "boottime")), "LD_BOOTTIME": str(self.path)}

    def put_ahead(self, seconds):
        with open(self.path, "r+b", buffering=0) as file:
            file.write(struct.pack("q", seconds))


DAY_AND_NIGHT = 12 * 3600


@pytest.mark.parametrize("how", ["time", "signal"])
def test_a_command_that_does_not_end_keeps_no_other_from_its_archive(nights, data, how):
    clock, read, swept = BootClock(nights.path), nights.path / "read", nights.path / "swept"
    swept_after = f"case $* in *lsf*) {shutil.which('rclone')} \"$@\"; echo >'{swept}'; exit;; esac"
    (remote := nights.path / "remote").mkdir()
    with serve(data) as server:
        process = nights.start(
            f"{server.url}/api/backup", "--to", f"cat >/dev/null; echo >{read}; exec sleep 1000", "--restic", "restic", "--rclone", remote,
            **clock.environment, **nights.wrap("rclone", swept_after),
        )  # fmt: skip
        wait_until(lambda: read.exists() and swept.exists(), "the others to have done their last")
        wait_until(lambda: running(process).keys() == {"guard of /bin/sh", "sleep"}, "the others to end")
        assert [*remote.glob("backup-*Z.zip")]
        clock.put_ahead(DAY_AND_NIGHT - 60)
        assert process.poll() is None
        clock.put_ahead(DAY_AND_NIGHT + 1) if how == "time" else process.send_signal(signal.SIGTERM)
        result = nights.result(process)
    assert result.returncode == 1 and nights.counts()[0] == 1 and nights.record()["exit_status"] == 1
    first, *more = result.stderr.splitlines()
    assert re.fullmatch(r"sluice: --to 'cat .*': it .*, and was killed", first)
    if how == "time":
        assert "it has all of the archive, did not end within 12 hours," in first and more == []
        assert nights.record()["detail"] == first.removeprefix("sluice: ")
    else:
        assert "it had not ended when the pull was interrupted," in first
        assert more == ["sluice: interrupted: the archive is sound, and some destinations may have it"]


def test_a_command_of_an_engine_that_does_not_end_is_ended(nights, data):
    clock, waits = BootClock(nights.path), nights.path / "waits"
    environment = clock.environment | nights.wrap("borg", f"[ $1 != prune ] || {{ echo >'{waits}'; exec sleep 1000; }}")
    with serve(data) as server:
        process = nights.start(f"{server.url}/api/backup", "--borg", "borg", "--restic", "restic", "--last", "1", **environment)
        wait_until(waits.exists, "borg to wait")
        clock.put_ahead(DAY_AND_NIGHT + 1)
        result = nights.result(process)
    assert result.returncode == 1 and nights.counts() == [1, 1]
    assert result.stderr == (
        "sluice: --borg borg: the archive is kept, but old ones cannot be removed: borg: it did not end within 12 hours, and was ended\n"
    )


@pytest.mark.parametrize("killed", [["guard"], ["sluice"], ["sluice", "guard"], ["guard", "sluice"]], ids="+".join)
def test_an_engine_keeps_nothing_of_an_archive_whose_guard_or_pull_was_killed(nights, archive, killed):
    """All at once: each that is stopped first can do nothing about the end of another."""
    done = Event()
    (remote := nights.path / "remote").mkdir()
    names = {"restic", "borg", "rclone"}
    with answering(HEAD, archive[: len(archive) // 2], done) as url:
        process = nights.start(url, "--restic", "restic", "--borg", "borg", "--rclone", remote)
        now = wait_until(lambda: (now := running(process)).keys() >= names and now, "the engines to run")
        wait_until(lambda: [*remote.glob("*.sluice-partial")], "rclone to write")
        pids = {"guard": [pid for name, pid in now.items() if name.startswith("guard of ")], "sluice": [process.pid]}
        for sent in (signal.SIGSTOP, signal.SIGKILL):
            for name in killed:
                for pid in pids[name]:
                    os.kill(pid, sent)
        done.set()
        result = nights.result(process)
        for name in names:
            wait_until(lambda pid=now[name]: not Path(f"/proc/{pid}").exists(), f"{name} to end")
    assert result.returncode == (-signal.SIGKILL if "sluice" in killed else 1)
    assert nights.counts() == [0, 0] and [*remote.glob("*.zip")] == []
