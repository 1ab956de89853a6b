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

"""What the API puts on the bus, and how long others of ours may read it."""

import json
import unittest

from monasca_events_common import bus
from tests.functional import service
from tests.integration.daemons import wait_for

SECRET = {"card": "4111", "size": 7}


@unittest.skipIf(service.is_live(), "these tests look behind the API")
class RawEventsTest(unittest.TestCase):

    def begin(self, **options) -> None:
        """Start a service whose project masks cards and waits for orders."""
        service.set_environment()
        self.service = service.Service(**options)
        self.addCleanup(self.service.close)
        self.conf, self.bus = self.service.parts.conf, self.service.parts.bus
        self.client = service.client(self.service.application)
        pattern = {"event_type": ["shop.order"]}
        self.send("transforms", 201, name="cards", pattern=pattern,
                  operations=[{"mask": ["payload.card"]}])
        self.send("triggers", 201, name="orders", kind="match",
                  pattern=pattern)

    def send(self, path: str, status: int, **content) -> dict:
        answer = self.client.post(f"/v1.0/{path}", json=content,
                                  headers=service.token("MEMBER"))
        self.assertEqual(status, answer.status_code, answer.text)
        return answer.json()

    def get(self, path: str):
        return self.client.get(f"/v1.0/{path}",
                               headers=service.token("MEMBER"))

    def post(self) -> str:
        """Post an order; return its id."""
        return self.send("events", 202, events=[
            {"event_type": "shop.order", "payload": SECRET}])["event_ids"][0]

    def on_the_bus(self) -> dict[str, bus.Delivery]:
        """Return id → what everybody who comes now may read."""
        tail = self.bus.tail(self.conf.bus.topic, 1000)
        try:
            return {one.headers["event_id"].decode(): one
                    for one in tail.poll(1000, 0)}
        finally:
            tail.close()

    def stored(self, event_id: str) -> dict:
        return wait_for("the event is stored", lambda: (
            found.json() if (found := self.get(f"events/{event_id}")
                             ).status_code == 200 else None), every=0.02)

    def test_the_api_passes_on_what_it_is_sent_and_looks_no_further(self):
        """B20, B21: rules, transforms and what they make are others' work."""
        self.begin(pump=False)
        event_id = self.post()
        found = self.on_the_bus()
        self.assertEqual([event_id], list(found))
        record = found[event_id]
        self.assertEqual(service.PROJECT.encode(), record.key)
        made = json.loads(record.value)
        self.assertEqual((SECRET, {}, {}), (
            made["payload"], made["traits"], made["marks"]))
        self.assertEqual([], self.get("firings").json()["firings"])
        self.assertEqual([], self.get("events").json()["events"])

    def test_the_whole_event_is_there_for_our_own_for_a_short_time(self):
        """B39: what is stored is masked, what the engine reads is not."""
        self.begin()
        event_id = wait_for("the transform is in force", lambda: (
            one if self.stored(one := self.post())["payload"]["card"] == "***"
            else None))
        record = self.on_the_bus()[event_id]
        self.assertEqual(SECRET, json.loads(record.value)["payload"])
        # The time is over; whoever consumes next clears it away.
        self.conf.set_override("retention", 0, group="sqlite_bus")

        def gone() -> bool:
            self.stored(self.post())
            return event_id not in self.on_the_bus()
        wait_for("the whole event is gone", gone)
        self.assertEqual("***", self.stored(event_id)["payload"]["card"])
