"""HTTP as clients and proxies meet it. The parser's own vectors are in Tests/HTTP1Tests."""

import base64
import hashlib
import subprocess
from urllib.parse import quote

import httptools
import pytest

import data as make
from archive import Archive
from client import Connection, exchange
from etags import settled
from harness import serve, wait_until
from restoring import LOOKALIKES, lookalikes


@pytest.fixture
def server(house):
    with serve(house, "--max-backups", "2") as server:
        yield server


def address(server):
    return ("127.0.0.1", server.ports[0])


class Responses:
    """The responses in a stream of bytes, as llhttp reads them."""

    def __init__(self, received, count):
        self.bodies, self.statuses, self.complete = [], [], 0
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(received)
        assert self.complete == len(self.bodies) == count

    def on_message_begin(self):
        self.bodies.append(b"")

    def on_headers_complete(self):
        self.statuses.append(self.parser.get_status_code())

    def on_body(self, body):
        self.bodies[-1] += body

    def on_message_complete(self):
        self.complete += 1


def test_the_head_says_what_is_coming(server):
    answer = server.get("/api/backup")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Cache-Control"] == "no-store, no-transform"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "Sluice-Skipped" not in answer.headers
    for name in answer.headers:
        assert len(answer.headers.get_all(name)) == 1, name


def test_a_stored_archive_has_the_length_that_was_announced(server):
    with server.connect() as connection:
        response = connection.begin("/api/backup?compression=store")
        announced = int(response.headers["Content-Length"])
        # http.client would not read past the announced length: the next response shows that nothing follows.
        assert len(response.read()) == announced
        assert connection.answer("GET", "/healthz").status == 200


@pytest.mark.parametrize("target", ["/api/backup", "/api/backup?compression=store", "/healthz", "/nowhere"])
def test_head_gives_the_head_of_get_and_no_content(server, target):
    with server.connect() as connection:
        get, head = connection.answer("GET", target), connection.answer("HEAD", target)
        # The connection is still in step.
        assert connection.answer("GET", "/healthz").status == 200
    assert head.status == get.status and head.body == b""
    # The manifest's length, and so the archive's, may differ by the digits of one number, the skew.
    varying = {"date", "content-length", "etag"}
    heads, gets = ({name.lower(): value for name, value in answer.headers.items()} for answer in (head, get))
    assert heads.keys() == gets.keys()
    assert all(heads[name] == gets[name] for name in heads.keys() - varying)


def test_head_copies_no_database(reservoir, tmp_path):
    make.bulk(reservoir / "rollback.db", make.ROLLBACK, 8)
    (spool := tmp_path / "spool").mkdir()
    with serve(reservoir, "--memory-budget", "1MiB", "--spool-directory", spool) as server, server.connect() as connection:
        tag = settled(server).headers["ETag"]
        # There is no place for a copy any more.
        spool.rmdir()
        for target in ("/api/backup", "/api/backup?compression=store", "/api/backup?resume=x"):
            head = connection.answer("HEAD", target)
            assert head.status == 200 and "Sluice-Skipped" not in head.headers
        # And it is the state that a copy would be of.
        assert connection.answer("HEAD", "/api/backup", If_None_Match=tag).status == 304
        assert "rollback.db" in connection.answer("GET", "/api/backup").headers["Sluice-Skipped"]


def test_db_chooses_databases(server):
    one = Archive(server.get("/api/backup?db=events.db").body)
    assert one.names == ["events.db", "VERSION", "MANIFEST.json"]
    two = Archive(server.get("/api/backup?db=events.db&db=Zones%20of%20the%20house.db&db=events.db").body)
    assert two.names == ["Zones of the house.db", "events.db", "VERSION", "MANIFEST.json"]


