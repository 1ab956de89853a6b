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

"""What metric actions measured, on the daemon's page for Prometheus.

Each engine serves the totals of the partitions that it has now; the totals
are kept in the database, so that they go on where they were after a restart.
When a partition moves to another engine its totals move too: sum over all
engines, and a rate is right but for that moment.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import re

import prometheus_client
from prometheus_client import core
from prometheus_client import registry

from monasca_events_engine.measures import BUCKETS
from monasca_events_engine.measures import COUNTER
from monasca_events_engine.measures import HISTOGRAM
from monasca_events_engine.measures import Total

_PREFIX = "monasca_events_"

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_]+")

_KINDS = {COUNTER: "Number of {}, as metric actions counted them.",
          HISTOGRAM: "Distribution of {}, as metric actions measured it."}


class Exposition(registry.Collector):
    """Turns totals into metrics when Prometheus asks."""

    def __init__(self, totals: Callable[[], Sequence[Total]]) -> None:
        """:param totals: of this process; may be called from any thread"""
        self._totals = totals

    def register(self) -> None:
        """Serve them on the process's page."""
        prometheus_client.REGISTRY.register(self)

    def describe(self) -> Iterable:
        # Which there will be is not known before.
        return ()

    def collect(self) -> Iterator[core.Metric]:
        families: dict[str, list[Total]] = {}
        for one in self._totals():
            families.setdefault(metric_name(one), []).append(one)
        for name, found in sorted(families.items()):
            yield _family(name, found)


def metric_name(total: Total) -> str:
    """Return a metric's name, without what its kind appends.

    ``instance-create.duration`` becomes
    ``monasca_events_instance_create_duration_seconds``.
    """
    name = _PREFIX + _FORBIDDEN.sub("_", total.name).strip("_").lower()
    if name.endswith("_duration"):
        name += "_seconds"
    # A counter gets its _total from the library.
    return name.removesuffix("_total")


def _label(name: str) -> str:
    found = _FORBIDDEN.sub("_", name)
    return found if found[:1].isalpha() or found[:1] == "_" else f"_{found}"


def _family(name: str, found: Sequence[Total]) -> core.Metric:
    # A metric must have the same labels everywhere; an empty value is none.
    names = sorted({label for one in found for label in one.labels})
    merged: dict[tuple[str, ...], list] = {}
    for one in found:
        values = tuple(one.labels.get(label, "") for label in names)
        count, value, buckets = one.snapshot()
        sums = merged.setdefault(values, [0, 0.0, [0] * len(BUCKETS)])
        sums[0] += count
        sums[1] = value if one.kind not in _KINDS else sums[1] + value
        sums[2] = [sum(pair) for pair in zip(sums[2], buckets, strict=True)]
    kind = found[0].kind
    text = _KINDS.get(kind, "Value of {}, as metric actions found it last."
                      ).format(found[0].name)
    labels = [_label(one) for one in names]
    if kind == COUNTER:
        family = core.CounterMetricFamily(name, text, labels=labels)
        for values, (_, value, _) in merged.items():
            family.add_metric(values, value)
    elif kind == HISTOGRAM:
        family = core.HistogramMetricFamily(name, text, labels=labels)
        for values, (count, value, buckets) in merged.items():
            family.add_metric(values, [
                *((f"{bound:g}", number) for bound, number
                  in zip(BUCKETS, buckets, strict=True)),
                ("+Inf", count)], value)
    else:
        family = core.GaugeMetricFamily(name, text, labels=labels)
        for values, (_, value, _) in merged.items():
            family.add_metric(values, value)
    return family
