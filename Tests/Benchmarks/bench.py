#!/usr/bin/python3
"""Measures Sluice beside the method that it replaces, on the same data in the same run, and writes down the figures.

    make build && /usr/bin/python3 Tests/Benchmarks/bench.py

Needs golang-go, libsqlite3-dev and curl beside what the end-to-end tests need, and 4 GB of disk. With `--check`
the README is left as it is. The exit status is 1 if Sluice was slower than the replaced method.
"""

import argparse
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Integration"))

import data as make  # noqa: E402
import dataset  # noqa: E402
from archive import Archive  # noqa: E402
from harness import SLUICE, TICKS_PER_SECOND, Server, serve  # noqa: E402
from measure import (  # noqa: E402
    checkpoint_delay, downloading, first_bytes, health_p99, swallow, wait_until_still,
)  # fmt: skip

BEGIN, END = "<!-- written by bench.py: begin -->\n", "<!-- written by bench.py: end -->\n"
MEBIBYTE = 1 << 20


class Contestant:
    """One way to make the archive, with a fresh process for every round."""

    def __init__(self, name, command, target):
        self.name, self.command, self.target = name, command, target
        self.rounds = []

    def run_once(self, output="/dev/null"):
        settle()
        server = Server(self.command)
        try:
            server.wait_until_it_listens()
            ticks = server.cpu_ticks()
            form = "%{time_starttransfer} %{time_total} %{size_download}"
            command = ["curl", "-fsS", "-o", output, "-w", form, server.url + self.target]
            first, total, size = map(float, subprocess.check_output(command).split())
            cpu = (server.cpu_ticks() - ticks) / TICKS_PER_SECOND
            return {"first": first, "total": total, "size": size, "cpu": cpu, "peak": server.peak_resident_kib()}
        finally:
            server.kill()

    def median(self, key):
        return median(round[key] for round in self.rounds)


def settle(patience=60):
    """Waits for a moment in which nobody else uses the processors, but not for ever."""

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


def contestants(pristine, work, replaced):
    """The replaced method changes the journal modes of what it reads, so everyone gets a copy."""
    copies = {name: shutil.copytree(pristine, work / name) for name in ("replaced", "sluice")}
    yield Contestant("replaced method", [replaced, copies["replaced"], "127.0.0.1:0"], "/api/backup")
    command = [SLUICE, "serve", "--data", copies["sluice"], "--listen", "127.0.0.1:0"]
    for level in ("default", "fast", "store"):
        yield Contestant(f"Sluice, `{level}`", command, f"/api/backup?compression={level}")


