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

"""The kinds ``threshold`` and ``summary``: what a window of time adds up to.

``threshold`` compares one aggregate with a bound: over a sliding window at
each event and whenever one leaves the window, firing when it begins to hold
and recovering when it no longer does; over a tumbling one when the window
ends. ``summary`` tells several aggregates at the end of every tumbling window
that had an event. Tumbling windows begin at multiples of their length since
the epoch.
"""

from collections.abc import Mapping, Sequence

from monasca_events_common.rules.comparison import Comparison
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.firing import FIRED
from monasca_events_common.rules.firing import MAX_EVENT_IDS
from monasca_events_common.rules.firing import RECOVERED
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger
from monasca_events_common.rules.window import Window


class Sliding(Trigger):
    """One aggregate over the last so many seconds."""

    __slots__ = ("window", "field", "compare", "is_active", "ids", "deadline")

    def __init__(self, aggregate: str, length: float, field: Path | None,
                 compare: Comparison) -> None:
        """:param length: seconds of the window
        :param field: whose values are aggregated; None for ``count``
        """
        self.window = Window(aggregate, length)
        self.field = field
        self.compare = compare
        self.is_active = False
        self.ids: list[list] = []  # [time, event id], the newest ones
        self.deadline = None

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        at = seconds(event["timestamp"])
        found = list(self.tick(at))
        value = self.field.first(event) if self.field else None
        if self.window.add(at, value):
            self.ids.append([at, event["event_id"]])
            del self.ids[:-MAX_EVENT_IDS]
        self.window.expire(at)
        return found + self._judge(at, event)

    def tick(self, now: float) -> Sequence[Finding]:
        """Let the samples leave one by one, each at its own time."""
        found: list[Finding] = []
        while (oldest := self.window.oldest()) is not None \
                and oldest + self.window.length <= now:
            leaving = oldest + self.window.length
            self.window.expire(leaving)
            found += self._judge(leaving, None)
        self._wait()
        return found

    def _judge(self, at: float, event: Mapping | None) -> list[Finding]:
        self._wait()
        bound = at - self.window.length
        self.ids = [one for one in self.ids if one[0] > bound]
        value = self.window.result()
        holds = value is not None and self.compare.holds(value)
        if holds == self.is_active:
            return []
        self.is_active = holds
        return [Finding(
            FIRED if holds else RECOVERED, at,
            tuple(event_id for _, event_id in self.ids),
            f"{self.window.aggregate} over {self.window.length:g} s is "
            f"{_shown(value)}, which is {'' if holds else 'not '}"
            f"{self.compare}" + _more(self.window), value, event=event)]

    def _wait(self) -> None:
        oldest = self.window.oldest()
        self.deadline = None if oldest is None \
            else oldest + self.window.length

    def dump(self) -> object | None:
        if self.window.oldest() is None and not self.is_active:
            return None
        return [self.is_active, self.ids, self.window.dump()]

    def load(self, state: object) -> None:
        self.is_active, ids, window = state
        self.ids = [list(one) for one in ids]
        self.window.load(window)
        self._wait()

    def describe(self, now: float) -> str:
        return (f"{self.window.aggregate} is "
                f"{_shown(self.window.result())}, it fires at "
                f"{self.compare}"
                + (" and has fired" if self.is_active else ""))


class Tumbling(Trigger):
    """Aggregates over windows that follow one another."""

    __slots__ = ("length", "windows", "fields", "compare", "begun", "ids",
                 "count", "deadline")

    def __init__(self, length: float,
                 aggregates: Mapping[str, tuple[str, Path | None]],
                 compare: Comparison | None) -> None:
        """:param length: seconds of a window
        :param aggregates: name → (one of AGGREGATES, field or None)
        :param compare: of the first aggregate; None tells every window
        """
        self.length = length
        self.windows = {name: Window(aggregate, length)
                        for name, (aggregate, _) in aggregates.items()}
        self.fields = {name: field
                       for name, (_, field) in aggregates.items()}
        self.compare = compare
        self._begin(None)

    def _begin(self, at: float | None) -> None:
        self.begun = None if at is None else at // self.length * self.length
        self.deadline = None if at is None else self.begun + self.length
        self.ids: list[str] = []
        self.count = 0
        for one in self.windows.values():
            one.clear()

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        at = seconds(event["timestamp"])
        found = self.tick(at)
        if self.begun is None:
            self._begin(at)
        # One that is later than lateness allows counts in the window that
        # is open: it is not lost, and a closed window is not told twice.
        inside = max(at, self.begun)
        for name, window in self.windows.items():
            field = self.fields[name]
            window.add(inside, field.first(event) if field else None)
        self.count += 1
        self.ids.append(event["event_id"])
        del self.ids[:-MAX_EVENT_IDS]
        return found

    def tick(self, now: float) -> Sequence[Finding]:
        if self.deadline is None or self.deadline > now:
            return ()
        values = {name: one.result() for name, one in self.windows.items()}
        name, first = next(iter(values.items()))
        found: Sequence[Finding] = ()
        if self.compare is None or (first is not None
                                    and self.compare.holds(first)):
            wanted = f", which is {self.compare}" if self.compare else ""
            told = ", ".join(f"{one} {_shown(value)}"
                             for one, value in values.items())
            found = (Finding(
                FIRED, self.deadline, tuple(self.ids),
                f"{told} in {self.length:g} s{wanted}"
                + _more(self.windows[name]), first,
                None if self.compare else values, self.count),)
        self._begin(None)
        return found

    def dump(self) -> object | None:
        if self.begun is None:
            return None
        return [self.begun, self.count, self.ids,
                {name: one.dump() for name, one in self.windows.items()}]

    def load(self, state: object) -> None:
        begun, count, ids, windows = state
        self._begin(begun)
        self.begun, self.deadline = begun, begun + self.length
        self.count, self.ids = count, list(ids)
        for name, one in windows.items():
            self.windows[name].load(one)

    def describe(self, now: float) -> str:
        if self.begun is None:
            return "no window is open"
        told = ", ".join(f"{name} {_shown(one.result())}"
                         for name, one in self.windows.items())
        return (f"{told} so far, the window ends in "
                f"{max(0.0, self.deadline - now):.0f} s")


def _shown(value) -> str:
    return "nothing" if value is None else f"{value:g}"


def _more(window: Window) -> str:
    return " (more distinct values came than are counted)" \
        if window.is_limited else ""
