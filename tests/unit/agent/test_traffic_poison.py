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


"""The corpus of malformed messages (F12)."""

import json
import unittest

from monasca_events_agent.traffic import canaries
from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic import poison


class TestPoison(unittest.TestCase):

    def setUp(self):
        self.like = next(lifecycles.stream(1, 1))
        self.all = [poison.make(kind, number, self.like, 1, "a-message-id")
                    for number, kind in enumerate(poison.KINDS)]

    def test_there_are_at_least_twenty_kinds_with_names_of_their_own(self):
        self.assertGreaterEqual(len({kind.name for kind in poison.KINDS}), 20)
        self.assertEqual(len(poison.KINDS),
                         len({kind.name for kind in poison.KINDS}))

    def test_each_can_be_recognised_by_its_marker(self):
        for one in self.all:
            with self.subTest(kind=one.kind):
                self.assertIn(one.marker.encode(), one.body)
                if one.line is not None:
                    self.assertIn(one.marker.encode(), one.line)

    def test_a_line_is_one_line(self):
        for one in self.all:
            with self.subTest(kind=one.kind):
                self.assertNotIn(b"\n", one.line or b"")

    def test_what_must_be_stored_is_an_envelope_with_an_object(self):
        for one in self.all:
            if one.expect == "stored":
                with self.subTest(kind=one.kind):
                    message = json.loads(
                        json.loads(one.body)["oslo.message"])
                    self.assertIsInstance(message, dict)

    def test_a_dead_kind_names_its_code(self):
        for kind in poison.KINDS:
            with self.subTest(kind=kind.name):
                self.assertEqual(kind.expect == "dead",
                                 kind.code is not None)

    def test_a_share_is_mixed_in_after_notifications_of_its_lifecycle(self):
        stream = lifecycles.stream(1, 2, lifecycles.Options(count=2000))
        mixed = list(poison.mixed(stream, 0.1, 1))
        found = [place for place, item in enumerate(mixed)
                 if isinstance(item, poison.Poison)]
        self.assertTrue(150 < len(found) < 250)
        for place in found:
            self.assertEqual(mixed[place - 1].life, mixed[place].life)
        self.assertEqual({kind.name for kind in poison.KINDS},
                         {mixed[place].kind for place in found})

    def test_a_file_gets_only_what_a_line_can_be(self):
        stream = lifecycles.stream(1, 2, lifecycles.Options(count=500))
        for item in poison.mixed(stream, 0.5, 1, in_file=True):
            if isinstance(item, poison.Poison):
                self.assertIsNotNone(item.line)

    def test_with_canaries_it_carries_a_token(self):
        # S14 applies to dead letters as well.
        stream = lifecycles.stream(1, 2, lifecycles.Options(count=500))
        kinds = {item.kind for item in
                 poison.mixed(stream, 0.5, 1, canaries=True)
                 if isinstance(item, poison.Poison)
                 and canaries.words(item.body)}
        self.assertLess({"cut_short", "event_type_number", "nul"}, kinds)
