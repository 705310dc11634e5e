"""`sluice keep`: which backups are removed, and that nothing else in the directory ever is."""

import os
import subprocess

import pytest

from harness import AS_ORDINARY_USER, run
from pulling import old_backup
from restoring import backup, small, tree


def nights(directory, count, month="2026-11", **more):
    names = []
    for day in range(1, count + 1):
        name = f"backup-{month}-{day:02}T030000Z.zip"
        old_backup(directory / name, f"{month}-{day:02}T03:00:00Z", **more)
        names.append(name)
    return names


def keep(directory, *arguments, **options):
    return run("keep", directory, *arguments, **options)


def test_a_dry_run_shows_the_plan_and_changes_nothing(tmp_path):
    names = nights(tmp_path, 16)
    before = tree(tmp_path)
    result = keep(tmp_path, "--last", "2", "--weekly", "2", "--monthly", "2", "--dry-run")
    assert (result.returncode, result.stderr) == (0, "")
    # 2026-11-15 was a Sunday.
    assert result.stdout.splitlines() == [
        f"keep {names[15]}: last, weekly, monthly", f"keep {names[14]}: last, weekly",
        *[f"remove {name}: last: 2 newer backups; weekly: {'not the newest of its week' if n not in (0, 7) else '2 newer weeks'}; "
          "monthly: not the newest of its month" for n, name in reversed(list(enumerate(names[:14])))],
    ]  # fmt: skip
    assert tree(tmp_path) == before


def test_what_the_rules_do_not_keep_is_removed(tmp_path):
    names = nights(tmp_path, 16)
    result = keep(tmp_path, "--last", "2", "--daily", "3")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [f"removed {name}" for name in names[:13]]
    assert sorted(os.listdir(tmp_path)) == names[13:]
    again = keep(tmp_path, "--last", "2", "--daily", "3")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_each_tier_is_named_and_its_backup_is_promoted(tmp_path):
    """The same nights with a run after each, and with one run at the end; what stands for a period stays until the end."""
    tiers = ["--last", "2", "--hourly", "2", "--daily", "3", "--weekly", "2", "--monthly", "2", "--yearly", "2"]
    times = [f"2025-12-{day:02}T03:00:00Z" for day in (29, 30, 31)]
    times += [f"2026-{month:02}-{day:02}T{hour:02}:30:00Z" for month in (1, 2) for day in (7, 8, 26, 27, 28) for hour in (3, 3 + day % 2)]
    times = sorted({*times, "2026-02-28T03:40:00Z"})
    (nightly := tmp_path / "nightly").mkdir()
    (at_once := tmp_path / "at once").mkdir()
    for time in times:
        for directory in (nightly, at_once):
            old_backup(directory / f"backup-{time.replace(':', '')}.zip", time)
        assert keep(nightly, *tiers).returncode == 0
    lines = keep(at_once, *tiers, "--dry-run").stdout.splitlines()
    assert keep(at_once, *tiers).returncode == 0
    assert sorted(os.listdir(nightly)) == sorted(os.listdir(at_once))
    kept = {line.split()[1].rstrip(":"): line.partition(": ")[2] for line in lines if line.startswith("keep ")}
    assert kept == {
        "backup-2026-02-28T034000Z.zip": "last, hourly, daily, weekly, monthly, yearly",
        "backup-2026-02-28T033000Z.zip": "last",
        "backup-2026-02-27T043000Z.zip": "hourly, daily",
        "backup-2026-02-26T033000Z.zip": "daily",
        "backup-2026-02-08T033000Z.zip": "weekly",
        "backup-2026-01-28T033000Z.zip": "monthly",
        "backup-2025-12-31T030000Z.zip": "yearly",
    }
    assert "remove backup-2026-02-27T033000Z.zip: last: 2 newer backups; hourly: 2 newer hours; daily: not the newest of its day; weekly: not the newest of its week; monthly: not the newest of its month; yearly: not the newest of its year" in lines  # fmt: skip


