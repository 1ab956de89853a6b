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

"""The panels' pages one by one: what is in them beside the whole way."""

import re
import uuid

from tests.integration import accessibility
from tests.integration import browser
from tests.integration.panels import Panels


class DetailTests(Panels):
    """What need not be shown on every installation again."""

    # -- Project → Events

    def test_pages_follow_one_another_without_gap_or_repetition(self):
        self.open("/project/events/?event_type=shop.*")
        found = self.rows()
        for _page in range(2):
            self.follow("Next page")
            self.assertNotIn("me-chart", self.browser.source)
            found += self.rows()
        self.assertEqual(45, len(found))
        self.assertEqual(sorted(found, reverse=True), found)
        self.assertEqual(45, len(set(found)))
        self.follow("First page")
        self.assertEqual(found[:20], self.rows())

    def test_what_is_wrong_in_a_filter_is_said_beside_it(self):
        self.open("/project/events/?event_type=a*b&range=between"
                  "&since=2026-11-02T00:00:00&until=2026-11-01T00:00:00")
        self.assertEqual(
            ["A star stands for the rest of a type and may come at its end "
             "only, as in compute.instance.*",
             "This is not after the beginning."],
            self.browser.texts(".me-error"))
        self.assertEqual([], self.rows())
        self.picture("wrong-filter")

    def test_a_bar_of_the_histogram_narrows_the_time(self):
        """T4, T29: by click and by keyboard."""
        self.open("/project/events/?event_type=compute.*")
        bars = self.browser.run(
            "return d3.selectAll('g.me-bar').data().map(one => one.count);")
        self.assertEqual(8, sum(bars))
        last = max(number for number, one in enumerate(bars) if one)
        self.browser.click_through(
            self.browser.all("g.me-bar .me-reach")[last])
        self.assertEqual(bars[last], len(self.rows()))
        self.assertIn("range=between", self.browser.url)
        self.assertTrue(self.browser.find("#id_since").shown)
        self.open("/project/events/?event_type=compute.*")
        drawing = self.browser.find(".me-drawing svg")
        drawing.type(browser.LEFT * (len(bars) - last))
        self.assertRegex(self.browser.find(".me-chosen").text,
                         rf": {bars[last]} events\b.*1 errors")
        self.browser.click_through_key(drawing, browser.ENTER)
        self.assertEqual(bars[last], len(self.rows()))

    def test_an_event_says_all_it_knows_and_leads_on(self):
        self.open("/project/events/?event_type=compute.instance.create.end")
        self.follow("compute.instance.create.end")
        self.assertIn(self.server, self.browser.texts(".me-facts dd a"))
        self.assertEqual(["node-7", "2048"],
                         self.browser.texts(".me-pairs td"))
        self.assertIn('"display_name": "web-1"',
                      self.browser.find(".me-json").text)
        self.picture("event")
        self.follow(f"req-{uuid.UUID(int=1)}")
        self.assertEqual(
            ["compute.instance.create.end", "port.create.end",
             "compute.instance.create.start"], self.types())

    def test_what_an_event_names_is_one_step_away_in_its_own_panel(self):
        """B7: where the catalog has the service that keeps it."""
        event = "/project/events/?event_type=compute.instance.create.end"
        self.open(event)
        self.follow("compute.instance.create.end")
        self.assertNotIn("Show the resource", self.browser.texts("a"))
        # What a service says that knows no instance at all is enough.
        self.addCleanup(self.site.keystone.forget, "compute")
        self.site.keystone.offer("compute", f"{self.site.url}/compute")
        window = self.window("A")
        timeline = f"/project/events/timeline/?resource_id={self.server}"
        there = f"/project/instances/{self.server}/"
        for path in (event, timeline):
            self.open(path, window)
            if path == event:
                window.click_through(
                    window.link("compute.instance.create.end"))
            self.assertEqual([there], window.run(
                "return Array.from(document.querySelectorAll("
                "'.me-actions a'), one => one.getAttribute('href')).filter("
                "one => one.startsWith('/project/instances/'));"))
        self.picture("resource", window)
        window.click_through(window.link("Show the resource"))
        # Horizon's own page was asked for this one; nova does not have it.
        self.assertIn(self.server, self.told(window))
        self.assertIn("nstance", window.title)

    def test_another_projects_event_is_not_there(self):
        """D13, S1."""
        theirs, = self.site.events("B")
        self.open(f"/project/events/{theirs['event_id']}/")
        self.assertEqual("Events", self.browser.find("h1").text)
        self.assertIn("belongs to another project",
                      self.browser.find(".alert-danger").text)

    # -- Project → Notification methods, Triggers

    def test_fields_and_json_say_the_same(self):
        self.open("/project/event_triggers/create/?template=instance-create")
        name = f"stuck {uuid.uuid4().hex[:6]}"
        self.assertEqual("900", self.browser.find("[name=within]").value)
        self.fill(name=name, within="600")
        self.picture("template")
        self.follow("Show as JSON")
        text = self.browser.find("#id_definition").value
        self.assertIn('"within": 600', text)
        self.browser.find("#id_definition").fill("{")
        self.follow("Create")
        self.assertIn("This is not JSON", self.browser.texts(".me-error")[0])
        self.browser.find("#id_definition").fill(text.replace("600", "700"))
        self.picture("json")
        self.follow("Show as a form")
        self.assertEqual("700", self.browser.find("[name=within]").value)
        self.fill(group_by="no such field")
        self.follow("Create")
        self.assertIn("group_by", self.browser.texts(".me-error")[0])
        self.fill(group_by="resource_id")
        self.follow("Create")
        self.assertIn(name, self.browser.find("h1").text)
        self.follow("Change")
        self.fill(within="800", description="Changed by form")
        self.follow("Save")
        self.assertIn('"within": 800', self.browser.find(".me-json").text)
        self.open("/project/event_triggers/")
        self.browser.click_through(self.browser.find(
            f"[aria-label='Disable {name}']"))
        self.assertTrue(self.browser.find(f"[aria-label='Enable {name}']"))
        self.picture("triggers")

    def test_steps_and_conditions_are_added_as_they_are_needed(self):
        """B37: by keyboard, and where something is missing it is said."""
        self.open("/project/event_triggers/create/?kind=sequence")
        seen = "fieldset.me-slot:not([hidden])"
        self.assertEqual(3, len(self.browser.all(seen)))
        self.browser.link("Add a step").type(browser.ENTER)
        self.assertEqual(4, len(self.browser.all(seen)))
        self.assertEqual("step2-name",
                         self.browser.focused.attribute("name"))
        self.fill(name="x", within="60", step0__name="one",
                  step0__types="a.b", step2__0__value="orphan")
        self.follow("Create")
        found = self.browser.texts(".me-error")
        self.assertEqual(
            ["Which events? A type or a condition is needed.",
             "This is needed.", "The name of the field is missing."], found)
        self.assertTrue(all(one.shown for one in self.browser.all(
            ".me-error")), "nobody sees what is wrong")
        self.picture("sequence")

    def test_two_who_change_one_trigger_see_one_another(self):
        made = self.site.call(
            "POST", "/v1.0/triggers", self.site.token("A", "member"), json={
                "name": f"both {uuid.uuid4().hex[:6]}", "kind": "match",
                "pattern": {"event_type": ["a"]}}).json()
        path = f"/v1.0/triggers/{made['id']}"
        self.open(f"/project/event_triggers/{made['id']}/update/")
        self.site.call("PATCH", path, self.site.token("A", "member"),
                       json={"description": "theirs"})
        self.fill(description="mine")
        self.follow("Save")
        self.assertIn("Somebody else has changed this",
                      self.browser.find(".me-page .alert-danger").text)
        self.assertEqual("theirs", self.site.get(path)["description"])

    def test_who_may_only_read_has_no_buttons(self):
        window = self.window("reader")
        for path, button in (("event_triggers", "Create Trigger"),
                             ("event_methods", "Create Notification Method")):
            self.open(f"/project/{path}/", window)
            self.assertNotIn(button, window.texts("a"))
            self.assertTrue(window.all(".me-page table"))
        self.open("/project/event_methods/create/", window)
        window.find("#id_name").fill("x")
        window.find("#id_address").fill(self.receiver.url)
        window.click_through(window.link("Create"))
        self.assertIn("Your roles in this project do not allow this",
                      window.find(".alert-danger").text)

    def test_the_keyboard_reaches_everything_in_the_order_of_reading(self):
        for path in ("events/?event_type=compute.*",
                     f"events/timeline/?resource_id={self.server}",
                     "event_triggers/create/?kind=match"):
            with self.subTest(path):
                self.open(f"/project/{path}")
                self.assertEqual([], accessibility.keyboard_faults(
                    self.browser))

    # -- when something is not there

    def test_without_the_service_there_is_no_panel(self):
        window = self.window("reader")
        self.assertTrue(window.all("a[href$='/project/events/']"))
        self.site.keystone.withdraw()
        self.addCleanup(self.site.keystone.register, self.site.url)
        window = self.window("reader")
        self.assertFalse(window.all("a[href$='/project/events/']"))
        self.open("/project/events/", window)
        self.assertFalse(window.all(".me-page"))

    def test_when_the_service_is_away_the_page_says_so(self):
        self.site.daemons.stop("api")
        self.addCleanup(self.site.await_api)
        self.addCleanup(self.site.daemons.start, "api")
        self.open("/project/events/")
        self.assertIn("The event service does not answer.",
                      self.browser.find(".me-page .alert-danger").text)
        self.assertTrue(re.search("cannot be shown",
                                  self.browser.find("#events").text))
        self.picture("away")
