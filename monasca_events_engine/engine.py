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

from collections.abc import Callable, Mapping, Sequence
import logging
import threading
import time
import uuid

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
from monasca_events_engine.checkpoint import state_row
from monasca_events_engine.checkpoint import Work
from monasca_events_engine.measures import Measure
from monasca_events_engine.measures import Measures
from monasca_events_engine.outbox import Outbox
from monasca_events_engine.progress import Progress
from monasca_events_engine.recall import Recall
from monasca_events_engine.roads import Road
from monasca_events_engine.roads import Roads
from monasca_events_engine.ruleset import Ruleset
from monasca_events_engine.waiting import Waiting
from monasca_events_engine.waiting import WaitingRoom

LOG = logging.getLogger(__name__)

STAGE = "engine"

_NEVER = float("-inf")

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
        self._recall = Recall(checkpoint, ruleset, self._groups)
        self._progress = Progress()
        #: What could not be saved yet, and its deliveries.
        self._unsaved: Work | None = None
        self._follow_at = self._tidy_at = 0.0

    # -- what the loop calls -------------------------------------------------

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        with self._lock:
            self._flush()
            self._follow(force=True)
            found = self._checkpoint.positions(partitions)
            self._drop_strangers(partitions)
            self._recall.begin(partitions, self._clock())
            self._measures.load(partitions,
                                self._checkpoint.totals(partitions))
            self._progress.assign(partitions, found)
            return {one: position.next for one, position in found.items()}

    def revoked(self, partitions: Sequence[int]) -> None:
        with self._lock:
            gone = set(partitions)
            self._room.drop(gone)
            self._progress.revoke(gone)
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
            self._recall.look_ahead(list(self._progress.stored),
                                    self._clock())
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
        if not self._recall.is_due(now - self.conf.lateness):
            return {}
        return self._progress.seen_all(now, ends)

    def positions(self, handled: Mapping[int, int]) -> Mapping[int, int]:
        with self._lock:
            return {one: position.next
                    for one, position in self._progress.stored.items()
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
        progress = self._progress
        for place, delivery in enumerate(batch):
            partition, offset = delivery.partition, delivery.offset
            if offset < progress.read.get(partition, 0):
                continue  # it came again with a batch that was held
            is_new = offset >= progress.judged.get(partition, 0)
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
            progress.took(partition, offset, is_new)
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
            due = self._recall.due(now, self._progress.stored)
            found += self._groups.tick(due, lambda group: min(
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
        self._recall.fetch([group_id for _, wanted, _ in asked
                            for group_id, *_ in wanted])
        found: list[tuple[Group, Finding]] = []
        for event, wanted, partition in asked:
            found.extend(self._groups.observe(event, wanted, partition))
        return found

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
        self._progress.note(work, self._room)
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
        self._progress.settle(work)
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
                                                self._progress.stored)

    def _drop_strangers(self, partitions: Sequence[int]) -> None:
        """Remove states of triggers that changed while nobody looked."""
        for trigger_id, generation in self._checkpoint.generations(
                partitions):
            if not self._ruleset.knows(trigger_id, generation):
                rule = self._ruleset.rule(trigger_id)
                self._checkpoint.forget_generations(
                    trigger_id, rule.version if rule else None, partitions)

    def _tidy(self) -> None:
        now = time.monotonic()
        if now < self._tidy_at:
            return
        self._tidy_at = now + _TIDY_EVERY
        while self._checkpoint.forget_seen(
                self._clock() - self.conf.seen_seconds) >= 5000:
            pass
