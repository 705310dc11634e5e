"""What `sluice pull` tells: messages, pings and metrics, of each outcome one, and never a secret."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from harness import run, serve, wait_until
from pulling import DATED, TARGET, Puller, hook, listening, old_backup
from restoring import change, small

SECRET = "0a1b2c3d-secret"


@pytest.fixture
def data(tmp_path):
    return small(tmp_path / "data", "word")


@pytest.fixture
def puller(tmp_path):
    return Puller(tmp_path)


def told(heard):
    """The messages, and the paths that were pinged."""
    return [content for method, _, content in heard if method == "POST"], [path for method, path, _ in heard if method == "GET"]


def test_a_whole_backup_is_told(data, puller):
    with serve(data) as server, hook() as (url, heard):
        result = puller.run(server.url + TARGET, name="app", notify=f"{url}/{SECRET}?key=1", ping=f"{url}/{SECRET}?create=1")
    assert (result.returncode, result.error) == (0, "")
    (start, end), pings = told(heard)
    assert pings == [f"/{SECRET}/start?create=1", f"/{SECRET}?create=1"]
    assert {path for method, path, _ in heard if method == "POST"} == {f"/{SECRET}?key=1"}
    [name] = puller.names()
    host = socket.gethostname()
    nothing = {"exit_status": None, "file": None, "bytes": None, "missing": [], "missing_count": 0, "detail": None}
    assert start | {"time": 0} == {"event": "start", "series": "app", "host": host, "time": 0} | nothing
    file = puller.kept / name
    assert end | {"time": 0} == start | {"event": "success", "time": 0, "exit_status": 0, "file": str(file), "bytes": file.stat().st_size}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", end["time"])


def test_what_is_missing_is_told_as_a_failure(data, puller):
    for number in range(300):
        (data / f"{number:03}{'x' * 200}.db").symlink_to("nowhere")
    with serve(data) as server, hook() as (url, heard):
        result = puller.run(server.url + TARGET, notify=url, ping=url)
    assert result.returncode == 3
    (_, end), pings = told(heard)
    assert pings == ["/start", "/fail"]
    assert (end["event"], end["exit_status"], end["missing_count"]) == ("failure", 3, 300)
    assert 5 <= len(end["missing"]) <= 20 and end["missing"][0].startswith("000xxx") and "(symbolic-link)" in end["missing"][0]
    assert end["file"].endswith("Z-incomplete.zip") and end["detail"].startswith("not in the archive: 000xxx")


@pytest.mark.parametrize("what", ["no service", "no directory", "a signal"])
def test_a_backup_that_failed_is_told(puller, what, tmp_path):
    with hook() as (url, heard), listening(lambda _, client: client.recv(1 << 16) and client.recv(1)) as silent:
        settings = {"directory": tmp_path / "none"} if what == "no directory" else {}
        process = puller.start(silent if what == "a signal" else "http://127.0.0.1:1/", notify=url, ping=url, **settings)
        if what == "a signal":
            wait_until(lambda: list(puller.kept.glob(".sluice-pull.*/head")), "its request")
            process.send_signal(signal.SIGTERM)
        result = puller.result(process)
    assert result.returncode == 1
    (_, end), pings = told(heard)
    assert pings == ["/start", "/fail"]
    assert (end["event"], end["exit_status"], end["file"]) == ("failure", 1, None)
    assert result.error == f"sluice: {end['detail']}\n"


@pytest.mark.parametrize(
    ("status", "words"), [(None, "there is no connection to it"), (404, "its answer is an error of HTTP"), (302, "its answer is a redirection")]
)
def test_a_message_that_cannot_be_sent_is_a_warning(data, puller, tmp_path, status, words):
    with serve(data) as server, hook(status) as (url, heard):
        if status is None:
            with socket.create_server(("127.0.0.1", 0)) as gone:
                url = f"http://127.0.0.1:{gone.getsockname()[1]}"
        result = puller.run(server.url + TARGET, notify=f"{url}/{SECRET}", ping=f"@{tmp_path}/none")
    assert result.returncode == 0 and [name for name in puller.names() if re.fullmatch(DATED, name)]
    assert result.error.splitlines() == [
        f"sluice: warning: --ping @{tmp_path}/none: its first line is no URL of http or https",
        *(f"sluice: warning: {url} was not told of the {event}: {words}" for event in ("start", "success")),
    ]


@pytest.mark.parametrize("place", ["setting", "file"])
def test_no_other_process_and_no_message_shows_the_secret(data, puller, tmp_path, place):
    seen = []

    def look_around():
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                words = (process / "cmdline").read_bytes()
                # This process's own environment had it from the beginning: no other user may read that.
                seen.append(words if words.split(b"\0")[1:2] == [b"pull"] else words + (process / "environ").read_bytes())

    with serve(data) as server, hook(404, look_around) as (url, heard):
        (tmp_path / "url").write_text(f"{url}/{SECRET}\n")
        value = f"{url}/{SECRET}" if place == "setting" else f"@{tmp_path}/url"
        result = puller.run(server.url + TARGET, notify=value)
        refused = puller.run(server.url + TARGET, notify=f"ftp:/{SECRET}")
    assert [path for _, path, _ in heard] == [f"/{SECRET}"] * 2
    assert any(b"--config" in words for words in seen) and not any(SECRET.encode() in words for words in seen)
    assert SECRET not in result.output + result.error + refused.error
    assert refused.returncode == 64 and "SLUICE_PULL_NOTIFY" in refused.error


@pytest.mark.parametrize(
    ("settings", "options", "words"),
    [
        ({"keep": "--last 7 --fortnightly 3"}, [], "SLUICE_PULL_KEEP is "),
        ({"url": "backup.example.org"}, [], "SLUICE_PULL_URL is "),
        ({"drill": "monthly"}, [], "SLUICE_PULL_DRILL is 'monthly'"),
        ({"directory": "kept"}, [], "SLUICE_PULL_DIRECTORY is 'kept'"),
        ({"textfile": "app.txt"}, [], "SLUICE_PULL_TEXTFILE is 'app.txt'"),
        ({"ping": f"ftp://{SECRET}"}, [], "SLUICE_PULL_PING is '…'"),
        ({}, ["--restik=/srv/restic"], "Unknown option '--restik'"),
        ({}, ["--name=a", "--last"], "Missing value for '--last <n>'"),
        ({}, ["--borg", ""], "--borg: give a place"),
        ({"directory": "none", "drill": "30d"}, ["--restic", "/srv/restic"], "no directory remembers the result"),
        ({"name": "../app"}, [], "SLUICE_PULL_NAME is '../app'"),
    ],
)
def test_a_wrong_setting_is_told_to_all_that_are_right(puller, tmp_path, settings, options, words):
    """Once: what ends the unit tells of nothing that the pull itself has told."""
    told_by_unit = {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "64"}
    with hook() as (url, heard):
        right = {"notify": f"{url}/{SECRET}", "ping": f"{url}/{SECRET}", "textfile": tmp_path / "app.prom", "name": "app"}
        right = {name: str(value) for name, value in right.items() if name not in settings}
        result = puller.run(settings.get("url", "http://127.0.0.1:1/"), *options, **right, **{name: value for name, value in settings.items() if name != "url"})
        again = puller.run(settings.get("url", "http://127.0.0.1:1/"), "--ended", *options, **right,
                           **{name: value for name, value in settings.items() if name != "url"}, **told_by_unit)  # fmt: skip
    assert result.returncode == 64 and words in result.error and SECRET not in result.error + result.output
    assert (again.returncode, again.error) == (0, "")
    [message], pings = told(heard)
    assert pings == ([f"/{SECRET}/fail"] if "ping" in right else [])
    series = settings.get("name") or ("a" if "--name=a" in options else "app")
    assert (message["event"], message["series"], message["exit_status"], message["file"]) == ("failure", series, 64, None)
    assert words in message["detail"]
    if "textfile" in right:
        assert (tmp_path / "app.prom").exists() == ("name" not in settings)
    if "name" not in settings and "directory" not in settings:
        ended = json.loads((puller.kept / f".{series}.pull.json").read_text())
        assert ended["exit_status"] == 64 and words in ended["detail"]


def test_a_wrong_command_line_is_told_and_help_is_not(tmp_path):
    (tmp_path / "kept").mkdir()
    with hook() as (url, heard):
        options = ("--into", tmp_path / "kept", "--notify", url, "--textfile", tmp_path / "a.prom")
        assert run("pull", "http://127.0.0.1:1/", *options, "--help").returncode == 0 and heard == []
        result = run("pull", "http://127.0.0.1:1/", *options, "--last", "many", "--notify", "nowhere", "--ping")
    assert result.returncode == 64
    [message], _ = told(heard)
    assert message["exit_status"] == 64 and f"sluice: {message['detail']}" in result.stderr
    assert os.listdir(tmp_path / "kept") == [] and not (tmp_path / "a.prom").exists(), "no pull has failed"


def test_of_a_pull_that_was_killed_the_unit_tells_though_a_setting_is_wrong(puller):
    with hook() as (url, heard):
        killed = {"SERVICE_RESULT": "oom-kill", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}
        ended = puller.run("http://127.0.0.1:1/", "--ended", "--restik", notify=url, keep="many", **killed)
    assert ended.returncode == 0
    [message], _ = told(heard)
    assert message["exit_status"] == 255 and "oom-kill, killed, KILL" in message["detail"]


@pytest.mark.parametrize(
    "result",
    [
        ("success", "exited", "0"), ("exit-code", "exited", "3"), ("oom-kill", "killed", "KILL"), ("exit-code", "exited", "203"),
        ("exit-code", "", ""), ("exec-condition", "", ""),
    ],
)  # fmt: skip
def test_of_a_pull_that_was_killed_the_unit_tells(puller, tmp_path, result):
    said = dict(zip(("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"), result, strict=True))
    with hook() as (url, heard):
        ended = puller.run("http://127.0.0.1:1/", "--ended", notify=url, ping=url, textfile=tmp_path / "a.prom", **said)
    assert ended.returncode == 0 and puller.names() == []
    if result[1] == "exited" and int(result[2]) < 200 or result[0] == "exec-condition":
        assert (heard, ended.error, (tmp_path / "a.prom").exists()) == ([], "", False), "it has told by itself, or it was not to run"
        return
    [message], pings = told(heard)
    assert pings == ["/fail"] and (message["event"], message["exit_status"]) == ("failure", 255)
    assert (", ".join(result) if result[1] else "systemd did not start the pull: exit-code") in message["detail"] and "last_exit_status" in (tmp_path / "a.prom").read_text()


def values(path):
    return {name: int(value) for name, value in re.findall(r'(?m)^sluice_pull_(\w+)\{series="app"\} (\d+)$', path.read_text())}


def test_metrics_remember_the_last_success(data, puller, tmp_path):
    (collected := tmp_path / "collected").mkdir()
    path = collected / "app.prom"
    settings = {"name": "app", "textfile": path}
    assert puller.run("http://127.0.0.1:1/", **settings).returncode == 1
    assert values(path)["last_success_timestamp_seconds"] == values(path)["last_whole_timestamp_seconds"] == values(path)["last_whole_bytes"] == 0
    with serve(data) as server:
        assert puller.run(server.url + TARGET, **settings).returncode == 0
    good = values(path)
    assert good["last_exit_status"] == 0 and good["last_success_timestamp_seconds"] == good["last_end_timestamp_seconds"] > 1e9
    assert good["last_whole_timestamp_seconds"] == good["last_end_timestamp_seconds"] and good["last_whole_bytes"] > 0
    assert puller.run("http://127.0.0.1:1/", **settings).returncode == 1
    bad = values(path)
    assert bad["last_exit_status"] == 1 and bad["last_end_timestamp_seconds"] >= good["last_end_timestamp_seconds"]
    assert {name: bad[name] for name in good if re.search("success|whole", name)} == {name: good[name] for name in good if re.search("success|whole", name)}
    # Another user's collector reads it, and nothing else is left there.
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 and list(collected.iterdir()) == [path]
    checked = subprocess.run(["promtool", "check", "metrics"], input=path.read_bytes(), capture_output=True, timeout=30)
    assert (checked.returncode, checked.stderr) == (0, b"")


def test_a_whole_backup_counts_though_something_else_fails(data, puller, tmp_path):
    """A drill, a second destination, the removal of old ones."""
    path, ended = tmp_path / "app.prom", puller.kept / ".app.pull.json"
    settings = {"name": "app", "textfile": path}
    with serve(data) as server:
        assert puller.run(server.url + TARGET, **settings).returncode == 0
        long_ago = "2020-01-01T00:00:00Z"

        def whole(*options, status=1, **more):
            """The metrics, and whether tonight's archive is the last whole one."""
            before = path.read_text()
            path.write_text(re.sub(r"(_(?:whole|success)_timestamp_seconds\{.*\}) \d+", r"\1 1", before))
            record = json.loads(ended.read_text())
            record["last_whole"]["time"] = long_ago
            ended.write_text(json.dumps(record))
            result = puller.run(server.url + TARGET, *options, **settings, **more)
            assert result.returncode == status, result.error
            found, record = values(path), json.loads(ended.read_text())
            assert (found["last_exit_status"], record["exit_status"]) == (status, status)
            assert found["last_success_timestamp_seconds"] == (1 if status else found["last_end_timestamp_seconds"])
            isNew = record["last_whole"]["time"] != long_ago
            assert isNew == (found["last_whole_timestamp_seconds"] == found["last_end_timestamp_seconds"])
            return isNew

        assert whole("--to", "false")
        (puller.kept / ".app.drill.json").write_text("{")
        assert whole(drill="30d")
        assert whole("--to", "true", "--to", "cat >/dev/null", directory="none", STATE_DIRECTORY=puller.kept)
        # No destination has it.
        assert not whole("--to", "false", directory="none", STATE_DIRECTORY=puller.kept)
        (data / "gone.db").symlink_to("nowhere")
        assert not whole(status=3)
        (data / "gone.db").unlink()
        (data / "b.db").unlink()
        assert whole()
        assert whole(keep="--last 14 --gone *.db", status=0)


