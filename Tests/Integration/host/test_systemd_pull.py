"""`sluice-pull.service` under systemd: in its sandbox the command has all that it needs, and nothing is kept on doubt."""

import json
import random
import re
from datetime import datetime, timedelta, timezone

import pytest

import data as make
from archive import Archive
from deltas import change
from harness import ROOT, wait_until
from pulling import old_backup
from restoring import SLOW, rows
from service import APPLICATION, SOCKET_PATH
from tokens import FIRST, SECOND

UNIT = "sluice-pull.service"
# Of a dynamic user.
KEPT = "/var/lib/private/sluice-pull"
SETTINGS = {"URL": "http://localhost/api/backup", "CURL": "--unix-socket /run/sluice/sluice.sock", "DELTA": "yes", "PAUSE": "0"}


class PullUnit:
    def __init__(self, machine, unit=UNIT, settings="/etc/default/sluice-pull", kept=KEPT):
        self.machine, self.unit, self.settings, self.kept = machine, unit, settings, kept
        self.cursor = machine.run("journalctl", "--lines=0", "--show-cursor").stdout.split("cursor: ")[1].strip()

    def set(self, **settings):
        lines = [f"SLUICE_PULL_{name}={value}\n" for name, value in (SETTINGS | settings).items()]
        self.machine.write(self.settings, "".join(lines))

    def drop_in(self, *lines):
        self.machine.write(f"/etc/systemd/system/{self.unit}.d/test.conf", "[Service]\n" + "\n".join(lines) + "\n")
        self.machine.systemctl("daemon-reload")

    def run(self):
        """Its exit status."""
        self.machine.systemctl("start", self.unit, check=False)
        return int(self.machine.show(self.unit, "ExecMainStatus"))

    def lines(self):
        entries = self.machine.journal(f"--after-cursor={self.cursor}")
        return [entry["MESSAGE"] for entry in entries if entry.get("_SYSTEMD_UNIT") == self.unit]

    def names(self):
        return sorted(path.name for path in self.machine.path(self.kept).glob("backup-*"))


@pytest.fixture
def pull(installed):
    pull = PullUnit(installed)
    yield pull
    installed.systemctl("reset-failed", UNIT, check=False)
    installed.run("rm", "-rf", KEPT, "/var/lib/sluice-pull", "/etc/default/sluice-pull", f"/etc/systemd/system/{UNIT}.d")


def test_the_second_night_fetches_what_changed(sluice, pull, tmp_path, on_machine):
    (data := tmp_path / "data").mkdir()
    make.bulk(data / "main.db", make.WAL, 6)
    directory = on_machine(data)
    sluice.settle(directory, socket=f"SocketGroup={APPLICATION}")
    (metrics := tmp_path / "metrics").mkdir()
    metrics = on_machine(metrics)
    sluice.machine.run("chmod", "0770", metrics)
    pull.set(TEXTFILE=f"{metrics}/backup.prom")
    pull.drop_in(f"SupplementaryGroups={APPLICATION}", f"ReadWritePaths={metrics}")
    assert pull.run() == 0, pull.lines()
    change(sluice.machine.on_host(directory))
    assert pull.run() == 0, pull.lines()
    first, second = pull.lines()
    assert first.endswith(" bytes, whole") and "whole; " in second and second.endswith(" MB") and " transferred instead of " in second
    for name in pull.names():
        Archive(pull.machine.path(f"{KEPT}/{name}"))
    assert 'sluice_pull_last_exit_status{series="backup"} 0\n' in sluice.machine.on_host(f"{metrics}/backup.prom").read_text()


def test_one_that_fails_is_a_unit_that_failed_and_names_the_setting(pull):
    pull.set(KEEP="14 nights")
    assert pull.run() == 64
    assert pull.machine.show(UNIT, "Result") == "exit-code"
    assert pull.lines() == ["sluice: SLUICE_PULL_KEEP is '14 nights': give a number from 1 to 999999, or options of sluice keep"]


