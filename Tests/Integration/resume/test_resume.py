"""A download that broke off goes on where it stopped, on the very same snapshots."""

import base64
import hashlib
import io
import json
import random
import re
import signal
import socket
import sqlite3
import subprocess
import time
import zipfile

import pytest

import data as make
from archive import Archive
from breaking import Breaking
from client import BROKEN_OFF, connect
from faults import traced
from harness import run, serve, wait_until
from measure import wait_until_still
from metrics import samples
from nginx import sluice_behind
from restoring import SLOW, small

DOWNLOADS = 50 if SLOW else 6


def change(directory):
    """Commits something, so that no other snapshot is the same."""
    connection = sqlite3.connect(directory / "reservoir.db")
    connection.execute("CREATE TABLE IF NOT EXISTS news(x)")
    connection.execute("INSERT INTO news VALUES (1)")
    connection.commit()
    connection.close()


def is_pinned(directory):
    connection = sqlite3.connect(directory / "reservoir.db", timeout=0)
    try:
        return connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] != 0
    finally:
        connection.close()


def part(server, count, target="/api/backup", **headers):
    """The head of an answer, and its first bytes; the client is lost then."""
    with server.connect(receive_buffer=4096) as client:
        response = client.begin(target, **headers)
        return response, response.read(count)


def rest(server, start, tag, target="/api/backup", **headers):
    return server.get(target, Range=f"bytes={start}-", If_Range=tag, **headers)


def test_it_goes_on_again_and_again(reservoir):
    """Byte for byte: the digest is of what the session has made."""
    chance = random.Random(7)
    with serve(reservoir) as server:
        head, content = part(server, 1000, TE="trailers", Connection="TE")
        tag = head.headers["ETag"]
        assert (head.status, head.headers["Accept-Ranges"]) == (200, "bytes")
        for _ in range(20):
            change(reservoir)
            count = chance.choice([1, 100, 65536, 1 << 20, chance.randrange(1 << 20)])
            headers = {"Range": f"bytes={len(content)}-", "If_Range": tag, "TE": "trailers", "Connection": "TE"}
            head, more = part(server, count, **headers)
            assert (head.status, head.headers["ETag"]) == (206, tag)
            assert head.headers["Content-Range"] == f"bytes {len(content)}-9007199254740991/*"
            content += more
        with connect(("127.0.0.1", server.ports[0])) as sock:
            sock.sendall(f"GET /api/backup HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nConnection: TE, close\r\n"
                         f"Range: bytes={len(content)}-\r\nIf-Range: {tag}\r\n\r\n".encode())  # fmt: skip
            answer = bytearray()
            while data := sock.recv(1 << 16):
                answer += data
        content += unchunked(answer[answer.index(b"\r\n\r\n") + 4 :])
        digest = base64.b64decode(re.search(rb"Repr-Digest: sha-256=:(.*):", answer[-200:])[1])
        assert hashlib.sha256(content).digest() == digest
        assert Archive(content).manifest["complete"]
        assert samples(server)["sluice_backups_resumed_total"] == 21


def unchunked(body):
    content = bytearray()
    while size := int(body[: body.index(b"\r\n")], 16):
        start = body.index(b"\r\n") + 2
        content += body[start : start + size]
        body = body[start + size + 2 :]
    return content


class Download:
    """curl or wget, which are killed when so many bytes are there."""

    def __init__(self, tmp_path, url, *options):
        self.file, self.head, self.url, self.options = tmp_path / "x.zip", tmp_path / "head", url, options

    def curl(self, *more, limit="40M"):
        command = ["curl", "-sS", "-D", self.head, "-o", self.file, "--limit-rate", limit, *self.options, *more, self.url]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def size(self):
        return self.file.stat().st_size if self.file.exists() else 0

    def kill_at(self, process, size):
        def is_there():
            return self.size() >= size and "ETag" in self.head.read_text() or process.poll() is not None

        wait_until(is_there, "so many bytes")
        process.kill()
        process.communicate()


