"""`sluice restore`: the new state or the old one, whatever happens on the way."""

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
import zipfile

import pytest

import data as make
import harness
from harness import AS_ORDINARY_USER, run, wait_until


SLOW = os.environ.get("RUN_SLOW") == "1"

# A small process between, since a child's peak begins with what its parent has.
MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
sys.exit(status)
"""


def rows(path):
    """Everything in a database, in its own words; it must be whole."""
    connection = sqlite3.connect(path, timeout=0)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())
    finally:
        connection.close()


def small(directory, word, names=("a.db", "b.db", "c.db")):
    """Databases of both kinds and a file, which all say the same word."""
    directory.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        connection = make.create(directory / name, (make.WAL, make.ROLLBACK)[index % 2])
        connection.execute("CREATE TABLE t(word)")
        connection.executemany("INSERT INTO t VALUES (?)", [(word,)] * 200)
        connection.close()
    (directory / "floor_plan").mkdir(exist_ok=True)
    (directory / "floor_plan/plan.json").write_text(word)
    return directory


def backup(directory, archive):
    assert run("backup", "--data", directory, "-o", archive).returncode == 0
    return archive


def restore(archive, directory, *arguments, **options):
    return run("restore", archive, "--into", directory, *arguments, **options)


def word(path):
    """What a database or a file says; None if nobody can open it."""
    if path.suffix == ".json":
        return path.read_text() if path.exists() else None
    if not os.path.lexists(path):
        return None
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=0)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            [(said,)] = connection.execute("SELECT DISTINCT word FROM t")
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (200,)
            return said
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        assert "unable to open database file" in str(error)
        return None


def words(directory):
    return {name: word(directory / name) for name in ("a.db", "b.db", "c.db", "floor_plan/plan.json")}


def tree(directory):
    """Every name, what it is, and its bytes."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(directory.rglob("*"))
    }


def leave_log(path, word):
    """Writes as an application that is killed: the content is in the log alone."""
    script = f"""
import os, sqlite3
connection = sqlite3.connect({str(path)!r}, isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("UPDATE t SET word = {word!r}")
os.kill(os.getpid(), 9)
"""
    subprocess.run(["/usr/bin/python3", "-c", script])
    assert path.with_name(path.name + "-wal").stat().st_size > 0


@pytest.fixture(scope="session")
def large_archive(large, tmp_path_factory):
    return backup(large, tmp_path_factory.mktemp("archive") / "large.zip")


@pytest.fixture
def archive(tmp_path):
    return backup(small(tmp_path / "source", "new"), tmp_path / "archive.zip")


@pytest.fixture
def target(tmp_path):
    """A directory with older databases, one of which a crashed application has left with its log."""
    directory = small(tmp_path / "target", "older")
    leave_log(directory / "a.db", "old")
    for name in ("b.db", "c.db"):
        connection = sqlite3.connect(directory / name)
        connection.execute("UPDATE t SET word = 'old'")
        connection.commit()
        connection.close()
    (directory / "floor_plan/plan.json").write_text("old")
    return directory


def test_round_trip(house, tmp_path):
    archive = backup(house, tmp_path / "archive.zip")
    target = tmp_path / "target"
    target.mkdir()
    result = restore(archive, target)
    assert (result.returncode, result.stderr) == (0, "")
    restored = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert restored == set(zipfile.ZipFile(archive).namelist()) - {"VERSION", "MANIFEST.json"}
    for name in restored:
        if name.endswith(".db"):
            assert rows(target / name) == rows(house / name)
        else:
            assert (target / name).read_bytes() == (house / name).read_bytes()


def test_what_it_replaces_is_kept_with_its_log(archive, target):
    result = restore(archive, target, "--force")
    assert (result.returncode, result.stderr) == (0, "")
    assert not (target / "a.db-wal").exists() and not (target / "a.db-shm").exists()
    assert set(words(target).values()) == {"new"}
    [kept] = target.glob("a.db.before-restore-*Z")
    assert kept.with_name(kept.name + "-wal").exists()
    assert word(kept) == "old"
    assert not list(target.glob(".sluice*"))


def test_without_force_nothing_is_replaced(archive, target):
    before = tree(target)
    result = restore(archive, target)
    assert result.returncode == 1 and "--force" in result.stderr
    assert tree(target) == before