@pytest.mark.parametrize("how", ["a wrong setting", "killed"])
def test_a_program_of_the_administrator_s_is_told_of_a_failure(pull, how):
    machine = pull.machine
    told = machine.shared / "told"
    told.unlink(missing_ok=True)
    machine.write("/etc/sluice/pull-failed", '#!/bin/sh\necho "$1 $MONITOR_EXIT_STATUS" >>/srv/told\n', mode="0755")
    pull.set(KEEP="14 nights" if how == "a wrong setting" else "14", URL="http://localhost/")
    if how == "killed":
        pull.set(TEXTFILE="/var/lib/sluice-pull/app.prom")
        pull.drop_in("ExecStart=", "ExecStart=/bin/sleep 600")
        process = machine.start("systemctl", "start", UNIT)
        machine.wait_for_property(UNIT, "ActiveState", "activating")
        machine.systemctl("kill", "--signal=KILL", UNIT)
        process.wait()
    else:
        pull.run()
    wait_until(lambda: told.exists() and told.read_text().endswith("\n"), "what it was told")
    assert told.read_text() == f"sluice-pull.service {'KILL' if how == 'killed' else 64}\n"
    if how == "killed":
        assert "last_exit_status" in machine.path(f"{KEPT}/app.prom").read_text() and "signal, killed, KILL" in pull.lines()[-1]
    machine.run("rm", "/etc/sluice/pull-failed")


@pytest.fixture
def instance(installed):
    yield PullUnit(installed, "sluice-pull@app.service", "/etc/sluice/pull.d/app", "/var/lib/private/sluice-pull@app")
    installed.run("sluice", "setup", "--pull", "app", "--remove")
    installed.run("rm", "-rf", "/var/lib/private/sluice-pull@app", "/var/lib/sluice-pull@app", "/etc/systemd/system/sluice-pull@app.service.d")
    installed.systemctl("daemon-reload")


def test_an_instance_on_the_application_s_own_host_needs_no_drop_in_by_hand(sluice, instance, house, on_machine):
    machine = instance.machine
    before = set(machine.run("find", "/etc", "-name", "*sluice-pull@*").stdout.splitlines())
    machine.write("/etc/credstore/sluice.token", f"{FIRST}\n", mode="0600")
    try:
        sluice.settle(on_machine(house), socket=f"SocketGroup={APPLICATION}")
        command = ["sluice", "setup", "--pull", "app", "--unix-socket", SOCKET_PATH, "--token-file", "/etc/credstore/sluice.token",
                   "--url", f"http://app:{SECOND}@localhost/api/backup",
                   "--keep", "3", "--drill", "30d", "--notify", f"https://127.0.0.1:1/{SECOND}", "--enable"]  # fmt: skip
        said = machine.run(*command).stdout
        assert "(unchanged)" not in said
        again = machine.run(*command).stdout
        assert again.count("(unchanged)") == 3 and "daemon-reload" not in again
        assert machine.systemctl("is-enabled", "sluice-pull@app.timer") == "enabled\n"
        assert machine.run("stat", "--format=%a %U", "/etc/sluice/pull.d", instance.settings, "/etc/credstore/sluice-pull@app.token").stdout == (
            "700 root\n600 root\n600 root\n"
        )
        shown = machine.run("sluice", "setup", "--pull", "app", "--show").stdout
        assert 'SLUICE_PULL_KEEP="3"' in shown and f"SupplementaryGroups={APPLICATION}" in shown
        assert instance.run() == 0, instance.lines()
        [archive] = machine.path(instance.kept).glob("app-*")
        assert Archive(archive).manifest["complete"]
        assert any("https://127.0.0.1:1 was not told of the success" in line for line in instance.lines())
        assert any("restored and sound" in line for line in instance.lines())
        status = machine.run("sluice", "status", "--pulls").stdout
        assert re.fullmatch(r".*/sluice-pull@app: app: last whole backup .* ago, .*; 1 kept \(last 1 of 3\); last drill .* ago passed\n", status)
        # A drill of root's leaves a record that the unit can read.
        assert "compared with the drill of" in machine.run("sluice", "drill", "app").stdout
        found = machine.run("stat", "--format=%U %a", instance.kept, f"{instance.kept}/.app.drill.json").stdout.splitlines()
        assert [line.split()[1] for line in found] == ["700", "600"] and len({line.split()[0] for line in found}) == 1
        for text in (said, again, shown, *instance.lines()):
            assert FIRST not in text and SECOND not in text
    finally:
        machine.run("rm", "/etc/credstore/sluice.token")
    machine.run("sluice", "setup", "--pull", "app", "--remove")
    assert set(machine.run("find", "/etc", "-name", "*sluice-pull@*").stdout.splitlines()) == before
    assert not machine.path("/etc/sluice/pull.d").exists() and archive.exists()
    assert machine.systemctl("list-timers", "--all", "--no-legend", "sluice-pull@*") == ""


