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

"""Pages of a list while events arrive, by the links that a client follows."""

import datetime
import time
import uuid

from monasca_events_common import event
from tests.functional import service

#: Seconds in which what was posted has to be found.
PATIENCE = 60


class PagesTest(service.ServiceCase):

    def setUp(self):
        super().setUp()
        self.event_type = "pages." + uuid.uuid4().hex
        self.base = event.parse_time(service.value("YESTERDAY"))
        self.posted = 0

    def post(self, **seconds: float) -> None:
        """Post events of these names; return when they are found."""
        answer = self.client.post(
            "/v1.0/events", headers=service.token("MEMBER"),
            json={"events": [
                {"event_type": self.event_type, "payload": {"name": name},
                 "timestamp": event.format_time(
                     self.base + datetime.timedelta(seconds=second))}
                for name, second in seconds.items()]})
        self.assertEqual(202, answer.status_code, answer.text)
        self.posted += len(seconds)
        deadline = time.monotonic() + PATIENCE
        while len(self.get(limit=100)["events"]) < self.posted:
            self.assertLess(time.monotonic(), deadline, "they are not found")
            time.sleep(0.05)

    def get(self, address: str = "", **query) -> dict:
        answer = self.client.get(
            address or "/v1.0/events", headers=service.token("READER"),
            params=None if address else {"event_type": self.event_type,
                                         **query})
        self.assertEqual(200, answer.status_code, answer.text)
        return answer.json()

    def follow(self, sort: str) -> list[dict]:
        """Return the events of all pages; others arrive after the first."""
        page = self.get(limit=3, sort=sort)
        first, found = page["events"], list(page["events"])
        middle = event.parse_time(first[-1]["timestamp"])
        at = (middle - self.base).total_seconds()
        ahead = 5 if sort == "timestamp:asc" else -5
        self.post(same=at, ahead=at + ahead, behind=at - ahead)
        while True:
            links = [one["href"] for one in page["links"]
                     if one["rel"] == "next"]
            if not links:
                return found
            page = self.get(links[0])
            found += page["events"]

    def check(self, sort: str) -> None:
        self.post(**dict(zip("abcdefg", (0, 10, 20, 20, 20, 30, 40),
                             strict=True)))
        before = [one["event_id"] for one in self.get(
            limit=100, sort=sort)["events"]]
        found = self.follow(sort)
        seen = [one["event_id"] for one in found]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(before, [one for one in seen if one in before])
        times = [one["timestamp"] for one in found]
        self.assertEqual(sorted(times, reverse="desc" in sort), times)
        names = [one["payload"]["name"] for one in found]
        self.assertIn("ahead", names)
        self.assertNotIn("behind", names)

    def test_newest_first_each_is_there_once_while_events_arrive(self):
        """At the marker's own time, ahead of it and behind it."""
        self.check("timestamp:desc")

    def test_oldest_first_each_is_there_once_while_events_arrive(self):
        self.check("timestamp:asc")
