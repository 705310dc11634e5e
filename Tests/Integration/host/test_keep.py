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
        *[f"remove {name}" for name in reversed(names[:14])],
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
        ([], "give --last, --daily, --weekly or --monthly"),
        (["--last", "0", "--daily", "0"], "give --last, --daily, --weekly or --monthly"),
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
