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


"""What tenants define: triggers, notification methods, transforms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from monasca_events_api.description.operation import array
from monasca_events_api.description.operation import body
from monasca_events_api.description.operation import BOOLEAN
from monasca_events_api.description.operation import COUNT
from monasca_events_api.description.operation import COUNTS
from monasca_events_api.description.operation import IF_MATCH
from monasca_events_api.description.operation import INTEGER
from monasca_events_api.description.operation import listed
from monasca_events_api.description.operation import MAYBE_TIME
from monasca_events_api.description.operation import nullable
from monasca_events_api.description.operation import OBJECT
from monasca_events_api.description.operation import Operation
from monasca_events_api.description.operation import PAGES
from monasca_events_api.description.operation import parameter
from monasca_events_api.description.operation import PATCHES
from monasca_events_api.description.operation import ref
from monasca_events_api.description.operation import SCOPE
from monasca_events_api.description.operation import STRING
from monasca_events_api.description.operation import thing
from monasca_events_api.description.operation import TIME
from monasca_events_common.catalog import methods
from monasca_events_common.catalog import signing
from monasca_events_common.rules import definition
from monasca_events_common.rules import templates
from monasca_events_common.rules import transforms

_ETAG = {"ETag": "The revision, for If-Match."}
_ID = {"type": "string", "maxLength": 64}


def _any_of(schemas: Iterable[Mapping]) -> dict[str, Any]:
    return {"anyOf": list(schemas)}


def _shown(more: Mapping[str, Mapping], required: Sequence[str] = ()
           ) -> dict[str, Any]:
    """Return the schema of what an answer shows of a definition.

    :param more: what it shows beside the content and what all have
    """
    common = {"id": STRING, "project_id": STRING, "revision": INTEGER,
              "created_at": TIME, "updated_at": TIME,
              "links": array(ref("Link")), "name": STRING}
    return {"type": "object", "properties": {**common, **more},
            "required": list(dict.fromkeys((*common, *required)))}


def _draft(schema: Mapping) -> dict[str, Any]:
    """Return the schema of a definition that needs no name."""
    return {**schema, "required": [name for name in schema["required"]
                                   if name != "name"]}


def _patch(schemas: Iterable[Mapping]) -> dict[str, Any]:
    """Return the schema of a merge patch: any part, null takes it away."""
    names = {name for schema in schemas for name in schema["properties"]}
    return {"type": "object", "propertyNames": {"enum": sorted(names)}}


_TRIGGERS = [definition.schema(kind) for kind in definition.KINDS]
_FROM_TEMPLATE = {
    "type": "object", "required": ["template"],
    "properties": {"template": {"enum": list(templates.TEMPLATES)},
                   **definition.COMMON}}
_METHODS = [methods.schema(kind) for kind in methods.TYPES]

_MISMATCH = {"type": ["object", "null"], "properties": {
    "path": STRING, "expected": STRING, "found": nullable("string"),
    "text": STRING}}
_SLOTS = array(thing({"slot": STRING, "matches": BOOLEAN,
                      "mismatch": _MISMATCH, "key": nullable("object")}))
_TRIED = {"event": {"anyOf": [ref("PostedEvent"), {"type": "null"}]},
          "event_id": nullable("string")}

SCHEMAS = {
    "TriggerDefinition": _any_of([*_TRIGGERS, _FROM_TEMPLATE]),
    "TriggerDraft": _any_of([*map(_draft, _TRIGGERS), _FROM_TEMPLATE]),
    "Trigger": _shown({
        **definition.COMMON, **{name: schema for properties, _
                                in definition.KINDS.values()
                                for name, schema in properties.items()},
        "cost": INTEGER, "kind": {"enum": list(definition.KINDS)}},
        [*definition.COMMON, "cost"]),
    "Template": thing({"name": STRING, "description": STRING,
                       "definition": OBJECT, "links": array(ref("Link"))}),
    "MethodDefinition": _any_of(_METHODS),
    "Method": _shown({
        "type": {"enum": list(methods.TYPES)}, "address": STRING,
        "settings": OBJECT, "secret": {
            "type": "string", "description": "shown once"},
        "previous_until": MAYBE_TIME}, ["type"]),
    "TransformDefinition": transforms.SCHEMA,
    # Another release may have made it, with operations that this one lacks.
    "Transform": _shown({**transforms.SCHEMA["properties"],
                         "operations": array(OBJECT),
                         "cost": nullable("integer")},
                        [*transforms.SCHEMA["properties"], "cost"]),
    "Backtest": {
        "type": "object",
        "required": ["id", "project_id", "status", "created_at",
                     "updated_at", "since", "until", "progress", "firings",
                     "firings_total", "by_outcome", "held", "truncated",
                     "links"],
        "properties": {
            "id": STRING, "project_id": STRING, "status": {"enum": [
                "queued", "running", "finished", "failed", "cancelled"]},
            "created_at": TIME, "updated_at": TIME, "since": TIME,
            "until": TIME, "trigger_id": nullable("string"),
            "error": STRING, "progress": OBJECT, "firings": array(OBJECT),
            "firings_total": COUNT, "by_outcome": COUNTS, "held": COUNTS,
            "histogram": nullable("object"), "truncated": BOOLEAN,
            "links": array(ref("Link"))}},
}


def _collection(name: str, key: str, one: str, shown: str, wanted: str,
                patch: Mapping, forced: bool = False) -> list[Operation]:
    """Return what every resource of definitions has alike.

    :param name: in the address, in the plural
    :param one: the name of an id in the address
    :param shown, wanted: schemas of an answer and of what is posted
    :param patch: what may be changed
    :param forced: whether one that is used can be deleted all the same
    """
    path, item = f"/v1.0/{name}", f"/v1.0/{name}/{{{one}}}"
    force = [parameter("force", BOOLEAN, "Also take it out of what uses it.")]
    return [
        Operation("GET", path, name, "List them.",
                  {200: listed(key, ref(shown))}, parameters=[
                      parameter("name", STRING, "The one of this name."),
                      *PAGES, *SCOPE]),
        Operation("POST", path, name, "Make one.", {201: ref(shown)},
                  body=body(ref(wanted)), errors=[409], headers={
                      **_ETAG, "Location": "Where it is."}),
        Operation("GET", item, name, "Show one.", {200: ref(shown)},
                  parameters=SCOPE, headers=_ETAG),
        Operation("PATCH", item, name, "Change one.", {200: ref(shown)},
                  body=body(patch, PATCHES), parameters=[IF_MATCH],
                  errors=[409, 412], headers=_ETAG),
        Operation("DELETE", item, name, "Delete one.", {204: None},
                  parameters=[*force, IF_MATCH],
                  errors=[412, *([409] if forced else [])])]


_TRIGGER = _any_of([ref("TriggerDraft"), {"type": "null"}])
_BACKTEST = thing({
    "trigger": _TRIGGER,
    "trigger_id": nullable("string"), "since": nullable("string"),
    "until": nullable("string"), "limit_firings": nullable("integer")},
    ["trigger", "trigger_id", "since", "until", "limit_firings"])

OPERATIONS = [
    *_collection("triggers", "triggers", "trigger_id", "Trigger",
                 "TriggerDefinition", _patch(_TRIGGERS)),
    Operation("POST", "/v1.0/triggers/test", "triggers", "Try one on one "
              "event.", {200: {
                  "type": "object", "required": [
                      "event", "cost", "matches", "slots", "firings",
                      "waits", "summary"],
                  "properties": {
                      "event": ref("Event"), "cost": INTEGER,
                      "matches": BOOLEAN, "slots": _SLOTS,
                      "firings": array(OBJECT), "waits": array(STRING),
                      "summary": STRING}}},
              body=body(thing({
                  "trigger": _TRIGGER,
                  "trigger_id": nullable("string"), **_TRIED},
                  ["trigger", "trigger_id", *_TRIED])), errors=[404]),
    Operation("POST", "/v1.0/triggers/backtest", "triggers", "Run one over "
              "stored events.",
              {200: ref("Backtest"), 202: ref("Backtest")},
              body=body(_BACKTEST), errors=[404], parameters=[
                  parameter("wait", {"type": "number", "minimum": 0,
                                     "maximum": 10},
                            "Seconds to wait for the result.")]),
    Operation("GET", "/v1.0/triggers/backtest/{job_id}", "triggers",
              "What a back-test found.", {200: ref("Backtest")},
              parameters=SCOPE),
    Operation("DELETE", "/v1.0/triggers/backtest/{job_id}", "triggers",
              "Cancel a back-test, or forget it.", {204: None}),
    Operation("GET", "/v1.0/triggers/templates", "triggers", "Triggers that "
              "need no writing.", {200: listed("templates",
                                               ref("Template"))}),
    Operation("GET", "/v1.0/triggers/templates/{template}", "triggers",
              "Show a template.", {200: ref("Template")}),
    Operation("GET", "/v1.0/triggers/{trigger_id}/explain", "triggers",
              "Why it did or did not fire for an event.", {200: {
                  "type": "object", "required": [
                      "trigger_id", "event_id", "enabled", "muted",
                      "dry_run", "matches", "slots", "fired", "firings",
                      "groups", "summary"],
                  "properties": {
                      "trigger_id": STRING, "event_id": STRING,
                      "cost": INTEGER, "enabled": BOOLEAN, "muted": BOOLEAN,
                      "dry_run": BOOLEAN, "matches": BOOLEAN,
                      "fired": BOOLEAN, "slots": _SLOTS,
                      "firings": array(OBJECT), "groups": array(OBJECT),
                      "summary": STRING}}},
              parameters=[parameter("event_id", STRING, "The event.",
                                    required=True), *SCOPE]),
    *_collection("notification-methods", "notification_methods", "method_id",
                 "Method", "MethodDefinition", _patch(_METHODS), True),
    Operation("POST", "/v1.0/notification-methods/{method_id}/rotate",
              "notification-methods", "Make another signing key.",
              {200: ref("Method")}, needs_body=False, errors=[409],
              body=body(thing({"keep_seconds": {
                  **nullable("number"), "minimum": 0,
                  "maximum": signing.MAX_KEEP}}, ["keep_seconds"])),
              headers=_ETAG),
    Operation("POST", "/v1.0/notification-methods/{method_id}/test",
              "notification-methods", "Have a test sent.", {202: thing({
                  "delivery_id": STRING, "firing_id": STRING})},
              body=body(thing({})), needs_body=False),
    Operation("GET", "/v1.0/notification-methods/{method_id}/deliveries",
              "notification-methods", "What it delivered, and what not.",
              {200: listed("deliveries", OBJECT)},
              parameters=[*PAGES, *SCOPE]),
    *_collection("transforms", "transforms", "transform_id", "Transform",
                 "TransformDefinition", _patch([transforms.SCHEMA])),
    Operation("GET", "/v1.0/transforms/{transform_id}/versions",
              "transforms", "What it said before.",
              {200: listed("versions", thing({
                  "revision": INTEGER, "at": {"type": ["string", "null"]},
                  "user_id": nullable("string"),
                  "definition": nullable("object")}))}, parameters=SCOPE),
    Operation("POST", "/v1.0/transforms/test", "transforms", "Try them on "
              "one event.", {200: {
                  "type": "object", "required": [
                      "event", "transforms", "outcome", "failed", "events",
                      "truncated", "summary"],
                  "properties": {
                      "event": ref("Event"), "transforms": array(OBJECT),
                      "outcome": STRING, "failed": nullable("object"),
                      "events": array(OBJECT),
                      "truncated": BOOLEAN, "summary": STRING}}},
              body=body(thing({
                  "transform": _any_of([_draft(transforms.SCHEMA),
                                        {"type": "null"}]),
                  "transform_id": nullable("string"), **_TRIED},
                  ["transform", "transform_id", *_TRIED])), errors=[404]),
]
