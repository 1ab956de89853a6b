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

"""How many events there were when: bars from the API's statistics.

Pure: the panel asks, this counts and says where bars begin and end, the
browser draws.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import datetime
from typing import Any

#: Widths of a bar in seconds: those that people count in.
WIDTHS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600,
          12 * 3600, 86400, 7 * 86400, 28 * 86400)

#: Bars that a screen shows side by side and a finger still hits.
BARS = 60

#: Priority → how a part of a bar looks; what is not here is quiet.
LEVELS: Mapping[str, str] = {
    "ERROR": "error", "CRITICAL": "error", "WARN": "warning",
    "WARNING": "warning"}


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """What there was from ``start`` on and before ``end``.

    :ivar parts: name → how many of ``count``
    """

    start: datetime.datetime
    end: datetime.datetime
    count: int = 0
    parts: Mapping[str, int] = dataclasses.field(default_factory=dict)


def width(since: datetime.datetime, until: datetime.datetime) -> int:
    """Return the seconds of a bar so that not too many are needed."""
    span = (until - since).total_seconds()
    return next((one for one in WIDTHS if span <= one * BARS),
                WIDTHS[-1] * max(1, -(-int(span) // (WIDTHS[-1] * BARS))))


def bars(counted: Mapping[str, Any], since: datetime.datetime,
         until: datetime.datetime,
         parts: Callable[[Mapping[str, Any]], Mapping[str, int]]
         ) -> list[Bar]:
    """Return bars from one end of the time to the other, also empty ones.

    :param counted: ``interval`` and ``buckets`` of the API, whose intervals
        begin at multiples of their length since 1970
    :param parts: of a bucket
    """
    step = counted["interval"]
    buckets = {_second(one["start"]): one for one in counted["buckets"]}
    first = min([int(since.timestamp()) // step * step, *buckets])
    last = max([int(until.timestamp()) - 1, *buckets])
    return [_bar(second, step, buckets.get(second), parts)
            for second in range(first, max(first, last) + 1, step)]


def levels(bucket: Mapping[str, Any]) -> dict[str, int]:
    """Return the ``errors`` and ``warnings`` of a bucket by priority."""
    found = {"errors": 0, "warnings": 0}
    for priority, count in bucket.get("groups", {}).items():
        level = LEVELS.get(priority.upper())
        if level:
            found[f"{level}s"] += count
    return found


def outcomes(bucket: Mapping[str, Any]) -> dict[str, int]:
    """Return how many firings of a bucket there were by outcome."""
    return dict(bucket["outcomes"])


def total(found: Sequence[Bar]) -> int:
    """Return how many events all bars stand for."""
    return sum(one.count for one in found)


def _bar(second: int, step: int, bucket: Mapping[str, Any] | None,
         parts: Callable[[Mapping[str, Any]], Mapping[str, int]]) -> Bar:
    start, end = (datetime.datetime.fromtimestamp(one, datetime.timezone.utc)
                  for one in (second, second + step))
    if bucket is None:
        return Bar(start, end)
    return Bar(start, end, bucket["count"], parts(bucket))


def _second(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp())