def test_a_backup_from_the_future_takes_no_place_when_its_time_has_come(tmp_path):
    """Once a run has seen it in the future, its inode was changed before the time of its content, and that stays so."""
    names = nights(tmp_path, 3)
    future = tmp_path / "backup-2036-11-28T030000Z.zip"
    old_backup(future, "2036-11-28T03:00:00Z")
    os.chmod(future, 0o640)
    result = keep(tmp_path, "--last", "1", "--dry-run")
    assert f"keep {future.name}: dated in the future by both clocks" in result.stdout.splitlines()
    changed = future.stat().st_ctime_ns
    assert keep(tmp_path, "--last", "1").returncode == 0
    assert sorted(os.listdir(tmp_path)) == [names[2], future.name]
    status = future.stat()
    assert changed < status.st_ctime_ns < status.st_mtime_ns and status.st_mode & 0o7777 == 0o640
    # One that has such an inode, and whose time has come by its manifest.
    marked = tmp_path / "backup-2026-11-20T030000Z.zip"
    old_backup(marked, "2026-11-20T03:00:00Z", modified="2036-11-28T03:00:00Z")
    assert keep(tmp_path, "--last", "1").returncode == 0
    assert sorted(os.listdir(tmp_path)) == [names[2], marked.name, future.name]


def test_names_and_clocks_may_lie(tmp_path):
    """The name is only a name: a backup is as old as its manifest and its file say, the younger of both."""
    nights(tmp_path, 3)
    old_backup(tmp_path / "backup-2000-01-01T000000Z.zip", "2026-11-20T03:00:00Z")
    # The server's clock had stopped; the file's time is right.
    old_backup(tmp_path / "backup-1970-01-01T000000Z.zip", "1970-01-01T00:00:00Z", modified="2026-11-21T03:00:00Z")
    # The file was copied without its time; the manifest is right.
    old_backup(tmp_path / "backup-2026-11-22T030000Z.zip", "2026-11-22T03:00:00Z", modified="2020-01-01T00:00:00Z")
    assert keep(tmp_path, "--last", "2").returncode == 0
    assert sorted(os.listdir(tmp_path)) == [
        "backup-1970-01-01T000000Z.zip", "backup-2000-01-01T000000Z.zip", "backup-2026-11-22T030000Z.zip",
    ]  # fmt: skip


def test_foreign_files_are_never_touched(tmp_path):
    directory = tmp_path / "kept"
    directory.mkdir()
    names = nights(directory, 4)
    for name in (
        "backup.zip", "backup-incomplete.zip", "other-2026-11-01T030000Z.zip", "backup-2026-11-01.zip",
        "backup-2026-11-01T030000Z.zip.old", "app-backup-2026-11-01T030000Z.zip", "Backup-2026-11-01T030000Z.zip",
    ):  # fmt: skip
        old_backup(directory / name, "2020-01-01T00:00:00Z")
    (directory / "backup-2019-01-01T030000Z.zip").mkdir()
    (directory / "backup-2019-01-02T030000Z.zip").symlink_to(names[3])
    os.mkfifo(directory / "backup-2019-01-03T030000Z.zip")
    (directory / os.fsdecode(b"backup-2019-01-04T030000Z\xff.zip")).write_text("")
    before = set(os.listdir(directory))
    result = keep(directory, "--last", "1")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [f"removed {name}" for name in names[:3]]
    assert set(os.listdir(directory)) == before - set(names[:3])


@pytest.mark.parametrize("what", ["empty", "cut short", "no manifest", "another manifest", "an entry is missing", "unreadable"])
def test_what_says_nothing_of_itself_is_left_and_takes_no_place(tmp_path, what):
    directory = tmp_path / "kept"
    directory.mkdir()
    names = nights(directory, 3)
    unjudged = directory / "backup-2026-11-09T030000Z.zip"
    if what == "another manifest":
        old_backup(unjudged, "2026-11-09T03:00:00Z", format=2)
    elif what == "an entry is missing":
        entry = {"path": "x", "kind": "file", "size": 3, "sha256": "", "crc32": "", "modified": ""}
        old_backup(unjudged, "2026-11-09T03:00:00Z", entries=[entry])
    else:
        content = backup(small(tmp_path / "data", "word"), tmp_path / "archive.zip").read_bytes()
        content = {"empty": b"", "cut short": content[:-1]}.get(what, content)
        if what == "no manifest":
            content = content.replace(b"MANIFEST.json", b"MANIFEST.jsoN")
        unjudged.write_bytes(content)
    if what == "unreadable":
        unjudged.chmod(0)
    result = keep(directory, "--last", "1", prefix=AS_ORDINARY_USER)
    assert (result.returncode, result.stderr) == (0, "")
    first, *removed = result.stdout.splitlines()
    assert first.startswith(f"left {unjudged.name}: ")
    assert removed == [f"removed {name}" for name in names[:2]]
    assert sorted(os.listdir(directory)) == [names[2], unjudged.name]


