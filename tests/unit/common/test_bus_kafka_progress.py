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

"""What the Kafka drivers conclude from offsets, without a Kafka."""

import unittest

from monasca_events_common.bus.kafka_progress import Progress

LOGGER = "monasca_events_common.bus.kafka_progress"


class TestProgress(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.progress = Progress("topic", lambda: self.now)

    def test_records_in_a_row_are_no_gap(self):
        self.progress.assigned({0: 5, 1: None})
        with self.assertNoLogs(LOGGER):
            self.progress.received(0, 5, 8)
            self.progress.received(0, 8, 9)
            self.progress.received(1, 3, 4)
        self.assertEqual(0, self.progress.gaps)

    def test_records_removed_before_they_came_are_a_gap(self):
        """(F25)"""
        self.progress.assigned({0: 5})
        with self.assertLogs(LOGGER, "WARNING"):
            self.progress.received(0, 7, 8)
        self.assertEqual(1, self.progress.gaps)

    def test_a_topic_made_anew_is_a_gap(self):
        """(F25)"""
        self.progress.assigned({0: 500})
        with self.assertLogs(LOGGER, "WARNING"):
            self.progress.received(0, 0, 8)
        self.assertEqual(1, self.progress.gaps)

    def test_seeking_and_coming_back_are_no_gaps(self):
        self.progress.assigned({0: 5})
        self.progress.received(0, 5, 10)
        self.progress.sought(0, 2)
        self.progress.received(0, 2, 10)
        self.progress.revoked([0])
        self.progress.assigned({0: 5})
        self.progress.received(0, 5, 10)
        self.assertEqual(0, self.progress.gaps)

    def test_a_position_sought_before_the_committed_is_known_stays(self):
        self.progress.sought(0, 2)
        self.progress.assigned({0: 5})
        self.progress.received(0, 2, 10)
        self.assertEqual(0, self.progress.gaps)

    def test_standing_still_is_measured_from_the_last_movement(self):
        self.now = 20.0
        self.progress.received(0, 0, 1)
        self.now = 49.0
        self.assertFalse(self.progress.still_for(30))
        self.now = 50.0
        self.assertTrue(self.progress.still_for(30))
        self.progress.rested()
        self.assertFalse(self.progress.still_for(30))

    def test_behind_means_that_there_is_more(self):
        self.progress.assigned({0: 5, 1: None})
        self.assertTrue(self.progress.behind({0: (0, 6)}))
        self.assertFalse(self.progress.behind({0: (0, 5), 1: (3, 3)}))
        self.assertTrue(self.progress.behind({1: (3, 4)}))
        self.assertFalse(self.progress.behind({0: (9, 9)}))

    def test_lag_is_what_is_there_and_not_committed(self):
        self.progress.assigned({0: 5, 1: None, 2: 1})
        self.assertEqual({0: 3, 1: 4, 2: 2}, self.progress.lag(
            {0: (0, 8), 1: (6, 10), 2: (8, 10)}))
