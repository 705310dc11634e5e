"""`sluice pull` with the settings of `sluice-pull.service`: what they mean, and that an older file of them still means the same."""

import os
import re
import signal
import socket
import socketserver
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread

import pytest

import data as make
from archive import Archive
from breaking import Breaking
from client import connect
from harness import AS_ORDINARY_USER, ROOT, serve, wait_until
from metrics import samples
from pulling import TARGET, Puller, assert_kept, assert_refused, listening, old_backup, proxy
from restoring import small
from tokens import FIRST
from writers import running

OLD = [f"backup-2020-01-0{day}T030000Z.zip" for day in (1, 2, 3)]
DAMAGED_AT = 3_000_000  # in the middle of baseline.db
AT_ONCE = 4


@pytest.fixture
def puller(tmp_path):
    return Puller(tmp_path)


@pytest.fixture
def server(house):
    with serve(house) as server:
        yield server


def test_the_settings_of_an_older_version_keep_what_they_kept(server, puller):
    """No deltas, no nights without a file, and archives that are compressed as before."""
    puller.keep(*OLD)
    url = f"{server.url}/api/backup"
    assert_kept(puller, puller.run(url), OLD)
    [first] = set(puller.names()) - {*OLD}
    with zipfile.ZipFile(puller.kept / first) as archive:
        assert {entry.compress_type for entry in archive.infolist() if entry.filename.endswith(".db")} == {zipfile.ZIP_DEFLATED}
    assert_kept(puller, puller.run(url + "?compression=store"), [first, *OLD])


def test_the_settings_that_are_installed_fetch_what_changed(house, puller, tmp_path):
    text = (ROOT / "deploy/pull/sluice-pull.env").read_text()
    settings = dict(re.findall(r"(?m)^(SLUICE_PULL_\w+)=(.*)$", text))
    assert settings == {"SLUICE_PULL_DELTA": "yes"}
    (tmp_path / "state").mkdir()
    with serve(house, "--state-directory", tmp_path / "state") as server:
        url = f"{server.url}/api/backup"
        assert puller.run(url, **settings).returncode == 0
        wait_until(lambda: "nothing has changed since" in puller.run(url, **settings).output, "the state to last")


def test_a_unix_socket_will_do(house, tmp_path, puller):
    with serve(house, listen=[f"unix:{tmp_path}/s"]):
        assert_kept(puller, puller.run("http://localhost/api/backup", curl=f"--unix-socket {tmp_path}/s"))


def test_the_newest_few_are_kept(server, puller):
    others = ["backup-incomplete.zip", "backup-2020.zip", "other-2020-01-01T030000Z.zip"]
    puller.keep(*OLD, *others)
    result = puller.run(server.url + TARGET, keep=2)
    assert_kept(puller, result, [OLD[2], *others])
    assert result.output.splitlines()[1:] == [f"removed {OLD[0]}", f"removed {OLD[1]}"]


def test_without_a_number_fourteen_are_kept(server, puller):
    nights = [f"backup-2020-01-{day:02}T030000Z.zip" for day in range(1, 16)]
    puller.keep(*nights)
    assert_kept(puller, puller.run(server.url + TARGET), nights[2:])


def test_options_of_sluice_keep_say_what_is_kept(server, puller):
    puller.keep(*OLD, other_month := "backup-2019-12-31T030000Z.zip")
    gone = old_backup(puller.kept / "backup-2020-01-04T030000Z.zip", "2020-01-04T03:00:00Z", {"gone.db": 9}).name
    result = puller.run(server.url + TARGET, keep="--last 1 --monthly 3 --gone gone.db")
    assert_kept(puller, result, [gone, other_month])


def test_the_new_one_is_kept_when_the_clock_was_set_back(server, puller):
    puller.keep(future := "backup-2999-01-01T030000Z.zip")
    assert_kept(puller, puller.run(server.url + TARGET, keep=1), [future])


