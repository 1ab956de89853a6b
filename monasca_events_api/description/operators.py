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


"""What operators see: services, dead letters."""

from monasca_events_api.description.operation import array
from monasca_events_api.description.operation import body
from monasca_events_api.description.operation import COUNT
from monasca_events_api.description.operation import COUNTS
from monasca_events_api.description.operation import INTEGER
from monasca_events_api.description.operation import listed
from monasca_events_api.description.operation import nullable
from monasca_events_api.description.operation import Operation
from monasca_events_api.description.operation import PAGES
from monasca_events_api.description.operation import parameter
from monasca_events_api.description.operation import ref
from monasca_events_api.description.operation import STRING
from monasca_events_api.description.operation import thing

_SERVICE = {
    "name": STRING, "group": nullable("string"),
    "state": {"enum": ["up", "down", "stopped", "unknown"]},
    "members": array(thing({"id": STRING, "host": STRING,
                            "partitions": array(INTEGER)})),
    "lag": {"anyOf": [thing({"records": COUNT, "partitions": COUNTS}),
                      {"type": "null"}]},
    "breaker": {"anyOf": [thing({"reason": STRING, "tripped_at": STRING}),
                          {"type": "null"}]},
    "dead_letters": COUNTS}
_ERRORS = {"type": "object", "additionalProperties": STRING}
_LETTER = {
    "id": INTEGER, "stage": STRING, "project_id": nullable("string"),
    "code": STRING, "reason": STRING, "error": STRING, "position": STRING,
    "first_at": STRING, "last_at": STRING, "attempts": INTEGER}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 2 ** 63 - 1}
_NARROWING = {name: nullable("string")
              for name in ("stage", "code", "project_id")}

SCHEMAS = {
    "Service": thing(_SERVICE),
    "DeadLetter": thing(_LETTER),
    "WholeDeadLetter": thing({
        **_LETTER, "raw": STRING, "size": COUNT, "headers": {
            "type": "object", "additionalProperties": STRING}}),
    "DeadLetterChoice": {"anyOf": [
        thing({"ids": {"type": "array", "minItems": 1, "maxItems": 100,
                       "items": _NUMBER}}),
        thing({"all": {"const": True}, **_NARROWING, "after": {
            **_NUMBER, "type": ["integer", "null"]}},
            [*_NARROWING, "after"])]},
}

_LETTERS = "/v1.0/dead-letters"
_AFTER = {"after": nullable("integer")}

OPERATIONS = [
    Operation("GET", "/v1.0/services", "operators", "How the services "
              "stand.", {200: thing({
                  "services": array(ref("Service")), "parts": ref("Parts"),
                  "errors": _ERRORS})}),
    Operation("GET", "/v1.0/services/{service}", "operators", "How one "
              "stands.", {200: thing({**_SERVICE, "errors": _ERRORS})}),
    Operation("POST", "/v1.0/services/{service}/resume", "operators",
              "Let one go on whose breaker tripped.",
              {202: thing({"name": STRING})}, body=body(thing({})),
              needs_body=False, errors=[409]),
    Operation("GET", _LETTERS, "operators", "What could not go on.",
              {200: listed("dead_letters", ref("DeadLetter"))}, parameters=[
                  *(parameter(name, STRING, f"With this {name}.")
                    for name in _NARROWING), *PAGES]),
    Operation("GET", f"{_LETTERS}/{{letter}}", "operators", "Show a dead "
              "letter with its bytes.", {200: ref("WholeDeadLetter")}),
    Operation("DELETE", f"{_LETTERS}/{{letter}}", "operators", "Forget one.",
              {204: None}),
    Operation("POST", f"{_LETTERS}/{{letter}}/replay", "operators", "Send "
              "one on its way again.", {202: thing({"id": INTEGER})},
              body=body(thing({})), needs_body=False, errors=[409]),
    Operation("POST", f"{_LETTERS}/replay", "operators", "Send many on "
              "their way again.", {202: thing({
                  "replayed": COUNT, "failed": array(thing({
                      "id": INTEGER, "code": STRING, "message": STRING})),
                  "left": array(INTEGER), **_AFTER})},
              body=body(ref("DeadLetterChoice"))),
    Operation("POST", f"{_LETTERS}/purge", "operators", "Forget many.",
              {200: thing({"purged": COUNT, **_AFTER})},
              body=body(ref("DeadLetterChoice"))),
]
