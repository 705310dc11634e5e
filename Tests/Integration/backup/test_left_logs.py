"""An application that closes its database while a backup holds a snapshot leaves rows in the -wal: that is said."""

import re
import shutil
import sqlite3

import pytest

from application import UPDATE, Application, table
from archive import Archive
from harness import run, serve

LEFT = "write-ahead log left.*a.db"


def left(server):
    return int(re.search(r"^sluice_wal_left_total (\d+)$", server.get("/metrics").body.decode(), re.MULTILINE)[1])


@pytest.mark.parametrize("compression", ["fast", "store"])
def test_rows_that_the_application_left_in_the_log_are_told(tmp_path, compression):
    data = tmp_path / "data"
    data.mkdir()
    with serve(data, "--resume-grace", "0s") as server:
        with Application(data / "a.db") as application, server.connect(receive_buffer=4096) as client:
            table(application)
            response = client.begin(f"/api/backup?compression={compression}")
            content = response.read(1000)
            application(UPDATE)
            application.close()
            assert Archive(content + response.read()).manifest["complete"]
        server.wait_for_line(LEFT)
        assert left(server) == 1
        # What it warns of.
        shutil.copy(data / "a.db", tmp_path / "alone.db")
        with sqlite3.connect(tmp_path / "alone.db") as alone:
            assert alone.execute("SELECT max(commits) FROM t").fetchone() == (0,)
        # Once the application has opened and closed it, all is well.
        with Application(data / "a.db") as application:
            assert application("SELECT max(commits) FROM t") == [[1]]
            application.close()
        server.get("/api/backup")
        assert left(server) == 1
    assert run("backup", "--data", data, "-o", tmp_path / "a.zip").stderr == ""


def test_a_client_that_leaves_makes_no_difference(tmp_path):
    with serve(tmp_path, "--resume-grace", "0s") as server, Application(tmp_path / "a.db") as application:
        table(application)
        with server.connect(receive_buffer=4096) as client:
            client.begin("/api/backup?compression=store").read(1000)
            application(UPDATE)
            application.close()
        server.wait_for_line(LEFT)
        assert left(server) == 1


def test_an_application_that_is_there_leaves_nothing(tmp_path):
    with serve(tmp_path) as server, Application(tmp_path / "a.db") as application:
        table(application)
        application(UPDATE)
        assert Archive(server.get("/api/backup").body).manifest["complete"]
        assert left(server) == 0
        assert run("backup", "--data", tmp_path, "-o", tmp_path / "a.zip").stderr == ""


def test_the_command_tells_it_too(tmp_path):
    with Application(tmp_path / "a.db") as application:
        table(application)
        application(UPDATE)
    # It was killed.
    result = run("backup", "--data", tmp_path, "-o", tmp_path / "a.zip")
    assert result.returncode == 0
    assert re.search("a.db: no process has it open.*-wal", result.stderr)
