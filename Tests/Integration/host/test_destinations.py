"""`sluice pull --to`, `--restic`, `--borg`, `--rclone`: an engine lists a new backup only if the archive is sound, whatever goes wrong."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import pytest

import data as make
from archive import Archive
from breaking import Breaking
from engines import Age, Borg, Rclone, Restic, environment
from harness import SLUICE, run, serve, wait_until
from pulling import HEAD, answering, children
from restoring import SLOW, backup, small
from volumes import small_disk

# The command that a puller gives each engine beside the options; the archive must be larger than what is held back.
HELD = 128 << 10


class Stores:
    """One of each, and what `sluice pull` does with all of them."""

    def __init__(self, path):
        self.last = None
        self.all = [engine(path / engine.__name__.lower()) for engine in (Restic, Borg, Rclone, Age)]

    def start(self, url, *options, engines=None, **environment):
        self.last = None
        to = [option for engine in engines or self.all for option in engine.options]
        return subprocess.Popen(
            [SLUICE, "pull", url, "--pause", "0s", *map(str, [*to, *options])], env=os.environ | environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def result(self, process):
        process.output, process.error = process.communicate(timeout=120)
        assert "secret-of" not in process.output + process.error
        return process

    def pull(self, url, *options, **more):
        return self.result(self.start(url, *options, **more))

    def names(self):
        return [engine.names() for engine in self.all]

    def new(self, url, *options, status=0, engines=None):
        """Pulls, and finds one more archive in each store. The archive, and its names."""
        before = self.last or self.names()
        result = self.pull(url, *options, engines=engines)
        assert result.returncode == status, result.error
        self.last = self.names()
        names = [[*(now - then)] for now, then in zip(self.last, before)]
        engines = engines or self.all
        assert [len(each) for each in names] == [engine in engines for engine in self.all], (names, result.error)
        names = [each[0] for each in names if each]
        contents = {engine.content(name) for engine, name in zip(engines, names)}
        assert len(contents) == 1
        return contents.pop(), names, result

    def nothing_new(self, url, *options, error=".*", **more):
        before = self.last or self.names()
        result = self.pull(url, *options, **more)
        assert result.returncode == 1 and result.output == "", (result.returncode, result.output, result.error)
        # rclone alone has written something by then, which is removed and named.
        said = re.sub(r"sluice: --rclone \S+: removed what was left: \S+\.sluice-partial\n", "", result.error, count=1)
        assert re.fullmatch(r"sluice: .*\n", said) and re.search(error, said), result.error
        assert self.names() == before
        self.last = before
        return result


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    before = dict(os.environ)
    path = tmp_path_factory.mktemp("stores")
    os.environ |= environment(path)
    yield Stores(path)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    make.bulk((directory := tmp_path_factory.mktemp("served")) / "main.db", make.WAL, 2)
    return directory


@pytest.fixture(scope="module")
def archive(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "backup.zip"
    assert run("backup", "--data", data, "--compression", "store", "-o", path).returncode == 0
    return path.read_bytes()


def test_each_engine_gets_the_archive_and_gives_it_back(stores, data, tmp_path):
    (into := tmp_path / "into").mkdir()
    with serve(data) as server:
        url = f"{server.url}/api/backup"
        first, names, _ = stores.new(url)
        (path := tmp_path / "first.zip").write_bytes(first)
        Archive(path)
        second, new, result = stores.new(url, "--into", into, "--last", 1)
        [kept] = into.glob("backup-*.zip")
        assert kept.read_bytes() == second and result.output.startswith(f"{kept}: ")
    # By the engines' own rules.
    assert stores.last == [{new[0]}, {new[1]}, {names[2], new[2]}, {names[3], new[3]}]


PLACES = [HELD - 1, -1]


@pytest.mark.parametrize("place", range(200) if SLOW else PLACES)
def test_an_archive_that_was_cut_is_in_no_store(stores, archive, place):
    """By a proxy that hides it: the answer ends as a whole one does."""
    if SLOW:
        place = len(archive) * place // 200
    with answering(HEAD, archive[:place]) as url:
        stores.nothing_new(url, error="no sound backup has come")


def test_what_is_no_sound_archive_is_in_no_store(stores, archive):
    middle = len(archive) // 2
    flipped = archive[:middle] + bytes([archive[middle] ^ 1]) + archive[middle + 1 :]
    for answer, error in (
        (HEAD + flipped, "no sound backup has come"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"<p>Sign in</p>" * 500, "no sound backup has come"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "no sound backup has come"),
        (b"HTTP/1.0 401 Unauthorized\r\n\r\n" + b"no" * 100_000, "401: the service needs a token"),
        (b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n", "503"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: application/zip\r\nContent-Length: 999999999\r\n\r\n" + archive, "broke off"),
    ):
        with answering(answer) as url:
            stores.nothing_new(url, error=error)


def test_a_download_that_broke_off_is_resumed_on_its_way_through(stores, data, tmp_path):
    (directory := tmp_path / "data").mkdir()
    make.bulk(directory / "main.db", make.WAL, 6)
    with serve(directory) as server:
        breaking = Breaking(server.ports[0])
        content, _, _ = stores.new(f"http://127.0.0.1:{breaking.port}/api/backup", engines=stores.all[2:3])
        breaking.listener.close()
        # For rclone alone, which finds no blocks that it has, it is compressed.
        assert b"compression=store" not in breaking.requests[0]
        assert len(breaking.requests) == 2 and b"\r\nRange: bytes=" in breaking.requests[1]
    (path := tmp_path / "app.zip").write_bytes(content)
    Archive(path)


@pytest.mark.parametrize("told", [True, False])
def test_an_incomplete_archive_has_it_in_its_name(stores, data, tmp_path, told):
    path = tmp_path / "incomplete.zip"
    assert run("backup", "--data", data, "--include", "nothing", "--compression", "store", "-o", path).returncode in (0, 3)
    head = HEAD.replace(b"\r\n\r\n", b"\r\nSluice-Skipped: 1\r\n\r\n") if told else HEAD
    with answering(head, path.read_bytes()) as url:
        content, (restic, borg, rclone, age), result = stores.new(url, "--last", "1", status=3)
    assert content == path.read_bytes() and "not in the archive: nothing" in result.error
    assert b'"incomplete"' in stores.all[0].call("cat", "snapshot", restic)
    assert b'"whole"' not in stores.all[0].call("cat", "snapshot", restic)
    assert borg.endswith("Z-incomplete.zip") and rclone.endswith("Z-incomplete.zip")
    assert age.endswith("Z-incomplete.zip.age" if told else "Z.zip.age")


def started(process, *words):
    """Waits until a program with each of these words runs below it. Their numbers."""

    def found():
        running = {words_of[0]: pid for pid, words_of in children(process).items()}
        names = {name.rpartition(b"/")[2]: pid for name, pid in running.items()}
        borg = [pid for pid, line in children(process).items() if line[1:2] == [b"/usr/bin/borg"]]
        names |= {b"borg": borg[0]} if borg else {}
        return all(word in names for word in words) and names

    return wait_until(found, f"{words} to run")


ENGINES = ["restic", "borg", "rclone", "age"]
ONE_BY_ONE = [pytest.param(name, marks=pytest.mark.slow) for name in ("server", *ENGINES)]


@pytest.mark.parametrize("victim", ["sluice", "engines", *ONE_BY_ONE])
def test_a_process_that_is_killed_half_way_leaves_no_backup(stores, data, archive, victim):
    """kill -9 of `sluice pull` closes the pipe of every engine: the guard ends them before they see that."""
    before, done = stores.names(), Event()
    half = len(archive) // 2
    with answering(HEAD, archive[:half], done, b"" if victim == "server" else archive[half:]) as url:
        process = stores.start(url)
        engines = started(process, *map(str.encode, ENGINES))
        wait_until(lambda: [*stores.all[2].path.glob("*.sluice-partial")], "rclone to write")
        if victim == "sluice":
            process.kill()
        killed = ENGINES if victim == "engines" else [name for name in ENGINES if name == victim]
        for name in killed:
            os.kill(engines[name.encode()], signal.SIGKILL)
        done.set()
        result = stores.result(process)
        assert result.returncode == (-signal.SIGKILL if victim == "sluice" else 1)
        for pid in engines.values():
            # Until init has waited for it, borg takes it for alive, and for the owner of its lock.
            wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), "an engine to end")
    left = [now - then for now, then in zip(stores.names(), before)]
    # rclone writes where the name is that of no backup.
    partial = [name for names in left for name in names if name.endswith(".sluice-partial")]
    assert len(partial) == (victim == "sluice")
    assert [len(names - {*partial}) for names in left] == [bool(killed) and name not in killed for name in ENGINES]
    if killed:
        assert_named(result.error, killed)
    # A later night removes and names that, once it is a day old.
    for name in partial:
        os.utime(stores.all[2].path / name, (0, 0))
    # The next night is right, in spite of what a killed engine has left locked.
    stores.last = None
    with serve(data) as server:
        _, _, result = stores.new(f"{server.url}/api/backup", "--last", "3")
    for name in partial:
        assert f"removed what was left: {name}\n" in result.error and name not in stores.last[2]
    if SLOW:
        stores.all[0].check()
        stores.all[1].check()


def assert_named(error, killed):
    """Each engine that was killed has one line, and rclone one more for what was removed. Of age, the shell says a word, too."""
    lines = [line for line in error.splitlines() if line != "Killed" and not re.fullmatch(r"sluice: --rclone \S+: removed what was left: \S+", line)]
    options = ["--to" if name == "age" else f"--{name}" for name in killed]
    assert sorted(line.split()[1] for line in lines) == sorted(options), error
    assert all(line.endswith(": it was killed by signal 9") for line in lines), error


def test_an_engine_that_ends_is_named_and_the_others_go_on(stores, archive):
    before, done = stores.names(), Event()
    with answering(HEAD, archive[: len(archive) // 2], done, archive[len(archive) // 2 :]) as url:
        process = stores.start(url, "--to", "true", "--to", "cat >/dev/null; exit 7", "--borg", "ssh://me:secret-of-url@127.0.0.1:1/x")
        os.kill(started(process, b"restic", b"borg")[b"restic"], signal.SIGKILL)
        done.set()
        result = stores.result(process)
    assert result.returncode == 1 and "bytes, whole" in result.output
    lines = sorted(result.error.splitlines())
    assert len(lines) == 4 and lines[0].startswith("sluice: --borg ssh://127.0.0.1:1/x: "), lines
    assert re.fullmatch(r"sluice: --restic .*/restic: it was killed by signal 9", lines[1])
    assert lines[2:] == ["sluice: --to 'cat >/dev/null; exit 7': it ended with status 7",
                         "sluice: --to true: it ended before it had read all of the archive"]  # fmt: skip
    assert [len(now - then) for now, then in zip(stores.names(), before)] == [0, 1, 1, 1]


def test_no_message_has_a_parameter_of_a_remote(data, tmp_path):
    remote = ":webdav,url='http://127.0.0.1:1/',user=me,pass=secret-of-remote:x"
    with serve(data) as server:
        result = run("pull", f"{server.url}/api/backup", "--to", "cat >/dev/null", "--rclone", remote)
    assert result.returncode == 1 and "sluice: --rclone :webdav,url=…,user=…,pass=…:x: " in result.stderr
    drill = run("drill", "--from", f"rclone:{remote}")
    assert drill.returncode == 1 and "rclone::webdav,url=…,user=…,pass=…:x" in drill.stderr
    assert "secret-of" not in result.stdout + result.stderr + drill.stdout + drill.stderr


def test_an_archive_that_another_pull_has_made_stays(data, tmp_path):
    """Of two pulls of one second, borg refuses the one that comes second."""
    repository = Borg(tmp_path / "repository")
    (bin := tmp_path / "bin").mkdir()
    (bin / "borg").write_text(f"""#!/bin/sh
