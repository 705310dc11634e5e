"""Where the puller of many nights keeps a second copy: with a command, restic or borg, each of which a test can stop half way."""

import os
import shlex
import shutil

from tiers import by_borg, by_restic

# A file `hold` stops what writes an archive after this part of it; `half` says so.
STOP = "head -c 65536 >part && if [ -e ../hold ]; then : >../half; exec sleep 600; fi && cat >>part && mv part $SLUICE_NAME"
# Go asks the kernel for the time, past the library that moves a clock: restic gets it as an option.
ENGINE = """#!/bin/sh
cd {place} || exit
case " $* " in *" backup "*) set -- "$@" --time "$(date '+%F %T')";; esac
case " $* " in *" backup "* | *" create "*) ;; *) exec {program} "$@";; esac
[ -e hold ] || exec {program} "$@"
{{ head -c 65536; : >half; while [ -e hold ]; do sleep 0.05; done; cat; }} | {program} "$@"
"""


class Store:
    """What must be in it: `kept`, by name."""

    def __init__(self, path):
        self.place, self.kept = path, {}
        path.mkdir()

    def hold(self):
        (self.place / "hold").touch()

    def is_half_way(self):
        return (self.place / "half").exists()

    def go_on(self):
        for name in ("hold", "half"):
            (self.place / name).unlink()

    def is_blocked(self, now):
        """Nothing is removed as long as it has a backup that is dated later than a new one."""
        return False

    def to_be_kept(self, tiers):
        return {*self.kept.values()}


class CommandStore(Store):
    """A directory that a command of the user's writes to, and that removes nothing."""

    option, process, environment = "--to", "sleep", {}

    def __init__(self, path):
        super().__init__(path)
        self.path = path / "archives"
        self.path.mkdir()
        self.options = [self.option, f"cd {shlex.quote(str(self.path))} && {STOP}"]

    def names(self):
        return {name for name in os.listdir(self.path) if name.endswith(".zip")}

    def content(self, name):
        return (self.path / name).read_bytes()


class EngineStore(Store):
    def __init__(self, path, engine, process):
        super().__init__(path)
        self.path, self.process, name = path / "repository", process, engine.__name__.lower()
        self.engine, self.rule = engine(self.path), {"restic": by_restic, "borg": by_borg}[name]
        self.options, self.option = self.engine.options, f"--{name}"
        (path / "bin").mkdir()
        (path / "bin" / name).write_text(ENGINE.format(place=shlex.quote(str(path)), program=shutil.which(name)))
        (path / "bin" / name).chmod(0o755)
        self.environment = {"PATH": f"{path / 'bin'}:/usr/bin:/bin", "TZ": "UTC"}

    def is_blocked(self, now):
        return any(backup.modified > now for backup in self.kept.values())

    def to_be_kept(self, tiers):
        return self.rule({*self.kept.values()}, tiers)

    def names(self):
        return self.engine.names()

    def content(self, name):
        return self.engine.content(name)

    def remove_latest(self):
        """What the administrator does that reads of a backup with a wrong date. Its name, as `sluice pull` has it."""
        name = max(self.kept, key=lambda name: self.kept[name].modified)
        del self.kept[name]
        file = self.engine.file(name)
        self.engine.remove(name)
        return file
