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

"""Trying triggers, and what they did, as somebody types it."""

import datetime
import tempfile
import threading

from monasca_events_engine import options as engine_options
from monasca_events_engine.backtest import Backtester
from tests.functional import service
from tests.unit.client.cli.shell import ShellTest
from tests.unit.client.test_triggers import LARGE
from tests.unit.client.test_triggers import order
from tests.unit.client.test_triggers import store
from tests.unit.common.rules import samples
from tests.unit.engine.site import EngineSite

HOUR = ("--since", samples.stamp(0), "--until", samples.stamp(3600))


class TriggersTest(ShellTest):
    """Thirty orders, a second apart; an engine saw the ones from 10 on."""

    @classmethod
    def arguments(cls) -> dict:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.engine = EngineSite(folder.name)
        cls.addClassCleanup(cls.engine.database.close)
        return {"pump": False, "database": cls.engine.database,
                "clock": lambda: datetime.datetime.fromtimestamp(
                    samples.TEN + cls.engine.now, datetime.timezone.utc)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.site.client()
        method = client.notification_methods.create({
            "name": "hook", "type": "webhook",
            "address": "https://hooks.example.org"})
        cls.trigger = client.triggers.create({
            **LARGE, "name": "large", "notify": {"fired": [method["id"]]}})
        cls.engine.engine._follow_at = 0.0
        cls.orders = [order(number) for number in range(30)]
        cls.engine.send(*cls.orders)
        cls.engine.pass_to(100)
        store(cls.site.service.parts, cls.orders)
        cls.work()

    @classmethod
    def work(cls):
        """Start the worker that an engine has for back-tests."""
        parts = cls.site.service.parts
        for group, opts in engine_options.groups():
            parts.conf.register_opts(opts, group=group)
        stop = threading.Event()
        worker = threading.Thread(target=Backtester(
            cls.engine.database, lambda: parts.store, parts.conf).run,
            args=(stop,))
        worker.start()
        cls.addClassCleanup(worker.join, 30)
        cls.addClassCleanup(stop.set)

    def shown(self, *arguments: str, **options):
        return self.event(*arguments, "-f", "json", **options).json

    # -- trying

    def test_one_is_tried_on_any_event(self):
        done = self.event("trigger", "test", "large", "--type",
                          "shop.order.placed", "--trait", "total=99.5")
        self.assertIn("traits.total is 99.5; expected a number >= 1000",
                      done.out)
        found = self.shown("trigger", "test", "large", "--type",
                           "shop.order.placed", "--trait", "total=1500",
                           "--resource", "4711")
        self.assertEqual((True, {"resource_id": "4711"}), (
            found["matches"], found["firings"][0]["key"]))
        for event, matches in ((self.orders[9], False),
                               (self.orders[10], True)):
            self.assertEqual(matches, self.shown(
                "trigger", "test", "large", "--event",
                event["event_id"])["matches"])

    def test_a_draft_is_tried(self):
        path = self.file("draft.yaml", "kind: match\npattern:\n"
                         "  event_type: [shop.order.placed]\n")
        event = self.file("event.json", '{"event_type": "shop.order.placed"}')
        self.assertTrue(self.shown("trigger", "test", "--file", path,
                                   "--event-file", event)["matches"])
        found = self.shown("trigger", "test", "--template",
                           "instance-create", "--within", "90s", "--type",
                           "compute.instance.create.start")
        self.assertIn("waits for expect, 90 s are left", found["waits"][0])

    def test_what_is_to_be_tried_is_said_once(self):
        for arguments in (["large", "--file", "x"], []):
            done = self.event("trigger", "test", *arguments, "--type", "a",
                              code=2)
            self.assertIn("give a trigger, --file or --template", done.err)
        self.event("trigger", "test", "large", code=2)

    def test_why_is_explained(self):
        found = self.shown("trigger", "explain", "large",
                           self.orders[12]["event_id"])
        self.assertTrue(found["fired"])
        done = self.event("trigger", "explain", "large",
                          self.orders[3]["event_id"][:13])
        self.assertIn("traits.total is 300; expected a number >= 1000",
                      done.out)

    def test_a_back_test_is_drawn(self):
        done = self.event("trigger", "backtest", "large", *HOUR, "--firings",
                          "3", cells=80)
        self.assertRegex(done.lines[0], "UTC, 30 events$")
        self.assertEqual("20 firings: 20 fired", done.lines[1])
        self.assertRegex(done.out, r"(?m)^2026-11-22 10:00:10 +5  █+$")
        self.assertIn("order-10  shop.order.placed", done.out)
        self.assertEqual("… 17 more firings; -f json has all",
                         done.lines[-1])
        self.assertLessEqual(max(map(len, done.lines)), 80)
        found = self.shown("trigger", "backtest", "large", *HOUR)
        self.assertEqual((20, "finished"),
                         (found["firings_total"], found["status"]))

    def test_a_draft_s_back_test_finds_nothing_quietly(self):
        path = self.file("none.yaml", "kind: match\npattern:\n"
                         "  event_type: [nothing]\n")
        done = self.event("trigger", "backtest", "--file", path, *HOUR)
        self.assertEqual("0 firings", done.lines[1])

    # -- what they did

    def test_firings_are_listed_newest_first(self):
        for arguments in (["firing", "list"], ["trigger", "firings",
                                               "large"]):
            rows = self.shown(*arguments, "--limit", "0")
            self.assertEqual(
                [{"resource_id": f"order-{n}"} for n in range(29, 9, -1)],
                [row["Key"] for row in rows])
            done = self.event(*arguments, "--limit", "5", cells=90)
            self.assertEqual(9, len(done.lines))
            self.assertIn("pending", done.lines[3])
            self.assertIn("there are more", done.err)

    def test_filters_narrow_the_firings(self):
        for arguments, count in (
                (["--outcome", "missed"], 0),
                (["--outcome", "fired", "--outcome", "missed"], 20),
                (["--trigger", "large"], 20),
                (["--trigger", "gone"], 0),
                (["--since", samples.stamp(25)], 5),
                (["--until", samples.stamp(12)], 2)):
            with self.subTest(arguments=arguments):
                self.assertEqual(count, len(self.shown(
                    "firing", "list", *arguments)))
        self.event("firing", "list", "--outcome", "lost", code=2)
        self.event("trigger", "firings", "nobody", code=3)

    def test_a_firing_is_shown_with_its_event_and_deliveries(self):
        row = self.shown("firing", "list")[0]
        for arguments in ([row["ID"][:13]], [row["ID"], "--trigger",
                                             "large"]):
            done = self.event("firing", "show", *arguments)
            self.assertIn("resource_id = order-29", done.out)
            self.assertIn("pending webhook to ", done.out)
            self.assertEqual("order-29", self.shown(
                "firing", "show", *arguments)["event"]["resource_id"])
        self.event("firing", "show", "ffffffff-0000", code=3)

    def test_deliveries_are_put_back_and_cancelled(self):
        row = self.shown("firing", "list")[5]
        done = self.event("firing", "redeliver", row["ID"])
        self.assertEqual("", done.out)
        self.assertIn("--delivery names one", done.err)
        done = self.event("firing", "cancel", row["ID"], code=1)
        self.assertIn("firing show' tells what became of", done.err)

    def test_others_see_nothing_of_it(self):
        self.assertEqual([], self.shown("firing", "list",
                                        cloud="foreign_member"))
        self.assertEqual(20, len(self.shown(
            "firing", "list", "--project", service.PROJECT, cloud="admin")))
