"""What one would write with zipstream-ng: copies of the databases of DATA in COPIES, then a zip to standard output."""

import os
import sqlite3
import sys
import zipfile
from contextlib import closing
from pathlib import Path

from zipstream import ZipStream

copies = Path(os.environ["COPIES"])
for path in sorted(Path(os.environ["DATA"]).glob("*.db")):
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copies / path.name)) as copy:
        source.backup(copy)
archive = ZipStream(compress_type=zipfile.ZIP_DEFLATED, compress_level=6)
for path in sorted(copies.glob("*.db")):
    archive.add_path(path)
for chunk in archive:
    sys.stdout.buffer.write(chunk)
