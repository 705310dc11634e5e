"""What bad data gets: a clear reason in the header, in the manifest and in the log, and never a tidy lie."""

import ctypes
import json
import os
import re
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest

import data as make
from archive import Archive
from client import skipped_by_header
from faults import traced
from harness import AS_ORDINARY_USER, run, serve, wait_until
from writers import Writer, running


def test_a_data_directory_that_vanishes_is_503_until_it_is_back(house):
    away = house.with_name("away")
    with serve(house) as server:
        house.rename(away)
        for target in ("/healthz", "/api/backup"):
            answer = server.get(target)
            assert answer.status == 503
        answer.problem()
        assert server.get("/healthz").json()["status"] != "ok"
        away.rename(house)
        assert server.get("/healthz").status == 200
        assert Archive(server.get("/api/backup").body).manifest["complete"]


def assert_skipped(server, name, reason):
    """Named in the header, in the manifest and in the log; the others are there; with `strict`, no zip."""
    answer = server.get("/api/backup")
    assert answer.status == 200
    assert skipped_by_header(answer)[name] == reason
    archive = Archive(answer.body)
    assert name not in archive.names
    assert archive.skipped[name]["reason"] == reason
    assert archive.skipped[name]["detail"]
    assert archive.manifest["complete"] is False
    server.wait_for_line(rf"(?=.*skipped)(?=.*{re.escape(name)}).*{reason}")
    health = wait_until(lambda: server.get("/healthz").json()["last_backup"], "the backup to be noted")
    assert health["outcome"] == "incomplete"

    strict = server.get("/api/backup?strict=1")
    assert strict.status == 503
    assert skipped_by_header(strict)[name] == reason
    problem = strict.problem()
    assert name in problem["detail"] and reason in problem["detail"]
    return archive


@pytest.fixture
def pair(tmp_path):
    """A data directory with a database that is in order and, by the test's hand, one that is not."""
    directory = tmp_path / "pair"
    directory.mkdir()
    make.ledger(directory / "good.db", make.ROLLBACK)
    return directory


@pytest.mark.parametrize(
    ("role", "journal_mode"),
    [("lock", make.ROLLBACK), ("exclusive_mode", make.ROLLBACK), ("exclusive_mode", make.WAL)],
)
def test_a_locked_database_is_skipped_once_the_busy_timeout_is_over(pair, role, journal_mode):
    path = make.ledger(pair / "bad.db", journal_mode)
    with serve(pair, "--busy-timeout", "300ms") as server:
        with running(role, path):
            archive = assert_skipped(server, "bad.db", "locked")
            assert "good.db" in archive.names
        assert Archive(server.get("/api/backup").body).manifest["complete"]


def test_all_that_are_locked_are_waited_for_at_once(pair):
    for name in ("a.db", "b.db"):
        make.ledger(pair / name, make.ROLLBACK)

    def is_held(server):
        """While it is locked, it is open for an instant at each try only."""
        return all(str(pair / "b.db") in server.open_files() for _ in range(20))

    with serve(pair, "--busy-timeout", "60s") as server, running("lock", pair / "a.db") as first:
        with running("lock", pair / "b.db") as second, server.connect() as connection:
            connection.request("GET", "/api/backup")
            wait_until(lambda: str(pair / "good.db") in server.open_files(), "the backup to begin")
            assert not is_held(server)
            second.finish()
            wait_until(lambda: is_held(server), "the second database to be open while the first is still locked")
            first.finish()
            assert Archive(connection.getresponse().read()).manifest["complete"]


def test_a_database_in_an_included_directory_is_one_whatever_its_name(house):
    path = make.ledger(house / "floor_plan/visits.sqlite", make.WAL)
    (house / "floor_plan/visits.old").hardlink_to(house / "floor_plan/plan.json")
    with serve(house) as server, running("transfer", path):
        archive = Archive(server.get("/api/backup").body)
    assert archive.manifest["complete"], archive.skipped
    assert archive.entries["floor_plan/visits.sqlite"]["database"]["method"] == "pinned"
    assert not any(name.startswith("floor_plan/visits.sqlite-") for name in archive.names)
    with archive.database("floor_plan/visits.sqlite") as copy:
        assert make.is_conserved(copy)