case $1 in create) for name; do case $name in *::*) echo other | {shutil.which("borg")} create "$name" -;; esac; done;; esac
exec {shutil.which("borg")} "$@"
""")
    (bin / "borg").chmod(0o755)
    with serve(data) as server:
        result = run("pull", f"{server.url}/api/backup", *repository.options, env=os.environ | {"PATH": f"{bin}:{os.environ['PATH']}"})
    assert result.returncode == 1 and "already exists" in result.stderr
    assert len(repository.names()) == 1


def dated(engine, archive, time):
    """Keeps a backup that says it is of that time: 2036-11-29 03:00:00."""
    name = f"backup-{time.replace(' ', 'T').replace(':', '')}Z.zip"
    if isinstance(engine, Restic):
        command = ["restic", "-q", "-r", engine.path, "backup", "--stdin", "--stdin-filename", name, "--host", "backup", "--tag", "sluice,whole", "--time", time]
    else:
        command = ["borg", "create", "--timestamp", time.replace(" ", "T"), f"{engine.path}::{name}", "-"]
    subprocess.run(command, input=archive, check=True, capture_output=True)
    return name


@pytest.mark.parametrize("kind", [Restic, Borg])
def test_what_a_wrong_clock_has_dated_takes_no_new_archive_s_place(stores, data, archive, tmp_path, kind):
    engine = kind(tmp_path / "repository")
    name = dated(engine, archive, "2036-11-29 03:00:00")
    with serve(data) as server:
        environment = os.environ | {"STATE_DIRECTORY": str(tmp_path)}
        pull = lambda: run("pull", f"{server.url}/api/backup", *engine.options, "--last", "1", env=environment)  # noqa: E731
        for count in (2, 3):
            result = pull()
            assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
            assert f"the archive is kept, but old ones cannot be removed: {name} is dated later: a clock was wrong. If it is right now, remove that one" in result.stderr
            assert len(engine.names()) == count
        if kind is Restic:
            [later] = [each for each in engine.names() if name.encode() in engine.call("ls", each)]
            engine.call("forget", later)
        else:
            engine.call("delete", f"{engine.path}::{name}")
        assert pull().returncode == 0
        assert len(engine.names()) == 1
        dated(engine, archive, "2020-01-01 03:00:00")
        assert pull().returncode == 0
        assert len(engine.names()) == 1


def test_the_lock_of_a_restic_that_was_killed_is_in_no_way(stores, data, tmp_path):
    restic = Restic(tmp_path / "repository")

    def is_locked():
        return any(len(lock.name) == 64 for lock in (restic.path / "locks").iterdir())  # until then it has another name

    while not is_locked():
        checking = subprocess.Popen(["restic", "-q", "-r", restic.path, "check"], stdout=subprocess.DEVNULL)
        wait_until(lambda: is_locked() or checking.poll() is not None, "a lock")
        checking.kill()
        checking.wait()
    refused = subprocess.run(["restic", "-r", restic.path, "backup", "--stdin"], input=b"", capture_output=True)
    assert refused.returncode == 1 and b"locked" in refused.stderr
    with serve(data) as server:
        result = run("pull", f"{server.url}/api/backup", *restic.options)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(restic.names()) == 1


def test_another_borg_in_the_repository_is_waited_for(stores, data, tmp_path):
    borg = Borg(tmp_path / "repository")
    # Longer than the second that borg waits by itself.
    holding = subprocess.Popen(["borg", "with-lock", borg.path, "sleep", "4"])
    wait_until(lambda: (borg.path / "lock.exclusive").exists(), "its lock")
    with serve(data) as server:
        result = run("pull", f"{server.url}/api/backup", *borg.options)
    assert (result.returncode, result.stderr) == (0, "")
    assert holding.wait() == 0 and len(borg.names()) == 1


def test_what_a_command_keeps_of_a_part_only_its_author_knows(data, archive, tmp_path):
    place = tmp_path / "part"
    with answering(HEAD + archive[: len(archive) // 2]) as url:
        result = run("pull", url, "--pause", "0s", "--to", f"cat >{place}")
    assert result.returncode == 1 and "no engine keeps anything of it; the command of --to was killed before the end" in result.stderr
    assert 0 < place.stat().st_size < len(archive)


def test_a_command_that_reads_nothing_has_no_backup(tmp_path):
    """An archive that the pipe has room for, whether or not the command ends before it is written."""
    archive = backup(small(tmp_path / "data", "new", names=("a.db",)), tmp_path / "small.zip").read_bytes()
    command = [SLUICE, "pull", "--to", "exec sleep 0.2", "--to", f"cat >'{tmp_path}/whole.zip'"]
    with answering(HEAD, archive) as url:
        result = subprocess.run([*command, url], capture_output=True, text=True, timeout=60)
    assert len(archive) < 64 << 10 and (tmp_path / "whole.zip").read_bytes() == archive
    assert (result.returncode, result.stderr) == (
        1, "sluice: --to 'exec sleep 0.2': it ended before it had read all of the archive\n"
    )  # fmt: skip


def test_a_store_that_is_full_lists_nothing_new_and_the_next_night_is_right(stores, tmp_path, monkeypatch):
    """Each on a disk of its own, which gets more room then."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    (data := tmp_path / "data").mkdir()
    make.bulk(data / "main.db", make.WAL, 1)
    (place := tmp_path / "stores").mkdir()
    with ExitStack() as disks:
        enlarge = [disks.enter_context(small_disk(below(place, name))) for name in ENGINES]
        full = Stores(place)
        with serve(data) as server:
            url = f"{server.url}/api/backup"
            first, names, _ = full.new(url)
            make.bulk(data / "more.db", make.WAL, 4)
            result = full.pull(url, "--last", "1")
            assert result.returncode == 1
            failed = re.findall(r"^sluice: (--\w+) (?!.*removed what was left)", result.error, re.MULTILINE)
            assert sorted(failed) == ["--borg", "--rclone", "--restic", "--to"], result.error
            full.last = full.names()
            assert full.last == [{name} for name in names]
            assert {engine.content(name) for engine, name in zip(full.all, names)} == {first}
            for each in enlarge:
                each()
            second, new, _ = full.new(url, "--last", "1")
        assert len(second) > len(first)
        assert full.last == [{new[0]}, {new[1]}, {names[2], new[2]}, {names[3], new[3]}]
        full.all[0].check()
        full.all[1].check()


