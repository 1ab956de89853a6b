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

"""The Elasticsearch store's histogram: counting by time and by a field.

Pure. With groups it is asked for in two ways. To ask for the groups first and
for the hours of each takes Elasticsearch two thirds of the time, but holds
only where there are no more groups than are shown; else each bucket has to
choose its own.
"""

from collections.abc import Iterable, Mapping, Sequence
import operator

from monasca_events_common.store import Aggregation
from monasca_events_common.store import Bucket
from monasca_events_common.store import conditions
from monasca_events_common.store.conditions import FIELD
from monasca_events_common.store.conditions import TRAIT
from monasca_events_common.store.elasticsearch_query import group
from monasca_events_common.store import periods


def by_time(by: str | None, interval: int | None) -> dict:
    """Return the aggregations of a histogram; raise Rejected.

    Groups are in ``groups``, at the top or within each of ``buckets``.
    """
    inner = _groups(by)
    return inner if interval is None else {
        "buckets": {**_buckets(interval), **({"aggs": inner} if by else {})}}


def by_group(by: str, interval: int) -> dict:
    """Return the aggregations with buckets within groups; raise Rejected."""
    buckets = _buckets(interval)
    groups = _groups(by)["groups"]
    return {"buckets": buckets,
            "groups": {**groups, "aggs": {"buckets": buckets}}}


def of_time(found: Mapping, by: str | None) -> Aggregation:
    """Return what an answer to :func:`by_time` says."""
    if "buckets" in found:
        buckets = found["buckets"]["buckets"]
    else:
        buckets = [found] if found.get("doc_count") else []
    return Aggregation(
        tuple(Bucket(_start(one), one["doc_count"], {} if by is None else
                     _named(by, _ranked(one["groups"]["buckets"])))
              for one in buckets),
        any(one["groups"]["sum_other_doc_count"] > 0
            for one in buckets if by is not None))


def of_group(found: Mapping, by: str) -> Aggregation | None:
    """Return what an answer to :func:`by_group` says; None if not enough."""
    if not found:
        # There is no index.
        return Aggregation((), False)
    if found["groups"]["sum_other_doc_count"]:
        return None
    cells: dict[int, list[tuple[str, int]]] = {
        one["key"]: [] for one in found["buckets"]["buckets"]}
    # In the order of names, so that those of a bucket are in it as well.
    for group_ in sorted(found["groups"]["buckets"],
                         key=operator.itemgetter("key")):
        for one in group_["buckets"]["buckets"]:
            cells[one["key"]].append((group_["key"], one["doc_count"]))
    for ranked in cells.values():
        ranked.sort(key=operator.itemgetter(1), reverse=True)
    return Aggregation(
        tuple(Bucket(_start(one), one["doc_count"],
                     _named(by, cells[one["key"]]))
              for one in found["buckets"]["buckets"]), False)


def _groups(by: str | None) -> dict:
    target = conditions.grouping(by)
    return {} if target is None else {"groups": {"terms": {
        **group(*target), "size": conditions.MAX_GROUPS,
        "order": [{"_count": "desc"}, {"_key": "asc"}]}}}


def _buckets(interval: int) -> dict:
    conditions.microseconds(interval)
    return {"date_histogram": {
        "field": "timestamp", "fixed_interval": f"{interval:d}s",
        # As short as can be: there are thousands of them.
        "format": "epoch_second", "min_doc_count": 1}}


def _start(bucket: Mapping) -> str | None:
    return periods.timestamp(bucket["key"] * 1000) if "key" in bucket \
        else None


def _ranked(buckets: Iterable[Mapping]) -> list[tuple[str, int]]:
    return [(one["key"], one["doc_count"]) for one in buckets]


def _named(by: str, ranked: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return groups by what people read, largest first."""
    kind, name = conditions.grouping(by)
    if kind == FIELD:
        return dict(ranked)
    named = [(key[len(name) + 1:], events) for key, events in ranked]
    return conditions.named(named) if kind == TRAIT else dict(named)
