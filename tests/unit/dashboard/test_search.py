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
from urllib import parse

from monasca_events_dashboard import search
from monasca_events_dashboard.search import Search

NOW = datetime.datetime(2026, 11, 25, 4, 0, 0, 123456,
                        datetime.timezone.utc)
HOUR = datetime.timedelta(hours=1)


class SearchTest(unittest.TestCase):

    def test_nothing_that_is_empty_is_asked(self):
        self.assertEqual({}, Search(fields={"resource_id": ""}).filters())

    def test_a_star_at_the_end_asks_for_a_beginning(self):
        found = Search(event_type="compute.*, image.create,").filters()
        self.assertEqual(["prefix:compute.", "eq:image.create"],
                         found["event_type"])
        self.assertEqual(["exists:true"],
                         Search(event_type="*").filters()["event_type"])

    def test_a_star_elsewhere_is_refused(self):
        with self.assertRaisesRegex(ValueError, "at the end only"):
            search.pattern("compute.*.end")

    def test_a_value_that_looks_like_an_operator_is_a_value(self):
        found = Search(fields={"resource_id": "prefix:x"}).filters()
        self.assertEqual("eq:prefix:x", found["resource_id"])

    def test_a_project_is_no_filter_of_a_field(self):
        found = Search(fields={"project_id": "p"}).filters()
        self.assertEqual("p", found["project_id"])

    def test_words_times_and_the_quick_look_are_the_clients_arguments(self):
        """T24"""
        asked = Search(words="no valid host", since=NOW - HOUR, until=NOW,
                       quick=True)
        self.assertEqual({"words": "no valid host", "since": NOW - HOUR,
                          "until": NOW, "quick": True}, asked.filters())

    def test_the_newest_come_first_unless_it_is_said(self):
        self.assertEqual("timestamp:desc", Search().sort())
        self.assertEqual("timestamp:asc", Search(oldest_first=True).sort())

    def test_pages_ask_the_same_whatever_the_time_is_by_then(self):
        asked = Search(range="1h", since=NOW - HOUR).fixed(NOW)
        self.assertEqual((search.BETWEEN, NOW - HOUR, NOW),
                         (asked.range, asked.since, asked.until))

    def test_an_address_says_the_whole_question_in_utc(self):
        zone = datetime.timezone(HOUR)
        asked = Search(words="a&b", event_type="x.*", quick=True,
                       fields={"priority": "ERROR"}, range=search.BETWEEN,
                       since=(NOW - HOUR).astimezone(zone), until=NOW)
        self.assertEqual(
            {"q": "a&b", "event_type": "x.*", "priority": "ERROR",
             "range": "between", "since": "2026-11-25T03:00:00.123456Z",
             "until": "2026-11-25T04:00:00.123456Z", "quick": "on"},
            dict(parse.parse_qsl(asked.query())))

    def test_a_range_that_ends_now_is_said_by_its_name(self):
        self.assertEqual("range=1h", Search(
            range="1h", since=NOW - HOUR, until=NOW).query())
