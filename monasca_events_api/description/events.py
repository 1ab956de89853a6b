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


"""Events: posting, listing, counting, following them."""

from typing import Any

from monasca_events_api import canonical
from monasca_events_api import forms
from monasca_events_api.controllers.stream import EVENT_STREAM
from monasca_events_api.description.operation import array
from monasca_events_api.description.operation import body
from monasca_events_api.description.operation import BOOLEAN
from monasca_events_api.description.operation import COUNT
from monasca_events_api.description.operation import COUNTS
from monasca_events_api.description.operation import listed
from monasca_events_api.description.operation import MAYBE_TIME
from monasca_events_api.description.operation import nullable
from monasca_events_api.description.operation import OBJECT
from monasca_events_api.description.operation import Operation
from monasca_events_api.description.operation import PAGES
from monasca_events_api.description.operation import parameter
from monasca_events_api.description.operation import POSTED
from monasca_events_api.description.operation import ref
from monasca_events_api.description.operation import SCOPE
from monasca_events_api.description.operation import several
from monasca_events_api.description.operation import STRING
from monasca_events_api.description.operation import thing
from monasca_events_api.description.operation import TIME
from monasca_events_api.inputs import cloudevents
from monasca_events_common import event
from monasca_events_common import query

TRAITS = {"type": "object", "additionalProperties": {
    "type": ["string", "integer", "number", "boolean"]}}
_DIMENSIONS = {"type": "object", "additionalProperties": STRING}
_TEXT = {"type": ["string", "null"], "maxLength": event.MAX_STRING}

#: field → schema, where it is not one string or none.
_FIELDS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("event_id", "project_id", "event_type", "priority",
                     "source"), STRING),
    "timestamp": TIME, "received_at": TIME, "traits": TRAITS,
    "dimensions": _DIMENSIONS, "payload": OBJECT, "marks": OBJECT}

#: What a sender may set, where it is more or less than what is shown.
_GIVEN: dict[str, dict[str, Any]] = {
    "event_type": {"type": "string", "minLength": 1,
                   "maxLength": event.MAX_STRING},
    "timestamp": {"type": ["string", "number", "null"],
                  "description": "ISO 8601, or seconds or milliseconds since "
                                 "the epoch"},
    "received_at": {"type": ["string", "number", "null"]},
    "traits": {**TRAITS, "type": ["object", "null"], "propertyNames": {
        "pattern": "^[A-Za-z_][A-Za-z0-9_.-]{0,63}$"}},
    "dimensions": {**_DIMENSIONS, "type": ["object", "null"],
                   "maxProperties": canonical.MAX_DIMENSIONS,
                   "propertyNames": {"maxLength": canonical.MAX_NAME}},
    "payload": nullable("object"), "marks": nullable("object")}

EVENT = thing({name: _FIELDS.get(name, nullable("string"))
               for name in event.FIELDS})
POSTED_EVENT = {
    "type": "object", "required": ["event_type"],
    "additionalProperties": False,
    "properties": {name: _GIVEN.get(name, _TEXT)
                   for name in sorted(canonical.SETTABLE)}}

SCHEMAS = {
    "Event": EVENT,
    "PostedEvent": POSTED_EVENT,
    "CloudEvent": {
        "type": "object", "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"}, "id": STRING, "source": STRING,
            "type": STRING, "subject": STRING, "time": STRING,
            "data": {}}},
    "Rejected": thing({"index": COUNT, "code": STRING, "message": STRING}),
    "Posted": thing({
        "accepted": COUNT, "rejected": array(ref("Rejected")),
        "event_ids": array(STRING),
        "job": thing({"id": STRING, "links": array(ref("Link"))})}, ["job"]),
    "Receipt": thing({
        "id": STRING, "project_id": STRING,
        "status": {"enum": ["running", "finished"]}, "created_at": TIME,
        "counts": COUNTS, "links": array(ref("Link")),
        "events": array(thing({
            "event_id": STRING, "project_id": STRING, "code": STRING,
            "status": {"enum": ["accepted", "stored", "dead", "dropped"]},
            "reason": STRING}, ["code", "reason"]))}),
}

FILTERS = (
    *(several(name, f"The {name} is this, or as an operator before a colon "
                    f"says ({', '.join(query.OPERATORS)}).")
      for name in query.FIELDS),
    several("q", "Words that must all occur."))
