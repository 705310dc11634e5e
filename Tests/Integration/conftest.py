"""What the tests share: one binary, one ordinary data directory, a few large databases."""

import os
import shutil

import pytest

import data as make
import harness


def pytest_collection_modifyitems(items):
    if os.environ.get("RUN_SLOW") != "1":
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="RUN_SLOW=1 runs it"))


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert os.access(harness.SLUICE, os.X_OK), f"{harness.SLUICE}: build it first, or name another with SLUICE"


@pytest.fixture(scope="session")
def pristine_house(tmp_path_factory):
    return make.house(tmp_path_factory.mktemp("pristine") / "house")


@pytest.fixture
def house(pristine_house, tmp_path):
    """An ordinary data directory that nobody uses."""
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
    """A data directory with one WAL database of 600 MB, which nobody changes."""
    directory = tmp_path_factory.mktemp("large")
    make.bulk(directory / "large.db", make.WAL, 580)
    return directory


@pytest.fixture
def figure(record_property, capsys):
    """Prints a measured figure and keeps it in the report."""

    def note(name, value):
        record_property(name, value)
        with capsys.disabled():
            print(f"\n  {name}: {value}")

    return note
