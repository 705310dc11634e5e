"""The documents: links lead somewhere, options and reasons are the program's, and examples do what they show.

A block marked `sh` is run, a block marked `console` is run and its output compared; any other block is not run.
"""

import json
import os
import re
import shlex
import subprocess

import pytest

import data as make
from harness import ROOT, SLUICE, run, serve
from restoring import backup

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "deploy/README.md", ROOT / "findings/README.md",
     *ROOT.glob("Sources/*.md"), *ROOT.glob("Tests/**/README.md")]
)  # fmt: skip
HANDBOOK = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def prose(page):
    """A page without its blocks of code."""
    return BLOCK.sub("", page.read_text())


def anchors(page):
    """What a heading is called in a link, as GitHub makes it."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.add(re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-"))
    return found


def dead_links(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or anchor and anchor not in anchors(file):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    assert list(dead_links(page)) == []


def test_a_dead_link_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# `Two` words, here\n[a](#two-words-here) [b](#three) [c](page.md#two-words-here) [d](gone.md)\n")
    assert list(dead_links(page)) == ["#three", "gone.md"]


def test_the_index_has_every_page():
    index = (ROOT / "docs/README.md").read_text()
    for page in ROOT.glob("docs/*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, f"{page.name} is not in docs/README.md"


def test_files_that_are_named_exist():
    known = {path.name for path in ROOT.glob("Tests/**/test_*.py")}
    for page in PAGES:
        named = set(re.findall(r"\btest_\w+\.py\b", page.read_text()))
        assert named - known - {"test_X.py"} == set(), page
        paths = re.findall(r"`((?:Sources|Tests|deploy|docs|findings)/[\w./-]+)`", page.read_text())
        assert [path for path in paths if not (ROOT / path).exists()] == [], page


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_actor_has_a_name():
    """Not "who" or "nobody": the client, the writer, the administrator."""
    vague = re.compile(r"\b(who|whoever|nobody|somebody|anew|let go|wanted)\b", re.IGNORECASE)
    for page in [*HANDBOOK, *ROOT.glob("docs/decisions/*.md"), ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]:
        found = [line for line in page.read_text().splitlines() if vague.search(line)]
        assert found == [], page


# What the program has, by its own words and its sources.


@pytest.fixture(scope="module")
def commands():
    """The options of each command: whether they take a value."""
    top = json.loads(run("--experimental-dump-help").stdout)["command"]
    return {
        each["commandName"]: {
            ("-" if name["kind"] == "short" else "--") + name["name"]: argument["kind"] != "flag"
            for argument in each.get("arguments", [])
            for name in argument.get("names", [])
        }
        for each in top["subcommands"]
    }


def calls(text):
    """The arguments of each `sluice COMMAND …` in a text."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.findall(r"(?:^|[\s`'(/])sluice ([a-z][^`|;&#)]*)", line):
            try:
                words = shlex.split(part)
            except ValueError:  # a quote that ends elsewhere
                words = part.replace("'", " ").replace('"', " ").split()
            yield words


def unknown_options(text, commands):
    for words in calls(text):
        if words and words[0] in commands:
            for word in words[1:]:
                name = word.partition("=")[0]
                if re.fullmatch(r"--?[a-z][a-z-]*", name) and name not in commands[words[0]] | {"--help": 0, "-h": 0}:
                    yield f"{words[0]} {name}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_options_are_those_of_the_command(page, commands):
    assert list(unknown_options(page.read_text(), commands)) == []


def test_an_option_that_does_not_exist_is_seen(commands):
    text = "`sluice keep --last 3 --centennial 2`\n```sh\nsluice verify app.zip --force && mv a b\n```\n"
    assert list(unknown_options(text, commands)) == ["keep --centennial", "verify --force"]


def test_every_option_is_explained(commands):
    page = (ROOT / "docs/configuration.md").read_text()
    for command, options in commands.items():
        for option in options:
            if command != "help" and option.startswith("--") and option not in ("--help", "--version"):
                assert f"`{option}" in page, f"{option} of sluice {command} is not in docs/configuration.md"


def test_every_status_is_explained():
    (source,) = ROOT.glob("Sources/**/Status.swift")
    codes = set(re.findall(r"= Status\((\d{3}),", source.read_text()))
    assert len(codes) > 15
    page = (ROOT / "docs/http-api.md").read_text()
    assert {code for code in codes if f"| {code} " not in page} == set()


def test_every_reason_is_explained():
    page = (ROOT / "docs/troubleshooting.md").read_text()
    reasons = set()
    for name in ("SkipReason", "SQLiteError"):
        (source,) = ROOT.glob(f"Sources/**/{name}.swift")
        body = re.search(r"enum (?:SkipReason|Reason): String.*?\{(.*?)\n  ?\}|\Z", source.read_text(), re.DOTALL)[1]
        cases = re.findall(r'^\s*case (\w+)(?: = "([^"]+)")?$', body, re.MULTILINE)
        assert len(cases) > 8, name
        reasons |= {raw or case for case, raw in cases}
    (source,) = ROOT.glob("Sources/**/BackupError.swift")
    reasons |= set(re.findall(r'case \.\w+: "([a-z-]+)"$', source.read_text(), re.MULTILINE))
    assert {"locked", "no-database", "low-space"} <= reasons
    # A backup that was called off has no manifest to stand in.
    assert {reason for reason in reasons - {"cancelled"} if f"`{reason}`" not in page} == set()


def test_every_metric_is_explained(house):
    with serve(house) as server:
        families = set(re.findall(r"^# TYPE (\w+) ", server.get("/metrics").body.decode(), re.MULTILINE))
    for file in ("Pull/PullTextfile.swift", "Restore/DrillPlace.swift"):
        families |= set(re.findall(r'name: "(sluice_\w+)"', (ROOT / "Sources/sluice" / file).read_text()))
    page = (ROOT / "docs/monitoring.md").read_text()
    assert len(families) > 20
    assert {name for name in families if not re.search(rf"`{name}[`{{]", page)} == set()
    assert {name for name in re.findall(r"\bsluice_\w+", page) if name not in families} == set()


def test_the_alerts_that_are_named_are_those_that_are_shipped():
    named = re.findall(r"`(Sluice\w+)`", (ROOT / "docs/monitoring.md").read_text())
    shipped = re.findall(r"- alert: (\w+)", (ROOT / "deploy/prometheus/sluice.yml").read_text())
    assert sorted(named) == sorted(shipped)


def messages(page):
    """What stands as code in each column that is headed `message`."""
    column = None
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)] if line.startswith("|") else []
        if not cells:
            column = None
        elif column is None:
            column = next((index for index, cell in enumerate(cells) if cell.startswith("message")), len(cells))
        elif column < len(cells):
            yield from re.findall(r"`([^`]+)`", cells[column])


