"""`make run`: what it shows can be copied, and nothing of the demo is left."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import ROOT, SLUICE, Server, run


@contextmanager
def demo(*options, **environment):
    """A running demo, until the block ends."""
    command = [ROOT / "deploy/demo", SLUICE, *map(str, options)]
    server = Server(command, env=os.environ | environment, start_new_session=True)
    try:
        yield server
        server.signal()
        assert server.wait() == 0, server.log
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.kill()


def fetch(server, directory):
    """Runs the command that it shows, and verifies what comes."""
    command = server.wait_for_line("^fetch a backup").partition(":  ")[2]
    result = subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, f"{command}\n{result.stderr}"
    result = run("verify", directory / "app.new")
    assert result.returncode == 0, result.stdout
    return result.stdout


def open_in(directory):
    """What processes have open in a directory."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # closed meanwhile, or of another user
            found.add(os.readlink(link))
    return {path for path in found if path.startswith(str(directory))}


def test_the_first_backup_is_whole_and_there_is_nothing_to_warn_of(tmp_path):
    with demo("--listen", "127.0.0.1:0") as server:
        for _ in range(2):
            assert "telemetry.db" in fetch(server, tmp_path)
        server.wait_for_line("backup sent")
        directory = Path(re.search(r"backups of (\S+) on", server.log)[1])
        assert open_in(directory)
    assert "warning" not in server.log and "error" not in server.log.lower(), server.log
    assert not directory.exists() and not open_in(directory)


def test_other_data_are_served_and_left(house, tmp_path):
    socket = tmp_path / "sluice.sock"
    with demo("--listen", f"unix:{socket}", DATA=str(house)) as server:
        assert "events.db" in fetch(server, tmp_path)
    assert (house / "events.db").exists()
