"""Archives as other programs read them: Info-ZIP, Python, 7-Zip, libarchive and Java, from a file or front to back."""

import hashlib
import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import data as make
from archive import Archive
from harness import serve

SUPPORT = Path(__file__).parents[1] / "support"
MEBIBYTE = 1 << 20


def extracted(directory):
    return {
        str(path.relative_to(directory)): digest(path.read_bytes()) for path in directory.rglob("*") if path.is_file()
    }


def digest(content):
    return hashlib.sha256(content).hexdigest()


def unzip(file, directory):
    subprocess.run(["unzip", "-tq", file], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["unzip", "-q", file, "-d", directory], check=True)
    return extracted(directory)


def python(file, directory):
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        archive.extractall(directory)
    return extracted(directory)


def seven_zip(file, directory):
    subprocess.run(["7z", "t", file], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["7z", "x", f"-o{directory}", file], check=True, stdout=subprocess.DEVNULL)
    return extracted(directory)


def bsdtar(file, directory):
    directory.mkdir()
    subprocess.run(["bsdtar", "-xf", file, "-C", directory], check=True)
    return extracted(directory)


def bsdtar_streaming(file, directory):
    directory.mkdir()
    with open(file, "rb") as archive:
        # A pipe, which cannot be sought in.
        cat = subprocess.Popen(["cat"], stdin=archive, stdout=subprocess.PIPE)
        subprocess.run(["bsdtar", "-xf", "-", "-C", directory], stdin=cat.stdout, check=True)
        cat.stdout.close()
        assert cat.wait() == 0
    return extracted(directory)


def java_streaming(file, _):
    with open(file, "rb") as archive:
        command = ["java", SUPPORT / "StreamReader.java"]
        output = subprocess.run(command, stdin=archive, check=True, capture_output=True).stdout.decode()
    return {name: digest for digest, _, name in (line.split(" ", 2) for line in output.splitlines())}


READERS = [unzip, python, seven_zip, bsdtar, bsdtar_streaming, java_streaming]


@pytest.fixture(scope="session")
def archives(pristine_house, tmp_path_factory):
    """One archive for each level of compression, with entries empty, small, large, nested and not in ASCII."""
    directory = tmp_path_factory.mktemp("archives")
    house = shutil.copytree(pristine_house, directory / "house")
    (house / "floor_plan" / "数据 🏠.bin").write_bytes(b"\0" * 3 * MEBIBYTE)
    (house / "empty.db").touch()
    (house / "story.db").write_bytes(b"no database")
    with serve(house) as server:
        for compression in ("store", "fast", "default", "best"):
            content = server.get(f"/api/backup?compression={compression}").body
            (directory / f"{compression}.zip").write_bytes(content)
    return directory


@pytest.mark.parametrize("compression", ["store", "fast", "default", "best"])
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_reader_finds_what_the_manifest_promises(archives, tmp_path, compression, reader):
    file = archives / f"{compression}.zip"
    archive = Archive(file)
    promised = {name: entry["sha256"] for name, entry in archive.entries.items()}
    promised["MANIFEST.json"] = digest(archive.read("MANIFEST.json"))
    assert reader(file, tmp_path / "out") == promised


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_the_smallest_archive_is_read_by_all(tmp_path, reader):
    (tmp_path / "data").mkdir()
    with serve(tmp_path / "data") as server:
        (tmp_path / "small.zip").write_bytes(server.get("/api/backup").body)
    assert set(reader(tmp_path / "small.zip", tmp_path / "out")) == {"VERSION", "MANIFEST.json"}


class Ends(io.RawIOBase):
    """A file of which only the end is kept: enough for the central directory, wherever that says it is."""

    KEPT = 64 << 10

    def __init__(self):
        self.size, self.end, self.position = 0, b"", 0

    def append(self, block):
        self.size += len(block)
        self.end = (self.end + bytes(block[-self.KEPT :]))[-self.KEPT :]

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        self.position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        return self.position

    def tell(self):
        return self.position

    def read(self, count=-1):
        start = self.position - (self.size - len(self.end))
        assert start >= 0, "that part was not kept"
        block = self.end[start:] if count < 0 else self.end[start : start + count]
        self.position += len(block)
        return block


