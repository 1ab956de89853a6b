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


"""A watcher of a Kafka topic, by either driver.

It is the only member of a group of its own that never commits: Kafka keeps
nothing for such a group and forgets it. So the drivers' members, which know
their clients' habits, serve here too.
"""

from collections.abc import Sequence
import uuid

from monasca_events_common.bus import Delivery
from monasca_events_common.bus import Tail
from monasca_events_common.bus import Watcher

#: What the names of such groups begin with, for rules of access.
PREFIX = "monasca-events-tail-"


class _Changes(Watcher):
    """Notes that partitions came; where they begin is told outside."""

    def __init__(self) -> None:
        self.are_new = False

    def assigned(self, partitions: Sequence[int]) -> None:
        self.are_new = True

    def revoked(self, partitions: Sequence[int]) -> None:
        """They come back, to the only member there is."""


class KafkaTail(Tail):
    """Reads from near the end of each partition, whoever is committed."""

    def __init__(self, bus, topic: str, backlog: int) -> None:
        """:param bus: a bus of either driver"""
        self._backlog = backlog
        self._changes = _Changes()
        self._subscription = bus.subscribe(
            topic, PREFIX + uuid.uuid4().hex, self._changes)
        self._next: dict[int, int] = {}
        self._oldest: dict[int, int] = {}
        self.spans: dict[int, tuple[int, int]] = {}

    @property
    def gaps(self) -> int:
        """Times that records were gone before they were read."""
        return self._subscription.gaps

    def poll(self, limit: int, timeout: float) -> Sequence[Delivery]:
        found = self._subscription.poll(limit, timeout)
        if self._changes.are_new:
            # What comes in the same turn is of the log's old end; it is
            # sought again where it is wanted.
            for one in found:
                self._oldest.setdefault(one.partition, one.offset)
            self._place()
            return ()
        wanted = [one for one in found
                  if one.offset >= self._next.get(one.partition, 0)]
        for one in wanted:
            self._next[one.partition] = one.offset + 1
        return wanted

    def _place(self) -> None:
        """Go to where each partition is to be read from."""
        ends = self._subscription.ends()
        for partition, (following, end) in ends.items():
            if partition not in self.spans:
                oldest = self._oldest.get(partition, following)
                start = max(oldest, end - self._backlog)
                self.spans[partition] = (start, end)
                self._next[partition] = start
        self._subscription.seek(self._next)
        self._changes.are_new = not ends

    def close(self) -> None:
        self._subscription.close()
