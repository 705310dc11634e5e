"""What the scripts share: packages in a temporary folder, an origin that breaks its answer off, processes that end with the script."""

import atexit
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

DIR = tempfile.mkdtemp(prefix="findings-")
ROOT = DIR + "/root"
ENV = dict(os.environ, LD_LIBRARY_PATH=ROOT + "/usr/lib/x86_64-linux-gnu", HOME=DIR, XDG_DATA_HOME=DIR, XDG_CONFIG_HOME=DIR)
LENGTH, CUT = 2 << 20, (1 << 20) + 30000
started = []


@atexit.register
def clean():
    for process in started:
        stop(process)
    shutil.rmtree(DIR, ignore_errors=True)


def cannot_run(why):
    print("not run:", why)
    sys.exit(2)


def debs(*pins):
    """Unpacks Debian packages, each as `name=version`; a `*` in it stands for Debian's own revision."""
    os.makedirs(DIR + "/debs")
    os.chmod(DIR, 0o755)
    if subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *pins], cwd=DIR + "/debs", stdout=subprocess.DEVNULL).returncode:
        cannot_run("apt-get cannot download " + " ".join(pins))
    for name in os.listdir(DIR + "/debs"):
        subprocess.run(["dpkg", "-x", DIR + "/debs/" + name, ROOT], check=True)


def venv(*pins):
    """A Python with packages of PyPI, each as `name==version`; returns the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", DIR + "/venv"], check=True)
    if subprocess.run([DIR + "/venv/bin/pip", "-q", "--disable-pip-version-check", "install", *pins]).returncode:
        cannot_run("pip cannot install " + " ".join(pins))
    return DIR + "/venv/bin/"


def write(name, text):
    with open(DIR + "/" + name, "w") as file:
        file.write(text)
    os.chmod(file.name, 0o600)
    return file.name


def serve(answer):
    """Serves on a loopback port: `answer(connection, head)` for each request, then the connection is closed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection):
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(65536)
                if not part:
                    return
                head += part
            try:
                answer(connection, head.decode())
            except OSError:
                pass  # The client left.

    def loop():
        while True:
            threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return listener.getsockname()[1]


def origin(framing, end, inside=True, control="no-store"):
    """An origin whose answer is "whole", or breaks off by "reset" or "fin", inside a chunk or between two.

    To a client of HTTP/1.0, a "chunked" answer has no framing but its end (RFC 9112 §6.3)."""

    def answer(connection, head):
        chunked = framing == "chunked" and "HTTP/1.0\r\n" not in head
        size = {"length": f"Content-Length: {LENGTH}\r\n"}.get(framing, "Transfer-Encoding: chunked\r\n" if chunked else "")
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nCache-Control: {control}\r\n{size}\r\n".encode())
        for _ in range((LENGTH if end == "whole" else CUT) // 65536):
            connection.sendall((b"10000\r\n%s\r\n" if chunked else b"%s") % (b"A" * 65536))
        if end == "whole":
            connection.sendall(b"0\r\n\r\n" if chunked else b"")
            return
        if inside:
            connection.sendall((b"10000\r\n" if chunked else b"") + b"A" * 30000)
        time.sleep(0.4)  # What was sent arrives before the end does.
        if end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return serve(answer)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start(port, *command):
    """Starts a daemon in the foreground and waits until it listens on the port."""
    process = subprocess.Popen(command, env=ENV, cwd=DIR, stdout=open(DIR + "/log", "w"), stderr=subprocess.STDOUT, start_new_session=True)
    started.append(process)
    for _ in range(150):
        if process.poll() is not None:
            cannot_run(f"{command[0]}: {open(DIR + '/log').read()[-400:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.1)
    cannot_run(command[0] + " does not listen")


def stop(process):
    if process.poll() is None:
        os.killpg(process.pid, 15)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def status(*command, env=None):
    """The exit status of a client; its answer goes to the file `out`."""
    try:
        return subprocess.run(command, env=env, cwd=DIR, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    except subprocess.TimeoutExpired:
        return "no end"


def curl(url, *options):
    return status("curl", "-sk", "-m", "30", "-o", DIR + "/out", *options, url)


def expect(seen, expected):
    """Prints what was seen and exits with 0 if it is what the script's first lines say."""
    for key in expected:
        mark = "" if seen.get(key) == expected[key] else f"   CHANGED, was {expected[key]}"
        print(f"{key}: {seen.get(key)}{mark}")
    sys.exit(0 if seen == expected else 1)
