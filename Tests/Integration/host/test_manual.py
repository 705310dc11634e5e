"""The manual pages: complete, and clean to the tools that read them."""

import json
import os
import re
import shutil
import subprocess

import pytest

from harness import ROOT, SLUICE, run


@pytest.fixture(scope="module")
def manual():
    return subprocess.run([ROOT / "deploy/man/generate", SLUICE], check=True, capture_output=True, text=True).stdout


def tool(name):
    if not shutil.which(name):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{name} is missing")
    return name


def test_man_and_mandoc_find_nothing_wrong(manual, tmp_path):
    (path := tmp_path / "sluice.1").write_text(manual)
    command = [tool("man"), "--warnings", "--local-file", "--troff-device=utf8", "--ditroff", path]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60).stderr == ""
    found = subprocess.run([tool("mandoc"), "-T", "lint", path], capture_output=True, text=True, timeout=60).stdout
    # It looks for other pages among those that are installed here.
    assert [line for line in found.splitlines() if "referenced manual not found" not in line] == []


def test_every_status_is_described(manual):
    [source] = ROOT.glob("Sources/HTTP1/**/Status.swift")
    codes = set(re.findall(r"= Status\((\d+), ", source.read_text()))
    section = manual.partition(".Ss Statuses")[2].partition(".Sh ")[0]
    described = {code for line in re.findall(r"(?m)^\.It (.*)", section) for code in line.split(" , ")}
    assert len(codes) > 15 and described == codes


@pytest.mark.parametrize("name", ["db", "compression", "strict", "resume"])
def test_every_query_parameter_is_described(manual, name):
    assert f".It Li {name}=" in manual


def test_every_command_and_option_is_described(manual):
    commands = json.loads(run("--experimental-dump-help").stdout)["command"]["subcommands"]
    commands = {command["commandName"]: command["arguments"] for command in commands if command["commandName"] != "help"}
    assert len(commands) == 11
    for name, arguments in commands.items():
        section = re.split(r"(?m)^\.S[hs] ", manual.partition(f"\n.Ss sluice {name}\n")[2])[0].replace("\\-", "-")
        options = {each["name"] for argument in arguments for each in argument.get("names", [])} - {"help", "version", "h"}
        described = {option.lstrip("-") for option in re.findall(r"(?:It|,) Fl ([a-z-]+)", section)}
        assert described == options, name
        assert section.count("\n.It Ar ") == sum(argument["kind"] == "positional" for argument in arguments), name


def test_every_setting_of_the_unit_that_pulls_is_described(manual):
    described = {name for line in re.findall(r"(?m)^\.It Ev (.*)$", manual) for name in re.findall(r"SLUICE_PULL_(\w+)", line)}
    source = (ROOT / "Sources/sluice/Pull/PullSettings.swift").read_text()
    read = set(re.findall(r'"([A-Z_]+)"', source.partition("let known = [")[2].partition("]")[0]))
    explained = set(re.findall(r"(?m)^#?SLUICE_PULL_(\w+)=", (ROOT / "deploy/pull/sluice-pull.env").read_text()))
    assert len(read) > 8 and read == described == explained | {"TOKEN_FILE"}
