"""`sluice-pull`: a whole backup is kept and nothing else is, whatever comes over the wire."""

import grp
import os
import re
import signal
import socket
import stat
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

import data as make
from archive import Archive
from breaking import Breaking
from harness import AS_ORDINARY_USER, SLUICE, serve, wait_until
from metrics import samples
from pulling import DATED, TARGET, TOOLS, Puller, assert_kept, assert_refused, listening, old_backup, proxy
from restoring import backup, small
from tokens import FIRST, SECOND
from writers import running

OLD = [f"backup-2020-01-0{day}T030000Z.zip" for day in (1, 2, 3)]
DAMAGED_AT = 3_000_000  # in the middle of baseline.db


@pytest.fixture
def puller(tmp_path):
    return Puller(tmp_path)


@pytest.fixture
def server(house):
    with serve(house) as server:
        yield server


def test_a_whole_backup_is_kept(server, puller):
    assert_kept(puller, puller.run(f"{server.url}/api/backup"))


def test_a_unix_socket_will_do(house, tmp_path, puller):
    with serve(house, listen=[f"unix:{tmp_path}/s"]):
        assert_kept(puller, puller.run("http://localhost/api/backup", curl=f"--unix-socket {tmp_path}/s"))


def test_the_newest_few_are_kept(server, puller):
    others = ["backup-incomplete.zip", "backup-2020.zip", "other-2020-01-01T030000Z.zip"]
    puller.keep(*OLD, *others)
    result = puller.run(server.url + TARGET, keep=2)
    assert_kept(puller, result, [OLD[2], *others])
    assert result.output.splitlines()[1:] == [f"removed {OLD[0]}", f"removed {OLD[1]}"]


def test_options_of_sluice_keep_say_what_is_kept(server, puller):
    puller.keep(*OLD, other_month := "backup-2019-12-31T030000Z.zip")
    result = puller.run(server.url + TARGET, keep="--last 1 --monthly 3")
    assert_kept(puller, result, [OLD[2], other_month])


def test_the_new_one_is_kept_when_the_clock_was_set_back(server, puller):
    puller.keep(future := "backup-2999-01-01T030000Z.zip")
    assert_kept(puller, puller.run(server.url + TARGET, keep=1), [future])


@pytest.mark.parametrize("keep", ["1", "--daily 1"])
def test_nothing_is_removed_when_a_database_is_gone(house, puller, keep):
    puller.keep(*OLD)
    before = old_backup(puller.kept / "backup-2020-01-04T030000Z.zip", "2020-01-04T03:00:00Z", {"events.db": 9, "gone.db": 9})
    with serve(house) as server:
        for times in (1, 2):
            result = puller.run(server.url + TARGET, keep=keep)
            [new] = set(result.output.split(": ")[0].rsplit("/", 1)[1:])
            assert result.returncode == 1
            assert re.fullmatch(
                rf"sluice-pull: .*/{new} is kept, but sluice: nothing is removed: {new} lacks what {before.name} has: "
                rf"gone\.db \(.*\); if that is meant, add --gone gone\.db\n", result.error,
            )  # fmt: skip
            assert len(puller.names()) == len(OLD) + 1 + times and Archive(puller.kept / new).manifest["complete"]
            wait_until(lambda: time.strftime("%H%M%SZ", time.gmtime()) not in new, "another second")
        kept = "--last 1 --gone gone.db"
        assert_kept(puller, puller.run(server.url + TARGET, keep=kept))


def test_what_one_left_that_was_killed_is_removed_a_day_later(server, puller):
    for name in (".sluice-pull.Abcdef", ".sluice-pull.123456"):
        (puller.kept / name).mkdir()
        (puller.kept / name / "zip").write_text("half of one")
    os.utime(puller.kept / ".sluice-pull.Abcdef", (0, 0))
    assert_kept(puller, puller.run(server.url + TARGET), [".sluice-pull.123456"])