def test_an_instance_drills_each_place(sluice, instance, house, on_machine):
    machine, repository = instance.machine, "/var/lib/sluice-pull@app/restic"
    sluice.settle(on_machine(house), socket=f"SocketGroup={APPLICATION}")
    machine.run("sluice", "setup", "--pull", "app", "--unix-socket", SOCKET_PATH, "--restic", repository, "--drill", "30d",
                "--variable", "RESTIC_PASSWORD=a", "--enable")  # fmt: skip
    instance.drop_in(f"ExecStartPre=sh -c 'test -d {repository} || restic init --repo {repository}'")
    assert instance.run() == 0, instance.lines()
    places = ["/var/lib/sluice-pull@app", f"restic:{repository}"]
    status = lambda: re.sub(r"\d+ (s|min) ago", "now", machine.run("sluice", "status", "--pulls", check=False).stdout)  # noqa: E731
    assert status().endswith("".join(f"; last drill of {place} now passed" for place in places) + "\n"), status()
    for name in (".app.drill.json", ".app.drill-2.json"):
        machine.path(f"{instance.kept}/{name}").unlink()
    assert status().endswith("".join(f"; no drill of {place} yet" for place in places) + "\n"), status()
    said = machine.run("sluice", "drill", "app", "--textfile", "/srv/drill.prom").stdout
    assert [said.count(f"{place}:\n") for place in places] == [1, 1] and said.count("restored and sound") == 2
    samples = "".join((machine.shared / f"drill{number}.prom").read_text() for number in ("", "-2"))
    assert all(f'sluice_drill_last_exit_status{{series="app",place="{place}"}} 0\n' in samples for place in places)
    # Of one that cannot be read the other one's drill is done all the same.
    machine.run("mv", repository, f"{repository}.gone")
    ended = machine.run("sluice", "drill", "app", "--textfile", "/srv/drill.prom", check=False)
    assert ended.returncode == 1 and ended.stdout.count("restored and sound") == 1 and f"restic:{repository}: " in ended.stderr
    assert f"; last drill of {places[0]} now passed; last drill of {places[1]} now FAILED\n" in status()


@pytest.mark.parametrize("engine", ["restic", "borg"])
def test_an_instance_feeds_an_engine_and_keeps_nothing_beside_it(sluice, instance, house, on_machine, engine):
    machine, repository = instance.machine, "/var/lib/sluice-pull@app/repository"
    sluice.settle(on_machine(house), socket=f"SocketGroup={APPLICATION}")
    machine.run("sluice", "setup", "--pull", "app", "--unix-socket", SOCKET_PATH, "--into", "none", "--drill", "30d",
                "--options", f"--{engine} {repository}", "--enable")  # fmt: skip
    make_it, list_it = {
        "restic": (f"restic init --repo {repository}", f"restic ls --repo {repository} latest"),
        "borg": (f"borg init --encryption=repokey {repository}", f"borg list {repository}"),
    }[engine]
    instance.drop_in("Environment=RESTIC_PASSWORD=a BORG_PASSPHRASE=a", f"ExecStartPre={make_it}", f"ExecStartPost={list_it}")
    assert instance.run() == 0 and machine.show(instance.unit, "Result") == "success", instance.lines()
    assert any(re.search(r"^\W*app-\d{4}-", line) for line in instance.lines()[-2:]), instance.lines()
    assert any("restored and sound" in line for line in instance.lines()), instance.lines()
    status = machine.run("sluice", "status", "--pulls").stdout
    assert re.fullmatch(rf".*/sluice-pull@app: app: last whole backup .*; kept by {engine} \(last 14\); last drill .* ago passed\n", status)
    assert not list(machine.path(instance.kept).glob("app-*"))


