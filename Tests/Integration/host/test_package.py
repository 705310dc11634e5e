"""The Debian package and `sluice setup`: installed, set up for one application or several, upgraded, removed."""

import gzip
import os
import re
import shutil
import subprocess
import tarfile

import pytest

import data as make
import service
from archive import Archive
from harness import ROOT, SLUICE, run, wait_until
from service import APPLICATION, Service, build_package


@pytest.fixture(scope="module")
def file():
    """Its path on this machine."""
    return build_package()


@pytest.fixture(scope="module")
def package(machine, file):
    """Its path on the machine."""
    shutil.copy(file, machine.shared)
    return f"/srv/{file.name}"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def test_lintian_reports_no_error_and_no_warning_without_a_reason(file):
    if not shutil.which("lintian"):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("the package lintian is missing")
    command = ["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0"]
    # A program that was built for tests alone finds Swift's libraries where they were at that time.
    if "libswiftCore" in output("ldd", SLUICE):
        command += ["--suppress-tags", "custom-library-search-path"]
    found = subprocess.run([*command, file], capture_output=True, text=True, timeout=120)
    assert (found.returncode, found.stdout) == (0, "")
    overrides = (ROOT / "deploy/debian/lintian-overrides").read_text()
    blocks = re.findall(r"(#.*\n)*(?<=\n)sluice: ", overrides)
    assert blocks and all(blocks), "an override without a comment that gives its reason"


def test_the_package_has_its_changelog_its_documents_and_its_manual(file, tmp_path):
    output("dpkg-deb", "--extract", file, tmp_path)
    documents = tmp_path / "usr/share/doc/sluice"
    changelog = gzip.decompress((documents / "changelog.gz").read_bytes()).decode()
    version = run("--version").stdout.split()[1]
    assert changelog.startswith(f"sluice ({version}) unstable; urgency=medium\n")
    (tmp_path / "changelog").write_text(changelog)
    assert output("dpkg-parsechangelog", "-l", tmp_path / "changelog", "-S", "Version") == f"{version}\n"
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")]:
        assert (documents / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    assert ".Nm sluice\n" in gzip.decompress((tmp_path / "usr/share/man/man1/sluice.1.gz").read_bytes()).decode()


def test_a_release_can_be_checked_and_made_again(file, tmp_path):
    folder = ROOT / f".build/release-{run('--version').stdout.split()[1]}"
    if "\n## Unreleased" in (ROOT / "CHANGELOG.md").read_text():
        with pytest.raises(subprocess.CalledProcessError) as refused:
            service.make("release")
        assert "Unreleased" in refused.value.stderr
        pytest.skip("CHANGELOG.md has changes that are not released: refused, as it must be")
    service.make("release")
    checked = output("sh", "-c", f"cd {folder} && sha256sum --check SHA256SUMS")
    assert {*checked.splitlines()} == {f"{path.name}: OK" for path in folder.iterdir() if path.name != "SHA256SUMS"}
    assert (folder / file.name).read_bytes() == file.read_bytes(), "the same program, and another package"
    [tarball] = folder.glob("*.tar.xz")
    with tarfile.open(tarball) as members:
        # A directory in it would change the mode of the existing /usr/local/bin.
        assert all(member.isfile() and member.uid == 0 for member in members)
        members.extractall(tmp_path)
    [root] = tmp_path.iterdir()
    assert output(root / "bin/sluice", "--version") == run("--version").stdout
    assert {"bin", "lib", "share"} == {path.name for path in root.iterdir()}
    assert (root / "share/doc/sluice/LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "ExecStart=/usr/local/bin/sluice serve" in (root / "lib/systemd/system/sluice@.service").read_text()


def test_a_release_has_the_table_of_results_of_its_own_commit_only(tmp_path):
    copy, version = tmp_path / "sluice", run("--version").stdout.split()[1]
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".build*", ".git", "__pycache__"))
    (copy / ".build/release").mkdir(parents=True)
    (copy / ".build/release/sluice").symlink_to(SLUICE)
    changelog = re.sub(r"^## Unreleased$", f"## {version} - 2026-11-28", (copy / "CHANGELOG.md").read_text(), count=1, flags=re.M)
    (copy / "CHANGELOG.md").write_text(changelog)
    (tmp_path / "report.xml").write_text('<testsuite><testcase classname="host.test_package" name="a"/></testsuite>')
    identity = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = os.environ | service.QUICKLY | identity | {"VERSION": version, "SLUICE": ".build/release/sluice"}

    def do(*command):
        return subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True, text=True, timeout=120)

    do("git", "init", "--quiet")
    do("git", "add", "--all")
    do("git", "commit", "--quiet", "--message=a")
    do("python3", "Tests/reliability.py", ".build/reliability.md", tmp_path / "report.xml")
    assert "without the table" not in do("deploy/release").stderr
    folder = copy / f".build/release-{version}"
    table = folder / f"reliability-{version}.md"
    assert table.read_text() == (copy / ".build/reliability.md").read_text()
    assert table.name in (folder / "SHA256SUMS").read_text()
    (copy / "README.md").write_text("another")
    do("git", "commit", "--quiet", "--all", "--message=b")
    assert "without the table" in do("deploy/release").stderr and not table.exists()


