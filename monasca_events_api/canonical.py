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

"""Making a canonical event of the fields that a sender set.

The API's side of :mod:`monasca_events_common.event`: defaults, checks of each
field, the event's identity and time. Pure: the time and whose request it is
are arguments.
"""

from collections.abc import Mapping
import dataclasses
import datetime
import secrets

from monasca_events_common import event
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import TooLarge

#: What anybody who may post may set.
SETTABLE = frozenset(event.FIELDS) | {"message_id"}

#: Optional fields that hold one string.
_TEXTS = ("publisher_id", "resource_type", "resource_id", "user_id",
          "domain_id", "request_id", "global_request_id")

#: String pairs in ``dimensions``, and characters of a name there.
MAX_DIMENSIONS = 100
MAX_NAME = 255

#: How far an event's time may lie ahead.
AHEAD = datetime.timedelta(days=1)

#: How far it may differ from the arrival without being marked.
SKEW = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """When a request came and what it may claim.

    :ivar now: the time of the request
    :ivar text: the same as canonical text
    :ivar oldest: an event's own time may not lie before it
    :ivar newest: nor after it
    :ivar trusted: the sender may set ``source``, ``received_at``, ``marks``;
        from others these three are not taken
    :ivar fallback: the batch's time, for events that have none
    """

    now: datetime.datetime
    text: str
    oldest: datetime.datetime
    newest: datetime.datetime
    trusted: bool = False
    fallback: object = None


def complete(given: Mapping, project_id: str, arrival: Arrival) -> dict:
    """Return the canonical event.

    :param given: fields that the sender set, nothing checked yet
    :raises Rejected: one of them is wrong; ``where`` names it
    """
    if not SETTABLE.issuperset(given):
        name = min(set(given) - SETTABLE)
        raise Rejected(
            f"the event has the unknown field {name[:80]!r}; data of your own "
            "belongs into payload, traits or dimensions",
            code="unknown_field", where=name[:80])
    get = given.get
    event_type = get("event_type")
    if not event_type or type(event_type) is not str or not event_type.strip():
        raise Rejected("the event has no event_type; expected a string such "
                       "as compute.instance.create.end",
                       code="event_type_missing", where="event_type")
    if not event_type.isprintable():
        raise Rejected("event_type has characters that cannot be printed",
                       code="invalid_event_type", where="event_type")
    if len(event_type) > event.MAX_STRING:
        _check_text("event_type", event_type)
    # In the order of _TEXTS; spelt out, as it takes half the time.
    texts = (get("publisher_id"), get("resource_type"), get("resource_id"),
             get("user_id"), get("domain_id"), get("request_id"),
             get("global_request_id"))
    for value in texts:
        if value is not None and (type(value) is not str or not value
                                  or len(value) > event.MAX_STRING):
            texts = tuple(map(_text, _TEXTS, texts))
            break
    publisher_id, resource_type, resource_id, user_id, domain_id, \
        request_id, global_request_id = texts
    payload = get("payload")
    if payload is None:
        payload = {}
    elif type(payload) is not dict:
        raise Rejected("payload is not an object", code="invalid_payload",
                       where="payload")
    traits = get("traits")
    dimensions = get("dimensions")
    source_id = _source_id(given)
    received_at, source, marks = arrival.text, "api", {}
    moment = arrival.now
    if arrival.trusted:
        received_at, moment = _received_at(get("received_at"), arrival)
        source = _text("source", get("source")) or "api"
        marks = _marks(get("marks"))
    timestamp, skewed = _timestamp(get("timestamp"), source_id is not None,
                                   received_at, moment, arrival)
    if skewed is not None:
        marks["clock_skew"] = skewed
    priority = _text("priority", get("priority"))
    return {
        # Without an id of its own an event is a new one each time it is sent.
        "event_id": event.event_id(project_id,
                                   source_id or secrets.token_hex(16)),
        "project_id": project_id,
        "event_type": event_type,
        "timestamp": timestamp,
        "received_at": received_at,
        "publisher_id": publisher_id,
        "priority": priority.upper() if priority else "INFO",
        "source": source,
        "resource_type": resource_type,
        "resource_id": resource_id,
        "user_id": user_id,
        "domain_id": domain_id,
        "request_id": request_id,
        "global_request_id": global_request_id,
        "traits": event.check_traits(traits) if traits else {},
        "dimensions": _dimensions(dimensions) if dimensions else {},
        "payload": payload,
        "marks": marks,
    }


