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
import json
import unittest

from hypothesis import given
from hypothesis import strategies as st

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import transforms
from monasca_events_common.rules.allowance import Allowance
from monasca_events_common.rules.allowance import Failed
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
    ({"rename": {"traits": "payload.old"}},
     {"traits": {}, "payload.old.host": "h1"}),
    ({"set": {"traits.x": {"jmespath": "payload.size > `5`"}}},
     {"traits.x": True}),
    ({"set": {"payload.last": {"jmespath": "payload.ips[-1:].version"}}},
     {"payload.last": [6]}),
    ({"mask": ["payload.password", "payload.ips.address", "payload.none"]},
     {"payload.password": "***", "payload.ips.1":
      {"address": "***", "version": 6}}),
]

#: Operations that have no outcome for the sample.
FAILING = [
    {"set": {"traits.x": {"path": "payload.long"}}},
    {"set": {"traits.x": {"jmespath": "payload"}}},
    {"set": {"payload.size.deeper": 1}},
    {"set": {"event_type": {"jmespath": "join('\n', payload.tags)"}}},
    {"rename": {"payload.ips.address": "traits.x"}},
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
    return event(**{
        "user_id": "u1", "traits": dict(TRAITS), "dimensions": {"shop": "b"},
        "payload": copy.deepcopy(PAYLOAD), **changed})


def definition(*operations, name="t", **more) -> dict:
    return {"name": name, "operations": list(operations),
            "pattern": {"source": [{"exists": True}]}, **more}


def transform(*operations, **more) -> transforms.Transforms:
    """Return what is checked as the API checks it, alone in its project."""
    content = definition(*operations, **more)
    transforms.check(content)
    return transforms.Transforms([transforms.Transform(content)])


def compiled(*contents) -> transforms.Transforms:
    return transforms.compile_all((one, None) for one in contents)


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
        for operation in FAILING:
            with self.subTest(operation=operation):
                given_event = sample()
                given_event["payload"]["long"] = "x" * 2000
                before = copy.deepcopy(given_event)
                found, = transform({"set": {"traits.y": 1}}, operation).apply(
                    given_event)
                self.assertEqual(before, given_event)
                self.assertIn("t", found["marks"].pop("transform_failed"))
                self.assertEqual(before, found)

    def test_a_failure_never_tells_a_value_of_the_event(self):
        """Marks are stored and shown to whoever reads the event."""
        for expression in ("abs(payload.s)", "join(payload.s, payload.l)",
                           "payload.s < payload.n", "payload.l[::0]",
                           "ceil(to_number(payload.inf))",
                           "contains(payload.s, payload.n)", "payload"):
            with self.subTest(expression=expression):
                given_event = event(payload={
                    "s": "sesame", "l": ["sesame", 1], "n": 5, "inf": "inf"})
                found, = transform({"mask": ["payload.s", "payload.l"]}, {
                    "set": {"traits.x": {"jmespath": expression}}}).apply(
                        given_event)
                if "transform_failed" in found["marks"]:
                    self.assertNotIn("sesame", json.dumps(found))
                else:
                    self.assertEqual("***", found["payload"]["s"])

    def test_what_python_would_not_say_becomes_a_failure(self):
        """A tenant's expression stops nobody: these raise in the library."""
        for expression in ("payload.password < payload.size",
                           "payload.tags[::0]", "abs(`1`, `2`)",
                           "ceil(to_number('inf'))",
                           "floor(to_number('nan'))",
                           "contains(payload.password, `1`)",
                           "to_number('1e999')"):
            with self.subTest(expression=expression):
                found, = transform({"set": {"traits.x": {
                    "jmespath": expression}}}).apply(sample())
                self.assertIn("t", found["marks"]["transform_failed"])


class TestSparing(unittest.TestCase):
    """What was to be hidden stays hidden when transforms fail."""

    def spare(self, *operations, **fields) -> dict:
        found, = transform(*operations, {
            "rename": {"payload.ips.version": "traits.x"}}).apply(
                sample(**fields))
        self.assertIn("t", found["marks"]["transform_failed"])
        return found

    def test_what_was_to_be_masked_or_dropped_is_masked(self):
        found = self.spare({"mask": ["payload.password"]},
                           {"drop": ["payload.tags", "user_id"]})
        self.assertEqual(("***", "***", "***", 7), (
            found["payload"]["password"], found["payload"]["tags"],
            found["user_id"], found["payload"]["size"]))
        self.assertIs(True, found["marks"]["withheld"])

    def test_what_was_to_be_kept_is_all_that_is_left(self):
        found = self.spare({"keep": ["payload.ips"]})
        self.assertEqual(({}, {}, ["ips"]), (
            found["traits"], found["dimensions"], list(found["payload"])))

    def test_what_was_to_be_moved_before_it_was_masked_is_masked(self):
        found = self.spare({"rename": {"payload.password": "payload.pw"}},
                           {"mask": ["payload.pw"]})
        self.assertEqual("***", found["payload"]["password"])

    def test_nothing_but_the_envelope_is_left_of_what_was_to_be_dropped(self):
        given_event = sample()
        found, = compiled(
            definition({"set": {"traits.x": {"jmespath": "payload"}}}),
            definition({"drop": True}, name="u", pattern={
                "resource_id": ["nobody's"]})).apply(given_event)
        self.assertEqual(({}, {}, {}), (
            found["traits"], found["dimensions"], found["payload"]))
        self.assertEqual(given_event["event_id"], found["event_id"])

    def test_a_transform_for_other_types_takes_nothing(self):
        found, = compiled(
            definition({"set": {"traits.x": {"jmespath": "payload"}}}),
            definition({"mask": ["payload.password"]}, name="u", pattern={
                "event_type": ["other"]})).apply(sample())
        self.assertEqual("pw", found["payload"]["password"])
        self.assertNotIn("withheld", found["marks"])

    def test_unless_the_type_may_have_become_one_that_it_wants(self):
        found, = compiled(
            definition({"set": {"event_type": "other"}}),
            definition({"set": {"traits.x": {"jmespath": "payload"}}}),
            definition({"mask": ["payload.password"]}, name="u", pattern={
                "event_type": ["other"]})).apply(sample())
        self.assertEqual("***", found["payload"]["password"])

    def test_a_pattern_that_cannot_be_decided_is_a_failure(self):
        """Too long an array must not be a way around a mask."""
        found, = transform({"mask": ["payload.password"]}, pattern={
            "payload": {"tags": ["y"]}}).apply(sample(payload={
                "password": "pw", "tags": ["x"] * 10000}))
        self.assertEqual("***", found["payload"]["password"])
        self.assertIn("t", found["marks"]["transform_failed"])

    @given(st.lists(st.sampled_from((
        {"mask": ["payload.a"]}, {"mask": ["payload.b.c", "traits.e"]},
        {"mask": ["payload.moved"]}, {"mask": ["payload.moved.c"]},
        {"mask": ["dimensions.g"]}, {"mask": ["user_id", "payload.l.k"]},
        {"drop": ["payload.b"]}, {"drop": ["traits", "user_id"]},
        {"drop": ["payload.l.k"]}, {"keep": ["payload.b", "payload.moved"]},
        {"keep": ["payload.l.k", "traits.e", "payload.a"]},
        {"rename": {"payload.a": "payload.moved"}},
        {"rename": {"payload.b": "payload.moved"}},
        {"rename": {"payload.moved": "payload.a"}},
        {"rename": {"traits.e": "payload.b.c"}},
        {"rename": {"user_id": "dimensions.g"}},
        {"rename": {"payload": "payload.moved"}},
        {"rename": {"traits": "payload.moved"}},
        {"set": {"traits.e": {"path": "payload.a"}}},
        {"set": {"payload.moved": {"jmespath": "payload.b"}}},
        {"set": {"payload.a": "x", "user_id": {"path": "payload.b.c"}}},
        {"split": "payload.l"})), min_size=1, max_size=6),
        st.data())
    def test_nothing_shows_that_would_not_have_shown(self, several, data):
        """However operations follow one another, and wherever one fails."""
        given_event = event(
            user_id="SECRET-1", traits={"e": "SECRET-2"},
            dimensions={"g": "SECRET-3"}, payload={
                "a": "SECRET-4", "b": {"c": "SECRET-5", "d": "SECRET-6"},
                "l": [{"k": "SECRET-7", "m": "SECRET-8"}],
                "two": [{"x": 1}, {"x": 2}]})
        whole = transform(*several).apply(given_event)
        at_all = "transform_failed" in whole[0]["marks"]
        place = data.draw(st.integers(0, len(several)))
        cut = data.draw(st.integers(0, len(several)))
        failing = [*several[:place],
                   {"set": {"traits.z": {"jmespath": "abs('x')"}}},
                   *several[place:]]
        found, = compiled(*(
            definition(*part, name=str(number)) for number, part
            in enumerate((failing[:cut], failing[cut:])) if part)
        ).apply(given_event)
        self.assertIn("transform_failed", found["marks"])
        if at_all or not {"mask", "drop", "keep"}.intersection(
                *map(set, [[name for one in several for name in one]])):
            return
        shown, would = json.dumps(found), json.dumps(whole)
        for number in range(1, 9):
            secret = f"SECRET-{number}"
            if secret not in would:
                self.assertNotIn(secret, shown)


class TestBudget(unittest.TestCase):
    """S11: an event costs what is known beforehand, whatever a tenant says."""

    def test_copies_of_copies_fail(self):
        doubling = [{"set": {f"payload.c{n}": {"jmespath": "payload"}}}
                    for n in range(50)]
        found, = transform(*doubling).apply(sample(payload={"a": "x" * 100}))
        self.assertRegex(found["marks"]["transform_failed"]["t"], "copy more")
        self.assertEqual({"a": "x" * 100}, found["payload"])

    def test_parts_of_a_large_event_fail(self):
        found, = transform({"split": "payload.p"}).apply(sample(payload={
            "p": list(range(200)), "big": ["x" * 1000] * 200}))
        self.assertRegex(found["marks"]["transform_failed"]["t"], "copy more")

    def test_looking_again_and_again_at_a_long_array_fails(self):
        paths = [f"payload.a.k{n}" for n in range(50)]
        for operation in ({"mask": paths}, {"drop": paths}, {"keep": paths},
                          {"rename": dict(zip(paths, [
                              f"payload.r{n}" for n in range(50)],
                              strict=True))},
                          {"set": {f"payload.s{n}": {"path": path}
                                   for n, path in enumerate(paths)}},
                          {"set": {f"payload.s{n}": {
                              "jmespath": "sum(payload.a)"}
                              for n in range(20)}}):
            with self.subTest(operation=list(operation)):
                found, = transform(*[operation] * 20).apply(
                    sample(payload={"a": list(range(20000))}))
                self.assertIn("t", found["marks"]["transform_failed"])

    def test_a_definition_has_at_most_64_kib(self):
        large = {f"payload.k{n}": "x" * 1000 for n in range(50)}
        with self.assertRaisesRegex(Rejected, "at most 65536"):
            transform({"set": large}, {"set": large})
        with self.assertRaisesRegex(Rejected, "at most 1024"):
            transform({"set": {"payload.a": "x" * 1025}})


class TestOrder(unittest.TestCase):

    def test_transforms_apply_by_position_and_then_by_age(self):
        found = compiled(
            definition({"set": {"traits.x": "b"}}, name="b", position=200),
            definition({"set": {"traits.x": "a"}}, name="a"),
            definition({"set": {"traits.x": "c"}}, name="c", position=200),
            definition({"drop": True}, name="off", enabled=False))
        self.assertEqual((), found.broken)
        stored, = found.apply(sample())
        self.assertEqual("c", stored["traits"]["x"])
        self.assertEqual(["a", "b", "c"], stored["marks"]["transformed"])

    def test_an_event_tells_which_revision_it_was_changed_by(self):
        found = transforms.compile_all([
            (definition({"set": {"traits.x": 1}}, name="n" * 100), 17)])
        stored, = found.apply(sample())
        self.assertEqual(["n" * 64 + "@17"], stored["marks"]["transformed"])

    def test_an_event_that_no_pattern_matches_is_the_one_that_was_given(self):
        given_event = sample()
        found, = transform({"drop": True}, pattern={"source": ["x"]}).apply(
            given_event)
        self.assertIs(given_event, found)

    def test_what_cannot_be_compiled_lets_nothing_pass_that_it_may_want(self):
        found = compiled(
            definition({"drop": ["timestamp"]}, name="bad",
                       pattern={"event_type": ["bad"]}),
            definition({"set": {"traits.x": 1}}))
        self.assertEqual(["bad"], [one.name for one in found.broken])
        self.assertEqual(1, found.apply(sample())[0]["traits"]["x"])
        with self.assertRaises(Rejected) as caught:
            found.apply(sample(event_type="bad"))
        self.assertEqual("transform_broken", caught.exception.code)
        for content in ({"name": "x"}, {"name": "x", "pattern": [1]},
                        {"name": "x", "pattern": {"a": 1}, "operations": 1}):
            with self.assertRaises(Rejected):
                compiled(content).apply(sample())

    def test_types_that_no_transform_wants_are_told_without_an_event(self):
        found = compiled(definition(
            {"drop": True}, pattern={"event_type": [{"prefix": "a."}]}))
        for number in [*range(1500)] * 2:  # more than are remembered
            self.assertTrue(found.wants(f"a.{number}"))
            self.assertFalse(found.wants(f"b.{number}"))


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
            Projection("payload.a[*].b", "w").value(wide, Allowance())

    @given(st.text(alphabet="abp.[]*|@{}:,`'\"?=&()!<> 0", max_size=60))
    def test_any_text_is_refused_or_evaluates_within_its_budget(self, text):
        """S10, S11"""
        try:
            made = Projection(text, "w")
        except Rejected:
            return
        try:
            made.value(sample(), Allowance())
        except Failed:
            pass