def sparse_house(directory):
    """4.2 GiB that take no room: a file past the limit of 32 bits, with entries before and after it."""
    make.ledger(directory / "before.db", make.WAL, accounts=10)
    (directory / "floor_plan").mkdir()
    with open(directory / "floor_plan/sparse.bin", "wb") as file:
        file.truncate(4300 * MEBIBYTE)
        file.write(b"a beginning")
        file.seek(-6, io.SEEK_END)
        file.write(b"an end")
    (directory / "floor_plan/tiny.txt").write_text("after it")


def test_an_archive_past_4_gib_is_read_front_to_back_and_from_its_end(tmp_path):
    sparse_house(tmp_path)
    names = ["before.db", "floor_plan/sparse.bin", "floor_plan/tiny.txt", "VERSION", "MANIFEST.json"]
    ends = Ends()
    listing = tmp_path / "listing"
    with serve(tmp_path) as server, server.connect() as connection, open(listing, "wb") as output:
        # libarchive reads every byte, checks every CRC, and knows nothing of the central directory.
        reader = subprocess.Popen(["bsdtar", "-tf", "-"], stdin=subprocess.PIPE, stdout=output)
        response = connection.begin("/api/backup?compression=store")
        announced = int(response.headers["Content-Length"])
        block = memoryview(bytearray(4 * MEBIBYTE))
        while count := response.readinto(block):
            reader.stdin.write(block[:count])
            ends.append(block[:count])
        reader.stdin.close()
        assert reader.wait() == 0
    assert listing.read_text().splitlines() == names
    assert announced == ends.size > 4 << 30
    with zipfile.ZipFile(ends) as archive:
        assert archive.namelist() == names
        assert archive.getinfo("floor_plan/sparse.bin").file_size == 4300 * MEBIBYTE
        assert archive.getinfo("VERSION").header_offset > 4 << 30
        assert archive.read("floor_plan/tiny.txt") == b"after it"
        assert b'"floor_plan/sparse.bin"' in archive.read("MANIFEST.json")


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["unzip -tq", "7z t", "java", "python3 -m zipfile -t"])
def test_an_entry_past_4_gib_is_read_by_all(tmp_path, reader):
    sparse_house(tmp_path)
    file = tmp_path / "file.zip"
    with serve(tmp_path) as server:
        subprocess.run(["curl", "-fsS", "-o", file, f"{server.url}/api/backup?compression=fast"], check=True)
    if reader == "java":
        assert len(java_streaming(file, None)) == 5
    else:
        subprocess.run([*reader.split(), file], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("journal_mode", [make.WAL, pytest.param(make.ROLLBACK, marks=pytest.mark.slow)])
def test_a_database_past_1_gib_has_its_lock_page(tmp_path, journal_mode):
    """The page with byte 2^30 is never used, and reads as zeros: fileformat2.html §1.4."""
    connection = make.create(tmp_path / "large.db", journal_mode, page_size=65536)
    connection.execute("PRAGMA wal_autocheckpoint=100")
    connection.execute("CREATE TABLE record(content BLOB)")
    connection.executemany("INSERT INTO record VALUES (zeroblob(?))", [(64 * MEBIBYTE,)] * 17)
    connection.execute("INSERT INTO record VALUES ('past the lock page')")
    assert connection.execute("PRAGMA page_count").fetchone()[0] * 65536 > 17 << 26
    connection.close()
    with serve(tmp_path) as server:
        subprocess.run(
            ["curl", "-fsS", "-o", tmp_path / "file.zip", f"{server.url}/api/backup?compression=fast"], check=True
        )
    archive = Archive(tmp_path / "file.zip")  # it checks the integrity
    assert archive.manifest["complete"]
    with archive.database("large.db") as copy:
        assert copy.execute("SELECT content FROM record WHERE rowid = 18").fetchone() == ("past the lock page",)
