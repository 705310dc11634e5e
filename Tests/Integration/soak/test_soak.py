"""Everything at once, failing calls among it, for SOAK seconds: it costs at the end what it cost before; every archive is right.

    SOAK=3600 /usr/bin/python3 -m pytest Tests/Integration/soak
"""

import os
import random
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext

import pytest

import data as make
from client import BROKEN_OFF, Connection, connect, exchange
from faults import Faults, preloaded
from harness import run, serve, wait_until
from manager import Manager
from measure import truncates, wait_until_still
from metrics import samples
from tokens import FIRST, SECOND
from writers import running

SOAK = int(os.environ.get("SOAK", "60"))
BEARER = {"Authorization": f"Bearer {FIRST}"}
CLIENTS, REQUESTS = 5, 5
# What the allocator keeps of a busy moment goes up and down by 3 MiB: so the lowest of several moments of rest after the
# soak must not be above the highest of several before it by more than this, in KiB. A leak lifts the lowest too.
MARGIN, LOOKS = 2048, 5
# Soaks, each compared with the one before.
ATTEMPTS = 3
BAD = [
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /api/backup HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /" + b"x" * 100_000,
    b"POST /api/backup HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /api/backup HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
]


def judged(status, headers, body):
    """What came of an answer that has come to its end."""
    if status >= 500:
        return "too many" if "Retry-After" in headers else "failed"
    assert status == 200, body[:1000]
    ended = run("verify", "-", input=body, text=False)
    assert ended.returncode == (3 if "Sluice-Skipped" in headers else 0), ended.stdout
    return "whole" if ended.returncode == 0 else "incomplete"


def target(chance):
    return f"/api/backup?compression={chance.choice(['fast', 'fast', 'store', 'default'])}"


def whole(server, chance):
    answer = server.get(target(chance), **BEARER)
    return judged(answer.status, answer.headers, answer.body)


def slow(server, chance):
    with server.connect(receive_buffer=4096) as client:
        response, content = client.begin(target(chance), **BEARER), bytearray()
        while sip := response.read(1 << 20):
            content += sip
            time.sleep(0.02)  # a client that has other things to do
        return judged(response.status, response.headers, bytes(content))


def aborted(server, chance):
    with server.connect(receive_buffer=4096) as client:
        client.begin(target(chance), **BEARER).read(chance.randrange(1, 1 << 20))
        if chance.random() < 0.5:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return "left"


def silent(server, chance):
    """Leaves before there is an answer, or in the middle of a request."""
    with connect(("127.0.0.1", server.ports[0])) as sock:
        request = f"GET /api/backup HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {FIRST}\r\n\r\n".encode()
        sock.sendall(request[: chance.choice([0, 10, len(request)])])
    return "left"


def http_1_0(server, chance):
    request = f"GET {target(chance)} HTTP/1.0\r\nAuthorization: Bearer {FIRST}\r\n\r\n"
    head, _, body = exchange(("127.0.0.1", server.ports[0]), request.encode()).partition(b"\r\n\r\n")
    if not head:
        raise ConnectionError("closed without an answer")
    first, *fields = head.decode().split("\r\n")
    return judged(int(first.split()[1]), dict(field.split(": ", 1) for field in fields), body)


def conditional(server, chance):
    with server.connect() as client:
        # No process writes to this one.
        first = client.answer("GET", "/api/backup?db=base.db", **BEARER)
        if first.status != 200:
            return judged(first.status, first.headers, first.body)
        second = client.answer("GET", "/api/backup?db=base.db", If_None_Match=first.headers["ETag"], **BEARER)
        return "unchanged" if second.status == 304 else judged(second.status, second.headers, second.body)


def questions(server, chance):
    with server.connect() as client:
        assert client.answer("GET", "/healthz").status == 200
        assert client.answer("GET", "/metrics").status == 200
        assert client.answer("HEAD", "/api/backup", **BEARER).status in (200, 503)
        assert client.answer("GET", "/api/backup?db=none.db", **BEARER).status in (404, 503)
        assert client.answer("GET", "/api/backup?compression=none", **BEARER).status == 400
        assert client.answer("GET", "/none").status == 404
    return "answered"


def refused(server, chance):
    wrong = chance.choice(["", "Bearer", f"Bearer {FIRST[:-1]}", f"Basic {FIRST}", f"Bearer {'x' * 5000}"])
    assert server.get("/api/backup", Authorization=wrong).status == 401
    return "refused"


def bad(server, chance):
    try:
        assert exchange(("127.0.0.1", server.ports[0]), chance.choice(BAD)).startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    except ConnectionError:  # it was closed before all had been read
        pass
    return "refused"


BACKUPS = (whole, slow, aborted, silent, http_1_0, conditional)
KINDS = (*BACKUPS, questions, refused, bad)


def client(server, seed, faulty):
    """Requests of every kind, in an order drawn by lot; backups alone while calls of the server fail."""
    chance, seen = random.Random(seed), Counter()
    for _ in range(REQUESTS):
        kind = chance.choice(BACKUPS if faulty else KINDS)
        try:
            outcome = kind(server, chance)
            assert faulty or outcome != "failed"
        except BROKEN_OFF:
            if not faulty:
                raise
            outcome = "broken off"
        seen[f"{kind.__name__}{', calls failing' if faulty else ''}: {outcome}"] += 1
    return seen


