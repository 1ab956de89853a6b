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

"""One member of a Kafka consumer group, by kafka-python.

kafka-python tells of a rebalance on its own thread while ``poll`` waits, and
nothing can be awaited there that the polling thread does. So the consumer
polls on a thread of its own and our ``poll`` waits beside it: what a watcher
must be told is told by whoever called ``poll``, as the bus promises.
"""

from collections.abc import Callable, Mapping, Sequence
import concurrent.futures
import logging
import queue
import threading
import time
from typing import Any

import kafka
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition

from monasca_events_common.bus import Delivery
from monasca_events_common.bus import kafka_options
from monasca_events_common.bus import Subscription
from monasca_events_common.bus import Watcher
from monasca_events_common.bus.kafka_progress import Progress
from monasca_events_common.errors import BusUnavailable

LOG = logging.getLogger(__name__)

# The group goes on without us: another member has our partitions or will get
# them, and with them the records whose positions were not committed.
_NOT_OURS = (kafka_errors.CommitFailedError,
             kafka_errors.RebalanceInProgressError,
             kafka_errors.IllegalGenerationError,
             kafka_errors.UnknownMemberIdError,
             kafka_errors.FencedInstanceIdError)


class KafkaSubscription(Subscription):
    """Made by the Kafka bus; connects at the first poll."""

    def __init__(self, bus, topic: str, group: str,
                 watcher: Watcher | None) -> None:
        """:param bus: the KafkaBus: opens clients and makes topics"""
        self._bus = bus
        self._topic = topic
        self._group = group
        self._watcher = watcher
        self._progress = Progress(topic, time.monotonic)
        self._consumer: kafka.KafkaConsumer | None = None
        self._thread: concurrent.futures.ThreadPoolExecutor | None = None
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        self._busy = threading.RLock()
        self._failure: BaseException | None = None
        self._fresh: set[int] = set()
        self._late: dict[TopicPartition, OffsetAndMetadata] | None = None
        self._paused = False
        self._closing = False
        #: Times that the watchdog made the consumer anew.
        self.rebuilds = 0

    @property
    def gaps(self) -> int:
        """Times that records were gone before they were delivered."""
        return self._progress.gaps

    def poll(self, limit: int, timeout: float) -> Sequence[Delivery]:
        # The bus may be closed by one thread while another one polls.
        with self._busy:
            if self._closing or self._bus.closed:
                raise BusUnavailable("the subscription is closed")
            try:
                if self._consumer is None:
                    self._connect(timeout)
                batches = self._aside(self._consumer.poll,
                                      int(timeout * 1000), limit)
                self._raise_failure(bool(batches))
                self._learn()
                self._watch(bool(batches))
            except kafka_errors.KafkaError as error:
                self._bus.failed(error)
                raise BusUnavailable(f"Kafka cannot be polled: {error}"
                                     ) from error
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
            fetch_max_bytes=conf.fetch_bytes,
            max_partition_fetch_bytes=conf.partition_fetch_bytes,
            metadata_max_age_ms=kafka_options.METADATA_SECONDS * 1000,
            request_timeout_ms=max(
                15_000, int(conf.publish_timeout * 1000)))
        consumer.subscribe([self._topic], listener=_Listener(self))
        if self._thread is None:
            self._thread = concurrent.futures.ThreadPoolExecutor(
                1, thread_name_prefix="kafka-poll")
        self._consumer = consumer

    # Two threads: ours waits and answers, the other one does.

    def _aside(self, function: Callable, *args, **named) -> Any:
        """Return what a function of the consumer returns.

        Meanwhile whatever the listener asks for is done on this thread.
        """
        running = self._thread.submit(function, *args, **named)
        running.add_done_callback(self._calls.put)
        while True:
            call = self._calls.get()
            if call is running:
                return running.result()
            try:
                call()
            except BaseException as error:  # the watcher's; see below
                self._failure = error

    def _raise_failure(self, taken: bool) -> None:
        """Raise what a watcher raised.

        :param taken: there are records that our caller will not get
        """
        failure, self._failure = self._failure, None
        if failure is None:
            return
        if taken:
            # Begin again at the committed positions, or they were lost.
            self._disconnect()
            self._failure = None
        raise failure

    def ask(self, call: Callable[[], None]) -> None:
        """Have the polling thread do something; return when it is done.

        Called by the listener on kafka-python's thread. Heartbeats wait
        meanwhile, so that a watcher must be quicker than the session.
        """
        done = threading.Event()

        def act() -> None:
            try:
                call()
            finally:
                done.set()

        self._calls.put(act)
        done.wait(self._bus.conf.max_poll_interval)

    # What the listener has us do.

    def revoke(self, partitions: Sequence[int]) -> None:
        """Tell the watcher, gathering the positions that it commits."""
        self._late = {}
        if self._watcher is not None and partitions and not self._closing:
            self._watcher.revoked(partitions)

    def take_late(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return the positions committed while a watcher was told."""
        late, self._late = self._late, None
        return late or {}

    def commit_late(self, late: Mapping[TopicPartition, OffsetAndMetadata]):
        """Return a future of kafka-python, to be awaited on its thread."""
        return self._consumer.commit_async(late)

    def forget(self, partitions: Sequence[int]) -> None:
        """Take note that these partitions are gone."""
        self._progress.revoked(partitions)
        self._fresh.difference_update(partitions)

    def assign(self, partitions: Sequence[int]) -> None:
        """Take note of new partitions and tell the watcher."""
        LOG.info("group %s takes partitions %s of %s", self._group,
                 partitions, self._topic)
        self._fresh.update(partitions)
        if self._paused:
            self._consumer.pause(*map(self._place, partitions))
        if self._watcher is not None and partitions:
            self._watcher.assigned(partitions)

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    def _timeout_ms(self) -> int:
        return int(self._bus.conf.publish_timeout * 1000)

    def _learn(self) -> None:
        """Learn what the group had committed for new partitions."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, set()
        try:
            self._progress.assigned({
                partition: self._aside(self._consumer.committed,
                                       self._place(partition),
                                       timeout_ms=self._timeout_ms())
                for partition in fresh})
        except kafka_errors.KafkaError:
            # Not worth more than a gap unseen: there may be records in hand.
            self._fresh |= fresh

    def _watch(self, moved: bool) -> None:
        """Make the consumer anew when it stands still without a reason."""
        if moved or self._paused:
            self._progress.rested()
            if moved:
                self._bus.worked()
            return
        if not self._progress.still_for(self._bus.conf.watchdog_seconds):
            return
        self._progress.rested()
        if self._progress.behind(self._ends()):
            self.rebuilds += 1
            LOG.warning("group %s got no record of %s for %s seconds although"
                        " there are some; its consumer is made anew",
                        self._group, self._topic,
                        self._bus.conf.watchdog_seconds)
            self._disconnect()
            self._raise_failure(False)

    def _disconnect(self) -> None:
        if self._consumer is None:
            return
        try:
            self._aside(self._consumer.close, autocommit=False,
                        timeout_ms=self._timeout_ms())
        except kafka_errors.KafkaError as error:
            LOG.info("group %s did not leave in time: %s", self._group, error)
        finally:
            self._consumer = None

    def seek(self, positions: Mapping[int, int]) -> None:
        if self._consumer is None:
            return
        ours = self._consumer.assignment()
        for partition, offset in positions.items():
            place = self._place(partition)
            if place in ours:
                self._consumer.seek(place, offset)
                self._progress.sought(partition, offset)

    def commit(self, positions: Mapping[int, int]) -> None:
        if self._consumer is None:
            return
        ours = self._consumer.assignment()
        offsets = {self._place(partition): OffsetAndMetadata(offset, "", -1)
                   for partition, offset in positions.items()
                   if self._place(partition) in ours}
        if not offsets:
            return
        if self._late is not None:
            self._late.update(offsets)
            return
        try:
            self._aside(self._consumer.commit, offsets,
                        timeout_ms=self._timeout_ms())
        except _NOT_OURS as error:
            LOG.info("group %s could not commit, the records will come again:"
                     " %s", self._group, type(error).__name__)
            return
        except kafka_errors.KafkaError as error:
            self._bus.failed(error)
            raise BusUnavailable(f"Kafka did not take positions: {error}"
                                 ) from error
        for place, offset in offsets.items():
            self._progress.committed[place.partition] = offset.offset

    def pause(self) -> None:
        self._paused = True
        if self._consumer is not None:
            self._consumer.pause(*self._consumer.assignment())

    def resume(self) -> None:
        self._paused = False
        if self._consumer is not None:
            self._consumer.resume(*self._consumer.paused())

    def lag(self) -> Mapping[int, int]:
        if self._consumer is None or self._late is not None:
            return {}
        try:
            return self._progress.lag(self._ends())
        except kafka_errors.KafkaError as error:
            raise BusUnavailable(f"Kafka does not tell its ends: {error}"
                                 ) from error

    def _ends(self) -> dict[int, tuple[int, int]]:
        places = list(self._consumer.assignment())
        if not places:
            return {}
        starts, ends = (
            self._aside(ask, places, timeout_ms=self._timeout_ms())
            for ask in (self._consumer.beginning_offsets,
                        self._consumer.end_offsets))
        return {place.partition: (starts[place], ends[place])
                for place in places}

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._bus.left(self)
        with self._busy:
            self._disconnect()
            if self._thread is not None:
                self._thread.shutdown()


class _Listener(AsyncConsumerRebalanceListener):
    """Runs on kafka-python's thread; hands over to the polling one."""

    def __init__(self, subscription: KafkaSubscription) -> None:
        self._subscription = subscription

    async def on_partitions_revoked(self, revoked) -> None:
        partitions = sorted(place.partition for place in revoked)
        self._subscription.ask(lambda: self._subscription.revoke(partitions))
        late = self._subscription.take_late()
        if late:
            try:
                await self._subscription.commit_late(late)
            except kafka_errors.KafkaError as error:
                LOG.info("positions could not be committed while giving up"
                         " partitions, the records will come again: %s",
                         type(error).__name__)
        self._subscription.forget(partitions)

    async def on_partitions_lost(self, lost) -> None:
        partitions = sorted(place.partition for place in lost)
        self._subscription.ask(lambda: self._subscription.revoke(partitions))
        self._subscription.take_late()
        self._subscription.forget(partitions)

    async def on_partitions_assigned(self, assigned) -> None:
        partitions = sorted(place.partition for place in assigned)
        self._subscription.ask(lambda: self._subscription.assign(partitions))
