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

"""How far each partition was taken, and where its log ended when asked.

Three places of a partition move on: what was read, what was judged of it, and
what the database has of both.
"""

from collections.abc import Callable, Mapping, Sequence

from monasca_events_engine.checkpoint import Position
from monasca_events_engine.checkpoint import Work
from monasca_events_engine.waiting import WaitingRoom

#: Seconds after which a partition of which nothing came counts as read up to
#: where the subscription stands.
_SETTLED = 2.0


class Progress:
    """The partitions that this member has.

    :ivar stored: partition → position as the database has it, None for none
    :ivar read: partition → next offset to read
    :ivar judged: partition → offset up to which all was judged
    """

    def __init__(self) -> None:
        self.stored: dict[int, Position | None] = {}
        self.read: dict[int, int] = {}
        self.judged: dict[int, int] = {}
        #: Partition → (when its end was asked for, where it was read up to
        #: then, the end), until it has been read up to that end.
        self._asked: dict[int, tuple[float, int, int]] = {}

    def assign(self, partitions: Sequence[int],
               found: Mapping[int, Position]) -> None:
        """Begin where the database says."""
        for one in partitions:
            self.stored[one] = found.get(one)
            self.read.pop(one, None)
            self.judged[one] = found[one].judged if one in found else 0

    def revoke(self, partitions: set[int]) -> None:
        """Forget those that are another member's now."""
        for one in partitions:
            for kept in (self.stored, self.read, self.judged, self._asked):
                kept.pop(one, None)

    def took(self, partition: int, offset: int, is_new: bool) -> None:
        """Go on to the next record."""
        self.read[partition] = offset + 1
        if is_new:
            self.judged[partition] = offset + 1

    def seen_all(self, now: float, ends: Callable[
            [], Mapping[int, tuple[int, int]]]) -> dict[int, float]:
        """Return partition → when all that it had then was published.

        Only partitions that were read up to where their log ended when it was
        asked; it is asked again once all of them were told.

        :param now: seconds since the epoch
        :param ends: tells partition → (next offset to read, the log's end)
        """
        if not self._asked:
            self._asked = {partition: (now, following, end)
                           for partition, (following, end) in ends().items()}
        found = {}
        for partition, (at, following, end) in list(self._asked.items()):
            read = self.read.get(partition)
            if read is None and now - at >= _SETTLED:
                # Nothing came: there is nothing, or it was removed.
                read = following
            if read is not None and read >= end:
                found[partition] = at
                del self._asked[partition]
        return found

    def note(self, work: Work, room: WaitingRoom) -> None:
        """Put the positions that have moved into the work.

        :param room: events that wait in memory only, so that a restart has to
            read from the first of them
        """
        for partition, read in self.read.items():
            first = room.first(partition)
            after = Position(read if first is None else min(first, read),
                             self.judged[partition])
            before = self.stored.get(partition)
            if after != before:
                work.positions[partition] = (before, after)

    def settle(self, work: Work) -> None:
        """The work's positions are in the database."""
        for partition, (_, after) in work.positions.items():
            if partition in self.stored:
                self.stored[partition] = after
