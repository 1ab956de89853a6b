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

"""The bucket: what may want events of one type of one tenant.

Its rules are anchored on the rarest of their exact clauses. Where an anchor
stands near the front of the canonical bytes it is read from there, and where
the type alone says all nothing is read: an event that no rule can want is
never decoded. A bucket is built whole by the index and never edited.
"""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
import functools
import itertools
from typing import NamedTuple

import orjson

from monasca_events_common import event as events
from monasca_events_common import metrics
from monasca_events_common.rules.paths import leaves
from monasca_events_common.rules.leaf import Budget
from monasca_events_common.rules.leaf import Exhausted
from monasca_events_common.rules.leaf import Leaf
from monasca_events_common.rules.pattern import Group
from monasca_events_common.rules.pattern import Pattern
from monasca_events_common.rules.trigger import Rule

# What separates the parts of canonical bytes. Strings cannot hold these, for
# their quotes are escaped, and traits and dimensions are flat; so between two
# of them a key's first occurrence is the field itself.
_TRAITS = b',"traits":{'
_DIMENSIONS = b',"dimensions":{'
_PAYLOAD = b',"payload":'

#: Parts of an event, in their order; what an anchor is read from.
HEAD, TRAITS, DIMENSIONS = range(3)

_PARTS = {(): HEAD, ("traits",): TRAITS, ("dimensions",): DIMENSIONS}

#: Field → bytes that stand at least before it; none has fewer than two.
EARLIEST = dict(zip(events.FIELDS, itertools.accumulate(
    (len(f',"{name}":""') for name in events.FIELDS), initial=0),
    strict=False))

_BACKSLASH = 0x5c


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One pattern of one rule, in a bucket.

    :ivar holds: what is left to be asked when the anchor's value was met;
        None where the anchor says all
    :ivar hits: what is found where only this entry is
    """

    rule: Rule
    slot: str
    pattern: Pattern
    holds: Callable | None
    hits: tuple


#: What an event meets: its decoded form, or None where it was not needed, and
#: for each rule that wants it the slots whose patterns it matches.
Hits = tuple[Mapping | None, Sequence[tuple[Rule, Sequence[str]]]]



class Only(NamedTuple):
    """The usual bucket: one value, read from the bytes, says who may want
    an event.

    With many tenants each object is a miss of the processor's cache, so that
    it is as few as can be, and the index unpacks them.

    :ivar token: the key that stands before the value
    :ivar start: where it can stand at the earliest
    :ivar fence: what it must not stand behind, to be the one that is meant
    :ivar table: raw value → hits, or the entries that ask for more
    :ivar bucket: answers where this cannot
    """

    token: bytes
    start: int
    fence: bytes
    table: Mapping[bytes, "Hits | list[Entry]"]
    bucket: "Bucket"


#: One condition of which every match fulfils at least one.
_Cover = list[tuple[tuple[str, ...], tuple]]


class Anchor:
    """Entries by the value at one path."""

    __slots__ = ("segments", "part", "token", "table")

    def __init__(self, segments: tuple[str, ...]) -> None:
        self.segments = segments
        self.part = self.token = None
        self.table: dict = {}

    @staticmethod
    def is_shallow(segments: tuple[str, ...], values: Iterable) -> bool:
        """Return whether strings at a path can be read from the bytes."""
        return segments[:-1] in _PARTS and all(
            type(one) is str for one in values)

    @property
    def is_unambiguous(self) -> bool:
        """Return whether the first key of that name in the bytes is the
        field, or the field is not there."""
        if self.part == HEAD:
            return self.segments[0] in events.FIELDS
        return self.part == TRAITS and self.segments[-1] not in events.FIELDS

    def read_from_bytes(self) -> bool:
        """Look into the bytes from now on, where that is possible."""
        if not self.is_shallow(self.segments, self.table):
            return False
        self.part = _PARTS[self.segments[:-1]]
        self.token = _token(self.segments[-1])
        self.table = {_raw(value): entries
                      for value, entries in self.table.items()}
        return True


# Tenants ask for the same hosts and states: one object for all of them stays
# in the processor's cache.

@functools.lru_cache(maxsize=10_000)
def _raw(value: str) -> bytes:
    """Return a string as it stands between quotes in the bytes."""
    return orjson.dumps(value)[1:-1]


@functools.lru_cache(maxsize=1000)
def _token(name: str) -> bytes:
    """Return a key as it stands before a string in the bytes."""
    return orjson.dumps(name) + b':"'


class Bucket:
    """The entries that may want events of one type of one tenant.

    Each of them still asks for something beside the type.

    :ivar only: what answers nearly always, where there is such a thing
    """

    __slots__ = ("only", "_shallow", "_last", "_deep", "_rest")

    def __init__(self, wanted: Sequence[tuple[Rule, str, Pattern]]) -> None:
        anchors: dict[tuple[str, ...], Anchor] = {}
        rest = []
        for one, cover in _choose(wanted):
            entry = _entry(one, cover)
            if cover is None:
                rest.append(entry)
                continue
            for segments, values in cover:
                anchor = anchors.setdefault(segments, Anchor(segments))
                for value in values:
                    anchor.table.setdefault(value, []).append(entry)
        self._rest = tuple(rest)
        shallow, self._deep = [], []
        for anchor in anchors.values():
            (shallow if anchor.read_from_bytes()
             else self._deep).append(anchor)
        self._shallow = tuple(shallow)
        self._last = max((one.part for one in shallow), default=HEAD)
        self.only = None
        if len(shallow) == 1 and not self._deep and not self._rest \
                and shallow[0].is_unambiguous:
            anchor, = shallow
            is_head = anchor.part == HEAD
            self.only = Only(
                anchor.token,
                EARLIEST[anchor.segments[0]],
                _TRAITS if is_head else _DIMENSIONS, {
                    raw: entries[0].hits
                    if len(entries) == 1 and entries[0].holds is None
                    else entries for raw, entries in anchor.table.items()},
                self)

    def find(self, value: bytes) -> Hits | None:
        """Return what the event's bytes meet, None for nothing.

        :raises ValueError: they are not JSON
        """
        found = self._peek(value) if self._shallow else ()
        if not found and not self._deep and not self._rest:
            return None
        event = orjson.loads(value)
        for anchor in self._deep:
            for one in leaves(event, anchor.segments):
                entries = anchor.table.get(one)
                if entries:
                    found = [*found, *entries]
        return _verify(event, [*found, *self._rest])

    def _peek(self, value: bytes) -> Sequence[Entry]:
        """Return candidates by what can be read without decoding."""
        found: Sequence[Entry] = ()
        traits = value.find(_TRAITS)
        bounds = [0, traits, traits, traits]
        if self._last:
            bounds[2] = bounds[3] = value.find(_DIMENSIONS, traits)
            if self._last == DIMENSIONS:
                bounds[3] = value.find(_PAYLOAD, bounds[2])
        for anchor in self._shallow:
            part = anchor.part
            at = value.find(anchor.token, bounds[part], bounds[part + 1])
            if at < 0:
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


class Answered:
    """What wants every event of a type, with what may want some of them."""

    __slots__ = ("_bucket", "_hits")

    def __init__(self, pairs: Sequence[tuple[Rule, Sequence[str]]],
                 bucket: Bucket | None) -> None:
        self._hits: Hits = (None, tuple(pairs))
        self._bucket = bucket

    def find(self, value: bytes) -> Hits:
        """Return what the event's bytes meet, as Bucket does."""
        found = self._bucket.find(value) if self._bucket else None
        return self._hits if found is None else (
            found[0], (*found[1], *self._hits[1]))


