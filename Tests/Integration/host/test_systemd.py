"""Under systemd: it starts at a connection, ends at a signal, and is restarted when it is stuck."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

import data as make
from archive import Archive
from client import BROKEN_OFF
from harness import wait_until
from service import APPLICATION

@pytest.fixture
def at_home(sluice, house, on_machine):
    """A service that waits for its first connection."""
    sluice.settle(on_machine(house))
    return sluice


def test_nothing_runs_until_a_client_connects(at_home):
    assert at_home.pid == 0 and at_home.show("ActiveState") == "inactive"
    assert Archive(at_home.get("/api/backup").body).manifest["complete"]
    assert at_home.pid != 0 and at_home.show("ActiveState") == "active"


def test_its_threads_give_way_to_all_others(sluice, machine, reservoir, on_machine):
    sluice.settle(on_machine(reservoir))
    with sluice.connect() as connection:
        connection.begin("/api/backup").read(1)
        shown = machine.run("chrt", "--all-tasks", "--pid", str(sluice.pid)).stdout
        assert shown.count("policy: SCHED_BATCH") == shown.count("policy: ") > 1
        niceness = machine.run("sh", "-c", f"cat /proc/{sluice.pid}/task/*/stat").stdout
        assert {line.rpartition(")")[2].split()[16] for line in niceness.splitlines()} == {"0", "5", "10"}


@pytest.mark.parametrize("user", [APPLICATION, None], ids=["the application's user", "a dynamic user"])
def test_what_is_known_of_the_last_complete_backup_outlives_the_service(sluice, machine, house, on_machine, user):
    directory = on_machine(house)
    machine.run("chmod", "-R", "a+rwX", directory)
    sluice.settle(directory, "--idle-exit", "300ms", user=user)
    size = len(sluice.get("/api/backup").body)
    sluice.wait_for("ActiveState", "inactive")
    health = sluice.get("/healthz").json()
    assert sluice.starts() == 2
    assert health["last_complete"]["bytes"] == health["last_backup"]["bytes"] == size
    assert f"sluice_last_success_bytes {size}\n" in sluice.get("/metrics").body.decode()
    assert not any("state not" in line for line in sluice.lines())


@pytest.mark.measures
def test_a_cold_start_answers_the_client_that_caused_it(at_home, figure):
    """How long that takes is a figure, not a test: what else the machine does adds to it."""

    def cold_start():
        at_home.machine.systemctl("stop", "sluice.service")
        assert at_home.pid == 0
        start = time.perf_counter()
        with at_home.connect() as connection:
            assert connection.begin("/api/backup").read(1) == b"P"
            return time.perf_counter() - start

    value = median(cold_start() for _ in range(20))
    figure("cold start, connect to the first byte of the zip, median of 20", f"{value * 1000:.1f} ms")


def test_one_that_is_stuck_is_killed_and_started_again(sluice, house, on_machine):
    sluice.settle(on_machine(house), service="WatchdogSec=2s")
    assert sluice.get("/healthz").status == 200
    stuck = sluice.pid
    sluice.signal("STOP")
    sluice.wait_for("NRestarts", "1", timeout=30)
    assert Archive(sluice.get("/api/backup").body).manifest["complete"]
    assert sluice.pid not in (0, stuck)
    assert any("Watchdog timeout" in entry["MESSAGE"] for entry in sluice.journal())


def test_one_that_works_is_left_alone(sluice, house, on_machine):
    """The other side of the watchdog: with nothing to do, it goes on saying that it is well."""
    sluice.settle(on_machine(house), service="WatchdogSec=500ms")
    assert sluice.get("/healthz").status == 200
    pid, since = sluice.pid, time.monotonic()
    wait_until(lambda: sluice.pid != pid or time.monotonic() - since > 3, "six intervals")
    assert sluice.pid == pid and sluice.show("NRestarts") == "0"


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_a_download_is_finished_first(sluice, reservoir, on_machine, verb):
    sluice.settle(on_machine(reservoir), "--drain-timeout", "60s")
    with sluice.connect() as slow, sluice.connect() as late:
        response = slow.begin("/api/backup?compression=store")
        content, pid = response.read(1000), sluice.pid
        sluice.machine.systemctl(verb, "--no-block", "sluice.service")
        sluice.wait_for("ActiveState", "deactivating")
        late.request("GET", "/healthz")
        assert Archive(content + response.read()).manifest["complete"]
        # A client that came meanwhile is served by the next start; that of `stop` is the one that this connection asks for.
        assert late.getresponse().status == 200
    assert sluice.pid not in (0, pid)
    assert sluice.show("Result") == "success" and sluice.show("NRestarts") == "0"


@pytest.mark.measures
def test_a_stop_waits_no_longer_than_the_drain_limit(sluice, reservoir, on_machine):
    sluice.settle(on_machine(reservoir), "--drain-timeout", "2s")
    with sluice.connect() as stopped:
        response = stopped.begin("/api/backup?compression=store")
        start = time.monotonic()
        sluice.machine.systemctl("stop", "sluice.service")
        took = time.monotonic() - start
        assert 1.9 < took < 4, "the drain limit is two seconds"
        assert sluice.show("Result") == "success"
        with pytest.raises(BROKEN_OFF):
            response.read()


def test_a_drain_may_take_longer_than_systemd_waits_by_itself(sluice, reservoir, on_machine):
    sluice.settle(on_machine(reservoir), "--drain-timeout", "60s", service="TimeoutStopSec=2s")
    with sluice.connect() as slow:
        response = slow.begin("/api/backup?compression=store")
        content = response.read(1000)
        sluice.machine.systemctl("stop", "--no-block", "sluice.service")
        sluice.wait_for("ActiveState", "deactivating")
        since = time.monotonic()
        wait_until(lambda: sluice.pid == 0 or time.monotonic() - since > 5, "twice what systemd waits")
        assert Archive(content + response.read()).manifest["complete"]
    sluice.wait_for("ActiveState", "inactive")
    assert sluice.show("Result") == "success"


def test_one_that_is_killed_leaves_a_broken_download_and_nothing_else(sluice, reservoir, on_machine):
    make.bulk(reservoir / "copied.db", make.ROLLBACK, 8)
    sluice.settle(on_machine(reservoir), "--memory-budget", "1MiB")
    with sluice.connect() as client:
        response = client.begin("/api/backup?compression=store")
        response.read(1000)
        spool = [file for file in sluice.open_files() if file.startswith("/var/tmp/")]
        assert spool and all(file.endswith(" (deleted)") for file in spool)
        sluice.signal("KILL")
        with pytest.raises(BROKEN_OFF):
            response.read()
    sluice.wait_for("NRestarts", "1")
    assert Archive(sluice.get("/api/backup").body).manifest["complete"]
    private = sluice.machine.path("/var/tmp").glob("systemd-private-*-sluice.service-*/tmp")
    assert [list(directory.iterdir()) for directory in private] == [[]]


@pytest.mark.parametrize("seconds", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_no_connection_is_lost_between_an_idle_exit_and_the_next_start(sluice, tmp_path, on_machine, figure, seconds):
    """Bursts of requests with lulls of about the idle time between them, so that many come while it is leaving."""
    directory = tmp_path / "small"
    directory.mkdir()
    make.ledger(directory / "small.db", make.WAL, accounts=10)
    idle = 0.3
    sluice.settle(on_machine(directory), "--idle-exit", f"{idle * 1000:.0f}ms")
    end, chance, requests = time.monotonic() + seconds, random.Random(seconds), 0

    def ask(target):
        answer = sluice.get(target)
        assert answer.status == 200
        return len(Archive(answer.body).names) if target == "/api/backup" else 1

    with ThreadPoolExecutor(4) as clients:
        while time.monotonic() < end:
            burst = ["/api/backup"] + ["/healthz"] * chance.randrange(1, 200)
            requests += len(list(clients.map(ask, burst)))
            time.sleep(chance.uniform(0.9, 1.2) * idle)
    figure("idle exit", f"{requests} requests, {sluice.starts()} starts in {seconds} s, none lost")
    assert requests > 1000 and sluice.starts() > seconds / 2
    sluice.wait_for("ActiveState", "inactive")
    assert sluice.show("Result") == "success"
