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

"""Trying triggers, and what they did: an engine beside the API."""

import datetime
import tempfile
import threading
import unittest

from monasca_events_client import errors
from monasca_events_common import event as events
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.store import Document
from monasca_events_engine import options as engine_options
from monasca_events_engine.backtest import Backtester
from tests.functional import service
from tests.unit.client.site import Site
from tests.unit.client.site import SiteTest
from tests.unit.client.site import cut
from tests.unit.common.rules import samples
from tests.unit.engine.site import EngineSite

LARGE = {"kind": "match", "group_by": ["resource_id"],
         "pattern": {"event_type": ["shop.order.placed"],
                     "traits": {"total": [{"numeric": [">=", 1000]}]}}}


def order(number: int, **changed) -> dict:
    return samples.event(
        "shop.order.placed", number, project_id=service.PROJECT,
        resource_id=f"order-{number}", traits={"total": 100 * number},
        **changed)


def store(parts, orders: list[dict]) -> None:
    records = [events.record(one) for one in orders]
    parts.store.write([Document(
        one["project_id"], one["event_id"], one["event_type"],
        one["timestamp"], record.value, record.headers["index"])
        for one, record in zip(orders, records, strict=True)])


class TrialsTest(SiteTest):

    settings = {"quotas__backtests": "3"}

    def setUp(self):
        super().setUp()
        self.orders = [order(number) for number in range(20)]
        store(self.site.service.parts, self.orders)
        self.triggers = self.client.triggers

    def work(self):
        """Start the worker that an engine has."""
        parts = self.site.service.parts
        for group, opts in engine_options.groups():
            parts.conf.register_opts(opts, group=group)
        stop = threading.Event()
        worker = threading.Thread(target=Backtester(
            parts.database, lambda: parts.store, parts.conf).run,
            args=(stop,))
        worker.start()
        self.addCleanup(worker.join, 30)
        self.addCleanup(stop.set)

    def test_a_draft_is_tried_on_any_event(self):
        found = self.triggers.test(trigger=LARGE, event={
            "event_type": "shop.order.placed", "traits": {"total": 1000}})
        self.assertTrue(found["matches"])
        found = self.triggers.test(trigger=LARGE, event={
            "event_type": "shop.order.placed", "traits": {"total": 999}})
        self.assertFalse(found["matches"])
        self.assertEqual("traits.total",
                         found["slots"][0]["mismatch"]["path"])

    def test_one_that_is_there_is_tried_on_a_stored_event(self):
        made = self.triggers.create({**LARGE, "name": "large"})
        self.addCleanup(self.triggers.delete, made["id"])
        event_id = self.orders[11]["event_id"]
        self.assertTrue(self.triggers.test(
            trigger_id=made["id"], event_id=event_id)["matches"])
        found = self.triggers.explain(made["id"], event_id)
        self.assertEqual((True, False), (found["matches"], found["fired"]))

    def test_trying_is_repeated_when_the_answer_is_lost(self):
        self.site.expect(cut)
        self.triggers.test(trigger=LARGE, event={"event_type": "a"})
        self.assertEqual(2, len(self.site.requests))

    def test_templates_can_be_used_as_they_are(self):
        names = [one["name"] for one in self.triggers.templates()]
        self.assertIn("instance-create", names)
        template = self.triggers.template("instance-create")
        self.assertEqual("absence", template["definition"]["kind"])
        made = self.triggers.create({"template": "instance-create"})
        self.triggers.delete(made["id"])
        with self.assertRaises(errors.NotFound):
            self.triggers.template("no")

    def test_a_back_test_is_waited_for(self):
        self.work()
        found = self.triggers.backtest(
            trigger=LARGE, since=samples.stamp(0), until=samples.stamp(3600),
            limit_firings=4)
        self.assertEqual(("finished", 10, 4, True), (
            found["status"], found["firings_total"], len(found["firings"]),
            found["truncated"]))

    def test_one_waits_as_long_as_one_likes(self):
        seen = []
        with self.assertRaises(errors.ServiceUnavailable) as caught:
            self.triggers.backtest(
                trigger=LARGE, seconds=1.5, progress=seen.append,
                since=datetime.datetime(2026, 11, 22), sleep=self.sleep)
        self.assertEqual("backtest_unfinished", caught.exception.code)
        self.assertEqual(3, len(self.sleep.waited))
        self.assertEqual("queued", seen[0]["status"])
        self.assertEqual("cancelled", self.triggers.get_backtest(
            seen[0]["id"])["status"])

    def test_one_that_is_interrupted_is_cancelled(self):
        seen = []

        def interrupt(_seconds):
            raise KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            self.triggers.backtest(trigger=LARGE, progress=seen.append,
                                   sleep=interrupt)
        self.assertEqual("cancelled", self.triggers.get_backtest(
            seen[0]["id"])["status"])


