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


"""Dead letters over HTTP where YAML does not reach; R2, S13."""

import time
import unittest

from monasca_events_api import app
from monasca_events_common import deadletters
from monasca_events_common import event as events
from tests.functional import fixtures
from tests.functional import service

PATH = "/v1.0/dead-letters"
NOW = "2026-11-25T12:00:00.000000Z"


def stored_letter(source_id: str, **others):
    """Return a letter of the persister that a replay brings to the store."""
    event_id = events.event_id(service.PROJECT, source_id)
    record = events.record({
        **dict.fromkeys(events.FIELDS), "event_id": event_id,
        "project_id": service.PROJECT, "event_type": "letter",
        "timestamp": events.format_time(app.utc_now()),
        "received_at": NOW, "priority": "INFO", "source": "api",
        "traits": {}, "dimensions": {}, "payload": {}, "marks": {}})
    return fixtures.letter(
        raw=record.value, position=source_id, headers={
            name: value.decode("latin-1")
            for name, value in record.headers.items()}, **others)


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class DeadLettersTest(unittest.TestCase):

    def setUp(self):
        service.set_environment()
        self.begin()

    def begin(self, **options):
        self.service = service.Service(**options)
        self.addCleanup(self.service.close)
        self.letters = self.service.parts.dead_letters
        self.client = service.client(self.service.application)

    def put(self, *letters) -> list[int]:
        self.letters.put(letters, NOW)
        return [one.id for one in self.letters.list()]

    def call(self, method, path="", **content):
        return self.client.request(method, PATH + path,
                                   headers=service.token("ADMIN"), **content)

    def stored(self, number: int) -> bool:
        """Return whether so many letters have become events."""
        deadline = time.monotonic() + service.PATIENCE
        while time.monotonic() < deadline:
            found = self.client.get("/v1.0/events?event_type=letter",
                                    headers=service.token("READER")).json()
            if len(found["events"]) == number:
                return True
            time.sleep(0.02)
        return False

    def test_a_replayed_letter_is_stored_and_forgotten(self):
        number, = self.put(stored_letter("a"))
        answer = self.call("POST", f"/{number}/replay")
        self.assertEqual((202, {"id": number}),
                         (answer.status_code, answer.json()))
        self.assertEqual([], self.letters.list())
        self.assertTrue(self.stored(1))

    def test_many_are_replayed_a_hundred_at_a_time(self):
        self.put(*[stored_letter(str(n)) for n in range(101)])
        first = self.call("POST", "/replay", json={"all": True}).json()
        self.assertEqual((100, [], []), (
            first["replayed"], first["failed"], first["left"]))
        last = self.call("POST", "/replay", json={
            "all": True, "after": first["after"]}).json()
        self.assertEqual((1, None), (last["replayed"], last["after"]))
        self.assertTrue(self.stored(100) or self.stored(101))
        self.assertEqual([], self.letters.list())

    def test_those_that_are_named_are_replayed_and_no_others(self):
        first, second, third = self.put(*map(stored_letter, "abc"))
        answer = self.call("POST", "/replay", json={
            "ids": [third, first, third, 4711]}).json()
        self.assertEqual(2, answer["replayed"])
        self.assertEqual([(4711, "not_found")], [
            (one["id"], one["code"]) for one in answer["failed"]])
        self.assertEqual([second], [one.id for one in self.letters.list()])

    def test_while_the_bus_is_away_no_letter_is_lost(self):
        self.begin(pump=False)
        number, = self.put(stored_letter("a"))
        with service.bus_away(self.service.parts.conf):
            for path, body in ((f"/{number}/replay", {}),
                               ("/replay", {"all": True})):
                answer = self.call("POST", path, json=body)
                self.assertEqual(503, answer.status_code, answer.text)
                self.assertIn("retry-after", answer.headers)
        self.assertEqual([number], [one.id for one in self.letters.list()])
        self.assertEqual(202, self.call(
            "POST", f"/{number}/replay").status_code)

    def test_an_agents_letter_is_refused_again_where_it_can_be_replayed(self):
        conf = self.service.parts.conf
        conf.set_override("replay_stages", ["agent", "nobody"], group="api")
        bad, odd = self.put(
            fixtures.letter(stage="agent", code="not_json", raw=b"{",
                            position="notification/0"),
            fixtures.letter(stage="nobody"))
        conf([], default_config_files=[self.agent_configuration()])
        for number, code in ((bad, "refused_again"), (odd, "not_replayable")):
            answer = self.call("POST", f"/{number}/replay")
            self.assertEqual(409, answer.status_code, answer.text)
            self.assertEqual(code, answer.json()["errors"][0]["code"])
        self.assertEqual(2, len(self.letters.list()))

    def agent_configuration(self) -> str:
        """Return the service's own file with what an agent needs."""
        folder = self.service.parts.folder
        with open(f"{folder}/test.conf", "a", encoding="utf-8") as file:
            file.write(f"[spool]\npath = {folder}/spool/spool.db\n"
                       "[agent]\noperator_project_id = "
                       f"{service.PROJECT}\n")
        return f"{folder}/test.conf"

    def test_a_list_is_small_however_large_its_letters_are(self):
        """S13"""
        self.put(*[fixtures.letter(raw=b"x" * 250_000) for _ in range(50)])
        answer = self.call("GET")
        self.assertEqual(50, len(answer.json()["dead_letters"]))
        self.assertLess(len(answer.content), 50_000)
        number = answer.json()["dead_letters"][0]["id"]
        self.assertEqual(250_000, self.call("GET", f"/{number}"
                                            ).json()["size"])

    def test_a_database_that_is_away_is_503_and_nothing_else_suffers(self):
        away = deadletters.DeadLetters("sqlite:////nowhere/dead.db")
        self.addCleanup(away.close)
        client = service.client(service.make_application(
            self.service.parts, dead_letters=away))
        for method, path, body in (
                ("GET", "", None), ("GET", "/1", None), ("DELETE", "/1", None),
                ("POST", "/1/replay", {}), ("POST", "/replay", {"ids": [1]}),
                ("POST", "/purge", {"all": True})):
            with self.subTest(method=method, path=path):
                answer = client.request(method, PATH + path, json=body,
                                        headers=service.token("ADMIN"))
                self.assertEqual(503, answer.status_code, answer.text)
                self.assertEqual("dead_letters_unavailable",
                                 answer.json()["errors"][0]["code"])
        self.assertEqual(200, client.get(
            "/v1.0/events", headers=service.token("READER")).status_code)

    def test_hostile_addresses_and_filters_find_nothing(self):
        self.put(fixtures.letter())
        for path in ("/0", "/-1", "/01", "/1.0", "/٣", "/1e3",
                     "/9223372036854775808", "/' OR 1=1", "/%00"):
            with self.subTest(path=path):
                self.assertEqual(404, self.call("GET", path).status_code)
        for text in ("' OR 1=1--", "%", "*", "\u202e", "x" * 5000):
            for name in ("stage", "code", "project_id"):
                with self.subTest(name=name, text=text[:9]):
                    answer = self.call("GET", params={name: text})
                    self.assertEqual(200, answer.status_code)
                    self.assertEqual([], answer.json()["dead_letters"])
