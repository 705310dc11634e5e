"""What is known of past backups: that it outlives the process, and is never more than is true."""

import json
import os
import signal
import time

import pytest

from etags import settled
from harness import AS_ORDINARY_USER, run, serve, wait_until
from metrics import samples


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


@pytest.fixture
def keeping(house, directory):
    return lambda *options, **more: serve(house, "--state-directory", directory, *options, **more)


def successes(server):
    found = samples(server)
    return {name.removeprefix("sluice_last_success_"): value for name, value in found.items() if "last_success" in name}


def completed(server, family="backups"):
    return samples(server)[f"sluice_{family}_completed_total"]


def backup(server, target="/api/backup", **headers):
    """A whole answer, once it has been counted."""
    count = samples(server)["sluice_backup_duration_seconds_count"]
    answer = server.get(target, **headers)
    assert answer.status == 200
    wait_until(lambda: samples(server)["sluice_backup_duration_seconds_count"] > count, "the backup to be counted")
    return answer


def set_back(directory, seconds=100_000):
    """As if what is known had happened so long ago."""
    path = directory / "state.json"
    state = json.loads(path.read_text())
    for key in ("last_backup", "last_complete"):
        state[key]["ended"] -= seconds
    path.write_text(json.dumps(state))
    return state["last_complete"]["ended"]


def test_a_backup_that_is_dated_in_the_future_is_no_news(keeping, directory):
    with keeping() as server:
        backup(server)
        assert run("status", server.url).returncode == 0
    set_back(directory, -1_000_000)
    with keeping() as server:
        result = run("status", server.url)
        assert result.returncode == 1 and "last complete backup DATED IN THE FUTURE" in result.stdout


@pytest.mark.parametrize("end", ["stopped", "killed", "passed on by the environment"])
def test_the_last_complete_backup_and_the_counters_outlive_the_process(house, directory, end):
    options, more = ["--state-directory", directory], {}
    if end == "passed on by the environment":
        options, more = [], {"env": os.environ | {"STATE_DIRECTORY": f"{directory}:/nowhere"}}
    with serve(house, *options, **more) as server:
        start, size = int(time.time()), len(backup(server).body)
        # It is written when the backup begins, too.
        path = directory / "state.json"
        wait_until(lambda: path.exists() and "last_complete" in json.loads(path.read_text()), "the state to be written")
        known = successes(server)
        assert known["bytes"] == size and known["databases"] >= 2 and known["timestamp_seconds"] >= start
        assert 0 < known["skew_seconds"] < 60
        before = samples(server)
        if end == "killed":
            server.signal(signal.SIGKILL)
            server.wait()
    assert sorted(path.name for path in directory.iterdir()) == ["state.json"]
    assert (directory / "state.json").stat().st_mode & 0o777 == 0o600
    set_back(directory)
    with serve(house, *options, **more) as server:
        after = samples(server)
        for name, value in before.items():
            if name.endswith("_total") and "connections" not in name or name.endswith(("_count", "_sum")):
                assert after[name] == value, name
        assert successes(server) == known | {"timestamp_seconds": known["timestamp_seconds"] - 100_000}
        health = server.get("/healthz").json()
        assert health["last_backup"]["outcome"] == "complete" and health["last_backup"]["bytes"] == size
        assert 100_000 <= health["last_complete"]["seconds_ago"] <= 100_100
        assert health["last_complete"]["bytes"] == size
        backup(server)
        assert completed(server)["complete"] == 2 and successes(server)["timestamp_seconds"] >= start


def test_chosen_databases_are_counted_apart_and_are_no_backup_of_the_directory(keeping):
    with keeping() as server:
        backup(server, "/api/backup?db=events.db")
        assert sum(completed(server).values()) == 0 and completed(server, "selected_backups")["complete"] == 1
        assert set(successes(server).values()) == {0}
        health = server.get("/healthz").json()
        assert health["last_complete"] is None and health["last_backup"]["scope"] == "selection"
        size = len(backup(server).body)
        backup(server, "/api/backup?db=events.db")
        assert successes(server)["bytes"] == size
        assert server.get("/healthz").json()["last_complete"]["bytes"] == size


def test_an_archive_from_which_something_is_missing_is_no_complete_one(house, keeping):
    (house / "link.db").symlink_to("nowhere")
    with keeping() as server:
        backup(server)
        assert completed(server) == {"complete": 0, "incomplete": 1}
        assert set(successes(server).values()) == {0}


