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

"""The engine: what it finds, keeps and hands over, and after a crash
(B44, D8, T17)."""

import random
import tempfile
import unittest
from unittest import mock

import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common.bus import Delivery
from monasca_events_common.database.tables import POSITIONS
from monasca_events_common.database.tables import SEEN
from monasca_events_common.errors import Unavailable
from monasca_events_engine import recall
from monasca_events_engine.checkpoint import Fenced
from monasca_events_engine.outbox import delivery_id
from monasca_events_engine.testing import stamp
from tests.unit.common.rules.samples import event
from tests.unit.common.rules.samples import OTHER
from tests.unit.common.rules.samples import PROJECT
from tests.unit.common.test_old_form import old
from tests.unit.engine.site import EngineSite

DELETED = {"kind": "match", "pattern": {"event_type": ["vm.delete.end"]}}
ABSENCE = {"kind": "absence", "group_by": ["resource_id"], "within": 60,
           "start": {"event_type": ["a.start"]},
           "expect": {"event_type": ["a.end"]}}
COUNT = {"kind": "threshold", "group_by": ["resource_id"], "window": 60,
         "compare": [">=", 3], "pattern": {"event_type": ["x"]}}


class EngineCase(unittest.TestCase):
    conf: dict = {}

    def setUp(self):
        self.site = EngineSite(self.make_database(), **self.conf)
        self.addCleanup(self.site.database.close)

    def make_database(self) -> str:
        """Return the URL of an empty database; others override it."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return f"sqlite:///{folder.name}/engine.db"


class TestMatch(EngineCase):

    def test_a_match_is_recorded_with_its_event_and_delivered(self):
        """B1, B29"""
        method = self.site.method()
        trigger = self.site.trigger(DELETED, notify={"fired": [method]},
                                    group_by=["resource_id"])
        sent = event("vm.delete.end", 5)
        self.site.send(sent, event("vm.create.end", 6))
        found, = self.site.firings()
        self.assertEqual(
            (trigger, "fired", {"resource_id": "vm-1"}, [sent["event_id"]],
             "vm.delete.end", sent),
            tuple(found[name] for name in ("trigger_id", "outcome", "key",
                                           "event_ids", "reason", "event")))
        row, = self.site.deliveries()
        self.assertEqual(("pending", method, "webhook", "me"),
                         (row["status"], row["method_id"], row["action"],
                          row["lease_owner"]))
        self.assertEqual([delivery_id(found["firing_id"], method)],
                         [one["delivery_id"] for one in self.site.handed])

    def test_the_same_event_again_is_one_firing(self):
        """F19"""
        self.site.trigger(DELETED)
        self.site.send(*[event("vm.delete.end", 5)] * 2)
        self.site.send(event("vm.delete.end", 5))
        self.assertEqual(1, len(self.site.firings()))

    def test_another_projects_event_fires_nothing(self):
        """S1"""
        self.site.trigger(DELETED)
        self.site.send(event("vm.delete.end", 5, project_id=OTHER))
        self.assertEqual([], self.site.firings())

    def test_dry_runs_mutes_and_rates_leave_a_record_and_no_delivery(self):
        method = self.site.method()
        for held, more in (
                ("dry_run", {"dry_run": True}),
                ("muted", {"mute": [{"from": "2026-11-22T09:00:00Z",
                                     "until": "2026-11-22T11:00:00Z"}]}),
                ("limited", {"rate_limit": {"firings": 1, "seconds": 60}})):
            self.site.trigger({**DELETED, "pattern": {"event_type": [held]}},
                              notify={"fired": [method]}, **more)
            self.site.send(event(held, 1), event(held, 2))
            with self.subTest(held=held):
                last = self.site.firings()[-1]
                self.assertTrue(last[held])
                self.assertIn(held, [one["status"] for one in
                                     self.site.deliveries()])
        self.assertEqual(["pending"], [one["status"]
                                       for one in self.site.handed])

    def test_a_record_that_is_no_event_is_rejected_and_the_rest_goes_on(self):
        """F12"""
        self.site.trigger({**DELETED, "pattern": {
            "event_type": ["vm.delete.end"],
            "payload": {"a": [{"exists": False}]}}})
        good, = self.site.deliveries_of([event("vm.delete.end", 1)])
        key = PROJECT.encode()
        found = self.site.engine.handle([
            Delivery(key, b"{no json", good.headers, 0, 0),
            Delivery(key, good.value, good.headers, 0, 1),
            Delivery(key, b"{}", {"schema": b"9"}, 0, 2)])
        self.assertEqual([0, 2], [one.position for one in found])
        self.assertEqual(1, len(self.site.firings()))

    def test_no_json_is_rejected_where_its_type_alone_is_wanted_too(self):
        """F12"""
        self.site.trigger(DELETED)
        good, = self.site.deliveries_of([event("vm.delete.end", 1)])
        found = self.site.engine.handle([
            Delivery(good.key, b"{no json", good.headers, 0, 0),
            Delivery(good.key, good.value, good.headers, 0, 1)])
        self.assertEqual([0], [one.position for one in found])
        self.assertEqual(1, len(self.site.firings()))


class TestOldForm(EngineCase):
    """Messages of the retired API are judged as events of ours are."""

    def send(self, *sent: tuple[str, float]) -> list:
        made = [old({"event_type": name, "timestamp": stamp(at),
                     "message_id": f"{name}/{at}",
                     "payload": {"at": at}}, project_id=PROJECT)._replace(
                         partition=0, offset=len(self.site.log) + place)
                for place, (name, at) in enumerate(sent)]
        self.site.log += made
        self.site.read = len(self.site.log)
        self.site.now = max(self.site.now, *(at for _, at in sent))
        return self.site.engine.handle(made)

    def test_a_match_is_found_in_the_project_that_the_message_names(self):
        self.site.trigger({"kind": "match", "pattern": {
            "event_type": ["vm.delete.end"], "payload": {"at": [2]}}})
        self.site.trigger(DELETED, project_id=OTHER)
        self.assertEqual([], self.send(("vm.delete.end", 1),
                                       ("vm.delete.end", 2)))
        firing, = self.site.firings()
        self.assertEqual((PROJECT, stamp(2)),
                         (firing["project_id"], firing["event"]["timestamp"]))
        self.assertEqual(events.FIELDS, tuple(firing["event"]))

    def test_a_missing_end_is_missed_also_after_a_restart(self):
        self.site.trigger(ABSENCE)
        self.send(("a.start", 0))
        self.site.restart()
        self.send(("a.end", 70))
        self.site.pass_to(80)
        self.assertEqual([("missed", 60), ("recovered", 70)],
                         self.site.outcomes())

    def test_what_is_of_no_known_form_is_rejected_in_words(self):
        good = old({"event_type": "vm.delete.end"}, project_id=PROJECT)
        self.site.trigger(DELETED)
        found = self.site.engine.handle([
            good._replace(partition=0, offset=0, value=b"{}"),
            good._replace(partition=0, offset=1, headers={"schema": b"9"}),
            good._replace(partition=0, offset=2)])
        self.assertEqual([(0, "invalid_record"), (1, "unsupported_version")],
                         [(one.position, one.code) for one in found])
        self.assertEqual(1, len(self.site.firings()))


class TestOrdered(EngineCase):

    def test_a_missing_end_is_missed_within_a_second_of_its_deadline(self):
        """B3, B31"""
        self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 0))
        self.site.pass_to(59.9)
        self.assertEqual([], self.site.outcomes())
        self.site.pass_to(60.6)
        self.assertEqual([("missed", 60)], self.site.outcomes())
        self.site.send(event("a.end", 70))
        self.site.pass_to(71)
        self.assertEqual([("missed", 60), ("recovered", 70)],
                         self.site.outcomes())
        self.assertEqual([], self.site.states())

    def test_where_many_ends_are_missing_they_are_missed_in_turns(self):
        """Neither memory nor the next events wait for all of them."""
        self.conf = {"max_groups": 100}
        self.setUp()
        self.site.trigger(ABSENCE)
        self.site.trigger(DELETED)
        count = recall.TURN + 500
        self.site.send(*[event("a.start", 0, name=f"v{n}",
                               resource_id=f"v{n}") for n in range(count)],
                       at=1)
        self.site.now = 61.0
        self.site.engine.tick(61.0, self.site.ends)
        self.assertEqual(recall.TURN, len(self.site.firings()))
        self.assertLessEqual(len(self.site.engine._groups.live), 100)
        self.site.send(event("vm.delete.end", 61))
        self.site.engine.tick(61.0, self.site.ends)
        missed = [one["key"]["resource_id"] for one in self.site.firings()
                  if one["outcome"] == "missed"]
        self.assertEqual(sorted(f"v{n}" for n in range(count)),
                         sorted(missed))

    def test_what_is_another_members_by_now_is_theirs_to_miss(self):
        self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 0))
        self.site.pass_to(2)
        self.site.engine.revoked([0])
        self.site.engine.assigned([1])
        self.site.now = 61.0
        for _ in range(2):
            self.site.engine.tick(61.0, lambda: {1: (0, 0)})
            self.site.now += 3
        self.assertEqual([], self.site.firings())
        self.assertEqual({}, self.site.engine._groups.live)

    def test_events_that_come_in_any_order_are_taken_in_theirs(self):
        """F19"""
        self.site.trigger(ABSENCE)
        self.site.send(event("a.end", 20), at=100)
        self.site.send(event("a.start", 10), at=100)
        self.site.pass_to(1000)
        self.assertEqual([], self.site.outcomes())

    def test_shuffled_and_tripled_events_fire_as_in_order_and_once(self):
        """F19: each event three times, shuffled within 1,000."""
        chance = random.Random(7)
        sent = []
        for number in range(600):
            at = number * 0.5
            vm = f"vm-{chance.randrange(40)}"
            kind = chance.choice(("a.start", "a.end", "x", "x"))
            sent.append(event(kind, at, name=f"e{number}", resource_id=vm))
        for content in (ABSENCE, COUNT):
            self.site.trigger({**content, "name": content["kind"]})
        expected = self.run_all(sent, 500)
        tripled = sent * 3
        tripled.sort(key=lambda one: one["timestamp"])
        for start in range(0, len(tripled), 1000):
            part = tripled[start:start + 1000]
            chance.shuffle(part)
            tripled[start:start + 1000] = part
        self.setUp()
        for content in (ABSENCE, COUNT):
            self.site.trigger({**content, "name": content["kind"]})
        self.assertEqual(expected, self.run_all(tripled, 170))
        self.assertGreater(len(expected), 50)

    def run_all(self, sent, batch: int) -> list:
        for start in range(0, len(sent), batch):
            self.site.send(*sent[start:start + batch], at=400)
        self.site.pass_to(100000)
        self.site.pass_to(200000)
        return sorted((one["trigger_name"], one["outcome"], one["at"],
                       one["key"]["resource_id"], tuple(one["event_ids"]))
                      for one in self.site.firings())

    def test_a_late_road_is_waited_for_and_holds_up_no_other(self):
        """An agent that was cut off delivers an hour's events at once."""
        self.site.trigger(ABSENCE)
        self.site.trigger(ABSENCE, project_id=OTHER)
        self.site.send(event("a.start", 3000, project_id=OTHER), at=3000)
        self.site.send(event("a.start", 2700), at=3001)
        self.site.pass_to(3005)
        self.site.send(event("a.end", 2740), at=3006)
        self.site.pass_to(3061)
        self.assertEqual([("missed", 3060)], self.site.outcomes())

    def test_an_event_that_claims_to_be_from_the_future_holds_up_nothing(self):
        """F18"""
        self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 7200), at=10)
        self.site.pass_to(11)
        self.assertEqual(1, self.site.position()["next"])

    def test_more_than_may_wait_go_early(self):
        self.conf = {"max_waiting": 5}
        self.setUp()
        self.site.trigger(ABSENCE)
        self.site.send(*[event("a.start", n) for n in range(10)], at=9)
        self.assertEqual(5, self.site.position()["next"])