def flip(_, at, data):
    data = bytearray(data)
    if at <= DAMAGED_AT < at + len(data):
        data[DAMAGED_AT - at] ^= 1
    return data


def test_a_damaged_one_is_not_kept(server, puller):
    puller.keep(*OLD)
    with proxy(server, flip) as url:
        assert_refused(puller, puller.run(url, keep=1), "not a sound backup", OLD)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("url", value) for value in ("", "ftp://localhost/x", "http://", "/api/backup", "-o/etc/passwd")]
    + [("name", value) for value in ("a/b", "../a", ".a", "-a", "a b", "a*", "a\nb")]
    + [("keep", value) for value in ("0", "-1", "x", "1x", "01", "1.5", "1000000", "-", "14 7", "--last 0", "--last x", "--centennially 1",
                                     "--last 1 more", "--last", "--last 1 --dry-run", "--last 1 --name other", "--last 1 --whole")]
    + [("directory", value) for value in ("", "relative", "None")] + [("pause", "0.5"), ("delta", "1")],
)  # fmt: skip
def test_wrong_settings_are_named_before_anything_is_fetched(puller, setting, value):
    asked = []
    with listening(lambda _, client: asked.append(client)) as url:
        result = puller.result(puller.start(**{"url": url, setting: value}))
    assert (result.returncode, result.output, asked, puller.names()) == (64, "", [], [])
    [line] = result.error.splitlines()
    shown = value.replace("\n", "?")
    assert re.match(rf"sluice: SLUICE_PULL_{setting.upper()} is '{re.escape(shown)}': \S", line), line


def test_without_a_directory_only_the_destinations_get_the_archive(server, puller, tmp_path):
    result = puller.run(server.url + TARGET, "--to", f"cat >'{tmp_path}/got.zip'", directory="none")
    assert result.returncode == 0 and puller.names() == [], result.error
    assert Archive(tmp_path / "got.zip").manifest["complete"]
    result = puller.run(server.url + TARGET, directory="none")
    assert result.returncode == 64 and "--into: give a directory, or another destination" in result.error


def test_a_setting_that_is_none_is_named(server, puller):
    result = puller.run(server.url + TARGET, "--last", 3, kepp=1)
    assert (result.returncode, result.error) == (0, "sluice: warning: SLUICE_PULL_KEPP is no setting of sluice pull\n")


@pytest.mark.parametrize("place", ["a file", "systemd's credentials"])
def test_the_token_opens_the_backup(house, puller, tmp_path, place):
    (tmp_path / "tokens").write_text(f"{FIRST}\n")
    # It needs no newline.
    (tmp_path / "token").write_text(FIRST)
    settings = {"token_file": tmp_path / "token"} if place == "a file" else {"CREDENTIALS_DIRECTORY": tmp_path}
    with serve(house, "--token-file", tmp_path / "tokens") as server:
        assert server.get(TARGET).status == 401
        assert_kept(puller, puller.run(server.url + TARGET, **settings))


def test_a_socket_that_cannot_be_used_is_named(tmp_path):
    puller = Puller(tmp_path, prefix=AS_ORDINARY_USER)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path := str(tmp_path / "s"))
        listener.listen()
        os.chmod(path, 0)
        result = puller.run("http://localhost/api/backup", curl=f"--unix-socket {path}")
        assert_refused(puller, result, rf"{path}: no permission for the socket: add this user to its group")


def test_one_that_is_stopped_leaves_nothing(puller):
    asked = []
    puller.keep(*OLD)
    with listening(lambda _, client: (asked.append(client.recv(1 << 16)), client.recv(1))) as url:
        process = puller.start(url, keep=1)
        wait_until(lambda: asked, "its request")
        assert puller.names() != OLD, "it has nowhere to put what comes"
        os.killpg(process.pid, signal.SIGTERM)  # as systemd does: the whole unit
        assert puller.result(process).returncode == 1
    assert puller.names() == OLD


