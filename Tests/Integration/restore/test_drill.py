"""`sluice drill`: the newest backup is restored from where it is kept, looked into, and compared with the drill before."""

import io
import json
import os
import random
import re
import sqlite3
import subprocess
import time
import zipfile

import pytest

from harness import run, wait_until
from restoring import SLOW, backup, change, small

NAMES = [f"backup-2026-11-2{day}T030000Z.zip" for day in (5, 6, 7)]


@pytest.fixture
def place(tmp_path):
    for name in ("kept", "spool"):
        (tmp_path / name).mkdir()
    return tmp_path


def drill(place, *arguments, source=None, **options):
    result = run("drill", "--from", source or place / "kept", "--spool-directory", place / "spool", *arguments, **options)
    # Whatever happens, nothing is left.
    assert os.listdir(place / "spool") == []
    return result


def state(place):
    return json.loads((place / "state.json").read_text())


def test_what_is_kept_tells_of_the_last_drill(place):
    earlier, later = (time.strftime("backup-%Y-%m-%dT%H%M%SZ.zip", time.gmtime(time.time() - age)) for age in (3600, 60))
    backup(small(place / "data", "new"), place / "kept" / earlier)
    options = ("--state", place / "kept/.backup.drill.json", "--textfile", place / "drill.prom")
    kept = ("status", "--pulls", place / "kept")
    values = lambda: [int(line.split()[1]) for line in (place / "drill.prom").read_text().splitlines() if line[0] != "#"]  # noqa: E731
    assert "drill" not in run(*kept).stdout
    assert drill(place, *options).returncode == 0
    passed = values()
    assert passed[0] == passed[1] > 1e9 and passed[2] == 0
    assert run(*kept).returncode == 0 and re.search(r"; last drill \d+ s ago passed\n", run(*kept).stdout)
    backup(small(place / "less", "new", names=("a.db",)), place / "kept" / later)
    assert drill(place, *options).returncode == 3
    assert run(*kept).returncode == 3 and "ago CHANGED" in run(*kept).stdout
    assert drill(place, *options, "--check", "SELECT 0").returncode == 1
    assert run(*kept).returncode == 1 and "ago FAILED" in run(*kept).stdout
    assert json.loads(run(*kept, "--json").stdout)[0]["drills"][0]["result"] == "failed"
    assert values()[0] == passed[0] and values()[1] >= passed[1] and values()[2] == 1
    checked = subprocess.run(["promtool", "check", "metrics"], input=(place / "drill.prom").read_bytes(), capture_output=True, timeout=30)
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert drill(place, "--textfile", place / "drill.txt").returncode == 64


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a directory as /etc")
def test_a_drill_by_hand_counts_for_the_pull(place):
    """The pull's next drill is so much later: its metrics are not to be those of the drill before."""
    settings = place / "etc/sluice/pull.d/app"
    settings.parent.mkdir(parents=True)
    values = {"URL": "http://localhost/api/backup", "DIRECTORY": place / "kept", "TEXTFILE": place / "app.prom"}
    settings.write_text("".join(f"SLUICE_PULL_{name}={value}\n" for name, value in values.items()))
    backup(small(place / "data", "new"), place / "kept" / NAMES[0])
    there = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', place / "etc"]
    for check, status in (("SELECT 0", 1), ("SELECT 1", 0)):
        assert run("drill", "app", "--spool-directory", place / "spool", "--check", check, prefix=there).returncode == status
        assert (place / "kept/.backup.drill.json").exists()
        written = (place / "app.drill.prom").read_text()
        assert re.search(rf"^sluice_drill_last_exit_status\{{.*\}} {status}$", written, re.MULTILINE), written


def test_a_backup_of_a_wrong_clock_is_no_proof(place):
    backup(small(place / "data", "new"), place / "kept" / "backup-2036-11-28T030000Z.zip")
    options = ("--state", place / "state.json")
    result = drill(place, *options)
    assert result.returncode == 3 and "restored and sound, CHANGED, 1 loss" in result.stdout
    assert "backup-2036-11-28T030000Z.zip is dated in the future" in state(place)["detail"]
    backup(place / "data", place / "kept" / NAMES[0])
    assert drill(place, *options).returncode == 0


