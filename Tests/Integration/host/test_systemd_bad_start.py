"""Under systemd: what cannot start says why in one line, and answers the client; it is not tried again by itself."""

import pytest

from archive import Archive
from harness import wait_until
from service import Service
from tokens import FIRST

TOKENS = "/etc/sluice-tokens"
JOURNAL = "systemd-journald.service"
ERROR = "3"  # syslog(3)


def assert_it_failed_once(sluice, words, status=1):
    sluice.wait_for("ActiveState", "failed")
    assert sluice.show("NRestarts") == "0"
    assert sluice.show("ExecMainCode") == "1", "CLD_EXITED: it was not killed"
    assert sluice.show("ExecMainStatus") == str(status)
    [line] = sluice.lines()
    for word in words:
        assert word in line
    shown = sluice.machine.systemctl("status", "--no-pager", "--full", sluice.unit, check=False)
    assert shown.count(line) == 1


def assert_it_is_tried_once_for_each_client(sluice, words, status=1):
    assert sluice.get("/api/backup").status == 503
    assert_it_failed_once(sluice, words, status)
    assert sluice.get("/api/backup").status == 503
    wait_until(lambda: len(sluice.lines()) >= 2, "a second line")
    sluice.wait_for("ActiveState", "failed")
    assert len(sluice.lines()) == sluice.starts() == 2
    assert sluice.machine.show("sluice.socket", "ActiveState") == "active"


@pytest.mark.parametrize(
    ("options", "tokens", "words"),
    [
        (("--token-file", TOKENS), {"content": FIRST, "mode": "0600"}, [TOKENS, "ermission"]),
        (("--token-file", TOKENS), {"content": ""}, [TOKENS]),
        (("--token-file", "/etc/nothing"), None, ["/etc/nothing", "No such file"]),
        (("--data", "/srv/nowhere"), None, ["/srv/nowhere"]),
    ],
    ids=["an unreadable token file", "an empty token file", "no token file", "no data directory"],
)
def test_one_that_cannot_start_starts_once_it_can(sluice, machine, house, on_machine, options, tokens, words):
    if tokens:
        machine.write(TOKENS, **tokens)
    directory = on_machine(house)
    sluice.settle(directory, *options)
    assert_it_is_tried_once_for_each_client(sluice, words)
    # Put right, it needs no more than to be asked.
    sluice.settle(directory)
    assert Archive(sluice.get("/api/backup").body).manifest["complete"]


def test_an_option_that_is_none(sluice, house, on_machine):
    sluice.settle(on_machine(house), "--drain-timeout", "soon")
    assert_it_is_tried_once_for_each_client(sluice, ["--drain-timeout", "soon"], status=64)


@pytest.mark.parametrize(
    ("socket", "words"),
    [
        ("ListenStream=0.0.0.0:8080", ["0.0.0.0:8080", "--token-file"]),
        ("ListenDatagram=/run/sluice/datagram.sock", ["ListenStream="]),
    ],
    ids=["for everybody", "for datagrams"],
)
def test_a_socket_that_cannot_be_served(sluice, house, on_machine, socket, words):
    sluice.settle(on_machine(house), socket=socket)
    assert_it_is_tried_once_for_each_client(sluice, words)


def test_its_line_is_its_own_however_late_the_journal_reads(sluice, machine, house, on_machine):
    """The journal looks up whose an entry is when it reads it, and by then the process may be gone."""
    sluice.settle(on_machine(house), "--token-file", "/etc/nothing")
    machine.systemctl("kill", "--signal=STOP", JOURNAL)
    try:
        assert sluice.get("/api/backup").status == 503
        sluice.wait_for("ActiveState", "failed")
    finally:
        machine.systemctl("kill", "--signal=CONT", JOURNAL)
    [entry] = sluice.said()
    assert "/etc/nothing" in entry["MESSAGE"]
    assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == (ERROR, "sluice")


def test_a_unit_without_its_socket_says_so(sluice, machine, house, on_machine):
    sluice.settle(on_machine(house))
    machine.systemctl("stop", "sluice.socket")
    # Requires= would bring the socket back: this is a unit that lacks it.
    unit = machine.systemctl("cat", "sluice.service")
    alone = "\n".join(line for line in unit.splitlines() if "%N.socket" not in line)
    machine.write("/run/systemd/system/sluice-alone.service", alone)
    machine.systemctl("daemon-reload")
    lone = Service(machine, "sluice-alone.service")
    machine.systemctl("start", lone.unit, check=False)
    assert_it_failed_once(lone, ["systemd passed no socket"])
