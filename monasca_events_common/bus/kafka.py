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

"""Kafka by kafka-python: publishing, topics, health.

The producer is made at the first publish, so that a process starts while
Kafka is down. ``kafka_subscription`` is the consuming half.
"""

from collections.abc import Sequence
import logging
import time

import kafka
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient

from monasca_events_common.bus import Group
from monasca_events_common.bus import kafka_groups
from monasca_events_common.bus import kafka_options
from monasca_events_common.bus import Record
from monasca_events_common.bus import Watcher
from monasca_events_common.bus.kafka_brokers import KafkaBrokers
from monasca_events_common.bus.kafka_subscription import KafkaSubscription
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import TooLarge

LOG = logging.getLogger(__name__)

# Milliseconds after which the producer looks again whether a request that is
# under way is answered, if nothing tells it before.
_UNDER_WAY = 100.0

_TOO_LARGE = (kafka_errors.MessageSizeTooLargeError,
              kafka_errors.RecordListTooLargeError)


class _Client(KafkaNetClient):
    """kafka-python's, but for what it tells the producer about waiting.

    A connection whose one request is under way delays nothing, it says, and
    tells other delays in seconds where milliseconds are taken. The producer's
    thread then turns in circles until the answer comes, and takes the
    interpreter from those who bring records.
    """

    def connection_delay(self, node_id) -> float:
        """Return milliseconds; what happens meanwhile ends the wait."""
        if self.connected(node_id) and not self.is_ready(node_id):
            return _UNDER_WAY
        return 1000 * super().connection_delay(node_id)


