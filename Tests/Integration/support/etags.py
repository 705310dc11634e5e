"""What an ETag says."""

import re

from harness import wait_until


def state(answer):
    """The part of the tag that says what is in the archive; the other says which archive it is."""
    assert re.fullmatch(r'"[0-9a-f]{32}-[0-9a-f]{32}"', answer.headers["ETag"])
    return answer.headers["ETag"][1:33]


def settled(server, target="/api/backup"):
    """The tag, once what was changed last is old enough for it to stay."""

    def same():
        first, second = server.get(target), server.get(target)
        return state(first) == state(second) and first

    return wait_until(same, "two of one state")
