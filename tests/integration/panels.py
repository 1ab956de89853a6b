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

"""What people do with the panels, in a browser, on any installation.

Mixed into a TestCase with ``make_site``. Pictures of the pages are left in
``tests/artefacts/horizon`` for somebody to look at.
"""

import datetime
import pathlib
import re
import tempfile
import uuid

from monasca_events_common import event as events
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from tests.integration import browser
from tests.integration import horizons
from tests.integration.browser import Browser
from tests.integration.daemons import wait_for
from tests.integration.receiver import Receiver
from tests.integration.sites import LiveSite

PICTURES = horizons.ROOT / "tests/artefacts/horizon"

#: What must be shown as it is, by who shows it and by the scripts around.
HOSTILE = (
    "<script>window.hurt='script'</script>",
    "\"'><img src=x onerror=window.hurt='image'>",
    "</textarea></pre></td><svg/onload=window.hurt='svg'>",
    "javascript:window.hurt='link'",
    "{{constructor.constructor('window.hurt=1')()}}{{7*7}}",
    "{$constructor.constructor('window.hurt=1')()$}{$7*7$}",
    "{% load missing %}{{ request.user.token.id }}",
    "]]><!--\u202e\u2028&lt;b&gt;&#60;i&#62;",
)

#: Says what is wrong for who cannot see or has no mouse.
_ACCESSIBILITY = """
const found = [];
const page = document.querySelector('.me-page');
if (!document.documentElement.lang && !document.title) {
  found.push('the page has no title');
}
const seen = new Set();
for (const one of document.querySelectorAll('.me-page [id]')) {
  if (seen.has(one.id)) { found.push('twice the id ' + one.id); }
  seen.add(one.id);
}
for (const one of page.querySelectorAll('input, select, textarea')) {
  if (one.type === 'hidden' || one.type === 'submit') { continue; }
  if (!(one.labels && one.labels.length) && !one.getAttribute('aria-label')
      && !one.getAttribute('aria-labelledby')) {
    found.push('no label: ' + one.outerHTML.slice(0, 80));
  }
}
for (const one of page.querySelectorAll('a, button, summary')) {
  if (!(one.textContent.trim() || one.getAttribute('aria-label')
        || one.title)) {
    found.push('no name: ' + one.outerHTML.slice(0, 80));
  }
}
for (const one of page.querySelectorAll('table')) {
  if (!one.querySelector('th[scope]')) { found.push('a table of no head'); }
}
for (const one of page.querySelectorAll('[tabindex]')) {
  if (one.tabIndex > 0) { found.push('an order of its own: ' + one.id); }
}
return found;
"""


def defused(text: str) -> str:
    """Return text as it is shown: Horizon alters the marks of AngularJS, and
    what turns the direction of writing is told."""
    return text.replace("{$", "{%").replace("$}", "%}").replace(
        "\u202e\u2028", "\\u202e\\u2028")