LISTENER = """import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open("/srv/heard", "a").write(self.path + "\\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 8090), Handler)
open("/srv/listening", "w").close()
server.serve_forever()
"""


def test_each_bad_night_of_an_instance_is_told_once(sluice, installed, house, on_machine):
    """To the program of the administrator, to a unit of the user's own, and to a dead man's switch."""
    machine, name = installed, "my-app.2"
    unit = f"sluice-pull@{name}"
    instance = PullUnit(machine, f"{unit}.service", f"/etc/sluice/pull.d/{name}", f"/var/lib/private/{unit}")
    sluice.settle(on_machine(house), socket=f"SocketGroup={APPLICATION}")
    machine.run("sluice", "setup", "--pull", name, "--unix-socket", SOCKET_PATH, "--ping", "http://127.0.0.1:8090/x")
    machine.write("/etc/sluice/pull-failed", '#!/bin/sh\necho "$1 $MONITOR_SERVICE_RESULT" >>/srv/told\n', mode="0755")
    machine.write("/etc/systemd/system/mine@.service", '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo %i >>/srv/mine"\n')
    machine.write(f"/etc/systemd/system/{unit}.service.d/mine.conf", "[Unit]\nOnFailure=mine@%N.service\n")
    machine.write("/srv/listener.py", LISTENER)
    good = machine.path(instance.settings).read_text()
    listener = machine.start("/usr/bin/python3", "/srv/listener.py")
    wait_until((machine.shared / "listening").exists, "the one that is told")

    def read(file):
        path = machine.shared / file
        return path.read_text().splitlines() if path.exists() else []

    def night(change=None, kill=False):
        """What has been told of it when all is still."""
        machine.path(instance.settings).write_text(good)
        # Nights are no seconds: systemd.unit(5), StartLimitIntervalSec=.
        machine.systemctl("reset-failed", instance.unit, f"mine@{unit}.service", f"sluice-pull-failed@{unit}.service", check=False)
        if change:
            change()
        before = {file: len(read(file)) for file in ("told", "mine", "heard")}
        if kill:
            process = machine.start("systemctl", "start", instance.unit)
            machine.wait_for_property(instance.unit, "ActiveState", "activating")
            wait_until(lambda: len(read("heard")) > before["heard"], "its start")
            machine.systemctl("kill", "--signal=KILL", instance.unit)
            process.wait()
        else:
            machine.systemctl("start", instance.unit, check=False)
        wait_until(lambda: machine.systemctl("list-jobs", "--no-legend") == "", "no job to be left")
        for each in ("mine", "sluice-pull-failed"):
            machine.wait_for_property(f"{each}@{unit}.service", "ActiveState", "inactive")
        return [read(file)[count:] for file, count in before.items()]

    def set(**settings):
        lines = [f"SLUICE_PULL_{name}={value}\n" for name, value in settings.items()]
        machine.path(instance.settings).write_text(good + "".join(lines))

    bad = lambda result: ([f"{unit}.service {result}"], [unit])  # noqa: E731
    try:
        assert night() == [[], [], ["/x/start", "/x"]], instance.lines()
        for settings, pings in (
            ({"CURL": "--unix-socket /nowhere"}, ["/x/start", "/x/fail"]), ({"KEEP": "many"}, ["/x/fail"]),
            ({"OPTIONS": "--restik /srv/restic"}, ["/x/fail"]), ({"TOKEN_FILE": "/nowhere"}, ["/x/start", "/x/fail"]),
            ({"OPTIONS": "--to /no/such/engine"}, ["/x/start", "/x/fail"]), ({"PING": "nowhere"}, []),
        ):  # fmt: skip
            assert night(lambda settings=settings: set(**settings)) == [*bad("exit-code"), pings], (settings, instance.lines())
        # Nothing of it is known.
        assert night(lambda: machine.path(instance.settings).unlink()) == [*bad("resources"), []]
        slow = "--unix-socket /srv/silent.sock"
        silent = machine.start("/usr/bin/python3", "-c", "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('/srv/silent.sock'); s.listen(); time.sleep(600)")
        wait_until(lambda: (machine.shared / "silent.sock").exists(), "a service that says nothing")
        machine.run("chmod", "0777", "/srv/silent.sock")
        assert night(lambda: set(CURL=slow), kill=True) == [*bad("signal"), ["/x/start", "/x/fail"]], instance.lines()
        silent.kill()
        # Not to run is no failure; not to be able to is one.
        condition = f"/etc/systemd/system/{unit}.service.d/condition.conf"
        for line, words in (("ExecCondition=/bin/false", [[], [], []]), ("ExecStartPre=/bin/false", [*bad("exit-code"), ["/x/fail"]])):
            machine.write(condition, f"[Service]\n{line}\n")
            machine.systemctl("daemon-reload")
            assert night() == words, instance.lines()
        machine.run("rm", condition)
        machine.systemctl("daemon-reload")
        assert night() == [[], [], ["/x/start", "/x"]], instance.lines()
    finally:
        listener.kill()
        machine.run("sluice", "setup", "--pull", name, "--remove")
        machine.run("sh", "-c", f"rm -rf /etc/sluice/pull-failed /var/lib/private/{unit} /var/lib/{unit} /srv/told /srv/mine /srv/heard /srv/listening /srv/*.sock /srv/listener.py "
                    f"/etc/systemd/system/{unit}.service.d /etc/systemd/system/mine@.service")  # fmt: skip
        machine.systemctl("daemon-reload")