def test_a_lock_that_is_given_up_in_time_is_waited_for(pair):
    path = make.ledger(pair / "bad.db", make.ROLLBACK)
    with serve(pair, "--busy-timeout", "20s") as server, running("lock", path) as writer:
        with server.connect() as connection:
            connection.request("GET", "/api/backup")
            wait_until(lambda: server.get("/healthz").json()["running_backups"] == 1, "the backup to begin")
            writer.finish()
            assert Archive(connection.getresponse().read()).manifest["complete"]


@pytest.mark.measures
def test_the_busy_timeout_is_for_each_lock_and_not_for_all_of_them(pair):
    """A copy starts again after each commit: it meets this writer's lock several times, always for less than 2 s."""
    path = make.ledger(pair / "busy.db", make.ROLLBACK, accounts=4000, padding=30_000)
    with serve(pair, "--busy-timeout", "2s") as server, running("lock_again_and_again", path):
        archive = Archive(server.get("/api/backup?compression=fast").body)
    assert archive.manifest["complete"], archive.skipped
    with archive.database("busy.db") as copy:
        assert make.is_conserved(copy)


@pytest.mark.parametrize("budget", ["64MiB", "0"])  # in memory, on the disk
def test_a_vacuum_to_another_page_size_meanwhile_gives_a_sound_copy_or_none(pair, tmp_path, budget):
    path = make.ledger(pair / "resized.db", make.ROLLBACK, accounts=3000)
    outcomes = set()
    options = ["--busy-timeout", "10s", "--memory-budget", budget, "--spool-directory", tmp_path]
    with serve(pair, *options) as server, running("vacuum_to_other_page_sizes", path) as writer:
        for _ in range(25):
            archive = Archive(server.get("/api/backup?db=resized.db&compression=store").body)
            if archive.skipped:
                assert archive.skipped["resized.db"]["reason"] == "locked"
                continue
            with archive.database("resized.db") as copy:
                assert make.is_conserved(copy)
            outcomes.add(archive.entries["resized.db"]["database"]["page_size"])
        assert writer.finish()["vacuums"] > 2
    assert len(outcomes) > 1


def test_a_writer_in_wal_mode_locks_no_backup_out(pair):
    path = make.ledger(pair / "busy.db", make.WAL)
    with serve(pair) as server, running("lock", path):
        assert Archive(server.get("/api/backup").body).manifest["complete"]


def test_a_hot_journal_is_left_to_the_application(pair):
    path = make.ledger(pair / "bad.db", make.ROLLBACK)
    clean = path.read_bytes()
    Writer("spill", path).kill()
    journal = (pair / "bad.db-journal").read_bytes()
    torn = path.read_bytes()
    assert torn != clean and journal, "nothing was spilled"
    with serve(pair) as server:
        assert_skipped(server, "bad.db", "hot-journal")
    assert path.read_bytes() == torn and (pair / "bad.db-journal").read_bytes() == journal
    # The application's next look at it rolls back, and the backup is whole again.
    sqlite3.connect(path).execute("SELECT * FROM account").fetchone()
    with serve(pair) as server:
        assert Archive(server.get("/api/backup").body).manifest["complete"]


def test_a_database_without_permission_is_skipped(pair):
    make.ledger(pair / "bad.db", make.ROLLBACK).chmod(0)
    with serve(pair, prefix=AS_ORDINARY_USER) as server:
        assert_skipped(server, "bad.db", "permission")


def test_a_wal_database_whose_shared_memory_may_not_be_made_is_skipped(pair):
    make.ledger(pair / "bad.db", make.WAL).chmod(0o444)
    pair.chmod(0o555)
    with serve(pair, prefix=AS_ORDINARY_USER) as server:
        assert_skipped(server, "bad.db", "permission")


def test_a_file_without_permission_in_an_included_directory_is_skipped(house):
    (house / "floor_plan/plan.json").chmod(0)
    with serve(house, prefix=AS_ORDINARY_USER) as server:
        assert_skipped(server, "floor_plan/plan.json", "permission")


def test_a_directory_without_permission_in_an_included_directory_is_skipped(house):
    (house / "floor_plan/upper floor").chmod(0)
    with serve(house, prefix=AS_ORDINARY_USER) as server:
        answer = server.get("/api/backup")
    assert skipped_by_header(answer) == {"floor_plan/upper floor": "permission"}
    assert Archive(answer.body).skipped["floor_plan/upper floor"]["reason"] == "permission"