@pytest.mark.parametrize("target", ["/api/backup", "/api/backup?compression=store"])
def test_curl_through_nginx(nginx, reservoir, tmp_path, record_property, target):
    chance = random.Random(8)
    with sluice_behind(nginx, reservoir) as server:
        (nginx / "back.sock").chmod(0o666)
        size = 0
        for number in range(DOWNLOADS):
            (tmp_path / str(number)).mkdir()
            download = Download(tmp_path / str(number), f"http://localhost{target}", "--unix-socket", nginx / "front.sock")
            download.kill_at(download.curl(), chance.randrange(1, size or 1 << 20))
            tag = re.search(r'^etag: (".*")', download.head.read_text(), re.MULTILINE | re.IGNORECASE)[1]
            change(reservoir)
            process = download.curl("-C", "-", "-f", "-H", f"If-Range: {tag}", limit="1G")
            _, errors = process.communicate(timeout=60)
            # It may have been whole already.
            assert process.returncode == 0 or "416" in errors, (errors, server.log[-500:], (nginx / "error.log").read_text()[-900:])
            assert run("verify", download.file).returncode == 0
            size = download.size()
        wait_until(lambda: samples(server)["sluice_backups_running"] == 0, "the end of all")
        record_property("cases", DOWNLOADS)
        # Some may have been whole already when they were to be killed.
        assert DOWNLOADS // 2 <= samples(server)["sluice_backups_resumed_total"] <= DOWNLOADS


def test_a_name_lets_any_client_go_on(reservoir, tmp_path):
    with serve(reservoir) as server:
        for command in (["curl", "-sS", "-C", "-", "-o"], ["wget", "-q", "-c", "--tries=1", "-O"]):
            proxy = Breaking(server.ports[0])
            file = tmp_path / f"{command[0]}.zip"
            command = [*command, file, f"http://127.0.0.1:{proxy.port}/api/backup?resume={command[0]}"]
            assert subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60).returncode != 0
            change(reservoir)
            # wget asks once more, to hear that there is no more.
            again = [part for part in command if part != "--tries=1"]
            assert subprocess.run(again, timeout=60).returncode == 0
            proxy.listener.close()
            assert run("verify", file).returncode == 0
        assert samples(server)["sluice_backups_resumed_total"] == 2


@pytest.mark.parametrize("query, status", [("", 8), ("?resume=x", 0)])
def test_wget_by_itself_joins_no_two_archives(reservoir, tmp_path, query, status):
    """It asks for the rest without If-Range, and would take that of another archive for it."""
    with serve(reservoir) as server:
        proxy = Breaking(server.ports[0])
        command = ["wget", "-q", "--waitretry=0", "--tries=5", "-O", tmp_path / "x.zip"]
        result = subprocess.run([*command, f"http://127.0.0.1:{proxy.port}/api/backup{query}"], timeout=60)
        proxy.listener.close()
        assert b"Range: bytes=" in proxy.requests[1] and b"If-Range" not in proxy.requests[1]
        assert result.returncode == status
        assert (run("verify", tmp_path / "x.zip").returncode == 0) == (status == 0)


def test_what_is_not_kept(reservoir):
    with serve(reservoir) as server:
        head, content = part(server, 1000)
        tag = head.headers["ETag"]
        other = f'"{"0" * 32}-{"0" * 32}"'
        for start, known in [(1000, other), (1 << 40, tag), (1000, "*"), (1000, "Mon, 23 Nov 2026 10:00:00 GMT"), (1000, f"W/{tag}")]:
            answer = rest(server, start, known)
            assert (answer.status, "Content-Range" in answer.headers) == (200, False), known
            assert answer.headers["ETag"] != tag and Archive(answer.body)
        # Another resource has other archives.
        assert rest(server, 1000, tag, "/api/backup?db=reservoir.db").status == 200
        assert server.get("/api/backup", If_Match=other).problem()["status"] == 412
        assert server.get("/api/backup", If_Match=other, Range="bytes=1000-").problem()["status"] == 412
        assert server.get("/api/backup?resume=x", Range="bytes=1000-").problem()["status"] == 412
        assert server.get("/api/backup", Range="bytes=1000-").problem()["status"] == 428
        assert server.get("/api/backup", If_Range="x", If_Match="*").status == 200
        for other in ("bytes=-5", "bytes=1-2", "bytes=-0", "bytes=1-,2-"):
            assert server.get("/api/backup", Range=other).problem()["status"] == 428, other
            assert server.get("/api/backup?resume=x", Range=other).problem()["status"] == 412, other
        for ignored in ("bytes=0-", "bytes=0-9", "bytes=0-9,20-", "lines=1-", "bytes=x-", "bytes", "bytes=1-2-", "bytes=+1-", "bytes=1-,x"):
            answer = server.get("/api/backup", Range=ignored)
            assert (answer.status, "Content-Range" in answer.headers) == (200, False), ignored
        assert server.get("/api/backup?resume=").problem()["status"] == 400
        # And it is still there.
        answer = rest(server, 1000, tag)
        assert answer.status == 206 and Archive(content + answer.body)


