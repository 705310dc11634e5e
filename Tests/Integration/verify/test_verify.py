"""`sluice verify`: what is whole, incomplete, damaged or none of ours, from a file and from a pipe."""

import hashlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import data as make
from archive import Archive
from harness import SLUICE, run, wait_until
from restoring import LOOKALIKES, MEASURE, SLOW, backup, lookalikes, restore, small
from volumes import MEBIBYTE, volume

WHOLE, DAMAGED, FOREIGN, INCOMPLETE = 0, 1, 2, 3


@pytest.fixture(params=["file", "pipe"])
def verify(request):
    def verify(archive, *arguments, **options):
        if request.param == "file":
            return run("verify", archive, *arguments, **options)
        cat = subprocess.Popen(["cat", archive], stdout=subprocess.PIPE)
        with cat.stdout:
            result = run("verify", "-", *arguments, stdin=cat.stdout, **options)
        cat.wait()
        return result

    return verify


def retold(archive, path, change):
    """A copy of an archive after `change(contents, manifest)`, in which every CRC-32 is right."""
    with zipfile.ZipFile(archive) as source:
        contents = {name: source.read(name) for name in source.namelist()}
    manifest = json.loads(contents.pop("MANIFEST.json"))
    change(contents, manifest)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy:
        for name, content in [*contents.items(), ("MANIFEST.json", json.dumps(manifest))]:
            copy.writestr(name, content)
    return path


def confirm(manifest, name, content):
    """Makes the manifest tell other content."""
    [entry] = (entry for entry in manifest["entries"] if entry["path"] == name)
    entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "crc32": f"{zlib.crc32(content):08x}"}
    return entry


def test_whole(house, tmp_path, verify):
    archive = backup(house, tmp_path / "house.zip")
    result = verify(archive)
    assert (result.returncode, result.stderr) == (WHOLE, "")
    *lines, verdict = result.stdout.splitlines()
    names = Archive(archive).names
    assert [line.split(", ")[0] for line in lines] == names and all(": ok" in line for line in lines)
    assert verdict.endswith(f": whole: {len(names)} entries, all as the manifest says")


def test_names_that_look_the_same_are_told_apart(tmp_path, verify):
    (tmp_path / "source").mkdir()
    archive = backup(lookalikes(tmp_path / "source"), tmp_path / "x.zip")
    answer = json.loads(verify(archive, "--json").stdout)
    assert (answer["verdict"], answer["faults"]) == ("whole", [])
    assert {entry["path"] for entry in answer["entries"]} == {*LOOKALIKES, "VERSION", "MANIFEST.json"}

    def exchange(contents, manifest):
        contents[LOOKALIKES[0]], contents[LOOKALIKES[1]] = contents[LOOKALIKES[1]], contents[LOOKALIKES[0]]

    answer = json.loads(verify(retold(archive, tmp_path / "exchanged.zip", exchange), "--json").stdout)
    assert answer["verdict"] == "damaged"
    assert {entry["path"] for entry in answer["entries"] if "fault" in entry} == set(LOOKALIKES[:2])

    def leave_out(contents, manifest):
        del contents[LOOKALIKES[2]]

    answer = json.loads(verify(retold(archive, tmp_path / "less.zip", leave_out), "--json").stdout)
    assert (answer["verdict"], answer["faults"]) == ("damaged", [f"{LOOKALIKES[2]}: is missing"])


def test_a_directory_is_one_by_its_last_byte(archive, tmp_path, verify):
    """ARABIC NUMBER SIGN and what follows it are one character to Unicode. No manifest lists a folder: neither command takes it."""
    path = retold(archive, tmp_path / "x.zip", lambda contents, manifest: contents.update({"\u0600/": b""}))
    result = verify(path)
    assert result.returncode == DAMAGED and ": is a folder, which no manifest lists" in result.stdout.splitlines()[-2]
    (tmp_path / "target").mkdir()
    result = restore(path, tmp_path / "target")
    assert result.returncode == 1 and ": is a folder, which no manifest lists" in result.stderr


