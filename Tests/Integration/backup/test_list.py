"""`sluice list`: what it says of a directory is what a backup does."""

import json
import os
import shutil
import sqlite3

import pytest

import data as make
from archive import Archive
from harness import AS_ORDINARY_USER, run


def listed(data, *options, **kind):
    ended = run("list", "--json", "--data", data, *options, **kind)
    assert ended.returncode in (0, 3) and ended.stderr == "", ended.stderr
    answer = json.loads(ended.stdout)
    assert ended.returncode == (0 if answer["complete"] else 3)
    return answer


def odd(house):
    """Whatever may be skipped, excluded or taken for something else."""
    (house / "link.db").symlink_to("events.db")
    (house / "folder.db").mkdir()
    (house / "plain.db").write_text("no database")
    (house / "secret.db").write_bytes(os.urandom(4096))
    (house / "secret.db-wal").write_bytes(os.urandom(4096))
    (house / "empty.db").touch()
    shutil.copy(house / "analytics.db", house / "History")
    shutil.copy(house / "analytics.db", house / "cut.db")
    os.truncate(house / "cut.db", 4096 * 9 + 100)
    (house / "floor_plan/note.before-restore-20260131T235959Z").touch()
    (house / "floor_plan/cache").mkdir()
    make.ledger(house / "floor_plan/inner", make.WAL, accounts=10)
    os.mkfifo(house / "floor_plan/pipe")
    os.link(house / "floor_plan/inner", house / "floor_plan/second name")
    (house / "unreadable.db").write_bytes((house / "analytics.db").read_bytes())
    (house / "unreadable.db").chmod(0)


@pytest.mark.parametrize(
    "options", [[], ["--include", "subdirectory", "--include", "gone", "--exclude", "cache", "--exclude", "*.svg"]]
)
def test_it_says_what_a_backup_then_does(house, tmp_path, options):
    odd(house)
    locked = sqlite3.connect(house / "events.db")
    locked.execute("PRAGMA locking_mode=EXCLUSIVE")
    locked.execute("UPDATE account SET balance = balance")
    options = [*options, "--busy-timeout", "10ms"]
    answer = listed(house, *options, prefix=AS_ORDINARY_USER)
    ended = run("backup", "--data", house, *options, "-o", tmp_path / "a.zip", prefix=AS_ORDINARY_USER)
    assert ended.returncode == 3
    locked.close()
    archive = Archive(tmp_path / "a.zip")
    kept = ("path", "kind", "size", "note")
    entries = [{key: entry[key] for key in kept if key in entry} for entry in archive.manifest["entries"][:-1]]
    assert [{key: entry[key] for key in kept if key in entry} for entry in answer["entries"]] == entries
    modes = {path: entry["database"]["journal_mode"] for path, entry in archive.entries.items() if "database" in entry}
    assert {entry["path"]: entry["journal_mode"] for entry in answer["entries"] if "journal_mode" in entry} == modes
    assert answer["skipped"] == archive.manifest["skipped"] and len(answer["skipped"]) > 6
    assert answer["excluded"] == archive.manifest["excluded"] and len(answer["excluded"]) > 0
    assert answer["complete"] is archive.manifest["complete"] is False
    # The same in words, a line for each.
    ended = run("list", "--data", house, *options)
    words = {line.partition(": ")[0] for line in ended.stdout.splitlines()}
    assert ended.returncode == 3 and words == {"taken", "skipped", "excluded", "not looked at"} - (
        {"not looked at"} if "subdirectory" in options else set()
    )


def test_a_whole_directory_is_complete_and_an_empty_one_is_not(house, tmp_path):
    assert listed(house)["complete"]
    (tmp_path / "empty").mkdir()
    answer = listed(tmp_path / "empty")
    assert [skipped["reason"] for skipped in answer["skipped"]] == ["no-database"]
    assert listed(tmp_path / "empty", "--allow-empty")["complete"]


def test_databases_where_no_backup_looks_are_named(house):
    deep = house / "one/two/three"
    (deep / "four").mkdir(parents=True)
    for name in ("one/History", "one/two/three/x.bin", "one/two/three/four/too-deep.db", "one/cache/c.db", "floor_plan/known"):
        (house / name).parent.mkdir(exist_ok=True)
        shutil.copy(house / "subdirectory/inner.db", house / name)
    (house / "one/secret.sqlite").write_bytes(os.urandom(100))
    (house / "one/text.txt").write_text("SQLite format")
    (house / "one/empty.db").touch()
    (house / "one/x.db.before-restore-20260131T235959Z").write_bytes((house / "one/History").read_bytes())
    (house / "one/secret.sqlite-wal").write_bytes((house / "one/History").read_bytes())
    os.mkfifo(house / "one/pipe.db")
    (house / "one/link.db").symlink_to("History")
    (house / "link").symlink_to("one")
    (house / "one/shut").mkdir(mode=0)
    os.mkdir(os.fsencode(house) + b"/\xe9")
    for name in (b"/\xe9/\xff", b"/\xe9/caf\xe9.db", b"/\xe9/text\xe9"):
        shutil.copy(__file__ if b"text" in name else house / "subdirectory/inner.db", os.fsencode(house) + name)
    answer = listed(house, "--exclude", "cache", prefix=AS_ORDINARY_USER)["elsewhere"]
    found = ["one/History", "one/secret.sqlite", "one/two/three/x.bin", "subdirectory/inner.db"]
    found += ["\ufffd/caf\ufffd.db", "\ufffd/\ufffd"]
    assert answer == {"found": found, "is_whole": True, "unreadable": ["one/shut"]}
    answer = listed(house, "--include", "one", "--include", "subdirectory", prefix=AS_ORDINARY_USER)["elsewhere"]
    assert answer == {"found": found[-2:], "is_whole": True, "unreadable": []}


def test_names_of_every_kind_make_one_line_each(house):
    (house / "floor_plan/a\nb\x1b[31m").touch()
    (house / "one\n").mkdir()
    shutil.copy(house / "analytics.db", house / "one\n/x\r.db")
    lines = run("list", "--data", house).stdout.splitlines()
    [skipped] = [line for line in lines if line.startswith("skipped: ")]
    assert skipped.startswith("skipped: floor_plan/a?b?[31m (unsafe-name): ")
    assert "not looked at: one?/x?.db looks like a database, and its folder is not included" in lines


def test_it_writes_nothing_and_leaves_nothing_locked(house):
    before = {path: path.read_bytes() for path in house.glob("*.db")}
    assert listed(house)["complete"]
    assert {path: path.read_bytes() for path in house.glob("*.db")} == before
    for path in before:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        connection.close()


def test_a_directory_that_cannot_be_read_fails(tmp_path):
    ended = run("list", "--data", tmp_path / "nowhere")
    assert ended.returncode == 1 and ended.stdout == "" and len(ended.stderr.splitlines()) == 1
