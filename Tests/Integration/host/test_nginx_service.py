"""Behind nginx as Debian starts it, with nothing but its defaults and with the configuration that we recommend."""

import http.client
import time

import pytest

from archive import Archive
from client import BROKEN_OFF, Connection
from harness import wait_until
from measure import wait_until_still
from nginx import DEFAULTS, OURS, PORT
from tokens import FIRST

GIBIBYTE = 1 << 30


class Front:
    """nginx, and sluice behind it."""

    def __init__(self, sluice):
        self.sluice, self.machine = sluice, sluice.machine

    def settle(self, data, *options):
        self.sluice.settle(data, *options, socket="SocketGroup=www-data")

    def connect(self, **options):
        connection = Connection(None)
        connection.sock = self.machine.connect(PORT, **options)
        return connection

    def get(self, target, method="GET", **headers):
        with self.connect() as connection:
            return connection.answer(method, target, **headers)

    def running_backups(self):
        return self.sluice.get("/healthz").json()["running_backups"]


@pytest.fixture(params=[DEFAULTS, OURS], ids=["defaults", "ours"])
def front(request, machine, sluice):
    machine.path("/etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    machine.write("/etc/nginx/conf.d/sluice.conf", request.param)
    machine.run("mkdir", "-p", "/var/log/nginx", "/var/lib/nginx")
    machine.systemctl("start", "nginx.service")
    yield Front(sluice)
    machine.systemctl("stop", "nginx.service")


def test_the_first_request_starts_the_service_and_gets_the_whole_archive(front, house, on_machine):
    front.settle(on_machine(house))
    for compression in ("default", "store"):
        answer = front.get(f"/api/backup?compression={compression}")
        assert answer.status == 200
        assert Archive(answer.body).manifest["complete"]


def test_head_and_errors_pass_as_they_are(front, house, on_machine):
    front.settle(on_machine(house))
    answer = front.get("/api/backup?compression=store", method="HEAD")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/zip" and answer.body == b""
    assert int(answer.headers["Content-Length"]) > 1 << 20
    answer = front.get("/api/backup?db=nothing.db")
    assert answer.status == 404 and answer.problem()
    assert front.get("/nowhere").status == 404
    assert front.get("/status.json").json()["status"] == "ok"


def test_the_token_is_passed_on(front, machine, house, on_machine):
    machine.write("/etc/sluice-tokens", FIRST + "\n")
    front.settle(on_machine(house), "--token-file", "/etc/sluice-tokens")
    answer = front.get("/api/backup")
    assert answer.status == 401 and answer.headers["WWW-Authenticate"] == 'Bearer realm="sluice"'
    assert front.get("/api/backup", Authorization=f"Bearer {FIRST}").status == 200


def test_the_log_names_the_client_that_nginx_saw(front, house, on_machine, request):
    front.settle(on_machine(house))
    assert front.get("/api/backup", X_Forwarded_For="203.0.113.7").status == 200
    front.sluice.machine.systemctl("stop", front.sluice.unit)
    [client] = [entry["SLUICE_CLIENT"] for entry in front.sluice.said() if "SLUICE_BYTES" in entry]
    # By its defaults, nginx says nothing of its own and passes on what the client does.
    assert client.startswith("127.0.0.1" if "ours" in request.node.callspec.id else "203.0.113.7")


def test_a_slow_client_sets_the_pace_for_us_too(front, reservoir, on_machine):
    front.settle(on_machine(reservoir))
    with front.connect(receive_buffer=4096) as client:
        response = client.begin("/api/backup?compression=store")
        content = response.read(1000)
        wait_until_still(front.sluice)
        assert front.running_backups() == 1, "it was all taken at once"
        content += response.read()
    assert len(content) == int(response.headers["Content-Length"])
    assert Archive(content).manifest["complete"]


def test_a_download_past_a_gibibyte_is_whole(front, house, on_machine):
    """nginx would store no more than that of an answer, if it stored any."""
    (house / "floor_plan/large.bin").touch()
    directory = on_machine(house)
    with (front.machine.on_host(directory) / "floor_plan/large.bin").open("wb") as large:
        large.truncate(GIBIBYTE + 100)
    front.settle(directory)
    with front.connect() as client:
        response, size, end = client.begin("/api/backup?compression=store"), 0, b""
        while block := response.read(1 << 20):
            size += len(block)
            end = (end + block)[-22:]
    assert size == int(response.headers["Content-Length"]) > GIBIBYTE
    assert end.startswith(b"PK\5\6"), "APPNOTE 4.3.16: the end of central directory record"


@pytest.mark.measures
def test_a_client_that_leaves_is_noticed_within_a_second(front, reservoir, on_machine, figure):
    front.settle(on_machine(reservoir), "--resume-grace", "0s")
    with front.connect(receive_buffer=4096) as client:
        client.begin("/api/backup?compression=store").read(1000)
        assert front.running_backups() == 1
    left = time.monotonic()
    wait_until(lambda: front.running_backups() == 0, "the end of the backup")
    took = time.monotonic() - left
    figure("client leaves nginx, backup ends", f"{took * 1000:.0f} ms")
    assert took <= 1
    assert any("backup failed" in line for line in front.sluice.lines())


@pytest.mark.parametrize("compression", ["store", "default"])
@pytest.mark.parametrize("end", ["given up", "killed"])
def test_an_archive_that_breaks_off_is_broken_off_for_the_client(front, reservoir, on_machine, end, compression):
    options = ["--max-snapshot-age", "300ms", "--detach-budget", "0"] if end == "given up" else []
    front.settle(on_machine(reservoir), *options)
    with front.connect(receive_buffer=4096) as client:
        response = client.begin(f"/api/backup?compression={compression}")
        response.read(1000)
        if end == "killed":
            front.sluice.signal("KILL")
        else:
            front.sluice.wait_for_line("backup failed")
        with pytest.raises(BROKEN_OFF):
            response.read()


def through_http_1_0(front, target, host=b"localhost"):
    with front.machine.connect(PORT) as sock:
        sock.sendall(b"GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" % (target, host))
        response = http.client.HTTPResponse(sock)
        response.begin()
        yield response


@pytest.mark.parametrize("query", [b"", b"?compression=fast", b"?compression=store", b"?db=events.db"])
def test_a_client_of_http_1_0_has_a_length_to_go_by(front, house, on_machine, query):
    front.settle(on_machine(house))
    for response in through_http_1_0(front, b"/api/backup" + query):
        content = response.read()
        assert response.status == 200 and int(response.headers["Content-Length"]) == len(content)
        assert Archive(content).manifest["complete"]


def test_a_client_of_http_1_0_sees_a_broken_archive(front, reservoir, on_machine):
    front.settle(on_machine(reservoir), "--max-snapshot-age", "300ms", "--detach-budget", "0")
    for response in through_http_1_0(front, b"/api/backup"):
        response.read(1000)
        front.sluice.wait_for_line("backup failed")
        with pytest.raises(BROKEN_OFF):
            response.read()


@pytest.mark.parametrize("front", [OURS], ids=["ours"], indirect=True)
def test_our_nginx_answers_to_its_own_name_only(front, house, on_machine):
    front.settle(on_machine(house))
    for host in ("localhost:8081", "127.0.0.1"):
        assert front.get("/healthz", Host=host).status == 200
    for host in ("rebound.example", "rebound.example:8081", "sluice"):
        assert front.get("/api/backup", Host=host).status == 421
