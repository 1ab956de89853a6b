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


"""What is learnt of histories of a few events, and kept of long ones."""

import unittest

from monasca_events_common.rules.definition import MAX_SECONDS
from monasca_events_engine.learning import requests
from monasca_events_engine.learning import samples
from monasca_events_engine.learning.proposals import propose
from monasca_events_engine.learning.proposals import Wish
from monasca_events_engine.learning.requests import GAP
from monasca_events_engine.learning.samples import Durations
from monasca_events_engine.learning.samples import Samples
from monasca_events_engine.learning.spans import MAX_OPEN
from monasca_events_engine.learning.spans import Spans
from monasca_events_engine.testing import event
from monasca_events_engine.testing import outcomes
from monasca_events_engine.testing import PROJECT
from monasca_events_engine.testing import run
from monasca_events_engine.testing import START
from tests.unit.engine.test_learning import CREATE
from tests.unit.engine.test_learning import learnt
from tests.unit.engine.test_learning import rule


class TestMadeUp(unittest.TestCase):
    """Histories of a few events, for what a cloud's day does not show."""

    def pairs(self, name: str, seconds: list[float], **more) -> list[dict]:
        return [event(f"{name}.{edge}", place * 100 + took * (edge == "end"),
                      name=f"{name}/{edge}/{place}", **{
                          "resource_id": f"r-{place}", **more})
                for place, took in enumerate(seconds)
                for edge in ("start", "end")]

    def test_operations_that_no_table_knows_are_learnt_too(self):
        found = propose(learnt(self.pairs("ours.bake", [3.0] * 40)), Wish())
        proposal, = found.triggers
        self.assertEqual(["resource_id"], proposal["group_by"])
        self.assertEqual([("missed", 3)], outcomes(
            rule(proposal), [event("ours.bake.start", 0)], 10))
        self.assertEqual({}, found.seconds_of)

    def test_and_by_request_where_the_resource_has_no_id_yet(self):
        sent = self.pairs("ours.bake", [3.0] * 40)
        for one in sent:
            one["request_id"] = f"req-{one['resource_id']}"
            if one["event_type"].endswith("start"):
                one["resource_id"] = None
        proposal, = propose(learnt(sent), Wish()).triggers
        self.assertEqual(["request_id"], proposal["group_by"])

    def test_a_failed_operation_is_neither_a_sample_nor_without_an_end(self):
        sent = [event(f"{CREATE}.{edge}", at) for at, edge in enumerate(
            ("start", "error", "end", "start", "end"))]
        row, = propose(learnt(sent), Wish()).rows
        self.assertEqual((1, 0), (row.count, row.unended))

    def test_a_start_that_comes_again_begins_anew(self):
        sent = [event(f"{CREATE}.{edge}", at) for at, edge in (
            (0, "start"), (10, "start"), (12, "end"))]
        row, = propose(learnt(sent), Wish()).rows
        self.assertEqual((1, 2.0, 1), (row.count, row.p50, row.unended))

    def test_projects_do_not_end_each_others_operations(self):
        sent = [event(f"{CREATE}.start", 0),
                event(f"{CREATE}.end", 1, project_id="b" * 32)]
        row, = propose(learnt(sent), Wish()).rows
        self.assertEqual((0, 1), (row.count, row.unended))

    def test_what_waits_too_long_is_given_up(self):
        spans = Spans()
        start = event("volume.create.start", 0)
        spans.observe(start, START, None)
        later = event("volume.create.start", 0, resource_id="other")
        spans.observe(later, START + MAX_SECONDS + 1, None)
        span, = spans.found()
        self.assertEqual((1, 1), (span.unended, len(span._open)))
        self.assertEqual([], list(spans.limits()))

    def test_more_open_operations_than_fit_are_told_of(self):
        spans = Spans()
        for number in range(MAX_OPEN + 3):
            spans.observe({
                "event_type": "volume.create.start", "project_id": PROJECT,
                "resource_id": str(number)}, START + number / 1e6, None)
        self.assertRegex("".join(spans.limits()),
                         "volume-create: .* 3 of them were given up")

    def test_a_request_that_was_silent_for_long_begins_anew(self):
        sent = [event(name, place * (GAP + 100) + at, name=f"{place}{name}",
                      request_id="req-same")
                for place in range(30)
                for at, name in enumerate(("a", "b", "c"))]
        proposal, = propose(learnt(sent), Wish()).triggers
        self.assertEqual(2.0, proposal["within"])

    def test_events_of_one_moment_are_in_no_order(self):
        sent = [event(name, place, name=f"{place}{name}",
                      request_id=f"req-{place}")
                for place in range(40) for name in ("a", "b", "c")]
        self.assertEqual([], propose(learnt(sent), Wish()).triggers)

    def test_steps_that_sometimes_come_otherwise_are_not_strict(self):
        sent = [event(name, 10 * place + at, name=f"{place}{name}",
                      request_id=f"req-{place}")
                for place in range(100)
                for at, name in enumerate("acb" if place == 7 else "abc")]
        proposal, = propose(learnt(sent), Wish()).triggers
        self.assertEqual(["a", "b", "c"], [
            one["pattern"]["event_type"][0] for one in proposal["steps"]])
        self.assertFalse(proposal["strict"])

    def test_a_chain_has_no_more_steps_than_a_sequence_may_have(self):
        names = [f"step.{letter}" for letter in "abcdefghijklmnopqrst"]
        sent = [event(name, 100 * place + at, name=f"{place}{name}",
                      request_id=f"req-{place}")
                for place in range(30) for at, name in enumerate(names)]
        proposal, = propose(learnt(sent), Wish()).triggers
        rule(proposal)
        self.assertEqual([*names[:15], names[-1]], [
            one["pattern"]["event_type"][0] for one in proposal["steps"]])
        self.assertEqual(19.0, proposal["within"])

    def test_names_that_tenants_make_up_do_no_harm(self):
        odd = "x/\u202e\n'\"" + "y" * 900
        sent = [event(f"{odd}{letter}", 100 * place + at,
                      name=f"{place}{letter}", request_id=f"req-{place}",
                      traits={"flavor": "\x1b[2J"})
                for place in range(30) for at, letter in enumerate("abc")]
        sent += self.pairs("ours.bake", [3.0] * 40, traits={"flavor": 7})
        for one in propose(learnt(sent), Wish()).triggers:
            rule(one)


