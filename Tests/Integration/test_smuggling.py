"""Where one request ends and the next begins: bare, octet by octet, and with a real nginx before us.

A request that two servers in a row measure differently lets a client put words into another client's mouth. So after
each there is one more, which only its own answer can be the answer to.
"""

import os
import socket
import subprocess
import threading

import httptools
import pytest

from client import Connection, connect
from harness import open_the_way, serve, wait_until
from rules import RULES

LAST = b"GET /api/backup?db=%s.db HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Responses:
    """The responses in a stream of octets, as llhttp reads them."""

    def __init__(self, received):
        self.statuses, self.bodies = [], []
        self.parser = httptools.HttpResponseParser(self)
        if received:
            self.parser.feed_data(received)

    def on_message_begin(self):
        self.bodies.append(b"")

    def on_headers_complete(self):
        if (status := self.parser.get_status_code()) == 100:  # Continue: the answer is still to come
            self.bodies.pop()
        else:
            self.statuses.append(status)

    def on_body(self, body):
        self.bodies[-1] += body


def all_of(sock):
    received = bytearray()
    try:
        while data := sock.recv(1 << 16):
            received += data
    except ConnectionResetError:
        pass
    return bytes(received)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("data")) as server:
        yield server


def ask(server, octets, at_once):
    with connect(("127.0.0.1", server.ports[0]), timeout=20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in [octets] if at_once else [octets[at : at + 1] for at in range(len(octets))]:
                sock.sendall(piece)
        except (ConnectionResetError, BrokenPipeError):
            pass  # it has been answered, and nobody reads on
        return Responses(all_of(sock))


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "octet by octet"])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_request_ends_where_its_section_says(server, rule, at_once):
    is_taken = set(rule.statuses) == {404}
    if not at_once and len(rule.octets) > 5000:
        pytest.skip("longer than the parser reads; its unit tests split it")
    responses = ask(server, rule.octets + LAST % b"last", at_once)
    # What is refused ends the connection: nothing after it is read.
    assert responses.statuses == rule.statuses + [404] * is_taken, responses.bodies
    assert b"last.db" in responses.bodies[-1] or not is_taken


CONFIGURATION = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
events {{ worker_connections 256; }}
http {{
  log_format whole escape=none '$upstream_status|$status|$request_uri';
  access_log {directory}/access.log whole;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  client_body_timeout 300ms;
  client_header_timeout 300ms;
  lingering_timeout 300ms;
  upstream sluice {{
    server unix:{directory}/tap.sock;
    keepalive 1;
  }}
  server {{
    listen unix:{directory}/front.sock;
    ignore_invalid_headers {ignore};
    location / {{
      proxy_pass http://sluice;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_request_buffering {buffering};
      proxy_next_upstream off;
    }}
  }}
}}
"""


class Tap:
    """Stands between nginx and sluice and keeps what sluice answers on each connection."""

    def __init__(self, path, back):
        self.back, self.answers, self.connection_count = back, [], 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o666)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                front, _ = self.listener.accept()
            except OSError:
                return
            self.connection_count += 1
            back = connect(self.back)
            back.settimeout(None)
            threading.Thread(target=self._pass, args=(front, back, None), daemon=True).start()
            self.answers.append(bytearray())
            threading.Thread(target=self._pass, args=(back, front, self.answers[-1]), daemon=True).start()

    def _pass(self, source, target, kept):
        try:
            while data := source.recv(1 << 16):
                if kept is not None:
                    kept += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def statuses(self):
        return [status for answer in self.answers for status in Responses(bytes(answer)).statuses]


@pytest.fixture(scope="module", params=["on-on", "off-off"], ids=["as it comes", "unbuffered, every field"])
def chain(request, tmp_path_factory):
    """nginx that keeps its one connection to sluice, so that whoever comes next would get a wrong answer."""
    ignore, buffering = request.param.split("-")
    directory = tmp_path_factory.mktemp("nginx")
    directory.chmod(0o777)
    open_the_way(directory)
    (directory / "nginx.conf").write_text(
        CONFIGURATION.format(directory=directory, ignore=ignore, buffering=buffering)
    )
    with serve(tmp_path_factory.mktemp("data"), listen=("127.0.0.1:0", f"unix:{directory}/back.sock")):
        tap = Tap(directory / "tap.sock", directory / "back.sock")
        process = subprocess.Popen(
            ["nginx", "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"],
            env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until((directory / "front.sock").exists, "nginx to listen")
        yield directory, tap
        process.terminate()
        process.wait(10)
        tap.listener.close()


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_nginx_and_we_see_the_same_requests(chain, rule):
    directory, tap = chain
    log = directory / "access.log"
    lines_before = len(log.read_text(errors="replace").splitlines()) if log.exists() else 0
    answers_before = len(tap.statuses())
    with connect(directory / "front.sock", timeout=20) as sock:
        try:
            sock.sendall(rule.octets + LAST % b"last")
        except (ConnectionResetError, BrokenPipeError):
            pass
        received = all_of(sock)
    # To HTTP/0.9, which nginx speaks and we do not, it answers without a head.
    received = Responses(received if received.startswith(b"HTTP/1.1 ") else b"")
    # Others come by the connection to us that this client has used, one after the other.
    for number in range(3):
        with Connection(directory / "front.sock") as other:
            answer = other.answer("GET", f"/api/backup?db=other-{number}.db")
            assert answer.status == 404 and f"other-{number}.db" in answer.problem()["detail"]

    def entries():
        lines = log.read_text(errors="replace").splitlines()[lines_before:]
        return [line.split("|") for line in lines] if lines and "other-2.db" in lines[-1] else None

    said = wait_until(entries, "nginx's log")
    # As many as nginx believes to have passed on are as many as we have answered, with the same answers.
    believed = [int(upstream) for upstream, *_ in said if upstream.isdigit()]
    assert sorted(tap.statuses()[answers_before:]) == sorted(believed), said
    assert not any(upstream == "502" or status == "502" for upstream, status, _ in said), said
    # The client got no answer that is not to a request of its own.
    own = [int(status) for _, status, uri in said if "other-" not in uri]
    if received.statuses:
        assert [status for status in own if status not in (408, 499)] == received.statuses, said
    if received.bodies and b"last.db" in received.bodies[-1]:
        assert said[-4][2].endswith("last.db")


def test_nginx_keeps_its_connection_to_us(chain):
    """Or the test above would compare nothing."""
    directory, tap = chain
    count = tap.connection_count
    for _ in range(20):
        with Connection(directory / "front.sock") as client:
            assert client.answer("GET", "/healthz").status == 200
    assert tap.connection_count <= count + 1
