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

"""The panels' pages of a project that no other test opens, and what they do.
"""

import re
import uuid

from tests.integration import accessibility
from tests.integration.daemons import wait_for
from tests.integration.panels import defused
from tests.integration.panels import HOSTILE
from tests.integration.panels import Panels

TRIGGERS, METHODS = "/project/event_triggers/", "/project/event_methods/"

#: Seconds since what is made here: other tests count what is younger.
OLD = 3 * 86400


class PageTests(Panels):
    """What need not be shown on every installation again."""

    @staticmethod
    def alarm_settings() -> str:
        """Return the lines that have alarms of instances removed, later than
        these tests last: nobody is asked yet."""
        return """
[engine]
enabled_triggers = delete_alarms
[actions]
enabled = webhook,delete-alarms
[alarm_removal]
services = aodh
undo_seconds = 36000
[aodh]
endpoint = http://127.0.0.1:9
[engine_auth]
auth_type = none
"""

    def make_trigger(self, kind: str, **more) -> dict:
        """Make a trigger on a type of event, by the API; return it once the
        engine knows it."""
        made = self.put_trigger(kind, **more)
        self.await_engine()
        return made

    def await_engine(self) -> None:
        """Return once the engine knows the triggers that there are: it looks
        for them now and then, and learns them in order."""
        kind = "probe." + uuid.uuid4().hex[:6]
        last = self.put_trigger(kind)

        def fires() -> bool:
            self.post("A", [self.made(kind, OLD)])
            return bool(self.site.get(
                "/v1.0/firings", trigger_id=last["id"])["firings"])
        wait_for("the engine knows the last trigger", fires, every=0.3)
        self.site.call("DELETE", f"/v1.0/triggers/{last['id']}",
                       self.site.token("A", "member"))

    def put_trigger(self, kind: str, **more) -> dict:
        answer = self.site.call(
            "POST", "/v1.0/triggers", self.site.token("A", "member"),
            json={"name": f"of {kind}", "kind": "match",
                  "pattern": {"event_type": [kind]}, **more})
        self.assertEqual(201, answer.status_code, answer.text)
        return answer.json()

    def await_firings(self, trigger_id: str, count: int) -> None:
        wait_for("it has fired", lambda: len(self.site.get(
            "/v1.0/firings", limit=100,
            trigger_id=trigger_id)["firings"]) == count)

    # -- Project → Events

    def test_the_time_is_chosen_and_what_is_quick_is_asked_so(self):
        """B7, T30: the choice of a time, and the newest part alone."""
        kind = "long.ago." + uuid.uuid4().hex[:6]
        self.post("A", [self.made(kind, OLD), self.made(kind, OLD + 60)])
        wait_for("they can be found", lambda: len(self.site.get(
            "/v1.0/events", event_type=kind)["events"]) == 2)
        self.open(f"/project/events/?event_type={kind}")
        self.assertEqual([], self.rows())
        self.assertFalse(self.browser.find("#id_since").shown)
        for chosen, count in (("1h", 0), ("7d", 2), ("all", 2)):
            self.browser.find("#id_range").fill(chosen)
            self.follow("Search")
            self.assertEqual(count, len(self.rows()), chosen)
            self.assertEqual(chosen, self.browser.find("#id_range").value)
        self.browser.find("#id_range").fill("between")
        self.assertTrue(self.browser.find("#id_since").shown)
        self.browser.find(".me-more summary").click()
        self.browser.find("#id_range").fill("7d")
        self.browser.find("#id_quick").click()
        self.browser.find("#id_oldest_first").click()
        self.follow("Search")
        self.assertIn("quick=on", self.browser.url)
        self.assertTrue(self.browser.find("#id_quick").shown)
        # The newest part of so small a store is all of it.
        self.assertEqual(2, len(self.rows()))
        self.assertEqual(sorted(self.rows()), self.rows())
        self.picture("quick")

    def test_what_one_request_did_to_several_things_is_one_timeline(self):
        """B38."""
        self.open("/project/events/?event_type=port.create.end")
        self.follow("port.create.end")
        self.follow("Timeline of the request")
        self.assertIn(f"req-{uuid.UUID(int=1)}",
                      self.browser.find("#me-timeline-title").text)
        rows = self.browser.texts(".me-entries tbody tr")
        self.assertTrue(any("port.create" in one for one in rows), rows)
        self.assertTrue(any("Operation compute.instance.create" in one
                            and self.server in one for one in rows), rows)
        self.picture("request")

    def test_a_timeline_draws_lines_of_logs_firings_and_silence(self):
        """B38, D17: open ends and gaps are marked."""
        ident, kind = str(uuid.uuid4()), "drawn." + uuid.uuid4().hex[:6]
        trigger = self.make_trigger(f"{kind}.error",
                                    group_by=["resource_id"])

        def one(event_type: str, seconds: float, **more) -> dict:
            return self.made(event_type, seconds + OLD, **{
                "resource_type": "compute.instance", "resource_id": ident,
                **more})
        self.post("A", [
            one(f"{kind}.start", 3000), one(f"{kind}.end", 2990),
            one(f"{kind}.begun.start", 2980),
            one("log.nova", 2985, source="syslog", resource_id=None,
                resource_type=None, priority="WARN",
                payload={"message": f"instance {ident} is slow"}),
            one(f"{kind}.error", 100, priority="ERROR")])
        self.await_firings(trigger["id"], 1)
        wait_for("all can be found", lambda: len(self.site.get(
            "/v1.0/timeline", resource_id=ident)["events"]) == 4)
        self.open(f"/project/events/timeline/?resource_id={ident}")
        lanes = self.browser.run("return d3.selectAll('g.me-lane').data();")
        self.assertIn("logs", lanes)
        self.assertIn("firings", lanes)
        for selector, count in (("g.me-a-log path", 1),
                                ("g.me-a-firing path", 1),
                                ("g.me-a-span.me-open rect", 1),
                                ("rect.me-gap", 1)):
            self.assertEqual(count, len(self.browser.all(selector)),
                             selector)
        gap = self.browser.run(
            "const one = document.querySelector('rect.me-gap');"
            "return [Number(one.getAttribute('width')), one.querySelector("
            "'title').textContent, document.querySelector('.me-drawing')"
            ".clientWidth];")
        self.assertGreater(gap[0], gap[2] / 3)
        self.assertIn("Nothing", gap[1])
        rows = self.browser.texts(".me-entries tbody tr")
        self.assertTrue(any(f"instance {ident} is slow" in row
                            for row in rows), rows)
        self.assertTrue(any("never ended" in row for row in rows), rows)
        self.picture("timeline-all")
        self.browser.click_through(self.browser.find(
            ".me-firing th a, .me-entries tr[data-kind=firing] th a"))
        self.assertIn(f"of {kind}.error", self.browser.find("h1").text)

    # -- Project → Triggers

    def test_a_trigger_for_such_events_is_made_asked_why_and_deleted(self):
        """B29, T19: from an event to a trigger for its like."""
        kind = "such." + uuid.uuid4().hex[:6]
        self.post("A", [self.made(kind, OLD, resource_id="one")])
        wait_for("it can be found", lambda: self.site.get(
            "/v1.0/events", event_type=kind)["events"])
        self.open(f"/project/events/?event_type={kind}&range=all")
        self.follow(kind)
        self.follow("Create a trigger for such events")
        self.assertEqual(kind, self.browser.find("#id_pattern-types").value)
        name = f"such {uuid.uuid4().hex[:6]} {HOSTILE[5]}"
        self.fill(name=name)
        self.follow("Create")
        trigger = self.browser.url
        self.await_engine()
        self.post("A", [self.made(kind, OLD, resource_id="two"),
                        self.made(f"un{kind}", OLD)])
        self.await_firings(trigger.rstrip("/").rpartition("/")[2], 1)
        fired, other = (wait_for("both can be found", lambda kind=kind: [
            each["event_id"] for each in self.site.get(
                "/v1.0/events", event_type=kind)["events"]
            if each["resource_id"] != "one"])
            for kind in (kind, f"un{kind}"))
        self.assertIn("the event matches pattern; fired at",
                      self.why(trigger, fired[0]))
        self.assertEqual(1, len(self.browser.all("#firings tbody tr")))
        self.picture("explain")
        self.assertIn(f"event_type is 'un{kind}'; expected '{kind}'",
                      self.why(trigger, other[0]))
        self.browser.open(trigger)
        self.follow("Delete")
        self.assertIn(defused(name), self.browser.find(".me-page form").text)
        self.picture("delete-trigger")
        self.follow("Cancel")
        self.assertIn(defused(name), self.browser.find("#triggers").text)
        self.browser.open(trigger)
        self.follow("Delete")
        self.follow("Delete")
        # Messages are Horizon's own, where nobody keeps AngularJS away.
        self.assertIn(f"{defused(name)} is deleted.", self.told())
        self.assertIsNone(self.browser.run("return window.hurt || null;"))
        self.assertNotIn(defused(name), self.browser.find("#triggers").text)
        self.browser.open(trigger)
        self.assertIn("It is not there", self.told())

    def why(self, trigger: str, event_id: str) -> str:
        """Return what a trigger's page says that an event did there."""
        self.browser.open(trigger)
        self.follow("Why, and why not?")
        self.browser.find("#me-event").fill(event_id)
        self.follow("Tell")
        return self.browser.find(".me-result").text

    def test_firings_are_on_pages_and_found_by_their_outcome(self):
        kind = "often." + uuid.uuid4().hex[:6]
        trigger = self.make_trigger(kind, group_by=["resource_id"])
        self.post("A", [self.made(kind, OLD - number,
                                  resource_id=f"vm-{number}")
                        for number in range(25)])
        self.await_firings(trigger["id"], 25)
        self.open(f"{TRIGGERS}{trigger['id']}/")
        self.follow("All firings of this trigger")
        keys = "#firings td[data-label=For]"
        first = self.browser.texts(keys)
        self.assertEqual(20, len(first))
        self.picture("firings")
        self.follow("Next page")
        rest = self.browser.texts(keys)
        self.assertEqual({f"resource_id vm-{number}" for number
                          in range(25)}, {*first, *rest})
        self.assertEqual(5, len(rest))
        self.browser.find("#me-outcome").fill("missed")
        self.follow("Show")
        self.assertEqual([], self.browser.texts(keys))
        self.assertIn("It has not fired", self.browser.find("#firings").text)
        self.browser.find("#me-outcome").fill("fired")
        self.follow("Show")
        # The one trigger's still, and from the first on.
        self.assertEqual(first, self.browser.texts(keys))
        self.open(TRIGGERS)
        self.follow("All firings")
        self.assertEqual(20, len(self.browser.texts(keys)))

    def test_what_still_waits_is_cancelled(self):
        """D10: alarms of an instance that is gone stay, if somebody says so
        in time."""
        ident = str(uuid.uuid4())
        self.post("A", [self.made(
            "compute.instance.delete.end", OLD, resource_id=ident,
            resource_type="compute.instance", source="notification")])
        wait_for("its alarms are to go", lambda: self.deliveries(ident))
        self.open(f"/project/events/timeline/?resource_id={ident}")
        self.browser.click_through(self.browser.find(
            ".me-entries tr[data-kind=firing] th a"))
        self.assertIn("tried next at", self.browser.find("#deliveries").text)
        self.picture("waits")
        self.follow("Cancel what waits")
        self.assertIn("What waited is cancelled.", self.told())
        self.assertIn("cancelled", self.browser.find("#deliveries").text)
        self.assertNotIn("Cancel what waits", self.browser.source)
        self.assertEqual(["cancelled"], [
            one["status"] for one in self.deliveries(ident)])

    def deliveries(self, resource_id: str) -> list[dict]:
        """Return how the engine removes the alarms of an instance."""
        return [delivery for one in self.site.get(
            "/v1.0/firings", limit=100, trigger_id="delete_alarms")["firings"]
            if resource_id in one["key"].values()
            for delivery in one["deliveries"]]

    def test_what_is_tried_again_is_not_offered_to_be_cancelled(self):
        """B45: the receiver may know of it by now."""
        method = self.make_method()
        ident, = [one["id"] for one in self.site.get(
            "/v1.0/notification-methods", limit=100)["notification_methods"]
            if one["name"] == method]
        kind = "again." + uuid.uuid4().hex[:6]
        trigger = self.make_trigger(kind, notify={"fired": [ident]})
        with self.receiver.refusing(503, pause=3600):
            self.post("A", [self.made(kind, OLD)])
            wait_for("it is tried", lambda: self.receiver.refused)
            wait_for("what came of it is known", lambda: [
                one for firing in self.site.get(
                    "/v1.0/firings", trigger_id=trigger["id"])["firings"]
                for one in firing["deliveries"] if one["attempts"]])
        self.open(f"{TRIGGERS}{trigger['id']}/")
        self.follow("Fired")
        self.assertIn("tried next at", self.browser.find("#deliveries").text)
        self.assertNotIn("Cancel what waits", self.browser.source)

    # -- Project → Notification methods

    def test_a_method_is_changed_tried_and_given_another_key(self):
        """B45, D19: each key is shown once."""
        method = self.make_method()
        keys = [self.browser.find("#me-secret").text]
        self.follow("I have it")
        page = self.browser.url
        self.assertNotIn("whsec_", self.browser.source)
        self.follow("Change")
        self.assertFalse(self.browser.find("#id_type").attribute("disabled")
                         is None)
        self.assertEqual(self.receiver.url,
                         self.browser.find("#id_address").value)
        self.assertEqual([], accessibility.keyboard_faults(self.browser))
        self.browser.find("#id_address").fill("no address")
        self.follow("Save")
        self.assertTrue(self.browser.texts(".me-error"))
        self.picture("method-wrong")
        self.browser.find("#id_address").fill(f"{self.receiver.url}/second")
        self.browser.find("#id_name").fill(f"{method} changed")
        self.follow("Save")
        self.assertIn("The change is made.", self.told())
        self.assertEqual(f"{method} changed", self.browser.find("h1").text)
        self.assertIn(f"{self.receiver.url}/second",
                      self.browser.texts(".me-facts dd"))
        before = set(self.receiver.got)
        self.follow("Send a test")
        self.assertIn("A test is on its way.", self.told())
        wait_for("the test arrives", lambda: set(self.receiver.got) - before)

        def is_told() -> bool:
            self.browser.open(page)
            return "delivered" in self.browser.find("#deliveries").text
        wait_for("the page tells what became of it", is_told)
        self.assertIn("test", self.browser.find("#deliveries").text)
        self.picture("method-tested")
        self.follow("New signing key")
        keys.append(self.browser.find("#me-secret").text)
        self.assertEqual(2, len(set(keys)))
        self.assertTrue(all(one.startswith("whsec_") for one in keys))
        self.assertRegex(self.browser.find(".me-page").text,
                         re.compile("signature of the key before"))
        self.picture("method-key")
        self.follow("I have it")
        self.follow("Delete")
        self.follow("Cancel")
        self.assertIn(method, self.browser.find("#methods").text)
        self.browser.click_through(self.browser.find(
            f"[aria-label='Delete {method} changed']"))
        self.follow("Delete")
        self.assertIn(f"{method} changed is deleted.", self.told())
        self.assertNotIn(method, self.browser.find("#methods").text)

    # -- who may not, and who has no mouse

    def test_who_has_no_role_that_counts_sees_no_panel(self):
        """D13: as the API would refuse, so nothing is offered."""
        self.users["stranger"] = self.site.keystone.user(
            "stranger-a", self.site.projects["A"], "stranger")
        window = self.window("stranger")
        self.assertFalse(window.all("a[href$='/project/events/']"))
        for path in ("/project/events/", TRIGGERS, METHODS,
                     "/admin/events/"):
            self.open(path, window)
            self.assertFalse(window.all(".me-page"), path)
            self.assertNotIn("shop.order.placed", window.source)

    def test_the_keyboard_reaches_the_pages_of_triggers_and_methods(self):
        for path in (TRIGGERS, f"{TRIGGERS}choose/", f"{TRIGGERS}firings/",
                     f"{METHODS}create/", METHODS):
            with self.subTest(path):
                self.open(path)
                self.assertEqual([], accessibility.keyboard_faults(
                    self.browser))
