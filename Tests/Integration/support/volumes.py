"""File systems of a test's own."""

import os
import subprocess
from contextlib import contextmanager

import pytest

MEBIBYTE = 1 << 20


@contextmanager
def mounted(place, *arguments):
    # A container may have no loop device.
    if os.geteuid() != 0 or subprocess.run(["mount", *arguments, place], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def small_disk(place, mebibytes=2):
    """A file system with so much room; what it yields gives it more."""
    with mounted(place, "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs"):
        yield lambda: subprocess.run(["mount", "-o", "remount,size=1g", place], check=True)


@contextmanager
def volume(kind, place):
    """A file system of 400 MiB of a kind that clones files, at an empty directory."""
    image = place.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(400 * MEBIBYTE)
    subprocess.run([f"mkfs.{kind}", "-q", image], check=True)
    with mounted(place, "-o", "loop", image):
        yield place
    image.unlink()
