"""`sluice restore --from`: the newest backup that verifies, from a directory and from real stores of restic, borg and rclone."""

import os
import shutil
import subprocess

import pytest

from harness import run
from restoring import backup, small, tree, words

NAMES = [f"backup-2026-11-2{day}T030000Z.zip" for day in (5, 6, 7)]


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Three nights, each of which says its own name."""
    path = tmp_path_factory.mktemp("nights")
    for name in NAMES:
        backup(small(path / f"data of {name}", name), path / name)
    return path


@pytest.fixture
def kept(archives, tmp_path):
    return shutil.copytree(archives, tmp_path / "kept")


@pytest.fixture
def into(tmp_path):
    (path := tmp_path / "into").mkdir()
    return path


@pytest.fixture
def spool(tmp_path):
    (path := tmp_path / "spool").mkdir()
    return path


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def take(source, into, *arguments, **options):
    return run("restore", "--from", source, "--into", into, *arguments, **options)


def said(directory):
    return set(words(directory).values())


def test_a_directory_is_listed_and_its_newest_is_restored(kept, into):
    (kept / "backup-2026-11-28T030000Z-incomplete.zip").write_bytes((kept / NAMES[0]).read_bytes())
    (kept / "other-2026-11-28T030000Z.zip").write_text("another series")
    (kept / "backup-2026-11-28T040000Z.zip").mkdir()
    listed = run("restore", "--from", kept, "--list")
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = [line.split("  ") for line in listed.stdout.splitlines()]
    assert [line[0] for line in lines] == ["backup-2026-11-28T030000Z-incomplete.zip", *reversed(NAMES)]
    assert lines[0][1] == "2026-11-28T03:00:00Z" and lines[0][3:] == ["incomplete"]
    result = take(kept, into)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == f"restoring from {NAMES[2]}"
    assert result.stderr == (
        "sluice: backup-2026-11-28T030000Z-incomplete.zip is passed over: incomplete; --at 2026-11-28T03:00:00Z takes it\n"
    )
    assert said(into) == {NAMES[2]}


@pytest.mark.parametrize(
    ("at", "night"),
    [
        ("2026-11-27T02:59:59Z", 1), ("2026-11-27T04:00:00+01:00", 2), ("2026-11-27T03:59:59+01:00", 1),
        ("2026-11-26T030000Z", 1), ("2026-11-26T00:00:00-05:30", 1), ("2026-11-25T23:00:00-05:00", 1), ("2036-01-01T00:00:00Z", 2),
    ],
)  # fmt: skip
def test_a_time_chooses_the_newest_before_it(kept, into, at, night):
    result = take(kept, into, "--at", at, "--dry-run")
    assert (result.returncode, result.stdout.splitlines()[0]) == (0, f"from {NAMES[night]}")
    assert tree(into) == {}


def test_what_is_dated_in_the_future_is_no_newest_and_can_be_chosen(kept, into):
    shutil.copy(kept / NAMES[0], kept / "backup-2036-11-28T030000Z.zip")
    result = take(kept, into, "--dry-run")
    assert f"from {NAMES[2]}\n" in result.stdout
    assert "backup-2036-11-28T030000Z.zip is passed over: dated in the future; --at 2036-11-28T03:00:00Z takes it" in result.stderr
    assert "from backup-2036-11-28T030000Z.zip\n" in take(kept, into, "--at", "2036-11-28T03:00:00Z", "--dry-run").stdout


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_damaged_one_is_named_and_the_next_older_one_is_taken(kept, into, options):
    damage(kept / NAMES[2])
    result = take(kept, into, *options)
    assert result.returncode == 5
    assert f"sluice: {NAMES[2]} does not verify: the archive is damaged, and nothing was restored: " in result.stderr
    if not options:
        assert said(into) == {NAMES[1]}
    (kept / NAMES[1]).write_bytes(b"")
    (kept / NAMES[0]).write_text("no zip")
    before = tree(into)
    result = take(kept, into, "--force", *options)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f"sluice: none of 3 backups in {kept} verifies, and nothing was restored"
    assert tree(into) == before


def test_an_error_that_is_not_the_archive_s_takes_no_older_one(kept, into):
    (into / "a.db").write_text("there already")
    result = take(kept, into)
    assert result.returncode == 1 and "--force" in result.stderr and "does not verify" not in result.stderr
    assert NAMES[1] not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--into", "{into}"], 64, "give an archive, or --from"),
        (["{kept}/x.zip", "--from", "{kept}", "--into", "{into}"], 64, "give an archive, or --from"),
        (["x.zip", "--list"], 64, "--list: give --from, too"),
        (["x.zip", "--at", "2026-11-28T03:00:00Z", "--into", "{into}"], 64, "--at: give --from, too"),
        (["--from", "restic:", "--list"], 64, "--from restic:: give a directory, restic:REPO"),
        (["--from", "{kept}", "--at", "yesterday", "--list"], 64, "give a time such as 2026-11-28T03:15:00Z"),
        (["--from", "{kept}"], 64, "--into"),
        (["--from", "rclone:http://user:secret@[/x", "--list"], 1, "--from rclone:http://[/x: rclone: "),
        (["--from", "{kept}/nowhere", "--list"], 1, "--from {kept}/nowhere: No such file or directory"),
        (["--from", "{kept}", "--name", "other", "--into", "{into}"], 1, "there is no backup named other-… in {kept}"),
        (["--from", "{kept}", "--at", "2020-01-01T00:00:00Z", "--into", "{into}"], 1, "there is no backup named backup-… in {kept} at or before that time"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(kept, into, arguments, status, words):
    result = run("restore", *(argument.format(kept=kept, into=into) for argument in arguments))
    assert (result.returncode, result.stdout) == (status, "")
    assert words.format(kept=kept, into=into) in result.stderr and "secret" not in result.stderr
    assert tree(into) == {}


class Store:
    """A real store, as the program that keeps it sees it."""

    def __init__(self, program, path, monkeypatch):
        self.program, self.path = program, path / "store"
        # A password and a cache of the program's own.
        for name, value in {
            "RESTIC_PASSWORD": "secret", "BORG_PASSPHRASE": "secret", "BORG_BASE_DIR": path / "borg", "XDG_CACHE_HOME": path / "cache",
            "RCLONE_CONFIG": path / "rclone.conf",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, str(value))
        self.source = f"{program}:{':local:' if program == 'rclone' else ''}{self.path}"
        match program:
            case "restic":
                self.do("-q", "-r", self.path, "init")
            case "borg":
                self.do("init", "--encryption=repokey", self.path)
            case "rclone":
                self.path.mkdir()

    def do(self, *arguments, **options):
        subprocess.run([self.program, *map(str, arguments)], check=True, capture_output=True, **options)

    def keep(self, archive):
        with archive.open() as content:
            match self.program:
                case "restic":
                    self.do("-q", "-r", self.path, "backup", "--stdin", "--stdin-filename", archive.name, stdin=content)
                case "borg":
                    self.do("create", f"{self.path}::{archive.name}", "-", stdin=content)
                case "rclone":
                    self.do("rcat", f"{self.path}/{archive.name}", stdin=content)


@pytest.mark.parametrize("program", ["restic", "borg", "rclone"])
def test_the_newest_comes_through_the_program_that_keeps_it(program, archives, tmp_path, into, spool, monkeypatch):
    if not shutil.which(program):
        pytest.skip(f"no {program}")
    store = Store(program, tmp_path, monkeypatch)
    store.keep(archives / NAMES[1])
    # A cut stream that the program took for a backup.
    (cut := tmp_path / NAMES[2]).write_bytes((archives / NAMES[2]).read_bytes()[:-100])
    store.keep(cut)
    listed = run("restore", "--from", store.source, "--list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line.split("  ")[0] for line in listed.stdout.splitlines()] == [NAMES[2], NAMES[1]]
    result = take(store.source, into, "--spool-directory", spool)
    assert result.returncode == 5 and said(into) == {NAMES[1]}
    [line] = result.stderr.splitlines()
    assert line.startswith(f"sluice: {NAMES[2]} does not verify: ") and "/proc/" not in line
    # The store is away.
    os.rename(store.path, tmp_path / "away")
    before = tree(into)
    result = take(store.source, into, "--spool-directory", spool, "--force")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"sluice: --from {store.source}: {program}: ")
    assert "secret" not in result.stderr
    assert tree(into) == before and os.listdir(spool) == []


def test_a_program_that_fails_half_way_gives_nothing(archives, tmp_path, into, spool):
    """It has written half of the archive, and the store is there: the next older one is taken, and nothing is left."""
    (bin := tmp_path / "bin").mkdir()
    script = f"""#!/bin/sh
