"""What takes the place of a folder between the looking and the opening does not lead out of the data directory."""

import ctypes
import multiprocessing
import os
import sqlite3
import time

from archive import Archive
from harness import serve
from restoring import SLOW

ROUNDS = 2000 if SLOW else 100
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def exchange_for_ever(first, second, count):
    """Two names change what they name, in one step: renameat2(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(first), os.fsencode(second)
    while libc.renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE) == 0:
        count.value += 1


def folder(path, word):
    path.mkdir(parents=True)
    for number in range(20):
        (path / f"{number:02}.txt").write_text(word)
    with sqlite3.connect(path / "a.db") as database:
        database.execute("CREATE TABLE t AS SELECT ? AS word", [word])
    database.close()


def test_a_folder_and_a_link_that_change_places(tmp_path, figure, record_property):
    inside, outside, link = tmp_path / "data/plans/deep", tmp_path / "outside/deep", tmp_path / "data/link"
    folder(inside, "inside")
    folder(outside, "outside")
    link.symlink_to(outside.parent)
    count = multiprocessing.Value("q", 0)
    exchanger = multiprocessing.Process(target=exchange_for_ever, args=(inside.parent, link, count), daemon=True)
    with serve(tmp_path / "data", "--include", "plans/deep") as server:
        exchanger.start()
        whole, skipped = 0, 0
        deadline = time.monotonic() + 300
        while (whole + skipped < ROUNDS or not whole or not skipped) and time.monotonic() < deadline:
            archive = Archive(server.get("/api/backup?compression=store").body)
            found = [archive.read(name) for name in archive.entries if name.startswith("plans/")]
            assert not any(b"outside" in content for content in found)
            if found:
                whole += 1
            else:
                assert archive.skipped
                skipped += 1
        exchanger.kill()
        exchanger.join()
    figure("a folder and a link that changed places", f"{count.value} times; {whole} backups had the folder, {skipped} named it as skipped")
    record_property("cases", whole + skipped)
    # Otherwise nothing was raced.
    assert whole and skipped and count.value > ROUNDS
