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


"""Spans: starts and ends of a timeline's events, paired. Pure.

What begins and ends in a cloud is told by the lifecycles; what they do not
know is paired by name: ``….start`` with ``….end`` or ``….error``. A start and
an end belong together when the ids that both have are equal, of resource and
of request, and they have one in common.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import datetime
from typing import Any

from monasca_events_common.rules.lifecycles import Lifecycle
from monasca_events_common.rules.lifecycles import LIFECYCLES

#: Seconds within which something that no lifecycle knows should have ended.
_SECONDS = 300.0

#: A stretch without an event is a gap from this share of the whole time on,
#: and from so many seconds on.
_SHARE, _LEAST = 0.25, 60.0

END, ERROR, GONE = "end", "error", "gone"


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """A kind of span: its name, and when it should have ended."""

    name: str
    seconds: float


@dataclasses.dataclass(slots=True)
class Span:
    """Something that began, ended, or both."""

    form: Form
    start: Mapping | None
    end: Mapping | None = None
    outcome: str | None = None


def pair(events: Iterable[Mapping]) -> list[Span]:
    """Return the spans of events, in the order in which they are known.

    :param events: oldest first
    """
    spans: list[Span] = []
    for event in events:
        _end(spans, event)
        for form in _begun_by(event["event_type"]):
            spans.append(Span(form, event))
    return spans


def _end(spans: list[Span], event: Mapping) -> None:
    """End what an event ends; make a span where it ends what nobody saw."""
    kind = event["event_type"]
    for form, outcome in _ended_by(kind):
        begun = [one for one in spans
                 if one.form.name == form.name and one.end is None
                 and _belongs(one.start, event)]
        for one in begun if outcome == GONE else begun[-1:]:
            one.end, one.outcome = event, outcome
        if not begun and kind in (f"{form.name}.end", f"{form.name}.error"):
            spans.append(Span(form, None, event, outcome))


def _belongs(start: Mapping, end: Mapping) -> bool:
    in_common = False
    for name in ("resource_id", "request_id"):
        one, other = start.get(name), end.get(name)
        if one is None or other is None:
            continue
        if one != other:
            return False
        in_common = True
    return in_common


def as_json(span: Span, now: datetime.datetime) -> dict[str, Any]:
    """Return what an answer shows of a span."""
    start, end = span.start, span.end
    known = [one for one in (start, end) if one is not None]
    seconds = None
    if start is not None and end is not None:
        seconds = (moment(end["timestamp"])
                   - moment(start["timestamp"])).total_seconds()
        state = "complete"
    elif start is None:
        state = "unbegun"
    else:
        age = (now - moment(start["timestamp"])).total_seconds()
        state = "running" if age < span.form.seconds else "open"
    return {
        "name": span.form.name, "state": state, "outcome": span.outcome,
        "start": start and start["timestamp"],
        "end": end and end["timestamp"], "seconds": seconds,
        **{name: next((one[name] for one in known if one.get(name)), None)
           for name in ("resource_type", "resource_id", "request_id")},
        "event_ids": [one["event_id"] for one in known]}


def gaps(events: Sequence[Mapping], spans: Iterable[Mapping],
         least: float | None = None) -> list[dict[str, Any]]:
    """Return the stretches in which nothing happened and nothing went on.

    :param events: oldest first
    :param spans: as JSON; only complete ones cover time
    :param least: seconds from which on a stretch counts; a quarter of the
        whole time and a minute unless given
    """
    if not events:
        return []
    stretches = sorted(
        [(one["timestamp"], one["timestamp"]) for one in events]
        + [(one["start"], one["end"]) for one in spans
           if one["state"] == "complete"])
    if least is None:
        whole = moment(events[-1]["timestamp"]) - moment(
            events[0]["timestamp"])
        least = max(_SHARE * whole.total_seconds(), _LEAST)
    found = []
    reached = stretches[0][1]
    for start, end in stretches:
        seconds = (moment(start) - moment(reached)).total_seconds()
        if seconds >= least:
            found.append({"start": reached, "end": start,
                          "seconds": seconds})
        reached = max(reached, end)
    return found


def moment(text: str) -> datetime.datetime:
    """Return the time of a canonical timestamp."""
    return datetime.datetime.fromisoformat(text)


def _begun_by(kind: str) -> Sequence[Form]:
    found = _BEGINS.get(kind)
    if found is not None:
        return found
    return [Form(kind[:-6], _SECONDS)] if kind.endswith(".start") else ()


def _ended_by(kind: str) -> Sequence[tuple[Form, str]]:
    found = _ENDS.get(kind)
    if found is not None:
        return found
    name, _, edge = kind.rpartition(".")
    return [(Form(name, _SECONDS), edge)] if name and edge in (END, ERROR) \
        else ()


def _tables() -> tuple[dict, dict]:
    """Return event type → forms that it begins, and → what it ends how."""
    begins: dict[str, list[Form]] = {}
    ends: dict[str, list[tuple[Form, str]]] = {}

    def note(form: Form, start: Iterable[str], *edges) -> None:
        for kind in start:
            if form not in begins.setdefault(kind, []):
                begins[kind].append(form)
        for outcome, kinds in edges:
            for kind in kinds:
                if (form, outcome) not in ends.setdefault(kind, []):
                    ends[kind].append((form, outcome))

    for one in LIFECYCLES.values():
        if any(kind.endswith(".end") for kind in one.start):
            # What should follow an end: a deadline, and no work.
            continue
        plain = _plain(one)
        for form, start in plain:
            note(form, [start], (END, [f"{form.name}.end"]),
                 (ERROR, one.error), (GONE, one.gone))
        if not plain:
            note(Form(one.name, one.seconds), one.start, (END, one.end),
                 (ERROR, one.error), (GONE, one.gone))
    for forms in ends.values():
        # An end of its own comes before that of something else.
        forms.sort(key=lambda found: found[1] == GONE)
    return begins, ends


def _plain(one: Lifecycle) -> list[tuple[Form, str]]:
    """Return a form and a start for each of its events' common names."""
    return [(Form(kind[:-6], one.seconds), kind) for kind in one.start
            if kind.endswith(".start") and f"{kind[:-6]}.end" in one.end]


_BEGINS, _ENDS = _tables()
