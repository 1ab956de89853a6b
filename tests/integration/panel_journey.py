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

"""The whole way through the panels, for any installation.

Two tenants and an administrator log in, find what happened, follow a server,
make a trigger, see it fire and have a webhook delivered that was given up.
"""

import uuid

from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from tests.integration import browser
from tests.integration.daemons import wait_for
from tests.integration.panels import defused
from tests.integration.panels import HOSTILE
from tests.integration.panels import Panels


class JourneyTests(Panels):
    """What every installation must show."""

    def test_a_tenant_finds_its_events_and_what_happened_to_a_server(self):
        """B7, B38, D17, T5, T12, T30: list, filters, event, timeline."""
        self.open("/project/events/")
        self.assertEqual(20, len(self.rows()))
        self.assertIn("55 events in this time",
                      self.browser.find("#me-chart-title").text)
        self.picture("events")
        self.browser.find("#id_event_type").fill("compute.instance.resize.*")
        self.follow("Search")
        self.assertEqual(
            ["compute.instance.resize.error", "compute.instance.resize.start",
             "compute.instance.resize.prep.end",
             "compute.instance.resize.prep.start"], self.types())
        self.browser.find("#id_event_type").fill("")
        self.browser.find("#id_q").type("valid host" + browser.ENTER)
        wait_for("one is left", lambda: self.types() == [
            "compute.instance.resize.error"])
        self.follow("Clear")
        self.browser.find("#id_resource_id").fill(self.server)
        self.follow("Search")
        self.assertEqual(8, len(self.rows()))
        self.follow("compute.instance.create.end")
        self.follow("Timeline of the resource")
        self.check_timeline()

    def check_timeline(self) -> None:
        """One operation is one bar, and only what is missing is so."""
        self.assertIn(self.server, self.browser.find("h2").text)
        spans = [one for one in self.browser.texts(".me-entries tbody tr")
                 if "Operation" in one]
        self.assertEqual(3, len(spans), spans)
        for one, name, words in zip(spans, (
                "compute.instance.create", "compute.instance.power_off",
                "instance-resize"), ("20 s", "10 s", "1 min failed"),
                strict=True):
            self.assertIn(f"Operation {name} ", one)
            self.assertIn(words, one)
        self.assertEqual(
            ["compute.instance.resize.prep: 20 s",
             "compute.instance.resize: 30 s failed"],
            self.browser.texts(".me-steps li"))
        self.assertNotIn("beginning", " ".join(spans))
        self.assertEqual(
            ["events", "compute.instance.create",
             "compute.instance.power_off", "instance-resize"],
            self.browser.run("return d3.selectAll('g.me-lane').data();"))
        self.assertEqual(3, len(self.browser.all("g.me-a-span rect")))
        self.picture("timeline")

    def test_another_tenant_and_an_administrator_see_what_is_theirs(self):
        """D9, D13, S1, T12, R2: events of one, or of all, dead letters,
        consumer lag."""
        other = self.window("B")
        self.open("/project/events/", other)
        self.assertEqual(["shop.order.placed"],
                         other.texts("#events tbody th[scope=row]"))
        letters = DeadLetters(self.site.dead_url)
        self.addCleanup(letters.close)
        letters.put([DeadLetter(
            "persister", "refused", HOSTILE[0], "Rejected", "monevents/0/7",
            HOSTILE[1].encode(), project_id=self.site.projects["A"])],
            "2026-11-25T00:00:00.000000Z")
        window = self.window("admin")
        for project in ("A", "B"):
            self.open("/admin/events/?event_type=shop.order.placed&range=all"
                      f"&project_id={self.site.projects[project]}", window)
            self.assertEqual(
                {f"{project.lower()}1-{self.site.name}"}, set(window.texts(
                    "#events tbody td[data-label=Project]")))
            self.assertEqual([], window.texts(".alert-danger"))
            self.assertTrue(window.all("svg rect"), "no histogram")
        self.picture("admin-events", window)
        self.open("/admin/events/dead-letters/", window)
        row, = window.texts("#letters tbody tr")
        self.assertIn(HOSTILE[0], row)
        self.picture("admin-dead-letters", window)
        window.click_through(window.link("refused"))
        self.assertIn(HOSTILE[1], window.find("pre.me-json").text)
        self.open("/admin/events/services/", window)
        rows = window.texts("#services tbody tr")
        self.assertTrue(any("persister" in one for one in rows), rows)
        self.picture("admin-services", window)
        self.assertIsNone(window.run("return window.hurt || null;"))
        # For a tenant there is none of it.
        self.open("/admin/events/dead-letters/", other)
        self.assertEqual([], other.all("#letters"))

    def test_what_events_say_is_shown_and_never_run(self):
        """S16: by the browser, by Django or by Horizon's AngularJS."""
        self.open("/project/events/?event_type=hostile.*")
        row, = self.rows()
        for number in (0, 1, 4, 5):
            self.assertIn(defused(HOSTILE[number]), row)
        self.browser.click_through(self.browser.find("#events th a"))
        found = self.browser.texts(".me-pairs td")
        self.assertEqual([defused(one) for one in (*HOSTILE, HOSTILE[1])],
                         found)
        self.assertIn(HOSTILE[0], self.browser.find("h1").text)
        self.assert_unhurt()
        self.picture("hostile")
        self.follow("Timeline of the resource")
        row, = self.browser.texts(".me-entries tbody tr")
        for number in (0, 2, 4):
            self.assertIn(defused(HOSTILE[number]), row)
        self.assertTrue(self.browser.all("g.me-thing path"))
        self.assert_unhurt()

    def assert_unhurt(self) -> None:
        self.assertIsNone(self.browser.run("return window.hurt || null;"))
        self.assertEqual([], self.browser.all(
            ".me-page img, .me-page script, [onload], [onerror],"
            " a[href^='javascript:']"))

    def test_a_trigger_is_made_without_json_tried_and_fires(self):
        """B29, B30, B45, S16, T6, T19, T20: and what was given up is
        delivered on demand."""
        method = self.make_method()
        name = f"big {uuid.uuid4().hex[:6]} {HOSTILE[1]}"
        self.open("/project/event_triggers/")
        self.follow("Create Trigger")
        self.picture("choose")
        self.follow("Match")
        self.fill(pattern__types="compute.instance.resize.error",
                  pattern__0__path="traits.memory_mb",
                  pattern__0__operator="at-least", pattern__0__value="4096",
                  group_by="resource_id", name=name)
        self.follow("Test on the event")
        self.assertIn("traits.memory_mb is 2048; expected a number >= 4096",
                      self.browser.find(".me-verdicts").text)
        self.fill(pattern__0__value="1024")
        self.follow("Test on the event")
        self.assertIn("fits", self.browser.find(".me-result").text)
        self.picture("test")
        self.check_backtest()
        for label in self.browser.all(".me-choice label"):
            if method in label.text:
                label.click()
        self.follow("Create")
        self.assertIn(name, self.browser.find("h1").text)
        self.assertIn("It has not fired", self.browser.find("#firings").text)
        self.check_redelivery(self.browser.url)
        self.open("/project/event_methods/")
        self.follow(method)
        self.assertIn("fired", self.browser.find("#deliveries").text)
        self.assert_unhurt()
        self.picture("method")
        self.follow("Delete")
        self.follow("Delete")
        self.assertIn("1 triggers tell this method",
                      self.browser.find(".alert-warning").text)
        self.follow("Take it out of them and delete it")
        self.assertNotIn(method, self.browser.find("#methods").text)

    def check_backtest(self) -> None:
        self.follow("Back-test")
        wait_for("the back-test is done", lambda: self.browser.texts(
            "#me-chart-title"), 90)
        self.assertEqual("It would have fired 1 time",
                         self.browser.find("#me-chart-title").text)
        self.assertEqual([1], [one for one in self.browser.run(
            "return d3.selectAll('g.me-bar').data().map(one => one.count);")
            if one])
        self.picture("backtest")

    def check_redelivery(self, trigger: str) -> None:
        """Fire; have it told in vain, and again when there is who hears."""
        with self.receiver.refusing():
            self.post("A", [self.made(
                "compute.instance.resize.error", 0, resource_id="vm-9",
                traits={"memory_mb": 8192})])
            self.await_status(trigger, "parked")
        told, = set(self.receiver.refused)
        self.assertEqual(2, len(self.receiver.refused))
        self.assertNotIn(told, self.receiver.got)
        self.picture("trigger")
        self.assert_unhurt()
        self.follow("Fired")
        self.assertIn("resource_id vm-9", self.browser.texts("dd"))
        self.assertIn("the receiver answered 5xx",
                      self.browser.find("#deliveries").text)
        self.picture("firing")
        self.follow("Deliver again what was given up")
        wait_for("it arrives", lambda: told in self.receiver.got, 90)
        (_, body), = self.receiver.got[told]
        self.assertIn(b"vm-9", body)
        self.await_status(trigger, "delivered")
        self.follow("Fired")
        self.assertNotIn("given up", self.browser.source)
        self.follow("Deliver again")
        wait_for("it is told again, as the same", lambda: len(
            self.receiver.got[told]) == 2, 90)

    def await_status(self, trigger: str, status: str) -> None:
        def is_there() -> bool:
            self.browser.open(trigger)
            return f"webhook: {status}" in self.browser.find("#firings").text
        wait_for(f"the page says that it is {status}", is_there, 90, every=1)
