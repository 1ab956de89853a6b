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

"""From a bus record to a document for the store.

A record of ours is passed through: headers and raw bytes make the document
and nothing is decoded. A record of the retired monasca-events-api, which has
no ``schema`` header, is decoded and brought into canonical form. Pure: no
I/O, no clock.
"""

import hashlib

import orjson

from monasca_events_common import event as events
from monasca_events_common.bus import Delivery
from monasca_events_common.bus import SCHEMA
from monasca_events_common.errors import Rejected
from monasca_events_common.store import Document


# A number is found in bytes four times as fast as bytes of that one are.
_LINE_BREAK = ord("\n")


def document(delivery: Delivery) -> Document:
    """Return the document of a record.

    :raises Rejected: it can never be stored; ``code`` says why
    """
    key, value, headers = delivery.key, delivery.value, delivery.headers
    if headers.get("schema") != SCHEMA:
        return _other(delivery)
    try:
        event_id = headers["event_id"]
        event_type = headers["event_type"].decode()
        timestamp = headers["timestamp"].decode()
        project_id, identity = key.decode(), event_id.decode()
    except (KeyError, UnicodeDecodeError) as error:
        raise Rejected(f"the record lacks a header: {error}",
                       code="invalid_record") from None
    # Whoever can write to the bus can forge a record. The canonical bytes
    # begin with these two fields, so comparing the start proves without
    # decoding that the body belongs to the tenant whose index it enters; a
    # line break would begin a second action in a bulk request.
    if _LINE_BREAK in value or not value.startswith(
            b'{"event_id":"%b","project_id":"%b",' % (event_id, key)):
        raise Rejected("the record's body is not the event that its key and "
                       "headers announce", code="forged_record")
    index = headers.get("index")
    if index is None:
        index = _index(value)
    elif _LINE_BREAK in index:
        raise Rejected("the record's index header holds a line break",
                       code="forged_record")
    return Document(project_id, identity, event_type, timestamp, value, index)


def _other(delivery: Delivery) -> Document:
    """Return the document of a record without our schema."""
    schema = delivery.headers.get("schema")
    if schema is None:
        return _old(delivery)
    raise Rejected(f"the record has schema {schema[:16]!r}; this persister "
                   f"knows {SCHEMA!r}", code="unsupported_version")


def _index(value: bytes) -> bytes:
    """Make what is searchable for a record that came back without it."""
    event = _decode(value)
    try:
        return events.searchable(
            event, events.strings(event["payload"], events.Limits()))
    except (KeyError, TypeError, AttributeError) as error:
        raise Rejected(f"the event is not canonical: {error!r}",
                       code="invalid_record") from None


def _decode(value: bytes):
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"the record is not JSON: {error}",
                       code="not_json") from None
    if not isinstance(found, dict):
        raise Rejected("the record is not a JSON object", code="not_json")
    return found


def _old(delivery: Delivery) -> Document:
    """Bring a message of the old API into canonical form.

    Its shape is ``{"event": {…}, "creation_time": epoch seconds,
    "meta": {"project_id": …}}`` (monasca-events-api, topic ``monevents``).
    """
    message = _decode(delivery.value)
    body, meta = message.get("event"), message.get("meta")
    if not isinstance(body, dict) or not isinstance(meta, dict):
        raise Rejected("the record has neither a schema header nor the old "
                       "form's event and meta", code="invalid_record")
    project_id = meta.get("project_id")
    event_type = body.get("event_type")
    if not isinstance(project_id, str) or not isinstance(event_type, str) \
            or not event_type:
        raise Rejected("the old message lacks meta.project_id or "
                       "event.event_type", code="invalid_record")
    event = _canonical(delivery, message, body, project_id, event_type)
    record = events.record(event)
    return Document(project_id, event["event_id"], event_type,
                    event["timestamp"], record.value,
                    record.headers["index"])


def _canonical(delivery: Delivery, message: dict, body: dict,
               project_id: str, event_type: str) -> dict:
    received = events.format_time(
        events.parse_time(message.get("creation_time") or 0))
    timestamp = received
    if body.get("timestamp") is not None:
        timestamp = events.format_time(events.parse_time(body["timestamp"]))
    # Without an id of its own the message's place in the log identifies it,
    # so that a redelivery is a repeat and an equal message is not.
    source_id = body.get("message_id") or (
        f"{delivery.partition}/{delivery.offset}/"
        f"{hashlib.sha256(delivery.value).hexdigest()}")
    payload = body.get("payload")
    event = dict.fromkeys(events.FIELDS)
    event.update(
        event_id=events.event_id(project_id, str(source_id)),
        project_id=project_id, event_type=event_type, timestamp=timestamp,
        received_at=received, source="api",
        publisher_id=_text(body.get("publisher_id")),
        priority=(_text(body.get("priority")) or "INFO").upper(),
        traits={}, dimensions=_dimensions(body.get("dimensions")),
        payload=payload if isinstance(payload, dict) else
        {} if payload is None else {"value": payload}, marks={})
    return event


def _text(value) -> str | None:
    return None if value is None else str(value)[:events.MAX_STRING]


def _dimensions(value) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(name)[:64]: str(text)[:events.MAX_STRING]
            for name, text in value.items()}