def test_metrics_that_cannot_be_written_are_a_warning(data, puller, tmp_path):
    with serve(data) as server:
        result = puller.run(server.url + TARGET, textfile=tmp_path / "none" / "app.prom")
    assert result.returncode == 0 and result.error.startswith(f"sluice: warning: {tmp_path}/none/app.prom cannot be written: ")


def test_how_the_last_pull_ended_is_remembered(data, puller):
    status = lambda: run("status", "--pulls", puller.kept)  # noqa: E731
    with serve(data) as server:
        assert puller.run(server.url + TARGET).returncode == 0
        assert status().returncode == 0 and "FAILED" not in status().stdout
    path = puller.kept / ".backup.pull.json"
    before = json.loads(path.read_text())
    [name] = [name for name in puller.names() if re.fullmatch(DATED, name)]
    size = (puller.kept / name).stat().st_size
    assert (before["exit_status"], before["last_whole"]) == (0, {"time": before["time"], "file": name, "bytes": size})
    result = puller.run(server.url + TARGET, token_file="/nowhere")
    assert result.returncode == 1
    after = json.loads(path.read_text())
    assert (after["exit_status"], after["last_whole"], f"sluice: {after['detail']}\n") == (1, before["last_whole"], result.error)
    assert status().returncode == 3 and f"the last pull FAILED 0 s ago: {after['detail']}" in re.sub(r"FAILED \d+ s", "FAILED 0 s", status().stdout)
    [row] = json.loads(run("status", "--pulls", puller.kept, "--json").stdout)
    assert (row["pull"]["exit_status"], row["pull"]["detail"], row["tiers"]) == (1, after["detail"], {})
    for damaged in ("", "{}", before | {"format": 2}):
        path.write_text(damaged if isinstance(damaged, str) else json.dumps(damaged))
        assert status().returncode == 0 and "FAILED" not in status().stdout


