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
import uuid

from monasca_events_api.controllers.stream import EVENT_STREAM
from tests.functional import fixtures
from tests.functional import routes
from tests.functional import service
from tests.integration.daemons import wait_for

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
# Making something is a member's; each makes it in their own project.
_MAKE = {**_POST, "SERVICE": 403}
_MADE = {name: 201 if status == 202 else status
         for name, status in _MAKE.items()}
# Changing what is PROJECT's: for other tokens it does not exist.
_DELETE = {**_MAKE, "MEMBER": 204, "MANAGER": 204, "ADMIN": 404,
           "FOREIGN_MEMBER": 404}
_CHANGE = {**_MAKE, "MEMBER": 200, "MANAGER": 200, "ADMIN": 404,
           "FOREIGN_MEMBER": 404}
# Waited for or not, depending on how busy the worker is.
_BEGIN = {name: (200, 202) if status == 202 else status
          for name, status in _MAKE.items()}
_ACT = {**_CHANGE, "MEMBER": 202, "MANAGER": 202}
# A test of a notification method waits for nothing.
_OPERATE = {name: 202 if status == 200 else status
            for name, status in _ADMIN.items()}
# Nothing stands still.
_RESUME = {name: 409 if status == 200 else status
           for name, status in _ADMIN.items()}
_FORGET = {name: 204 if status == 200 else status
           for name, status in _ADMIN.items()}
# Asked for by PROJECT's member; who only reads has posted nothing.
_RECEIPT = {**_SHOW, "READER": 403, "SERVICE": 404}
_TOO_LATE = {**_CHANGE, "MEMBER": 409, "MANAGER": 409}

#: (method, route) → persona → status.
TABLE = {
    ("GET", "/"): _PUBLIC,
    ("GET", "/version"): _PUBLIC,
    ("GET", "/healthcheck"): _PUBLIC,
    ("GET", "/v1.0"): _PUBLIC,
    ("GET", "/v1.0/openapi.json"): _PUBLIC,
    ("GET", "/v1.0/events"): _READ,
    ("POST", "/v1.0/events"): _POST,
    ("GET", "/v1.0/events/{event_id}"): _SHOW,
    ("GET", "/v1.0/events/types"): _READ,
    ("GET", "/v1.0/events/traits"): _READ,
    ("GET", "/v1.0/events/statistics"): _READ,
    ("GET", "/v1.0/events/recent"): _READ,
    ("GET", "/v1.0/events/stream"): _READ,
    ("GET", "/v1.0/jobs/{receipt_id}"): _RECEIPT,
    ("GET", "/v1.0/triggers"): _READ,
    ("POST", "/v1.0/triggers"): _MADE,
    ("POST", "/v1.0/triggers/test"): _READ,
    ("POST", "/v1.0/triggers/backtest"): _BEGIN,
    ("GET", "/v1.0/triggers/backtest/{job_id}"): _SHOW,
    ("DELETE", "/v1.0/triggers/backtest/{job_id}"): _DELETE,
    ("GET", "/v1.0/triggers/templates"): _READ,
    ("GET", "/v1.0/triggers/templates/{template}"): _READ,
    ("GET", "/v1.0/triggers/{trigger_id}"): _SHOW,
    ("PATCH", "/v1.0/triggers/{trigger_id}"): _CHANGE,
    ("DELETE", "/v1.0/triggers/{trigger_id}"): _DELETE,
    ("GET", "/v1.0/triggers/{trigger_id}/explain"): _SHOW,
    ("GET", "/v1.0/triggers/{trigger_id}/firings"): _SHOW,
    ("GET", "/v1.0/triggers/{trigger_id}/firings/{firing_id}"): _SHOW,
    ("POST", "/v1.0/triggers/{trigger_id}/firings/{firing_id}/redeliver"):
        _ACT,
    ("POST", "/v1.0/triggers/{trigger_id}/firings/{firing_id}/cancel"):
        _TOO_LATE,
    ("GET", "/v1.0/firings"): _READ,
    ("GET", "/v1.0/timeline"): _READ,
    ("GET", "/v1.0/notification-methods"): _READ,
    ("POST", "/v1.0/notification-methods"): _MADE,
    ("GET", "/v1.0/notification-methods/{method_id}"): _SHOW,
    ("PATCH", "/v1.0/notification-methods/{method_id}"): _CHANGE,
    ("DELETE", "/v1.0/notification-methods/{method_id}"): _DELETE,
    ("POST", "/v1.0/notification-methods/{method_id}/rotate"): _CHANGE,
    ("POST", "/v1.0/notification-methods/{method_id}/test"): _ACT,
    ("GET", "/v1.0/notification-methods/{method_id}/deliveries"): _SHOW,
    ("GET", "/v1.0/transforms"): _READ,
    ("POST", "/v1.0/transforms"): _MADE,
    ("POST", "/v1.0/transforms/test"): _READ,
    ("GET", "/v1.0/transforms/{transform_id}"): _SHOW,
    ("GET", "/v1.0/transforms/{transform_id}/versions"): _SHOW,
    ("PATCH", "/v1.0/transforms/{transform_id}"): _CHANGE,
    ("DELETE", "/v1.0/transforms/{transform_id}"): _DELETE,
    ("GET", "/v1.0/services"): _ADMIN,
    ("GET", "/v1.0/services/{service}"): _ADMIN,
    ("POST", "/v1.0/services/{service}/resume"): _RESUME,
    ("GET", "/v1.0/dead-letters"): _ADMIN,
    ("GET", "/v1.0/dead-letters/{letter}"): _ADMIN,
    ("DELETE", "/v1.0/dead-letters/{letter}"): _FORGET,
    ("POST", "/v1.0/dead-letters/{letter}/replay"): _OPERATE,
    ("POST", "/v1.0/dead-letters/replay"): _OPERATE,
    ("POST", "/v1.0/dead-letters/purge"): _ADMIN,
}

