"""Where a request ends, and what is none: RFC 9112 as a table, each line with the section that it is from.

Most ask for what is not there, so that 404 says "read as one request". Where a wrong reader would find a second request
in it, that one asks for `/healthz`.
"""

from dataclasses import dataclass

STOLEN = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"  # 34 octets
HOST = b"Host: a\r\n"
# The answers to what is read as a request; after any other, the connection ends.
TAKEN = {200, 206, 304, 404, 416}


@dataclass
class Rule:
    section: str
    name: str
    octets: bytes
    # What we answer: one answer each, and nothing to what follows a refusal.
    statuses: list
    # What we answer to what nginx, from 1.18 to 1.26, makes of it and passes on, the next request being passed on, too.
    # None: it has none of it, or has not always passed it on.
    behind_nginx: list | None = None

    def __str__(self):
        return f"{self.section}-{self.name}"


def get(section, name, status, fields, rest=b"", line=b"GET /nowhere HTTP/1.1", nginx=None):
    return whole(section, name, status, line + b"\r\n" + HOST + fields + b"\r\n" + rest, nginx)


def whole(section, name, status, octets, nginx=None):
    return Rule(section, name, octets, [status], nginx)


def several(section, name, *requests, nginx=None):
    """Requests at once: of each the status, the method and target, and the fields but Host."""
    octets = b"".join(line + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n" for _, line, fields in requests)
    return Rule(section, name, octets, [status for status, *_ in requests], nginx)


CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"
NAMED = b"GET /api/backup?compression=store&resume=rules"
IN_CHUNK = b"%x\r\n%s\r\n%s" % (len(STOLEN), STOLEN, END)

RULES = [
    get("9112-3", "a request", 404, b"", nginx=[404]),
    several("9112-9.3.2", "three at once", *[(404, b"GET /nowhere", b"")] * 3, nginx=[404] * 3),
    several("9112-9.3.2", "a bad one after a good one", (404, b"GET /nowhere", b""), (400, b"GET /nowhere", b"X : a\r\n")),
    several("9112-6.3", "after HEAD", (404, b"HEAD /nowhere", b""), (404, b"GET /nowhere", b""), nginx=[404, 404]),
    several("9112-6.3", "after HEAD of an archive", (200, b"HEAD /api/backup", b""), nginx=[200]),
    several("9112-6.3", "after 304", (304, b"GET /api/backup", b"If-None-Match: *\r\n"), nginx=[304]),
    several("9110-15.3.7", "after 206", (200, NAMED, b""), (206, NAMED, b"Range: bytes=0-33\r\n"), nginx=[200, 206]),
    several("9110-15.5.17", "after 416", (200, NAMED, b""), (416, NAMED, b"Range: bytes=99999-\r\n"), nginx=[200, 416]),
    whole("9112-2.2", "an empty line before", 400, b"\r\nGET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n", nginx=[404]),
    whole("9112-2.2", "bare LF", 400, b"GET /nowhere HTTP/1.1\nHost: a\n\n", nginx=[404]),
    whole("9112-2.2", "bare LF at the end", 400, b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\n", nginx=[404]),
    get("9112-2.2", "bare LF in a value", 400, b"X: a\nContent-Length: 34\r\n", STOLEN, nginx=[413]),
    get("9112-2.2", "bare CR in a value", 400, b"X: a\rTransfer-Encoding: chunked\r\n", END + STOLEN),
    get("9112-2.2", "bare CR at the end", 400, b"\r", STOLEN),
    get("9110-5.5", "NUL in a value", 400, b"X: a\0b\r\n"),
    get("9110-5.5", "NUL in a name", 400, b"X\0: a\r\n"),
    whole("9112-2.2", "space before the first field", 400, b"GET /nowhere HTTP/1.1\r\n Host: a\r\n\r\n"),
    get("9112-5.1", "space before the colon", 400, b"Transfer-Encoding : chunked\r\n", IN_CHUNK),
    get("9112-5.1", "tab before the colon", 400, b"Content-Length\t: 34\r\n", STOLEN),
    get("9112-5.2", "obs-fold", 400, b"X: a\r\n b\r\n"),
    get("9112-5.2", "obs-fold in the coding", 400, b"Transfer-Encoding:\r\n chunked\r\n", IN_CHUNK),
    get("9112-5.2", "obs-fold of a length", 400, b"Content-Length: 3\r\n 4\r\n", STOLEN),
    get("9112-6.1", "chunked", 501, CHUNKED, IN_CHUNK, nginx=[413]),
    get("9112-6.1", "an unknown coding", 501, b"Transfer-Encoding: xchunked\r\n", END + STOLEN),
    get("9112-6.1", "identity", 501, b"Transfer-Encoding: identity\r\n", STOLEN),
    get("9112-6.1", "chunked twice", 501, CHUNKED + CHUNKED, IN_CHUNK),
    get("9112-6.1", "chunked, not last", 501, b"Transfer-Encoding: chunked, gzip\r\n", IN_CHUNK),
    get("9112-6.1", "TE.TE", 501, CHUNKED + b"Transfer-encoding: cow\r\n", IN_CHUNK),
    get("9112-6.1", "TE.TE in one line", 501, b"Transfer-Encoding: chunked, cow\r\n", IN_CHUNK),
    get("9112-6.1", "a quoted coding", 501, b'Transfer-Encoding: "chunked"\r\n', IN_CHUNK),
    get("9112-6.1", "VT before the coding", 400, b"Transfer-Encoding:\x0bchunked\r\n", IN_CHUNK),
    get("9112-6.1", "HTTP/1.0 with a coding", 501, CHUNKED, IN_CHUNK, b"GET /nowhere HTTP/1.0"),
    get("9112-6.3", "CL.TE", 501, b"Content-Length: 39\r\n" + CHUNKED, END + STOLEN),
    get("9112-6.3", "TE.CL", 501, CHUNKED + b"Content-Length: 4\r\n", IN_CHUNK),
    get("9112-6.3", "CL.TE, nothing", 501, b"Content-Length: 0\r\n" + CHUNKED, IN_CHUNK),
    get("9112-6.3", "two lengths", 400, b"Content-Length: 0\r\nContent-Length: 34\r\n", STOLEN),
    get("9112-6.3", "one length twice", 400, b"Content-Length: 34\r\nContent-Length: 34\r\n", STOLEN),
    get("9112-6.3", "a list of lengths", 400, b"Content-Length: 34, 34\r\n", STOLEN),
    get("9112-6.3", "a list of two lengths", 400, b"Content-Length: 0, 34\r\n", STOLEN),
    get("9110-8.6", "a signed length", 400, b"Content-Length: +34\r\n", STOLEN),
    get("9110-8.6", "a hexadecimal length", 400, b"Content-Length: 0x22\r\n", STOLEN),
    get("9110-8.6", "an empty length", 400, b"Content-Length:\r\n", STOLEN),
    get("9110-8.6", "a length past 64 bits", 413, b"Content-Length: 18446744073709551650\r\n", STOLEN),
    get("9110-8.6", "no content", 404, b"Content-Length: 0\r\n", nginx=[404]),
    get("9110-9.3.1", "content of a GET", 413, b"Content-Length: %d\r\n" % len(STOLEN), STOLEN, nginx=[413]),
    get("9110-9.3.3", "a POST", 405, b"Content-Length: %d\r\n" % len(STOLEN), STOLEN, b"POST /nowhere HTTP/1.1", nginx=[405]),
    get("9112-7.1.1", "chunk extensions", 501, CHUNKED, b"5;a=\"\r\n\"\r\nhello\r\n" + END + STOLEN),
    get("9112-7.1.1", "a chunk extension that ends in LF", 501, CHUNKED, b"2;\nxx\r\n22\r\n" + END + STOLEN),
    get("9112-7.1", "a chunk size past 64 bits", 501, CHUNKED, b"10000000000000005\r\nhello\r\n" + END + STOLEN),
    get("9112-7.1", "a chunk size with a sign", 501, CHUNKED, b"+5\r\nhello\r\n" + END + STOLEN),
    get("9112-7.1.2", "trailers", 501, CHUNKED, b"0\r\nContent-Length: 34\r\n\r\n" + STOLEN, nginx=[404, 200]),
    whole("9112-3.2", "no Host", 400, b"GET /nowhere HTTP/1.1\r\n\r\n"),
    get("9112-3.2", "two Hosts", 400, b"Host: b\r\n"),
    whole("9112-3.2", "an empty Host", 400, b"GET /nowhere HTTP/1.1\r\nHost:\r\n\r\n"),
    get("9112-3.2.2", "absolute-form", 404, b"", line=b"GET http://a/nowhere HTTP/1.1", nginx=[404]),
    get("9112-3.2.2", "absolute-form, another Host", 400, b"", line=b"GET http://b/nowhere HTTP/1.1", nginx=[404]),
    get("9110-7.4", "absolute-form, encrypted", 421, b"", line=b"GET https://a/nowhere HTTP/1.1", nginx=[404]),
    get("9112-3.2.3", "authority-form", 405, b"", line=b"CONNECT a:80 HTTP/1.1"),
    get("9112-3.2.3", "authority-form in a GET", 400, b"", line=b"GET a:80 HTTP/1.1"),
    get("9112-3.2.4", "asterisk-form", 405, b"", line=b"OPTIONS * HTTP/1.1"),
    get("9112-3.2.4", "asterisk-form in a GET", 400, b"", line=b"GET * HTTP/1.1"),
    get("9112-3.2", "a request line in the target", 400, b"", line=b"GET /nowhere HTTP/1.1 HTTP/1.1"),
    get("9112-3", "tabs in the request line", 400, b"", line=b"GET\t/nowhere\tHTTP/1.1"),
    get("9112-3", "NUL in the request line", 400, b"", line=b"GET /no\0where HTTP/1.1"),
    whole("9112-2.3", "HTTP/0.9", 400, b"GET /nowhere\r\n"),
    get("9112-2.3", "HTTP/2.0", 505, b"", line=b"GET /nowhere HTTP/2.0"),
    get("9110-10.1.1", "Expect, and no content", 404, b"Expect: 100-continue\r\n", nginx=[404]),
    get("9110-10.1.1", "Expect, and content", 413, b"Expect: 100-continue\r\nContent-Length: 34\r\n", STOLEN, nginx=[413]),
    get("9110-10.1.1", "another expectation", 417, b"Expect: tea\r\n", nginx=[404]),
    get("9110-7.8", "an upgrade", 404, b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", nginx=[404]),
    get("9110-5.4", "65 fields", 431, b"X: y\r\n" * 64, nginx=[431]),
    get("9110-5.4", "an endless field", 431, b"X: " + b"y" * 30_000),
    get("9112-3", "an endless target", 414, b"", line=b"GET /" + b"y" * 30_000),
    whole("9112-3", "an endless method", 501, b"G" * 30_000),
]
