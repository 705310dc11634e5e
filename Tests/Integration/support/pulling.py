"""What the tests of `sluice pull` share: a machine that keeps backups, and what it meets on the wire."""

import json
import os
import re
import select
import shutil
import socket
import stat
import subprocess
import zipfile
from contextlib import contextmanager, suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Thread

from archive import Archive
from client import connect
from harness import SLUICE

TARGET = "/api/backup?compression=store"
# How the last pull ended, for `sluice status`.
ENDED = ".backup.pull.json"
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/zip\r\n\r\n"
DATED = r"backup-\d{4}-\d\d-\d\dT\d{6}Z\.zip"


class Puller:
    """A machine that keeps backups, by `sluice pull` with the settings of the unit."""

    def __init__(self, path, prefix=()):
        self.prefix = [shutil.which(prefix[0]), *prefix[1:]] if prefix else []
        (kept := path / "kept backups").mkdir()
        self.environment = {"PATH": "/usr/bin:/bin", "SLUICE_PULL_PAUSE": "0", "SLUICE_PULL_DIRECTORY": str(kept)}
        self.kept = kept

    def start(self, url, *options, **settings):
        environment = self.environment | {"SLUICE_PULL_URL": url}
        environment |= {name if name.isupper() else f"SLUICE_PULL_{name.upper()}": str(value) for name, value in settings.items()}
        return subprocess.Popen(
            [*self.prefix, SLUICE, "pull", *map(str, options)], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, url, *options, **settings):
        return self.result(self.start(url, *options, **settings))

    def result(self, process, timeout=60):
        process.output, process.error = process.communicate(timeout=timeout)
        return process

    def names(self):
        return sorted(name for name in os.listdir(self.kept) if not name.endswith(".pull.json"))

    def keep(self, *names):
        """Backups of earlier nights, by their names, and other files."""
        for name in names:
            if match := re.fullmatch(r"backup-(.*T)(..)(..)(..)Z\.zip", name):
                old_backup(self.kept / name, "{}{}:{}:{}Z".format(*match.groups()))
            else:
                (self.kept / name).write_text("something else")


def old_backup(path, created, databases=(), *, modified=None, skipped=(), **more):
    """A small archive that says of itself when it was made and how many pages each of its databases has."""
    entries = [
        {
            "path": name, "kind": "database", "size": pages, "sha256": "", "crc32": "", "modified": created,
            "database": {"journal_mode": "wal", "page_size": 1, "page_count": pages, "method": "pinned", "taken_at": created},
        }
        for name, pages in dict(databases).items()
    ]  # fmt: skip
    manifest = {
        "format": 1, "generator": "sluice 0", "name": "app", "app_version": "1", "created": created, "snapshot_skew_ms": 0,
        "complete": not skipped, "entries": entries,
        "skipped": [{"path": name, "reason": "locked", "detail": "locked"} for name in skipped],
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        for entry in entries:
            archive.writestr(entry["path"], b"x" * entry["size"])
        archive.writestr("MANIFEST.json", json.dumps(manifest | more))
    time = datetime.fromisoformat(modified or created).timestamp()
    os.utime(path, (time, time))
    return path


def assert_kept(puller, result, beside=()):
    """The one new file: whole, and for no other user to read."""
    assert (result.returncode, result.error) == (0, "")
    [name] = set(puller.names()) - set(beside)
    assert re.fullmatch(DATED, name)
    file = puller.kept / name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said, *removed = result.output.splitlines()
    assert said == f"{file}: {file.stat().st_size} bytes, whole"
    assert all(re.fullmatch(f"removed {DATED.replace('Z', 'Z(-incomplete)?')}", line) for line in removed)
    assert Archive(file).manifest["complete"]
    assert puller.names() == sorted([name, *beside])


def assert_refused(puller, result, words, kept=(), output=""):
    """One line says why, and what was there is there."""
    assert (result.returncode, result.output) == (1, output)
    [line] = result.error.splitlines()
    assert line.startswith("sluice: ") and re.search(words, line), line
    assert puller.names() == sorted(kept)


@contextmanager
def listening(serve_one):
    """Calls `serve_one(number, socket)` for one connection after the other; the URL of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            for number in count(1):
                with suppress(OSError):  # curl has had enough
                    with listener.accept()[0] as client:
                        serve_one(number, client)
                if listener.fileno() < 0:
                    return

        thread = Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{TARGET}"
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()


@contextmanager
def answering(*parts):
    """Answers with these bytes, and then the connection ends as if that were all; an event is waited for."""

    def answer(_, client):
        client.recv(1 << 16)
        for part in parts:
            part.wait() if isinstance(part, Event) else client.sendall(part)

    with listening(answer) as url:
        yield url.partition("?")[0]


@contextmanager
def proxy(server, change, **options):
    """Passes on what `change(number of the connection, offset, bytes)` makes of the answer; hangs up where it is None."""

    def relay(number, front):
        with connect(("127.0.0.1", server.ports[0]), **options) as back:
            back.sendall(front.recv(1 << 16))
            at = 0
            while front not in select.select([front, back], [], [])[0] and (data := back.recv(1 << 16)):
                if (changed := change(number, at, data)) is None:
                    return
                front.sendall(changed)
                at += len(data)

    with listening(relay) as url:
        yield url


@contextmanager
def hook(status=200, on_request=lambda: None):
    """A server that gets messages: its URL without a path, and (method, path, content) of each."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            heard.append((self.command, self.path, content and json.loads(content)))
            on_request()
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", heard
        finally:
            server.shutdown()
            thread.join()


def children(process):
    """All processes below it, by what they were started as."""
    found, below = {}, {process.pid}
    for path in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in below:
                below.add(int(path.name))
                found[int(path.name)] = (path / "cmdline").read_bytes().split(b"\0")
    return found
