"""What a night costs whose client has the last archive, turn by turn with a whole backup and with sqlite3_rsync.

    python3 deltas.py SLUICE [MEBIBYTES [ROUNDS]]

One database in WAL mode of so many MiB (1024), of which one row on 1 % of the pages, at random, changes before each round (5); medians.
Bytes on the wire, seconds from the request to the archive on the client's disk, seconds of the server's processor for each GB, the peak
memory of a service that does nothing else, and the size of what it keeps. `pull` is `sluice pull` of both, which also verifies the archive
and waits until the disk has it. sqlite3_rsync is measured if SQLITE3_RSYNC names it: the
Python package apsw brings it (apsw/sqlite_extra_binaries).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration/support"))

import data as make  # noqa: E402
from harness import TICKS_PER_SECOND, Server  # noqa: E402

def timed(server, command):
    """Seconds, and those of the server's processor, for a shell's command."""
    start, ticks = time.perf_counter(), server.cpu_ticks()
    subprocess.run(["bash", "-eo", "pipefail", "-c", command], check=True)
    return time.perf_counter() - start, (server.cpu_ticks() - ticks) / TICKS_PER_SECOND


def tag(head):
    return re.search(r"(?im)^etag: (\S+)", head.read_text())[1]


def pull(program, server, directory, *options):
    """Bytes on the wire, and seconds."""
    directory.mkdir(exist_ok=True)
    command = [program, "pull", f"{server.url}/api/backup", "--into", directory, "--last", "1", *options]
    start = time.perf_counter()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - start
    delta = re.search(r"([\d.]+) ([kM])B transferred", said)
    size = float(delta[1]) * {"k": 1e3, "M": 1e6}[delta[2]] if delta else int(re.search(r"(\d+) bytes", said)[1])
    return size, seconds, 0


def serving(program, directory, state, port=0):
    command = [program, "serve", "--data", directory, "--listen", f"127.0.0.1:{port}", "--state-directory", state]
    server = Server(command)
    server.wait_until_it_listens()
    return server


def main(program, mebibytes=1024, rounds=5):
    work = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="deltas-"))
    (work / "data").mkdir()
    (work / "state").mkdir()
    database = work / "data/telemetry.db"
    text, count = make.readings(database, mebibytes)
    gigabytes = database.stat().st_size / 1e9
    rsync = os.environ.get("SQLITE3_RSYNC")
    figures = {"whole": [], "delta": [], "pull, whole": [], "pull, delta": [], "sqlite3_rsync": []}
    peaks = []
    try:
        server = serving(program, work / "data", work / "state")
        url = f"{server.url}/api/backup?compression="
        subprocess.run(["curl", "-fsS", "-D", work / "head", "-o", work / "base.zip", url + "store"], check=True)
        pull(program, server, work / "kept")
        if rsync:
            subprocess.run([rsync, database, work / "replica.db"], check=True, capture_output=True)
        for number in range(rounds):
            make.change_readings(database, text, count, number)
            base = tag(work / "head")
            seconds, cpu = timed(server, f"curl -fsS -o {work}/whole.zip '{url}default'")
            figures["whole"].append(((work / "whole.zip").stat().st_size, seconds, cpu))
            server.kill()
            # A process of its own has a peak of its own. A client takes another port for another service.
            server = serving(program, work / "data", work / "state", server.ports[0])
            url = f"{server.url}/api/backup?compression="
            fields = f"-H 'A-IM: vcdiff, gzip' -H 'If-None-Match: {base}'"
            seconds, cpu = timed(
                server,
                f"curl -fsS -D {work}/head {fields} '{url}store' | tee {work}/delta | gunzip "
                f"| xdelta3 -B 524288 -W 65536 -dfs {work}/base.zip /dev/stdin {work}/made.zip",
            )
            assert " 226 " in (work / "head").read_text().splitlines()[0]
            figures["delta"].append(((work / "delta").stat().st_size, seconds, cpu))
            peaks.append(server.peak_resident_kib() / 1024)
            (work / "made.zip").replace(work / "base.zip")
            figures["pull, whole"].append(pull(program, server, work / "kept whole", "--whole"))
            figures["pull, delta"].append(pull(program, server, work / "kept"))
            if rsync:
                start = time.perf_counter()
                result = subprocess.run(
                    [rsync, "-v", database, work / "replica.db"], check=True, capture_output=True, text=True
                )
                sent, received = re.search(r"sent ([\d,]+) bytes, received ([\d,]+)", result.stdout + result.stderr).groups()
                size = int(sent.replace(",", "")) + int(received.replace(",", ""))
                figures["sqlite3_rsync"].append((size, time.perf_counter() - start, 0))
        subprocess.run([program, "verify", work / "base.zip"], check=True, stdout=subprocess.DEVNULL)
        kept = max(path.stat().st_size for path in (work / "state/delta").iterdir())
        server.kill()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    medians = {name: [median(column) for column in zip(*rows)] for name, rows in figures.items() if rows}
    print(f"{mebibytes} MiB, 1 % of the pages changed, medians of {rounds} rounds")
    for name, (size, seconds, cpu) in medians.items():
        print(f"{name:14} {size / 1e6:9.2f} MB on the wire {seconds:7.2f} s {cpu / gigabytes:6.2f} s of the server's processor a GB")
    whole, delta = medians["whole"], medians["delta"]
    print(f"delta ÷ whole: bytes 1/{whole[0] / delta[0]:.0f}, time {delta[1] / whole[1]:.2f}, processor {delta[2] / whole[2]:.2f}")
    print(f"pull, delta ÷ whole: time {medians['pull, delta'][1] / medians['pull, whole'][1]:.2f}")
    if rsync:
        print(f"delta ÷ sqlite3_rsync: bytes {delta[0] / medians['sqlite3_rsync'][0]:.2f}")
    print(f"peak memory {max(peaks):.1f} MiB, kept {kept / 1e6 / gigabytes:.2f} MB a GB")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], *map(int, sys.argv[2:]))
