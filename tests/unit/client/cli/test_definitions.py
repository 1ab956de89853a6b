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

"""Triggers, notification methods and transforms as somebody types them."""

import json

from tests.functional import service
from tests.unit.client.cli.shell import ShellTest

HOOK = ("notification-method", "create", "hook", "--type", "webhook",
        "--address", "https://hooks.example.org/x")
LARGE = ("trigger", "create", "large", "--type", "shop.order.placed")
MASK = {"pattern": {"event_type": [{"prefix": "shop."}]},
        "operations": [{"mask": ["payload.password"]}]}


class DefinitionsTest(ShellTest):

    def setUp(self):
        super().setUp()
        for collection in (self.client.triggers, self.client.transforms,
                           self.client.notification_methods):
            for one in list(collection.list()):
                collection.delete(one["id"])

    def shown(self, *arguments: str, **options):
        return self.event(*arguments, "-f", "json", **options).json

    # -- triggers

    def test_a_template_is_a_trigger_in_one_line(self):
        names = [row["Name"] for row in self.shown(
            "trigger", "template", "list")]
        self.assertIn("instance-create", names)
        method = self.shown(*HOOK)["id"]
        made = self.shown("trigger", "create", "--template",
                          "instance-create", "--within", "5m", "--notify",
                          "hook")
        self.assertEqual(("instance-create", "absence", 300), tuple(
            made[name] for name in ("name", "kind", "within")))
        # What is told of by default is what such a trigger is for.
        self.assertEqual({"missed": [method], "recovered": [method]},
                         made["notify"])
        template = self.shown("trigger", "template", "show",
                              "instance-create")
        self.assertEqual(template["start"], made["start"])

    def test_filters_make_a_pattern(self):
        method = self.shown(*HOOK)["id"]
        made = self.shown(
            "trigger", "create", "large", "--type", "shop.*", "--type",
            "*.paid", "--resource-type", "order", "--trait", "total>=1000",
            "--trait", "till!=7", "--trait", "express=true", "--trait",
            "!refund", "--trait", "name=a*", "--dimension", "shop=north",
            "--user", "*", "--group-by", "resource_id", "--group-by",
            "traits.till", "--notify", "hook", "--severity", "high",
            "--description", "words", "--dry-run", "--rate-limit", "10/1h",
            "--mute", "2026-12-24/2026-12-27T06:00Z")
        self.assertEqual({
            "event_type": [{"prefix": "shop."}, {"wildcard": "*.paid"}],
            "resource_type": ["order"], "user_id": [{"exists": True}],
            "traits": {"total": [{"numeric": [">=", 1000]}],
                       "till": [{"anything-but": [7]}], "express": [True],
                       "refund": [{"exists": False}],
                       "name": [{"prefix": "a"}]},
            "dimensions": {"shop": ["north"]}}, made["pattern"])
        self.assertEqual(
            ("match", "HIGH", "words", True, ["resource_id", "traits.till"],
             {"fired": [method]}, {"firings": 10, "seconds": 3600},
             [{"from": "2026-12-24T00:00:00.000000Z",
               "until": "2026-12-27T06:00:00.000000Z"}]),
            tuple(made[name] for name in (
                "kind", "severity", "description", "dry_run", "group_by",
                "notify", "rate_limit", "mute")))

    def test_a_file_is_a_definition(self):
        for name, text in (
                ("json", json.dumps({"kind": "match", "pattern": {
                    "event_type": ["a.b"]}})),
                ("yaml", "kind: match\npattern:\n  event_type: [a.b]\n")):
            with self.subTest(name):
                made = self.shown("trigger", "create", name, "--file",
                                  self.file(name, text), "--disable")
                self.assertEqual((name, False, {"event_type": ["a.b"]}),
                                 (made["name"], made["enabled"],
                                  made["pattern"]))
        made = self.shown("trigger", "create", "third", "--file", "-",
                          stdin=json.dumps({"kind": "match", "pattern": {
                              "event_type": ["a"]}}))
        self.assertEqual({"event_type": ["a"]}, made["pattern"])

    def test_a_shown_trigger_can_be_changed_and_put_back(self):
        self.shown(*LARGE, "--severity", "high")
        shown = self.shown("trigger", "show", "large")
        self.event("trigger", "set", "large", "--type", "other",
                   "--severity", "low", "--name", "small")
        path = self.file("large.json", json.dumps(
            {name: shown[name] for name in ("pattern", "severity", "name")}))
        self.event("trigger", "set", "small", "--file", path)
        again = self.shown("trigger", "show", "large")
        self.assertEqual([shown[name] for name in ("pattern", "severity")],
                         [again[name] for name in ("pattern", "severity")])

    def test_options_change_what_they_say_only(self):
        self.shown(*HOOK)
        made = self.shown(*LARGE, "--notify", "hook", "--notify",
                          "recovered=hook", "--rate-limit", "1/60")
        self.event("trigger", "set", "large", "--dry-run", "--disable")
        found = self.shown("trigger", "show", "large")
        changed = {name for name in made if made[name] != found[name]}
        self.assertEqual({"dry_run", "enabled", "revision", "updated_at"},
                         changed)
        self.event("trigger", "set", "large", "--no-dry-run", "--enable")
        self.event("trigger", "unset", "large", "--rate-limit", "--notify",
                   "fired=hook", "--notify", "recovered")
        found = self.shown("trigger", "show", "large")
        self.assertEqual(
            (True, False, None, {"fired": [], "recovered": []}),
            tuple(found[name] for name in (
                "enabled", "dry_run", "rate_limit", "notify")))

    def test_triggers_are_listed_with_their_state(self):
        self.shown(*LARGE)
        self.shown("trigger", "create", "dry", "--type", "a", "--dry-run")
        self.shown("trigger", "create", "off", "--type", "a", "--disable")
        self.assertEqual(
            [("large", "enabled"), ("dry", "dry run"), ("off", "disabled")],
            [(row["Name"], row["State"]) for row in self.shown(
                "trigger", "list")])
        self.assertEqual(1, len(self.shown("trigger", "list", "--limit",
                                           "1")))
        rows = self.shown("trigger", "list", "--long", "--all-projects",
                          cloud="admin")
        self.assertEqual({service.PROJECT},
                         {row["Project ID"] for row in rows})

    def test_several_are_deleted_and_what_fails_is_told(self):
        for name in "abc":
            self.shown("trigger", "create", name, "--type", "x")
        done = self.event("trigger", "delete", "a", "nobody", "b", code=3)
        self.assertEqual("openstack: there is no trigger 'nobody'\n",
                         done.err)
        self.assertEqual(["c"], [one["name"] for one
                                 in self.client.triggers.list()])

    def test_what_makes_no_sense_is_told(self):
        for code, text, *arguments in (
                (2, "give --file, --template", "create", "x"),
                (2, "search only", "create", "x", "--type", "a", "--word",
                 "b"),
                (2, "'b' is no number", "create", "x", "--trait", "a>b"),
                (2, "no outcome", "create", "x", "--type", "a", "--notify",
                 "lost=hook"),
                (2, "such as 10/1h", "create", "x", "--type", "a",
                 "--rate-limit", "10"),
                (2, "FROM/UNTIL", "create", "x", "--type", "a", "--mute",
                 "1h"),
                (2, "expected an object, found an array", "create", "x",
                 "--file", self.file("array", "[]")),
                (2, "neither JSON nor YAML", "create", "x", "--file",
                 self.file("torn", "a: [")),
                (2, "at column 9", "create", "x", "--file",
                 self.file("comma", '{"a": 1,}')),
                (3, "no notification method", "create", "x", "--type", "a",
                 "--notify", "nobody"),
                (1, "template list' shows those", "create", "x",
                 "--template", "nothing"),
                (1, "trigger has the key 'colour'", "create", "x", "--file",
                 self.file("colour", '{"kind": "match", "pattern": {}, '
                                     '"colour": 1}')),
                (2, "nothing to change", "set", "x"),
                (3, "no trigger 'x'", "set", "x", "--disable"),
                (3, "no trigger 'x'", "show", "x")):
            with self.subTest(arguments=arguments):
                done = self.event("trigger", *arguments, code=code)
                self.assertIn(text, done.err)
        self.shown(*LARGE)
        done = self.event("trigger", "unset", "large", code=2)
        self.assertIn("nothing to take out", done.err)
        done = self.event(*LARGE, code=1)
        self.assertIn("choose another name", done.err)

    # -- notification methods

    def test_a_webhook_s_secret_is_shown_when_it_is_made_and_rotated(self):
        made = self.shown(*HOOK)
        self.assertRegex(made["secret"], "^whsec_")
        self.assertNotIn("secret", self.shown("notification-method", "show",
                                              "hook"))
        rotated = self.shown("notification-method", "rotate", "hook",
                             "--keep", "1h")
        self.assertNotEqual(made["secret"], rotated["secret"])

    def test_settings_are_pairs(self):
        made = self.shown(
            "notification-method", "create", "mail", "--type", "email",
            "--address", "ops@example.org", "--setting",
            "subject_prefix=[a=b]")
        self.assertEqual({"subject_prefix": "[a=b]"}, made["settings"])
        self.event("notification-method", "set", "mail", "--name", "ops",
                   "--address", "other@example.org")
        row, = self.shown("notification-method", "list")
        self.assertEqual(("ops", "email", "other@example.org"), tuple(
            row[name] for name in ("Name", "Type", "Address")))
        path = self.file("method.yaml", "name: told\ntype: event\n"
                         "settings: {event_type: derived.x}\n")
        self.assertEqual("told", self.shown(
            "notification-method", "create", "--file", path)["name"])

    def test_one_in_use_is_deleted_by_force_only(self):
        self.shown(*HOOK)
        self.shown(*LARGE, "--notify", "hook")
        done = self.event("notification-method", "delete", "hook", code=1)
        self.assertIn("--force takes it out of them", done.err)
        self.assertNotIn("force=true", done.err)
        self.event("notification-method", "delete", "hook", "--force")
        self.assertEqual([], self.shown("notification-method", "list"))

    def test_a_test_is_a_delivery(self):
        self.shown(*HOOK)
        done = self.event("notification-method", "test", "hook", "-f",
                          "json")
        self.assertIn("deliveries' tells what became of it", done.err)
        row, = self.shown("notification-method", "deliveries", "hook")
        self.assertEqual((done.json["delivery_id"], "pending"),
                         (row["ID"], row["Status"]))

    def test_a_method_wants_a_name_and_a_type(self):
        for text, *arguments in (
                ("give a name", "create", "--type", "webhook"),
                ("give --type", "create", "x"),
                ("expected NAME=VALUE", "create", "x", "--type", "event",
                 "--setting", "a"),
                ("nothing to change", "set", "x")):
            done = self.event("notification-method", *arguments, code=2)
            self.assertIn(text, done.err)

    # -- transforms

    def test_a_transform_is_made_of_a_file_and_tried(self):
        path = self.file("mask.json", json.dumps(MASK))
        event = self.file("event.json", json.dumps({
            "event_type": "shop.order", "payload": {"password": "p"}}))
        draft = self.shown("transform", "test", "--file", path,
                           "--event-file", event)
        self.assertEqual(("changed", {"password": "***"}),
                         (draft["outcome"], draft["events"][0]["payload"]))
        made = self.shown("transform", "create", "mask", "--file", path,
                          "--position", "7", "--description", "d")
        self.assertEqual((7, "d", True), tuple(
            made[name] for name in ("position", "description", "enabled")))
        for which in (["mask"], []):
            self.assertEqual("changed", self.shown(
                "transform", "test", *which, "--event-file",
                event)["outcome"])
        done = self.event("transform", "test", "mask", "--type", "a.b")
        self.assertIn("mask: event_type is 'a.b'; expected", done.out)
        self.event("transform", "set", "mask", "--disable", "--name", "off")
        said = self.shown("transform", "versions", "off")
        self.assertEqual([("off", False), ("mask", True)], [
            (one["Definition"]["name"], one["Definition"]["enabled"])
            for one in said])
        self.assertGreater(said[0]["Revision"], said[1]["Revision"])
        table = self.event("transform", "versions", "off", cells=80).out
        self.assertIn('{"', table)
        self.assertEqual({80}, {80, *(
            max(80, len(line)) for line in table.splitlines())})
        row, = self.shown("transform", "list")
        self.assertEqual(("off", "disabled"), (row["Name"], row["State"]))
        self.assertEqual(MASK["operations"], self.shown(
            "transform", "show", "off")["operations"])
        self.event("transform", "delete", "off")
        self.assertEqual([], self.shown("transform", "list"))

    def test_a_transform_that_is_wrong_is_told_where(self):
        path = self.file("wrong.json", json.dumps(
            {**MASK, "operations": [{"mask": []}]}))
        done = self.event("transform", "create", "x", "--file", path, code=1)
        self.assertIn("transform.operations[0]", done.err)
        self.event("transform", "set", "x", code=2)