def test_a_version_longer_than_what_is_compared_is_still_summed_up(archive, tmp_path, verify):
    path = retold(archive, tmp_path / "x.zip", lambda contents, manifest: contents.update(VERSION=b"1" * 100_000))
    assert verify(path).returncode == DAMAGED

    def lie(contents, manifest):
        contents["VERSION"] = b"1" * 100_000
        confirm(manifest, "VERSION", contents["VERSION"])["sha256"] = "0" * 64

    path = retold(archive, tmp_path / "y.zip", lie)
    assert verify(path).returncode == DAMAGED
    (tmp_path / "target").mkdir()
    result = restore(path, tmp_path / "target")
    assert result.returncode == 1 and "VERSION: its SHA-256 is not what the manifest says" in result.stderr
    assert list((tmp_path / "target").iterdir()) == []


def test_json(archive, verify):
    answer = json.loads(verify(archive, "--json").stdout)
    whole = Archive(archive)
    assert (answer["verdict"], answer["faults"], answer["skipped"]) == ("whole", [], [])
    assert [entry["path"] for entry in answer["entries"]] == whole.names
    for entry in answer["entries"]:
        assert entry["sha256"] == hashlib.sha256(whole.read(entry["path"])).hexdigest()
        assert entry["size"] == len(whole.read(entry["path"]))
        assert entry["database"] is entry["path"].endswith(".db")


@pytest.mark.parametrize("compression", ["store", "fast", "best"])
def test_every_compression(tmp_path, verify, compression):
    source = small(tmp_path / "source", "new")
    assert run("backup", "--data", source, "-o", tmp_path / "x.zip", "--compression", compression).returncode == 0
    assert verify(tmp_path / "x.zip").returncode == WHOLE


def test_incomplete(tmp_path, verify):
    source = small(tmp_path / "source", "new")
    (source / "link.db").symlink_to("a.db")
    assert run("backup", "--data", source, "-o", tmp_path / "x.zip").returncode == 3
    result = verify(tmp_path / "x.zip")
    assert result.returncode == INCOMPLETE and "not in the archive: link.db" in result.stdout
    [skipped] = json.loads(verify(tmp_path / "x.zip", "--json").stdout)["skipped"]
    assert skipped["path"] == "link.db"


def verdicts(folder, archives):
    """The exit status of each."""

    def verdict(number_and_bytes):
        number, content = number_and_bytes
        path = folder / f"{number}.zip"
        path.write_bytes(content)
        result = run("verify", path)
        path.unlink()
        assert "atal error" not in result.stderr
        return result.returncode

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(verdict, enumerate(archives)))


@pytest.fixture
def tiny(tmp_path):
    """An archive of one small database, stored, so that few of its bytes carry no meaning."""
    (tmp_path / "tiny").mkdir()
    connection = make.create(tmp_path / "tiny/t.db", make.ROLLBACK, page_size=512)
    connection.execute("CREATE TABLE t(x)")
    connection.close()
    assert run("backup", "--data", tmp_path / "tiny", "-o", tmp_path / "tiny.zip", "--compression", "store").returncode == 0
    return (tmp_path / "tiny.zip").read_bytes()


# A process for each place. What memory the reader may touch at each of them, the unit tests ask in one process: `no archive that is
# cut off passes`, `no bit that means anything changes unnoticed`. So a sanitized program, slow to start, has a fifth of them.
FIFTH = 5 if os.environ.get("COSTS") == "any" else 1
STEP = 1 if SLOW else 7 * FIFTH


def test_every_byte_counts(tiny, tmp_path, record_property):
    """Save the permissions: nine bits, which stand nowhere else. A byte that is inverted changes the type of the file, too."""
    meaningless = {start + 40 for start in range(len(tiny)) if tiny[start : start + 4] == b"PK\x01\x02"}
    places = range(0, len(tiny), STEP)
    changed = (tiny[:place] + bytes([tiny[place] ^ 0xFF]) + tiny[place + 1 :] for place in places)
    passed = {place for place, status in zip(places, verdicts(tmp_path, changed)) if status != DAMAGED}
    # What does not even begin as a zip does is none.
    assert passed - set(range(4)) <= meaningless
    record_property("cases", len(places))


