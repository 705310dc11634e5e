"""nginx, as it comes from Debian: started before a server of ours, and what its configuration says."""

import os
import socket
import subprocess
from contextlib import contextmanager

from harness import ROOT, open_the_way, serve, wait_until

CONFIGURATION = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  {http}
  server {{
    listen unix:{directory}/front.sock;
    {server}
    location / {{
      {location}
    }}
  }}
}}
"""

# Of the system's own nginx, before the service: nothing but its defaults, and what we recommend.
DEFAULTS = """
server {
  listen 127.0.0.1:8081;
  location / {
    proxy_pass http://unix:/run/sluice/sluice.sock;
  }
}
"""
OURS = (ROOT / "deploy/nginx/sluice.conf").read_text()
PORT = 8081


def place(directory):
    """A directory that nginx's workers, which run as another user, can use."""
    directory.mkdir(exist_ok=True)
    directory.chmod(0o777)
    open_the_way(directory)
    return directory


def listens(path):
    """The socket is there a little sooner."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@contextmanager
def running(directory, location, server="", http=""):
    """nginx at front.sock in a directory of its own, with these lines in the blocks of these names."""
    configuration = CONFIGURATION.format(directory=directory, location=location, server=server, http=http)
    (directory / "nginx.conf").write_text(configuration)
    process = subprocess.Popen(
        ["nginx", "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"],
        env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: listens(directory / "front.sock"), "nginx to listen")
        yield
    finally:
        process.terminate()
        process.wait(10)


def forwarding(directory, version):
    """nginx that forwards front.sock to back.sock, where `sluice_behind` listens."""
    location = f"""proxy_pass http://unix:{directory}/back.sock:;
      proxy_http_version {version};
      proxy_set_header Connection "";
      proxy_set_header Host localhost;"""
    return running(directory, location)


def sluice_behind(nginx, data, *arguments):
    return serve(data, *arguments, listen=("127.0.0.1:0", f"unix:{nginx}/back.sock"))
