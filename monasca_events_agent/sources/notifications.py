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

"""Notifications by oslo.messaging's batch listener.

Each transport has a listener with one thread that delivers; the listener's
own thread goes on reading, so that heartbeats are answered while a delivery
waits for a full spool, and the prefetch limit stops it from taking more. A
message is acknowledged after its delivery returned.
"""

from collections.abc import Iterator, Sequence
import contextlib
import functools
import logging
import threading

import amqp
from kombu import serialization
from kombu.utils import json as kombu_json
from oslo_config import cfg
import oslo_messaging
from oslo_messaging.notify import listener

from monasca_events_agent.sources import Intake
from monasca_events_agent.sources import Notice
from monasca_events_agent.sources import rabbit
from monasca_events_agent.sources import Source
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)

# Seconds for a listener to end: a broker that is gone keeps it for ever.
_GRACE = 10
# Ids by which oslo.messaging knows a repeat.
_REMEMBERED = 16
# Under this key a message's bytes pass through oslo.messaging.
_RAW = "monasca_events_raw"
_JSON = "application/json"


class NotificationSource(Source):
    """Listens to several transports at once."""

    GROUP = rabbit.GROUP
    OPTS = rabbit.OPTS

    def __init__(self, conf) -> None:
        """:param conf: an option group with OPTS"""
        self.conf = conf
        self._urls = rabbit.urls(conf)

    def run(self, deliver: Intake, stop: threading.Event) -> None:
        bridges = [_Bridge(transport, deliver, label)
                   for label, transport in self._transports()]
        threads = [threading.Thread(
            target=self._serve, args=(bridge, stop), daemon=True,
            name=f"notifications-{bridge.label}") for bridge in bridges]
        with _undecoded():
            for thread in threads:
                thread.start()
            while not stop.wait(0.2):
                for bridge in bridges:
                    if bridge.error is not None:
                        raise bridge.error
            for thread in threads:
                thread.join(_GRACE)

    def _transports(self) -> list[tuple[str, object]]:
        """Return a transport for each URL. Connects to nothing yet."""
        made = []
        for number, url in enumerate(self._urls):
            # Options of its own: transports must not share a setting, and
            # the process has no global ones.
            options = cfg.ConfigOpts()
            options([], project="monasca-events", default_config_files=[],
                    default_config_dirs=[])
            try:
                made.append((str(number),
                             oslo_messaging.get_notification_transport(
                                 options, rabbit.with_settings(
                                     url, self.conf))))
            except (oslo_messaging.InvalidTransportURL,
                    oslo_messaging.DriverLoadFailure, ValueError) as error:
                # Never the URL itself: it holds a password.
                raise Misconfigured(
                    f"[{rabbit.GROUP}] transport_url number {number + 1} "
                    f"cannot be used: {type(error).__name__}") from None
        return made

    def _serve(self, bridge: "_Bridge", stop: threading.Event) -> None:
        targets = [oslo_messaging.Target(topic=topic, exchange=exchange)
                   for topic in self.conf.topics
                   for exchange in self.conf.exchanges]
        server = _Server(
            bridge.transport, targets, bridge, allow_requeue=True,
            pool=self.conf.pool, batch_size=rabbit.batch_size(self.conf),
            batch_timeout=self.conf.batch_wait)
        try:
            server.start(override_pool_size=1)
            stop.wait()
            server.stop()
            server.wait()
            bridge.transport.cleanup()
        except Exception as error:  # handed on to the source's thread
            bridge.error = error


@contextlib.contextmanager
def _undecoded() -> Iterator[None]:
    """Let messages pass through oslo.messaging as bytes, for a while.

    It rejects, and so loses, a body that is not the JSON it expects, with no
    way to learn of it. With a decoder of ours in kombu's registry it gets an
    object with the bytes in it; the pipeline decodes them, once, and buries
    what cannot be decoded.
    """
    serialization.register(
        "json", kombu_json.dumps, lambda body: {_RAW: _bytes(body)},
        content_type=_JSON, content_encoding="utf-8")
    try:
        yield
    finally:
        serialization.register_json()


def _bytes(body) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


class _Server(listener.BatchNotificationServer):
    """oslo.messaging's server without its dispatcher.

    That one sorts a batch by priority, acknowledges priorities it does not
    know, and requeues the whole batch for ever over one message whose
    priority is no text.
    """

    def _process_incoming(self, incoming: Sequence) -> None:
        if self.dispatcher.carry(incoming):
            _acknowledge(incoming)
        else:
            for message in incoming:
                message.requeue()


class _Bridge:
    """Stands between one listener and the intake."""

    supported_priorities = rabbit.PRIORITIES

    def __init__(self, transport, deliver: Intake, label: str) -> None:
        self.transport = transport
        self.label = label
        self.error: Exception | None = None
        self._deliver = deliver

    def carry(self, incoming: Sequence) -> bool:
        """Return whether the messages are safe; never raise."""
        try:
            self._deliver([self._notice(message) for message in incoming])
            return True
        except Unavailable:
            # Told to stop while the spool was full; RabbitMQ keeps them.
            return False
        except Exception as error:  # a bug: the source's thread raises it
            self.error = error
            return False

    def _notice(self, incoming) -> Notice:
        return Notice(incoming.message[_RAW], f"notification/{self.label}")


def _acknowledge(incoming: Sequence) -> None:
    """Acknowledge a batch: with one frame where that is possible.

    Message by message costs oslo.messaging about a fifth of its time. One
    thread handles batches in the order in which they came, so whatever came
    before the last one of this batch is done with. In its own words, on its
    own thread, as oslo.messaging does it; where its driver is another one,
    message by message.
    """
    last = incoming[-1]
    raw = getattr(last.message, "_raw_message", None)
    operations = getattr(last, "_message_operations_handler", None)
    if operations is None or not isinstance(
            getattr(raw, "channel", None), amqp.Channel):
        for message in incoming:
            message.acknowledge()
        return
    operations.do(functools.partial(_acknowledge_up_to, raw))
    for message in incoming[-_REMEMBERED:]:
        last.listener.msg_id_cache.add(message.unique_id)


def _acknowledge_up_to(raw) -> None:
    try:
        raw.ack(multiple=True)
    except Exception as error:
        # The connection is gone. The broker sends the batch again.
        LOG.warning("a batch could not be acknowledged and comes again: %s",
                    error)
