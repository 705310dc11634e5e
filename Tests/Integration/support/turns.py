"""Whose turn it is among tests that run in several processes: flock(2) on two files that are there anyway."""

from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

FOLDER = Path(__file__).parents[1]
# A test that measures keeps the gate closed, so that no other begins and it comes to be alone.
GATE, ROOM = FOLDER / "conftest.py", FOLDER / "pytest.ini"


@contextmanager
def beside_others():
    with GATE.open() as gate, ROOM.open() as room:
        flock(gate, LOCK_SH)
        flock(room, LOCK_SH)
        flock(gate, LOCK_UN)
        yield


@contextmanager
def alone():
    with GATE.open() as gate, ROOM.open() as room:
        flock(gate, LOCK_EX)
        flock(room, LOCK_EX)
        yield
