#!/bin/sh
# A systemd timer with steps, such as `OnCalendar=*-*-* 02/12:00`, ends for good on the day before the clocks go forward.
#
# systemd 252, whose arithmetic systemd-analyze has. cron runs what falls into the hour that a night lacks when that hour is over. Seen:
#
#   a time in the hour that is left out      the night has no run: `03:00` in Helsinki, Athens or Kyiv, `daily` in Cairo, Beirut or Santiago
#   a list with one (`02,14:00`)             goes on at the next one of the list
#   steps that begin with one (`02/12:00`; `00/6:00` where midnight is left out)
#                                            no next time at all: "Resource deadlock avoided", from the last run of the day before
#   every hour or quarter, in autumn         nothing runs in the hour that comes twice, the second time
#
# The last run is what a timer counts from. So a manager (by hand, a user instance of 252, `Persistent=yes`, a stamp of the day before) shows such a
# timer as active (elapsed) with no next time, without a message; a manager that starts a year later does not change that, since the stamp is
# read again. The script starts no manager, for that would move the other processes of the host to another control group.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("systemd=252.*", "libsystemd-shared=252.*", "tzdata")
ENV["LD_LIBRARY_PATH"] += f":{ROOT}/usr/lib/x86_64-linux-gnu/systemd:{ROOT}/lib/x86_64-linux-gnu"
ENV.update(LC_ALL="C", TZDIR=ROOT + "/usr/share/zoneinfo", SYSTEMD_LOG_LEVEL="err")


def runs(zone, calendar, last, count=2):
    """The next runs in UTC, behind the last one (in UTC, too)."""
    command = [ROOT + "/usr/bin/systemd-analyze", "calendar", calendar, f"--base-time={last} UTC", f"--iterations={count}"]
    run = subprocess.run(command, env=ENV | {"TZ": zone}, capture_output=True, text=True)
    if run.returncode:
        return run.stderr.strip().rpartition(": ")[2]
    return [" ".join(line.split()[-3:-1]) for line in run.stdout.splitlines() if line.endswith(" UTC")]


DEADLOCK = "Resource deadlock avoided"
cases = [
    ("Europe/Berlin", "*-*-* 02/12:00", "2025-03-29 13:00:02", DEADLOCK),
    ("Europe/Berlin", "*-*-* 02,14:00", "2025-03-29 13:00:02", ["2025-03-30 12:00:00", "2025-03-31 00:00:00"]),
    ("Europe/Berlin", "*-*-* 02/12:00", "2025-03-29 01:00:02", ["2025-03-29 13:00:00"]),
    ("America/New_York", "*-*-* 02/6:00", "2025-03-09 01:00:02", DEADLOCK),
    ("Europe/Helsinki", "*-*-* 03/12:00", "2025-03-29 13:00:02", DEADLOCK),
    ("Africa/Cairo", "*-*-* 00/6:00", "2025-04-24 16:00:02", DEADLOCK),
    ("America/Santiago", "*-*-* 00/6:00", "2025-09-06 22:00:02", DEADLOCK),
    ("America/Santiago", "*-*-* 00,06,12,18:00", "2025-09-06 22:00:02", ["2025-09-07 09:00:00", "2025-09-07 15:00:00"]),
    ("Europe/Helsinki", "*-*-* 03:00", "2025-03-29 01:00:02", ["2025-03-31 00:00:00", "2025-04-01 00:00:00"]),
    ("Europe/Helsinki", "*-*-* 05:00", "2025-03-29 03:00:02", ["2025-03-30 02:00:00", "2025-03-31 02:00:00"]),
    ("Africa/Cairo", "daily", "2025-04-23 22:00:02", ["2025-04-25 21:00:00", "2025-04-26 21:00:00"]),
    ("Europe/Helsinki", "*:00/15", "2025-10-26 00:45:02", ["2025-10-26 02:00:00", "2025-10-26 02:15:00"]),
]
expect({f"{zone}  {calendar}  after {last}": runs(zone, calendar, last, 1 if len(seen) == 1 else 2) for zone, calendar, last, seen in cases},
       {f"{zone}  {calendar}  after {last}": seen for zone, calendar, last, seen in cases})
END
