#!/bin/sh
# Of seven proxies only HAProxy leaves an answer with `Cache-Control: no-transform` as it is; six compress it.
#
# Apache 2.4 (mod_deflate), Caddy 2.6.2, h2o 2.2.5, HAProxy 2.6.12, lighttpd 1.4.69, nginx 1.22.1 and Varnish 7.1.1, each told to compress
# `application/zip`. RFC 9111 §5.2.2.6: an intermediary "MUST NOT transform the content". Seen for a client that accepts gzip and an origin
# that announces Content-Length and no-transform:
#
#   HAProxy      passes the answer on; without no-transform it compresses
#   the others   Content-Encoding: gzip, the Content-Length of the origin is gone
#   and behind Caddy and lighttpd, a body that the origin cut ends without an error: curl exits with 0
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("apache2-bin=2.4.*", "libapr1=1.7.*", "libaprutil1=1.6.*", "caddy=2.6.2-*", "haproxy=2.6.12-*", "liblua5.3-0=5.3.6-*", "libopentracing1=1.6.0-*",
     "libopentracing-c-wrapper0=1.1.3-*", "varnish=7.1.1-*", "libjemalloc2=5.3.0-*", "h2o=2.2.5*", "libyaml-0-2=0.2.5-*", "nginx=1.22.1-*",
     "lighttpd=1.4.69-*", "lighttpd-mod-deflate=1.4.69-*", "libxxhash0=0.8.1-*", "libnettle8=3.8.1-*")


def apache(port, to):
    modules = "".join(f"LoadModule {m}_module {ROOT}/usr/lib/apache2/modules/mod_{m}.so\n" for m in ("mpm_event", "authz_core", "proxy", "proxy_http", "filter", "deflate"))
    return ROOT + "/usr/sbin/apache2", "-DFOREGROUND", "-f", write("apache.conf", (
        f"ServerRoot {DIR}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {DIR}/pid\nErrorLog {DIR}/error\n{modules}"
        f"Mutex file:{DIR} default\nSetOutputFilter DEFLATE\nProxyPass / http://127.0.0.1:{to}/\n"))


def caddy(port, to):
    return ROOT + "/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", write("Caddyfile", (
        f"{{\n admin off\n}}\nhttp://:{port} {{\n bind 127.0.0.1\n encode gzip {{\n match header Content-Type application/zip\n }}\n reverse_proxy 127.0.0.1:{to}\n}}\n"))


def h2o(port, to):
    return ROOT + "/usr/bin/h2o", "-c", write("h2o.yaml", (
        f'listen: {{host: 127.0.0.1, port: {port}}}\ncompress: ON\nfile.mime.settypes: {{"application/zip": {{extensions: [".zip"], is_compressible: yes}}}}\n'
        f'hosts: {{default: {{paths: {{"/": {{proxy.reverse.url: "http://127.0.0.1:{to}/"}}}}}}}}\n'))


def haproxy(port, to):
    return ROOT + "/usr/sbin/haproxy", "-f", write("haproxy.cfg", (
        "global\n maxconn 50\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n compression algo gzip\n compression type application/zip\n"
        f"listen all\n bind 127.0.0.1:{port}\n server origin 127.0.0.1:{to}\n"))


def lighttpd(port, to):
    return ROOT + "/usr/sbin/lighttpd", "-D", "-m", ROOT + "/usr/lib/lighttpd", "-f", write("lighttpd.conf", (
        f'server.document-root="{DIR}"\nserver.bind="127.0.0.1"\nserver.port={port}\nserver.upload-dirs=("{DIR}")\nserver.modules=("mod_proxy","mod_deflate")\n'
        f'deflate.mimetypes=("application/zip")\ndeflate.allowed-encodings=("gzip")\nproxy.server=("" => (("host" => "127.0.0.1", "port" => {to})))\n'))


def nginx(port, to):
    temporary = "".join(f"{kind}_temp_path {DIR}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return ROOT + "/usr/sbin/nginx", "-e", DIR + "/error", "-c", write("nginx.conf", (
        f"daemon off; pid {DIR}/pid; error_log {DIR}/error; events {{}}\n"
        f"http {{ access_log off; {temporary} gzip on; gzip_types application/zip; server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{to}; }} }} }}\n"))


def varnish(port, to):
    return ROOT + "/usr/sbin/varnishd", "-F", "-j", "none", "-n", f"{DIR}/varnish-{port}", "-a", f"127.0.0.1:{port}", "-f", write("default.vcl", (
        f'vcl 4.1;\nbackend origin {{ .host = "127.0.0.1"; .port = "{to}"; }}\nsub vcl_backend_response {{ set beresp.do_gzip = true; }}\n'))


def through(proxy, end, control):
    port = free_port()
    start(port, *proxy(port, origin("length", end, control=control)))
    result = curl(f"http://127.0.0.1:{port}/a.zip", "-H", "Accept-Encoding: gzip", "-D", DIR + "/head")
    stop(started.pop())
    return ("gzip" if "content-encoding: gzip" in open(DIR + "/head").read().lower() else "as it was"), result


seen = {proxy.__name__: through(proxy, "whole", "no-transform") for proxy in (apache, caddy, h2o, haproxy, lighttpd, nginx, varnish)}
seen["haproxy, without no-transform"] = through(haproxy, "whole", "no-store")
seen |= {proxy.__name__ + ", cut": through(proxy, "reset", "no-transform") for proxy in (caddy, lighttpd, nginx)}
expect(seen, {name: ("gzip", 0) for name in ("apache", "caddy", "h2o", "lighttpd", "nginx", "varnish", "haproxy, without no-transform", "caddy, cut", "lighttpd, cut")}
       | {"haproxy": ("as it was", 0), "nginx, cut": ("gzip", 18)})
END
