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

"""What a pattern accepts, matches, refuses and says (B29, T6)."""

import unittest

from monasca_events_common import metrics
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import leaf
from monasca_events_common.rules.pattern import Pattern
from tests.unit.common.rules import hostile
from tests.unit.common.rules.samples import event

#: (pattern, changes of the sample event, whether it matches)
CASES = [
    ({"event_type": ["compute.instance.create.end"]}, {}, True),
    ({"event_type": ["other", "compute.instance.create.end"]}, {}, True),
    ({"event_type": ["other"]}, {}, False),
    ({"event_type": [{"prefix": "compute."}], "priority": ["ERROR"]}, {},
     False),
    ({"event_type": [{"suffix": ".end"}]}, {}, True),
    ({"event_type": [{"suffix": {"equals-ignore-case": ".END"}}]}, {}, True),
    ({"event_type": [{"prefix": {"equals-ignore-case": "COMPUTE"}}]}, {},
     True),
    ({"event_type": [{"wildcard": "compute.*.end"}]}, {}, True),
    ({"event_type": [{"wildcard": "compute.*.delete.*"}]}, {}, False),
    ({"event_type": [{"wildcard": "*"}]}, {}, True),
    ({"resource_id": [{"wildcard": "a*a"}]}, {"resource_id": "a"}, False),
    ({"resource_id": [{"wildcard": "a*a"}]}, {"resource_id": "aa"}, True),
    ({"resource_id": [{"wildcard": "a\\*b"}]}, {"resource_id": "a*b"}, True),
    ({"resource_id": [{"wildcard": "a\\*b"}]}, {"resource_id": "axb"}, False),
    ({"resource_id": [{"wildcard": "a*b*c"}]}, {"resource_id": "aXcXb"},
     False),
    ({"resource_id": [{"wildcard": "*b*b*"}]}, {"resource_id": "abcbd"},
     True),
    ({"priority": [{"equals-ignore-case": "info"}]}, {}, True),
    ({"priority": [{"anything-but": "ERROR"}]}, {}, True),
    ({"priority": [{"anything-but": ["INFO", "ERROR"]}]}, {}, False),
    ({"priority": [{"anything-but": {"prefix": "IN"}}]}, {}, False),
    ({"priority": [{"anything-but": "x"}]}, {"priority": None}, False),
    ({"traits": {"memory_mb": [{"numeric": [">", 2048]}]}},
     {"traits": {"memory_mb": 4096}}, True),
    ({"traits": {"memory_mb": [{"numeric": [">", 0, "<=", 10]}]}},
     {"traits": {"memory_mb": 10.5}}, False),
    ({"traits": {"memory_mb": [{"numeric": ["=", 10]}]}},
     {"traits": {"memory_mb": 10.0}}, True),
    ({"traits": {"memory_mb": [{"numeric": [">", 1]}]}},
     {"traits": {"memory_mb": "5"}}, False),
    ({"traits": {"memory_mb": [512]}}, {"traits": {"memory_mb": 512.0}},
     True),
    ({"traits": {"on": [1]}}, {"traits": {"on": True}}, False),
    ({"traits": {"on": [True]}}, {"traits": {"on": 1}}, False),
    ({"traits": {"on": [True]}}, {"traits": {"on": True}}, True),
    ({"traits": {"on": [{"anything-but": 1}]}}, {"traits": {"on": True}},
     True),
    ({"traits": {"host": [{"exists": True}]}}, {}, False),
    ({"traits": {"host": [{"exists": False}]}}, {}, True),
    ({"user_id": [{"exists": False}]}, {"user_id": None}, True),
    ({"user_id": [{"exists": True}]}, {"user_id": "u"}, True),
    ({"user_id": [None]}, {"user_id": None}, True),
    ({"payload": {"a": {"b": [{"exists": False}]}}}, {}, True),
    ({"payload": {"a": [{"exists": False}]}}, {"payload": {"a": []}}, True),
    ({"payload": {"a": [{"exists": True}]}}, {"payload": {"a": {"b": 1}}},
     True),
    ({"payload": {"a": [None]}}, {"payload": {}}, False),
    ({"payload": {"address": [{"cidr": "10.0.0.0/8"}]}},
     {"payload": {"address": "10.4.0.211"}}, True),
    ({"payload": {"address": [{"cidr": "10.0.0.0/8"}]}},
     {"payload": {"address": "11.4.0.211"}}, False),
    ({"payload": {"address": [{"cidr": "2001:db8::/32"}]}},
     {"payload": {"address": "2001:db8::1"}}, True),
    ({"payload": {"address": [{"cidr": "10.0.0.0/8"}]}},
     {"payload": {"address": "host"}}, False),
    ({"payload": {"nova_object.data": {"uuid": ["x"]}}},
     {"payload": {"nova_object.data": {"uuid": "x"}}}, True),
    ({"payload": {"tags": ["b"]}}, {"payload": {"tags": ["a", "b"]}}, True),
    ({"payload": {"tags": [{"prefix": "z"}]}},
     {"payload": {"tags": ["a", "b"]}}, False),
    ({"payload": {"ips": {"version": [4], "type": ["fixed"]}}},
     {"payload": {"ips": [{"version": 4, "type": "floating"},
                          {"version": 6, "type": "fixed"}]}}, False),
    ({"payload": {"ips": {"version": [4], "type": ["fixed"]}}},
     {"payload": {"ips": [{"version": 6}, {"version": 4, "type": "fixed"}]}},
     True),
    ({"$or": [{"priority": ["ERROR"]}, {"source": ["notification"]}]}, {},
     True),
    ({"$or": [{"priority": ["ERROR"]}, {"source": ["api"]}]}, {}, False),
    ({"event_type": [{"prefix": "compute."}],
      "$or": [{"priority": ["ERROR"]}, {"traits": {"state": ["error"]}}]},
     {"traits": {"state": "error"}}, True),
    ({"dimensions": {"shop": ["berlin"]}},
     {"dimensions": {"shop": "berlin"}}, True),
]