class TestCrash(EngineCase):
    """F4: what a transaction does not hold did not happen."""

    def test_an_end_that_is_on_the_bus_is_not_missed_after_a_restart(self):
        self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 0))
        self.site.pass_to(5)
        self.site.start()
        self.site.deliveries_of([event("a.end", 10)])
        self.site.read = 1
        self.site.pass_to(100)
        self.site.pass_to(103)
        self.assertEqual([], self.site.outcomes())
        self.site.replay(1)
        self.site.pass_to(200)
        self.assertEqual([], self.site.outcomes())

    def test_a_deadline_passes_after_a_restart_although_nothing_comes(self):
        self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 0))
        self.site.pass_to(5)
        self.site.start()
        self.site.pass_to(61)
        self.site.pass_to(64)
        self.assertEqual([("missed", 60)], self.site.outcomes())

    def test_after_a_restart_nothing_is_lost_and_nothing_fires_twice(self):
        self.site.trigger(ABSENCE)
        self.site.trigger(DELETED)
        self.site.send(event("a.start", 0), event("vm.delete.end", 0))
        self.site.restart()
        self.site.pass_to(30)
        self.site.restart()
        self.site.pass_to(61)
        self.site.pass_to(64)
        self.site.restart()
        self.site.pass_to(90)
        self.site.pass_to(93)
        self.assertEqual([("fired", 0), ("missed", 60)],
                         self.site.outcomes())

    def test_what_waits_is_read_again(self):
        self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 0, resource_id="one"),
                       event("b", 0), event("b", 0.1), at=0.1)
        self.assertEqual({"next": 0, "judged": 3}, {
            name: self.site.position()[name] for name in ("next", "judged")})
        self.site.restart()
        self.site.pass_to(100)
        self.assertEqual([("missed", 60)], self.site.outcomes())
        self.assertEqual(3, self.site.position()["next"])

    def test_reading_again_in_parts_moves_no_further_than_what_was_read(self):
        self.site.trigger(ABSENCE)
        self.site.send(*[event("a.start", 0, resource_id=f"v{n}")
                         for n in range(10)], at=0)
        self.site.start()
        self.site.now = 5
        self.site.engine.handle(self.site.log[:4])
        self.site.pass_to(30)
        self.assertEqual(4, self.site.position()["next"])
        self.site.restart()
        self.site.pass_to(100)
        self.assertEqual(10, len(self.site.outcomes()))

    def test_while_the_database_is_away_nothing_moves_and_then_all_does(self):
        method = self.site.method()
        self.site.trigger(DELETED, notify={"fired": [method]})
        self.site.trigger(COUNT)
        self.site.send(event("b", 0))
        sent = [event("vm.delete.end", 1), *[event("x", n)
                                             for n in (2, 3, 4)]]
        batch = self.site.deliveries_of(sent)
        self.site.now = 10
        begin = self.site.database.begin
        for _ in range(2):
            with mock.patch.object(self.site.database, "begin",
                                   side_effect=Unavailable("away")):
                with self.assertRaises(Unavailable):
                    self.site.engine.handle(batch)
                with self.assertRaises(Unavailable):
                    self.site.engine.tick(0, self.site.ends)
            self.assertEqual([], self.site.handed)
        self.assertIs(begin.__func__, self.site.database.begin.__func__)
        self.site.engine.handle(batch)
        self.site.pass_to(40)
        self.assertEqual([("fired", 1), ("fired", 4)], self.site.outcomes())
        self.assertEqual(1, len(self.site.handed))

    def test_a_commit_whose_answer_was_lost_is_not_made_twice(self):
        self.site.trigger(DELETED)
        self.site.send(event("b", 0))
        save = self.site.checkpoint.save

        def lose(work, again=False):
            save(work, again)
            raise Unavailable("the answer was lost")
        batch = self.site.deliveries_of([event("vm.delete.end", 1)])
        with mock.patch.object(self.site.checkpoint, "save", lose):
            with self.assertRaises(Unavailable):
                self.site.engine.handle(batch)
        self.site.engine.handle(batch)
        self.site.send(event("vm.delete.end", 2))
        self.assertEqual([("fired", 1), ("fired", 2)], self.site.outcomes())

    def test_a_member_that_lost_its_partition_writes_nothing(self):
        self.site.trigger(DELETED)
        self.site.send(event("b", 0))
        with self.site.database.begin() as connection:
            connection.execute(sa.update(POSITIONS).values(next=7, judged=7))
        with self.assertRaises(Fenced):
            self.site.send(event("vm.delete.end", 1))
        self.assertEqual([], self.site.firings())


