"""The clock of a machine, which a test moves; the real one stays as it is."""

import struct
import time
from datetime import UTC, datetime

from harness import wait_until

# CLOCK_REALTIME_COARSE, which the kernel gives to files.
COARSE = 5


class Clock:
    """Of the processes that are started with `environment`. The times of files are those that this clock showed."""

    # As clock.c has it.
    MOVES = 1023

    def __init__(self, path, library):
        self.file, self.count = open(path, "w+b", buffering=0), 0
        self.file.truncate(8 + 16 * self.MOVES)
        self.environment = {"LD_PRELOAD": str(library), "LD_CLOCK": str(path)}

    def set(self, to):
        """Shows another time from now on, in processes that run already, too."""
        assert self.count < self.MOVES
        since = time.time_ns()
        self._write(8 + 16 * self.count, since, int(to.timestamp()) * 10**9 - since)
        self.count += 1
        self._write(0, self.count)
        # A file that is written from now on has a later time.
        wait_until(lambda: time.clock_gettime_ns(COARSE) > since, "the next tick")

    def _write(self, at, *numbers):
        self.file.seek(at)
        self.file.write(struct.pack(f"{len(numbers)}q", *numbers))


def utc(*date):
    return datetime(*date, tzinfo=UTC)
