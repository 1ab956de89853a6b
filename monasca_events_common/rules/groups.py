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

"""The groups that are under way: each a trigger with its state and deadline.

The engine drives them over live events and keeps their states in the
database, the back-test over stored ones and in memory: the same code decides.
Nothing here waits, reads a clock or knows of a database; whoever keeps groups
elsewhere gives back those that are wanted before asking.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import hashlib
import heapq
import itertools

import orjson

from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.trigger import Rule
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger


#: ``source`` of events that the engine itself made of firings.
DERIVED = "engine"


class Group:
    """One trigger at work on the events of one group.

    :ivar id: 16 bytes, a digest of rule, generation, project and key
    :ivar key: label → value, as a firing shows it
    :ivar source: by which road its latest event came; that road's clock
        decides when its deadline has passed
    :ivar partition: of the bus, whose member keeps it
    :ivar lineage: ``hops`` and ``origin`` of the derived event among those
        that it took note of that has come the longest way, None for none
    """

    __slots__ = ("id", "rule", "project_id", "key", "trigger", "source",
                 "partition", "lineage")

    def __init__(self, group_id: bytes, rule: Rule, project_id: str,
                 key: Mapping, trigger: Trigger, source: str,
                 partition: int, lineage: Mapping | None = None) -> None:
        self.id = group_id
        self.rule = rule
        self.project_id = project_id
        self.key = key
        self.trigger = trigger
        self.source = source
        self.partition = partition
        self.lineage = lineage

    def inherit(self, event: Mapping) -> None:
        """Take note of what led to an event that a rule of ours made."""
        marks = event["marks"]
        if marks.get("hops", 0) > (self.lineage or {}).get("hops", 0):
            self.lineage = {"hops": marks["hops"],
                            "origin": list(marks.get("origin", ()))}

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing of it to remember."""
        return self.trigger.deadline is None and self.trigger.dump() is None


#: What an event asks of one group: its id, rule, key and matched slots.
Request = tuple[bytes, Rule, Mapping, Sequence[str]]


def requests(event: Mapping, hits: Iterable[tuple[Rule, Sequence[str]]]
             ) -> list[Request]:
    """Return which groups an event concerns.

    :param hits: rules with the slots whose patterns the event matches
    """
    found = []
    for rule, slots in hits:
        if len(slots) == 1:
            key = rule.key(event, slots[0])
            found.append((group_id(rule, event["project_id"], key), rule,
                          key, slots))
            continue
        # Steps may name their group elsewhere: one event, several groups.
        by_id: dict[bytes, tuple[Mapping, list[str]]] = {}
        for slot in slots:
            key = rule.key(event, slot)
            by_id.setdefault(group_id(rule, event["project_id"], key),
                             (key, []))[1].append(slot)
        found.extend((one, rule, key, several)
                     for one, (key, several) in by_id.items())
    return found


def group_id(rule: Rule, project_id: str, key: Mapping) -> bytes:
    """Return a group's identity, the same after every restart."""
    name = orjson.dumps([rule.id, rule.version, project_id,
                         list(key.values())])
    return hashlib.blake2b(name, digest_size=16).digest()


