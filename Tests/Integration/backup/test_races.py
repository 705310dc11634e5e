"""What changes places between the looking and the opening does not lead out of the data directory, nor hold a backup up."""

import ctypes
import os
import shutil
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from archive import Archive
from client import BROKEN_OFF
from harness import serve
from restoring import SLOW, leave_log, small

# What is raced for are names: an instrumented program, ten times as slow, goes the same ways.
ROUNDS = 1000 if SLOW else 10 if os.environ.get("COSTS") == "any" else 40
AT_FDCWD, RENAME_EXCHANGE = -100, 2
DATABASES, FOLDER = ("a.db", "b.db", "plans/deep/inner.sqlite"), "plans/deep"
INCLUDES = ("--include", "floor_plan", "--include", FOLDER)
FILES = ("floor_plan/plan.json", *(f"{FOLDER}/{number:02}.txt" for number in range(10)))


@contextmanager
def exchanging(first, second):
    """Two names change what they name, in one step, time after time: renameat2(2). What it yields tells how often they did."""
    renameat2 = ctypes.CDLL(None).renameat2
    first, second = os.fsencode(first), os.fsencode(second)
    times, done = 0, threading.Event()

    def exchange():
        nonlocal times
        while not done.is_set() and renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE) == 0:
            times += 1

    exchanger = threading.Thread(target=exchange)
    exchanger.start()
    try:
        yield lambda: times
    finally:
        done.set()
        exchanger.join()


def furnished(directory, word):
    """Everything in it says the word; but what `a.db` says is in its log alone."""
    small(directory, word, names=("a.db", "b.db"))
    (directory / FOLDER).mkdir(parents=True)
    for name in FILES[1:]:
        (directory / name).write_text(word)
    shutil.copy(directory / "b.db", directory / DATABASES[2])
    leave_log(directory / "a.db", f"{word}, logged")
    (directory / "b.db-journal").touch()
    return directory


def words(archive):
    """What each entry says, less that it was logged."""
    said = {name: archive.read(name).decode() for name in FILES if name in archive.entries}
    for name in DATABASES:
        if name in archive.entries:
            with archive.database(name) as copy:
                [(said[name],)] = copy.execute("SELECT DISTINCT word FROM t")
    if "a.db" in said:
        said["a.db"], _, logged = said["a.db"].partition(", ")
        assert logged, "without its log"
    return said


def backup(server):
    """What is in one, and what was skipped; all that there is, is one or the other."""
    with server.connect(timeout=20) as client:
        answer = client.answer("GET", "/api/backup?compression=store")
    assert answer.status == 200, answer.body
    archive = Archive(answer.body)
    said = words(archive)
    for name in (*DATABASES, *FILES):
        assert (name in said) != any(f"{name}/".startswith(f"{path}/") for path in archive.skipped), (name, archive.skipped)
    assert ("Sluice-Skipped" in answer.headers) == bool(archive.skipped)
    return said, archive.skipped


@pytest.mark.parametrize(
    ("name", "other"),
    [(name, other) for name in ("a.db", "b.db", "a.db-wal", "b.db-journal", *DATABASES[2:], *FILES[:1]) for other in ("link", "pipe")]
    + [("plans", "link"), (FOLDER, "link")],
)
def test_something_and_a_link_or_a_pipe_that_change_places(tmp_path, figure, record_property, name, other):
    data, outside, spare = furnished(tmp_path / "data", "inside"), furnished(tmp_path / "outside", "outside"), tmp_path / "data/spare"
    spare.symlink_to(outside / name) if other == "link" else os.mkfifo(spare)
    whole, skips = 0, Counter()
    with serve(data, *INCLUDES) as server, exchanging(data / name, spare) as count:
        deadline = time.monotonic() + 300
        while (whole + skips.total() < ROUNDS or not whole or not skips) and time.monotonic() < deadline:
            try:
                said, skipped = backup(server)
            except BROKEN_OFF:  # what is pinned has lost a name meanwhile
                skips["broken off"] += 1
                server.wait_for_line("moved, replaced or deleted")
                server.lines.clear()
                continue
            assert set(said.values()) == {"inside"}, said
            whole += not skipped
            skips.update(skip["reason"] for skip in skipped.values())
    figure(f"{name} and a {other} that changed places", f"{count()} times; {whole} backups were whole, others named it as {dict(skips)}")
    record_property("cases", whole + skips.total())
    # Otherwise nothing was raced.
    assert whole and skips and count() > ROUNDS


def test_a_data_directory_and_another_that_change_places(tmp_path, figure, record_property):
    """Which of them it is may be anybody's guess; it is one of them."""
    data, outside = furnished(tmp_path / "data", "inside"), furnished(tmp_path / "outside", "outside")
    seen = Counter()
    with serve(data, *INCLUDES) as server, exchanging(data, outside) as count:
        deadline = time.monotonic() + 300
        while (seen.total() < ROUNDS or len(seen) < 2) and time.monotonic() < deadline:
            said, skipped = backup(server)
            assert not skipped
            [word] = set(said.values())
            seen[word] += 1
    figure("a data directory and another that changed places", f"{count()} times; backups were of {dict(seen)}")
    record_property("cases", seen.total())
    assert len(seen) == 2 and count() > ROUNDS
