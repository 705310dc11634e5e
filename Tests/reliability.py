#!/usr/bin/env python3
"""Writes Tests/RELIABILITY.md: what was tested, how often, and what came of it.

    make reliability                         # runs every test first
    Tests/reliability.py report.xml …        # of reports in JUnit's form: pytest's, and those of `swift test --xunit-output`

A test counts for one case, or for as many as it says itself: `record_property("cases", count)`. Every number comes from
the reports; without one, nothing is written.
"""

import ast
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

TESTS = Path(__file__).resolve().parent
TARGET = TESTS / "RELIABILITY.md"

# The targets of Swift's tests.
UNITS = {
    "BackupTests": "An archive of a directory: what goes in, any part of it again, how it is verified and put back.",
    "EventLoopTests": "epoll, timers, sockets, threads: no wake-up is lost, and nothing is taken or sent that nobody waits for.",
    "HTTP1Tests": "RFC 9112 and 9110 by their sections: requests, fields, ranges, tags; what others refuse is refused.",
    "SQLiteSnapshotTests": "A snapshot is what SQLite itself would read, page by page, whatever is committed after it.",
    "ZipTests": "Each record by APPNOTE; archives past every limit of zip without zip64; damage at each byte is noticed.",
}

# Which promise a file of end-to-end tests is for, less its "test_"; what is not named here stands under "Other".
AREAS = {
    "One moment, whole": ["archive", "random_trees", "consistency", "neighbours", "readers", "verify", "unchanged"],
    "Failure is seen": ["faults", "command_faults", "limits", "bad_input", "races", "bad_flags", "output_file", "cli_backup"],
    "What the application notices": ["source_untouched", "backpressure"],
    "The way back": ["real_applications", "restore", "restore_killed", "restore_hostile"],
    "The protocol": ["http", "smuggling", "behind_nginx", "nginx_service", "tokens", "resume", "slow_and_many", "vanishing"],
    "A service for a long time": ["soak", "drain", "service", "metrics", "journal", "health_command"],
    "On a host": ["systemd", "systemd_access", "systemd_bad_start", "systemd_units", "package", "setup_command", "pull", "keep"],
    "The parts alone": [*UNITS],
}

# Those whose figures are what became of each fault.
OF_FAULTS = ["test_faults", "test_command_faults"]

OTHERS = """\
## What runs beside them

- `make test-asan` and `make test-tsan`: the tests of Swift's targets, and the end-to-end tests of the routes and commands, under
  AddressSanitizer with LeakSanitizer and under ThreadSanitizer, in CI too. What LeakSanitizer reports that is not ours stands
  in `Tests/Sanitizers`, with the reason.
- `make fuzz`, for thirty seconds in CI: libFuzzer against the request parser.

## What the most trusted of their kind promise

None of these numbers can be set against another: each counts something else. They are here for the measure.

- **SQLite** ([How SQLite Is Tested](https://www.sqlite.org/testing.html)): four test harnesses developed independently, 590 times
  as much test code as code (as of 3.42), millions of cases, 100 % branch coverage and MC/DC of the core, every allocation and
  every call of its file system failing in turn, simulated power loss with writes reordered, fuzzing around the clock, a
  checklist for each release. Part of it (TH3) is not public.
- **nginx** ([nginx-tests](https://github.com/nginx/nginx-tests)): a public suite of Perl tests against the built program, feature
  by feature, beside decades in use. We know of no figure of its coverage.
- **Litestream** ([README](https://github.com/benbjohnson/litestream)): talks to SQLite through its API only, "so it will not corrupt
  your database". It replicates after the fact: what was committed last may not have left the machine yet.
- **restic** ([design](https://restic.readthedocs.io/en/stable/100_references.html)): everything in a repository is named by its
  SHA-256, and `restic check --read-data` reads all of it as a restore would. It copies files as it finds them: for one moment of
  a database that is in use, a snapshot has to be made first.

## What is not done here

- No coverage is measured, of branches or otherwise, and nobody has checked that each test fails for each mistake that it could find.
- What SQLite allocates fails in turn, what Swift does not: where that finds no memory, the process ends, and a service manager
  starts it again.
- System calls fail one at a time, by Linux's rules, on local file systems. Power loss with writes reordered is not simulated;
  killing the process at every step is, where something is written.
- The harnesses are one, by the authors of the program. Nobody else has verified it.
- What SQLite, the kernel and the file system do wrong themselves is not found here.
"""