class TestFollowing(EngineCase):

    def test_a_changed_trigger_starts_fresh_an_untouched_one_goes_on(self):
        changed = self.site.trigger(COUNT)
        self.site.trigger(COUNT)
        self.site.send(event("x", 0), event("x", 1))
        self.site.pass_to(5)
        self.site.change(changed, window=61)
        self.site.send(event("x", 6))
        self.site.pass_to(10)
        self.assertEqual(1, len(self.site.firings()))
        self.assertNotEqual(changed, self.site.firings()[0]["trigger_id"])

    def test_a_new_name_keeps_the_state(self):
        trigger = self.site.trigger(COUNT)
        self.site.send(event("x", 0), event("x", 1))
        self.site.pass_to(5)
        self.site.change(trigger, name="renamed")
        self.site.send(event("x", 6))
        self.site.pass_to(10)
        self.assertEqual("renamed", self.site.firings()[0]["trigger_name"])

    def test_a_deleted_or_disabled_trigger_leaves_nothing(self):
        first, second = (self.site.trigger(ABSENCE) for _ in range(2))
        self.site.send(event("a.start", 0))
        self.site.pass_to(1)
        self.assertEqual(2, len(self.site.states()))
        self.site.catalog.delete(PROJECT, "triggers", first, "t")
        self.site.change(second, enabled=False)
        self.site.engine.tick(0, self.site.ends)
        self.assertEqual([], self.site.states())
        self.site.pass_to(1000)
        self.assertEqual([], self.site.firings())

    def test_what_changed_while_nobody_looked_is_swept(self):
        first = self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 0))
        self.site.pass_to(1)
        self.site.catalog.delete(PROJECT, "triggers", first, "t")
        self.site.start()
        self.assertEqual([], self.site.states())

    def test_a_definition_that_cannot_be_compiled_stops_no_other(self):
        self.site.trigger({"kind": "guess"})
        self.site.trigger({"kind": "match", "pattern": {"no_field": ["x"]}})
        self.site.trigger(DELETED)
        self.site.send(event("vm.delete.end", 1))
        self.assertEqual(1, len(self.site.firings()))


