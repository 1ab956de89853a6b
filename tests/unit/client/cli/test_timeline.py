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

"""``event timeline`` as somebody types it, and how it is drawn."""

import unittest

from monasca_events_client.cli import spans
from tests.unit.client.cli.shell import ShellTest

CREATE = "compute.instance.create"


def at(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    return f"2026-11-22T10:{minutes:02}:{seconds:02}.000000Z"


class TimelineTest(ShellTest):
    """An instance with its port, an hour's silence, and a failed stop."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        vm = {"resource_id": "vm-1", "request_id": "req-1"}
        cls.site.client().events.post(
            {"timestamp": when, "event_type": kind, **fields}
            for when, kind, fields in (
                (at(0), f"{CREATE}.start", vm),
                (at(2), "port.create.start", {
                    "request_id": "req-1", "resource_id": "port-22"}),
                (at(4), "port.create.end", {
                    "request_id": "req-1", "resource_id": "port-22"}),
                (at(5), "compute.instance.update", vm),
                (at(10), f"{CREATE}.end", vm),
                ("2026-11-22T11:10:00Z", "compute.instance.power_off.start",
                 {"resource_id": "vm-1", "request_id": "req-2"}),
                ("2026-11-22T11:10:10Z", "compute.instance.power_off.error",
                 {"resource_id": "vm-1", "request_id": "req-2"})))

    def setUp(self):
        super().setUp()
        self.stored(7)

    def test_what_began_and_ended_is_a_bar(self):
        done = self.event("timeline", "vm-1", cells=100)
        self.assertEqual("resource vm-1", done.lines[0])
        self.assertEqual("2026-11-22 10:00:00 UTC, 1 h 10 min: 7 events",
                         done.lines[1])
        self.assertRegex(
            done.out, r"(?m)^10:00:00.000  compute.instance.create +━ +10 s$")
        self.assertRegex(done.out, r"(?m)port.create port-22 .* 2.0 s$")
        self.assertRegex(done.out, r"(?m)power_off +✗ +10 s, error$")
        self.assertIn("… 1 h 9 min without an event …", done.out)
        self.assertIn("compute.instance.update", done.out)
        self.assertLessEqual(max(map(len, done.lines)), 100)

    def test_a_request_s_is_shown_too(self):
        done = self.event("timeline", "req-1")
        self.assertEqual("2026-11-22 10:00:00 UTC, 10 s: 5 events",
                         done.lines[1])
        self.assertRegex(done.lines[3],
                         "^10:00:00.000  compute.instance.create vm-1 +━+ ")

    def test_options_narrow_it(self):
        for arguments, count in (
                (["vm-1", "--no-related"], 5),
                (["vm-1", "--since", "2026-11-22T11:00Z"], 2),
                (["vm-1", "--until", at(3)], 2)):
            with self.subTest(arguments=arguments):
                found = self.event("timeline", *arguments, "-f",
                                   "json").json
                self.assertEqual(count, len(found["events"]))
        for gap, count in (("2h", 0), ("1h", 1)):
            self.assertEqual(count, len(self.event(
                "timeline", "vm-1", "--gap", gap, "-f", "json").json["gaps"]))

    def test_programs_get_all_that_is_known(self):
        found = self.event("timeline", "vm-1", "-f", "json").json
        self.assertEqual("vm-1", found["resource_id"])
        self.assertEqual([CREATE, "port.create",
                          "compute.instance.power_off"],
                         [one["name"] for one in found["spans"]])

    def test_what_is_not_known_is_told(self):
        done = self.event("timeline", "vm-2", code=3)
        self.assertIn("nothing is known of resource vm-2", done.err)
        self.event("timeline", "vm-1", cloud="foreign_member", code=3)
        self.event("timeline", "vm-1", "--gap", "x", code=2)


class SpansTest(unittest.TestCase):

    def found(self, **changed) -> dict:
        return {"resource_id": "vm-1", "events": [], "spans": [], "gaps": [],
                "firings": [], "logs": [], **changed}

    def span(self, start: int | None, end: int | None, **changed) -> dict:
        return {"name": "x", "state": "complete", "outcome": "end",
                "start": None if start is None else at(start),
                "end": None if end is None else at(end),
                "seconds": None if None in (start, end) else end - start,
                "resource_id": "vm-1", "event_ids": [], **changed}

    def drawn(self, cells: int = 60, **changed) -> list[str]:
        return list(spans.draw("t", self.found(**changed), cells))[3:]

    def test_what_was_not_seen_is_marked(self):
        lines = self.drawn(spans=[
            self.span(0, 60),
            self.span(30, None, state="open", outcome=None),
            self.span(45, None, state="running", outcome=None),
            self.span(None, 15, state="unbegun")], cells=48)
        self.assertEqual([
            "10:00:00.000  x  ━━━━━━━━━━━━━━━━━━━━━  1 min",
            "10:00:15.000  x  ◀━━━━━                 no start",
            "10:00:30.000  x            ━━━━━━━━━━▶  no end",
            "10:00:45.000  x                 ━━━━━▶  running"],
            lines)

    def test_the_steps_of_an_operation_stand_below_it(self):
        lines = self.drawn(
            spans=[self.span(0, 60, name="resize", event_ids=["1", "4"],
                             steps=[self.span(0, 30, name="prepare",
                                              event_ids=["1", "2"])])],
            events=[{"event_type": "a", "timestamp": at(0), "kind": "event",
                     "event_id": "1"},
                    {"event_type": "b", "timestamp": at(30), "kind": "event",
                     "event_id": "2"}], cells=52)
        self.assertEqual([
            "10:00:00.000  resize     ━━━━━━━━━━━━━━━━━━━━  1 min",
            "10:00:00.000    prepare  ━━━━━━━━━━━           30 s"], lines)

    def test_points_of_all_sources_stand_in_one_order(self):
        lines = self.drawn(
            events=[{"event_type": "a", "timestamp": at(0), "kind": "event",
                     "event_id": "1"},
                    {"event_type": "b", "timestamp": at(9), "kind": "audit",
                     "event_id": "2"}],
            firings=[{"trigger_name": "stuck", "outcome": "missed",
                      "at": at(3)}],
            logs=[{"message": "one\ntwo", "timestamp": at(6)}])
        self.assertEqual(
            [("a", "◆"), ("stuck: missed", "●"), ("one\\u000atwo", "·"),
             ("b", "◇")],
            [(line[14:28].strip(), line.rstrip()[-1]) for line in lines])

    def test_a_metric_is_a_curve(self):
        line = self.drawn(
            cells=50, spans=[self.span(0, 100)], metrics=[{
                "name": "cpu", "unit": "%", "points": [
                    [at(n), n] for n in range(0, 101, 10)]}])[-1]
        self.assertRegex(line, "^ {14}cpu  ▁ *▂ *▂.*▇ *█  0 to 100 %$")

    def test_a_moment_alone_is_drawn(self):
        line, = self.drawn(events=[{
            "event_type": "a", "timestamp": at(0), "kind": "event",
            "event_id": "1"}], metrics=[{"name": "m", "points": [],
                                         "unit": None}])
        self.assertEqual("10:00:00.000  a  ◆", line)

    def test_it_fits_whatever_the_width(self):
        for cells in (60, 80, 132):
            for line in self.drawn(cells, spans=[
                    self.span(0, 60, name="n" * 100),
                    self.span(9, 70, name="語" * 40, outcome="error")]):
                with self.subTest(cells=cells):
                    self.assertLessEqual(spans.printable.width(line), cells)
