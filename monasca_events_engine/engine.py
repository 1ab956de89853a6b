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

"""The engine's handler: judges events and keeps what that leads to.

A batch comes from the bus. Events that need no order are judged at once, the
others wait until event time has reached them and are then shown to their
groups one after the other; deadlines that have passed are asked. What comes
of it goes into one transaction, and only then to the dispatcher.
"""

import collections
from collections.abc import Callable, Collection, Mapping, Sequence
import itertools
import logging
import threading
import time
import uuid

import orjson

from monasca_events_common import errors
from monasca_events_common import metrics
from monasca_events_common import old_form
from monasca_events_common.bus import Delivery
from monasca_events_common.bus import SCHEMA
from monasca_events_common.handler import Handler
from monasca_events_common.handler import Rejected
from monasca_events_common.rules import groups as grouping
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.groups import Group
from monasca_events_common.rules.groups import Groups
from monasca_events_common.rules.index import decode
from monasca_events_common.rules.trigger import Rule
from monasca_events_common.rules.trigger import seconds
from monasca_events_engine.checkpoint import Checkpoint
from monasca_events_engine.checkpoint import Position
from monasca_events_engine.checkpoint import state_row
from monasca_events_engine.checkpoint import Work
from monasca_events_engine.measures import Measure
from monasca_events_engine.measures import Measures
from monasca_events_engine.outbox import Outbox
from monasca_events_engine.roads import Road
from monasca_events_engine.roads import Roads
from monasca_events_engine.ruleset import Ruleset
from monasca_events_engine.waiting import Waiting
from monasca_events_engine.waiting import WaitingRoom

LOG = logging.getLogger(__name__)

STAGE = "engine"

#: Deadlines up to so many seconds ahead are kept in memory.
HORIZON = 120.0

#: Groups whose deadline has come that one turn asks; where a whole cloud's
#: ends are missing, the others stay in the database and events in between.
TURN = 2000

_NEVER = float("-inf")

#: Seconds after which a partition of which nothing came counts as read up to
#: where the subscription stands.
_SETTLED = 2.0

#: Seconds between two removals of events that need not be remembered.
_TIDY_EVERY = 10.0