class TestTransitions(unittest.TestCase):

    def update(self, at: float, before: str, after: str, **more) -> dict:
        return event("compute.instance.update", at, traits={
            "old_state": before, "state": after}, **more)

    def sent(self) -> list[dict]:
        moves = [("building", "active"), ("active", "stopped"),
                 ("stopped", "active")] * 20 + [("active", "error")]
        return [self.update(at, *move) for at, move in enumerate(moves)]

    def test_a_move_that_none_has_made_fires(self):
        """Issue 4: a never-seen transition."""
        proposal, = propose(learnt(self.sent()), Wish()).triggers
        for before, after, count in (
                ("active", "stopped", 0), ("active", "error", 0),
                ("active", "active", 0), ("stopped", "error", 1),
                ("building", "stopped", 1), ("shelved", "active", 1)):
            with self.subTest(before=before, after=after):
                self.assertEqual(count, len(run(rule(proposal), [
                    self.update(0, before, after)])))
        self.assertEqual([], run(rule(proposal), [
            self.update(0, "stopped", "error", source="api")]))

    def test_with_the_states_of_every_cloud_it_stays_cheap(self):
        states = [f"state-{number}" for number in range(24)]
        sent = [self.update(at, before, after) for at, (before, after)
                in enumerate((one, other) for one in states
                             for other in states)]
        proposal, = propose(learnt(sent), Wish()).triggers
        self.assertLess(rule(proposal).cost, 500)

    def test_where_no_state_ever_changed_nothing_is_proposed(self):
        sent = [event("compute.instance.update", at, traits={
            "old_state": "building", "state": "building",
            "old_task_state": "a", "task_state": "b"}) for at in range(40)]
        self.assertEqual([], propose(learnt(sent), Wish()).triggers)


class TestSamples(unittest.TestCase):

    def of(self, values) -> Samples:
        found = Samples()
        for one in values:
            found.add(one)
        return found

    def test_percentiles_are_samples(self):
        for count, percent, expected in (
                (1, 1, 1), (1, 100, 1), (100, 99, 99), (101, 99, 100),
                (1000, 99.9, 999), (30, 99, 30), (4, 50, 2), (5, 50, 3)):
            with self.subTest(count=count, percent=percent):
                self.assertEqual(expected, self.of(
                    range(count, 0, -1)).percentile(percent))

    def test_of_very_many_a_fair_choice_is_kept_and_told_of(self):
        durations = Durations()
        for number in range(2 * samples.MAX_SAMPLES):
            durations.add(None, number)
        self.assertEqual(2 * samples.MAX_SAMPLES, durations.total.count)
        self.assertAlmostEqual(
            1.0, durations.total.percentile(50) / samples.MAX_SAMPLES, 1)
        self.assertRegex("".join(durations.limits()), "200000 durations")

    def test_flavours_beyond_the_most_only_count_together(self):
        durations = Durations()
        for number in range(samples.MAX_FLAVORS + 5):
            durations.add(f"f-{number}", 1.0)
        self.assertEqual(samples.MAX_FLAVORS, len(durations.flavors))
        self.assertEqual(samples.MAX_FLAVORS + 5, durations.total.count)
        self.assertRegex("".join(durations.limits()), "flavours")

    def test_of_very_many_requests_some_are_kept_and_it_is_told(self):
        found = requests.Requests()
        for number in range(requests.MAX_REQUESTS + 10):
            for name in "ab":
                found.observe({"project_id": PROJECT, "event_type": name,
                               "request_id": str(number)}, START, None)
        found.finish()
        self.assertEqual(requests.MAX_REQUESTS,
                         len(found.kept(requests.BY_REQUEST)))
        self.assertRegex("".join(found.limits()), "of 200010 requests")
