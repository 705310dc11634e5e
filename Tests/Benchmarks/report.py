"""What was measured, as Markdown and pictures: RESULTS.md and the SVG files beside it."""

import math
from statistics import median

from chart import Panel, draw
from hotspots import KINDS

# Title, unit, how it follows from a round and the size of the databases, its form, whether its scale is logarithmic.
COLUMNS = (
    ("throughput", "MB/s", lambda round, size: size / round.total / 1e6, "{:.0f}", False),
    ("archive", "MB", lambda round, size: round.size / 1e6, "{:.1f}", False),
    ("first byte", "ms", lambda round, size: round.first * 1000, "{:.1f}", True),
    ("processor", "s", lambda round, size: round.cpu, "{:.2f}", False),
    ("peak memory", "MiB", lambda round, size: round.peak / 2**20, "{:.1f}", True),
)

EXPLAINED = (
    "Where nothing is idle, *deflate efficiency* (below) is what deflate's share leaves it to be. The rest cannot be left out:"
    " the zip has a CRC-32 of every entry and the manifest a SHA-256, the kernel copies from the page cache and to the socket,"
    " and the client of a measurement shares the cores. Beside zlib's slower levels the same rest is a small part.",
    "",
    "`store` beside nginx: `sendfile` hands the pages of the cache on, computes nothing and reads no log. Databases with a"
    " rollback journal are copied before the first byte, while the client has nothing to do.",
    "",
)  # fmt: skip


def spread(values):
    return median(values), min(values), max(values)


def table(head, rows):
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def legend(field):
    return table(["", "what it does"], [(one.name, one.about) for one in field])


def sizes(folder, mebibytes, size, rounds):
    """One size of data. `rounds`: the rounds of each contestant, by name."""
    picture = f"RESULTS-{mebibytes}.svg"
    figures = {title: [(name, *spread([value(round, size) for round in its])) for name, its in rounds.items()]
               for title, _, value, _, _ in COLUMNS}  # fmt: skip
    draw(folder / picture, [
        Panel(f"{title}, {unit}" + (" (logarithmic)" if logarithmic else ""), figures[title], f"{form} {unit}",
              logarithmic) for title, unit, _, form, logarithmic in COLUMNS
    ])  # fmt: skip
    return [
        f"## {size / 1e6:.0f} MB of databases", "", f"![the table below as a picture]({picture})", "",
        *measured(size, rounds),
    ]  # fmt: skip


def all_wal(size, rounds):
    return [f"## {size / 1e6:.0f} MB of databases, all in WAL mode", "", *measured(size, rounds)]


def measured(size, rounds):
    rows = []
    for name, its in rounds.items():
        cells = []
        for _, unit, value, form, _ in COLUMNS:
            middle, least, most = (form.format(figure) for figure in spread([value(round, size) for round in its]))
            cells.append(f"{middle} {unit}" + (f" ({least}–{most})" if least != most else ""))
        rows.append([name, *cells])
    return [*table(["", *(title for title, *_ in COLUMNS)], rows), *ratios(rounds)]


def ratios(rounds):
    """What one would otherwise work out from the table."""
    def middle(name, key):
        return median(getattr(round, key) for round in rounds[name])

    ours, replaced = "Sluice, default", "replaced method"
    rows = [
        ("throughput, `default` ÷ replaced method", middle(replaced, "total") / middle(ours, "total")),
        ("archive, `default` ÷ replaced method", middle(ours, "size") / middle(replaced, "size")),
        ("peak memory, `default` ÷ replaced method", middle(ours, "peak") / middle(replaced, "peak")),
        ("throughput, `store` ÷ nginx sending the raw files",
         middle("nginx, raw files", "total") / middle("Sluice, store", "total")),
    ]  # fmt: skip
    return table(["ratio of medians", ""], [(what, f"{ratio:.2f}") for what, ratio in rows])


def percentile(times, share):
    return sorted(times)[math.ceil(share * len(times)) - 1] if times else math.nan


def writers(folder, noticed, patience):
    """What writers noticed of each contestant; the first is that no backup runs."""
    rows, panels = [], []
    for mode in next(iter(noticed.values())).times:
        figures = []
        for name, its in noticed.items():
            each = [percentile(times, 0.99) * 1000 for times in its.times[mode] if times]
            pooled = [time for times in its.times[mode] for time in times]
            if each:
                figures.append((name, percentile(pooled, 0.99) * 1000, min(each), max(each)))
        panels.append(Panel(f"p99 of a commit, {mode}, ms (logarithmic)", figures, "{:.2f} ms", True))
    draw(folder / "RESULTS-writers.svg", panels)
    for name, its in noticed.items():
        row = [name]
        for mode, rounds in its.times.items():
            pooled = [time for times in rounds for time in times]
            values = [percentile(pooled, 0.5), percentile(pooled, 0.99), max(pooled, default=math.nan)]
            row += [f"{value * 1000:.2f} ms" for value in values]
            row.append(f"{its.errors[mode]} of {len(pooled) + its.errors[mode]}")
        done = f"{its.finished} of {its.finished + its.unfinished}" if "no backup" not in name else ""
        rows.append([*row, done])
    head = [""] + [f"{mode} {what}" for mode in its.times for what in ("p50", "p99", "worst", "errors")]
    return [
        "## Writers", "", "![the p99 of the table below as a picture](RESULTS-writers.svg)", "",
        "The replaced method turns every database that it reads into WAL: both its writers write to such.", "",
        *table([*head, f"backups done, {patience} s for each"], rows),
    ]  # fmt: skip


def hotspots(profiles):
    """Where the time goes: a column for each profile, of which those that could not be made are empty."""
    head = ["share of all cores", *profiles]
    rows = [[kind, *(f"{shares.get(kind, 0):.1f} %" for shares in profiles.values())] for kind, _ in KINDS]
    if not any(profiles.values()):
        rows = [["perf was not to be had", *("" for _ in profiles)]]
    return ["## Where the time goes", "", *table(head, rows), *EXPLAINED]


def promises(rows):
    return ["## What the service promises", "", *table(["what", "limit", "measured"], rows)]


def slower(rounds):
    """Whether Sluice took longer than the method that it replaces."""
    return median(it.total for it in rounds["Sluice, default"]) > median(it.total for it in rounds["replaced method"])
