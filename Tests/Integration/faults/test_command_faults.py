"""Every system call of a command fails, and every piece of memory that SQLite asks for: it has done all, or says that it has not."""

import re
import shutil
import subprocess
from collections import Counter

import pytest

from faults import NAMES, Refusals, check_archive, one_of_each, options, spool, sqlite_names
from harness import run
from restoring import SLOW


@pytest.fixture
def directory(tmp_path):
    return one_of_each(tmp_path / "data")


# The calls of `sluice backup`; those on files are counted there alone, and not what the loader does before them. Of others,
# it makes none.
COMMAND = {
    "write": ["ENOSPC", "EIO", "EDQUOT", "EFBIG", "EINTR"],
    "openat": ["EMFILE", "EIO", "EACCES"],
    "pread64": ["EIO", "EINTR"],
    "getdents64": ["EIO"],
    "newfstatat": ["EIO", "EACCES"],
    "fcntl": ["EIO", "EAGAIN"],
    "mmap": ["ENOMEM"],
    "mkdir": ["ENOSPC", "EACCES"],
    "ftruncate": ["ENOSPC", "EIO"],
    "pwrite64": ["ENOSPC", "EIO", "EINTR"],
    "unlink": ["EIO"],
    "fsync": ["EIO", "ENOSPC"],
    "rename": ["EIO", "ENOSPC", "EACCES"],
    "clone3": ["EAGAIN"],
}
ELSEWHERE = {"fsync", "rename", "clone3", "mkdir", "ftruncate", "pwrite64", "unlink"}


@pytest.mark.parametrize("call", COMMAND)
def test_a_call_of_the_command_that_fails_leaves_no_archive_that_is_not_whole(directory, tmp_path, figure, record_property, call):
    log, output, cases = tmp_path / "strace", tmp_path / "output/file.zip", 0
    output.parent.mkdir()
    run("backup", "--data", directory, "-o", output)  # after it, SQLite's own files are there and found
    watched = [path for path in (directory, *directory.rglob("*")) if call not in ELSEWHERE]
    if call in ("openat", "newfstatat"):
        # Files are reached through the folder that they are in, which is open.
        run("backup", "--data", directory, "-o", output, prefix=["strace", "-f", "-qq", "-o", log, "-e", f"trace={call}"])
        watched += sorted(set(re.findall(r'"(/proc/self/fd/\d+/[^"]+)"', log.read_text())))
    watched = ["-P", output] if call == "write" else [part for path in watched for part in ("-P", path)]
    for error in COMMAND[call]:
        outcomes = Counter()
        for number in range(1, 200, 1 if SLOW else 5):
            output.unlink(missing_ok=True)
            inject = f"inject={call}:error={error}:when={number}"
            prefix = ["strace", "-f", "-qq", "-o", log, *watched, "-e", f"trace={call}", "-e", inject]
            arguments = ["backup", "--data", directory, *options(directory)]
            if call == "write":
                with output.open("wb") as file:
                    ended = run(*arguments, "-o", "-", prefix=prefix, capture_output=False, stdout=file, stderr=subprocess.PIPE)
            else:
                ended = run(*arguments, "-o", output, prefix=prefix)
            if "(INJECTED)" not in log.read_text():
                break
            lines = ended.stderr.splitlines()
            if ended.returncode == 1:
                assert len(lines) == 1, lines
                assert not output.exists() or run("verify", output).returncode in (1, 2)
            else:
                archive = check_archive(output.read_bytes(), ended.returncode, directory)
                skipped = [line for line in lines if line.startswith("sluice: skipped ")]
                assert len(skipped) == len(archive.skipped) and all(any(name in line for line in skipped) for name in archive.skipped)
            outcomes[{0: "whole", 1: "no archive", 3: "incomplete"}[ended.returncode] + sqlite_names(ended.stderr)] += 1
            assert [path for path in output.parent.iterdir() if path != output] == []
            assert not any(spool(directory).iterdir()), "a copy is left"
        assert outcomes, f"{call} never failed with {error}"
        cases += outcomes.total()
        figure(f"backup: {call} {error}", ", ".join(f"{times} {what}" for what, times in outcomes.most_common()))
    record_property("cases", cases)


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("command", ["backup", "verify", "restore"])
def test_memory_that_sqlite_does_not_get(directory, tmp_path, figure, record_property, command, lasts):
    """Each piece that it asks for is not there, in turn: SQLITE_NOMEM, or what SQLite makes of it."""
    refusals, output, target = Refusals(tmp_path), tmp_path / "output.zip", tmp_path / "target"
    run("backup", "--data", directory, "-o", output)
    arguments = {
        "backup": ["backup", "--data", directory, *options(directory), "-o", output], "verify": ["verify", output],
        "restore": ["restore", output, "--into", target],
    }[command]  # fmt: skip
    outcomes = Counter()
    for number in range(1, 100_000, 1 if SLOW else 11):
        if command == "backup":
            output.unlink(missing_ok=True)
        target.mkdir()
        with refusals.of(number, lasts) as happened:
            ended = run(*arguments, prefix=refusals.prefix)
        if not happened():
            break
        if command == "backup" and ended.returncode != 1:
            check_archive(output.read_bytes(), ended.returncode, directory)
        elif command == "backup":
            assert not output.exists() and len(ended.stderr.splitlines()) == 1, ended.stderr
        elif command == "verify":
            # An archive is not damaged because there was no memory to check it with: status 4 says that it is unjudged.
            assert ended.returncode in (0, 4) or (ended.returncode == 1 and "could not be read" in ended.stderr), ended
        else:
            names = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
            assert names == (set(NAMES) - {"VERSION"} if ended.returncode == 0 else set()), ended
            assert ended.returncode == 0 or len(ended.stderr.splitlines()) == 1, ended.stderr
        outcomes[f"status {ended.returncode}{sqlite_names(ended.stderr + ended.stdout)}"] += 1
        shutil.rmtree(target)
    shutil.rmtree(target)
    figure(f"{command}: no memory {'from then on' if lasts else 'once'}", ", ".join(f"{n} {what}" for what, n in outcomes.most_common()))
    record_property("cases", outcomes.total())
    assert outcomes.total() > 3 and {int(what.split()[1]) for what in outcomes} <= {0, 1, 3, 4}


# Those of the compressors, of the loop, of the first threads: each in turn.
BEGINNINGS = [("eventfd2", 1), ("eventfd2", 2), ("eventfd2", 3), ("epoll_create1", 1), ("epoll_ctl", 1), ("clone3", 1), ("clone3", 3),
              ("signalfd4", 1)]  # fmt: skip


@pytest.mark.parametrize(("call", "number"), BEGINNINGS)
@pytest.mark.parametrize("command", ["backup", "serve"])
def test_a_command_that_cannot_even_begin_says_so(directory, tmp_path, command, call, number):
    prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error=EMFILE:when={number}"]
    options = ["-o", tmp_path / "file.zip"] if command == "backup" else ["--listen", "127.0.0.1:0"]
    ended = run(command, "--data", directory, *options, prefix=prefix)
    assert (ended.returncode, ended.stdout) == (1, "") and len(ended.stderr.splitlines()) == 1, ended.stderr
    assert not (tmp_path / "file.zip").exists()
