#!/bin/sh
# `rsync --fuzzy` chooses the basis of tonight's archive by the digits of its name: seldom last night's, sometimes last year's.
#
# rsync 3.5.0 of Debian 12. A folder of dated archives (14 nights, and the first of each month for a year) is copied off site each night, for 60 nights;
# `--fuzzy` looks there for a similar file to send the difference to. Archives of 4 MiB, of which 1 % changes each night. Seen:
#
#   name of the archive                                          begins from last night's    oldest basis    data sent, in times of what that would cost
#   a time within half an hour: backup-2026-11-28T041733Z.zip    10 nights of 60             365 days        12.5
#   a time within 20 seconds: backup-2026-11-28T040011Z.zip      21                          334 days        7.7
#   the day: backup-2026-11-28.zip                               52                          365 days        3.8
#
# rsync takes the name with the fewest differing characters, whatever the files' times: a digit of the second counts like one of the year.
# Only a file of the same size and time goes before it.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import datetime
import random
import re

from common import *

debs("rsync=3.5.0*", "libpopt0=1.19*", "libxxhash0=0.8.1-*")
NIGHTS, EARLIER = 60, 390


def rsync(*arguments):
    return subprocess.run([ROOT + "/usr/bin/rsync", "-a", "--no-whole-file", "--stats", *arguments], env=ENV, capture_output=True, text=True, check=True).stdout


def literal(output):
    return int(re.search(r"Literal data: ([\d,]+)", output)[1].replace(",", ""))


def seen(form, delay):
    """In how many nights the basis was last night's, the age of the oldest in days, and the ratio of what was sent."""
    chance = random.Random(1)
    here, there, right = (tempfile.mkdtemp(dir=DIR) for _ in range(3))
    blocks = [chance.randbytes(4096) for _ in range(1024)]
    kept, ages, sent, least = [], [], 0, 0
    for night in range(EARLIER + NIGHTS):
        for block in chance.sample(range(len(blocks)), 10):
            blocks[block] = chance.randbytes(4096)
        time = datetime.datetime(2025, 11, 1, 4) + datetime.timedelta(days=night, seconds=chance.randrange(delay))
        if night < EARLIER - 14 and time.day != 1:
            continue
        name = time.strftime(form)
        with open(f"{here}/{name}", "wb") as file:
            file.write(b"".join(blocks) + chance.randbytes(night))  # Each has a size of its own.
        os.utime(file.name, (time.timestamp(), time.timestamp()))
        kept.append((time, name))
        for old in kept[:-14]:
            if old[0].day != 1 or (time - old[0]).days > 366:
                kept.remove(old)
                for folder in here, there:
                    os.remove(f"{folder}/{old[1]}")
        if night < EARLIER:
            shutil.copy2(file.name, there)
            continue
        shutil.copy2(f"{here}/{kept[-2][1]}", f"{right}/{name}")
        least += literal(rsync(file.name, f"{right}/{name}"))
        output = rsync("--fuzzy", "--debug=fuzzy", here + "/", there + "/")
        basis = re.search(r"fuzzy basis selected for \S+: backup-([\d-]{10})", output)[1]
        ages.append((time.date() - datetime.date.fromisoformat(basis)).days)
        sent += literal(output)
    return ages.count(1), max(ages), round(sent / least, 1)


LONG = "backup-%Y-%m-%dT%H%M%SZ.zip"
expect({"a time within half an hour": seen(LONG, 1800), "a time within 20 seconds": seen(LONG, 20), "the day": seen("backup-%Y-%m-%d.zip", 1)},
       {"a time within half an hour": (10, 365, 12.5), "a time within 20 seconds": (21, 334, 7.7), "the day": (52, 365, 3.8)})
END
