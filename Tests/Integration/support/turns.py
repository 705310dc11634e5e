"""Whose turn it is among tests that run in several processes: flock(2) on two files that are there anyway."""

from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

FOLDER = Path(__file__).parents[1]
# A test that measures keeps the gate closed, so that no other begins and it comes to be alone.
GATE, ROOM = FOLDER / "conftest.py", FOLDER / "pytest.ini"
# What this process has locked to be alone.
held = ExitStack()
is_alone = False


@contextmanager
def beside_others():
    with GATE.open() as gate, ROOM.open() as room:
        flock(gate, LOCK_SH)
        flock(room, LOCK_SH)
        flock(gate, LOCK_UN)
        yield


@contextmanager
def alone(next_too):
    """If the next test of this process measures too, the locks stay: the others need not end another test in between."""
    global is_alone
    if not is_alone:
        for path in (GATE, ROOM):
            flock(held.enter_context(path.open()), LOCK_EX)
        is_alone = True
    try:
        yield
    finally:
        if not next_too:
            held.close()
            is_alone = False
