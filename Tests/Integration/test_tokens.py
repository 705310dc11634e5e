"""Who may ask."""

import signal

import pytest

from archive import Archive
from client import exchange
from harness import run, serve

FIRST, SECOND = "first-" + "a" * 32, "second-" + "b" * 32


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
    ended = run("serve", "--data", house, "--token-file", tmp_path / "tokens", "--listen", "127.0.0.1:0", timeout=10)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "token" in line and "short\n" not in line and "with space" not in line


def test_a_token_or_a_word_of_consent_is_needed_to_be_reached_from_other_machines(house, tokens):
    ended = run("serve", "--data", house, "--listen", "0.0.0.0:0", timeout=10)
    assert ended.returncode == 1 and "--token-file" in ended.stderr
    for flags in (["--token-file", tokens], ["--allow-unauthenticated"]):
        with serve(house, *flags, listen=["0.0.0.0:0", "127.0.0.1:0"]) as server:
            assert server.get("/healthz").status == 200
