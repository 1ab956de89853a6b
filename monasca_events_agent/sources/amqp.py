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

"""Notifications straight from AMQP, for clouds that oslo.messaging's listener
is too slow for.

Reads the queues that oslo.messaging's notifiers fill, with the same names and
arguments, so that this source and ``notifications`` can be exchanged by the
option alone. Hands over what oslo.messaging throws away: messages that are no
JSON reach the dead letters. Each broker has a thread that reads, acknowledges
and answers heartbeats, and one that delivers; a batch is acknowledged with
one frame, after its delivery returned.
"""

import collections
from collections.abc import Iterator
import concurrent.futures
import contextlib
import dataclasses
import logging
import random
import selectors
import socket
import threading
import time

import amqp
from amqp import exceptions

from monasca_events_agent.backoff import Backoff
from monasca_events_agent.sources import declaration
from monasca_events_agent.sources import Intake
from monasca_events_agent.sources import Notice
from monasca_events_agent.sources import rabbit
from monasca_events_agent.sources import Source
from monasca_events_agent.sources.compression import opened
from monasca_events_agent.sources.frames import BrokenFrame
from monasca_events_agent.sources.frames import Delivery
from monasca_events_agent.sources.frames import FrameReader
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)

# What ends a connection and not the source.
_LOST = (OSError, exceptions.AMQPError, BrokenFrame)
_CHUNK = 256 * 1024
# Batches handed over and not acknowledged: one being delivered, one waiting.
_IN_HAND = 2
# Seconds for the broker to answer while the queues are declared.
_PATIENCE = 15
_GRACE = 10


class AmqpSource(Source):
    """Reads from several brokers at once."""

    GROUP = rabbit.GROUP
    OPTS = rabbit.OPTS

    def __init__(self, conf) -> None:
        """:param conf: an option group with OPTS"""
        self.conf = conf
        self._brokers = [rabbit.parse_url(url) for url in rabbit.urls(conf)]

    def run(self, deliver: Intake, stop: threading.Event) -> None:
        errors: list[BaseException] = []

        def serve(reader: "Reader") -> None:
            try:
                reader.run(stop)
            except BaseException as error:  # handed on to this thread
                errors.append(error)
        threads = [threading.Thread(
            target=serve, args=(Reader(self.conf, broker, deliver),),
            name=f"amqp-{number}", daemon=True)
            for number, broker in enumerate(self._brokers)]
        for thread in threads:
            thread.start()
        while not (errors or stop.wait(0.2)):
            pass
        if errors:
            raise errors[0]
        for thread in threads:
            thread.join(_GRACE)


@dataclasses.dataclass(slots=True)
class _Batch:
    """Notices being delivered.

    :ivar tag: acknowledges them and everything before
    """

    future: concurrent.futures.Future
    tag: int


class Reader:
    """Reads one broker until told to stop."""

    def __init__(self, conf, broker: rabbit.Broker, deliver: Intake) -> None:
        self.conf = conf
        self._broker = broker
        self._deliver = deliver
        self._hosts = list(broker.hosts)
        random.shuffle(self._hosts)
        self._label = f"amqp/{conf.pool or ','.join(conf.topics)}"

    def run(self, stop: threading.Event) -> None:
        """Consume; connect again, to the next host, when that fails."""
        backoff = Backoff(0.5, 30.0)
        while not stop.is_set():
            host = self._hosts[0]
            try:
                with self._connected(host) as connection:
                    backoff.reset()
                    _Consumption(self.conf, connection, self._deliver,
                                 self._label).run(stop)
            except _LOST as error:
                self._hosts.append(self._hosts.pop(0))
                delay = backoff.delay()
                if backoff.should_log():
                    LOG.warning("RabbitMQ %s:%d is lost, again in %.1f s: %s",
                                host.name, host.port, delay,
                                error or type(error).__name__)
                stop.wait(delay)

    @contextlib.contextmanager
    def _connected(self, host: rabbit.Host) -> Iterator[amqp.Connection]:
        connection = amqp.Connection(
            f"{host.name}:{host.port}", userid=host.user,
            password=host.password, virtual_host=self._broker.vhost,
            login_method="PLAIN", ssl=self._tls(host),
            heartbeat=self.conf.heartbeat, connect_timeout=_PATIENCE,
            client_properties={"connection_name": "monasca-events-agent"})
        try:
            connection.connect()
            yield connection
        finally:
            with contextlib.suppress(*_LOST):
                # Not close(): it waits for an answer, and reads frames that
                # the frame reader has begun.
                connection.collect()

    def _tls(self, host: rabbit.Host) -> dict | bool:
        if not self.conf.ssl:
            return False
        settings = {"ca_certs": rabbit.ca_file(self.conf),
                    "cert_reqs": rabbit.VERIFY, "server_hostname": host.name}
        if self.conf.ssl_cert_file:
            settings.update(certfile=self.conf.ssl_cert_file,
                            keyfile=self.conf.ssl_key_file)
        return settings


