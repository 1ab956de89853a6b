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


"""Sends notifications as services do: through oslo.messaging's Notifier.

The notifier, its envelope and its drivers are the real ones. Only two things
are put between: the id and the time that the notifier would have made up are
those of the notification, and an error that the notifier would have logged
and forgotten is told to the caller, who must know what was sent.
"""

import functools
import logging

import kombu
import kombu.exceptions
from oslo_config import cfg
import oslo_messaging
from oslo_messaging import notify
from oslo_messaging import serializer

from monasca_events_agent.traffic import file_driver
from monasca_events_agent.traffic.notification import Notification
from monasca_events_agent.traffic.poison import Poison
from monasca_events_common.errors import Misconfigured

_PATIENCE = 5.0


class Sender:
    """Sends what the generator makes, one after the other."""

    def __init__(self, notifier: "_Notifier", raw, close) -> None:
        """:param raw: sends a poisonous message, called with the Poison
        :param close: releases what ``raw`` holds
        """
        self._close = close
        self._notifier = notifier
        self._raw = raw
        self._prepared = functools.lru_cache(maxsize=1000)(
            lambda publisher_id: notifier.prepare(publisher_id=publisher_id))

    def send(self, item: Notification | Poison) -> None:
        """Return once the broker has confirmed the message, or the file has
        the line.

        Without a broker this waits until there is one. Raises what the
        driver raised; then the message may or may not have been sent.
        """
        if isinstance(item, Poison):
            self._raw(item)
            return
        notifier = self._prepared(item.publisher_id)
        self._notifier.dressing.wear(item)
        say = getattr(notifier, item.priority.lower())
        say(_Context(item.context) if item.context else {}, item.event_type,
            item.payload)
        self._notifier.dressing.check()

    def close(self) -> None:
        """Release the connections. Call once."""
        self._notifier.transport.cleanup()
        self._close()


def to_rabbitmq(url: str, topic: str, exchange: str | None = None,
                config_files: tuple[str, ...] = (),
                queues: str = "durable") -> Sender:
    """Return a sender to a broker.

    :param url: ``rabbit://user:password@host:port/vhost``
    :param topic: the notifications go to the queue TOPIC.PRIORITY
    :param exchange: the control exchange; oslo.messaging's default if None
    :param config_files: with options of oslo.messaging
    :param queues: transient, durable or quorum, as the listener declares them
    :raises Misconfigured: the URL is wrong, or nobody answers there
    """
    conf = _configuration(config_files)
    try:
        # Without a URL this registers the option that we override next.
        oslo_messaging.TransportURL.parse(conf)
        if exchange:
            conf.set_override("control_exchange", exchange)
        transport = oslo_messaging.get_notification_transport(conf, url=url)
        parsed = oslo_messaging.TransportURL.parse(conf, url)
    except (oslo_messaging.InvalidTransportURL,
            oslo_messaging.DriverLoadFailure, ValueError) as error:
        raise Misconfigured(f"--transport-url: {error}") from None
    if parsed.transport in ("rabbit", "kombu"):
        _declare_as(conf, transport, queues)
        raw = _RawRabbitmq(parsed, conf.control_exchange, topic)
        raw.probe()
        close = raw.close
    else:
        raw, close = _no_poison, _nothing
    return Sender(_Notifier(transport, "messagingv2", [topic]), raw, close)


def to_file(path: str) -> Sender:
    """Return a sender that appends to a file by ``monasca_events_file``.

    :raises Misconfigured: the file cannot be written
    """
    conf = _configuration(())
    conf.register_opts(file_driver.OPTS, group=file_driver.GROUP)
    conf.set_override("path", path, group=file_driver.GROUP)
    lines = file_driver.LineFile(path)
    transport = oslo_messaging.get_notification_transport(conf, url="fake:")

    def raw(item: Poison) -> None:
        lines.append(item.line)

    return Sender(_Notifier(transport, file_driver.GROUP, ["file"]), raw,
                  lines.close)


