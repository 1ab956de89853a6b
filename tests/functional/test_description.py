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


"""The API is what its own description says; D18.

Each operation is called as it is meant to be and its answer compared with the
description; then schemathesis makes up requests from the description, right
and wrong ones, and finds neither a fault of ours nor an undocumented answer.
"""

import collections
import itertools
import os
import unittest

import httpx
import hypothesis
import jsonschema
import openapi_spec_validator
import orjson
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from monasca_events_api import description
from monasca_events_api.controllers.stream import EVENT_STREAM
from monasca_events_common.catalog import methods
from monasca_events_common.rules import definition
from monasca_events_common.rules import transforms
from tests.functional import service
from tests.functional import test_matrix as matrix
from tests.integration.daemons import wait_for

PATH = "/v1.0/openapi.json"

#: Requests that are made up for each operation, right ones and wrong ones.
EXAMPLES = int(os.environ.get("MONASCA_EVENTS_TEST_EXAMPLES") or 6)

_CHECKS = [not_a_server_error, checks.status_code_conformance,
           checks.content_type_conformance,
           checks.response_schema_conformance,
           checks.response_headers_conformance]

#: Who asks in turn; the last one is nobody.
_PERSONAS = ("MEMBER", "ADMIN", "READER", None)

#: Statuses other than success that show that a request was understood.
_UNDERSTOOD = {
    ("POST", "/v1.0/services/{service}/resume"): 409,
    ("POST", "/v1.0/triggers/{trigger_id}/firings/{firing_id}/cancel"): 409}