#: The same where the request names another project.
VARIANTS = {
    ("GET", "/v1.0/events?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events/types?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events/traits?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events/statistics?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events/recent?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events/stream?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/events?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/types?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/traits?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/statistics?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/recent?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/events/stream?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/triggers?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/triggers?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/triggers/{trigger_id}?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/triggers/backtest/{job_id}?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/triggers/{trigger_id}/explain?event_id={event_id}"
            "&all_projects=true"): _ADMIN,
    ("GET", "/v1.0/triggers/{trigger_id}/firings?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/triggers/test/firings/{firing_id}?all_projects=true"):
        _ADMIN,
    ("GET", "/v1.0/firings?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/timeline?resource_id=x&project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/timeline?resource_id=x&all_projects=true"): _ADMIN,
    ("GET", "/v1.0/firings?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/notification-methods?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/notification-methods?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/notification-methods/{method_id}?all_projects=true"):
        _ADMIN,
    ("GET", "/v1.0/notification-methods/{method_id}/deliveries"
            "?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/transforms?project_id={foreign}"): _OTHERS,
    ("GET", "/v1.0/transforms?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/transforms/{transform_id}?all_projects=true"): _ADMIN,
    ("GET", "/v1.0/transforms/{transform_id}/versions?all_projects=true"):
        _ADMIN,
    ("GET", "/v1.0/dead-letters?project_id={foreign}"): _ADMIN,
    ("GET", "/v1.0/events/{event_id}?all_projects=true"): _ADMIN,
    ("POST", "/v1.0/events?project_id={project}"): _DELEGATE,
}


_TRIGGER = {"kind": "match", "pattern": {"event_type": ["matrix"]}}
_TRANSFORM = {"pattern": {"event_type": ["matrix.transformed"]},
              "operations": [{"mask": ["payload.secret"]}]}

