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


"""The checker is itself checked: every seeded fault must turn it red."""

import dataclasses
import json
import os
import random
import tempfile
import unittest

import orjson

from monasca_events_agent.traffic import checker
from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic import poison
from monasca_events_agent.traffic import truth
from monasca_events_common.event import event_id
from monasca_events_common.event import format_time
from monasca_events_common.event import parse_time

OPERATOR = "f" * 32


@dataclasses.dataclass
class Letter:
    raw: bytes
    code: str


def stored(notification):
    """What a faithful pipeline stores of a notification."""
    project_id = notification.project_id or OPERATOR
    return project_id, {
        "event_id": event_id(project_id, notification.message_id),
        "project_id": project_id, "event_type": notification.event_type,
        "timestamp": format_time(parse_time(notification.timestamp)),
        "resource_id": notification.resource_id,
        "request_id": notification.context.get("request_id"),
        "payload": dict(notification.payload)}


class TestChecker(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "truth")
        options = lifecycles.Options(count=300, duplicates=0.1, shuffle=20)
        self.items = list(poison.mixed(
            lifecycles.stream(5, 3, options), 0.15, 5))
        journal = truth.Journal(self.path)
        for number, item in enumerate(self.items):
            journal.sending(number, item)
            journal.sent(number)
        journal.close()
        self.found, self.dead = [], []
        for item in self.items:
            if isinstance(item, poison.Poison):
                self._end(item)
            elif item.copy == 1:
                self.found.append(stored(item))

    def _end(self, item):
        """Let poison meet the end that its kind deserves."""
        if item.expect == "stored":
            owner = item.project_id or OPERATOR
            name = item.message_id or "minted"
            self.found.append((owner, {
                "event_id": event_id(owner, name), "project_id": owner,
                "event_type": "compute.instance.update",
                "timestamp": "2026-01-01T00:00:00.000000Z",
                "payload": {"marker": item.marker}}))
        else:
            self.dead.append(Letter(item.body, item.code or "any"))

    def check(self, **options):
        return checker.check(self.path, self.found, self.dead,
                             operator_project_id=OPERATOR, **options)

    def assert_red(self, fault, report=None):
        report = report or self.check()
        self.assertFalse(report.ok)
        self.assertIn(fault, report.faults)
        self.assertIn("NOT ok", report.text())
        self.assertFalse(json.loads(report.json())["ok"])

    def test_a_faithful_store_is_green(self):
        report = self.check()
        self.assertTrue(report.ok, report.text())
        self.assertEqual(report.sent, report.stored + report.dead)
        self.assertGreater(report.dead, 5)
        self.assertGreater(report.repetitions, 10)

    def test_events_may_be_canonical_bytes(self):
        self.found = [(project, orjson.dumps(event))
                      for project, event in self.found]
        self.assertTrue(self.check().ok)

    def test_one_dropped_is_lost(self):
        for seed in range(20):
            with self.subTest(seed=seed):
                self.setUp()
                self.found.pop(random.Random(seed).randrange(
                    len(self.found)))
                self.assert_red("lost")

    def test_one_more_copy_is_twice(self):
        for seed in range(20):
            with self.subTest(seed=seed):
                self.setUp()
                self.found.append(random.Random(seed).choice(self.found))
                self.assert_red("twice")

    def test_one_in_another_project_is_foreign(self):
        # As it is, with the project rewritten, and with a new id as well.
        sound = [place for place, item in enumerate(
            [event for _, event in self.found]) if "marker" not in
            item["payload"]]
        other = "e" * 32
        for how in ("index", "field", "id"):
            for seed in range(5):
                with self.subTest(how=how, seed=seed):
                    self.setUp()
                    place = random.Random(seed).choice(sound)
                    _, event = self.found[place]
                    moved = dict(event)
                    if how != "index":
                        moved["project_id"] = other
                    if how == "id":
                        item = next(
                            one for one in self.items
                            if not isinstance(one, poison.Poison)
                            and stored(one)[1]["event_id"]
                            == event["event_id"])
                        moved["event_id"] = event_id(other, item.message_id)
                    self.found[place] = other, moved
                    self.assert_red("foreign")

    def test_what_nobody_sent_is_strange_unless_allowed(self):
        project, event = self.found[0]
        self.found.append((project, {
            **event, "event_id": event_id(project, "made up")}))
        self.assert_red("strange")
        self.assertTrue(self.check(others=True).ok)

    def test_a_dead_letter_of_what_is_stored_is_both(self):
        one = next(item for item in self.items
                   if not isinstance(item, poison.Poison))
        wire = json.dumps({"oslo.message": json.dumps(one.message())})
        self.dead.append(Letter(wire.encode(), "any"))
        self.assert_red("both")

    def test_a_sound_message_that_is_dead_is_buried_unless_allowed(self):
        one = next(item for item in self.items
                   if not isinstance(item, poison.Poison))
        self.found.remove(stored(one))
        for letter in (one.message_id, json.dumps(one.message()).encode(),
                       orjson.dumps(stored(one)[1])):
            with self.subTest(letter=type(letter)):
                dead = [*self.dead, letter]
                report = checker.check(self.path, self.found, dead,
                                       operator_project_id=OPERATOR)
                self.assert_red("buried", report)
                self.assertEqual(report.sent, report.stored + report.dead)
                report = checker.check(self.path, self.found, dead,
                                       operator_project_id=OPERATOR,
                                       graves=True)
                self.assertTrue(report.ok, report.text())

    def test_another_type_time_resource_or_request_is_altered(self):
        place = next(place for place, (_, event) in enumerate(self.found)
                     if event.get("resource_id") and event.get("request_id"))
        for change in ({"event_type": "compute.instance.exists.not"},
                       {"timestamp": "2026-01-01T00:00:00.000009Z"},
                       {"resource_id": "another"}, {"resource_id": None},
                       {"request_id": "req-another"}, {"request_id": None}):
            with self.subTest(change=change):
                self.setUp()
                project, event = self.found[place]
                self.found[place] = project, {**event, **change}
                self.assert_red("altered")

    def test_what_the_truth_does_not_name_may_be_found(self):
        place = next(place for place, (_, event) in enumerate(self.found)
                     if event.get("request_id", "") is None)
        project, event = self.found[place]
        self.found[place] = project, {**event, "request_id": "req-1"}
        self.assertTrue(self.check().ok)

    def test_poison_with_the_wrong_fate_is_misjudged(self):
        self.dead[0] = Letter(self.dead[0].raw, "another_code")
        self.assert_red("misjudged")
        dead = next(item for item in self.items
                    if isinstance(item, poison.Poison)
                    and item.expect == "dead")
        self.setUp()
        self.dead = [letter for letter in self.dead
                     if letter.raw != dead.body]
        self.found.append((OPERATOR, {
            "event_id": event_id(OPERATOR, "x"), "event_type": "x",
            "timestamp": "", "payload": {"was": dead.marker}}))
        self.assert_red("misjudged")

    def test_what_may_not_have_been_sent_may_be_missing_or_found(self):
        journal = truth.Journal(self.path)
        more = list(lifecycles.stream(6, 3, lifecycles.Options(count=2)))
        for number, item in enumerate(more):
            journal.sending(number, item)
        journal.close()
        self.found.append(stored(more[0]))
        report = self.check()
        self.assertTrue(report.ok, report.text())
        self.assertEqual(2, report.unknown)

    def test_what_a_policy_drops_is_not_lost(self):
        def is_exists(expected):
            return bool(expected.event_type) and \
                expected.event_type.startswith("port.")

        self.found = [(project, event) for project, event in self.found
                      if not event["event_type"].startswith("port.")]
        self.assert_red("lost")
        report = self.check(dropped=is_exists)
        self.assertTrue(report.ok, report.text())
        self.assertGreater(report.dropped, 10)
