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


"""The rehearsal: one rule over events of the past, by a clock of its own.

The index, the groups, the triggers and the outbox's decisions are those of
the live engine; only time is taken from the events. What it finds is counted
and, up to a limit, rendered. Nothing is kept and nothing is sent.
"""

from collections.abc import Callable, Mapping, Sequence
import math

import orjson

from monasca_events_common.rules import firing as firings
from monasca_events_common.rules import groups as grouping
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.groups import Groups
from monasca_events_common.rules.index import Index
from monasca_events_common.rules.trigger import Rule
from monasca_events_common.rules.trigger import seconds

#: Bytes of rendered firings up to which their events are whole, and up to
#: which there are any more.
WHOLE, MOST = 2 << 20, 8 << 20

#: Buckets that a histogram has about at most.
BUCKETS = 200

_INTERVALS = (1, 10, 60, 300, 900, 3600, 10800, 43200, 86400, 604800)

_TYPE = b'"event_type":"'

# A match and what it needs: time, id, event, slots.
_Hit = tuple[str, str, Mapping, Sequence[str]]


class TooManyGroups(Exception):
    """More groups are under way at once than memory is meant for."""


class Rehearsal:
    """One rule and what it found so far.

    :ivar events: how many it was shown
    :ivar total: how many firings there were
    """

    def __init__(self, rule: Rule, since: float, until: float, *,
                 limit: int, max_groups: int, methods: Mapping[str, str],
                 hold: Callable[[Rule, Finding, float], str | None]) -> None:
        """
        :param since, until: seconds since the epoch
        :param limit: firings that are rendered
        :param methods: id → type of the notification methods that there are
        :param hold: says why a firing would only be recorded
        """
        self._rule = rule
        self._until = until
        self._limit = limit
        self._max_groups = max_groups
        self._methods = methods
        self._hold = hold
        self._key = rule.project_id.encode()
        self._index = Index({rule.project_id: [rule]})
        self._groups = Groups()
        self._instance = None if rule.is_ordered else rule.make()
        self._held: list[_Hit] = []
        self._interval = next(
            (one for one in _INTERVALS if (until - since) / one <= BUCKETS),
            _INTERVALS[-1])
        self._buckets: dict[int, dict[str, int]] = {}
        self._outcomes: dict[str, int] = {}
        self._holds: dict[str, int] = {}
        self._rendered: list[dict] = []
        self._bytes = 0
        self.events = self.total = 0

    def show(self, values: Sequence[bytes], is_last: bool) -> None:
        """Judge a page of events, in the order of their time.

        :param values: canonical bytes; of events that share a time the order
            does not matter
        :param is_last: whether another page follows
        :raises TooManyGroups: it needs too much memory
        """
        self.events += len(values)
        find, key = self._index.find, self._key
        hits = self._held
        for value in values:
            found = find(key, _type(value), value)
            if found is not None:
                event = found[0] or orjson.loads(value)
                hits.append((event["timestamp"], event["event_id"], event,
                             found[1][0][1]))
        hits.sort(key=lambda hit: hit[:2])
        self._held = []
        if hits and not is_last:
            # The next page may begin with more of the same moment.
            last = hits[-1][0]
            while hits and hits[-1][0] == last:
                self._held.append(hits.pop())
        for hit in hits:
            self._observe(hit)
        self._groups.settle()
        if len(self._groups.live) > self._max_groups:
            raise TooManyGroups

    def _observe(self, hit: _Hit) -> None:
        stamp, _, event, slots = hit
        rule = self._rule
        if self._instance is not None:
            for one in self._instance.observe(event, slots):
                self._record(rule.key(event, slots[0]), one)
            return
        if self._groups.next_deadline() is not None:
            # What happens at a deadline itself is in time.
            self._advance(math.nextafter(seconds(stamp), -math.inf))
        for group, one in self._groups.observe(
                event, grouping.requests(event, [(rule, slots)])):
            self._record(group.key, one)

    def _advance(self, now: float) -> None:
        groups = self._groups
        while (first := groups.next_deadline()) is not None and first <= now:
            for group, one in groups.tick(groups.due(now), lambda _: now):
                self._record(group.key, one)

    def end(self) -> None:
        """Let the deadlines pass up to the end of the time."""
        self._advance(self._until)

    def _record(self, key: Mapping, finding: Finding) -> None:
        self.total += 1
        outcome = finding.outcome
        held = self._hold(self._rule, finding, finding.at)
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
        if held is not None:
            self._holds[held] = self._holds.get(held, 0) + 1
        bucket = self._buckets.setdefault(
            math.floor(finding.at / self._interval), {})
        bucket[outcome] = bucket.get(outcome, 0) + 1
        if len(self._rendered) < self._limit and self._bytes < MOST:
            self._render(key, finding, held)

    def _render(self, key: Mapping, finding: Finding, held: str | None
                ) -> None:
        rule = self._rule
        if self._bytes > WHOLE and finding.event is not None:
            finding.event = {**finding.event, "payload": None, "marks": {
                **finding.event["marks"], "truncated": ["payload"]}}
        made = firings.content(
            rule, key, finding, project_id=rule.project_id,
            subject_project_id=rule.project_id, hold=held)
        wanted = (rule.settings.get("notify") or {}).get(finding.outcome, ())
        made["notifications"] = [
            {"method_id": one, "action": self._methods[one]}
            for one in wanted if one in self._methods]
        self._bytes += len(orjson.dumps(made))
        self._rendered.append(made)

    def counts(self) -> dict:
        """Return the numbers, which are small."""
        return {"firings_total": self.total, "by_outcome": self._outcomes,
                "held": self._holds}

    def result(self) -> dict:
        """Return everything that the API shows of a back-test."""
        rendered = sorted(self._rendered, key=lambda one: one["at"])
        return {**self.counts(), "firings": rendered, "histogram": {
            "interval": self._interval, "buckets": [
                {"start": firings.format_seconds(number * self._interval),
                 "count": sum(outcomes.values()), "outcomes": outcomes}
                for number, outcomes in sorted(self._buckets.items())]},
            "truncated": self.total > len(rendered)}


def _type(value: bytes) -> bytes:
    """Return an event's type, as the bus has it in a header."""
    at = value.find(_TYPE) + len(_TYPE)
    raw = value[at:value.find(b'"', at)]
    if b"\\" in raw:
        return orjson.loads(value)["event_type"].encode()
    return raw


def exact_types(rule: Rule) -> tuple[str, ...] | None:
    """Return the event types that a rule can want, None for any."""
    found: set[str] = set()
    for pattern in rule.patterns.values():
        leaf = pattern.root.children.get("event_type")
        if leaf is None or not leaf.is_exact or leaf.numbers:
            return None
        found |= leaf.strings
    return tuple(sorted(found))