def test_a_client_that_has_what_there_is_makes_it_fresh(keeping, directory):
    with keeping() as server:
        tag = settled(server).headers["ETag"]
    # A client has the last byte before the server has counted it: what the server knows at its end is whole.
    with keeping() as server:
        known = successes(server)
    past = set_back(directory)
    for method, presented, is_fresh in [("HEAD", tag, False), ("GET", "*", False), ("GET", f'"x", W/{tag}', True)]:
        with keeping() as server, server.connect() as client:
            assert client.answer(method, "/api/backup", If_None_Match=presented).status == 304
            assert (successes(server)["timestamp_seconds"] > past + 99_000) == is_fresh, presented
            # It is of the state of which more is known.
            assert {**successes(server), "timestamp_seconds": 0} == {**known, "timestamp_seconds": 0}
    with keeping() as server:
        assert successes(server)["timestamp_seconds"] > past + 99_000, "that was not kept"


def test_chosen_databases_that_have_not_changed_make_nothing_fresh(keeping, directory):
    with keeping() as server:
        backup(server)
        tag = settled(server, "/api/backup?db=events.db").headers["ETag"]
    past = set_back(directory)
    with keeping() as server:
        assert server.get("/api/backup?db=events.db", If_None_Match=tag).status == 304
        assert successes(server)["timestamp_seconds"] == past


@pytest.mark.parametrize("grace", ["0s", "1h"])
def test_the_tag_of_a_download_that_was_broken_off_makes_nothing_fresh(reservoir, directory, grace):
    """`curl --etag-save` writes the tag down as soon as it has the head."""
    options = ["--state-directory", directory, "--resume-grace", grace, "--compression", "store"]
    with serve(reservoir, *options) as server:
        wait_until(lambda: time.time() - (reservoir / "reservoir.db").stat().st_mtime > 0.1, "the database to be old")
        with server.connect(receive_buffer=4096) as client:
            response = client.begin("/api/backup")
            response.read(1000)
        server.wait_for_line("backup (failed|interrupted)")
        assert server.get("/api/backup", If_None_Match=response.headers["ETag"]).status == 304
        assert set(successes(server).values()) == {0}
    with serve(reservoir, *options) as server:
        assert server.get("/api/backup", If_None_Match=response.headers["ETag"]).status == 304
        assert set(successes(server).values()) == {0}
        # Another process sent it, perhaps, and left no state: the client is believed.
        unknown = response.headers["ETag"][:-5] + '0000"'
        assert server.get("/api/backup", If_None_Match=unknown).status == 304
        assert successes(server)["timestamp_seconds"] > 0


@pytest.mark.parametrize("begun", ["GET", "HEAD"])
def test_the_tag_of_a_download_amid_which_the_service_was_killed_makes_nothing_fresh(reservoir, directory, begun):
    options = ["--state-directory", directory, "--compression", "store"]
    target = "/api/backup?resume=x"
    with serve(reservoir, *options) as server:
        wait_until(lambda: time.time() - (reservoir / "reservoir.db").stat().st_mtime > 0.1, "the database to be old")
        with server.connect(receive_buffer=4096) as client:
            if begun == "HEAD":
                client.answer("HEAD", target)
            response = client.begin(target, **({"Range": "bytes=0-"} if begun == "HEAD" else {}))
            response.read(1000)
            tag = response.headers["ETag"]
            path = directory / "state.json"
            wait_until(lambda: path.exists() and tag.strip('"') in path.read_text(), "the tag to be noted")
            server.signal(signal.SIGKILL)
            server.wait()
    with serve(reservoir, *options) as server:
        assert server.get(target, If_None_Match=tag).status == 304
        assert set(successes(server).values()) == {0}
        # A whole one counts, and so does its tag.
        whole = backup(server, target)
    past = set_back(directory)
    with serve(reservoir, *options) as server:
        assert server.get(target, If_None_Match=tag).status == 304
        assert successes(server)["timestamp_seconds"] == past
        assert server.get(target, If_None_Match=whole.headers["ETag"]).status == 304
        assert successes(server)["timestamp_seconds"] > past


@pytest.mark.parametrize("length", [0, 31, 33, 200])
def test_a_tag_that_is_none_of_ours_is_not_kept(keeping, length):
    with keeping() as server:
        backup(server, "/api/backup?db=events.db")
        state = settled(server).headers["ETag"].strip('"').split("-")[0]
        assert server.get("/api/backup", If_None_Match=f'"{state}-{"a" * length}"').status == 200
    with keeping() as server:
        assert completed(server, "selected_backups")["complete"] == 1
    assert "state not read" not in server.log


def test_a_client_that_took_some_ranges_has_no_backup(keeping, directory):
    target = "/api/backup?compression=store&resume=x"
    with keeping("--resume-grace", "1h") as server:
        with server.connect(receive_buffer=4096) as client:
            response = client.begin(target)
            tag = response.headers["ETag"]
            response.read(1000)
        server.wait_for_line("backup interrupted")
        end = server.get(target, Range="bytes=-100", If_Range=tag)
        assert end.status == 206 and len(end.body) == 100, server.log
        assert sum(completed(server).values()) == 0 and set(successes(server).values()) == {0}
        backup(server, "/api/backup?compression=store&resume=y")
        assert completed(server) == {"complete": 1, "incomplete": 0}
    assert "backup failed" in server.log and server.log.count(": backup sent") == 1
    assert tag.strip('"') in json.loads((directory / "state.json").read_text())["unfinished_tags"]