def test_a_release_of_another_version_than_the_program_and_the_changelog_say_is_refused():
    with pytest.raises(subprocess.CalledProcessError) as refused:
        service.make("release", "VERSION=9.9.9")
    assert "is not version 9.9.9" in refused.value.stderr
    assert not (ROOT / ".build/release-9.9.9").exists()


def traces(machine):
    """What is on the machine by that name; systemd leaves the directory of a socket in /run."""
    found = machine.run("find", "/etc", "/usr", "/var/lib", "/run", "-name", "*sluice*", "-not", "-path", "/run/sluice")
    return set(found.stdout.splitlines())


@pytest.fixture
def host(machine, package):
    """A machine on which the package is installed, and nothing set up."""
    status = machine.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", "sluice", check=False).stdout
    if status != "installed":
        machine.run("dpkg", "--install", package)
    yield machine
    if machine.path("/usr/bin/sluice").exists():
        for instance in ([], ["--instance", "one"], ["--instance", "other"]):
            machine.run("sluice", "setup", *instance, "--remove")


@pytest.fixture
def databases(host, house, on_machine):
    return on_machine(house)


def owner_of_process(machine, unit):
    pid = machine.show(unit, "MainPID")
    return machine.run("stat", "--format=%U", f"/proc/{pid}").stdout.strip()


def socket_of(machine, path):
    return machine.run("stat", "--format=%F %U:%G %a", path).stdout.strip()


def test_installed_and_set_up_it_waits_for_the_first_connection(host, databases):
    assert host.systemctl("is-enabled", "sluice.socket", check=False) == "disabled\n", "the package enables nothing"
    assert host.systemctl("list-units", "--no-legend", "--plain", "sluice*") == ""
    service = Service(host)
    host.run("sluice", "setup", "--data", databases, "--enable")
    assert host.systemctl("is-enabled", "sluice.socket") == "enabled\n"
    assert socket_of(host, "/run/sluice/sluice.sock") == f"socket root:{APPLICATION} 660"
    assert service.pid == 0
    assert Archive(service.get("/api/backup").body).manifest["complete"]
    assert owner_of_process(host, "sluice.service") == APPLICATION
    assert set(host.run("find", databases, "-printf", "%u\n").stdout.split()) == {APPLICATION}
    assert "serves backups" in host.systemctl("status", "--no-pager", "--full", "sluice.service")


@pytest.mark.parametrize("place", ["/home/somebody/app", "/root/app", "/var/tmp/app", "/tmp/app"])
def test_a_directory_in_a_place_that_the_unit_hides_is_served(host, databases, place):
    host.run("mkdir", "-p", place)
    host.run("chmod", "o+x", "/home", "/root")
    host.run("cp", "--archive", f"{databases}/.", place)
    host.run("chown", "--reference", databases, place)
    host.run("sluice", "setup", "--data", place, "--enable")
    assert Archive(Service(host).get("/api/backup").body).manifest["complete"]


def test_setup_may_be_tried_repeated_and_taken_back(host, databases):
    before = traces(host)
    shown = host.run("sluice", "setup", "--data", databases, "--dry-run").stdout
    assert f"User={APPLICATION}" in shown and f'"SLUICE_DATA={databases}"' in shown
    assert traces(host) == before
    for _ in range(2):
        host.run("sluice", "setup", "--data", databases, "--enable")
        assert Service(host).get("/healthz").status == 200
    pid = host.show("sluice.service", "MainPID")
    host.run("sluice", "setup", "--data", databases, "--enable")
    assert host.show("sluice.service", "MainPID") == pid, "nothing changed: nothing is started again"
    host.run("sluice", "setup", "--remove")
    assert host.show("sluice.service", "ActiveState") == host.show("sluice.socket", "ActiveState") == "inactive"
    assert traces(host) == before