#: (what is no pattern, a part of what is said of it)
WRONG = [
    ([], "pattern is an array; expected an object"),
    ({}, "pattern is empty; expected at least one field"),
    ({"event_typ": ["x"]}, "pattern.event_typ names no field"),
    ({"event_type": "x"}, "pattern.event_type is 'x'; expected an array"),
    ({"event_type": []}, "pattern.event_type is an empty array"),
    ({"event_type": {"prefix": "x"}}, "expected an array of values"),
    ({"event_type": [{"prefix": 1}]}, "pattern.event_type[0].prefix is 1"),
    ({"event_type": [{"prefix": "a", "suffix": "b"}]}, "expected one oper"),
    ({"event_type": [{"regex": ".*"}]}, "the operator 'regex'"),
    ({"event_type": [["x"]]}, "pattern.event_type[0] is an array"),
    ({"event_type": ["x" * 1025]}, "at most 1024"),
    ({"event_type": ["x"] * 201}, "at most 200 values"),
    ({"event_type": [{"prefix": str(n)} for n in range(21)]},
     "at most 20"),
    ({"traits": ["x"]}, "expected an object"),
    ({"traits": {"a": {"b": ["x"]}}}, "flat"),
    ({"traits": {"a": [{"numeric": [">"]}]}}, "one or two comparisons"),
    ({"traits": {"a": [{"numeric": ["~", 1]}]}}, "numeric[0] is '~'"),
    ({"traits": {"a": [{"numeric": [">", "1"]}]}}, "expected a number"),
    ({"traits": {"a": [2 ** 70]}}, "numbers of 64 bits"),
    ({"payload": {"a": [{"cidr": "10.0.0.0/40"}]}}, "expected a network"),
    ({"payload": {"a": [{"exists": "yes"}]}}, "expected true or false"),
    ({"payload": {"a": [{"wildcard": "**"}]}}, "no two stars"),
    ({"payload": {"a": [{"wildcard": "*a" * 9}]}}, "at most 8"),
    ({"payload": {"a": [{"wildcard": "a\\b"}]}}, "a backslash before"),
    ({"payload": {"a": [{"anything-but": []}]}}, "1 to 200 values"),
    ({"payload": {"a": [{"anything-but": {"numeric": ["=", 1]}}]}},
     "expected prefix, suffix"),
    ({"$or": [{"source": ["a"]}]}, "an array of 2 to"),
    ({"$or": {"source": ["a"]}}, "is an object; expected an array"),
    ({"$or": ["x", "y"]}, "$or[0] is 'x'"),
    ({f"a{n}" for n in range(3)}, "expected an object"),
]