class PanelTests:
    """What every installation must show; see the module."""

    @classmethod
    def make_site(cls, folder: pathlib.Path, extra: str) -> LiveSite:
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="horizon-")
        cls.addClassCleanup(folder.cleanup)
        cls.receiver = Receiver()
        cls.addClassCleanup(cls.receiver.close)
        cls.site = cls.make_site(pathlib.Path(folder.name),
                                 cls.receiver.conf)
        cls.addClassCleanup(cls.site.close)
        cls.site.start()
        cls.site.keystone.withdraw(others=True)
        cls.addClassCleanup(cls.site.keystone.withdraw)
        cls.now = datetime.datetime.now(datetime.timezone.utc)
        cls.server, cls.order = (str(uuid.uuid4()) for _ in range(2))
        cls.post("A", [*cls.story(), *cls.orders(45), cls.hostile()])
        cls.post("B", [cls.made("shop.order.placed", 60)])
        cls.horizon = horizons.horizon()
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.users = {
            "A": cls.site.keystone.user("member-a", cls.site.projects["A"],
                                        "member"),
            "B": cls.site.keystone.user("member-b", cls.site.projects["B"],
                                        "member"),
            "reader": cls.site.keystone.user(
                "reader-a", cls.site.projects["A"], "reader"),
            "admin": cls.site.keystone.user(
                "operator-admin", cls.site.projects["operator"], "admin")}
        wait_for("what was posted can be found", lambda: (
            cls.site.count("A"), cls.site.count("B")) == (55, 1))
        cls.log_in(cls.browser, "A")

    # -- what there is to see

    @classmethod
    def made(cls, event_type: str, seconds: float, **fields) -> dict:
        """Return an event of so many seconds ago."""
        return {"event_type": event_type, "timestamp": events.format_time(
            cls.now - datetime.timedelta(seconds=seconds)), **fields}

    @classmethod
    def story(cls) -> list[dict]:
        """Return what happened to one server: made, resized in vain."""
        def server(name: str, seconds: float, request: int, **fields):
            return cls.made(f"compute.instance.{name}", seconds, **{
                "resource_type": "compute.instance",
                "resource_id": cls.server, "publisher_id": "compute.node-7",
                "request_id": f"req-{uuid.UUID(int=request)}",
                "traits": {"host": "node-7", "memory_mb": 2048},
                "payload": {"display_name": "web-1"}, **fields})
        return [
            server("create.start", 1800, 1),
            cls.made("port.create.end", 1795, resource_type="network.port",
                     resource_id=str(uuid.UUID(int=77)),
                     request_id=f"req-{uuid.UUID(int=1)}"),
            server("create.end", 1780, 1),
            server("power_off.start", 1500, 2),
            server("power_off.end", 1490, 2, priority="WARN"),
            server("resize.prep.start", 900, 3),
            server("resize.prep.end", 880, 3),
            server("resize.start", 870, 3),
            server("resize.error", 840, 3, priority="ERROR",
                   payload={"display_name": "web-1", "exception": {
                       "message": "No valid host was found"}})]

    @classmethod
    def orders(cls, count: int) -> list[dict]:
        return [cls.made("shop.order.placed", 7200 + 1500 * number,
                         resource_type="order", resource_id=cls.order,
                         traits={"total": number * 100})
                for number in range(count)]

    @classmethod
    def hostile(cls) -> dict:
        return cls.made(
            "hostile." + HOSTILE[0], 30, resource_type=HOSTILE[4],
            resource_id=HOSTILE[5], publisher_id=HOSTILE[1],
            user_id=HOSTILE[3], request_id=HOSTILE[2], priority="ERROR",
            traits={f"t{number}": one for number, one in enumerate(HOSTILE)},
            dimensions={"items": HOSTILE[1]},
            payload={one: [one, {one: one}] for one in HOSTILE})

    @classmethod
    def post(cls, project: str, found: list[dict]) -> None:
        answer = cls.site.call(
            "POST", "/v1.0/events", cls.site.token("operator", "service"),
            params={"project_id": cls.site.projects[project]},
            json={"events": found})
        if answer.status_code != 202 or answer.json()["rejected"]:
            raise AssertionError(answer.text)

    # -- going about

    @classmethod
    def log_in(cls, window: Browser, who: str) -> None:
        name, password = cls.users[who]
        window.open(f"{cls.horizon}/auth/login/")
        window.find("input[name=username]").type(name)
        window.find("input[name=password]").type(password)
        window.click_through(window.find("button[type=submit]"))

    def window(self, who: str) -> Browser:
        """Return another browser, logged in."""
        found = Browser()
        self.addCleanup(found.close)
        self.log_in(found, who)
        return found

    def open(self, path: str, window: Browser | None = None) -> None:
        (window or self.browser).open(f"{self.horizon}{path}")

    def follow(self, text: str) -> None:
        """Click a link or button and wait for where it leads."""
        self.browser.click_through(self.browser.link(text))

    def picture(self, name: str) -> None:
        """Keep what is seen, and look at what a machine can look at."""
        self.assertEqual([], self.browser.run(_ACCESSIBILITY))
        self.assertEqual([], self.browser.complaints())
        self.browser.photograph(PICTURES / f"{self.kind}-{name}.png")

    def rows(self) -> list[str]:
        return self.browser.texts("#events tbody tr:not(.empty)")

    def types(self) -> list[str]:
        return self.browser.texts("#events tbody th[scope=row]")

    # -- Project → Events

    def test_a_tenant_finds_its_events_by_type_words_and_resource(self):
        """B7, D17, T5, T12: and sees its own project's only."""
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

    def test_the_timeline_of_a_server_shows_what_took_how_long(self):
        """B38, T30: operations as spans, and what went wrong."""
        self.open(f"/project/events/timeline/?resource_id={self.server}")
        rows = self.browser.texts(".me-entries tbody tr")
        made, = [one for one in rows if "Operation" in one
                 and "compute.instance.create" in one]
        self.assertIn("20 s", made)
        self.assertTrue([one for one in rows if "Operation" in one
                         and "resize" in one and "failed" in one], rows)
        self.assertTrue(self.browser.all(".me-drawing svg [tabindex], "
                                         ".me-drawing svg rect"))
        self.picture("timeline")

    def test_an_administrator_sees_all_projects_and_what_stands_still(self):
        """D9, T12, R2: events of all, dead letters, consumer lag."""
        letters = DeadLetters(self.site.dead_url)
        self.addCleanup(letters.close)
        letters.put([DeadLetter(
            "persister", "refused", HOSTILE[0], "Rejected", "monevents/0/7",
            HOSTILE[1].encode(), project_id=self.site.projects["A"])],
            "2026-11-25T00:00:00.000000Z")
        window = self.window("admin")
        self.open("/admin/events/?event_type=shop.order.placed&range=all",
                  window)
        for project in ("A", "B"):
            self.open("/admin/events/?range=all&project_id="
                      + self.site.projects[project], window)
            self.assertTrue(window.texts(
                "#events tbody th[scope=row]"), project)
            self.assertEqual([], window.texts(".alert-danger"))
            self.assertTrue(window.all("svg rect"), "no histogram")
        self.photograph(window, "admin-events")
        self.open("/admin/events/dead-letters/", window)
        row, = window.texts("#letters tbody tr")
        self.assertIn(HOSTILE[0], row)
        self.photograph(window, "admin-dead-letters")
        window.click_through(window.link("refused"))
        self.assertIn(HOSTILE[1], window.find("pre.me-json").text)
        self.open("/admin/events/services/", window)
        rows = window.texts("#services tbody tr")
        self.assertTrue(any("persister" in one for one in rows), rows)
        self.photograph(window, "admin-services")
        self.assertIsNone(window.run("return window.hurt || null;"))
        self.assertEqual([], window.complaints())
        # For a tenant there is none of it.
        tenant = self.window("A")
        self.open("/admin/events/dead-letters/", tenant)
        self.assertEqual([], tenant.all("#letters"))

    def photograph(self, window: Browser, name: str) -> None:
        window.photograph(PICTURES / f"{self.kind}-{name}.png")

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
        self.assertIsNone(self.browser.run("return window.hurt || null;"))
        self.assertEqual([], self.browser.all(
            ".me-page img, .me-page script, [onload], [onerror],"
            " a[href^='javascript:']"))
        self.picture("hostile")

    def test_another_projects_event_is_not_there(self):
        """D13, S1."""
        theirs, = self.site.events("B")
        self.open(f"/project/events/{theirs['event_id']}/")
        self.assertEqual("Events", self.browser.find("h1").text)
        self.assertIn("belongs to another project",
                      self.browser.find(".alert-danger").text)

    def test_a_narrow_screen_shows_all_without_scrolling_sideways(self):
        self.browser.resize(500, 800)
        self.addCleanup(self.browser.resize, 1280, 900)
        self.open("/project/events/?event_type=compute.*")
        self.assertLessEqual(*self.browser.run(
            "return [document.documentElement.scrollWidth,"
            " window.innerWidth];"))
        self.assertEqual(8, len(self.rows()))
        self.picture("narrow")

    # -- Project → Notification methods, Triggers

    def make_method(self) -> str:
        """Make a webhook to the receiver by form; return its name."""
        name = f"hook {uuid.uuid4().hex[:6]}"
        self.open("/project/event_methods/create/")
        self.assertFalse(self.browser.find("#id_mail").shown)
        self.browser.find("#id_name").fill(name)
        self.browser.find("#id_address").fill(self.receiver.url)
        self.follow("Create")
        self.assertRegex(self.browser.find("#me-secret").text, "^whsec_")
        return name

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.browser.find(
                f"[name='{name.replace('__', '-')}']").fill(value)

    def test_a_trigger_is_made_without_json_tried_and_fires(self):
        """B29, B30, B45, T6, T19, T20: and is delivered again on demand."""
        method = self.make_method()
        name = f"big ones fail {uuid.uuid4().hex[:6]}"
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
        self.follow("Back-test")
        if "/backtests/" in self.browser.url:
            self.fail("the back-test of 55 events took too long")
        self.assertEqual("It would have fired 1 time",
                         self.browser.find("#me-chart-title").text)
        self.assertEqual([1], [one for one in self.browser.run(
            "return d3.selectAll('g.me-bar').data().map(one => one.count);")
            if one])
        self.picture("backtest")
        for label in self.browser.all(".me-choice label"):
            if method in label.text:
                label.click()
        self.follow("Create")
        self.assertIn(name, self.browser.find("h1").text)
        trigger = self.browser.url
        self.assertIn("It has not fired", self.browser.find("#firings").text)
        self.post("A", [self.made(
            "compute.instance.resize.error", 0, resource_id="vm-9",
            traits={"memory_mb": 8192})])
        wait_for("the receiver is told", lambda: [
            one for one, got in self.receiver.got.items()
            if b"vm-9" in got[0][1]], 30)

        def delivered() -> bool:
            self.browser.open(trigger)
            return "webhook: delivered" in self.browser.find("#firings").text
        wait_for("the page says so", delivered, 20, every=1)
        self.picture("trigger")
        self.follow("Fired")
        self.assertIn("resource_id vm-9", self.browser.texts("dd"))
        self.picture("firing")
        told, = (one for one, got in self.receiver.got.items()
                 if b"vm-9" in got[0][1])
        self.follow("Deliver again")
        wait_for("it is told again, as the same", lambda: len(
            self.receiver.got[told]) == 2, 20)
        self.open("/project/event_methods/")
        self.follow(method)
        self.assertIn("fired", self.browser.find("#deliveries").text)
        self.picture("method")
        self.follow("Delete")
        self.follow("Delete")
        self.assertIn("1 triggers tell this method",
                      self.browser.find(".alert-warning").text)
        self.follow("Take it out of them and delete it")
        self.assertNotIn(method, self.browser.find("#methods").text)

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
