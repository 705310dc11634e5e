"""What restic and borg add to their repositories on the second night, by the form in which they get a backup.

    python3 engines.py SLUICE [MEBIBYTES]

Databases of so many MiB in all (64), in WAL mode. Before the second night, nothing has changed; or 2 % of the pages, at random; or the
database whose name is the first has grown by a page. `store` is an aligned archive, `fast` a compressed one, `unpacked` a directory with the
databases themselves. `borg default` has borg's own chunks, `borg pages` those of 4,096 bytes. Megabytes that the repository has grown by;
the last column is the first night. What rclone moves is the archive's size, each night: the first line of the output.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration/support"))

import data as make  # noqa: E402
from dataset import build  # noqa: E402

FORMS = ("store", "fast", "unpacked")
PAGES = ("--chunker-params", "fixed,4096")


def size(directory):
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def nothing(data):
    pass


def pages(data):
    """One row on 2 % of the pages of each table, at random."""
    for path in sorted(set(data.glob("*.db")) - {data / "a.db"}):
        with sqlite3.connect(path) as connection:
            count = connection.execute("PRAGMA page_count").fetchone()[0] // 50
            ids = [row[0] for row in connection.execute("SELECT rowid FROM record")]
            column = "c1" if path.stem == "search" else connection.execute("PRAGMA table_info(record)").fetchall()[-1][1]
            for number in random.Random(1).sample(ids, min(count, len(ids))):
                connection.execute(f"UPDATE record SET {column} = substr({column}, 2) || 'x' WHERE rowid = ?", [number])
        connection.close()


def growth(data):
    with sqlite3.connect(data / "a.db") as connection:
        connection.execute("INSERT INTO t VALUES (zeroblob(3000))")
    connection.close()


class Forms:
    """A night's backup in each form."""

    def __init__(self, sluice, data, place):
        self.data, self.files = data, {}
        for form in ("store", "fast"):
            self.files[form] = place / f"{form}.zip"
            subprocess.run(
                [sluice, "backup", "--data", data, "--compression", form, "-o", self.files[form]], check=True, stdout=subprocess.DEVNULL
            )
        self.files["unpacked"] = place / "unpacked"
        subprocess.run(["unzip", "-q", "-d", self.files["unpacked"], self.files["store"]], check=True)


class Restic:
    def __init__(self, repository):
        self.call = ["restic", "-q", "-r", repository]
        subprocess.run([*self.call, "init"], check=True)

    def keep(self, backup, form):
        if form == "unpacked":
            subprocess.run([*self.call, "backup", "."], check=True, cwd=backup)
        else:
            with open(backup) as archive:
                subprocess.run([*self.call, "backup", "--stdin", "--stdin-filename", "backup.zip"], check=True, stdin=archive)


class Borg:
    chunks = ()

    def __init__(self, repository):
        self.repository, self.count = repository, 0
        subprocess.run(["borg", "init", "-e", "none", repository], check=True)

    def keep(self, backup, form):
        self.count += 1
        call = ["borg", "create", *self.chunks, f"{self.repository}::{self.count}"]
        if form == "unpacked":
            subprocess.run([*call, "."], check=True, cwd=backup)
        else:
            with open(backup) as archive:
                subprocess.run([*call, "-"], check=True, stdin=archive)


class BorgOfPages(Borg):
    chunks = PAGES


def main(sluice, mebibytes=64):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as place:
        place = Path(place)
        os.environ |= {"RESTIC_PASSWORD": "measured", "BORG_BASE_DIR": str(place / "borg"), "XDG_CACHE_HOME": str(place / "cache"),
                       "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}  # fmt: skip
        build(place / "data", int(mebibytes), only=make.WAL)
        connection = make.create(place / "data/a.db", make.WAL)
        connection.execute("CREATE TABLE t(a)")
        connection.close()
        (place / "first").mkdir()
        first = Forms(Path(sluice).resolve(), place / "data", place / "first")
        seconds = {}
        for change in (nothing, pages, growth):
            shutil.copytree(place / "data", changed := place / change.__name__)
            change(changed)
            (place / f"{change.__name__}-night").mkdir()
            seconds[change.__name__] = Forms(Path(sluice).resolve(), changed, place / f"{change.__name__}-night")
        print("archives:", *(f"{form} {first.files[form].stat().st_size / 1e6:.1f} MB" for form in ("store", "fast")))
        print(f"| {'engine':12} | {'form':8} |", *(f"{name:>8} |" for name in seconds), "   first |")
        for name, engine in (("restic", Restic), ("borg default", Borg), ("borg pages", BorgOfPages)):
            for form in FORMS:
                figures = []
                for night, second in seconds.items():
                    repository = place / f"{engine.__name__}-{form}-{night}"
                    kept = engine(repository)
                    kept.keep(first.files[form], form)
                    before = size(repository)
                    kept.keep(second.files[form], form)
                    figures.append(size(repository) - before)
                    shutil.rmtree(repository)
                print(f"| {name:12} | {form:8} |", *(f"{figure / 1e6:8.2f} |" for figure in [*figures, before]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
