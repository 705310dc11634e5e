"""Two networks and a cable between them that can be pulled: the machine at its other end is gone without a FIN."""

import ctypes
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from client import Connection
from harness import serve
from machine import CLONE_NEWNET

SERVER, CLIENT, PORT = "192.0.2.1", "192.0.2.2", 8080  # TEST-NET-1: RFC 5737


def why_not():
    """What no cable can be laid for, if anything."""
    return None if os.geteuid() == 0 else "networks of their own need root"


def ip(*arguments, check=True):
    subprocess.run(["ip", *arguments], check=check, stdin=subprocess.DEVNULL, timeout=20)


class Cable:
    """The server's end and the client's are in namespaces; this machine's own network has no part in it."""

    def __init__(self):
        self.server, self.client = (f"sluice-{os.getpid()}-{end}" for end in ("server", "client"))

    def lay(self):
        for network in (self.server, self.client):
            ip("netns", "add", network)
        ip("-n", self.server, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.client)
        for network, host in ((self.server, SERVER), (self.client, CLIENT)):
            ip("-n", network, "address", "add", f"{host}/24", "dev", "cable")
            ip("-n", network, "link", "set", "cable", "up")

    def remove(self):
        for network in (self.server, self.client):
            ip("netns", "delete", network, check=False)

    def set(self, state):
        """Plugs the client in, `up`, or pulls it out, `down`."""
        ip("-n", self.client, "link", "set", "cable", state)

    def connect(self, **options):
        """A connection from the client's end."""

        def connected():
            # A socket is of the network that its thread was in when it was made: setns(2).
            with open(f"/run/netns/{self.client}") as network:
                assert ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET) == 0, ctypes.get_errno()
            connection = Connection((SERVER, PORT), **options)
            connection.connect()
            return connection

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(connected).result()

    @contextmanager
    def serve(self, data, path, *arguments):
        """Serves `data` at the server's end, and on a Unix socket for clients that are not on the cable."""
        prefix, listen = ["nsenter", f"--net=/run/netns/{self.server}"], [f"{SERVER}:{PORT}", f"unix:{path}"]
        with serve(data, "--allow-unauthenticated", *arguments, listen=listen, prefix=prefix) as server:
            yield server


@contextmanager
def laid():
    cable = Cable()
    try:
        cable.lay()
        yield cable
    finally:
        cable.remove()