def test_a_download_goes_on_with_the_very_same_snapshot(reservoir, tmp_path):
    """Through a proxy that resets its first connection, while an application writes."""
    (tmp_path / "puller").mkdir()
    puller = Puller(tmp_path / "puller")
    with serve(reservoir) as server, running("transfer_at_times", make.ledger(reservoir / "ledger.db", make.WAL)):
        breaking = Breaking(server.ports[0])
        assert_kept(puller, puller.run(f"http://127.0.0.1:{breaking.port}/api/backup"))
        breaking.listener.close()
        assert b"If-Range" in breaking.requests[1] and len(breaking.requests) == 2
        assert samples(server)["sluice_backups_resumed_total"] == 1
        assert samples(server)["sluice_backups_started_total"] == 1


def test_no_more_pulls_run_at_once_than_may(tmp_path):
    pullers, asked = [], []
    for name in "ab":
        (tmp_path / name).mkdir()
        pullers.append(Puller(tmp_path / name))

    def answer(number, client):
        asked.append(client.recv(1 << 16))
        client.recv(1)

    with listening(answer) as url:
        first = pullers[0].start(url, at_once=1)
        wait_until(lambda: asked, "its request")
        second = pullers[1].start(url, at_once=1)
        # In a sleep, and so past its settings.
        try:
            wait_until(lambda: "nanosleep" in Path(f"/proc/{second.pid}/wchan").read_text(), "its wait")
            assert len(asked) == 1 and pullers[1].names() == []
            os.killpg(first.pid, signal.SIGKILL)
            wait_until(lambda: len(asked) == 2, "the place of one that was killed")
        finally:
            for process in (first, second):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


class Counting(socketserver.StreamRequestHandler):
    """Passes a request on, and counts the answers that are on their way at once."""

    def handle(self):
        server = self.server
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        with server.lock:
            server.started += 1
            server.running += 1
            server.most = max(server.most, server.running)
        # The first few wait for each other: so many may run.
        if server.started <= AT_ONCE:
            wait_until(lambda: server.started >= AT_ONCE, "the others that may run")
        with connect(("127.0.0.1", server.port)) as back, back.makefile("rb") as answer:
            back.sendall(head + b"Connection: close\r\n\r\n")
            content = answer.read()
        self.wfile.write(content[:-1])
        # Before its last byte, none has ended.
        with server.lock:
            server.running -= 1
        self.wfile.write(content[-1:])


@contextmanager
def counting(server):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Counting) as counter:
        counter.port, counter.lock, counter.started, counter.running, counter.most = server.ports[0], Lock(), 0, 0, 0
        thread = Thread(target=counter.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield counter
        finally:
            counter.shutdown()
            thread.join()


def test_of_a_hundred_pulls_at_once_none_is_lost(tmp_path):
    """All are started at the same moment, each with settings of its own, and only so many fetch."""
    pullers = []
    for number in range(100):
        (tmp_path / f"{number}").mkdir()
        pullers.append(Puller(tmp_path / f"{number}"))
    with serve(small(tmp_path / "data", "new"), "--max-backups", 8) as server, counting(server) as counter:
        url = f"http://127.0.0.1:{counter.server_address[1]}{TARGET}"
        processes = [puller.start(url, at_once=AT_ONCE, name=f"app-{number}") for number, puller in enumerate(pullers)]
        try:
            results = [puller.result(process, timeout=300) for puller, process in zip(pullers, processes)]
        finally:
            for process in processes:
                process.kill()
        assert [(result.returncode, result.error) for result in results] == [(0, "")] * 100
        assert (counter.started, counter.running, counter.most) == (100, 0, AT_ONCE)
    for number, puller in enumerate(pullers):
        [path] = puller.kept.glob("*.zip")
        assert path.name.startswith(f"app-{number}-2")
        assert Archive(path).manifest["complete"]
