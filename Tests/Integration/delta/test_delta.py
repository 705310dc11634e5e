"""`A-IM: vcdiff`: what turns the archive that a client has into the one that it would get. RFC 3229, RFC 3284."""

import signal
import sqlite3
import subprocess

import pytest

import data as make
from archive import Archive
from deltas import STORED, Client, change, has_history, histories, kept
from harness import serve, wait_until
from nginx import sluice_behind
from tokens import FIRST


@pytest.fixture
def state(tmp_path):
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


@pytest.fixture
def data(tmp_path):
    """A database of some MiB, and a file."""
    directory = tmp_path / "data"
    directory.mkdir()
    make.bulk(directory / "main.db", make.WAL, 6)
    (directory / "a.db").write_bytes(b"")
    return directory


@pytest.fixture
def server(data, state):
    with serve(data, "--state-directory", state) as server:
        yield server


@pytest.mark.parametrize("manipulations", ["vcdiff", "vcdiff, gzip", "gzip;q=1.0, VCDIFF;q=0.3"])
def test_a_delta_makes_the_next_archive(server, data, state, tmp_path, manipulations):
    client = Client(server, tmp_path / "client", manipulations=manipulations)
    assert client.fetch() == 200
    first = client.archive
    kept(state, 1)
    change(data)
    answer = client.ask(TE="trailers")
    assert answer.status == 226
    assert answer.headers["ETag"] != client.tag
    assert answer.headers["IM"] == ("vcdiff, gzip" if "gzip" in manipulations else "vcdiff")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Vary"] == "A-IM"
    assert "no-store" in answer.headers["Cache-Control"]
    assert len(answer.body) < len(first) / 10
    assert answer.headers["Trailer"] == "Repr-Digest, Content-Digest"
    assert answer.headers["Repr-Digest"] and answer.headers["Content-Digest"]
    client.take(answer)
    archive = Archive(client.archive)
    assert archive.manifest["complete"]
    assert all(offset % 4096 == 0 for offset in archive.data_offsets)
    with archive.database("main.db") as made, sqlite3.connect(data / "main.db") as real:
        assert list(made.iterdump()) == list(real.iterdump())


def client_of(server, tmp_path, state, data, **options):
    """One that has an archive, of a time before something was changed."""
    client = Client(server, tmp_path / "client", **options)
    before = len(histories(state))
    assert client.fetch() == 200
    kept(state, before + 1)
    change(data)
    return client


@pytest.mark.parametrize(
    "target, fields",
    [
        (STORED, {"A_IM": ""}),
        (STORED, {"A_IM": "gzip"}),
        (STORED, {"A_IM": "vcdiff;q=0, gzip"}),
        (STORED, {"A_IM": "vcdiff;q=0.2, identity"}),
        (STORED, {"If_None_Match": '"%s"' % "-".join(["0" * 32] * 2)}),
        (STORED, {"If_None_Match": '"../../state.json"'}),
        (STORED, {"Via": "1.0 old"}),
        ("/api/backup", {}),
        ("/api/backup?compression=fast", {}),
        (STORED + "&db=main.db", {}),
    ],
)
def test_every_other_request_gets_the_archive(server, data, state, tmp_path, target, fields):
    client = client_of(server, tmp_path, state, data)
    client.target = target
    answer = client.ask(**fields)
    assert answer.status == 200
    assert not {"IM", "Delta-Base"} & set(answer.headers)
    assert (answer.headers["Vary"] == "A-IM") == ("store" in target or "Via" in fields)
    assert Archive(answer.body).manifest["complete"]


def test_a_weak_tag_names_no_bytes(server, data, state, tmp_path):
    client = client_of(server, tmp_path, state, data)
    assert client.ask(If_None_Match=f"W/{client.tag}").status == 200


@pytest.mark.parametrize("options", [[], ["--delta-history", "0"]])
def test_nothing_is_kept_without_a_place_or_where_it_is_switched_off(data, state, tmp_path, options):
    (state / "delta").mkdir()
    (state / "delta" / "left").touch()
    with serve(data, *options, *(["--state-directory", state] if options else [])) as server:
        client = Client(server, tmp_path / "client")
        assert client.fetch() == 200
        change(data)
        assert client.fetch() == 200
    assert not options or not (state / "delta").exists()


def test_an_unchanged_archive_is_neither_sent_nor_made(server, data, state, tmp_path):
    client = Client(server, tmp_path / "client")

    def unchanged():
        return client.fetch() == 304

    wait_until(unchanged, "the state to last")
    assert client.fetch() == 304
    assert len(kept(state, len(histories(state)))) <= 2


def test_the_head_is_that_of_the_delta(server, data, state, tmp_path):
    client = client_of(server, tmp_path, state, data)
    head = client.ask("HEAD")
    assert (head.status, head.body) == (226, b"")
    assert (head.headers["IM"], head.headers["Delta-Base"]) == ("vcdiff, gzip", client.tag)
    assert len(histories(state)) == 1
    assert client.fetch() == 226