def test_cut_off_at_every_length(tiny, tmp_path, record_property):
    # The first are shorter than the records that are looked for at the end.
    lengths = [*range(0, 100, FIFTH), *range(100, len(tiny), STEP)]
    for length, status in zip(lengths, verdicts(tmp_path, (tiny[:length] for length in lengths))):
        assert status == (FOREIGN if length < 4 else DAMAGED), length
    record_property("cases", len(lengths))


def test_a_bit_of_an_empty_file_counts_too(tmp_path, verify):
    """A stored block without a byte: its length and the complement of that."""
    source = small(tmp_path / "source", "new")
    (source / "empty").touch()
    content = backup(source, tmp_path / "x.zip", "--include", "empty").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.getinfo("empty")
    start = content.index(b"empty", member.header_offset) + 5 + int.from_bytes(content[member.header_offset + 28 :][:2], "little")
    assert content[start : start + 5] == b"\x01\0\0\xff\xff"
    for bit in range(8, 40):
        damaged = bytearray(content)
        damaged[start + bit // 8] ^= 1 << bit % 8
        (tmp_path / "x.zip").write_bytes(damaged)
        result = verify(tmp_path / "x.zip")
        assert result.returncode == DAMAGED and "empty, 0 bytes: DAMAGED" in result.stdout, bit


def test_a_pipe_that_ends_early(tiny, tmp_path, verify):
    for length in (5, 100, len(tiny) // 2, len(tiny) - 1):
        (tmp_path / "x.zip").write_bytes(tiny[:length])
        assert verify(tmp_path / "x.zip").returncode == DAMAGED


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"no zip at all\n" * 100, b"SQLite format 3\0" + b"\0" * 4080],
    ids=["nothing", "two bytes", "text", "database"],
)
def test_no_zip(tmp_path, verify, content):
    (tmp_path / "x").write_bytes(content)
    result = verify(tmp_path / "x")
    assert result.returncode == FOREIGN and "it is no zip" in result.stdout


def test_a_plain_zip_is_checked_as_far_as_possible(archive, tmp_path, verify):
    """As the replaced method made it: databases and no manifest."""
    plain = tmp_path / "plain.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as copy:
        copy.writestr("a.db", source.read("a.db"))
    result = verify(plain)
    assert result.returncode == FOREIGN and "a.db" in result.stdout and "without a MANIFEST.json" in result.stdout
    with zipfile.ZipFile(plain, "a") as copy:
        copy.writestr("torn.db", b"SQLite format 3\0" + b"\xff" * 4080)
    result = verify(plain)
    assert result.returncode == DAMAGED and "torn.db, 4096 bytes: DAMAGED" in result.stdout


PACKED = {
    "compression method 12 (bzip2)": ["-mm=BZip2"],
    "compression method 14 (LZMA)": ["-mm=LZMA"],
    "encryption": ["-psecret"],
    "nothing special": [],
}


@pytest.mark.parametrize("how", PACKED)
def test_what_another_program_packed_again(archive, tmp_path, verify, how):
    """In a way of its own: it may be sound, and is no archive of ours. As we pack it, the manifest is enough."""
    with zipfile.ZipFile(archive) as source:
        source.extractall(tmp_path / "out")
    names = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file())
    again = tmp_path / "again.zip"
    subprocess.run(["7z", "a", "-tzip", *PACKED[how], again, *names], cwd=tmp_path / "out", check=True, capture_output=True)
    result = verify(again)
    (tmp_path / "target").mkdir()
    restored = restore(again, tmp_path / "target")
    if not PACKED[how]:
        assert (result.returncode, restored.returncode) == (WHOLE, 0), result.stdout + restored.stderr
        return
    assert result.returncode == FOREIGN and "DAMAGED" not in result.stdout
    assert f"another program packed it with {how}, which is not supported" in result.stdout
    assert str(names[0]) in result.stdout and restored.returncode == FOREIGN and "unzip it with that program" in restored.stderr
    assert not list((tmp_path / "target").iterdir())