#: (method, route) → what is sent; the names are made unique.
BODIES = {
    ("POST", "/v1.0/events"): {"events": [{"event_type": "matrix"}]},
    ("POST", "/v1.0/triggers"): {"name": "{name}", **_TRIGGER},
    ("POST", "/v1.0/triggers/test"): {
        "trigger": _TRIGGER, "event": {"event_type": "matrix"}},
    ("PATCH", "/v1.0/triggers/{trigger_id}"): {"enabled": False},
    ("POST", "/v1.0/triggers/backtest"): {"trigger": _TRIGGER},
    ("POST", "/v1.0/notification-methods"): {
        "name": "{name}", "type": "webhook",
        "address": "https://hooks.example.org/"},
    ("PATCH", "/v1.0/notification-methods/{method_id}"): {
        "address": "https://hooks.example.org:8443/"},
    ("POST", "/v1.0/transforms"): {"name": "{name}", **_TRANSFORM},
    ("PATCH", "/v1.0/transforms/{transform_id}"): {"enabled": False},
    ("POST", "/v1.0/transforms/test"): {
        "transform": _TRANSFORM, "event": {"event_type": "matrix"}},
    ("POST", "/v1.0/dead-letters/replay"): {"all": True, "code": "none"},
    ("POST", "/v1.0/dead-letters/purge"): {"all": True, "code": "none"},
}

#: Firings that the tests have are those of a test, see Things.
PATHS = {"/v1.0/triggers/{trigger_id}/firings/{firing_id}":
         "/v1.0/triggers/test/firings/{firing_id}"}

#: Parameters that a route does not do without.
QUERIES = {"/v1.0/timeline": "resource_id=x",
           "/v1.0/triggers/{trigger_id}/explain": "event_id={event_id}",
           "/v1.0/triggers/backtest": "wait=0"}


class Things:
    """What a route needs to be there: PROJECT's, new for each request."""

    def __init__(self, client, event_id: str, dead_letters) -> None:
        self._client = client
        self._dead_letters = dead_letters
        self._made: list[tuple[str, str]] = []
        self.values = {"event_id": event_id, "template": "instance-create",
                       "service": "persister",
                       "foreign": service.value("FOREIGN_PROJECT"),
                       "project": service.value("PROJECT")}

    def prepare(self, route: str) -> None:
        """Make what the names in braces of a route stand for."""
        if "{trigger_id}" in route:
            self.values["trigger_id"] = self._post("triggers")
        if "{transform_id}" in route:
            self.values["transform_id"] = self._post("transforms")
        if "{job_id}" in route:
            self.values["job_id"] = self._post("triggers/backtest")
        if "{receipt_id}" in route:
            self.values["receipt_id"] = self._client.post(
                "/v1.0/events?job=true", headers=service.token("MEMBER"),
                json=BODIES["POST", "/v1.0/events"]).json()["job"]["id"]
        if "{method_id}" in route or "{firing_id}" in route:
            self.values["method_id"] = self._post("notification-methods")
        if "{letter}" in route:
            self._dead_letters.put([fixtures.letter()], "2026-11-25")
            self.values["letter"] = str(self._dead_letters.list()[-1].id)
        if "{firing_id}" in route:
            self.values["firing_id"] = self._client.post(
                "/v1.0/notification-methods/"
                f"{self.values['method_id']}/test",
                headers=service.token("MEMBER")).json()["firing_id"]

    def _post(self, name: str) -> str:
        route = f"/v1.0/{name}"
        made = self._client.post(
            address(route, self.values), headers=service.token("MEMBER"),
            json=unique(BODIES["POST", route]))
        if not made.is_success:
            raise AssertionError(made.text)
        self.note(made, "MEMBER")
        return made.json()["id"]

    def note(self, answer, persona: str) -> None:
        """Remember to delete what a request made."""
        if answer.request.method == "POST" and answer.is_success \
                and {"id", "links"} <= answer.json().keys():
            self._made.append((answer.json()["links"][0]["href"], persona))

    def clean(self) -> None:
        """Delete what was made, lest a quota is used up."""
        for address, persona in self._made:
            # Once cancels a back-test that is under way, twice forgets it.
            for _ in range(2):
                self._client.delete(address, headers=service.token(persona))


