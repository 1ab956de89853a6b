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

"""Spans: how long what begins takes to end.

The lifecycles of the table are paired as the trigger ``missing_end`` pairs
them. What the table does not know but is called ``….start`` and ``….end`` is
paired too, by its resource or by its request, whichever finds more pairs.
"""

from collections.abc import Iterator, Mapping, Sequence

from monasca_events_common.rules.definition import MAX_SECONDS
from monasca_events_common.rules.lifecycles import Lifecycle
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_common.rules.paths import Path
from monasca_events_engine.learning.samples import Durations
from monasca_events_engine.lifecycles import unless

#: Operations besides the table's of which note is taken.
MAX_UNKNOWN = 1000

#: Starts of one operation that may wait for their ends at once.
MAX_OPEN = 200_000

_START, _END, _UNLESS = "start", "end", "unless"

_EDGES = {"start": _START, "end": _END, "error": _UNLESS}


class Span:
    """One operation, from its start to its end.

    :ivar lifecycle: which one
    :ivar durations: of those that ended well, by the start's flavour
    :ivar unended: how many have neither ended nor failed
    :ivar lost: of these, how many were forgotten because there were too many
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.lifecycle = lifecycle
        self.durations = Durations()
        self.unended = self.lost = 0
        self._paths = [Path(one) for one in lifecycle.group_by]
        #: Key → (when, flavour), in the order of beginning.
        self._open: dict[tuple, tuple[float, str | None]] = {}

    def observe(self, event: Mapping, at: float, flavor: str | None,
                edge: str) -> None:
        """Take note of an event.

        :param at: its time, seconds since the epoch
        """
        key = (event["project_id"],
               *(one.first(event) for one in self._paths))
        if None in key:
            return
        begun = self._open.get(key)
        if edge == _START:
            # As for the trigger, the first start led nowhere.
            self._open.pop(key, None)
            self._open[key] = at, flavor
            self.unended += begun is not None
            self._forget(at - MAX_SECONDS)
        elif begun is not None and at >= begun[0]:
            del self._open[key]
            if edge == _END:
                self.durations.add(begun[1], round(at - begun[0], 6))

    def _forget(self, before: float) -> None:
        """Give up what began too long ago, and the first of too many."""
        while self._open:
            key = next(iter(self._open))
            is_old = self._open[key][0] < before
            if not is_old and len(self._open) <= MAX_OPEN:
                return
            del self._open[key]
            self.unended += 1
            self.lost += not is_old

    def finish(self) -> None:
        """No more events of these projects come."""
        self.unended += len(self._open)
        self._open.clear()


class Spans:
    """All operations."""

    def __init__(self) -> None:
        #: Event type → (span, edge) of whatever it is part of.
        self._edges: dict[str, list[tuple[Span, str]]] = {}
        self._known = [Span(one) for one in LIFECYCLES.values()]
        self._known_starts = {name for one in LIFECYCLES.values()
                              for name in one.start}
        #: Prefix → the same operation, by resource and by request.
        self._unknown: dict[str, Sequence[Span]] = {}
        for one in self._known:
            self._watch(one)

    def _watch(self, span: Span) -> None:
        one = span.lifecycle
        for edge, names in ((_UNLESS, unless(one)), (_END, one.end),
                            (_START, one.start)):
            for name in names:
                self._edges.setdefault(name, []).append((span, edge))

    def observe(self, event: Mapping, at: float, flavor: str | None) -> None:
        """Take note of an event, in the order of time within a project.

        :param at: its time, seconds since the epoch
        """
        found = self._edges.get(event["event_type"])
        if found is None:
            found = self._discover(event["event_type"])
        for span, edge in found:
            span.observe(event, at, flavor, edge)

    def _discover(self, event_type: str) -> Sequence[tuple[Span, str]]:
        prefix, _, edge = event_type.rpartition(".")
        if edge not in _EDGES or not prefix \
                or len(self._unknown) >= MAX_UNKNOWN \
                or f"{prefix}.start" in self._known_starts:
            return ()
        spans = self._unknown[prefix] = [Span(Lifecycle(
            prefix, f"{prefix} has begun and did not end.",
            [f"{prefix}.start"], [f"{prefix}.end"], [f"{prefix}.error"],
            group_by=(path,))) for path in ("resource_id", "request_id")]
        for one in spans:
            self._watch(one)
        return self._edges[event_type]

    def finish(self) -> None:
        """No more events of these projects come."""
        for one in (*self._known, *(
                one for pair in self._unknown.values() for one in pair)):
            one.finish()

    def found(self) -> Iterator[Span]:
        """Yield the operations that began at all, the table's first."""
        for one in (*self._known, *(
                max(pair, key=lambda span: span.durations.total.count)
                for pair in self._unknown.values())):
            if one.durations.total.count or one.unended:
                yield one

    def limits(self) -> Iterator[str]:
        """Yield a sentence for each limit that was reached."""
        if len(self._unknown) >= MAX_UNKNOWN:
            yield (f"no more than {MAX_UNKNOWN} operations besides the "
                   "table's were looked at")
        for one in self.found():
            if one.lost:
                yield (f"{one.lifecycle.name}: more than {MAX_OPEN} were open "
                       f"at once, {one.lost} of them were given up")
            for sentence in one.durations.limits():
                yield f"{one.lifecycle.name}: {sentence}"
