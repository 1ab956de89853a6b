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

"""CloudEvents 1.0, in the structured, batched and binary modes of HTTP.

===================== ======================================================
attribute             becomes
===================== ======================================================
``source``, ``id``    the identity, together; ``source`` also publisher_id
``type``              event_type
``time``              timestamp
``subject``           resource_id
``data``              payload; what is not an object under its key ``data``
any other             a trait of the same name
===================== ======================================================
"""

import base64
from collections.abc import Mapping
from urllib import parse

import orjson

from monasca_events_api.inputs import body as bodies
from monasca_events_common.errors import Rejected

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_HEADER = "HTTP_CE_"
_OF_OWN_MEANING = frozenset((
    "specversion", "id", "source", "type", "time", "subject", "data",
    "data_base64"))

#: Extensions that have a field of their own.
_EXTENSIONS = {"projectid": "project_id", "requestid": "request_id",
               "userid": "user_id", "priority": "priority",
               "resourcetype": "resource_type"}


def is_binary(environ: Mapping) -> bool:
    """Return whether the request's headers are a CloudEvent."""
    return _HEADER + "SPECVERSION" in environ


def of_headers(environ: Mapping, media_type: str, body: bytes) -> dict:
    """Return the CloudEvent of a request in binary mode."""
    found: dict = {
        name[len(_HEADER):].lower(): parse.unquote(value)
        for name, value in environ.items() if name.startswith(_HEADER)}
    if media_type:
        found["datacontenttype"] = media_type
    if not body:
        return found
    if media_type == "application/json" or media_type.endswith("+json"):
        found["data"] = bodies.decode(body)
    elif media_type.startswith("text/"):
        try:
            found["data"] = body.decode()
        except UnicodeDecodeError:
            raise Rejected("the body is not UTF-8",
                           code="not_utf8") from None
    else:
        found["data_base64"] = base64.b64encode(body).decode()
    return found


def fields(item) -> dict:
    """Return what the sender set."""
    if type(item) is not dict:
        raise Rejected("the event is not an object", code="invalid_event")
    if item.get("specversion") != "1.0":
        raise Rejected("specversion is missing or not 1.0",
                       code="invalid_cloudevent", where="specversion")
    for name in ("id", "source", "type"):
        if type(item.get(name)) is not str or not item[name]:
            raise Rejected(f"{name} is missing or not a string",
                           code="invalid_cloudevent", where=name)
    given: dict = {
        # Only together are the two unique, says the standard.
        "event_id": f"{item['source']} {item['id']}",
        "event_type": item["type"],
        "publisher_id": item["source"],
        "resource_id": item.get("subject"),
        "timestamp": item.get("time"),
        "payload": _payload(item),
    }
    traits = {}
    for name, value in item.items():
        if name in _EXTENSIONS:
            given[_EXTENSIONS[name]] = value
        elif name not in _OF_OWN_MEANING and value is not None:
            traits[name] = value
    given["traits"] = traits
    return given


def _payload(item: dict) -> dict:
    if "data" in item:
        data = item["data"]
        return data if type(data) is dict else {"data": data}
    if "data_base64" in item:
        return {"data_base64": item["data_base64"]}
    return {}


def of_event(value: bytes) -> bytes:
    """Return a canonical event as a CloudEvent."""
    event = orjson.loads(value)
    found = {
        "specversion": "1.0",
        "id": event["event_id"],
        "source": event["publisher_id"] or event["source"],
        "type": event["event_type"],
        "time": event["timestamp"],
        "datacontenttype": "application/json",
        "projectid": event["project_id"],
        "priority": event["priority"],
    }
    for name, field in (("subject", "resource_id"),
                        ("resourcetype", "resource_type"),
                        ("requestid", "request_id"), ("userid", "user_id")):
        if event[field]:
            found[name] = event[field]
    found["data"] = event["payload"]
    return orjson.dumps(found)
