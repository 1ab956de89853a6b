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


"""Compares what was sent with what was found: the judge of every fault test.

It takes the truth files, every stored event with the project under which it
was found, and the dead letters, and asserts: what was sent is stored or dead;
nothing is stored that was not sent; nothing is stored twice; nothing lies in
a foreign project; nothing sound is dead. It knows no stage of ours: the only
thing it computes is an event's id. Covers the checker of section 5 of the
reliability page.
"""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
import contextlib
import dataclasses
import json
import re

import orjson

from monasca_events_agent.traffic import truth
from monasca_events_agent.traffic.truth import Expected
from monasca_events_common.errors import Rejected
from monasca_events_common.event import event_id
from monasca_events_common.event import format_time
from monasca_events_common.event import parse_time

# An id in a notification's bytes, in an envelope (quotes escaped) or not.
_MESSAGE_ID = re.compile(rb'message_id\\*"\s*:\s*\\*"([^"\\]{1,700})')
_EVENT_ID = re.compile(rb'event_id\\*"\s*:\s*\\*"([0-9a-f-]{36})')
_MARKER = re.compile(rb"poison-\d+-\d+")

# Items that a text report lists of each kind of fault.
_SHOWN = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """The verdict. All but the counts must be empty.

    :ivar sent: distinct messages that were sent for sure
    :ivar unknown: distinct messages that may have been
    :ivar stored: distinct messages found stored; ``dead``: found dead
    :ivar dropped: left out by a documented policy that the caller named
    :ivar lost: sent, and neither stored nor dead
    :ivar twice: stored more than once
    :ivar foreign: stored in a project whose they are not
    :ivar strange: stored, and nobody sent them
    :ivar both: stored and dead
    :ivar buried: dead without being poison
    :ivar altered: stored with another type, time, resource or request id
    :ivar misjudged: poison whose fate is not what its kind deserves
    """

    sent: int
    unknown: int
    stored: int
    dead: int
    dropped: int
    repetitions: int
    lost: Sequence[str] = ()
    twice: Sequence[str] = ()
    foreign: Sequence[str] = ()
    strange: Sequence[str] = ()
    both: Sequence[str] = ()
    buried: Sequence[str] = ()
    altered: Sequence[str] = ()
    misjudged: Sequence[str] = ()

    @property
    def faults(self) -> dict[str, Sequence[str]]:
        """The kinds of fault that were found, with what they concern."""
        return {name: getattr(self, name) for name in FAULTS
                if getattr(self, name)}

    @property
    def ok(self) -> bool:
        return not self.faults

    def json(self) -> str:
        return json.dumps({"ok": self.ok, **dataclasses.asdict(self)},
                          indent=1)

    def text(self) -> str:
        """Return the verdict for people, one fault a line."""
        lines = [f"sent {self.sent} (+{self.unknown} perhaps, "
                 f"{self.repetitions} repetitions) = stored {self.stored} + "
                 f"dead {self.dead} + dropped {self.dropped} + lost "
                 f"{len(self.lost)}: " + ("ok" if self.ok else "NOT ok")]
        for name, found in self.faults.items():
            lines += [f"{name}: {one}" for one in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"{name}: … {len(found) - _SHOWN} more")
        return "\n".join(lines)


FAULTS = ("lost", "twice", "foreign", "strange", "both", "buried", "altered",
          "misjudged")


def check(truth_path: str | Sequence[str],
          found: Iterable[tuple[str, Mapping | bytes]],
          dead: Iterable = (), *, operator_project_id: str | None = None,
          dropped: Callable[[Expected], bool] | None = None,
          others: bool = False, graves: bool = False) -> Report:
    """Return the verdict on a run that has come to rest.

    :param truth_path: one truth file or several
    :param found: (project under which it was found, canonical event) of
        everything that the store or the API shows, each as often as it shows
    :param dead: dead letters: objects with ``raw`` and ``code``, raw bytes,
        or ids of messages
    :param operator_project_id: gets what names no project
    :param dropped: says which messages a documented policy leaves out
    :param others: allow stored events that are not of these runs
    :param graves: allow dead letters of sound messages, as where a site's
        limits are lower than what its services send
    """
    paths = [truth_path] if isinstance(truth_path, str) else truth_path
    case = _Case(truth.read(*paths), operator_project_id)
    for project_id, event in found:
        case.see_stored(project_id, event)
    for letter in dead:
        case.see_dead(letter)
    return case.judge(dropped or (lambda expected: False), others, graves)


