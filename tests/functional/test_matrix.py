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

"""Who may do what: every route with every persona, against one table.

A route without a row fails, so that a new one cannot be forgotten.
"""

import json
import time
import unittest

import pecan.routing

from monasca_events_api import app
from monasca_events_api.controllers import root
from tests.functional import service

NONE, BAD = "NONE", "BAD"
PERSONAS = (NONE, BAD, "NO_ROLE", "READER", "MEMBER", "MANAGER", "ADMIN",
            "SERVICE", "FOREIGN_MEMBER")

_PUBLIC = dict.fromkeys(PERSONAS, 200)
_READ = {NONE: 401, BAD: 401, "NO_ROLE": 403, "READER": 200, "MEMBER": 200,
         "MANAGER": 200, "ADMIN": 200, "SERVICE": 403, "FOREIGN_MEMBER": 200}
# The event is of PROJECT: for others' tokens it does not exist.
_SHOW = {**_READ, "ADMIN": 404, "FOREIGN_MEMBER": 404}
_POST = {NONE: 401, BAD: 401, "NO_ROLE": 403, "READER": 403, "MEMBER": 202,
         "MANAGER": 202, "ADMIN": 202, "SERVICE": 202, "FOREIGN_MEMBER": 202}
_DELEGATE = {**_POST, "FOREIGN_MEMBER": 403}
_OTHERS = {NONE: 401, BAD: 401, "NO_ROLE": 403, "READER": 403,
           "MEMBER": 403, "MANAGER": 403, "ADMIN": 200, "SERVICE": 403,
           "FOREIGN_MEMBER": 200}
_ADMIN = {**_OTHERS, "FOREIGN_MEMBER": 403}

#: (method, route) → persona → status.
TABLE = {
    ("GET", "/"): _PUBLIC,
    ("GET", "/version"): _PUBLIC,
    ("GET", "/healthcheck"): _PUBLIC,
    ("GET", "/v1.0"): _PUBLIC,
    ("GET", "/v1.0/events"): _READ,
    ("POST", "/v1.0/events"): _POST,
    ("GET", "/v1.0/events/{event_id}"): _SHOW,
    ("GET", "/v1.0/events/types"): _READ,
    ("GET", "/v1.0/events/traits"): _READ,
    ("GET", "/v1.0/events/statistics"): _READ,
}

#: The same where the request names another project.
VARIANTS = {
    ("GET", "/v1.0/events?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events/types?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events/traits?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events/statistics?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/types?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/traits?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/statistics?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/{event_id}?all_projects=true"): _ADMIN,
    ("POST", "/v1.0/events?project_id={project}"): _DELEGATE,
}


def routes(controller, path: str = "") -> set[tuple[str, str]]:
    """Return what Pecan routes below a controller, found by its attributes."""
    found = set()
    config = getattr(controller.index, "_pecan", {})
    for method in config.get("generic_handlers", {}):
        if method not in ("DEFAULT", "HEAD"):
            found.add((method, path or "/"))
    for name, value in vars(controller).items():
        if not name.startswith("_") and hasattr(value, "index"):
            found |= routes(value, f"{path}/{name}")
    return found


def all_routes(service_root) -> set[tuple[str, str]]:
    """Return every route; the look-ups by name are followed by hand."""
    found = routes(service_root)
    version, _ = pecan.routing.handle_lookup_traversal(
        service_root._lookup, ["v1.0"])
    found |= routes(version, "/v1.0")
    item, _ = version.events._lookup("some-id")
    return found | routes(item, "/v1.0/events/{event_id}")


class MatrixTest(unittest.TestCase):
    """S1, S2, B18."""

    @classmethod
    def setUpClass(cls):
        service.set_environment()
        cls.service = None
        if not service.is_live():
            cls.service = service.Service()
            cls.addClassCleanup(cls.service.close)
        cls.client = service.client(
            cls.service and cls.service.application)
        posted = cls.client.post(
            "/v1.0/events", headers=service.token("MEMBER"),
            json={"events": [{"event_type": "matrix", "payload": {}}]})
        cls.event_id = posted.json()["event_ids"][0]
        # Searchable, not only there: by its id Elasticsearch finds it sooner.
        for _ in range(600):
            found = cls.client.get("/v1.0/events?event_type=matrix",
                                   headers=service.token("READER"))
            if cls.event_id in found.text:
                break
            time.sleep(0.02)
        else:
            raise AssertionError("the event did not arrive in the store")

    def call(self, method, route, persona):
        path = route.format(event_id=self.event_id,
                            foreign=service.value("FOREIGN_PROJECT"),
                            project=service.value("PROJECT"))
        headers = {"Content-Type": "application/json"}
        if persona == BAD:
            headers["X-Auth-Token"] = "gAAAAABexpired"
        elif persona != NONE:
            headers.update(service.token(persona))
        body = (json.dumps({"events": [{"event_type": "matrix"}]})
                if method == "POST" else None)
        return self.client.request(method, path, headers=headers,
                                   content=body)

    def test_every_route_answers_every_persona_as_the_table_says(self):
        for (method, route), expected in {**TABLE, **VARIANTS}.items():
            for persona in PERSONAS:
                with self.subTest(method=method, route=route,
                                  persona=persona):
                    answer = self.call(method, route, persona)
                    self.assertEqual(expected[persona], answer.status_code,
                                     answer.text)
                    self.assertRegex(
                        answer.headers["x-openstack-request-id"], "^req-")
                    self.assertEqual("application/json",
                                     answer.headers["content-type"])

    def test_no_route_lacks_a_row(self):
        if self.service is None:
            self.skipTest("a live service does not show its controllers")
        found = all_routes(root.RootController(root.Parts(
            conf=self.service.parts.conf, bus=self.service.parts.bus,
            store=self.service.parts.store,
            identity=self.service.parts.identity,
            database=self.service.parts.database, catalog=None,
            secrets=self.service.parts.secrets, clock=app.utc_now,
            policy=None, project_id=None)))
        self.assertEqual(set(TABLE), found)

    def test_anothers_event_and_none_are_answered_alike(self):
        none = "00000000-0000-0000-0000-000000000000"
        answers = [self.client.get(
            f"/v1.0/events/{event_id}",
            headers=service.token("FOREIGN_MEMBER"))
            for event_id in (self.event_id, none)]
        said = [answer.json()["message"] for answer in answers]
        self.assertEqual(said[0].replace(self.event_id, "ID"),
                         said[1].replace(none, "ID"))
        self.assertEqual([404, 404], [a.status_code for a in answers])
