"""Behind nginx, as it comes from Debian: whole archives pass, broken ones stay broken, nothing is stored on the way."""

import pytest

from archive import Archive
from client import BROKEN_OFF, Connection
from harness import wait_until
from measure import wait_until_still
from nginx import sluice_behind


@pytest.mark.parametrize("compression", ["default", "store"])
def test_an_archive_passes_whole(nginx, house, compression):
    with sluice_behind(nginx, house) as server, Connection(nginx / "front.sock") as connection:
        (nginx / "back.sock").chmod(0o666)
        answer = connection.answer("GET", f"/api/backup?compression={compression}")
        assert answer.status == 200, server.log
        assert Archive(answer.body).manifest["complete"]
        assert connection.answer("HEAD", "/api/backup").status == 200
        assert connection.answer("GET", "/api/backup?db=nothing.db").status == 404


def test_a_broken_archive_is_broken_for_nginxs_client_too(nginx, reservoir):
    with sluice_behind(nginx, reservoir, "--max-snapshot-age", "300ms", "--detach-budget", "0") as server:
        (nginx / "back.sock").chmod(0o666)
        with Connection(nginx / "front.sock", receive_buffer=4096) as connection:
            response = connection.begin("/api/backup?compression=store")
            server.wait_for_line("backup failed")
            with pytest.raises(BROKEN_OFF):
                response.read()


def test_nginx_reads_no_further_than_its_client(nginx, reservoir):
    with sluice_behind(nginx, reservoir, "--resume-grace", "0s") as server:
        (nginx / "back.sock").chmod(0o666)
        with Connection(nginx / "front.sock", receive_buffer=4096) as connection:
            response = connection.begin("/api/backup?compression=store")
            response.read(1000)
            wait_until_still(server)
            assert server.get("/healthz").json()["running_backups"] == 1, "it was stored on the way"
        # The client has left; nginx leaves too, and the snapshot is released.
        wait_until(lambda: server.get("/healthz").json()["running_backups"] == 0, "the end of the backup")
        server.wait_for_line("backup failed")