FAULTS = """\
One at each place, or at every place from one on. *Whole* is compared with its source, row by row; *incomplete* names in head,
manifest and log what is missing; *broken off* and a status of 500 or more is told to the client and to the log. A backup
after it is whole, nothing is locked, and no descriptor is left."""


class Group:
    """The tests of one file, or of one target of Swift's."""

    def __init__(self):
        self.counts = Counter()
        self.known = []
        self.figures = []

    def add(self, case):
        self.counts["tests"] += 1
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            self.counts["failed"] += 1
        elif skipped is not None and skipped.get("type") == "pytest.xfail":
            self.counts["known"] += 1
            self.known.append((case.get("name"), skipped.get("message", "")))
        elif skipped is not None:
            self.counts["skipped"] += 1
            return
        properties = [(entry.get("name"), entry.get("value")) for entry in case.iter("property")]
        said = [int(value) for name, value in properties if name == "cases"]
        self.counts["cases"] += sum(said) if said else 1
        self.figures += [(name, value) for name, value in properties if name != "cases"]

    def row(self, area, name, proves):
        numbers = " | ".join(str(self.counts[what]) for what in ("tests", "skipped", "cases", "known", "failed"))
        return f"| {area} | `{name}` | {numbers} | {proves} |"


def file_of(case):
    """`test_x` of a class name such as `Tests.Integration.test_x`; of one of Swift's, its target."""
    parts = case.get("classname", "").split(".")
    return next((part for part in parts if part.startswith("test_")), parts[0] or "unnamed")


def proves(name):
    """What holds if they pass: for a file of end-to-end tests, its first line."""
    if name in UNITS:
        return UNITS[name]
    path = next((TESTS / "Integration").glob(f"*/{name}.py"), None)
    text = ast.get_docstring(ast.parse(path.read_text())) if path else None
    return (text or "").partition("\n")[0].replace("|", "\\|")


def area_of(name):
    return next((area for area, files in AREAS.items() if name.removeprefix("test_") in files), "Other")


def read(reports):
    """The tests of all reports by their files, and when they were run."""
    groups, times = {}, []
    for report in reports:
        root = ElementTree.parse(report).getroot()
        times += [suite.get("timestamp", "")[:16].replace("T", " ") for suite in root.iter("testsuite")]
        for case in root.iter("testcase"):
            groups.setdefault(file_of(case), Group()).add(case)
    return groups, sorted(filter(None, times))


def page(groups, times):
    total = Counter()
    for group in groups.values():
        total.update(group.counts)
    order = [*AREAS, "Other"]
    names = sorted(groups, key=lambda name: (order.index(area_of(name)), name))
    rows = [groups[name].row(area_of(name), name, proves(name)) for name in names]
    known = [f"- `{test}`: {reason}." for name in names for test, reason in groups[name].known]
    faults = [f"| {name} | {value} |" for file in OF_FAULTS if file in groups for name, value in groups[file].figures]
    when = f"on {times[0]}" if times and times[0] == times[-1] else f"from {times[0]} to {times[-1]}" if times else "at a time unknown"
    summary = ", ".join([
        f"{total['tests']} tests with {total['cases']} cases", f"{total['failed']} failed", f"{total['known']} known to fail",
        f"{total['skipped']} skipped",
    ])  # fmt: skip
    return "\n".join([
        "# What is tested, and what came of it", "",
        f"Written by `Tests/reliability.py` from the reports of tests that were run {when}:", f"**{summary}**.", "",
        "A case is one fault at one place, one kill, one request of a soak; a test that does not count them is one. What is skipped",
        "has proved nothing.", "",
        "| area | file | tests | skipped | cases | known to fail | failed | what they prove |", "|---|---|--:|--:|--:|--:|--:|---|",
        *rows, "", *(["## What is known to be wrong", "", *known, ""] if known else []), OTHERS,
        *(["## What became of each fault", "", FAULTS, "", "| fault | what became of the backup |", "|---|---|", *faults] if faults else []),
    ]).rstrip() + "\n"  # fmt: skip


def main(reports):
    groups, times = read(reports)
    if not groups:
        sys.exit("reliability: the reports have no tests; nothing is written")
    TARGET.write_text(page(groups, times))
    print(f"wrote {TARGET}")
    sys.exit(any(group.counts["failed"] for group in groups.values()))


if __name__ == "__main__":
    main(sys.argv[1:])
