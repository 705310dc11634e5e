"""Packages of PyPI that Debian does not have, in an environment of their own below .build."""

import fcntl
import os
import subprocess

import pytest

from harness import ROOT


def installed(name, packages, timeout=120):
    """The Python of an environment that has these packages; it is made once."""
    place = ROOT / ".build" / name
    place.mkdir(parents=True, exist_ok=True)
    environment, done = place / "venv", place / "installed"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text().split() != packages:
            try:
                subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", environment], check=True, capture_output=True)
                subprocess.run(
                    [environment / "bin/pip", "install", "-q", "--only-binary", ":all:", "--retries", "1", *packages],
                    check=True, capture_output=True, text=True, timeout=timeout,
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError) as error:
                reason = f"{packages} cannot be installed: {error}\n{getattr(error, 'stderr', '')}"
                (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
            done.write_text("\n".join(packages))
    return environment / "bin/python"