class Groups:
    """The groups in memory, their deadlines, and which of them changed.

    :ivar horizon: deadlines beyond this are not remembered here; whoever
        keeps the groups says so and wakes them in time
    """

    def __init__(self, report: Callable[[Rule, Exception], None] | None = None
                 ) -> None:
        """:param report: told of a trigger that raised something, which is
            then passed over; None lets it through
        """
        self.horizon = float("inf")
        self._report = report
        self.live: dict[bytes, Group] = {}
        #: Groups that changed since whoever keeps them took note.
        self.changed: dict[bytes, Group] = {}
        self._deadlines: list[tuple[float, bytes]] = []

    def add(self, group: Group) -> None:
        """Take in a group that was kept elsewhere."""
        self.live[group.id] = group
        self.wake(group.trigger.deadline, group.id)

    def wake(self, deadline: float | None, wanted: bytes) -> None:
        """Remember a deadline, also of a group that is not in memory."""
        if deadline is not None and deadline <= self.horizon:
            heapq.heappush(self._deadlines, (deadline, wanted))

    def forget(self, wanted: Iterable[bytes]) -> None:
        """Let groups go from memory; their deadlines stay."""
        for one in wanted:
            self.live.pop(one, None)
            self.changed.pop(one, None)

    def observe(self, event: Mapping, asked: Sequence[Request],
                partition: int = 0) -> list[tuple[Group, Finding]]:
        """Show an event to the groups that it concerns.

        :param asked: of :func:`requests`; those that exist elsewhere must
            have been added before
        """
        found: list[tuple[Group, Finding]] = []
        at = seconds(event["timestamp"])
        for wanted, rule, key, slots in asked:
            group = self.live.pop(wanted, None)
            if group is None:
                group = Group(wanted, rule, event["project_id"], key,
                              rule.make(), event["source"] or "", partition)
            self.live[wanted] = group  # the last one to be forgotten
            trigger = group.trigger
            before = trigger.deadline
            if before is not None and before < at:
                # Its time was up before this happened.
                found.extend(self._ask(group, trigger.tick, at))
            found.extend(self._ask(group, trigger.observe, event, slots))
            group.source = event["source"] or ""
            if group.source == DERIVED:
                group.inherit(event)
            group.partition = partition
            self._note(group, before)
        return found

    def _ask(self, group: Group, call: Callable, *arguments
             ) -> list[tuple[Group, Finding]]:
        """Call a trigger, which may be a stranger's code."""
        try:
            return [(group, one) for one in call(*arguments)]
        except Exception as error:
            if self._report is None:
                raise
            # Its state may be half changed: it begins anew.
            self._report(group.rule, error)
            group.trigger = group.rule.make()
            return []

    def due(self, now: float) -> list[bytes]:
        """Return the groups whose deadline has come, the earliest first.

        They are not asked for again unless :meth:`tick` or :meth:`wake` says
        so.
        """
        found = []
        while self._deadlines and self._deadlines[0][0] <= now:
            found.append(heapq.heappop(self._deadlines)[1])
        return list(dict.fromkeys(found))

    def next_deadline(self) -> float | None:
        """Return the earliest one that is remembered; it may be stale."""
        return self._deadlines[0][0] if self._deadlines else None

    def tick(self, due: Iterable[bytes],
             reached: Callable[[Group], float]
             ) -> list[tuple[Group, Finding]]:
        """Let time pass for groups in memory.

        :param reached: returns how far event time has come for a group; one
            whose deadline lies beyond is asked again later
        """
        found: list[tuple[Group, Finding]] = []
        for wanted in due:
            group = self.live.get(wanted)
            if group is None or group.trigger.deadline is None:
                continue
            before = group.trigger.deadline
            now = reached(group)
            if before > now:
                self.wake(before, wanted)
                continue
            found.extend(self._ask(group, group.trigger.tick, now))
            if group.trigger.deadline == before:
                # A plug-in that forgot to move on would be asked for ever.
                group.trigger.deadline = None
            self._note(group, before)
        return found

    def _note(self, group: Group, before: float | None) -> None:
        self.changed[group.id] = group
        if group.trigger.deadline != before:
            self.wake(group.trigger.deadline, group.id)

    def settle(self, most: int | None = None) -> None:
        """What changed has been taken note of.

        Groups with nothing to remember are forgotten, and beyond ``most``
        those that were not asked for the longest.
        """
        for group in self.changed.values():
            if group.is_idle:
                self.live.pop(group.id, None)
        self.changed.clear()
        if most is not None and len(self.live) > most:
            for wanted in list(itertools.islice(self.live,
                                                len(self.live) - most)):
                del self.live[wanted]
