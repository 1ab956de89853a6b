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

"""The index: which rules may want an event, without looking at each rule.

Each tenant has an index of its own. Its rules are sorted by the event types
that they accept, and within a type each is anchored on the rarest of its exact
clauses, so that an event meets only the rules that share a value with it.
Where an anchor stands near the front of the canonical bytes it is read from
there: an event that no rule can want is never decoded. An index is built
whole and never edited; a changed tenant gets a new one. The idea of anchoring
a rule on one of its clauses is that of the "counting" and "clustering"
algorithms of content-based publish/subscribe (Fabret et al., "Filtering
Algorithms and Implementation for Very Fast Publish/Subscribe Systems", 2001).
"""

import collections
from collections.abc import Iterable, Mapping, Sequence
import dataclasses

import orjson

from monasca_events_common import metrics
from monasca_events_common.rules.paths import leaves
from monasca_events_common.rules.pattern import Budget
from monasca_events_common.rules.pattern import Exhausted
from monasca_events_common.rules.pattern import Group
from monasca_events_common.rules.pattern import Leaf
from monasca_events_common.rules.pattern import Pattern
from monasca_events_common.rules.trigger import Rule

#: Event types that a tenant's index remembers. Senders choose the types, so
#: it is bounded; when it is full it is emptied.
MEMO = 4096

# Clauses on these are read from the bytes: strings before the payload, whose
# first occurrence is the field itself. (segments but the last) → what comes
# before them in canonical bytes.
_SECTIONS = {(): b"{", ("traits",): b',"traits":{',
             ("dimensions",): b',"dimensions":{'}

_BACKSLASH = 0x5c


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One pattern of one rule."""

    rule: Rule
    slot: str
    pattern: Pattern


#: What an event meets: its decoded form and, for each rule that wants it, the
#: slots whose patterns it matches.
Hits = tuple[Mapping, Sequence[tuple[Rule, Sequence[str]]]]

#: One condition of which every match fulfils at least one.
_Cover = list[tuple[tuple[str, ...], tuple]]


class Anchor:
    """Entries by the value at one path."""

    __slots__ = ("segments", "section", "token", "table")

    def __init__(self, segments: tuple[str, ...]) -> None:
        self.segments = segments
        self.section = self.token = None
        self.table: dict = {}

    def read_from_bytes(self) -> bool:
        """Look into the bytes from now on, where that is possible."""
        section = _SECTIONS.get(self.segments[:-1])
        if section is None or not all(type(one) is str for one in self.table):
            return False
        self.section = section
        self.token = orjson.dumps(self.segments[-1]) + b':"'
        self.table = {orjson.dumps(value)[1:-1]: entries
                      for value, entries in self.table.items()}
        return True


class Bucket:
    """The entries that may want events of one type of one tenant."""

    __slots__ = ("_shallow", "_deep", "_rest")

    def __init__(self, entries: Sequence[Entry]) -> None:
        anchors: dict[tuple[str, ...], Anchor] = {}
        rest = []
        chosen = _choose(entries)
        for entry in entries:
            cover = chosen.get(id(entry))
            if cover is None:
                rest.append(entry)
                continue
            for segments, values in cover:
                anchor = anchors.setdefault(segments, Anchor(segments))
                for value in values:
                    anchor.table.setdefault(value, []).append(entry)
        self._rest = tuple(rest)
        self._shallow, self._deep = [], []
        for anchor in anchors.values():
            (self._shallow if anchor.read_from_bytes()
             else self._deep).append(anchor)

    def find(self, value: bytes) -> Hits | None:
        """Return what the event's bytes meet, None for nothing.

        :raises ValueError: they are not JSON
        """
        found = self._peek(value)
        if not found and not self._deep and not self._rest:
            return None
        event = orjson.loads(value)
        for anchor in self._deep:
            for one in leaves(event, anchor.segments):
                entries = anchor.table.get(one)
                if entries:
                    found = [*found, *entries]
        if self._rest:
            found = [*found, *self._rest]
        return _verify(event, found) if found else None

    def _peek(self, value: bytes) -> Sequence[Entry]:
        """Return candidates by what can be read without decoding."""
        found: Sequence[Entry] = ()
        for anchor in self._shallow:
            section = value.find(anchor.section)
            at = value.find(anchor.token, section)
            if at < 0 or section < 0:
                continue
            at += len(anchor.token)
            raw = value[at:value.find(b'"', at)]
            if raw and raw[-1] == _BACKSLASH:
                # The quote was an escaped one; rare, so decode.
                whole = next(leaves(orjson.loads(value), anchor.segments), "")
                raw = orjson.dumps(whole)[1:-1]
            entries = anchor.table.get(raw)
            if entries:
                found = [*found, *entries] if found else entries
        return found


def _verify(event: Mapping, candidates: Sequence[Entry]) -> Hits | None:
    """Return the candidates that really match, by rule."""
    budget = Budget()
    if len(candidates) == 1:
        entry, = candidates
        if _holds(entry, event, budget):
            return event, ((entry.rule, (entry.slot,)),)
        return None
    slots: dict[Rule, list[str]] = {}
    for entry in dict.fromkeys(candidates):
        if _holds(entry, event, budget):
            slots.setdefault(entry.rule, []).append(entry.slot)
    return (event, tuple(slots.items())) if slots else None


def _holds(entry: Entry, event: Mapping, budget: Budget) -> bool:
    try:
        return entry.pattern.root.holds(event, budget)
    except Exhausted:
        metrics.LIMITED.labels("pattern_elements").inc()
        budget.renew()
        return False


class TenantIndex:
    """The rules that one tenant's events may meet."""

    __slots__ = ("rules", "_exact", "_loose", "_memo")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._exact: dict[str, list[Entry]] = {}
        self._loose: list[Entry] = []
        self._memo: dict[bytes, Bucket | None] = {}
        for rule in rules:
            for slot, pattern in rule.patterns.items():
                entry = Entry(rule, slot, pattern)
                leaf = pattern.root.children.get("event_type")
                if isinstance(leaf, Leaf) and leaf.is_exact:
                    for name in leaf.strings:
                        self._exact.setdefault(name, []).append(entry)
                else:
                    self._loose.append(entry)

    def bucket(self, event_type: bytes) -> Bucket | None:
        """Return what may want events of this type, None for nothing."""
        try:
            return self._memo[event_type]
        except KeyError:
            pass
        name = event_type.decode(errors="replace")
        entries = [one for one in (*self._exact.get(name, ()), *self._loose)
                   if one.pattern.accepts_type(name)]
        if len(self._memo) >= MEMO:
            self._memo.clear()
        found = self._memo[event_type] = Bucket(entries) if entries else None
        return found


