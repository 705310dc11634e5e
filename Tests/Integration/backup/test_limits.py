"""Past the first byte there is only the whole archive or a connection that is broken off, for all to see."""

import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from contextlib import suppress

import pytest

import data as make
from archive import Archive
from client import BROKEN_OFF, connect
from harness import serve, wait_until
from measure import truncates, wait_until_still
from metrics import samples

MEBIBYTE = 1 << 20
BROKEN_CURL = {18, 56}  # CURLE_PARTIAL_FILE, CURLE_RECV_ERROR


def curl(server, *options, compression="store"):
    """A curl whose output is not taken until `end_of` does."""
    command = ["curl", "-sS", *options, f"{server.url}/api/backup?compression={compression}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.read(1000)
    return process


def end_of(process):
    process.communicate(timeout=30)
    return process.returncode


def assert_broken_off(server, process, reason, *, is_stopped=True):
    """The client knows, the log knows why, once, and everything is free again."""
    if is_stopped:
        server.wait_for_line("backup failed")
    assert end_of(process) in BROKEN_CURL
    server.wait_for_line("backup failed")
    wait_until(lambda: server.get("/healthz").json()["running_backups"] == 0, "the end of the backup")
    assert server.get("/healthz").json()["last_backup"]["outcome"] == "failed"
    [line] = [line for line in server.lines if "backup failed" in line]
    assert re.search(reason, line), line


# A client of HTTP/1.0 that was given no length has nothing but the reset to tell it.
@pytest.mark.parametrize("http", ["--http1.1", "--http1.0"])
@pytest.mark.parametrize("compression", ["store", "fast"])
def test_a_client_that_takes_nothing_for_too_long_is_cut_off(reservoir, http, compression):
    with serve(reservoir, "--stall-timeout", "500ms", "--resume-grace", "0s") as server:
        process = curl(server, http, compression=compression)
        assert_broken_off(server, process, "stall")


@pytest.mark.parametrize("before", [b"", b"GET /none HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"])
def test_an_answer_of_no_stated_length_over_a_unix_socket_does_not_just_end(reservoir, tmp_path, before):
    """A Unix socket has no reset: an end of stream would be all that a client of HTTP/1.0 sees."""
    path = str(tmp_path / "sluice.sock")
    with serve(reservoir, "--stall-timeout", "500ms", "--resume-grace", "0s", listen=[f"unix:{path}"]) as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(before + b"GET /api/backup?compression=fast HTTP/1.0\r\n\r\n")
            begun = b""
            while b"HTTP/1.1 200 " not in begun:
                begun += client.recv(1000)
            server.wait_for_line("backup failed")
            with pytest.raises(ConnectionResetError):
                while client.recv(1 << 20):
                    pass


@pytest.mark.parametrize("signals", [[signal.SIGKILL], [signal.SIGTERM, signal.SIGTERM]])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("compression", ["fast", "store"])
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_the_end_of_the_process_is_no_end_of_an_archive(reservoir, tmp_path, signals, version, compression, family):
    """An end of stream is the content's end for many a client, whatever the framing: the connection must fail."""
    path = tmp_path / "sluice.sock"
    with serve(reservoir, "--drain-timeout", "60s", listen=["127.0.0.1:0", f"unix:{path}"]) as server:
        with connect(path if family == "unix" else ("127.0.0.1", server.ports[0]), receive_buffer=4096) as client:
            client.sendall(f"GET /api/backup?compression={compression} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
            for number in signals:
                server.signal(number)
                if number == signal.SIGTERM:
                    server.wait_for_line("stopping")
            assert server.wait() != 0
            with pytest.raises(ConnectionResetError):
                while client.recv(1 << 20):
                    pass


PYTHON = "import shutil, sys, urllib.request as r; shutil.copyfileobj(r.urlopen(sys.argv[1]), sys.stdout.buffer)"


@pytest.mark.parametrize("compression", ["fast", "store"])
@pytest.mark.parametrize("client", [["wget", "-q", "-t1", "-O", "-"], ["curl", "-sS"], ["python3", "-c", PYTHON]], ids=lambda c: c[0])
def test_a_client_fails_when_the_process_is_killed(reservoir, client, compression):
    with serve(reservoir) as server:
        command = [*client, f"{server.url}/api/backup?compression={compression}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout.read(1000)
        wait_until_still(server)
        server.signal(signal.SIGKILL)
        server.wait()
        assert end_of(process) != 0


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_an_answer_that_was_sent_outlives_the_process(tmp_path, family):
    """The kernel has all of it, and delivers it."""
    path = tmp_path / "sluice.sock"
    (tmp_path / "data/floor_plan").mkdir(parents=True)
    (tmp_path / "data/floor_plan/plan.bin").write_bytes(os.urandom(50_000))
    make.create(tmp_path / "data/a.db", make.ROLLBACK).close()
    with serve(tmp_path / "data", listen=["127.0.0.1:0", f"unix:{path}"]) as server:
        with connect(path if family == "unix" else ("127.0.0.1", server.ports[0])) as client:
            client.sendall(b"GET /api/backup?compression=store HTTP/1.1\r\nHost: localhost\r\n\r\n")
            server.wait_for_line("backup sent")
            server.signal(signal.SIGKILL)
            server.wait()
            received = bytearray()
            while len(received) < 100 or len(received) < length(received):
                assert (data := client.recv(1 << 16)), "it ended early"
                received += data
    assert Archive(bytes(received[received.index(b"\r\n\r\n") + 4 :])).manifest["complete"]


def length(received):
    """Of the whole answer, in bytes."""
    return received.index(b"\r\n\r\n") + 4 + int(re.search(rb"Content-Length: (\d+)", received)[1])


def test_a_slow_client_is_not_cut_off_as_long_as_it_takes_something(reservoir):
    with serve(reservoir, "--stall-timeout", "3s") as server, server.connect(receive_buffer=1 << 20) as client:
        response = client.begin("/api/backup?compression=store")
        size = int(response.headers["Content-Length"])
        content = bytearray()
        # Twice the timeout in all, in small sips.
        while len(content) < size:
            assert (sip := response.read(size // 60)), server.log
            content += sip
            time.sleep(0.1)  # a client that has other things to do
    assert Archive(bytes(content)).manifest["complete"]


def test_a_snapshot_that_grows_too_old_is_given_up(reservoir):
    application = sqlite3.connect(reservoir / "reservoir.db", isolation_level=None)
    # A snapshot of a log with frames in it, which no checkpoint can pass by.
    application.execute("CREATE TABLE news(x)")
    with serve(reservoir, "--max-snapshot-age", "6s", "--detach-budget", "0") as server:
        process = curl(server)
        wait_until(lambda: server.get("/healthz").json()["running_backups"] == 1, "the backup")
        application.execute("INSERT INTO news VALUES (1)")
        assert not truncates(reservoir / "reservoir.db")
        assert_broken_off(server, process, "max-snapshot-age")
        assert truncates(reservoir / "reservoir.db")
    application.close()


def test_a_log_that_grows_too_far_ends_the_backup(reservoir):
    application = sqlite3.connect(reservoir / "reservoir.db", isolation_level=None)
    application.execute("CREATE TABLE news(x)")
    with serve(reservoir, "--max-wal-growth", "1MiB", "--detach-budget", "0") as server:
        process = curl(server)
        application.execute("INSERT INTO news VALUES (randomblob(500000))")
        assert server.get("/healthz").json()["running_backups"] == 1
        application.execute("INSERT INTO news VALUES (randomblob(1500000))")
        assert_broken_off(server, process, "max-wal-growth")
        assert truncates(reservoir / "reservoir.db")
    application.close()


# Each is passed by far before the client goes on.
LIMITS = {
    "snapshot age": ["--max-snapshot-age", "8s"],
    "WAL growth": ["--max-wal-growth", "8MiB"],
}


@pytest.mark.parametrize("compression", ["store", "fast"])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_slow_client_does_not_hold_the_database_until_a_limit_is_passed(reservoir, limit, compression):
    """What it has yet to get is copied, and the application can empty its log."""
    database = reservoir / "reservoir.db"
    application = sqlite3.connect(database, isolation_level=None)
    application.execute("CREATE TABLE news(x)")
    rows = application.execute("SELECT count(*) FROM record").fetchone()
    with serve(reservoir, *LIMITS[limit]) as server, server.connect(receive_buffer=4096) as client:
        response = client.begin(f"/api/backup?compression={compression}")
        content = response.read(1000)
        application.execute("INSERT INTO news VALUES (1)")
        # A machine that is slow enough reaches a share of the age before it comes here.
        assert limit == "snapshot age" or not truncates(database)
        application.execute("INSERT INTO news VALUES (randomblob(3000000))")
        line = server.wait_for_line("database released before it was sent")
        assert "database=reservoir.db" in line and re.search(r"bytes=\d{7,}", line), line
        wait_until(lambda: truncates(database), "the log to be empty")
        for _ in range(4):
            application.execute("INSERT INTO news VALUES (randomblob(3000000))")
        application.execute("UPDATE record SET content = 0")
        assert truncates(database)
        assert samples(server)["sluice_snapshot_age_seconds"] == 0
        archive = Archive(content + response.read())
    assert archive.manifest["complete"] and archive.entries["reservoir.db"]["database"]["method"] == "pinned"
    with archive.database("reservoir.db") as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM news").fetchone() == (0,)
        assert copy.execute("SELECT count(*) FROM record WHERE content IS NOT 0").fetchone() == rows
    application.close()


def test_a_spool_that_is_full_holds_the_database_as_if_there_were_none(reservoir):
    """Only then is the limit passed, with the spool's own room free again."""
    with serve(reservoir, "--max-snapshot-age", "4s", prefix=["prlimit", f"--fsize={MEBIBYTE}"]) as server:
        process = curl(server)
        wait_until(lambda: server.get("/healthz").json()["running_backups"] == 1, "the backup")
        assert_broken_off(server, process, "max-snapshot-age")
        assert "released before" not in server.log
        assert not any("copy" in name for name in server.open_files())


def test_the_room_for_detached_databases_is_shared_and_returned(reservoir):
    size = (reservoir / "reservoir.db").stat().st_size
    with serve(reservoir, "--max-snapshot-age", "4s", "--detach-budget", f"{size // MEBIBYTE + 1}MiB") as server:
        for _ in range(2):
            with server.connect(receive_buffer=4096) as first, server.connect(receive_buffer=4096) as second:
                answers = [client.begin("/api/backup?compression=store") for client in (first, second)]
                begun = [answer.read(1000) for answer in answers]
                server.wait_for_line("released before it was sent")
                server.wait_for_line("backup failed.*snapshot-age")
                # There is room for one of them, and either may be first.
                whole = 0
                for start, answer in zip(begun, answers):
                    with suppress(BROKEN_OFF):
                        whole += Archive(start + answer.read()).manifest["complete"]
                assert whole == 1
            server.lines.clear()


def test_a_plain_file_that_is_cut_short_meanwhile_breaks_the_archive_off(tmp_path):
    (tmp_path / "floor_plan").mkdir()
    file = tmp_path / "floor_plan/plan.bin"
    file.write_bytes(os.urandom(48 << 20))
    with serve(tmp_path) as server:
        process = curl(server)
        os.truncate(file, 1 << 20)
        assert_broken_off(server, process, "plan.bin", is_stopped=False)


def test_what_is_called_a_database_and_is_written_to_meanwhile_is_as_it_was(tmp_path):
    """An encrypted one, for instance: it is copied before the first byte."""
    path, content = tmp_path / "secret.db", os.urandom(24 << 20)
    path.write_bytes(content)
    with serve(tmp_path, "--allow-empty") as server, server.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup?compression=store")
        received = response.read(1000)
        with path.open("r+b") as file:
            file.write(b"1234")
        received += response.read()
    assert Archive(received).read("secret.db") == content


def test_a_plain_file_that_is_replaced_meanwhile_is_still_whole(tmp_path):
    (tmp_path / "floor_plan").mkdir()
    file, content = tmp_path / "floor_plan/plan.bin", os.urandom(24 << 20)
    file.write_bytes(content)
    with serve(tmp_path) as server, server.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup?compression=store")
        received = response.read(1000)
        (tmp_path / "new").write_bytes(b"new")
        (tmp_path / "new").replace(file)
        received += response.read()
    assert Archive(received).read("floor_plan/plan.bin") == content


def test_a_pinned_database_that_is_cut_short_breaks_the_archive_off(reservoir):
    with serve(reservoir) as server:
        process = curl(server)
        os.truncate(reservoir / "reservoir.db", 1 << 20)
        assert_broken_off(server, process, "reservoir.db", is_stopped=False)


def test_a_log_that_is_cut_short_breaks_the_archive_off(tmp_path):
    application = make.bulk(tmp_path / "log.db", make.WAL, 32, open=True)
    with serve(tmp_path) as server:
        process = curl(server)
        os.truncate(tmp_path / "log.db-wal", 1 << 20)
        assert_broken_off(server, process, "log.db", is_stopped=False)
    # The application would now find its database damaged, and that is this test's doing.
    del application


def test_a_copied_database_needs_its_file_no_more(reservoir):
    path = make.ledger(reservoir / "zz.db", make.ROLLBACK)
    with serve(reservoir) as server, server.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup?compression=store")
        content = response.read(1000)
        path.unlink()
        archive = Archive(content + response.read())
    assert archive.entries["zz.db"]["kind"] == "database"


def test_a_client_in_python_sees_that_the_archive_is_not_whole(reservoir):
    for compression in ("fast", "store"):
        with serve(reservoir, "--max-snapshot-age", "300ms", "--detach-budget", "0") as server:
            with server.connect(receive_buffer=4096) as client:
                response = client.begin(f"/api/backup?compression={compression}")
                server.wait_for_line("backup failed")
                with pytest.raises(BROKEN_OFF):
                    response.read()


def test_the_server_goes_on_after_a_broken_backup(reservoir):
    with serve(reservoir, "--max-snapshot-age", "500ms", "--detach-budget", "0") as server:
        assert_broken_off(server, curl(server), "max-snapshot-age")
        make.ledger(reservoir / "small.db", make.ROLLBACK)
        assert Archive(server.get("/api/backup?db=small.db").body).manifest["complete"]


def test_a_server_without_descriptors_neither_spins_nor_dies(house):
    with serve(house) as server:
        # Less than it had when it began, and counted on.
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (64, 64))
        connections = [server.connect() for _ in range(100)]
        for connection in connections:
            connection.connect()
        wait_until(lambda: len(server.open_files()) >= 60, "the descriptors to run out")
        ticks = server.cpu_ticks()
        time.sleep(1)  # the window itself: nothing may happen in it
        assert server.cpu_ticks() - ticks <= 5
        for connection in connections:
            connection.close()
        assert Archive(server.get("/api/backup").body).manifest["complete"]


def test_a_slow_client_with_little_content_holds_no_place_for_ever(tmp_path):
    """It fits into the blocks that are read before the first is sent: its snapshot is released, and no limit on it is ever passed."""
    connection = make.create(tmp_path / "small.db", make.WAL)
    connection.execute("CREATE TABLE record(content)")
    connection.executemany("INSERT INTO record VALUES (?)", ((os.urandom(1 << 16),) for _ in range(14)))
    connection.commit()
    connection.close()
    with serve(tmp_path, "--max-backups", "1", "--max-snapshot-age", "3s") as server:
        with server.connect(receive_buffer=4096) as slow:
            response = slow.begin("/api/backup")
            response.read(1000)
            assert server.get("/api/backup").status == 503
            answer = wait_until(
                lambda: (answer := server.get("/api/backup")).status == 200 and answer, "the place to be free"
            )
            assert Archive(answer.body).manifest["complete"]
            server.wait_for_line("backup failed.*place-age")
            with pytest.raises(BROKEN_OFF):
                response.read()


@pytest.fixture
def volume(tmp_path):
    """A data directory with a file system of its own, 48 MB, and a WAL database of 12 MB."""
    directory = tmp_path / "volume"
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", directory], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode()}")
    make.bulk(directory / "a.db", make.WAL, 12)
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)


class Application(threading.Thread):
    """It writes 64 KiB in each transaction, about 5 MB a second, and counts what fails."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.database, self.commits, self.failures, self.ends = database, 0, [], threading.Event()

    def run(self):
        connection = sqlite3.connect(self.database, isolation_level=None)
        connection.execute("CREATE TABLE IF NOT EXISTS news (id INTEGER PRIMARY KEY, text)")
        while not self.ends.wait(0.01):
            try:
                connection.execute("INSERT OR REPLACE INTO news VALUES (?, randomblob(65536))", (self.commits % 64,))
                self.commits += 1
            except sqlite3.OperationalError as error:
                self.failures.append(str(error))
        connection.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()


def test_a_log_does_not_fill_its_file_system(volume):
    with serve(volume, "--detach-budget", "0") as server, server.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup")
        response.read(1000)
        with Application(volume / "a.db") as application:
            line = server.wait_for_line("backup failed.*reason=low-space")
            assert "a.db" in line and "--min-free" in line and " warning: " in line
            commits = application.commits
            wait_until(lambda: application.commits > commits + 200 or application.failures, "it to write on")
            size = (volume / "a.db-wal").stat().st_size
        assert application.failures == []
        assert 8 * MEBIBYTE < size < 28 * MEBIBYTE, "of 36 that were free"
        with pytest.raises(BROKEN_OFF):
            response.read()
        assert 'aborted_total{reason="low-space"} 1\n' in server.get("/metrics").body.decode()


def test_a_database_is_released_before_its_log_fills_its_file_system(volume):
    with serve(volume) as server, server.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup?compression=store")
        content = response.read(1000)
        with Application(volume / "a.db") as application:
            server.wait_for_line("released before it was sent")
            commits = application.commits
            wait_until(lambda: application.commits > commits + 200 or application.failures, "it to write on")
        assert application.failures == []
        assert Archive(content + response.read()).manifest["complete"]


@pytest.mark.parametrize("free", ["99%", "1GiB"])
def test_what_is_to_stay_free_can_be_named(volume, free):
    with serve(volume, "--min-free", free, "--detach-budget", "0") as server, server.connect(receive_buffer=4096) as client:
        client.begin("/api/backup").read(1000)
        with Application(volume / "a.db"):
            server.wait_for_line("backup failed.*reason=low-space")
            assert (volume / "a.db-wal").stat().st_size < 20 * MEBIBYTE


@pytest.mark.parametrize("off", ["0", "0%"])
def test_a_log_may_fill_its_file_system_if_the_administrator_says_so(volume, off):
    with serve(volume, "--min-free", off) as server, server.connect(receive_buffer=4096) as client:
        client.begin("/api/backup").read(1000)
        with Application(volume / "a.db") as application:
            wait_until(lambda: application.failures, "the file system to be full", timeout=60)
        assert "full" in application.failures[0]
        assert samples(server)["sluice_backups_running"] == 1


def test_a_full_file_system_alone_ends_no_backup(volume):
    """Where nothing is written, a release makes no room: the log stays as it is."""
    with serve(volume) as server, server.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup?compression=store")
        content = response.read(1000)
        (volume / "filler").write_bytes(bytes(34 * MEBIBYTE))
        age = samples(server)["sluice_snapshot_age_seconds"]
        # Two looks of one second each.
        wait_until(lambda: samples(server)["sluice_snapshot_age_seconds"] > age + 2.2, "two looks")
        content += response.read()
        assert Archive(content).manifest["complete"]
