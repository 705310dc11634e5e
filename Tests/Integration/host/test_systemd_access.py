"""Under systemd: as whom it runs, and whom it answers."""

import json

import pytest

import writers
from archive import Archive
from service import APPLICATION
from tokens import FIRST, SECOND

STRANGER = "stranger"
TOKENS = "/etc/sluice-tokens"


@pytest.fixture(scope="module", autouse=True)
def stranger(machine):
    machine.run("useradd", "--system", STRANGER)


def owners(machine, directory):
    return set(machine.run("find", directory, "-printf", "%u:%g\n").stdout.split())


@pytest.mark.parametrize("used", [True, False])
def test_the_applications_own_user_gets_everything_and_leaves_nothing_of_anybody_elses(
    sluice, machine, house, on_machine, used
):
    directory = on_machine(house)
    machine.run("chmod", "-R", "o=", directory)
    sluice.settle(directory)
    if used:
        with writers.running("idle", machine.on_host(directory) / "events.db"):
            archive = Archive(sluice.get("/api/backup").body)
    else:
        archive = Archive(sluice.get("/api/backup").body)
    assert archive.manifest["complete"] and "events.db" in archive.names
    assert owners(machine, directory) == {f"{APPLICATION}:{APPLICATION}"}


def test_a_dynamic_user_in_the_applications_group_gets_everything(sluice, machine, house, on_machine):
    directory = on_machine(house)
    machine.run("chmod", "-R", "g=u,o=", directory)
    sluice.settle(directory, user=None, service=f"SupplementaryGroups={APPLICATION}")
    assert Archive(sluice.get("/api/backup").body).manifest["complete"]
    user = machine.run("stat", "--format=%u", f"/proc/{sluice.pid}").stdout
    assert 61184 <= int(user) <= 65519, "systemd.exec(5), DynamicUser="


def test_a_stranger_is_told_of_each_database_that_it_may_not_read(sluice, machine, house, on_machine):
    directory = on_machine(house)
    machine.run("sh", "-c", f"chmod o= {directory}/*.db")
    sluice.settle(directory, user=STRANGER)
    answer = sluice.get("/api/backup")
    assert answer.status == 200
    archive = Archive(answer.body)
    databases = {path.name for path in house.glob("*.db")}
    assert archive.skipped.keys() == databases
    assert {skipped["reason"] for skipped in archive.skipped.values()} == {"permission"}
    for name in databases:
        assert f"{name.replace(' ', '%20')};reason=permission" in answer.headers["Sluice-Skipped"]
        assert any(name in line and "permission" in line for line in sluice.lines()), name
    assert sluice.get("/api/backup?strict=1").status == 503


def test_a_stranger_to_the_whole_directory_gets_no_zip(sluice, machine, house, on_machine):
    directory = on_machine(house)
    machine.run("chmod", "o=", directory)
    sluice.settle(directory, user=STRANGER)
    assert sluice.get("/api/backup").status == 503
    sluice.wait_for("ActiveState", "failed")
    [line] = sluice.lines()
    assert directory in line and "ermission" in line


@pytest.mark.parametrize("way", ["credential", "file"])
def test_either_of_two_tokens_opens_and_nothing_else(sluice, machine, house, on_machine, way):
    directory = on_machine(house)
    if way == "credential":  # of a file that root may read, and the service's user may not
        machine.write(TOKENS, f"{FIRST}\n{SECOND}\n", mode="0600")
        sluice.settle(directory, service=f"LoadCredential=token:{TOKENS}")
    else:
        machine.write(TOKENS, f"{FIRST}\n{SECOND}\n", owner=APPLICATION, mode="0600")
        sluice.settle(directory, "--token-file", TOKENS)
    for token in (FIRST, SECOND):
        answer = sluice.get("/api/backup", Authorization=f"Bearer {token}")
        assert answer.status == 200 and Archive(answer.body).manifest["complete"]
    for headers in ({}, {"Authorization": f"Bearer {FIRST[:-1]}x"}):
        answer = sluice.get("/api/backup", **headers)
        assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert sluice.get("/healthz").status == 200
    assert not any(token in line for line in sluice.lines() for token in (FIRST, SECOND))


def test_a_reload_changes_the_tokens_and_harms_no_download(sluice, machine, reservoir, on_machine):
    machine.write(TOKENS, FIRST + "\n")
    sluice.settle(on_machine(reservoir), "--token-file", TOKENS)
    with sluice.connect() as slow:
        response = slow.begin("/api/backup?compression=store", Authorization=f"Bearer {FIRST}")
        content, pid = response.read(1000), sluice.pid
        machine.write(TOKENS, SECOND + "\n")
        # Type=notify: it is back when `systemctl is-active` says so; until then it is `reloading`.
        machine.systemctl("reload", "sluice.service")
        sluice.wait_for_line("reload")
        assert sluice.get("/api/backup", Authorization=f"Bearer {FIRST}").status == 401
        assert sluice.get("/api/backup", Authorization=f"Bearer {SECOND}").status == 200
        assert Archive(content + response.read()).manifest["complete"]
    assert sluice.pid == pid and sluice.show("ActiveState") == "active"


def test_a_reload_that_cannot_be_leaves_the_tokens_as_they_were(sluice, machine, house, on_machine):
    machine.write(TOKENS, FIRST + "\n")
    sluice.settle(on_machine(house), "--token-file", TOKENS)
    assert sluice.get("/healthz").status == 200
    pid = sluice.pid
    machine.write(TOKENS, "")
    machine.systemctl("reload", "sluice.service", check=False)
    sluice.wait_for_line(TOKENS)
    assert sluice.get("/api/backup").status == 401
    assert sluice.get("/api/backup", Authorization=f"Bearer {FIRST}").status == 200
    assert sluice.pid == pid and sluice.show("ActiveState") == "active"


def test_tcp_and_unix_sockets_are_served_side_by_side(sluice, machine, house, on_machine):
    sluice.settle(on_machine(house), socket="ListenStream=127.0.0.1:8080\nListenStream=[::1]:8080")
    for address in ("127.0.0.1", "[::1]"):
        output = machine.run("curl", "-sSf", f"http://{address}:8080/healthz").stdout
        assert json.loads(output)["status"] == "ok"
    assert sluice.get("/healthz").status == 200
    assert sluice.starts() == 1


def test_beyond_this_machine_it_is_served_with_a_token(sluice, machine, house, on_machine):
    machine.write(TOKENS, FIRST + "\n")
    sluice.settle(on_machine(house), "--token-file", TOKENS, socket="ListenStream=0.0.0.0:8080")
    status = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8080/api/backup"]
    assert machine.run(*status).stdout == "401"
    assert machine.run(*status, "-H", f"Authorization: Bearer {FIRST}").stdout == "200"
