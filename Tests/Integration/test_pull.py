"""`sluice-pull`: a whole backup is kept and nothing else is, whatever comes over the wire."""

import os
import signal
import socket
import stat
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

import data as make
from archive import Archive
from harness import serve, wait_until
from pulling import TARGET, Puller, assert_kept, assert_refused, listening, proxy
from restoring import backup, small
from test_metrics import samples
from test_resume import Breaking
from test_tokens import FIRST, SECOND
from writers import running

OLD = [f"backup-2020-01-0{day}T030000Z.zip" for day in (1, 2, 3)]
DAMAGED_AT = 3_000_000  # in the middle of baseline.db


@pytest.fixture
def puller(tmp_path):
    return Puller(tmp_path)


@pytest.fixture(params=["sluice", "unzip", "python3"])
def any_puller(tmp_path, request):
    return Puller(tmp_path, request.param)


@pytest.fixture
def server(house):
    with serve(house) as server:
        yield server


def test_a_whole_backup_is_kept(server, any_puller):
    assert_kept(any_puller, any_puller.run(f"{server.url}/api/backup"))


def test_a_unix_socket_will_do(house, tmp_path, puller):
    with serve(house, listen=[f"unix:{tmp_path}/s"]):
        assert_kept(puller, puller.run("http://localhost/api/backup", curl=f"--unix-socket {tmp_path}/s"))


def test_the_newest_few_are_kept(server, puller):
    others = ["backup-incomplete.zip", "backup-2020.zip", "other-2020-01-01T030000Z.zip"]
    puller.keep(*OLD, *others)
    assert_kept(puller, puller.run(server.url + TARGET, keep=2), [OLD[2], *others])


def test_the_new_one_is_kept_when_the_clock_was_set_back(server, puller):
    puller.keep(future := "backup-2999-01-01T030000Z.zip")
    assert_kept(puller, puller.run(server.url + TARGET, keep=1), [future])


def test_what_one_left_that_was_killed_is_removed_a_day_later(server, puller):
    for name in (".sluice-pull.Abcdef", ".sluice-pull.123456"):
        (puller.kept / name).mkdir()
        (puller.kept / name / "zip").write_text("half of one")
    os.utime(puller.kept / ".sluice-pull.Abcdef", (0, 0))
    assert_kept(puller, puller.run(server.url + TARGET), [".sluice-pull.123456"])


def test_an_incomplete_one_is_kept_under_a_name_that_says_so(house, any_puller):
    any_puller.keep(*OLD)
    (house / "x.db").symlink_to("events.db")
    with serve(house) as server:
        result = any_puller.run(server.url + TARGET, keep=1)
    incomplete = any_puller.kept / "backup-incomplete.zip"
    assert_refused(any_puller, result, rf"{incomplete} says what: x\.db;reason=symbolic-link$", [*OLD, incomplete.name])
    assert stat.S_IMODE(incomplete.stat().st_mode) == 0o600
    assert list(Archive(incomplete).skipped) == ["x.db"]


def flip(_, at, data):
    data = bytearray(data)
    if at <= DAMAGED_AT < at + len(data):
        data[DAMAGED_AT - at] ^= 1
    return data


@pytest.mark.parametrize("any_puller", ["sluice", "unzip", "python3"], indirect=True)
def test_a_damaged_one_is_not_kept(server, any_puller):
    any_puller.keep(*OLD)
    with proxy(server, flip) as url:
        assert_refused(any_puller, any_puller.run(url, keep=1), "no sound", OLD)


@pytest.mark.parametrize("query", ["?compression=store", "?compression=fast"])
def test_a_download_that_always_breaks_off_is_tried_three_times(server, puller, query):
    puller.keep(*OLD)
    tries = set()
    with proxy(server, lambda number, at, data: tries.add(number) or (data if at < 1 << 20 else None)) as url:
        assert_refused(puller, puller.run(url.replace("?compression=store", query), keep=1), r"curl: \((18|56)\)", OLD)
    assert tries == {1, 2, 3}


def test_a_download_that_breaks_off_once_begins_anew(server, puller):
    with proxy(server, lambda number, at, data: None if number == 1 and at >= 1 << 20 else data) as url:
        assert_kept(puller, puller.run(url))


@pytest.mark.parametrize("what", ["a page", "a zip of somebody else's", "nothing"])
def test_what_is_no_backup_is_not_kept(tmp_path, any_puller, what):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("a.db", "no backup of ours")
    content = {"a page": b"<html>Sign in", "nothing": b""}.get(what, (tmp_path / "other.zip").read_bytes())

    def answer(_, client):
        client.recv(1 << 16)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    any_puller.keep(*OLD)
    with listening(answer) as url:
        assert_refused(any_puller, any_puller.run(url, keep=1), "what came", OLD)


def test_who_has_nothing_to_verify_with_keeps_nothing(server, tmp_path):
    puller = Puller(tmp_path, None)
    assert_refused(puller, puller.run(server.url + TARGET), "sluice, unzip or python3")


def test_a_server_that_is_not_there_is_a_failure(puller):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    puller.keep(*OLD)
    assert_refused(puller, puller.run(f"http://127.0.0.1:{port}{TARGET}", keep=1), r"curl: \(7\)", OLD)