class TestLineage(EngineCase):
    """S12: what led to a firing is known also where no event completed it."""

    def test_a_missed_end_inherits_from_the_derived_event_that_began_it(self):
        self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 0, source="engine", marks={
            "hops": 2, "origin": ["t1", "t2"]}))
        self.site.pass_to(5)
        self.site.start()
        self.site.pass_to(61)
        self.site.pass_to(64)
        found, = self.site.firings()
        self.assertEqual({"hops": 2, "origin": ["t1", "t2"]}, found["marks"])

    def test_events_of_services_leave_no_lineage(self):
        self.site.trigger(ABSENCE)
        self.site.send(event("a.start", 0, marks={"hops": 9}))
        self.site.pass_to(61)
        self.assertNotIn("marks", self.site.firings()[0])


class TestTidiness(EngineCase):

    def test_events_are_remembered_for_a_while_only(self):
        self.site.trigger(COUNT)
        self.site.send(event("x", 0))
        self.site.pass_to(5)
        self.site.pass_to(4000)
        self.site.engine._tidy_at = 0
        self.site.pass_to(4001)
        with self.site.database.read() as connection:
            self.assertEqual([], connection.execute(sa.select(SEEN)).all())

    def test_groups_beyond_the_limit_live_on_in_the_database(self):
        self.conf = {"max_groups": 100}
        self.setUp()
        self.site.trigger(ABSENCE)
        self.site.send(*[event("a.start", 0, resource_id=f"v{n}")
                         for n in range(300)], at=1)
        self.assertEqual(300, len(self.site.states()))
        self.assertLessEqual(len(self.site.engine._groups.live), 100)
        self.site.send(*[event("a.end", 2, resource_id=f"v{n}")
                         for n in range(299)], at=3)
        self.site.pass_to(100)
        self.assertEqual(["v299"], [one["key"]["resource_id"]
                                    for one in self.site.firings()])
