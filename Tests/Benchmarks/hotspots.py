"""Where the processors' time goes while an archive is downloaded, by perf(1): every core, the reader's share too."""

import subprocess
from collections import Counter

from harness import serve
from measure import swallow

# By what is found first: the thread, the file that the code is in, the function.
KINDS = (
    ("idle", lambda thread, file, function: thread == "swapper"),
    ("CRC-32", lambda thread, file, function: "crc32" in function),
    ("SHA-256", lambda thread, file, function: "sha256" in function),
    ("deflate", lambda thread, file, function: file.startswith(("libisal", "libz."))),
    ("the client", lambda thread, file, function: thread == "curl"),
    ("the kernel, for the loop: sockets", lambda thread, file, function: thread == "sluice" and is_kernel(file)),
    ("the kernel, for the session: files", lambda thread, file, function: thread == "backup" and is_kernel(file)),
    ("SQLite", lambda thread, file, function: file.startswith("libsqlite3")),
    ("the rest of Sluice", lambda thread, file, function: thread in ("sluice", "backup", "compressor")),
    ("the rest of the machine", lambda thread, file, function: True),
)


def is_kernel(file):
    return file.startswith("[")


def measured(data, level, work):
    """The share of each kind in percent; nothing where there is no perf, or this user may not use it."""
    recorded = work / "perf.data"
    with serve(data) as server:
        swallow(server, f"/api/backup?compression={level}")
        reader = ["curl", "-fsS", "-o", "/dev/null", f"{server.url}/api/backup?compression={level}"]
        command = ["perf", "record", "--all-cpus", "--freq", "1999", "--output", recorded, "--", *reader]
        try:
            if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                return {}
        except FileNotFoundError:
            return {}
    command = ["perf", "report", "--input", recorded, "--stdio", "--no-children", "--sort", "comm,dso,sym", "--field-separator", "\t"]
    shares = Counter()
    for line in subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        share, thread, file, function = (field.strip() for field in line.split("\t")[:4])
        kind = next(name for name, is_it in KINDS if is_it(thread, file, function))
        shares[kind] += float(share.rstrip("%"))
    return shares
