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


"""The truth file survives whatever cuts it off."""

import os
import tempfile
import unittest

from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic import poison
from monasca_events_agent.traffic import truth


class TestJournal(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "truth")
        self.journal = truth.Journal(self.path)
        self.addCleanup(self.journal.close)
        self.some = list(lifecycles.stream(
            1, 2, lifecycles.Options(count=50)))

    def test_what_was_sent_is_sent(self):
        one = self.some[0]
        self.journal.sending(0, one)
        self.journal.sent(0)
        found, = truth.read(self.path)
        self.assertEqual(
            (one.project_id, one.message_id, one.event_type, one.timestamp,
             one.resource_id, one.context.get("request_id"), truth.SENT, 1),
            (found.project_id, found.message_id, found.event_type,
             found.timestamp, found.resource_id, found.request_id,
             found.outcome, found.copies))

    def test_what_was_cut_off_or_failed_is_unknown(self):
        self.journal.sending(0, self.some[0])
        self.journal.sending(1, self.some[1])
        self.journal.failed(1, "OSError: gone")
        self.assertEqual([truth.UNKNOWN] * 2,
                         [one.outcome for one in truth.read(self.path)])

    def test_a_copy_that_failed_leaves_the_message_sent(self):
        for number in (0, 1):
            self.journal.sending(number, self.some[0])
        self.journal.sent(0)
        self.journal.failed(1, "OSError: gone")
        found, = truth.read(self.path)
        self.assertEqual((truth.SENT, 2), (found.outcome, found.copies))

    def test_a_line_cut_off_by_a_kill_is_left_out(self):
        self.journal.sending(0, self.some[0])
        self.journal.sent(0)
        with open(self.path, "ab") as file:
            file.write(b'{"n":1,"project_id":"4')
        self.assertEqual(1, len(truth.read(self.path)))

    def test_pairs_are_found_in_any_order(self):
        for number, one in enumerate(reversed(self.some)):
            self.journal.sending(number, one)
            self.journal.sent(number)
        self.journal.summary({"sent": len(self.some)})
        pairs = truth.pairs(truth.read(self.path))
        starts = [one for one in self.some
                  if one.span and one.span.edge == "start"]
        ends = {one.span.start_message_id: one for one in self.some
                if one.span and one.span.edge != "start"}
        self.assertEqual(len(starts), len(pairs))
        for pair in pairs:
            end = ends.get(pair.start_message_id)
            if end is None:
                self.assertEqual("never", pair.outcome)
            else:
                self.assertEqual((end.message_id, end.span.edge,
                                  end.span.duration),
                                 (pair.end_message_id, pair.outcome,
                                  pair.duration))

    def test_poison_without_an_id_is_known_by_its_marker(self):
        kind = next(kind for kind in poison.KINDS if kind.name == "not_json")
        self.journal.sending(0, poison.make(kind, 7, self.some[0], 1, "id"))
        found, = truth.read(self.path)
        self.assertIsNone(found.message_id)
        self.assertEqual(("not_json", "poison-1-7", "dead"),
                         (found.poison["kind"], found.poison["marker"],
                          found.poison["expect"]))