def address(route: str, values: dict[str, str]) -> str:
    """Return the address of a route with what its names stand for."""
    path = route
    for known, other in PATHS.items():
        path = path.replace(known, other)
    if route in QUERIES:
        path += "?" + QUERIES[route]
    return path.format(**values)


def unique(content):
    """Return a body with a name of its own."""
    return json.loads(json.dumps(content).replace(
        "{name}", uuid.uuid4().hex))


class MatrixTest(service.ServiceCase):
    """S1, S2, B18."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        posted = cls.client.post(
            "/v1.0/events", headers=service.token("MEMBER"),
            json={"events": [{"event_type": "matrix", "payload": {}}]})
        cls.event_id = posted.json()["event_ids"][0]
        # Searchable, not only there: by its id Elasticsearch finds it sooner.
        wait_for("the event is in the store", lambda: (
            cls.event_id in cls.client.get(
                "/v1.0/events?event_type=matrix",
                headers=service.token("READER")).text), every=0.02)

    def things(self):
        return Things(self.client, self.event_id, self.service
                      and self.service.parts.dead_letters)

    def call(self, method, route, persona):
        things = self.things()
        things.prepare(route)
        headers = {"Content-Type": "application/json"}
        if persona == BAD:
            headers["X-Auth-Token"] = "gAAAAABexpired"
        elif persona != NONE:
            headers.update(service.token(persona))
        body = BODIES.get((method, route.partition("?")[0]))
        # A stream would not end by itself.
        with self.client.stream(
                method, address(route, things.values), headers=headers,
                content=None if body is None else json.dumps(unique(body))
                ) as answer:
            if answer.headers.get("content-type") != EVENT_STREAM:
                answer.read()
        things.note(answer, persona)
        things.clean()
        return answer

    def test_every_route_answers_every_persona_as_the_table_says(self):
        for (method, route), expected in {**TABLE, **VARIANTS}.items():
            if self.service is None and "{letter}" in route:
                # A live service has those that it has.
                continue
            for persona in PERSONAS:
                with self.subTest(method=method, route=route,
                                  persona=persona):
                    answer = self.call(method, route, persona)
                    wanted = expected[persona]
                    self.assertIn(answer.status_code, wanted if type(wanted)
                                  is tuple else (wanted,))
                    self.assertRegex(
                        answer.headers["x-openstack-request-id"], "^req-")
                    if answer.status_code != 204:
                        self.assertEqual(
                            EVENT_STREAM if answer.is_success
                            and "/stream" in route else "application/json",
                            answer.headers["content-type"])

    def test_no_route_lacks_a_row(self):
        if self.service is None:
            self.skipTest("a live service does not show its controllers")
        self.assertEqual(routes.nameless(TABLE), routes.served(
            routes.controllers(self.service.parts)))

    def test_what_is_anothers_and_what_is_not_are_answered_alike(self):
        none = "00000000-0000-0000-0000-000000000000"
        for method, route in TABLE:
            named = route.count("{")
            if not named or "{template}" in route or "{letter}" in route \
                    or "{service}" in route:
                continue
            things = self.things()
            things.prepare(route)
            real = dict(things.values)
            false = {name: none if name.endswith("_id") else value
                     for name, value in real.items()}
            false["event_id"] = real["event_id"]
            if route.startswith("/v1.0/events/"):
                false["event_id"] = none
            answers = []
            for values in (real, false):
                answer = self.client.request(
                    method, address(route, values),
                    json=BODIES.get((method, route)),
                    headers=service.token("FOREIGN_MEMBER"))
                text = answer.json()["message"]
                for value in values.values():
                    text = text.replace(value, "ID")
                answers.append((answer.status_code, text))
            things.clean()
            with self.subTest(method=method, route=route):
                self.assertEqual(404, answers[0][0])
                self.assertEqual(*answers)