def test_if_match(reservoir):
    with serve(reservoir) as server:
        head, content = part(server, 1000)
        answer = server.get("/api/backup", Range="bytes=1000-", If_Match=head.headers["ETag"])
        assert answer.status == 206 and Archive(content + answer.body)


def test_what_is_stored_has_a_length(reservoir):
    with serve(reservoir) as server:
        target = "/api/backup?compression=store"
        head, content = part(server, 1000, target)
        size = int(head.headers["Content-Length"])
        answer = rest(server, 1000, head.headers["ETag"], target)
        assert answer.headers["Content-Range"] == f"bytes 1000-{size - 1}/{size}"
        assert answer.headers["Content-Length"] == str(size - 1000)
        assert Archive(content + answer.body)


def test_any_range_of_what_is_stored(reservoir):
    """In whatever order: far before what is retained, far behind what was made."""
    target = "/api/backup?compression=store"
    chance = random.Random(9)
    with serve(reservoir) as server:
        head, content = part(server, 1000, target)
        tag, size = head.headers["ETag"], int(head.headers["Content-Length"])
        found = {}
        for span in ("0-0", f"{size - 2}-", "1000-70000", f"-{30 << 20}", f"{1 << 20}-{12 << 20}", f"{size // 2}-{size * 2}", "-1"):
            change(reservoir)
            answer = server.get(target, Range=f"bytes={span}", If_Range=tag)
            first, last, of = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers["Content-Range"]).groups())
            assert (answer.status, answer.headers["ETag"], of) == (206, tag, size), span
            assert len(answer.body) == int(answer.headers["Content-Length"]) == last + 1 - first
            found[first] = answer.body
            if last + 1 == size:
                # A transfer that was sent to its end holds no snapshot, and has what is retained.
                wait_until(lambda: not is_pinned(reservoir), "the snapshot's end")
                change(reservoir)
                head, content = part(server, 1000, target)
                tag, size = head.headers["ETag"], int(head.headers["Content-Length"])
                found = {}
        for _ in range(20):
            first = chance.randrange(size - 1)
            last = chance.randrange(first, min(size - 1, first + (4 << 20)))
            answer = server.get(target, Range=f"bytes={first}-{last}", If_Range=tag)
            assert answer.status == 206
            found[first] = answer.body
        for unsatisfied in (f"{size}-", f"{size}-{size + 9}", "-0"):
            answer = server.get(target, Range=f"bytes={unsatisfied}", If_Range=tag)
            assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{size}")
        change(reservoir)
        assert is_pinned(reservoir)
        whole = rest(server, 0, tag, target).body
        assert whole.startswith(content) and len(whole) == size and Archive(whole)
        for first, body in found.items():
            assert whole[first : first + len(body)] == body
        wait_until(lambda: not is_pinned(reservoir), "the snapshot's end")
        assert samples(server)["sluice_backups_kept"] == 0


class Remote(io.RawIOBase):
    """A file that is read by one range at a time, as remotezip and unzip-http do it."""

    def __init__(self, server, target, size=None):
        self.server, self.target, self.position, self.tags = server, target, 0, set()
        self.size = size or int(self.get("bytes=-1").headers["Content-Range"].split("/")[1])

    def get(self, span):
        answer = self.server.get(self.target, Range=span)
        assert answer.status == 206
        self.tags.add(answer.headers["ETag"])
        return answer

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        self.position = offset + [0, self.position, self.size][whence]
        return self.position

    def tell(self):
        return self.position

    def read(self, count=-1):
        end = self.size if count < 0 else min(self.size, self.position + count)
        if self.position == end:
            return b""
        body = self.get(f"bytes={self.position}-{end - 1}").body
        self.position = end
        return body


@pytest.mark.parametrize("first", ["HEAD", "suffix"])
def test_one_member_is_read_on_the_spot(reservoir, first):
    target = "/api/backup?compression=store&resume=x"
    make.ledger(reservoir / "small.db", make.ROLLBACK)
    expected = (reservoir / "small.db").read_bytes()
    with serve(reservoir, "--resume-grace", "3s") as server:
        size = None
        if first == "HEAD":
            with server.connect() as connection:
                size = int(connection.answer("HEAD", target).headers["Content-Length"])
        remote = Remote(server, target, size)
        change(reservoir)
        with zipfile.ZipFile(remote) as archive:
            assert archive.read("small.db") == expected
            assert json.loads(archive.read("MANIFEST.json"))["complete"]
            # And then all of it after all.
            whole = server.get(target, Range="bytes=0-")
        assert len(remote.tags | {whole.headers["ETag"]}) == 1
        assert Archive(whole.body).read("small.db") == expected
        assert samples(server)["sluice_backups_completed_total"]["complete"] == 1