def test_an_instance_s_destinations_have_any_words(instance, sluice, house, on_machine):
    """`setup` writes what the unit runs: systemd reads the settings and makes words of the options."""
    machine = instance.machine
    sluice.settle(on_machine(house), socket=f"SocketGroup={APPLICATION}")
    dice = random.Random(20261129)
    pieces = ["a", "-", " ", "'", '"', "\\", "$", "${HOME}", "`", "#", ";", "%", "%i", "{", "}", "é", "*", "~"]
    commands = ["age -r KEY -o \"/mnt/My Disk/x\"", *("".join(dice.choices(pieces, k=8)) for _ in range(20))]
    machine.write("/srv/words", '#!/bin/sh\nprintf "%s\\0" "$@" >"$STATE_DIRECTORY/words"\n', mode="0755")
    instance.drop_in("ExecStart=", "ExecStart=/srv/words $SLUICE_PULL_OPTIONS", "ExecStopPost=")
    options = [word for command in commands for word in ("--to", command)]
    machine.run("sluice", "setup", "--pull", "app", "--unix-socket", SOCKET_PATH, *options, "--options", "--gone 'a b'", "--enable")
    machine.systemctl("start", instance.unit)
    found = machine.path(f"{instance.kept}/words").read_text().split("\0")[:-1]
    assert found == [f"--unix-socket={SOCKET_PATH}", *(f"--to={command}" for command in commands), "--gone", "a b"]
    # A command that is run.
    place = "/var/lib/sluice-pull@app/my disk"
    machine.run("rm", f"/etc/systemd/system/{instance.unit}.d/test.conf")
    command = f"mkdir -p \"{place}\" && cat >'{place}/it'\"'s.zip\""
    machine.run("sluice", "setup", "--pull", "app", "--unix-socket", SOCKET_PATH, "--to", command, "--enable")
    assert instance.run() == 0, instance.lines()
    assert Archive(machine.path(f"{instance.kept}/my disk/it's.zip")).manifest["complete"]
    assert "kept (last 1 of 14)" in machine.run("sluice", "status", "--pulls").stdout


