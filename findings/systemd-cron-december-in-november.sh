#!/bin/sh
# systemd-cron runs a December crontab line in November, October's never, `0-7` on Sundays only, and a day of month AND of week.
#
# systemd-cron 1.15.19 of Debian 12, in the place of cron; it makes a timer of each line of a crontab. The next runs of its timers (systemd 252),
# beside those of the same line by crontab(5), as croniter 7.0.0 has them. Seen, with `0 4` before:
#
#   line           cron                                    systemd-cron
#   * dec *        December                                November
#   * nov *        November                                October
#   1 oct *        1 October                               no timer: "garbled time", which goes to the kernel's log at boot
#   * * 0-7        every night                             Sundays
#   * * 5-7        Friday to Sunday                        every night
#   1 * 0          the first of a month, and each Sunday   a first that is a Sunday: one of the 63 nights of 2027
#   1,15 * 5       likewise, Fridays                       likewise
#
# Months by number, a weekday by name or as `6,7`, and lines with a `*` for one of the two kinds of day are as in cron.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import re

from common import *

debs("systemd-cron=1.15.19-*", "systemd=252.*", "libsystemd-shared=252.*")
python = venv("croniter==7.0.0") + "python"
ENV["LD_LIBRARY_PATH"] += f":{ROOT}/usr/lib/x86_64-linux-gnu/systemd:{ROOT}/lib/x86_64-linux-gnu"
ENV.update(LC_ALL="C", TZ="UTC", SYSTEMD_LOG_LEVEL="err")
WRONG = {"* dec *": "2027-11-01 2027-11-02 2027-11-03 2027-11-04", "* nov *": "2027-10-01 2027-10-02 2027-10-03 2027-10-04", "1 oct *": "no timer",
         "* * 0-7": "2027-01-03 2027-01-10 2027-01-17 2027-01-24",
         "* * 5-7": "2027-01-01 2027-01-02 2027-01-03 2027-01-04", "1 * 0": "2027-08-01 2028-10-01 2029-04-01 2029-07-01",
         "1,15 * 5": "2027-01-01 2027-01-15 2027-10-01 2027-10-15"}
RIGHT = ["* 12 *", "1 1,4,7,10 *", "1 sep *", "1 * *", "* * 1-5", "* * sun", "* * 6,7", "*/2 * *"]

# The generator, whose folders are in a temporary one.
for folder in ("etc/cron.d", "run/systemd", "var/spool/cron/crontabs", "units"):
    os.makedirs(f"{DIR}/host/{folder}")
with open(ROOT + "/lib/systemd/system-generators/systemd-crontab-generator") as file:
    generator = write("generator", re.sub("'/(etc|run|var)/", rf"'{DIR}/host/\1/", file.read()))
lines = [*WRONG, *RIGHT]
for number, line in enumerate(lines):
    write(f"host/etc/cron.d/line{number}", f"0 4 {line} root true\n")
log = subprocess.run(["/usr/bin/python3", generator, DIR + "/host/units"], capture_output=True, text=True).stderr
print(log.replace(DIR + "/host", ""), end="")


def timer(number):
    """The next four runs of the timer of a line, counted from the last second of 2026."""
    try:
        with open(f"{DIR}/host/units/cron-line{number}-root-0.timer") as file:
            calendar = re.search("OnCalendar=(.*)", file.read())[1].strip()
    except FileNotFoundError:
        return "no timer"
    run = subprocess.run([ROOT + "/usr/bin/systemd-analyze", "calendar", calendar, "--base-time=2026-12-31 23:59:59 UTC", "--iterations=4"], env=ENV,
                         capture_output=True, text=True)
    return " ".join(re.findall(r"(?:elapse|#\d+): \w+ (\S+) 04:00:00 UTC", run.stdout)) or run.stderr


def cron(line):
    code = "import croniter, datetime, sys; i = croniter.croniter('0 4 ' + sys.argv[1], datetime.datetime(2026, 12, 31, 23, 59, 59)); " \
           "print(*[i.get_next(datetime.datetime).date() for _ in range(4)])"
    return subprocess.run([python, "-c", code, line], capture_output=True, text=True).stdout.strip()


seen = {}
for number, line in enumerate(lines):
    runs, right = timer(number), cron(line)
    seen[f"0 4 {line}"] = "as cron" if runs == right else runs
    print(f"  {line}: cron {right}", flush=True)
expect(seen, {f"0 4 {line}": WRONG.get(line, "as cron") for line in lines})
END