def test_parts_alone_are_neither_a_backup_nor_a_failure(reservoir):
    with serve(reservoir, "--resume-grace", "500ms") as server:
        target = "/api/backup?compression=store&resume=x"
        assert server.get(target, Range="bytes=-100").status == 206
        server.wait_for_line("ranges of a backup sent")
        wait_until(lambda: not is_pinned(reservoir), "the snapshot's end")
        counted = samples(server)
        assert counted["sluice_backups_completed_total"]["complete"] == 0
        assert sum(counted["sluice_backups_aborted_total"].values()) == 0
        # Its name may be known to a client that has some of it.
        assert server.get(target, Range="bytes=5-10").status == 412
        assert server.get(target, Range="bytes=-100").status == 412


@pytest.mark.parametrize("span, status", [("bytes=0-9", 206), ("bytes=5-10", 206), ("bytes=-1", 206), ("bytes=0-", 206),
                                            ("bytes=5-10,20-30", 206), ("bytes=-0", 416), ("bytes=1-", 412)])  # fmt: skip
def test_the_first_range_by_a_name(reservoir, span, status):
    """A client that asks for the rest has what is before it: of another archive, since there is none of this name."""
    with serve(reservoir) as server:
        answer = server.get("/api/backup?compression=store&resume=x", Range=span)
        assert answer.status == status
        if span == "bytes=5-10,20-30":
            assert answer.headers["Content-Range"].startswith("bytes 5-10/") and len(answer.body) == 6


def test_several_ranges_of_what_is_held(reservoir):
    with serve(reservoir) as server:
        for target in ("/api/backup", "/api/backup?compression=store"):
            head, content = part(server, 1000, target)
            tag = head.headers["ETag"]
            answer = server.get(target, Range="bytes=1000-, 20000-20009", If_Range=tag)
            assert (answer.status, answer.headers["ETag"]) == (206, tag)
            assert answer.headers["Content-Range"].startswith("bytes 1000-") and Archive(content + answer.body)


@pytest.mark.parametrize("compression", ["fast", "store"])
def test_a_name_is_of_one_archive(reservoir, compression):
    """The older one by a name must not answer for the rest of the newer one."""
    target = f"/api/backup?compression={compression}&resume=x"
    with serve(reservoir) as server:
        with server.connect() as client:
            if compression == "store":
                client.answer("HEAD", target)
            else:
                part(server, 1000, target)
        wait_until(lambda: samples(server)["sluice_backups_kept"] == 1, "the older one to be held")
        change(reservoir)
        whole = server.get(target)
        assert server.get(target, Range=f"bytes={len(whole.body) - 10}-").body == whole.body[-10:]
        change(reservoir)
        # Of those that were sent to their end, the last is kept.
        assert server.get("/api/backup").status == 200
        wait_until(lambda: samples(server)["sluice_backups_completed_total"]["complete"] == 2, "the end of both")
        for span in ("bytes=1000-", f"bytes={len(whole.body) - 10}-", "bytes=5-10", "bytes=-10"):
            answer = server.get(target, Range=span)
            assert answer.status == 412, (span, answer.headers["ETag"] == whole.headers["ETag"])


@pytest.mark.parametrize("first", ["HEAD", "nothing"])
def test_a_name_is_of_one_archive_while_that_is_begun(reservoir, first):
    """Its snapshots wait for a lock, and a range is asked for meanwhile."""
    target = "/api/backup?compression=store&resume=x"
    application = make.create(reservoir / "a.db", make.ROLLBACK)
    application.execute("CREATE TABLE t(x)")
    with serve(reservoir) as server, server.connect() as client:
        if first == "HEAD":
            client.answer("HEAD", target)
        application.execute("BEGIN EXCLUSIVE")
        client.request("GET", target)
        wait_until(lambda: samples(server)["sluice_backups_running"] == 1, "the backup to begin")
        assert server.get(target, Range="bytes=5-10").status == 412
        application.execute("COMMIT")
        whole = client.getresponse().read()
        assert server.get(target, Range="bytes=-10").body == whole[-10:]
    application.close()


