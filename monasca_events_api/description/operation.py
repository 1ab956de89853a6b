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


"""One operation of the description, and the parts that many have alike."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from monasca_events_api.forms import JSON
from monasca_events_api.inputs import cloudevents
from monasca_events_api.description.words import WORDS
from monasca_events_api.documents import MERGE_PATCH
from monasca_events_common import query

#: Name of the security scheme.
SECURITY = "token"

ERROR = {"$ref": "#/components/schemas/Error"}

#: What any request with a token may be answered.
_ALWAYS = (400, 401, 403, 406, 503)

#: What one with a body may be answered besides.
_WITH_BODY = (413, 415)

_SAID = {
    200: "OK", 201: "Made", 202: "Taken", 204: "Done",
    400: "The request is wrong; errors[0].code and where say what.",
    401: "There is no valid token.",
    403: "The policy, a quota or the scope of the token does not allow it.",
    404: "There is no such thing for this project.",
    406: "None of the media types in Accept can be given.",
    409: "It is not so at the moment.",
    412: "Somebody else has changed it meanwhile.",
    413: "The request, or every event in it, is too large.",
    415: "The Content-Type or the Content-Encoding is not supported.",
    422: "There is no event that can be taken.",
    503: "A part is away; Retry-After says when to come again."}


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one address does.

    :ivar path: with names in braces
    :ivar tag: what it is about
    :ivar answers: status → schema, None without a body
    :ivar forms: media type → schema of further forms of a 200 answer
    :ivar parameters: of the query and the headers
    :ivar body: media type → schema; empty where there is none
    :ivar errors: statuses beside those that all have alike
    :ivar is_public: it needs no token
    """

    method: str
    path: str
    tag: str
    summary: str
    answers: Mapping[int, Mapping | None]
    forms: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    parameters: Sequence[Mapping] = ()
    body: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    needs_body: bool = True
    errors: Sequence[int] = ()
    is_public: bool = False
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def as_json(self, allowed: Sequence[str]) -> dict[str, Any]:
        """Return the operation's object.

        :param allowed: policies that decide about it
        """
        names = [part[1:-1] for part in self.path.split("/")
                 if part.startswith("{")]
        made: dict[str, Any] = {
            "operationId": self._name(), "tags": [self.tag],
            "summary": self.summary, "responses": self._responses(names)}
        parameters = [*(_in_path(name) for name in names), *self.parameters]
        if parameters:
            made["parameters"] = parameters
        if self.body:
            made["requestBody"] = {
                "required": self.needs_body,
                "content": {name: {"schema": schema}
                            for name, schema in self.body.items()}}
        if self.is_public:
            made["security"] = []
        if allowed:
            made["x-openstack-policies"] = list(allowed)
        return made

    def _name(self) -> str:
        parts = [part.strip("{}").replace("-", "_").replace(".", "_")
                 for part in self.path.removeprefix("/v1.0").split("/")
                 if part]
        return "_".join([self.method.lower(), *(parts or [
            "v1" if "v1" in self.path else "root"])])

    def _responses(self, names: Sequence[str]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for status, schema in self.answers.items():
            made[str(status)] = {
                "description": _SAID[status],
                "headers": {name: _header(text) for name, text in
                            {**_HEADERS, **self.headers}.items()},
                **({} if schema is None else {"content": {
                    JSON: {"schema": schema},
                    **({name: {"schema": form} for name, form
                        in self.forms.items()} if status == 200 else {})}})}
        for status in sorted(self._errors(names) - self.answers.keys()):
            made[str(status)] = {
                "$ref": f"#/components/responses/{status}"}
        return made

    def _errors(self, names: Sequence[str]) -> set[int]:
        found = {*self.errors}
        if not self.is_public:
            found |= {*_ALWAYS} if self.method == "GET" \
                else {*_ALWAYS} - {406}
        elif self.method == "GET":
            found.add(406)
        if names:
            found.add(404)
        if self.body:
            found |= {*_WITH_BODY}
        elif self.method not in ("GET", "HEAD"):
            # Whatever is sent is looked at before it is left aside.
            found.add(413)
        return found


_HEADERS = {"x-openstack-request-id": "The id of this request."}


def refusals() -> dict[str, dict]:
    """Return the answers that are errors, by their status."""
    return {str(status): {
        "description": text, "headers": {
            name: _header(said) for name, said in {
                **_HEADERS, **({"Retry-After": "Seconds to wait."}
                               if status == 503 else {})}.items()},
        "content": {JSON: {"schema": ERROR}}}
        for status, text in _SAID.items() if status >= 400}


def _header(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string"}}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True,
            "schema": {"type": "string", "minLength": 1},
            "description": WORDS.get(f"path.{name}") or WORDS[name]}


def parameter(name: str, schema: Mapping, description: str,
              **more: Any) -> dict[str, Any]:
    """Return a parameter of the query."""
    return {"name": name, "in": "query", "schema": dict(schema),
            "description": description, **more}


def several(name: str, description: str, schema: Mapping | None = None
            ) -> dict[str, Any]:
    """Return a parameter of the query that may be repeated."""
    return parameter(
        name, {"type": "array", "maxItems": query.MAX_VALUES,
               "items": dict(schema or {"type": "string"})},
        description, style="form", explode=True)


def array(schema: Mapping) -> dict[str, Any]:
    """Return the schema of an array of such things."""
    return {"type": "array", "items": dict(schema)}


def nullable(*kinds: str) -> dict[str, Any]:
    """Return the schema of a value of these types, or of none."""
    return {"type": [*kinds, "null"]}


def thing(properties: Mapping, optional: Sequence[str] = (),
          **more: Any) -> dict[str, Any]:
    """Return the schema of an object that has all of these properties.

    :param optional: those that may be missing
    """
    return {"type": "object", "properties": dict(properties),
            "required": [name for name in properties
                         if name not in optional],
            "additionalProperties": False, **more}


def ref(name: str) -> dict[str, str]:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(key: str, schema: Mapping) -> dict[str, Any]:
    """Return the schema of a page of things."""
    return thing({key: array(schema), "links": array(ref("Link"))})


BOOLEAN = {"type": "boolean"}
INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
STRING = {"type": "string"}
OBJECT = {"type": "object"}
COUNT = {"type": "integer", "minimum": 0}
COUNTS = {"type": "object", "additionalProperties": COUNT}
TIME = {"type": "string",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
        "description": "ISO 8601 in UTC with microseconds"}
MAYBE_TIME = {"anyOf": [TIME, {"type": "null"}]}

#: Parameters that many addresses have.
SCOPE = (
    parameter("project_id", STRING, "Of this project; administrators."),
    parameter("all_projects", BOOLEAN, "Of every project; administrators."))
PAGES = (
    parameter("limit", {"type": "integer", "minimum": 1},
              "How many at most."),
    parameter("marker", {"type": "string", "minLength": 1,
                         "maxLength": 4096},
              "Where the page begins; taken from a link of the page before."))
SPAN = (
    parameter("since", STRING, "From this time on: ISO 8601."),
    parameter("until", STRING, "Before this time."))
IF_MATCH = {"name": "If-Match", "in": "header", "schema": STRING,
            "description": "An ETag; the request fails with 412 where it is "
                           "not the thing's own any more."}

#: Media types of bodies.
PLAIN = (JSON,)
PATCHES = (JSON, MERGE_PATCH)
POSTED = (JSON, "application/cadf+json", cloudevents.STRUCTURED,
          cloudevents.BATCH)


def body(schema: Mapping, media_types: Sequence[str] = PLAIN
         ) -> dict[str, Mapping]:
    """Return the body of a request in these forms."""
    return dict.fromkeys(media_types, schema)
