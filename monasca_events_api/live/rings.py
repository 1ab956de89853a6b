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


"""The last events of each project, in memory.

Bounded three times: events and bytes of a project, bytes of all. A ring knows
from which offset on it is whole, so that a stream which goes on can be told
what it missed. No I/O; the follower's thread writes, requests read.
"""

import collections
from collections.abc import Mapping, Sequence
import threading

from monasca_events_api.live import Seen
from monasca_events_common.store import ALL

#: Event types that are counted by name; all others together.
MAX_COUNTED = 500

#: Bytes that an event takes beside its own.
_OVERHEAD = 600


class Ring:
    """One project's last events, and how many there were.

    :ivar floors: partition → first offset from which on none is missing
    """

    __slots__ = ("events", "bytes", "floors", "received", "types")

    def __init__(self, floors: Mapping[int, int]) -> None:
        self.events: collections.deque[Seen] = collections.deque()
        self.bytes = 0
        self.floors = dict(floors)
        self.received = 0
        self.types: collections.Counter[str] = collections.Counter()

    def add(self, one: Seen) -> int:
        """Return how many bytes more it takes now."""
        self.events.append(one)
        self.received += 1
        name = one.event_type
        if name not in self.types and len(self.types) >= MAX_COUNTED:
            name = ""
        self.types[name] += 1
        size = len(one.value) + _OVERHEAD
        self.bytes += size
        return size

    def drop(self) -> int:
        """Forget the oldest; return how many bytes less it takes now."""
        one = self.events.popleft()
        self.floors[one.partition] = one.offset + 1
        size = len(one.value) + _OVERHEAD
        self.bytes -= size
        return size


class Rings:
    """The rings of all projects. Safe for several threads."""

    def __init__(self, conf) -> None:
        """:param conf: the group ``[live]``, read at each event"""
        self._conf = conf
        self._lock = threading.Lock()
        self._rings: collections.OrderedDict[str, Ring] = \
            collections.OrderedDict()
        # Of projects that have no ring: from where on one would be whole.
        self._floors: dict[int, int] = {}
        self._bytes = 0

    def begin(self, partition: int, offset: int) -> None:
        """Take note that reading a partition begins, or that it goes on
        there after a gap."""
        with self._lock:
            self._floors[partition] = offset
            for ring in self._rings.values():
                ring.floors[partition] = offset

    def add(self, seen: Sequence[Seen]) -> None:
        """Remember events, and forget others where there is no room."""
        if not seen:
            return
        # Once: an option costs as much as the rest of an event.
        events, of_project, of_all = (
            self._conf.events, self._conf.project_bytes, self._conf.bytes)
        with self._lock:
            for one in seen:
                ring = self._rings.get(one.project_id)
                if ring is None:
                    ring = Ring(self._floors)
                    self._rings[one.project_id] = ring
                self._bytes += ring.add(one)
                while len(ring.events) > events or ring.bytes > of_project:
                    self._bytes -= ring.drop()
                self._rings.move_to_end(one.project_id)
                while self._bytes > of_all:
                    self._forget()

    def _forget(self) -> None:
        """Forget the project that had no event for the longest time."""
        _, ring = self._rings.popitem(last=False)
        self._bytes -= ring.bytes
        for one in ring.events:
            self._floors[one.partition] = max(
                one.offset + 1, self._floors.get(one.partition, 0))

    def events(self, project_id) -> list[Seen]:
        """Return what is remembered, in the order in which it came.

        :param project_id: or ``ALL``; its order is by project then
        """
        with self._lock:
            return [one for ring in self._of(project_id)
                    for one in ring.events]

    def behind(self, project_id, positions: Mapping[int, int]
               ) -> tuple[list[Seen], bool]:
        """Return what is remembered behind positions, and whether that is
        all that there was.

        :param positions: partition → offset; other partitions are left out
        """
        with self._lock:
            found = [one for ring in self._of(project_id)
                     for one in ring.events
                     if one.offset > positions.get(one.partition, one.offset)]
            floors = self._floors_of(project_id)
        whole = all(floors.get(partition, 0) <= offset + 1
                    for partition, offset in positions.items())
        found.sort(key=lambda one: (one.partition, one.offset))
        return found, whole

    def counts(self, project_id) -> tuple[int, collections.Counter]:
        """Return how many events there were since this began to watch, and
        how many of each type; "" stands for further types."""
        with self._lock:
            types: collections.Counter[str] = collections.Counter()
            for ring in self._of(project_id):
                types.update(ring.types)
            return types.total(), types

    def _of(self, project_id) -> list[Ring]:
        if project_id is ALL:
            return list(self._rings.values())
        ring = self._rings.get(project_id)
        return [] if ring is None else [ring]

    def _floors_of(self, project_id) -> Mapping[int, int]:
        if project_id is not ALL:
            ring = self._rings.get(project_id)
            return self._floors if ring is None else ring.floors
        floors = dict(self._floors)
        for ring in self._rings.values():
            for partition, offset in ring.floors.items():
                floors[partition] = max(offset, floors.get(partition, 0))
        return floors
