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

import datetime
import unittest

from monasca_events_dashboard import timelines

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.timezone.utc)


def at(minute: float) -> str:
    return (NOW - datetime.timedelta(hours=1) + datetime.timedelta(
        minutes=minute)).isoformat().replace("+00:00", "Z")


def span(name, start, end, **more):
    return {"name": name, "start": start and at(start),
            "end": end and at(end), "seconds": None, "event_ids": ["e"],
            "state": "complete", "outcome": "end", **more}


def event(minute, event_type="a.b", **more):
    return {"event_id": f"e{minute}", "event_type": event_type,
            "timestamp": at(minute), "kind": "event", "related": False,
            **more}


class AxisTest(unittest.TestCase):

    def axis(self, events=(), spans=(), **more):
        return timelines.axis(
            {"events": list(events), "spans": list(spans), **more}, NOW)

    def test_where_there_is_nothing_there_is_no_axis(self):
        self.assertIsNone(self.axis())

    def test_each_operation_has_a_lane_and_two_at_once_have_two(self):
        found = self.axis(spans=[
            span("create", 1, 3), span("resize", 2, 5), span("create", 4, 6),
            span("create", 5, 7)])
        self.assertEqual(["events", "create", "resize", "create"],
                         found.lanes)
        self.assertEqual([1, 2, 1, 3], [one.lane for one in found.entries])

    def test_what_never_ended_reaches_to_the_end_and_is_an_error(self):
        found = self.axis([event(9)], [
            span("create", 1, None, state="open", outcome=None)])
        one = found.entries[0]
        self.assertEqual((found.end, "error"), (one.end, one.level))

    def test_what_goes_on_reaches_to_now(self):
        found = self.axis(spans=[
            span("create", 1, None, state="running", outcome=None)])
        self.assertEqual(NOW, found.end)
        self.assertEqual("", found.entries[0].level)

    def test_what_has_no_beginning_comes_from_the_left(self):
        found = self.axis([event(1)], [
            span("create", None, 4, state="unbegun")])
        self.assertEqual(found.start, found.entries[0].start)

    def test_a_single_moment_has_an_axis_too(self):
        found = self.axis([event(1)])
        self.assertLess(found.start, found.end)

    def test_firings_and_log_lines_have_lanes_below(self):
        found = self.axis(
            [event(1)], [span("x", 1, 2)],
            firings=[{"at": at(3), "trigger_id": "t", "firing_id": "f",
                      "trigger_name": "stuck", "outcome": "missed",
                      "reason": "no end"}],
            logs=[{"timestamp": at(4), "message": "boom", "event_id": "l",
                   "event_type": "log.line", "priority": "ERROR"}])
        self.assertEqual(["events", "x", "firings", "logs"], found.lanes)
        firing, log = found.entries[-2:]
        self.assertEqual((2, "stuck", "error", "t"), (
            firing.lane, firing.name, firing.level, firing.trigger_id))
        self.assertEqual((3, "boom", "error"),
                         (log.lane, log.text, log.level))

    def test_gaps_lie_behind_all_lanes(self):
        found = self.axis([event(1), event(50)], gaps=[
            {"start": at(1), "end": at(50), "seconds": 2940}])
        self.assertEqual(["event", "gap", "event"],
                         [one.kind for one in found.entries])
        self.assertIsNone(found.entries[1].lane)

    def test_steps_are_told_with_their_operation_and_have_no_lane(self):
        found = self.axis(spans=[span(
            "resize", 1, 5, steps=[
                span("prepare", 1, 2, seconds=60.0),
                span("finish", 3, None, state="open", outcome=None)])])
        self.assertEqual(["events", "resize"], found.lanes)
        self.assertEqual(
            [("prepare", "complete", "end", 60.0),
             ("finish", "open", "", None)],
            [(one.name, one.state, one.outcome, one.seconds)
             for one in found.entries[0].steps])

    def test_everything_is_in_the_order_of_time(self):
        found = self.axis([event(3), event(2), event(1)],
                          [span("x", 2, 3)])
        self.assertEqual(["event", "span", "event", "event"],
                         [one.kind for one in found.entries])


class RestTest(unittest.TestCase):

    def test_of_many_points_of_a_metric_some_are_drawn(self):
        points = [[at(number / 60), number] for number in range(1700)]
        found, = timelines.metrics({"metrics": [
            {"name": "cpu", "points": points},
            {"name": "none", "points": [[at(1), None]]}]})
        self.assertLessEqual(len(found["points"]), 500)
        self.assertEqual((0, 1699, 1699), (
            found["least"], found["greatest"], found["last"]))

    def test_sources_that_failed_are_named(self):
        self.assertEqual([("firings", "away")], timelines.failures(
            {"sources": {"events": {"error": None},
                         "firings": {"error": "away"}}}))
