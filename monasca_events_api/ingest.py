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

"""From a request's body to records for the bus.

Pure: the body, who sends it, the rules and the time are arguments; nothing is
published here. Each event stands for itself: what is wrong with one is said
of it by its index, and the others go on.
"""

from collections.abc import Callable, Sequence
import dataclasses
import datetime
import re

from monasca_events_api import canonical
from monasca_events_api.inputs import body as bodies
from monasca_events_api.inputs import cadf
from monasca_events_api.inputs import monasca
from monasca_events_common import event
from monasca_events_common.bus import Record
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import TooLarge


@dataclasses.dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is.

    :ivar project_id: the project of the token
    :ivar delegate: may post for other projects
    :ivar default_project: the project of events that name none, where it is
        not the token's
    """

    project_id: str
    delegate: bool = False
    default_project: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What is accepted; the options at the time of the request."""

    event: event.Limits
    max_events: int
    accept_past: datetime.timedelta
    project_id: re.Pattern


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Events of one request, decoded but not yet looked at.

    :ivar fields: returns what the sender set in one item
    :ivar old: in the form of the retired monasca-events-api
    :ivar fallback: the batch's time
    """

    items: Sequence
    fields: Callable[[object], dict]
    old: bool = False
    fallback: object = None


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What became of a request's events.

    :ivar event_ids: of the accepted ones, in their order
    :ivar rejected: index, code and message of the others
    """

    records: list[Record]
    event_ids: list[str]
    rejected: list[dict]
    old: bool

    def body(self) -> dict:
        """Return what the sender is told."""
        return {"accepted": len(self.event_ids), "rejected": self.rejected,
                "event_ids": self.event_ids}


class NothingAccepted(Rejected):
    """Every event of the request was wrong."""

    code = "nothing_accepted"

    def __init__(self, rejected: Sequence[dict]) -> None:
        first = rejected[0]
        super().__init__(
            f"events[{first['index']}]: {first['message']}"
            + (f"; nor are the {len(rejected) - 1} other events acceptable"
               if len(rejected) > 1 else ""),
            where=f"events[{first['index']}]")
        self.rejected = list(rejected)


def open_json(body: bytes) -> Batch:
    """Return the batch of ``{"events": […]}``, old form or ours, or CADF.

    :raises Rejected: there are no events in it
    """
    content = bodies.decode(body)
    if cadf.is_event(content):
        return Batch([content], cadf.fields)
    if type(content) is not dict:
        raise Rejected("the body is not an object; expected "
                       '{"events": [{"event_type": …}]}', code="no_events")
    items = content.get("events")
    if type(items) is not list or not items:
        raise Rejected("events is missing, empty or not an array",
                       code="no_events", where="events")
    old = any(map(monasca.is_item, items))
    unknown = content.keys() - {"events", "timestamp"}
    if unknown and not old:
        name = min(unknown)[:80]
        raise Rejected(f"the body has the unknown field {name!r}",
                       code="unknown_field", where=name)
    return Batch(items, monasca.fields if old else own_fields, old,
                 content.get("timestamp"))


def own_fields(item) -> dict:
    """Return what the sender of our own form set: the item itself."""
    if type(item) is not dict:
        raise Rejected("the event is not an object", code="invalid_event")
    if "typeURI" in item and cadf.is_event(item):
        return cadf.fields(item)
    return item


def ingest(batch: Batch, sender: Sender, rules: Rules,
           now: datetime.datetime) -> Result:
    """Return records of the acceptable events and what is wrong with others.

    :raises NothingAccepted: all are wrong, of differing kinds
    :raises Rejected, Forbidden: all are wrong in this one way
    """
    if len(batch.items) > rules.max_events:
        raise TooLarge(f"the request has {len(batch.items)} events; at most "
                       f"{rules.max_events} are accepted at once",
                       code="too_many_events", where="events")
    arrival = canonical.Arrival(now, event.format_time(now),
                                now - rules.accept_past,
                                now + canonical.AHEAD, sender.delegate,
                                batch.fallback)
    records: list[Record] = []
    event_ids: list[str] = []
    failures: list[tuple[int, Exception]] = []
    for index, item in enumerate(batch.items):
        try:
            given = batch.fields(item)
            project_id = _project(given.get("project_id"), sender, rules)
            made = canonical.complete(given, project_id, arrival)
            if batch.old:
                dropped = monasca.redacted(item)
                if dropped:
                    made["marks"]["redacted"] = dropped
            records.append(_record(made, rules.event))
            event_ids.append(made["event_id"])
        except (Rejected, Forbidden) as error:
            failures.append((index, error))
    rejected = [_rejection(index, error) for index, error in failures]
    if not records:
        _refuse([error for _, error in failures], rejected)
    return Result(records, event_ids, rejected, batch.old)


def _record(made: dict, limits: event.Limits) -> Record:
    try:
        return event.record(made, limits)
    except Rejected:
        # What stands for an integer beyond 64 bits has no JSON form. To look
        # for it only now keeps the walk off the usual way.
        if bodies.has_too_long(made):
            raise Rejected("the event has an integer that 64 bits cannot "
                           "hold; send it as a string",
                           code="integer_too_large") from None
        raise


def _project(named, sender: Sender, rules: Rules) -> str:
    """Return the project that the event belongs to."""
    if named is None or named == "":
        return sender.default_project or sender.project_id
    if named == sender.project_id:
        return named
    if not sender.delegate:
        raise Forbidden("project_id is another project than the token's; "
                        "only a delegate may post for others",
                        code="forbidden_project", where="project_id")
    check_project(named, rules.project_id)
    return named


def check_project(project_id, pattern: re.Pattern) -> None:
    """Raise Rejected where this cannot be the id of a project."""
    if type(project_id) is not str or not pattern.fullmatch(project_id):
        raise Rejected("project_id is not the id of a project; expected 32 "
                       "hexadecimal digits or a UUID",
                       code="invalid_project", where="project_id")


def _rejection(index: int, error) -> dict:
    return {"index": index, "code": error.code, "message": str(error)}


def _refuse(errors: Sequence[Exception], rejected: Sequence[dict]) -> None:
    """Raise what says best that nothing was accepted."""
    alike = {type(error) for error in errors}
    refusal: Exception = NothingAccepted(rejected)
    if alike in ({TooLarge}, {Forbidden}):
        first = errors[0]
        refusal = type(first)(str(refusal), code=first.code)
        refusal.rejected = list(rejected)
    raise refusal