def test_incomplete_ones_are_kept_with_their_dates_and_push_no_complete_one_out(house, puller):
    puller.keep(*OLD)
    (house / "x.db").symlink_to("events.db")
    incomplete = []
    with serve(house) as server:
        for removed in (f"removed {OLD[0]}\n", ""):
            result = puller.run(server.url + TARGET, keep=2)
            [new] = [name for name in puller.names() if name not in OLD and name not in incomplete]
            assert re.fullmatch(DATED.replace("Z", "Z-incomplete"), new)
            incomplete.append(new)
            words = rf"something is missing from {puller.kept / new}: x\.db;reason=symbolic-link$"
            assert_refused(puller, result, words, [*OLD[1:], *incomplete], removed)
            assert stat.S_IMODE((puller.kept / new).stat().st_mode) == 0o600
            assert list(Archive(puller.kept / new).skipped) == ["x.db"]
            wait_until(lambda: time.strftime("%H%M%SZ", time.gmtime()) not in new, "another second")
        (house / "x.db").unlink()
        # Of the newest two one is the last incomplete one; of the complete ones two stay.
        assert_kept(puller, puller.run(server.url + TARGET, keep=2), [OLD[2], incomplete[1]])


def test_one_that_is_too_large_to_be_verified_in_time_is_kept_and_pushes_no_other_out(server, puller):
    """A database of which the check takes hours must not cost every backup of it."""
    puller.keep(*OLD)
    sluice = Path(puller.environment["PATH"]) / "sluice"
    sluice.unlink()
    sluice.write_text(
        f'#!/bin/sh\n[ "$1" != verify ] || set -- "$@" --check-timeout 0s\nexec {SLUICE} "$@"\n'
    )
    sluice.chmod(0o755)
    result = puller.run(server.url + TARGET, keep=1)
    [new] = set(puller.names()) - set(OLD)
    words = rf"{puller.kept / new} could not be verified to its end: \S+, \d+ bytes: NOT CHECKED: .*--check-timeout$"
    assert_refused(puller, result, words, [OLD[2], new], f"removed {OLD[0]}\nremoved {OLD[1]}\n")
    assert re.fullmatch(DATED.replace("Z", "Z-unverified"), new)


def flip(_, at, data):
    data = bytearray(data)
    if at <= DAMAGED_AT < at + len(data):
        data[DAMAGED_AT - at] ^= 1
    return data


def test_a_damaged_one_is_not_kept(server, puller):
    puller.keep(*OLD)
    with proxy(server, flip) as url:
        assert_refused(puller, puller.run(url, keep=1), "not a sound backup", OLD)


@pytest.mark.parametrize("query", ["?compression=store", "?compression=fast"])
def test_a_download_that_always_breaks_off_is_tried_three_times(server, puller, query):
    puller.keep(*OLD)
    tries = set()
    with proxy(server, lambda number, at, data: tries.add(number) or (data if at < 1 << 20 else None)) as url:
        assert_refused(puller, puller.run(url.replace("?compression=store", query), keep=1), r"curl: \((18|56)\)", OLD)
    assert tries == {1, 2, 3}


def test_a_download_that_breaks_off_once_starts_again(server, puller):
    with proxy(server, lambda number, at, data: None if number == 1 and at >= 1 << 20 else data) as url:
        assert_kept(puller, puller.run(url))


@pytest.mark.parametrize("what", ["a page", "a zip of somebody else's", "nothing"])
def test_what_is_no_backup_is_not_kept(tmp_path, puller, what):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("a.db", "no backup of ours")
    content = {"a page": b"<html>Sign in", "nothing": b""}.get(what, (tmp_path / "other.zip").read_bytes())

    def answer(_, client):
        client.recv(1 << 16)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    puller.keep(*OLD)
    with listening(answer) as url:
        assert_refused(puller, puller.run(url, keep=1), "the download is not a sound backup", OLD)


def test_a_machine_that_cannot_verify_keeps_nothing(server, tmp_path):
    puller = Puller(tmp_path, TOOLS)
    assert_refused(puller, puller.run(server.url + TARGET), "no sluice in PATH")


def test_a_server_that_is_not_there_is_a_failure(puller):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    puller.keep(*OLD)
    assert_refused(puller, puller.run(f"http://127.0.0.1:{port}{TARGET}", keep=1), r"curl: \(7\)", OLD)


def test_a_directory_that_is_not_there_is_a_failure(server, puller, tmp_path):
    assert_refused(puller, puller.run(server.url + TARGET, directory=tmp_path / "nowhere"), "nowhere is not a directory")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("url", value) for value in ("", "ftp://localhost/x", "http://", "/api/backup", "-o/etc/passwd")]
    + [("name", value) for value in ("a/b", "../a", ".a", "-a", "a b", "a*", "a\nb")]
    + [("keep", value) for value in ("0", "-1", "x", "1x", "01", "1.5", "1000000", "-", "14 7")]
    + [("directory", value) for value in ("", "relative")],
)
def test_wrong_settings_are_named(server, puller, setting, value):
    result = puller.result(puller.start(**{"url": server.url + TARGET, setting: value}))
    assert (result.returncode, result.output) == (64, "")
    assert result.error.startswith(f"sluice-pull: SLUICE_PULL_{setting.upper()} is '{value}': give ")
    assert puller.names() == []


