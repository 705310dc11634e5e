"""What the journal keeps of each backup: fields that a search finds, and lines that a person reads."""

import os

import pytest

import data as make
from client import BROKEN_OFF
from harness import serve
from tokens import FIRST

INFORMATION, NOTICE, WARNING = "6", "5", "4"  # syslog(3)
CLIENT = "203.0.113.7"


def of_backups(entries):
    """Those that belong to a backup, by its id."""
    backups = {}
    for entry in entries:
        if "SLUICE_BACKUP" in entry:
            backups.setdefault(entry["SLUICE_BACKUP"], []).append(entry)
    return backups


def test_a_backup_is_one_entry_with_its_figures(sluice, machine, house, on_machine):
    sluice.settle(on_machine(house))
    sizes = [len(sluice.get("/api/backup", X_Forwarded_For=CLIENT).body) for _ in range(2)]
    sluice.machine.systemctl("stop", sluice.unit)  # what it has to say, it has said
    backups = of_backups(machine.journal("-u", "sluice"))
    ends = [[entry for entry in entries if "SLUICE_BYTES" in entry] for entries in backups.values()]
    assert [[int(entry["SLUICE_BYTES"]) for entry in entries] for entries in ends[-2:]] == [[size] for size in sizes]
    for [entry] in ends[-2:]:
        assert entry["PRIORITY"] == INFORMATION
        assert 0 < int(entry["SLUICE_DURATION_US"]) < 60_000_000
        assert entry["SLUICE_CLIENT"].startswith(CLIENT)
        assert entry["SYSLOG_IDENTIFIER"] == "sluice"
        assert CLIENT in entry["MESSAGE"] and entry["SLUICE_BYTES"] in entry["MESSAGE"]


def test_what_was_skipped_has_its_name_and_reason(sluice, house, on_machine):
    make.ledger(house / "unsafe\nPRIORITY=0.db", make.ROLLBACK, accounts=10)
    (house / "link.db").symlink_to("events.db")
    sluice.settle(on_machine(house))
    assert "link.db" in sluice.get("/api/backup").headers["Sluice-Skipped"]
    sluice.machine.systemctl("stop", sluice.unit)
    [entries] = of_backups(sluice.said()).values()
    skipped = {entry["SLUICE_DATABASE"]: entry for entry in entries if "SLUICE_DATABASE" in entry}
    assert skipped["link.db"]["SLUICE_REASON"] == "symbolic-link"
    assert len(skipped) == 2
    for entry in skipped.values():
        assert entry["PRIORITY"] == WARNING and entry["SLUICE_REASON"]
        assert entry["SLUICE_DATABASE"] in entry["MESSAGE"]


@pytest.mark.parametrize(("end", "priority"), [("given up", WARNING), ("left by its client", NOTICE)])
def test_a_failure_says_why_in_one_entry(sluice, reservoir, on_machine, end, priority):
    options = ["--max-snapshot-age", "300ms", "--detach-budget", "0"] if end == "given up" else ["--resume-grace", "0s"]
    sluice.settle(on_machine(reservoir), *options)
    with sluice.connect() as client:
        response = client.begin("/api/backup?compression=store")
        size = int(response.headers["Content-Length"])
        response.read(1 << 20)
        if end == "given up":
            sluice.wait_for_line("backup failed")
            with pytest.raises(BROKEN_OFF):
                response.read()
    sluice.wait_for_line("backup failed")
    [[entry]] = of_backups(sluice.said()).values()
    assert entry["PRIORITY"] == priority
    assert ("snapshot-age" in entry["SLUICE_REASON"]) == (end == "given up")
    assert 0 < int(entry["SLUICE_BYTES"]) < size
    assert int(entry["SLUICE_DURATION_US"]) > 0


def test_only_a_near_peer_is_believed_for_whom_it_speaks(sluice, machine, house, on_machine):
    """From afar, X-Forwarded-For is whatever a client likes."""
    far = "192.0.2.1"
    machine.run("ip", "address", "replace", f"{far}/32", "dev", "lo")
    machine.write("/etc/sluice-tokens", FIRST + "\n")
    sluice.settle(on_machine(house), "--token-file", "/etc/sluice-tokens", socket="ListenStream=0.0.0.0:8080")
    for address in (far, "127.0.0.1"):
        machine.run(
            "curl", "-sSf", "-o", "/dev/null", "-H", f"Authorization: Bearer {FIRST}",
            "-H", f"X-Forwarded-For: {CLIENT}", "--interface", address, f"http://{address}:8080/api/backup",
        )  # fmt: skip
    sluice.machine.systemctl("stop", sluice.unit)
    from_afar, from_here = [entry["SLUICE_CLIENT"] for entry in sluice.said() if "SLUICE_BYTES" in entry]
    assert from_afar.startswith(far) and from_here.startswith(CLIENT)


@pytest.mark.parametrize("stream", [None, "1:2"])
def test_where_it_is_not_the_journal_that_reads_there_are_plain_lines(house, stream):
    """Not even when the journal reads another process's stream, whose environment it has."""
    with serve(house, env=os.environ | ({"JOURNAL_STREAM": stream} if stream else {})) as server:
        size = len(server.get("/api/backup").body)
        assert str(size) in server.wait_for_line("backup sent")
