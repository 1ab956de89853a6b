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


"""Spans and gaps of events; B35, B36."""

import datetime
import random
import unittest

from monasca_events_api.timeline import spans
from tests.contract.store_case import at
from tests.contract.store_case import make
from tests.contract.store_case import NOON

CREATE = "compute.instance.create"


def event(kind: str, seconds: float, **fields) -> dict:
    return make(f"{kind}/{seconds}/{sorted(fields.items())}", **{
        "event_type": kind, "timestamp": at(seconds), "resource_id": "vm-1",
        "request_id": "req-1", **fields})


def found(*events: dict, age: float = 10_000) -> list[dict]:
    """Return the spans of events, as they are seen that long after noon."""
    now = NOON + datetime.timedelta(seconds=age)
    return [spans.as_json(one, now) for one in spans.pair(events)]


def brief(made: dict) -> tuple:
    return made["name"], made["state"], made["outcome"], made["seconds"]


class SpansTest(unittest.TestCase):

    def test_a_start_and_its_end_are_one_with_a_duration(self):
        begun, ended = event(f"{CREATE}.start", 1), event(f"{CREATE}.end", 8.5)
        made, = found(begun, ended)
        self.assertEqual((CREATE, "complete", "end", 7.5), brief(made))
        self.assertEqual([begun["event_id"], ended["event_id"]],
                         made["event_ids"])
        self.assertEqual((at(1), at(8.5), "vm-1", "req-1"), (
            made["start"], made["end"], made["resource_id"],
            made["request_id"]))

    def test_an_error_is_an_end_too(self):
        made, = found(event(f"{CREATE}.start", 0), event(f"{CREATE}.error", 2))
        self.assertEqual((CREATE, "complete", "error", 2.0), brief(made))

    def test_a_failure_that_another_service_tells_ends_it(self):
        made, = found(event(f"{CREATE}.start", 0),
                      event("compute_task.build_instances", 2))
        self.assertEqual((CREATE, "complete", "error", 2.0), brief(made))

    def test_one_without_an_end_runs_and_is_open_once_it_should_have_ended(
            self):
        begun = event(f"{CREATE}.start", 0)
        for age, state in ((899, "running"), (901, "open")):
            made, = found(begun, age=age)
            self.assertEqual((CREATE, state, None, None), brief(made))
            self.assertIsNone(made["end"])

    def test_an_end_that_nobody_saw_begin_is_unbegun(self):
        made, = found(event(f"{CREATE}.end", 5))
        self.assertEqual((CREATE, "unbegun", "end", None), brief(made))
        self.assertEqual((None, at(5)), (made["start"], made["end"]))

    def test_what_no_lifecycle_knows_is_paired_by_name(self):
        made, = found(event("shop.order.start", 0), event("shop.order.end", 4))
        self.assertEqual(("shop.order", "complete", "end", 4.0), brief(made))

    def steps(self, made: dict) -> list[tuple]:
        return list(map(brief, made["steps"]))

    def test_an_operation_of_several_steps_is_one_span(self):
        resize = "compute.instance.resize"
        finish = "compute.instance.finish_resize"
        events = [event(f"{resize}.prep.start", 0),
                  event(f"{resize}.prep.end", 1),
                  event(f"{resize}.start", 2), event(f"{resize}.end", 5),
                  event(f"{finish}.start", 6), event(f"{finish}.end", 9)]
        made, = found(*events)
        self.assertEqual(("instance-resize", "complete", "end", 9.0),
                         brief(made))
        self.assertEqual([(f"{resize}.prep", "complete", "end", 1.0),
                          (resize, "complete", "end", 3.0),
                          (finish, "complete", "end", 3.0)], self.steps(made))
        self.assertEqual([events[0]["event_id"], events[5]["event_id"]],
                         made["event_ids"])
        # Without its first step it is nova's migration of a disk.
        made, = found(*events[2:])
        self.assertEqual(("instance-migrate", "complete", "end", 7.0),
                         brief(made))
        self.assertEqual([resize, finish],
                         [one["name"] for one in made["steps"]])

    def test_a_step_that_fails_ends_the_whole(self):
        made, = found(event("compute.instance.resize.prep.start", 0),
                      event("compute.instance.resize.prep.end", 1),
                      event("compute.instance.resize.start", 2),
                      event("compute.instance.resize.error", 4))
        self.assertEqual(("instance-resize", "complete", "error", 4.0),
                         brief(made))
        self.assertEqual(["end", "error"],
                         [one["outcome"] for one in made["steps"]])

    def test_a_step_whose_beginning_is_missing_is_in_the_whole(self):
        made, = found(event("instance.live_migration_pre.start", 0),
                      event("instance.live_migration_pre.end", 3),
                      event("instance.live_migration_post_dest.end", 7))
        self.assertEqual(("instance-live-migrate", "complete", "end", 7.0),
                         brief(made))
        self.assertEqual(["complete", "unbegun"],
                         [one["state"] for one in made["steps"]])

    def test_a_step_alone_is_an_operation(self):
        made = found(event("compute.instance.finish_resize.start", 0),
                     event("compute.instance.finish_resize.end", 1))
        self.assertEqual([("compute.instance.finish_resize", "complete",
                           "end", 1.0)], list(map(brief, made)))

    def test_what_both_formats_tell_is_one(self):
        made, = found(event(f"{CREATE}.start", 0),
                      event("instance.create.start", 0.1),
                      event(f"{CREATE}.end", 7),
                      event("instance.create.end", 7.1))
        self.assertEqual((CREATE, "complete", "end", 7.0), brief(made))
        made, = found(
            event("compute.instance.resize.prep.start", 0),
            event("instance.resize_prep.start", 0.1),
            event("compute.instance.resize.prep.end", 1),
            event("instance.resize_prep.end", 1.1),
            event("compute.instance.resize.prep.error", 2),
            event("instance.resize_prep.error", 2.1))
        self.assertEqual(("instance-resize", "complete", "error", 2.0),
                         brief(made))
        self.assertEqual([("compute.instance.resize.prep", "complete", "end",
                           1.0)], self.steps(made)[:1])

    def test_a_failure_that_two_services_tell_is_one(self):
        made, = found(event(f"{CREATE}.start", 0),
                      event("compute_task.build_instances", 2),
                      event(f"{CREATE}.error", 2.5))
        self.assertEqual((CREATE, "complete", "error", 2.0), brief(made))

    def test_an_end_is_missed_a_beginning_only_where_it_should_be_known(self):
        """Of other things in a request, and of what has no id when it
        begins, the beginning may never have been told."""
        for one in (event("port.create.end", 3, resource_id="port-1"),
                    event("shop.order.end", 3), event("shop.order.error", 3),
                    event("volume.attach.end", 3, resource_id="vol-1",
                          related=True)):
            with self.subTest(one["event_type"]):
                self.assertEqual([], found(one))
        for one in (event("volume.attach.end", 3, resource_id="vol-1"),
                    event("instance.create.error", 3)):
            with self.subTest(one["event_type"]):
                self.assertEqual(["unbegun"], [
                    span["state"] for span in found(one)])

    def test_what_comes_after_it_was_given_up_begins_nothing(self):
        made = found(event(f"{CREATE}.start", 0),
                     event("compute.instance.delete.start", 1,
                           request_id="req-2"),
                     event(f"{CREATE}.error", 2),
                     event("compute.instance.delete.end", 3,
                           request_id="req-2"))
        self.assertEqual(["gone", "end"], [one["outcome"] for one in made])

    def test_what_goes_ends_what_was_under_way_with_it(self):
        made = found(event("compute.instance.reboot.start", 0),
                     event("compute.instance.delete.start", 5,
                           request_id="req-2"),
                     event("compute.instance.delete.end", 6,
                           request_id="req-2"))
        self.assertEqual(
            [("compute.instance.reboot", "complete", "gone", 5.0),
             ("compute.instance.delete", "complete", "end", 1.0)],
            list(map(brief, made)))

    def test_others_of_the_same_name_are_told_apart(self):
        made = found(
            event(f"{CREATE}.start", 0, resource_id="vm-1"),
            event(f"{CREATE}.start", 1, resource_id="vm-2"),
            event(f"{CREATE}.end", 5, resource_id="vm-1"),
            event(f"{CREATE}.end", 9, resource_id="vm-2"))
        self.assertEqual([("vm-1", 5.0), ("vm-2", 8.0)], [
            (one["resource_id"], one["seconds"]) for one in made])

    def test_what_has_no_id_yet_is_known_by_its_request(self):
        made, = found(event("port.create.start", 0, resource_id=None),
                      event("port.create.end", 2, resource_id="port-1"))
        self.assertEqual(("port.create", "complete", "end", 2.0), brief(made))
        self.assertEqual("port-1", made["resource_id"])

    def test_an_operation_that_is_tried_again_is_two(self):
        made = found(event(f"{CREATE}.start", 0, request_id="req-1"),
                     event(f"{CREATE}.start", 100, request_id="req-2"),
                     event(f"{CREATE}.end", 130, request_id="req-2"))
        self.assertEqual([("open", None), ("complete", 30.0)], [
            (one["state"], one["seconds"]) for one in made])

    def test_without_any_id_in_common_nothing_is_paired(self):
        made = found(
            event("a.start", 0, resource_id=None, request_id=None),
            event("a.end", 1, resource_id=None, request_id=None))
        self.assertEqual(["open"], [one["state"] for one in made])

    def test_of_any_events_each_start_is_in_one_span_and_no_end_in_two(self):
        generator = random.Random(20261125)
        for _ in range(200):
            events = [event(
                f"{generator.choice('ab')}."
                f"{generator.choice(('start', 'end', 'error', 'other'))}", n,
                resource_id=generator.choice([None, "r1", "r2"]),
                request_id=generator.choice([None, "q1", "q2"]))
                for n in range(generator.randint(0, 20))]
            made = found(*events)
            ids = [one for span in made for one in span["event_ids"]]
            self.assertEqual(len(set(ids)), len(ids))
            self.assertLessEqual(
                {one["event_id"] for one in events
                 if one["event_type"].endswith("start")}, set(ids))
            for span in made:
                self.assertNotEqual("unbegun", span["state"])
                if span["state"] == "complete":
                    self.assertGreaterEqual(span["seconds"], 0)


