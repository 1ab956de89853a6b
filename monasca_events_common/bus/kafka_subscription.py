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

"""One member of a Kafka consumer group, by kafka-python, as a subscription.

Made by the Kafka bus; connects at the first poll. Translates errors, finds
gaps, and makes the consumer anew when it stands still without a reason.
"""

from collections.abc import Callable, Mapping, Sequence
import logging

import kafka
from kafka import errors as kafka_errors

from monasca_events_common.bus import Delivery
from monasca_events_common.bus import kafka_options
from monasca_events_common.bus import Watcher
from monasca_events_common.bus.kafka_brokers import KafkaMembership
from monasca_events_common.bus.kafka_member import Batches
from monasca_events_common.bus.kafka_member import Member
from monasca_events_common.bus.kafka_member import Stuck
from monasca_events_common.errors import BusUnavailable

LOG = logging.getLogger(__name__)

# The group goes on without us: another member has our partitions or will get
# them, and with them the records whose positions were not committed.
_NOT_OURS = (kafka_errors.CommitFailedError,
             kafka_errors.RebalanceInProgressError,
             kafka_errors.IllegalGenerationError,
             kafka_errors.UnknownMemberIdError,
             kafka_errors.FencedInstanceIdError)


class KafkaSubscription(KafkaMembership):
    """The bus's promises on top of a member."""

    def __init__(self, bus, topic: str, group: str,
                 watcher: Watcher | None) -> None:
        super().__init__(bus, topic, group, watcher)
        self._member: Member | None = None
        self._fresh: set[int] = set()

    def poll(self, limit: int, timeout: float) -> Sequence[Delivery]:
        # The bus may be closed by one thread while another one polls.
        with self._busy:
            if self._closing or self._bus.closed:
                raise BusUnavailable("the subscription is closed")
            try:
                if self._member is None:
                    self._connect(timeout)
                batches = self._poll(limit, timeout)
                self._learn()
                self._watch(bool(batches))
            except kafka_errors.KafkaError as error:
                self._bus.failed(type(error).__name__)
                raise BusUnavailable(f"Kafka cannot be polled: {error}"
                                     ) from error
        return self._deliveries(batches)

    def _poll(self, limit: int, timeout: float) -> Batches:
        try:
            return self._member.poll(limit, timeout)
        except Stuck as error:
            self._rebuild(str(error))
            return {}
        except kafka_errors.KafkaError:
            raise
        except BaseException:
            # A watcher's. What was read meanwhile is read again by a new
            # consumer, from the committed positions.
            self._disconnect()
            raise

    def _deliveries(self, batches: Batches) -> list[Delivery]:
        found = []
        for place, records in batches.items():
            partition = place.partition
            self._progress.received(partition, records[0].offset,
                                    records[-1].offset + 1)
            for record in records:
                found.append(Delivery(
                    record.key or b"", record.value or b"",
                    dict(record.headers), partition, record.offset))
        return found

    def _connect(self, timeout: float) -> None:
        conf = self._bus.conf
        self._bus.make_topic(self._topic, max(timeout, 1.0))
        consumer = self._bus.open(
            kafka.KafkaConsumer, max(timeout, 1.0), group_id=self._group,
            enable_auto_commit=False, auto_offset_reset="earliest",
            session_timeout_ms=int(conf.session_timeout * 1000),
            heartbeat_interval_ms=int(conf.session_timeout * 1000 / 4),
            max_poll_interval_ms=int(conf.max_poll_interval * 1000),
            # Whatever else is asked of a broker, such as where the log ends,
            # waits until the broker has answered this.
            fetch_max_wait_ms=100,
            fetch_max_bytes=conf.fetch_bytes,
            max_partition_fetch_bytes=conf.partition_fetch_bytes,
            metadata_max_age_ms=kafka_options.METADATA_SECONDS * 1000,
            request_timeout_ms=max(
                15_000, int(conf.publish_timeout * 1000)))
        self._member = Member(consumer, self._topic, conf.session_timeout,
                              self._assigned, self._revoked)
        if self._paused:
            self._member.pause()

    def _assigned(self, partitions: Sequence[int]) -> None:
        LOG.info("group %s takes partitions %s of %s", self._group,
                 partitions, self._topic)
        self._fresh.update(partitions)
        if self._watcher is not None:
            self._watcher.assigned(partitions)

    def _revoked(self, partitions: Sequence[int]) -> None:
        LOG.info("group %s gives up partitions %s of %s", self._group,
                 partitions, self._topic)
        try:
            if self._watcher is not None and not self._closing:
                self._watcher.revoked(partitions)
        finally:
            self._progress.revoked(partitions)
            self._fresh.difference_update(partitions)

    def _learn(self) -> None:
        """Learn what the group had committed for new partitions."""
        if not self._fresh or self._member is None:
            return
        try:
            self._progress.assigned({
                partition: self._member.consumer.committed(
                    self._member.place(partition),
                    timeout_ms=self._timeout_ms())
                for partition in self._fresh})
            self._fresh.clear()
        except kafka_errors.KafkaError as error:
            # Not worth more than a gap unseen: there may be records in hand.
            self._bus.failed(type(error).__name__)

    def _timeout_ms(self) -> int:
        return int(self._bus.conf.publish_timeout * 1000)

    def _disconnect(self) -> None:
        member = self._member
        if member is None:
            return
        # Told here and not by the member: it may not be in its group.
        owned = sorted(member.owned())
        try:
            member.close(self._bus.conf.publish_timeout)
        except kafka_errors.KafkaError as error:
            LOG.info("group %s did not leave in time: %s", self._group, error)
        finally:
            self._member = None
            if owned:
                self._revoked(owned)

    def seek(self, positions: Mapping[int, int]) -> None:
        owned = self._member.owned() if self._member is not None else ()
        for partition, offset in positions.items():
            if partition in owned:
                self._member.seek(partition, offset)
                self._progress.sought(partition, offset)

    def commit(self, positions: Mapping[int, int]) -> None:
        owned = self._member.owned() if self._member is not None else ()
        positions = {partition: offset for partition, offset
                     in positions.items() if partition in owned}
        if not positions:
            return
        try:
            self._member.commit(positions, self._bus.conf.publish_timeout)
        except _NOT_OURS as error:
            LOG.info("group %s could not commit, the records will come again:"
                     " %s", self._group, type(error).__name__)
            return
        except kafka_errors.KafkaError as error:
            self._bus.failed(type(error).__name__)
            raise BusUnavailable(f"Kafka did not take positions: {error}"
                                 ) from error
        self._progress.committed.update(positions)

    def pause(self) -> None:
        self._paused = True
        if self._member is not None:
            self._member.pause()

    def resume(self) -> None:
        self._paused = False
        if self._member is not None:
            self._member.resume()

    def ends(self) -> Mapping[int, tuple[int, int]]:
        return self._told(self._progress.places)

    def lag(self) -> Mapping[int, int]:
        return self._told(self._progress.lag)

    def _told(self, say: Callable[[dict], Mapping]) -> Mapping:
        """Return what the progress says of the partitions' ends now."""
        if self._member is None:
            return {}
        try:
            return say(self._ends())
        except kafka_errors.KafkaError as error:
            raise BusUnavailable(f"Kafka does not tell its ends: {error}"
                                 ) from error

    def _ends(self) -> dict[int, tuple[int, int]]:
        places = list(map(self._member.place, self._member.owned()))
        if not places:
            return {}
        consumer = self._member.consumer
        starts, ends = (ask(places, timeout_ms=self._timeout_ms()) for ask in
                        (consumer.beginning_offsets, consumer.end_offsets))
        return {place.partition: (starts[place], ends[place])
                for place in places}
