"""Which requests need a token, and where tokens come from."""

import base64
import signal
import subprocess

import pytest

from archive import Archive
from client import Connection, exchange
from harness import run, serve
from tokens import FIRST, SECOND


@pytest.fixture
def tokens(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"{FIRST}\n{SECOND}\n")
    return file


@pytest.mark.parametrize("token", [FIRST, SECOND])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_any_of_the_tokens_opens_the_backup(house, tokens, scheme, token):
    with serve(house, "--token-file", tokens) as server, server.connect() as client:
        answer = client.answer("GET", "/api/backup", Authorization=f"{scheme} {token}")
        assert answer.status == 200
        Archive(answer.body)


@pytest.mark.parametrize(
    "credential",
    [FIRST, f"Basic {FIRST}", f"Bearer {FIRST[:-1]}", f"Bearer {FIRST}x", f"Bearer {FIRST} {SECOND}", "Bearer", "Bearer "],
)
def test_a_wrong_token_opens_nothing(house, tokens, credential):
    with serve(house, "--token-file", tokens) as server, server.connect() as client:
        answer = client.answer("GET", "/api/backup", Authorization=credential)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="sluice", error="invalid_token"'
        assert not any(token in server.log + answer.body.decode() for token in (FIRST, SECOND))


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("user", ["", "monitor", "a b"])
def test_a_token_is_the_password_of_any_user(house, tokens, user):
    with serve(house, "--token-file", tokens) as server:
        for scheme in ("Basic", "basic"):
            credential = basic(f"{user}:{SECOND}").replace("Basic", scheme)
            assert server.get("/api/backup", Authorization=credential).status == 200
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--anyauth", "-u", f"{user}:{FIRST}"]
        assert subprocess.check_output([*command, f"{server.url}/api/backup"]) == b"200"


@pytest.mark.parametrize(
    "credential",
    [
        basic(FIRST), basic(f"{FIRST}:"), basic(f"x:{FIRST}x"), basic(f"x:{FIRST[:-1]}"), basic(f"x:y:{FIRST}"), basic(":"),
        basic(f"x:{FIRST}").rstrip("=") + "!", basic(f"x:{FIRST}") + " x", "Basic", "Basic =", "Digest " + basic(f"x:{FIRST}")[6:],
    ],
)  # fmt: skip
def test_a_wrong_password_opens_nothing_and_both_schemes_are_offered(house, tokens, credential):
    with serve(house, "--token-file", tokens) as server:
        answer = server.get("/api/backup", Authorization=credential)
        assert answer.status == 401
        assert answer.headers.get_all("WWW-Authenticate") == [
            'Bearer realm="sluice", error="invalid_token"', 'Basic realm="sluice", charset="UTF-8"',
        ]  # fmt: skip
        assert FIRST not in server.log + answer.body.decode()