case "$*" in
  *snapshots*) echo '[{{"id":"1","paths":["/{NAMES[1]}"]}},{{"id":"2","paths":["/{NAMES[2]}"]}}]' ;;
  *{NAMES[2]}) head -c 500 '{archives / NAMES[2]}'; echo 'pack 77 is damaged' >&2; exit 1 ;;
  *) cat '{archives / NAMES[1]}' ;;
esac
"""
    (bin / "restic").write_text(script)
    (bin / "restic").chmod(0o755)
    environment = os.environ | {"PATH": f"{bin}:{os.environ['PATH']}"}
    result = take("restic:/r", into, "--spool-directory", spool, env=environment)
    assert (result.returncode, result.stderr) == (5, f"sluice: {NAMES[2]} does not verify: restic: pack 77 is damaged\n")
    assert said(into) == {NAMES[1]} and os.listdir(spool) == []
    empty = os.environ | {"PATH": str(tmp_path / "nothing")}
    result = take("restic:/r", into, env=empty)
    assert result.returncode == 1 and "restic cannot be run: No such file or directory (posix_spawnp); install restic" in result.stderr


def test_a_spool_that_is_full_says_nothing_of_the_backup(tmp_path, into, spool):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", spool], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (bin := tmp_path / "bin").mkdir()
        names = ",".join(f'{{"id":"{name}","paths":["/{name}"]}}' for name in NAMES)
        (bin / "restic").write_text(f"""#!/bin/sh\ncase "$*" in *snapshots*) echo '[{names}]' ;; *) head -c 3000000 /dev/zero ;; esac\n""")
        (bin / "restic").chmod(0o755)
        environment = os.environ | {"PATH": f"{bin}:{os.environ['PATH']}"}
        result = take("restic:/r", into, "--spool-directory", spool, env=environment)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr == f"sluice: --spool-directory {spool}: it has no room for the archive\n"
        assert os.listdir(spool) == []
    finally:
        subprocess.run(["umount", spool], check=True)