_TIMES = (several("timestamp", "gte:, gt:, lt: or lte: and a time."),)
QUICK = parameter("quick", BOOLEAN, "Look at the newest period only.")
_SORT = parameter("sort", {"enum": ["timestamp", "timestamp:asc",
                                    "timestamp:desc"]}, "Which comes first.")
_LINK = {"Link": "The page itself and the next one."}

OPERATIONS = [
    Operation(
        "POST", "/v1.0/events", "events", "Post events.",
        {202: ref("Posted"), 200: ref("Posted")},
        parameters=[parameter("project_id", STRING, "Whose events they are; "
                              "delegates."),
                    parameter("job", BOOLEAN, "Ask for a receipt.")],
        body={**body({"anyOf": [
            thing({"events": {**array(ref("PostedEvent")), "minItems": 1}}),
            OBJECT]}, POSTED[:1]),
            POSTED[1]: OBJECT, POSTED[2]: ref("CloudEvent"),
            POSTED[3]: array(ref("CloudEvent"))},
        errors=[422]),
    Operation(
        "GET", "/v1.0/events", "events", "List events.",
        {200: listed("events", ref("Event"))},
        forms={forms.NDJSON: STRING, forms.CSV: STRING,
               cloudevents.BATCH: array(ref("CloudEvent"))},
        parameters=[*FILTERS, *_TIMES, QUICK, _SORT, *PAGES, *SCOPE],
        headers=_LINK),
    Operation(
        "GET", "/v1.0/events/{event_id}", "events", "Show an event.",
        {200: ref("Event")}, forms={cloudevents.STRUCTURED:
                                    ref("CloudEvent")}, parameters=SCOPE),
    Operation(
        "GET", "/v1.0/events/types", "events", "Which event types there are.",
        {200: thing({"types": array(thing({
            "event_type": STRING, "count": COUNT})), "truncated": BOOLEAN})},
        parameters=[*FILTERS, *_TIMES, QUICK, *SCOPE]),
    Operation(
        "GET", "/v1.0/events/traits", "events", "Which traits there are.",
        {200: thing({"traits": array(thing({
            "name": STRING, "type": {"enum": [
                "string", "integer", "float", "datetime", "boolean"]}}))})},
        parameters=[parameter("event_type", STRING, "Of this event type."),
                    *SCOPE]),
    Operation(
        "GET", "/v1.0/events/statistics", "events", "Count events by time "
        "and by group.",
        {200: thing({
            "interval": nullable("integer"), "truncated": BOOLEAN,
            "buckets": array(thing({"start": MAYBE_TIME, "count": COUNT,
                                    "groups": COUNTS}))})},
        parameters=[
            parameter("interval", {"type": "string",
                                   "pattern": "^[0-9]{1,9}[smhd]?$"},
                      "Seconds of a bucket, or a number with s, m, h or d."),
            parameter("by", STRING, "The field by which is grouped."),
            *FILTERS, *_TIMES, QUICK, *SCOPE]),
    Operation(
        "GET", "/v1.0/events/recent", "events", "The last events, from "
        "memory; at most 64 KiB.",
        {200: thing({
            "events": array(OBJECT), "truncated": BOOLEAN,
            "counters": thing({
                "received": COUNT, "remembered": COUNT,
                "event_types": COUNTS, "sources": COUNTS,
                "other_types": COUNT}),
            "links": array(ref("Link"))})},
        parameters=[
            parameter("by", {"enum": ["event_type", "source"]},
                      "Show the last ones of each group."),
            parameter("last", {"type": "integer", "minimum": 1},
                      "So many, or so many of each group."),
            *FILTERS, *_TIMES, QUICK, _SORT, *PAGES, *SCOPE], headers=_LINK),
    Operation(
        "GET", "/v1.0/events/stream", "events", "Events as they come, as "
        "server-sent events.", {200: STRING},
        forms={EVENT_STREAM: STRING},
        parameters=[
            parameter("pattern", STRING, "A pattern of the rule language as "
                      "JSON."), *FILTERS, *SCOPE,
            {"name": "Last-Event-ID", "in": "header", "schema": STRING,
             "description": "The id of a message behind which it goes on."}],
        errors=[404]),
    Operation(
        "GET", "/v1.0/jobs/{receipt_id}", "events", "What became of a POST, "
        "event by event.", {200: ref("Receipt")},
        parameters=[parameter("wait", {"type": "number", "minimum": 0,
                                       "maximum": 10},
                              "Seconds to wait for the end.")]),
]
