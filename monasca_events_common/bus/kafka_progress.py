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

"""Where a member of a Kafka group stands, and whether it moves.

Both Kafka drivers tell this what they are assigned, commit and receive; it
finds gaps, which the clients hide when they reset an offset that is out of
range, and standstill, which they do not notice. No I/O, no threads.
"""

from collections.abc import Callable, Iterable, Mapping
import logging

LOG = logging.getLogger(__name__)


class Progress:
    """The offsets of one subscription."""

    def __init__(self, topic: str, clock: Callable[[], float]) -> None:
        """:param clock: seconds, monotonic"""
        self._topic = topic
        self._clock = clock
        self._moved_at = clock()
        self._expected: dict[int, int] = {}
        #: Partition → what the group committed, as far as we know.
        self.committed: dict[int, int] = {}
        #: Times that records between two deliveries were not there.
        self.gaps = 0

    def assigned(self, committed: Mapping[int, int | None]) -> None:
        """These partitions are ours; None means never committed."""
        self._moved_at = self._clock()
        for partition, offset in committed.items():
            if offset is not None:
                self.committed[partition] = offset
                # Not where a watcher already sought another position.
                self._expected.setdefault(partition, offset)

    def revoked(self, partitions: Iterable[int]) -> None:
        """These partitions are ours no longer."""
        for partition in partitions:
            self._expected.pop(partition, None)
            self.committed.pop(partition, None)

    def sought(self, partition: int, offset: int) -> None:
        """The next record of the partition should be that one."""
        self._expected[partition] = offset

    def received(self, partition: int, offset: int, following: int) -> None:
        """Records of a partition came.

        :param offset: the first one's
        :param following: one more than the last one's
        """
        expected = self._expected.get(partition, offset)
        if expected != offset:
            self.gaps += 1
            LOG.warning(
                "partition %d of %s goes on at offset %d instead of %d: the "
                "records between were removed, or the topic was made anew",
                partition, self._topic, offset, expected)
        self._expected[partition] = following
        self._moved_at = self._clock()

    def rested(self) -> None:
        """Standing still has a reason: a pause, or the brokers are down."""
        self._moved_at = self._clock()

    def still_for(self, seconds: float) -> bool:
        """Return whether nothing came for so long."""
        return self._clock() - self._moved_at >= seconds

    def behind(self, ends: Mapping[int, tuple[int, int]]) -> bool:
        """Return whether there are records that should have come.

        :param ends: partition → (oldest offset, next offset to be written)
        """
        return any(max(oldest, self._expected.get(partition, oldest)) < end
                   for partition, (oldest, end) in ends.items())

    def places(self, ends: Mapping[int, tuple[int, int]]
               ) -> dict[int, tuple[int, int]]:
        """Return partition → (next offset to come, behind the newest)."""
        return {partition: (max(oldest, self._expected.get(partition,
                                                           oldest)), end)
                for partition, (oldest, end) in ends.items()}

    def lag(self, ends: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Return partition → records not yet committed."""
        return {partition: max(0, end - max(
                    oldest, self.committed.get(partition, oldest)))
                for partition, (oldest, end) in ends.items()}