def unworded(schema):
    """Return a schema without the words for people."""
    if isinstance(schema, list):
        return [unworded(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: {key: unworded(one) for key, one in value.items()}
            if name == "properties" else unworded(value)
            for name, value in schema.items() if name != "description"}


class DescriptionCase(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        service.set_environment()
        if service.is_live():
            raise unittest.SkipTest("these tests need a service of their own")
        cls.service = service.Service(settings={
            "live__stream_lifetime": "1.0", "live__stream_events": "5",
            **{f"quotas__{name}": "-1" for name in (
                "triggers", "notification_methods", "transforms",
                "backtests")}})
        cls.addClassCleanup(cls.service.close)
        cls.client = service.client(cls.service.application)
        posted = cls.client.post(
            "/v1.0/events", headers=service.token("MEMBER"),
            json={"events": [{"event_type": "matrix", "traits": {"n": 1.5},
                              "dimensions": {"rack": "r"}}]})
        cls.event_id = posted.json()["event_ids"][0]
        wait_for("the event is stored", lambda: cls.client.get(
            f"/v1.0/events/{cls.event_id}",
            headers=service.token("READER")).is_success, every=0.02)
        cls.document = cls.client.get(PATH).json()

    def things(self, route: str) -> matrix.Things:
        """Return what a route needs to be there."""
        things = matrix.Things(self.client, self.event_id,
                               self.service.parts.dead_letters)
        things.prepare(route)
        self.addCleanup(things.clean)
        return things


class DocumentTest(DescriptionCase):
    """What it says by itself."""

    def test_a_public_validator_takes_it(self):
        openapi_spec_validator.validate(
            self.document, cls=openapi_spec_validator.OpenAPIV31SpecValidator)

    def test_every_route_is_described_and_no_other(self):
        self.assertEqual(set(matrix.TABLE), {
            (method.upper(), path)
            for path, item in self.document["paths"].items()
            for method in item})

    def test_every_policy_decides_about_something_that_is_described(self):
        self.assertEqual([], list(description.uncovered()))
        for path, item in self.document["paths"].items():
            for method, one in item.items():
                with self.subTest(method=method, path=path):
                    self.assertNotEqual("security" in one,
                                        "x-openstack-policies" in one)

    def test_bodies_are_the_schemas_that_validate(self):
        schemas = self.document["components"]["schemas"]

        def plain(value):
            return unworded(orjson.loads(orjson.dumps(value)))
        schemas = unworded(schemas)
        for kind in definition.KINDS:
            self.assertIn(plain(definition.schema(kind)),
                          schemas["TriggerDefinition"]["anyOf"])
        for kind in methods.TYPES:
            self.assertIn(plain(methods.schema(kind)),
                          schemas["MethodDefinition"]["anyOf"])
        self.assertEqual(plain(transforms.SCHEMA),
                         schemas["TransformDefinition"])

    def test_links_in_it_are_those_that_the_client_knows(self):
        other = service.make_application(self.service.parts)
        conf = self.service.parts.conf
        conf.set_override("public_endpoint", "https://events.example.org/",
                          group="api")
        self.addCleanup(conf.clear_override, "public_endpoint", group="api")
        found = service.client(other).get(PATH).json()
        self.assertEqual([{"url": "https://events.example.org"}],
                         found["servers"])


class AnswersTest(DescriptionCase):

    def test_what_each_operation_answers_is_as_described(self):
        for method, route in matrix.TABLE:
            with self.subTest(method=method, route=route):
                things = self.things(route)
                persona = "ADMIN" if matrix.TABLE[method, route][
                    "MEMBER"] == 403 else "MEMBER"
                body = matrix.BODIES.get((method, route))
                answer = self.client.request(
                    method, matrix.address(route, things.values),
                    headers=service.token(persona),
                    json=None if body is None else matrix.unique(body))
                things.note(answer, persona) if answer.content and (
                    EVENT_STREAM not in answer.headers["content-type"]
                ) else None
                self.check(method, route, answer)

    def check(self, method: str, route: str, answer) -> None:
        responses = self.document["paths"][route][method.lower()][
            "responses"]
        self.assertTrue(
            answer.is_success or answer.status_code
            == _UNDERSTOOD.get((method, route)), answer.text)
        said = responses[str(answer.status_code)]
        if "$ref" in said:
            said = self.document["components"]["responses"][
                str(answer.status_code)]
        if answer.status_code == 204:
            self.assertNotIn("content", said)
            return
        kind = answer.headers["content-type"].partition(";")[0]
        schema = said["content"][kind]["schema"]
        if kind == "application/json":
            jsonschema.Draft202012Validator({
                **schema, "components": self.document["components"]}
            ).validate(answer.json())

    def test_no_parameter_that_is_described_is_unknown(self):
        shared = self.document["components"]["parameters"]
        for method, route in matrix.TABLE:
            things = self.things(route)
            address = matrix.address(route, things.values)
            for one in self.document["paths"][route][method.lower()].get(
                    "parameters", ()):
                one = shared.get(one.get("$ref", "").rpartition("/")[2], one)
                if one["in"] != "query" or f"{one['name']}=" in address:
                    continue
                with self.subTest(method=method, route=route,
                                  parameter=one["name"]):
                    with self.client.stream(
                            method, address, params=httpx.QueryParams(
                                address.partition("?")[2]).set(
                                    one["name"], "1"),
                            headers=service.token("ADMIN"),
                            json=matrix.unique(matrix.BODIES.get(
                                (method, route)))) as answer:
                        if answer.status_code == 400:
                            self.assertNotIn(
                                f"'{one['name']}' is not a parameter",
                                answer.read().decode())

    def test_lists_with_something_in_them_are_as_described(self):
        self.things("/v1.0/triggers/{trigger_id}/firings/{firing_id}"
                    "/{transform_id}/{letter}")
        for route in ("/v1.0/events", "/v1.0/events/recent", "/v1.0/triggers",
                      "/v1.0/transforms", "/v1.0/notification-methods",
                      "/v1.0/firings", "/v1.0/dead-letters",
                      "/v1.0/services", "/v1.0/events/traits",
                      "/v1.0/events/types",
                      "/v1.0/events/statistics?interval=1d&by=event_type",
                      "/v1.0/timeline?resource_id=r"):
            with self.subTest(route=route):
                path, _, query = route.partition("?")
                answer = self.client.get(
                    path, params=dict(one.split("=") for one
                                      in query.split("&") if one),
                    headers=service.token(
                        "ADMIN" if "dead" in route or "services" in route
                        else "MEMBER"))
                self.check("GET", path, answer)


class PropertyTest(DescriptionCase):

    def test_made_up_requests_find_no_fault_and_nothing_undocumented(self):
        schema = schemathesis.openapi.from_wsgi(PATH,
                                                self.service.application)
        seen: dict[str, collections.Counter] = {}
        for result in schema.get_all_operations():
            operation = result.ok()
            with self.subTest(operation=operation.label):
                seen[operation.label] = self.run_one(operation)
        # schemathesis leaves out where it has the description from.
        self.assertEqual({f"{method} {route}" for method, route
                          in matrix.TABLE if route != PATH}, set(seen))
        statuses = sum(seen.values(), collections.Counter())
        # Requests came through, and were refused for many reasons.
        self.assertGreater(statuses[200], 50, statuses)
        for status in (202, 400, 401, 403, 404, 422):
            self.assertGreater(statuses[status], 0, statuses)

    def run_one(self, operation) -> collections.Counter:
        """Return the statuses that requests of one operation were given."""
        seen: collections.Counter = collections.Counter()
        things = self.things(operation.path)
        turns = itertools.count()

        def ask(case):
            turn = next(turns)
            if turn % 2 and case.path_parameters:
                # What there is, lest all is answered 404.
                case.path_parameters = {
                    name: things.values.get(name, value)
                    for name, value in case.path_parameters.items()}
            persona = _PERSONAS[turn % len(_PERSONAS)]
            case.headers = {
                name: value for name, value in (case.headers or {}).items()
                if name.lower() != "x-auth-token"}
            if persona is not None:
                case.headers.update(service.token(persona))
            answer = case.call()
            seen[answer.status_code] += 1
            case.validate_response(answer, checks=_CHECKS)

        modes = [schemathesis.GenerationMode.POSITIVE]
        if operation.body or len(operation.query) or len(
                operation.path_parameters):
            # Without any there is nothing that could be wrong.
            modes.append(schemathesis.GenerationMode.NEGATIVE)
        for mode in modes:
            hypothesis.settings(
                max_examples=EXAMPLES, deadline=None, database=None,
                derandomize=True, phases=[hypothesis.Phase.generate],
                suppress_health_check=list(hypothesis.HealthCheck))(
                hypothesis.given(case=operation.as_strategy(
                    generation_mode=mode))(ask))()
        return seen
