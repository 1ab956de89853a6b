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

"""CADF, the audit events of keystonemiddleware, Keystone and others.

The whole CADF object is the payload; what other events can be tied to by is
taken out of it. ``action`` becomes the event type: ``read/list`` is
``audit.read.list``.
"""

from monasca_events_common import event
from monasca_events_common.errors import Rejected

MEDIA_TYPE = "application/cadf+json"

TYPE_URI = "http://schemas.dmtf.org/cloud/audit/1.0/event"


def is_event(item) -> bool:
    """Return whether this is a CADF event."""
    return type(item) is dict and item.get("typeURI") == TYPE_URI


def fields(item: dict) -> dict:
    """Return what the sender set."""
    action = item.get("action")
    if type(action) is not str or not action:
        raise Rejected("action is missing or not a string",
                       code="invalid_cadf", where="action")
    traits = {"action": action}
    for name in ("outcome", "eventType"):
        if type(item.get(name)) is str:
            traits[name] = item[name]
    reason = _part(item, "reason").get("reasonCode")
    if event.trait_type(reason):
        traits["reason_code"] = reason
    target = _part(item, "target")
    initiator = _part(item, "initiator")
    return {
        "event_id": item.get("id"),
        "event_type": "audit." + action.replace("/", "."),
        "timestamp": item.get("eventTime"),
        "publisher_id": (_part(item, "observer").get("id")
                         or item.get("observerId")),
        "resource_type": target.get("typeURI"),
        "resource_id": target.get("id") or item.get("targetId"),
        "user_id": initiator.get("id") or item.get("initiatorId"),
        "request_id": initiator.get("request_id"),
        "global_request_id": initiator.get("global_request_id"),
        "traits": traits,
        "payload": item,
    }


def _part(item: dict, name: str) -> dict:
    part = item.get(name)
    return part if type(part) is dict else {}
