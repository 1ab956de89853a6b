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


"""Transforms from their definition to what is stored; B36, B41, S11."""

import json
import random
import unittest
import uuid

from monasca_events_common.catalog import Catalog

from tests.functional import service
from tests.integration.daemons import wait_for

PATTERN = {"event_type": [{"prefix": "shop."}]}


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class TransformsTest(unittest.TestCase):

    def setUp(self):
        service.set_environment()
        self.service = service.Service()
        self.addCleanup(self.service.close)
        self.client = service.client(self.service.application)

    def call(self, method, path, persona="MEMBER", **request):
        headers = {**service.token(persona), **request.pop("headers", {})}
        return self.client.request(method, f"/v1.0/{path}", headers=headers,
                                   **request)

    def define(self, *operations, **more) -> dict:
        made = self.call("POST", "transforms", json={
            "name": uuid.uuid4().hex, "pattern": PATTERN,
            "operations": list(operations), **more})
        self.assertEqual(201, made.status_code, made.text)
        return made.json()

    def store(self, persona="MEMBER", **payload) -> dict:
        """Post an event; return it as it is stored."""
        posted = self.call("POST", "events", persona, json={"events": [
            {"event_type": "shop.order", "payload": payload}]})
        event_id, = posted.json()["event_ids"]
        return wait_for("the event is stored", lambda: (
            found.json() if (found := self.call(
                "GET", f"events/{event_id}", persona)).status_code == 200
            else None), every=0.02)

    def until(self, holds, **payload) -> dict:
        """Post events until one is stored so; return it."""
        return wait_for("it is in force", lambda: (
            found if holds(found := self.store(**payload)) else None))

    def test_a_mask_is_in_force_until_it_is_deleted(self):
        made = self.define({"mask": ["payload.password"]})
        found = self.until(lambda one: one["payload"]["password"] == "***",
                           password="sesame", rest=1)
        self.assertEqual(
            ({"password": "***", "rest": 1},
             [f"{made['name']}@{made['revision']}"]),
            (found["payload"], found["marks"]["transformed"]))
        self.store(password="opensesame")
        self.assertEqual([], self.call("GET", "events?q=opensesame").json()[
            "events"])
        other = self.store("FOREIGN_MEMBER", password="sesame")
        self.assertEqual("sesame", other["payload"]["password"])
        self.call("PATCH", f"transforms/{made['id']}",
                  json={"operations": [{"drop": ["payload.password"]}]})
        self.until(lambda one: one["payload"] == {"rest": 1},
                   password="sesame", rest=1)
        self.call("DELETE", f"transforms/{made['id']}")
        self.until(lambda one: not one["marks"], password="sesame")

    def test_what_a_test_says_is_what_is_stored(self):
        """D7: the same event, tried and stored, is the same."""
        self.define({"rename": {"payload.size": "traits.size"}}, position=2)
        self.define({"set": {"traits.half": {"jmespath": "payload.items[0]"}}},
                    {"keep": ["payload.size", "traits"]}, position=1)
        sent = {"size": 7, "items": [3, 4], "secret": "x"}
        tried = self.call("POST", "transforms/test", json={"event": {
            "event_type": "shop.order", "payload": sent}}).json()
        stored = self.until(lambda one: "size" in one["traits"], **sent)
        expected, = tried["events"]
        for name in ("event_type", "traits", "dimensions", "payload",
                     "marks"):
            self.assertEqual(expected[name], stored[name], name)

    def test_a_stored_event_can_be_tried(self):
        stored = self.store(password="sesame")
        tried = self.call("POST", "transforms/test", json={
            "event_id": stored["event_id"], "transform": {
                "pattern": PATTERN,
                "operations": [{"mask": ["payload.password"]}]}}).json()
        self.assertEqual("***", tried["events"][0]["payload"]["password"])
        self.assertEqual(stored["event_id"], tried["events"][0]["event_id"])
        self.assertEqual(404, self.call(
            "POST", "transforms/test", "FOREIGN_MEMBER", json={
                "event_id": stored["event_id"]}).status_code)

    def test_an_answer_that_would_be_too_large_says_so(self):
        answer = self.call("POST", "transforms/test", json={
            "transform": {"pattern": PATTERN, "operations": [
                {"set": {f"traits.t{n}": 1}} for n in range(20)]},
            "event": {"event_type": "shop.order",
                      "payload": {"large": ["x" * 1000] * 200}}}).json()
        self.assertIs(True, answer["truncated"])
        self.assertEqual(20, len(answer["events"][0]["traits"]))

    def test_a_quota_and_a_cost_may_be_changed_while_it_runs(self):
        conf = self.service.parts.conf
        conf.set_override("transforms", 1, group="quotas")
        made = self.define({"mask": ["payload.a"]})
        refused = self.call("POST", "transforms", json={
            "name": "two", "pattern": PATTERN, "operations": [{"drop": True}]})
        self.assertEqual((403, "quota_exceeded"), (
            refused.status_code, refused.json()["errors"][0]["code"]))
        conf.set_override("max_cost", 1, group="rules")
        address = f"transforms/{made['id']}"
        self.assertEqual(200, self.call(
            "PATCH", address, json={"enabled": False}).status_code)
        refused = self.call("PATCH", address, json={
            "operations": [{"drop": True}]})
        self.assertEqual("too_costly", refused.json()["errors"][0]["code"])

    def test_one_of_another_release_can_be_seen_and_deleted(self):
        made = self.define({"mask": ["payload.a"]})
        catalog = Catalog(self.service.parts.database)
        found = catalog.get(service.PROJECT, "transforms", made["id"])
        catalog.update(service.PROJECT, "transforms", made["id"], {
            **found.content, "operations": [{"hash": ["payload.a"]}]},
            found.updated_at)
        shown = self.call("GET", "transforms").json()["transforms"]
        self.assertEqual([None], [one["cost"] for one in shown])
        tried = self.call("POST", "transforms/test", json={
            "event": {"event_type": "other"}})
        self.assertEqual((400, "transform_broken"), (
            tried.status_code, tried.json()["errors"][0]["code"]))
        self.assertEqual(204, self.call(
            "DELETE", f"transforms/{made['id']}").status_code)

    def test_ids_that_no_database_would_like_are_unknown(self):
        """S6"""
        for name in ("\0", "a\0b", "\u00e9", "x" * 65, " \t", "'--", 7, []):
            with self.subTest(name=name):
                for body in ({"transform_id": name,
                              "event": {"event_type": "a"}},
                             {"event_id": name}):
                    answer = self.call("POST", "transforms/test", json=body)
                    self.assertIn(answer.status_code, (400, 404))
        for path in ("transforms/%00", "transforms/_kind", "transforms/test/x",
                     "transforms/x/test", "transforms/..%2ftriggers",
                     f"transforms/{'a' * 5000}"):
            with self.subTest(path=path):
                answer = self.call("GET", path)
                self.assertIn(answer.status_code, (404, 405), answer.text)
                self.assertIn("errors", answer.json())

    def test_hostile_definitions_are_answered_and_never_stop_the_storing(self):
        """S9, S10, S11, S13"""
        generator = random.Random(20261125)
        paths = ["payload.a", "payload.a.b", "traits.x", "payload", "traits",
                 "event_type", "user_id", "dimensions.d", "payload.n.n",
                 "", ".", "payload..a", "a" * 600, "marks.x", "event_id",
                 "payload.\\.", "__class__", "payload.a\0", 7, None, {}]
        sources = ["x", 1, True, None, [], "x" * 2000, 2 ** 70, 1e308,
                   {"path": "payload.a"}, {"path": 1}, {"path": "payload"},
                   *({"jmespath": text} for text in (
                       "payload", "payload.*", "payload.l[]", "abs(@)",
                       "payload.a < payload.n", "payload.l[::0]", "`1`",
                       "to_number('inf')", "ceil(to_number('inf'))",
                       "join('', payload.l)", "@", "[[@]]", "{a: @}", "&a",
                       "sort_by(@, &a)", "payload.l[*].x | [0]", "", "[" * 99,
                       "payload.l[-1:]", "not_null(a, payload)", 5))]

        def operation():
            kind = generator.choice(("drop", "keep", "mask", "rename", "set",
                                     "split", "exec"))
            some = generator.choices(paths, k=generator.randint(0, 3))
            if kind == "set":
                return {kind: {str(one): generator.choice(sources)
                               for one in some}}
            if kind == "rename":
                return {kind: {str(one): generator.choice(paths)
                               for one in some}}
            if kind == "split" or generator.random() < 0.1:
                return {kind: generator.choice([*paths, True])}
            return {kind: some}

        event = {"event_type": "shop.order", "user_id": "u", "traits": {
            "x": 1}, "payload": {"a": {"b": "s"}, "n": 5,
                                 "l": [{"x": 1}, 2, "three", None, [4]]}}
        self.service.parts.conf.set_override("transforms", -1, group="quotas")
        taken = 0
        for number in range(1500):
            body = {"name": f"n{number}", "pattern": PATTERN, "operations": [
                operation() for _ in range(generator.randint(1, 4))]}
            tried = self.call("POST", "transforms/test", content=json.dumps(
                {"transform": body, "event": event}), headers={
                    "Content-Type": "application/json"})
            with self.subTest(body=str(body)[:500]):
                self.assertLess(tried.status_code, 500, tried.text)
                if tried.status_code == 200:
                    taken += 1
                    self.define(*body["operations"])
                else:
                    error = tried.json()["errors"][0]
                    self.assertTrue(error["code"] and error["detail"])
        self.assertGreater(taken, 50)
        self.call("POST", "events", json={"events": [event] * 100})
        self.store("FOREIGN_MEMBER", rest=1)
