#!/bin/sh
# lftp 4.9.2 takes a 206 whose complete length is unknown (`/*`) for the whole file, and exits with 0.
#
# `get -c` of a file of which 3,000 bytes are there sends `Range: bytes=3000-`. The answer is 206 with those very bytes and
# `Content-Range: bytes 3000-10239/*` (RFC 9110 §14.4). Seen: lftp drops the first 3,000 bytes of the answer, as if it began at 0, and
# appends the rest. The file has 7,240 bytes instead of 10,240, and the exit status is 0. With `/10240` the file is right. With a
# complete length that the answer does not reach (`/9007199254740991`, as RFC 8673 has it), lftp exits with 1.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import random
import re

from common import *

debs("lftp=4.9.2-*", "libproxy1v5=0.4.*")
WHOLE = random.Random(1).randbytes(10240)


def resumed(length):
    def answer(connection, head):
        first = int(re.search(r"(?i)range: bytes=(\d+)-", head)[1])
        connection.sendall(f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-10239/{length}\r\nETag: \"a\"\r\n"
                           f"Content-Length: {10240 - first}\r\nConnection: close\r\n\r\n".encode() + WHOLE[first:])

    with open(DIR + "/a.zip", "wb") as file:
        file.write(WHOLE[:3000])
    url = f"http://127.0.0.1:{serve(answer)}/a.zip"
    code = status(ROOT + "/usr/bin/lftp", "--norc", "-c", f"set net:max-retries 1; set net:timeout 5; get -c {url} -o a.zip", env=ENV)
    with open(DIR + "/a.zip", "rb") as file:
        got = file.read()
    return code, "whole" if got == WHOLE else "3,000 bytes missing" if got == WHOLE[:3000] + WHOLE[6000:] else "as before" if got == WHOLE[:3000] else "other"


expect({length: resumed(length) for length in ("10240", "*", "9007199254740991")},
       {"10240": (0, "whole"), "*": (0, "3,000 bytes missing"), "9007199254740991": (1, "as before")})
END
