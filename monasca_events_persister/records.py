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

from monasca_events_common import event as events
from monasca_events_common import old_form
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
    if delivery.headers.get("schema") != SCHEMA:
        delivery = old_form.ours(delivery)
    key, value, headers = delivery.key, delivery.value, delivery.headers
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


def _index(value: bytes) -> bytes:
    """Make what is searchable for a record that came back without it."""
    event = old_form.decode(value)
    try:
        return events.searchable(
            event, events.strings(event["payload"], events.Limits()))
    except (KeyError, TypeError, AttributeError) as error:
        raise Rejected(f"the event is not canonical: {error!r}",
                       code="invalid_record") from None
