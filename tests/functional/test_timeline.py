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


"""Timelines from the store and the history; B35, B38, S1."""

import datetime
import time
import unittest
import uuid

import orjson

from monasca_events_api.inputs import cadf
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.errors import StoreUnavailable
from tests.contract.store_case import at
from tests.contract.store_case import document
from tests.contract.store_case import make
from tests.contract.store_case import NOON
from tests.functional import service

PATH = "/v1.0/timeline"
CREATE = "compute.instance.create"


def event(kind: str, seconds: float, project_id=None, **fields) -> dict:
    return make(f"{kind}/{seconds}", project_id or service.PROJECT, **{
        "event_type": kind, "timestamp": at(seconds), **fields})


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class TimelineTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        service.set_environment()
        cls.service = service.Service(
            pump=False, clock=lambda: NOON + datetime.timedelta(hours=5))
        cls.addClassCleanup(cls.service.close)
        cls.client = service.client(cls.service.application)
        put = cls.service.parts.store.write
        server = {"resource_id": "vm-1", "request_id": "req-a"}
        put(list(map(document, [
            event(f"{CREATE}.start", 0, **server, payload={"big": "x"}),
            event("port.create.start", 2, request_id="req-b",
                  global_request_id="req-a"),
            event("port.create.end", 3, request_id="req-b",
                  global_request_id="req-a", resource_id="port-1"),
            event("volume.attach.start", 4, request_id="req-a",
                  resource_id="vol-1"),
            event(f"{CREATE}.end", 10, **server),
            event("audit.update.server", 11, **server),
            event("compute.instance.reboot.start", 7200,
                  resource_id="vm-1", request_id="req-c"),
            event("compute.instance.delete.end", 9000, resource_id="vm-2",
                  request_id="req-d"),
            event("line", 5, source="syslog", publisher_id="nova-compute",
                  payload={"message": "spawning vm-1 took long"}),
            event("line", 6, source="syslog", payload={
                "message": "nothing of it"}),
            event("line", 7, source="syslog", request_id="req-b", payload={
                "message": "[req-b] port is up"}),
            event("line", 8, source="log", global_request_id="req-a",
                  payload={"message": "volume is made"}),
            event("line", 8.5, source="log", payload={
                "message": "[req-a demo] scheduled"}),
            event("line", 8.6, source="log", resource_id="vm-1",
                  payload={"message": "it boots"}),
            event("line", 12, service.FOREIGN, source="syslog",
                  request_id="req-a", payload={"message": "another's"}),
            event("identity.user.created", 9, resource_id="user-1",
                  request_id="req-k", payload={
                      "typeURI": cadf.TYPE_URI, "action": "created.user"}),
            event("identity.user.updated", 9.5, resource_id="user-1",
                  request_id="req-l", payload={"resource_info": "user-1"}),
            event(f"{CREATE}.start", 1, service.FOREIGN, **server)])))

    def get(self, query, persona="READER", status=200, client=None):
        answer = (client or self.client).get(
            f"{PATH}?{query}", headers=service.token(persona))
        self.assertEqual(status, answer.status_code, answer.text)
        return answer.json()

    def types(self, found) -> list[str]:
        return [one["event_type"] for one in found["events"]]

    def test_a_resource_has_its_events_and_those_of_its_requests(self):
        found = self.get("resource_id=vm-1")
        self.assertEqual(
            [f"{CREATE}.start", "port.create.start", "port.create.end",
             "volume.attach.start", f"{CREATE}.end", "audit.update.server",
             "compute.instance.reboot.start"], self.types(found))
        self.assertEqual([False, True, True, True, False, False, False],
                         [one["related"] for one in found["events"]])
        self.assertEqual(["audit.update.server"], [
            one["event_type"] for one in found["events"]
            if one["kind"] == "audit"])
        self.assertNotIn("payload", found["events"][0])
        self.assertEqual("vm-1", found["resource_id"])
        self.assertFalse(found["truncated"])

    def test_starts_and_ends_are_spans_and_silence_is_a_gap(self):
        found = self.get("resource_id=vm-1")
        self.assertEqual(
            [(CREATE, "complete", 10.0), ("port.create", "complete", 1.0),
             ("volume.attach", "open", None),
             ("compute.instance.reboot", "open", None)],
            [(one["name"], one["state"], one["seconds"])
             for one in found["spans"]])
        self.assertEqual([(at(11), at(7200))], [
            (one["start"], one["end"]) for one in found["gaps"]])
        self.assertEqual([], self.get("resource_id=vm-1&gap=8000")["gaps"])

    def test_audit_is_told_by_its_form_too(self):
        """B38: Keystone names its CADF as it names its other events."""
        self.assertEqual(["audit", "event"], [
            one["kind"] for one in
            self.get("resource_id=user-1")["events"]])

    def lines(self, query) -> list[tuple[str, bool]]:
        return [(one["message"], one["related"])
                for one in self.get(query)["logs"]]

    def test_lines_of_logs_that_name_it_are_beside_the_events(self):
        found, other = self.get("resource_id=vm-1&related=false")["logs"]
        self.assertEqual("it boots", other["message"])
        self.assertEqual(("spawning vm-1 took long", "nova-compute", at(5)), (
            found["message"], found["publisher_id"], found["timestamp"]))

    def test_lines_of_its_requests_are_there_too(self):
        """B38: they need not name it."""
        self.assertEqual(
            [("spawning vm-1 took long", False), ("[req-b] port is up", True),
             ("volume is made", True), ("it boots", False)],
            self.lines("resource_id=vm-1"))
        self.assertEqual([], self.lines("resource_id=vm-2"))

    def test_a_request_has_the_lines_that_name_it_and_what_it_caused(self):
        self.assertEqual(
            [("[req-b] port is up", True), ("volume is made", False),
             ("[req-a demo] scheduled", False)],
            self.lines("request_id=req-a"))
        self.assertEqual(
            [("volume is made", False), ("[req-a demo] scheduled", False)],
            self.lines("request_id=req-a&related=false"))

    def test_a_request_has_what_was_done_in_it_and_for_it(self):
        found = self.get("request_id=req-a")
        self.assertEqual(
            [f"{CREATE}.start", "port.create.start", "port.create.end",
             "volume.attach.start", f"{CREATE}.end", "audit.update.server"],
            self.types(found))
        self.assertEqual("req-a", found["request_id"])

    def test_what_is_only_related_can_be_left_out(self):
        self.assertEqual(
            [f"{CREATE}.start", f"{CREATE}.end", "audit.update.server",
             "compute.instance.reboot.start"],
            self.types(self.get("resource_id=vm-1&related=false")))

    def test_a_time_narrows_it(self):
        found = self.get(f"resource_id=vm-1&since={at(9)}&until={at(11)}")
        self.assertEqual([f"{CREATE}.end"], self.types(found))
        self.assertEqual([("unbegun", None)], [
            (one["state"], one["start"]) for one in found["spans"]])

    def firing(self, project_id, key, seconds, event=None):
        """Have a trigger have fired; return the firing's id."""
        firing_id = str(uuid.uuid4())
        with self.service.parts.database.begin() as connection:
            connection.execute(FIRINGS.insert().values(
                firing_id=firing_id, project_id=project_id,
                trigger_id="t", at=NOON.timestamp() + seconds,
                outcome="fired", created_at=0.0,
                content=orjson.dumps({
                    "firing_id": firing_id, "key": key, "event": event,
                    "at": at(seconds)}).decode()))
        return firing_id

    def test_firings_of_a_request_are_there(self):
        by_event = self.firing(service.PROJECT, {"user_id": "u"}, 10, {
            "resource_id": "vm-f", "request_id": "req-f"})
        by_key = self.firing(service.PROJECT, {"request_id": "req-f"}, 20)
        self.firing(service.PROJECT, {"request_id": "req-ff"}, 30)
        self.firing(service.FOREIGN, {"request_id": "req-f"}, 40)
        self.assertEqual([by_event, by_key], [
            one["firing_id"] for one in
            self.get("request_id=req-f")["firings"]])

    def test_firings_that_name_it_are_there(self):
        firing = self.firing
        by_key = firing(service.PROJECT, {"resource_id": "vm-1"}, 20)
        by_event = firing(service.PROJECT, {}, 10, {"resource_id": "vm-1"})
        firing(service.PROJECT, {"resource_id": "vm-10"}, 30)
        firing(service.FOREIGN, {"resource_id": "vm-1"}, 40)
        found = self.get("resource_id=vm-1")["firings"]
        self.assertEqual([by_event, by_key],
                         [one["firing_id"] for one in found])
        self.assertNotIn("event", found[0])
        self.assertEqual([by_event], [one["firing_id"] for one in self.get(
            f"resource_id=vm-1&until={at(15)}")["firings"]])

    def test_nothing_of_another_project_is_in_it(self):
        """S1"""
        found = self.get("resource_id=vm-1", "FOREIGN_MEMBER")
        self.assertEqual([f"{CREATE}.start"], self.types(found))
        self.assertEqual(["another's"],
                         [one["message"] for one in found["logs"]])
        for status, persona in ((403, "MEMBER"), (200, "ADMIN")):
            self.get("resource_id=vm-1&all_projects=true", persona, status)
        self.assertEqual(8, len(self.get(
            "resource_id=vm-1&all_projects=true", "ADMIN")["events"]))

    def test_of_nothing_there_is_an_empty_one(self):
        found = self.get("resource_id=vm-none")
        for name in ("events", "spans", "gaps", "firings", "logs"):
            self.assertEqual([], found[name])
        self.assertEqual({"events", "logs", "firings"},
                         set(found["sources"]))

    def test_the_newest_are_shown_where_there_are_too_many(self):
        limit = self.service.parts.conf.timeline.limit
        self.service.parts.conf.set_override("limit", 2, group="timeline")
        self.addCleanup(self.service.parts.conf.set_override, "limit", limit,
                        group="timeline")
        found = self.get("resource_id=vm-1")
        self.assertEqual(["audit.update.server",
                          "compute.instance.reboot.start"],
                         self.types(found))
        self.assertTrue(found["truncated"])
        self.assertTrue(found["sources"]["events"]["truncated"])
        self.assertFalse(found["sources"]["firings"]["truncated"])

    def test_a_store_that_is_away_is_named_and_firings_are_there(self):
        class Away:
            def search(self, project_id, query):
                raise StoreUnavailable("the store is away")
        client = service.client(service.make_application(
            self.service.parts, store=Away()))
        found = self.get("resource_id=vm-1", client=client)
        self.assertEqual("the store is away",
                         found["sources"]["events"]["error"])
        self.assertIsNone(found["sources"]["firings"]["error"])

    def test_hostile_ids_find_nothing_and_harm_nothing(self):
        """S5, S6"""
        for text in ("%25", "*", "' OR 1=1--", '"', "\\", "NEAR(a b)", "é",
                     "_", "x" * 1024, "\u202e", "req-a OR req-b"):
            with self.subTest(text=text[:9]):
                answer = self.client.get(
                    PATH, params={"resource_id": text},
                    headers=service.token("READER"))
                self.assertEqual(200, answer.status_code, answer.text)
                self.assertEqual([], answer.json()["events"])
        for text in ("", "x" * 1025, "a\0b"):
            answer = self.client.get(PATH, params={"resource_id": text},
                                     headers=service.token("READER"))
            self.assertEqual(400, answer.status_code, answer.text)

    def test_a_thousand_events_are_an_answer_in_time(self):
        put = self.service.parts.store.write
        put([document(make(f"n{n}", service.PROJECT, **{
            "event_type": f"x.{'end' if n % 2 else 'start'}",
            "timestamp": at(n), "resource_id": "busy",
            "request_id": f"req-{n // 2}"})) for n in range(1000)])
        began = time.monotonic()
        found = self.get("resource_id=busy&related=false")
        self.assertEqual((1000, 500), (len(found["events"]),
                                       len(found["spans"])))
        # Not a measurement: pairing each with all would take minutes.
        self.assertLess(time.monotonic() - began, service.PATIENCE)
