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
import re
import unittest

import hypothesis
from hypothesis import strategies

from monasca_events_common import errors
from monasca_events_common import event
from monasca_events_common.store import periods

HEX = re.compile("[0-9a-f]{32}")

moments = strategies.datetimes(
    min_value=datetime.datetime(1970, 1, 1),
    max_value=datetime.datetime(2099, 12, 31, 23, 59, 59)) \
    .map(event.format_time)


class TestPeriods(unittest.TestCase):

    def test_an_index_is_named_by_the_events_own_time(self):
        """R7, T22, T23"""
        for period, expected in (("day", "2026.11.22"), ("week", "2026.w47"),
                                 ("month", "2026.11"), ("year", "2026.y")):
            self.assertEqual(
                f"events-{'a' * 32}-{expected}",
                periods.index_name("events", "a" * 32,
                                   "2026-11-22T23:59:59.999999Z", period))

    def test_a_period_begins_at_midnight_and_ends_where_the_next_begins(self):
        for period, first, past in (
                ("day", "2026-12-31", "2027-01-01"),
                ("week", "2026-12-28", "2027-01-04"),
                ("month", "2026-12-01", "2027-01-01"),
                ("year", "2026-01-01", "2027-01-01")):
            self.assertEqual(
                (f"{first}T00:00:00.000000Z", f"{past}T00:00:00.000000Z"),
                periods.bounds("2026-12-31T23:00:00.000000Z", period))

    def test_a_week_of_two_years_has_the_name_of_its_iso_year(self):
        self.assertEqual("2026.w53", periods.label(
            "2027-01-01T00:00:00.000000Z", "week"))

    @hypothesis.given(moments, strategies.sampled_from(periods.PERIODS))
    def test_a_label_says_the_bounds_of_its_period(self, moment, period):
        """T25: what may be dropped is read from the name."""
        label = periods.label(moment, period)
        first, past = periods.bounds(moment, period)
        self.assertEqual((first, past), periods.span(label))
        self.assertLessEqual(first, moment)
        self.assertLess(moment, past)
        name = periods.index_name("events", "a-b", moment, period)
        self.assertEqual(label, periods.label_of(name))

    @hypothesis.given(moments, moments,
                      strategies.sampled_from(periods.PERIODS))
    def test_labels_sort_as_their_periods_do(self, one, other, period):
        """T24: the newest index is the last one by name."""
        if periods.bounds(one, period)[0] < periods.bounds(other, period)[0]:
            self.assertLess(periods.label(one, period),
                            periods.label(other, period))

    @hypothesis.given(moments)
    def test_microseconds_and_text_are_one_another(self, moment):
        self.assertEqual(moment,
                         periods.timestamp(periods.microseconds(moment)))

    def test_a_name_that_is_no_label_has_no_span(self):
        for name in ("", "2026", "2026.13", "2026.11.31", "2026.w54", "x",
                     "2026.11.22.write", "2026.y.write", "2026-11", "pool",
                     "2026.11\n"):
            self.assertIsNone(periods.span(name), name)

    def test_times_that_cannot_be_stored_are_rejected(self):
        for moment in ("", "today", "2026-11-22", "2026-11-22T00:00:00Z",
                       "2026-11-22T00:00:00.000000+00:00",
                       "2026-02-30T00:00:00.000000Z",
                       "1969-12-31T23:59:59.999999Z",
                       "2100-01-01T00:00:00.000000Z", None, 5,
                       "2026-11-22T00:00:00.000000Z\n"):
            for call in (periods.storable,
                         lambda text: periods.label(text, "day"),
                         lambda text: periods.bounds(text, "year")):
                with self.assertRaises(errors.Rejected) as caught:
                    call(moment)
                self.assertEqual("invalid_timestamp", caught.exception.code)


class TestSlug(unittest.TestCase):

    def test_a_project_id_is_its_own_slug(self):
        self.assertEqual("0f" * 16, periods.slug("0f" * 16, HEX))

    def test_nothing_else_becomes_part_of_a_name(self):
        """S4"""
        anything = re.compile(".*", re.DOTALL)
        for project_id in ("../x", "*", "_all", "a,b", ".security", "-x",
                           "<x-{now/d}>", "UPPER", "a" * 300, "☃", "a b",
                           "a\r\nb", "", "pool", "a.b", None, 5, b"a"):
            for expression in (HEX, anything):
                with self.assertRaises(errors.Rejected) as caught:
                    periods.slug(project_id, expression)
                self.assertEqual("invalid_project_id", caught.exception.code)

    def test_the_expression_has_to_match_as_a_whole(self):
        with self.assertRaises(errors.Rejected):
            periods.slug("0f" * 16 + "\n", HEX)
        with self.assertRaises(errors.Rejected):
            periods.slug("0f" * 17, HEX)

    def test_an_expression_that_is_none_is_a_misconfiguration(self):
        with self.assertRaises(errors.Misconfigured):
            periods.slug_expression("[")
