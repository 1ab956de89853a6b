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

"""The operators' triggers, on made-up events and on a whole cloud's."""

import collections
import json
import pathlib
import tempfile
import unittest

from monasca_events_common.errors import Misconfigured
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_engine.testing import event
from monasca_events_engine.testing import outcomes
from monasca_events_engine.testing import rules
from monasca_events_engine.testing import run
from monasca_events_engine.transitions import transition
from monasca_events_engine.triggers.instances import DeleteAlarms
from monasca_events_engine.triggers.instances import VmCreated
from monasca_events_engine.triggers.instances import VmDeleted
from monasca_events_engine.triggers.missing_end import MissingEnds
from monasca_events_engine.triggers.never_seen_transition import \
    NeverSeenTransition
from monasca_events_engine.triggers.sequence_failure import SequenceFailures
from tests.unit.engine.cloud import cloud

FORMATS = (("compute.instance.", "legacy"), ("instance.", "versioned"))


class TestInstances(unittest.TestCase):

    def test_a_created_and_a_deleted_instance_fire_in_both_formats(self):
        """B1, B29, B45"""
        for prefix, name in FORMATS:
            sent = [event(f"{prefix}create.end", 1),
                    event(f"{prefix}delete.start", 2),
                    event(f"{prefix}delete.end", 3)]
            with self.subTest(format=name):
                self.assertEqual([("fired", 1)], outcomes(VmCreated, sent))
                self.assertEqual([("fired", 3)], outcomes(VmDeleted, sent))
                (key, found), = run(DeleteAlarms, sent)
                self.assertEqual({"resource_id": "vm-1"}, key)
                self.assertEqual("instance vm-1 was deleted", found.reason)

    def test_alarms_go_only_when_nova_itself_says_so(self):
        """B2, S19"""
        posted = event("compute.instance.delete.end", source="api")
        self.assertEqual([], run(DeleteAlarms, [posted]))
        self.assertEqual(1, len(run(VmDeleted, [posted])))
        rule, = rules(DeleteAlarms).values()
        self.assertEqual(("delete-alarms",), rule.settings["actions"])


class TestMissingEnd(unittest.TestCase):

    def test_every_lifecycles_missing_end_is_told_and_its_coming_too(self):
        """B3, B36"""
        made = rules(MissingEnds)
        self.assertEqual(set(LIFECYCLES), {
            name.removeprefix("tested.") for name in made})
        for name, one in LIFECYCLES.items():
            common = {"request_id": "req-1",
                      "traits": {"volume_id": "v", "share_id": "s"}}
            rule = made[f"tested.{name}"]
            for first, last in zip(one.start, one.end, strict=False):
                begun = event(first, 0, **common)
                with self.subTest(lifecycle=name, type=first):
                    self.assertEqual([("missed", one.seconds)], outcomes(
                        rule, [begun], one.seconds + 1))
                    self.assertEqual([], outcomes(
                        rule, [begun, event(last, 2, **common)], 10 ** 6))
                    late = one.seconds + 10
                    self.assertEqual(
                        [("missed", one.seconds), ("recovered", late)],
                        outcomes(rule, [begun, event(last, late, **common)]))

    def test_an_error_or_a_deletion_ends_the_wait(self):
        made = rules(MissingEnds)
        for name, one in LIFECYCLES.items():
            for unless in (*one.error, *one.gone):
                common = {"request_id": "req-1", "traits": {
                    "volume_id": "v", "share_id": "s"}}
                with self.subTest(lifecycle=name, type=unless):
                    self.assertEqual([], outcomes(made[f"tested.{name}"], [
                        event(one.start[0], 0, **common),
                        event(unless, 1, **common)], 10 ** 6))

    def test_what_lacks_what_ties_it_to_its_end_is_passed_over(self):
        self.assertEqual([], outcomes(MissingEnds, [
            event("port.create.start", 0, resource_id=None)], 10 ** 6,
            lifecycles=["port-*"]))

    def test_seconds_can_be_set_for_all_and_for_one(self):
        sent = [event("compute.instance.create.start", 0),
                event("compute.instance.reboot.start", 0)]
        self.assertEqual([("missed", 7), ("missed", 20)], outcomes(
            MissingEnds, sent, 10000, seconds=20,
            seconds_of={"instance-create": 7}))

    def test_lifecycles_are_chosen_by_name(self):
        self.assertEqual(
            ["tested.port-create", "tested.port-delete"],
            list(rules(MissingEnds, lifecycles=["port-*", "!*-update"])))
        for values in ({"lifecycles": ["vm-*"]},
                       {"seconds_of": {"vm-create": 3}}):
            with self.subTest(**values), self.assertRaisesRegex(
                    Misconfigured, r"\[missing_end\].*vm-"):
                rules(MissingEnds, **values)

    def test_in_a_whole_cloud_only_what_does_not_end_is_told(self):
        """B36, against the generator's cloud."""
        well = cloud(errors=0.0)
        self.assertEqual([], [one.reason for _, one in run(
            MissingEnds, well, seconds=86400 * 2)])
        ill = cloud(errors=0.0, missing_ends=0.1)
        self.assertGreater(len(run(MissingEnds, ill, 86400 * 3)), 20)


