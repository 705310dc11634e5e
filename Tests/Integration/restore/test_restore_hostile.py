"""Archives and directories that mean ill."""

import hashlib
import json
import random
import re
import shutil
import stat
import subprocess
import warnings
import zipfile
from collections import Counter

import pytest

from harness import SLUICE
from restoring import MEASURE, SLOW, restore, small, tree


@pytest.mark.parametrize("name", ["a.db", "b.db", "floor_plan/plan.json"])
def test_a_link_in_the_way_is_not_followed(archive, target, tmp_path, name):
    outside = tmp_path / "outside"
    outside.write_text("outside")
    (target / name).unlink()
    (target / name).symlink_to(outside)
    assert restore(archive, target, "--force").returncode == 1
    assert outside.read_text() == "outside"
    assert not list(target.rglob("*before-restore*"))


def test_a_folder_that_is_a_link_is_not_entered(archive, tmp_path):
    target, outside = tmp_path / "target", tmp_path / "outside"
    target.mkdir()
    outside.mkdir()
    (target / "floor_plan").symlink_to(outside)
    result = restore(archive, target)
    assert result.returncode == 1 and "link" in result.stderr
    assert not list(outside.iterdir()) and [path.name for path in target.iterdir()] == ["floor_plan"]


def hostile(archive, path, rename):
    """A copy of an archive with one entry under another name, in the manifest as well."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "MANIFEST.json":
                manifest = json.loads(content)
                for entry in manifest["entries"]:
                    entry["path"] = rename.get(entry["path"], entry["path"])
                content = json.dumps(manifest)
            copy.writestr(rename.get(name, name), content)
    return path


@pytest.mark.parametrize(
    "name",
    ["../b.db", "/b.db", "x/../../b.db", ".sluice-restore-0000000000000000/journal", "a.db-wal", "a.db/b", "./b.db"],
)
def test_a_hostile_name_is_refused(archive, tmp_path, name):
    target = tmp_path / "inner" / "target"
    target.mkdir(parents=True)
    result = restore(hostile(archive, tmp_path / "hostile.zip", {"b.db": name}), target)
    assert result.returncode in (1, 2) and len(result.stderr.splitlines()) == 1
    assert not list(target.iterdir()) and [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_log_is_not_put_beside_a_database_that_is_there(archive, target, tmp_path):
    small(tmp_path / "other", "x", ("plain.db",))
    shutil.copy(tmp_path / "other/plain.db", target / "plain.db")
    before = tree(target)
    path = hostile(archive, tmp_path / "hostile.zip", {"floor_plan/plan.json": "plain.db-wal"})
    assert restore(path, target, "--force").returncode == 1
    assert tree(target) == before


def test_a_plain_zip_is_status_2(tmp_path):
    (tmp_path / "target").mkdir()
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as file:
        file.writestr("a.db", "content")
    (tmp_path / "text").write_text("no zip")
    for name, status in {"plain.zip": 2, "text": 2, "missing": 1}.items():
        assert restore(tmp_path / name, tmp_path / "target").returncode == status
    assert not list((tmp_path / "target").iterdir())


@pytest.mark.parametrize(
    "manifest",
    ['{"format":1,"entries":[' + "1," * 4_000_000 + "1]}", "[" * 8_000_000, '{"format":1,"skipped":["' + "\\u0000" * 1_300_000 + '"]}'],
    ids=["values", "depth", "text"],
)
def test_a_manifest_that_would_fill_the_memory(tmp_path, manifest):
    (tmp_path / "target").mkdir()
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("MANIFEST.json", manifest)
    result = restore(tmp_path / "x.zip", tmp_path / "target", prefix=["/usr/bin/python3", "-c", MEASURE])
    assert result.returncode == 2 and int(result.stdout) <= 48


def test_a_name_with_a_folder_at_every_other_byte(archive, tmp_path):
    (tmp_path / "target").mkdir()
    path = hostile(archive, tmp_path / "hostile.zip", {"floor_plan/plan.json": "a/" * 30_000 + "a"})
    result = restore(path, tmp_path / "target", prefix=["/usr/bin/python3", "-c", MEASURE])
    assert result.returncode == 1 and int(result.stdout) <= 48
    assert not list((tmp_path / "target").iterdir())


@pytest.mark.parametrize("field", ["sha256", "size", "crc32", "app_version", "complete"])
def test_what_the_manifest_does_not_confirm_is_not_restored(archive, target, tmp_path, field):
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "MANIFEST.json":
                manifest = json.loads(content)
                said = manifest if field in manifest else manifest["entries"][-2]
                said[field] = {"sha256": "0" * 64, "size": 1, "crc32": "0" * 8, "app_version": "2", "complete": False}[field]
                content = json.dumps(manifest)
            copy.writestr(name, content)
    before = tree(target)
    result = restore(tmp_path / "x.zip", target, "--force")
    assert result.returncode == 1 and re.search("what the manifest says|contradicts", result.stderr)
    assert tree(target) == before


NAMES = ["../x", "/x", "x/../../x", "A.DB", "a.db-wal", "b.db/x", ".", "x/", "x//y", "C:x", "x\\y", "\u202e", "e\u0301", "nul\x00",
         ".sluice-restore-0/journal", "x" * 300, "a/" * 200 + "a", "MANIFEST.json", "floor_plan"]  # fmt: skip
VALUES = [None, True, -1, 0, 1 << 40, 1e300, 0.5, "", "x" * 10_000, [], {}, [[]] * 100, "\ud800", *NAMES]

# Local header, descriptor, central header, end: APPNOTE 4.3.
RECORDS = [b"PK\x03\x04", b"PK\x07\x08", b"PK\x01\x02", b"PK\x05\x06"]


def lying(source, path, seed):
    """A copy of an archive that says something else: names, kinds, manifest, databases; every fourth in its records, too."""
    chance = random.Random(seed)
    with zipfile.ZipFile(source) as file:
        members = [[name, file.read(name), 0o100644] for name in file.namelist()]
    manifest = json.loads(members.pop()[1])
    for _ in range(chance.randint(1, 3)):
        member, entry = chance.choice(members), chance.choice(manifest["entries"])
        match chance.randrange(8):
            case 0:
                member[0] = chance.choice(NAMES)
            case 1:
                name = chance.choice(NAMES)
                for same in (each for each in manifest["entries"] if each["path"] == member[0]):
                    same["path"] = name
                member[0] = name
            case 2:
                member[2] = chance.choice([stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR, stat.S_IFREG]) | 0o7777
            case 3:
                members.append(list(member))
            case 4:
                entry[chance.choice(list(entry))] = chance.choice(VALUES)
            case 5:
                manifest[chance.choice(list(manifest))] = chance.choice(VALUES)
            case 6:
                members.remove(member)
                members = members or [member]
            case 7:
                content = bytearray(member[1])
                for _ in range(chance.randint(1, 20) if content else 0):
                    content[chance.choice([chance.randrange(len(content)), chance.randrange(min(200, len(content)))])] = (
                        chance.choice([0, 1, 127, 255, chance.randrange(256)])
                    )
                member[1] = bytes(content)
                for same in (each for each in manifest["entries"] if isinstance(each, dict) and each.get("path") == member[0]):
                    same["sha256"] = hashlib.sha256(content).hexdigest()
        if not isinstance(manifest.get("entries"), list) or not manifest["entries"]:
            break
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy:
        warnings.simplefilter("ignore")
        for name, content, mode in [*members, ["MANIFEST.json", json.dumps(manifest).encode(), 0o100644]]:
            information = zipfile.ZipInfo(name)
            information.external_attr = mode << 16
            information.compress_type = chance.choice([zipfile.ZIP_DEFLATED] * 9 + [zipfile.ZIP_STORED])
            copy.writestr(information, content)
    if seed % 4 == 0:
        content = bytearray(path.read_bytes())
        records = [start for start in range(len(content) - 4) if content[start : start + 4] in RECORDS]
        for _ in range(chance.randint(1, 4)):
            at = chance.choice(records) + chance.randrange(46)
            value = chance.choice([0, 1, 0x7FFF, 0xFFFF, 0xFFFFFFFF, chance.randrange(1 << 32)])
            content[at : at + 4] = value.to_bytes(4, "little")[: chance.choice([1, 2, 4])]
        path.write_bytes(content[: chance.choice([None, None, None, chance.randrange(len(content))])])



ENDS = ("", ".errors", ".status", ".around", ".crash", ".file", ".pipe")

ALL_OF_THEM = """
for archive in "$1"/*.zip; do
  mkdir -p "$archive.around/target"
  timeout 20 "$2" restore "$archive" --into "$archive.around/target" >/dev/null 2>"$archive.errors"
  echo $? >"$archive.status"
  timeout 20 "$2" verify "$archive" >/dev/null 2>>"$archive.crash"
  echo $? >"$archive.file"
  cat "$archive" | timeout 20 "$2" verify - >/dev/null 2>>"$archive.crash"
  echo $? >"$archive.pipe"
done
"""


def test_archives_that_lie(archive, tmp_path, record_property, figure):
    seen = Counter()
    for batch in range(100 if SLOW else 2):
        folder = tmp_path / str(batch)
        folder.mkdir()
        for number in range(100):
            lying(archive, folder / f"{number}.zip", 100 * batch + number)
        command = ["/usr/bin/python3", "-c", MEASURE, "sh", "-c", ALL_OF_THEM, "sh", folder, SLUICE]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(result.stdout) <= 48
        for number in range(100):
            path = folder / f"{number}.zip"
            errors, around = (folder / f"{number}.zip.errors").read_text(), folder / f"{number}.zip.around"
            status = int((folder / f"{number}.zip.status").read_text())
            assert status in (0, 1, 2, 3) and "atal error" not in errors, (path, errors)
            file, pipe = (int((folder / f"{number}.zip.{way}").read_text()) for way in ("file", "pipe"))
            seen[status, file] += 1
            assert {file, pipe} <= {0, 1, 2, 3} and "atal error" not in (folder / f"{number}.zip.crash").read_text()
            # What is restored is what would be verified; what is verified may have names that no directory takes.
            assert status not in (0, 3) or file in (0, 3), (path, status, file)
            # Read by its end or from its beginning, it is the same archive.
            assert (file in (0, 3)) == (pipe in (0, 3)), (path, file, pipe)
            assert [each.name for each in around.iterdir()] == ["target"]
            left = tree(around / "target")
            if status in (1, 2):
                assert len(errors.splitlines()) == 1 and not left, (path, errors)
            assert not any(stat.S_ISLNK(mode) or ".sluice" in name for name, (mode, _) in left.items())
        assert not {each.name for each in folder.iterdir()} - {f"{n}.zip{end}" for n in range(100) for end in ENDS}
        shutil.rmtree(folder)
    record_property("cases", seen.total())
    figure("restored with, verified with, so often", dict(sorted(seen.items())))
    assert {status for status, _ in seen} >= {0, 1, 2} and {file for _, file in seen} >= {0, 1}