def test_the_last_that_was_asked_for_by_a_name_has_it(reservoir):
    """Both wait for a lock, and get their snapshots in any order."""
    target = "/api/backup?compression=store&resume=x"
    application = make.create(reservoir / "a.db", make.ROLLBACK)
    application.execute("CREATE TABLE t(x)")
    application.execute("BEGIN EXCLUSIVE")
    with serve(reservoir) as server, server.connect() as older, server.connect() as newer:
        for number, client in enumerate((older, newer)):
            client.request("GET", target)
            wait_until(lambda: samples(server)["sluice_backups_running"] == number + 1, "the backup to begin")
        application.execute("COMMIT")
        with pytest.raises(BROKEN_OFF):
            older.getresponse().read()
        whole = newer.getresponse().read()
        assert server.get(target, Range="bytes=-10").body == whole[-10:]
    application.close()


def test_head_of_a_name_is_of_that_archive(reservoir):
    with serve(reservoir) as server, server.connect() as connection:
        for query in ("?resume=x", "?resume=x&compression=store"):
            target = f"/api/backup{query}"
            with server.connect(receive_buffer=4096) as client:
                response = client.begin(target)
                content = response.read(1000)
                change(reservoir)
                head = connection.answer("HEAD", target)
                assert head.status == 200
                for name in ("ETag", "Content-Length", "Content-Disposition"):
                    assert head.headers[name] == response.headers[name], name
                assert Archive(content + response.read())
            assert connection.answer("HEAD", "/api/backup", If_Match=response.headers["ETag"]).status == 412


def test_a_client_that_joins_wrongly_gets_no_part_of_unknown_length(reservoir):
    """lftp 4.9.2 writes it over the beginning of its file, and exits with 0."""
    with serve(reservoir) as server:
        for compression, status in (("fast", 412), ("store", 206)):
            target = f"/api/backup?compression={compression}&resume=x"
            head, content = part(server, 1000, target)
            assert server.get(target, Range="bytes=1000-", User_Agent="lftp/4.9.2").status == status
            if status == 412:
                assert Archive(content + server.get(target, Range="bytes=1000-", User_Agent="Wget/1.21.3").body)


@pytest.mark.parametrize("start", [1000, 20 << 20])
def test_what_a_proxy_had_is_made_again(reservoir, start):
    """Whatever was on its way in kernels and proxies when a client was lost: more than is retained."""
    with serve(reservoir) as server:
        head, content = part(server, 36 << 20)
        change(reservoir)
        answer = rest(server, start, head.headers["ETag"])
        assert (answer.status, answer.headers["ETag"]) == (206, head.headers["ETag"])
        assert answer.body.startswith(content[start:])
        assert Archive(content[:start] + answer.body).manifest["complete"]
        # But nothing that no client can have.
        head, content = part(server, 1000)
        assert rest(server, 40 << 20, head.headers["ETag"]).status == 200


def test_small_files_are_made_again(reservoir):
    """ISA-L makes other bytes of many of them where its stream has another address."""
    (reservoir / "notes").mkdir()
    for number in range(600):
        words = hashlib.sha256(number.to_bytes(2, "big")).hexdigest()[:12]
        (reservoir / f"notes/{number:03}").write_text(words * 4)
    with serve(reservoir, "--include", "notes") as server:
        head, content = part(server, 36 << 20)
        change(reservoir)
        answer = rest(server, 1000, head.headers["ETag"])
        assert answer.status == 206
        assert Archive(content[:1000] + answer.body).manifest["complete"]


def test_one_that_makes_what_comes_before_is_taken_over(tmp_path):
    """Its client has the head, and leaves by a FIN; until the range begins, nothing is written that would fail."""
    data = small(tmp_path / "data", "new")
    (notes := data / "notes").write_bytes(bytes(128 << 20))
    target = "/api/backup?compression=store&resume=x"
    with (
        serve(data, "--include", "notes") as server,
        traced(server, tmp_path / "strace", "pread64", "-P", notes, "-e", "inject=pread64:delay_enter=100000"),
    ):
        with server.connect() as client:
            first = client.begin(target, Range="bytes=-100")
        with server.connect() as client:
            second = client.begin(target, Range="bytes=-100", If_Range=first.headers["ETag"])
        # It would go on for a minute.
        server.kill()
        assert (first.status, second.status) == (206, 206)
        assert second.headers["ETag"] == first.headers["ETag"]


