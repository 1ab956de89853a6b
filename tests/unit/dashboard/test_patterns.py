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

import unittest

from hypothesis import given
from hypothesis import strategies

from monasca_events_common.rules.pattern import Pattern
from monasca_events_dashboard import patterns
from monasca_events_dashboard.patterns import Condition
from monasca_events_dashboard.patterns import Wanted

#: Rows, and the pattern that they make.
CASES = (
    (Wanted(("a.b", "c.*")), {"event_type": ["a.b", {"prefix": "c."}]}),
    (Wanted(("*.error",)), {"event_type": [{"wildcard": "*.error"}]}),
    (Wanted((), (Condition("resource_id", "is", "x, y"),)),
     {"resource_id": ["x", "y"]}),
    (Wanted((), (Condition("resource_id", "is", "512"),)),
     {"resource_id": ["512"]}),
    (Wanted((), (Condition("traits.size", "is", "512, big, true"),)),
     {"traits": {"size": ["512", 512, "big", "true", True]}}),
    (Wanted((), (Condition("traits.size", "at-least", "1"),
                 Condition("traits.size", "below", "8.5"))),
     {"traits": {"size": [{"numeric": [">=", 1, "<", 8.5]}]}}),
    (Wanted((), (Condition("priority", "not", "INFO, DEBUG"),)),
     {"priority": [{"anything-but": ["INFO", "DEBUG"]}]}),
    (Wanted((), (Condition(r"payload.nova_object\.data.host", "begins",
                           "node-"),)),
     {"payload": {"nova_object.data": {"host": [{"prefix": "node-"}]}}}),
    (Wanted((), (Condition("payload.message", "contains", r"50 * \ 2"),)),
     {"payload": {"message": [{"wildcard": r"*50 \* \\ 2*"}]}}),
    (Wanted((), (Condition("payload.ip", "network", "10.0.0.0/8"),)),
     {"payload": {"ip": [{"cidr": "10.0.0.0/8"}]}}),
    (Wanted((), (Condition("traits.state", "ignoring-case", "Active"),)),
     {"traits": {"state": [{"equals-ignore-case": "Active"}]}}),
    (Wanted((), (Condition("user_id", "missing"),
                 Condition("traits.host", "exists"))),
     {"user_id": [{"exists": False}], "traits": {
         "host": [{"exists": True}]}}),
)


class PatternsTest(unittest.TestCase):

    def test_rows_make_a_pattern_and_a_pattern_makes_them(self):
        for wanted, pattern in CASES:
            with self.subTest(pattern=pattern):
                self.assertEqual(pattern, patterns.write(wanted))
                self.assertEqual(wanted, patterns.read(pattern))

    def test_the_api_understands_all_of_them(self):
        for _, pattern in CASES:
            with self.subTest(pattern=pattern):
                Pattern(pattern)

    def test_what_a_form_cannot_say_is_left_to_json(self):
        for pattern in (
                {"$or": [{"user_id": ["x"]}]},
                {"traits": {"size": [512]}},
                {"traits": {"size": [{"numeric": ["=", 1]}]}},
                {"traits": {"a": ["x", {"prefix": "y"}]}},
                {"resource_id": ["a,b"]},
                {"resource_id": [{"prefix": {"equals-ignore-case": "a"}}]},
                {"event_type": [{"suffix": ".x"}]},
                {"user_id": [None]},
                {"payload": {"m": [{"wildcard": "a*b"}]}},
                {"payload": {"m": [{"anything-but": {"prefix": "x"}}]}}):
            with self.subTest(pattern=pattern), self.assertRaises(
                    patterns.TooRich):
                patterns.read(pattern)

    def test_what_makes_no_pattern_is_said_with_its_row(self):
        fine = Condition("user_id", "is", "x")
        for rows, message in (
                ((Condition("traits.", "is", "x"),), "not the name"),
                ((Condition("", "is", "x"),), "field is missing"),
                ((Condition("user_id", "is", " "),), "value is missing"),
                ((Condition("traits.x", "above", "much"),), "not a number"),
                ((Condition("traits.x", "above", "nan"),), "not a number"),
                ((Condition("user_id", "not", "y"),), "two conditions")):
            with self.subTest(rows=rows):
                with self.assertRaisesRegex(patterns.Unclear,
                                            message) as raised:
                    patterns.write(Wanted((), (fine, *rows)))
                self.assertEqual(1, raised.exception.row)

    def test_a_condition_within_another_is_refused(self):
        for paths in (("payload.a", "payload.a.b"),
                      ("payload.a.b", "payload.a")):
            with self.assertRaises(patterns.Unclear):
                patterns.write(Wanted((), tuple(
                    Condition(one, "is", "x") for one in paths)))

    def test_the_event_type_is_said_once(self):
        with self.assertRaisesRegex(patterns.Unclear, "twice"):
            patterns.write(Wanted(
                ("a",), (Condition("event_type", "is", "b"),)))

    @given(strategies.lists(strategies.builds(
        Condition, strategies.sampled_from(
            ["user_id", "traits.a", "payload.b.c", r"payload.d\.e"]),
        strategies.sampled_from(patterns.OPERATORS),
        strategies.text("ab1,. *\\", max_size=6)), max_size=4))
    def test_what_is_written_is_read_again(self, conditions):
        """Or it is left to JSON; it is never read as something else."""
        try:
            pattern = patterns.write(Wanted(("x",), tuple(conditions)))
        except patterns.Unclear:
            return
        try:
            found = patterns.read(pattern)
        except patterns.TooRich:
            return
        self.assertEqual(pattern, patterns.write(found))
