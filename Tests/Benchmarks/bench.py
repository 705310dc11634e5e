#!/usr/bin/python3
"""Measures Sluice beside other ways to the same archive, on the same data in the same run: RESULTS.md and its pictures.

    make bench                  256 MB
    make bench BENCH=full       2 GB as well

The exit status is 1 if Sluice was slower than the method that it replaces.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Integration/support"))

import contestants  # noqa: E402
import data as make  # noqa: E402
import dataset  # noqa: E402
import hotspots  # noqa: E402
import interference  # noqa: E402
import promises  # noqa: E402
import report  # noqa: E402
from costs import settle  # noqa: E402
from harness import SLUICE  # noqa: E402

PATIENCE = 30  # Seconds that a backup has while there are writers.


def race(field, work, rounds):
    """Rounds that take turns, so that a busy moment of the machine hits all alike."""
    for contestant in field:  # one to warm up, of which the archive is looked at
        contestant.run(work / "archive")
        if contestant.check:
            contestant.check(work / "archive")
        if contestant.name == "Sluice, default":
            (work / "archive").rename(work / "ready.zip")
            (work / "ready.zip").chmod(0o644)
    measured = {contestant.name: [] for contestant in field}
    for number in range(rounds):
        for contestant in field:
            settle()
            measured[contestant.name].append(contestant.run())
            print(f"round {number + 1}: {contestant.name}: {measured[contestant.name][-1]}", flush=True)
    return measured


def disturb(field, data, rounds, seconds):
    """Writers without a backup, then beside each of those that read the databases."""
    noticed = {name: interference.Noticed() for name in ("no backup", *(one.name for one in field if one.data))}
    for number in range(rounds):
        settle()
        interference.measure(noticed["no backup"], data, lambda: time.sleep(seconds), seconds, contestants.Unfinished)
        for one in field:
            if one.data:
                settle()
                backup = lambda one=one: one.run(patience=PATIENCE)  # noqa: E731
                interference.measure(noticed[one.name], one.data, backup, seconds, contestants.Unfinished)
                print(f"writers {number + 1}: {one.name}: {noticed[one.name].finished} finished", flush=True)
    return noticed


def machine():
    def say(*command):
        return subprocess.check_output(command, text=True).strip()

    with open("/proc/cpuinfo") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "unknown")
    engine = "ISA-L" if "libisal" in say("ldd", SLUICE) else "zlib"
    query = ["dpkg-query", "-W", "-f", "${Package} ${Version}, ", "nginx", "pigz", "zip", "python3-zipstream-ng"]
    packages = subprocess.run(query, capture_output=True, text=True).stdout  # of those that there are
    return (
        f"{os.cpu_count()} cores of {model}, Linux {platform.release()}; {say(SLUICE, '--version')} with {engine}; "
        f"SQLite {say('sqlite3', '--version').split()[0]}, {say('go', 'version').split()[2]}, {packages.rstrip(', ')}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, nargs="+", default=[256])
    parser.add_argument("--seconds", type=float, default=10, help="of writers, for each contestant in each round")
    parser.add_argument("--output", type=Path, default=HERE, help="the directory of RESULTS.md")
    parser.add_argument("--no-promises", action="store_true", help="leave out what no other method is compared with")
    options = parser.parse_args()
    slower = False
    work_directory = {"dir": "/var/tmp", "prefix": "sluice-bench-"}
    lines = [
        "# Results", "",
        f"    /usr/bin/python3 Tests/Benchmarks/bench.py {' '.join(sys.argv[1:])}".rstrip(), "",
        f"wrote this on {time.strftime('%-d %B %Y')}. {machine()}.",
        f"Load average at the start: {os.getloadavg()[0]:.1f}.",
        f"Medians of {options.rounds} rounds that take turns, with the least and the greatest.",
        "What the words mean: [README.md](README.md).", "",
    ]  # fmt: skip
    writers, profiles = [], {}
    for mebibytes in options.mebibytes:
        with tempfile.TemporaryDirectory(**work_directory) as work:
            work = Path(work)
            data = dataset.build(work / "data", mebibytes)
            field = list(contestants.field(data, work))
            size = sum(path.stat().st_size for path in data.glob("*.db"))
            if not writers:
                lines += report.legend(field)
            rounds = race(field, work, options.rounds)
            lines += report.sizes(options.output, mebibytes, size, rounds)
            slower |= report.slower(rounds)
            for level in ("default", "store"):
                profiles[f"{level}, {mebibytes} MiB"] = hotspots.measured(data, level, work)
            if not writers:
                noticed = disturb(field, data, min(options.rounds, 3), options.seconds)
                writers = report.writers(options.output, noticed, PATIENCE)
        with tempfile.TemporaryDirectory(**work_directory) as work:
            work = Path(work)
            data = dataset.build(work / "data", mebibytes, make.WAL)
            rounds = race(list(contestants.duel(data, work)), work, options.rounds)
            for level in ("default", "store"):
                profiles[f"{level}, {mebibytes} MiB in WAL mode"] = hotspots.measured(data, level, work)
            lines += report.all_wal(sum(path.stat().st_size for path in data.glob("*.db")), rounds)
    lines += report.hotspots(profiles)
    lines += writers
    if not options.no_promises:
        with tempfile.TemporaryDirectory(**work_directory) as work:
            lines += report.promises(list(promises.measured(Path(work))))
    (options.output / "RESULTS.md").write_text("\n".join(lines).rstrip() + "\n")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
