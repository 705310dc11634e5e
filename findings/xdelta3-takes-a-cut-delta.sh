#!/bin/sh
# xdelta3 3.0.11 takes a delta that was cut between two windows for a whole one, and exits with 0.
#
# RFC 3284 has no length and no end mark: a VCDIFF ends where its file does. xdelta3 encodes in windows of 16 KiB here, each with the
# Adler-32 of its target, and the delta is cut behind every one of them. Seen: `xdelta3 -d` writes the beginning of the target each time, without
# a word. Cut anywhere else, it exits with 1.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import random

from common import *

debs("xdelta3=3.0.11-*")
chance = random.Random(1)
OLD = chance.randbytes(1 << 20)
NEW = b"".join(chance.randbytes(100) + OLD[start + 100 : start + 16384] for start in range(0, 1 << 20, 16384))


def path(name):
    return f"{DIR}/{name}"


def write(name, content):
    with open(path(name), "wb") as file:
        file.write(content)


def read(name):
    with open(path(name), "rb") as file:
        return file.read()


def number(content, at):
    value = 0
    while True:
        value, at = value << 7 | content[at] & 0x7F, at + 1
        if content[at - 1] < 0x80:
            return value, at


def windows(delta):
    """Where each ends: RFC 3284 section 4."""
    at = 5
    if delta[4] & 4:  # an application header
        length, at = number(delta, at)
        at += length
    ends = []
    while at < len(delta):
        source, at = delta[at] & 3, at + 1
        if source:
            _, at = number(delta, number(delta, at)[1])
        length, at = number(delta, at)
        at += length
        ends.append(at)
    return ends


def decoded(delta):
    write("cut", delta)
    code = status(ROOT + "/usr/bin/xdelta3", "-d", "-f", "-s", path("old"), path("cut"), path("made"), env=ENV)
    return code, code == 0 and ("whole" if read("made") == NEW else "a beginning" if NEW.startswith(read("made")) else "other")


write("old", OLD)
write("new", NEW)
status(ROOT + "/usr/bin/xdelta3", "-e", "-f", "-S", "none", "-W", "16384", "-s", path("old"), path("new"), path("delta"), env=ENV)
delta = read("delta")
ends = windows(delta)
expect({"whole": {decoded(delta)}, "behind a window": {decoded(delta[:end]) for end in ends[:-1]},
        "elsewhere": {decoded(delta[: end - 1]) for end in ends}},
       {"whole": {(0, "whole")}, "behind a window": {(0, "a beginning")}, "elsewhere": {(1, False)}})
END