HOSTS_OF_THIS_MACHINE = ["localhost", "LocalHost", "localhost:{port}", "localhost:", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:9", "[0:0:0:0:0:0:0:1]"]
OTHER_HOSTS = ["rebound.example", "rebound.example:{port}", "localhost.example", "xlocalhost", "128.0.0.1", "10.0.0.1", "127.0.0.1.example",
               "[::2]", "[::]", "[::ffff:127.0.0.1]", "unix", "unix:1", "a.localhost", "localhost.", "127.1"]  # fmt: skip


def statuses(server, host, target="/api/backup"):
    """Of a request by `Host`, and of one with the whole URI as its target."""
    host = host.format(port=server.ports[0])
    for line in (target, f"http://{host}{target}"):
        request = f"GET {line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        yield int(exchange(("127.0.0.1", server.ports[0]), request).split()[1])


def test_without_a_token_only_a_host_of_this_machine_is_answered_over_tcp(house, tmp_path):
    with serve(house, listen=["127.0.0.1:0", f"unix:{tmp_path}/s"]) as server:
        for host in HOSTS_OF_THIS_MACHINE:
            assert {*statuses(server, host, "/healthz")} == {200}, host
        for host in OTHER_HOSTS:
            for target in ("/api/backup", "/healthz", "/metrics", "/"):
                assert {*statuses(server, host, target)} == {421}, host
        metrics = server.get("/metrics").body.decode()
        assert f'rejected_total{{reason="misdirected"}} {2 * len(OTHER_HOSTS)}\n' in metrics
        # No web page gets to a Unix socket, and no browser leaves Host out.
        with Connection(f"{tmp_path}/s") as client:
            assert client.answer("GET", "/healthz", Host="rebound.example").status == 200
        assert b" 200 " in exchange(("127.0.0.1", server.ports[0]), b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 421 " in exchange(("127.0.0.1", server.ports[0]), b"GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n")


def test_a_host_can_be_allowed_and_a_token_allows_all(house, tokens):
    with serve(house, "--allow-host", "Backup.example", "--allow-host", "[fd00::1]") as server:
        for host in ("backup.example", "BACKUP.example:8080", "[fd00::1]:{port}", "localhost"):
            assert {*statuses(server, host)} == {200}, host
        assert {*statuses(server, "other.example")} == {421}
    with serve(house, "--token-file", tokens) as server:
        assert {*statuses(server, "rebound.example")} == {401}
        assert {*statuses(server, "rebound.example", "/healthz")} == {200}


@pytest.mark.parametrize("host", ["", "a b", "http://a", "a:80", "[::1", "[::1]:80", "a/b", "é"])
def test_what_is_no_host_cannot_be_allowed(house, host):
    ended = run("serve", "--data", house, f"--allow-host={host}", timeout=60)
    assert ended.returncode == 64 and "--allow-host" in ended.stderr


def test_a_token_stands_nowhere(house, tokens):
    with serve(house, "--token-file", tokens) as server, server.connect() as client:
        answers = [
            client.answer("GET", "/api/backup", Authorization=f"Bearer {FIRST}"),
            client.answer("GET", f"/api/backup?token={FIRST}", Authorization=f"Bearer {FIRST}"),
            client.answer("GET", "/api/backup?db=none.db", Authorization=f"Bearer {FIRST}"),
            client.answer("GET", "/metrics", Authorization=f"Bearer {FIRST}"),
            client.answer("GET", "/healthz", Authorization=f"Bearer {FIRST}"),
        ]
        server.wait_for_line("backup")
        assert [answer.status for answer in answers] == [200, 400, 404, 200, 200]
        assert FIRST not in server.log + "".join(answer.body.decode("latin-1") + str(answer.headers) for answer in answers)


@pytest.mark.parametrize(
    ("status", "line", "field"),
    [
        (400, "GET /api/backup HTTP/1.1", f"Authorization : Bearer {FIRST}"), (417, "GET /api/backup HTTP/1.1", f"Expect: {FIRST}"),
        (431, "GET /api/backup HTTP/1.1", f"Authorization: Bearer {FIRST * 500}"), (505, f"GET /{FIRST} HTTP/9.9", "X: y"),
        (501, f"{FIRST} / HTTP/1.1", "X: y"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_not_repeated(house, tokens, status, line, field):
    with serve(house, "--token-file", tokens) as server:
        answer = exchange(("127.0.0.1", server.ports[0]), f"{line}\r\nHost: a\r\n{field}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert FIRST not in answer.decode() + server.log


def test_a_token_where_an_address_belongs_is_not_logged_nor_one_of_a_file_that_is_none(house, tokens):
    with serve(house, "--token-file", tokens) as server:
        assert server.get("/api/backup", X_Forwarded_For=SECOND, Authorization=f"Bearer {FIRST}").status == 200
        server.wait_for_line("backup sent .*client=127.0.0.1:")
        tokens.write_text(f"{FIRST}\n{SECOND[:5]}\n")
        server.signal(signal.SIGHUP)
        server.wait_for_line("tokens not read again")
        assert not any(secret in server.log for secret in (FIRST, SECOND, SECOND[:5]))


def test_without_a_token_there_is_the_health_and_a_challenge(house, tokens):
    with serve(house, "--token-file", tokens) as server:
        answer = server.get("/api/backup")
        assert answer.status == 401 and answer.headers["WWW-Authenticate"] == 'Bearer realm="sluice"'
        assert server.get("/healthz").status == 200


def test_the_credential_that_systemd_passes_is_the_token_file(house, tmp_path, tokens):
    (tmp_path / "token").write_text(SECOND)
    with serve(house, prefix=["env", f"CREDENTIALS_DIRECTORY={tmp_path}"]) as server, server.connect() as client:
        assert client.answer("GET", "/api/backup").status == 401
        assert client.answer("GET", "/api/backup", Authorization=f"Bearer {SECOND}").status == 200


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "short\n", "with space " * 4, "x" * 20_000, "\n".join(["t" * 20] * 17)],
    ids=["empty", "no line", "short", "space", "long", "many"],
)
def test_a_token_file_that_is_none_is_refused_in_one_line_that_tells_nothing_of_it(house, tmp_path, content):
    (tmp_path / "tokens").write_text(content)
    ended = run("serve", "--data", house, "--token-file", tmp_path / "tokens", "--listen", "127.0.0.1:0", timeout=60)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "token" in line and "short\n" not in line and "with space" not in line


def test_a_token_or_a_word_of_consent_is_needed_to_be_reached_from_other_machines(house, tokens):
    ended = run("serve", "--data", house, "--listen", "0.0.0.0:0", timeout=60)
    assert ended.returncode == 1 and "--token-file" in ended.stderr
    for flags in (["--token-file", tokens], ["--allow-unauthenticated"]):
        with serve(house, *flags, listen=["0.0.0.0:0", "127.0.0.1:0"]) as server:
            assert server.get("/healthz").status == 200
