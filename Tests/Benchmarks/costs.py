"""What a process and all that it starts cost, as the kernel has it: proc(5), wait4(2)."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration/support"))

from harness import TICKS_PER_SECOND, cpu_ticks  # noqa: E402

PAGE = os.sysconf("SC_PAGE_SIZE")


def family(pid):
    """The process and its descendants."""
    yield pid
    with suppress(OSError):  # ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def cpu_seconds(pid):
    """User and system time so far, in steps of 10 ms."""
    return sum(cpu_ticks(Path(f"/proc/{member}")) for member in family(pid)) / TICKS_PER_SECOND


def peak_bytes(pid):
    """VmHWM of all that are alive."""
    total = 0
    for member in family(pid):
        for line in Path(f"/proc/{member}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) * 1024
    return total


def resident_bytes(pid):
    """What all of them have in memory at this moment; what they share counts for each."""
    total = 0
    for member in family(pid):
        with suppress(OSError):
            total += int(Path(f"/proc/{member}/statm").read_text().split()[1]) * PAGE
    return total


class PeakSampler:
    """For processes that do not live to be asked: looks every 20 ms."""

    def __init__(self, pid):
        self.pid, self.peak, self._done = pid, 0, Event()
        self._thread = Thread(target=self._look)
        self._thread.start()

    def _look(self):
        while not self._done.wait(0.02):
            self.peak = max(self.peak, resident_bytes(self.pid))

    def stop(self):
        self._done.set()
        self._thread.join()
        return self.peak


def settle(patience=60):
    """Waits for a second in which no other process uses the processors or the disk, but not for ever."""

    def idle():
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        return fields[3], sum(fields)

    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before = idle()
        time.sleep(1)
        after = idle()
        if after[0] - before[0] > 0.95 * (after[1] - before[1]):
            return
    print("the machine is busy with something else", file=sys.stderr)
