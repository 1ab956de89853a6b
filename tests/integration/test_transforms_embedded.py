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


"""A mask keeps a secret from the store and not from triggers; B36, B41, D7.

Every service is a process; only files are there.
"""

import pathlib
import shutil
import tempfile
import unittest
import uuid

from tests.integration.daemons import wait_for
from tests.integration.sites import EmbeddedSite

KIND = "shop.order.placed"


class TestTransforms(unittest.TestCase):

    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.site = EmbeddedSite(folder)
        self.addCleanup(self.site.close)
        self.site.start()
        self.site.daemons.start("engine")

    def create(self, resource: str, **content) -> str:
        """Make a definition of project A; return its id."""
        answer = self.site.call("POST", f"/v1.0/{resource}",
                                self.site.token("A", "member"), json=content)
        self.assertEqual(201, answer.status_code, answer.text)
        return answer.json()["id"]

    def post(self, count: int, card: str) -> list[str]:
        """Post events with a secret; return their ids."""
        answer = self.site.call(
            "POST", "/v1.0/events", self.site.token("A", "member"),
            json={"events": [{"event_type": KIND, "payload": {
                "card": card, "number": number}} for number in range(count)]})
        self.assertEqual(202, answer.status_code, answer.text)
        return answer.json()["event_ids"]

    def cards(self, ids: list[str]) -> list[str]:
        """Return what the store has of the secret, once all are stored."""
        def stored() -> dict[str, str]:
            found = {one["event_id"]: one["payload"]["card"] for one
                     in self.site.get("/v1.0/events", event_type=KIND,
                                      limit=500)["events"]}
            return found if set(ids) <= set(found) else {}
        found = wait_for("all are stored", stored, 60)
        return [found[one] for one in ids]

    def fired(self, trigger: str) -> list[str]:
        """Return the ids of the events for which a trigger fired."""
        firings = self.site.get(f"/v1.0/triggers/{trigger}/firings",
                                limit=500)["firings"]
        return [one for firing in firings for one in firing["event_ids"]]

    def test_a_mask_holds_from_then_on_and_triggers_see_what_came(self):
        card = "c" + uuid.uuid4().hex
        trigger = self.create("triggers", name="card", kind="match",
                              pattern={"payload": {"card": [card]}})
        # A trigger holds for what comes after the engine has heard of it.
        wait_for("the trigger is in force", lambda: self.post(1, card)
                 and self.fired(trigger), 60, every=0.5)
        before = self.post(10, card)
        self.assertEqual([card] * 10, self.cards(before))
        self.create("transforms", name="no cards",
                    pattern={"event_type": [KIND]},
                    operations=[{"mask": ["payload.card"]}])
        wait_for("the mask is in force", lambda: self.cards(
            self.post(1, card)) == ["***"])
        after = self.post(50, card)
        self.assertEqual(["***"] * 50, self.cards(after))
        wait_for("the trigger fired for all of them",
                 lambda: set(before + after) <= set(self.fired(trigger)), 60)
        firing, = [one for one in self.site.get(
            f"/v1.0/triggers/{trigger}/firings", limit=500)["firings"]
            if one["event_ids"] == after[-1:]]
        whole = self.site.get(
            f"/v1.0/triggers/{trigger}/firings/{firing['firing_id']}")
        self.assertEqual(card, whole["event"]["payload"]["card"])
        self.check_a_persister_that_comes_back(card)

    def check_a_persister_that_comes_back(self, card: str) -> None:
        """What waited for it while it was dead is masked from the first."""
        self.site.daemons.kill("persister")
        waiting = self.post(50, card)
        self.site.daemons.start("persister")
        self.assertEqual(["***"] * 50, self.cards(waiting))
