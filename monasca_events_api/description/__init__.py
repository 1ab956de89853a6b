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


"""The API's own description: OpenAPI 3.1, served at ``/v1.0/openapi.json``.

Request bodies are the JSON Schemas that validate requests, taken from where
they stand; filters, policies and codes come from the tables that decide about
them. What is said here by hand is what an answer looks like, and a
property-based run of the whole shows that it is so. Examples are samples that
were recorded from the API; ``api-ref`` shows the same ones.
"""

import collections
from collections.abc import Iterable, Mapping
import functools
from typing import Any

import orjson

from monasca_events_api import policies
from monasca_events_api.description import definitions
from monasca_events_api.description import events
from monasca_events_api.description import findings
from monasca_events_api.description import operators
from monasca_events_api.description import public
from monasca_events_api.description.operation import Operation
from monasca_events_api.description.operation import refusals
from monasca_events_api.description.operation import SECURITY
from monasca_events_api.description.samples import illustrate
from monasca_events_api.description.words import explain

#: What an address is about, in the order of the reference.
TAGS = ("events", "triggers", "firings", "timeline", "notification-methods",
        "transforms", "operators", "public")


def operations() -> list[Operation]:
    """Return every operation, in the order of the reference."""
    return [*public.OPERATIONS, *events.OPERATIONS, *definitions.OPERATIONS,
            *findings.OPERATIONS, *operators.OPERATIONS]


@functools.lru_cache(maxsize=16)
def describe(url: str) -> dict[str, Any]:
    """Return the description.

    :param url: of the API's root, as clients know it
    """
    allowed = _policies()
    paths: dict[str, dict] = {}
    for one in operations():
        names = allowed.get((one.method, _bare(one.path)), ())
        made = one.as_json(names)
        _explain(made)
        illustrate(made)
        paths.setdefault(one.path, {})[one.method.lower()] = made
    parameters = _shared(paths)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": "Monasca Events", "version": "v1.0",
            "summary": "Events as a service for OpenStack",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description":
                "GET may be HEAD everywhere; OPTIONS answers 204 with Allow. "
                "Lists of events, statistics, types, recent events and "
                "streams further take traits.NAME and dimensions.NAME as "
                "parameters, which OpenAPI cannot say."},
        "servers": [{"url": url}],
        "security": [{SECURITY: []}],
        "tags": [{"name": name} for name in TAGS],
        "paths": paths,
        "components": {
            "securitySchemes": {SECURITY: {
                "type": "apiKey", "in": "header", "name": "X-Auth-Token",
                "description": "A token that is scoped to a project."}},
            "schemas": _schemas(), "parameters": parameters,
            "responses": refusals()}}


def _schemas() -> dict[str, dict]:
    found: dict[str, dict] = {}
    for module in (public, events, definitions, findings, operators):
        for name, schema in module.SCHEMAS.items():
            found[name] = explain(schema, name)
    return found


def _explain(operation: Mapping) -> None:
    """Have the bodies of an operation say what their fields mean."""
    for part in (operation.get("requestBody", {}),
                 *operation["responses"].values()):
        for said in part.get("content", {}).values():
            said["schema"] = explain(said["schema"],
                                     operation["operationId"])


def _shared(paths: dict[str, dict]) -> dict[str, dict]:
    """Return what several operations have as a parameter, by a name; there
    a reference takes its place."""
    several = collections.Counter(
        orjson.dumps(parameter) for item in paths.values()
        for one in item.values() for parameter in one.get("parameters", ()))
    found: dict[str, dict] = {}
    names: dict[bytes, str] = {}
    for item in paths.values():
        for one in item.values():
            for at, parameter in enumerate(one.get("parameters", ())):
                text = orjson.dumps(parameter)
                if several[text] < 2:
                    continue
                if text not in names:
                    name = parameter["name"]
                    while name in found:
                        name += "_"
                    names[text], found[name] = name, parameter
                one["parameters"][at] = {
                    "$ref": f"#/components/parameters/{names[text]}"}
    return found


def _policies() -> dict[tuple[str, str], list[str]]:
    """Return (method, path with its names left out) → policies."""
    found: dict[tuple[str, str], list[str]] = {}
    for rule in policies.list_rules():
        for one in rule.operations:
            found.setdefault((one["method"], _bare(one["path"])), []).append(
                rule.name)
    return found


def _bare(path: str) -> str:
    """Return a path whose names in braces are alike."""
    return "/".join("{}" if part.startswith("{") else part
                    for part in path.split("/"))


def uncovered() -> Iterable[tuple[str, str]]:
    """Return what policies decide about and nobody describes."""
    described = {(one.method, _bare(one.path)) for one in operations()}
    return sorted(set(_policies()) - described)
