"""The help of every command: readable in a terminal of any usual width, with examples that can be copied."""

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
from functools import cache

import pytest

import helptexts
from harness import SLUICE, serve
from restoring import backup, small

COMMANDS = ["sluice", "serve", "backup", "list", "verify", "restore", "keep", "drill", "pull", "health", "status", "setup"]
WIDTHS = [60, 80, 120]
INDENT = 26  # of what an option means: swift-argument-parser


@cache
def on_terminal(command, columns):
    """The lines that a terminal of so many columns shows."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    arguments = [] if command == "sluice" else [command]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen([SLUICE, *arguments, "--help"], stdout=terminal, env=environment) as process:
        os.close(terminal)
        shown = b""
        try:
            while piece := os.read(main, 65536):
                shown += piece
        except OSError:  # EIO: the process has ended
            pass
        os.close(main)
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n").splitlines()


def broken_early(lines, columns):
    """The lines of paragraphs and of options' meanings whose next word would have had room."""
    for line, following in zip(lines, lines[1:]):
        indent = INDENT if line.startswith(" " * INDENT) else 0
        of_one_text = following.startswith(" " * indent) and following[indent:] and following[indent] != " "
        if of_one_text and line and line[indent] != " " and not re.fullmatch("[A-Z ]+:?", line):
            word = following.split()[0]
            # A line has one column less than the terminal: the space behind its last word counts.
            if len(line) + 1 + len(word) < columns:
                yield line


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_wrapped_once_at_the_width_of_the_terminal(command, columns):
    lines = on_terminal(command, columns)
    assert lines[0].startswith("OVERVIEW: ") and "OPTIONS:" in lines
    assert [line for line in lines if len(line) > columns] == []
    assert list(broken_early(lines, columns)) == []


def test_a_text_that_is_wrapped_twice_is_seen():
    assert list(broken_early(["one two", "three four five", "", "x"], 20)) == ["one two"]
    assert list(broken_early(["one two three four", "five", "", "x"], 20)) == []


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_is_one_piece_on_every_terminal(command, columns):
    shown = "\n".join(on_terminal(command, columns))
    text = helptexts.discussions()[command]
    assert "EXAMPLES\n" in text and "EXIT STATUS\n" in text
    assert "EXAMPLES\n" + text.partition("EXAMPLES\n")[2] in shown


def test_the_actor_has_a_name():
    vague = re.compile(r"\b(who|whoever|nobody|somebody|anew|let go|lets go|wanted)\b", re.IGNORECASE)
    for command in COMMANDS:
        assert [line for line in on_terminal(command, 120) if vague.search(line)] == [], command


# The examples, as a reader copies them.

EXAMPLES = [(name, example) for name, text in helptexts.discussions().items() for example in helptexts.examples(text)]


def test_every_command_has_two_examples():
    assert {*COMMANDS} == {*helptexts.discussions()} - {"help"}
    for command in COMMANDS:
        assert len([name for name, _ in EXAMPLES if name == command]) >= 2, command


def test_a_download_in_an_example_fails_with_the_server_s_error():
    downloads = [example for _, example in EXAMPLES if "curl " in example]
    assert downloads and all(re.search(r"curl -f", example) for example in downloads)


@pytest.fixture
def reader(tmp_path):
    """Runs an example where the application, the server and the other machine are those of the test."""
    (bin := tmp_path / "bin").mkdir()
    (bin / "sluice").symlink_to(SLUICE)
    (bin / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (bin / "ssh").write_text('#!/bin/sh\nshift\nexec sh -c "$1"\n')
    (bin / "jq").write_text("#!/bin/sh\nexec cat\n")
    for name in ("sudo", "ssh", "jq"):
        (bin / name).chmod(0o755)
    app = small(tmp_path / "app", "new")
    (app / "attachments").mkdir()
    shutil.copy(next(app.glob("*.db")), app / "events.db")
    shutil.copytree(app, other := tmp_path / "other")
    (here := tmp_path / "here").mkdir()
    (here / "token").write_text("0123456789abcdef\n")
    (kept := tmp_path / "backups").mkdir()
    backup(app, here / "app.zip")
    shutil.copy(here / "app.zip", here / "app.new")
    for name in ("backup", "app-backup"):
        shutil.copy(here / "app.zip", kept / f"{name}-2026-11-28T031502Z.zip")
    socket = tmp_path / "sluice.sock"
    with serve(app, listen=("127.0.0.1:0", f"unix:{socket}")) as server:

        # One that has been asked for a backup already.
        assert server.get("/api/backup").status == 200

        def do(example):
            places = {
                "/var/lib/app": str(app), "/srv/other": str(other), "/srv/backups": str(kept),
                "unix:/run/sluice/app.sock": f"unix:{socket}", "unix:/run/app.sock": f"unix:{tmp_path}/new.sock",
            }  # fmt: skip
            if "/srv/restic" in example:
                example = example.replace("/srv/restic", str(tmp_path / "restic"))
                example = f"export RESTIC_PASSWORD=secret\nrestic -q -r {tmp_path}/restic init\n{example}"
            # A server needs a port of its own; every other command needs the server's.
            port = 0 if example.startswith("sluice serve") else server.ports[0]
            for shown, real in places.items():
                example = example.replace(shown, real)
            example = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", example)
            if example.startswith("sluice serve") and "--listen" not in example:
                example += " --listen 127.0.0.1:0"
            if example == "sluice status --pulls":
                example += f" {kept} --max-age 80000h"
            # The settings of a pull are the machine's: test_systemd_pull.py has one.
            example = example.replace("sluice drill app", f"sluice drill --from {kept}")
            if example in ("sluice health", "sluice status"):
                example += f" 127.0.0.1:{port}"
            if "sluice setup" in example and "--dry-run" not in example:
                # Without systemd and root.
                example = example.replace(" --enable", "") + " --dry-run"
            environment = os.environ | {"PATH": f"{bin}:{os.environ['PATH']}"}
            return subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", example], cwd=here, env=environment,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip

        yield do


@pytest.mark.parametrize(("command", "example"), EXAMPLES, ids=[f"{name}-{example.split()[1]}" for name, example in EXAMPLES])
def test_the_examples_run(command, example, reader):
    with reader(example) as process:
        if example.startswith("sluice serve"):
            assert "serves backups of" in process.stdout.readline()
            os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
