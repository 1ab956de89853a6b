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


"""The last events from memory: how large an answer is, outages; E18, S1."""

import json
import sqlite3
import unittest

from monasca_events_api.controllers import recent
from monasca_events_api.live import follower
from monasca_events_common import bus as buses
from monasca_events_common import database
from monasca_events_common.catalog import Catalog
from monasca_events_common.transformer import Transformer
from tests.functional import service
from tests.integration.daemons import wait_for

PATH = "/v1.0/events/recent"
LIMIT = 64 * 1024


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class RecentTest(unittest.TestCase):

    def setUp(self):
        service.set_environment()
        self.service = service.Service(pump=False)
        self.addCleanup(self.service.close)
        self.client = service.client(self.service.application)
        self.sent = 0

    def post(self, *events, persona="MEMBER"):
        answer = self.client.post("/v1.0/events", json={"events": events},
                                  headers=service.token(persona))
        self.assertEqual(202, answer.status_code, answer.text)
        self.sent += len(events)
        wait_for("the events are seen", lambda: self.get().json()[
            "counters"]["received"] == self.sent, every=0.02)

    def get(self, query=""):
        answer = self.client.get(PATH + query,
                                 headers=service.token("READER"))
        self.assertLessEqual(len(answer.content), LIMIT)
        return answer

    def pages(self, query):
        """Return the events of all pages, and how many pages there were."""
        found, count, link = [], 0, PATH + query
        while link is not None:
            answer = self.get(link.removeprefix(
                "http://events.test").removeprefix(PATH)).json()
            found += answer["events"]
            count += 1
            links = {one["rel"]: one["href"] for one in answer["links"]}
            link = links.get("next")
            self.assertEqual(answer["truncated"], link is not None)
        return found, count

    def test_no_answer_is_larger_than_64_kib_and_pages_have_all(self):
        self.post(*[{"event_type": "large", "payload": {"text": "x" * 20_000},
                     "traits": {"number": n}} for n in range(20)])
        found, count = self.pages("?event_type=large")
        self.assertEqual(set(range(20)),
                         {one["traits"]["number"] for one in found})
        self.assertEqual(20, len(found))
        self.assertGreater(count, 6)

    def test_one_that_fits_on_no_page_is_shown_without_its_large_parts(self):
        self.post({"event_type": "huge", "traits": {"kept": 1},
                   "payload": {"text": "x" * 200_000}},
                  {"event_type": "small", "payload": {"kept": 2}})
        found, _ = self.pages("")
        huge, = (one for one in found if one["event_type"] == "huge")
        self.assertEqual(({}, {"kept": 1}, ["payload"]), (
            huge["payload"], huge["traits"], huge["marks"]["truncated"]))
        small, = (one for one in found if one["event_type"] == "small")
        self.assertEqual({"kept": 2}, small["payload"])

    def test_however_large_its_parts_something_is_shown(self):
        event = {"event_id": "e", "project_id": "p", "event_type": "t",
                 "timestamp": "s", "publisher_id": "x" * 100_000,
                 "traits": {"a": "x" * 1000}, "dimensions": {},
                 "payload": {}, "marks": {"hops": 1}}
        found = json.loads(recent.shrink(json.dumps(event).encode(), 20_000))
        self.assertEqual("t", found["event_type"])
        self.assertIn("publisher_id", found["marks"]["truncated"])

    def test_counters_of_many_types_do_not_fill_the_answer(self):
        names = [f"type.{n}." + "ä" * 500 for n in range(200)]
        self.post(*[{"event_type": name} for name in names])
        counters = self.get().json()["counters"]
        self.assertEqual(200, counters["received"])
        self.assertEqual(200, sum(counters["event_types"].values())
                         + counters["other_types"])
        self.assertGreater(counters["other_types"], 0)
        self.assertEqual({"api": 200}, counters["sources"])

    def test_the_last_of_each_type_however_busy_another_is(self):
        """E17"""
        self.post({"event_type": "rare", "traits": {"n": -1}})
        self.post(*[{"event_type": "busy", "traits": {"n": n}}
                    for n in range(50)])
        found, _ = self.pages("?by=event_type&last=3")
        self.assertEqual([-1, 47, 48, 49],
                         sorted(one["traits"]["n"] for one in found))

    def test_the_last_of_each_source_however_busy_another_is(self):
        """E17"""
        for source, numbers in (("syslog", range(4)), ("log", range(10, 11)),
                                ("syslog", range(4, 5))):
            self.post(*[{"event_type": f"line.{n % 2}", "source": source,
                         "project_id": service.PROJECT, "traits": {"n": n}}
                        for n in numbers], persona="SERVICE")
        self.post(*[{"event_type": "busy", "traits": {"n": n}}
                    for n in range(20, 70)])

        def last(query):
            found, _ = self.pages(f"?by=source{query}")
            return sorted((one["source"], one["traits"]["n"])
                          for one in found)
        self.assertEqual(
            [("api", 68), ("api", 69), ("log", 10), ("syslog", 3),
             ("syslog", 4)], last("&last=2"))
        self.assertEqual([("api", 69), ("log", 10), ("syslog", 4)], last(""))
        self.assertEqual([("log", 10), ("syslog", 4)],
                         last("&event_type=line.0"))
        self.assertEqual([("syslog", 4)], last("&source=syslog"))
        self.assertEqual({"api": 50, "log": 1, "syslog": 5},
                         self.get().json()["counters"]["sources"])

    def test_a_long_query_is_refused(self):
        answer = self.get("?event_type=" + "x" * 5000)
        self.assertEqual(400, answer.status_code)

    def test_the_first_who_asks_sees_what_was_before(self):
        answer = self.client.post(
            "/v1.0/events", headers=service.token("MEMBER"),
            json={"events": [{"event_type": "before"}]})
        self.assertEqual(202, answer.status_code)
        self.assertEqual(["before"], [
            one["event_type"] for one in self.get().json()["events"]])

    def test_while_the_bus_is_away_memory_goes_on_answering(self):
        self.post({"event_type": "before"})
        conf = self.service.parts.conf
        conf.set_override("publish_timeout", 0.2, group="sqlite_bus")
        other = sqlite3.connect(conf.sqlite_bus.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        answer = self.get()
        self.assertEqual((200, 1), (answer.status_code,
                                    len(answer.json()["events"])))

    def test_a_bus_that_was_never_reached_is_503(self):
        parts = self.service.parts
        conf = service.make_conf(parts.folder, sqlite_bus__path=(
            f"{parts.folder}/test.conf/bus.db"))
        away = follower.Follower(
            buses.get_bus(conf), lambda: "events", conf.live,
            Transformer(lambda: Catalog(parts.database)), patience=0.1)
        self.addCleanup(away.close)
        client = service.client(service.make_application(parts, live=away))
        for path in (PATH, "/v1.0/events/stream"):
            answer = client.get(path, headers=service.token("READER"))
            self.assertEqual(503, answer.status_code, answer.text)
            self.assertEqual("bus_unavailable",
                             answer.json()["errors"][0]["code"])
            self.assertIn("retry-after", answer.headers)
        self.assertEqual(200, client.get(
            "/v1.0/events", headers=service.token("READER")).status_code)

    def test_what_a_project_masks_does_not_show_here_either(self):
        made = self.client.post(
            "/v1.0/transforms", headers=service.token("MEMBER"), json={
                "name": "masked", "pattern": {"event_type": ["secret"]},
                "operations": [{"mask": ["payload.card"]}]})
        self.assertEqual(201, made.status_code, made.text)
        self.post({"event_type": "secret", "payload": {"card": "4711"}},
                  {"event_type": "open", "payload": {"card": "0815"}})
        text = self.get().text
        self.assertNotIn("4711", text)
        self.assertIn("0815", text)

    def test_until_transforms_are_known_nothing_is_shown(self):
        parts = self.service.parts
        away = database.Database(f"sqlite:///{parts.folder}")
        self.addCleanup(away.close)
        live = follower.Follower(
            parts.bus, lambda: parts.conf.bus.topic, parts.conf.live,
            Transformer(lambda: Catalog(away)), patience=0.1)
        self.addCleanup(live.close)
        answer = service.client(service.make_application(
            parts, live=live)).get(PATH, headers=service.token("READER"))
        self.assertEqual(503, answer.status_code, answer.text)