def test_timers_of_many_hosts_are_spread_over_three_hours(installed):
    names = [f"host{number}" for number in range(100 if SLOW else 12)]
    for name in names:
        installed.run("sluice", "setup", "--pull", name, "--url", "http://127.0.0.1:1/", "--enable")
    try:
        timers = json.loads(installed.systemctl("list-timers", "--all", "--output=json", "sluice-pull@*"))
        assert {timer["unit"] for timer in timers} == {f"sluice-pull@{name}.timer" for name in names}
        minutes = [timer["next"] // 60_000_000 % (24 * 60) for timer in timers]
        assert 4 * 60 <= min(minutes) <= max(minutes) - 60 and max(minutes) <= 7 * 60
        assert len(set(minutes)) > len(names) / 2
    finally:
        for name in names:
            installed.run("sluice", "setup", "--pull", name, "--remove")


def test_status_looks_where_the_settings_say(instance, on_machine, tmp_path):
    machine = instance.machine
    (kept := tmp_path / "kept").mkdir()
    for month in (8, 9, 10):
        old_backup(kept / f"app-2026-{month:02}-01T030000Z.zip", f"2026-{month:02}-01T03:00:00Z")
    directory = on_machine(kept)
    setup = ("sluice", "setup", "--pull", "app", "--url", "http://127.0.0.1:1/", "--into", directory, "--keep", "--last 2 --monthly 12")
    machine.run(*setup)
    status = lambda: machine.run("sluice", "status", "--pulls", check=False)  # noqa: E731
    [line] = status().stdout.splitlines()
    assert line.startswith(f"{directory}: app: last whole backup LATE, ") and line.endswith("; 3 kept (last 2 of 2, monthly 3 of 12)")
    assert instance.run() == 1
    [line] = status().stdout.splitlines()
    assert "; the last pull FAILED" in line
    machine.run(*setup, "--drill", "30d")
    assert status().stdout.endswith("; no drill yet\n")
    for days, words in ((31, "last drill 31 days ago passed"), (33, "last drill LATE, 33 days ago passed")):
        time = datetime.now(timezone.utc) - timedelta(days=days)
        record = {"format": 1, "time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "backup": "", "result": "passed", "detail": "", "databases": {}}
        machine.write(f"{directory}/.app.drill.json", json.dumps(record))
        assert status().stdout.endswith(f"; {words}\n"), status().stdout
    machine.write(instance.settings, "SLUICE_PULL_URL = 'http://127.0.0.1:1/'\nSLUICE_PULL_KEEP=x\n")
    assert status().stdout == f"{instance.settings}: FAILED: SLUICE_PULL_KEEP is 'x': give a number from 1 to 999999, or options of sluice keep\n"


def test_the_ten_commands(sluice, instance, house, on_machine):
    """Those of docs/off-site.md, but for the installation: for a token, a socket of one machine in place of TLS, and a monitor that is gone."""
    machine = instance.machine
    (block,) = re.findall(r"in ten commands\n\n```text\n(.*?)```", (ROOT / "docs/off-site.md").read_text(), re.DOTALL)
    commands = [line for line in block.splitlines() if not line.startswith("#")]
    assert len(commands) == 10
    directory = on_machine(house)
    machine.write("/srv/token", f"{FIRST}\n", mode="0600")
    machine.write("/srv/ping", f"http://127.0.0.1:1/{SECOND}\n", mode="0600")
    machine.write("/etc/default/sluice", "# As it is installed: an earlier test has settings here.\n")
    said = []
    try:
        for command in commands:
            if command.startswith("sudo apt install"):
                continue
            for shown, real in {
                "sudo ": "", "/var/lib/app": directory, "--url https://app.example.org/api/backup": f"--unix-socket {SOCKET_PATH}",
                "token-file token": "token-file /srv/token", "@ping": "@/srv/ping", "rehearsal": "/srv/rehearsal",
            }.items():  # fmt: skip
                command = command.replace(shown, real)
            ended = machine.run("bash", "-euo", "pipefail", "-c", command, check=False)
            assert ended.returncode == 0, (command, ended.stdout, ended.stderr, instance.lines())
            said.append(ended.stdout)
    finally:
        machine.run("sluice", "setup", "--remove")
        machine.run("rm", "-rf", "/etc/sluice/restic.password", "/srv/token", "/srv/ping")
    password_is_shown = any("RESTIC_PASSWORD=" in text and 'RESTIC_PASSWORD="…"' not in text for text in said)
    assert not password_is_shown
    assert any("http://127.0.0.1:1 was not told of the success" in line for line in instance.lines())
    assert not any(SECOND in text for text in (*said, *instance.lines()))
    assert re.fullmatch(r".*/sluice-pull@app: app: last whole backup .*; kept by restic \(last 7, daily 30, monthly 12\); last drill .* ago passed\n", said[-3])
    assert rows(machine.on_host("/srv/rehearsal/settings.db")) == rows(house / "settings.db")
