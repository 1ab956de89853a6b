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

"""Definitions: what is accepted, what is refused, what a change voids."""

import unittest

from monasca_events_common.errors import Rejected
from monasca_events_common.rules import definition
from monasca_events_common.rules import trigger
from monasca_events_common.rules.trigger import Trigger
from monasca_events_engine.testing import outcomes
from monasca_events_engine.testing import run
from tests.unit.common.rules.samples import event
from tests.unit.common.rules.samples import rule

PATTERN = {"event_type": ["x"]}

#: kind → the least that it needs.
LEAST = {
    "match": {"pattern": PATTERN},
    "threshold": {"pattern": PATTERN, "window": 60, "compare": [">=", 5]},
    "sequence": {"steps": [{"pattern": PATTERN}] * 2, "within": 60},
    "absence": {"start": PATTERN, "expect": PATTERN, "within": 60},
    "duration": {"start": PATTERN, "end": PATTERN, "compare": [">", 1]},
    "summary": {"pattern": PATTERN, "window": 60,
                "aggregates": {"n": {"aggregate": "count"}}},
}

#: (kind, changes, a part of what is said)
WRONG = [
    ("match", {"kind": "guess"}, "trigger.kind is 'guess'; expected one of"),
    ("match", {"name": ""}, "trigger.name is ''; expected at least 1"),
    ("match", {"colour": 1}, "trigger has the key 'colour'; expected name"),
    ("match", {"pattern": None}, "trigger.pattern is null; expected an obj"),
    ("match", {"severity": "LOUD"}, "trigger.severity is 'LOUD'"),
    ("match", {"group_by": ["event_typ"]}, "trigger.group_by[0] is"),
    ("match", {"group_by": ["source.x"]}, "nothing below it"),
    ("match", {"notify": {"fire": []}}, "trigger.notify has the key 'fire'"),
    ("match", {"rate_limit": {"firings": 0, "seconds": 1}},
     "trigger.rate_limit.firings is 0; expected at least 1"),
    ("threshold", {"window": 0}, "trigger.window is 0; expected more than 0"),
    ("threshold", {"window": 1e9}, "expected at most 2678400"),
    ("threshold", {"compare": ["~", 1]}, "trigger.compare[0] is '~'"),
    ("threshold", {"aggregate": "sum"}, "trigger lacks 'field'"),
    ("threshold", {"field": "traits.x"}, "trigger.field is given, but count"),
    ("sequence", {"steps": [{"pattern": PATTERN}]}, "at least 2 items"),
    ("sequence", {"steps": [{"name": "a", "pattern": PATTERN}] * 2},
     "trigger.steps[1].name is 'a'"),
    ("sequence", {"steps": [{"name": "unless", "pattern": PATTERN}] * 2},
     "not 'unless'"),
    ("sequence", {"steps": [{"pattern": PATTERN},
                            {"pattern": {"event_type": [{"prefix": 1}]}}]},
     "trigger.steps[1].pattern.event_type[0].prefix is 1"),
    ("sequence", {"group_by": ["resource_id"], "steps": [
        {"pattern": PATTERN}, {"pattern": PATTERN, "group_by": []}]},
     "trigger.steps[1].group_by has 0 paths; expected 1"),
    ("summary", {"aggregates": {"n": {"aggregate": "sum"}}},
     "trigger.aggregates.n lacks 'field'"),
]


class TestDefinition(unittest.TestCase):

    def test_every_kind_is_accepted_with_the_least_it_needs(self):
        self.assertEqual(set(LEAST), set(definition.KINDS))
        for kind, content in LEAST.items():
            with self.subTest(kind=kind):
                self.assertGreater(rule(kind, **content).cost, 0)

    def test_every_kind_names_what_it_lacks(self):
        for kind, content in LEAST.items():
            for name in content:
                with self.subTest(kind=kind, lacks=name):
                    less = {key: value for key, value in content.items()
                            if key != name}
                    with self.assertRaises(Rejected) as caught:
                        rule(kind, **less)
                    self.assertIn(f"trigger lacks '{name}'",
                                  str(caught.exception))

    def test_an_error_says_what_where_and_what_was_expected(self):
        for kind, changed, said in WRONG:
            with self.subTest(changed=changed):
                content = {"name": "n", "kind": kind, **LEAST[kind],
                           **changed}
                with self.assertRaises(Rejected) as caught:
                    definition.check(content)
                    definition.compile(content, trigger_id="t",
                                       project_id="p")
                self.assertIn(said, str(caught.exception))

    def test_no_object_is_refused_in_words(self):
        for content in (None, [], "x"):
            with self.assertRaises(Rejected) as caught:
                definition.check(content)
            self.assertIn("expected an object", str(caught.exception))

    def test_only_what_the_state_depends_on_starts_it_fresh(self):
        content = {"name": "n", "kind": "threshold", **LEAST["threshold"]}
        first = definition.generation(content)
        for changed in ({"name": "m"}, {"severity": "HIGH"},
                        {"notify": {"fired": ["m"]}}, {"enabled": False}):
            self.assertEqual(first,
                             definition.generation({**content, **changed}))
        for changed in ({"window": 61}, {"group_by": ["user_id"]},
                        {"pattern": {"event_type": ["y"]}}):
            self.assertNotEqual(first, definition.generation(
                {**content, **changed}))


class TestMatchAndDuration(unittest.TestCase):

    def test_a_match_fires_for_each_event(self):
        self.assertEqual([("fired", 0), ("fired", 1)], outcomes(
            rule("match", pattern=PATTERN), [event("x", 0), event("x", 1),
                                             event("y", 2)]))

    def test_a_duration_beyond_its_bound_fires_with_the_seconds(self):
        slow = rule("duration", start={"event_type": ["a"]},
                    end={"event_type": ["b"]}, compare=[">", 120],
                    group_by=["resource_id"])
        found = run(slow, [event("a", 0), event("b", 120.5)])
        self.assertEqual(120.5, found[0][1].value)
        self.assertEqual([], run(slow, [event("a", 0), event("b", 120)]))
        self.assertEqual([], run(slow, [event("b", 0), event("a", 200)]))

    def test_a_duration_runs_from_the_latest_beginning(self):
        slow = rule("duration", start={"event_type": ["a"]},
                    end={"event_type": ["b"]}, compare=["<", 100])
        self.assertEqual([("fired", 60)], outcomes(
            slow, [event("a", 0), event("a", 50), event("b", 60)]))


class TestPlugin(unittest.TestCase):

    def test_an_operators_class_becomes_a_rule(self):
        class Deleted(Trigger):
            patterns = {"end": {"event_type": ["x"]}}
            group_by = ("resource_id",)
            is_ordered = False

            def observe(self, event, slots):
                return [trigger.fired(event, "gone")]

        made = trigger.of_class("deleted", Deleted)
        self.assertEqual(("deleted", None), (made.id, made.project_id))
        self.assertEqual([("fired", 3)], outcomes(made, [event("x", 3)]))
