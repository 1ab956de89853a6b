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

"""The form of the retired monasca-events-api, as existing senders use it.

``{"dimensions": {…}, "project_id": …, "event": {"event_type": …, "payload":
{…}, "priority": …, "publisher_id": …}}``, where ``event`` may hold anything.
"""

from monasca_events_api.canonical import SETTABLE
from monasca_events_common.errors import Rejected

#: Context of a notification that ties events together; the rest of it holds
#: the caller's token among other things and goes no further.
_CONTEXT = {"_context_request_id": "request_id",
            "_context_global_request_id": "global_request_id",
            "_context_user_id": "user_id"}

# Not the sender's to say, or of another meaning in this form.
_OWN = SETTABLE - {"traits", "dimensions", "payload", "marks", "source",
                   "received_at", "project_id"}


def is_item(item) -> bool:
    """Return whether this is an event in the old form."""
    return type(item) is dict and "event" in item


def fields(item: dict) -> dict:
    """Return what the sender set.

    Nothing in ``event`` is lost: what has no place of its own stays in the
    payload. Only the notification's context is dropped, which the mark
    ``redacted`` names.
    """
    inner = item.get("event")
    if type(inner) is not dict:
        raise Rejected("event is missing or not an object",
                       code="event_missing", where="event")
    given: dict = {}
    extras: dict = {}
    for name, value in inner.items():
        if name in _OWN:
            given[name] = value
        elif name.startswith("_context_"):
            if name in _CONTEXT and type(value) is str:
                given.setdefault(_CONTEXT[name], value)
        elif name != "payload":
            extras[name] = value
    given["payload"] = _payload(inner.get("payload"), extras)
    for name in ("timestamp", "message_id"):
        if name not in given and name in item:
            given[name] = item[name]
    if item.get("project_id") is not None:
        given["project_id"] = item["project_id"]
    dimensions = item.get("dimensions")
    if dimensions:
        given["dimensions"] = _strings(dimensions)
    return given


def redacted(item: dict) -> list[str]:
    """Return what :func:`fields` dropped."""
    inner = item.get("event")
    if type(inner) is not dict:
        return []
    return sorted(name for name in inner
                  if name.startswith("_context_") and name not in _CONTEXT)


def _payload(payload, extras: dict) -> dict:
    if payload is None:
        return extras
    if type(payload) is not dict:
        payload = {"payload": payload}
    if not extras:
        return payload
    return {**{name if name not in payload else f"event.{name}": value
               for name, value in extras.items()}, **payload}


def _strings(dimensions):
    """Return dimensions whose numbers and booleans became text."""
    if type(dimensions) is not dict:
        return dimensions
    return {name: value if type(value) is str else
            str(value) if type(value) in (int, float, bool) else value
            for name, value in dimensions.items()}
