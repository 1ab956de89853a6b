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

"""``event post`` as somebody types it."""

import json
import uuid

from tests.functional import service
from tests.unit.client.cli.shell import ShellTest

CLOUDEVENT = {"specversion": "1.0", "source": "/shop", "type": "shop.cloud"}
CADF = {"typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
        "eventType": "activity", "action": "read", "outcome": "success",
        "eventTime": "2026-11-22T10:00:00.000000+0000",
        "initiator": {"id": "u", "typeURI": "service/security/account"},
        "observer": {"id": "o", "typeURI": "service/security"}}


class PostTest(ShellTest):

    settings = {"limits__max_events": "5"}

    def setUp(self):
        super().setUp()
        self.word = uuid.uuid4().hex

    def given(self, count: int, **changed) -> list[dict]:
        return [{"event_type": "a.b", "event_id": f"{self.word}-{n}",
                 "resource_id": self.word, **changed} for n in range(count)]

    def found(self, count: int) -> list[dict]:
        return self.stored(count, resource_id=self.word)

    def test_one_event_is_made_of_options(self):
        payload = self.file("payload.json", '{"deep": {"a": [1]}}')
        done = self.event(
            "post", "--type", "shop.order.placed", "--resource", self.word,
            "--resource-type", "order", "--id", self.word, "--time",
            "2026-11-22T10:00:00Z", "--user", "u", "--request", "req-1",
            "--priority", "error", "--publisher", "till-1", "--trait",
            "total=99.5", "--trait", "count=3", "--trait", "express=true",
            "--trait", 'number="7"', "--trait", "name=x=y", "--dimension",
            "shop=north", "--payload", f"@{payload}", "-f", "json")
        event, = self.found(1)
        self.assertEqual({"accepted": 1, "rejected": 0,
                          "event_ids": [event["event_id"]]}, done.json)
        self.assertEqual(
            {"event_type": "shop.order.placed", "resource_type": "order",
             "timestamp": "2026-11-22T10:00:00.000000Z", "user_id": "u",
             "request_id": "req-1", "priority": "ERROR",
             "publisher_id": "till-1", "dimensions": {"shop": "north"},
             "payload": {"deep": {"a": [1]}},
             "traits": {"total": 99.5, "count": 3, "express": True,
                        "number": "7", "name": "x=y"}},
            {name: event[name] for name in (
                "event_type", "resource_type", "timestamp", "user_id",
                "request_id", "priority", "publisher_id", "dimensions",
                "payload", "traits")})

    def test_the_same_id_is_the_same_event(self):
        for _ in range(2):
            self.event("post", "--type", "a.b", "--id", self.word,
                       "--resource", self.word)
        self.event("post", "--type", "a.c", "--resource", self.word)
        self.assertEqual(["a.c", "a.b"],
                         [one["event_type"] for one in self.found(2)])

    def test_files_may_have_any_form(self):
        events = self.given(12)
        for name, content in (
                ("lines", "\n".join(map(json.dumps, events))),
                ("blank", "\n\n" + "\n\n".join(map(json.dumps, events))),
                ("array", json.dumps(events)),
                ("pretty", json.dumps(events, indent=2)),
                ("wrapped", json.dumps({"events": events}, indent=1)),
                ("batches", "\n".join(json.dumps({"events": events[n:n + 4]})
                                      for n in (0, 4, 8)))):
            with self.subTest(name):
                done = self.event("post", self.file(name, content), "-f",
                                  "json")
                self.assertEqual((12, 0), (done.json["accepted"],
                                           done.json["rejected"]))
        self.assertEqual(12, len(self.found(12)))

    def test_one_event_in_several_lines_is_one(self):
        path = self.file("one", json.dumps(self.given(1)[0], indent=4))
        self.assertEqual(1, self.event("post", path, "-f",
                                       "json").json["accepted"])

    def test_forms_may_be_mixed(self):
        path = self.file("mixed", "\n".join(map(json.dumps, (
            *self.given(1),
            {**CLOUDEVENT, "id": self.word, "subject": self.word},
            {**CADF, "id": str(uuid.uuid4()),
             "target": {"id": self.word, "typeURI": "data/x"}}))))
        self.event("post", path)
        self.assertEqual(
            {"a.b", "shop.cloud", "audit.read"},
            {one["event_type"] for one in self.found(3)})

    def test_standard_input_is_a_file(self):
        done = self.event("post", "-", "-f", "json", stdin="\n".join(
            map(json.dumps, self.given(7))))
        self.assertEqual(7, done.json["accepted"])
        self.assertEqual(7, len(self.found(7)))

    def test_what_is_exported_can_be_posted(self):
        self.event("post", "-", stdin=json.dumps(self.given(3)))
        kept = ("event_type", "timestamp", "payload", "resource_id")
        lines = [json.dumps({name: one[name] for name in kept})
                 for one in self.found(3)]
        self.event("post", "-", stdin="\n".join(lines))
        self.found(6)

    def test_what_is_wrong_is_told_with_its_line_and_the_rest_goes_on(self):
        lines = [*map(json.dumps, self.given(6)), "{broken}",
                 json.dumps({"event_type": ""}), "7",
                 json.dumps({"event": {"event_type": "old"}}),
                 json.dumps({"event_type": "a.b", "colour": 1})]
        path = self.file("wrong", "\n".join(lines))
        done = self.event("post", path, "-f", "json", code=1)
        self.assertEqual((6, 5), (done.json["accepted"],
                                  done.json["rejected"]))
        self.assertEqual(6, len(self.found(6)))
        for line, text in ((7, "not JSON"), (8, "event_type"),
                           (9, "expected an event, found a number"),
                           (10, "retired"), (11, "colour")):
            self.assertRegex(done.err, rf"{path}:{line}: .*{text}")

    def test_of_many_mistakes_some_are_told(self):
        path = self.file("many", "\n".join(['{"a": 1}'] * 30))
        done = self.event("post", path, code=1)
        self.assertEqual(20, done.err.count("many:"))
        self.assertIn("and 10 more were not accepted", done.err)

    def test_nothing_to_post_is_told(self):
        done = self.event("post", code=2)
        self.assertIn("give either --type or files", done.err)
        self.event("post", "--type", "a", self.file("x", "{}"), code=2)
        self.assertEqual(0, self.event("post", self.file("empty", "\n\n"),
                                       "-f", "json").json["accepted"])

    def test_what_cannot_be_read_is_told(self):
        for path, text in (("/nowhere/x", "No such file"),
                           (str(self.folder), "directory")):
            self.assertIn(text, self.event("post", path, code=1).err)
        for arguments, text in (
                (["--payload", "{x"], "not JSON"),
                (["--payload", "@/nowhere/x"], "No such file"),
                (["--trait", "a"], "expected NAME=VALUE"),
                (["--dimension", "=b"], "expected NAME=VALUE")):
            done = self.event("post", "--type", "a.b", *arguments,
                              code=1 if "nowhere" in arguments[1] else 2)
            self.assertIn(text, done.err)
        self.event("post", self.file("torn", '[{"event_type":\n "a"'), code=2)
        self.event("post", self.file("latin", b'\xff\xfe'), code=1)

    def test_a_delegate_posts_for_others(self):
        self.event("post", "--type", "a.b", "--resource", self.word,
                   "--project", service.PROJECT, cloud="service")
        self.found(1)
        done = self.event("post", "--type", "a.b", "--project",
                          "f" * 32, code=4)
        self.assertIn("this needs another role", done.err)

    def test_a_reader_may_not(self):
        self.event("post", "--type", "a.b", cloud="reader", code=4)
