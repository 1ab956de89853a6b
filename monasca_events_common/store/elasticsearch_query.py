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

"""The Elasticsearch store's translation of a query into its query language.

Pure. The grammar is closed, so only term, terms, range, prefix and exists
ever come out: no script, no expression, no wildcard, whatever a tenant sends.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from monasca_events_common.errors import Rejected
from monasca_events_common.query import Query
from monasca_events_common.store import conditions
from monasca_events_common.store import periods
from monasca_events_common.store.conditions import Condition
from monasca_events_common.store.conditions import DIMENSION
from monasca_events_common.store.conditions import FIELD
from monasca_events_common.store.conditions import TRAIT

_TYPES = ("string", "integer", "float", "datetime", "boolean")

# What exists: date_nanos knows no other years.
_FIRST, _PAST = "1970-01-01T00:00:00.000000Z", "2200-01-01T00:00:00.000000Z"

_NANOS = "strict_date_optional_time_nanos"
_NOTHING = {"match_none": {}}

# Past every id. Where a text can be this, none beyond it can.
_LAST = chr(0x10FFFF)


class Place(NamedTuple):
    """Where an event is in the order of a listing; compares as that does.

    Across projects two events may share time and id, within one they cannot.
    """

    timestamp: str
    event_id: str
    project: str

    def past(self, descending: bool) -> "Place":
        """Return the place behind all events of the same instant."""
        end = "" if descending else _LAST
        return Place(self.timestamp, end, end)


def filters(query: Query) -> list[dict]:
    """Return what an event has to fulfil, but for the project.

    :raises Rejected: the query is outside the grammar
    """
    found = [{"term": {"index.words": word}} for word in query.words]
    found += [_condition(one) for one in conditions.conditions(query)]
    conditions.bounds(query)
    limits = {}
    if query.since is not None and query.since > _FIRST:
        limits["gte"] = query.since
    if query.until is not None and query.until < _PAST:
        limits["lt"] = max(query.until, _FIRST)
    if limits.get("gte", _FIRST) >= _PAST:
        return [_NOTHING]
    if limits:
        found.append({"range": {"timestamp": {**limits, "format": _NANOS}}})
    return found


def order(descending: bool) -> list[dict]:
    """Return the order of a listing, by time alone."""
    return [{"timestamp": {"order": _way(descending), "format": _NANOS,
                           "unmapped_type": "date_nanos"}}]


def order_of_ids(descending: bool) -> list[dict]:
    """Return the order of the events of one instant."""
    return [{name: {"order": _way(descending), "unmapped_type": "keyword"}}
            for name in ("event_id", "index.project")]


def instant(timestamp: str) -> dict:
    """Return the condition of events that happened just then."""
    return {"range": {"timestamp": {"gte": timestamp, "lte": timestamp,
                                    "format": _NANOS}}}


def marker(place: Place) -> str:
    """Return the marker of the page that begins after a place."""
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).decode()


def unmarked(text: str) -> Place:
    """Return the place that a marker stands for; raise Rejected."""
    try:
        place = orjson.loads(base64.b64decode(
            text.encode("ascii"), altchars=b"-_", validate=True))
        if (type(place) is list and len(place) == len(Place._fields)
                and all(type(part) is str for part in place)):
            periods.storable(place[0])
            return Place(*place)
    except (ValueError, Rejected):
        pass
    raise Rejected("the marker is not one that this service gave",
                   code="invalid_marker", where="marker")


def group(kind: str, name: str) -> dict:
    """Return where the groups of an aggregation come from."""
    if kind == FIELD:
        return {"field": _field(name)}
    literal = "".join(letter if letter.isalnum() or letter == "_"
                      else "\\" + letter for letter in name)
    return {"field": f"index.{kind}s", "include": f"{literal}=.*"}


def trait_types(after: Mapping | None) -> dict:
    """Return the aggregation of trait types, a page of them."""
    paging = {} if after is None else {"after": dict(after)}
    return {"traits": {"composite": {
        "size": 1000, **paging,
        "sources": [{"trait": {"terms": {"field": "index.trait_types"}}}]}}}


def _way(descending: bool) -> str:
    return "desc" if descending else "asc"


def _field(name: str) -> str:
    return "event_type.keyword" if name == "event_type" else name


def _condition(condition: Condition) -> dict:
    kind, name = condition.kind, condition.name
    if kind == FIELD:
        field, before = _field(name), ""
    else:
        field, before = f"index.{kind}s", f"{name}="
    values = [before + value for value in condition.values]
    if condition.operator == "eq":
        return {"terms": {field: values}}
    if condition.operator == "ne":
        return _none({"terms": {field: values}})
    if condition.operator == "prefix":
        return _any([{"prefix": {field: value}} for value in values])
    if condition.operator == "range":
        return _any([_range(kind, field, before, span)
                     for span in condition.spans])
    exists = _exists(kind, name, field)
    return exists if condition.wanted else _none(exists)


def _range(kind: str, field: str, before: str,
           span: conditions.Span) -> dict:
    # Texts of one trait or dimension lie between "name=" and "name>".
    low, high = span.low, span.high
    limits = {}
    if low is not None or before:
        limits["gte" if span.low_inclusive else "gt"] = before + (low or "")
    if high is not None:
        limits["lte" if span.high_inclusive else "lt"] = before + high
    elif kind == DIMENSION:
        limits["lt"] = before[:-1] + chr(ord("=") + 1)
    return {"range": {field: limits}}


def _exists(kind: str, name: str, field: str) -> dict:
    if kind == FIELD:
        return {"exists": {"field": field}}
    if kind == TRAIT:
        return {"terms": {"index.trait_types":
                          [f"{name}:{one}" for one in _TYPES]}}
    return {"prefix": {field: f"{name}="}}


def _any(queries: Sequence[dict]) -> dict:
    if len(queries) == 1:
        return queries[0]
    return {"bool": {"should": list(queries), "minimum_should_match": 1}}


def _none(query: dict) -> dict:
    return {"bool": {"must_not": [query]}}
