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

"""A member of a Kafka group that polls and joins on a thread of its own.

Two habits of kafka-python 3.0.12 are kept from its users here. It tells of a
rebalance on its network thread, where nothing can be awaited that the polling
thread does; here whoever called ``poll`` is told, as the bus promises. And
when the answer to its joining comes while nobody polls, it either joins again
or, if that was the last step, waits for ever: so joining goes on between two
calls of ``poll``, and a member that does not get in is reported.
"""

from collections.abc import Callable, Mapping, Sequence
import concurrent.futures
import queue
import threading
import time
from typing import Any

import kafka
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.base import MemberState
from kafka.structs import OffsetAndMetadata
from kafka.structs import TopicPartition

Batches = dict[TopicPartition, list]

#: Milliseconds of one poll while joining: as long as closing may wait.
_SLICE_MS = 1000


class Stuck(kafka_errors.KafkaError):
    """The member does not get into its group; a new one may."""


class Member:
    """One consumer of kafka-python; used by one thread at a time."""

    def __init__(self, consumer: kafka.KafkaConsumer, topic: str,
                 patience: float,
                 assigned: Callable[[Sequence[int]], None],
                 revoked: Callable[[Sequence[int]], None]) -> None:
        """:param consumer: subscribed to nothing yet
        :param patience: the session's timeout, in seconds
        :param assigned: called on the polling thread
        :param revoked: likewise; what is committed meanwhile is sent before
            the partitions go
        """
        self.consumer = consumer
        self._topic = topic
        self._patience = patience
        self._assigned = assigned
        self._revoked = revoked
        self._thread = concurrent.futures.ThreadPoolExecutor(
            1, thread_name_prefix="kafka-poll")
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        self._joining: concurrent.futures.Future | None = None
        self._failure: BaseException | None = None
        # Read, but not returned; sought, but not by the consumer yet.
        self._kept: Batches = {}
        self._sought: dict[TopicPartition, int] = {}
        self._late: dict[TopicPartition, OffsetAndMetadata] | None = None
        self._paused = self._closing = False
        consumer.subscribe([topic], listener=_Listener(self))

    # For the polling thread.

    def poll(self, limit: int, timeout: float) -> Batches:
        """Return records, telling meanwhile of a rebalance.

        Raises KafkaError, Stuck, or what ``assigned`` or ``revoked`` raised;
        after the latter the member must be closed, since it may have read
        records that it did not return.
        """
        batches = self._poll(limit, timeout)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        if self._paused:
            self._kept.update(batches)
            return {}
        return self._keep_beyond(limit, batches)

    def _poll(self, limit: int, timeout: float) -> Batches:
        if self._kept and not self._paused:
            batches, self._kept = self._kept, {}
            return batches
        if self._joining is None:
            if self.is_stable():
                batches = self._aside(self.consumer.poll,
                                      int(timeout * 1000), limit)
                if batches or self.is_stable():
                    return batches
                timeout = 0.0
            self._joining = self._start(self._join, limit)
        if not self._serve(self._joining, timeout):
            return {}
        joining, self._joining = self._joining, None
        batches = joining.result()
        if not batches and not self.is_stable():
            raise Stuck(f"not in the group after {self._patience} seconds")
        for place, offset in self._sought.items():
            batches.pop(place, None)
            self.consumer.seek(place, offset)
        self._sought.clear()
        return batches

    def _keep_beyond(self, limit: int, batches: Batches) -> Batches:
        """Return so many records, keeping the others for the next poll."""
        taken = {}
        for place, records in batches.items():
            if limit > 0:
                taken[place] = records[:limit]
            if len(records) > limit:
                self._kept[place] = records[max(limit, 0):]
            limit -= len(records)
        return taken

    def is_stable(self) -> bool:
        """Return whether we are in the group and have what is ours."""
        return self.consumer.group_metadata().state is MemberState.STABLE

    def owned(self) -> set[int]:
        """Return our partitions."""
        return {place.partition for place in self.consumer.assignment()}

    def place(self, partition: int) -> TopicPartition:
        """Return kafka-python's name of a partition."""
        return TopicPartition(self._topic, partition)

    def seek(self, partition: int, offset: int) -> None:
        """Go on from there; the partition must be ours."""
        place = self.place(partition)
        self._kept.pop(place, None)
        if self._joining is not None and self._late is None:
            self._sought[place] = offset
        self.consumer.seek(place, offset)

    def pause(self) -> None:
        """Return no records until ``resume``."""
        self._paused = True
        self.consumer.pause(*self.consumer.assignment())

    def resume(self) -> None:
        """Undo ``pause``."""
        self._paused = False
        self.consumer.resume(*self.consumer.paused())

    def commit(self, positions: Mapping[int, int], timeout: float) -> None:
        """Return once positions are durable. Raises KafkaError.

        While being told of a rebalance, return at once: they are sent before
        the partitions go.
        """
        offsets = {self.place(partition): OffsetAndMetadata(offset, "", -1)
                   for partition, offset in positions.items()}
        if self._late is not None:
            self._late.update(offsets)
        elif not self.is_stable():
            raise kafka_errors.CommitFailedError("not in the group")
        else:
            self.consumer.commit(offsets, timeout_ms=int(timeout * 1000))

    def close(self, timeout: float) -> None:
        """Leave the group without committing. Raises KafkaError."""
        self._closing = True
        try:
            if self._joining is not None:
                self._serve(self._joining)
            self._aside(self.consumer.close, autocommit=False,
                        timeout_ms=int(timeout * 1000))
        finally:
            self._thread.shutdown()

    # Two threads: the polling one waits and answers, the other one does.

    def _start(self, function: Callable, *args, **named
               ) -> concurrent.futures.Future:
        running = self._thread.submit(function, *args, **named)
        running.add_done_callback(self._calls.put)
        return running

    def _serve(self, running: concurrent.futures.Future,
               timeout: float | None = None) -> bool:
        """Do what the listener asks for until the other thread is done.

        Returns False when it is not within ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(
                0.0, deadline - time.monotonic())
            try:
                call = self._calls.get(timeout=left)
            except queue.Empty:
                return False
            if call is running:
                return True
            try:
                call()
            except BaseException as error:  # for the caller of poll
                self._failure = error

    def _aside(self, function: Callable, *args, **named) -> Any:
        running = self._start(function, *args, **named)
        self._serve(running)
        return running.result()

    def _join(self, limit: int) -> Batches:
        """Poll on the other thread until we are in the group."""
        deadline = time.monotonic() + self._patience
        while not self._closing:
            batches = self.consumer.poll(_SLICE_MS, limit)
            if batches or self.is_stable() or time.monotonic() > deadline:
                return batches
        return {}

    # For the listener, on kafka-python's thread.

    def ask(self, call: Callable[[Sequence[int]], None],
            partitions: Sequence[int]) -> None:
        """Have the polling thread call; return when it has.

        Heartbeats wait meanwhile. Who takes longer than the session lasts
        has lost the partitions anyway and is not waited for.
        """
        done = threading.Event()

        def act() -> None:
            try:
                if partitions and not self._closing:
                    call(partitions)
            finally:
                done.set()

        self._late = {}
        self._calls.put(act)
        done.wait(self._patience)

    def take_late(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return the positions committed while somebody was told."""
        late, self._late = self._late, None
        return late or {}

    async def revoke(self, partitions: Sequence[int], lost: bool) -> None:
        """Tell, and send the positions that were committed meanwhile."""
        self.ask(self._revoked, partitions)
        late = self.take_late()
        for place in map(self.place, partitions):
            self._kept.pop(place, None)
            self._sought.pop(place, None)
        if late and not lost:
            try:
                await self.consumer.commit_async(late)
            except kafka_errors.KafkaError:
                # The records come again, to us or to another member.
                return

    def assign(self, partitions: Sequence[int]) -> None:
        """Tell of new partitions."""
        if self._paused:
            self.consumer.pause(*map(self.place, partitions))
        self.ask(self._assigned, partitions)
        self.take_late()


class _Listener(AsyncConsumerRebalanceListener):
    """Hands over what kafka-python tells."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked) -> None:
        await self._member.revoke(_numbers(revoked), lost=False)

    async def on_partitions_lost(self, lost) -> None:
        await self._member.revoke(_numbers(lost), lost=True)

    async def on_partitions_assigned(self, assigned) -> None:
        self._member.assign(_numbers(assigned))


def _numbers(places) -> list[int]:
    return sorted(place.partition for place in places)
