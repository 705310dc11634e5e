#!/usr/bin/python3
"""Compares what one backup costs with what it did, by counts that hardly depend on the machine: counts.json.

    make bench-check                                        exit status 1 if a count has grown past its tolerance
    /usr/bin/python3 Tests/Benchmarks/counts.py --update    writes down the counts of now

Instructions and allocations are counted by Valgrind, in `sluice backup`; system calls by strace, in a `sluice serve`
that makes one backup from start to end; memory is that server's VmHWM.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Integration/support"))

import dataset  # noqa: E402
from harness import SLUICE, serve, wait_until  # noqa: E402
from measure import swallow  # noqa: E402

COUNTS = HERE / "counts.json"
MEBIBYTES = 8
ROUNDS = 5
# How far each may grow. Instructions and allocations repeat to within 0.1 %, but libraries of other versions have
# others. How often threads wait for each other is a matter of timing.
TOLERANCE = {
    "instructions": 0.03, "allocations": 0.05, "system calls that do something": 0.05,
    "system calls that wait": 0.5, "peak KiB": 0.1,
}  # fmt: skip
# Reads and writes are those of eventfds: databases are read by pread64, archives sent by sendmsg.
WAITING = ("futex", "epoll_wait", "epoll_pwait", "epoll_pwait2", "sched_yield", "poll", "read", "write")
# The blocks under way at once are as many as the processors and some.
DEPENDS_ON_PROCESSORS = ("allocations", "system calls that wait", "peak KiB")


def valgrind(program, tool, pattern, data, level):
    """`program` is stripped: Valgrind cannot read the symbols that Swift writes."""
    command = ["valgrind", f"--tool={tool}", f"--{tool}-out-file=/dev/null", program, "backup", "--data", data]
    ended = subprocess.run(
        [*command, "--compression", level, "-o", "-"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return int(re.search(pattern, ended.stderr)[1].replace(",", ""))


def system_calls(data, level, summary):
    """How many do something, and how many wait or wake."""
    # -D: the server stays our child, and strace is its.
    with serve(data, prefix=["strace", "-D", "-c", "-f", "-o", summary]) as server:
        swallow(server, f"/api/backup?compression={level}")
    tracer = wait_for_total(summary)
    calls = {line.split()[-1]: int(line.split()[3]) for line in tracer if re.match(r"\s*\d+\.\d+ ", line)}
    total = calls.pop("total")
    waiting = sum(calls.get(name, 0) for name in WAITING)
    return total - waiting, waiting


def wait_for_total(summary):
    wait_until(lambda: summary.exists() and " total\n" in summary.read_text(), "strace to finish")
    return summary.read_text().splitlines()


def peak(data, level):
    with serve(data) as server:
        swallow(server, f"/api/backup?compression={level}")
        return server.peak_resident_kib()


def count(work):
    """The counts of each level."""
    data = dataset.build(work / "data", MEBIBYTES)
    program = work / "sluice"
    subprocess.run(["strip", "-o", program, SLUICE], check=True)
    for level in ("default", "store"):
        calls = [system_calls(data, level, work / f"{level}-{number}") for number in range(ROUNDS)]
        yield level, {
            "instructions": valgrind(program, "callgrind", r"Collected : (\d+)", data, level),
            "allocations": valgrind(program, "dhat", r"Total: .* in ([\d,]+) blocks", data, level),
            "system calls that do something": round(median(doing for doing, _ in calls)),
            "system calls that wait": round(median(waiting for _, waiting in calls)),
            "peak KiB": min(peak(data, level) for _ in range(ROUNDS)),
        }


def compare(recorded, measured):
    """Prints a row for each count. Whether all are within their tolerance."""
    good = True
    for level, counts in measured["levels"].items():
        for name, value in counts.items():
            before = recorded["levels"][level][name]
            change = value / before - 1
            verdict = "grown" if change > TOLERANCE[name] else "less: --update?" if change < -TOLERANCE[name] else ""
            if name in DEPENDS_ON_PROCESSORS and recorded["processors"] != measured["processors"]:
                verdict = f"not compared: recorded with {recorded['processors']} processors"
            good = good and verdict != "grown"
            growth = f"{change:+7.1%} of {TOLERANCE[name]:4.0%}"
            print(f"{level:8} {name:31} {before:12,} → {value:12,}  {growth}  {verdict}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    engine = "ISA-L" if "libisal" in subprocess.check_output(["ldd", SLUICE], text=True) else "zlib"
    recorded = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    with tempfile.TemporaryDirectory() as work:
        measured = {"processors": os.cpu_count(), "levels": dict(count(Path(work)))}
    if options.update:
        COUNTS.write_text(json.dumps(recorded | {engine: measured}, indent=2) + "\n")
        return 0
    if engine not in recorded:
        print(f"there are no counts with {engine} yet: --update", file=sys.stderr)
        return 1
    return 0 if compare(recorded[engine], measured) else 1


if __name__ == "__main__":
    sys.exit(main())
