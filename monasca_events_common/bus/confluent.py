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

"""Kafka by confluent-kafka: the same as ``kafka``, some times as fast.

librdkafka works on threads of its own; this file only hands over batches and
waits for the reports. Options and behaviour are those of the ``kafka``
driver, so that one word switches between them.
"""

from collections.abc import Sequence
import logging
import threading
import time

import confluent_kafka
from confluent_kafka import admin as confluent_admin

from monasca_events_common.bus import confluent_groups
from monasca_events_common.bus import Group
from monasca_events_common.bus import kafka_options
from monasca_events_common.bus import Record
from monasca_events_common.bus import Watcher
from monasca_events_common.bus.confluent_subscription import (
    ConfluentSubscription)
from monasca_events_common.bus.kafka_brokers import KafkaBrokers
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import TooLarge

LOG = logging.getLogger(__name__)

_REFUSED = (confluent_kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED,
            confluent_kafka.KafkaError.CLUSTER_AUTHORIZATION_FAILED,
            confluent_kafka.KafkaError.POLICY_VIOLATION)


class _Aside:
    """Takes librdkafka's log: several lines a second while Kafka is down.

    What matters in it comes as an error of the call that it concerns.
    """

    def log(self, level: int, message: str, *arguments) -> None:
        LOG.debug(message, *arguments)


