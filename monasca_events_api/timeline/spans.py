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
of request, and they have one in common. One operation is one span: its steps
are in it, and what several events say of it, as nova's two formats do, makes
no second one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """A kind of span.

    :ivar operation: what it is of; several forms may be of one
    :ivar seconds: within which it should have ended
    :ivar steps: the operations that are steps of it
    :ivar is_told: whether its beginning is told with the resource's id, so
        that an end without one says that something is missing
    """

    name: str
    operation: str
    seconds: float
    steps: frozenset[str] = frozenset()
    is_told: bool = False


@dataclasses.dataclass(slots=True, eq=False)
class Span:
    """Something that began, ended, or both.

    :ivar heard: types of the events that told so
    """

    form: Form
    start: Mapping | None
    end: Mapping | None = None
    outcome: str | None = None
    steps: list["Span"] = dataclasses.field(default_factory=list)
    heard: set[str] = dataclasses.field(default_factory=set)


def pair(events: Iterable[Mapping]) -> list[Span]:
    """Return the spans of events, in the order in which they are known.

    :param events: oldest first
    """
    pairing = _Pairing()
    for event in events:
        pairing.end(event)
        pairing.begin(event)
    return pairing.spans


class _Pairing:
    """Spans so far, and which of them are under way."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        #: Operation → what has begun and did not end, oldest first.
        self._open: dict[str, list[Span]] = {}
        #: Operation and ids of an end → what it ended last.
        self._ended: dict[tuple, Span] = {}

    def begin(self, event: Mapping) -> None:
        kind = event["event_type"]
        for form in _begun_by(kind):
            begun = self._open.setdefault(form.operation, [])
            if any(_is_heard(one, kind) for one in begun
                   if _belongs(one.start, event)):
                continue
            span = Span(form, event, heard={kind})
            if self._put(span, event):
                begun.append(span)

    def end(self, event: Mapping) -> None:
        """End what an event ends; make a span where it ends what nobody saw
        begin and should have."""
        kind = event["event_type"]
        for form, outcome in _ended_by(kind):
            key = _key(form, event)
            begun = [one for one in self._open.get(form.operation, ())
                     if (_is_of_the_same if outcome == GONE else _belongs)(
                         one.start, event)]
            for one in begun if outcome == GONE else begun[-1:]:
                one.end, one.outcome = event, outcome
                one.heard.add(kind)
                self._open[form.operation].remove(one)
                self._ended[key] = self._ended[_key(form, one.start)] = one
            if not begun and _is_missed(form, event) and not (
                    key in self._ended and _is_heard(self._ended[key], kind)):
                span = Span(form, None, event, outcome, heard={kind})
                self._put(span, event)
                self._ended[key] = span

    def _put(self, span: Span, event: Mapping) -> bool:
        """Put a span where it belongs; return False where it is no other
        operation than the one that is under way."""
        for operation in _WHOLES.get(span.form.operation, ()):
            for whole in reversed(self._open.get(operation, ())):
                if _belongs(whole.start, event):
                    if not span.form.steps:
                        whole.steps.append(span)
                    return not span.form.steps
        self.spans.append(span)
        return True


def _key(form: Form, event: Mapping) -> tuple:
    return (form.operation, event.get("resource_id"), event.get("request_id"))


def _is_heard(span: Span, kind: str) -> bool:
    """Note that another event tells of a span; False where it told so once,
    and tells of another one now."""
    if kind in span.heard:
        return False
    span.heard.add(kind)
    return True


def _is_missed(form: Form, end: Mapping) -> bool:
    """Whether an end without a beginning says that one is missing.

    Of what happened to something else in the same request only a part is
    known, and that who ends it tells of beginnings is known of lifecycles.
    """
    return (form.is_told and not end.get("related")
            and end.get("resource_id") is not None
            and end["event_type"] in (f"{form.name}.end",
                                      f"{form.name}.error"))


def _is_of_the_same(start: Mapping, end: Mapping) -> bool:
    """Whether both are of one resource: it is deleted by another request."""
    return start.get("resource_id") is not None \
        and start["resource_id"] == end.get("resource_id")


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
    return {**_step(span, now), "steps": [
        _step(one, now) for one in span.steps]}


def _step(span: Span, now: datetime.datetime) -> dict[str, Any]:
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
    :param spans: as JSON; complete ones cover time, and running ones what
        came after their start
    :param least: seconds from which on a stretch counts; a quarter of the
        whole time and a minute unless given
    """
    if not events:
        return []
    stretches = sorted(
        [(one["timestamp"], one["timestamp"]) for one in events]
        + [(one["start"], one["end"] or events[-1]["timestamp"])
           for one in spans if one["state"] in ("complete", "running")])
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
    return [_unknown(kind[:-6])] if kind.endswith(".start") else ()


def _ended_by(kind: str) -> Sequence[tuple[Form, str]]:
    found = _ENDS.get(kind)
    if found is not None:
        return found
    name, _, edge = kind.rpartition(".")
    return [(_unknown(name), edge)] if name and edge in (END, ERROR) \
        else ()


def _unknown(name: str) -> Form:
    return Form(name, name, _SECONDS)


def _tables() -> tuple[dict, dict, dict]:
    """Return event type → forms that it begins, → what it ends how, and
    operation → those that it is a step of."""
    begins: dict[str, list[Form]] = {}
    ends: dict[str, dict[str, tuple[Form, str]]] = {}
    wholes: dict[str, list[str]] = {}
    for one in LIFECYCLES.values():
        for form, start, end in _forms(one):
            for kind in start:
                begins.setdefault(kind, []).append(form)
            for outcome, kinds in ((END, end), (ERROR, one.error),
                                   (GONE, one.gone)):
                for kind in kinds:
                    forms = ends.setdefault(kind, {})
                    if form.operation not in forms or kind.startswith(
                            f"{form.name}."):
                        forms[form.operation] = form, outcome
            for step in form.steps:
                wholes.setdefault(step, []).append(form.operation)
    # What something is a step of is there before it and ends after it; an end
    # of its own comes before that of something else.
    for found in begins.values():
        found.sort(key=lambda form: -len(form.steps))
    ordered = {kind: sorted(forms.values(), key=lambda found: (
        found[1] == GONE, len(found[0].steps)))
        for kind, forms in ends.items()}
    for names in wholes.values():
        # Within the greater one the lesser one is no operation of its own.
        names.sort(key=wholes.__contains__)
    return begins, ordered, wholes


def _forms(one: Lifecycle
           ) -> Iterator[tuple[Form, Sequence[str], Sequence[str]]]:
    """Yield forms with their starts and ends: one for each common name of
    its events, or one for all of them."""
    if any(kind.endswith(".end") for kind in one.start):
        # What should follow an end: a deadline, and no work.
        return
    told = one.group_by[0] == "resource_id"
    plain = [kind[:-6] for kind in one.start if kind.endswith(".start")
             and f"{kind[:-6]}.end" in one.end]
    for name in plain:
        yield (Form(name, one.name, one.seconds, is_told=told),
               [f"{name}.start"], [f"{name}.end"])
    if not plain:
        yield (Form(one.name, one.name, one.seconds, frozenset(one.steps),
                    told), one.start, one.end)


_BEGINS, _ENDS, _WHOLES = _tables()
