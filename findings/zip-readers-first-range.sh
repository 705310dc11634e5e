#!/bin/sh
# Readers of remote zip files give up, or misread, when the first Range is answered with 200.
#
# remotezip 0.12.6 and unzip-http 0.7. RFC 9110 §14.2 lets a server ignore Range. The archive has 1.5 MB, the wanted member 2 bytes. Seen:
#
#                first Range answered with 206       answered with 200 (and `Accept-Ranges: bytes`)
#   remotezip    reads the member: 64 KiB sent       RangeNotSupported, though later Ranges would get 206
#   unzip-http   reads the member                    takes the beginning of the archive for its end: UnicodeDecodeError
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import io
import random
import re
import zipfile

from common import *

python = venv("remotezip==0.12.6", "unzip-http==0.7", "requests==2.34.2", "urllib3==2.8.0") + "python"
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    archive.writestr("app.db", random.Random(1).randbytes(1_500_000))
    archive.writestr("VERSION", "1\n")
BYTES = buffer.getvalue()
READERS = {
    "remotezip": "import remotezip, sys\nprint(remotezip.RemoteZip(sys.argv[1]).read('VERSION'))",
    "unzip-http": "import unzip_http, sys\nprint(unzip_http.RemoteZipFile(sys.argv[1]).open('VERSION').read())",
}


def read(program, ignored):
    """Runs a reader against a server that ignores the first `ignored` Ranges."""
    ranges = []

    def answer(connection, head):
        wanted = re.search(r"(?im)^range: bytes=(\d*)-(\d*)", head)
        if wanted:
            ranges.append(wanted[0])
        if wanted and len(ranges) > ignored:
            first = int(wanted[1]) if wanted[1] else max(0, len(BYTES) - int(wanted[2]))
            part = BYTES[first : int(wanted[2]) + 1 if wanted[1] and wanted[2] else len(BYTES)]
            line = f"206 Partial Content\r\nContent-Range: bytes {first}-{first + len(part) - 1}/{len(BYTES)}"
        else:
            part, line = BYTES, "200 OK\r\nAccept-Ranges: bytes"
        connection.sendall(f"HTTP/1.1 {line}\r\nETag: \"a\"\r\nConnection: close\r\nContent-Length: {len(part)}\r\n\r\n".encode())
        connection.sendall(b"" if head.startswith("HEAD") else part)

    url = f"http://127.0.0.1:{serve(answer)}/a.zip"
    end = subprocess.run([python, "-c", program, url], capture_output=True, text=True, timeout=60)
    return end.stdout.strip() or end.stderr.strip().split("\n")[-1].split(":")[0].split(".")[-1]


expect({f"{name}, {'200' if ignored else '206'}": read(program, ignored) for name, program in READERS.items() for ignored in (0, 1)},
       {"remotezip, 206": "b'1\\n'", "remotezip, 200": "RangeNotSupported", "unzip-http, 206": "b'1\\n'", "unzip-http, 200": "UnicodeDecodeError"})
END
