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

"""HTTP connections to an address that was checked.

urllib3's connections, but for the one step of connecting: they go to the
address that they are given and never ask a resolver. The certificate is
verified against the host's name, which is also what the server is told. A
connection that has served is kept for the next request to the same host and
port, for a short while: it leads to an address that was checked when it was
made.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import dataclasses
import http.client
import socket
import ssl
import threading
import time

from urllib3 import connection
from urllib3 import util

from monasca_events_common.catalog.targets import Target
from monasca_events_engine.deadline import Deadline

#: Seconds for which an idle connection is kept.
IDLE = 10.0

#: Seconds after which a connection is made anew, so that a changed name or
#: certificate, or a tightened option, is noticed.
LIFETIME = 60.0

#: Idle connections to one host and port, and altogether.
MAX_IDLE = 8
MAX_ALL_IDLE = 128

#: Addresses of a name that are tried.
MAX_ADDRESSES = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that connections are tunnelled through.

    :ivar headers: of the CONNECT request
    """

    host: str
    port: int
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


class _Pinned:
    """Connects to given addresses, or to a proxy."""

    born: float = 0.0

    def pin(self, addresses: Sequence[str], seconds: float) -> None:
        """Name the addresses, and the seconds for all of them together."""
        self._addresses = addresses
        self._seconds = seconds
        self._guard = threading.Lock()
        self._handle: socket.socket | None = None
        self._is_ended = False

    def _new_conn(self) -> socket.socket:
        """Return a connected socket; urllib3's only way to the network."""
        until = time.monotonic() + self._seconds
        error: OSError = TimeoutError()
        for address in self._addresses[:MAX_ADDRESSES]:
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                found = socket.create_connection((address, self.port), left)
            except OSError as failure:
                error = failure
                continue
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.born = time.monotonic()
            with self._guard:
                if self._is_ended:
                    found.close()
                    break
                # TLS takes the descriptor away from this object: only a
                # second one can still end the connection from elsewhere.
                self._handle = found.dup()
            return found
        raise error

    def post(self, path: str, headers: Mapping[str, str], body: bytes
             ) -> http.client.HTTPResponse:
        """Send a request; return the answer, of whose body nothing was read.

        In one piece, which is a third of the time that urllib3's request
        takes, and one packet for most.

        :param path, headers: of printable ASCII characters
        """
        if self.sock is None:
            self.connect()
        self.sock.settimeout(self.timeout)
        lines = (f"POST {path} HTTP/1.1",
                 *(f"{name}: {value}" for name, value in headers.items()),
                 f"Content-Length: {len(body)}", "", "")
        self.sock.sendall("\r\n".join(lines).encode("ascii") + body)
        answer = http.client.HTTPResponse(self.sock, method="POST")
        try:
            answer.begin()
        except BaseException:
            answer.close()
            raise
        return answer

    def end(self) -> None:
        """End the connection, whatever it is at; from any thread."""
        with self._guard:
            self._is_ended = True
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        with self._guard:
            handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


class PlainConnection(_Pinned, connection.HTTPConnection):
    """HTTP to a checked address."""


class TlsConnection(_Pinned, connection.HTTPSConnection):
    """HTTPS to a checked address."""


class Connections:
    """Makes connections and keeps those that may serve again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple, list[tuple[float, _Pinned]]] = {}
        self._count = 0
        self._swept_at = 0.0

    def make(self, target: Target, addresses: Sequence[str],
             seconds: float, total: float, context: ssl.SSLContext | None,
             proxy: Proxy | None = None) -> _Pinned:
        """Return a connection, not connected yet.

        :param addresses: the target's, checked
        :param seconds: for connecting, and for each step of TLS
        :param total: seconds for each read and write
        """
        host, port = (proxy.host, proxy.port) if proxy else \
            (target.host, target.port)
        options = {"host": host, "port": port, "timeout": total}
        if target.scheme == "https":
            made = TlsConnection(ssl_context=context, **options,
                                 server_hostname=target.host)
        else:
            made = PlainConnection(**options)
        made.pin([proxy.host] if proxy else addresses, seconds)
        if proxy:
            host = addresses[0]
            made.set_tunnel(f"[{host}]" if ":" in host else host,
                            target.port, headers=dict(proxy.headers))
        return made

    def take(self, key: tuple) -> _Pinned | None:
        """Return an idle connection that seems to be alive, or None."""
        now = time.monotonic()
        while True:
            with self._lock:
                kept = self._idle.get(key)
                if not kept:
                    return None
                since, found = kept.pop()
                self._count -= 1
                if not kept:
                    del self._idle[key]
            if now - since < IDLE and now - found.born < LIFETIME \
                    and found.is_connected:
                return found
            found.close()

    def give(self, key: tuple, served: _Pinned) -> None:
        """Keep a connection whose answer was read to its end."""
        now = time.monotonic()
        with self._lock:
            old = self._sweep(now) if now - self._swept_at > IDLE else []
            kept = self._idle.setdefault(key, [])
            if len(kept) < MAX_IDLE and self._count < MAX_ALL_IDLE:
                kept.append((now, served))
                self._count += 1
            else:
                old.append(served)
        for one in old:
            one.close()

    def _sweep(self, now: float) -> list[_Pinned]:
        """Forget what has been idle for too long; return it."""
        self._swept_at = now
        old = []
        for key, kept in list(self._idle.items()):
            old += [one for since, one in kept if now - since > IDLE]
            self._idle[key] = [one for one in kept if now - one[0] <= IDLE]
            if not self._idle[key]:
                del self._idle[key]
        self._count -= len(old)
        return old

    def close(self) -> None:
        with self._lock:
            kept = [one for several in self._idle.values()
                    for _since, one in several]
            self._idle.clear()
            self._count = 0
        for one in kept:
            one.close()


@contextlib.contextmanager
def ended_by(deadline: Deadline, used: _Pinned) -> Iterator[None]:
    """Let a deadline end the connection while the block runs."""
    deadline.ends_with(used.end)
    try:
        yield
    finally:
        deadline.ends_with(None)


def proxy_of(url: str) -> Proxy:
    """Return the parts of a proxy's URL. Raises ValueError."""
    parts = util.parse_url(url)
    if parts.scheme != "http" or not parts.host:
        raise ValueError("expected http://host:port")
    headers = util.make_headers(proxy_basic_auth=parts.auth) \
        if parts.auth else {}
    return Proxy(parts.host.strip("[]"), parts.port or 3128, headers)