def limited() -> float:
    return metrics.LIMITED.labels("pattern_elements")._value.get()


def nested(depth: int) -> dict:
    found: dict = {"a": ["x"]}
    for _ in range(depth):
        found = {"a": found}
    return {"payload": found}


class TestMatching(unittest.TestCase):

    def test_each_operator_holds_for_what_it_says(self):
        for content, changed, expected in CASES:
            with self.subTest(content=content, changed=changed):
                self.assertEqual(expected, Pattern(content).matches(
                    event(**changed)))

    def test_a_mismatch_is_told_exactly_where_there_is_one(self):
        for content, changed, expected in CASES:
            with self.subTest(content=content, changed=changed):
                found = Pattern(content).mismatch(event(**changed))
                self.assertEqual(expected, found is None)

    def test_a_mismatch_names_path_expectation_and_what_is_there(self):
        found = Pattern({"event_type": [{"prefix": "compute."}],
                         "traits": {"memory_mb": [{"numeric": [">", 9]}]}}
                        ).mismatch(event(traits={"memory_mb": 8}))
        self.assertEqual("traits.memory_mb is 8; expected a number > 9",
                         found.text())

    def test_a_mismatch_says_when_there_is_nothing(self):
        found = Pattern({"traits": {"host": ["a", "b"]}}).mismatch(event())
        self.assertEqual("traits.host is nothing; expected 'a' or 'b'",
                         found.text())

    def test_a_failed_or_tells_each_alternative(self):
        found = Pattern({"$or": [{"priority": ["ERROR"]},
                                 {"source": ["api"]}]}).mismatch(event())
        self.assertIn("priority to be 'ERROR'; or source to be 'api'",
                      found.text())


class TestRefusal(unittest.TestCase):

    def test_an_error_says_what_stands_where_and_what_was_expected(self):
        for content, said in WRONG:
            with self.subTest(content=content):
                with self.assertRaises(Rejected) as caught:
                    Pattern(content)
                self.assertIn(said, str(caught.exception))
                self.assertTrue(caught.exception.where.startswith("pattern"))

    def test_limits_of_depth_size_and_alternatives_are_kept(self):
        many = {"$or": [{"source": [str(n)]} for n in range(9)]}
        for content, said in (
                (nested(25), "at most 21"),
                (nested(400), "at most 21 levels"),
                ({"event_type": ["x" * 1000] + [str(n) * 1000
                                               for n in range(30)]},
                 "at most 16384"),
                ({"event_type": ["a"], "$or": [
                    {"source": ["a"], **many}, {"source": ["b"], **many},
                    *[{"priority": [str(n)]} for n in range(47)]]},
                 "at most 64 when all")):
            with self.subTest(said=said):
                with self.assertRaises(Rejected) as caught:
                    Pattern(content)
                self.assertIn(said, str(caught.exception))


class TestCost(unittest.TestCase):

    def test_cost_grows_with_what_is_evaluated(self):
        plain = Pattern({"event_type": ["a"]}).cost
        listed = Pattern({"event_type": ["a"] * 100}).cost
        wild = Pattern({"event_type": [{"wildcard": "*a*b*"}]}).cost
        self.assertEqual(plain, listed)
        self.assertGreater(wild, plain)

    def test_hostile_patterns_end_and_say_when_they_were_cut_short(self):
        """S9, S11; how long they take is measured by the bench ``rules``."""
        target = hostile.event()
        before = limited()
        for content in hostile.PATTERNS:
            Pattern(content).matches(target)
        self.assertGreater(limited(), before)

    def test_beyond_the_elements_an_array_is_not_searched(self):
        target = event(payload={"a": ["x"] * leaf.MAX_ELEMENTS + ["y"]})
        pattern = Pattern({"payload": {"a": ["y"]}})
        self.assertFalse(pattern.matches(target))
        self.assertIn("at most 5000", pattern.mismatch(target).text())
