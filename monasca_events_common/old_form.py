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


"""The old form: messages of the retired monasca-events-api on the bus.

An old API can go on feeding a new persister and a new engine: whoever reads
a record without a ``schema`` header asks this module for one of ours. Pure:
no I/O, no clock. Nothing writes the old form any more.
"""

import hashlib

import orjson

from monasca_events_common import event as events
from monasca_events_common.bus import Delivery
from monasca_events_common.bus import Record
from monasca_events_common.bus import SCHEMA
from monasca_events_common.errors import Rejected


def decode(value: bytes) -> dict:
    """Return a record's JSON object.

    :raises Rejected: it is none
    """
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"the record is not JSON: {error}",
                       code="not_json") from None
    if not isinstance(found, dict):
        raise Rejected("the record is not a JSON object", code="not_json")
    return found


def ours(delivery: Delivery) -> Delivery:
    """Return a record without our schema as one of ours, in its place.

    :raises Rejected: it has another schema, or is of no known form; ``code``
        says why
    """
    schema = delivery.headers.get("schema")
    if schema is not None:
        raise Rejected(f"the record has schema {schema[:16]!r}; this release "
                       f"knows {SCHEMA!r}", code="unsupported_version")
    made = _record(delivery)
    return Delivery(made.key, made.value, made.headers, delivery.partition,
                    delivery.offset)


def _record(delivery: Delivery) -> Record:
    """Return a message of the old API as a record of ours.

    Its shape is ``{"event": {…}, "creation_time": epoch seconds,
    "meta": {"project_id": …}}`` (monasca-events-api, topic ``monevents``).
    """
    message = decode(delivery.value)
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
    return events.record(_canonical(delivery, message, body, project_id,
                                    event_type))


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