def test_what_a_killed_drill_has_left_is_removed(place):
    backup(small(place / "data", "new"), place / "kept" / NAMES[0])
    spool = place / "spool"
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"
    command = [os.environ["SLUICE"], "drill", "--from", place / "kept", "--spool-directory", spool, "--check", endless]
    (spool / "sluice-drill-other").symlink_to(place / "data")
    running = []
    try:
        for known in range(2):
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            wait_until(lambda: len(list(spool.glob("sluice-drill-*/floor_plan/plan.json"))) == known + 2, "all in its folder")
        running[0].kill()
        running[0].wait()
        for folder in spool.iterdir():
            os.utime(folder, (1e9, 1e9), follow_symlinks=False)
        assert run("drill", "--from", place / "kept", "--spool-directory", spool).returncode == 0
        # What still runs keeps its folder, and what is no folder of a drill stays.
        assert [len(list(folder.iterdir())) > 0 for folder in spool.iterdir()] == [True, True]
        assert len(list((place / "data").iterdir())) > 0
        running[1].terminate()
        running[1].wait()
        assert os.listdir(spool) == ["sluice-drill-other"]
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_a_table_that_cannot_be_counted_hides_no_loss(place):
    data = small(place / "data", "new", names=("a.db",))
    options = ("--state", place / "state.json")

    def drilled(name, *statements):
        connection = sqlite3.connect(data / "a.db", isolation_level=None)
        connection.create_collation("own", lambda first, second: (first > second) - (first < second))
        for statement in statements:
            connection.execute(statement)
        connection.close()
        backup(data, place / "kept" / name)
        return drill(place, *options)

    # The index is narrower than its table: count(*) would read it.
    narrow = ("CREATE INDEX tag_name ON tag(name)",)
    table = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT COLLATE own, pad BLOB)"
    rows = "INSERT INTO tag(name, pad) VALUES ('a', zeroblob(3000)), ('b', zeroblob(3000))"
    first = drilled(NAMES[0], table, rows)
    assert first.returncode == 0 and state(place)["databases"]["a.db"]["tables"] == {"t": 200, "tag": 2}
    second = drilled(NAMES[1], *narrow, "DELETE FROM t")
    assert second.returncode == 3 and "a.db: CHANGED: table t has 0 rows and had 200, " in second.stdout
    assert "not judged: table tag: no such collation sequence: own" in second.stdout
    # What was counted before is remembered.
    assert state(place)["databases"]["a.db"]["tables"] == {"t": 0, "tag": 2}


def test_a_database_of_which_no_table_can_be_read_any_more_has_lost_them(place):
    data = small(place / "data", "new", names=("a.db", "b.db"))
    change(data / "b.db", "CREATE INDEX by_word ON t(word)")
    options = ("--state", place / "state.json")
    backup(data, place / "kept" / NAMES[0])
    assert drill(place, *options).returncode == 0
    content = (data / "b.db").read_bytes()
    assert content.count(b"ON t(word)") == 1
    (data / "b.db").write_bytes(content.replace(b"ON t(word)", b"ON t(w%rd)"))
    backup(data, place / "kept" / NAMES[1])
    # As long as that is so.
    for _ in range(2):
        result = drill(place, *options)
        assert result.returncode == 3 and "b.db: CHANGED: no table can be read, and it had 200 rows in 1 table" in result.stdout


