"""A service among others: what its manager hears of it, what it lets go of, what it leaves behind."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest

import harness
from archive import Archive
from client import Connection
from harness import serve, threads, wait_until
from manager import Manager

FIRST, SECOND = "first-" + "a" * 32, "second-" + "b" * 32


@pytest.fixture
def unix(tmp_path):
    """A Unix socket that listens, as a socket unit holds one."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "passed.sock"))
        listening.listen(4096)
        yield listening


def test_it_serves_the_sockets_that_it_is_passed_and_says_so(house, tmp_path, unix):
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        manager = Manager(tmp_path, tcp, unix)
        for _ in range(2):  # a passed socket is left listening, for the next start
            with manager.running("--data", house):
                for place in (tcp.getsockname(), unix.getsockname()):
                    with Connection(place) as connection:
                        assert Archive(connection.answer("GET", "/api/backup").body).manifest["complete"]
            assert manager.hears("STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\n")


def test_its_status_says_what_it_does(reservoir, tmp_path, unix):
    manager = Manager(tmp_path, unix)
    with manager.running("--data", reservoir):
        with Connection(unix.getsockname()) as connection:
            response = connection.begin("/api/backup?compression=store")
            manager.wait_for("STATUS=1 backup running")
            size = len(response.read())
        manager.wait_for(f"STATUS=last backup complete, {size} bytes")


def test_the_watchdog_hears_of_it_from_the_loop(house, tmp_path, unix):
    manager = Manager(tmp_path, unix, WATCHDOG_USEC="200000")
    with manager.running("--data", house) as process:
        wait_until(lambda: manager.hears("") and manager.said.count("WATCHDOG=1") > 3, "a few beats")
        process.send_signal(signal.SIGSTOP)
        manager.hears("")
        beats = manager.said.count("WATCHDOG=1")
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: manager.hears("") and manager.said.count("WATCHDOG=1") > beats, "a beat after it goes on")


@pytest.mark.slow
def test_the_watchdog_hears_nothing_while_a_session_is_stuck(house, tmp_path, unix):
    """Half a minute past the age that a snapshot may reach, nothing but the end of the process can free it."""
    manager = Manager(tmp_path, unix, WATCHDOG_USEC="500000")
    with manager.running("--data", house, "--max-snapshot-age", "1s") as process:
        # Every read of a file takes most of a minute.
        with subprocess.Popen(
            ["strace", "-f", "-p", str(process.pid), "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=50000000"],
            stderr=subprocess.PIPE, text=True,
        ) as strace:  # fmt: skip
            strace.stderr.readline()
            with Connection(unix.getsockname()) as connection:
                connection.request("GET", "/api/backup")
                beats, heard = 0, time.monotonic()

                def is_silent():
                    nonlocal beats, heard
                    manager.hears("")
                    if manager.said.count("WATCHDOG=1") > beats:
                        beats, heard = manager.said.count("WATCHDOG=1"), time.monotonic()
                    return time.monotonic() - heard > 3

                wait_until(is_silent, "the watchdog to hear nothing", 45)
                with Connection(unix.getsockname()) as other:
                    assert other.answer("GET", "/metrics").status == 200, "the loop itself is alive"
            strace.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may follow whatever process it wants")
