"""`sluice status`: a line for each service, and a status for monitors."""

import json
import os
import socket
import subprocess
import time

import pytest

from harness import run, serve, wait_until
from nginx import place, running, sluice_behind
from tokens import FIRST


def backed_up(server, **headers):
    assert server.get("/api/backup", **headers).status == 200
    wait_until(lambda: server.get("/status.json?directory=0", **headers).json()["history"], "it is noted")


def test_a_line_for_each_service(house, tmp_path):
    unix = f"unix:{tmp_path}/s.sock"
    with serve(house, "--name", "spaxel", listen=["127.0.0.1:0", unix]) as server:
        backed_up(server)
        ended = run("status", server.url, unix, f"{server.url}/status.json")
        assert ended.returncode == 0 and ended.stderr == ""
        lines = ended.stdout.splitlines()
        assert len(lines) == 3 and lines[1].startswith(f"{unix}: spaxel ok: last complete backup ")
        (house / "link.db").symlink_to("events.db")
    with serve(house) as server:
        backed_up(server)
        incomplete = run("status", server.url)
        # None of them was complete.
        assert incomplete.returncode == 1 and "NO complete backup known" in incomplete.stdout
        assert "1 SKIPPED: link.db (symbolic-link)" in incomplete.stdout


def test_what_would_be_skipped_and_what_is_late_have_statuses(house):
    with serve(house) as server:
        backed_up(server)
        wait_until(lambda: "LATE" in run("status", server.url, "--max-age", "1s").stdout, "it is late")
        assert run("status", server.url, "--max-age", "1s").returncode == 1
    (house / "link.db").symlink_to("events.db")
    with serve(house, "--exclude", "link.db") as server:
        backed_up(server)
        assert run("status", server.url).returncode == 0
    (house / "link.db").unlink()
    with serve(house) as server:
        backed_up(server)
        (house / "link.db").symlink_to("events.db")
        assert run("status", server.url).returncode == 3


def test_json_has_the_documents_as_they_are(house):
    with serve(house) as server, socket.create_server(("127.0.0.1", 0)) as silent:
        gone = f"127.0.0.1:{silent.getsockname()[1]}"
        ended = run("status", server.url, gone, "--json", "--timeout", "300ms")
        assert ended.returncode == 1
        first, second = json.loads(ended.stdout)
        assert first["address"] == server.url and first["problem"] is None
        assert first["status"]["directory"]["databases"] == server.get("/status.json").json()["directory"]["databases"]
        assert second["status"] is None and second["problem"].startswith("no answer: ")


def test_it_presents_a_token(house, tmp_path):
    (tmp_path / "token").write_text(FIRST + "\n")
    (tmp_path / "other").write_text("x" * 32)
    with serve(house, "--token-file", tmp_path / "token") as server:
        backed_up(server, Authorization=f"Bearer {FIRST}")
        assert run("status", server.url, "--token-file", tmp_path / "token").returncode == 0
        for options, words in (([], "give --token-file"), (["--token-file", tmp_path / "other"], "does not accept")):
            ended = run("status", server.url, *options)
            assert ended.returncode == 1 and words in ended.stdout
    for file in ("/nowhere", "/dev/null"):
        assert "--token-file" in run("status", "127.0.0.1:1", "--token-file", file).stderr