def test_a_dry_run_shows_the_plan_and_changes_nothing(archive, target):
    before = tree(target)
    result = restore(archive, target, "--dry-run")
    assert result.returncode == 0
    assert "replaces    b.db, kept as b.db.before-restore-" in result.stdout
    assert "moves       a.db-wal to a.db.before-restore-" in result.stdout
    assert tree(target) == before


def test_only(archive, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    assert restore(archive, target, "--only", "b.db", "--only", "floor_plan/", "--only", "VERSION").returncode == 0
    assert {path.name for path in target.rglob("*") if path.is_file()} == {"b.db", "plan.json", "VERSION"}
    result = restore(archive, target, "--only", "nothing.db")
    assert result.returncode == 1 and "nothing.db" in result.stderr


@pytest.mark.parametrize("name", ["a.db", "b.db"])
@pytest.mark.parametrize("state", ["idle", "reading"])
def test_a_database_that_is_open_is_not_replaced(archive, target, name, state):
    connection = sqlite3.connect(target / name, isolation_level=None)
    connection.execute("SELECT * FROM t").fetchone()
    if state == "reading":
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM t").fetchall()
    before = tree(target)
    result = restore(archive, target, "--force")
    assert result.returncode == 1
    assert name in result.stderr and f"process {os.getpid()} (" in result.stderr
    assert tree(target) == before
    connection.close()


@pytest.mark.parametrize("name", ["a.db", "b.db", "floor_plan/plan.json"])
def test_a_link_in_the_way_is_not_followed(archive, target, tmp_path, name):
    outside = tmp_path / "outside"
    outside.write_text("outside")
    (target / name).unlink()
    (target / name).symlink_to(outside)
    assert restore(archive, target, "--force").returncode == 1
    assert outside.read_text() == "outside"
    assert not list(target.rglob("*before-restore*"))


def test_a_folder_that_is_a_link_is_not_entered(archive, tmp_path):
    target, outside = tmp_path / "target", tmp_path / "outside"
    target.mkdir()
    outside.mkdir()
    (target / "floor_plan").symlink_to(outside)
    result = restore(archive, target)
    assert result.returncode == 1 and "link" in result.stderr
    assert not list(outside.iterdir()) and [path.name for path in target.iterdir()] == ["floor_plan"]


def hostile(archive, path, rename):
    """A copy of an archive with one entry under another name, in the manifest as well."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "MANIFEST.json":
                manifest = json.loads(content)
                for entry in manifest["entries"]:
                    entry["path"] = rename.get(entry["path"], entry["path"])
                content = json.dumps(manifest)
            copy.writestr(rename.get(name, name), content)
    return path


@pytest.mark.parametrize(
    "name",
    ["../b.db", "/b.db", "x/../../b.db", "A.db", ".sluice-restore-0000000000000000/journal", "a.db-wal", "a.db/b", "./b.db"],
)
def test_a_hostile_name_is_refused(archive, tmp_path, name):
    target = tmp_path / "inner" / "target"
    target.mkdir(parents=True)
    result = restore(hostile(archive, tmp_path / "hostile.zip", {"b.db": name}), target)
    assert result.returncode in (1, 2) and len(result.stderr.splitlines()) == 1
    assert not list(target.iterdir()) and [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_log_is_not_put_beside_a_database_that_is_there(archive, target, tmp_path):
    small(tmp_path / "other", "x", ("plain.db",))
    shutil.copy(tmp_path / "other/plain.db", target / "plain.db")
    before = tree(target)
    path = hostile(archive, tmp_path / "hostile.zip", {"floor_plan/plan.json": "plain.db-wal"})
    assert restore(path, target, "--force").returncode == 1
    assert tree(target) == before


def test_a_plain_zip_is_status_2(tmp_path):
    (tmp_path / "target").mkdir()
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as file:
        file.writestr("a.db", "content")
    (tmp_path / "text").write_text("no zip")
    for name in ("plain.zip", "text", "missing"):
        assert restore(tmp_path / name, tmp_path / "target").returncode == 2
    assert not list((tmp_path / "target").iterdir())


def test_folders_that_only_look_the_same_stay_apart(tmp_path):
    source, target = small(tmp_path / "source", "new"), tmp_path / "target"
    for folder in ("\u00e9", "e\u0301"):
        (source / "floor_plan" / folder).mkdir()
        (source / "floor_plan" / folder / f"{len(folder)}.txt").write_text(folder)
    target.mkdir()
    assert restore(backup(source, tmp_path / "x.zip"), target).returncode == 0
    assert tree(target / "floor_plan") == tree(source / "floor_plan")


def test_more_folders_than_descriptors(tmp_path):
    source, target = small(tmp_path / "source", "new"), tmp_path / "target"
    for number in range(100):
        (source / f"floor_plan/{number}").mkdir()
        (source / f"floor_plan/{number}/file").touch()
    target.mkdir()
    archive = backup(source, tmp_path / "x.zip")
    assert restore(archive, target, prefix=["prlimit", "--nofile=40"]).returncode == 0
    assert tree(target / "floor_plan") == tree(source / "floor_plan")


@pytest.mark.parametrize(
    "manifest",
    ['{"format":1,"entries":[' + "1," * 4_000_000 + "1]}", "[" * 8_000_000, '{"format":1,"skipped":["' + "\\u0000" * 1_300_000 + '"]}'],
    ids=["values", "depth", "text"],
)
def test_a_manifest_that_would_fill_the_memory(tmp_path, manifest):
    (tmp_path / "target").mkdir()
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("MANIFEST.json", manifest)
    result = restore(tmp_path / "x.zip", tmp_path / "target", prefix=["/usr/bin/python3", "-c", MEASURE])
    assert result.returncode == 2 and int(result.stdout) <= 48


def test_a_name_with_a_folder_at_every_other_byte(archive, tmp_path):
    (tmp_path / "target").mkdir()
    path = hostile(archive, tmp_path / "hostile.zip", {"floor_plan/plan.json": "a/" * 30_000 + "a"})
    result = restore(path, tmp_path / "target", prefix=["/usr/bin/python3", "-c", MEASURE])
    assert result.returncode == 1 and int(result.stdout) <= 48
    assert not list((tmp_path / "target").iterdir())


@pytest.mark.parametrize("field", ["sha256", "size"])
def test_what_the_manifest_does_not_confirm_is_not_restored(archive, target, tmp_path, field):
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(tmp_path / "x.zip", "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "MANIFEST.json":
                manifest = json.loads(content)
                manifest["entries"][-2][field] = {"sha256": "0" * 64, "size": 1}[field]
                content = json.dumps(manifest)
            copy.writestr(name, content)
    before = tree(target)
    assert restore(tmp_path / "x.zip", target, "--force").returncode == 1
    assert tree(target) == before


def test_an_incomplete_archive_is_status_3(tmp_path):
    source = small(tmp_path / "source", "new")
    (source / "link.db").symlink_to("a.db")
    assert run("backup", "--data", source, "-o", tmp_path / "x.zip").returncode == 3
    (tmp_path / "target").mkdir()
    result = restore(tmp_path / "x.zip", tmp_path / "target")
    assert result.returncode == 3 and "link.db" in result.stderr
    assert set(words(tmp_path / "target").values()) == {"new"}


def test_owner_and_mode_follow_the_directory(archive, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    target.chmod(0o750)
    if os.geteuid() == 0:
        os.chown(target, 1234, 2345)
    assert restore(archive, target, umask=0o777).returncode == 0
    status = target.stat()
    for path in target.rglob("*"):
        assert (path.stat().st_uid, path.stat().st_gid) == (status.st_uid, status.st_gid)
        assert path.stat().st_mode & 0o777 == (0o750 if path.is_dir() else 0o640)


def test_a_full_disk_changes_nothing(archive, target):
    def limit_file_size():
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    before = tree(target)
    result = restore(archive, target, "--force", preexec_fn=limit_file_size)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert tree(target) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_commit_changes_nothing(large_archive, tmp_path, number):
    target = tmp_path / "target"
    target.mkdir()
    process = subprocess.Popen([harness.SLUICE, "restore", large_archive, "--into", target], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(path.stat().st_size for path in target.glob(".sluice-restore-*/0")), "a staged file")
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1 and "interrupted" in errors
    assert not list(target.iterdir())


def check_after_a_kill(archive, target):
    """What a restore that was killed has left, and what the next one makes of it."""
    said = set(words(target).values()) - {None}
    databases = {word(target / name) for name in ("a.db", "b.db", "c.db")} - {None}
    assert said <= {"old", "new"} and databases != {"old", "new"}
    # The next one finishes it, whatever it then does itself.
    restore(archive, target, "--only", "VERSION")
    (target / "VERSION").unlink()
    assert not list(target.glob(".sluice*"))
    [state] = set(words(target).values())
    assert state in ("old", "new")
    kept = [path for path in target.glob("?.db.before-restore-*") if path.name.endswith("Z")]
    assert len(kept) == (3 if state == "new" else 0)
    assert {word(path) for path in kept} <= {"old"}
    return state


def traced(archive, target, call, injection, count):
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{injection}:when={count}"]
    return restore(archive, target, "--force", prefix=command, text=True)


@pytest.mark.parametrize("call", ["mkdirat", "linkat", "renameat", "unlinkat", "symlinkat", "fsync", "fchmod"])
def test_a_kill_at_every_call(archive, target, tmp_path, call):
    """In CI, at every third."""
    states = []
    for count in range(1, 200, 1 if SLOW else 3):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(target, copy)
        result = traced(archive, copy, call, "signal=KILL", count)
        if result.returncode == 0:
            break
        states.append(check_after_a_kill(archive, copy))
    assert states and states == sorted(states, reverse=True), "old first, then new"


@pytest.mark.parametrize(
    ("call", "error"),
    [("write", "ENOSPC"), ("mkdirat", "ENOSPC"), ("linkat", "ENOSPC"), ("symlinkat", "ENOSPC"), ("fsync", "EIO"), ("renameat", "EIO")],
)
def test_a_call_that_fails_leaves_everything_as_it_was(archive, target, tmp_path, call, error):
    before = tree(target)
    for count in range(1, 200, 1 if SLOW else 3):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(target, copy)
        result = traced(archive, copy, call, f"error={error}", count)
        if result.returncode == 0:
            break
        assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
        assert tree(copy) == before, result.stderr
    assert count > 1
    assert set(words(copy).values()) == {"new"}


def test_a_kill_on_the_way_back(archive, target, tmp_path):
    """The second rename onto a first name fails; then the way back is killed at every call."""
    for call in ("linkat", "unlinkat", "symlinkat", "fsync") if SLOW else ("unlinkat",):
        for count in range(1, 200, 1 if SLOW else 4):
            copy = tmp_path / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(target, copy)
            command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace=renameat,{call}", "-e",
                       "inject=renameat:error=EIO:when=7", "-e", f"inject={call}:signal=KILL:when={count}"]  # fmt: skip
            result = restore(archive, copy, "--force", prefix=command)
            if result.returncode >= 0 and result.returncode != 137:
                assert result.returncode == 1 and set(words(copy).values()) == {"old"}
                break
            check_after_a_kill(archive, copy)


def test_kills_at_random_moments(archive, target, tmp_path):
    start = time.perf_counter()
    copy = tmp_path / "copy"
    shutil.copytree(target, copy)
    assert restore(archive, copy, "--force").returncode == 0
    duration = time.perf_counter() - start
    for seed in range(200 if SLOW else 20):
        shutil.rmtree(copy)
        shutil.copytree(target, copy)
        process = subprocess.Popen(
            [harness.SLUICE, "restore", archive, "--into", copy, "--force"], stderr=subprocess.DEVNULL
        )
        time.sleep(random.Random(seed).uniform(0, duration))
        process.kill()
        process.wait()
        check_after_a_kill(archive, copy)


def test_what_is_unfinished_is_told_by_a_dry_run(archive, target):
    before = traced(archive, target, "symlinkat", "signal=KILL", 2)
    assert before.returncode != 0
    now = {path: path.lstat().st_ino for path in target.rglob("*")}
    result = restore(archive, target, "--dry-run")
    assert result.returncode == 1 and "killed" in result.stderr
    assert {path: path.lstat().st_ino for path in target.rglob("*")} == now


def test_memory_and_speed(large_archive, tmp_path, figure):
    (tmp_path / "unzipped").mkdir()
    start = time.perf_counter()
    subprocess.run(["unzip", "-q", large_archive, "-d", tmp_path / "unzipped"], check=True)
    unzip = time.perf_counter() - start
    shutil.rmtree(tmp_path / "unzipped")
    (tmp_path / "target").mkdir()
    start = time.perf_counter()
    result = restore(large_archive, tmp_path / "target", prefix=["/usr/bin/python3", "-c", MEASURE])
    seconds = time.perf_counter() - start
    assert result.returncode == 0
    figure("restore of 600 MB", f"{seconds:.1f} s (unzip {unzip:.1f} s), {result.stdout.strip()} MiB")
    assert int(result.stdout) <= 48
    assert seconds <= 2 * unzip