def test_db_chooses_by_bytes(tmp_path):
    with serve(lookalikes(tmp_path)) as server:
        assert Archive(server.get("/api/backup").body).names == [*sorted(LOOKALIKES), "VERSION", "MANIFEST.json"]
        for name in LOOKALIKES:
            one = Archive(server.get(f"/api/backup?db={quote(name)}").body)
            assert one.names == [name, "VERSION", "MANIFEST.json"]
            with one.database(name) as connection:
                assert connection.execute("SELECT word FROM t").fetchall() == [(ascii(name),)]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("db=nothing.db", 404),
        ("db=events.db&db=nothing.db", 404),
        ("db=notes.txt", 404),
        ("db=subdirectory", 404),
        ("db=", 400),
        ("db=.", 400),
        ("db=..", 400),
        ("db=../house/events.db", 400),
        ("db=..%2Fhouse%2Fevents.db", 400),
        ("db=subdirectory/inner.db", 404),  # it is not included
        ("db=subdirectory//inner.db", 400),
        ("db=%2Fetc%2Fpasswd", 400),
        ("db=events.db%00.db", 400),
        ("db=%ff.db", 400),
        ("db=%zz", 400),
        ("compression=lzma", 400),
        ("compression=", 400),
        ("compression=store&compression=best", 400),
        ("strict=maybe", 400),
        ("stict=1", 400),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(server, query, status):
    answer = server.get(f"/api/backup?{query}")
    assert answer.status == status
    answer.problem()


@pytest.mark.parametrize(
    "target", ["/api", "/index.html", "/status.json/", "/api/backup/", "/api/backups", "/API/backup", "/healthz/", "/%2e%2e/"]
)
def test_what_is_not_there_is_not_found(server, target):
    answer = server.get(target)
    assert answer.status == 404
    answer.problem()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_allowed(server, method):
    with server.connect() as connection:
        answer = connection.answer(method, "/api/backup")
    assert answer.status == 405
    assert {allowed.strip() for allowed in answer.headers["Allow"].split(",")} == {"GET", "HEAD"}
    answer.problem()


HOST = b"Host: localhost\r\n"
MALFORMED = {
    "a bare line feed": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "a space before the colon": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A : b\r\n\r\n", 400),
    "a folded line": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", 400),
    "a NUL": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: \0\r\n\r\n", 400),
    "two lengths": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
    "a signed length": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: +0\r\n\r\n", 400),
    "content": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", 413),
    "chunked content": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    "an unknown method": (b"BREW /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "an unknown version": (b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "an unknown expectation": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Expect: tea\r\n\r\n", 417),
    "a long target": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a long field": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 70_000 + b"\r\n\r\n", 431),
    "many fields": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 2000 + b"\r\n", 431),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_request_gets_one_answer_and_ends_the_connection(server, case):
    request, status = MALFORMED[case]
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    responses = Responses(exchange(address(server), request + smuggled), 1)
    assert responses.statuses == [status]


def test_a_connection_serves_one_request_after_the_other(server):
    with server.connect() as connection:
        first = connection.answer("GET", "/api/backup")
        sock = connection.sock
        assert connection.answer("GET", "/nowhere").status == 404
        second = connection.answer("GET", "/api/backup?compression=store")
        assert connection.sock is sock
    assert Archive(first.body).names == Archive(second.body).names


def test_requests_sent_at_once_are_answered_in_their_order(server):
    paths = ("/healthz", "/api/backup", "/nowhere", "/api/backup?db=events.db&compression=store", "/healthz")
    requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n" for path in paths]
    sent = "\r\n".join(requests) + "Connection: close\r\n\r\n"
    responses = Responses(exchange(address(server), sent.encode()), 5)
    assert responses.statuses == [200, 200, 404, 200, 200]
    assert "floor_plan/plan.json" in Archive(responses.bodies[1]).names
    assert Archive(responses.bodies[3]).names == ["events.db", "VERSION", "MANIFEST.json"]


OVER_HTTP_1_0 = {
    "itself": (b"1.0", b""),
    "behind a proxy": (b"1.1", b"Via: 1.0 proxy\r\n"),
    "behind nginx": (b"1.1", b"Via: , HTTP/1.0 nginx\r\n"),
    "behind two, field by field": (b"1.1", b"Via: HTTP/1.0 a:80 (b, c)\r\nvia: 2 d\r\n"),
    "behind two, in one field": (b"1.1", b"Via: 1.1 a,\tHTTP/0.9 b\r\n"),
}


@pytest.mark.parametrize(("version", "via"), OVER_HTTP_1_0.values(), ids=OVER_HTTP_1_0)
@pytest.mark.parametrize("query", ["", "?compression=fast", "?db=events.db"])
def test_a_client_of_http_1_0_gets_its_archive_with_a_length(server, version, via, query):
    """The connection's end would be all that tells it the archive's, and a process that dies ends connections, too."""
    fields = b"Host: localhost\r\nConnection: close\r\n" + via
    received = exchange(address(server), b"GET /api/backup%s HTTP/%s\r\n%s\r\n" % (query.encode(), version, fields))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert b"\r\nContent-Length: %d" % len(body) in head
    assert Archive(body).manifest["complete"]