@unittest.skipIf(service.is_live(), "these tests drive an engine themselves")
class FiringsTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.engine = EngineSite(folder.name)
        self.addCleanup(self.engine.database.close)
        self.site = Site(pump=False, database=self.engine.database,
                         clock=self.clock)
        self.addCleanup(self.site.close)
        self.client = self.site.client()
        method = self.client.notification_methods.create({
            "name": "hook", "type": "webhook",
            "address": "https://hooks.example.org"})
        self.trigger = self.client.triggers.create({
            **LARGE, "name": "large", "notify": {"fired": [method["id"]]}})
        self.engine.engine._follow_at = 0.0
        orders = [order(number) for number in range(30)]
        self.engine.send(*orders)
        self.engine.pass_to(100)
        store(self.site.service.parts, orders)

    def clock(self):
        return datetime.datetime.fromtimestamp(
            samples.TEN + self.engine.now, datetime.timezone.utc)

    def keys(self, **filters) -> list[str]:
        return [one["key"]["resource_id"]
                for one in self.client.firings.list(**filters)]

    def test_what_triggers_did_is_listed_newest_first(self):
        expected = [f"order-{number}" for number in range(29, 9, -1)]
        self.assertEqual(expected, self.keys())
        self.assertEqual(expected, self.keys(page_size=7))
        self.assertEqual(expected[:9], self.keys(page_size=7, limit=9))
        self.assertEqual(expected, [
            one["key"]["resource_id"] for one
            in self.client.triggers.firings(self.trigger["id"])])

    def test_filters_find_what_they_say(self):
        for filters, keys in (
                ({"outcome": ["fired", "missed"],
                  "since": samples.stamp(28)}, ["order-29", "order-28"]),
                ({"outcome": "missed"}, []),
                ({"trigger_id": self.trigger["id"],
                  "until": samples.stamp(11)}, ["order-10"]),
                ({"trigger_id": "none"}, [])):
            with self.subTest(filters=filters):
                self.assertEqual(keys, self.keys(**filters))

    def test_one_is_found_by_its_id_or_how_it_begins(self):
        last = [*self.client.firings.list()][-1]
        firing_id = last["firing_id"]
        self.assertEqual(last, self.client.firings.find(firing_id))
        self.assertEqual(last, self.client.firings.find(firing_id[:13]))
        whole = self.client.firings.get(self.trigger["id"], firing_id)
        self.assertEqual("order-10", whole["event"]["resource_id"])
        with self.assertRaises(errors.NotFound):
            self.client.firings.find("nothing")
        with self.assertRaises(errors.Conflict):
            self.client.firings.find("")

    def put(self, **values) -> None:
        """Change all deliveries as the dispatcher would."""
        with self.engine.database.begin() as connection:
            connection.execute(DELIVERIES.update().values(**values))

    def test_a_delivery_is_cancelled_and_put_back(self):
        firing = next(iter(self.client.firings.list()))
        names = self.trigger["id"], firing["firing_id"]
        ids = [one["delivery_id"] for one in firing["deliveries"]]
        self.assertEqual(1, len(ids))
        with self.assertRaises(errors.Conflict) as caught:
            self.client.firings.cancel(*names)
        self.assertEqual("nothing_waits", caught.exception.code)
        self.put(status="waiting", next_at=samples.TEN + 300)
        self.assertEqual(ids, self.client.firings.cancel(*names))
        self.assertEqual(ids, self.client.firings.redeliver(*names))
        self.put(status="delivered")
        self.assertEqual(ids, self.client.firings.redeliver(*names, ids))

    def test_why_it_fired_is_told(self):
        firing = next(iter(self.client.firings.list()))
        found = self.client.triggers.explain(
            self.trigger["id"], firing["event_ids"][0])
        self.assertTrue(found["fired"])
        self.assertEqual(firing["firing_id"],
                         found["firings"][0]["firing_id"])

    def test_others_see_nothing_of_it(self):
        self.assertEqual([], [*self.site.client(
            "FOREIGN_MEMBER").firings.list()])
        self.assertEqual(20, len([*self.site.client(
            "ADMIN").firings.list(all_projects=True)]))
