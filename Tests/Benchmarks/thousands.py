"""Thousands of databases in one backup, within the limits of the unit.

    python3 thousands.py SLUICE [DATABASES ...]

Databases in WAL mode, each with a row of its own, every tenth with its last frames in its WAL. The peak memory of the service beside
`MemoryMax=`, as `sluice setup` writes it for so many or as the unit has it; whether the archive is whole by `sluice verify`, and has
each row. More descriptors than this process may have are no fault of the program: that row is left out, and says so.
"""

import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Integration/support"))

import data as make  # noqa: E402
from harness import Server  # noqa: E402

COUNTS = (5_000, 10_000)  # the second is as many as a backup may have
DESCRIPTORS = 3  # that a database in WAL mode takes
OTHERS = 1_000  # descriptors
LIMIT = re.compile(r"^MemoryMax=(\d+)M$", re.MULTILINE)


def fill(directory, count):
    template = directory / "0.db"
    with closing(make.create(template, make.WAL)) as connection:
        connection.execute("CREATE TABLE beat(id INTEGER PRIMARY KEY, content BLOB)")
        connection.executemany("INSERT INTO beat(content) VALUES (randomblob(?))", [(1000,)] * 40)
        connection.execute("CREATE TABLE own(number INTEGER)")
    content = template.read_bytes()
    template.unlink()
    with tempfile.TemporaryDirectory(dir=directory.parent) as apart:
        for number in range(count):
            path = Path(apart) / "written.db"
            path.write_bytes(content)
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous=OFF")
                connection.execute("INSERT INTO own VALUES (?)", (number,))
                if number % 10 == 0:  # as a process leaves it that is killed
                    shutil.copy(f"{path}-wal", directory / f"{number}.db-wal")
                else:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                shutil.copy(path, directory / f"{number}.db")


def memory_limit(program, directory):
    """In MiB."""
    setup = subprocess.run([program, "setup", "--dry-run", "--data", directory], check=True, capture_output=True, text=True)
    written = LIMIT.search(setup.stdout) or LIMIT.search((ROOT / "deploy/systemd/sluice.service").read_text())
    return int(written[1])


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, count))  # ValueError, PermissionError where it may not


def backup(program, directory, archive):
    """MiB of memory at the most, seconds to the first byte, and to the last."""
    server = Server([program, "serve", "--data", directory, "--listen", "127.0.0.1:0"])
    try:
        server.wait_until_it_listens()
        with server.connect(timeout=600) as client, archive.open("wb") as file:
            start = time.perf_counter()
            response = client.begin("/api/backup")
            first = time.perf_counter() - start
            assert response.status == 200, f"{response.status}: {server.log}"
            shutil.copyfileobj(response, file)
            whole = time.perf_counter() - start
        status = Path(f"/proc/{server.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024, first, whole
    finally:
        server.kill()


def rows(archive, directory):
    """What the databases of the archive have as their own rows."""
    with zipfile.ZipFile(archive) as members:
        for number, name in enumerate(name for name in members.namelist() if name.endswith(".db")):
            path = Path(members.extract(name, directory))
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("SELECT number FROM own").fetchall() == [(int(path.stem),)], name
            path.unlink()
    return number + 1


def main(program, counts):
    for count in counts:
        try:
            allow_descriptors(count * DESCRIPTORS + OTHERS)
        except (ValueError, OSError) as error:
            print(f"{count} databases: not measured, more descriptors are not allowed here: {error}", flush=True)
            continue
        with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
            data, apart = Path(work) / "data", Path(work) / "apart"
            data.mkdir()
            apart.mkdir()
            fill(data, count)
            memory, first, whole = backup(program, data, apart / "archive.zip")
            subprocess.run([program, "verify", apart / "archive.zip"], check=True, stdout=subprocess.DEVNULL)
            assert rows(apart / "archive.zip", apart) == count
            limit = memory_limit(program, data)
            print(f"{count} databases: whole; {memory:.0f} MiB of {limit}, first byte {first:.1f} s, last {whole:.1f} s", flush=True)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), [int(count) for count in sys.argv[2:]] or COUNTS)
