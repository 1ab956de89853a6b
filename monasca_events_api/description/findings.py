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


"""What was found: firings of triggers, timelines."""

from monasca_events_api.description.operation import array
from monasca_events_api.description.operation import body
from monasca_events_api.description.operation import BOOLEAN
from monasca_events_api.description.operation import INTEGER
from monasca_events_api.description.operation import listed
from monasca_events_api.description.operation import MAYBE_TIME
from monasca_events_api.description.operation import nullable
from monasca_events_api.description.operation import NUMBER
from monasca_events_api.description.operation import OBJECT
from monasca_events_api.description.operation import Operation
from monasca_events_api.description.operation import PAGES
from monasca_events_api.description.operation import parameter
from monasca_events_api.description.operation import ref
from monasca_events_api.description.operation import SCOPE
from monasca_events_api.description.operation import several
from monasca_events_api.description.operation import SPAN
from monasca_events_api.description.operation import STRING
from monasca_events_api.description.operation import thing
from monasca_events_api.description.operation import TIME
from monasca_events_common.rules.firing import HOLDS
from monasca_events_common.rules.firing import OUTCOMES

_STEP = {
    "name": STRING,
    "state": {"enum": ["complete", "running", "open", "unbegun"]},
    "outcome": {"enum": ["end", "error", "gone", None]},
    "start": MAYBE_TIME, "end": MAYBE_TIME, "seconds": nullable("number"),
    "resource_type": nullable("string"), "resource_id": nullable("string"),
    "request_id": nullable("string"), "event_ids": array(STRING)}

SCHEMAS = {
    "Delivery": {
        "type": "object",
        "required": ["delivery_id", "method_id", "action", "status",
                     "attempts", "last_error", "next_at", "updated_at",
                     "result"],
        "properties": {
            "delivery_id": STRING, "method_id": nullable("string"),
            "action": STRING, "status": STRING, "attempts": INTEGER,
            "last_error": nullable("string"), "next_at": TIME,
            "updated_at": TIME, "result": nullable("object")}},
    "Firing": {
        "type": "object",
        "required": ["firing_id", "trigger_id", "trigger_name", "severity",
                     "outcome", "key", "at", "event_ids", "reason",
                     "project_id", "deliveries"],
        "properties": {
            "firing_id": STRING, "trigger_id": STRING,
            "trigger_name": STRING, "severity": STRING,
            "outcome": {"enum": list(OUTCOMES)}, "key": OBJECT, "at": TIME,
            "event_ids": array(STRING), "event_count": INTEGER,
            "reason": STRING, "value": nullable("number"),
            "values": OBJECT, "project_id": STRING,
            "subject_project_id": STRING, "event": nullable("object"),
            **dict.fromkeys(HOLDS, BOOLEAN),
            "deliveries": array(ref("Delivery"))}},
    "Step": thing(_STEP),
    "Span": thing({**_STEP, "steps": array(ref("Step"))}),
    "Timeline": {
        "type": "object",
        "required": ["since", "until", "spans", "gaps", "sources",
                     "truncated"],
        "properties": {
            "resource_id": STRING, "request_id": STRING,
            "since": MAYBE_TIME, "until": MAYBE_TIME,
            "events": array(OBJECT), "spans": array(ref("Span")),
            "gaps": array(thing({"start": TIME, "end": TIME,
                                 "seconds": NUMBER})),
            "firings": array(ref("Firing")), "logs": array(OBJECT),
            "metrics": array(OBJECT), "truncated": BOOLEAN,
            "sources": {"type": "object", "additionalProperties": thing({
                "error": nullable("string"), "truncated": BOOLEAN})}}},
}

_LIST = listed("firings", ref("Firing"))
_OUTCOME = several("outcome", "With this outcome.", {"enum": list(OUTCOMES)})
_TIMES = (several("timestamp", "gte:, gt:, lt: or lte: and a time."), *SPAN)
_ONE = "/v1.0/triggers/{trigger_id}/firings/{firing_id}"
_IDS = thing({"delivery_ids": array(STRING)})

OPERATIONS = [
    Operation("GET", "/v1.0/firings", "firings", "What all triggers did.",
              {200: _LIST}, parameters=[
                  several("trigger_id", "Of this trigger."), _OUTCOME,
                  *_TIMES, *PAGES, *SCOPE]),
    Operation("GET", "/v1.0/triggers/{trigger_id}/firings", "firings",
              "What a trigger did.", {200: _LIST},
              parameters=[_OUTCOME, *_TIMES, *PAGES, *SCOPE]),
    Operation("GET", _ONE, "firings", "Show a firing with its event.",
              {200: ref("Firing")}, parameters=SCOPE),
    Operation("POST", f"{_ONE}/redeliver", "firings", "Deliver again.",
              {202: _IDS}, needs_body=False, errors=[409], body=body(thing({
                  "delivery_ids": {
                      "type": ["array", "null"], "minItems": 1,
                      "maxItems": 100, "items": STRING}},
                  ["delivery_ids"]))),
    Operation("POST", f"{_ONE}/cancel", "firings", "Leave undone what still "
              "waits.", {202: _IDS}, needs_body=False, errors=[409],
              body=body(thing({}))),
    Operation("GET", "/v1.0/timeline", "timeline", "Everything about one "
              "resource or request on one axis.", {200: ref("Timeline")},
              parameters=[
                  parameter("resource_id", STRING, "Of this resource; or "
                            "request_id."),
                  parameter("request_id", STRING, "Of this request."),
                  parameter("related", BOOLEAN, "Also what only happened in "
                            "the same requests; true by default."),
                  parameter("gap", {"type": "number", "minimum": 0},
                            "Seconds from which on a silence is a gap."),
                  *_TIMES, *SCOPE]),
]