def test_strict_as_an_option_can_be_waived_by_a_request(pair):
    (pair / "link.db").symlink_to("good.db")
    with serve(pair, "--strict") as server:
        assert server.get("/api/backup").status == 503
        assert server.get("/api/backup?strict=0").status == 200
        assert server.get("/api/backup?strict=1&db=good.db").status == 200


def test_links_are_not_followed(house, tmp_path):
    secret = make.ledger(tmp_path / "secret.db", make.ROLLBACK)
    (house / "link.db").symlink_to(secret)
    (house / "floor_plan/link").symlink_to(tmp_path)
    (house / "floor_plan/upper floor/passwd").symlink_to("/etc/passwd")
    with serve(house) as server:
        archive = Archive(server.get("/api/backup").body)
        chosen = server.get("/api/backup?db=link.db")
    links = ["link.db", "floor_plan/link", "floor_plan/upper floor/passwd"]
    reasons = {name: skipped["reason"] for name, skipped in archive.skipped.items()}
    assert reasons == dict.fromkeys(links, "symbolic-link")
    assert Archive(chosen.body).names == ["VERSION", "MANIFEST.json"]


def test_an_included_directory_that_is_a_link_is_not_followed(house, tmp_path):
    shutil.rmtree(house / "floor_plan")
    (house / "floor_plan").symlink_to("/etc")
    with serve(house) as server:
        assert_skipped(server, "floor_plan", "symbolic-link")


def test_what_is_no_file_is_skipped_and_not_waited_for(house):
    os.mkfifo(house / "pipe.db")
    os.mkfifo(house / "floor_plan/pipe")
    (house / "directory.db").mkdir()
    with serve(house) as server:
        archive = Archive(server.get("/api/backup").body)
    # A directory is no regular file, and the replaced endpoint took only those; to name it is as good.
    assert {"pipe.db", "floor_plan/pipe"} <= archive.skipped.keys() <= {"pipe.db", "floor_plan/pipe", "directory.db"}
    assert not any(name.startswith("directory.db") for name in archive.names)


def test_a_db_that_is_no_database_is_taken_as_a_file_and_marked_so(pair):
    content = b"This is a story about a data base.\n" * 1000
    (pair / "story.db").write_bytes(content)
    with serve(pair) as server:
        answer = server.get("/api/backup")
    archive = Archive(answer.body)
    assert archive.names == ["good.db", "story.db", "VERSION", "MANIFEST.json"]
    assert archive.read("story.db") == content
    assert archive.entries["story.db"]["kind"] == "file" and archive.entries["story.db"]["note"]
    assert "Sluice-Skipped" not in answer.headers


def test_a_database_whose_head_is_damaged_is_not_taken_for_a_file_while_it_is_in_use(pair):
    """Encrypted ones look like this: a plain copy of one that is being written would be torn."""
    (pair / "bad.db").write_bytes(os.urandom(8192))
    (pair / "bad.db-wal").write_bytes(os.urandom(8192))
    with serve(pair) as server:
        assert_skipped(server, "bad.db", "not-a-database")


def test_an_empty_db_is_an_empty_entry(pair):
    (pair / "empty.db").touch()
    with serve(pair) as server:
        archive = Archive(server.get("/api/backup").body)
    assert archive.manifest["complete"]
    assert archive.read("empty.db") == b""


def nothing(directory):
    """A volume that is not mounted."""


def plain(directory):
    """A `.db` that is no database, and a folder."""
    (directory / "notes.db").write_text("plain text")
    (directory / "floor_plan").mkdir()
    (directory / "floor_plan/plan.json").write_text("{}")


def elsewhere(directory):
    """A database where no backup looks."""
    (directory / "sub").mkdir()
    make.ledger(directory / "sub/inner.db", make.ROLLBACK, accounts=10)


