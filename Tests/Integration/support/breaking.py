"""A proxy that breaks a download off."""

import socket
import threading
from contextlib import suppress

from client import connect


class Breaking(threading.Thread):
    """A proxy that breaks its first connection off after a mebibyte, some of which its client has read by then, and after
    `before` has returned. With `forgets`, the second request is passed on without its `Range`."""

    def __init__(self, port, before=lambda: None, forgets=False):
        super().__init__(daemon=True)
        self.before, self.forgets = before, forgets
        self.to = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests = []
        self.start()

    def run(self):
        limit = 1 << 20
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            # Each client that leaves makes room for the next.
            with suppress(ConnectionError), client, connect(self.to, receive_buffer=4096) as server:
                # A reset takes back whatever is on its way to the client: that must be less than the limit.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
                request = client.recv(1 << 16)
                self.requests.append(request)
                line, _, fields = request.partition(b"\r\n")
                if self.forgets and len(self.requests) == 2:
                    fields = b"\r\n".join(field for field in fields.split(b"\r\n") if not field.startswith(b"Range:"))
                server.sendall(line + b"\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n" + fields)
                passed = 0
                while passed < limit and (data := server.recv(1 << 16)):
                    client.sendall(data)
                    passed += len(data)
                if passed >= limit:
                    self.before()
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            limit = 1 << 40
