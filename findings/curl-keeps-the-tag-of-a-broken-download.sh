#!/bin/sh
# curl's `--etag-save` keeps the tag of a download that broke: the next run succeeds with the cut file. `--retry` joins the tags of all attempts.
#
# curl 7.88.1 of Debian 12: `curl -fs --etag-compare tag --etag-save tag -o app.zip URL`, run each night. The body breaks off by a reset. Seen:
#
#   the run that breaks                     exit status 56; the tag is in the file, from the head that came first
#   the next run                            304 to `If-None-Match: "a"`, exit status 0; app.zip is the cut file, or with --remove-on-error none
#   a run with --retry whose second attempt is whole      exit status 0; the file has the tag twice, in two lines
#   the run after it                        sends `If-None-Match: "a""a"`, which no server knows, and downloads everything again: once
#
# What works: `--etag-save tag.new`, and `mv tag.new tag` only if curl exits with 0; no --retry.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import re

from common import *

debs("curl=7.88.1-*", "libcurl4=7.88.1-*", "libssh2-1=1.10.0-*")
BODY = b"A" * 100_000


def seen(*options, breaks=1, runs=2, commits=False):
    """Each run's exit status, the length of its file, and what it sent as `If-None-Match`, for a server whose first answers break off."""
    place, asked = tempfile.mkdtemp(dir=DIR), []
    open(place + "/tag", "w").close()

    def answer(connection, head):
        known = re.search(r"(?im)^if-none-match: *(.*?)\r", head)[1]
        asked.append(known)
        if known == '"a"':
            connection.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nConnection: close\r\n\r\n')
            return
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(BODY))
        connection.sendall(BODY if len(asked) > breaks else BODY[:50_000])
        if len(asked) <= breaks:
            time.sleep(0.4)  # What was sent arrives before the reset does.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    url, result = f"http://127.0.0.1:{serve(answer)}/", []
    for _ in range(runs):
        before = len(asked)
        code = subprocess.run([ROOT + "/usr/bin/curl", "-fs", "--etag-compare", "tag", "--etag-save", "tag.new" if commits else "tag", "-o", "app.zip", *options, url],
                              env=ENV, cwd=place, timeout=60).returncode
        if commits and code == 0:
            os.rename(place + "/tag.new", place + "/tag")
        length = os.path.getsize(place + "/app.zip") if os.path.exists(place + "/app.zip") else "none"
        result.append((code, length, asked[before:]))
    return result


RETRY = ["--retry", "1", "--retry-delay", "1", "--retry-all-errors"]
expect({"one tag file": seen(), "--remove-on-error": seen("--remove-on-error"), "--retry": seen(*RETRY), "mv afterwards": seen(commits=True, runs=3)},
       {"one tag file": [(56, 50_000, ['""']), (0, 50_000, ['"a"'])], "--remove-on-error": [(56, "none", ['""']), (0, "none", ['"a"'])],
        "--retry": [(0, 100_000, ['""', '""']), (0, 100_000, ['"a""a"'])],
        "mv afterwards": [(56, 50_000, ['""']), (0, 100_000, ['""']), (0, 100_000, ['"a"'])]})
END
