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

"""The index finds exactly what a naive matcher finds, removal included."""

import dataclasses
import unittest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import orjson

from monasca_events_common.event import record as record_of
from monasca_events_common.rules import index as indices
from monasca_events_common.rules.index import Index
from monasca_events_common.rules.match import Match
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.pattern import Pattern
from monasca_events_common.rules.trigger import Rule
from tests.unit.common.rules import samples

TYPES = ("a.start", "a.end", "b.end")
WORDS = ("x", "y", 'q"u', "b\\", "é", "null")


def rule(number, project_id, *contents) -> Rule:
    patterns = {f"s{at}": Pattern(one) for at, one in enumerate(contents)}
    return Rule(f"r{number}", "1", project_id, "n", "LOW", patterns,
                dict.fromkeys(patterns, (Path("resource_id"),)),
                ("resource_id",), False, Match)


def naive(rules, event) -> dict:
    """Return rule id → slots, by asking every pattern of the tenant."""
    found = {}
    for one in rules:
        if one.project_id in (None, event["project_id"]):
            slots = {slot for slot, pattern in one.patterns.items()
                     if pattern.matches(event)}
            if slots:
                found[one.id] = slots
    return found


def by_index(index: Index, event) -> dict:
    hits = index.find(event["project_id"].encode(),
                      event["event_type"].encode(), orjson.dumps(event))
    return {} if hits is None else {one.id: set(slots)
                                    for one, slots in hits[1]}


def build(rules) -> dict:
    found: dict = {}
    for one in rules:
        if one.project_id is not None:
            found.setdefault(one.project_id, []).append(one)
    return found


def shared(rules) -> list:
    return [one for one in rules if one.project_id is None]


words = st.sampled_from(WORDS)
operators = st.one_of(
    words, st.integers(0, 3), st.booleans(), st.none(),
    st.builds(lambda word: {"prefix": word}, words),
    st.builds(lambda word: {"anything-but": word}, words),
    st.builds(lambda value: {"exists": value}, st.booleans()))
leaves = st.lists(operators, min_size=1, max_size=3)
exact = st.lists(words, min_size=1, max_size=2)
types = st.one_of(st.lists(st.sampled_from(TYPES), min_size=1, max_size=2),
                  st.just([{"suffix": ".end"}]))
clauses = st.fixed_dictionaries({}, optional={
    "event_type": types, "resource_id": st.one_of(exact, leaves),
    "user_id": leaves,
    "traits": st.dictionaries(st.sampled_from(("host", "size")),
                              st.one_of(exact, leaves), min_size=1),
    "dimensions": st.dictionaries(st.sampled_from(("shop", "resource_id")),
                                  exact, min_size=1),
    "payload": st.dictionaries(
        st.sampled_from(("host", "resource_id")),
        st.one_of(exact, st.builds(lambda leaf: {"z": leaf}, exact)),
        min_size=1)}).filter(bool)
contents = st.one_of(clauses, st.builds(
    lambda plain, several: {**plain, "$or": several}, clauses,
    st.lists(clauses, min_size=2, max_size=3)))
projects = st.sampled_from((samples.PROJECT, samples.OTHER, None))
rules = st.lists(st.tuples(projects, st.lists(
    contents, min_size=1, max_size=2)), max_size=12)
scalars = st.one_of(words, st.integers(0, 3), st.booleans(),
                    st.sampled_from((1.0, 2.5)))
values = st.one_of(scalars, st.none(), st.lists(scalars, max_size=3),
                   st.builds(lambda one: {"z": one}, scalars),
                   st.lists(st.builds(lambda one: {"z": one}, scalars),
                            max_size=3))
events = st.builds(
    lambda kind, project_id, resource, user, traits, dimensions, payload:
    samples.event(kind, project_id=project_id, resource_id=resource,
                  user_id=user, traits=traits, dimensions=dimensions,
                  payload=payload),
    st.sampled_from(TYPES), st.sampled_from((samples.PROJECT,
                                             samples.OTHER, "c" * 32)),
    st.one_of(st.none(), words), st.one_of(st.none(), words),
    st.dictionaries(st.sampled_from(("host", "size", "resource_id")),
                    scalars),
    st.dictionaries(st.sampled_from(("shop", "resource_id", "host")), words),
    st.dictionaries(st.sampled_from(("host", "resource_id", "size")),
                    values))


