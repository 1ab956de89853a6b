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

"""What a window of time holds: enough of it to aggregate, and no more.

A sample is the value of one event. Up to MAX_SAMPLES are kept one by one;
beyond that the older ones are merged into slices of a thousandth of the
window, so that a busy group costs no more memory, and a sum over a sliding
window is then exact to that slice.
"""

from collections.abc import Sequence
import math

#: Samples that a window keeps one by one.
MAX_SAMPLES = 2000

#: Slices into which the samples beyond that are merged, a window long.
SLICES = 1000

#: Distinct values that a window counts; more are said to be more.
MAX_DISTINCT = 10000

COUNT, DISTINCT, SUM, MIN, MAX, AVERAGE = (
    "count", "distinct", "sum", "min", "max", "average")

#: The functions, as a definition writes them.
AGGREGATES = (COUNT, DISTINCT, SUM, MIN, MAX, AVERAGE)


class Window:
    """Samples of the last so many seconds.

    :ivar aggregate: one of AGGREGATES
    :ivar length: seconds
    :ivar is_limited: more distinct values came than are counted
    """

    __slots__ = ("aggregate", "length", "samples", "number", "last_seen",
                 "is_limited")

    def __init__(self, aggregate: str, length: float) -> None:
        self.aggregate = aggregate
        self.length = length
        self.is_limited = False
        #: [time, number, sum, least, largest], oldest first.
        self.samples: list[list] = []
        self.number = 0  # of events in all samples
        #: For ``distinct``: value → time of its latest event.
        self.last_seen: dict[str, float] = {}

    def add(self, at: float, value) -> bool:
        """Take an event in; return False where it has no value to take.

        :param value: of the field; anything for ``count``
        """
        if self.aggregate == DISTINCT:
            return self._add_distinct(at, value)
        if self.aggregate == COUNT:
            value = 1
        elif type(value) not in (int, float) or not math.isfinite(value):
            return False
        place = len(self.samples)
        while place and self.samples[place - 1][0] > at:
            place -= 1
        self.samples.insert(place, [at, 1, value, value, value])
        self.number += 1
        if len(self.samples) > MAX_SAMPLES:
            self._merge()
        return True

    def _add_distinct(self, at: float, value) -> bool:
        if value is None:
            return False
        # 1, "1" and true are different values.
        name = f"{type(value).__name__[0]}{value}"
        if name not in self.last_seen \
                and len(self.last_seen) >= MAX_DISTINCT:
            self.is_limited = True
            return True
        self.last_seen[name] = max(at, self.last_seen.get(name, at))
        return True

    def _merge(self) -> None:
        """Merge the older half into slices."""
        half = len(self.samples) // 2
        width = self.length / SLICES
        merged: list[list] = []
        for one in self.samples[:half]:
            if merged and one[0] // width == merged[-1][0] // width:
                last = merged[-1]
                merged[-1] = [one[0], last[1] + one[1], last[2] + one[2],
                              min(last[3], one[3]), max(last[4], one[4])]
            else:
                merged.append(one)
        self.samples[:half] = merged

    def expire(self, now: float) -> None:
        """Forget what is not within the window that ends at ``now``."""
        bound = now - self.length
        gone = 0
        for one in self.samples:
            if one[0] > bound:
                break
            gone += 1
            self.number -= one[1]
        if gone:
            del self.samples[:gone]
        if self.last_seen:
            self.last_seen = {name: at for name, at in self.last_seen.items()
                              if at > bound}
            self.is_limited = self.is_limited and bool(self.last_seen)

    def oldest(self) -> float | None:
        """Return the time of the oldest sample."""
        if self.samples:
            return self.samples[0][0]
        return min(self.last_seen.values(), default=None)

    def result(self) -> float | int | None:
        """Return the aggregate; None where it needs a sample and has none."""
        if self.aggregate == DISTINCT:
            return len(self.last_seen)
        if self.aggregate == COUNT:
            return self.number
        if self.aggregate == SUM:
            return _sum(self.samples)
        if not self.samples:
            return None
        if self.aggregate == MIN:
            return min(one[3] for one in self.samples)
        if self.aggregate == MAX:
            return max(one[4] for one in self.samples)
        return _sum(self.samples) / self.number

    def clear(self) -> None:
        """Begin anew."""
        self.samples, self.last_seen, self.is_limited = [], {}, False
        self.number = 0

    def dump(self) -> list:
        """Return JSON; a sample of one event is its time and its value."""
        return [[[one[0], one[2]] if one[1] == 1 else one
                 for one in self.samples], self.last_seen, self.is_limited]

    def load(self, state: Sequence) -> None:
        samples, last_seen, self.is_limited = state
        self.samples = [[one[0], 1, *[one[1]] * 3] if len(one) == 2
                        else list(one) for one in samples]
        self.number = sum(one[1] for one in self.samples)
        self.last_seen = dict(last_seen)


def _sum(samples: Sequence[Sequence]) -> float | int:
    values = [one[2] for one in samples]
    return sum(values) if all(type(one) is int for one in values) \
        else math.fsum(values)
