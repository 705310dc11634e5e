"""`make build` where there is no dpkg."""

import os
import shutil
import subprocess

from harness import ROOT


def test_a_system_without_dpkg_builds_too(tmp_path):
    """Its compiler finds out what is missing, and `make` says what a build needs."""
    (bin := tmp_path / "bin").mkdir()
    for name in ("sh", "find", "grep", "sed", "make", "id"):
        (bin / name).symlink_to(shutil.which(name))
    (bin / "swift").write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/built\n')
    (bin / "swift").chmod(0o755)
    command = ["make", "--directory", ROOT, "build"]
    result = subprocess.run(command, env=os.environ | {"PATH": str(bin)}, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "libsqlite3-dev" in result.stdout
    assert (tmp_path / "built").read_text().startswith("build -c release")
