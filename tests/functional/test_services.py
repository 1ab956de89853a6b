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


"""How the services stand: with consumers, without, while parts are away."""

import unittest

from monasca_events_common import deadletters
from tests.functional import fixtures
from tests.functional import service
from tests.unit.common.test_bus_sqlite import Clock

PATH = "/v1.0/services"


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class ServicesTest(unittest.TestCase):

    def setUp(self):
        service.set_environment()
        self.service = service.Service(pump=False)
        self.addCleanup(self.service.close)
        self.parts = self.service.parts
        self.client = service.client(self.service.application)

    def get(self, client=None):
        answer = (client or self.client).get(
            PATH, headers=service.token("ADMIN"))
        self.assertEqual(200, answer.status_code, answer.text)
        found = answer.json()
        return found, {one["name"]: one for one in found["services"]}

    def post(self, count: int) -> None:
        answer = self.client.post(
            "/v1.0/events", headers=service.token("MEMBER"),
            json={"events": [{"event_type": "x"}] * count})
        self.assertEqual(202, answer.status_code)

    def consume(self, group: str):
        subscription = self.parts.bus.subscribe(self.parts.conf.bus.topic,
                                                group)
        self.addCleanup(subscription.close)
        return subscription, subscription.poll(4, 1)

    def test_who_consumes_is_up_and_how_far_behind_is_told(self):
        self.post(10)
        subscription, found = self.consume("persister")
        subscription.commit({found[0].partition: found[2].offset + 1})
        _, services = self.get()
        self.assertEqual(("up", 7), (services["persister"]["state"],
                                     services["persister"]["lag"]["records"]))
        member, = services["persister"]["members"]
        self.assertEqual(4, len(member["partitions"]))
        self.assertEqual(("down", [], 10), (
            services["engine"]["state"], services["engine"]["members"],
            services["engine"]["lag"]["records"]))

    def test_one_that_died_is_down_once_its_lease_has_ended(self):
        clock = self.parts.bus._clock = Clock()
        self.consume("persister")
        self.assertEqual("up", self.get()[1]["persister"]["state"])
        clock.now += 60
        self.assertEqual("down", self.get()[1]["persister"]["state"])

    def test_dead_letters_are_counted_by_stage_and_code(self):
        self.parts.dead_letters.put([
            fixtures.letter(), fixtures.letter(),
            fixtures.letter(stage="poster", code="too_old")], "now")
        _, services = self.get()
        self.assertEqual({"forged_record": 2},
                         services["persister"]["dead_letters"])
        self.assertEqual(("unknown", None, {"too_old": 1}), (
            services["poster"]["state"], services["poster"]["lag"],
            services["poster"]["dead_letters"]))

    def test_one_that_stands_still_is_told_why_and_let_go_on(self):
        """R3"""
        self.parts.dead_letters.trip("persister", "too many", "2026-11-25")
        self.consume("persister")
        _, services = self.get()
        self.assertEqual(
            ("stopped", {"reason": "too many", "tripped_at": "2026-11-25"}),
            (services["persister"]["state"],
             services["persister"]["breaker"]))
        answer = self.client.post(f"{PATH}/persister/resume", json={},
                                  headers=service.token("ADMIN"))
        self.assertEqual((202, {"name": "persister"}),
                         (answer.status_code, answer.json()))
        self.assertEqual("up", self.get()[1]["persister"]["state"])

    def test_other_names_of_groups_are_known_by_configuration(self):
        self.parts.conf.set_override("groups", {"persister": "p2"},
                                     group="api")
        self.consume("p2")
        _, services = self.get()
        self.assertEqual({"persister"}, set(services))
        self.assertEqual(("p2", "up"), (services["persister"]["group"],
                                        services["persister"]["state"]))

    def test_what_is_away_is_named_and_hides_nothing_of_the_rest(self):
        self.parts.dead_letters.trip("engine", "too many", "2026-11-25")
        self.post(1)
        with service.bus_away(self.parts.conf):
            found, services = self.get()
        self.assertIn("bus", found["errors"])
        self.assertFalse(found["parts"]["bus"]["ok"])
        self.assertEqual(("unknown", "stopped"), (
            services["persister"]["state"], services["engine"]["state"]))
        away = deadletters.DeadLetters("sqlite:////nowhere/dead.db")
        self.addCleanup(away.close)
        found, services = self.get(service.client(service.make_application(
            self.parts, dead_letters=away)))
        self.assertEqual({"dead_letters"}, set(found["errors"]))
        self.assertEqual("down", services["persister"]["state"])