class Engine(Handler):
    """Judges batches. The loop's threads take turns by a lock."""

    tick_every = 0.2

    def __init__(self, conf, ruleset: Ruleset, checkpoint: Checkpoint,
                 outbox: Outbox, measures: Measures,
                 hand_over: Callable[[Sequence[dict], Sequence[dict]], None],
                 clock: Callable[[], float] = time.time) -> None:
        """
        :param conf: the group ``[engine]``
        :param hand_over: takes rows of deliveries that are durable, and of
            their firings: the dispatcher
        :param clock: seconds since the epoch
        """
        self.conf = conf
        self._ruleset = ruleset
        self._checkpoint = checkpoint
        self._outbox = outbox
        self._measures = measures
        self._hand_over = hand_over
        self._clock = clock
        self._lock = threading.Lock()
        self._roads = Roads()
        self._room = WaitingRoom()
        self._groups = Groups(self._report)
        #: Groups whose deadline has come and that were not asked yet.
        self._due: collections.deque[bytes] = collections.deque()
        #: Partition → position as the database has it, None for none there.
        self._stored: dict[int, Position | None] = {}
        #: Partition → next offset to read, and up to where all was judged.
        self._read: dict[int, int] = {}
        self._judged: dict[int, int] = {}
        #: Partition → (when its end was asked for, where it was read up to
        #: then, the end), until it has been read up to that end.
        self._asked: dict[int, tuple[float, int, int]] = {}
        #: What could not be saved yet, and its deliveries.
        self._unsaved: Work | None = None
        self._loaded_until = 0.0
        self._follow_at = self._tidy_at = 0.0

    # -- what the loop calls -------------------------------------------------

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        with self._lock:
            self._flush()
            self._follow(force=True)
            found = self._checkpoint.positions(partitions)
            now = self._clock()
            self._loaded_until = max(self._loaded_until, now + HORIZON)
            self._groups.horizon = self._loaded_until
            self._drop_strangers(partitions)
            for deadline, wanted in self._checkpoint.deadlines(
                    partitions, 0.0, self._loaded_until):
                self._groups.wake(deadline, wanted)
            self._measures.load(partitions,
                                self._checkpoint.totals(partitions))
            for one in partitions:
                self._stored[one] = found.get(one)
                self._read.pop(one, None)
                self._judged[one] = found[one].judged if one in found else 0
            return {one: position.next for one, position in found.items()}

    def revoked(self, partitions: Sequence[int]) -> None:
        with self._lock:
            gone = set(partitions)
            self._room.drop(gone)
            for one in gone:
                for kept in (self._stored, self._read, self._judged,
                             self._asked):
                    kept.pop(one, None)
            self._groups.forget([one.id for one in
                                 self._groups.live.values()
                                 if one.partition in gone])
            self._measures.drop(gone)
            if self._unsaved is not None \
                    and gone & set(self._unsaved.positions):
                # The next member does it again from the last checkpoint.
                self._unsaved = None

    def handle(self, batch: Sequence[Delivery]) -> Sequence[Rejected]:
        """Return once all that the batch leads to is durable.

        Raises Unavailable when the database cannot take it; the batch comes
        again and what was judged of it is not judged twice.
        """
        with self._lock:
            self._flush()
            self._follow()
            work = Work()
            rejected = self._take(batch, work)
            self._advance(work, {})
            self._save(work)
            return rejected

    def tick(self, now: float, ends: Callable[
            [], Mapping[int, tuple[int, int]]]) -> None:
        with self._lock:
            self._flush()
            self._follow()
            self._load_deadlines()
            work = Work()
            self._advance(work, self._seen_all(ends))
            self._save(work)
            self._tidy()

    def _seen_all(self, ends: Callable[[], Mapping[int, tuple[int, int]]]
                  ) -> Mapping[int, float]:
        """Return partition → up to when everything published was judged.

        A deadline passes only when nothing that would meet it can still be on
        the bus: after a restart, or behind a database that was away, an end
        may lie there that was published in time. So when a deadline is due
        the log is asked where it ends, and the deadline waits until what was
        there then has been judged.
        """
        now = self._clock()
        due = self._groups.next_deadline()
        if not self._due and (due is None or due > now - self.conf.lateness):
            return {}
        if not self._asked:
            self._asked = {partition: (now, following, end)
                           for partition, (following, end) in ends().items()}
        found = {}
        for partition, (at, following, end) in list(self._asked.items()):
            read = self._read.get(partition)
            if read is None and now - at >= _SETTLED:
                # Nothing came: there is nothing, or it was removed.
                read = following
            if read is not None and read >= end:
                found[partition] = at
                del self._asked[partition]
        return found

    def positions(self, handled: Mapping[int, int]) -> Mapping[int, int]:
        with self._lock:
            return {one: position.next
                    for one, position in self._stored.items()
                    if position is not None and (not handled
                                                 or one in handled)}

    # -- judging -------------------------------------------------------------

    def _take(self, batch: Sequence[Delivery], work: Work
              ) -> list[Rejected]:
        """Judge what needs no order; let the rest wait for its turn."""
        rejected: list[Rejected] = []
        index = self._ruleset.index
        now = self._clock()
        methods = self._ruleset.methods
        for place, delivery in enumerate(batch):
            partition, offset = delivery.partition, delivery.offset
            if offset < self._read.get(partition, 0):
                continue  # it came again with a batch that was held
            is_new = offset >= self._judged.get(partition, 0)
            try:
                if delivery.headers.get("schema") != SCHEMA:
                    delivery = old_form.ours(delivery)
                hits = index.find(delivery.key,
                                  delivery.headers["event_type"],
                                  delivery.value)
                if hits is not None and hits[0] is None:
                    hits = decode(delivery, hits[1]), hits[1]
            except errors.Rejected as error:
                rejected.append(Rejected(place, error.code, str(error)))
                hits = None
            except (ValueError, KeyError) as error:
                rejected.append(Rejected(
                    place, "invalid_record", f"the record is not an event "
                    f"of ours: {error}", type(error).__name__))
                hits = None
            if hits is not None:
                event, wanted = hits
                if is_new:
                    self._judge(event, wanted, delivery, now, methods, work)
                if any(rule.is_ordered for rule, _ in wanted):
                    self._wait(event, delivery, now)
            self._read[partition] = offset + 1
            if is_new:
                self._judged[partition] = offset + 1
        return rejected

    def _judge(self, event: Mapping, wanted, delivery: Delivery, now: float,
               methods: Mapping[str, str], work: Work) -> None:
        for rule, slots in wanted:
            if rule.is_ordered:
                continue
            try:
                found = rule.judge.observe(event, slots)
            except Exception as error:
                # Whatever a plug-in raises; the others go on.
                self._report(rule, error)
                continue
            for one in found:
                self._record(rule, rule.key(event, slots[0]),
                             event["project_id"], delivery.partition, one,
                             delivery.value, now, methods, work)

    def _wait(self, event: Mapping, delivery: Delivery, now: float) -> None:
        road = (event["project_id"], event["source"] or "")
        at = seconds(event["timestamp"])
        self._roads.observe(road, at, now, self.conf.lateness,
                            self.conf.max_lateness)
        self._room.enter(road, min(at, now), at, event["event_id"], delivery)

    def _advance(self, work: Work, seen: Mapping[int, float]) -> None:
        """Take the events whose turn it is, then the deadlines that passed.

        :param seen: partition → up to when all was judged; others' deadlines
            wait
        """
        now = self._clock()
        lateness = self.conf.lateness

        def reached(road: Road) -> float:
            return self._roads.reached(road, now, lateness)

        turn, early = self._room.leave(reached, self.conf.max_waiting)
        if early:
            metrics.LIMITED.labels("waiting_events").inc(early)
        methods = self._ruleset.methods
        found = self._show(turn, now, work)
        if seen:
            found += self._groups.tick(self._fetch_due(now), lambda group: min(
                reached((group.project_id, group.source)),
                seen.get(group.partition, _NEVER) - lateness))
        values = {one.event_id: one.delivery.value for one in turn}
        for group, one in found:
            value = None
            if type(one) is Finding:
                one.lineage = group.lineage
                value = one.event and values.get(one.event["event_id"])
            self._record(group.rule, group.key, group.project_id,
                         group.partition, one, value, now, methods, work)
        for group in self._groups.changed.values():
            if group.is_idle:
                work.idle.append(group.id)
            else:
                work.states.append(state_row(group, group.trigger.deadline))

    def _show(self, turn: Sequence[Waiting], now: float, work: Work
              ) -> list[tuple[Group, Finding]]:
        """Show events to their groups, each once."""
        fresh: dict[bytes, Waiting] = {}
        for one in turn:
            fresh.setdefault(uuid.UUID(one.event_id).bytes, one)
        for event_id in self._checkpoint.seen(list(fresh)):
            del fresh[event_id]
        asked = []
        for event_id, one in fresh.items():
            delivery = one.delivery
            hits = self._ruleset.index.find(
                delivery.key, delivery.headers["event_type"], delivery.value)
            # The rules may have changed while it waited.
            if hits is not None:
                event, wanted = hits
                wanted = [pair for pair in wanted if pair[0].is_ordered]
                if event is None:
                    event = decode(delivery, wanted)
                asked.append((event, grouping.requests(event, wanted),
                              delivery.partition))
            work.seen.append({"event_id": event_id, "at": now,
                              "partition": delivery.partition})
        self._fetch([group_id for _, wanted, _ in asked
                     for group_id, *_ in wanted])
        found: list[tuple[Group, Finding]] = []
        for event, wanted, partition in asked:
            found.extend(self._groups.observe(event, wanted, partition))
        return found

    def _fetch_due(self, now: float) -> Sequence[bytes]:
        """Return groups whose turn it is to be asked, and are in memory."""
        if not self._due:
            self._due.extend(self._groups.due(now))
        turn = list(itertools.islice(self._due, TURN))
        # Others' groups are others' to ask.
        self._fetch(turn, self._stored)
        for _ in turn:
            self._due.popleft()
        return turn

    def _fetch(self, ids: Sequence[bytes],
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

    def _record(self, rule: Rule, key: Mapping, project_id: str,
                partition: int, found, value: bytes | None, now: float,
                methods: Mapping[str, str], work: Work) -> None:
        if type(found) is Measure:
            self._measures.take(found, partition, work)
            return
        if value is not None:
            found.event = value  # whole, and not encoded again
        firing, deliveries = self._outbox.rows(
            rule, key, project_id, found, now, methods)
        work.firings.append(firing)
        work.deliveries.extend(deliveries)

    def _report(self, rule: Rule, error: Exception) -> None:
        metrics.BROKEN.labels(
            rule.id if rule.project_id is None else "trigger").inc()
        LOG.error("trigger %s of %s failed and was passed over", rule.id,
                  rule.project_id or "the operators", exc_info=error)

    # -- keeping -------------------------------------------------------------

    def _save(self, work: Work) -> None:
        self._measures.settle(work)
        for partition, read in self._read.items():
            first = self._room.first(partition)
            after = Position(read if first is None else min(first, read),
                             self._judged[partition])
            before = self._stored.get(partition)
            if after != before:
                work.positions[partition] = (before, after)
        if work:
            self._unsaved = work
            self._attempt(again=False)
        else:
            self._groups.settle(self.conf.max_groups)

    def _flush(self) -> None:
        """Save what could not be saved the last time."""
        if self._unsaved is not None:
            self._attempt(again=True)

    def _attempt(self, again: bool) -> None:
        work = self._unsaved
        work.drop_firings(self._checkpoint.fired(
            [one["firing_id"] for one in work.firings]))
        self._checkpoint.save(work, again)
        self._settle()

    def _settle(self) -> None:
        """What was saved is so; let others know."""
        work, self._unsaved = self._unsaved, None
        for partition, (_, after) in work.positions.items():
            if partition in self._stored:
                self._stored[partition] = after
        self._groups.settle(self.conf.max_groups)
        ready = [one for one in work.deliveries
                 if one["status"] == "pending"]
        for one in work.firings:
            metrics.FIRINGS.labels(one["outcome"]).inc()
        if ready:
            self._hand_over(ready, work.firings)

    # -- following and tidying -----------------------------------------------

    def _follow(self, force: bool = False) -> None:
        now = time.monotonic()
        if now < self._follow_at and not force:
            return
        changed = self._ruleset.follow()
        self._follow_at = now + self.conf.follow_interval
        if not changed:
            return
        gone = [one.id for one in self._groups.live.values()
                if one.rule.id in changed]
        self._groups.forget(gone)
        for trigger_id, generation in changed.items():
            self._outbox.forget(trigger_id)
            self._checkpoint.forget_generations(trigger_id, generation,
                                                self._stored)

    def _drop_strangers(self, partitions: Sequence[int]) -> None:
        """Remove states of triggers that changed while nobody looked."""
        for trigger_id, generation in self._checkpoint.generations(
                partitions):
            if not self._ruleset.knows(trigger_id, generation):
                rule = self._ruleset.rule(trigger_id)
                self._checkpoint.forget_generations(
                    trigger_id, rule.version if rule else None, partitions)

    def _load_deadlines(self) -> None:
        """Bring deadlines into memory before they come."""
        now = self._clock()
        if not self._stored or now + HORIZON / 2 < self._loaded_until:
            return
        until = now + HORIZON
        found = self._checkpoint.deadlines(list(self._stored),
                                           self._loaded_until, until)
        self._loaded_until = self._groups.horizon = until
        for deadline, wanted in found:
            self._groups.wake(deadline, wanted)

    def _tidy(self) -> None:
        now = time.monotonic()
        if now < self._tidy_at:
            return
        self._tidy_at = now + _TIDY_EVERY
        while self._checkpoint.forget_seen(
                self._clock() - self.conf.seen_seconds) >= 5000:
            pass