def test_what_was_read_is_in_no_applications_way(reservoir):
    """It is held only in case that its client is lost, and not beyond a checkpoint that waits."""
    application = make.create(reservoir / "a.db", make.WAL)
    application.execute("CREATE TABLE t(x)")
    with serve(reservoir) as server, server.connect(receive_buffer=4096) as client:
        response = client.begin()
        # The first database has been read to its end.
        content = response.read(1 << 20)
        application.execute("INSERT INTO t VALUES (1)")
        application.execute("PRAGMA busy_timeout=10000")
        assert application.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert Archive(content + response.read()).manifest["complete"]
    application.close()


def test_a_part_is_no_whole(reservoir):
    """What is sent of an archive does not count as a backup before its end was made."""
    target = "/api/backup?compression=store"
    with serve(reservoir, "--resume-grace", "1s") as server:
        head, _ = part(server, 1000, target)
        assert server.get(target, Range="bytes=0-9", If_Range=head.headers["ETag"]).status == 206
        assert samples(server)["sluice_backups_kept"] == 1
        server.wait_for_line("backup failed .*client-left")
        assert not is_pinned(reservoir)
        assert samples(server)["sluice_backups_completed_total"]["complete"] == 0


def test_a_file_that_was_written_to_since(reservoir):
    """Of the bytes that its tag names, some cannot be made again: neither behind the range, nor in it, nor before it."""
    target = "/api/backup?compression=store"
    (reservoir / "notes").mkdir()
    (reservoir / "notes/a").write_bytes(bytes(60 << 20))
    with serve(reservoir, "--include", "notes") as server:
        head, content = part(server, 100 << 20, target)
        tag, size = head.headers["ETag"], int(head.headers["Content-Length"])
        assert server.get(target, Range="bytes=1000-1999", If_Range=tag).status == 206
        assert server.get(target, Range=f"bytes={80 << 20}-{81 << 20}", If_Range=tag).status == 206
        with (reservoir / "notes/a").open("r+b") as file:
            file.seek(30 << 20)
            file.write(b"x")
        for span in ("1000-1999", f"{70 << 20}-{80 << 20}", f"{size - 1000}-", "1000-"):
            answer = server.get(target, Range=f"bytes={span}", If_Match=tag)
            # What had been made goes on, as long as nothing is made again.
            assert answer.status == (206 if span == f"{size - 1000}-" else 412), span
        answer = rest(server, 1000, tag, target)
        assert answer.status == 200 and answer.headers["ETag"] != tag and Archive(answer.body)


def test_a_file_that_is_written_to_while_it_is_read_again(reservoir):
    """The head has left: what follows must not be taken for the archive that the tag names."""
    target = "/api/backup?compression=store"
    (reservoir / "notes").mkdir()
    (reservoir / "notes/a").write_bytes(bytes(60 << 20))
    with serve(reservoir, "--include", "notes") as server:
        head, content = part(server, 100 << 20, target)
        with server.connect(receive_buffer=4096) as client:
            response = client.begin(target, Range=f"bytes=1000-{99 << 20}", If_Range=head.headers["ETag"])
            assert response.status == 206
            wait_until_still(server)
            with (reservoir / "notes/a").open("r+b") as file:
                file.seek(40 << 20)
                file.write(b"x")
            with pytest.raises(BROKEN_OFF):
                response.read()
        server.wait_for_line("backup failed .*reason=changed")
        assert rest(server, 1000, head.headers["ETag"], target).status == 200


def test_the_end_of_one_that_was_sent(house):
    """The kernel has taken the last byte; that the client has it, the service cannot know."""
    with serve(house) as server:
        whole = server.get("/api/backup")
        size, tag = len(whole.body), whole.headers["ETag"]
        answer = rest(server, size - 10, tag)
        assert (answer.status, answer.body) == (206, whole.body[-10:])
        assert answer.headers["Content-Range"] == f"bytes {size - 10}-{size - 1}/{size}"
        answer = rest(server, size, tag)
        assert answer.status == 416 and answer.headers["Content-Range"] == f"bytes */{size}"
        # Once, as far as anybody counts.
        assert samples(server)["sluice_backups_completed_total"]["complete"] == 1


def test_a_connection_that_the_client_has_lost_without_a_word(reservoir):
    """It is still open here: a client that knows the tag takes over."""
    with serve(reservoir) as server, server.connect(receive_buffer=4096) as lost:
        response = lost.begin()
        content = response.read(1000)
        answer = rest(server, 1000, response.headers["ETag"])
        assert answer.status == 206 and Archive(content + answer.body)
        with pytest.raises(BROKEN_OFF):
            response.read()