def drilled(puller, **changes):
    """What is remembered of the last drill; then it is changed."""
    path = puller.kept / ".backup.drill.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | changes))
    return record


def test_a_drill_is_run_when_it_is_due(data, puller):
    def drills():
        result = puller.run(server.url + TARGET, drill="30d")
        assert (result.returncode, result.error) == (0, "")
        return "restored and sound" in result.output

    with serve(data) as server:
        assert drills() and not drills()
        long_ago = "2020-01-01T00:00:00Z"
        assert drilled(puller, time=long_ago)["result"] == "passed"
        assert drills() and drilled(puller)["time"] != long_ago
        assert not drills()
        # A clock was ahead.
        drilled(puller, time="2036-01-01T00:00:00Z")
        assert drills() and not drills()
        drilled(puller, result="failed")
        assert drills() and drilled(puller)["result"] == "passed"


def test_a_drill_is_run_though_something_is_missing_and_has_metrics(data, puller, tmp_path):
    (data / "gone.db").symlink_to("nowhere")
    with serve(data) as server:
        result = puller.run(server.url + TARGET, textfile=tmp_path / "app.prom", drill="30d")
        assert result.returncode == 1 and "the drill found less than before: gone.db was skipped" in result.error
        labels = f'{{series="backup",place="{puller.kept}"}}'
        assert f"sluice_drill_last_exit_status{labels} 3\n" in (tmp_path / "app.drill.prom").read_text()
        (data / "gone.db").unlink()
        assert puller.run(server.url + TARGET, textfile=tmp_path / "app.prom", drill="0s").returncode == 0
        assert f"sluice_drill_last_exit_status{labels} 0\n" in (tmp_path / "app.drill.prom").read_text()
        # A later night lacks something: the one before is whole.
        (data / "gone.db").symlink_to("nowhere")
        result = puller.run(server.url + TARGET, textfile=tmp_path / "app.prom", drill="0s")
        assert result.returncode == 3 and "restored and sound, nothing lost" in result.output


