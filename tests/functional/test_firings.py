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


"""What triggers did, and why: the API beside an engine; B33, B34, B36."""

import datetime
import tempfile
import unittest

import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.store import Document
from tests.functional import service
from tests.unit.common.rules import samples
from tests.unit.common.rules.samples import TEN
from tests.unit.engine.site import EngineSite

CREATED = "compute.instance.create.end"
WATCHED = {"kind": "absence", "within": 600, "group_by": ["resource_id"],
           "start": {"event_type": ["compute.instance.create.start"]},
           "expect": {"event_type": [CREATED]}}


def event(event_type: str, at: float, **changed) -> dict:
    return samples.event(event_type, at, project_id=service.PROJECT,
                         **changed)


@unittest.skipIf(service.is_live(), "these tests drive an engine themselves")
class FiringsTest(unittest.TestCase):

    def setUp(self):
        service.set_environment()
        self.site = EngineSite(self.make_database())
        self.addCleanup(self.site.database.close)
        self.service = service.Service(
            pump=False, database=self.site.database, clock=self.clock)
        self.addCleanup(self.service.close)
        self.client = service.client(self.service.application)

    def make_database(self) -> str:
        """Return the URL of an empty database; others override it."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return f"sqlite:///{folder.name}/engine.db"

    def clock(self):
        return datetime.datetime.fromtimestamp(
            TEN + self.site.now, datetime.timezone.utc)

    def call(self, method, path, status=200, persona="MEMBER", **request):
        answer = self.client.request(method, f"/v1.0/{path}",
                                     headers=service.token(persona),
                                     **request)
        self.assertEqual(status, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def define(self, **content) -> str:
        made = self.call("POST", "triggers", 201,
                         json={"name": f"t{len(content)}", **content})
        self.site.engine._follow_at = 0.0
        return made["id"]

    def method(self) -> str:
        made = self.call("POST", "notification-methods", 201, json={
            "name": "hook", "type": "webhook",
            "address": "https://hooks.example.org"})
        self.site.engine._follow_at = 0.0
        return made["id"]

    def send(self, *sent: dict) -> None:
        """Events on their two ways: to the engine and into the store.

        The engine waits a moment for what may be late: let time pass.
        """
        self.site.send(*sent)
        records = [events.record(one) for one in sent]
        self.service.parts.store.write([Document(
            one["project_id"], one["event_id"], one["event_type"],
            one["timestamp"], record.value, record.headers["index"])
            for one, record in zip(sent, records, strict=True)])

    def put(self, firing_id: str, **values) -> None:
        """Change the deliveries of a firing as the dispatcher would."""
        with self.site.database.begin() as connection:
            connection.execute(DELIVERIES.update().where(
                DELIVERIES.c.firing_id == firing_id).values(**values))

    # -- the history

    def test_what_a_trigger_did_is_listed_with_its_deliveries(self):
        method = self.method()
        trigger = self.define(**WATCHED, notify={"missed": [method]})
        self.send(event("compute.instance.create.start", 0))
        self.site.pass_to(601)
        self.send(event(CREATED, 700))
        self.site.pass_to(702)
        late, missed = self.call("GET", f"triggers/{trigger}/firings",
                                 persona="READER")["firings"]
        self.assertEqual(["recovered", "missed"],
                         [late["outcome"], missed["outcome"]])
        self.assertEqual([], late["deliveries"])
        delivery, = missed["deliveries"]
        self.assertEqual((method, "webhook", "pending", 0, None),
                         tuple(delivery[name] for name in (
                             "method_id", "action", "status", "attempts",
                             "result")))
        self.assertNotIn("event", late)
        whole = self.call(
            "GET", f"triggers/{trigger}/firings/{late['firing_id']}")
        self.assertEqual("vm-1", whole["event"]["resource_id"])
        self.assertEqual(late, {name: value for name, value in whole.items()
                                if name != "event"})

    def test_the_history_is_narrowed_by_outcome_time_and_trigger(self):
        one = self.define(**WATCHED)
        two = self.define(name="all", kind="match", pattern={
            "event_type": [{"prefix": "compute."}]})
        self.send(event("compute.instance.create.start", 0))
        self.site.pass_to(601)
        self.send(event(CREATED, 700))
        self.site.pass_to(702)

        def found(query):
            return [(first["trigger_id"], first["outcome"], first["at"])
                    for first in self.call(
                        "GET", f"firings?{query}")["firings"]]
        stamp = samples.stamp
        everything = [(one, "recovered", stamp(700)), (two, "fired",
                      stamp(700)), (one, "missed", stamp(600)),
                      (two, "fired", stamp(0))]
        self.assertEqual(sorted(everything), sorted(found("")))
        self.assertEqual([everything[2]], found("outcome=missed"))
        self.assertEqual(2, len(found("outcome=missed&outcome=recovered")))
        self.assertEqual(2, len(found(f"trigger_id={two}")))
        self.assertEqual(4, len(found(f"trigger_id={two}&trigger_id={one}")))
        self.assertEqual([everything[2]], found(
            f"since={stamp(1)}&until={stamp(700)}"))
        self.assertEqual([everything[2]], found(
            f"timestamp=gte:{stamp(600)}&timestamp=lt:{stamp(601)}"))
        self.assertEqual([everything[3]], found(
            f"timestamp=lte:{stamp(0)}"))
        self.call("GET", "firings?outcome=lost", 400)
        self.call("GET", "firings?since=yesterday", 400)
        self.call("GET", f"triggers/{one}/firings?trigger_id={two}", 400)

    def test_pages_hold_every_firing_once_newest_first(self):
        trigger = self.define(kind="match", pattern={"event_type": ["a"]})
        self.send(*(event("a", n // 3, name=str(n)) for n in range(10)))
        seen, address = [], f"triggers/{trigger}/firings?limit=4"
        while address:
            page = self.call("GET", address)
            seen += page["firings"]
            following = [one["href"] for one in page["links"]
                         if one["rel"] == "next"]
            address = following[0].partition("/v1.0/")[2] if following \
                else None
        self.assertEqual(10, len({one["firing_id"] for one in seen}))
        self.assertEqual(sorted((one["at"] for one in seen), reverse=True),
                         [one["at"] for one in seen])
        self.call("GET", "firings?marker=nonsense", 400)

    def test_administrators_see_other_projects(self):
        self.define(kind="match", pattern={"event_type": ["a"]})
        self.send(event("a", 0))
        for query in ("all_projects=true", f"project_id={service.PROJECT}"):
            self.assertEqual(1, len(self.call(
                "GET", f"firings?{query}", persona="ADMIN")["firings"]))
        self.assertEqual([], self.call("GET", "firings",
                                       persona="ADMIN")["firings"])
        self.assertEqual([], self.call("GET", "firings",
                                       persona="FOREIGN_MEMBER")["firings"])

    def test_a_deleted_triggers_firings_stay_and_a_plug_ins_are_found(self):
        trigger = self.define(kind="match", pattern={"event_type": ["a"]})
        self.send(event("a", 0))
        firing, = self.call("GET", f"triggers/{trigger}/firings")["firings"]
        self.call("DELETE", f"triggers/{trigger}", 204)
        self.assertEqual(1, len(self.call(
            "GET", f"triggers/{trigger}/firings")["firings"]))
        with self.site.database.begin() as connection:
            connection.execute(sa.text(
                "UPDATE firings SET trigger_id = 'vm_deleted'"))
        self.assertEqual(1, len(self.call(
            "GET", "triggers/vm_deleted/firings")["firings"]))
        self.call("GET", "triggers/vm_deleted/firings/"
                  + firing["firing_id"])
        self.call("GET", "triggers/vm_created/firings", 404)
        self.call("GET", f"triggers/other/firings/{firing['firing_id']}", 404)

    # -- acting on it

    def fire(self) -> tuple[str, dict]:
        """Return the address of a firing and its delivery."""
        trigger = self.define(kind="match", pattern={"event_type": ["a"]},
                              notify={"fired": [self.method()]})
        self.send(event("a", 0))
        firing, = self.call("GET", f"triggers/{trigger}/firings")["firings"]
        return (f"triggers/{trigger}/firings/{firing['firing_id']}",
                firing["deliveries"][0])

    def test_what_was_given_up_is_tried_again(self):
        address, delivery = self.fire()
        self.assertEqual({"delivery_ids": []}, self.call(
            "POST", f"{address}/redeliver", 202))
        self.put(address[-36:], status="parked", attempts=9,
                 next_at=TEN + 1e6, last_error="it answered 500",
                 lease_owner="x", lease_until=TEN + 1e6)
        self.site.now = 50
        for body in ({}, {"delivery_ids": [delivery["delivery_id"]]}):
            self.assertEqual(
                {"delivery_ids": [delivery["delivery_id"]]},
                self.call("POST", f"{address}/redeliver", 202, json=body))
            found, = self.call("GET", address)["deliveries"]
            self.assertEqual(
                ("pending", 0, samples.stamp(50)),
                (found["status"], found["attempts"], found["next_at"]))
            self.put(address[-36:], status="delivered")

    def test_only_what_has_ended_can_be_tried_again(self):
        address, delivery = self.fire()
        for ids, status, code in (
                ([delivery["delivery_id"]], 409, "not_redeliverable"),
                (["none"], 400, "unknown_delivery"),
                ([], 400, "invalid_field"), ("x", 400, "invalid_field")):
            answer = self.call("POST", f"{address}/redeliver", status,
                               json={"delivery_ids": ids})
            self.assertEqual(code, answer["errors"][0]["code"])
        self.call("POST", f"{address}/redeliver", 404,
                  persona="FOREIGN_MEMBER", json={})
        self.call("POST", f"{address}/redeliver", 403, persona="READER",
                  json={})

    def test_what_still_waits_can_be_cancelled(self):
        address, delivery = self.fire()
        answer = self.call("POST", f"{address}/cancel", 409)
        self.assertEqual("nothing_waits", answer["errors"][0]["code"])
        self.put(address[-36:], status="waiting", next_at=TEN + 300)
        self.assertEqual({"delivery_ids": [delivery["delivery_id"]]},
                         self.call("POST", f"{address}/cancel", 202))
        found, = self.call("GET", address)["deliveries"]
        self.assertEqual("cancelled", found["status"])
        self.call("POST", f"{address}/cancel", 409)

    # -- explaining it

    def explain(self, trigger: str, wanted: dict) -> dict:
        return self.call("GET", f"triggers/{trigger}/explain?event_id="
                         + wanted["event_id"], persona="READER")

    def test_it_says_what_is_waited_for_and_how_long(self):
        trigger = self.define(**WATCHED)
        begun = event("compute.instance.create.start", 0)
        self.send(begun)
        self.site.pass_to(200)
        found = self.explain(trigger, begun)
        self.assertEqual((True, False), (found["matches"], found["fired"]))
        self.assertEqual(
            [("start", True), ("expect", False)],
            [(one["slot"], one["matches"]) for one in found["slots"]])
        group, = found["groups"]
        self.assertEqual({"resource_id": "vm-1"}, group["key"])
        self.assertEqual(400.0, group["seconds_left"])
        self.assertEqual(samples.stamp(600), group["deadline"])
        self.assertEqual(
            "the event matches start; of resource_id vm-1: waits for "
            "expect, 400 s are left", found["summary"])

    def test_it_says_that_it_fired_and_what_became_of_that(self):
        trigger = self.define(**WATCHED, dry_run=True)
        begun = event("compute.instance.create.start", 0)
        self.send(begun)
        self.site.pass_to(601)
        found = self.explain(trigger, begun)
        self.assertTrue(found["fired"])
        self.assertEqual("missed", found["firings"][0]["outcome"])
        self.assertIn("missed at", found["summary"])
        self.assertIn("dry_run: recorded, not delivered", found["summary"])
        late = event(CREATED, 700)
        self.send(late)
        self.site.pass_to(702)
        self.assertEqual(["missed", "recovered"], [
            one["outcome"] for one in self.explain(trigger,
                                                   begun)["firings"]])
        self.assertEqual(["recovered"], [
            one["outcome"] for one in self.explain(trigger,
                                                   late)["firings"]])

    def test_it_says_why_nothing_came_of_a_match(self):
        trigger = self.define(**WATCHED)
        begun, ended = (event("compute.instance.create.start", 0),
                        event(CREATED, 100))
        self.send(begun, ended)
        self.site.pass_to(102)
        self.assertIn("nothing is under way",
                      self.explain(trigger, ended)["summary"])
        self.call("PATCH", f"triggers/{trigger}", json={"enabled": False})
        found = self.explain(trigger, begun)
        self.assertFalse(found["enabled"])
        self.assertIn("the trigger is disabled", found["summary"])
        self.call("PATCH", f"triggers/{trigger}", json={"enabled": True})
        self.assertIn("after the event had come",
                      self.explain(trigger, begun)["summary"])

    def test_it_says_which_clause_failed(self):
        trigger = self.define(kind="match", pattern={
            "event_type": [CREATED], "traits": {"memory_mb": [512]}})
        other = event(CREATED, 0, traits={"memory_mb": 1024})
        self.send(other)
        found = self.explain(trigger, other)
        self.assertEqual(
            {"path": "traits.memory_mb", "expected": "512", "found": "1024",
             "text": "traits.memory_mb is 1024; expected 512"},
            found["slots"][0]["mismatch"])
        self.assertEqual([], found["groups"])

    def test_a_muted_time_is_told(self):
        trigger = self.define(kind="match", pattern={"event_type": ["a"]},
                              mute=[{"from": samples.stamp(-10),
                                     "until": samples.stamp(10)}])
        fired = event("a", 0)
        self.send(fired)
        found = self.explain(trigger, fired)
        self.assertTrue(found["muted"])
        self.assertIn("muted: recorded, not delivered", found["summary"])
