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

"""Messages by syslog: from rsyslog, syslog-ng, logger and whatever speaks it.

Over TCP (RFC 6587), TLS (RFC 5425) and UDP (RFC 5426). While a batch cannot
be spooled nothing is read, so that senders over TCP keep what they have.
Syslog knows no acknowledgement: what was read and not yet spooled when the
process is killed, 50 ms at most, is lost.
"""

import asyncio
from collections.abc import Iterator, Mapping
import contextlib
import datetime
import logging
import re
import socket
import ssl
import threading
import uuid

from oslo_config import cfg

from monasca_events_agent.pipeline import STAGE
from monasca_events_agent.sources import Intake
from monasca_events_agent.sources import Notice
from monasca_events_agent.sources import Source
from monasca_events_agent.sources.syslog_frames import Frames
from monasca_events_agent.sources.syslog_message import Message
from monasca_events_agent.sources.syslog_message import read
from monasca_events_common import metrics
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)

#: What an event that came this way has as ``source``.
SOURCE = "syslog"

# Seconds that a message waits for others at most.
_GATHER = 0.05
# Seconds between two looks whether to stop.
_LOOK = 0.2
# What an event type may have behind its "syslog.".
_OTHER = re.compile(r"[^a-z0-9_.-]+")


class SyslogSource(Source):
    """Listens for syslog; for one thread."""

    GROUP = "syslog"

    OPTS = [
        cfg.StrOpt("tcp", default="127.0.0.1:1514",
                   help="HOST:PORT on which messages over plain TCP are "
                        "taken. Empty: none. Whoever reaches it can write "
                        "events."),
        cfg.StrOpt("tls", default="",
                   help="HOST:PORT on which messages over TLS are taken, "
                        "usually with port 6514. Empty: none."),
        cfg.StrOpt("udp", default="",
                   help="HOST:PORT on which messages over UDP are taken. "
                        "Empty: none. UDP loses what comes faster than it "
                        "is read, and nobody is told."),
        cfg.StrOpt("tls_cert_file",
                   help="PEM file of the certificate, and of its chain, that "
                        "is shown to senders over TLS."),
        cfg.StrOpt("tls_key_file",
                   help="PEM file of the certificate's key, where it is not "
                        "in the same file."),
        cfg.StrOpt("tls_client_ca_file",
                   help="PEM file of the authorities one of which must have "
                        "signed a sender's certificate. Unset: senders over "
                        "TLS need none."),
        cfg.StrOpt("project_id",
                   help="The id of the project whose messages these are. "
                        "Unset: they are [agent] operator_project_id's, and "
                        "their events carry the mark tenant_unknown."),
        cfg.StrOpt("trusted_project_key", default="", mutable=True,
                   help="The key whose value, in the object behind @cee: or "
                        "in any element of the structured data, says to "
                        "which project a message belongs. Empty: no sender "
                        "is believed. Set it only where every sender that "
                        "can connect is the operator's own."),
        cfg.IntOpt("max_connections", default=1000, min=1, mutable=True,
                   help="Connections at a time at most. Further ones are "
                        "closed at once."),
        cfg.IntOpt("max_message_bytes", default=64 * 1024, min=480,
                   mutable=True,
                   help="Bytes of one message at most. Of a longer one the "
                        "beginning is kept."),
        cfg.IntOpt("batch_size", default=500, min=1, mutable=True,
                   help="Messages in one batch at most."),
    ]

    def __init__(self, conf) -> None:
        """:param conf: an option group with OPTS

        :raises Misconfigured: no address is named, or one cannot work
        """
        self.conf = conf
        self._addresses = {
            kind: _address(kind, given) for kind in ("tcp", "tls", "udp")
            if (given := conf[kind])}
        if not self._addresses:
            raise Misconfigured("[syslog] tcp, tls and udp are all empty; "
                                "expected HOST:PORT in one of them")
        self._tls = _make_tls(conf) if "tls" in self._addresses else None

    def check(self) -> None:
        for kind in self._addresses:
            self._bind(kind).close()

    def run(self, deliver: Intake, stop: threading.Event) -> None:
        asyncio.run(self._run(deliver, stop))

    async def _run(self, deliver: Intake, stop: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        gathered = Gathered(self.conf, deliver, loop)
        async with contextlib.AsyncExitStack() as opened:
            for kind in self._addresses:
                bound = self._bind(kind)
                LOG.info("syslog over %s is taken on %s port %d", kind,
                         *bound.getsockname()[:2])
                if kind == "udp":
                    transport, _ = await loop.create_datagram_endpoint(
                        lambda: Datagrams(self.conf, gathered), sock=bound)
                    opened.callback(transport.close)
                    continue
                server = await loop.create_server(
                    lambda: Connection(self.conf, gathered), sock=bound,
                    ssl=self._tls if kind == "tls" else None)
                opened.callback(server.close)
            while not stop.is_set() and not gathered.failure:
                await asyncio.sleep(_LOOK)
        gathered.close()

    def _bind(self, kind: str) -> socket.socket:
        host, port = self._addresses[kind]
        try:
            (family, sort, proto, _, address), *_ = socket.getaddrinfo(
                host, port, flags=socket.AI_PASSIVE,
                type=socket.SOCK_DGRAM if kind == "udp"
                else socket.SOCK_STREAM)
            bound = socket.socket(family, sort, proto)
            if kind != "udp":
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind(address)
            except OSError:
                bound.close()
                raise
        except OSError as error:
            raise Misconfigured(f"[syslog] {kind} is {host}:{port}, on which "
                                "nothing can be taken: "
                                f"{error.strerror}") from None
        return bound


class Gathered:
    """What came and is not delivered yet, from all who send."""

    def __init__(self, conf, deliver: Intake,
                 loop: asyncio.AbstractEventLoop) -> None:
        self.conf = conf
        self.connections: set[asyncio.Transport] = set()
        #: What ended delivering: the bug, or that the agent is to stop.
        self.failure: Exception | None = None
        self._deliver = deliver
        self._loop = loop
        self._notices: list[Notice] = []
        self._timer: asyncio.TimerHandle | None = None
        # Senders of old messages name no zone; they are taken to be here.
        self._zone = datetime.datetime.now().astimezone().tzinfo

    def add(self, raw: bytes, cut: bool, peer: str, road: str) -> None:
        """Take one message over; deliver when there are enough.

        :param cut: whether it was longer than it may be
        :param peer: the sender's address, its host where it names none
        """
        if self.failure:
            _lose(1)
            return
        message = read(raw, datetime.datetime.now(self._zone))
        self._notices.append(Notice(
            _notification(message, cut, peer, self.conf.trusted_project_key,
                          self.conf.project_id),
            f"syslog/{road}/{peer}", SOURCE))
        if len(self._notices) >= self.conf.batch_size:
            self.hand_over()
        elif self._timer is None:
            self._timer = self._loop.call_later(_GATHER, self.hand_over)

    def hand_over(self) -> None:
        """Deliver what there is.

        Blocks the loop for as long as the spool is full: meanwhile nothing
        is read from anyone.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        notices, self._notices = self._notices, []
        if not notices:
            return
        try:
            self._deliver(notices)
        except Unavailable as error:
            LOG.warning("syslog stops and leaves %d messages unspooled: %s",
                        len(notices), error)
            _lose(len(notices))
            self.failure = error
        except Exception as error:
            self.failure = error

    def close(self) -> None:
        """Take what was already read, hang up, and raise what a bug did."""
        for transport in list(self.connections):
            transport.abort()
        self.hand_over()
        failure = self.failure
        # What still comes from a connection's end is counted as lost.
        self.failure = failure or Unavailable("the agent is to stop")
        if failure and not isinstance(failure, Unavailable):
            raise failure


class Connection(asyncio.Protocol):
    """One sender over TCP or TLS."""

    def __init__(self, conf, gathered: Gathered) -> None:
        self.conf = conf
        self._gathered = gathered
        self._frames = Frames(conf.max_message_bytes)
        self._peer = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._peer = _host(transport.get_extra_info("peername"))
        connections = self._gathered.connections
        if len(connections) >= self.conf.max_connections:
            LOG.warning("syslog from %s is not taken: there are "
                        "max_connections, %d", self._peer, len(connections))
            transport.abort()
            return
        connections.add(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport in self._gathered.connections:
            self._take(self._frames.feed(data))

    def connection_lost(self, error) -> None:
        if self._transport in self._gathered.connections:
            self._gathered.connections.discard(self._transport)
            self._take(self._frames.end())

    def _take(self, messages: Iterator[tuple[bytes, bool]]) -> None:
        for message, cut in messages:
            self._gathered.add(message, cut, self._peer, "tcp")


class Datagrams(asyncio.DatagramProtocol):
    """All who send over UDP."""

    def __init__(self, conf, gathered: Gathered) -> None:
        self.conf = conf
        self._gathered = gathered

    def datagram_received(self, data: bytes, address) -> None:
        most = self.conf.max_message_bytes
        if data.strip():
            self._gathered.add(data[:most], len(data) > most, _host(address),
                               "udp")

    def error_received(self, error) -> None:
        LOG.warning("syslog over udp: %s", error)


def _notification(message: Message, cut: bool, peer: str, trusted: str,
                  project_id: str | None) -> Mapping:
    """Return what the normaliser reads."""
    if message.host is None:
        message.host = peer
    app = message.app or "unknown"
    payload = message.payload
    if cut:
        payload["cut"] = True
    return {
        # Two alike are two: nothing that repeats them comes after us.
        "message_id": str(uuid.uuid4()),
        "event_type": "syslog." + (
            _OTHER.sub("_", app.lower()).strip("._") or "unknown"),
        "publisher_id": f"{app.replace(':', '_')}:{message.host}",
        "priority": message.priority,
        "timestamp": message.timestamp
        or datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "context": {"project_id": (trusted and message.say(trusted))
                    or project_id},
        "payload": payload}


def _lose(count: int) -> None:
    metrics.RECEIVED.labels(STAGE).inc(count)
    metrics.DROPPED.labels(STAGE, "stopped").inc(count)


def _host(address) -> str:
    return str(address[0]) if address else "unknown"


def _address(kind: str, given: str) -> tuple[str, int]:
    host, colon, port = given.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise Misconfigured(f"[syslog] {kind} is {given!r}; expected "
                            "HOST:PORT such as 127.0.0.1:1514")
    return host.strip("[]"), int(port)


def _make_tls(conf) -> ssl.SSLContext:
    if not conf.tls_cert_file:
        raise Misconfigured("[syslog] tls needs tls_cert_file, the "
                            "certificate that senders are shown")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        name = conf.tls_key_file or conf.tls_cert_file
        tls.load_cert_chain(conf.tls_cert_file, conf.tls_key_file)
        if conf.tls_client_ca_file:
            name = conf.tls_client_ca_file
            tls.load_verify_locations(name)
            tls.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(f"[syslog] {name} cannot be used: "
                            f"{error.strerror or error}") from None
    return tls