class Index:
    """The rules of all tenants, and those that watch every tenant."""

    def __init__(self, rules: Mapping[str, Sequence[Rule]],
                 shared: Sequence[Rule] = (),
                 previous: "Index | None" = None) -> None:
        """:param rules: project id → its rules
        :param shared: rules whose ``project_id`` is None
        :param previous: an index whose unchanged tenants are taken over
        """
        self.shared = tuple(shared)
        same = previous is not None and previous.shared == self.shared
        self._others = (previous._others if same
                        else TenantIndex(self.shared))
        self._tenants: dict[bytes, TenantIndex] = {}
        for project_id, own in rules.items():
            both = (*own, *self.shared)
            key = project_id.encode()
            known = previous._tenants.get(key) if previous else None
            self._tenants[key] = (known if known and known.rules == both
                                  else TenantIndex(both))

    def find(self, key: bytes, event_type: bytes, value: bytes
             ) -> Hits | None:
        """Return the rules that want an event, None where none does.

        :param key: the project id, as the bus record's key
        :param event_type: as in its header
        :param value: its canonical bytes
        :raises ValueError: it might be wanted, but is not JSON
        """
        bucket = self._tenants.get(key, self._others).bucket(event_type)
        return None if bucket is None else bucket.find(value)


def _choose(entries: Iterable[Entry]) -> dict[int, _Cover]:
    """Return by which clauses each entry is anchored: the rarest ones."""
    crowd: collections.Counter = collections.Counter()
    options: dict[int, list[_Cover]] = {}
    for entry in entries:
        found = options[id(entry)] = _covers(entry.pattern.root)
        for cover in found:
            crowd.update((segments, value) for segments, values in cover
                         for value in values)

    def weight(cover: _Cover) -> tuple[int, int]:
        """How many entries an event meets at worst, then how many values."""
        each = [crowd[segments, value] for segments, values in cover
                for value in values]
        # What can be read from the bytes is worth a little more.
        is_deep = any(segments[:-1] not in _SECTIONS for segments, _ in cover)
        return max(each) + is_deep, len(each)
    return {entry: min(found, key=weight)
            for entry, found in options.items() if found}


def _covers(group: Group) -> list[_Cover]:
    """Return the sets of exact clauses of which every match fulfils one."""
    found: list[_Cover] = []
    for one in group.children.values():
        if isinstance(one, Group):
            found.extend(_covers(one))
        elif one.is_exact and one.path != ("event_type",):
            found.append([(one.path, (*one.strings, *one.numbers))])
    for groups in group.alternatives:
        each = [_covers(one) for one in groups]
        if all(each):
            found.append([condition for covers in each
                          for condition in covers[0]])
    return found
