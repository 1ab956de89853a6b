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

"""One member of a Kafka consumer group, by confluent-kafka.

librdkafka tells of a rebalance from within ``consume``, on the caller's
thread, which is what the bus promises.
"""

from collections.abc import Callable, Mapping, Sequence
import logging
import time

import confluent_kafka
from confluent_kafka import KafkaError
from confluent_kafka import TopicPartition

from monasca_events_common.bus import Delivery
from monasca_events_common.bus import Watcher
from monasca_events_common.bus.kafka_brokers import KafkaMembership
from monasca_events_common.errors import BusUnavailable

LOG = logging.getLogger(__name__)

# The group goes on without us: another member has our partitions or will get
# them, and with them the records whose positions were not committed.
_NOT_OURS = (KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID,
             KafkaError.REBALANCE_IN_PROGRESS, KafkaError.FENCED_INSTANCE_ID,
             KafkaError._ASSIGNMENT_LOST, KafkaError._STATE)

#: Of the errors that come in place of a record, those that pass by
#: themselves: librdkafka goes on trying.
_PASSING = (KafkaError._PARTITION_EOF, KafkaError._TRANSPORT,
            KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT,
            KafkaError._MAX_POLL_EXCEEDED, KafkaError.UNKNOWN_TOPIC_OR_PART)