@pytest.mark.parametrize("content", [nothing, plain, elsewhere])
def test_without_any_database_a_backup_is_incomplete_everywhere(tmp_path, content):
    data = tmp_path / "data"
    data.mkdir()
    content(data)
    with serve(data) as server:
        server.wait_for_line("no database")
        answer = server.get("/api/backup")
        assert answer.status == 200 and answer.headers["Sluice-Skipped"] == ".;reason=no-database"
        archive = Archive(answer.body)
        assert archive.skipped["."]["reason"] == "no-database" and archive.manifest["complete"] is False
        assert archive.names[-2:] == ["VERSION", "MANIFEST.json"]
        refused = server.get("/api/backup?strict=1")
        assert refused.status == 503 and "no-database" in refused.problem()["detail"]
        health = server.get("/healthz")
        assert health.status == 503 and health.json()["status"] == "degraded" and "no SQLite" in health.json()["detail"]
        assert run("health", server.url).returncode == 1
        # It says so of the moment.
        make.ledger(data / "new.db", make.ROLLBACK, accounts=10)
        assert server.get("/healthz").json()["status"] == "ok"
        assert Archive(server.get("/api/backup").body).manifest["complete"]
        (data / "new.db").unlink()
    ended = run("backup", "--data", data, "-o", tmp_path / "a.zip")
    assert ended.returncode == 3 and "no-database" in ended.stderr
    assert run("verify", tmp_path / "a.zip").returncode == 3
    assert run("backup", "--strict", "--data", data, "-o", tmp_path / "b.zip").returncode == 1
    assert not (tmp_path / "b.zip").exists()


@pytest.mark.parametrize("content", [nothing, plain, elsewhere])
def test_an_administrator_may_mean_that_there_is_no_database(tmp_path, content):
    data = tmp_path / "data"
    data.mkdir()
    content(data)
    with serve(data, "--allow-empty") as server:
        assert Archive(server.get("/api/backup?strict=1").body).manifest["complete"]
        assert server.get("/healthz").json()["status"] == "ok"
        assert "no database" not in server.log
    assert run("backup", "--allow-empty", "--data", data, "-o", tmp_path / "a.zip").returncode == 0


def test_a_database_that_is_skipped_is_reason_enough(tmp_path):
    """It is there: the directory is not the wrong one."""
    make.ledger(tmp_path / "real", make.ROLLBACK, accounts=10)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.db").symlink_to("../real")
    with serve(tmp_path / "data") as server:
        assert list(Archive(server.get("/api/backup").body).skipped) == ["a.db"]
        assert server.get("/healthz").json()["status"] == "ok"


def test_an_included_database_is_one(tmp_path):
    elsewhere(tmp_path)
    with serve(tmp_path, "--include", "sub") as server:
        assert Archive(server.get("/api/backup?strict=1").body).manifest["complete"]
        assert server.get("/healthz").json()["status"] == "ok"


def test_names_of_every_kind_survive(tmp_path):
    names = ["ä ö ü.db", "数据.db", "'quoted' \"twice\".db", "-o.db", "a;b,c=d.db", "🏠.db", "%41.db", "#?&.db"]
    for name in names:
        make.ledger(tmp_path / name, make.ROLLBACK, accounts=10)
    with serve(tmp_path) as server:
        archive = Archive(server.get("/api/backup").body)
    assert archive.names[:-2] == sorted(names, key=str.encode)


@pytest.mark.parametrize("name", [b"caf\xe9.db", b"new\nline.db", b"back\\slash.db", b"c:drive.db"])
def test_a_name_that_readers_elsewhere_would_misread_is_skipped_or_taken_but_never_injected(tmp_path, name):
    make.ledger(os.fsencode(tmp_path) + b"/" + name, make.ROLLBACK, accounts=10)
    with serve(tmp_path) as server:
        answer = server.get("/api/backup")
        log_lines = len(server.lines)
    archive = Archive(answer.body)
    assert len(archive.names) == (2 if archive.skipped else 3)
    assert bool(archive.skipped) == ("Sluice-Skipped" in answer.headers)
    assert log_lines <= 3


@pytest.fixture
def odd_name(pair):
    """The path of a database beside the one in order whose name is neither UTF-8 nor customary."""
    path = os.fsencode(pair) + b"/caf\xe9"
    shutil.copyfile(pair / "good.db", path)
    return path


def test_a_database_directly_in_the_directory_is_named_though_its_name_is_not_utf8(pair, odd_name):
    for text in (b"/caf\xea", b"/caf\xe9-wal", b"/caf\xe9-shm"):
        shutil.copyfile(__file__, os.fsencode(pair) + text)
    with serve(pair) as server:
        archive = assert_skipped(server, "caf\ufffd", "name-not-utf8")
        assert list(archive.skipped) == ["caf\ufffd"] and "good.db" in archive.names
    with serve(pair, "--exclude", "caf?") as server:
        manifest = Archive(server.get("/api/backup?strict=1").body).manifest
        assert manifest["complete"] and manifest["excluded"] == ["caf\ufffd"]


