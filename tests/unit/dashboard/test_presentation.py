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

import unittest

from monasca_events_dashboard import presentation

EVENT = {"event_id": "1", "event_type": "a.b", "priority": "ERROR",
         "timestamp": "2026-11-24T12:00:00.123456Z", "resource_id": None}


class PresentationTest(unittest.TestCase):

    def test_what_an_event_does_not_say_is_empty(self):
        found = presentation.shown(EVENT)
        self.assertEqual(("", "", ""), (
            found.resource_id, found.resource_type, found.publisher_id))
        self.assertEqual(123456, found.time.microsecond)

    def test_an_errors_priority_in_any_case_is_one(self):
        self.assertEqual("error", presentation.shown(EVENT).level)
        self.assertEqual("warning", presentation.shown(
            {**EVENT, "priority": "warn"}).level)
        self.assertEqual("", presentation.shown(
            {**EVENT, "priority": None}).level)

    def test_pairs_are_text_whatever_their_names(self):
        self.assertEqual(
            [("items", "x"), ("n", "1"), ("on", "true")],
            presentation.pairs({"n": 1, "items": "x", "on": True}))
        self.assertEqual([], presentation.pairs(None))

    def test_what_deceives_the_eye_is_told(self):
        """S16"""
        self.assertEqual(
            "a\\u202eb\\u0000\\u200b\\ud800\nü漢",
            presentation.visible("a\u202eb\0\u200b\ud800\nü漢"))
        self.assertIn("\\u202e", presentation.pretty({"x\u202e": 1}))

    def test_a_delivery_offers_what_the_api_does_with_its_status(self):
        """B45: what is tried again is not cancelled any more."""
        for status, again, waits in (
                ("waiting", False, True), ("pending", False, False),
                ("delivered", True, False), ("parked", True, False),
                ("cancelled", True, False)):
            found = presentation.delivery({
                "delivery_id": "1", "action": "webhook", "status": status,
                "attempts": 1, "last_error": None})
            self.assertEqual((status, again, waits), (
                found.status, found.again, found.waits))

    def test_durations_are_said_in_two_units(self):
        for seconds, text in ((0.0421, "0.0421 s"), (7.5, "7.5 s"),
                              (59.6, "1 min"), (72, "1 min 12 s"),
                              (3600, "1 h"), (90061, "1 d 1 h"),
                              (86460, "1 d")):
            self.assertEqual(text, presentation.duration(seconds))
