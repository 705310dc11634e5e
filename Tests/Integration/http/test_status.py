"""`/status.json`: what the service knows of itself, as docs/status.schema.json has it."""

import json
import socket
import sqlite3
import time
from contextlib import suppress
from http.client import HTTPException

import jsonschema
import pytest

import data as make
from client import Connection
from harness import ROOT, run, serve, wait_until
from manager import Manager
from tokens import FIRST

SCHEMA = json.loads((ROOT / "docs/status.schema.json").read_text())
# How many databases, and how many times as much as Python takes to parse the answer it may cost to make it.
DATABASES, MOST = 1000, 7


def strict(schema):
    """The same, with which a member that it does not name is a fault, too."""
    if isinstance(schema, dict):
        schema = {name: strict(part) for name, part in schema.items()}
        return schema | {"additionalProperties": False} if "properties" in schema else schema
    return [strict(part) for part in schema] if isinstance(schema, list) else schema


def status(server, query="", **headers):
    answer = server.get(f"/status.json{query}", **headers)
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    document = answer.json()
    jsonschema.validate(document, strict(SCHEMA), jsonschema.Draft202012Validator)
    return document


def test_it_lists_what_a_backup_takes_and_skips(house, tmp_path):
    (house / "link.db").symlink_to("events.db")
    make.ledger(house / "out.db", make.WAL, accounts=1)
    for name, mode in (("\u00e9.db", make.WAL), ("e\u0301.db", make.ROLLBACK)):  # one string to Swift, and two names
        make.ledger(house / name, mode, accounts=1)
    options = ["--exclude", "out.db"]
    listed = json.loads(run("list", "--data", house, "--json", *options).stdout)
    with serve(house, *options) as server:
        directory = status(server)["directory"]
        assert status(server, "?directory=0")["directory"] is None
    databases = [entry for entry in listed["entries"] if entry["kind"] == "database"]
    assert {each["path"]: each["journal_mode"] for each in directory["databases"]} == {
        each["path"]: each["journal_mode"] for each in databases
    }
    assert len(databases) > 2 and directory["files"] == len(listed["entries"]) - len(databases)
    [skipped], [fact] = directory["skipped"], listed["skipped"]
    assert skipped == fact | {"detail": fact["detail"] + "; include the real path, or serve the real directory"}
    assert skipped["path"] == "link.db"
    assert directory["excluded"] == ["out.db"] and directory["problem"] is None
    for each in directory["databases"]:
        assert each["bytes"] == (house / each["path"]).stat().st_size


def test_it_shows_the_size_of_a_wal(tmp_path):
    house = tmp_path / "house"
    house.mkdir()
    application = make.bulk(house / "a.db", make.WAL, 2, open=True)
    with serve(house) as server:
        (database,) = status(server)["directory"]["databases"]
        assert database["wal_bytes"] == (house / "a.db-wal").stat().st_size > 2 << 20
        # It holds nothing: the application may empty it.
        assert application.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert not any(path.endswith(".db") for path in server.open_files())
    application.close()


def test_a_database_that_is_locked_does_not_keep_the_others_waiting_for_ever(house):
    application = sqlite3.connect(house / "settings.db", isolation_level=None)
    application.execute("PRAGMA locking_mode=EXCLUSIVE")
    application.execute("BEGIN EXCLUSIVE")
    with serve(house, "--busy-timeout", "100ms") as server:
        directory = status(server)["directory"]
        assert [each["reason"] for each in directory["skipped"]] == ["locked"]
        assert len(directory["databases"]) > 1
    with serve(house, "--busy-timeout", "30s") as server:
        begun = time.monotonic()
        assert "locked" in status(server)["directory"]["problem"]
        assert time.monotonic() - begun < 10
        server.kill()
    application.close()


def test_it_tells_of_backups_that_run_and_that_are_suspended(reservoir):
    with serve(reservoir) as server:
        before = status(server, "?directory=0")["tag"]
        with server.connect(receive_buffer=4096) as client:
            client.begin("/api/backup?compression=store").read(1 << 20)
            running = status(server)
            (backup,) = running["under_way"]
            assert backup["phase"] == "sending" and backup["client"].startswith("127.0.0.1:")
            assert 0 < backup["sent_bytes"] < backup["archive_bytes"]
            assert backup["progress_permille"] == backup["sent_bytes"] * 1000 // backup["archive_bytes"]
            assert running["tag"] != before
        suspended = wait_until(
            lambda: next((each for each in status(server)["under_way"] if each["phase"] == "suspended"), None), "it is suspended"
        )
        assert 100 < suspended["resumable_seconds"] <= 120 and suspended["id"] == backup["id"]
        with server.connect(receive_buffer=4096) as client:
            client.begin("/api/backup").read(1 << 20)
            compressed = wait_until(
                lambda: next((each for each in status(server)["under_way"] if each["read_bytes"]), None), "it is read"
            )
            assert compressed["archive_bytes"] is None
            assert 0 < compressed["progress_permille"] < 1000