@pytest.mark.parametrize("reason", ["name-not-utf8", "hard-link"])
def test_a_database_that_is_skipped_is_reason_enough_whatever_its_name(pair, odd_name, reason):
    if reason == "hard-link":
        os.rename(odd_name, pair / "History")
        os.link(pair / "History", pair.with_name("second name"))
    (pair / "good.db").unlink()
    with serve(pair) as server:
        skipped = Archive(server.get("/api/backup").body).skipped
        assert [entry["reason"] for entry in skipped.values()] == [reason]
        assert server.get("/healthz").json()["status"] == "ok"


def test_what_cannot_be_read_and_may_be_a_database_is_named_unless_it_is_excluded(pair):
    """A key of root's too: its first bytes alone would say that it is none."""
    names = {"History": "permission", "key.pem": "permission", "caf\ufffd": "name-not-utf8"}
    for name in ("History", "key.pem", b"caf\xe9", "small.pem", "empty", "readable"):
        shutil.copyfile(pair / "good.db" if name == "History" else __file__, os.path.join(os.fsencode(pair), os.fsencode(name)))
    os.truncate(pair / "small.pem", 511)
    os.truncate(pair / "empty", 0)
    for path in pair.iterdir():
        if path.name not in ("good.db", "readable"):
            path.chmod(0)
    with serve(pair, prefix=AS_ORDINARY_USER) as server:
        for name, reason in names.items():
            archive = assert_skipped(server, name, reason)
            assert "may be a database" in archive.skipped[name]["detail"]
        assert archive.skipped.keys() == names.keys()
    excludes = [part for name in ("History", "*.pem", "caf?") for part in ("--exclude", name)]
    with serve(pair, *excludes, prefix=AS_ORDINARY_USER) as server:
        manifest = Archive(server.get("/api/backup?strict=1").body).manifest
        assert manifest["complete"] and sorted(manifest["excluded"]) == sorted(names)
    (pair / "key.pem").chmod(0o400)
    excludes = ["--exclude", "History", "--exclude", "caf?"]
    with serve(pair, *excludes, prefix=AS_ORDINARY_USER) as server:
        assert Archive(server.get("/api/backup?strict=1").body).manifest["complete"]


def test_names_in_a_directory_that_cannot_be_entered_are_all_named(pair):
    """Not even what they are can be told."""
    (pair / "folder").mkdir()
    pair.chmod(0o600)
    ended = run("list", "--json", "--data", pair, prefix=AS_ORDINARY_USER)
    skipped = {entry["path"]: entry["reason"] for entry in json.loads(ended.stdout)["skipped"]}
    # The last two are included if they are there.
    assert skipped == dict.fromkeys(["good.db", "folder", "floor_plan", "floorplan"], "permission")
    assert ended.returncode == 3


MARK = "\u0301"  # a combining mark: to Swift, one character with the quotation mark or equals sign before it


@pytest.mark.parametrize(
    ("name", "logged"),
    [
        (f'a"{MARK} reason=none.db', f'"a\\"{MARK} reason=none.db"'),
        (f"a\\{MARK}.db", f'"a\\\\{MARK}.db"'),
        (f"a={MARK}b.db", f'"a={MARK}b.db"'),
        (f"a {MARK}b.db", f'"a {MARK}b.db"'),
    ],
    ids=["quotation mark", "backslash", "equals sign", "space"],
)
def test_a_name_does_not_end_its_field_of_the_log(tmp_path, name, logged):
    (tmp_path / name).symlink_to("nowhere")
    with serve(tmp_path) as server:
        server.get("/api/backup")
        assert f" database={logged} " in server.wait_for_line("skipped .*symbolic-link")


def test_a_long_list_of_what_was_skipped_is_cut_wherever_it_is_told(tmp_path):
    for number in range(3000):
        (tmp_path / f"a-rather-long-name-{number:04}.db").symlink_to("nowhere")
    with serve(tmp_path) as server:
        answer = server.get("/api/backup?strict=1")
        assert answer.status == 503
        detail = answer.problem()["detail"]
        assert "a-rather-long-name-0000.db (symbolic-link)" in detail
        shown = detail.count("symbolic-link")
        assert detail.endswith(f", and {3000 - shown} more") and 0 < len(detail) < 2000
        assert len(answer.headers["Sluice-Skipped"]) < 3000
        assert len(server.wait_for_line("strict was asked for")) < 3000
        assert server.get("/api/backup").status == 200
        server.wait_for_line("skipped more")
        assert len(server.lines) < 50
    ended = run("backup", "--data", tmp_path, "-o", tmp_path / "x.zip")
    assert ended.returncode == 3 and len(ended.stderr.splitlines()) < 50
    assert "more, which MANIFEST.json names" in ended.stderr.splitlines()[-1]


