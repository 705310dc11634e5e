"""`sluice backup`: the same zip without a server, as a file that is whole or is not there."""

import calendar
import fcntl
import hashlib
import os
import pty
import re
import resource
import signal
import subprocess
import time
import zipfile

import pytest

import harness
from archive import Archive
from client import Connection
from harness import run, serve, wait_until


def test_it_is_the_archive_that_the_server_gives(house, tmp_path):
    result = run("backup", "--data", house, "-o", tmp_path / "file.zip", "--app-version", "9", "--name", "home")
    assert (result.returncode, result.stderr) == (0, "")
    with serve(house, "--app-version", "9", "--name", "home") as server:
        served = Archive(server.get("/api/backup").body)
    file = Archive(tmp_path / "file.zip")
    assert file.names == served.names
    digests = [{name: entry["sha256"] for name, entry in archive.entries.items()} for archive in (file, served)]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("data", "options", "name"),
    [("home", [], "home"), ("home/", ["--name", "x"], "x"), (".", [], "home"), ("a b%ä", [], "a-b---"), ("..x", [], "x")],
)
def test_without_a_name_it_is_named_after_the_directory_and_the_second(house, tmp_path, data, options, name):
    directory = house.rename(tmp_path / (data if data.strip("./") != "" and data != "." else "home"))
    cwd, output = (directory, directory) if data == "." else (tmp_path, tmp_path)
    before = time.time()
    ended = run("backup", "--data", data, *options, cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    [file] = output.glob("*.zip")
    stamp = re.fullmatch(re.escape(name) + r"-backup-(\d{4}-\d\d-\d\dT\d{6}Z)\.zip", file.name)[1]
    made = calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H%M%SZ"))
    assert int(before) <= made <= time.time()
    assert Archive(file).manifest["complete"] and Archive(file).manifest["name"] == name
    # A second one on the same day stands beside the first.
    wait_until(lambda: int(time.time()) > made, "the next second")
    assert run("backup", "--data", data, *options, cwd=cwd).returncode == 0
    assert len(list(output.glob("*.zip"))) == 2


def test_without_a_name_an_incomplete_one_says_so(house, tmp_path):
    """So a restore from there passes it over."""
    assert run("backup", "--data", house, cwd=tmp_path).returncode == 0
    [whole] = tmp_path.glob("*.zip")
    whole.rename(whole := tmp_path / "home-backup-2026-01-01T000000Z.zip")
    (house / "gone.db").symlink_to("nowhere")
    ended = run("backup", "--data", house, "--name", "home", cwd=tmp_path)
    [file] = set(tmp_path.glob("*.zip")) - {whole}
    assert ended.returncode == 3 and re.fullmatch(r"home-backup-\d{4}-\d\d-\d\dT\d{6}Z-incomplete\.zip", file.name)
    assert ended.stdout.endswith(f"  {file.name}\n")
    (tmp_path / "back").mkdir()
    restored = run("restore", "--from", tmp_path, "--name", "home-backup", "--into", tmp_path / "back")
    assert restored.returncode == 0 and whole.name in restored.stdout + restored.stderr


def test_a_dash_is_standard_output(house):
    result = run("backup", "--data", house, "-o", "-", text=False)
    assert result.returncode == 0
    assert Archive(result.stdout).manifest["complete"]
    assert result.stderr.decode() == f"{hashlib.sha256(result.stdout).hexdigest()}  -\n"


@pytest.mark.parametrize("name", ["file.zip", "a file.zip", "a\\b\nc\rd\r\ne.zip"])
def test_the_digest_is_one_that_sha256sum_checks(house, tmp_path, name):
    result = run("backup", "--data", house, "-o", name, cwd=tmp_path, text=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert len(result.stdout.splitlines()) == 1
    ended = subprocess.run(["sha256sum", "--check", "--strict"], input=result.stdout, cwd=tmp_path, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    (tmp_path / name).write_bytes(b"another")
    ended = subprocess.run(["sha256sum", "--check", "--strict"], input=result.stdout, cwd=tmp_path, capture_output=True)
    assert ended.returncode == 1


def test_a_terminal_gets_no_archive(house):
    leader, follower = pty.openpty()
    result = run("backup", "--data", house, "-o", "-", capture_output=False, stdout=follower, stderr=subprocess.PIPE)
    os.close(follower)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1 and "terminal" in result.stderr
    with pytest.raises(OSError):  # EIO: nothing was written before the other side closed
        os.read(leader, 1)
    os.close(leader)


def test_progress_is_shown_on_a_terminal(reservoir, tmp_path):
    leader, follower = pty.openpty()
    arguments = ["backup", "--data", reservoir, "-o", tmp_path / "file.zip"]
    process = subprocess.Popen([harness.SLUICE, *arguments], stderr=follower)
    os.close(follower)
    shown = b""
    try:
        while data := os.read(leader, 4096):
            shown += data
    except OSError:  # EIO: the process has ended
        pass
    os.close(leader)
    assert process.wait() == 0
    assert b"%" in shown and b"\r" in shown
    assert b"\n" not in shown, "progress is one line"


def test_what_was_skipped_is_said_and_is_status_3(house, tmp_path):
    (house / "link.db").symlink_to("events.db")
    result = run("backup", "--data", house, "-o", tmp_path / "file.zip")
    assert result.returncode == 3
    [line] = result.stderr.splitlines()
    assert "link.db" in line and "symbolic-link" in line
    assert "link.db" in Archive(tmp_path / "file.zip").skipped


def test_strict_leaves_no_file_and_is_status_1(house, tmp_path):
    (house / "link.db").symlink_to("events.db")
    result = run("backup", "--data", house, "--strict", "-o", tmp_path / "file.zip")
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert "link.db" in line and "strict" in line
    assert not list(tmp_path.glob("*.zip*")) and not list(tmp_path.glob(".*"))


def test_a_file_that_is_there_is_replaced_when_the_new_one_is_whole(house, tmp_path):
    file = tmp_path / "file.zip"
    file.write_text("the backup of yesterday")
    assert run("backup", "--data", house, "-o", file).returncode == 0
    assert Archive(file).manifest["complete"]


def start_large_backup(large, directory, prefix=()):
    """A backup in the middle of its work: something of it is on the disk already."""
    file = directory / "file.zip"
    file.write_text("the backup of yesterday")
    arguments = ["backup", "--data", large, "-o", file, "--compression", "best"]
    process = subprocess.Popen([*prefix, harness.SLUICE, *arguments], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(other.stat().st_size for other in directory.iterdir() if other != file), "a partial file")
    return process, file


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_everything_as_it_was(large, tmp_path, number):
    process, file = start_large_backup(large, tmp_path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert len(errors.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip"]
    assert file.read_text() == "the backup of yesterday"


def test_a_terminal_that_closes_is_ignored_under_nohup(large, tmp_path):
    process, file = start_large_backup(large, tmp_path, prefix=["nohup"])

    def written():
        return sum(path.stat().st_size for path in tmp_path.iterdir())

    process.send_signal(signal.SIGHUP)
    before = written()
    # It goes on: only a later signal ends it.
    wait_until(lambda: written() > before + (4 << 20), "more of it")
    process.terminate()
    process.communicate(timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip"]


def test_even_a_kill_leaves_no_partial_file_under_that_name(large, tmp_path):
    process, file = start_large_backup(large, tmp_path)
    process.kill()
    process.communicate(timeout=60)
    assert file.read_text() == "the backup of yesterday"
    for other in set(tmp_path.iterdir()) - {file}:
        assert not other.name.endswith(".zip") and not zipfile.is_zipfile(other)


def test_what_a_killed_backup_has_left_goes_with_the_next_one(house, large, tmp_path):
    (folder := tmp_path / "folder").mkdir()
    process, file = start_large_backup(large, folder)
    [left] = set(folder.iterdir()) - {file}
    with left.open() as open_file, pytest.raises(BlockingIOError):
        fcntl.flock(open_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    process.kill()
    process.communicate(timeout=60)
    assert run("backup", "--data", house, "-o", file).returncode == 0
    assert left.exists(), "it may belong to one that runs, on a file system without locks"
    empty, locked, notes, inner, link = others = [folder / f".sluice-{name}.partial" for name in "12345"]
    empty.touch()
    locked.write_bytes(left.read_bytes()[:100])
    notes.write_text("no archive")
    inner.mkdir()
    link.symlink_to(left)
    for path in (left, *others):
        os.utime(path, (time.time() - 4000,) * 2, follow_symlinks=False)
    with locked.open() as open_file:
        fcntl.flock(open_file, fcntl.LOCK_EX)
        assert run("backup", "--data", house, "-o", file).returncode == 0
    assert set(folder.iterdir()) == {file, locked, notes, inner, link}
    assert run("backup", "--data", house, cwd=folder).returncode == 0
    assert not locked.exists()


def test_a_full_disk_leaves_nothing(house, tmp_path):
    def limit_file_size():
        # As it is for a service; a program that Python starts has it ignored.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    result = run("backup", "--data", house, "-o", tmp_path / "file.zip", preexec_fn=limit_file_size)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1 and "file.zip" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["house"]


def test_an_output_that_takes_nothing_is_status_1(house):
    with open("/dev/full", "wb") as full:
        result = run("backup", "--data", house, "-o", "-", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1


def test_a_reader_that_leaves_is_status_1(reservoir):
    process = subprocess.Popen(
        [harness.SLUICE, "backup", "--data", reservoir, "-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(1000)
    process.stdout.close()
    assert process.wait(10) == 1
    assert len(process.stderr.read().splitlines()) == 1
    process.stderr.close()


def test_a_directory_that_is_not_there_is_status_1(house, tmp_path):
    result = run("backup", "--data", house, "-o", tmp_path / "nowhere/file.zip")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1 and "nowhere" in result.stderr


def test_the_file_is_for_its_owners_eyes_alone(house, tmp_path):
    run("backup", "--data", house, "-o", tmp_path / "file.zip", umask=0o022)
    assert (tmp_path / "file.zip").stat().st_mode & 0o077 == 0


def test_version_and_help():
    version = run("--version")
    assert version.returncode == 0 and version.stdout.startswith("sluice ")
    for command in ([], ["serve"], ["backup"]):
        result = run(*command, "--help")
        assert result.returncode == 0 and result.stderr == ""
        assert "example" in result.stdout.lower() and "sluice" in result.stdout
    flags = ["data", "listen", "name", "app-version", "include", "compression", "strict", "max-backups",
             "memory-budget", "spool-directory", "busy-timeout", "stall-timeout", "max-snapshot-age",
             "max-wal-growth", "drain-timeout"]  # fmt: skip
    text = run("serve", "--help").stdout
    assert [flag for flag in flags if f"--{flag}" not in text] == []


def test_the_default_address_is_local(house):
    """It may be taken on this machine: then the line that says so names it."""
    process = subprocess.Popen(
        [harness.SLUICE, "serve", "--data", house], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    line = process.stdout.readline()
    assert "127.0.0.1:8080" in line
    if "http://" in line:
        with Connection(("127.0.0.1", 8080)) as connection:
            assert connection.answer("GET", "/healthz").status == 200
    process.terminate()
    process.communicate(timeout=20)
