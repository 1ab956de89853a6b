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

from collections.abc import Iterable
import collections
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
    counted: collections.Counter = collections.Counter()
    for part, number in parts:
        source, bound = part.source(number)
        rows = connection.execute(f"SELECT {start}, {group} {source}",
                                  group_bound + bound)
        # Counted here: SQLite would sort all rows before it counts them.
        while chunk := rows.fetchmany(_CHUNK):
            counted.update(chunk)
            if len(counted) > conditions.MAX_COUNTED:
                raise Rejected(
                    f"there are more than {conditions.MAX_COUNTED} buckets "
                    "and groups; narrow the query or widen the interval",
                    code="query_too_costly")
    return _aggregation(counted, width,
                        by is not None and by.startswith("traits."))


def _aggregation(counted: collections.Counter, width: int | None,
                 encoded: bool) -> Aggregation:
    totals: collections.Counter = collections.Counter()
    groups: dict[int | None, dict] = {}
    for (bucket, value), events in counted.items():
        totals[bucket] += events
        if value is not None:
            groups.setdefault(bucket, {})[value] = events
    buckets = []
    truncated = False
    for bucket in sorted(totals, key=lambda number: number or 0):
        ranked = sorted(groups.get(bucket, {}).items(),
                        key=lambda pair: (-pair[1], pair[0]))
        truncated = truncated or len(ranked) > conditions.MAX_GROUPS
        buckets.append(Bucket(
            None if bucket is None else periods.timestamp(bucket * width),
            totals[bucket],
            {conditions.readable(value) if encoded else value: events
             for value, events in ranked[:conditions.MAX_GROUPS]}))
    return Aggregation(tuple(buckets), truncated)