class TestSequenceFailure(unittest.TestCase):

    def named(self, name: str, **options):
        return rules(SequenceFailures, **options)[f"tested.{name}"]

    def send(self, *steps, **more) -> list[dict]:
        return [event(name, at, request_id="req-1", **more)
                for at, name in steps]

    def test_the_usual_order_is_no_finding(self):
        """B37"""
        self.assertEqual([], run(SequenceFailures, self.send(
            (0, "scheduler.select_destinations.start"),
            (1, "scheduler.select_destinations.end"),
            (2, "compute.instance.create.start"),
            (9, "compute.instance.create.end")), until=200_000))

    def test_a_step_whose_predecessor_never_came_is_a_miss(self):
        """B37"""
        found = run(SequenceFailures, self.send(
            (0, "scheduler.select_destinations.start"),
            (1, "scheduler.select_destinations.end"),
            (9, "instance.create.end")), until=200_000)
        (key, one), = found
        self.assertEqual({"request_id": "req-1"}, key)
        self.assertEqual(("missed", "create.end came without create.start "
                          "before it"), (one.outcome, one.reason))

    def test_steps_in_the_wrong_order_are_a_miss_and_a_recovery(self):
        """B37"""
        self.assertEqual(
            [("missed", 6), ("recovered", 40)], outcomes(
                self.named("delete"), self.send(
                    (1, "compute.instance.delete.end"),
                    (40, "compute.instance.delete.start")), 200_000))

    def test_clocks_may_differ_a_little(self):
        self.assertEqual([], outcomes(self.named("delete"), self.send(
            (1, "compute.instance.delete.end"),
            (4, "compute.instance.delete.start")), 200_000))
        self.assertEqual(2, len(outcomes(
            self.named("delete", tolerance=1.0), self.send(
                (1, "compute.instance.delete.end"),
                (4, "compute.instance.delete.start")), 200_000)))

    def test_another_requests_step_does_not_count(self):
        self.assertEqual([("missed", 6)], outcomes(self.named("rebuild"), [
            event("instance.rebuild.start", 0, request_id="req-2"),
            event("instance.rebuild.end", 1, request_id="req-1")], 200_000))

    def test_a_step_without_a_request_is_passed_over(self):
        self.assertEqual([], outcomes(self.named("rebuild"), [
            event("instance.rebuild.end", 1)], 200_000))

    def test_a_whole_cloud_in_order_has_no_failure(self):
        for nova_format in ("unversioned", "versioned", "both"):
            with self.subTest(format=nova_format):
                self.assertEqual([], [one.reason for _, one in run(
                    SequenceFailures, cloud(nova_format), 10 ** 6)])

    def test_a_cloud_that_lost_a_step_has_one(self):
        sent = cloud()
        lost = next(one for one in sent if one["event_type"]
                    == "compute.instance.create.start")
        sent.remove(lost)
        found = [(key["request_id"], one.reason) for key, one in run(
            SequenceFailures, sent, 10 ** 6)]
        self.assertEqual([(lost["request_id"], "create.end came without "
                           "create.start before it")], found)


class TestNeverSeenTransition(unittest.TestCase):

    def update(self, at, old, new, **more):
        (old_state, old_task), (state, task) = old, new
        return event("compute.instance.update", at, traits={
            "old_state": old_state, "old_task_state": old_task,
            "state": state, "task_state": task}, **more)

    def test_after_learning_a_new_transition_fires_once(self):
        start = ("active", None), ("active", "deleting")
        new = ("active", None), ("error", None)
        sent = [self.update(0, *start), self.update(90, *start),
                self.update(200, *start), self.update(201, *new),
                self.update(202, *new)]
        (_, found), = run(NeverSeenTransition, sent, learning_seconds=100)
        self.assertEqual("instance vm-1 did what none has done before: "
                         "active/- -> error/-", found.reason)

    def test_nothing_fires_while_it_learns(self):
        sent = [self.update(0, ("a", None), ("b", None)),
                self.update(99, ("b", None), ("c", None))]
        self.assertEqual([], run(NeverSeenTransition, sent,
                                 learning_seconds=100))

    def test_each_project_learns_by_itself(self):
        sent = [self.update(0, ("a", None), ("b", None)),
                self.update(150, ("c", None), ("b", None)),
                self.update(150, ("c", None), ("b", None),
                            project_id="b" * 32)]
        self.assertEqual([("fired", 150)], outcomes(
            NeverSeenTransition, sent, learning_seconds=100))

    def test_what_the_operator_knows_need_not_be_learnt(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "learnt.json")
            path.write_text(json.dumps({"transitions": [
                {"transition": "a/- -> b/-", "count": 7}]}))
            self.assertEqual([("fired", 2)], outcomes(
                NeverSeenTransition, [
                    self.update(1, ("a", None), ("b", None)),
                    self.update(2, ("b", None), ("a", None))],
                learning_seconds=0, known_file=str(path)))
            path.write_text("transitions: 7")
            with self.assertRaisesRegex(Misconfigured, "known_file"):
                rules(NeverSeenTransition, known_file=str(path))
        with self.assertRaisesRegex(Misconfigured, "known_file"):
            rules(NeverSeenTransition, known_file=str(path))

    def test_updates_without_a_change_are_none(self):
        for old, new in ((("active", None), ("active", None)),
                         ((None, None), ("active", "spawning"))):
            self.assertIsNone(transition(self.update(0, old, new)))

    def test_nobody_can_make_transitions_up(self):
        self.assertEqual([], run(NeverSeenTransition, [
            self.update(0, ("a", None), ("b", None), source="api")],
            learning_seconds=0))

    def test_a_whole_clouds_transitions_are_few(self):
        seen = collections.Counter(transition(one) for one in cloud()
                                   if one["event_type"].endswith(".update")
                                   and "old_state" in one["traits"])
        self.assertIn("building/networking -> building/spawning", seen)
        self.assertLess(len(seen), 20)
