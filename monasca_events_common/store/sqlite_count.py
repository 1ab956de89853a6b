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

"""The SQLite store's histogram: counting rows by time and by a field."""

from collections.abc import Iterable, Mapping, Sequence
import collections
import itertools
import operator
import sqlite3

import orjson

from monasca_events_common.errors import Rejected
from monasca_events_common.store import Aggregation
from monasca_events_common.store import Bucket
from monasca_events_common.store import conditions
from monasca_events_common.store import periods
from monasca_events_common.store import sqlite_query
from monasca_events_common.store.sqlite_schema import SLOTS

# Rows that are taken at once.
_CHUNK = 50_000

#: bucket → value of the group → events
_Counted = dict[int | None, collections.Counter]


def count(connection: sqlite3.Connection, parts: Iterable[tuple],
          by: str | None, interval: int | None,
          spilled: bool) -> Aggregation:
    """Return the histogram over all parts of a plan.

    :param spilled: row ids may run ahead of time, so that the column decides
    """
    group, group_bound = sqlite_query.grouped(by)
    width = conditions.microseconds(interval)
    if width is None:
        start = "NULL"
    elif spilled:
        start = f"time / {width:d}"
    else:
        # The row id is in the index that is read anyway, the time is not.
        start = f"id / {width * SLOTS:d}"
    counted: _Counted = {}
    cells = 0
    for plan, number in parts:
        for buckets, values in _chunks(connection, plan, number, start,
                                       group, group_bound):
            cells += _add(buckets, values, counted)
            if cells > conditions.MAX_COUNTED:
                raise Rejected(
                    f"there are more than {conditions.MAX_COUNTED} buckets "
                    "and groups; narrow the query or widen the interval",
                    code="query_too_costly")
    return _aggregation(counted, width,
                        by is not None and by.startswith("traits."))


def _chunks(connection: sqlite3.Connection, plan: sqlite_query.Plan,
            number: int | None, start: str, group: str,
            group_bound: Sequence) -> Iterable[tuple[list, list]]:
    """Yield buckets and values of some rows at a time, in the order of time.

    They come as JSON: to step from row to row costs more than twice as much,
    and the tuples that would be made keep the garbage collector busy.
    """
    rows = _CHUNK
    while rows == _CHUNK:
        source, bound = plan.source(number)
        order = plan.order(number)
        buckets, values, rows, last = connection.execute(
            "SELECT json_group_array(bucket), "  # noqa: S608
            "json_group_array(value), count(*), max(place) FROM "
            f"(SELECT {start} AS bucket, {group} AS value, {order} AS place "
            f"{source} ORDER BY {order} LIMIT {_CHUNK:d})",
            [*group_bound, *bound]).fetchone()
        yield orjson.loads(buckets), orjson.loads(values)
        if rows:
            plan = plan.narrow(first=last + 1)


def _add(buckets: Sequence, values: Sequence, counted: _Counted) -> int:
    """Count rows; return how many buckets and groups that were new.

    SQLite would sort all rows before it counted them. They lie in the order
    of time, so that those of a bucket come together and are counted without
    a step of Python for each.
    """
    cells = first = 0
    for bucket, run in itertools.groupby(buckets):
        past = first + len(list(run))
        groups = counted.get(bucket)
        if groups is None:
            groups = counted[bucket] = collections.Counter()
        cells -= len(groups)
        groups.update(values[first:past])
        cells += len(groups)
        first = past
    return cells


def _aggregation(counted: _Counted, width: int | None,
                 encoded: bool) -> Aggregation:
    buckets = []
    truncated = False
    for bucket in sorted(counted, key=lambda number: number or 0):
        groups = counted[bucket]
        total = groups.total()
        # What has no value is in no group.
        groups.pop(None, None)
        truncated = truncated or len(groups) > conditions.MAX_GROUPS
        buckets.append(Bucket(
            None if bucket is None else periods.timestamp(bucket * width),
            total, _shown(groups, encoded)))
    return Aggregation(tuple(buckets), truncated)


def _shown(groups: Mapping[str, int], encoded: bool) -> dict[str, int]:
    """Return the groups that a bucket shows, largest first."""
    ranked = sorted(groups.items())
    ranked.sort(key=operator.itemgetter(1), reverse=True)
    shown = ranked[:conditions.MAX_GROUPS]
    return conditions.named(shown) if encoded else dict(shown)
