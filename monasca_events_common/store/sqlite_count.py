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

from monasca_events_common.errors import Rejected
from monasca_events_common.store import Aggregation
from monasca_events_common.store import Bucket
from monasca_events_common.store import conditions
from monasca_events_common.store import periods
from monasca_events_common.store import sqlite_query
from monasca_events_common.store.sqlite_schema import SLOTS

# Rows that are taken at once.
_CHUNK = 5000

_bucket_of = operator.itemgetter(0)
_value_of = operator.itemgetter(1)


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
    counted: dict[int | None, collections.Counter] = {}
    cells = 0
    for part, number in parts:
        source, bound = part.source(number)
        rows = connection.execute(f"SELECT {start}, {group} {source}",
                                  group_bound + bound)
        while chunk := rows.fetchmany(_CHUNK):
            cells += _add(chunk, counted)
            if cells > conditions.MAX_COUNTED:
                raise Rejected(
                    f"there are more than {conditions.MAX_COUNTED} buckets "
                    "and groups; narrow the query or widen the interval",
                    code="query_too_costly")
    return _aggregation(counted, width,
                        by is not None and by.startswith("traits."))


def _add(rows: Sequence[tuple],
         counted: dict[int | None, collections.Counter]) -> int:
    """Count rows; return how many buckets and groups that were new.

    SQLite would sort all rows before it counted them. They lie in the order
    of time, so that those of a bucket come together and are counted without
    a step of Python for each.
    """
    cells = 0
    for bucket, run in itertools.groupby(rows, _bucket_of):
        groups = counted.get(bucket)
        if groups is None:
            groups = counted[bucket] = collections.Counter()
        cells -= len(groups)
        groups.update(map(_value_of, run))
        cells += len(groups)
    return cells


def _aggregation(counted: Mapping[int | None, collections.Counter],
                 width: int | None, encoded: bool) -> Aggregation:
    buckets = []
    truncated = False
    for bucket in sorted(counted, key=lambda number: number or 0):
        groups = counted[bucket]
        total = groups.total()
        # What has no value is in no group.
        groups.pop(None, None)
        ranked = sorted(groups.items())
        ranked.sort(key=_value_of, reverse=True)
        truncated = truncated or len(ranked) > conditions.MAX_GROUPS
        shown = ranked[:conditions.MAX_GROUPS]
        buckets.append(Bucket(
            None if bucket is None else periods.timestamp(bucket * width),
            total,
            {conditions.readable(value): events for value, events in shown}
            if encoded else dict(shown)))
    return Aggregation(tuple(buckets), truncated)