def test_real_backups_are_judged_by_what_is_inside(tmp_path):
    data, kept = small(tmp_path / "data", "word"), tmp_path / "kept"
    kept.mkdir()
    names = [f"backup-2026-11-0{day}T030000Z.zip" for day in (1, 2, 3, 4)]
    for name in names[:2]:
        backup(data, kept / name)
    # An application that starts again with an empty database.
    (data / "a.db").unlink()
    subprocess.run(["sqlite3", data / "a.db", "PRAGMA user_version=1"], check=True)
    backup(data, kept / names[2])
    result = keep(kept, "--last", "1")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"sluice: nothing is removed: {names[2]} lacks what {names[1]} has: a.db (absent or without a table); "
        "if that is meant, add --gone a.db\n"
    )
    assert sorted(os.listdir(kept)) == names[:3]
    assert keep(kept, "--last", "1", "--dry-run").returncode == 1
    assert keep(kept, "--last", "1", "--gone", "b.db").returncode == 1
    # What is excluded is not lost.
    backup(data, kept / names[3], "--exclude", "a.db")
    assert keep(kept, "--last", "9").returncode == 0
    (kept / names[3]).unlink()
    assert keep(kept, "--last", "1", "--gone", "a.*").returncode == 0
    assert os.listdir(kept) == [names[2]]


def test_many_lost_databases_are_not_all_named(tmp_path):
    old_backup(tmp_path / "backup-2026-11-01T030000Z.zip", "2026-11-01T03:00:00Z", {f"{n}.db": 2 for n in range(9)})
    old_backup(tmp_path / "backup-2026-11-02T030000Z.zip", "2026-11-02T03:00:00Z")
    assert ": 0.db, 1.db, 2.db, 3.db, 4.db and 4 more (" in keep(tmp_path, "--last", "1").stderr


def test_backups_of_another_name_have_a_series_of_their_own(tmp_path):
    nights(tmp_path, 3)
    for day in (1, 2, 3):
        old_backup(tmp_path / f"app-backup-2026-11-0{day}T030000Z.zip", f"2026-11-0{day}T03:00:00Z")
    assert keep(tmp_path, "--name", "app-backup", "--last", "1").returncode == 0
    assert len(os.listdir(tmp_path)) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --last, --hourly, --daily, --weekly, --monthly or --yearly"),
        (["--last", "0", "--daily", "0"], "give --last, --hourly, --daily, --weekly, --monthly or --yearly"),
        (["--last", "-1"], "--last"),
        (["--last", "x"], "--last"),
        (["--last", "1", "--name", ""], "--name"),
        (["--last", "1", "--name", "a/b"], "--name a/b"),
    ],
)
def test_wrong_options_are_named(tmp_path, arguments, words):
    names = nights(tmp_path, 2)
    result = keep(tmp_path, *arguments)
    assert (result.returncode, result.stdout) == (64, "")
    assert words in result.stderr
    assert sorted(os.listdir(tmp_path)) == names


def test_a_directory_that_is_none_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for name, reason in (("nowhere", "No such file or directory"), ("file", "Not a directory")):
        result = keep(tmp_path / name, "--last", "1")
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr == f"sluice: {tmp_path / name} cannot be read: {reason} (open)\n"


def test_what_may_not_be_removed_is_an_error(tmp_path):
    names = nights(tmp_path, 3)
    tmp_path.chmod(0o500)
    result = keep(tmp_path, "--last", "1", prefix=AS_ORDINARY_USER)
    tmp_path.chmod(0o700)
    assert (result.returncode, result.stdout) == (1, "")
    assert "an old backup cannot be removed: Permission denied (unlinkat)" in result.stderr
    assert sorted(os.listdir(tmp_path)) == names