def test_a_drill_is_run_though_a_database_is_gone_or_an_old_archive_damaged(data, puller):
    old = old_backup(puller.kept / "backup-2020-01-01T030000Z.zip", "2020-01-01T03:00:00Z", {"gone.db": 9})
    with serve(data) as server:
        result = puller.run(server.url + TARGET, keep="--last 1", drill="0s", delta="yes")
        assert result.returncode == 1 and "restored and sound" in result.output and result.error.count("\n") == 1
        assert "is kept, but nothing is removed: " in result.error and "gone.db" in result.error and old.exists()
        old.unlink()
        [base] = puller.kept.glob("backup-*.zip")
        os.truncate(base, base.stat().st_size - 1)
        result = puller.run(server.url + TARGET, keep="--last 1", drill="0s", delta="yes")
        assert result.returncode == 1 and "restored and sound" in result.output
        assert result.error.splitlines()[-1].endswith(f"is kept, but {base.name} beside it is damaged: remove it; no old backup was removed")


@pytest.mark.parametrize("directory", [None, "none"])
def test_the_destination_that_failed_is_told(data, puller, directory):
    settings = {"directory": directory} if directory else {}
    with serve(data) as server, hook() as (url, heard):
        one = puller.run(server.url + TARGET, "--to", "cat >/dev/null", "--to", "cat >/dev/null; exit 7", notify=url, **settings)
        all = puller.run(server.url + TARGET, "--to", "cat >/dev/null; exit 7", notify=url, **settings)
    assert (one.returncode, all.returncode) == (1, 1)
    why = "--to 'cat >/dev/null; exit 7': it ended with status 7"
    (_, some, _, none), _ = told(heard)
    assert some["detail"] == why and some["file"] and some["bytes"] > 0
    if directory:
        assert none["detail"].endswith(f": the archive is sound, but no destination has got it: {why}") and none["file"] is None
        assert "whole" in one.output and (all.output, all.error) == ("", f"sluice: {why}\n")
    else:
        assert none["detail"] == why and none["file"]


