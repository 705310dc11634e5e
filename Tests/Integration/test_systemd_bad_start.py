"""Under systemd: what cannot start says why in one line, to the administrator and to who asked, and is not tried in vain."""

import pytest

from archive import Archive
from harness import wait_until
from service import Service
from test_tokens import FIRST

TOKENS = "/etc/sluice-tokens"


def assert_it_failed_once(sluice, words):
    sluice.wait_for("ActiveState", "failed")
    assert sluice.show("NRestarts") == "0"
    assert sluice.show("ExecMainCode") == "1", "CLD_EXITED: it was not killed"
    assert sluice.show("ExecMainStatus") == "1"
    [line] = sluice.lines()
    for word in words:
        assert word in line
    status = sluice.machine.systemctl("status", "--no-pager", "--full", sluice.unit, check=False)
    assert status.count(line) == 1


UNREADABLE = ("--token-file", TOKENS), ("0600", FIRST), [TOKENS, "ermission"]
EMPTY = ("--token-file", TOKENS), ("0644", ""), [TOKENS]
MISSING = ("--token-file", TOKENS), None, [TOKENS, "No such file"]
NO_DATA = ("--data", "/srv/nowhere"), None, ["/srv/nowhere"]


@pytest.mark.parametrize(
    ("options", "tokens", "words"),
    [UNREADABLE, EMPTY, MISSING, NO_DATA],
    ids=["an unreadable token file", "an empty token file", "no token file", "no data directory"],
)
def test_one_that_cannot_start_says_why_and_starts_once_it_can(
    sluice, machine, house, on_machine, options, tokens, words
):
    if tokens:
        machine.write(TOKENS, tokens[1], mode=tokens[0])
    else:
        machine.path(TOKENS).unlink(missing_ok=True)
    directory = on_machine(house)
    sluice.settle(directory, *options)
    answer = sluice.get("/api/backup")
    assert answer.status == 503
    assert_it_failed_once(sluice, words)
    # Asked again, it is tried again, and not otherwise.
    assert sluice.get("/api/backup").status == 503
    wait_until(lambda: len(sluice.lines()) == 2, "a second line")
    assert machine.show("sluice.socket", "ActiveState") == "active"
    # Put right, it needs no more than to be asked.
    sluice.settle(directory)
    assert Archive(sluice.get("/api/backup").body).manifest["complete"]


def test_a_unit_without_its_socket_says_so(sluice, machine, house, on_machine):
    sluice.settle(on_machine(house))
    machine.systemctl("stop", "sluice.socket")
    # Requires= would bring the socket back: this is a unit of which somebody left that out.
    unit = machine.systemctl("cat", "sluice.service")
    alone = "\n".join(line for line in unit.splitlines() if "sluice.socket" not in line)
    machine.write("/run/systemd/system/sluice-alone.service", alone)
    machine.systemctl("daemon-reload")
    lone = Service(machine, "sluice-alone.service")
    machine.systemctl("start", lone.unit, check=False)
    assert_it_failed_once(lone, ["systemd passed no socket"])


def test_a_wrong_option_is_no_reason_to_try_again(sluice, house, on_machine):
    sluice.settle(on_machine(house), "--drain-timeout", "soon")
    sluice.machine.systemctl("start", "sluice.service", check=False)
    sluice.wait_for("ActiveState", "failed")
    assert sluice.show("ExecMainStatus") == "64" and sluice.show("NRestarts") == "0"
