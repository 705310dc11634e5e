"""The units as systemd itself judges them."""

import re

import pytest

from harness import ROOT, run

UNITS = ["sluice.service", "sluice.socket", "sluice@one.service", "sluice@one.socket", "sluice-pull.service"]
EXPOSURE = 15  # of 100; systemd-analyze(1)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong_with_a_unit(installed, unit):
    ended = installed.run("systemd-analyze", "verify", unit)
    # Of a setting that it does not know, it only warns.
    assert (ended.stdout, ended.stderr) == ("", "")


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service")])
def test_a_service_has_little_that_it_does_not_need(installed, unit):
    ended = installed.run(
        "systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE}", unit, check=False
    )
    assert ended.returncode == 0, ended.stdout


def test_the_settings_explain_every_option():
    explained = (ROOT / "deploy/sluice.env").read_text()
    options = re.findall(r"(?<!\S)--[a-z-]+", run("serve", "--help").stdout.partition("OPTIONS:")[2])
    assert len(options) > 15
    for option in {*options} - {"--data", "--help", "--version"}:
        assert re.search(rf"^#   {option}\b", explained, re.MULTILINE), option
