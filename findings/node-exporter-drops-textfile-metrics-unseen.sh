#!/bin/sh
# node_exporter leaves out a metric of the textfile collector if another file has it with another HELP; `node_textfile_scrape_error` stays 0.
#
# node_exporter 1.5.0 of Debian 12, two files in the textfile collector's folder, each of which `promtool check metrics` (Prometheus 2.42) can read. Seen:
#
#   both have `backup_ok`, with another label, and           in /metrics                                      node_textfile_scrape_error     HTTP status
#     the same HELP                                          both                                             0                              200
#     another HELP, or none                                  the one of the file whose name comes first       0                              200
#     another TYPE                                           likewise                                         0                              200
#     the same label                                         likewise                                         0                              200
#   one file is no valid text                                the other file's                                 1                              200
#
# What is left out is one line in node_exporter's own log. The rest of the file is there, `node_textfile_mtime_seconds` for both.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import re
import urllib.request

from common import *

debs("prometheus-node-exporter=1.5.0-*", "prometheus=2.42.0*")
HELP, TYPE = "# HELP backup_ok Whether the last backup succeeded.\n", "# TYPE backup_ok gauge\n"
FIRST = HELP + TYPE + 'backup_ok{app="shop"} 1\n'


def seen(second):
    """The labels of `backup_ok`, what else the second file has, the error flag, the files with a time, the lines in the log; and whether promtool can read them."""
    folder = tempfile.mkdtemp(dir=DIR)
    for name, text in ("a.prom", FIRST), ("b.prom", second):
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)
    promtool = [subprocess.run([ROOT + "/usr/bin/promtool", "check", "metrics"], stdin=open(f"{folder}/{name}"), stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL).returncode != 1 for name in ("a.prom", "b.prom")]
    port = free_port()
    process = start(port, ROOT + "/usr/bin/prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile", "--collector.textfile.directory=" + folder,
                    f"--web.listen-address=127.0.0.1:{port}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        text = response.read().decode()
    stop(process)
    return (re.findall(r'^backup_ok{app="(\w+)"}', text, re.M), len(re.findall("^backup_age ", text, re.M)), int(re.search(r"^node_textfile_scrape_error (\d)", text, re.M)[1]),
            len(re.findall("^node_textfile_mtime_seconds", text, re.M)), open(DIR + "/log").read().count("level=error"), promtool)


SECOND, AGE = 'backup_ok{app="wiki"} 0\n', "backup_age 5\n"
LEFT_OUT = (["shop"], 1, 0, 2, 1, [True, True])
expect({"the same HELP": seen(HELP + TYPE + SECOND + AGE), "another HELP": seen(HELP.replace("Whether", "If") + TYPE + SECOND + AGE), "no HELP": seen(TYPE + SECOND + AGE),
        "another TYPE": seen(HELP + TYPE.replace("gauge", "untyped") + SECOND + AGE), "the same label": seen(FIRST + AGE), "no text": seen(HELP + TYPE + SECOND[:-3])},
       {"the same HELP": (["shop", "wiki"], 1, 0, 2, 0, [True, True]), "another HELP": LEFT_OUT, "no HELP": LEFT_OUT, "another TYPE": LEFT_OUT, "the same label": LEFT_OUT,
        "no text": (["shop"], 0, 1, 1, 1, [True, False])})
END
