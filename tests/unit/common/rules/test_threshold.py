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

"""Windows: counts, sums and the rest, sliding and tumbling (B32, B38)."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from monasca_events_common.rules import window as windows
from monasca_events_common.rules.window import Window
from monasca_events_engine.testing import outcomes
from monasca_events_engine.testing import run
from tests.unit.common.rules.samples import event
from tests.unit.common.rules.samples import rule
from tests.unit.common.rules.samples import TEN


def threshold(**changed):
    return rule("threshold", **{"pattern": {"event_type": ["x"]},
                                "window": 60, "compare": [">=", 3],
                                **changed})


def sized(at: float, size, **changed) -> dict:
    return event("x", at, traits={"size": size}, **changed)


class TestSliding(unittest.TestCase):

    def test_it_fires_when_the_count_is_reached_and_recovers(self):
        self.assertEqual([("fired", 20), ("recovered", 60)], outcomes(
            threshold(), [event("x", at) for at in (0, 10, 20)], 1000))

    def test_it_fires_once_while_it_holds(self):
        self.assertEqual([("fired", 2), ("recovered", 67)], outcomes(
            threshold(), [event("x", at) for at in range(10)], 1000))

    def test_events_too_far_apart_do_not_add_up(self):
        self.assertEqual([], outcomes(
            threshold(), [event("x", at) for at in (0, 30, 60, 90)], 1000))

    def test_groups_are_counted_apart(self):
        self.assertEqual([], outcomes(
            threshold(group_by=["resource_id"]),
            [event("x", at, resource_id=f"vm-{at}") for at in range(6)]))

    def test_the_firing_names_its_events_and_its_value(self):
        sent = [event("x", at) for at in (0, 1, 2)]
        (_, found), = run(threshold(), sent)
        self.assertEqual([one["event_id"] for one in sent],
                         list(found.event_ids))
        self.assertEqual(3, found.value)
        self.assertEqual("count over 60 s is 3, which is >= 3", found.reason)

    def test_a_rate_that_falls_below_a_bound_is_seen_without_traffic(self):
        self.assertEqual([("fired", 0), ("recovered", 10), ("fired", 60)],
                         outcomes(threshold(compare=["<", 2]),
                                  [event("x", 0), event("x", 10)], 65))

    def test_every_aggregate_is_what_it_says(self):
        sent = [sized(0, 4), sized(1, 8), sized(2, 4), sized(3, None)]
        for aggregate, value in (("distinct", 2), ("sum", 16), ("min", 4),
                                 ("max", 8), ("average", 16 / 3)):
            with self.subTest(aggregate=aggregate):
                found = run(threshold(aggregate=aggregate,
                                      field="traits.size",
                                      compare=["=", value]), sent)
                self.assertEqual(value, found[-1][1].value)

    def test_distinct_tells_values_of_different_types_apart(self):
        self.assertEqual([("fired", 2)], outcomes(
            threshold(aggregate="distinct", field="traits.size"),
            [sized(0, 1), sized(1, "1"), sized(2, True)]))


class TestTumbling(unittest.TestCase):

    def test_it_is_judged_when_the_window_ends(self):
        self.assertEqual([("fired", 60)], outcomes(
            threshold(sliding=False),
            [event("x", at) for at in (0, 30, 59, 61)], 1000))

    def test_a_summary_tells_each_window_that_had_events(self):
        totals = rule("summary", pattern={"event_type": ["x"]}, window=60,
                      aggregates={"number": {"aggregate": "count"},
                                  "size": {"aggregate": "sum",
                                           "field": "traits.size"}})
        found = [one for _, one in run(totals, [
            sized(0, 1), sized(59, 2), sized(130, 5)], 1000)]
        self.assertEqual([({"number": 2, "size": 3}, 60),
                          ({"number": 1, "size": 5}, 180)],
                         [(one.values, one.at - TEN) for one in found])
        self.assertEqual(2, found[0].event_count)


class TestWindow(unittest.TestCase):

    @given(st.lists(st.tuples(st.integers(0, 200), st.integers(-5, 5)),
                    max_size=60), st.sampled_from(windows.AGGREGATES))
    def test_it_agrees_with_adding_up_what_is_inside(self, sent, aggregate):
        made, now = Window(aggregate, 50.0), 0
        for at, value in sent:
            made.add(float(at), value)
            now = max(now, at)
        made.expire(float(now))
        inside = [value for at, value in sent if at > now - 50]
        expected = {"count": len(inside), "distinct": len(set(inside)),
                    "sum": sum(inside)}.get(aggregate)
        if inside and expected is None:
            expected = {"min": min(inside), "max": max(inside),
                        "average": sum(inside) / len(inside)}[aggregate]
        self.assertEqual(expected, made.result())

    def test_a_busy_window_keeps_a_bounded_number_of_samples(self):
        made = Window("sum", 100.0)
        for number in range(50_000):
            made.add(number / 1000, 1)
        self.assertLess(len(made.samples), windows.MAX_SAMPLES + 1)
        self.assertEqual(50_000, made.result())
        made.expire(125.0)
        self.assertAlmostEqual(25_000, made.result(), delta=200)

    def test_more_distinct_values_than_are_counted_are_said_to_be_more(self):
        made = Window("distinct", 100.0)
        for number in range(windows.MAX_DISTINCT + 1):
            made.add(1.0, f"v{number}")
        self.assertEqual(windows.MAX_DISTINCT, made.result())
        self.assertTrue(made.is_limited)
