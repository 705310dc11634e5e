"""Where one request ends and the next begins: bare, octet by octet, and with a real nginx before us.

A request that two servers in a row measure differently lets a client put words into another client's mouth. So after
each there is one more, which only its own answer can be the answer to.
"""

import fcntl
import os
import socket
import termios
import threading

import httptools
import pytest

import nginx
from client import Connection, connect
from harness import serve, wait_until
from rules import RULES, TAKEN

LAST = b"GET /api/backup?db=%s.db HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Responses:
    """The responses in a stream of octets, as llhttp reads them."""

    def __init__(self, received, to=b"GET"):
        self.statuses, self.bodies = [], []
        if to.startswith(b"HEAD"):
            # RFC 9112 §6.3: the first ends with its head, whatever length that gives. llhttp cannot be told.
            head, _, received = received.partition(b"\r\n\r\n")
            self._feed(head + b"\r\n\r\n")
        self._feed(received)

    def _feed(self, received):
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
    path = tmp_path_factory.mktemp("socket") / "sluice.sock"
    with serve(tmp_path_factory.mktemp("data"), "--allow-empty", "--allow-host", "a", listen=("127.0.0.1:0", f"unix:{path}")) as server:
        server.path = path
        yield server


def is_taken(sock):
    """Whether the other end of a Unix socket has received everything: SIOCOUTQ, which is TIOCOUTQ."""
    return fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)) == bytes(4)


def ask(server, octets, at_once):
    with connect(("127.0.0.1", server.ports[0]) if at_once else server.path, timeout=20) as sock:
        try:
            for piece in [octets] if at_once else [octets[at : at + 1] for at in range(len(octets))]:
                sock.sendall(piece)
                while not (at_once or is_taken(sock)):
                    os.sched_yield()
        except (ConnectionResetError, BrokenPipeError):
            pass  # it has been answered, and the service reads no further
        return Responses(all_of(sock), octets)


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "octet by octet"])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_request_ends_where_its_section_says(server, rule, at_once):
    if not at_once and len(rule.octets) > 5000:
        pytest.skip("longer than the parser reads; its unit tests split it")
    responses = ask(server, rule.octets + LAST % b"last", at_once)
    # What is refused ends the connection: nothing after it is read.
    is_read_on = rule.statuses[-1] in TAKEN
    assert responses.statuses == rule.statuses + [404] * is_read_on, responses.bodies
    assert (b"last.db" in responses.bodies[-1]) == is_read_on


HTTP = """
  log_format whole escape=none '$upstream_status|$status|$request_uri';
  client_body_timeout 1s;
  client_header_timeout 1s;
  lingering_timeout 1s;
  upstream sluice {{
    server {tap};
    keepalive 1;
  }}"""


class Tap:
    """Stands between nginx and sluice and keeps what sluice answers to each request."""

    def __init__(self, listener, back):
        self.listener, self.back, self.connection_count = listener, back, 0
        # In the order in which the requests came: the request's first octets, the answer.
        self.exchanges = []
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
            answers = []
            threading.Thread(target=self._pass, args=(front, back, lambda data: self._ask(data, answers)), daemon=True).start()
            threading.Thread(target=self._pass, args=(back, front, lambda data: answers[-1].extend(data)), daemon=True).start()

    def _ask(self, data, answers):
        # nginx asks for one thing at a time: after an answer comes another request.
        if not answers or answers[-1]:
            answers.append(bytearray())
            self.exchanges.append((data, answers[-1]))

    def _pass(self, source, target, keep):
        try:
            while data := source.recv(1 << 16):
                keep(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def statuses(self, start):
        return [status for request, answer in self.exchanges[start:] for status in Responses(bytes(answer), request).statuses]


KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'
CHAINS = {
    "as it comes": ("unix", "on", f"{KEPT} proxy_set_header Host $host;"),
    "unbuffered, every field": ("unix", "off", f"{KEPT} proxy_set_header Host $host; proxy_request_buffering off;"),
    "the client's Host, over TCP": ("tcp", "on", f"{KEPT} proxy_set_header Host $http_host;"),
    # nginx's defaults, up to 1.28.
    "HTTP/1.0": ("unix", "on", "proxy_http_version 1.0; proxy_set_header Connection close;"),
}


@pytest.fixture(scope="module", params=CHAINS.values(), ids=CHAINS)
def chain(request, tmp_path_factory):
    """nginx that keeps its one connection to sluice, so that the next client would get a wrong answer."""
    family, ignore, proxy = request.param
    directory = nginx.place(tmp_path_factory.mktemp("nginx"))
    if family == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % listener.getsockname()[1]
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(directory / "tap.sock"))
        (directory / "tap.sock").chmod(0o666)
        listener.listen()
        address = f"unix:{directory}/tap.sock"
    data, places = tmp_path_factory.mktemp("data"), ("127.0.0.1:0", f"unix:{directory}/back.sock")
    with listener, serve(data, "--allow-empty", "--allow-host", "a", listen=places) as server:
        tap = Tap(listener, ("127.0.0.1", server.ports[0]) if family == "tcp" else directory / "back.sock")
        tap.is_kept = KEPT in proxy
        location = f"proxy_pass http://sluice; proxy_next_upstream off; {proxy}"
        http = HTTP.format(tap=address)
        with nginx.running(directory, location, f"access_log {directory}/access.log whole; ignore_invalid_headers {ignore};", http):
            yield directory, tap


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_nginx_and_we_see_the_same_requests(chain, rule):
    directory, tap = chain
    log = directory / "access.log"
    lines_before = len(log.read_text(errors="replace").splitlines()) if log.exists() else 0
    exchanges_before = len(tap.exchanges)
    with connect(directory / "front.sock", timeout=20) as sock:
        try:
            sock.sendall(rule.octets + LAST % b"last")
        except (ConnectionResetError, BrokenPipeError):
            pass
        received = all_of(sock)
    # To HTTP/0.9, which nginx speaks and we do not, it answers without a head.
    has_head = rule.name != "HTTP/0.9"
    assert received.startswith(b"HTTP/1.1 " if has_head else b"{")
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
    assert sorted(tap.statuses(exchanges_before)) == sorted(believed), said
    assert not any(upstream == "502" or status == "502" for upstream, status, _ in said), said
    # What it does not pass on, it refuses.
    assert all(upstream.isdigit() or int(status) >= 400 for upstream, status, _ in said), said
    own = [line for line in said if "other-" not in line[2]]
    if rule.behind_nginx:
        assert [upstream for upstream, *_ in own] == [*map(str, rule.behind_nginx), "404"], said
        assert own[-1][2].endswith("last.db")
    # The client got the answers to its own requests, and no other.
    if has_head:
        answers = Responses(received, rule.octets)
        assert [int(status) for _, status, _ in own if status not in ("408", "499")] == answers.statuses, said
        assert (b"last.db" in answers.bodies[-1]) == own[-1][2].endswith("last.db"), said


def test_nginx_keeps_its_connection_to_us_where_it_can(chain):
    """Or the test above would compare nothing."""
    directory, tap = chain
    count = tap.connection_count
    for _ in range(20):
        with Connection(directory / "front.sock") as client:
            assert client.answer("GET", "/healthz").status == 200
    assert tap.connection_count - count in ((0, 1) if tap.is_kept else (20,))
