#!/bin/sh
# A copy by SQLite's Online Backup API is not readable where pages carry checksums, though the copy is whole.
#
# SQLite 3.54.1 with its extension cksumvfs (both in apsw 3.54.1.0). The application checksums each page in its last 8 bytes. A backup program
# does not load the extension and copies with the Online Backup API. Seen:
#
#   the copy differs from the source in page 1 only: the file change counter (bytes 24-27), the schema cookie (40-43) and version-valid-for
#   (92-95), which the API counts up by itself; the checksum in the reserved bytes is copied as it was
#   PRAGMA integrity_check without the extension    ok
#   the application opens the copy                  disk I/O error, for every statement
#   a copy by cp of the closed database             reads well; VACUUM INTO fails like the API
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

python = venv("apsw==3.54.1.0") + "python"
program = write("program.py", """
import apsw, apsw.sqlite_extra, ctypes, shutil
apsw.sqlite_extra.load(apsw.Connection(":memory:"), "cksumvfs")
def rows(path, vfs):
    try:
        db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        return f"{db.execute('SELECT count(*) FROM t').fetchall()[0][0]} rows, {db.execute('PRAGMA integrity_check').fetchall()[0][0]}"
    except apsw.Error as error:
        return str(error)
source = apsw.Connection("app.db", vfs="cksmvfs")
reserved = ctypes.c_int(8)
source.file_control("main", apsw.SQLITE_FCNTL_RESERVE_BYTES, ctypes.addressof(reserved))
source.execute("VACUUM; CREATE TABLE t(x); INSERT INTO t VALUES(1)")
source.execute("INSERT INTO t VALUES(2)")
source.close()
shutil.copy("app.db", "cp.db")
plain, copy = apsw.Connection("app.db", vfs="unix"), apsw.Connection("copy.db", vfs="unix")
with copy.backup("main", plain, "main") as backup:
    backup.step()
copy.close()
plain.execute("VACUUM INTO 'vacuum.db'")
a, b = open("app.db", "rb").read(), open("copy.db", "rb").read()
print("bytes that differ:", *(i for i in range(len(a)) if a[i] != b[i]))
print("source:", rows("app.db", "cksmvfs"))
print("cp:", rows("cp.db", "cksmvfs"))
print("API, without the extension:", rows("copy.db", "unix"))
print("API:", rows("copy.db", "cksmvfs"))
print("VACUUM INTO:", rows("vacuum.db", "cksmvfs"))
""")
run = subprocess.run([python, program], cwd=DIR, capture_output=True, text=True, timeout=60)
print(run.stderr, end="")
expect(dict(enumerate(run.stdout.splitlines())), dict(enumerate([
    "bytes that differ: 27 43 95", "source: 2 rows, ok", "cp: 2 rows, ok", "API, without the extension: 2 rows, ok", "API: disk I/O error",
    "VACUUM INTO: disk I/O error"])))
END
