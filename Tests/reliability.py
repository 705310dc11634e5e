#!/usr/bin/env python3
"""Writes down what was tested, how often, and what came of it.

    make reliability                               # runs every test first
    Tests/reliability.py OUTPUT.md REPORT.xml …    # reports in JUnit's form: pytest's, and those of `swift test --xunit-output`

A test counts for one case, or for as many as it says itself: `record_property("cases", count)`. Every number comes from
the reports; without one, nothing is written.
"""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

TESTS = Path(__file__).resolve().parent

# The targets of Swift's tests.
UNITS = {
    "ArchiveTests": "An archive of a directory: what goes in, and any part of it again.",
    "EventLoopTests": "epoll, timers, sockets, signals: no wake-up is lost, and nothing is received or sent out of turn.",
    "HTTP1Tests": "RFC 9112 and 9110 by their sections: requests, fields, ranges, tags, connections; what others refuse is refused.",
    "RestoreTests": "An archive is verified and restored: whole, or not at all.",
    "ServiceTests": "Endpoints, resume, tokens, log, metrics.",
    "SQLiteSnapshotTests": "A snapshot is what SQLite itself would read, page by page, whatever is committed after it.",
    "SystemdTests": "Passed sockets, notifications, the journal's fields.",
    "SystemTests": "Paths by their bytes, small and atomic files, threads, dates.",
    "ZipTests": "Each record by APPNOTE; archives past every limit of zip without zip64; damage at each byte is noticed.",
}

# What the folders of the end-to-end tests are about.
FOLDERS = ["backup", "http", "resume", "verify", "restore", "host", "faults", "soak"]

# Those whose figures are what became of each fault.
OF_FAULTS = ["test_faults", "test_command_faults"]

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
    """`test_x` of a class name such as `http.test_x`; of one of Swift's, its target."""
    parts = case.get("classname", "").split(".")
    return next((part for part in parts if part.startswith("test_")), parts[0] or "unnamed")


def path_of(name):
    """The file of an end-to-end test."""
    return next((TESTS / "Integration").glob(f"*/{name}.py"), None)


def proves(name):
    """What holds if they pass: for a file of end-to-end tests, its first line."""
    if name in UNITS:
        return UNITS[name]
    path = path_of(name)
    text = ast.get_docstring(ast.parse(path.read_text())) if path else None
    return (text or "").partition("\n")[0].replace("|", "\\|")


def area_of(name):
    path = path_of(name)
    return path.parent.name if path else "unit"


def read(reports):
    """The tests of all reports by their files, and when they were run."""
    groups, times = {}, []
    for report in reports:
        root = ElementTree.parse(report).getroot()
        times += [suite.get("timestamp", "")[:16].replace("T", " ") for suite in root.iter("testsuite")]
        for case in root.iter("testcase"):
            groups.setdefault(file_of(case), Group()).add(case)
    return groups, sorted(filter(None, times))


def commit():
    """What was tested; a change that is not committed is no commit's."""
    git = ["git", "-C", TESTS]
    if subprocess.run([*git, "diff", "--quiet", "HEAD"], stderr=subprocess.DEVNULL).returncode:
        return "Of files that are not committed."
    return f"Of commit {subprocess.run([*git, 'rev-parse', 'HEAD'], stdout=subprocess.PIPE, text=True).stdout.strip()}."


def page(groups, times):
    total = Counter()
    for group in groups.values():
        total.update(group.counts)
    order = [*FOLDERS, "unit"]
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
        f"Written by `Tests/reliability.py` from the reports of tests that were run {when}:", f"**{summary}**.", "", commit(), "",
        "A case is one fault at one place, one kill, one request of a soak; a test that does not count them is one. What is skipped",
        "has proved nothing.", "",
        "| area | file | tests | skipped | cases | known to fail | failed | what they prove |", "|---|---|--:|--:|--:|--:|--:|---|",
        *rows, "", *(["## What is known to be wrong", "", *known, ""] if known else []),
        *(["## What became of each fault", "", FAULTS, "", "| fault | what became of the backup |", "|---|---|", *faults] if faults else []),
    ]).rstrip() + "\n"  # fmt: skip


def main(output, *reports):
    groups, times = read(reports)
    if not groups:
        sys.exit("reliability: the reports have no tests; nothing is written")
    Path(output).write_text(page(groups, times))
    print(f"wrote {output}")
    sys.exit(any(group.counts["failed"] for group in groups.values()))


if __name__ == "__main__":
    main(*sys.argv[1:])