def test_what_was_backed_up_outlives_the_process(house, tmp_path):
    (tmp_path / "state").mkdir()
    options = ["--state-directory", tmp_path / "state"]
    with serve(house, *options) as server:
        assert status(server)["history"] == []
        assert {each["last_backup"] for each in status(server)["directory"]["databases"]} == {None}
        assert server.get("/api/backup?db=events.db").status == 200
        assert server.get("/api/backup?db=nothing.db").status == 404
        (one,) = wait_until(lambda: status(server)["history"], "it is noted")
        assert (one["outcome"], one["scope"], one["databases"]) == ("complete", "selection", 1)
        with_one = {each["path"]: each["last_backup"] for each in status(server)["directory"]["databases"]}
        assert [path for path, when in with_one.items() if when] == ["events.db"]
        (house / "link.db").symlink_to("events.db")
        for _ in range(31):
            assert server.get("/api/backup").status == 200
        wait_until(lambda: len(status(server)["history"]) == 30, "all are noted")
    with serve(house, *options) as server:
        after = status(server)
    assert len(after["history"]) == 30 and after["history"][-1]["skipped"] == 1
    assert {each["outcome"] for each in after["history"]} == {"incomplete"} and after["last_complete"] is None
    assert all(each["last_backup"] >= with_one["events.db"] for each in after["directory"]["databases"])


def test_a_database_that_came_later_was_not_backed_up(house, tmp_path):
    (tmp_path / "state").mkdir()
    options = ["--state-directory", tmp_path / "state"]
    with serve(house, *options) as server:
        assert server.get("/api/backup").status == 200
    make.ledger(house / "later.db", make.WAL, accounts=1)
    (house / "events.db").unlink()
    with serve(house, *options) as server:
        known = {each["path"]: each["last_backup"] for each in status(server)["directory"]["databases"]}
        assert [path for path, when in known.items() if when is None] == ["later.db"]
        assert server.get("/api/backup").status == 200
        wait_until(lambda: len(status(server)["history"]) == 2, "it is noted")
    assert "events.db" not in (tmp_path / "state/state.json").read_text()


def test_it_needs_a_token_if_the_service_has_one(house, tmp_path):
    (tmp_path / "tokens").write_text(FIRST + "\n")
    with serve(house, "--token-file", tmp_path / "tokens") as server:
        answer = server.get("/status.json")
        assert answer.status == 401 and b"events" not in answer.body
        assert answer.headers.get_all("WWW-Authenticate")[1].startswith("Basic ")
        assert status(server, Authorization=f"Bearer {FIRST}")["needs_token"] is True


def test_it_answers_only_the_hosts_that_a_backup_answers(house):
    with serve(house) as server:
        assert server.get("/status.json", Host="evil.example").status == 421


@pytest.mark.parametrize("query", ["?directory=2", "?directory=", "?directory=0&directory=1", "?databases=0"])
def test_a_query_that_it_does_not_know_is_refused(house, query):
    with serve(house) as server:
        assert server.get(f"/status.json{query}").status == 400


def test_a_directory_that_cannot_be_read_is_said(house):
    with serve(house) as server:
        house.rename(house.with_name("gone"))
        document = status(server)
    assert document["status"] == "failing" and document["detail"]
    assert str(house) in document["directory"]["problem"] and document["directory"]["databases"] == []


def test_a_page_that_looks_on_keeps_no_idle_service_awake(house, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with Manager(tmp_path, listening).running("--data", house, "--idle-exit", "500ms") as process:
            with Connection(path) as kept:
                assert kept.answer("GET", "/status.json?directory=0").headers["Connection"] == "close"
                deadline = time.monotonic() + 10
                while process.poll() is None:
                    assert time.monotonic() < deadline, "it is kept awake"
                    with Connection(path, timeout=2) as connection, suppress(OSError, HTTPException):
                        connection.answer("GET", "/status.json?directory=0")
                    time.sleep(0.01)


def test_a_service_that_a_page_has_started_leaves_soon(house, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with Manager(tmp_path, listening).running("--data", house, "--idle-exit", "1h") as process:
            with Connection(path) as connection:
                assert connection.answer("GET", "/status.json?directory=0").status == 200
            assert process.wait(60) == 0


def test_nothing_is_opened_that_a_backup_does_not_open(house, tmp_path):
    (house / "left.db").write_bytes((house / "events.db").read_bytes())
    (house / "stray").mkdir()
    make.ledger(house / "stray/inner.db", make.WAL, accounts=2)
    log = tmp_path / "strace"
    prefix = ["strace", "-D", "-f", "-qq", "-o", log, "-e", "trace=openat,open,openat2"]
    with serve(house, "--exclude", "left.db", prefix=prefix) as server:
        assert status(server)["directory"]["databases"] and server.get("/").status == 200
        opened = log.read_text()
    assert "events.db" in opened
    assert "left.db" not in opened and "inner.db" not in opened


@pytest.mark.measures
def test_a_thousand_databases_cost_little(tmp_path, figure):
    house = tmp_path / "house"
    house.mkdir()
    sqlite3.connect(house / "0000.db").executescript("PRAGMA journal_mode=WAL; CREATE TABLE t(x)").connection.close()
    content = (house / "0000.db").read_bytes()
    for number in range(1, DATABASES):
        (house / f"{number:04}.db").write_bytes(content)
    with serve(house) as server:
        wait_until(lambda: len(status(server)["directory"]["databases"]) == DATABASES, "they are listed", 60)
        before, requests = server.cpu_ticks(), 100
        for _ in range(requests):
            assert server.get("/status.json").status == 200
        cost = (server.cpu_ticks() - before) * 10 / requests
        document = server.get("/status.json").body
        begun = time.process_time()
        for _ in range(requests):
            json.loads(document)
        parsed = (time.process_time() - begun) * 1000 / requests
    figure(f"milliseconds of processor time for /status.json of {DATABASES} databases", round(cost, 2))
    figure("the same ÷ what Python takes to parse it", round(cost / parsed, 2))
    assert cost <= MOST * parsed
