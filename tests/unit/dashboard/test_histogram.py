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

from hypothesis import given
from hypothesis import strategies

from monasca_events_dashboard import histogram

DAY = datetime.timedelta(days=1)
NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.timezone.utc)


def bucket(moment, count, **groups):
    return {"start": moment.isoformat().replace("+00:00", "Z"),
            "count": count, "groups": groups}


class WidthTest(unittest.TestCase):

    def test_bars_are_as_wide_as_people_count(self):
        for span, expected in ((60, 1), (3600, 60), (86400, 1800),
                               (7 * 86400, 3 * 3600), (366 * 86400, 604800)):
            with self.subTest(span=span):
                self.assertEqual(expected, histogram.width(
                    NOON, NOON + datetime.timedelta(seconds=span)))

    @given(strategies.integers(1, 100 * 366 * 86400))
    def test_there_are_never_more_than_fit(self, seconds):
        until = NOON + datetime.timedelta(seconds=seconds)
        width = histogram.width(NOON, until)
        self.assertLessEqual(seconds, width * histogram.BARS)


class BarsTest(unittest.TestCase):

    def test_times_without_events_have_bars_too(self):
        hour = datetime.timedelta(hours=1)
        found = histogram.bars(
            {"interval": 3600, "buckets": [
                bucket(NOON, 3, INFO=3), bucket(NOON + 3 * hour, 1, INFO=1)]},
            NOON + hour / 2, NOON + 4 * hour, histogram.levels)
        self.assertEqual([3, 0, 0, 1], [one.count for one in found])
        self.assertEqual(NOON, found[0].start)
        self.assertEqual(NOON + 4 * hour, found[-1].end)
        self.assertEqual(4, histogram.total(found))

    def test_errors_and_warnings_are_told_apart(self):
        found, = histogram.bars(
            {"interval": 86400, "buckets": [bucket(
                NOON.replace(hour=0), 15, INFO=4, ERROR=2, CRITICAL=1,
                WARN=3, WARNING=5)]}, NOON, NOON + DAY / 4,
            histogram.levels)
        self.assertEqual((15, {"errors": 3, "warnings": 8}),
                         (found.count, found.parts))

    def test_firings_are_told_apart_by_outcome(self):
        found, = histogram.bars(
            {"interval": 3600, "buckets": [
                {**bucket(NOON, 3), "outcomes": {"missed": 2, "fired": 1}}]},
            NOON, NOON + DAY / 24, histogram.outcomes)
        self.assertEqual({"missed": 2, "fired": 1}, found.parts)

    def test_nothing_at_all_is_a_row_of_empty_bars(self):
        found = histogram.bars({"interval": 3600, "buckets": []}, NOON,
                               NOON + DAY, histogram.levels)
        self.assertEqual([0] * 24, [one.count for one in found])