class GapsTest(unittest.TestCase):

    def gaps(self, *events, age=10_000, **least):
        return [(one["start"], one["end"], one["seconds"]) for one
                in spans.gaps(events, found(*events, age=age), **least)]

    def test_a_long_silence_is_a_gap(self):
        events = [event("x", n) for n in (0, 10, 500, 510)]
        self.assertEqual([(at(10), at(500), 490.0)], self.gaps(*events))

    def test_while_something_goes_on_there_is_none(self):
        self.assertEqual([], self.gaps(event(f"{CREATE}.start", 0),
                                       event(f"{CREATE}.end", 500)))

    def test_what_never_ended_covers_nothing(self):
        self.assertEqual(1, len(self.gaps(event(f"{CREATE}.start", 0),
                                          event("x", 500))))

    def test_while_something_may_still_end_there_is_none(self):
        self.assertEqual([], self.gaps(event(f"{CREATE}.start", 0),
                                       event("x", 500), age=600))

    def test_how_long_counts_may_be_said(self):
        events = [event("x", n) for n in (0, 10, 500)]
        self.assertEqual(2, len(self.gaps(*events, least=5)))
        self.assertEqual([], self.gaps(*events, least=1000))

    def test_little_and_nothing_have_none(self):
        self.assertEqual([], self.gaps())
        self.assertEqual([], self.gaps(event("x", 0), event("x", 59)))
