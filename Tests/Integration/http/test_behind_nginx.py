"""Behind nginx, as it comes from Debian: whole archives pass, broken ones stay broken, nothing is stored on the way."""

import os
import subprocess

import pytest

from archive import Archive
from client import BROKEN_OFF, Connection
from harness import open_the_way, serve, wait_until
from measure import wait_until_still

CONFIGURATION = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen unix:{directory}/front.sock;
    location / {{
      proxy_pass http://unix:{directory}/back.sock:;
      proxy_http_version {version};
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
    }}
  }}
}}
"""


@pytest.fixture(params=["1.0", "1.1"])
def nginx(request, tmp_path):
    """The directory of an nginx that forwards front.sock to back.sock."""
    directory = tmp_path / "nginx"
    directory.mkdir()
    directory.chmod(0o777)
    open_the_way(directory)
    (directory / "nginx.conf").write_text(CONFIGURATION.format(directory=directory, version=request.param))
    process = subprocess.Popen(
        ["nginx", "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"],
        env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    wait_until((directory / "front.sock").exists, "nginx to listen")
    yield directory
    process.terminate()
    process.communicate(timeout=10)


def sluice_behind(nginx, data, *arguments):
    return serve(data, *arguments, listen=("127.0.0.1:0", f"unix:{nginx}/back.sock"))


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
    with sluice_behind(nginx, reservoir, "--max-snapshot-age", "300ms") as server:
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
