"""The examples in help and documents, as a reader copies them: none costs the last good backup."""

import os
import re
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

import helptexts
from harness import ROOT, SLUICE, wait_until
from restoring import backup, small

# Written at once, whatever comes: by a shell, curl, wget or sluice.
DIRECTLY = re.compile(r"(>|\s-[a-zA-Z]*[oO]|--output)\s*[^\s'\"`]*\.zip\b")


def test_no_example_writes_over_a_backup():
    texts = dict(helptexts.discussions())
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*"), ROOT / "Makefile"]:
        if path.is_file():
            texts[str(path.relative_to(ROOT))] = path.read_text()
    assert len(texts) > 20 and "app.new" in texts["README.md"]
    assert DIRECTLY.search("sluice backup -o - | ssh vault 'cat > app.zip'") and DIRECTLY.search("curl -fo app.zip URL")
    found = [(name, line) for name, text in texts.items() for line in text.splitlines() if DIRECTLY.search(line)]
    assert found == []


@pytest.fixture
def reader(tmp_path):
    """Runs an example where ssh leads back here, and `sluice backup` sends so many bytes."""
    (bin := tmp_path / "bin").mkdir()
    (bin / "ssh").write_text('#!/bin/sh\nshift\nexec sh -c "$1"\n')
    (bin / "sluice").write_text(
        f'#!/bin/sh\n[ "$1" = backup ] && [ -n "$BYTES" ] || exec {SLUICE} "$@"\n{SLUICE} "$@" | head -c "$BYTES"\nexit 1\n'
    )
    for tool in bin.iterdir():
        tool.chmod(0o755)
    data, here = small(tmp_path / "data", "new"), tmp_path / "here"
    here.mkdir()
    backup(small(tmp_path / "before", "old"), here / "app.zip")

    def do(example, bytes=""):
        environment = os.environ | {"PATH": f"{bin}:{os.environ['PATH']}", "BYTES": bytes}
        command = example.replace("/var/lib/app", str(data))
        return subprocess.run(["sh", "-c", command], cwd=here, env=environment, capture_output=True, timeout=60)

    do.here = here
    return do


def examples(word):
    found = [example for example in helptexts.examples(helptexts.discussions()["backup"]) if word in example]
    assert found, f"no example with {word!r}"
    return found


def holds(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("floor_plan/plan.json").decode()


@pytest.mark.parametrize("bytes", ["0", "1000"])
def test_a_backup_that_breaks_on_its_way_to_another_machine_leaves_the_old_one(reader, bytes):
    for example in examples("ssh"):
        assert reader(example, bytes).returncode != 0
        assert holds(reader.here / "app.zip") == "old"


def test_the_examples_of_backup_do_what_they_show_and_can_be_repeated(reader):
    for example in examples("app.new"):
        for _ in range(2):
            result = reader(example)
            assert result.returncode == 0, (example, result.stderr)
            assert holds(reader.here / "app.zip") == "new"
        assert sorted(os.listdir(reader.here)) == ["app.zip"]
        backup(Path(reader.here.parent / "before"), reader.here / "app.zip")


def test_the_examples_without_a_file_name_can_be_repeated_on_one_day(reader):
    found = [example for example in examples("sluice backup") if "-o" not in example]
    for example in found:
        for _ in range(2):
            result = reader(example)
            assert result.returncode == 0, (example, result.stderr)
            # The name has the second in it, which was this one at the latest.
            second = int(time.time())
            wait_until(lambda: int(time.time()) > second, "the next second")  # noqa: B023
    assert len(list(reader.here.glob("data-backup-*Z.zip"))) == 2 * len(found)