def test_of_several_the_newest_that_is_known_is_the_base(server, data, state, tmp_path):
    clients = [client_of(server, tmp_path, state, data) for _ in range(2)]
    tags = ['"unknown"', clients[0].tag, f"W/{clients[0].tag}", clients[1].tag]
    for known in (tags, tags[::-1]):
        answer = clients[1].ask(If_None_Match=", ".join(known))
        assert (answer.status, answer.headers["Delta-Base"]) == (226, clients[1].tag)


def test_two_are_kept_of_each_request(server, data, state, tmp_path):
    clients = [client_of(server, tmp_path, state, data) for _ in range(2)]
    selecting = Client(server, tmp_path / "selecting", STORED + "&db=main.db")
    assert selecting.fetch() == 200
    kept(state, 3)
    third = Client(server, tmp_path / "third")
    third.fetch()
    wait_until(lambda: not has_history(state, clients[0]), "the oldest to be dropped")
    # Once: each answer's archive is kept in its turn.
    assert clients[0].ask().status == 200
    assert kept(state, 3)
    change(data)
    assert third.fetch() == 226
    assert selecting.fetch() == 226
    assert set(Archive(selecting.archive).names) == {"main.db", "VERSION", "MANIFEST.json"}


def test_the_archive_is_sent_where_most_of_it_has_changed(server, data, state, tmp_path):
    client = client_of(server, tmp_path, state, data)
    change(data, rows=10_000)
    make.bulk(data / "b.db", make.WAL, 40)
    assert client.fetch() == 200
    kept(state, 2)
    change(data)
    assert client.fetch() == 226


def test_a_history_outlives_the_process_and_is_private(data, state, tmp_path):
    client = None
    for _ in range(3):
        with serve(data, "--state-directory", state) as server:
            client = client or Client(server, tmp_path / "client")
            client.server = server
            client.fetch()
            kept(state, 1 if client.archive is None else len(histories(state)))
            change(data)
            assert client.fetch() == 226
            wait_until(lambda: has_history(state, client), "the history")
            server.signal(signal.SIGKILL)
            server.wait()
        change(data)
    for path in histories(state):
        assert path.stat().st_mode & 0o077 == 0
        # No content: what is in the databases' first pages is in none.
        assert b"SQLite format" not in path.read_bytes() and b"record" not in path.read_bytes()
    assert (state / "delta").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("manipulations", ["vcdiff", "vcdiff, gzip"])
