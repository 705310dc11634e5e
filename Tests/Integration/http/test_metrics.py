"""`/metrics`: what Prometheus reads, and that it tells what happened."""

import json
import re
import shutil
import sqlite3
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import suppress

import pytest

from client import BROKEN_OFF
from harness import ROOT, free_ports, serve, wait_until
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


def test_it_speaks_open_metrics_to_a_client_that_prefers_it(house):
    accepted = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    with serve(house) as server:
        answer = server.get("/metrics", Accept=accepted)
        assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert answer.headers["Vary"] == "Accept" and answer.body.endswith(b"\n# EOF\n")
        assert b"# TYPE sluice_backups_started counter\nsluice_backups_started_total 0\n" in answer.body
        assert b"EOF" not in server.get("/metrics", Accept="*/*").body


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
        (["--max-snapshot-age", "300ms", "--detach-budget", "0"], False, "snapshot"),
        (["--stall-timeout", "300ms"], False, "stalled"),
        ([], True, "left"),
    ],
    ids=["too old", "stalled", "left"],
)
def test_it_counts_backups_that_are_broken_off_by_their_reason(reservoir, options, leaves, reason):
    with serve(reservoir, "--resume-grace", "0s", *options) as server:
        client = server.connect(receive_buffer=4096)
        # A slow machine reaches a limit sooner than it sends the first of it.
        with suppress(BROKEN_OFF):
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


def test_the_alert_rules_are_what_they_say():
    """By the tests beside them, too: `promtool test rules`."""
    folder = ROOT / "deploy/prometheus"
    for command in (["check", "rules", "sluice.yml"], ["test", "rules", "sluice.test.yml"]):
        ended = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_rules_and_the_dashboard_name_metrics_that_there_are(house):
    with serve(house) as server:
        known = samples(server)
    reasons = known["sluice_backups_aborted_total"].keys()
    for file in ("deploy/prometheus/sluice.yml", "deploy/grafana/sluice.json"):
        text = (ROOT / file).read_text()
        # Those of a pull and of a drill: test_pull_told.py, test_drill.py.
        assert set(re.findall(r"sluice_(?!pull_|drill_)\w+", text)) <= known.keys()
    rules = (ROOT / "deploy/prometheus/sluice.yml").read_text()
    for listed in re.findall(r'reason[!=]~"([^"]*)"', rules):
        assert set(listed.split("|")) <= reasons


def test_every_reason_is_there_before_it_has_happened(house):
    """`increase()` sees nothing of a series that begins with 1."""
    rows = (ROOT / "docs/troubleshooting.md").read_text().partition("## A backup was broken off")[2].partition("\n## ")[0]
    reasons = set(re.findall(r"^\| `([a-z-]+)` \|", rows, re.MULTILINE))
    with serve(house) as server:
        shown = samples(server)
    assert len(reasons) > 10 and reasons == shown["sluice_backups_aborted_total"].keys()
    assert {"invalid-name", "unknown-database"} < shown["sluice_requests_rejected_total"].keys()


def test_a_real_prometheus_has_data_for_every_query_of_the_dashboard(house, tmp_path):
    dashboard = json.loads((ROOT / "deploy/grafana/sluice.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) > 15
    [port] = free_ports(1)
    (tmp_path / "rules").mkdir()
    shutil.copy(ROOT / "deploy/prometheus/sluice.yml", tmp_path / "rules")
    with serve(house) as server:
        (tmp_path / "prometheus.yml").write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}\nrule_files: [rules/sluice.yml]\n"
            f"scrape_configs: [{{job_name: sluice, static_configs: [{{targets: ['127.0.0.1:{server.ports[0]}']}}]}}]\n"
        )
        command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                   f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]  # fmt: skip
        prometheus = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        def ask(path, **query):
            url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return json.load(answer)["data"]
            except OSError:
                return None

        def lacking():
            made = [
                query.replace("$job", "sluice").replace("$instance", ".*").replace("$__rate_interval", "5s") for query in queries
            ]
            return [query for query in made if not (ask("query", query=query) or {}).get("result")]

        def values(query):
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
            return ask(f"label/{label}/values", **{"match[]": selector.replace("$job", "sluice")})

        try:
            wait_until(lambda: (ask("query", query="up") or {}).get("result"), "a scrape")
            assert server.get("/api/backup").status == 200
            wait_until(lambda: not lacking(), "data for every query")
            asked = [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
            assert [values(query) for query in asked] == [["sluice"], [f"127.0.0.1:{server.ports[0]}"]]
            (target,) = ask("targets")["activeTargets"]
            assert (target["health"], target["lastError"]) == ("up", "")
            (group,) = ask("rules")["groups"]
            assert {rule["health"] for rule in group["rules"]} == {"ok"}
        finally:
            prometheus.terminate()
            prometheus.wait(20)