def below(place, name):
    (place / name).mkdir()
    return place / name


@pytest.mark.slow
def test_memory_stays_below_40_mib_for_8_gb_and_three_destinations(tmp_path, figure):
    """Of `sluice pull` alone: what curl and the programs need is theirs."""
    (data := tmp_path / "data").mkdir()
    connection = make.create(data / "main.db", make.WAL, page_size=65536)
    connection.execute("CREATE TABLE record(content BLOB)")
    for _ in range(16):
        connection.execute("INSERT INTO record VALUES (zeroblob(?))", (1 << 29,))
    connection.close()
    (spool := tmp_path / "spool").mkdir()
    counts = [tmp_path / f"count-{number}" for number in range(3)]
    peak = 0
    with serve(data) as server:
        options = [option for count in counts for option in ("--to", f"wc -c >{shlex.quote(str(count))}")]
        process = subprocess.Popen(
            [SLUICE, "pull", f"{server.url}/api/backup", *options], env=os.environ | {"TMPDIR": str(spool)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

        def ended():
            nonlocal peak
            text = Path(f"/proc/{process.pid}/status").read_text()
            # A zombie has no memory.
            peak = max([peak, *map(int, re.findall(r"VmHWM:\s*(\d+) kB", text))])
            return process.poll() is not None

        wait_until(ended, "the pull to end", timeout=3600)
        output, error = process.communicate()
    assert process.returncode == 0, error
    [size] = {int(count.read_text()) for count in counts}
    assert size > 8 << 30 and f": {size} bytes, whole" in output
    figure("peak resident, sluice pull, 8 GB, three destinations", f"{peak / 1024:.1f} MiB")
    assert 0 < peak <= 40 << 10


def test_without_a_destination_there_is_nothing_to_do():
    result = run("pull", "http://127.0.0.1:1/api/backup")
    assert result.returncode == 64 and "--to, --restic, --borg or --rclone" in result.stderr