class ConfluentSubscription(KafkaMembership):
    """Made by the confluent bus; connects at the first poll."""

    def __init__(self, bus, topic: str, group: str,
                 watcher: Watcher | None) -> None:
        super().__init__(bus, topic, group, watcher)
        self._consumer: confluent_kafka.Consumer | None = None
        self._owned: set[int] = set()
        self._failure: BaseException | None = None
        # While a watcher is told of them: where partitions will start.
        self._starting: dict[int, TopicPartition] = {}

    def poll(self, limit: int, timeout: float) -> Sequence[Delivery]:
        # The bus may be closed by one thread while another one polls.
        with self._busy:
            if self._closing or self._bus.closed:
                raise BusUnavailable("the subscription is closed")
            try:
                if self._consumer is None:
                    self._connect(timeout)
                found = self._deliveries(self._consume(limit, timeout))
                self._watch(bool(found))
            except confluent_kafka.KafkaException as error:
                self._bus.failed(error.args[0].name())
                raise BusUnavailable("Kafka cannot be polled: "
                                     f"{error.args[0].str()}") from error
        return found

    def _consume(self, limit: int, timeout: float) -> list:
        # Asked for many, consume waits until it has as many; so wait for
        # one and take with it what is there.
        messages = self._consumer.consume(1, timeout)
        try:
            if messages and limit > 1:
                messages += self._consumer.consume(limit - 1, 0)
            self._raise_failure()
        except BaseException:
            if messages:
                # Begin again at the committed positions, or they were lost.
                self._disconnect()
                self._failure = None
            raise
        return messages

    def _raise_failure(self) -> None:
        # librdkafka's binding would lose what a watcher raises.
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _deliveries(self, messages) -> list[Delivery]:
        found = []
        failure = None
        first: dict[int, int] = {}
        following: dict[int, int] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() not in _PASSING:
                    failure = error
                continue
            partition, offset = message.partition(), message.offset()
            if following.get(partition) != offset:
                if partition in following:
                    self._progress.received(partition, first[partition],
                                            following[partition])
                first[partition] = offset
            following[partition] = offset + 1
            found.append(Delivery(
                message.key() or b"", message.value() or b"",
                dict(message.headers() or ()), partition, offset))
        for partition, offset in first.items():
            self._progress.received(partition, offset, following[partition])
        if failure is not None and not found:
            raise confluent_kafka.KafkaException(failure)
        return found

    def _connect(self, timeout: float) -> None:
        self._bus.make_topic(self._topic, max(timeout, 1.0))
        consumer = self._bus.open_consumer(self._group)
        consumer.subscribe([self._topic], on_assign=self._assigned,
                           on_revoke=self._revoked, on_lost=self._revoked)
        self._consumer = consumer

    def _assigned(self, consumer, places: Sequence[TopicPartition]) -> None:
        partitions = sorted(place.partition for place in places)
        LOG.info("group %s takes partitions %s of %s", self._group,
                 partitions, self._topic)
        self._owned.update(partitions)
        self._starting = {place.partition: place for place in places}
        try:
            self._progress.assigned(self._committed(consumer, places))
            if self._watcher is not None and partitions:
                self._watcher.assigned(partitions)
        except BaseException as error:  # for the caller of poll
            self._failure = error
        finally:
            self._starting = {}
            consumer.assign(places)
            if self._paused:
                consumer.pause(places)

    def _committed(self, consumer, places) -> dict[int, int | None]:
        return {place.partition: place.offset if place.offset >= 0 else None
                for place in consumer.committed(
                    list(places), timeout=self._bus.conf.publish_timeout)}

    def _revoked(self, consumer, places: Sequence[TopicPartition]) -> None:
        partitions = sorted(place.partition for place in places)
        try:
            if self._watcher is not None and partitions and (
                    not self._closing):
                self._watcher.revoked(partitions)
        except BaseException as error:  # for the caller of poll
            self._failure = error
        finally:
            self._owned.difference_update(partitions)
            self._progress.revoked(partitions)

    def _places(self) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition)
                for partition in sorted(self._owned)]

    def _rebuild(self, reason: str) -> None:
        super()._rebuild(reason)
        self._raise_failure()

    def _ends(self) -> dict[int, tuple[int, int]]:
        return {place.partition: self._consumer.get_watermark_offsets(
                    place, timeout=self._bus.conf.publish_timeout)
                for place in self._places()}

    def _disconnect(self) -> None:
        if self._consumer is None:
            return
        # Closing calls _revoked; without commits, since there are none by
        # itself.
        self._consumer.close()
        self._consumer = None

    def seek(self, positions: Mapping[int, int]) -> None:
        for partition, offset in positions.items():
            if partition not in self._owned or self._consumer is None:
                continue
            if partition in self._starting:
                self._starting[partition].offset = offset
            else:
                self._seek(TopicPartition(self._topic, partition, offset))
            self._progress.sought(partition, offset)

    def _seek(self, place: TopicPartition) -> None:
        # A partition is ours some milliseconds before librdkafka reads it;
        # until then it refuses to seek in it.
        deadline = time.monotonic() + self._bus.conf.publish_timeout
        while True:
            try:
                return self._consumer.seek(place)
            except confluent_kafka.KafkaException as error:
                if (error.args[0].code() != KafkaError._STATE
                        or time.monotonic() >= deadline):
                    raise BusUnavailable(
                        f"cannot seek: {error.args[0].str()}") from error
            time.sleep(0.01)

    def commit(self, positions: Mapping[int, int]) -> None:
        places = [TopicPartition(self._topic, partition, offset)
                  for partition, offset in positions.items()
                  if partition in self._owned]
        if not places or self._consumer is None:
            return
        try:
            answers = self._consumer.commit(offsets=places,
                                            asynchronous=False)
            errors = [place.error for place in answers if place.error]
        except confluent_kafka.KafkaException as error:
            errors = [error.args[0]]
        for error in errors:
            if error.code() not in _NOT_OURS:
                self._bus.failed(error.name())
                raise BusUnavailable(
                    f"Kafka did not take positions: {error.str()}")
        if errors:
            LOG.info("group %s could not commit, the records will come again:"
                     " %s", self._group, errors[0].name())
            return
        for place in places:
            self._progress.committed[place.partition] = place.offset

    def pause(self) -> None:
        self._paused = True
        if self._consumer is not None:
            self._consumer.pause(self._places())

    def resume(self) -> None:
        self._paused = False
        if self._consumer is not None:
            self._consumer.resume(self._places())

    def ends(self) -> Mapping[int, tuple[int, int]]:
        return self._told(self._progress.places)

    def lag(self) -> Mapping[int, int]:
        return self._told(self._progress.lag)

    def _told(self, say: Callable[[dict], Mapping]) -> Mapping:
        """Return what the progress says of the partitions' ends now."""
        if self._consumer is None:
            return {}
        try:
            return say(self._ends())
        except confluent_kafka.KafkaException as error:
            raise BusUnavailable("Kafka does not tell its ends: "
                                 f"{error.args[0].str()}") from error