def test_one_that_is_ended_while_it_waits_for_its_place_is_told(puller):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place, hook() as (url, heard):

        def taken():
            # Another test's pulls may have it.
            with suppress(OSError):
                place.bind("\0sluice-pull/1")
                return True

        wait_until(taken, "the place")
        process = puller.start("http://127.0.0.1:1/", at_once=1, notify=url, ping=url)
        wait_until(lambda: "SigBlk:\t0000000000000000" not in Path(f"/proc/{process.pid}/status").read_text(), "that it holds signals")
        process.terminate()
        puller.result(process)
    assert process.returncode == 1
    (end,), pings = told(heard)
    assert (end["event"], end["detail"], pings) == ("failure", "interrupted", ["/fail"])


def test_a_drill_that_finds_less_or_fails_is_told_as_a_failure(data, puller):
    with serve(data) as server, hook() as (url, heard):
        assert puller.run(server.url + TARGET, drill="0s").returncode == 0
        change(data / "b.db", "DELETE FROM t")
        result = puller.run(server.url + TARGET, drill="0s", notify=url, ping=url)
        assert result.returncode == 1 and "the backup is kept, but the drill found less than before: b.db: table t has 0 rows" in result.error
        (_, end), pings = told(heard)
        assert (end["event"], end["exit_status"], pings) == ("failure", 1, ["/start", "/fail"])
        assert end["detail"].startswith("the backup is kept, but the drill found less") and (puller.kept / end["file"]).exists()
        assert "last drill 0 s ago CHANGED" in re.sub(r"\d+ s ago CHANGED", "0 s ago CHANGED", run("status", "--pulls", puller.kept).stdout)
        # It is told once.
        assert puller.run(server.url + TARGET, drill="30d").returncode == 0
        # What cannot be read is no drill that passed.
        (puller.kept / ".backup.drill.json").write_text("{")
        result = puller.run(server.url + TARGET, drill="30d")
        assert result.returncode == 1 and "a loss could not be seen" in result.error
        assert result.error.endswith("the backup is kept, but the drill failed; the line before says why\n")
        ended = run("status", "--pulls", puller.kept)
        assert ended.returncode == 1 and "the record of the last drill cannot be READ" in ended.stdout