def _text(name: str, value) -> str | None:
    """Return the string, None for an empty one."""
    if value is None or value == "":
        return None
    _check_text(name, value)
    return value


def _check_text(name: str, value) -> None:
    if type(value) is not str:
        raise Rejected(f"{name} is not a string", code="invalid_field",
                       where=name)
    if len(value) > event.MAX_STRING:
        raise TooLarge(f"{name} has more than {event.MAX_STRING} characters",
                       code="field_too_large", where=name)


def _source_id(given: Mapping) -> str | None:
    """Return the id that the sender gave, None where it gave none."""
    for name in ("event_id", "message_id"):
        value = given.get(name)
        if value is not None and value != "":
            _check_text(name, value)
            return value
    return None


def _received_at(value, arrival: Arrival) -> tuple[str, datetime.datetime]:
    if value is None:
        return arrival.text, arrival.now
    moment, text = _parse(value)
    if moment > arrival.now:
        # Nobody of ours has seen it before it reaches us.
        return arrival.text, arrival.now
    return text, moment


def _timestamp(own, has_id: bool, received_at: str,
               received: datetime.datetime,
               arrival: Arrival) -> tuple[str, str | None]:
    """Return the event's time, and the original where it was doubtful.

    An event with an id of its own may be sent again, and its copy must meet
    it in the same period of the store: its time is taken as it is or not at
    all. Where the identity is fresh anyway nothing can be missed, and the time
    of arrival is a better answer than a refusal.
    """
    value = arrival.fallback if own is None or own == "" else own
    if value is None or value == "":
        return received_at, None
    lenient = value is not own or not has_id
    try:
        moment, text = _parse(value)
    except Rejected as error:
        if value is own:
            error.where = "timestamp"
            raise
        return received_at, str(value)[:64]
    if not arrival.oldest <= moment <= arrival.newest:
        if not lenient:
            raise Rejected(
                f"timestamp {str(value)[:64]!r} lies outside of the window "
                f"from {event.format_time(arrival.oldest)} to "
                f"{event.format_time(arrival.newest)}",
                code="timestamp_out_of_window", where="timestamp")
        return received_at, str(value)[:64]
    if abs(moment - received) > SKEW:
        return text, str(value)[:64]
    return text, None


def _parse(value) -> tuple[datetime.datetime, str]:
    """Return the time and its canonical text, at once where it is that."""
    if type(value) is str and len(value) == 27 \
            and value[4] == value[7] == "-" \
            and value[10] == "T" and value[19] == "." and value[26] == "Z":
        try:
            return datetime.datetime.fromisoformat(value), value
        except ValueError:
            pass  # A leap second, or nonsense.
    moment = event.parse_time(value)
    return moment, event.format_time(moment)


def _marks(value) -> dict:
    if value is None:
        return {}
    if type(value) is not dict:
        raise Rejected("marks is not an object", code="invalid_field",
                       where="marks")
    return dict(value)


def _dimensions(value) -> dict:
    if type(value) is not dict:
        raise Rejected("dimensions is not an object of string pairs",
                       code="invalid_dimensions", where="dimensions")
    if len(value) > MAX_DIMENSIONS:
        raise TooLarge(f"there are more than {MAX_DIMENSIONS} dimensions",
                       code="too_many_dimensions", where="dimensions")
    for name, text in value.items():
        if not name or len(name) > MAX_NAME or type(text) is not str \
                or len(text) > event.MAX_STRING:
            raise Rejected(
                f"dimensions has {name[:80]!r} of another kind; expected a "
                f"name of at most {MAX_NAME} and a string of at most "
                f"{event.MAX_STRING} characters", code="invalid_dimensions",
                where=f"dimensions.{name[:80]}")
    return value