class TestIndex(unittest.TestCase):

    @settings(max_examples=200, deadline=None)
    @given(rules, st.lists(events, min_size=1, max_size=6))
    def test_it_finds_what_a_naive_matcher_finds(self, given_rules, sent):
        made = [rule(number, project_id, *found) for number,
                (project_id, found) in enumerate(given_rules)]
        index = Index(build(made), shared(made))
        for event in sent:
            self.assertEqual(naive(made, event), by_index(index, event))

    @settings(max_examples=80, deadline=None)
    @given(rules, st.sets(st.integers(0, 11)), events)
    def test_a_removed_rule_leaves_nothing_behind(self, given_rules, gone,
                                                  event):
        made = [rule(number, project_id, *found) for number,
                (project_id, found) in enumerate(given_rules)]
        before = Index(build(made), shared(made))
        by_index(before, event)
        left = [one for number, one in enumerate(made) if number not in gone]
        after = Index(build(left), shared(left), before)
        self.assertEqual(naive(left, event), by_index(after, event))

    def test_an_unchanged_tenants_index_is_taken_over(self):
        made = [rule(1, samples.PROJECT, {"event_type": ["a"]}),
                rule(2, samples.OTHER, {"event_type": ["a"]})]
        before = Index(build(made))
        after = Index(build([made[0]]), previous=before)
        key = samples.PROJECT.encode()
        self.assertIs(before._tenants[key], after._tenants[key])

    def test_an_event_that_no_rule_can_want_is_not_decoded(self):
        index = Index(build([
            rule(1, samples.PROJECT, {"event_type": ["a"],
                                      "resource_id": ["vm-7"]}),
            rule(2, samples.PROJECT, {"event_type": ["a"],
                                      "traits": {"host": ["h"]}})]))
        key = samples.PROJECT.encode()
        no_json = b'{"resource_id":"vm-8","traits":{"host":"g"'
        self.assertIsNone(index.find(key, b"a", no_json))
        self.assertIsNone(index.find(key, b"b", b"no json"))
        self.assertIsNone(index.find(b"other", b"a", b"no json"))

    def test_one_that_its_anchor_proves_is_not_decoded_either(self):
        made = rule(1, samples.PROJECT, {"event_type": ["a"],
                                         "resource_id": ["vm-7"]})
        event, hits = Index(build([made])).find(
            samples.PROJECT.encode(), b"a",
            orjson.dumps(samples.event("a", resource_id="vm-7")))
        self.assertIsNone(event)
        self.assertEqual(((made, ("s0",)),), hits)

    def test_where_the_type_says_all_nothing_is_read(self):
        by_type = rule(1, samples.PROJECT, {"event_type": ["a"]})
        everything = rule(2, None, {"event_type": [{"exists": True}]})
        twice = rule(3, samples.PROJECT, {"event_type": ["b"]},
                     {"event_type": ["b"], "traits": {"host": ["h"]}})
        index = Index(build([by_type, everything, twice]), [everything])
        key = samples.PROJECT.encode()
        self.assertEqual((None, ((by_type, ("s0",)), (everything, ("s0",)))),
                         index.find(key, b"a", b"no json"))
        self.assertEqual((None, ((everything, ("s0",)),)),
                         index.find(b"other", b"x", b"no json"))
        # A rule's slots are found together, so this one is read.
        event = samples.event("b", traits={"host": "h"})
        found, hits = index.find(key, b"b", orjson.dumps(event))
        self.assertEqual(event, found)
        self.assertEqual({"r2": {"s0"}, "r3": {"s0", "s1"}},
                         {one.id: set(slots) for one, slots in hits})

    def test_no_more_is_decoded_than_is_looked_at(self):
        event = samples.event("größe")
        whole = rule(1, None, {"event_type": ["größe"]})
        head = dataclasses.replace(whole, needs_all=False)
        front = dataclasses.replace(head, needs_head=False)
        for source, wanted, last in (
                ("api", [whole, head], "marks"),
                ("api", [head, front], "global_request_id"),
                ("api", [front], "timestamp"),
                (None, [front], "timestamp"),
                # What led to it is said in its marks.
                ("engine", [front], "marks")):
            event["source"] = source
            found = indices.decode(record_of(event),
                                   [(one, ()) for one in wanted])
            self.assertEqual(last, list(found)[-1])
            self.assertEqual({name: event[name] for name in found}, found)

    def test_what_is_no_event_cannot_be_decoded(self):
        front = dataclasses.replace(
            rule(1, None, {"event_type": ["a"]}), needs_all=False,
            needs_head=False)
        record = record_of(samples.event("a"))
        for value in (b"no json", record.value[:40], b""):
            with self.assertRaises(ValueError):
                indices.decode(record._replace(value=value), [(front, ())])

    def test_the_field_itself_is_read_and_not_one_of_that_name_elsewhere(self):
        index = Index(build([
            rule(1, samples.PROJECT, {"resource_id": ["x"]}),
            rule(2, samples.PROJECT, {"traits": {"host": ["x"]}}),
            rule(3, samples.PROJECT, {"dimensions": {"shop": ["x"]}})]))
        for place in ("traits", "dimensions", "payload"):
            event = samples.event("a", resource_id=None, **{place: {
                "resource_id": "x", "host": "x", "shop": "x"}})
            found = {"traits": {"r2"}, "dimensions": {"r3"}}.get(place, set())
            self.assertEqual(found, set(by_index(index, event)))

    def test_many_rules_on_one_value_do_not_crowd_those_on_rare_ones(self):
        crowd = [rule(n, samples.PROJECT, {
            "event_type": ["a"], "priority": ["INFO"],
            "resource_id": [f"vm-{n}"]}) for n in range(500)]
        bucket = Index(build(crowd))._tenants[
            samples.PROJECT.encode()].bucket("a")
        found = bucket._peek(orjson.dumps(samples.event(
            "a", resource_id="vm-7")))
        self.assertEqual(["r7"], [one.rule.id for one in found])

    def test_event_types_that_a_sender_makes_up_take_bounded_memory(self):
        made = rule(1, samples.PROJECT, {"event_type": [{"prefix": "a"}]})
        index = Index(build([made]))
        for key in (samples.PROJECT.encode(), b"stranger"):
            for number in range(indices.MEMO + 10):
                index.find(key, f"type-{number}".encode(), b"{}")
        self.assertLess(sum(map(len, index._buckets.values())),
                        2 * indices.MEMO)
        event = samples.event("abc")
        self.assertEqual({"r1": {"s0"}}, by_index(index, event))