def test_messages_are_the_program_s():
    text = " ".join("".join(path.read_text() for path in ROOT.glob("Sources/**/*.swift")).split())
    text = re.sub(r'" ?\+ "', "", text).replace('\\"', '"')
    quoted = list(messages(ROOT / "docs/troubleshooting.md"))
    assert len(quoted) > 50
    for message in quoted:
        # An ellipsis stands for a name, a number or an end that says what to do.
        for part in message.split("…"):
            part = part.strip(" .,;:()'")
            assert part in text, message


# The examples.


def blocks(page):
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text()) if kind in ("sh", "console")]


@pytest.fixture
def reader(tmp_path):
    """Runs an example as a reader of the demo does, with `sluice` in PATH and the last good backup here."""
    (bin := tmp_path / "bin").mkdir()
    (bin / "sluice").symlink_to(SLUICE)
    # The other machine is this one.
    (bin / "ssh").write_text('#!/bin/sh\nshift\nexec sh -c "$1"\n')
    (bin / "ssh").chmod(0o755)
    app = tmp_path / "app"
    app.mkdir()
    for name, mode in (("settings.db", make.ROLLBACK), ("telemetry.db", make.WAL)):
        connection = make.create(app / name, mode)
        connection.execute("CREATE TABLE event (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO event (text) VALUES (?)", [("x" * 400,)] * 20)
        connection.close()
    (app / "floor_plan").mkdir()
    (app / "floor_plan/ground.svg").write_text("<svg/>\n")
    (here := tmp_path / "here").mkdir()
    (kept := tmp_path / "backups").mkdir()
    backup(app, here / "app.zip")
    backup(app, kept / "backup-2026-11-28T031502Z.zip")
    socket = tmp_path / "sluice.sock"
    environment = os.environ | {"PATH": f"{bin}:{os.environ['PATH']}", "LC_ALL": "C"}
    with serve(app, listen=("127.0.0.1:0", f"unix:{socket}")) as server:
        places = {
            "/var/lib/app": str(app),
            "/srv/backups": str(kept),
            "/run/sluice/sluice.sock": str(socket),
            "127.0.0.1:8080": f"127.0.0.1:{server.ports[0]}",
        }

        def do(command):
            for shown, real in places.items():
                command = command.replace(shown, real)
            result = subprocess.run(
                ["sh", "-eu", "-c", command], cwd=here, env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=60,
            )  # fmt: skip
            output = result.stdout
            for shown, real in places.items():
                output = output.replace(real, shown)
            return result.returncode, output

        yield do


def masked(text):
    """A text without what differs from run to run: numbers, digests, dates, the width of columns."""
    text = re.sub(r"sha-256=:[^:]*:", "sha-256=:#:", text)
    text = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d+ \w+", "DATE", text)
    text = re.sub(r"\b[0-9a-f]{8,}\b", "#", text)
    text = re.sub(r"\d+(\.\d+)?(e-\d+)?", "#", text)
    return [" ".join(line.split()) for line in text.replace("-" * 5, "").splitlines() if line.strip(" -\r")]


@pytest.mark.parametrize("page", [page for page in HANDBOOK if blocks(page)], ids=lambda page: page.name)
def test_the_examples_run_and_show_what_comes(page, reader):
    for kind, text in blocks(page):
        if kind == "sh":
            status, output = reader(text)
            assert status == 0, f"{text}\n{output}"
            continue
        for example in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, shown = re.sub(r"\\\n> ", " ", example).partition("\n")
            _, output = reader(command)
            assert masked(output) == masked(shown), f"{command}\n{output}"


def test_only_numbers_may_differ():
    assert masked("a.db, 12 bytes: ok") == masked("a.db, 7 bytes: ok") != masked("a.db, 7 bytes: DAMAGED")