def test_each_drill_is_compared_with_the_one_before(place):
    data = small(place / "data", "new")
    change(data / "b.db", "CREATE TABLE log(x); INSERT INTO log SELECT 1 FROM t LIMIT 100; CREATE TABLE gone(x)")
    backup(data, place / "kept" / NAMES[0])
    options = ("--state", place / "state.json")
    first = drill(place, *options)
    assert (first.returncode, first.stderr) == (0, "")
    size = (data / "b.db").stat().st_size
    assert f"b.db: ok, {size} bytes, 300 rows in 3 tables\n" in first.stdout
    assert first.stdout.endswith(f"{NAMES[0]}: restored and sound, nothing lost; no drill before to compare with\n")
    known = state(place)
    assert (known["result"], known["backup"]) == ("passed", NAMES[0])
    assert known["databases"]["b.db"] == {"size": size, "tables": {"gone": 0, "log": 100, "t": 200}}

    # More than a half is gone, all of a table, a table, a database; and one that has a half yet.
    change(data / "a.db", "DELETE FROM t WHERE rowid > 90")
    change(data / "b.db", "DELETE FROM t; DELETE FROM log WHERE rowid > 50; DROP TABLE gone")
    (data / "c.db").unlink()
    backup(data, place / "kept" / NAMES[1])
    second = drill(place, *options)
    assert (second.returncode, second.stderr) == (3, "")
    assert second.stdout.splitlines() == [
        "a.db: CHANGED: table t has 90 rows and had 200, 12288 bytes, 90 rows in 1 table, before: 12288 bytes, 200 rows",
        f"b.db: CHANGED: table gone is gone and had 0 rows; table t has 0 rows and had 200, {size} bytes, 50 rows in 2 tables, "
        f"before: {size} bytes, 300 rows",
        "c.db: CHANGED: it is gone",
        f"{NAMES[1]}: restored and sound, CHANGED, 4 losses; compared with the drill of {known['time']}",
    ]
    assert state(place)["result"] == "changed" and "c.db is gone" in state(place)["detail"]
    # That was told; the next one is compared with it.
    third = drill(place, *options)
    assert (third.returncode, state(place)["result"]) == (0, "passed")
    change(data / "a.db", "DELETE FROM t WHERE rowid > 80")
    backup(data, place / "kept" / NAMES[2])
    assert drill(place, *options, "--max-loss", "10%").returncode == 3


def test_a_failure_is_remembered_and_the_numbers_stay(place):
    kept = place / "kept"
    backup(small(place / "data", "new"), kept / NAMES[0])
    options = ("--state", place / "state.json")
    assert drill(place, *options).returncode == 0
    known = state(place)
    (kept / NAMES[1]).write_bytes((kept / NAMES[0]).read_bytes()[:-1])
    result = drill(place, *options)
    assert result.returncode == 1 and result.stderr.startswith(f"sluice: {NAMES[1]}: ")
    found = state(place)
    assert (found["result"], found["backup"], found["databases"]) == ("failed", NAMES[1], known["databases"])
    assert f"sluice: {found['detail']}\n" == result.stderr
    # Where the numbers of the last one cannot be read, a loss could not be seen.
    (kept / NAMES[1]).unlink()
    (place / "state.json").write_text("{")
    result = drill(place, *options)
    assert result.returncode == 1 and "a loss could not be seen" in result.stderr
    assert (place / "state.json").read_text() == "{"
    (place / "state.json").unlink()
    assert drill(place, *options).returncode == 0 and state(place)["result"] == "passed"


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("SELECT count(*) FROM t", None),
        ("SELECT word FROM t", None),
        ("a.db=SELECT 1", None),
        ("SELECT count(*) FROM only", None),
        ("b.db=SELECT count(*) FROM only", "b.db: the check SELECT count(*) FROM only did not pass: row 1 is empty or 0"),
        ("SELECT word FROM t WHERE word = 'old'", "a.db: the check SELECT word FROM t WHERE word = 'old' did not pass: it returns no row"),
        ("SELECT NULL", "did not pass: row 1 is empty or 0"),
        ("SELECT 1 UNION ALL SELECT ''", "did not pass: row 2 is empty or 0"),
        ("SELECT 0.0", "did not pass: row 1 is empty or 0"),
        ("DELETE FROM t", "did not pass: it is not one statement that only reads"),
        ("SELECT 1; SELECT 0", "did not pass: it is not one statement that only reads"),
        ("SELECT x FROM nowhere", "the check SELECT x FROM nowhere ran on no database: no such table: nowhere"),
        ("x.db=SELECT 1", "ran on no database"),
        ("", "did not pass: it is not one statement that only reads"),
        # It ends while it runs, on one of the two: the other one's result is not that of both.
        (
            "SELECT json_extract(text, '$.a') FROM document",
            "b.db: the check SELECT json_extract(text, '$.a') FROM document did not pass: malformed JSON",
        ),
        ("SELECT count(*) FROM found", "b.db: the check SELECT count(*) FROM found did not pass: vtable constructor failed: found"),
        ("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c", "not counted within 0.5 seconds: see --check-timeout"),
    ],
)  # fmt: skip
def test_a_check_must_find_something(place, check, reason):
    data = small(place / "data", "new", names=("a.db", "b.db"))
    change(data / "b.db", "CREATE TABLE only(x)")
    for name, text in (("a.db", '{"a": 1}'), ("b.db", '{"a": 1')):
        change(data / name, f"CREATE TABLE document(text); INSERT INTO document VALUES ('{text}')")
        change(data / name, "CREATE VIRTUAL TABLE found USING fts5(text)")
        change(data / name, "INSERT INTO found VALUES ('word')")
    change(data / "b.db", "DROP TABLE found_config")
    if reason is None:
        change(data / "b.db", "INSERT INTO only VALUES (1)")
    backup(data, place / "kept" / NAMES[0])
    result = drill(place, "--check", check, "--check-timeout", "500ms")
    assert result.returncode == (0 if reason is None else 1), result.stderr
    assert "b.db: " in result.stdout
    if reason:
        assert reason in result.stderr


