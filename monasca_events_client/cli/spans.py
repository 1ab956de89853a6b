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

"""A timeline as lines of text. Pure: what the API answers in, lines out."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import datetime
from typing import Any

from monasca_events_client.cli import moments
from monasca_events_client.cli import printable

#: What a line is drawn of: the middle of a span, where it goes on or came
#: from without being seen, where it failed, and what has no length.
_SPAN, _ON, _FROM, _FAILED = "━", "▶", "◀", "✗"
_POINTS = {"event": "◆", "audit": "◇", "firing": "●", "log": "·"}

_HEIGHTS = "▁▂▃▄▅▆▇█"

#: Before the name of a step.
_STEP = "  "

#: State of a span → how it is told.
_STATES = {"open": "no end", "running": "running", "unbegun": "no start"}

#: Characters of another resource's id that tell it from others.
_BRIEF = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """Something that happened.

    :ivar start: None where it was not seen
    :ivar end: the same; the start of what has no length
    :ivar kind: ``span``, ``event``, ``audit``, ``firing`` or ``log``
    :ivar words: what is told beside the drawing
    :ivar is_step: of a span that is shown above it
    """

    name: str
    start: str | None
    end: str | None
    kind: str
    words: str = ""
    failed: bool = False
    is_step: bool = False

    @property
    def at(self) -> str:
        return self.start or self.end or ""


def lines(found: Mapping[str, Any]) -> list[Line]:
    """Return what a timeline holds, but for metrics, in the order of time."""
    subject = found.get("resource_id") or found.get("request_id")
    steps = [one for span in found["spans"] for one in span.get("steps", ())]
    made = [_of_span(one, subject) for one in found["spans"]]
    made += [_of_step(one) for one in steps]
    covered = {event_id for one in (*found["spans"], *steps)
               for event_id in one["event_ids"]}
    made += [_point(_named(one["event_type"], one, subject),
                    one["timestamp"], one["kind"])
             for one in found.get("events", ())
             if one["event_id"] not in covered]
    made += [_point(f"{one['trigger_name']}: {one['outcome']}", one["at"],
                    "firing") for one in found.get("firings", ())]
    made += [_point(str(one["message"]), one["timestamp"], "log")
             for one in found.get("logs", ())]
    return sorted(made, key=lambda line: (line.at, line.is_step,
                                          line.end or "~"))


def _of_span(span: Mapping[str, Any], subject: str | None) -> Line:
    words = _STATES.get(span["state"]) or moments.duration(span["seconds"])
    if span["outcome"] not in (None, "end"):
        words += f", {span['outcome']}"
    return Line(_named(span["name"], span, subject), span["start"],
                span["end"], "span", words, span["outcome"] == "error")


def _of_step(step: Mapping[str, Any]) -> Line:
    line = _of_span(step, step.get("resource_id"))
    return dataclasses.replace(line, name=f"{_STEP}{line.name}", is_step=True)


def _named(name: str, one: Mapping[str, Any], subject: str | None) -> str:
    """Return a name with what it is about, where that is another thing."""
    other = one.get("resource_id")
    if not other or other == subject:
        return name
    return f"{name} {other[:_BRIEF]}"


def _point(name: str, at: str, kind: str) -> Line:
    return Line(name, at, at, kind)


def draw(title: str, found: Mapping[str, Any], cells: int) -> Iterator[str]:
    """Yield the lines of a picture so wide.

    :param found: a timeline in which something happened
    """
    made = lines(found)
    first = min(_seconds(one.at) for one in made)
    last = max(_seconds(one.end or one.at) for one in made)
    yield printable.cut(printable.escape(title), cells)
    yield (f"{moments.shown(made[0].at)} UTC, "
           f"{moments.duration(last - first)}: {_counted(found)}")
    yield ""
    metrics = [one for one in found.get("metrics", ()) if one["points"]]
    days = made[0].at[:10] != max(one.end or one.at for one in made)[:10]
    layout = _Layout.of(made, metrics, cells, days, first, last)
    gaps = list(found["gaps"])
    for one in made:
        while gaps and gaps[0]["end"] <= one.at:
            yield (" " * layout.times + "  … "
                   + moments.duration(gaps.pop(0)["seconds"])
                   + " without an event …")
        yield layout.line(_clock(one.at, days), one.name,
                          _drawn(one, layout), one.words)
    for one in metrics:
        yield layout.line("", one["name"], _curve(one["points"], layout),
                          _range(one))


def _counted(found: Mapping[str, Any]) -> str:
    parts = []
    for name, one, several in (
            ("events", "event", "events"), ("firings", "firing", "firings"),
            ("logs", "line of a log", "lines of logs")):
        count = len(found.get(name, ()))
        if count or name == "events":
            parts.append(f"{count} {one if count == 1 else several}")
    return ", ".join(parts)


@dataclasses.dataclass(frozen=True, slots=True)
class _Layout:
    """Where things stand in a line: time, name, drawing, words."""

    times: int
    names: int
    room: int
    first: float
    whole: float

    @classmethod
    def of(cls, made: Sequence[Line], metrics: Sequence[Mapping], cells: int,
           days: bool, first: float, last: float) -> "_Layout":
        times = len(_clock(made[0].at, days))
        words = max(map(printable.width, [
            *(one.words for one in made), *map(_range, metrics)]))
        widest = max(printable.width(printable.escape(name)) for name in (
            *(one.name for one in made), *(one["name"] for one in metrics)))
        names = min(widest, max(cells - times - words - 26, 16))
        room = max(cells - times - names - words - 6, 6)
        return cls(times, names, room, first, last - first)

    def line(self, time: str, name: str, drawn: str, words: str) -> str:
        return (f"{time:{self.times}}  "
                f"{printable.pad(printable.escape(name), self.names)}  "
                f"{printable.pad(drawn, self.room)}  {words}").rstrip()

    def place(self, seconds: float) -> int:
        """Return the column of a time."""
        share = (seconds - self.first) / self.whole if self.whole else 0.0
        return min(round(share * (self.room - 1)), self.room - 1)


def _drawn(line: Line, layout: _Layout) -> str:
    if line.kind != "span":
        return " " * layout.place(_seconds(line.at)) + _POINTS[line.kind]
    start = 0 if line.start is None else layout.place(_seconds(line.start))
    end = layout.room - 1 if line.end is None \
        else layout.place(_seconds(line.end))
    marks = [_SPAN] * (end - start + 1)
    if line.start is None:
        marks[0] = _FROM
    if line.end is None:
        marks[-1] = _ON
    elif line.failed:
        marks[-1] = _FAILED
    return " " * start + "".join(marks)


def _curve(points: Sequence[tuple[str, float]], layout: _Layout) -> str:
    """Return the course of a metric, as far as the picture goes."""
    columns: dict[int, list[float]] = {}
    for at, value in points:
        column = layout.place(_seconds(at)) if layout.first <= _seconds(
            at) <= layout.first + layout.whole else None
        if column is not None:
            columns.setdefault(column, []).append(value)
    low = min(value for _, value in points)
    high = max(value for _, value in points)
    drawn = [" "] * (max(columns, default=-1) + 1)
    for column, values in columns.items():
        share = (sum(values) / len(values) - low) / (high - low or 1)
        drawn[column] = _HEIGHTS[round(share * (len(_HEIGHTS) - 1))]
    return "".join(drawn)


def _range(metric: Mapping[str, Any]) -> str:
    values = [value for _, value in metric["points"]]
    unit = printable.escape(metric.get("unit") or "")
    return f"{min(values):g} to {max(values):g} {unit}".rstrip()


def _seconds(moment: str) -> float:
    return datetime.datetime.fromisoformat(moment).timestamp()


def _clock(moment: str, days: bool) -> str:
    return moments.shown(moment) if days else moment[11:23]