def compare(pristine, work, rounds):
    """Medians of rounds that take turns, so that a busy moment of the machine hits all alike."""
    replaced = work / "replaced-method"
    subprocess.run(["go", "build", "-o", replaced, "."], cwd=HERE / "replaced-method", check=True)
    field = list(contestants(pristine, work / "copies", replaced))
    for contestant in field:  # one round to warm up, of which the archive is looked at
        contestant.run_once(work / "archive.zip")
        if "Sluice" in contestant.name:
            assert Archive(work / "archive.zip").manifest["complete"]
        else:
            subprocess.run(["unzip", "-tq", work / "archive.zip"], check=True, stdout=subprocess.DEVNULL)
    for number in range(rounds):
        for contestant in field:
            contestant.rounds.append(contestant.run_once())
            print(f"round {number + 1}: {contestant.name}: {contestant.rounds[-1]}", flush=True)
    size = sum(path.stat().st_size for path in pristine.glob("*.db"))
    lines = [
        "| | time | throughput | archive | first byte | processor | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for contestant in field:
        total = contestant.median("total")
        lines.append(
            f"| {contestant.name} | {total:.2f} s | {size / total / 1e6:.0f} MB/s "
            f"| {contestant.median('size') / 1e6:.1f} MB | {contestant.median('first') * 1000:.0f} ms "
            f"| {contestant.median('cpu'):.2f} s | {contestant.median('peak') / 1024:.0f} MiB |"
        )
    return lines, field[1].median("total") / field[0].median("total"), size


def limits(work):
    """What the service promises, a row each: what, its limit, what was measured."""
    for name, mebibytes in (("600 MB", 580), ("2 GB", 2000)):
        (work / name).mkdir()
        make.bulk(work / name / "large.db", make.WAL, mebibytes)
        with serve(work / name) as server:
            for level in ("fast", "store"):
                swallow(server, f"/api/backup?compression={level}")
            yield f"peak memory, {name} WAL database", "32 MiB", f"{server.peak_resident_kib() / 1024:.1f} MiB"
    (work / "many").mkdir()
    for number in range(1000):
        make.ledger(work / "many" / f"{number}.db", (make.WAL, make.ROLLBACK)[number % 2], accounts=1)
    with serve(work / "many") as server:
        before = server.peak_resident_kib()
        swallow(server)
        added = (server.peak_resident_kib() - before) / 1000
    yield "memory for each of 1,000 small databases, half of them in WAL mode", "", f"{added:.0f} KiB"
    directory = work / "600 MB"
    with serve(directory) as server:
        head, content = first_bytes(server, rounds=21)
    yield "first byte of the response, 600 MB WAL database", "50 ms", f"{head * 1000:.1f} ms"
    yield "first byte of the zip, the same", "", f"{content * 1000:.1f} ms"
    with serve(directory) as server, downloading(server):
        p99 = health_p99(server, requests=5000)
    yield "`/healthz`, p99 of 5000, a backup running", "10 ms", f"{p99 * 1000:.2f} ms"
    with serve(directory) as server, server.connect(receive_buffer=4096) as client, ExitStack() as stack:
        path = directory / "large.db"
        application = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        client.begin().read(1000)
        wait_until_still(server)
        resident = server.resident_kib()
        p99 = health_p99(server, requests=5000)
        yield "`/healthz`, p99 of 5000, a client stopped", "10 ms", f"{p99 * 1000:.2f} ms"
        yield "memory added meanwhile", "flat", f"{server.resident_kib() - resident} KiB"
        wait_until_still(server)
        ticks = server.cpu_ticks()
        time.sleep(10)
        ticks = server.cpu_ticks() - ticks
        yield "processor that the stopped client costs", "none", f"{ticks * 1000 / TICKS_PER_SECOND:.0f} ms in 10 s"
        application.execute("UPDATE record SET at = 0 WHERE id = 1")
        delay = checkpoint_delay(path, client.close)
        yield "from its leaving to a `wal_checkpoint(TRUNCATE)`", "1 s", f"{delay * 1000:.0f} ms"


def machine():
    with open("/proc/cpuinfo") as file:
        model = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    say = lambda *command: subprocess.check_output(command, text=True).strip()  # noqa: E731
    return (
        f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, {say(str(SLUICE), '--version')}, "
        f"SQLite {say('sqlite3', '--version').split()[0]}, {' '.join(say('go', 'version').split()[2:3])}"
    )


def write_down(lines):
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--check", action="store_true", help="leave the README as it is")
    options = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="sluice-bench-") as work:
        work = Path(work)
        (work / "copies").mkdir()
        pristine = dataset.build(work / "data", options.mebibytes)
        table, ratio, size = compare(pristine, work, options.rounds)
        shutil.rmtree(work / "copies")
        promises = [f"| {what} | {limit} | {measured} |" for what, limit, measured in limits(work)]
    lines = [
        f"{machine()}. Load average at the start: {load}.", "",
        f"{size / 1e6:.0f} MB of databases; medians of {options.rounds} rounds that take turns, each a fresh process:",
        "",
        *table, "",
        f"Sluice took {ratio:.2f} of the replaced method's time at the default level.", "",
        "| what | limit | measured |", "|---|---|---|", *promises,
    ]  # fmt: skip
    print("\n".join(lines))
    if not options.check:
        write_down(lines)
    return 0 if ratio <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