def test_a_client_that_took_it_in_two_parts_has_it(keeping):
    target = "/api/backup?compression=store"
    with keeping() as server:
        with server.connect(receive_buffer=4096) as client:
            response = client.begin(target)
            response.read(1000)
        server.wait_for_line("backup interrupted")
        rest = server.get(target, Range="bytes=1000-", If_Range=response.headers["ETag"])
        assert rest.status == 206
        wait_until(lambda: completed(server)["complete"] == 1, "the backup to be counted")
        assert successes(server)["bytes"] == int(response.headers["Content-Length"])


VALID = json.loads("""{"format": 1, "data_directory": "/", "unfinished_tags": [], "counts": {"started": 5, "completed": {"complete": 5},
  "selected": {}, "aborted": {}, "rejected": {}, "unchanged": 0, "resumed": 0, "left_wals": 0, "bytes_read": 1, "bytes_sent": 1, "seconds": 1.5},
  "last_complete": {"ended": 1, "tag": "a-b", "databases": 1, "bytes": 1}}""")


def altered(**changes):
    counts = VALID["counts"] | {name: value for name, value in changes.items() if name in VALID["counts"]}
    others = {name: value for name, value in changes.items() if name not in VALID["counts"]}
    return json.dumps(VALID | {"counts": counts} | others)


DAMAGED = {
    "empty": "", "torn": altered()[:-9], "another's": "<html>", "of a later version": altered(format=2), "no object": "[1]",
    "of another directory": altered(data_directory="/elsewhere"), "below 0": altered(started=-1), "nearly too large": altered(started=2**63 - 1),
    "too large": altered(bytes_read=2**64 - 1), "a text": altered(started="5"), "no number": altered(seconds=1e300),
    "a label that is none": altered(aborted={'x"} 1\n': 1}), "too many tags": altered(unfinished_tags=["a"] * 65), "zeros": "\0" * 4096,
    "an age": altered(last_complete=VALID["last_complete"] | {"ended": 2**62}), "too long": " " * 300_000, "a pipe": None, "a folder": None,
    "a link": None,
}  # fmt: skip


def test_a_state_that_can_be_read_is_taken_up(house, directory, keeping):
    (directory / "state.json").write_text(altered(data_directory=str(house.resolve())))
    with keeping() as server:
        assert completed(server)["complete"] == 5
        assert not [line for line in server.lines if "state not" in line]


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_state_that_cannot_be_read_is_ignored_with_a_line(house, directory, keeping, kind):
    path = directory / "state.json"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a link":
        path.symlink_to(house / "events.db")
    elif kind == "of another directory":
        path.write_text(DAMAGED[kind])
    else:
        path.write_text(DAMAGED[kind].replace('"data_directory": "/"', f'"data_directory": "{house.resolve()}"'))
    before = path.read_bytes() if path.is_file() else None
    with keeping() as server:
        assert "state.json" in server.wait_for_line("state not read")
        assert completed(server)["complete"] == 0 and set(successes(server).values()) == {0}
    assert before is None or path.read_bytes() == before, "it was replaced, though there was nothing to say"
    with keeping() as server:
        backup(server)
        if kind == "a folder":
            server.wait_for_line("state not written")
    with keeping() as server:
        assert completed(server)["complete"] == (kind != "a folder")


def test_a_state_that_cannot_be_written_costs_one_line(directory, keeping):
    with keeping(prefix=AS_ORDINARY_USER) as server:
        directory.chmod(0o500)
        for _ in range(3):
            backup(server)
        server.wait_for_line("state not written")
        assert server.log.count("state not written") == 1
        directory.chmod(0o700)
        backup(server)
    with keeping() as server:
        assert completed(server)["complete"] == 4


@pytest.mark.parametrize("kind", ["missing", "a file", "forbidden"])
def test_a_directory_that_cannot_keep_it_is_refused(house, directory, kind):
    if kind == "a file":
        directory.rmdir()
        directory.touch()
    elif kind == "missing":
        directory.rmdir()
    else:
        directory.chmod(0o500)
    arguments = ["serve", "--data", house, "--listen", "127.0.0.1:0", "--state-directory", directory]
    ended = run(*arguments, prefix=AS_ORDINARY_USER, timeout=60)
    assert ended.returncode == 1 and "--state-directory" in ended.stderr


def test_without_a_directory_nothing_is_kept(house, tmp_path):
    with serve(house, cwd=tmp_path) as server:
        backup(server)
    assert [path.name for path in tmp_path.iterdir()] == ["house"]
    with serve(house) as server:
        assert set(successes(server).values()) == {0}
