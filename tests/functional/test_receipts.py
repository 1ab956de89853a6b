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

"""Receipts: what became of a POST, event by event, until stored; M8."""

import unittest
import uuid

from monasca_events_common.deadletters import DeadLetter
from tests.functional import service


@unittest.skipIf(service.is_live(), "these tests pump the bus themselves")
class ReceiptsTest(unittest.TestCase):

    def setUp(self):
        service.set_environment()
        self.service = service.Service(pump=False)
        self.addCleanup(self.service.close)
        self.client = service.client(self.service.application)

    def call(self, method, path, status=200, persona="MEMBER", **request):
        answer = self.client.request(method, f"/v1.0/{path}",
                                     headers=service.token(persona),
                                     **request)
        self.assertEqual(status, answer.status_code, answer.text)
        return answer

    def post(self, *types: str, query: str = "job=true", status: int = 202):
        return self.call("POST", f"events?{query}", status, json={
            "events": [{"event_type": one} for one in types]})

    def look(self, job_id: str, **request) -> dict:
        return self.call("GET", f"jobs/{job_id}", **request).json()

    def test_an_event_is_accepted_until_it_can_be_found(self):
        answer = self.post("shop.order", "shop.order")
        job = answer.json()["job"]
        self.assertEqual(answer.headers["location"], job["links"][0]["href"])
        self.assertTrue(answer.headers["location"].endswith(
            f"/v1.0/jobs/{job['id']}"))
        found = self.look(job["id"])
        self.assertEqual(
            ("running", {"accepted": 2, "stored": 0, "dead": 0,
                         "dropped": 0}),
            (found["status"], found["counts"]))
        self.service.pump()
        found = self.look(job["id"] + "?wait=10")
        self.assertEqual("finished", found["status"])
        self.assertEqual(
            [{"event_id": one, "project_id": service.PROJECT,
              "status": "stored"} for one in answer.json()["event_ids"]],
            found["events"])

    def test_who_asks_for_none_gets_none(self):
        for query in ("job=false", ""):
            self.assertNotIn("job", self.post("a.b", query=query).json())

    def test_a_dead_one_says_why(self):
        answer = self.post("shop.order", "shop.order").json()
        dead, alive = answer["event_ids"]
        self.service.parts.dead_letters.put([DeadLetter(
            "persister", "refused", "the store refuses it", "Rejected",
            "monevents/0/1", b"{}", project_id=service.PROJECT,
            headers={"event_id": dead})],
            "2100-01-01T00:00:00.000000Z")
        found = self.look(answer["job"]["id"])["events"]
        self.assertEqual(
            [{"event_id": dead, "project_id": service.PROJECT,
              "status": "dead", "code": "refused",
              "reason": "the store refuses it"},
             {"event_id": alive, "project_id": service.PROJECT,
              "status": "accepted"}], found)

    def test_what_the_projects_own_transform_drops_is_told(self):
        made = uuid.uuid4().hex
        self.call("POST", "transforms", 201, json={
            "name": made, "pattern": {"event_type": ["shop.noise"]},
            "operations": [{"drop": True}]})
        answer = self.post("shop.noise", "shop.order").json()
        found = self.look(answer["job"]["id"])
        self.assertEqual(["dropped", "accepted"],
                         [one["status"] for one in found["events"]])

    def test_a_receipt_is_its_projects_own(self):
        """S1"""
        job = self.post("shop.order").json()["job"]["id"]
        for persona in ("FOREIGN_MEMBER", "ADMIN"):
            self.call("GET", f"jobs/{job}", 404, persona)
        self.call("GET", f"jobs/{uuid.uuid4()}", 404)

    def test_a_project_has_so_many_and_old_ones_are_forgotten(self):
        conf = self.service.parts.conf
        conf.set_override("receipts", 1, group="quotas")
        job = self.post("shop.order").json()["job"]["id"]
        answer = self.post("shop.order", status=403)
        self.assertEqual("quota_exceeded", answer.json()["errors"][0]["code"])
        self.post("shop.order", query="job=false")
        with self.service.parts.database.begin() as connection:
            connection.exec_driver_sql("UPDATE jobs SET updated_at = 0")
        self.post("shop.order")
        self.call("GET", f"jobs/{job}", 404)

    def test_a_thousand_events_are_answered_together(self):
        answer = self.post(*["shop.order"] * 1000).json()
        self.service.pump()
        found = self.look(answer["job"]["id"] + "?wait=10")
        self.assertEqual(1000, found["counts"]["stored"])
        self.assertEqual(answer["event_ids"], [
            one["event_id"] for one in found["events"]])

    def test_parameters_that_mean_nothing_are_refused(self):
        for query in ("job=1", "job=true&job=true", "jobs=true"):
            self.post("shop.order", query=query, status=400)
        job = self.post("shop.order").json()["job"]["id"]
        for query in ("wait=11", "wait=x", "limit=1"):
            self.call("GET", f"jobs/{job}?{query}", 400)
