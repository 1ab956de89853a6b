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

"""Measures: what metric actions find, on its way to where metrics are kept.

Running totals for Prometheus change in the transaction of the state, so that
they are exact over a crash; each member serves those of its own partitions.
For services that are pushed to, a measure becomes a row for each of them;
what is only counted becomes one for all that a batch counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
import hashlib
import time

import orjson

from monasca_events_common import metrics

#: Kinds of measures: a number of times, a value as it is, values whose
#: distribution matters.
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

#: The value of every label of a series that is one too many.
OTHER = "other"

#: Upper bounds of a histogram's buckets, in seconds: what clouds take for
#: what they do, from a port to the migration of a large server.
BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
           1800.0, 3600.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Measure:
    """One value that a metric action found.

    :ivar name: such as ``vm.create.duration``
    :ivar kind: COUNTER, GAUGE or HISTOGRAM
    :ivar value: seconds for a duration, 1 for one more
    :ivar at: seconds since the epoch, event time
    :ivar labels: few values each, for they make time series: flavour, host
    :ivar project_id, resource_id: whose and of what, for services that keep
        metrics by resource; a counter is of a project only
    :ivar event_ids: what it was made of; makes a repeat the same measure
    """

    name: str
    kind: str
    value: float
    at: float
    labels: Mapping[str, str]
    project_id: str
    resource_id: str | None = None
    event_ids: Sequence[str] = ()


class Total:
    """A running total of one name, its labels and one partition."""

    __slots__ = ("id", "partition", "name", "kind", "labels", "value",
                 "count", "buckets")

    def __init__(self, partition: int, name: str, kind: str,
                 labels: Mapping[str, str]) -> None:
        self.partition = partition
        self.name = name
        self.kind = kind
        self.labels = dict(sorted(labels.items()))
        self.id = _digest([partition, name, self.labels])
        self.value = 0.0
        self.count = 0
        self.buckets = [0] * len(BUCKETS)

    def add(self, value: float) -> None:
        """Take one more value in."""
        self.count += 1
        self.value = value if self.kind == GAUGE else self.value + value
        if self.kind == HISTOGRAM:
            for place, bound in enumerate(BUCKETS):
                if value <= bound:
                    self.buckets[place] += 1

    def snapshot(self) -> tuple[int, float, list[int]]:
        """Return count, value and buckets, for another thread.

        The buckets never hold more than the count, as they are read first.
        """
        buckets = list(self.buckets)
        return self.count, self.value, buckets

    def row(self) -> dict:
        return {"id": self.id, "partition": self.partition,
                "name": self.name,
                "labels": orjson.dumps(self.labels).decode(),
                "content": orjson.dumps([self.kind, self.count, self.value,
                                         self.buckets]).decode()}

    @classmethod
    def from_row(cls, row: Mapping) -> "Total":
        kind, count, value, buckets = orjson.loads(row["content"])
        made = cls(row["partition"], row["name"], kind,
                   orjson.loads(row["labels"]))
        made.count, made.value, made.buckets = count, value, buckets
        return made


class Measures:
    """Adds up and hands on. Used under the engine's lock."""

    def __init__(self, sinks: Callable[[], Sequence[str]] = tuple,
                 most: Callable[[], int] = lambda: 10_000,
                 clock: Callable[[], float] = time.time) -> None:
        """:param sinks: returns the names of the services that are pushed to
            now
        :param most: returns how many series there may be; of more, labels are
            given up
        :param clock: seconds since the epoch
        """
        self._sinks = sinks
        self._most = most
        self._clock = clock
        self._totals: dict[bytes, Total] = {}
        #: The same by what names them, without a digest.
        self._known: dict[tuple, Total] = {}
        self._changed: set[Total] = set()
        #: Counters of this turn: what names them → the last one and the sum.
        self._counted: dict[tuple, list] = {}

    def load(self, partitions: Sequence[int], rows: Iterable[Mapping]
             ) -> None:
        """Go on from the database, for partitions that are ours now."""
        self.drop(partitions)
        for row in rows:
            total = Total.from_row(row)
            self._totals[total.id] = total

    def drop(self, partitions: Iterable[int]) -> None:
        """Leave partitions to another member."""
        gone = set(partitions)
        self._totals = {key: one for key, one in self._totals.items()
                        if one.partition not in gone}
        self._known.clear()
        self._changed = {one for one in self._changed
                         if one.partition not in gone}
        self._counted = {key: one for key, one in self._counted.items()
                         if key[0][0] not in gone}

    def take(self, measure: Measure, partition: int, work) -> None:
        """Add a measure, and a row of it for each sink."""
        labels = measure.labels
        key = (partition, measure.name, *labels.items())
        total = self._known.get(key)
        if total is None:
            total = self._known[key] = self._total(measure, partition)
        total.add(measure.value)
        self._changed.add(total)
        if not self._sinks():
            return
        if measure.kind == COUNTER:
            counted = self._counted.setdefault(
                (key, measure.project_id), [measure, 0.0])
            counted[0] = measure
            counted[1] += measure.value
        else:
            self._hand_on(measure, partition, work)

    def _total(self, measure: Measure, partition: int) -> Total:
        total = Total(partition, measure.name, measure.kind, measure.labels)
        if total.id not in self._totals \
                and len(self._totals) >= self._most():
            metrics.LIMITED.labels("metric_series").inc()
            total = Total(partition, measure.name, measure.kind,
                          dict.fromkeys(measure.labels, OTHER))
        return self._totals.setdefault(total.id, total)

    def _hand_on(self, measure: Measure, partition: int, work) -> None:
        content = orjson.dumps(dataclasses.asdict(measure)).decode()
        work.measures.extend(
            row(_digest([sink, content]), sink, content, self._clock(),
                partition) for sink in self._sinks())

    def settle(self, work) -> None:
        """Let the totals that changed go into the transaction."""
        work.totals.extend(one.row() for one in self._changed)
        self._changed.clear()
        for (key, _), (last, value) in self._counted.items():
            # The last event's id makes it another measure than the next
            # turn's.
            self._hand_on(dataclasses.replace(last, value=value), key[0],
                          work)
        self._counted.clear()

    def totals(self) -> list[Total]:
        """Return all of this member's, for the daemon's metrics page."""
        return list(self._totals.values())


def row(identity: bytes, sink: str, content: str, now: float,
        partition: int = 0) -> dict:
    """Return the row of a measure on its way to one service.

    :param identity: 16 bytes; the same for the same measure
    """
    return {"id": identity, "sink": sink, "partition": partition,
            "content": content, "attempts": 0, "next_at": 0.0,
            "lease_owner": None, "lease_until": 0.0, "last_error": None,
            "created_at": now}


def _digest(content) -> bytes:
    return hashlib.blake2b(
        orjson.dumps(content, option=orjson.OPT_SORT_KEYS),
        digest_size=16).digest()