def test_a_directory_that_is_not_there_is_a_failure(server, puller, tmp_path):
    assert_refused(puller, puller.run(server.url + TARGET, directory=tmp_path / "nowhere"), "nowhere is no directory")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("url", value) for value in ("", "ftp://localhost/x", "http://", "/api/backup", "-o/etc/passwd")]
    + [("name", value) for value in ("a/b", "../a", ".a", "-a", "a b", "a*", "a\nb")]
    + [("keep", value) for value in ("0", "-1", "x", "1x", "01", "1.5", "1000000")]
    + [("directory", value) for value in ("", "relative")],
)
def test_wrong_settings_are_named(server, puller, setting, value):
    result = puller.result(puller.start(**{"url": server.url + TARGET, setting: value}))
    assert (result.returncode, result.output) == (64, "")
    assert result.error.startswith(f"sluice-pull: SLUICE_PULL_{setting.upper()} is '{value}': give ")
    assert puller.names() == []


@pytest.mark.parametrize("place", ["a file", "systemd's credentials"])
def test_the_token_opens_the_backup(house, puller, tmp_path, place):
    (tmp_path / "tokens").write_text(f"{FIRST}\n")
    (tmp_path / "token").write_text(f"{FIRST}\n")
    settings = {"token_file": tmp_path / "token"} if place == "a file" else {"CREDENTIALS_DIRECTORY": tmp_path}
    with serve(house, "--token-file", tmp_path / "tokens") as server:
        assert_kept(puller, puller.run(server.url + TARGET, **settings))


def test_a_token_needs_no_newline(house, puller, tmp_path):
    """The service's own token file needs none."""
    (tmp_path / "token").write_text(FIRST)
    with serve(house, "--token-file", tmp_path / "token") as server:
        assert server.get(TARGET).status == 401
        assert_kept(puller, puller.run(server.url + TARGET, token_file=tmp_path / "token"))


@pytest.mark.parametrize("token", [f"{SECOND}\n", "\n", "", None], ids=["wrong", "an empty line", "empty", "not there"])
def test_without_the_right_token_there_is_nothing(house, puller, tmp_path, token):
    (tmp_path / "tokens").write_text(f"{FIRST}\n")
    if token is not None:
        (tmp_path / "token").write_text(token)
    puller.keep(*OLD)
    with serve(house, "--token-file", tmp_path / "tokens") as server:
        result = puller.run(server.url + TARGET, token_file=tmp_path / "token", keep=1)
    assert_refused(puller, result, "error: 401" if token == f"{SECOND}\n" else "token has no token to read", OLD)
    assert SECOND not in result.error


def test_the_token_is_visible_to_nobody_while_it_is_used(puller, tmp_path):
    (tmp_path / "token").write_text(f"{FIRST}\n")
    said, seen = [], []

    def look_around(_, client):
        said.append(client.recv(1 << 16).decode())
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                seen.append((process / "cmdline").read_bytes() + (process / "environ").read_bytes())

    with listening(look_around) as url:
        puller.run(url, token_file=tmp_path / "token")
    assert f"Authorization: Bearer {FIRST}\r\n" in said[0]
    assert any(str(tmp_path / "token").encode() in words for words in seen), "it has not even seen sluice-pull"
    assert not any(FIRST.encode() in words for words in seen)


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


@pytest.mark.parametrize("is_the_same", [True, False], ids=["the same", "another"])
def test_a_download_goes_on_where_it_was_if_the_archive_is_the_same(tmp_path, puller, is_the_same):
    """RFC 9110, 13.1.5: who has another archive answers with the whole of it."""
    content = backup(small(tmp_path / "data", "word"), tmp_path / "archive.zip").read_bytes()
    half, requests = len(content) // 2, []

    def answer(number, client):
        requests.append(client.recv(1 << 16).decode())
        goes_on = number == 2 and is_the_same
        body = content[half:] if goes_on else content
        head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d" % (half, len(content) - 1, len(content))
        head = (head if goes_on else b"HTTP/1.1 200 OK") + b'\r\nAccept-Ranges: bytes\r\nETag: "%d"' % (number == 1 or goes_on)
        client.sendall(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + (body[:half] if number == 1 else body))

    with listening(answer) as url:
        assert_kept(puller, puller.run(url))
    [first, second, *third] = requests
    assert "Range:" not in first
    assert f"\r\nRange: bytes={half}-\r\n" in second and '\r\nIf-Range: "1"\r\n' in second
    assert len(third) == (not is_the_same) and not any("Range:" in head for head in third)


@pytest.mark.parametrize("query", ["", "?compression=store"])
def test_a_download_goes_on_with_the_very_same_snapshot(reservoir, tmp_path, query):
    """Through a proxy that resets its first connection, while an application writes."""
    (tmp_path / "puller").mkdir()
    puller = Puller(tmp_path / "puller")
    with serve(reservoir) as server, running("transfer_at_times", make.ledger(reservoir / "ledger.db", make.WAL)):
        breaking = Breaking(server.ports[0])
        assert_kept(puller, puller.run(f"http://127.0.0.1:{breaking.port}/api/backup{query}"))
        breaking.listener.close()
        assert b"If-Range" in breaking.requests[1] and len(breaking.requests) == 2
        assert samples(server)["sluice_backups_resumed_total"] == 1
        assert samples(server)["sluice_backups_started_total"] == 1
