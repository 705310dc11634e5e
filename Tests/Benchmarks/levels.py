"""What each zlib level makes of database pages in blocks of 256 KiB: the table in Sources/Zip/Compression.swift.

    /usr/bin/python3 Tests/Benchmarks/levels.py
"""

import tempfile
import time
import zlib
from pathlib import Path

import dataset

BLOCK = 256 << 10
ROUNDS = 3


def compressed(pages, level, memory):
    size = 0
    for start in range(0, len(pages), BLOCK):
        stream = zlib.compressobj(level, zlib.DEFLATED, -15, memory)
        size += len(stream.compress(pages[start : start + BLOCK])) + len(stream.flush(zlib.Z_SYNC_FLUSH))
    return size


def main():
    with tempfile.TemporaryDirectory() as folder:
        directory = dataset.build(Path(folder, "data"), 48)
        pages = b"".join(path.read_bytes() for path in sorted(directory.glob("*.db")))
    print(f"zlib {zlib.ZLIB_RUNTIME_VERSION}, {len(pages) >> 20} MiB, one core, best of {ROUNDS}")
    print("| level, memLevel | MB/s | ratio |\n|---|---|---|")
    for level, memory in [*((level, 8) for level in range(1, 10)), (1, 9), (5, 9), (9, 9)]:
        seconds = float("inf")
        for _ in range(ROUNDS):
            start = time.process_time()
            size = compressed(pages, level, memory)
            seconds = min(seconds, time.process_time() - start)
        print(f"| {level}, {memory} | {len(pages) / 1e6 / seconds:.0f} | {len(pages) / size:.3f} |", flush=True)


if __name__ == "__main__":
    main()
