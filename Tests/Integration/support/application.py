"""A process with a database of its own, step by step as a test says."""

import json
import subprocess
import sys


class Application:
    """A process with a connection of its own, which runs statements until it is closed."""

    SCRIPT = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.05, uri=True)
connection.execute("PRAGMA wal_autocheckpoint=0")
for line in sys.stdin:
    print(json.dumps(connection.execute(json.loads(line)).fetchall()), flush=True)
connection.close()
"""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def close(self):
        self.process.communicate()

    def __call__(self, statement):
        self.process.stdin.write(json.dumps(statement) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


UPDATE = "UPDATE t SET commits = commits + 1, content = randomblob(1000)"


def table(application):
    """More than the kernel takes for a client that has stopped."""
    application("PRAGMA journal_mode=WAL")
    application("PRAGMA synchronous=OFF")
    application("CREATE TABLE t(id INTEGER PRIMARY KEY, commits INTEGER, content BLOB)")
    application(
        "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"
        " SELECT i, 0, randomblob(1000) FROM n"
    )
    application("PRAGMA wal_checkpoint(TRUNCATE)")
