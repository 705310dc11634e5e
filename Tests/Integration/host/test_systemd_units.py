"""The units as systemd itself judges them."""

import re

import pytest

from harness import ROOT, run

UNITS = ["sluice.service", "sluice.socket", "sluice@one.service", "sluice@one.socket", "sluice-pull.service",
         "sluice-pull@one.service", "sluice-pull@one.timer", "sluice-pull-failed@one.service"]
EXPOSURE = 15  # of 100; systemd-analyze(1)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong_with_a_unit(installed, unit):
    if "failed" in unit:  # it runs a program of the administrator's
        installed.write("/etc/sluice/pull-failed", "#!/bin/sh\n", mode="0755")
    ended = installed.run("systemd-analyze", "verify", unit)
    # Of a setting that it does not know, it only warns.
    assert (ended.stdout, ended.stderr) == ("", "")


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service") and "failed" not in unit])
def test_a_service_has_little_that_it_does_not_need(installed, unit):
    ended = installed.run(
        "systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE}", unit, check=False
    )
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(("unit", "socket"), [("sluice", "sluice"), ("sluice@one", "one")])
def test_each_unit_has_a_socket_settings_and_a_state_of_its_own(installed, unit, socket):
    def shown(name, properties):
        return installed.run("systemctl", "show", name, f"--property={properties}").stdout.splitlines()

    assert f"Listen=/run/sluice/{socket}.sock (Stream)" in shown(f"{unit}.socket", "Listen")
    lines = shown(f"{unit}.service", "Requires,EnvironmentFiles,StateDirectory")
    [requires] = [line for line in lines if line.startswith("Requires=")]
    assert f"{unit}.socket" in requires.replace("=", " ").split()
    assert {f"EnvironmentFiles=/etc/default/{unit} (ignore_errors=yes)", f"StateDirectory={unit}"} <= {*lines}
    try:
        installed.systemctl("enable", f"{unit}.service")
        assert installed.systemctl("is-enabled", f"{unit}.socket") == "enabled\n"
    finally:
        installed.systemctl("disable", f"{unit}.socket")


def test_an_instance_that_pulls_has_settings_and_backups_of_its_own_and_starts_at_its_own_time(installed):
    shown = installed.run("systemctl", "show", "sluice-pull@one.service", "--property=EnvironmentFiles,StateDirectory,OnFailure").stdout
    assert "EnvironmentFiles=/etc/sluice/pull.d/one (ignore_errors=no)\n" in shown and "StateDirectory=sluice-pull@one\n" in shown
    assert "OnFailure=sluice-pull-failed@sluice-pull@one.service\n" in shown
    shown = installed.run("systemctl", "show", "sluice-pull@one.timer", "--property=RandomizedDelayUSec,FixedRandomDelay").stdout
    assert sorted(shown.split()) == ["FixedRandomDelay=yes", "RandomizedDelayUSec=3h"]
    shown = installed.run("systemctl", "show", "sluice-pull.service", "sluice@one.service", "--property=EnvironmentFiles").stdout
    assert "=/etc/default/sluice-pull " in shown and "=/etc/default/sluice@one " in shown


def test_the_settings_explain_every_option():
    explained = (ROOT / "deploy/sluice.env").read_text()
    options = re.findall(r"(?<!\S)--[a-z-]+", run("serve", "--help").stdout.partition("OPTIONS:")[2])
    assert len(options) > 15
    for option in {*options} - {"--data", "--help", "--version"}:
        assert re.search(rf"^#   {option}\b", explained, re.MULTILINE), option