def test_it_finds_a_service_under_a_path(house, tmp_path):
    nginx = place(tmp_path / "nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = f"listen 127.0.0.1:{port}; location /sluice/ {{ proxy_pass http://unix:{nginx}/back.sock:/; }}"
    with sluice_behind(nginx, house), running(nginx, "return 404;", server):
        (nginx / "back.sock").chmod(0o666)
        ended = run("status", f"http://127.0.0.1:{port}/sluice/")
        assert "NO complete backup known" in ended.stdout, ended.stdout
        elsewhere = run("status", f"http://127.0.0.1:{port}/")
        assert elsewhere.returncode == 1 and "it has no /status.json, or a proxy" in elsewhere.stdout


def test_it_asks_where_the_unit_listens_if_it_is_given_no_address():
    ended = run("status", "--timeout", "1s")
    assert ended.returncode == 1 and "no answer" in ended.stdout + ended.stderr


def certificate(directory):
    """Of 127.0.0.1, and signed by itself."""
    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return f"ssl_certificate {cert}; ssl_certificate_key {key};", cert


def test_it_asks_through_tls(house, tmp_path):
    nginx = place(tmp_path / "nginx")
    lines, cert = certificate(nginx)
    (tmp_path / "token").write_text(FIRST + "\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = f"listen 127.0.0.1:{port} ssl; {lines} location /sluice/ {{ proxy_pass http://unix:{nginx}/back.sock:/; }}"
    options = ["--token-file", tmp_path / "token"]
    with sluice_behind(nginx, house, "--token-file", tmp_path / "token"), running(nginx, "return 404;", server):
        (nginx / "back.sock").chmod(0o666)
        url = f"https://user:secret@127.0.0.1:{port}/sluice/status.json"
        ended = run("status", url, *options, env=os.environ | {"CURL_CA_BUNDLE": str(cert)})
        assert ended.returncode == 1 and f"https://127.0.0.1:{port}/sluice/status.json: " in ended.stdout
        # Basic and Bearer are one field: what the URL has is not sent beside a token.
        assert "NO complete backup known" in ended.stdout, ended.stdout
        without = run("status", f"https://127.0.0.1:{port}/sluice", env=os.environ | {"CURL_CA_BUNDLE": str(cert)})
        assert "it needs a token" in without.stdout
        assert "secret" not in ended.stdout + ended.stderr
        unknown = run("status", f"https://127.0.0.1:{port}/sluice", *options)
        assert unknown.returncode == 1 and "certificate" in unknown.stdout
        none = run("status", f"https://127.0.0.1:{port}/sluice", env={"PATH": "/nowhere"})
        assert "curl is not installed" in none.stdout


def test_more_than_the_limit_is_no_answer(tmp_path):
    nginx = place(tmp_path / "nginx")
    lines, cert = certificate(nginx)
    (nginx / "status.json").write_bytes(b" " * (17 << 20))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(nginx, "return 404;", f"listen 127.0.0.1:{port} ssl; {lines} location = /status.json {{ root {nginx}; }}"):
        ended = run("status", f"https://127.0.0.1:{port}", env=os.environ | {"CURL_CA_BUNDLE": str(cert)})
        assert ended.returncode == 1 and "no answer" in ended.stdout, ended.stdout


def test_it_makes_a_page(house, tmp_path):
    page, pulls = tmp_path / "backups.html", tmp_path / "pu<b>lls"
    pulls.mkdir()
    kept(pulls, 3600)
    kept(pulls, 60, "-incomplete", name="other")
    ended = run("status", "--pulls", pulls, tmp_path / "none", "--page", page)
    assert ended.returncode == 1 and len(ended.stdout.splitlines()) == 3
    text = page.read_text()
    assert page.stat().st_mode & 0o777 == 0o644 and "<b>" not in text and "pu&lt;b&gt;lls: backup" in text
    assert text.index("pu&lt;b&gt;lls: other") < text.index("pu&lt;b&gt;lls: backup") and "2 failed" in text and "1 good" in text
    assert "<title>Backups: 2 of 3 need attention</title>" in text
    with serve(house) as server:
        backed_up(server)
        assert run("status", server.url, "--page", page).returncode == 0
    assert "<title>Backups: all 1 good</title>" in page.read_text() and os.listdir(tmp_path).count("backups.html.partial") == 0
    assert "--page" in run("status", "--pulls", pulls, "--page", "/nowhere/x.html").stderr


@pytest.mark.parametrize("address", ["https://", "https://127.0.0.1?x", "nonsense", "127.0.0.1", "http://127.0.0.1/a b"])
def test_an_address_that_is_none_is_refused(address):
    assert run("status", address).returncode == 64


def kept(directory, age, word="", name="backup", size=10):
    when = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(time.time() - age))
    (directory / f"{name}-{when}{word}.zip").write_bytes(b"x" * size)


def test_backups_that_are_kept_are_judged_by_their_names(tmp_path):
    pulls = tmp_path / "pulls"
    pulls.mkdir()

    def status(*options):
        ended = run("status", "--pulls", pulls, *options)
        assert ended.stderr == ""
        return ended.returncode, ended.stdout

    assert status()[0] == 1 and "no backup of sluice pull" in status()[1]
    for name in ("backup.zip", "backup-2026-11-28T031502Z.zip.part", "backup-2026-13-28T031502Z.zip", "-2026-11-28T031502Z.zip"):
        (pulls / name).touch()
    assert status()[0] == 1
    kept(pulls, 40 * 3600)
    assert status()[0] == 1 and "LATE" in status()[1]
    kept(pulls, 3600, size=2000)
    assert status() == (0, f"{pulls}: backup: last whole backup 1 h ago, 2.0 KiB; 2 kept\n")
    kept(pulls, 7200, "-incomplete")
    assert status()[0] == 0
    kept(pulls, 60, "-unverified")
    assert status()[0] == 3 and "a newer one is UNVERIFIED" in status()[1]
    (found,) = json.loads(status("--json")[1])
    assert (found["whole"], found["last"]["bytes"], found["newer"], found["problem"]) == (2, 2000, "unverified", None)
    # The machine's clock was ahead: such a backup is no news.
    kept(pulls, -10 * 365 * 86_400, name="ahead")
    assert "ahead: NO whole backup; 1 kept" in status()[1]
    kept(pulls, 40 * 3600, name="ahead")
    assert "ahead: last whole backup LATE, 40 h ago" in status()[1]
    for path in pulls.glob("ahead-*"):
        path.unlink()
    kept(pulls, 3600, "-incomplete", name="other")
    assert status()[0] == 1 and "other: NO whole backup; 0 kept; a newer one is INCOMPLETE" in status()[1]
    assert run("status", "--pulls", tmp_path / "nowhere").returncode == 1