def activated(manager, place, directory):
    """A service that is started for a client that waits already, and leaves when it is idle."""
    with Connection(place) as connection:
        connection.request("GET", "/api/backup")
        with manager.running("--data", directory, "--idle-exit", "20ms") as process:
            response = connection.getresponse()
            outcome = judged(response.status, response.headers, response.read())
            connection.close()
            process.wait(20)
    return f"activated: {outcome}"


def cost(server, opened):
    """The memory of a server that is at rest, in KiB, once all that it has opened since is closed."""
    wait_until(lambda: server.get("/healthz").json()["running_backups"] == 0, "the last backup to end")
    wait_until(lambda: server.open_kinds() == opened, f"the descriptors that there were: {opened}", 60)
    wait_until_still(server)
    return server.resident_kib()


@pytest.mark.timeout(ATTEMPTS * SOAK + 600)
def test_nothing_is_left_of_all_that_was_asked(tmp_path, figure, record_property):
    directory, tokens = tmp_path / "data", tmp_path / "tokens"
    (directory / "floor_plan").mkdir(parents=True)
    (directory / "floor_plan/plan.svg").write_bytes(b"<svg/>" * 50_000)
    make.bulk(directory / "base.db", make.WAL, 10)
    wal, rollback = make.ledger(directory / "wal.db", make.WAL), make.ledger(directory / "rollback.db", make.ROLLBACK)
    tokens.write_text(f"{FIRST}\n")
    faults, seen, rounds = Faults(tmp_path / "faults"), Counter(), 0
    prefix = ["env", f"FAULTS={tmp_path}/faults", f"LD_PRELOAD={preloaded(tmp_path, 'faulty')}"]
    # One copy of the database that has no log fits into memory; the next has to go to the disk.
    options = ["--memory-budget", rollback.stat().st_size * 3 // 2, "--spool-directory", tmp_path / "spool", "--resume-grace", "0s"]
    (tmp_path / "spool").mkdir()

    def soak(server, pool, seconds):
        nonlocal rounds
        end = time.monotonic() + seconds
        while True:
            chance, faulty = random.Random(rounds), rounds % 3 == 2
            with faults.one_in(chance.choice([30, 100, 300, 1000])) if faulty else nullcontext():
                futures = [pool.submit(client, server, rounds * CLIENTS + number, faulty) for number in range(CLIENTS)]
                (tmp_path / "new").write_text(f"{FIRST}\n" + f"{SECOND}\n" * (rounds % 2))
                (tmp_path / "new").replace(tokens)
                server.signal(signal.SIGHUP)
                seen[activated(manager, place, directory)] += 1
                for future in futures:
                    seen.update(future.result())
            # Between two rounds no reader holds a WAL, and it does not grow for ever.
            for path in (wal, directory / "base.db"):
                wait_until(lambda path=path: truncates(path), f"a checkpoint of {path.name} in round {rounds}")
            rounds += 1
            if time.monotonic() >= end:
                return

    def looks(server, pool):
        """What it costs after each of some rounds."""
        for _ in range(LOOKS):
            soak(server, pool, 0)
            yield cost(server, opened)

    with ExitStack() as stack:
        server = stack.enter_context(
            serve(directory, "--token-file", tokens, "--max-backups", CLIENTS - 1, *options, prefix=prefix)
        )
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        place = tmp_path / "passed.sock"
        listening.bind(str(place))
        listening.listen()
        manager = Manager(tmp_path, listening)
        pool = stack.enter_context(ThreadPoolExecutor(CLIENTS))
        for path in (wal, rollback):
            stack.enter_context(running("transfer_at_times", path))
        opened = server.open_kinds()
        soak(server, pool, min(SOAK, 60))
        after = list(looks(server, pool))
        # The allocator keeps what the most backups took that happened to meet. That comes to an end, a leak does not.
        for _ in range(ATTEMPTS):
            before = after
            soak(server, pool, SOAK)
            after = list(looks(server, pool))
            if min(after) <= max(before) + MARGIN:
                break
        counts = samples(server)
        assert server.process.poll() is None
    figure(f"{rounds} rounds in {SOAK} s, {faults.count} calls failed", dict(sorted(seen.items())))
    figure("resident at rest, before", f"{before} KiB")
    figure("resident at rest, after", f"{after} KiB")
    record_property("cases", seen.total())
    assert {kind.partition(":")[0] for kind in seen} == {
        "activated", *(kind.__name__ for kind in KINDS), *(f"{kind.__name__}, calls failing" for kind in BACKUPS)
    }  # fmt: skip
    assert faults.count > 0
    assert min(after) <= max(before) + MARGIN
    ended = [sum(counts[f"sluice_{how}_total"].values()) for how in ("backups_completed", "selected_backups_completed", "backups_aborted")]
    assert counts["sluice_backups_started_total"] == sum(ended)
