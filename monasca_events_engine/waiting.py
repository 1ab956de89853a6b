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

"""Events that wait for their turn, so that triggers see them in order.

They wait in memory only: positions are not moved beyond the first of them, so
that after a restart they are read from the bus again.
"""

from collections.abc import Callable
import heapq
import itertools
from typing import NamedTuple

from monasca_events_common.bus import Delivery
from monasca_events_engine.roads import Road


class Waiting(NamedTuple):
    """One event that at least one ordered trigger wants; sorts by its turn.

    :ivar turn: seconds since the epoch at which event time must be: when it
        happened, or when it came where it claims to be from the future
    :ivar at: when it happened, as it says
    :ivar number: of its coming; no two are alike
    :ivar delivery: as it came; decoded again when its turn comes
    """

    turn: float
    at: float
    event_id: str
    number: int
    delivery: Delivery


class WaitingRoom:
    """Waiting events, by the road on which they came."""

    def __init__(self) -> None:
        self._roads: dict[Road, list[Waiting]] = {}
        self._offsets: dict[int, set[int]] = {}
        self._numbers = itertools.count()
        self.count = 0

    def enter(self, road: Road, turn: float, at: float, event_id: str,
              delivery: Delivery) -> None:
        """Let an event wait; the names are those of Waiting."""
        heapq.heappush(
            self._roads.setdefault(road, []),
            Waiting(turn, at, event_id, next(self._numbers), delivery))
        self._offsets.setdefault(delivery.partition, set()).add(
            delivery.offset)
        self.count += 1

    def leave(self, reached: Callable[[Road], float], most: int
              ) -> tuple[list[Waiting], int]:
        """Return those whose turn it is, in order, and how many were early.

        :param reached: how far event time has come on a road
        :param most: events that may go on waiting; of more, the first go
            early: memory is bounded, and each is counted
        """
        gone: list[Waiting] = []
        for road in list(self._roads):
            queue, now = self._roads[road], reached(road)
            while queue and queue[0].turn <= now:
                gone.append(self._take(queue))
            if not queue:
                del self._roads[road]
        early = 0
        while self.count > most:
            road = min(self._roads, key=lambda one: self._roads[one][0])
            gone.append(self._take(self._roads[road]))
            early += 1
            if not self._roads[road]:
                del self._roads[road]
        gone.sort()
        return gone, early

    def _take(self, queue: list[Waiting]) -> Waiting:
        one = heapq.heappop(queue)
        self._offsets[one.delivery.partition].discard(one.delivery.offset)
        self.count -= 1
        return one

    def first(self, partition: int) -> int | None:
        """Return the lowest offset of a partition that waits."""
        offsets = self._offsets.get(partition)
        return min(offsets) if offsets else None

    def drop(self, partitions: set[int]) -> None:
        """Forget what waits of partitions that are another's now."""
        for road in list(self._roads):
            kept = [one for one in self._roads[road]
                    if one.delivery.partition not in partitions]
            self.count -= len(self._roads[road]) - len(kept)
            heapq.heapify(kept)
            self._roads[road] = kept
            if not kept:
                del self._roads[road]
        for partition in partitions:
            self._offsets.pop(partition, None)