def test_a_data_directory_that_hangs_leaves_other_requests_answered(house, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{FIRST}\n")
    with serve(house, "--token-file", tokens, prefix=["prlimit", "--nofile=64"]) as server:
        [looking] = [thread for thread, name in threads(server.pid).items() if name == "directory"]
        command = ["strace", "-p", str(looking), "-e", "trace=openat", "-e", "inject=openat:delay_enter=60000000"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            strace.stderr.readline()
            with ExitStack() as stack:
                askers = [stack.enter_context(server.connect()) for _ in range(20)]
                for asker in askers:
                    asker.request("GET", "/healthz")
                for asker in askers:
                    response = asker.getresponse()
                    assert response.status == 503 and b"hangs" in response.read()
            assert server.get("/metrics").status == 200
            tokens.write_text(f"{SECOND}\n")
            server.signal(signal.SIGHUP)
            server.wait_for_line("tokens read again")
            assert server.get("/api/backup", Authorization=f"Bearer {FIRST}").status == 401
            strace.kill()
        wait_until(lambda: server.get("/healthz").status == 200, "the directory to answer again")


def test_a_reload_reads_the_tokens_again_or_keeps_those_of_before(house, tmp_path, unix):
    tokens = tmp_path / "tokens"
    tokens.write_text(FIRST)
    manager = Manager(tmp_path, unix)

    def status(token):
        with Connection(unix.getsockname()) as connection:
            return connection.answer("GET", "/api/backup", Authorization=f"Bearer {token}").status

    with manager.running("--data", house, "--token-file", tokens) as process:
        for content, first, second in [(f"{FIRST}\n{SECOND}\n", 200, 200), (SECOND, 401, 200), ("", 401, 200)]:
            tokens.write_text(content)
            manager.said = ""
            process.send_signal(signal.SIGHUP)
            manager.wait_for("READY=1")
            assert "RELOADING=1\nMONOTONIC_USEC=" in manager.said
            assert (status(FIRST), status(SECOND)) == (first, second)


def test_it_leaves_when_nothing_is_open_and_not_before(house, tmp_path, unix):
    manager = Manager(tmp_path, unix)
    with manager.running("--data", house, "--idle-exit", "200ms") as process:
        with Connection(unix.getsockname()) as connection:
            assert connection.answer("GET", "/healthz").status == 200
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and "idle" in output
        assert manager.hears("STOPPING=1")


def test_it_stays_for_a_client_that_was_lost(reservoir, tmp_path, unix):
    manager = Manager(tmp_path, unix)
    with manager.running("--data", reservoir, "--idle-exit", "200ms") as process:
        with Connection(unix.getsockname()) as connection:
            response = connection.begin("/api/backup")
            tag, content = response.headers["ETag"], response.read(1000)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        with Connection(unix.getsockname()) as connection:
            answer = connection.answer("GET", "/api/backup", Range="bytes=1000-", If_Range=tag)
        assert answer.status == 206 and Archive(content + answer.body)
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_a_client_that_comes_while_it_leaves_is_served_by_the_next(house, tmp_path, unix):
    """Starts again for a client that waits, as a socket unit does; no client is refused or reset."""
    manager = Manager(tmp_path, unix)
    stop = threading.Event()
    answers, failures = [], []

    def ask(pause):
        while not stop.wait(pause):
            try:
                with Connection(unix.getsockname(), timeout=20) as connection:
                    answers.append(connection.answer("GET", "/healthz").status)
            except Exception as error:  # whatever it is, the test must name it
                failures.append(error)

    clients = [threading.Thread(target=ask, args=(pause,)) for pause in (0.011, 0.013)]
    for client in clients:
        client.start()
    starts = 0
    try:
        while starts < 20:
            with manager.running("--data", house, "--idle-exit", "5ms") as process:
                process.wait(30)
            starts += 1
    finally:
        # The last ones are served before the end.
        stop.set()
        with manager.running("--data", house):
            for client in clients:
                client.join()
    assert not failures
    assert set(answers) == {200} and len(answers) > 20


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--data", "/nowhere"], 1, "nowhere"),
        (["--data", ""], 1, "--data"),
        (["--data", "/", "--token-file", "/dev/null"], 1, "token"),
        (["--data", "/", "--nonsense"], 64, "nonsense"),
    ],
)
def test_a_start_that_fails_answers_the_waiting_clients(tmp_path, unix, arguments, status, words):
    """Left in the queue, they would have systemd start the service again, and again."""
    manager = Manager(tmp_path, unix)
    refused(manager, unix.getsockname(), arguments, status, words)


