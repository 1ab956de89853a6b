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


"""Definitions under many hands and hostile ones; S8, S9, S11, S13."""

import random
import sqlite3
import threading
import unittest

import orjson

from monasca_events_common import catalog
from monasca_events_common.catalog import signing
from tests.functional import service

MATCH = {"kind": "match", "pattern": {"event_type": ["a"]}}


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class DefinitionsTest(unittest.TestCase):

    def setUp(self):
        service.set_environment()
        self.service = service.Service(pump=False)
        self.addCleanup(self.service.close)
        self.client = service.client(self.service.application)

    def call(self, method, path, persona="MEMBER", **request):
        headers = {**service.token(persona), **request.pop("headers", {})}
        return self.client.request(method, f"/v1.0/{path}", headers=headers,
                                   **request)

    def create(self, path="triggers", **content) -> dict:
        made = self.call("POST", path, json=content)
        self.assertEqual(201, made.status_code, made.text)
        return made.json()

    # -- many hands

    def test_changes_at_once_to_different_fields_are_all_kept(self):
        made = self.create(name="t", **MATCH)
        changes = [{"description": "x"}, {"severity": "HIGH"},
                   {"dry_run": True}, {"group_by": ["resource_id"]},
                   {"rate_limit": {"firings": 1, "seconds": 5}}]
        answers = []

        def patch(change):
            answers.append(self.call("PATCH", f"triggers/{made['id']}",
                                     json=change).status_code)
        threads = [threading.Thread(target=patch, args=(one,))
                   for one in changes]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        self.assertEqual([200] * len(changes), answers)
        found = self.call("GET", f"triggers/{made['id']}").json()
        for change in changes:
            self.assertLessEqual(change.items(), found.items())

    def test_of_changes_at_once_with_one_etag_one_wins(self):
        made = self.create(name="t", **MATCH)
        statuses = []

        def patch(number):
            statuses.append(self.call(
                "PATCH", f"triggers/{made['id']}",
                headers={"If-Match": f'"{made["revision"]}"'},
                json={"description": str(number)}).status_code)
        threads = [threading.Thread(target=patch, args=(n,))
                   for n in range(5)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        self.assertEqual([200, 412, 412, 412, 412], sorted(statuses))

    def test_a_stale_delete_leaves_the_thing(self):
        made = self.create(name="t", **MATCH)
        self.call("PATCH", f"triggers/{made['id']}", json={"enabled": False})
        stale = {"If-Match": f'"{made["revision"]}"'}
        answer = self.call("DELETE", f"triggers/{made['id']}", headers=stale)
        self.assertEqual(412, answer.status_code)
        self.assertEqual(200, self.call(
            "GET", f"triggers/{made['id']}").status_code)

    def test_a_quota_may_be_changed_while_it_runs(self):
        conf = self.service.parts.conf
        conf.set_override("triggers", 1, group="quotas")
        self.create(name="one", **MATCH)
        refused = self.call("POST", "triggers", json={"name": "two", **MATCH})
        self.assertEqual((403, "quota_exceeded"), (
            refused.status_code, refused.json()["errors"][0]["code"]))
        conf.set_override("triggers", -1, group="quotas")
        self.create(name="two", **MATCH)

    def test_a_costly_trigger_that_is_there_can_still_be_changed(self):
        conf = self.service.parts.conf
        made = self.create(name="t", **MATCH)
        conf.set_override("max_cost", 1, group="rules")
        address = f"triggers/{made['id']}"
        self.assertEqual(200, self.call(
            "PATCH", address, json={"enabled": False}).status_code)
        refused = self.call("PATCH", address, json={
            "pattern": {"resource_id": ["x"]}})
        self.assertEqual("too_costly",
                         refused.json()["errors"][0]["code"])

    # -- keys

    def test_a_key_is_shown_once_and_kept_encrypted(self):
        """S8"""
        made = self.create("notification-methods", name="hook",
                           type="webhook",
                           address="https://hooks.example.org/")
        first = made["secret"]
        rotated = self.call("POST", f"notification-methods/{made['id']}"
                            "/rotate", json={"keep_seconds": 60}).json()
        for path in ("notification-methods",
                     f"notification-methods/{made['id']}"):
            self.assertNotIn("whsec_", self.call("GET", path).text)
        with sqlite3.connect(
                f"{self.service.parts.folder}/definitions.db") as database:
            dump = "\n".join(database.iterdump())
        self.assertNotIn("whsec_", dump)
        for key in (first, rotated["secret"]):
            self.assertNotIn(key.encode().hex(), dump.lower())
        found = catalog.Catalog(self.service.parts.database).get(
            service.PROJECT, catalog.METHODS, made["id"])
        keys = signing.load_keys(
            self.service.parts.secrets.decrypt(found.secret))
        self.assertEqual([rotated["secret"], first],
                         [one.text for one in keys])
        self.assertIsNone(keys[0].until)
        self.assertIsNotNone(keys[1].until)

    def test_a_change_of_the_address_keeps_the_key(self):
        made = self.create("notification-methods", name="hook",
                           type="webhook",
                           address="https://hooks.example.org/")
        before = self.service.parts
        read = catalog.Catalog(before.database)
        token = read.get(service.PROJECT, catalog.METHODS, made["id"]).secret
        self.call("PATCH", f"notification-methods/{made['id']}",
                  json={"address": "https://other.example.org/"})
        self.assertEqual(token, read.get(
            service.PROJECT, catalog.METHODS, made["id"]).secret)

    # -- hostile hands

    def test_hostile_bodies_are_answered_and_never_a_fault_of_ours(self):
        """S9, S10, S11, S13"""
        generator = random.Random(20261125)
        scalars = [None, True, 0, -1, 1e300, 2 ** 63, "", "a", "\0", "💥" * 50,
                   "a" * 2000, "{{7*7}}", "${payload}", "(a+)+$", "*" * 50,
                   [], {}, "match", "absence", "sequence", [[]], ["a"],
                   {"prefix": 1}, {"numeric": [">", "x"]}, {"$or": []},
                   {"event_type": ["a"]}, {"payload": {"a": [1]}},
                   "2026-01-01", "resource_id", "__class__", "payload.a.b"]
        keys = ["name", "kind", "pattern", "steps", "start", "expect",
                "within", "window", "compare", "aggregate", "field",
                "group_by", "notify", "mute", "rate_limit", "severity",
                "enabled", "template", "unless", "aggregates", "type",
                "address", "settings", "trigger", "event", "event_id",
                "trigger_id", "since", "until", "delivery_ids",
                "keep_seconds", "$or", "a", "\ud7ff", ""]

        def value(depth):
            kind = generator.random()
            if depth > 3 or kind < 0.6:
                return generator.choice(scalars)
            if kind < 0.8:
                return [value(depth + 1)
                        for _ in range(generator.randint(0, 3))]
            return document(depth + 1)

        def document(depth=0):
            return {generator.choice(keys): value(depth)
                    for _ in range(generator.randint(0, 5))}

        made = self.create(name="t", **MATCH)["id"]
        hook = self.create("notification-methods", name="h", type="email",
                           address="a@example.org")["id"]
        addresses = [("POST", "triggers"), ("POST", "triggers/test"),
                     ("POST", "triggers/backtest?wait=0"),
                     ("PATCH", f"triggers/{made}"),
                     ("POST", "notification-methods"),
                     ("PATCH", f"notification-methods/{hook}"),
                     ("POST", f"notification-methods/{hook}/rotate"),
                     ("POST", f"triggers/{made}/firings/x/redeliver")]
        for _ in range(1500):
            method, path = generator.choice(addresses)
            body = document()
            if generator.random() < 0.5:
                body = {**MATCH, "name": "x", **body}
            if generator.random() < 0.3:
                body = {"trigger": body, "event": document()}
            with self.subTest(path=path, body=body):
                answer = self.call(
                    method, path, content=orjson.dumps(
                        body, option=orjson.OPT_NON_STR_KEYS),
                    headers={"Content-Type": "application/json"})
                self.assertLess(answer.status_code, 500, answer.text)
                if answer.status_code >= 400:
                    error = answer.json()["errors"][0]
                    self.assertTrue(error["code"])
                    self.assertTrue(error["detail"])

    def test_ids_that_no_database_would_like_are_unknown(self):
        """S6: PostgreSQL takes no NUL, MariaDB folds what is not ASCII."""
        for name in ("\0", "a\0b", "\u00e9", "x" * 65, " \t", "'--"):
            with self.subTest(name=name):
                answer = self.call("POST", "triggers", json={
                    "name": "t", **MATCH, "notify": {"fired": [name]}})
                self.assertEqual(400, answer.status_code)
                for body in ({"trigger_id": name, "event": {
                                 "event_type": "a"}},
                             {"trigger": MATCH, "event_id": name}):
                    answer = self.call("POST", "triggers/test", json=body)
                    self.assertIn(answer.status_code, (400, 404))
                for parameters in ({"trigger_id": name}, {"marker": name}):
                    answer = self.call("GET", "firings", params=parameters)
                    self.assertIn(answer.status_code, (200, 400))

    def test_addresses_that_nobody_meant_are_not_found(self):
        for path in ("triggers/..%2f..%2fetc", "triggers/%00",
                     "triggers/_kind", "triggers/x/firings/%27%3b--",
                     "triggers/x/_parts", "firings/x", "firings/x/cancel",
                     "notification-methods/%ff", "notification_methods",
                     "triggers/templates/__class__",
                     "triggers/backtest/%22", f"triggers/{'a' * 5000}"):
            with self.subTest(path=path):
                answer = self.call("GET", path)
                self.assertIn(answer.status_code, (404, 405), answer.text)
                self.assertIn("errors", answer.json())
