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

"""Filters of lists, from what Python has to what a query string holds."""

from collections.abc import Mapping, Sequence
import datetime
from typing import Any

from monasca_events_client.transport import Query

#: A time: ISO 8601, or a datetime, in UTC where it has no zone.
Moment = str | datetime.datetime


def format_moment(moment: Moment) -> str:
    """Return a time as the API reads it."""
    if isinstance(moment, str):
        return moment
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.timezone.utc)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def of_events(*, since: Moment | None = None, until: Moment | None = None,
              traits: Mapping[str, Any] | None = None,
              dimensions: Mapping[str, Any] | None = None,
              words: Sequence[str] | str = (), quick: bool = False,
              **fields: Any) -> Query:
    """Return the query of some filters of events.

    Values of one name are alternatives, names narrow. A value may begin with
    one of the API's operators, ``prefix:``, ``ne:``, ``exists:``, for traits
    also ``gt:``, ``gte:``, ``lt:``, ``lte:``; ``eq:`` before a value that only
    looks so.

    :param since: from this time on
    :param until: before this time
    :param traits: name → value or values
    :param dimensions: the same
    :param words: all of them must occur
    :param quick: look at the newest period of the store only
    :param fields: ``event_type``, ``resource_id`` and the others,
        ``project_id``, ``all_projects``, ``sort``
    """
    found = [*_pairs(fields)]
    for prefix, given in (("traits", traits), ("dimensions", dimensions)):
        found += _pairs({f"{prefix}.{name}": value
                         for name, value in (given or {}).items()})
    if since is not None:
        found.append(("timestamp", f"gte:{format_moment(since)}"))
    if until is not None:
        found.append(("timestamp", f"lt:{format_moment(until)}"))
    for word in [words] if isinstance(words, str) else words:
        found.append(("q", word))
    return [*found, *_pairs({"quick": quick or None})]


def of_listing(*, since: Moment | None = None, until: Moment | None = None,
               **fields: Any) -> Query:
    """Return the query of some parameters of a list of other things."""
    return _pairs({
        "since": None if since is None else format_moment(since),
        "until": None if until is None else format_moment(until), **fields})


def _pairs(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and value of what is given: None and False are not."""
    found = []
    for name, value in fields.items():
        several = value if isinstance(value, (list, tuple, set, frozenset)) \
            else [value]
        for one in several:
            if one is None or (one is False and name == "all_projects"):
                continue
            found.append((name, _text(one)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return format_moment(value)
    return str(value)