def test_each_place_is_drilled_by_itself(data, puller, tmp_path):
    (remote := tmp_path / "remote").mkdir()
    settings = {"drill": "30d", "textfile": tmp_path / "app.prom"}
    places = [str(puller.kept), f"rclone:{remote}"]
    records = [puller.kept / f".backup.{name}.json" for name in ("drill", "drill-2")]
    metrics = [tmp_path / f"app.{name}.prom" for name in ("drill", "drill-2")]
    status = lambda: re.sub(r"\d+ s ago", "0 s ago", run("status", "--pulls", puller.kept).stdout)  # noqa: E731

    with serve(data) as server:
        drills = lambda *options: puller.run(server.url + TARGET, "--rclone", remote, *options, **settings)  # noqa: E731
        result = drills()
        assert (result.returncode, result.error, result.output.count("restored and sound")) == (0, "", 2)
        assert [json.loads(record.read_text())["place"] for record in records] == places
        for place, file in zip(places, metrics, strict=True):
            assert f'sluice_drill_last_exit_status{{series="backup",place="{place}"}} 0\n' in file.read_text()
        assert f"; last drill of {places[0]} 0 s ago passed; last drill of {places[1]} 0 s ago passed\n" in status()
        assert "restored" not in drills().output

        # Those there are damaged.
        for file in remote.iterdir():
            file.write_bytes(file.read_bytes()[:-1])
        drill = run("drill", "--from", places[1], "--state", records[1], "--textfile", metrics[1])
        assert drill.returncode == 1
        assert f"; last drill of {places[1]} 0 s ago FAILED\n" in status() and run("status", "--pulls", puller.kept).returncode == 1
        [row] = json.loads(run("status", "--pulls", puller.kept, "--json").stdout)
        assert [(drill["place"], drill["result"]) for drill in row["drills"]] == list(zip(places, ("passed", "failed"), strict=True))
        assert f'sluice_drill_last_exit_status{{series="backup",place="{places[1]}"}} 1\n' in metrics[1].read_text()
        # The next night repeats that one alone.
        result = drills()
        assert (result.returncode, result.output.count("restored and sound")) == (0, 1)
        assert f"; last drill of {places[1]} 0 s ago passed\n" in status()
        # A table is emptied: both find it.
        change(data / "b.db", "DELETE FROM t")
        for record in records:
            record.write_text(json.dumps(json.loads(record.read_text()) | {"result": "failed"}))
        result = drills()
        assert result.returncode == 1
        both = [f"the drill of {place} found less than before: b.db: table t has 0 rows and had 200" for place in places]
        assert f"the backup is kept, but {both[0]}; {both[1]}\n" in result.error
        # Another place has no part in what the drills of this one have found.
        (other := tmp_path / "other").mkdir()
        result = puller.run(server.url + TARGET, "--rclone", other, **settings)
        assert (result.returncode, result.output.count("restored and sound, nothing lost")) == (0, 1)
        assert json.loads(records[1].read_text())["place"] == f"rclone:{other}"


