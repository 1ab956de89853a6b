# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""A TCP proxy before an HTTP server, with which a test takes that away.

It stands in for the network: whoever is given its address instead of the
server's can be cut off while everybody else keeps the server.
"""

import contextlib
import re
import socket
import struct
import threading
import time

_CHUNK = 256 * 1024
_LINE = re.compile(rb"(GET|HEAD|POST|PATCH|PUT|DELETE) (\S+) HTTP/1\.1\r\n")


class Proxy:
    """Forwards connections to a port of this machine until closed.

    The server's own address in its answers becomes the proxy's, so that a
    client that follows them, to the identity service of Keystone's catalog
    for one, does not leave by another way.

    :ivar port: where it listens
    :ivar requests: (monotonic time, "METHOD path") of what was forwarded
    :ivar connections: monotonic time of each, also of those refused
    :ivar forwarded: bytes that went to the server
    """

    def __init__(self, port: int) -> None:
        """:param port: the server's"""
        self.requests: list[tuple[float, str]] = []
        self.connections: list[float] = []
        self.forwarded = 0
        self._target = port
        self._refuses = False
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._listener = _listener(len(str(port)))
        self.port = self._listener.getsockname()[1]
        self._theirs = f"127.0.0.1:{port}".encode()
        self._mine = f"127.0.0.1:{self.port}".encode()
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self) -> None:
        """Reset every connection, the present ones and those to come.

        Not a closed port: what comes meanwhile can be counted.
        """
        self._refuses = True
        self._drop()

    def hang(self) -> None:
        """Take connections and forward nothing, without a word."""
        self._flows.clear()

    def resume(self) -> None:
        """Forward again, also what hangs."""
        self._refuses = False
        self._flows.set()

    def count(self, request: str) -> int:
        """Return how often a request was forwarded: "POST /v3/auth/tokens"."""
        return sum(one == request for _at, one in self.requests)

    def close(self) -> None:
        self._refuses = True
        self._flows.set()
        # Wakes accept(), which close() alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._drop()

    def _drop(self) -> None:
        for one in list(self._open):
            _reset(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self.connections.append(time.monotonic())
            if self._refuses:
                _reset(client)
                continue
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,),
                             daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # Whoever goes first takes the other side along.
        with contextlib.suppress(OSError), client, socket.create_connection(
                ("127.0.0.1", self._target)) as server:
            back = threading.Thread(
                target=self._back, args=(server, client), daemon=True)
            back.start()
            while chunk := client.recv(_CHUNK):
                self._flows.wait()
                for found in _LINE.finditer(chunk):
                    self.requests.append((time.monotonic(),
                                          b" ".join(found.groups()).decode()))
                self.forwarded += len(chunk)
                server.sendall(chunk)
            server.shutdown(socket.SHUT_WR)
            back.join()
        self._open.discard(client)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(_CHUNK):
                self._flows.wait()
                # Of one length, so that Content-Length stays true.
                client.sendall(chunk.replace(self._theirs, self._mine))
            client.shutdown(socket.SHUT_WR)


def _listener(digits: int) -> socket.socket:
    """Return a listening socket whose port has so many digits."""
    while True:
        made = socket.create_server(("127.0.0.1", 0), backlog=128)
        if len(str(made.getsockname()[1])) == digits:
            return made
        made.close()


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                       struct.pack("ii", 1, 0))
        # shutdown first: a thread that waits in recv holds the socket open.
        one.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        one.close()
