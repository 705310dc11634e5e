"""`verify` and `restore` end: when they are told to, whatever SQLite does just then, and when a check takes too long."""

import os
import signal
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest

import data as make
from harness import SLUICE, run, threads, wait_until
from restoring import backup, small, tree
from volumes import mounted

# An expression that takes SQLite hours in a single step, which nothing can interrupt.
ENDLESS = "instr(zeroblob(50000000), zeroblob(20000000) || x'01')"


def hostile(directory, *names):
    directory.mkdir()
    for name in names:
        connection = sqlite3.connect(directory / name, isolation_level=None)
        connection.create_function("instr", 2, lambda *_: 1, deterministic=True)
        # One is for integrity_check alone, the other for quick_check, too.
        connection.execute(f"CREATE TABLE t(a, b AS ({ENDLESS}) NOT NULL)")
        connection.execute(f"CREATE INDEX i ON t({ENDLESS})")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("CREATE TABLE filling(content)")
        connection.execute("INSERT INTO filling VALUES (randomblob(5000000))")
        connection.close()
    return directory


def test_a_check_that_takes_too_long_is_no_verdict(tmp_path):
    archive = backup(hostile(tmp_path / "source", "a.db", "b.db"), tmp_path / "x.zip")
    (tmp_path / "spool").mkdir()
    result = run("verify", archive, "--check-timeout", "100ms", "--spool-directory", tmp_path / "spool")
    assert result.returncode == 4
    lines = result.stdout.splitlines()
    assert "a.db" in lines[0] and "NOT CHECKED: not finished within" in lines[0]
    assert "b.db" in lines[1] and "NOT CHECKED: not begun" in lines[1]
    assert "VERSION" in lines[2] and lines[2].endswith(": ok")
    assert "NOT FINISHED" in lines[-1] and "--check-timeout" in lines[-1]
    assert not list((tmp_path / "spool").iterdir())


@pytest.fixture
def endless_first(tmp_path):
    """An archive of a database whose check has no end, and of three others behind it."""
    hostile(tmp_path / "source", "a.db")
    for name in ("b.db", "c.db", "d.db"):
        make.bulk(tmp_path / "source" / name, make.WAL, 2)
    (tmp_path / "spool").mkdir()
    return backup(tmp_path / "source", tmp_path / "x.zip").read_bytes()


def test_a_check_that_takes_long_keeps_no_sender_waiting(endless_first, tmp_path):
    """A service gives a client up that reads nothing for a minute."""
    command = [SLUICE, "verify", "-", "--check-timeout", "1h", "--spool-directory", tmp_path / "spool"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sender = threading.Thread(target=process.stdin.buffer.write, args=(endless_first,), daemon=True)
    try:
        sender.start()
        wait_until(lambda: "check" in threads(process.pid).values(), "a check")
        wait_until(lambda: not sender.is_alive(), "all to be read")
        assert process.poll() is None and "check" in threads(process.pid).values()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    finally:
        process.kill()  # its check has no end
    assert process.returncode == 1 and output == "" and "interrupted" in errors
    assert os.listdir(tmp_path / "spool") == []


def test_databases_that_wait_for_a_check_make_room_for_the_next(endless_first, tmp_path):
    with mounted(tmp_path / "spool", "-t", "tmpfs", "-o", "size=8m", "tmpfs"):
        # From a pipe, how large one is stands behind it.
        result = run("verify", "-", "--check-timeout", "1s", "--spool-directory", tmp_path / "spool", text=False, input=endless_first)
        assert result.returncode == 4, result.stderr
        for reason, count in ((b"not finished within", 1), (b"not begun", 3)):
            assert result.stdout.count(b"NOT CHECKED: " + reason) == count
        assert os.listdir(tmp_path / "spool") == []


def test_a_restore_does_not_go_on_without_a_verdict(tmp_path):
    archive = backup(hostile(tmp_path / "source", "a.db"), tmp_path / "x.zip")
    target = small(tmp_path / "target", "old")
    before = tree(target)
    result = run("restore", archive, "--into", target, "--force", "--check-timeout", "100ms")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert "a.db is not known to be whole, and nothing was restored" in result.stderr
    assert "--check-timeout" in result.stderr
    assert tree(target) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["verify", "restore"])
def test_a_signal_ends_it_inside_sqlite(tmp_path, command, number):
    archive = backup(hostile(tmp_path / "source", "a.db"), tmp_path / "x.zip")
    for name in ("target", "spool"):
        (tmp_path / name).mkdir()
    options = {"verify": ["--spool-directory", tmp_path / "spool"], "restore": ["--into", tmp_path / "target"]}[command]
    process = subprocess.Popen([SLUICE, command, archive, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: "check" in threads(process.pid).values(), "a check")
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 1 and output == "" and "interrupted" in errors
    assert os.listdir(tmp_path / "spool") == os.listdir(tmp_path / "target") == []


def takes_signals(pid):
    """Whether it keeps SIGINT from its default action: proc(5)."""
    [line] = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigBlk:"))
    return int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1


@pytest.mark.parametrize("begun", [False, True], ids=["nothing came", "a part came"])
def test_a_signal_ends_the_wait_for_a_pipe(tmp_path, begun):
    archive = backup(small(tmp_path / "source", "new"), tmp_path / "x.zip").read_bytes()
    reading, writing = os.pipe()
    process = subprocess.Popen([SLUICE, "verify", "-"], stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(reading)
    if begun:
        os.write(writing, archive[:2000])
    wait_until(lambda: takes_signals(process.pid), "it takes signals")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    os.close(writing)
    assert process.returncode == 1 and output == "" and "interrupted" in errors


def test_a_signal_that_a_script_sends_to_its_background_job_counts(tmp_path):
    """A shell without job control lets it ignore SIGINT. The archive is a FIFO that no process writes to."""
    os.mkfifo(tmp_path / "fifo")
    script = f"{SLUICE} verify {tmp_path}/fifo & echo $!; wait $!; echo status $?"
    shell = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pid = int(shell.stdout.readline())
    wait_until(lambda: "sluice" in os.readlink(f"/proc/{pid}/exe") and takes_signals(pid), "it takes signals")
    os.kill(pid, signal.SIGINT)
    output, errors = shell.communicate(timeout=20)
    assert output == "status 1\n" and "interrupted" in errors


def test_a_memory_limit_is_no_damage(tmp_path):
    """An index entry that SQLite may not allocate; the bytes are sound."""
    source = tmp_path / "source"
    source.mkdir()
    connection = sqlite3.connect(source / "x.db", isolation_level=None)
    connection.execute("CREATE TABLE t(a)")
    connection.execute("CREATE INDEX i ON t(hex(a))")
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t(hex(zeroblob(400000000)))' WHERE name = 'i'")
    connection.close()
    result = run("verify", backup(source, tmp_path / "x.zip"))
    assert result.returncode == 0 and "not fully checked" in result.stdout.splitlines()[0], result.stdout