class KafkaBus(KafkaBrokers):
    """Brokers reached by kafka-python."""

    def __init__(self, conf) -> None:
        super().__init__(conf)
        self._producer: kafka.KafkaProducer | None = None

    def _publish(self, topic: str, records: Sequence[Record],
                 deadline: float) -> None:
        try:
            self.make_topic(topic, deadline - time.monotonic())
            _send(self._get_producer(deadline), topic, records, deadline)
        except _TOO_LARGE as error:
            raise TooLarge(f"Kafka takes no record so large: {error}"
                           ) from error
        except (kafka_errors.KafkaError, ValueError) as error:
            self.failed(type(error).__name__)
            self.forget_topic(topic)
            raise BusUnavailable(f"Kafka did not take the records: {error}"
                                 ) from error

    def _get_producer(self, deadline: float) -> kafka.KafkaProducer:
        wait = max(0.0, deadline - time.monotonic())
        # Whoever comes while another one connects must not wait longer.
        if not self._lock.acquire(timeout=wait):
            raise BusUnavailable("Kafka cannot be reached in time")
        try:
            if self.closed:
                raise BusUnavailable("the bus is closed")
            if self._producer is None:
                left = max(0.1, deadline - time.monotonic())
                self._producer = self.open(
                    kafka.KafkaProducer, left, **self._producer_settings())
            return self._producer
        finally:
            self._lock.release()

    def _producer_settings(self) -> dict:
        conf = self.conf
        timeout = int(conf.publish_timeout * 1000)
        return {
            # An idempotent producer of kafka-python 3.0.12 whose batch timed
            # out under way never sends again and cannot be closed. With one
            # request at a time retries keep the order, and what they repeat
            # is recognised by its id.
            "acks": "all", "enable_idempotence": False,
            "max_in_flight_requests_per_connection": 1,
            "compression_type":
                None if conf.compression == "none" else conf.compression,
            "linger_ms": kafka_options.LINGER_MS,
            "batch_size": kafka_options.BATCH_BYTES,
            "max_request_size": conf.max_record_bytes,
            "max_block_ms": timeout,
            # Nothing may be sent after its publisher was told to repeat it
            # and has perhaps gone on to later records.
            "delivery_timeout_ms": timeout,
            "request_timeout_ms": timeout - 100,
        }

    def groups(self, topic: str, names: Sequence[str]) -> list[Group]:
        timeout = self.conf.publish_timeout
        try:
            self.make_topic(topic, timeout)
            admin = self._open_admin(timeout)
            try:
                return kafka_groups.describe(admin, topic, names)
            finally:
                admin.close()
        except kafka_errors.KafkaError as error:
            self.failed(type(error).__name__)
            raise BusUnavailable(f"Kafka does not tell of groups: {error}"
                                 ) from error

    def _subscription(self, topic: str, group: str,
                      watcher: Watcher | None) -> KafkaSubscription:
        return KafkaSubscription(self, topic, group, watcher)

    def _ask(self, timeout: float) -> None:
        try:
            self._open_admin(timeout).close()
        except kafka_errors.KafkaError as error:
            self.failed(type(error).__name__)
            raise BusUnavailable(f"Kafka does not answer: {error}"
                                 ) from error

    def _close(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close(timeout=self.conf.publish_timeout)
            except kafka_errors.KafkaTimeoutError as error:
                # Their publishers were told that they were not taken.
                LOG.info("records were left when the bus closed: %s", error)

    def open(self, client_class, timeout: float, **settings):
        """Return a connected client of kafka-python.

        Raises KafkaTimeoutError after ``timeout`` seconds, Misconfigured
        where the compression's package is not installed.
        """
        made = []

        def make(**config):
            made.append(_Client(**config))
            return made[-1]

        try:
            return client_class(
                bootstrap_timeout_ms=int(timeout * 1000),
                kafka_client=make, **self._connection(), **settings)
        except BaseException as error:
            # The constructor leaves its thread running when it fails, one
            # more with each attempt while Kafka is down.
            for client in made:
                client.close()
            if isinstance(error, RuntimeError):
                raise Misconfigured(f"[{self.GROUP}]: {error}") from error
            raise

    def _open_admin(self, timeout: float) -> kafka.KafkaAdminClient:
        return self.open(kafka.KafkaAdminClient, timeout,
                         request_timeout_ms=int(timeout * 1000))

    def _connection(self) -> dict:
        conf = self.conf
        return {
            "bootstrap_servers": [
                server.strip() for server in conf.uri.split(",")],
            "security_protocol": conf.security_protocol,
            "sasl_mechanism": conf.sasl_mechanism,
            "sasl_plain_username": conf.sasl_username,
            "sasl_plain_password": conf.sasl_password,
            "ssl_cafile": conf.ssl_cafile,
            "ssl_certfile": conf.ssl_certfile,
            "ssl_keyfile": conf.ssl_keyfile,
            "ssl_check_hostname": conf.ssl_check_hostname,
            "reconnect_backoff_max_ms": 2000,
        }

    def make_topic(self, topic: str, timeout: float) -> None:
        """Return when the topic exists, as far as we can tell."""
        if topic in self._topics:
            return
        deadline = time.monotonic() + timeout

        def left() -> int:
            # Three questions share the time: whoever publishes has no more.
            return max(1, int((deadline - time.monotonic()) * 1000))

        admin = self._open_admin(timeout)
        try:
            admin.create_topics(
                {topic: {"num_partitions": self.conf.partitions,
                         "replication_factor": self.conf.replication}},
                timeout_ms=left())
            admin.wait_for_topics([topic], timeout_ms=left())
            LOG.info("made the topic %s with %d partitions", topic,
                     self.conf.partitions)
        except kafka_errors.TopicAlreadyExistsError:
            pass
        except (kafka_errors.TopicAuthorizationFailedError,
                kafka_errors.ClusterAuthorizationFailedError,
                kafka_errors.PolicyViolationError) as error:
            # Where we may not make topics, the operator has made them.
            LOG.info("may not make the topic %s: %s", topic, error)
        finally:
            admin.close()
        self._topics.add(topic)


def _send(producer: kafka.KafkaProducer, topic: str,
          records: Sequence[Record], deadline: float) -> None:
    """Return once all are acknowledged by all replicas in sync."""
    futures = [producer.send(topic, value=record.value, key=record.key,
                             headers=list(record.headers.items()))
               for record in records]
    for future in futures:
        if future.is_done and future.exception is None:
            continue
        future.get(timeout=max(0.0, deadline - time.monotonic()))