def test_a_delta_that_broke_off_goes_on(data, state, tmp_path, manipulations):
    make.bulk(data / "noise.db", make.WAL, 24)
    with serve(data, "--state-directory", state) as server:
        client = client_of(server, tmp_path, state, data, manipulations=manipulations)
        # Much is new, and most is not.
        make.bulk(data / "new.db", make.WAL, 10)
        fields = {"A_IM": manipulations, "If_None_Match": client.tag}
        with server.connect(receive_buffer=4096) as connection:
            response = connection.begin(STORED, **fields)
            assert response.status == 226
            content = response.read(1_000_000)
        tag = response.headers["ETag"]
        assert len(histories(state)) == 2 and histories(state)[-1].suffix == ".partial"
        change(data)
        # A client that does not say that it has the beginning of a delta is sent no part of one.
        for other in ({}, {"A_IM": manipulations}, {"If_None_Match": client.tag}, {"A_IM": "vcdiff;q=0", "If_None_Match": client.tag}):
            answer = server.get(STORED, Range=f"bytes={len(content)}-", If_Match=tag, **other)
            assert answer.status == 412
        other = "vcdiff" if "gzip" in manipulations else "vcdiff, gzip"
        assert server.get(STORED, Range="bytes=1-", If_Match=tag, A_IM=other, If_None_Match=client.tag).status == 412
        with server.connect(receive_buffer=4096) as connection:
            response = connection.begin(STORED, Range=f"bytes={len(content)}-", If_Range=tag, **fields)
            assert (response.status, response.headers["ETag"]) == (206, tag)
            assert (response.headers["IM"], response.headers["Delta-Base"]) == (manipulations, client.tag)
            content += response.read(700_000)
        # From its first byte: it is made again.
        answer = client.ask(Range=f"bytes={len(content) // 2}-", If_Range=tag, TE="trailers")
        assert answer.status == 206 and "Content-Digest" not in answer.headers
        answer.body = content[: len(content) // 2] + answer.body
        answer.status = 226
        client.take(answer)
        assert Archive(client.archive).manifest["complete"]
        wait_until(lambda: has_history(state, client), "the history")
        assert client.fetch() == 226


def test_a_named_delta_goes_on(data, state, tmp_path):
    with serve(data, "--state-directory", state) as server:
        client = client_of(server, tmp_path, state, data)
        make.bulk(data / "new.db", make.WAL, 3)
        client.target = STORED + "&resume=night"
        fields = {"A_IM": "vcdiff, gzip", "If_None_Match": client.tag}
        with server.connect(receive_buffer=4096) as connection:
            response = connection.begin(client.target, **fields)
            content = response.read(100_000)
        assert response.status == 226
        answer = client.ask(Range=f"bytes={len(content)}-")
        assert (answer.status, answer.headers["ETag"]) == (206, response.headers["ETag"])
        answer.body, answer.status = content + answer.body, 226
        client.take(answer)
        assert Archive(client.archive).manifest["complete"]


def test_a_client_that_left_has_nothing_to_build_on(data, state, tmp_path):
    make.bulk(data / "noise.db", make.WAL, 24)
    with serve(data, "--state-directory", state, "--resume-grace", "0s") as server:
        with server.connect(receive_buffer=4096) as connection:
            response = connection.begin(STORED)
            response.read(1000)
            assert [path.suffix for path in histories(state)] == [".partial"]
        wait_until(lambda: histories(state) == [], "the history to be dropped")
        change(data)
        assert Client(server, tmp_path / "client").ask(A_IM="vcdiff", If_None_Match=response.headers["ETag"]).status == 200


def test_what_was_skipped_is_named_and_a_token_is_asked_for(data, state, tmp_path):
    (tmp_path / "token").write_text(FIRST)
    (tmp_path / "token").chmod(0o600)
    (data / "odd.db").symlink_to("/nowhere")
    (data / "broken.db").mkdir()
    with serve(data, "--state-directory", state, "--token-file", tmp_path / "token", "--include", "missing") as server:
        client = Client(server, tmp_path / "client")
        assert client.ask(A_IM="vcdiff", If_None_Match='"x"').status == 401
        assert client.fetch(Authorization=f"Bearer {FIRST}") == 200
        kept(state, 1)
        change(data)
        answer = client.ask(Authorization=f"Bearer {FIRST}")
        assert answer.status == 226 and "missing" in answer.headers["Sluice-Skipped"]
        client.take(answer)
        assert "missing" in Archive(client.archive).skipped
        client.target = STORED + "&strict=1"
        assert client.ask(Authorization=f"Bearer {FIRST}").status == 503


@pytest.mark.parametrize("nginx", ["1.1"], indirect=True)
def test_it_passes_through_nginx(nginx, data, state, tmp_path):
    with sluice_behind(nginx, data, "--state-directory", state) as server:
        (nginx / "back.sock").chmod(0o666)
        client = Client(server, tmp_path / "client", address=nginx / "front.sock")
        assert client.fetch() == 200
        kept(state, 1)
        change(data)
        answer = client.ask()
        assert answer.status == 226
        assert {"IM", "Delta-Base", "ETag", "Vary"} <= set(answer.headers)
        client.take(answer)
        assert Archive(client.archive).manifest["complete"]


@pytest.mark.parametrize("drops", [False, True], ids=["as it is", "without A-IM"])
def test_it_passes_through_haproxy(server, data, state, tmp_path, drops):
    """And where a proxy drops the field that asks for it, the archive comes."""
    front = tmp_path / "front.sock"
    rule = "http-request del-header A-IM" if drops else ""
    (tmp_path / "haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen backup
    bind {front} mode 666
    {rule}
    server sluice 127.0.0.1:{server.ports[0]}
""")
    haproxy = subprocess.Popen(["haproxy", "-db", "-q", "-f", tmp_path / "haproxy.cfg"])
    try:
        wait_until(lambda: front.exists() or haproxy.poll() is not None, "its socket")
        client = Client(server, tmp_path / "client", address=front)
        assert client.fetch() == 200
        kept(state, 1)
        change(data)
        answer = client.ask()
        assert answer.status == (200 if drops else 226)
        assert drops or all(answer.headers[name] for name in ("IM", "Delta-Base", "ETag", "Vary"))
        client.take(answer)
        assert Archive(client.archive).manifest["complete"]
    finally:
        haproxy.terminate()
        haproxy.wait()


def test_a_full_state_directory_keeps_no_backup_from_being_made(data, tmp_path):
    """The folder's place is taken by a file."""
    state = tmp_path / "taken"
    state.mkdir()
    (state / "delta").touch()
    with serve(data, "--state-directory", state) as server:
        server.wait_for_line("every backup is sent whole")
        assert Client(server, tmp_path / "client").fetch() == 200


def test_what_the_budget_has_no_room_for_is_said(data, state, tmp_path):
    with serve(data, "--state-directory", state, "--delta-budget", "1") as server:
        client = Client(server, tmp_path / "client")
        assert client.fetch() == 200
        assert "--delta-budget" in server.wait_for_line("the next backup is sent whole")
        change(data)
        assert client.fetch() == 200
        assert histories(state) == []
