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

"""Periods: which span of time an event belongs to, and that span's name.

Everything here is a function of the project id and of the event's own
timestamp, never of the present, so that a repeat meets the first copy in the
same period. Both drivers call it. It has no I/O.
"""

import datetime
import re

from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.event import format_time

PERIODS = ("day", "week", "month", "year")

#: The word that takes a project's place in the names of the pooled layout.
POOL = "pool"

# What both drivers can order to the microsecond: SQLite's row ids end in 2112,
# Elasticsearch's date_nanos in 2262, neither wants a time before the epoch.
_FIRST_YEAR, _LAST_YEAR = 1970, 2099

_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)
_CANONICAL = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")

# Whatever expression the operator allows, a name for Elasticsearch is made of
# these only: no dot (labels have one, so a name can be taken apart again), no
# capital, no wildcard, no comma, no leading '-', '_', '.' or '<'.
_SAFE = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}\Z")

_LABELS = {
    "day": re.compile(r"([0-9]{4})\.([0-9]{2})\.([0-9]{2})\Z"),
    "week": re.compile(r"([0-9]{4})\.w([0-9]{2})\Z"),
    "month": re.compile(r"([0-9]{4})\.([0-9]{2})\Z"),
    "year": re.compile(r"([0-9]{4})\.y\Z"),
}


def microseconds(timestamp: str) -> int:
    """Return the microseconds since the epoch of a canonical timestamp.

    :raises Rejected: it is not canonical
    """
    try:
        if not _CANONICAL.match(timestamp):
            raise ValueError(timestamp)
        moment = datetime.datetime.fromisoformat(timestamp[:26])
    except (TypeError, ValueError):
        raise Rejected(
            f"{str(timestamp)[:64]!r} is not a canonical timestamp",
            code="invalid_timestamp", where="timestamp") from None
    return (moment - _EPOCH) // _MICROSECOND


def storable(timestamp: str) -> int:
    """Return the microseconds since the epoch of an event to be stored.

    :raises Rejected: the time is not canonical, or not within 1970 to 2099
    """
    found = microseconds(timestamp)
    if not _FIRST_YEAR <= int(timestamp[:4]) <= _LAST_YEAR:
        raise Rejected(
            f"{timestamp} is outside the years {_FIRST_YEAR} to {_LAST_YEAR} "
            "that can be stored", code="invalid_timestamp",
            where="timestamp")
    return found


def timestamp(since_epoch: int) -> str:
    """Return the canonical text of some microseconds since the epoch."""
    # What format_time makes of a time without a zone, in a third of the time:
    # a histogram has hundreds of buckets.
    return (_EPOCH + since_epoch * _MICROSECOND).isoformat(
        "T", "microseconds") + "Z"


def bounds(moment: str, period: str) -> tuple[str, str]:
    """Return the first instant of the period around a time, and of the next.

    :param moment: canonical timestamp
    :raises Rejected: it is none that can be stored
    """
    storable(moment)
    first = _first(datetime.date.fromisoformat(moment[:10]), period)
    return _midnight(first), _midnight(_next(first, period))


def label(moment: str, period: str) -> str:
    """Return the name of the period around a canonical timestamp.

    Labels of different kinds never look alike: ``2026.11.22``, ``2026.w47``
    (ISO week), ``2026.11``, ``2026.y``; each sorts by age among its own.

    :raises Rejected: the time is none that can be stored
    """
    storable(moment)
    day = datetime.date.fromisoformat(moment[:10])
    if period == "day":
        return day.strftime("%Y.%m.%d")
    if period == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04}.w{week:02}"
    if period == "month":
        return day.strftime("%Y.%m")
    return f"{day.year:04}.y"


def span(name: str) -> tuple[str, str] | None:
    """Return the bounds of the period that a label names, or None.

    The kind is read from the label itself, so that indices made before the
    operator changed the period are still understood.
    """
    for period, expression in _LABELS.items():
        found = expression.match(name)
        if not found:
            continue
        numbers = [int(group) for group in found.groups()]
        try:
            if period == "week":
                day = datetime.date.fromisocalendar(*numbers, 1)
            else:
                day = datetime.date(*(numbers + [1, 1])[:3])
        except ValueError:
            return None
        return _midnight(day), _midnight(_next(day, period))
    return None


def slug(project_id: str, expression: re.Pattern) -> str:
    """Return the project's part of an index name.

    :param expression: what a project id has to match as a whole
    :raises Rejected: it does not, or cannot be part of a name
    """
    if (not isinstance(project_id, str) or project_id == POOL
            or not expression.fullmatch(project_id)
            or not _SAFE.match(project_id)):
        raise Rejected(
            f"{str(project_id)[:64]!r} is not a project id; expected 32 "
            "hexadecimal digits, or what project_id_expression allows",
            code="invalid_project_id", where="project_id")
    return project_id


def slug_expression(text: str) -> re.Pattern:
    """Return the compiled expression; raise Misconfigured if it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise Misconfigured(f"project_id_expression {text!r} is not a regular "
                            f"expression: {error}") from None


def index_name(prefix: str, slug: str, moment: str, period: str) -> str:
    """Return the index of a tenant's events, or the pool's, of a period."""
    return f"{prefix}-{slug}-{label(moment, period)}"


def label_of(name: str) -> str:
    """Return the label at the end of an index name."""
    return name.rpartition("-")[2]


def _first(day: datetime.date, period: str) -> datetime.date:
    if period == "week":
        return day - datetime.timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    if period == "year":
        return day.replace(month=1, day=1)
    return day


def _next(first: datetime.date, period: str) -> datetime.date:
    if period == "week":
        return first + datetime.timedelta(days=7)
    if period == "month":
        return _first(first + datetime.timedelta(days=31), period)
    if period == "year":
        return first.replace(year=first.year + 1)
    return first + datetime.timedelta(days=1)


def _midnight(day: datetime.date) -> str:
    return format_time(datetime.datetime(day.year, day.month, day.day))
