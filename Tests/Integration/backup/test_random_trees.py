"""Backups of random trees: what is in the archive is the source, byte by byte, and all else is named."""

import json
import os
import stat
import zipfile
from unicodedata import normalize

import pytest

from harness import AS_ORDINARY_USER, run
from restoring import SLOW, restore
from trees import COMPANIONS, ENDINGS, FOLDERS, Tree

TREES = 2000 if SLOW else 60
AT_ONCE = 20


def contents(path):
    """Every file by its name, with its mode."""
    found = {}
    for parent, _, files in os.walk(os.fsencode(path)):
        for name in files:
            file = os.path.join(parent, name)
            with open(file, "rb") as content:
                found[os.path.relpath(file, os.fsencode(path))] = content.read()
    return found


def state(tree):
    """What must be the same afterwards: SQLite may make a log and an index beside a database in WAL mode."""
    found = {}
    for name in tree.walk():
        status = os.lstat(tree.at(name))
        found[name] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
    return found


def is_asked_for(tree, name):
    """Whether a backup of the directory has to speak of a name."""
    folder, _, rest = name.partition(b"/")
    if rest:
        return folder in FOLDERS
    if not stat.S_ISREG(os.lstat(tree.at(name)).st_mode):
        return name.endswith(ENDINGS) or name in FOLDERS
    return name.endswith(ENDINGS) or tree.begins_as_a_database(name)


def is_companion(tree, name):
    """Whether SQLite keeps it beside a database, which has its content."""
    for suffix in COMPANIONS:
        database = name.removesuffix(suffix)
        if database != name and (suffix == b"-shm" or os.path.lexists(tree.at(database))):
            return True
    return False


def is_named(name, named):
    text = name.decode(errors="replace")
    return text in named or any(text[:at] in named for at, letter in enumerate(text) if letter == "/")


def layered(names):
    """The names in as few lists as it takes for none to have two that differ in case only: those are restored with --only."""
    layers = []
    for name in sorted(names):
        parts = name.split("/")
        # Each file and each folder, by what Unicode takes it for, and what it is.
        spellings = {"/".join(parts[:count]): count < len(parts) for count in range(1, len(parts) + 1)}
        keys = {normalize("NFC", each.lower()): (normalize("NFC", each), is_folder) for each, is_folder in spellings.items()}
        for layer, seen in layers:
            if all(seen.get(key, value) == value for key, value in keys.items()):
                break
        else:
            layers.append(([], {}))
            layer, seen = layers[-1]
        layer.append(name)
        seen |= keys
    return [layer for layer, _ in layers]


def check(tree, tmp_path):
    before = state(tree)
    archive, out = tmp_path / "archive.zip", tmp_path / "out"
    include = ["--include-if-present", "attachments"]
    made = run("backup", "--data", tree.path, "-o", archive, "--busy-timeout", "10ms", *include, prefix=AS_ORDINARY_USER)
    assert made.returncode in (0, 3), made.stderr
    after = state(tree)
    assert {name: after.get(name) for name in before} == before
    assert all(name.endswith((b"-wal", b"-shm")) for name in after.keys() - before.keys())

    with zipfile.ZipFile(archive) as zip:
        manifest = json.loads(zip.read("MANIFEST.json"))
        entries = {info.filename.encode(): (zip.read(info), info.external_attr >> 16 & 0o777) for info in zip.infolist()}
    assert list(map(len, (entries, manifest["entries"]))) == [len(manifest["entries"]) + 1, len(entries) - 1]
    assert manifest["complete"] == (made.returncode == 0) and (manifest["skipped"] == [] or not manifest["complete"])
    named = {each["path"] for each in manifest["skipped"]} | set(manifest["excluded"])

    # What is there is the source.
    for name, (content, mode) in entries.items():
        if name in (b"MANIFEST.json", b"VERSION"):
            continue
        assert is_asked_for(tree, name), name
        assert content == tree.states.get(name, tree.read(name)), name
        assert mode == stat.S_IMODE(os.lstat(tree.at(name)).st_mode) & 0o777, name
    # What is not there is named, or a folder of it is, or another name of the same file.
    inodes = {before[name][0] for name in before if is_named(name, named)}
    for name in before:
        if name not in entries and is_asked_for(tree, name) and not is_companion(tree, name):
            assert before[name][0] in inodes, (name, named)

    verified = run("verify", archive)
    assert verified.returncode == made.returncode, verified.stdout
    expected = {name: content for name, (content, _) in entries.items() if name not in (b"MANIFEST.json", b"VERSION")}
    layers = layered(name.decode() for name in expected)
    for number, names in enumerate(layers):
        (target := out / str(number)).mkdir(parents=True)
        only = [f"--only={name}" for name in names] if len(layers) > 1 else []
        restored = restore(archive, target, *only)
        assert restored.returncode in (0, made.returncode), restored.stderr
        assert contents(target) == {name.encode(): expected[name.encode()] for name in names}
    return len(expected), len(manifest["skipped"])


@pytest.mark.parametrize("first", range(0, TREES, AT_ONCE))
def test_a_backup_is_its_source_byte_by_byte(tmp_path, first, figure):
    taken = skipped = 0
    for seed in range(first, first + AT_ONCE):
        (place := tmp_path / str(seed)).mkdir()
        tree = Tree(place / "data", seed)
        try:
            counts = check(tree, place)
        except AssertionError as error:
            raise AssertionError(f"the tree of seed {seed}: {error}") from error
        taken, skipped = taken + counts[0], skipped + counts[1]
    figure(f"trees {first} to {first + AT_ONCE - 1}", f"{taken} files were compared, {skipped} were skipped and named")
