"""HTTP clients: Python's own, and bare sockets for what no proper client would do."""

import http.client
import json
import socket
from dataclasses import dataclass
from urllib.parse import unquote

# A response that ended before its end, as http.client and the kernel report it.
BROKEN_OFF = (http.client.IncompleteRead, ConnectionError)


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)

    def problem(self):
        """The content of an error: RFC 9457."""
        assert self.headers["Content-Type"] == "application/problem+json", self.headers
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["title"] and problem["detail"]
        return problem


class Connection(http.client.HTTPConnection):
    """One connection to (host, port) or to the path of a Unix socket.

    `receive_buffer`, in bytes, keeps the kernel from reading ahead of a client that has stopped.
    """

    def __init__(self, address, receive_buffer=None, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.address = address
        self.receive_buffer = receive_buffer

    def connect(self):
        self.sock = connect(self.address, self.receive_buffer, self.timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def begin(self, target="/api/backup", method="GET", **headers):
        """Sends a request and reads the head of its response; the rest is for the caller."""
        self.request(method, target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return self.getresponse()

    def answer(self, method, target, **headers):
        response = self.begin(target, method, **headers)
        return Answer(response.status, response.headers, response.read())


def skipped_by_header(answer):
    """`Sluice-Skipped: a.db;reason=locked, b%20c.db;reason=permission`"""
    members = [member.split(";reason=") for member in answer.headers["Sluice-Skipped"].split(", ")]
    return {unquote(name): reason for name, reason in members}


def connect(address, receive_buffer=None, timeout=60):
    """A connected socket."""
    sock = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
    sock.settimeout(timeout)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(address if isinstance(address, tuple) else str(address))
    return sock


def exchange(address, sent):
    """Sends bytes as they are, and answers with everything that comes until the server closes."""
    with connect(address, timeout=10) as sock:
        sock.sendall(sent)
        received = bytearray()
        while data := sock.recv(1 << 16):
            received += data
        return bytes(received)
