"""`sluice restore` that is killed, or fails, at every step: the old state or the new."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time

import pytest

import harness
from harness import AS_ORDINARY_USER, wait_until
from restoring import SLOW, backup, crashed, restore, small, tree, word, words

KILLS = 200 if SLOW else 20


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


def check_after_a_kill(archive, target, **options):
    """What a restore that was killed has left, and what the next one makes of it."""
    said = set(words(target).values()) - {None}
    databases = {word(target / name) for name in ("a.db", "b.db", "c.db")} - {None}
    assert said <= {"old", "new"} and databases != {"old", "new"}
    # The next one finishes it, whatever it then does itself.
    restore(archive, target, "--only", "VERSION", **options)
    (target / "VERSION").unlink()
    assert not list(target.glob(".sluice*"))
    [state] = set(words(target).values())
    assert state in ("old", "new")
    kept = [path for path in target.glob("?.db.before-restore-*") if path.name.endswith("Z")]
    assert len(kept) == (3 if state == "new" else 0)
    assert {word(path) for path in kept} <= {"old"}
    return state


def traced(archive, target, call, injection, count, prefix=()):
    command = [*prefix, "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{injection}:when={count}"]
    return restore(archive, target, "--force", prefix=command, text=True)


@pytest.mark.parametrize("call", ["mkdirat", "linkat", "renameat", "unlinkat", "symlinkat", "fsync", "fchmod"])
def test_a_kill_at_every_call(archive, target, tmp_path, record_property, call):
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
    record_property("cases", len(states))


def test_one_whose_files_their_owner_may_not_write_is_finished(tmp_path):
    source, target = (small(tmp_path / place, place) for place in ("new", "old"))
    for directory in (source, target):
        for name in ("a.db", "floor_plan/plan.json"):
            (directory / name).chmod(0o444)
    archive = backup(source, tmp_path / "x.zip")
    states = []
    for count in range(1, 20):
        copy = shutil.copytree(target, tmp_path / f"copy {count}")
        if traced(archive, copy, "renameat", "signal=KILL", count, AS_ORDINARY_USER).returncode == 0:
            break
        states.append(check_after_a_kill(archive, copy, prefix=AS_ORDINARY_USER))
    assert {"old", "new"} == set(states)


@pytest.mark.parametrize(
    ("call", "error"),
    [("write", "ENOSPC"), ("mkdirat", "ENOSPC"), ("linkat", "ENOSPC"), ("symlinkat", "ENOSPC"), ("fsync", "EIO"), ("renameat", "EIO")],
)
def test_a_call_that_fails_leaves_everything_as_it_was(archive, target, tmp_path, record_property, call, error):
    before, cases = tree(target), 0
    for count in range(1, 200, 1 if SLOW else 3):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(target, copy)
        result = traced(archive, copy, call, f"error={error}", count)
        if result.returncode == 0:
            break
        # Where a second thread ends with the process, strace says that it could not make its call fail too.
        said = [line for line in result.stderr.splitlines() if not line.startswith("strace: ")]
        assert result.returncode == 1 and len(said) == 1
        assert tree(copy) == before, said
        cases += 1
    assert cases > 0
    record_property("cases", cases)
    assert set(words(copy).values()) == {"new"}


def test_a_kill_on_the_way_back(archive, target, tmp_path, record_property):
    """The second rename onto a first name fails; then the way back is killed at every call."""
    cases = 0
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
            cases += 1
    record_property("cases", cases)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_that_was_only_made_gets_its_owner(tmp_path):
    """It is made for root alone, and then given away."""
    source = small(tmp_path / "source", "new")
    (source / "notes").mkdir()
    (source / "notes/a").write_text("a")
    archive = backup(source, tmp_path / "x.zip", "--include", "notes")
    for count in range(1, 20):
        target = tmp_path / str(count)
        target.mkdir()
        os.chown(target, 65534, 65534)
        target.chmod(0o750)
        assert traced(archive, target, "fchown", "signal=KILL", count).returncode != 0
        if (target / "notes").exists():
            break
    assert (target / "notes").stat().st_uid == 0
    assert restore(archive, target, "--force").returncode == 0
    status = (target / "notes").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (65534, 65534, 0o750)


def test_kills_at_random_moments(archive, target, tmp_path, record_property):
    start = time.perf_counter()
    copy = tmp_path / "copy"
    shutil.copytree(target, copy)
    assert restore(archive, copy, "--force").returncode == 0
    duration = time.perf_counter() - start
    for seed in range(KILLS):
        shutil.rmtree(copy)
        shutil.copytree(target, copy)
        process = subprocess.Popen(
            [harness.SLUICE, "restore", archive, "--into", copy, "--force"], stderr=subprocess.DEVNULL
        )
        time.sleep(random.Random(seed).uniform(0, duration))
        process.kill()
        process.wait()
        check_after_a_kill(archive, copy)
    record_property("cases", KILLS)


@pytest.fixture
def half_placed(archive, target, tmp_path):
    """A directory in which a restore was killed when a.db is new and the names after it are guarded."""
    for count in range(1, 60):
        copy = tmp_path / "half"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(target, copy)
        assert traced(archive, copy, "renameat", "signal=KILL", count).returncode != 0
        if words(copy) == {"a.db": "new", "b.db": None, "c.db": None, "floor_plan/plan.json": None}:
            assert (copy / "b.db").is_symlink()
            return copy
    raise AssertionError("no such moment")


def kept_words(directory, name):
    return sorted(word(path) for path in directory.glob(f"{name}.before-restore-*") if not path.name.endswith(("-wal", "-shm")))


def finish(archive, directory):
    """The next restore finishes what was begun, and adds a file."""
    result = restore(archive, directory, "--only", "VERSION", text=True)
    assert result.returncode == 0, result.stderr
    assert not list(directory.glob(".sluice*"))
    assert set(words(directory).values()) == {"new"}


def test_what_the_application_replaced_since_stays(archive, half_placed):
    (name := half_placed / "a.db").rename(old := half_placed / "a.old")
    shutil.copy(old, name)
    old.unlink()
    inode = name.stat().st_ino
    finish(archive, half_placed)
    assert name.stat().st_ino == inode
    assert kept_words(half_placed, "a.db") == kept_words(half_placed, "b.db") == ["old"]


@pytest.mark.parametrize("with_another", [False, True])
def test_what_was_kept_is_not_lost_with_its_guard(archive, half_placed, with_another):
    (half_placed / "b.db").unlink()
    if with_another:
        shutil.copy(half_placed / "a.db", half_placed / "b.db")
    finish(archive, half_placed)
    assert kept_words(half_placed, "b.db") == (["new", "old"] if with_another else ["old"])


def test_a_copy_of_an_unfinished_restore_is_refused(archive, half_placed, tmp_path):
    shutil.copytree(half_placed, copy := tmp_path / "copied", symlinks=True)
    before = tree(copy)
    result = restore(archive, copy, "--force", text=True)
    assert result.returncode == 1 and "is a copy of what a restore that was killed has left" in result.stderr
    assert tree(copy) == before
    finish(archive, half_placed)


def test_an_unfinished_restore_waits_for_a_crashed_transaction(archive, target):
    """As of one that begins: SQLite could roll back only those that keep their names."""
    assert traced(archive, target, "symlinkat", "signal=KILL", 1).returncode != 0
    crashed(target, ["b.db", "c.db"])
    before = tree(target)
    result = restore(archive, target, "--force", text=True)
    assert result.returncode == 1 and "part of a transaction over several databases" in result.stderr
    assert tree(target) == before


def test_what_is_unfinished_is_told_by_a_dry_run(archive, target):
    before = traced(archive, target, "symlinkat", "signal=KILL", 2)
    assert before.returncode != 0
    now = {path: path.lstat().st_ino for path in target.rglob("*")}
    result = restore(archive, target, "--dry-run")
    assert result.returncode == 1 and "killed" in result.stderr
    assert {path: path.lstat().st_ino for path in target.rglob("*")} == now


@pytest.mark.parametrize("is_going_back", [False, True])
def test_a_kill_amid_a_long_name(archive, target, tmp_path, is_going_back):
    """Earlier versions could not go back over one, and left that to the next command."""
    (tmp_path / "source/floor_plan" / ("x" * 255)).touch()
    long = backup(tmp_path / "source", tmp_path / "long.zip")
    assert traced(long, target, "symlinkat", "signal=KILL", 5).returncode != 0
    if is_going_back:
        [journal] = target.glob(".sluice-restore-*/journal")
        journal.rename(journal.with_name("journal-of-the-way-back"))
    assert check_after_a_kill(archive, target) == ("old" if is_going_back else "new")


@pytest.mark.parametrize("other", ["folder", "link"])
def test_something_else_in_the_way_of_what_was_killed(archive, target, other):
    """The way back leaves it alone, and the next restore says what is in the way of it."""
    plan = target / "floor_plan/plan.json"
    assert traced(archive, target, "linkat", "signal=KILL", 2).returncode != 0
    plan.unlink()
    plan.mkdir() if other == "folder" else plan.symlink_to("elsewhere")
    result = restore(archive, target, "--force")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith("floor_plan/plan.json has changed meanwhile; everything is as it was")
    assert not list(target.glob(".sluice*")) and not list(target.glob("*before-restore*"))
    assert {word(target / name) for name in ("a.db", "b.db", "c.db")} == {"old"}
    result = restore(archive, target, "--force")
    assert result.returncode == 1 and "floor_plan/plan.json is in the way" in result.stderr


def test_a_way_back_that_fails_does_not_say_that_all_is_as_it_was(archive, target):
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=linkat,unlinkat", "-e", "inject=linkat:error=EIO:when=2",
               "-e", "inject=unlinkat:error=EIO"]  # fmt: skip
    result = restore(archive, target, "--force", prefix=command)
    assert result.returncode == 1 and "the way back failed" in result.stderr
    assert "everything is as it was" not in result.stderr
    assert check_after_a_kill(archive, target) == "old"
