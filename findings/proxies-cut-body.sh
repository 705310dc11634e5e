#!/bin/sh
# Five proxies end a chunked body that broke off as if it were whole; curl then exits with 0.
#
# Caddy 2.6.2, lighttpd 1.4.69, HAProxy 2.6.12, Varnish 7.1.1 and h2o 2.2.5, all of Debian 12, each in its shortest configuration. The origin
# sends half of a chunked answer and resets the connection, or ends it with a FIN. Seen, as curl's exit status:
#
#               HTTP/1.1          HTTP/2            HTTP/1.0
#   Caddy       0                 0                 0
#   lighttpd    0                 0                 0
#   HAProxy     18                0                 0
#   Varnish     18                0                 0
#   h2o         56; 0 on a FIN    92; 0 on a FIN    0
#               between chunks    between chunks
#
# With a Content-Length every one of them reports 18 or 92.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("caddy=2.6.2-*", "lighttpd=1.4.69-*", "haproxy=2.6.12-*", "liblua5.3-0=5.3.6-*", "libopentracing1=1.6.0-*", "libopentracing-c-wrapper0=1.1.3-*",
     "varnish=7.1.1-*", "libjemalloc2=5.3.0-*", "h2o=2.2.5*", "libyaml-0-2=0.2.5-*", "libxxhash0=0.8.1-*", "libnettle8=3.8.1-*")


def caddy(port, origin, h2):
    start(port, ROOT + "/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", write(
        "Caddyfile", f"{{\n admin off\n servers {{\n protocols h1 h2c\n }}\n}}\nhttp://:{port} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{origin}\n}}\n"))


def lighttpd(port, origin, h2):
    start(port, ROOT + "/usr/sbin/lighttpd", "-D", "-m", ROOT + "/usr/lib/lighttpd", "-f", write(
        "lighttpd.conf", f'server.document-root="{DIR}"\nserver.bind="127.0.0.1"\nserver.port={port}\nserver.upload-dirs=("{DIR}")\n'
        f'server.modules=("mod_proxy")\nproxy.server=("" => (("host" => "127.0.0.1", "port" => {origin})))\n'))


def haproxy(port, origin, h2):
    start(port, ROOT + "/usr/sbin/haproxy", "-f", write(
        "haproxy.cfg", "global\n maxconn 50\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
        f"listen all\n bind 127.0.0.1:{port}{' proto h2' if h2 else ''}\n server origin 127.0.0.1:{origin}\n"))


def varnish(port, origin, h2):
    start(port, ROOT + "/usr/sbin/varnishd", "-F", "-j", "none", "-n", f"{DIR}/varnish-{port}", "-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{origin}",
          "-p", "feature=+http2")


def h2o(port, origin, h2):
    start(port, ROOT + "/usr/bin/h2o", "-c", write(
        "h2o.yaml", f'listen: {{host: 127.0.0.1, port: {port}}}\nhosts: {{default: {{paths: {{"/": {{proxy.reverse.url: "http://127.0.0.1:{origin}/"}}}}}}}}\n'))


def through(proxy, cut):
    seen = []
    for option in ("--http1.1", "--http2-prior-knowledge", "--http1.0"):
        port = free_port()
        proxy(port, origin(*cut), "2" in option)
        seen.append(curl(f"http://127.0.0.1:{port}/a.zip", option))
        stop(started.pop())
    return seen


CUTS = {"whole": ("chunked", "whole"), "chunked, reset": ("chunked", "reset"), "chunked, fin": ("chunked", "fin", False), "length, reset": ("length", "reset")}
VISIBLE = [18, 92, 18]
HIDDEN = {"caddy": [0, 0, 0], "lighttpd": [0, 0, 0], "haproxy": [18, 0, 0], "varnish": [18, 0, 0], "h2o": [56, 92, 0]}
seen = {f"{proxy.__name__}, {name}": through(proxy, cut) for proxy in (caddy, lighttpd, haproxy, varnish, h2o) for name, cut in CUTS.items()}
expected = {}
for name, hidden in HIDDEN.items():
    expected |= {f"{name}, whole": [0, 0, 0], f"{name}, chunked, reset": hidden, f"{name}, length, reset": VISIBLE}
    expected[f"{name}, chunked, fin"] = [0, 0, 0] if name == "h2o" else hidden
expect(seen, expected)
END