@pytest.mark.parametrize("keep", ["--last 0", "--last x", "--yearly 1", "--last 1 more", "--last"])
def test_wrong_options_of_sluice_keep_are_named_before_anything_is_fetched(puller, keep):
    asked = []
    with listening(lambda _, client: asked.append(client)) as url:
        result = puller.run(url, keep=keep)
    assert (result.returncode, result.output, asked, puller.names()) == (64, "", [], [])
    assert re.fullmatch(rf"sluice-pull: SLUICE_PULL_KEEP is '{keep}': sluice: .*\n", result.error)


def test_what_it_prints_is_printed_as_it_is(puller):
    """An echo of dash would end the line at the backslash."""
    result = puller.run(r"ftp://a\cb\nc")
    assert result.error.startswith(r"sluice-pull: SLUICE_PULL_URL is 'ftp://a\cb\nc': give one such as https://")


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
    is_wrong = rf": 401: the token in {tmp_path / 'token'} is not one of the service's$"
    assert_refused(puller, result, is_wrong if token == f"{SECOND}\n" else "token has no token, or this user cannot read it", OLD)
    assert SECOND not in result.error


def test_a_service_that_asks_for_a_token_is_one(house, puller, tmp_path):
    (tmp_path / "tokens").write_text(f"{FIRST}\n")
    with serve(house, "--token-file", tmp_path / "tokens") as server:
        assert_refused(puller, puller.run(server.url + TARGET), ": 401: the service needs a token: .*SLUICE_PULL_TOKEN_FILE$")


def test_a_socket_that_cannot_be_used_is_named(tmp_path):
    puller = Puller(tmp_path, prefix=AS_ORDINARY_USER)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path := str(tmp_path / "s"))
        listener.listen()
        os.chmod(path, 0)
        result = puller.run("http://localhost/api/backup", curl=f"--unix-socket {path}")
        group = grp.getgrgid(os.stat(path).st_gid).gr_name
        assert_refused(puller, result, rf"no permission for the socket {path}: add this user \(\w+\) to the group {group}$")
    result = puller.run("http://localhost/api/backup", curl=f"--unix-socket {tmp_path / 'other'}")
    assert_refused(puller, result, rf"there is no socket {tmp_path / 'other'}, or this user \(\w+\) may not enter")


def test_one_that_finds_all_places_taken_retries(tmp_path, puller):
    content = backup(small(tmp_path / "data", "word"), tmp_path / "archive.zip").read_bytes()

    def answer(number, client):
        client.recv(1 << 16)
        head = b"503 Service Unavailable\r\nRetry-After: 1" if number < 3 else b"200 OK"
        body = b"busy" if number < 3 else content
        client.sendall(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body))

    with listening(answer) as url:
        assert_kept(puller, puller.run(url))


def test_the_token_is_visible_to_no_other_user_while_it_is_used(puller, tmp_path):
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
    """RFC 9110, 13.1.5: a server that has another archive answers with the whole of it."""
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


@pytest.mark.parametrize("is_whole", [True, False], ids=["all is here", "another archive"])
def test_nothing_after_what_is_here_means_that_it_is_all(tmp_path, puller, is_whole):
    """RFC 9110, 15.5.17. A connection that breaks after the last byte and before the last chunk leaves a complete file."""
    content = backup(small(tmp_path / "data", "word"), tmp_path / "archive.zip").read_bytes()
    sent, requests = content if is_whole else content[:-9], []

    def answer(number, client):
        requests.append(client.recv(1 << 16).decode())
        head = b'HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nETag: "1"\r\nTransfer-Encoding: chunked\r\n\r\n'
        if number == 2:
            client.sendall(
                b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */%d\r\n"
                b"Content-Length: 6\r\n\r\nno rest" % len(sent)
            )
        elif number == 1:
            client.sendall(head + b"%x\r\n%b\r\n" % (len(sent), sent))
        else:
            client.sendall(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content))

    with listening(answer) as url:
        assert_kept(puller, puller.run(url))
    assert len(requests) == (2 if is_whole else 3) and f"\r\nRange: bytes={len(sent)}-\r\n" in requests[1]


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
