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

"""Admin → Events: what an administrator does there, and what comes of it."""

import re
import uuid

from monasca_events_common import event as events
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from tests.integration import accessibility
from tests.integration.browser import Browser
from tests.integration.daemons import wait_for
from tests.integration.panels import Panels
from tests.unit.common.test_event import complete

LETTERS = "/admin/events/dead-letters/"

SERVICES = "/admin/events/services/"

#: Seconds since what is made here: other tests count what is younger.
OLD = 3 * 86400


class OperatorTests(Panels):
    """What need not be shown on every installation again."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = Browser()
        cls.addClassCleanup(cls.admin.close)
        cls.log_in(cls.admin, "admin")

    def press(self, label: str) -> None:
        """Press what has this name, or this one for who hears the page."""
        found = self.admin.all(f"[aria-label='{label}']")
        self.admin.click_through(found[0] if found
                                 else self.admin.link(label))

    # -- events of all

    def test_events_of_all_tenants_are_on_one_page(self):
        """B7, D9: with the names of their projects, counted together."""
        self.open("/admin/events/?event_type=shop.*", self.admin)
        projects = self.admin.texts("#events td[data-label=Project]")
        self.assertEqual(20, len(projects))
        self.assertEqual([f"b1-{self.site.name}"], projects[:1])
        self.assertEqual({f"a1-{self.site.name}"}, set(projects[1:]))
        self.assertIn("46 events in this time",
                      self.admin.find("#me-chart-title").text)
        self.picture("admin-all", self.admin)
        theirs, = self.site.events("B")
        self.admin.click_through(self.admin.find("#events th a"))
        self.assertIn(f"{self.site.projects['B']} (b1-{self.site.name})",
                      self.admin.texts(".me-facts dd"))
        self.assertTrue(self.admin.url.endswith(f"/{theirs['event_id']}/"))
        # Who is at work for all makes no tenant's trigger.
        self.assertNotIn("Create a trigger for such events",
                         self.admin.texts("a"))
        self.open("/admin/events/timeline/?resource_id=" + self.server,
                  self.admin)
        self.assertEqual(3, len(self.admin.all("g.me-a-span rect")))

    # -- dead letters

    def bury(self, code: str, project: str = "A", raw: bytes | None = None
             ) -> tuple[str, int]:
        """Make a dead letter.

        :param raw: what the agent refused; without it, an event of the
            project that the persister refused
        :return: the event's id and the letter's
        """
        project_id, source_id = self.site.projects[project], str(uuid.uuid4())
        at = self.made("", OLD)["timestamp"]
        record = events.record(complete(
            event_id=events.event_id(project_id, source_id),
            event_type="buried.alive", project_id=project_id, timestamp=at,
            received_at=at))
        letters = DeadLetters(self.site.dead_url)
        self.addCleanup(letters.close)
        letters.put([DeadLetter(
            "agent" if raw else "persister", code, "refused in a test",
            "Rejected",
            f"test/{source_id}", raw or record.value,
            project_id=project_id, headers={} if raw else {
                name: value.decode("latin-1") for name, value
                in record.headers.items() if name != "index"})], at)
        found, = [one.id for one in letters.list(limit=1000)
                  if one.position.endswith(source_id)]
        return events.event_id(project_id, source_id), found

    def await_event(self, project: str, event_id: str) -> None:
        wait_for("the event is its tenant's", lambda: self.site.call(
            "GET", f"/v1.0/events/{event_id}",
            self.site.token(project, "reader")).status_code == 200)

    def letters(self) -> list[str]:
        return self.admin.texts("#letters tbody tr:not(.empty)")

    def test_dead_letters_are_sent_again_one_or_all_that_are_found(self):
        """R2: and what is sent becomes its tenant's event."""
        code, other = (uuid.uuid4().hex[:8] for _ in range(2))
        first, number = self.bury(code)
        rest = [self.bury(code) for _ in range(2)]
        kept, _ = self.bury(other)
        self.open(LETTERS, self.admin)
        self.admin.find("#me-stage").fill("persister")
        self.admin.find("#me-code").fill(code)
        self.admin.find("#me-project").fill(self.site.projects["A"])
        self.press("Search")
        self.assertEqual(3, len(self.letters()))
        self.picture("admin-letters-found", self.admin)
        self.press(f"Send {number} again")
        self.assertIn("Sent on their way again: 1.", self.told(self.admin))
        self.await_event("A", first)
        self.open(f"{LETTERS}?code={code}", self.admin)
        self.assertEqual(2, len(self.letters()))
        self.press("Send all of these on their way again")
        self.assertIn("Sent on their way again: 2.", self.told(self.admin))
        # Whoever sent what was found still sees the same question.
        self.assertIn(f"code={code}", self.admin.url)
        self.assertEqual([], self.letters())
        for event_id, _ in rest:
            self.await_event("A", event_id)
        self.open(f"{LETTERS}?code={other}", self.admin)
        self.assertEqual(1, len(self.letters()))
        self.press("Clear")
        self.assertNotIn("code=", self.admin.url)
        self.assertEqual(404, self.site.call(
            "GET", f"/v1.0/events/{kept}",
            self.site.token("A", "reader")).status_code)

    def test_a_dead_letter_that_is_no_good_stays_until_it_is_forgotten(self):
        """R2: it is told why, and nobody forgets by mistake."""
        code = uuid.uuid4().hex[:8]
        _, number = self.bury(code, raw=b'{"event_type": 7}')
        self.open(f"{LETTERS}{number}/", self.admin)
        self.assertIn('{"event_type": 7}', self.admin.find("pre").text)
        self.picture("admin-letter", self.admin)
        self.press("Send it on its way again")
        # What becomes of it the agent knows, which is on another host.
        self.assertIn(
            "Still refused: 1; the first one: letters of the stage agent "
            "cannot be replayed from here", self.told(self.admin))
        self.open(f"{LETTERS}?code={code}", self.admin)
        self.press(f"Forget {number}")
        self.picture("admin-forget", self.admin)
        self.press("Cancel")
        self.open(f"{LETTERS}?code={code}", self.admin)
        self.assertEqual(1, len(self.letters()))
        self.press(f"Forget {number}")
        self.press("Delete")
        self.assertIn(f"Dead letter {number} is deleted.",
                      self.told(self.admin))
        self.open(f"{LETTERS}?code={code}", self.admin)
        self.assertEqual([], self.letters())

    # -- services

    def service(self, name: str) -> str:
        """Return a service's row, read anew."""
        self.open(SERVICES, self.admin)
        row, = [one for one in self.admin.texts("#services tbody tr")
                if one.startswith(f"{name} ")]
        return row

    def test_a_service_that_stands_still_is_seen_and_told_to_go_on(self):
        """D18, R2: with how far it is behind, as a number."""
        letters = DeadLetters(self.site.dead_url)
        self.addCleanup(letters.close)
        wait_for("nothing is on its way", lambda: " 0 records" in
                 self.service("persister"))
        kind = "standing." + uuid.uuid4().hex[:8]
        self.site.daemons.stop("persister")
        # As after 1,000 refusals, which a restart does not forget.
        letters.trip("persister", "1000 records in a row were rejected",
                     events.format_time(self.now))
        self.addCleanup(letters.resume, "persister")
        self.site.daemons.start("persister")
        self.post("A", [self.made(kind, OLD) for _ in range(7)])
        wait_for("it is told how many wait", lambda: " 7 records" in
                 self.service("persister"))
        row = self.service("persister")
        self.assertIn("stopped", row)
        self.assertIn("1000 records in a row were rejected", row)
        self.picture("admin-stopped", self.admin)
        self.assertEqual(0, self.stored(kind))
        self.press("Let it go on")
        self.assertIn("persister goes on.", self.told(self.admin))
        wait_for("it is up and behind no more", lambda: re.search(
            r"^persister up 0 records", self.service("persister")))
        wait_for("they can be found", lambda: self.stored(kind) == 7)

    def stored(self, event_type: str) -> int:
        return len(self.site.get("/v1.0/events", "A", "reader",
                                 event_type=event_type)["events"])

    # -- without a mouse

    def test_the_keyboard_reaches_all_of_the_administrators_pages(self):
        _, number = self.bury(uuid.uuid4().hex[:8], raw=b"keys")
        for path in ("/admin/events/?event_type=shop.*", LETTERS, SERVICES,
                     f"{LETTERS}{number}/", f"{LETTERS}{number}/delete/"):
            with self.subTest(path):
                self.open(path, self.admin)
                self.assertEqual([], accessibility.keyboard_faults(
                    self.admin))
