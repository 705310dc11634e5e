"""An archive as an independent reader finds it: Python's zipfile, hashlib and SQLite."""

import hashlib
import io
import json
import os
import re
import sqlite3
import struct
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

MANIFEST_KEYS = {
    "format", "generator", "name", "app_version", "created", "snapshot_skew_ms", "complete", "entries", "skipped",
    "excluded",
}  # fmt: skip
ENTRY_KEYS = {"path", "kind", "size", "sha256", "crc32", "modified"}
DATABASE_KEYS = {"journal_mode", "page_size", "page_count", "method", "taken_at"}
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Archive:
    """A whole archive, in memory or in a file, of which everything that it says of itself is checked."""

    def __init__(self, source):
        self.zip = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        self.names = self.zip.namelist()
        self.manifest = json.loads(self.zip.read("MANIFEST.json"))
        self.entries = {entry["path"]: entry for entry in self.manifest["entries"]}
        self.skipped = {skipped["path"]: skipped for skipped in self.manifest["skipped"]}
        self.directory = tempfile.TemporaryDirectory()
        self._check_manifest()
        self.data_offsets = [self._data_offset(info) for info in self.zip.infolist()]
        for entry in self.manifest["entries"]:
            self._check_entry(entry)

    def read(self, name):
        return self.zip.read(name)

    @contextmanager
    def database(self, name):
        """A connection to a database of the archive."""
        connection = sqlite3.connect(self._extracted(name))
        try:
            yield connection
        finally:
            connection.close()

    def _extracted(self, name):
        return Path(self.directory.name) / str(self.names.index(name))

    def _data_offset(self, info):
        """Where a member's data begins: behind its local header, APPNOTE 4.3.7."""
        self.zip.fp.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", self.zip.fp.read(4))
        return info.header_offset + 30 + name + extra

    def _check_manifest(self):
        manifest = self.manifest
        assert set(manifest) == MANIFEST_KEYS
        assert manifest["format"] == 1
        assert re.fullmatch(r"sluice \d\S*", manifest["generator"])
        assert RFC_3339.fullmatch(manifest["created"])
        assert manifest["snapshot_skew_ms"] >= 0
        assert manifest["complete"] is (manifest["skipped"] == [])
        assert all(set(skipped) == {"path", "reason", "detail"} for skipped in manifest["skipped"])
        # It speaks of every entry before it, in their order, and none is there twice.
        assert self.names == [*(entry["path"] for entry in manifest["entries"]), "MANIFEST.json"]
        assert len(set(self.names)) == len(self.names)
        # The manifest is the one entry whose CRC it cannot give: reading it has checked that.

    def _check_entry(self, entry):
        # `note` is for people: why a `.db` is no database.
        assert set(entry) - {"note", "database"} == ENTRY_KEYS, entry
        assert (entry["kind"] == "database") == ("database" in entry)
        assert entry["kind"] in ("database", "file")
        assert RFC_3339.fullmatch(entry["modified"])
        info = self.zip.getinfo(entry["path"])
        digest, size, head = hashlib.sha256(), 0, b""
        target = self._extracted(entry["path"]) if "database" in entry else os.devnull
        with self.zip.open(info) as source, open(target, "wb") as file:
            while block := source.read(1 << 20):  # raises BadZipFile at the end if the CRC-32 is wrong
                digest.update(block)
                file.write(block)
                head = head or block[:100]
                size += len(block)
        assert size == info.file_size == entry["size"]
        assert digest.hexdigest() == entry["sha256"]
        assert f"{info.CRC:08x}" == entry["crc32"]
        if entry["kind"] == "database":
            self._check_database(entry, head)

    def _check_database(self, entry, head):
        database = entry["database"]
        assert set(database) == DATABASE_KEYS
        assert RFC_3339.fullmatch(database["taken_at"])
        assert database["method"] == ("pinned" if database["journal_mode"] == "wal" else "copied")
        assert database["page_count"] * database["page_size"] == entry["size"]
        if head:
            # fileformat2.html §1.3: the page size, and the version numbers that make it a WAL database.
            page_size = int.from_bytes(head[16:18], "big")
            assert database["page_size"] == (65536 if page_size == 1 else page_size)
            assert (head[18:20] == b"\2\2") == (database["journal_mode"] == "wal")
        with self.database(entry["path"]) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
