"""Databases to back up. The same call makes the same content, bar what SQLite itself draws by lot."""

import random
import sqlite3

OPENING_BALANCE = 1000
ROLLBACK, WAL = "delete", "wal"


def create(path, journal_mode, page_size=4096):
    """A new database whose statements commit by themselves; its caller closes it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size={page_size}")
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA synchronous=OFF")
    assert connection.execute(f"PRAGMA journal_mode={journal_mode}").fetchone() == (journal_mode,)
    return connection


def ledger(path, journal_mode, page_size=4096, accounts=1000, padding=1000):
    """Accounts whose balances have the same sum after every transaction of `writers.py`: see `is_conserved`.

    The padding puts accounts on pages far apart: a backup that mixes two moments shows in the sum.
    """
    chance = random.Random(accounts)
    connection = create(path, journal_mode, page_size)
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, padding BLOB)")
    connection.execute("CREATE TABLE transfer(id INTEGER PRIMARY KEY, source INT, target INT, amount INT, note TEXT)")
    connection.execute("CREATE INDEX transfer_amount ON transfer(amount)")
    connection.executemany(
        "INSERT INTO account VALUES (?, ?, ?)",
        ((id, OPENING_BALANCE, chance.randbytes(padding)) for id in range(accounts)),
    )
    connection.execute("COMMIT")
    connection.close()
    return path


def is_conserved(connection):
    accounts, balance = connection.execute("SELECT count(*), sum(balance) FROM account").fetchone()
    return accounts > 0 and balance == accounts * OPENING_BALANCE


def bulk(path, journal_mode, mebibytes, page_size=4096, open=False):
    """Telemetry as JSON and blobs of noise, about half and half; `mebibytes` in all.

    With `open`, the connection is returned and a WAL database keeps all of its content in its log.
    """
    chance = random.Random(mebibytes)
    noise = chance.randbytes(4 << 20)
    connection = create(path, journal_mode, page_size)
    connection.execute("PRAGMA wal_autocheckpoint=" + ("0" if open else "20000"))
    connection.execute("CREATE TABLE record(id INTEGER PRIMARY KEY, at REAL, content BLOB)")
    reading = '{"node":"%02x:%02x:%02x","rssi":%d,"amplitude":[%s],"phase":%.4f}'
    telemetry = "\n".join(
        reading
        % (
            *chance.randbytes(3),
            -chance.randrange(30, 95),
            ",".join(f"{chance.gauss(10, 4):.3f}" for _ in range(16)),
            chance.random(),
        )
        for _ in range(8000)
    ).encode()
    size = 32 << 10
    for first in range(0, mebibytes * 32, 1024):
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO record VALUES (?, ?, ?)",
            (
                (id, id / 7, slice_of(noise if id % 2 else telemetry, id * 40_009, size))
                for id in range(first, min(first + 1024, mebibytes * 32))
            ),
        )
        connection.execute("COMMIT")
    if open:
        return connection
    connection.close()
    return path


def slice_of(pool, start, size):
    start %= len(pool) - size
    return memoryview(pool)[start : start + size]


def house(directory):
    """What an application leaves in its data directory: databases of both kinds, a floor plan, and more."""
    directory.mkdir(exist_ok=True)
    ledger(directory / "events.db", WAL)
    ledger(directory / "analytics.db", ROLLBACK)
    ledger(directory / "Zones of the house.db", ROLLBACK, accounts=50)
    bulk(directory / "baseline.db", WAL, 4)
    plan = directory / "floor_plan"
    (plan / "upper floor").mkdir(parents=True)
    (plan / "plan.json").write_text('{"rooms": 4}')
    (plan / "upper floor" / "étage.svg").write_bytes(b"<svg/>" * 10_000)
    (plan / "empty.txt").touch()
    (directory / "notes.txt").write_text("nobody asked for this one")
    (directory / "subdirectory").mkdir()
    ledger(directory / "subdirectory" / "inner.db", ROLLBACK, accounts=10)
    return directory


READINGS_PER_PAGE = 4


def readings(path, mebibytes):
    """Telemetry as text, four rows to a page of 4 KiB. The text, and how many rows."""
    chance = random.Random(1)
    text = "\n".join(
        '{"node":"%012x","rssi":%d,"amplitude":[%s],"phase":%.4f}'
        % (
            chance.getrandbits(48),
            -chance.randrange(30, 95),
            ",".join(f"{chance.gauss(10, 4):.3f}" for _ in range(16)),
            chance.random(),
        )
        for _ in range(40_000)
    )
    connection = create(path, WAL)
    connection.execute("CREATE TABLE reading(id INTEGER PRIMARY KEY, at REAL, content TEXT)")
    count = mebibytes * 256 * READINGS_PER_PAGE
    for first in range(0, count, 100_000):
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO reading VALUES (?, ?, ?)",
            ((id, chance.random(), reading_at(text, id)) for id in range(first, min(count, first + 100_000))),
        )
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return text, count


def reading_at(text, place):
    start = place * 40_009 % (len(text) - 1000)
    return text[start : start + 980]


def change_readings(path, text, count, seed):
    """A new row for an old one, on one page in a hundred. How many."""
    chance = random.Random(seed)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    ids = chance.sample(range(count), count // READINGS_PER_PAGE // 100)
    for id in ids:
        row = chance.random(), reading_at(text, chance.randrange(1 << 30)), id
        connection.execute("UPDATE reading SET at = ?, content = ? WHERE id = ?", row)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return len(ids)
