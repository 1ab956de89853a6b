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

"""A timeline as a page shows it: lanes of bars, and one list in order.

Pure; what there is comes from the API, which pairs beginnings and ends.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import datetime
from typing import Any

from monasca_events_dashboard import histogram

#: Lanes of things that take no time, before and after those of operations.
EVENTS, FIRINGS, LOGS = "events", "firings", "logs"

#: Points of a metric that are drawn; of more each n-th.
_POINTS = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A step of an operation; see Entry."""

    name: str
    state: str
    outcome: str
    seconds: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One thing on the axis.

    :ivar kind: ``span``, ``event``, ``firing``, ``log`` or ``gap``
    :ivar lane: number of its lane, from above; None where it has none
    :ivar start, end: where it is drawn; the same where it takes no time
    :ivar state: ``complete``, ``running``, ``open`` or ``unbegun``
    :ivar level: ``error``, ``warning`` or empty
    :ivar related: it happened to something else in the same request
    :ivar event_id: what to look at, or a firing's id with its trigger's
    :ivar steps: of an operation
    """

    kind: str
    lane: int | None
    start: datetime.datetime
    end: datetime.datetime
    name: str
    state: str = ""
    level: str = ""
    outcome: str = ""
    seconds: float | None = None
    text: str = ""
    resource_type: str = ""
    resource_id: str = ""
    request_id: str = ""
    related: bool = False
    event_id: str = ""
    trigger_id: str = ""
    steps: Sequence[Step] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """Everything, in the order of time.

    :ivar lanes: names, from above
    """

    start: datetime.datetime
    end: datetime.datetime
    lanes: Sequence[str]
    entries: Sequence[Entry]


def axis(found: Mapping[str, Any], now: datetime.datetime) -> Axis | None:
    """Return the axis of the API's answer; None where there is nothing.

    :param now: where what goes on still is drawn to
    """
    moments = [_time(one["timestamp"]) for one in found["events"]]
    moments += [_time(one["at"]) for one in found.get("firings", ())]
    moments += [_time(one["timestamp"]) for one in found.get("logs", ())]
    moments += [_time(one[end]) for one in found["spans"]
                for end in ("start", "end") if one[end]]
    if not moments:
        return None
    start, end = min(moments), max(moments)
    if any(one.get("state") == "running" for one in found["spans"]):
        end = max(end, now)
    if start == end:
        end += datetime.timedelta(seconds=1)
    lanes, spans = _lanes(found["spans"], start, end)
    names = [EVENTS, *lanes]
    entries = [*spans, *_events(found["events"])]
    for kind, name, made in (("firings", FIRINGS, _firing),
                             ("logs", LOGS, _log)):
        if found.get(kind):
            entries += [made(one, len(names)) for one in found[kind]]
            names.append(name)
    entries += _gaps(found.get("gaps", ()))
    # Nothing happened after what did at its beginning.
    entries.sort(key=lambda one: (one.start, one.kind == "gap",
                                  one.kind != "span", one.end))
    return Axis(start, end, names, entries)


def metrics(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is drawn of metrics: ``points`` are pairs of a time and a
    value, ``least`` and ``greatest`` of all."""
    shown = []
    for one in found.get("metrics", ()):
        points = [(_time(moment), value) for moment, value in one["points"]
                  if value is not None]
        if points:
            values = [value for _, value in points]
            shown.append({
                "name": one["name"], "unit": one.get("unit") or "",
                "source": one.get("source") or "",
                "least": min(values), "greatest": max(values),
                "last": values[-1],
                "points": points[::-(-len(points) // _POINTS)]})
    return shown


def failures(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the sources that failed, and why."""
    return [(name, one["error"])
            for name, one in found.get("sources", {}).items()
            if one.get("error")]


def _lanes(spans: Iterable[Mapping[str, Any]], start: datetime.datetime,
           end: datetime.datetime) -> tuple[list[str], list[Entry]]:
    """Return a lane for each operation, and another where two of a kind go
    on at once."""
    names: list[str] = []
    free: list[datetime.datetime] = []
    entries = []
    for one in sorted(spans, key=lambda one: one["start"] or one["end"]):
        begin = _time(one["start"]) if one["start"] else start
        finish = _time(one["end"]) if one["end"] else end
        lane = next((number for number, name in enumerate(names)
                     if name == one["name"] and free[number] <= begin), None)
        if lane is None:
            lane = len(names)
            names.append(one["name"])
            free.append(finish)
        free[lane] = finish
        entries.append(_span(one, lane + 1, begin, finish))
    return names, entries


def _span(one: Mapping[str, Any], lane: int, begin: datetime.datetime,
          finish: datetime.datetime) -> Entry:
    state = _state(one)
    outcome = one.get("outcome") or ""
    level = "error" if outcome == "error" or state == "open" else \
        "warning" if state == "unbegun" else ""
    ids = one.get("event_ids") or ()
    return Entry(
        "span", lane, begin, finish, one["name"], state, level, outcome,
        one.get("seconds"), resource_type=one.get("resource_type") or "",
        resource_id=one.get("resource_id") or "",
        request_id=one.get("request_id") or "",
        event_id=ids[0] if ids else "", steps=[
            Step(step["name"], _state(step), step.get("outcome") or "",
                 step.get("seconds")) for step in one.get("steps", ())])


def _state(one: Mapping[str, Any]) -> str:
    return one.get("state") or (
        "complete" if one["start"] and one["end"] else
        "open" if one["start"] else "unbegun")


def _events(events: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    for one in events:
        moment = _time(one["timestamp"])
        yield Entry(
            "event", 0, moment, moment, one["event_type"],
            level=histogram.LEVELS.get((one.get("priority") or "").upper(),
                                       ""),
            text="audit" if one.get("kind") == "audit" else "",
            resource_type=one.get("resource_type") or "",
            resource_id=one.get("resource_id") or "",
            request_id=one.get("request_id") or "",
            related=bool(one.get("related")), event_id=one["event_id"])


def _firing(one: Mapping[str, Any], lane: int) -> Entry:
    moment = _time(one["at"])
    return Entry(
        "firing", lane, moment, moment,
        one.get("trigger_name") or one["trigger_id"],
        level="error" if one["outcome"] == "missed" else "warning",
        outcome=one["outcome"], text=one.get("reason") or "",
        event_id=one["firing_id"], trigger_id=one["trigger_id"])


def _log(one: Mapping[str, Any], lane: int) -> Entry:
    moment = _time(one["timestamp"])
    return Entry(
        "log", lane, moment, moment,
        one.get("event_type") or "", text=one.get("message") or "",
        level=histogram.LEVELS.get((one.get("priority") or "").upper(), ""),
        event_id=one.get("event_id") or "")


def _gaps(gaps: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    for one in gaps:
        yield Entry("gap", None, _time(one["start"]), _time(one["end"]), "",
                    seconds=one["seconds"])


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
