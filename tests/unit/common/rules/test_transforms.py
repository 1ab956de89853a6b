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

"""Transforms: each operation, their order, and what cannot go wrong (B36)."""

import copy
import unittest

from hypothesis import given
from hypothesis import strategies as st

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import transforms
from monasca_events_common.rules.projection import Failed
from monasca_events_common.rules.projection import Projection
from tests.unit.common.rules.samples import event

TRAITS = {"host": "h1", "memory_mb": 512, "a.b": "dotted"}
PAYLOAD = {"password": "pw", "size": 7, "tags": ["x", "y"],
           "ips": [{"address": "10.0.0.1", "version": 4},
                   {"address": "::1", "version": 6}],
           "nova_object.data": {"uuid": "u"}, "empty": None}

#: (operation, what is then found at paths; MISSING for nothing)
MISSING = object()
CASES = [
    ({"drop": ["traits.host"]}, {"traits.host": MISSING, "traits.a.b":
                                 "dotted"}),
    ({"drop": ["traits.a.b"]}, {"traits.a.b": MISSING}),
    ({"drop": ["payload.ips.address"]}, {"payload.ips.0": {"version": 4}}),
    ({"drop": ["payload"]}, {"payload": {}}),
    ({"drop": ["user_id"]}, {"user_id": None}),
    ({"drop": ["payload.nova_object\\.data.uuid"]},
     {"payload.nova_object.data": {}}),
    ({"keep": ["payload.size", "traits.host"]},
     {"payload": {"size": 7}, "traits": {"host": "h1"}, "dimensions": {}}),
    ({"keep": ["payload.ips.version"]},
     {"payload": {"ips": [{"version": 4}, {"version": 6}]}}),
    ({"rename": {"payload.size": "traits.size"}},
     {"traits.size": 7, "payload.size": MISSING}),
    ({"rename": {"user_id": "traits.who"}},
     {"traits.who": "u1", "user_id": None}),
    ({"set": {"traits.team": "blue", "dimensions.size":
              {"path": "payload.size"}, "event_type": "vm.made"}},
     {"traits.team": "blue", "dimensions.size": "7",
      "event_type": "vm.made"}),
    ({"set": {"payload.new.deep": 1}}, {"payload.new": {"deep": 1}}),
    ({"set": {"traits.v4": {"jmespath":
                            "payload.ips[?version==`4`].address | [0]"}}},
     {"traits.v4": "10.0.0.1"}),
    ({"set": {"traits.host": {"path": "payload.empty"}}},
     {"traits.host": "h1"}),
    ({"set": {"traits.memory_mb": {"path": "traits.host"}, "traits.host":
              {"path": "traits.memory_mb"}}},
     {"traits.memory_mb": "h1", "traits.host": 512}),
    ({"mask": ["payload.password", "payload.ips.address", "payload.none"]},
     {"payload.password": "***", "payload.ips.1":
      {"address": "***", "version": 6}}),
]

#: (operation, a part of what is said)
WRONG = [
    ({"drop": ["event_type"]}, "cannot be without"),
    ({"drop": ["timestamp"]}, "a transform may change"),
    ({"drop": ["marks.redacted"]}, "a transform may change"),
    ({"drop": False}, "operations[0].drop is false; expected true, or"),
    ({"drop": []}, "operations[0].drop"),
    ({"keep": ["event_type"]}, "expected a path of one of them"),
    ({"mask": ["payload"]}, "expected something below it"),
    ({"rename": {"payload.a": "project_id"}}, "a transform may change"),
    ({"set": {"event_id": "x"}}, "a transform may change"),
    ({"set": {"traits.x": {"eval": "x"}}}, "operations[0].set.traits.x is"),
    ({"set": {"traits.x": [1]}}, "expected a string, a number"),
    ({"set": {"traits.x": {"jmespath": "a["}}}, "a JMESPath expression"),
    ({"split": "traits.x"}, "an array in the payload"),
    ({"shout": True}, "has the key 'shout'"),
    ({}, "at least 1 keys"),
    ({"drop": True, "mask": ["payload.x"]}, "at most 1 keys"),
]


def sample(**changed) -> dict:
    return event(user_id="u1", traits=dict(TRAITS), dimensions={"shop": "b"},
                 payload=copy.deepcopy(PAYLOAD), **changed)


def definition(*operations, name="t", **more) -> dict:
    return {"name": name, "operations": list(operations),
            "pattern": {"source": [{"exists": True}]}, **more}


def transform(*operations, **more) -> transforms.Transform:
    content = definition(*operations, **more)
    transforms.check(content)
    return transforms.Transform(content)


def at(found: dict, path: str):
    value = found
    root, _, rest = path.partition(".")
    value = value[root]
    while rest:
        if type(value) is list:
            number, _, rest = rest.partition(".")
            value = value[int(number)]
            continue
        key = next((key for key in value if rest == key
                    or rest.startswith(key + ".")), None)
        if key is None:
            return MISSING
        value, rest = value[key], rest[len(key) + 1:]
    return value