def test_another_engines_database_that_is_written_to_all_the_time_costs_only_itself(pair, tmp_path):
    """Each of its 16 blocks takes 100 ms to read: long enough for a writer on a busy machine to have its turn."""
    busy = pair / "channel.db"
    busy.write_bytes(os.urandom(16 << 20))
    (pair / "still.db").write_bytes(b"not SQLite's")
    stop = threading.Event()

    def write():
        with busy.open("r+b", buffering=0) as file:
            while not stop.wait(0.001):
                file.seek(4096)
                file.write(os.urandom(8))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with (
            serve(pair, "--busy-timeout", "100ms") as server,
            traced(server, tmp_path / "strace", "pread64", "-P", busy, "-e", "inject=pread64:delay_enter=100000"),
        ):
            archive = Archive(server.get("/api/backup").body)
    finally:
        stop.set()
        writer.join()
    assert {name: skipped["reason"] for name, skipped in archive.skipped.items()} == {"channel.db": "changed"}
    assert archive.names == ["good.db", "still.db", "VERSION", "MANIFEST.json"]


def test_an_archive_that_verify_would_refuse_is_refused_before_its_first_byte(pair):
    """The names alone need more directory than is read."""
    folder = pair / "floor_plan" / "/".join(["a" * 250] * 8)
    folder.mkdir(parents=True)
    for number in range(4200):
        (folder / f"{number}.txt").touch()
    with serve(pair) as server, server.connect(timeout=300) as client:
        answer = client.answer("GET", "/api/backup")
        assert answer.status == 503 and "directory" in answer.problem()["detail"]
        server.wait_for_line("reason=too-large")
        assert server.get("/api/backup?db=good.db").status == 200


@pytest.mark.parametrize("mode", [make.WAL, make.ROLLBACK])
def test_a_database_that_was_cut_short_is_skipped(tmp_path, mode):
    """Also if its WAL is empty, so that the header alone says how long it was."""
    (data := tmp_path / "data").mkdir()
    make.bulk(data / "a.db", mode, 1)
    os.truncate(data / "a.db", 400_000 // 4096 * 4096)
    assert not (data / "a.db-wal").exists()
    result = run("backup", "--data", data, "-o", tmp_path / "x.zip")
    assert result.returncode == 3 and "a.db (corrupt)" in result.stderr
    make.ledger(data / "good.db", mode)
    with serve(data) as server:
        for method in ("HEAD", "GET"):
            for target, status in (("/api/backup", 200), ("/api/backup?strict=1", 503)):
                with server.connect() as client:
                    answer = client.answer(method, target)
                    assert answer.status == status
                    assert status == 503 or answer.headers["Sluice-Skipped"] == "a.db;reason=corrupt"
    assert "a.db (corrupt)" in run("list", "--data", data).stdout


def test_a_head_copies_nothing(tmp_path):
    """Nor what is no database, but has the name of one: it has a lock that nothing here knows."""
    (data := tmp_path / "data").mkdir()
    make.ledger(data / "good.db", make.ROLLBACK)
    (data / "foreign.db").write_bytes(os.urandom(32 << 20))
    with serve(data) as server, server.connect() as client:
        length = client.answer("HEAD", "/api/backup?compression=store").headers["Content-Length"]
        read = int(re.search(r"rchar: (\d+)", Path(f"/proc/{server.pid}/io").read_text())[1])
        assert read < 8 << 20
        assert len(client.answer("GET", "/api/backup?compression=store").body) == int(length)


@pytest.mark.parametrize("seconds", [-(1 << 63) + 5, -(1 << 62), (1 << 63) - 1])
def test_any_time_of_a_file_is_taken(seconds):
    """As tmpfs keeps it."""
    libc = ctypes.CDLL(None, use_errno=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        make.bulk(Path(directory) / "a.db", make.ROLLBACK, 1)
        times = (ctypes.c_long * 4)(0, 0, seconds, 0)
        assert libc.utimensat(-100, f"{directory}/a.db".encode(), times, 0) == 0
        assert run("backup", "--data", directory, "-o", f"{directory}/x.zip").returncode == 0
