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

import copy
import unittest

from monasca_events_common.rules import templates
from monasca_events_dashboard import patterns
from monasca_events_dashboard import rules
from monasca_events_dashboard.patterns import Wanted

STORED = {
    "id": "1", "project_id": "p", "revision": 3, "cost": 9, "links": [],
    "created_at": "…", "updated_at": "…",
    "name": "stuck", "description": "", "severity": "HIGH", "enabled": True,
    "dry_run": False, "kind": "absence", "group_by": ["resource_id"],
    "start": {"event_type": ["a.start"]}, "expect": {"event_type": ["a.end"]},
    "within": 600, "notify": {"missed": ["m1"], "fired": []},
    "mute": [{"from": "2026-12-24T12:00:00Z",
              "until": "2026-12-27T06:00:00Z"}],
    "rate_limit": {"firings": 5, "seconds": 600}}


class RulesTest(unittest.TestCase):

    def test_what_is_read_is_written_as_it_was(self):
        found = rules.read(STORED)
        self.assertEqual((5, 600), found["rate_limit"])
        self.assertEqual(Wanted(("a.start",)), found["slots"]["start"])
        self.assertEqual(rules.definition(STORED), rules.write(found))
        self.assertEqual({}, rules.difference(
            rules.definition(STORED), rules.write(found)))

    def test_a_definition_is_without_what_goes_without_saying(self):
        found = rules.definition(STORED)
        self.assertEqual({"missed": ["m1"]}, found["notify"])
        for name in ("id", "revision", "cost", "enabled", "description"):
            self.assertNotIn(name, found)

    def test_every_template_but_one_fits_a_form(self):
        rich = []
        for name in templates.TEMPLATES:
            try:
                rules.read(templates.template(name))
            except patterns.TooRich:
                rich.append(name)
        self.assertEqual(["load-balancer-create"], rich)

    def test_what_has_no_fields_is_left_to_json(self):
        for change in ({"kind": "summary"}, {"colour": "red"},
                       {"start": {"$or": []}}, {"start": 7},
                       {"notify": []}, {"start": {"a": [{}]}},
                       {"group_by": 1}, {"rate_limit": [1]}):
            with self.subTest(change=change), self.assertRaises(
                    patterns.TooRich):
                rules.read({**STORED, **change})

    def test_each_kind_takes_its_own_fields_only(self):
        given = {**rules.read(STORED), "kind": "threshold", "window": 60,
                 "compare": (">=", 5), "aggregate": "count", "field": "x",
                 "slots": {"pattern": Wanted(("a",))}}
        found = rules.write(given)
        self.assertEqual([">=", 5], found["compare"])
        for name in ("within", "start", "field", "aggregate", "sliding"):
            self.assertNotIn(name, found)

    def test_steps_keep_their_order_and_unless_may_be_empty(self):
        found = rules.write({
            "kind": "sequence", "name": "n", "within": 9, "slots": {},
            "steps": [("one", Wanted(("a",))), ("two", Wanted(("b",)))]})
        self.assertEqual(["one", "two"],
                         [step["name"] for step in found["steps"]])
        self.assertNotIn("unless", found)
        self.assertEqual(found["steps"], rules.write(
            rules.read(found))["steps"])


class DifferenceTest(unittest.TestCase):

    def test_only_what_changed_is_sent(self):
        after = copy.deepcopy(STORED)
        after["within"] = 300
        after["start"] = {"resource_id": ["x"]}
        del after["rate_limit"]
        self.assertEqual(
            {"within": 300, "rate_limit": None,
             "start": {"event_type": None, "resource_id": ["x"]}},
            rules.difference(STORED, after))

    def test_one_is_not_true(self):
        self.assertEqual({"a": 1}, rules.difference({"a": True}, {"a": 1}))
