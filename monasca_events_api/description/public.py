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


"""What needs no token: versions, health, this description."""

from monasca_events_api.description.operation import array
from monasca_events_api.description.operation import BOOLEAN
from monasca_events_api.description.operation import INTEGER
from monasca_events_api.description.operation import OBJECT
from monasca_events_api.description.operation import Operation
from monasca_events_api.description.operation import ref
from monasca_events_api.description.operation import STRING
from monasca_events_api.description.operation import thing

_NUMBERS = {"type": "object", "additionalProperties": INTEGER}

SCHEMAS = {
    "Link": thing({"rel": STRING, "href": STRING}),
    "Error": {
        "type": "object", "required": ["message", "errors"],
        "properties": {
            "message": STRING,
            "errors": {"type": "array", "minItems": 1, "items": thing({
                "code": {"type": "string",
                         "description": "does not change once shipped"},
                "status": INTEGER, "title": STRING, "detail": STRING,
                "request_id": STRING, "where": STRING}, ["where"])},
            "rejected": array(ref("Rejected")),
            "triggers": {**array(STRING), "description":
                         "of code in_use: what uses it"}}},
    "Version": {
        "type": "object",
        "required": ["id", "status", "links", "limits", "quotas"],
        "properties": {"id": STRING, "status": STRING,
                       "links": array(ref("Link")),
                       "limits": _NUMBERS, "quotas": _NUMBERS,
                       "min_version": STRING, "version": STRING,
                       "updated": STRING, "media-types": array(OBJECT)}},
    "Parts": {"type": "object", "additionalProperties": thing({
        "ok": BOOLEAN, "detail": STRING})},
}

_VERSIONS = thing({"versions": array(ref("Version"))})

OPERATIONS = [
    *(Operation("GET", path, "public", "Which versions there are.",
                {200: _VERSIONS}, is_public=True)
      for path in ("/", "/version")),
    Operation("GET", "/v1.0", "public", "The version, its limits and the "
              "quotas of a project.",
              {200: thing({"version": ref("Version")})}, is_public=True),
    Operation("GET", "/healthcheck", "public", "Whether each part can do its "
              "work.", dict.fromkeys((200, 503), thing({
                  "healthy": BOOLEAN, "parts": ref("Parts")})),
              is_public=True),
    Operation("GET", "/v1.0/openapi.json", "public", "This description.",
              {200: OBJECT}, is_public=True),
]
