"""What the tests share: one binary, one ordinary data directory, a few large databases."""

import os
import shutil

import pytest

import data as make
import harness
import turns
from machine import running_machine, why_not
from nginx import forwarding, place
from restoring import SLOW, backup, replaced, small
from service import APPLICATION, Service, install


# In seconds, for those that name no other. Whatever has not ended by then hangs: it fails, and the others have their turn.
LONGEST = 7200 if SLOW else 600


# The folders whose tests take longest: they begin first, each by itself, so that the others fill up what is left of the time.
LONG = ("soak", "backup", "faults", "resume", "restore", "verify")
ANY_COSTS = os.environ.get("COSTS") == "any"


def measures(item):
    return item is not None and not ANY_COSTS and item.get_closest_marker("measures") is not None


def place_in_order(item):
    """Those that run alone are the first, when no long one is to be waited for."""
    folder = item.path.parent.name
    return not measures(item), LONG.index(folder) if folder in LONG else len(LONG)


def group(item):
    """The tests that one process runs: those that are to be alone and those that share a large database; of the short ones, a file."""
    if measures(item) or "large" in item.fixturenames:
        return "large"
    return None if item.path.parent.name in LONG else item.path.stem


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=place_in_order)
    for item in items:
        item.add_marker(pytest.mark.timeout(LONGEST))
        if name := group(item):
            item.add_marker(pytest.mark.xdist_group(name))
        if not SLOW and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="RUN_SLOW=1 runs it"))
        if ANY_COSTS and item.get_closest_marker("measures"):
            item.add_marker(pytest.mark.skip(reason="the released program is asked what it costs"))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Tests run side by side, in processes of their own; one that measures has its turn alone."""
    with turns.alone(next_too=measures(nextitem)) if measures(item) else turns.beside_others():
        yield


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert os.access(harness.SLUICE, os.X_OK), f"{harness.SLUICE}: build it first, or name another with SLUICE"


@pytest.fixture(autouse=True)
def tidied(tmp_path, request):
    """Removes what a test that passed has made: all of it would be 20 GB."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed == failed:
        shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="session")
def pristine_house(tmp_path_factory):
    return make.house(tmp_path_factory.mktemp("pristine") / "house")


@pytest.fixture
def house(pristine_house, tmp_path):
    """An ordinary data directory that no process uses."""
    return shutil.copytree(pristine_house, tmp_path / "house")


@pytest.fixture(scope="session")
def pristine_reservoir(tmp_path_factory):
    return make.bulk(tmp_path_factory.mktemp("pristine") / "reservoir.db", make.WAL, 48)


@pytest.fixture
def reservoir(pristine_reservoir, tmp_path):
    """A data directory with one WAL database, larger than what the kernel buffers for a client that has stopped."""
    directory = tmp_path / "reservoir"
    directory.mkdir()
    shutil.copy(pristine_reservoir, directory)
    return directory


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """A data directory with one WAL database of 600 MB, which no process changes."""
    directory = tmp_path_factory.mktemp("large")
    make.bulk(directory / "large.db", make.WAL, 580)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def large_archive(large, tmp_path_factory):
    """A backup of it."""
    path = tmp_path_factory.mktemp("archive") / "large.zip"
    assert harness.run("backup", "--data", large, "-o", path).returncode == 0
    yield path
    path.unlink()


@pytest.fixture
def archive(tmp_path):
    """A small one, whose content says "new"."""
    return backup(small(tmp_path / "source", "new"), tmp_path / "archive.zip")


@pytest.fixture
def target(tmp_path):
    """A directory to restore it into, whose content says "old"."""
    return replaced(tmp_path / "target")


@pytest.fixture(params=["1.0", "1.1"])
def nginx(request, tmp_path):
    """The directory of an nginx that forwards front.sock to back.sock, in this version of HTTP."""
    directory = place(tmp_path / "nginx")
    with forwarding(directory, request.param):
        yield directory


@pytest.fixture
def figure(record_property, capsys):
    """Prints a measured figure and keeps it in the report."""

    def note(name, value):
        record_property(name, value)
        with capsys.disabled():
            print(f"\n  {name}: {value}")

    return note


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A machine with a systemd of its own."""
    if reason := why_not():
        # Where the tests must count, one that does not run is one that fails.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with running_machine(tmp_path_factory.mktemp("machine")) as machine:
        machine.run("useradd", "--system", APPLICATION)
        yield machine


@pytest.fixture(scope="module")
def installed(machine):
    install(machine)
    return machine


@pytest.fixture
def sluice(installed):
    service = Service(installed)
    yield service
    service.remove()


@pytest.fixture
def on_machine(machine, request):
    """Puts a data directory into the machine's /srv; its path there."""

    def put(directory, owner=APPLICATION):
        place = machine.shared / request.node.name.partition("[")[0] / directory.name
        shutil.copytree(directory, place, symlinks=True)
        inside = f"/srv/{place.relative_to(machine.shared)}"
        machine.run("chown", "-R", f"{owner}:", inside)
        return inside

    yield put
    shutil.rmtree(machine.shared / request.node.name.partition("[")[0], ignore_errors=True)
