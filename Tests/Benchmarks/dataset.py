"""A data directory of a size to be measured: telemetry, JSON events, blobs, and text that is searched."""

import json
import math
import random
import struct
import sys
from itertools import accumulate
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration/support"))

import data as make  # noqa: E402

MEBIBYTE = 1 << 20


def build(directory, mebibytes, only=None, seed=7):
    """The same seed makes the same rows. `only`: a journal mode for all databases."""
    directory.mkdir(parents=True)
    for name, journal_mode, rows, share in (
        ("telemetry", make.WAL, telemetry, 3 / 8),
        ("search", make.WAL, messages, 1 / 8),
        ("baselines", make.WAL, blobs, 1 / 4),
        ("events", make.ROLLBACK, events, 1 / 8),
        ("analytics", make.ROLLBACK, events, 1 / 8),
    ):
        chance = random.Random(f"{seed} {name}")
        fill(directory / f"{name}.db", only or journal_mode, rows(chance), mebibytes * MEBIBYTE * share)
    return directory


def fill(path, journal_mode, rows, size):
    """Inserts rows until the database has that size."""
    connection = make.create(path, journal_mode)
    columns = [f"c{number}" for number in range(len(next(rows)))]
    if path.stem == "search":
        connection.execute(f"CREATE VIRTUAL TABLE record USING fts5({', '.join(columns)})")
    else:
        connection.execute(f"CREATE TABLE record(id INTEGER PRIMARY KEY, {', '.join(columns)})")
        connection.execute("CREATE INDEX record_c0 ON record(c0)")
    insert = f"INSERT INTO record({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    connection.execute("BEGIN")
    while connection.execute("PRAGMA page_count").fetchone()[0] * 4096 < size:
        connection.executemany(insert, (next(rows) for _ in range(200)))
    connection.execute("COMMIT")
    connection.close()


def telemetry(chance):
    """Time, node, signal strength, and the readings of one packet as numbers."""
    at, level = 1.7e9, 0.0
    while True:
        at += chance.expovariate(10)
        level += chance.gauss(0, 0.1)
        yield (at, chance.randrange(16), -chance.randrange(30, 95), math.sin(level), math.cos(level), chance.random())


def events(chance):
    """What happened, as JSON."""
    zones = [f"zone-{number}" for number in range(12)]
    at = 1.7e9
    while True:
        at += chance.expovariate(1)
        yield (
            chance.choice(("presence", "crossing", "fall", "anomaly", "calibration")),
            json.dumps(
                {
                    "at": round(at, 3),
                    "zone": chance.choice(zones),
                    "person": f"{chance.getrandbits(128):032x}",
                    "confidence": round(chance.random(), 4),
                    "position": {axis: round(chance.uniform(0, 8), 3) for axis in "xyz"},
                    "nodes": [f"{chance.getrandbits(48):012x}" for _ in range(chance.randrange(1, 5))],
                    "text": "somebody was seen where nobody was expected" if chance.random() < 0.3 else "",
                }
            ),
        )


def messages(chance):
    """Text to be searched: words of which few are frequent and many are rare."""
    words = ["".join(chance.choices("etaoinshrdlucmfwygpb", k=chance.randrange(2, 11))) for _ in range(20_000)]
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    while True:
        title, *lines = (" ".join(chance.choices(words, cum_weights=weights, k=12)) for _ in range(6))
        yield (title, "\n".join(lines))


def blobs(chance):
    """Baselines: arrays of floats, a little noise on a smooth curve; and now and then something incompressible."""
    while True:
        phase = chance.random()
        curve = [10 + math.sin(phase + step / 9) + round(chance.gauss(0, 0.01), 3) for step in range(512)]
        noise = chance.randbytes(4096) if chance.random() < 0.2 else b""
        yield (chance.randrange(64), struct.pack("<512f", *curve) + noise)