def test_a_socket_that_others_reach_is_not_served_without_a_token(house, tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as open_to_all:
        place = ("127.0.0.1", open_to_all.getsockname()[1])
        refused(Manager(tmp_path, open_to_all), place, ["--data", house], 1, "--token-file")


def refused(manager, place, arguments, status, words):
    with Connection(place) as connection:
        connection.request("GET", "/api/backup")
        process = manager.start(harness.SLUICE, "serve", *arguments)
        response = connection.getresponse()
        assert response.status == 503 and b"could not be started" in response.read()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == status
    assert len(output.splitlines()) == 1 and words in output
    assert not manager.hears("READY=1")


@pytest.mark.parametrize(
    "environment",
    [
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": "OUR", "LISTEN_FDS": "0"},
        {"LISTEN_PID": "OUR", "LISTEN_FDS": "x"}, {"LISTEN_PID": "x", "LISTEN_FDS": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_variables_that_pass_it_nothing_are_named_in_one_line(house, environment):
    """LISTEN_PID is another process's where a script stands between the manager and the service."""
    variables = " ".join(f"{name}={value}" for name, value in environment.items()).replace("OUR", "$$")
    command = f'{variables} exec {harness.SLUICE} serve --data "{house}" --listen 127.0.0.1:0'
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "LISTEN_PID" in line and "LISTEN_FDS" in line


def test_a_connection_that_was_accepted_already_is_none_to_listen_on(house, tmp_path):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = Manager(tmp_path, theirs).start(harness.SLUICE, "serve", "--data", house)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    [line] = output.splitlines()
    assert "Accept=no" in line


@pytest.mark.parametrize("arguments", [[], ["--idle-exit", "1s"]])
def test_a_start_without_the_sockets_that_it_needs_fails(house, tmp_path, arguments):
    environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "none")}
    ended = harness.run("serve", "--data", house, *arguments, env=environment)
    assert ended.returncode == 1
    assert "systemd passed no socket" in ended.stderr


def test_to_leave_when_idle_a_socket_unit_must_start_it_again(house):
    ended = harness.run("serve", "--data", house, "--listen", "127.0.0.1:0", "--idle-exit", "1s")
    assert ended.returncode == 1 and "--idle-exit" in ended.stderr


def test_a_log_without_a_reader_holds_nothing_up(house):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    with serve(house, stderr=writing) as server:
        for _ in range(1200):  # more lines than may wait
            assert server.get("/api/backup?db=nothing.db").status == 404
        with server.connect() as connection:
            assert connection.answer("GET", "/healthz").status == 200
        # A reader that returns sees how many are lost.
        with os.fdopen(reading, "rb") as log:
            text = b""
            while b"lost log lines" not in text:
                text = text[-4096:] + os.read(log.fileno(), 65536)
    os.close(writing)


def test_the_log_names_the_client_that_a_proxy_on_this_machine_names(house):
    with serve(house) as server, server.connect() as connection:
        for field, client in [
            ("192.0.2.7", "192.0.2.7"),
            ("10.0.0.1, 2001:db8::7", "2001:db8::7"),
            ("", "127.0.0.1:"),
            ("x" * 65, "127.0.0.1:"),
        ]:
            connection.answer("GET", "/api/backup?db=nothing.db", X_Forwarded_For=field)
            server.wait_for_line(f"client={re.escape(client)}")
            server.lines.clear()


def test_idle_connections_leave_descriptors_for_backups(house):
    with serve(house, prefix=["prlimit", "--nofile=80:80"]) as server:
        held = [server.connect() for _ in range(100)]
        for connection in held:
            connection.connect()
        # Half of them are for connections: the first have given way to the last.
        answer = held[-1].answer("GET", "/api/backup")
        assert Archive(answer.body).manifest["complete"]
        for connection in held:
            connection.close()


def test_a_name_makes_no_line_of_its_own_in_the_log(house):
    (house / "a\nINFO forged \x1b[31m.db").symlink_to("good.db")
    with serve(house) as server:
        assert server.get("/api/backup").status == 200
        server.wait_for_line("forged")
        assert not any(line.startswith("INFO forged") for line in server.log.splitlines())
        assert "\x1b" not in server.log
