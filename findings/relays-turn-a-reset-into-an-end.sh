#!/bin/sh
# A TCP or TLS relay turns the origin's reset into an orderly end.
#
# socat 1.7.4.4, stunnel 5.68, hitch 1.7.2 and systemd-socket-proxyd 252. The origin breaks its answer off by a reset, so that every client
# would report an error. Seen behind each of the relays:
#
#   chunked answer, GNU wget 1.21.3, cut inside a chunk          exits with 0
#   chunked answer to curl --http1.0 (no framing but the end)    exits with 0
#   chunked answer to curl over HTTP/1.1                         exits with 18
#   Content-Length, Python's copyfileobj(urlopen(url), file)     no error
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("socat=1.7.4.4-*", "stunnel4=3:5.68-*", "hitch=1.7.2-*", "libev4=1:4.33-*", "wget=1.21.3-*", "systemd=252.*", "libsystemd-shared=252.*",
     "libwrap0=7.6.q-*")
certificate = DIR + "/certificate"
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", certificate, "-out", DIR + "/c"],
               check=True, stderr=subprocess.DEVNULL)
write("certificate", open(certificate).read() + open(DIR + "/c").read())
ENV["LD_LIBRARY_PATH"] += ":" + ROOT + "/usr/lib/x86_64-linux-gnu/systemd"


def socat(port, origin):
    start(port, ROOT + "/usr/bin/socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork", f"TCP:127.0.0.1:{origin}")


def stunnel(port, origin):
    start(port, ROOT + "/usr/bin/stunnel4", write("stunnel.conf", f"foreground=yes\npid=\n[x]\naccept=127.0.0.1:{port}\nconnect=127.0.0.1:{origin}\ncert={certificate}\n"))


def hitch(port, origin):
    start(port, ROOT + "/usr/sbin/hitch", f"--frontend=[127.0.0.1]:{port}", f"--backend=[127.0.0.1]:{origin}", *(["--user=root"] if os.geteuid() == 0 else []), certificate)


def socket_proxyd(port, origin):
    relay = next(p for p in (ROOT + "/usr/lib/systemd/systemd-socket-proxyd", ROOT + "/lib/systemd/systemd-socket-proxyd") if os.path.exists(p))
    start(port, ROOT + "/usr/bin/systemd-socket-activate", "-E", "LD_LIBRARY_PATH", "-l", f"127.0.0.1:{port}", relay, f"127.0.0.1:{origin}")


def behind(relay, framing, client):
    port = free_port()
    relay(port, origin(framing, "reset"))
    result = client(f"{'https' if relay in (stunnel, hitch) else 'http'}://127.0.0.1:{port}/a.zip")
    stop(started.pop())
    return result


CLIENTS = {
    "wget": ("chunked", lambda url: status(ROOT + "/usr/bin/wget", "-q", "-t1", "--no-check-certificate", "-O", "out", url)),
    "curl, HTTP/1.0": ("chunked", lambda url: curl(url, "--http1.0")),
    "curl, HTTP/1.1": ("chunked", lambda url: curl(url, "--http1.1")),
    "Python": ("length", lambda url: status(sys.executable, "-c", "import shutil, ssl, sys, urllib.request as u\n"
                                            "context = ssl._create_unverified_context()\n"
                                            "shutil.copyfileobj(u.urlopen(sys.argv[1], context=context), open('out', 'wb'))", url)),
}
expect({relay.__name__: {name: behind(relay, *how) for name, how in CLIENTS.items()} for relay in (socat, stunnel, hitch, socket_proxyd)},
       {relay: {"wget": 0, "curl, HTTP/1.0": 0, "curl, HTTP/1.1": 18, "Python": 0} for relay in ("socat", "stunnel", "hitch", "socket_proxyd")})
END