def test_the_snapshot_is_held_for_so_long(reservoir):
    change(reservoir)
    with serve(reservoir, "--resume-grace", "1s") as server:
        head, _ = part(server, 1000)
        change(reservoir)
        wait_until(lambda: samples(server)["sluice_backups_kept"] == 1, "the client to be missed")
        assert is_pinned(reservoir)
        assert samples(server)["sluice_snapshot_age_seconds"] > 0
        wait_until(lambda: not is_pinned(reservoir), "the end of the grace")
        server.wait_for_line("backup failed.*client-left")
        assert samples(server)["sluice_backups_aborted_total"]["client-left"] == 1
        assert rest(server, 1000, head.headers["ETag"]).status == 200


@pytest.mark.parametrize("mode", ["FULL", "RESTART", "TRUNCATE"])
def test_a_checkpoint_that_waits_is_given_way(reservoir, mode):
    with serve(reservoir) as server:
        head, _ = part(server, 1000)
        change(reservoir)
        application = sqlite3.connect(reservoir / "reservoir.db", timeout=60)
        assert application.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0] == 0
        application.close()
        server.wait_for_line("interrupted backup given up .*reason=checkpoint")
        server.wait_for_line("backup failed .*reason=client-left")
        assert rest(server, 1000, head.headers["ETag"]).status == 200


def test_checkpoints_that_wait_for_no_reader_discard_nothing(reservoir):
    with serve(reservoir, "--resume-wal-growth", "1GiB") as server:  # more than a second can write
        head, content = part(server, 1000)
        application = sqlite3.connect(reservoir / "reservoir.db", isolation_level=None, timeout=0)
        application.execute("PRAGMA wal_autocheckpoint=1")
        application.execute("CREATE TABLE news(x)")
        until = time.monotonic() + 1  # ten looks
        while time.monotonic() < until:
            application.execute("INSERT INTO news VALUES (1)")
        application.close()
        answer = rest(server, 1000, head.headers["ETag"])
        assert answer.status == 206
        assert Archive(content + answer.body).manifest["complete"]


def test_a_wal_that_grows_ends_the_wait_for_a_lost_client(reservoir):
    """PASSIVE checkpoints, SQLite's own among them, wait for no reader: without a limit the WAL would grow on."""
    with serve(reservoir, "--resume-wal-growth", "1MiB") as server:
        head, content = part(server, 1000)
        connection = sqlite3.connect(reservoir / "reservoir.db")
        connection.execute("CREATE TABLE news(x)")
        connection.commit()
        assert rest(server, 1000, head.headers["ETag"]).status == 206
        head, content = part(server, 1000)
        connection.execute("INSERT INTO news VALUES (zeroblob(3 << 20))")
        connection.commit()
        connection.close()
        server.wait_for_line("interrupted backup given up.*wal-growth")
        wait_until(lambda: not is_pinned(reservoir), "the pin to be released")
        answer = rest(server, 1000, head.headers["ETag"])
        assert answer.status == 200 and Archive(answer.body).manifest["complete"]


def test_the_growth_since_then_is_that_of_all_wals(reservoir):
    """Another one may have grown more before the client was lost."""
    databases = [make.create(reservoir / name, make.WAL) for name in ("x.db", "y.db")]
    for database in databases:
        database.execute("CREATE TABLE news(x)")
    with serve(reservoir, "--resume-wal-growth", "1MiB") as server:
        with server.connect(receive_buffer=4096) as client:
            client.begin().read(1000)
            databases[0].execute("INSERT INTO news VALUES (zeroblob(3 << 20))")
            wait_until(lambda: samples(server)["sluice_wal_growth_bytes"] > 3 << 20, "the growth to be seen")
        wait_until(lambda: samples(server)["sluice_backups_kept"] == 1, "the client to be missed")
        databases[1].execute("INSERT INTO news VALUES (zeroblob(2 << 20))")
        server.wait_for_line("interrupted backup given up.*wal-growth")
    for database in databases:
        database.close()


def test_limits_hold_while_the_client_is_away(reservoir):
    with serve(reservoir, "--max-snapshot-age", "4s", "--detach-budget", "0") as server:
        head, _ = part(server, 1000)
        server.wait_for_line("backup failed.*snapshot-age")
        assert samples(server)["sluice_backups_kept"] == 0
        # Its head only: all of it may take longer than the age.
        with server.connect() as client:
            assert client.begin(Range="bytes=1000-", If_Range=head.headers["ETag"]).status == 200