class _Case:
    """Evidence, gathered piece by piece."""

    def __init__(self, expected: list[Expected], operator: str | None):
        self._expected = expected
        self._owners = [one.project_id or operator or ""
                        for one in expected]
        self._by_event_id: dict[str, int] = {}
        self._by_message_id: dict[str, int] = {}
        self._by_marker: dict[str, int] = {}
        for place, one in enumerate(expected):
            if one.message_id:
                self._by_message_id[one.message_id] = place
                self._by_event_id[event_id(self._owners[place],
                                           one.message_id)] = place
            if one.poison:
                self._by_marker[one.poison["marker"]] = place
        # project → event ids that others' messages would have there
        self._elsewhere: dict[str, dict[str, int]] = {}
        self._stored: collections.Counter[int] = collections.Counter()
        self._dead: dict[int, str | None] = {}
        self._foreign: list[str] = []
        self._strange: list[str] = []
        self._altered: list[str] = []

    def see_stored(self, project_id: str, event: Mapping | bytes) -> None:
        if not isinstance(event, Mapping):
            event = orjson.loads(event)
        place = self._by_event_id.get(event["event_id"])
        if place is None:
            place = self._suspect(project_id, event)
            if place is None:
                self._strange.append(f"event {event['event_id']} of type "
                                     f"{event.get('event_type')} in "
                                     f"{project_id}")
                return
        self._stored[place] += 1
        owner = self._owners[place]
        if project_id != owner or event.get("project_id", owner) != owner:
            self._foreign.append(
                f"{self._name(place)} of {owner} found in {project_id}, "
                f"saying {event.get('project_id')}")
        change = self._change(place, event)
        if change:
            self._altered.append(f"{self._name(place)}: {change}")

    def _suspect(self, project_id: str, event: Mapping) -> int | None:
        """Find whose event has an id that is not expected anywhere."""
        if self._by_marker:
            marker = _MARKER.search(orjson.dumps(event))
            if marker:
                return self._by_marker.get(marker.group().decode())
        if project_id not in self._elsewhere:
            self._elsewhere[project_id] = {
                event_id(project_id, message_id): place for message_id, place
                in self._by_message_id.items()}
        return self._elsewhere[project_id].get(event["event_id"])

    def _change(self, place: int, event: Mapping) -> str | None:
        one = self._expected[place]
        if one.poison:
            return None
        sent = {"event_type": one.event_type, "resource_id": one.resource_id,
                "request_id": one.request_id}
        with contextlib.suppress(Rejected):
            sent["timestamp"] = format_time(parse_time(one.timestamp))
        # What the truth does not say may be found elsewhere in a payload.
        return next((f"{name} {event.get(name)} instead of {value}"
                     for name, value in sent.items()
                     if value is not None and event.get(name) != value), None)

    def see_dead(self, letter) -> None:
        raw = getattr(letter, "raw", letter)
        code = getattr(letter, "code", None)
        if isinstance(raw, str):
            place = self._by_message_id.get(raw, self._by_event_id.get(raw))
        else:
            place = self._place_of(raw)
        if place is not None:
            self._dead[place] = code

    def _place_of(self, raw: bytes) -> int | None:
        for pattern, known in ((_MARKER, self._by_marker),
                               (_EVENT_ID, self._by_event_id),
                               (_MESSAGE_ID, self._by_message_id)):
            for match in pattern.finditer(raw):
                word = match.group(match.lastindex or 0).decode(
                    errors="replace")
                if word in known:
                    return known[word]
        return None

    def judge(self, dropped, others, graves) -> Report:
        lost, left_out = [], 0
        for place, one in enumerate(self._expected):
            if place in self._stored or place in self._dead:
                continue
            if dropped(one):
                left_out += 1
            elif one.outcome == truth.SENT:
                lost.append(f"{self._name(place)} of {self._owners[place]}")
        sent = sum(one.outcome == truth.SENT for one in self._expected)
        return Report(
            sent=sent, unknown=len(self._expected) - sent,
            stored=len(self._stored), dead=len(self._dead), dropped=left_out,
            repetitions=sum(one.copies - 1 for one in self._expected),
            lost=lost,
            twice=[f"{self._name(place)}: {count} times"
                   for place, count in self._stored.items() if count > 1],
            foreign=self._foreign, strange=[] if others else self._strange,
            both=[self._name(place) for place in self._stored
                  if place in self._dead],
            buried=[] if graves else
            [f"{self._name(place)} ({code})" for place, code
             in self._dead.items() if not self._expected[place].poison],
            altered=self._altered, misjudged=self._misjudged())

    def _misjudged(self) -> list[str]:
        found = []
        for place in self._by_marker.values():
            poison = self._expected[place].poison
            name = self._name(place)
            if poison["expect"] == "dead" and place in self._stored:
                found.append(f"{name} became an event")
            elif poison["expect"] == "stored" and place in self._dead:
                found.append(f"{name} became a dead letter "
                             f"({self._dead[place]})")
            elif (poison["code"] and self._dead.get(place)
                  and self._dead[place] != poison["code"]):
                found.append(f"{name} died of {self._dead[place]} instead of "
                             f"{poison['code']}")
        return found

    def _name(self, place: int) -> str:
        one = self._expected[place]
        if one.poison:
            return f"{one.poison['marker']} ({one.poison['kind']})"
        return f"{one.message_id} ({one.event_type})"