class _Reports:
    """Counts the brokers' answers to one publish."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._all = threading.Event()
        self.error: confluent_kafka.KafkaError | None = None

    def __call__(self, error, message) -> None:
        # Called by the bus's reporting thread only.
        if error is not None:
            self.error = error
        self._left -= 1
        if not self._left:
            self._all.set()

    def wait(self, deadline: float) -> bool:
        return self._all.wait(max(0.0, deadline - time.monotonic()))


class ConfluentBus(KafkaBrokers):
    """Brokers reached by confluent-kafka."""

    def __init__(self, conf) -> None:
        super().__init__(conf)
        self._producer: confluent_kafka.Producer | None = None
        self._poller: threading.Thread | None = None
        self._admin: confluent_admin.AdminClient | None = None

    def _publish(self, topic: str, records: Sequence[Record],
                 deadline: float) -> None:
        reports = _Reports(len(records))
        try:
            self.make_topic(topic, deadline - time.monotonic())
            produce = self._get_producer().produce
            for record in records:
                produce(topic, record.value, record.key,
                        on_delivery=reports, headers=record.headers)
        except BufferError as error:
            self.failed("the queue is full")
            raise BusUnavailable("Kafka does not take records as fast as "
                                 "they come") from error
        except confluent_kafka.KafkaException as error:
            self.failed(error.args[0].name())
            raise _unavailable(error.args[0]) from error
        try:
            self._await(reports, deadline)
        except BusUnavailable:
            self.forget_topic(topic)
            raise

    def _await(self, reports: _Reports, deadline: float) -> None:
        if not reports.wait(deadline):
            self.failed("no answer in time")
            raise BusUnavailable("Kafka did not take the records in time")
        if reports.error is not None:
            self.failed(reports.error.name())
            raise _unavailable(reports.error)

    def _get_producer(self) -> confluent_kafka.Producer:
        with self._lock:
            if self.closed:
                raise BusUnavailable("the bus is closed")
            if self._producer is None:
                self._producer = self._make_producer()
                self._poller = threading.Thread(
                    target=self._serve, args=(self._producer,),
                    name="kafka-reports", daemon=True)
                self._poller.start()
            return self._producer

    def _get_admin(self) -> confluent_admin.AdminClient:
        with self._lock:
            if self._admin is None:
                self._admin = self._open(confluent_admin.AdminClient, {})
            return self._admin

    def _make_producer(self) -> confluent_kafka.Producer:
        conf = self.conf
        timeout = int(conf.publish_timeout * 1000)
        return self._open(confluent_kafka.Producer, {
            "acks": "all", "enable.idempotence": True,
            "compression.type": conf.compression,
            # A batch is handed over in less than that; a publisher waits
            # for it each time.
            "linger.ms": 1,
            "batch.size": kafka_options.BATCH_BYTES,
            "message.max.bytes": conf.max_record_bytes,
            "queue.buffering.max.kbytes": 128 << 10,
            # Where kafka-python and the Java clients put a key.
            "partitioner": "murmur2_random",
            # Nothing may be sent after its publisher was told to repeat it
            # and has perhaps gone on to later records.
            "delivery.timeout.ms": timeout - 100,
            "request.timeout.ms": timeout - 100,
        })

    def _serve(self, producer: confluent_kafka.Producer) -> None:
        """Call the reports, on one thread for all publishers."""
        while not self.closed:
            producer.poll(0.1)

    def groups(self, topic: str, names: Sequence[str]) -> list[Group]:
        timeout = self.conf.publish_timeout
        try:
            self.make_topic(topic, timeout)
            return confluent_groups.describe(self._get_admin(), topic, names,
                                             timeout)
        except confluent_kafka.KafkaException as error:
            self.failed(error.args[0].name())
            raise _unavailable(error.args[0]) from error

    def _subscription(self, topic: str, group: str,
                      watcher: Watcher | None) -> ConfluentSubscription:
        return ConfluentSubscription(self, topic, group, watcher)

    def _ask(self, timeout: float) -> None:
        try:
            self._get_admin().list_topics(timeout=timeout)
        except confluent_kafka.KafkaException as error:
            self.failed(error.args[0].name())
            raise _unavailable(error.args[0]) from error

    def _close(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
            self._admin = None
        if producer is not None:
            self._poller.join()
            producer.flush(self.conf.publish_timeout)

    def open_consumer(self, group: str) -> confluent_kafka.Consumer:
        """Return a consumer that is subscribed to nothing yet."""
        conf = self.conf
        return self._open(confluent_kafka.Consumer, {
            "group.id": group, "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "range,roundrobin",
            "session.timeout.ms": int(conf.session_timeout * 1000),
            "heartbeat.interval.ms": int(conf.session_timeout * 1000 / 4),
            "max.poll.interval.ms": int(conf.max_poll_interval * 1000),
            "fetch.max.bytes": conf.fetch_bytes,
            "max.partition.fetch.bytes": conf.partition_fetch_bytes,
            # librdkafka reads ahead; this bounds how far. Once it was there
            # it would rest for a second, in which we read all it has.
            "queued.max.messages.kbytes": conf.fetch_bytes >> 10,
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 100,
        })

    def _open(self, client_class, settings: dict):
        conf = self.conf
        wanted = {
            "bootstrap.servers": conf.uri,
            "security.protocol": conf.security_protocol,
            "sasl.mechanism": conf.sasl_mechanism,
            "sasl.username": conf.sasl_username,
            "sasl.password": conf.sasl_password,
            "ssl.ca.location": conf.ssl_cafile,
            "ssl.certificate.location": conf.ssl_certfile,
            "ssl.key.location": conf.ssl_keyfile,
            "ssl.endpoint.identification.algorithm":
                "https" if conf.ssl_check_hostname else "none",
            "topic.metadata.refresh.interval.ms":
                kafka_options.METADATA_SECONDS * 1000,
            "reconnect.backoff.max.ms": 2000,
            **settings}
        try:
            return client_class({name: value for name, value in wanted.items()
                                 if value is not None},
                                logger=_Aside())
        except confluent_kafka.KafkaException as error:
            raise Misconfigured(f"[{self.GROUP}]: {error}") from error

    def make_topic(self, topic: str, timeout: float) -> None:
        """Return when the topic exists, as far as we can tell."""
        if topic in self._topics:
            return
        made = self._get_admin().create_topics(
            [confluent_admin.NewTopic(topic, self.conf.partitions,
                                      self.conf.replication)],
            operation_timeout=timeout, request_timeout=timeout)
        try:
            made[topic].result()
            LOG.info("made the topic %s with %d partitions", topic,
                     self.conf.partitions)
        except confluent_kafka.KafkaException as error:
            code = error.args[0].code()
            if code in _REFUSED:
                # Where we may not make topics, the operator has made them.
                LOG.info("may not make the topic %s: %s", topic, error)
            elif code != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        self._topics.add(topic)


def _unavailable(error: confluent_kafka.KafkaError) -> Exception:
    if error.code() == confluent_kafka.KafkaError.MSG_SIZE_TOO_LARGE:
        return TooLarge(f"Kafka takes no record so large: {error.str()}")
    return BusUnavailable(f"Kafka did not take the records: {error.str()}")