def test_damage_before_what_another_program_packed_counts(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip:
        zip.writestr("torn.db", b"SQLite format 3\0" + b"\xff" * 4080)
        zip.writestr("more", b"more", zipfile.ZIP_BZIP2)
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        result = run("verify", "-", stdin=cat.stdout)
    assert result.returncode == DAMAGED and "torn.db, 4096 bytes: DAMAGED" in result.stdout and "bzip2" in result.stdout


@pytest.fixture(params=["verify", "restore"])
def read(request, tmp_path):
    """Has each command that reads an archive read a path."""
    (target := tmp_path / "target").mkdir()
    return lambda path: run(request.param, path, *(["--into", target] if request.param == "restore" else []))


def test_a_missing_file_is_one_line_and_no_verdict(read, tmp_path):
    result = read(tmp_path / "missing.zip")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert "missing.zip" in result.stderr and "No such file" in result.stderr


def test_a_directory_is_said_to_be_one(read, tmp_path):
    result = read(tmp_path)
    assert result.returncode == FOREIGN and result.stderr == f"sluice: {tmp_path} is a directory, and no archive\n"


def lie(field, value, path="b.db"):
    def change(contents, manifest):
        next(entry for entry in manifest["entries"] if entry["path"] == path)[field] = value

    return change


LIES = {
    "sha256": lie("sha256", "0" * 64),
    "crc32": lie("crc32", "00000000"),
    "size": lie("size", 1),
    "kind": lie("kind", "database", "floor_plan/plan.json"),
    "an entry less": lambda contents, manifest: manifest["entries"].pop(),
    "an entry more": lambda contents, manifest: contents.pop("a.db"),
    "twice": lambda contents, manifest: manifest["entries"].append(manifest["entries"][0]),
    "pages": lambda contents, manifest: next(
        entry for entry in manifest["entries"] if entry["path"] == "b.db"
    )["database"].update(page_count=1),
    "complete": lambda contents, manifest: manifest.update(complete=False),
    "skipped": lambda contents, manifest: manifest["skipped"].append({"path": "x", "reason": "locked", "detail": ""}),
    "version": lambda contents, manifest: manifest.update(app_version="other"),
    "format": lambda contents, manifest: manifest.update(format=2),
    "no entries": lambda contents, manifest: manifest.pop("entries"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_manifest_that_lies(archive, tmp_path, verify, lie):
    assert verify(retold(archive, tmp_path / "same.zip", lambda *_: None)).returncode == WHOLE
    assert verify(retold(archive, tmp_path / "x.zip", lie)).returncode == DAMAGED


def indexed(tmp_path, size=1):
    """An archive with a database in which an index lacks what its table has; only the thorough check compares them."""
    (tmp_path / "source").mkdir()
    path = tmp_path / "source/i.db"
    connection = make.create(path, make.ROLLBACK)
    connection.execute("CREATE TABLE t(word)")
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * size)
    connection.execute("CREATE INDEX of_it ON t(word) WHERE word <> 'late'")
    connection.execute("INSERT INTO t VALUES ('late')")
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX of_it ON t(word)' WHERE name = 'of_it'")
    connection.close()
    return backup(tmp_path / "source", tmp_path / "i.zip")


@pytest.mark.parametrize("size", [1, 9000], ids=["in memory", "in the spool"])
def test_a_database_that_is_not_whole(tmp_path, verify, size):
    archive = indexed(tmp_path, size)
    spool = tmp_path / "spool"
    spool.mkdir()
    result = verify(archive, "--spool-directory", spool)
    assert result.returncode == DAMAGED and "i.db" in result.stdout and "index of_it" in result.stdout
    assert verify(archive, "--quick", "--spool-directory", spool).returncode == WHOLE
    assert not list(spool.iterdir())


def test_a_foreign_key_that_leads_nowhere_is_told(tmp_path, verify):
    (tmp_path / "source").mkdir()
    connection = make.create(tmp_path / "source/f.db", make.WAL)
    connection.executescript("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE child(p REFERENCES p(id)); INSERT INTO child VALUES (7)")
    connection.close()
    result = verify(backup(tmp_path / "source", tmp_path / "f.zip"))
    assert result.returncode == WHOLE and "a foreign key in table child leads nowhere" in result.stdout


def test_a_hostile_schema_runs_nothing(archive, tmp_path, verify):
    """A check constraint, a view and a generated column that would load code, were they evaluated."""
    path = tmp_path / "evil.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t(x, y AS (hex(x)), CHECK (x <> 1))")
    connection.execute("INSERT INTO t VALUES (2)")
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'x <> 1', 'load_extension(x) <> 1')")
    connection.commit()
    connection.close()

    def change(contents, manifest):
        contents["a.db"] = path.read_bytes()
        confirm(manifest, "a.db", contents["a.db"])["database"]["page_count"] = path.stat().st_size // 4096

    result = verify(retold(archive, tmp_path / "x.zip", change))
    assert result.returncode in (WHOLE, DAMAGED) and "not authorized" not in result.stdout
    assert "extension" not in result.stdout + result.stderr


