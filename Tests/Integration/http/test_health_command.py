"""`sluice health`: one line, and a status for monitors."""

import json
import os
import shutil
import socket
import threading

import pytest

from harness import SLUICE, Server, run, serve


def test_it_prints_what_a_healthy_service_answers(house, tmp_path):
    unix = f"unix:{tmp_path}/s.sock"
    with serve(house, listen=["127.0.0.1:0", unix]) as server:
        for address in (server.url, server.url + "/healthz", unix):
            ended = run("health", address)
            assert ended.returncode == 0 and ended.stderr == ""
            [line] = ended.stdout.splitlines()
            assert json.loads(line)["status"] == "ok"


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "localhost:{}", "http://127.0.0.1:{}", "http://127.0.0.1:{}/", "[::1]:{}"])
def test_a_service_takes_an_address_as_its_health_is_asked_for(house, form):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = form.format(free.getsockname()[1])
    server = Server([SLUICE, "serve", "--data", house, "--listen", address])
    try:
        server.wait_for_line("serves backups")
        ended = run("health", address)
        assert ended.returncode == 0, ended.stderr
        server.signal()
        assert server.wait() == 0
    finally:
        server.kill()


def as_on_a_host(directory):
    """Runs a command where /run is a directory of the test's own."""
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /run && exec "$@"', directory]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_without_an_address_the_units_socket_is_found(house, tmp_path):
    (tmp_path / "sluice").mkdir()
    paths = [tmp_path / "sluice" / name for name in ("sluice.sock", "app.sock", "b.sock")]
    ask = lambda: run("health", prefix=as_on_a_host(tmp_path), timeout=60)  # noqa: E731
    with serve(house, listen=[f"unix:{paths[1]}"]) as app:
        # Only one: it is that of an instance.
        assert ask().returncode == 0
        with serve(house, listen=[f"unix:{paths[2]}"]):
            ended = ask()
            assert ended.returncode == 1 and "unix:/run/sluice/app.sock, unix:/run/sluice/b.sock" in ended.stderr
            with serve(house, listen=[f"unix:{paths[0]}"]) as unit:
                shutil.move(house, f"{house}-away")
                assert ask().returncode == 1
                shutil.move(f"{house}-away", house)
                assert ask().returncode == 0
                assert not app.log.count("GET") and unit.process.poll() is None
    shutil.rmtree(tmp_path / "sluice")
    ended = ask()
    assert "127.0.0.1:8080" in ended.stderr or ended.returncode == 0


def test_a_service_that_can_make_no_backup_fails(house):
    with serve(house) as server:
        shutil.move(house, f"{house}-away")
        ended = run("health", server.url)
        assert ended.returncode == 1 and ended.stdout == ""
        [line] = ended.stderr.splitlines()
        assert '"failing"' in line and str(house) in line
        shutil.move(f"{house}-away", house)


@pytest.mark.parametrize("listen", [True, False])
def test_no_server_or_no_answer_fails_in_time(listen):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listen:
            server.close()
        ended = run("health", f"http://127.0.0.1:{port}", "--timeout", "300ms", timeout=60)
    assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1


def test_another_kind_of_service_is_not_taken_for_ours():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        server.settimeout(10)

        def answer():
            connection, _ = server.accept()
            connection.recv(4096)  # closed with this unread, it would send a reset that overtakes the answer
            connection.sendall(b"220 mail ready\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        ended = run("health", address, timeout=60)
        thread.join()
    assert ended.returncode == 1 and "no sluice" in ended.stderr


@pytest.mark.parametrize("address", ["", "127.0.0.1", "https://127.0.0.1", "http://", "unix:", "http://a.b:80", "http://unix:/x"])
def test_an_address_that_is_none_is_refused(address):
    assert run("health", address, timeout=60).returncode == 64
