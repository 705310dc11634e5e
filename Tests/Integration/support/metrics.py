"""What `/metrics` says, as numbers."""

import re

SAMPLE = re.compile(r"(sluice_\w+)(?:\{(.*)\})? (\S+)")


def samples(server):
    """The value of each metric; one with a label by that label's value, as in `aborted["stalled"]`."""
    answer = server.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = {}
    for line in answer.body.decode().splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            if labels:
                found.setdefault(name, {})[labels.split('"')[1]] = float(value)
            else:
                found[name] = float(value)
    return found
