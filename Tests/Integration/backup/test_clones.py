"""Large databases with a rollback journal, on file systems that clone files: neither memory nor the spool need have room for them."""

import os
import random
import sqlite3
import subprocess
import threading

import pytest

import data as make
from archive import Archive
from harness import serve, wait_until
from volumes import MEBIBYTE, mounted
from volumes import volume as volume_of


@pytest.fixture(scope="module", params=["xfs", "btrfs"])
def volume(request, tmp_path_factory):
    """A data directory with a file system of its own, and a database that is worth a clone."""
    with volume_of(request.param, tmp_path_factory.mktemp(request.param)) as place:
        (place / "data").mkdir()
        make.ledger(place / "data/large.db", make.ROLLBACK, accounts=70_000)
        yield place


@pytest.fixture
def full(tmp_path):
    """A spool directory that has no room."""
    (tmp_path / "full").mkdir()
    with mounted(tmp_path / "full", "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        yield tmp_path / "full"


class Bank(threading.Thread):
    """It moves money thirty times a second."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.database, self.commits, self.ends = database, 0, threading.Event()

    def run(self):
        connection = sqlite3.connect(self.database, isolation_level=None, timeout=60)
        while not self.ends.wait(0.03):
            connection.execute("BEGIN IMMEDIATE")
            for change in (-1, 1):
                account = random.randrange(70_000)
                connection.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (change, account))
            connection.execute("COMMIT")
            self.commits += 1
        connection.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()


def test_a_clone_is_of_one_moment_whatever_is_written(volume, full):
    data = volume / "data"
    before = data.stat().st_mtime_ns
    options = ["--memory-budget", "0", "--spool-directory", full]
    with serve(data, *options) as server, Bank(data / "large.db") as bank:
        for _ in range(2):
            commits = bank.commits
            wait_until(lambda: bank.commits > commits + 3, "some commits")
            archive = Archive(server.get("/api/backup?compression=store").body)
            assert archive.skipped == {}, server.log
            assert archive.entries["large.db"]["database"]["method"] == "copied"
            with archive.database("large.db") as copy:
                assert copy.execute("PRAGMA quick_check").fetchone() == ("ok",)
                assert make.is_conserved(copy)
        assert not any("deleted" in name for name in server.open_files()), "each clone goes with its backup"
    assert {path.name for path in data.iterdir()} == {"large.db"}
    assert list(full.iterdir()) == []
    assert data.stat().st_mtime_ns >= before


def test_a_directory_that_takes_no_file_has_its_database_copied(volume, tmp_path):
    """As under a unit that may not write there."""
    data = volume / "data"
    subprocess.run(["mount", "-o", "bind", data, data], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", data], check=True)
    try:
        with serve(data, "--spool-directory", tmp_path) as server:
            archive = Archive(server.get("/api/backup?compression=fast").body)
        with archive.database("large.db") as copy:
            assert make.is_conserved(copy)
    finally:
        subprocess.run(["umount", data], check=True)