@pytest.mark.parametrize("via", ["1.1 proxy", "2 proxy, HTTP/1.1 1.0", "HTTP/2.0 1.0 (1.0)", "1.01 x", ""])
def test_no_other_client_is_taken_for_one_of_http_1_0(server, via):
    assert server.get("/api/backup", Via=via).headers["Transfer-Encoding"] == "chunked"


def test_a_client_of_http_1_0_may_keep_its_connection_when_the_length_is_known(server):
    request = b"GET /api/backup?compression=store HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    received = exchange(address(server), request + b"GET /healthz HTTP/1.0\r\n\r\n")
    assert Responses(received, 2).statuses == [200, 200]


def test_health_is_json(server):
    answer = server.get("/healthz")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    health = answer.json()
    assert health["status"] == "ok"
    assert health["version"]
    assert health["uptime_seconds"] >= 0
    assert (health["running_backups"], health["last_backup"]) == (0, None)
    size = len(server.get("/api/backup").body)
    last = wait_until(lambda: server.get("/healthz").json()["last_backup"], "the backup to be noted")
    assert (last["outcome"], last["bytes"]) == ("complete", size)


def test_more_backups_than_allowed_are_asked_to_come_back(reservoir):
    with serve(reservoir, "--max-backups", "2") as server:
        with server.connect(receive_buffer=4096) as one, server.connect(receive_buffer=4096) as two:
            one.begin("/api/backup").read(1)
            two.begin("/api/backup").read(1)
            assert server.get("/healthz").json()["running_backups"] == 2
            refused = server.get("/api/backup")
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) > 0
            refused.problem()
        wait_until(lambda: server.get("/api/backup").status == 200, "a place to be free")


def sha256_field(content):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


@pytest.mark.parametrize("te", ["trailers", "deflate;q=0.5, Trailers", None])
def test_a_client_that_takes_trailers_gets_the_digest_of_the_whole(server, tmp_path, te):
    """curl writes the trailers after the head."""
    fields = ["-H", f"TE: {te}", "-H", "Connection: TE"] if te else []
    file, head = tmp_path / "file.zip", tmp_path / "head"
    subprocess.run(["curl", "-fsS", *fields, "-D", head, "-o", file, f"{server.url}/api/backup"], check=True)
    Archive(file)
    before, _, after = head.read_bytes().decode().partition("\r\n\r\n")
    assert ("\r\nTrailer: Repr-Digest" in before) == bool(te)
    assert after == (f"Repr-Digest: {sha256_field(file.read_bytes())}\r\n" if te else "")


@pytest.mark.parametrize(
    ("version", "query"), [("1.0", ""), ("1.1", "?compression=store")], ids=["HTTP/1.0", "of known length"]
)
def test_there_are_no_trailers_where_there_is_no_place_for_them(server, version, query):
    fields = b"Host: localhost\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n"
    received = exchange(address(server), f"GET /api/backup{query} HTTP/{version}\r\n".encode() + fields)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nTrailer:" not in head
    assert Archive(body).manifest["complete"] and body[-22:].startswith(b"PK\5\6")


@pytest.mark.parametrize("options", [(), ("--http1.0",), ("--compressed",), ("-H", "Accept: application/zip")])
def test_curl_gets_it_whole(server, tmp_path, options):
    file = tmp_path / "backup.zip"
    subprocess.run(["curl", "-fsS", *options, "-o", file, f"{server.url}/api/backup"], check=True)
    assert Archive(file).manifest["complete"]


def test_it_listens_on_as_many_addresses_as_are_named(house, tmp_path):
    unix = tmp_path / "sluice.sock"
    with serve(house, listen=("127.0.0.1:0", f"unix:{unix}", "127.0.0.1:0")) as server:
        assert len(set(server.ports)) == 2 and 0 not in server.ports
        for place in [*(("127.0.0.1", port) for port in server.ports), unix]:
            with Connection(place) as connection:
                assert Archive(connection.answer("GET", "/api/backup").body).manifest["complete"]