def test_a_drill_that_cannot_begin_is_in_its_metrics(data, puller, tmp_path):
    file = tmp_path / "drill.prom"
    drill = lambda *options: run("drill", "--from", puller.kept, "--textfile", file, *options)  # noqa: E731
    status = lambda: re.findall(r"(?m)^sluice_drill_last_(exit_status|success_timestamp_seconds)(\{.*\}) (\d+)$", file.read_text())  # noqa: E731
    assert drill("--max-loss", "many").returncode == 64
    assert status() == [("success_timestamp_seconds", '{series="backup"}', "0"), ("exit_status", '{series="backup"}', "64")]
    with serve(data) as server:
        assert puller.run(server.url + TARGET).returncode == 0
    assert drill("--state", tmp_path / "state").returncode == 0
    labels = f'{{series="backup",place="{puller.kept}"}}'
    [(_, _, passed), ended] = status()
    assert int(passed) > 1e9 and ended == ("exit_status", labels, "0")
    (tmp_path / "state").write_text("{")
    for wrong, code in ((("--state", tmp_path / "state"), 1), (("--max-loss", "many"), 64), (("--state", tmp_path / "none/state"), 1)):
        assert drill(*wrong).returncode == code
        assert status() == [("success_timestamp_seconds", labels, passed), ("exit_status", labels, str(code))]
    checked = subprocess.run(["promtool", "check", "metrics"], input=file.read_bytes(), capture_output=True, timeout=30)
    assert (checked.returncode, checked.stderr) == (0, b"")


def test_a_drill_needs_what_it_can_read_again(data, puller, tmp_path):
    result = puller.run("http://127.0.0.1:1/", "--to", "cat", directory="none", drill="30d")
    assert result.returncode == 64 and "--drill: what only a command of --to has cannot be read back" in result.error
    result = puller.run("http://127.0.0.1:1/", "--restic", tmp_path, directory="none", drill="30d")
    assert result.returncode == 64 and "--drill: without --into, no directory remembers the result" in result.error
    assert "SLUICE_PULL_DRILL is 'monthly'" in puller.run("http://127.0.0.1:1/", drill="monthly").error