def test_a_directory_that_is_not_there_is_not_set_up(host):
    before = traces(host)
    ended = host.run("sluice", "setup", "--data", "/srv/nowhere", "--enable", check=False)
    assert ended.returncode == 1 and ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert "/srv/nowhere" in line
    assert traces(host) == before


def test_each_application_has_an_instance_of_its_own(host, tmp_path, on_machine):
    for name in ("one", "other"):
        host.run("useradd", "--system", name)
        (tmp_path / name).mkdir()
        make.ledger(tmp_path / name / f"{name}.db", make.WAL, accounts=10)
        directory = on_machine(tmp_path / name, owner=name)
        host.run("chmod", "0750", directory)
        host.run("sluice", "setup", "--data", directory, "--instance", name, "--enable")
    for name in ("one", "other"):
        with Service(host).connect(f"/run/sluice/{name}.sock") as connection:
            archive = Archive(connection.answer("GET", "/api/backup").body)
        assert archive.manifest["complete"] and f"{name}.db" in archive.names
        assert owner_of_process(host, f"sluice@{name}.service") == name
        assert socket_of(host, f"/run/sluice/{name}.sock") == f"socket root:{name} 660"
    host.write("/etc/credstore/sluice@one.token", "0123456789abcdef\n", mode="0600")
    host.systemctl("restart", "sluice@one.service", "sluice@other.service")
    for name, status in (("one", 401), ("other", 200)):
        with Service(host).connect(f"/run/sluice/{name}.sock") as connection:
            assert connection.answer("GET", "/api/backup").status == status
    host.run("rm", "/etc/credstore/sluice@one.token")


def test_purged_it_leaves_nothing(machine, package, house, on_machine):
    machine.run("dpkg", "--purge", "sluice")
    before = traces(machine)
    machine.run("dpkg", "--install", package)
    machine.run("sluice", "setup", "--data", (directory := on_machine(house)), "--enable")
    machine.run("sluice", "setup", "--data", directory, "--instance", "one", "--enable")
    into = ["--url", "http://localhost/", "--into", directory]
    machine.run("sluice", "setup", "--pull", "app", *into, "--enable")
    service = Service(machine)
    assert service.get("/healthz").status == 200
    machine.run("dpkg", "--purge", "sluice")
    assert traces(machine) == before
    assert service.pid == 0
    assert machine.systemctl("list-units", "--all", "--no-legend", "--plain", "sluice*") == ""


def test_only_a_repetition_that_names_the_group_changes_it(host, reservoir, on_machine):
    setup = ["sluice", "setup", "--data", on_machine(reservoir)]
    path = "/etc/systemd/system/sluice.socket.d/50-sluice-setup.conf"
    host.run(*setup, "--socket-group", "www-data")
    written = host.path(path).read_text()
    ended = host.run(*setup, check=False)
    assert ended.returncode == 1 and "lets the group www-data connect" in ended.stderr and ended.stdout == ""
    assert "SocketGroup=www-data\n" in written and host.path(path).read_text() == written
    host.run(*setup, "--socket-group", "www-data")
    host.run(*setup, "--socket-group", "root")
    assert "SocketGroup=root\n" in host.path(path).read_text()


@pytest.mark.parametrize("how", ["upgraded", "set up anew", "removed"])
def test_a_download_is_finished_when_the_service_is(host, reservoir, on_machine, package, how):
    directory = on_machine(reservoir)
    host.run("sluice", "setup", "--data", directory, "--enable")
    service = Service(host)
    with service.connect() as slow:
        response = slow.begin("/api/backup?compression=store")
        content, pid = response.read(1000), service.pid
        command = {
            "upgraded": ["dpkg", "--install", package],
            "set up anew": ["sluice", "setup", "--data", directory, "--socket-group", "root", "--enable"],
            "removed": ["dpkg", "--remove", "sluice"],
        }[how]
        with host.start(*command) as process:
            service.wait_for("ActiveState", "deactivating")
            assert Archive(content + response.read()).manifest["complete"]
            assert process.wait(timeout=60) == 0
    if how == "removed":
        wait_until(lambda: service.pid == 0, "the end of the service")
    else:
        assert Archive(service.get("/api/backup").body).manifest["complete"]
        assert service.pid not in (0, pid)