def _configuration(config_files: tuple[str, ...]) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    try:
        conf([], project="monasca-events",
             default_config_files=list(config_files))
    except cfg.Error as error:
        raise Misconfigured(str(error)) from None
    # Its own way of telling that a notification was lost is a log line with
    # the payload in it; we tell it ourselves.
    logging.getLogger("oslo_messaging.notify").setLevel(logging.CRITICAL + 1)
    return conf


def _declare_as(conf: cfg.ConfigOpts, transport, queues: str) -> None:
    group = "oslo_messaging_rabbit"
    conf.set_override("amqp_durable_queues", queues != "transient",
                      group=group)
    conf.set_override("rabbit_quorum_queue", queues == "quorum", group=group)


def _no_poison(item: Poison) -> None:
    raise Misconfigured("--poison needs a rabbit:// transport or a file")


def _nothing() -> None:
    pass


class _Notifier(notify.Notifier):
    """oslo.messaging's, with a Dressing around its driver."""

    def __init__(self, transport, driver: str, topics: list[str]) -> None:
        super().__init__(transport, driver=driver, topics=topics, retry=-1,
                         serializer=_ContextSerializer())
        if not self._driver_mgr.extensions:
            raise Misconfigured(
                f"the notification driver {driver} cannot be loaded; is this "
                "project installed with its extra agent?")
        for extension in self._driver_mgr:
            self.dressing = extension.obj = _Dressing(extension.obj)


class _Dressing:
    """Stands between the notifier and its driver."""

    def __init__(self, driver: notify.notifier.Driver) -> None:
        self._driver = driver
        self._transport = driver.transport
        # The messaging driver swallows what its transport raises.
        driver.transport = self
        self._worn: Notification | None = None
        self._error: Exception | None = None

    def wear(self, notification: Notification) -> None:
        self._worn, self._error = notification, None

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def notify(self, ctxt, msg, priority, retry) -> None:
        msg["message_id"] = self._worn.message_id
        msg["timestamp"] = self._worn.timestamp
        try:
            self._driver.notify(ctxt, msg, priority, retry)
        except Exception as error:  # whatever a driver raises
            self._error = error

    def _send_notification(self, *args, **kwargs):
        try:
            return self._transport._send_notification(*args, **kwargs)
        except Exception as error:  # whatever a transport raises
            self._error = error


class _Context(dict):
    """A request's context that is already as it travels.

    oslo.messaging redacts contexts by this method since 2023; what stands
    here is what is left, or what an older release would have left.
    """

    def redacted_copy(self) -> "_Context":
        return self


class _ContextSerializer(serializer.NoOpSerializer):
    def serialize_context(self, ctxt):
        return dict(ctxt)


class _RawRabbitmq:
    """Publishes bodies that no notifier would make."""

    def __init__(self, url: oslo_messaging.TransportURL, exchange: str,
                 topic: str) -> None:
        host = url.hosts[0] if url.hosts else None
        if host is None:
            raise Misconfigured("--transport-url names no host")
        self._connection = kombu.Connection(
            hostname=host.hostname, port=host.port or 5672,
            userid=host.username, password=host.password,
            virtual_host=url.virtual_host or "/", transport="amqp",
            connect_timeout=_PATIENCE,
            transport_options={"confirm_publish": True})
        self._where = f"{host.hostname}:{host.port or 5672}"
        self._exchange = exchange
        self._key = f"{topic}.info"
        self._producer: kombu.Producer | None = None

    def probe(self) -> None:
        """Raise Misconfigured unless the broker answers and lets us in."""
        try:
            self._connection.connect()
        except (OSError, kombu.exceptions.KombuError,
                *self._connection.connection_errors,
                *self._connection.channel_errors) as error:
            reason = str(error).splitlines()[0] if str(error) else repr(error)
            raise Misconfigured(
                f"RabbitMQ at {self._where} does not answer: "
                f"{reason}") from None
        finally:
            self._connection.release()

    def __call__(self, item: Poison) -> None:
        # The queue exists: a notification always goes before poison.
        if self._producer is None:
            self._producer = kombu.Producer(self._connection)
        self._producer.publish(
            item.body, exchange=self._exchange, routing_key=self._key,
            content_type="application/json", content_encoding="utf-8",
            retry=True, retry_policy={"max_retries": None})

    def close(self) -> None:
        self._connection.release()
