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

"""Brings groups from the database into memory, when they are needed.

A group is needed when an event names it, and before its deadline comes. All
others stay in the database, so that a million of them take no memory.
"""

import collections
from collections.abc import Collection, Sequence
import itertools

import orjson

from monasca_events_common.rules.groups import Group
from monasca_events_common.rules.groups import Groups
from monasca_events_engine.checkpoint import Checkpoint
from monasca_events_engine.ruleset import Ruleset

#: Deadlines up to so many seconds ahead are kept in memory.
HORIZON = 120.0

#: Groups whose deadline has come that one turn asks; where a whole cloud's
#: ends are missing, the others stay in the database and events in between.
TURN = 2000


class Recall:
    """The way of groups from the checkpoint to those in memory."""

    def __init__(self, checkpoint: Checkpoint, ruleset: Ruleset,
                 groups: Groups) -> None:
        self._checkpoint = checkpoint
        self._ruleset = ruleset
        self._groups = groups
        #: Groups whose deadline has come and that were not asked yet.
        self._due: collections.deque[bytes] = collections.deque()
        self._loaded_until = 0.0

    def begin(self, partitions: Sequence[int], now: float) -> None:
        """Load the deadlines of partitions that were assigned."""
        self._load(partitions, 0.0, max(self._loaded_until, now + HORIZON))

    def look_ahead(self, partitions: Sequence[int], now: float) -> None:
        """Load deadlines before they come."""
        if partitions and now + HORIZON / 2 >= self._loaded_until:
            self._load(partitions, self._loaded_until, now + HORIZON)

    def _load(self, partitions: Sequence[int], after: float, until: float
              ) -> None:
        found = self._checkpoint.deadlines(partitions, after, until)
        self._loaded_until = self._groups.horizon = until
        for deadline, group_id in found:
            self._groups.wake(deadline, group_id)

    def is_due(self, before: float) -> bool:
        """Tell whether a group has to be asked."""
        deadline = self._groups.next_deadline()
        return bool(self._due) or (deadline is not None
                                   and deadline <= before)

    def due(self, now: float, partitions: Collection[int]
            ) -> Sequence[bytes]:
        """Return groups whose turn it is to be asked, and are in memory.

        :param partitions: ours; others' groups are others' to ask
        """
        if not self._due:
            self._due.extend(self._groups.due(now))
        turn = list(itertools.islice(self._due, TURN))
        self.fetch(turn, partitions)
        for _ in turn:
            self._due.popleft()
        return turn

    def fetch(self, ids: Sequence[bytes],
              partitions: Collection[int] | None = None) -> None:
        """Bring groups into memory that the database has.

        :param partitions: only those of these, None for any: an event may
            come by another one than before
        """
        missing = list(dict.fromkeys(
            one for one in ids if one not in self._groups.live))
        for row in self._checkpoint.states(missing):
            rule = self._ruleset.rule(row["trigger_id"])
            if rule is None or rule.version != row["generation"] or (
                    partitions is not None
                    and row["partition"] not in partitions):
                continue
            trigger = rule.make()
            state = orjson.loads(row["state"])
            if state is not None:
                trigger.load(state)
            if row["deadline"] is not None:
                trigger.deadline = row["deadline"]
            self._groups.add(Group(
                bytes(row["id"]), rule, row["project_id"],
                orjson.loads(row["group_key"]), trigger, row["source"],
                row["partition"],
                row["lineage"] and orjson.loads(row["lineage"])))
