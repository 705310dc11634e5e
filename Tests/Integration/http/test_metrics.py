"""`/metrics`: what Prometheus reads, and that it tells what happened."""

import shutil
import sqlite3
import subprocess
import time

import pytest

from harness import serve, wait_until
from metrics import samples
from tokens import FIRST


def test_prometheus_own_tool_finds_nothing_to_say(house):
    promtool = shutil.which("promtool")
    assert promtool, "it is in Debian's package prometheus"
    (house / "link.db").symlink_to("events.db")
    with serve(house) as server:
        for _ in range(2):  # of a service that has done nothing yet, and of one that has
            text = server.get("/metrics").body
            ended = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=30)
            assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b""), text.decode()
            assert server.get("/api/backup").status == 200
            assert server.get("/api/backup?db=nothing.db").status == 404


def test_it_counts_backups_that_are_sent(house):
    with serve(house, "--app-version", "7") as server:
        before = samples(server)
        assert before["sluice_backups_started_total"] == 0
        assert before["sluice_last_success_timestamp_seconds"] == 0
        assert list(before["sluice_build_info"].values()) == [1]
        start, size = time.time(), len(server.get("/api/backup?compression=best").body)
        (house / "link.db").symlink_to("events.db")
        size += len(server.get("/api/backup?compression=best").body)
        # A client has its last byte before we know that it has.
        wait_until(lambda: samples(server)["sluice_backup_duration_seconds_count"] == 2, "both to be counted")
        after = samples(server)
    assert after["sluice_backups_started_total"] == 2
    assert after["sluice_backups_completed_total"] == {"complete": 1, "incomplete": 1}
    assert sum(after["sluice_backups_aborted_total"].values()) == 0
    assert after["sluice_sent_bytes_total"] == size
    assert after["sluice_read_bytes_total"] > size, "it was compressed"
    assert 0 < after["sluice_backup_duration_seconds_sum"] < 60
    assert start - 1 <= after["sluice_last_success_timestamp_seconds"] <= time.time()
    assert after["sluice_connections_accepted_total"] >= before["sluice_connections_accepted_total"] + 3


def test_a_head_is_no_backup(house):
    with serve(house) as server:
        with server.connect() as client:
            assert client.answer("HEAD", "/api/backup").status == 200
        after = samples(server)
    assert sum(after["sluice_backups_completed_total"].values()) == 0
    assert sum(after["sluice_backups_aborted_total"].values()) == 0


def test_it_shows_what_a_running_backup_costs(reservoir):
    with serve(reservoir) as server, server.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup?compression=store")
        response.read(1 << 20)
        running = samples(server)
        assert running["sluice_backups_running"] == 1
        assert running["sluice_connections"] == 2
        assert running["sluice_sent_bytes_total"] > 1 << 19
        wait_until(lambda: samples(server)["sluice_snapshot_age_seconds"] > 0.2, "the snapshot to age")
        assert running["sluice_wal_growth_bytes"] == 0
        application = sqlite3.connect(reservoir / "reservoir.db", isolation_level=None)
        application.execute("CREATE TABLE news AS SELECT randomblob(500000)")
        wait_until(lambda: samples(server)["sluice_wal_growth_bytes"] >= 500_000, "the log to grow")
        application.close()
        response.read()
        wait_until(lambda: samples(server)["sluice_backups_running"] == 0, "the end of the backup")
        after = samples(server)
        assert after["sluice_snapshot_age_seconds"] == 0 and after["sluice_wal_growth_bytes"] == 0


@pytest.mark.parametrize(
    ("options", "leaves", "reason"),
    [
        (["--max-snapshot-age", "300ms"], False, "snapshot"),
        (["--stall-timeout", "300ms"], False, "stalled"),
        ([], True, "left"),
    ],
    ids=["too old", "stalled", "left"],
)
def test_it_counts_backups_that_are_broken_off_by_their_reason(reservoir, options, leaves, reason):
    with serve(reservoir, "--resume-grace", "0s", *options) as server:
        client = server.connect(receive_buffer=4096)
        client.begin("/api/backup?compression=store").read(1000)
        if leaves:
            client.close()
        aborted = wait_until(
            lambda: {key: n for key, n in samples(server)["sluice_backups_aborted_total"].items() if n}, "an abort"
        )
        client.close()
        after = samples(server)
    assert list(aborted.values()) == [1] and reason in list(aborted)[0]
    assert after["sluice_backups_started_total"] == 1
    assert sum(after["sluice_backups_completed_total"].values()) == 0
    assert after["sluice_last_success_timestamp_seconds"] == 0


def test_it_counts_requests_that_no_backup_is_made_for(reservoir, tmp_path):
    (tmp_path / "tokens").write_text(FIRST + "\n")
    with serve(reservoir, "--token-file", tmp_path / "tokens", "--max-backups", "1") as server:
        token = {"Authorization": f"Bearer {FIRST}"}
        assert server.get("/api/backup").status == 401
        assert server.get("/api/backup?strict=2", **token).status == 400
        assert server.get("/api/backup?db=nothing.db", **token).status == 404
        assert sum(samples(server)["sluice_backups_completed_total"].values()) == 0
        with server.connect(receive_buffer=4096) as client:
            client.begin("/api/backup?compression=store", **token).read(1000)
            assert server.get("/api/backup", **token).status == 503
            after = samples(server)
    refused = {reason: count for reason, count in after["sluice_requests_rejected_total"].items() if count}
    assert refused == {"unauthorized": 1, "bad-request": 1, "unknown-database": 1, "too-many-backups": 1}
    assert sum(after["sluice_backups_aborted_total"].values()) == 0
    assert after["sluice_last_success_timestamp_seconds"] == 0
