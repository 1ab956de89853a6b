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

"""Sequences and absences: missing ends, recovery, order (B3, B31, B35)."""

import unittest

from monasca_events_engine.testing import outcomes
from monasca_events_engine.testing import run
from tests.unit.common.rules.samples import event
from tests.unit.common.rules.samples import rule

START, END, ERROR = "x.start", "x.end", "x.error"


def pattern(event_type: str) -> dict:
    return {"event_type": [event_type]}


def absence(**changed):
    return rule("absence", start=pattern(START), expect=pattern(END),
                within=60, group_by=["resource_id"], **changed)


def sequence(*names: str, **changed):
    return rule("sequence", steps=[{"name": name, "pattern": pattern(name)}
                                   for name in names],
                within=60, group_by=["resource_id"], **changed)


class TestAbsence(unittest.TestCase):

    def test_an_end_in_time_is_no_finding(self):
        self.assertEqual([], outcomes(
            absence(), [event(START, 0), event(END, 60)], 1000))

    def test_a_missing_end_is_missed_once_at_its_deadline(self):
        self.assertEqual([("missed", 60)], outcomes(
            absence(), [event(START, 0)], 1000))

    def test_a_late_end_is_a_recovery(self):
        self.assertEqual([("missed", 60), ("recovered", 75)], outcomes(
            absence(), [event(START, 0), event(END, 75)], 1000))

    def test_a_late_end_counts_as_late_also_before_the_clock_came_by(self):
        found = [one for _, one in run(
            absence(), [event(START, 0), event(END, 75)])]
        self.assertEqual(["missed", "recovered"],
                         [one.outcome for one in found])
        self.assertEqual(75, found[1].value)
        self.assertEqual([event(START, 0)["event_id"],
                          event(END, 75)["event_id"]],
                         list(found[1].event_ids))

    def test_each_resource_has_its_own_clock(self):
        found = run(absence(), [
            event(START, 0, resource_id="a"), event(START, 5,
                                                    resource_id="b"),
            event(END, 10, resource_id="a")], 1000)
        self.assertEqual([{"resource_id": "b"}], [key for key, _ in found])

    def test_unless_ends_the_wait_without_a_finding(self):
        self.assertEqual([], outcomes(
            absence(unless=pattern(ERROR)),
            [event(START, 0), event(ERROR, 30)], 1000))

    def test_a_start_that_comes_again_begins_anew(self):
        self.assertEqual([("missed", 90)], outcomes(
            absence(), [event(START, 0), event(START, 30)], 1000))

    def test_an_end_without_a_start_is_nothing(self):
        self.assertEqual([], outcomes(absence(), [event(END, 0)], 1000))

    def test_a_recovery_is_awaited_for_a_day_and_then_no_more(self):
        day = 86400
        self.assertEqual([("missed", 60), ("recovered", day)], outcomes(
            absence(), [event(START, 0), event(END, day)]))
        self.assertEqual([("missed", 60)], outcomes(
            absence(), [event(START, 0), event(END, day + 61)], 2 * day))

    def test_the_reason_says_what_did_not_come(self):
        (_, found), = run(absence(), [event(START, 0)], 100)
        self.assertEqual("expect did not come within 60 s", found.reason)


class TestSequence(unittest.TestCase):

    def test_all_steps_in_order_and_in_time_fire_once(self):
        (_, found), = run(sequence("a", "b", "c"), [
            event("a", 0), event("b", 10), event("c", 20)], 1000)
        self.assertEqual(("fired", 20), (found.outcome, found.value))
        self.assertEqual(3, len(found.event_ids))

    def test_steps_out_of_order_are_passed_over(self):
        self.assertEqual([("missed", 60)], outcomes(
            sequence("a", "b", "c"),
            [event("a", 0), event("c", 10), event("b", 20)], 1000))

    def test_in_strict_order_an_early_step_is_a_miss_at_once(self):
        (_, found), = run(sequence("a", "b", "c", strict=True), [
            event("a", 0), event("c", 10)], 1000)
        self.assertEqual(("missed", "c came before b"),
                         (found.outcome, found.reason))

    def test_a_quiet_one_tells_only_of_what_was_missed(self):
        steps = sequence("a", "b", "c", quiet=True)
        self.assertEqual([], outcomes(steps, [
            event("a", 0), event("b", 10), event("c", 20)], 1000))
        self.assertEqual([("missed", 60), ("recovered", 70)], outcomes(
            steps, [event("a", 0), event("b", 10), event("c", 70)]))

    def test_without_order_the_steps_come_as_they_like(self):
        self.assertEqual([("fired", 20)], outcomes(
            sequence("a", "b", "c", ordered=False),
            [event("c", 0), event("a", 10), event("b", 20)], 1000))

    def test_one_event_is_one_step_even_if_it_matches_several(self):
        three = rule("sequence", steps=[{"pattern": pattern("login")}] * 3,
                     within=60, group_by=["user_id"])
        self.assertEqual([], outcomes(
            three, [event("login", 0), event("login", 1)]))
        self.assertEqual([("fired", 2)], outcomes(
            three, [event("login", at) for at in range(3)]))

    def test_a_step_may_name_its_group_elsewhere(self):
        attach = rule("sequence", within=60, group_by=["resource_id"], steps=[
            {"name": "attach", "pattern": pattern("volume.attach"),
             "group_by": ["traits.instance_id"]},
            {"name": "delete", "pattern": pattern("instance.delete")}])
        self.assertEqual([("fired", 5)], outcomes(attach, [
            event("volume.attach", 0, resource_id="vol-1",
                  traits={"instance_id": "vm-1"}),
            event("instance.delete", 5, resource_id="vm-1")]))

    def test_late_completion_recovers(self):
        self.assertEqual([("missed", 60), ("recovered", 70)], outcomes(
            sequence("a", "b", "c"),
            [event("a", 0), event("b", 5), event("c", 70)]))

    def test_what_is_waited_for_can_be_told(self):
        one = sequence("a", "b").make()
        self.assertIn("a would begin one", one.describe(0))
        one.observe(event("a", 0), ["a"])
        self.assertEqual("waits for b, 30 s are left",
                         one.describe(one.deadline - 30))


class TestOrder(unittest.TestCase):

    def test_an_event_from_before_the_run_does_not_end_it(self):
        one = absence().make()
        one.observe(event(START, 10), ["start"])
        self.assertEqual([], one.observe(event(END, 5), ["expect"]))
        self.assertEqual("open", one.status)