class _Consumption:
    """Consuming over one connection."""

    def __init__(self, conf, connection: amqp.Connection, deliver: Intake,
                 label: str) -> None:
        self.conf = conf
        self._connection = connection
        self._deliver = deliver
        self._label = label
        self._limit = rabbit.batch_size(conf)
        self._gathered: list[Delivery] = []
        self._gathered_at = 0.0
        self._batches: collections.deque[_Batch] = collections.deque()
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)

    def run(self, stop: threading.Event) -> None:
        """Return when told to stop; raise when the connection is lost."""
        transport = self._connection.transport
        # The library's own waiting for an answer has no limit.
        with transport.having_timeout(_PATIENCE):
            self._channel = declaration.consume(self._connection, self.conf)
        sock = self._connection.sock
        sock.settimeout(self.conf.heartbeat)
        self._reader = FrameReader(self._channel.channel_id,
                                   self._connection.on_inbound_frame)
        # From here on, only the frame reader reads. Nothing after the
        # consumers were started was, so nothing is torn.
        early, transport._read_buffer = transport._read_buffer, b""
        pool = concurrent.futures.ThreadPoolExecutor(
            1, thread_name_prefix="amqp-deliver")
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(sock, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
                self._gather(self._reader.feed(bytes(early)))
                self._loop(stop, sock, selector, pool)
        finally:
            # What was not begun comes again over the next connection.
            pool.shutdown(wait=True, cancel_futures=True)
            self._woken.close()
            self._waker.close()
        self._settle()

    def _loop(self, stop: threading.Event, sock: socket.socket,
              selector: selectors.BaseSelector,
              pool: concurrent.futures.Executor) -> None:
        ticked = time.monotonic()
        pending = getattr(sock, "pending", int)
        while not stop.is_set():
            ready = [key.fileobj for key, _mask in selector.select(
                0 if pending() else self._patience())]
            if self._woken in ready:
                self._woken.recv(4096)
            if sock in ready or pending():
                data = sock.recv(_CHUNK)
                if not data:
                    raise ConnectionError("the broker closed the connection")
                # The library counts frames to know that the broker lives.
                self._connection.bytes_recv += 1
                self._gather(self._reader.feed(data))
            self._settle()
            self._hand_over(pool)
            now = time.monotonic()
            if now - ticked >= 1.0:
                ticked = now
                self._connection.heartbeat_tick()

    def _patience(self) -> float:
        """Return the seconds to wait for bytes or for a delivery's end."""
        if self._gathered and len(self._batches) < _IN_HAND:
            waited = time.monotonic() - self._gathered_at
            return max(0.0, self.conf.batch_wait - waited)
        return 0.5

    def _gather(self, deliveries: list[Delivery]) -> None:
        if deliveries and not self._gathered:
            self._gathered_at = time.monotonic()
        self._gathered.extend(deliveries)

    def _hand_over(self, pool: concurrent.futures.Executor) -> None:
        """Start delivering when a batch is full or has waited enough."""
        while self._gathered and len(self._batches) < _IN_HAND:
            waited = time.monotonic() - self._gathered_at
            if len(self._gathered) < self._limit \
                    and waited < self.conf.batch_wait:
                return
            batch = self._gathered[:self._limit]
            del self._gathered[:self._limit]
            future = pool.submit(self._carry, batch)
            future.add_done_callback(self._wake)
            self._batches.append(_Batch(future, batch[-1].tag))

    def _carry(self, batch: list[Delivery]) -> None:
        self._deliver([Notice(opened(one.properties, one.body), self._label)
                       for one in batch])

    def _wake(self, _future: concurrent.futures.Future) -> None:
        # Closed or full: somebody is awake, or nobody waits any more.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _settle(self) -> None:
        """Acknowledge what is safe, up to the first that is not."""
        tag = 0
        while self._batches and self._batches[0].future.done():
            batch = self._batches.popleft()
            if batch.future.cancelled():
                break
            try:
                batch.future.result()
            except Unavailable:
                # Told to stop while the spool was full; RabbitMQ keeps it.
                self._batches.clear()
                break
            tag = batch.tag
        if tag:
            self._channel.basic_ack(tag, multiple=True)
