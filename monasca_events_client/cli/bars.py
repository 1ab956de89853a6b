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

"""Bars and histograms of characters. Pure: counts in, lines out."""

from collections.abc import Mapping, Sequence
import dataclasses
import datetime
import math

from monasca_events_client.cli import printable

_EIGHTHS = "▏▎▍▌▋▊▉"

#: Shades of groups, the largest group first; what is left is the last one.
_SHADES = "█▓▒░·"

#: Lines of empty buckets that are drawn in a row; of more, one says so.
_EMPTY = 8

#: Spans that an automatic interval may have, in seconds.
_NICE = (1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
         43200, 86400, 172800, 604800, 1209600, 2592000)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One line of a histogram.

    :ivar groups: name → count; together they may be less than ``count``
    """

    label: str
    count: int
    groups: Mapping[str, int] = dataclasses.field(default_factory=dict)


def bar(share: float, cells: int) -> str:
    """Return a bar of a share of so many cells; what is not nothing is
    seen."""
    share = min(max(share, 0.0), 1.0)
    eighths = round(share * cells * 8)
    if share and not eighths:
        eighths = 1
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest - 1] if rest else "")


def stacked(groups: Sequence[int], rest: int, most: int, cells: int) -> str:
    """Return a bar made of several, each in its shade.

    A group that is not nothing is seen, where the bar has a cell for it.

    :param groups: counts, in the order of the shades
    :param rest: what is in no group, in the last shade
    :param most: the count that a whole bar stands for
    """
    shades = (*_SHADES[:len(groups)], _SHADES[-1])
    counts = (*groups, rest)
    total = sum(counts)
    if not total:
        return ""
    length = max(1, round(total / most * cells))
    lengths, done, counted = [], 0, 0
    for count in counts:
        counted += count
        end = round(counted / total * length)
        lengths.append(end - done)
        done = end
    for at, count in enumerate(counts):
        longest = max(lengths)
        if count and not lengths[at] and longest > 1:
            lengths[lengths.index(longest)] -= 1
            lengths[at] = 1
    return "".join(shade * size for shade, size
                   in zip(shades, lengths, strict=True))


def histogram(rows: Sequence[Row], cells: int) -> list[str]:
    """Return the lines of a histogram, its groups told apart by shade."""
    if not rows:
        return []
    names = _largest(rows, len(_SHADES) - 1)
    labels = max(printable.width(row.label) for row in rows)
    most = max(row.count for row in rows)
    counts = max(len(f"{row.count}") for row in rows)
    room = max(cells - labels - counts - 4, 8)
    lines = _legend(rows, names, cells)
    empty = 0
    for row in [*rows, Row("", -1)]:
        if row.count == 0:
            empty += 1
            if empty <= _EMPTY:
                lines.append(f"{printable.pad(row.label, labels)}  "
                             f"{0:>{counts}}")
            continue
        if empty > _EMPTY:
            lines.append(f"… {empty - _EMPTY} more without events")
        empty = 0
        if row.count < 0:
            break
        if names:
            found = [row.groups.get(name, 0) for name in names]
            drawn = stacked(found, row.count - sum(found), most, room)
        else:
            drawn = bar(row.count / most, room)
        lines.append(f"{printable.pad(row.label, labels)}  "
                     f"{row.count:>{counts}}  {drawn}".rstrip())
    return lines


def _largest(rows: Sequence[Row], most: int) -> list[str]:
    sums: dict[str, int] = {}
    for row in rows:
        for name, count in row.groups.items():
            sums[name] = sums.get(name, 0) + count
    return sorted(sums, key=lambda name: (-sums[name], name))[:most]


def _legend(rows: Sequence[Row], names: Sequence[str], cells: int
            ) -> list[str]:
    if not names:
        return []
    words = [f"{shade} {printable.escape(name)}"
             for name, shade in zip(names, _SHADES, strict=False)]
    if any(row.count > sum(row.groups.get(name, 0) for name in names)
           for row in rows):
        words.append(f"{_SHADES[-1]} others")
    lines = [""]
    for word in words:
        word = printable.cut(word, cells)
        if lines[-1] and printable.width(lines[-1]) + 3 \
                + printable.width(word) > cells:
            lines.append("")
        lines[-1] += ("   " if lines[-1] else "") + word
    return lines


def interval(seconds: float, most: int = 40) -> int:
    """Return a round interval that makes at most so many buckets."""
    for nice in _NICE:
        if seconds / nice <= most:
            return nice
    return _NICE[-1]


def merged(buckets: Sequence[Mapping], seconds: int, whole: float,
           groups: str, most: int = 40) -> tuple[list[Mapping], int]:
    """Return buckets of a longer interval, and that, where they would be too
    many lines.

    :param whole: seconds from the first to the last that there may be
    :param groups: the key of the groups' counts in a bucket
    """
    times = math.ceil(whole / seconds / most)
    longer = max(interval(whole, most), seconds)
    if times <= 1 or longer % seconds:
        return list(buckets), seconds
    found: dict[str, dict] = {}
    for bucket in buckets:
        at = datetime.datetime.fromisoformat(bucket["start"]).timestamp()
        start = datetime.datetime.fromtimestamp(
            at - at % longer, datetime.timezone.utc).isoformat()
        into = found.setdefault(start, {"start": start, "count": 0,
                                        groups: {}})
        into["count"] += bucket["count"]
        for name, count in (bucket.get(groups) or {}).items():
            into[groups][name] = into[groups].get(name, 0) + count
    return list(found.values()), longer


def label(start: str, seconds: int | None) -> str:
    """Return what a bucket's line begins with."""
    if not start:
        return ""
    if seconds is None or seconds >= 86400 and not seconds % 86400:
        return start[:10]
    return start[:16 if seconds >= 60 and not seconds % 60 else 19].replace(
        "T", " ")


def filled(buckets: Sequence[Mapping], seconds: int, since: str, until: str
           ) -> list[Mapping]:
    """Return the buckets of a time with those that are empty.

    :param since: ``until`` likewise: the time, ISO 8601
    """
    if not buckets:
        return []
    step = datetime.timedelta(seconds=seconds)
    known = {datetime.datetime.fromisoformat(one["start"]): one
             for one in buckets}
    start, last = min(known), max(known)
    begin, end = map(datetime.datetime.fromisoformat, (since, until))
    # Where buckets begin is the API's choice: others lie whole steps off.
    start -= step * max(0, math.ceil((start - begin) / step))
    last += step * max(0, math.ceil((end - last) / step) - 1)
    found = []
    while start <= last:
        found.append(known.get(start) or {
            "start": start.isoformat(), "count": 0, "groups": {}})
        start += step
    return found
