"""`sluice pull`: what has changed is fetched, and whatever happens, only a whole archive becomes the next base."""

import base64
import fcntl
import hashlib
import os
import pty
import re
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

import data as make
from archive import Archive
from breaking import Breaking
from deltas import change, histories, kept
from harness import SLUICE, run, serve, wait_until
from pulling import ENDED, TARGET, listening, old_backup, proxy
from restoring import backup, small
from tokens import FIRST, SECOND
from volumes import small_disk, volume

DATED = r"backup-\d{4}-\d\d-\d\dT\d{6}Z\.zip"
RECORD = ".backup.base"


@pytest.fixture
def state(tmp_path):
    (directory := tmp_path / "state").mkdir()
    return directory


@pytest.fixture
def data(tmp_path):
    (directory := tmp_path / "data").mkdir()
    make.bulk(directory / "main.db", make.WAL, 6)
    return directory


@pytest.fixture
def server(data, state):
    with serve(data, "--state-directory", state) as server:
        yield server


class Puller:
    """A machine that keeps backups, by `sluice pull`."""

    def __init__(self, path):
        (kept := path / "kept backups").mkdir()
        self.kept, self.environment = kept, dict(os.environ)

    def start(self, url, *options):
        return self.spawn(url, "--into", self.kept, "--pause", "0s", *options)

    def spawn(self, *arguments):
        return subprocess.Popen(
            [SLUICE, "pull", *map(str, arguments)], env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def result(self, process):
        process.output, process.error = process.communicate(timeout=60)
        return process

    def run(self, url, *options):
        return self.result(self.start(url, *options))

    def names(self):
        return sorted(set(os.listdir(self.kept)) - {RECORD, ENDED})

    def new(self, url, *options, status=0, error="", saved=False, end="whole"):
        """Pulls one more archive; what it says of it, and that it is whole."""
        before = set(self.names())
        result = self.run(url, *options)
        assert result.returncode == status, (result.output, result.error)
        assert re.fullmatch(error, result.error, re.DOTALL), result.error
        [name] = set(self.names()) - before
        path = self.kept / name
        saved = r"; \d+\.\d kB transferred instead of \d+\.\d MB" if saved else ""
        first = result.output.splitlines()[0]
        assert re.fullmatch(rf"{re.escape(str(path))}: {path.stat().st_size} bytes, {end}{saved}", first), first
        assert path.stat().st_mode & 0o777 == 0o600
        Archive(path)
        return path


@pytest.fixture
def puller(tmp_path):
    return Puller(tmp_path)


@pytest.fixture
def url(server):
    return f"{server.url}/api/backup"


@pytest.fixture
def base(puller, url, data, state):
    """The archive of a first pull, after which something changed."""
    path = puller.new(url)
    kept(state, 1)
    change(data)
    return path


def rows(path):
    with Archive(path).database("main.db") as connection:
        return list(connection.iterdump())


def assert_same(path, url, puller):
    """It has what a whole archive of the same state has."""
    whole = puller.new(url, "--whole")
    assert rows(path) == rows(whole)


def test_a_full_disk_is_named_and_the_next_night_is_right(puller, url, data, state):
    with small_disk(puller.kept) as enlarge:
        result = puller.run(f"{url}?compression=store")
        assert result.returncode == 1
        said = rf"sluice: --into {re.escape(str(puller.kept))}: no room is left: \d{{7}} bytes of the answer fitted\n"
        assert re.fullmatch(said, result.error), result.error
        assert puller.names() == []
        enlarge()
        first = puller.new(url)
        assert_same(first, url, puller)


def test_a_disk_that_a_second_archive_does_not_fit_on_keeps_the_first(puller, url, data, state):
    """The delta fits, and what is made of it does not."""
    with small_disk(puller.kept, 10) as enlarge:
        first = puller.new(url)
        before = first.read_bytes()
        kept(state, 1)
        change(data)
        result = puller.run(url, "--last", "1")
        said = rf"sluice: --into {re.escape(str(puller.kept))}: no room is left: \d{{7}} bytes of the archive fitted\n"
        assert result.returncode == 1 and re.fullmatch(said, result.error), result.error
        assert puller.names() == [first.name] and first.read_bytes() == before
        enlarge()
        second = puller.new(url, "--last", "1", saved=True)
        assert puller.names() == [second.name]
        assert_same(second, url, puller)


# A delta.


def test_the_second_pull_fetches_what_changed(puller, server, url, data, state):
    seen = []
    with proxy(server, lambda _, at, data: seen.append(data) or data) as through:
        base = puller.new(through.partition("?")[0])
        before = base.read_bytes()
        kept(state, 1)
        change(data)
        seen.clear()
        path = puller.new(through.partition("?")[0], saved=True)
    answer = b"".join(seen)
    assert answer.startswith(b"HTTP/1.1 226 ")
    # Byte for byte what a whole answer would have been.
    digest = base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
    assert f"Repr-Digest: sha-256=:{digest}:" in answer.decode(errors="replace")
    assert len(answer) < len(before) / 10 and base.read_bytes() == before
    assert_same(path, url, puller)


def test_two_names_that_differ_in_how_an_accent_is_written_are_two(puller, url, data, state):
    """To Swift's strings they are one."""
    (data / "main.db").rename(data / "\u00e9.db")
    make.bulk(data / "e\u0301.db", make.WAL, 4)
    puller.new(url)
    kept(state, 1)
    for path in data.glob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE more(x)")
    puller.new(url, saved=True)


def test_each_pull_is_the_base_of_the_next(puller, base, url, data, state):
    for _ in range(3):
        last = puller.new(url, saved=True)
        wait_until(lambda: len(kept(state, 2)) == 2, "its history")
        change(data)
    assert_same(puller.new(url, saved=True), url, puller)
    assert last.exists()


def test_nothing_is_downloaded_if_nothing_has_changed(puller, base, url):
    path = puller.new(url, saved=True)

    def unchanged():
        result = puller.run(url)
        assert (result.returncode, result.error) == (0, "")
        return "whole; nothing has changed since" in result.output and result

    names = puller.names()
    result = wait_until(unchanged, "the state to last")
    newest = puller.kept / puller.names()[-1]
    assert result.output.startswith(f"{newest}: {newest.stat().st_size} bytes, whole")
    assert set(names) <= set(puller.names()) and path.exists()


def test_a_backup_that_is_found_unchanged_is_not_late(puller, url):
    puller.new(url)
    path = unchanging(puller, url)
    old = path.rename(puller.kept / "backup-2020-01-01T030000Z.zip")
    record = puller.kept / RECORD
    record.write_text(record.read_text().replace(path.name, old.name))
    os.utime(record, (0, 0))
    assert run("status", "--pulls", puller.kept).returncode == 1
    assert "nothing has changed since" in puller.run(url).output
    assert puller.names() == [old.name]
    result = run("status", "--pulls", puller.kept)
    assert result.returncode == 0, result.stdout
    record.unlink()
    assert run("status", "--pulls", puller.kept).returncode == 1


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def unchanging(puller, url):
    """Pulls until the service's answer is 304. The newest archive."""
    wait_until(lambda: "nothing has changed" in puller.run(url).output, "the state to last")
    return puller.kept / puller.names()[-1]


def test_an_unchanged_base_that_is_damaged_is_no_backup(puller, url):
    puller.new(url)
    path = unchanging(puller, url)
    flip(path, path.stat().st_size // 2)
    error = rf"sluice: .*{path.name} is damaged on this disk: .*; the whole archive is fetched\n.* is kept, but {path.name} .*\n"
    new = puller.new(url, "--last", 1, status=1, error=error)
    assert path.exists() and new.stat().st_size == path.stat().st_size, "nothing is removed that night"
    path.unlink()
    assert unchanging(puller, url)


# Doubts: one whole archive.


def test_a_base_that_the_service_does_not_know_is_of_no_use(puller, base, url, state):
    for history in histories(state):
        history.unlink()
    assert_same(puller.new(url), url, puller)


def test_a_base_that_was_removed_is_none(puller, base, url):
    base.unlink()
    puller.new(url)


def test_a_base_that_was_cut_is_named(puller, base, url):
    os.truncate(base, base.stat().st_size - 1)
    error = rf"sluice: .*{base.name} has \d+ bytes and had \d+; the whole archive is fetched\nsluice: .* is kept, but {base.name} .*\n"
    puller.new(url, status=1, error=error)


def test_a_base_with_a_flipped_bit_is_named(puller, base, url, data):
    flip(base, base.stat().st_size // 2)
    error = rf"sluice: .*{base.name} is damaged on this disk: .*; the whole archive is fetched\nsluice: .* is kept, but {base.name} .*\n"
    assert_same(puller.new(url, status=1, error=error), url, puller)


def test_another_archive_in_the_place_of_the_base_makes_no_wrong_one(puller, base, url, data, state):
    newer = puller.new(url, saved=True)
    kept(state, 2)
    record = puller.kept / RECORD
    text = record.read_text().replace(newer.name, base.name)
    record.write_text(text.replace(f"size {newer.stat().st_size}", f"size {base.stat().st_size}"))
    change(data)
    error = rf"sluice: the delta of {base.name} makes no sound archive: .*; the whole archive is fetched\n"
    assert_same(puller.new(url, error=error), url, puller)


@pytest.mark.parametrize("content", ["", "half", "another URL", "a folder"])
def test_a_record_that_does_not_fit_is_ignored(puller, base, url, content):
    record = puller.kept / RECORD
    text = record.read_text()
    record.unlink()
    if content == "a folder":
        record.mkdir()
    else:
        other = {"half": text[:90], "another URL": text.replace(text.split()[4], "0" * 64)}
        record.write_text(other.get(content, ""))
    error = r"sluice: the next archive comes whole: .*\n" if content == "a folder" else ""
    puller.new(url, error=error)


@pytest.mark.parametrize(
    ("found", "other", "reason"),
    [
        (b"\r\nDelta-Base: ", b"\r\nDelta-Bass: ", "the delta is one of another archive"),
        (b"\r\nIM: vcdiff", b"\r\nIM: vcdizz", "the delta is of no known form"),
        (b"\r\nETag: ", b"\r\nETog: ", "the delta's answer has no strong ETag"),
        (b"\r\nRepr-Digest: sha-256=:", b"\r\nRepr-Digest: sha-256=:!", "the delta of .*: its SHA-256 is not .*"),
        (b"\r\nContent-Digest: sha-256=:", b"\r\nContent-Digest: sha-256=:!", "the delta of .*: its SHA-256 is not .*"),
        (b"", b"", "the delta of .* makes no sound archive: .*"),
    ],
)
def test_an_answer_that_is_not_right_is_not_used(puller, server, url, data, state, found, other, reason):
    hits = []
    state_of = {"broken": False}

    def broken(number, at, data):
        if state_of["broken"] and not found and not hits and len(data) > 4000:
            hits.append(1)
            middle = len(data) // 2
            return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]
        if state_of["broken"] and found and not hits and found in data:
            hits.append(data.count(found))
            return data.replace(found, other)
        return data

    with proxy(server, broken) as through:
        through = through.partition("?")[0]
        puller.new(through)
        kept(state, 1)
        change(data)
        state_of["broken"] = True
        path = puller.new(through, error=rf"sluice: {reason}; the whole archive is fetched\n")
    assert hits == [1]
    assert_same(path, url, puller)


def shared_bytes(path):
    """Of a file, those in blocks that another file has too."""
    listed = subprocess.run(["filefrag", "-e", "-b4096", path], capture_output=True, text=True, check=True).stdout
    extents = [line.split(":") for line in listed.splitlines() if re.match(r" +\d+:", line)]
    return sum(int(fields[3]) * 4096 for fields in extents if "shared" in fields[-1])


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_an_archive_shares_what_did_not_change_with_the_last(kind, tmp_path, data, url):
    (tmp_path / kind).mkdir()
    with volume(kind, tmp_path / kind) as place:
        puller = Puller(place)
        base = puller.new(url)
        change(data)
        path = puller.new(url, saved=True)
        subprocess.run(["sync", "--file-system", path], check=True)
        assert shared_bytes(path) > 0.9 * path.stat().st_size
        # Either is whole without the other.
        base.unlink()
        assert_same(path, url, puller)


def test_a_whole_archive_can_be_asked_for(puller, base, url, data):
    path = puller.new(url, "--whole")
    assert path.stat().st_size < base.stat().st_size, "it is compressed"
    # And the base is still the stored one.
    puller.new(url, saved=True)


# The wire.


def born(path):
    return subprocess.run(["stat", "--format", "%i %w", path], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("forgets", [False, True], ids=["and is resumed", "and begins again"])
def test_a_delta_is_applied_while_it_arrives_and_breaks_off(puller, data, state, forgets):
    make.bulk(data / "noise.db", make.WAL, 24)
    with serve(data, "--state-directory", state) as server:
        breaking = Breaking(server.ports[0])
        through = f"http://127.0.0.1:{breaking.port}/api/backup"
        # Its first connection breaks off, and this pull goes on.
        puller.new(through)
        assert len(breaking.requests) == 2 and b"\r\nIf-Range: " in breaking.requests[1]
        breaking.listener.close()
        kept(state, 1)
        record = puller.kept / RECORD
        change(data)
        make.bulk(data / "new.db", make.WAL, 10)
        begun = []

        def application():
            files = wait_until(lambda: [file for file in puller.kept.glob(".sluice-pull.*/archive") if file.stat().st_size], "a beginning", 20)
            begun.append(born(files[0]))

        breaking = Breaking(server.ports[0], before=application, forgets=forgets)
        through = f"http://127.0.0.1:{breaking.port}/api/backup?compression=store"
        lines = record.read_text().splitlines()
        lines[1] = f"url {hashlib.sha256(through.encode()).hexdigest()}"
        record.write_text("\n".join(lines) + "\n")
        result = puller.run(through)
        breaking.listener.close()
        assert (result.returncode, result.error) == (0, "")
        assert re.search(r"whole; \d+\.\d MB transferred instead of \d+\.\d MB\n", result.output)
        first, second, *further = breaking.requests
        assert len(further) == forgets
        # What was made of the part is made once.
        assert (begun == [born(puller.kept / puller.names()[-1])]) == (not forgets)
        assert len(begun) == 1
        for field in (b"\r\nIf-Range: ", b"\r\nRange: bytes="):
            assert field in second and field not in first
        for field in (b"\r\nA-IM: vcdiff", b"\r\nIf-None-Match: "):
            assert field in first and field in second
        assert set(Archive(puller.kept / puller.names()[-1]).names) >= {"main.db", "noise.db", "new.db"}


def test_a_download_that_always_breaks_off_is_tried_three_times(puller, server):
    tries = set()
    with proxy(server, lambda number, at, data: tries.add(number) or (data if at < 1 << 20 else None)) as through:
        result = puller.run(through)
    assert (result.returncode, result.output, puller.names()) == (1, "", [])
    assert re.fullmatch(r"sluice: http://.*: curl: \((18|56)\) .*\n", result.error)
    assert tries == {1, 2, 3}


@pytest.mark.parametrize("token", [None, FIRST, SECOND])
def test_a_token_opens_the_backup(puller, data, tmp_path, token):
    (tmp_path / "tokens").write_text(f"{FIRST}\n")
    (tmp_path / "tokens").chmod(0o600)
    (tmp_path / "token").write_text(f"{token}\n")
    with serve(data, "--token-file", tmp_path / "tokens") as server:
        url = f"{server.url}/api/backup"
        options = ["--token-file", tmp_path / "token"] if token else []
        if token == FIRST:
            puller.new(url, *options)
        else:
            result = puller.run(url, *options)
            said = "the service needs a token: .*--token-file" if not token else f"the token in {tmp_path}/token is not one .*"
            assert (result.returncode, result.output, puller.names()) == (1, "", [])
            assert re.fullmatch(rf"sluice: {url}\?compression=store: 401: {said}\n", result.error)


@pytest.mark.parametrize("token", ["", "\n", "two words\n", None])
def test_a_token_that_is_none_is_named(puller, url, tmp_path, token):
    if token is not None:
        (tmp_path / "token").write_text(token)
    result = puller.run(url, "--token-file", tmp_path / "token")
    assert (result.returncode, result.output, os.listdir(puller.kept)) == (1, "", [ENDED])
    assert result.error.startswith(f"sluice: --token-file {tmp_path}/token: ")


def answers(content):
    def answer(number, client):
        client.recv(1 << 16)
        client.sendall(content(number))

    return answer


def whole_answer(head, body):
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


@pytest.mark.parametrize(
    ("head", "body", "requests", "words"),
    [
        (b"404 Not Found", b"", 1, "404: there is no backup at this path"),
        (b"403 Forbidden", b"", 1, "403: a proxy"),
        (b"421 Misdirected Request", b"", 1, "421: .*--allow-host"),
        (b"503 Service Unavailable", b"", 1, "503: curl: .22. "),
        (b"503 Service Unavailable\r\nRetry-After: 0", b"", 3, "503: curl: .22. "),
        (b"302 Found\r\nLocation: /sign-in", b"", 1, "302: the answer is no backup"),
        (b"200 OK", b"<html>Sign in", 1, "the download is not a sound backup: "),
        (b"200 OK", b"", 1, "the download is not a sound backup: it is empty"),
    ],
)
def test_what_is_no_backup_is_not_kept(puller, head, body, requests, words):
    count = []
    with listening(answers(lambda number: count.append(number) or whole_answer(head, body))) as through:
        result = puller.run(through)
    assert (result.returncode, result.output, os.listdir(puller.kept)) == (1, "", [ENDED])
    [line] = result.error.splitlines()
    assert re.search(words, line), line
    assert len(count) == requests


def test_a_busy_service_is_asked_again(puller, tmp_path):
    content = backup(small(tmp_path / "small", "word"), tmp_path / "archive.zip").read_bytes()

    def content_of(number):
        busy = b"503 Service Unavailable\r\nRetry-After: 1"
        return whole_answer(busy, b"busy") if number < 3 else whole_answer(b"200 OK", content)

    with listening(answers(content_of)) as through:
        puller.new(through)
    # Without an ETag there is no next base.
    assert not (puller.kept / RECORD).exists()


def test_a_service_that_is_not_there_is_a_failure(puller, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    result = puller.run(f"http://127.0.0.1:{port}/api/backup")
    assert (result.returncode, result.output, puller.names()) == (1, "", [])
    assert "curl: (7) " in result.error
    result = puller.run("http://localhost/api/backup", "--unix-socket", tmp_path / "none")
    assert result.error == f"sluice: --unix-socket {tmp_path}/none: there is no such socket, or this user may not enter its directory\n"


@pytest.mark.parametrize("is_the_same", [True, False], ids=["the same", "another"])
def test_a_download_goes_on_where_it_was_if_the_archive_is_the_same(tmp_path, puller, is_the_same):
    """RFC 9110, 13.1.5: a server that has another archive answers with the whole of it."""
    content = backup(small(tmp_path / "small", "word"), tmp_path / "archive.zip").read_bytes()
    half, requests = len(content) // 2, []

    def answer(number, client):
        requests.append(client.recv(1 << 16).decode())
        goes_on = number == 2 and is_the_same
        body = content[half:] if goes_on else content
        head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d" % (half, len(content) - 1, len(content))
        head = (head if goes_on else b"HTTP/1.1 200 OK") + b'\r\nAccept-Ranges: bytes\r\nETag: "%d"' % (number == 1 or goes_on)
        client.sendall(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + (body[:half] if number == 1 else body))

    with listening(answer) as through:
        puller.new(through)
    [first, second, *third] = requests
    assert "Range:" not in first
    assert f"\r\nRange: bytes={half}-\r\n" in second and '\r\nIf-Range: "1"\r\n' in second
    assert len(third) == (not is_the_same) and not any("Range:" in head for head in third)


@pytest.mark.parametrize("is_whole", [True, False], ids=["all is here", "another archive"])
def test_nothing_after_what_is_here_means_that_it_is_all(tmp_path, puller, is_whole):
    """RFC 9110, 15.5.17. A connection that breaks after the last byte and before the last chunk leaves a complete file."""
    content = backup(small(tmp_path / "small", "word"), tmp_path / "archive.zip").read_bytes()
    sent, requests = content if is_whole else content[:-9], []

    def answer(number, client):
        requests.append(client.recv(1 << 16).decode())
        head = b'HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nETag: "1"\r\nTransfer-Encoding: chunked\r\n\r\n'
        if number == 2:
            client.sendall(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 7\r\n\r\nno rest")
        else:
            body = sent if number == 1 else content
            client.sendall(head + b"%x\r\n%b\r\n" % (len(body), body) + (b"0\r\n\r\n" if number == 3 else b""))

    error = "" if is_whole else r"sluice: the archive of the broken download is no longer available \(.*\); the whole archive is fetched\n"
    with listening(answer) as through:
        puller.new(through, error=error)
    assert len(requests) == (2 if is_whole else 3) and f"\r\nRange: bytes={len(sent)}-\r\n" in requests[1]


def test_a_terminal_shows_progress(puller, url):
    main, terminal = pty.openpty()
    result = subprocess.run([SLUICE, "pull", url, "--into", puller.kept], stdout=subprocess.PIPE, stderr=terminal, text=True)
    os.close(terminal)
    shown = os.read(main, 65536).decode()
    os.close(main)
    assert result.returncode == 0 and re.search(r"#+ *100\.0%", shown), shown
    assert result.stdout.endswith(" bytes, whole\n")


# What is kept, and what is removed.


def test_incomplete_archives_are_kept_and_are_a_base(puller, base, url, data):
    (data / "x.db").symlink_to("main.db")
    error = r"sluice: .*-incomplete\.zip: not in the archive: x\.db \(symbolic-link\).*\n"
    path = puller.new(url, status=3, saved=True, end="incomplete", error=error)
    assert re.fullmatch(DATED.replace("Z", "Z-incomplete"), path.name)
    change(data)
    puller.new(url, status=3, saved=True, end="incomplete", error=error)


def test_archives_that_cannot_be_checked_in_time_are_kept(puller, house):
    error = r"sluice: .*-unverified\.zip: \S+, .*NOT CHECKED: .*\n"
    with serve(house) as server:
        url = f"{server.url}/api/backup"
        path = puller.new(url, "--check-timeout", "0s", status=4, end="not verified to its end", error=error)
    assert re.fullmatch(DATED.replace("Z", "Z-unverified"), path.name)


def test_what_was_not_checked_in_time_gets_its_name_once_it_is(puller, house):
    with serve(house) as server:
        url = f"{server.url}/api/backup"
        wait_until(lambda: "nothing has changed" in puller.run(url, "--check-timeout", "0s").output, "the state to last")
        path = puller.kept / puller.names()[-1]
        assert path.name.endswith("-unverified.zip")
        content = path.read_bytes()
        result = puller.run(url)
        whole = path.with_name(path.name.replace("-unverified", ""))
        assert (result.returncode, result.output) == (0, f"{whole}: {len(content)} bytes, whole; nothing has changed since\n")
        assert not path.exists() and whole.read_bytes() == content
        # It is the base of the next one.
        assert puller.run(url).output == result.output
    result = run("restore", "--from", puller.kept, "--list")
    assert whole.name in result.stdout and path.name not in result.stdout


def test_a_base_that_there_is_no_room_to_check_is_not_called_damaged(puller, url, tmp_path):
    puller.new(url)
    path = unchanging(puller, url)
    (tmp_path / "small").mkdir()
    with small_disk(tmp_path / "small", 1):
        puller.environment["TMPDIR"] = str(tmp_path / "small")
        result = puller.run(url)
    assert result.returncode == 1
    assert f"{path.name} could not be verified: " in result.error and "damaged" not in result.error
    assert "gave no verdict" in result.error.splitlines()[-1]
    del puller.environment["TMPDIR"]
    assert "nothing has changed" in puller.run(url).output


def test_old_backups_are_removed_if_the_options_say_so(puller, base, url):
    old = [old_backup(puller.kept / f"backup-2020-01-0{day}T030000Z.zip", f"2020-01-0{day}T03:00:00Z") for day in (1, 2)]
    puller.new(url, saved=True)
    assert all(path.exists() for path in old)
    result = puller.run(url, "--last", 2)
    assert result.returncode == 0
    assert [f"removed {path.name}" for path in old] == result.output.splitlines()[1:3]
    assert not any(path.exists() for path in old)


def test_nothing_is_removed_when_a_database_is_gone(puller, url):
    old = old_backup(puller.kept / "backup-2020-01-01T030000Z.zip", "2020-01-01T03:00:00Z", {"gone.db": 9})
    error = r"sluice: .* is kept, but nothing is removed: .* lacks what .* has: gone\.db .*\n"
    puller.new(url, "--last", 1, status=1, error=error)
    assert old.exists()
    assert puller.run(url, "--last", 1, "--gone", "gone.db").returncode == 0
    assert not old.exists()


@pytest.mark.parametrize(
    "arguments",
    [["ftp://h/x"], ["http://"], ["/api/backup"], ["http://h/", "--name", "a/b"], ["http://h/", "--name", ".a"],
     ["http://h/", "--last", "-1"], ["http://h/", "--gone", "x"], ["http://h/", "--name", ""]],
)  # fmt: skip
def test_a_wrong_command_line_is_refused(puller, arguments):
    result = puller.run(*arguments)
    assert (result.returncode, result.output, os.listdir(puller.kept)) == (64, "", [])


def test_a_url_that_is_refused_is_not_shown(puller):
    result = puller.run(f"http://me:{FIRST}#@h/")
    assert result.returncode == 64 and result.error.startswith("sluice: …: give a URL such as ")
    assert FIRST not in result.output + result.error


def test_a_directory_that_cannot_be_written_to_is_named(url, tmp_path):
    result = subprocess.run([SLUICE, "pull", url, "--into", tmp_path / "none"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"sluice: --into {tmp_path}/none: no directory that this user can write to: ")


# Secrets and ends.


@pytest.mark.parametrize("destination", ["--into", "--to"])
def test_no_process_shows_the_token_or_a_secret_of_the_url(puller, tmp_path, destination):
    (tmp_path / "token").write_text(FIRST)
    said, seen = [], []

    def look_around(_, client):
        said.append(client.recv(1 << 16).decode())
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                # Only this user can read the environment, which has the URL from the beginning.
                words = (process / "cmdline").read_bytes()
                seen.append((words, words + (process / "environ").read_bytes()))

    with listening(look_around) as through:
        puller.environment["SLUICE_PULL_URL"] = through.replace("://", f"://user:{SECOND}@") + f'&db=a"b\\c[1-2]&key={SECOND}'
        puller.environment["SLUICE_PULL_DIRECTORY"] = str(puller.kept) if destination == "--into" else "none"
        to = [] if destination == "--into" else ["--to", "cat >/dev/null"]
        result = puller.result(puller.spawn("--pause", "0s", "--token-file", tmp_path / "token", *to))
    assert said[0].startswith(f"GET {TARGET}&db=a\"b\\c[1-2]") and f"\r\nAuthorization: Bearer {FIRST}\r\n" in said[0]
    assert sum(str(tmp_path / "token").encode() in words for words, _ in seen) and any(b"--dump-header" in words for words, _ in seen)
    assert not any(SECOND.encode() in words or FIRST.encode() in everything for words, everything in seen)
    messages = [result.output, result.error, *(path.read_text() for path in puller.kept.iterdir())]
    assert "&key=…" in messages[1] and not any(SECOND in message for message in messages)


def test_a_url_that_is_too_long_for_curl_is_refused(puller, tmp_path):
    (tmp_path / "token").write_text("t" * 3000)
    asked = []
    with listening(lambda number, _: asked.append(number)) as through:
        result = puller.run(f"{through}&db={'a' * 1200}", "--token-file", tmp_path / "token")
    assert re.fullmatch(r"sluice: the URL and the token have \d+ bytes as curl gets them, and it can get 4096: give a shorter one\n", result.error)
    assert (result.returncode, result.output, asked) == (1, "", [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_that_is_stopped_leaves_nothing(puller, number):
    asked = []
    with listening(lambda _, client: (asked.append(client.recv(1 << 16)), client.recv(1))) as through:
        process = puller.start(through)
        wait_until(lambda: asked, "its request")
        # sluice passes it on to curl.
        process.send_signal(number)
        puller.result(process)
    assert (process.returncode, process.output, process.error) == (1, "", "sluice: interrupted\n")
    assert os.listdir(puller.kept) == [ENDED]


def work(puller, name):
    return list(puller.kept.glob(f".sluice-pull.*/{name}"))


@pytest.mark.parametrize("moment", ["head", "archive", "verified", "in place"])
def test_after_a_kill_the_next_pull_is_right(puller, base, url, moment):
    names = puller.names()
    process = puller.start(url)
    reached = (lambda: puller.names()[-1:] != names[-1:]) if moment == "in place" else (lambda: work(puller, moment))
    while process.poll() is None and not reached():
        pass
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    puller.result(process)
    for path in puller.kept.glob("backup-*"):
        Archive(path)
    left = list(puller.kept.glob(".sluice-pull.*"))
    for folder in left:
        os.utime(folder, (0, 0))
    result = puller.run(url)
    assert (result.returncode, result.error) == (0, "")
    assert not list(puller.kept.glob(".sluice-pull.*"))
    newest = max(puller.kept.glob("backup-*"), key=lambda path: path.name)
    assert_same(newest, url, puller)


def test_what_a_pull_that_takes_days_has_in_use_stays(puller, url):
    (folder := puller.kept / ".sluice-pull.abcdef").mkdir()
    (folder / "body").write_text("half of one")
    os.utime(folder, (0, 0))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert puller.run(url).returncode == 0
        assert (folder / "body").exists()
    finally:
        os.close(descriptor)
    assert puller.run(url).returncode == 0
    assert not folder.exists()


def test_what_is_left_of_a_younger_pull_stays(puller, url):
    (young := puller.kept / ".sluice-pull.abcdef").mkdir()
    (young / "body").write_text("half of one")
    assert puller.run(url).returncode == 0
    assert (young / "body").exists()
    assert time.time() - young.stat().st_mtime < 86_400