def test_no_room_to_check_is_no_verdict(tmp_path):
    archive = indexed(tmp_path, 9000)
    result = run("verify", archive, "--spool-directory", tmp_path / "missing")
    assert result.returncode == 1 and result.stdout == "" and "--spool-directory" in result.stderr
    limited = ["prlimit", f"--fsize={1 << 20}"]
    spool = tmp_path / "spool"
    spool.mkdir()
    result = run("verify", archive, "--spool-directory", spool, prefix=limited)
    assert result.returncode == 1 and result.stdout == "" and "no room" in result.stderr
    assert not list(spool.iterdir())


def spooled(process, place, size=1):
    """Its open file of that size, or a larger one, in a spool directory. The name is gone as soon as SQLite has it open."""
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if os.readlink(descriptor).startswith(f"{place}/") and descriptor.stat().st_size >= size:
                return descriptor
    return None


def requests(place):
    """How many reads the device of a file system has done: the kernel's Documentation/block/stat.rst."""
    device = os.stat(place).st_dev
    return int(Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()[0])


def test_a_database_that_memory_has_no_room_for_is_not_read_page_by_page(tmp_path):
    """Its pages are dropped before SQLite's check begins, as if more had come than memory holds."""
    (source := tmp_path / "source").mkdir()
    size = make.bulk(source / "large.db", make.WAL, 62).stat().st_size
    archive = backup(source, tmp_path / "x.zip")
    with zipfile.ZipFile(archive) as contents:
        held_back = contents.getinfo("VERSION").header_offset - 1000
    content = archive.read_bytes()
    (place := tmp_path / "spool").mkdir()
    with volume("ext4", place), subprocess.Popen([SLUICE, "verify", "-", "--spool-directory", place], stdin=subprocess.PIPE) as process:
        process.stdin.write(content[:held_back])
        process.stdin.flush()

        with wait_until(lambda: spooled(process, place, size - MEBIBYTE), "nearly all of it in the spool").open("rb") as spool:
            os.fsync(spool.fileno())
            os.posix_fadvise(spool.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        before = requests(place)
        process.stdin.write(content[held_back:])
        process.stdin.close()
        assert process.wait() == 0
        assert requests(place) - before < size / 4096 / 8


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_leaves_nothing_in_the_spool(large_archive, tmp_path, number):
    command = [SLUICE, "verify", large_archive, "--spool-directory", tmp_path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    wait_until(lambda: spooled(process, tmp_path), "a database in the spool")
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 1 and output == "" and "interrupted" in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.measures
def test_memory_and_speed(large_archive, tmp_path, figure):
    start = time.perf_counter()
    subprocess.run(["unzip", "-tq", large_archive], check=True, stdout=subprocess.DEVNULL)
    unzip = time.perf_counter() - start
    start = time.perf_counter()
    result = run("verify", large_archive, "--quick", "--spool-directory", tmp_path, prefix=["/usr/bin/python3", "-c", MEASURE])
    seconds = time.perf_counter() - start
    peak = int(result.stdout.split()[-1])
    figure("verify --quick of 600 MB", f"{seconds:.1f} s (unzip -t {unzip:.1f} s), {peak} MiB")
    assert result.returncode == 0 and peak <= 48
    assert os.listdir(tmp_path) == []
