"""Real repositories of restic and borg, folders of rclone and of age: what `sluice pull` is given, and what they list."""

import json
import os
import re
import shlex
import subprocess


def environment(path):
    """Passwords, caches and settings of the engines, below a directory."""
    (path / "rclone.conf").touch()
    return {
        "RESTIC_PASSWORD": "secret-of-restic", "XDG_CACHE_HOME": str(path / "cache"), "RCLONE_CONFIG": str(path / "rclone.conf"),
        "BORG_BASE_DIR": str(path / "borg-base"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }  # fmt: skip


class Restic:
    def __init__(self, path):
        self.path, self.options = path, ["--restic", path]
        self.call("init")

    def call(self, *arguments):
        return subprocess.run(["restic", "-q", "-r", self.path, *arguments], check=True, capture_output=True).stdout

    def names(self):
        # Their identifiers: restic lists no other.
        return {name.name for name in (self.path / "snapshots").iterdir()}

    def content(self, name):
        return self.call("dump", name, f"/{self.file(name)}")

    def file(self, name):
        """What `sluice pull` has called it."""
        [path] = json.loads(self.call("snapshots", "--json", name))[0]["paths"]
        return path.removeprefix("/")

    def remove(self, name):
        self.call("forget", name)

    def check(self):
        self.call("check")


class Borg:
    def __init__(self, path):
        self.path, self.options, self.listed = path, ["--borg", path], (None, None)
        self.call("init", "-e", "none", path)

    def call(self, *arguments):
        return subprocess.run(["borg", *arguments], check=True, capture_output=True).stdout

    def names(self):
        # borg needs half a second for each answer: it is asked again once a file of the repository is another.
        files = {(path, path.stat().st_mtime_ns) for path in self.path.glob("data/*/*")}
        if files != self.listed[0]:
            self.listed = files, self.call("list", "--short", "--consider-checkpoints", self.path).decode().split()
        return {*self.listed[1]}

    def content(self, name):
        return self.call("extract", "--stdout", f"{self.path}::{name}")

    def file(self, name):
        return name

    def remove(self, name):
        self.call("delete", f"{self.path}::{name}")

    def check(self):
        self.call("check", self.path)


class Rclone:
    def __init__(self, path):
        path.mkdir(exist_ok=True)
        self.path, self.options = path, ["--rclone", path]

    def names(self):
        return set(os.listdir(self.path))

    def content(self, name):
        return (self.path / name).read_bytes()


class Age:
    """By --to, as a script that renames what is whole."""

    def __init__(self, path):
        path.mkdir(exist_ok=True)
        self.path, key = path, path.with_suffix(".key")
        subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True)
        self.key, to = key, re.search(r"age1\w+", key.read_text())[0]
        command = f"cd {shlex.quote(str(path))} && age -r {to} >part && mv part $SLUICE_NAME.age"
        self.options = ["--to", command]

    def names(self):
        return set(os.listdir(self.path)) - {"part"}

    def content(self, name):
        return subprocess.run(["age", "-d", "-i", self.key, self.path / name], check=True, capture_output=True).stdout
