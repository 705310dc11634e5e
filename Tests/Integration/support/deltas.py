"""A client of deltas: the archive that it has, and stock xdelta3."""

import base64
import gzip
import hashlib
import http.client
import sqlite3
import subprocess
from contextlib import suppress

from client import Answer, Connection
from harness import wait_until

STORED = "/api/backup?compression=store"


def applied(base, delta, directory):
    """What xdelta3 makes of an archive and a delta."""
    (directory / "base").write_bytes(base)
    (directory / "delta").write_bytes(delta)
    command = ["xdelta3", "-d", "-f", "-s", directory / "base", directory / "delta", directory / "made"]
    subprocess.run(command, check=True, capture_output=True)
    return (directory / "made").read_bytes()


class Trailing(http.client.HTTPResponse):
    """Keeps the trailers, which http.client drops."""

    def _read_and_discard_trailer(self):
        self.trailers = http.client.parse_headers(self.fp)


class TrailingConnection(Connection):
    response_class = Trailing


def answer(address, method, target, **fields):
    """A whole answer with its trailers among its fields."""
    with TrailingConnection(address) as connection:
        response = connection.begin(target, method, **fields)
        body = response.read()
        for name, value in getattr(response, "trailers", {}).items():
            response.headers[name] = value
        return Answer(response.status, response.headers, body)


def digest(content):
    """As RFC 9530 has it."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


class Client:
    """Keeps one archive, and asks for deltas of it."""

    def __init__(self, server, directory, target=STORED, manipulations="vcdiff, gzip", address=None):
        self.server, self.directory, self.target, self.manipulations = server, directory, target, manipulations
        self.address = address
        self.tag = self.archive = None
        directory.mkdir(exist_ok=True)

    def ask(self, method="GET", **fields):
        """An answer to what it has."""
        if self.tag:
            fields = {"A_IM": self.manipulations, "If_None_Match": self.tag} | fields
        return answer(self.address or ("127.0.0.1", self.server.ports[0]), method, self.target, **fields)

    def take(self, answer):
        """Makes the answer's archive the one that it has."""
        if answer.status == 226:
            assert answer.headers["Delta-Base"] == self.tag
            body = answer.body
            if answer.headers["IM"] == "vcdiff, gzip":
                body = gzip.decompress(body)
            else:
                assert answer.headers["IM"] == "vcdiff"
            made = applied(self.archive, body, self.directory)
            if "Content-Digest" in answer.headers:
                assert digest(answer.body) == answer.headers["Content-Digest"]
            if "Repr-Digest" in answer.headers:
                assert digest(made) == answer.headers["Repr-Digest"]
            self.archive = made
        elif answer.status == 200:
            self.archive = answer.body
        else:
            assert answer.status == 304, answer.status
            return answer.status
        self.tag = answer.headers["ETag"]
        return answer.status

    def fetch(self, **fields):
        """Takes the next archive. The status of the answer."""
        return self.take(self.ask(**fields))


def histories(state):
    """The files that the service keeps, the oldest first."""
    found = []
    for path in (state / "delta").glob("*"):
        with suppress(FileNotFoundError):  # dropped meanwhile
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def kept(state, count):
    """The same, once there are so many and none is under way: a file gets its name after the client has the last byte."""

    def found():
        files = histories(state)
        return len(files) == count and not any(file.suffix == ".partial" for file in files) and files

    return wait_until(found, f"{count} histories in {state}")


def has_history(state, client):
    """Whether the service keeps the digests of the archive that a client has."""
    return any(path.name.endswith(client.tag.strip('"')) for path in histories(state))


def change(directory, name="main.db", rows=20):
    """Changes some pages of a database that `make.bulk` has made."""
    with sqlite3.connect(directory / name, isolation_level=None) as connection:
        connection.execute(
            "UPDATE record SET at = random() WHERE id IN (SELECT id FROM record ORDER BY random() LIMIT ?)", [rows]
        )
    connection.close()