def test_what_a_backup_lacks_is_a_change(place):
    data = small(place / "data", "new")
    backup(data, place / "kept" / NAMES[0])
    (place / "kept" / NAMES[0]).rename(place / "kept" / "other-2026-11-25T030000Z.zip")
    assert drill(place).stderr == f"sluice: there is no backup named backup-… in {place / 'kept'}\n"
    assert drill(place, "--name", "other").returncode == 0
    assert drill(place, source=place / "nowhere").returncode == 1


def permission_bits(archive, records):
    """The nine bits of each entry's Unix permissions, which stand nowhere else in a zip: a flip gives another mode."""
    at = records
    while archive[at : at + 4] == b"PK\1\2":
        yield from range((at + 40) * 8, (at + 40) * 8 + 9)
        name, extra = (int.from_bytes(archive[at + place : at + place + 2], "little") for place in (28, 30))
        at += 46 + name + extra


def contents(archive):
    """What an independent reader finds."""
    with zipfile.ZipFile(io.BytesIO(archive)) as zip:
        return {name: zip.read(name) for name in zip.namelist()}


@pytest.mark.parametrize("compression", ["store", "default"])
def test_each_bit_that_flips_in_a_kept_archive_is_found(place, compression, record_property):
    """Save those that say nothing: deflate fills its last byte, and the first of a stored block, up with bits of no meaning."""
    data = small(place / "data", "new", names=("a.db", "b.db"))
    good = backup(data, place / "x.zip", "--compression", compression).read_bytes()
    records = good.index(b"PK\1\2")
    permissions = set(permission_bits(good, records))
    assert len(permissions) == 9 * 5
    kept = place / "kept" / NAMES[0]
    dice = random.Random(20261128)
    found = unused = 0
    while found < (1000 if SLOW else 25):
        # Every second one is where the directory of the zip is.
        bit = dice.randrange(records * 8 if found % 2 else 0, len(good) * 8)
        content = bytearray(good)
        content[bit // 8] ^= 1 << bit % 8
        kept.write_bytes(content)
        status = drill(place).returncode
        if status == 0 and bit < records * 8 and contents(content) == contents(good):
            unused += 1
        elif bit not in permissions:
            assert status == 1, (bit, bit // 8 - records, good[bit // 8 - 8 : bit // 8 + 8])
            found += 1
    record_property("unused bits", unused)
    assert unused <= found // 25
    kept.write_bytes(good)
    assert drill(place).returncode == 0