def bucket_of(wanted: Sequence[tuple[Rule, str, Pattern]]
               ) -> Bucket | Answered | None:
    """Return the bucket of entries whose patterns accept one type."""
    if not wanted:
        return None
    asking = {rule for rule, _, pattern in wanted
              if not pattern.asks_type_only}
    answered: dict[Rule, list[str]] = {}
    for rule, slot, _ in wanted:
        # All that a rule has here is found together, or its slots would not
        # be.
        if rule not in asking:
            answered.setdefault(rule, []).append(slot)
    if not answered:
        return Bucket(wanted)
    rest = [one for one in wanted if one[0] in asking]
    return Answered([(rule, tuple(slots)) for rule, slots in
                     answered.items()], Bucket(rest) if rest else None)


def _entry(wanted: tuple[Rule, str, Pattern], cover: _Cover | None) -> Entry:
    rule, slot, pattern = wanted
    holds: Callable | None = pattern.root.holds
    # Met by its type and by a value that was read exactly, a pattern that
    # asks for nothing else has been answered.
    leaf = pattern.root.children.get("event_type")
    is_typed = leaf is None or isinstance(leaf, Leaf)
    if cover is not None and is_typed and len(cover) == 1 \
            and Anchor.is_shallow(*cover[0]) \
            and not pattern.root.asks_beyond(("event_type",), cover[0][0]):
        holds = None
    return Entry(rule, slot, pattern, holds, (None, ((rule, (slot,)),)))


def _verify(event: Mapping, candidates: Sequence[Entry]) -> Hits | None:
    """Return the candidates that really match, by rule."""
    budget = Budget()
    slots: dict[Rule, list[str]] = {}
    for entry in dict.fromkeys(candidates):
        if _holds(entry, event, budget):
            slots.setdefault(entry.rule, []).append(entry.slot)
    return (event, tuple(slots.items())) if slots else None


def _holds(entry: Entry, event: Mapping, budget: Budget) -> bool:
    if entry.holds is None:
        return True
    try:
        return entry.holds(event, budget)
    except Exhausted:
        metrics.LIMITED.labels("pattern_elements").inc()
        budget.renew()
        return False


def _choose(wanted: Sequence[tuple[Rule, str, Pattern]]
            ) -> list[tuple[tuple[Rule, str, Pattern], _Cover | None]]:
    """Return by which clauses each pattern is anchored: the rarest ones."""
    crowd: collections.Counter = collections.Counter()
    options = []
    for one in wanted:
        found = _covers(one[2].root)
        options.append((one, found))
        for cover in found:
            crowd.update((segments, value) for segments, values in cover
                         for value in values)

    def weight(cover: _Cover) -> tuple[int, int]:
        """How many patterns an event meets at worst, then how many values."""
        each = [crowd[segments, value] for segments, values in cover
                for value in values]
        # What can be read from the bytes is worth a little more.
        is_deep = not all(Anchor.is_shallow(*one) for one in cover)
        return max(each) + is_deep, len(each)
    return [(one, min(found, key=weight) if found else None)
            for one, found in options]


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