class TestOperations(unittest.TestCase):

    def test_each_operation_does_what_it_says_and_nothing_else(self):
        for operation, expected in CASES:
            with self.subTest(operation=operation):
                found, = transform(operation).apply(sample())
                self.assertEqual(expected, {path: at(found, path)
                                            for path in expected})
                self.assertEqual(["t"], found["marks"]["transformed"])
                events.record(found)

    def test_an_event_may_be_dropped(self):
        self.assertEqual([], transform({"drop": True}).apply(sample()))

    def test_an_event_that_does_not_match_stays_as_it_is(self):
        other = transform({"drop": True}, pattern={"source": ["x"]})
        self.assertEqual([sample()], other.apply(sample()))

    def test_an_array_is_split_into_events_with_ids_that_stay_the_same(self):
        first = transform({"split": "payload.ips"}).apply(sample())
        again = transform({"split": "payload.ips"}).apply(sample())
        self.assertEqual(first, again)
        self.assertEqual([4, 6], [one["payload"]["ips"]["version"]
                                  for one in first])
        self.assertEqual(2, len({one["event_id"] for one in first}))
        self.assertEqual(1, len(transform({"split": "payload.size"}).apply(
            sample())))

    def test_what_is_wrong_is_said_with_its_place(self):
        for operation, said in WRONG:
            with self.subTest(operation=operation):
                with self.assertRaises(Rejected) as caught:
                    transform(operation)
                self.assertIn(said, str(caught.exception))

    def test_a_failure_leaves_the_event_as_it_was_and_is_told(self):
        for operation in (
                {"set": {"traits.x": {"path": "payload.long"}}},
                {"set": {"traits.x": {"jmespath": "payload"}}},
                {"set": {"payload.size.deeper": 1}},
                {"rename": {"payload.ips.address": "traits.x"}}):
            with self.subTest(operation=operation):
                given_event = sample()
                given_event["payload"]["long"] = "x" * 2000
                before = copy.deepcopy(given_event)
                found, = transform({"set": {"traits.y": 1}}, operation).apply(
                    given_event)
                self.assertIn("t", found["marks"].pop("transform_failed"))
                self.assertEqual(before, found)


class TestOrder(unittest.TestCase):

    def test_transforms_apply_by_position_and_then_by_age(self):
        found, wrong = transforms.compile_all([
            definition({"set": {"traits.x": "b"}}, name="b", position=200),
            definition({"set": {"traits.x": "a"}}, name="a"),
            definition({"set": {"traits.x": "c"}}, name="c", position=200),
            definition({"drop": True}, name="off", enabled=False)])
        self.assertEqual([], wrong)
        stored, = found.apply(sample())
        self.assertEqual("c", stored["traits"]["x"])
        self.assertEqual(["a", "b", "c"], stored["marks"]["transformed"])

    def test_what_cannot_be_compiled_stops_no_other(self):
        found, wrong = transforms.compile_all([
            definition({"drop": ["timestamp"]}, name="bad"),
            definition({"set": {"traits.x": 1}})])
        self.assertEqual(1, len(wrong))
        self.assertEqual(1, found.apply(sample())[0]["traits"]["x"])

    def test_types_that_no_transform_wants_are_told_without_an_event(self):
        found, _ = transforms.compile_all([definition(
            {"drop": True}, pattern={"event_type": [{"prefix": "a."}]})])
        self.assertTrue(found.wants("a.b"))
        self.assertFalse(found.wants("b.a"))


class TestProjection(unittest.TestCase):

    def test_what_would_multiply_its_input_is_refused(self):
        """S11"""
        for text, said in (
                ("|".join(["[@,@][]"] * 20), "nested"),
                ("|".join(["[@,@,@]"] * 3), "copies"),
                ("sort_by(payload, &a)", "the function 'sort_by'"),
                ("&payload", "&"),
                ("to_string(@)", "the function 'to_string'"),
                ("[" * 20 + "a" + "]" * 20, "nested"),
                ("x" * 2000, "at most 1024"), (7, "a JMESPath expression")):
            with self.subTest(text=str(text)[:40]):
                with self.assertRaises(Rejected) as caught:
                    Projection(text, "w")
                self.assertIn(said, str(caught.exception))

    def test_an_evaluation_that_takes_too_many_steps_fails(self):
        wide = event(payload={"a": [{"b": 1}] * 10000})
        with self.assertRaisesRegex(Failed, "more than 5000 steps"):
            Projection("payload.a[*].b", "w").value(wide)

    @given(st.text(alphabet="abp.[]*|@{}:,`'\"?=&()!<> 0", max_size=60))
    def test_any_text_is_refused_or_evaluates_within_its_budget(self, text):
        """S10, S11"""
        try:
            made = Projection(text, "w")
        except Rejected:
            return
        try:
            made.value(sample())
        except Failed:
            pass