def test_a_new_backup_needs_the_place(reservoir):
    with serve(reservoir, "--max-backups", "2") as server:
        heads = []
        for number in range(3):
            heads.append(part(server, 1000)[0])
            wait_until(lambda: samples(server)["sluice_backups_kept"] == min(number + 1, 2), "the client to be missed")
        first, second, third = (rest(server, 1000, head.headers["ETag"]).status for head in heads)
        # The first makes way for the third, and the whole one that it gets instead for the second.
        assert (first, third) == (200, 206)
        assert second in (200, 206)


def test_one_that_was_sent_to_its_end_takes_a_place_when_it_is_sent_again(reservoir):
    with serve(reservoir, "--max-backups", "1") as server:
        proxied = {"X_Forwarded_For": "192.0.2.1"}  # 3 MiB are retained for the client of a proxy
        whole = server.get("/api/backup", **proxied)
        start = len(whole.body) - (3 << 20)
        with server.connect(receive_buffer=4096) as slow:
            again = slow.begin("/api/backup", Range=f"bytes={start}-", If_Range=whole.headers["ETag"], **proxied)
            assert again.status == 206
            assert samples(server)["sluice_backups_running"] == 1
            assert server.get("/api/backup").status == 503
            assert again.read() == whole.body[start:]
        wait_until(lambda: samples(server)["sluice_backups_running"] == 0, "its place to be free")
        assert server.get("/api/backup").status == 200


def test_what_is_sent_again_is_counted_once(reservoir):
    with serve(reservoir) as server:
        proxied = {"X_Forwarded_For": "192.0.2.1"}  # 3 MiB are retained for the client of a proxy
        whole = server.get("/api/backup", **proxied)
        wait_until(lambda: samples(server)["sluice_backups_running"] == 0, "its end")
        assert samples(server)["sluice_sent_bytes_total"] == len(whole.body)
        with server.connect(receive_buffer=4096) as slow:
            slow.begin("/api/backup", Range=f"bytes={len(whole.body) - (3 << 20)}-", If_Range=whole.headers["ETag"], **proxied)
            running = samples(server)
            assert (running["sluice_backups_running"], running["sluice_sent_bytes_total"]) == (1, len(whole.body))
        wait_until(lambda: samples(server)["sluice_backups_running"] == 0, "the client to be missed")
        assert samples(server)["sluice_sent_bytes_total"] == len(whole.body)


def test_a_client_that_leaves_before_its_range_is_reached_is_missed(large):
    with serve(large, "--resume-grace", "3s") as server:
        head, _ = part(server, 1000, "/api/backup?compression=store")
        last = int(head.headers["Content-Length"]) - 1
        with connect(("127.0.0.1", server.ports[0])) as sock:
            sock.sendall(
                f"GET /api/backup?compression=store HTTP/1.1\r\nHost: localhost\r\nRange: bytes={last}-\r\n"
                f"If-Range: {head.headers['ETag']}\r\n\r\n".encode()
            )
            server.wait_for_line("backup resumed")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        server.wait_for_line("backup failed .*reason=client-left")
        assert samples(server)["sluice_read_bytes_total"] < last / 2


def test_without_grace_everything_is_let_go(reservoir):
    with serve(reservoir, "--resume-grace", "0s") as server:
        head, _ = part(server, 1000)
        server.wait_for_line("backup failed.*client-left")
        assert not is_pinned(reservoir)
        assert rest(server, 1000, head.headers["ETag"]).status == 200


def test_the_end_of_the_service_waits_for_no_lost_client(reservoir):
    with serve(reservoir, "--drain-timeout", "60s") as server:
        part(server, 1000)
        wait_until(lambda: samples(server)["sluice_backups_kept"] == 1, "the client to be missed")
        start = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0 and time.monotonic() - start < 30


def test_memory_is_bounded_while_clients_are_away(large, figure):
    with serve(large) as server:
        server.get("/healthz")
        for number in range(8):
            part(server, 5 << 20)
        wait_until(lambda: samples(server)["sluice_backups_running"] == 0, "the clients to be missed")
        assert samples(server)["sluice_backups_kept"] == 4
        figure("peak memory, four clients away", f"{server.peak_resident_kib() / 1024:.1f} MiB")
        assert server.peak_resident_kib() < 64 << 10
