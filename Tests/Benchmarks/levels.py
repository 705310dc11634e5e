"""What each level of each engine makes of database pages in blocks of 256 KiB: the tables in Sources/Zip/Compression.swift. And how fast zlib and
ISA-L inflate what ISA-L's level 2 has made: docs/decisions/0010-verify-inflates-with-zlib.md.

    /usr/bin/python3 Tests/Benchmarks/levels.py

ISA-L is measured where its library is (libisal2).
"""

import ctypes
import ctypes.util
import tempfile
import time
import zlib
from pathlib import Path

import dataset

BLOCK = 256 << 10
ROUNDS = 3


def zlib_size(level, memory):
    def size(block):
        stream = zlib.compressobj(level, zlib.DEFLATED, -15, memory)
        return len(stream.compress(block)) + len(stream.flush(zlib.Z_SYNC_FLUSH))

    return size


class Stream(ctypes.Structure):
    """`struct isal_zstream` of igzip_lib.h, and room for its internal state."""

    _fields_ = [
        ("next_in", ctypes.c_char_p), ("avail_in", ctypes.c_uint32), ("total_in", ctypes.c_uint32),
        ("next_out", ctypes.c_void_p), ("avail_out", ctypes.c_uint32), ("total_out", ctypes.c_uint32),
        ("hufftables", ctypes.c_void_p), ("level", ctypes.c_uint32), ("level_buf_size", ctypes.c_uint32),
        ("level_buf", ctypes.c_void_p), ("end_of_stream", ctypes.c_uint16), ("flush", ctypes.c_uint16),
        ("rest", ctypes.c_uint8 * (1 << 20)),
    ]  # fmt: skip


def isal_size(library, level):
    # ISAL_DEF_LVL1_DEFAULT and so on: tables, and 4 bytes for each of 64 Ki tokens.
    tables = {1: 4096 + 2 * 8192, 2: 4096 + 2 * 32768, 3: 4096 + 4 * 4096 + 2 * 32768}
    work = ctypes.create_string_buffer(tables[level] + 4 * 65536)
    output = ctypes.create_string_buffer(2 * BLOCK)
    stream = Stream()

    def size(block):
        library.isal_deflate_stateless_init(ctypes.byref(stream))
        stream.next_in, stream.avail_in = block, len(block)
        stream.next_out, stream.avail_out = ctypes.addressof(output), len(output)
        stream.level, stream.level_buf, stream.level_buf_size = level, ctypes.addressof(work), len(work)
        stream.flush = 2  # FULL_FLUSH
        assert library.isal_deflate_stateless(ctypes.byref(stream)) == 0
        return stream.total_out

    size.made = lambda: ctypes.string_at(output, stream.total_out)
    return size


class Inflating(ctypes.Structure):
    """`struct inflate_state` of igzip_lib.h, and room for the rest of it."""

    _fields_ = [
        ("next_out", ctypes.c_void_p), ("avail_out", ctypes.c_uint32), ("total_out", ctypes.c_uint32),
        ("next_in", ctypes.c_char_p), ("read_in", ctypes.c_uint64), ("avail_in", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * (1 << 20)),
    ]  # fmt: skip


def inflating(library):
    """By name, what inflates one block of a stream and counts its bytes."""
    output = ctypes.create_string_buffer(BLOCK)
    state = Inflating()

    def isal(deflated):
        library.isal_inflate_init(ctypes.byref(state))
        state.next_in, state.avail_in = deflated, len(deflated)
        state.next_out, state.avail_out = ctypes.addressof(output), len(output)
        assert library.isal_inflate(ctypes.byref(state)) == 0
        return state.total_out

    return {"zlib": lambda deflated: len(zlib.decompressobj(-15).decompress(deflated)), "ISA-L": isal}


def engines():
    for level in range(1, 10):
        yield f"zlib {level}, memLevel 8", zlib_size(level, 8)
    for level in (1, 5, 9):
        yield f"zlib {level}, memLevel 9", zlib_size(level, 9)
    if name := ctypes.util.find_library("isal"):
        for level in (1, 2, 3):
            yield f"ISA-L {level}", isal_size(ctypes.CDLL(name), level)


def seconds(size, blocks):
    """Of a processor, for all blocks."""
    start = time.process_time()
    for block in blocks:
        size(block)
    return time.process_time() - start


def main():
    with tempfile.TemporaryDirectory() as folder:
        directory = dataset.build(Path(folder, "data"), 48)
        pages = b"".join(path.read_bytes() for path in sorted(directory.glob("*.db")))
    blocks = [pages[start : start + BLOCK] for start in range(0, len(pages), BLOCK)]
    print(f"zlib {zlib.ZLIB_RUNTIME_VERSION}, {len(pages) >> 20} MiB, one core, best of {ROUNDS}")
    print("| engine, level | MB/s | ratio |\n|---|---|---|")
    for name, size in engines():
        best = min(seconds(size, blocks) for _ in range(ROUNDS))
        print(f"| {name} | {len(pages) / 1e6 / best:.0f} | {len(pages) / sum(map(size, blocks)):.3f} |", flush=True)
    if name := ctypes.util.find_library("isal"):
        library = ctypes.CDLL(name)
        size = isal_size(library, 2)
        deflated = [(size(block), size.made())[1] for block in blocks]
        for name, inflate in inflating(library).items():
            assert sum(map(inflate, deflated)) == len(pages)
            best = min(seconds(inflate, deflated) for _ in range(ROUNDS))
            print(f"{name} inflates {len(pages) / 1e6 / best:.0f} MB/s")


if __name__ == "__main__":
    main()
