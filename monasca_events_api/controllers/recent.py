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


"""``/v1.0/events/recent``: the last events, from memory.

An answer is at most 64 KiB, for readers with little room; what does not fit
is on the next page, and what fits on none is shown without its large parts.
"""

import collections
from collections.abc import Iterable, Mapping, Sequence
import json
import re

import orjson

from monasca_events_api import filters
from monasca_events_api.controllers import resource
from monasca_events_api.live import decode
from monasca_events_api.live import Seen
from monasca_events_api.live import source_of
from monasca_events_api.live.rings import Rings
from monasca_events_api.live.selection import Selection
from monasca_events_api.policies import events as rules
from monasca_events_common.errors import Rejected

#: Bytes of an answer at most.
MAX_BYTES = 64 * 1024

#: Those of them that counters may take, and those that a query may have.
_COUNTERS = 12 * 1024
_QUERY = 4 * 1024

#: Bytes of the answer's own keys, and of a marker.
_FRAME = 100
_MARKER = 100

#: Seconds for which the first request waits until the memory is filled.
_PATIENCE = 2.0

_MARKED = re.compile(r"([0-9TZ:.-]{1,40}),([0-9]{1,6})\.([0-9]{1,18})\Z")

_BY = ("event_type", "source")

#: What is left out of an event that is too large, in this order.
_LARGE = ("payload", "traits", "dimensions")

#: What is left of one that is still too large.
_SMALL = ("event_id", "project_id", "event_type", "timestamp")


class RecentController:
    """The last events."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        if len(req.query_string) > _QUERY:
            raise Rejected(f"the query has more than {_QUERY} bytes",
                           code="bad_query")
        asked = filters.parse_request(req.query_string, parts.conf.limits,
                                      own=("by", "last"))
        project_id = resource.scope(parts, req, rules.RECENT, asked)
        selection = Selection(asked.query)
        by, last = _grouping(asked.rest, parts.conf.live.events)
        after = _place(asked.query.marker)
        watch = parts.live.watch()
        watch.caught_up.wait(_PATIENCE)
        found = _select(watch.rings.events(project_id), selection,
                        asked.query.descending)
        if by is not None or last is not None:
            found = _last(found, by, last or 1)
        # Looked for and not counted: what is new stands before it.
        found = [one for one in found if after is None
                 or _is_behind(one, after, asked.query.descending)]
        return self._page(req, found, asked.query.limit,
                          _counters(watch.rings, project_id))

    def _page(self, req, found: Sequence[Seen], limit: int,
              counters: dict):
        """Return the answer with as many of the events as fit."""
        longest = resource.links(self._parts, req, "events/recent",
                                 "x" * _MARKER)
        room = MAX_BYTES - _FRAME - len(orjson.dumps([counters, longest]))
        chosen: list[bytes] = []
        for one in found[:limit]:
            value = one.value
            if len(value) >= room and not chosen:
                value = shrink(value, room)
            if len(value) >= room:
                break
            room -= len(value) + 1
            chosen.append(value)
        marker = None
        if len(chosen) < len(found):
            marker = "{},{}.{}".format(*_key(found[len(chosen) - 1]))
        links = resource.links(self._parts, req, "events/recent", marker)
        body = b'{"events":[%b],"truncated":%b,"counters":%b,"links":%b}' % (
            b",".join(chosen), b"false" if marker is None else b"true",
            orjson.dumps(counters), orjson.dumps(links))
        return resource.answer(body, headers={
            "Link": resource.link_header(links),
            "Cache-Control": "no-store"})


def _grouping(rest: Mapping[str, str], most: int
              ) -> tuple[str | None, int | None]:
    """Return by what the events are grouped and how many of each group."""
    by, last = rest.get("by"), rest.get("last")
    if by is not None and by not in _BY:
        raise Rejected(f"the parameter by is none of {', '.join(_BY)}",
                       code="invalid_parameter", where="by")
    if last is None:
        return by, None
    if not (last.isascii() and last.isdecimal() and len(last) < 10
            and 0 < int(last) <= most):
        raise Rejected("the parameter last is no number from 1 to "
                       f"{most}, the most that are remembered",
                       code="invalid_parameter", where="last")
    return by, int(last)


def _select(seen: Iterable[Seen], selection: Selection, descending: bool
            ) -> list[Seen]:
    # A repeat on the bus is one event; the first is what the store keeps.
    found = {}
    for one in seen:
        event = decode(one.value)
        if event is not None and selection.wants(event):
            found.setdefault((one.project_id, one.event_id), one)
    return sorted(found.values(), key=_key, reverse=descending)


def _key(one: Seen) -> tuple[str, int, int]:
    # By its place on the bus too: what one request brought may have one time.
    return one.timestamp, one.partition, one.offset


def _last(found: Sequence[Seen], by: str | None, last: int) -> list[Seen]:
    """Return the first so many of each group."""
    if by is None:
        return found[:last]
    groups: collections.Counter[str] = collections.Counter()
    chosen = []
    for one in found:
        group = one.event_type if by == "event_type" else source_of(one.value)
        groups[group] += 1
        if groups[group] <= last:
            chosen.append(one)
    return chosen


def _place(marker: str | None) -> tuple[str, int, int] | None:
    """Return behind which event a page begins."""
    if marker is None:
        return None
    found = _MARKED.match(marker)
    if found is None:
        raise Rejected("the marker is not one that this service gave",
                       code="invalid_marker", where="marker")
    return found[1], int(found[2]), int(found[3])


def _is_behind(one: Seen, place: tuple[str, int, int], descending: bool
               ) -> bool:
    return _key(one) < place if descending else _key(one) > place


def _counters(rings: Rings, project_id) -> dict:
    """Return how many events of which types and sources there were."""
    received, types = rings.counts(project_id)
    events = rings.events(project_id)
    sources = collections.Counter(source_of(one.value) for one in events)
    others = types.pop("", 0)
    room = _COUNTERS
    counted: dict[str, dict[str, int]] = {"event_types": {}, "sources": {}}
    for name, counter in (("sources", sources), ("event_types", types)):
        for key, count in counter.most_common():
            room -= len(json.dumps(key)) + 12
            if room < 0:
                others += count if name == "event_types" else 0
            else:
                counted[name][key] = count
    return {"received": received, "remembered": len(events), **counted,
            "other_types": others}


def shrink(value: bytes, room: int) -> bytes:
    """Return an event without its large parts, which its marks then name."""
    event = orjson.loads(value)
    left_out = []
    for name in _LARGE:
        event[name] = {}
        left_out.append(name)
        event["marks"] = {**(event.get("marks") or {}),
                          "truncated": list(left_out)}
        made = orjson.dumps(event)
        if len(made) < room:
            return made
    return orjson.dumps({
        **{name: str(event[name])[:256] for name in _SMALL},
        "marks": {"truncated": [name for name in event
                                if name not in (*_SMALL, "marks")]}})
