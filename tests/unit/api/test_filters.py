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

"""From a query string to a query."""

import types
import unittest
from urllib import parse

import hypothesis
from hypothesis import strategies

from monasca_events_api import filters
from monasca_events_common import errors
from monasca_events_common import query

LIMITS = types.SimpleNamespace(max_page=500, default_page=100)


def asked(*pairs, **options):
    return filters.parse_request(parse.urlencode(pairs), LIMITS, **options)


def terms(*pairs):
    return list(asked(*pairs).query.terms)


class TermsTest(unittest.TestCase):

    def test_a_plain_value_is_equality(self):
        self.assertEqual([query.Term("event_type", "eq", ("a.b",))],
                         terms(("event_type", "a.b")))

    def test_repeated_names_are_alternatives(self):
        self.assertEqual([query.Term("event_type", "eq", ("a", "b"))],
                         terms(("event_type", "a"), ("event_type", "b"),
                               ("event_type", "a")))

    def test_operators(self):
        self.assertEqual(
            [query.Term("event_type", "ne", ("a",)),
             query.Term("event_type", "prefix", ("a.",)),
             query.Term("resource_id", "exists", (False,))],
            terms(("event_type", "ne:a"), ("event_type", "prefix:a."),
                  ("resource_id", "exists:false")))

    def test_eq_spells_a_value_that_looks_like_an_operator(self):
        self.assertEqual([query.Term("event_type", "eq", ("gt:1",))],
                         terms(("event_type", "eq:gt:1")))

    def test_a_colon_alone_is_no_operator(self):
        self.assertEqual([query.Term("publisher_id", "eq", ("nova:c1",))],
                         terms(("publisher_id", "nova:c1")))

    def test_traits_are_compared_by_what_they_look_like(self):
        for text, values in (
                ("512", (512, "512")), ("-1.5", (-1.5, "-1.5")),
                ("true", (True, "true")), ("abc", ("abc",)),
                ("1", (1, "1")), ("1e3", (1000.0, "1e3")),
                ("2026-01-01T00:00:00Z", ("2026-01-01T00:00:00.000000Z",
                                          "2026-01-01T00:00:00Z"))):
            with self.subTest(text=text):
                found = terms(("traits.a", text))[0].values
                self.assertEqual(values, found)
                self.assertEqual([type(v) for v in values],
                                 [type(v) for v in found])

    def test_one_and_true_are_two_values(self):
        self.assertEqual((True, "true", 1, "1"), terms(
            ("traits.a", "true"), ("traits.a", "1"))[0].values)

    def test_comparisons_take_the_likelier_type(self):
        self.assertEqual([query.Term("traits.a", "gte", (512,)),
                          query.Term("traits.a", "lt", (1024,))],
                         terms(("traits.a", "gte:512"),
                               ("traits.a", "lt:1024")))


class TimeTest(unittest.TestCase):

    def test_windows_are_inclusive_below_and_exclusive_above(self):
        found = asked(("timestamp", "gte:2026-01-01T00:00:00Z"),
                      ("timestamp", "lt:2026-01-02T00:00:00Z")).query
        self.assertEqual(("2026-01-01T00:00:00.000000Z",
                          "2026-01-02T00:00:00.000000Z"),
                         (found.since, found.until))

    def test_the_other_comparisons_move_by_a_microsecond(self):
        found = asked(("timestamp", "gt:2026-01-01T00:00:00Z"),
                      ("timestamp", "lte:2026-01-02T00:00:00Z")).query
        self.assertEqual(("2026-01-01T00:00:00.000001Z",
                          "2026-01-02T00:00:00.000001Z"),
                         (found.since, found.until))

    def test_several_narrow_each_other(self):
        found = asked(("timestamp", "gte:2026-01-01T00:00:00Z"),
                      ("timestamp", "gte:2026-01-03T00:00:00Z")).query
        self.assertEqual("2026-01-03T00:00:00.000000Z", found.since)

    def test_a_plain_time_is_that_instant(self):
        found = asked(("timestamp", "2026-01-01T00:00:00Z")).query
        self.assertEqual(("2026-01-01T00:00:00.000000Z",
                          "2026-01-01T00:00:00.000001Z"),
                         (found.since, found.until))

    def test_the_end_of_time_is_refused_not_an_error(self):
        with self.assertRaises(errors.Rejected):
            asked(("timestamp", "gt:9999-12-31T23:59:59.999999Z"))


class PageTest(unittest.TestCase):

    def test_defaults(self):
        found = asked().query
        self.assertEqual((100, True, None, False), (
            found.limit, found.descending, found.marker, found.quick))

    def test_sort(self):
        self.assertFalse(asked(("sort", "timestamp:asc")).query.descending)
        self.assertTrue(asked(("sort", "timestamp:desc")).query.descending)

    def test_words_are_tokenised_as_the_store_does(self):
        self.assertEqual({"disk", "c-7.x", "c", "7", "x"},
                         set(asked(("q", "Disk"), ("q", "C-7.x")).query.words))


class RefusalTest(unittest.TestCase):

    def test_what_makes_no_sense_is_refused(self):
        for pairs in ([("colour", "red")], [("limit", "501")],
                      [("limit", "-1")], [("limit", "٣")], [("limit", "")],
                      [("limit", "1"), ("limit", "1")], [("marker", "")],
                      [("sort", "x")], [("quick", "yes")],
                      [("q", "")], [("q", "a" * 129)], [("q", "a\0")],
                      [("traits.", "1")], [("traits.a b", "1")],
                      [("traits.1a", "1")], [("dimensions.", "1")],
                      [("event_type", "gt:a")], [("payload.a", "1")],
                      [("timestamp", "prefix:2026")], [("timestamp", "x")],
                      [("project_id", "a"), ("all_projects", "true")],
                      [("traits.a", str(n)) for n in range(51)]):
            with self.subTest(pairs=pairs[0]):
                self.assertRaises(errors.Rejected, asked, *pairs)

    def test_own_parameters_are_the_resources_alone(self):
        self.assertEqual({"by": "x"}, asked(("by", "x"), own=("by",)).rest)
        self.assertRaises(errors.Rejected, asked, ("by", "x"))
        self.assertRaises(errors.Rejected, asked, ("limit", "1"),
                          paging=False)

    @hypothesis.settings(deadline=None, max_examples=300)
    @hypothesis.given(strategies.lists(strategies.tuples(
        strategies.sampled_from([
            "q", "timestamp", "traits.a", "event_type", "dimensions.a",
            "limit", "sort", "marker", "zz"]) | strategies.text(max_size=8),
        strategies.text(max_size=30) | strategies.builds(
            "{}:{}".format, strategies.sampled_from(query.OPERATORS),
            strategies.text(max_size=12)
            | strategies.floats().map(str))), max_size=5))
    def test_any_query_string_is_a_query_or_refused(self, pairs):
        try:
            text = parse.urlencode(pairs)
        except UnicodeEncodeError:
            return
        try:
            found = filters.parse_request(text, LIMITS).query
        except errors.Rejected:
            return
        for term in found.terms:
            self.assertIn(term.operator, query.OPERATORS)
            self.assertLessEqual(len(term.values), query.MAX_VALUES)


class ListingTest(unittest.TestCase):
    """Lists of other things than events."""

    def listed(self, *pairs, **options):
        return filters.parse_listing(parse.urlencode(pairs), LIMITS,
                                     **options)

    def test_only_what_the_resource_knows_is_taken(self):
        found = self.listed(("name", "a b"), ("limit", "7"),
                            ("marker", "m"), ("project_id", "p"),
                            own=("name",))
        self.assertEqual({"name": "a b"}, found.rest)
        self.assertEqual((7, "m", "p"), (
            found.query.limit, found.query.marker, found.project_id))
        for name in ("event_type", "q", "sort", "quick", "timestamp",
                     "since", "traits.a"):
            with self.subTest(name=name):
                with self.assertRaises(errors.Rejected) as caught:
                    self.listed((name, "x"), own=("name",))
                self.assertEqual("unknown_parameter", caught.exception.code)

    def test_some_names_may_be_repeated(self):
        found = self.listed(("outcome", "a"), ("outcome", "b"),
                            own=("name",), several=("outcome", "other"))
        self.assertEqual({"outcome": ("a", "b")}, found.rest)
        for pairs in ([("name", "a"), ("name", "b")],
                      [("outcome", "a\0")], [("name", "a\0")],
                      [("outcome", "a")] * (query.MAX_VALUES + 1)):
            with self.assertRaises(errors.Rejected):
                self.listed(*pairs, own=("name",), several=("outcome",))

    def test_since_and_until_narrow_as_timestamp_does(self):
        one = self.listed(("since", "2026-01-01"), ("until", "2026-01-02"),
                          own=("timestamp",))
        other = self.listed(("timestamp", "gte:2026-01-01"),
                            ("timestamp", "lt:2026-01-02"),
                            own=("timestamp",))
        self.assertEqual(one, other)
        self.assertEqual("2026-01-01T00:00:00.000000Z", one.query.since)


class SingleTest(unittest.TestCase):
    """Requests that have one parameter or none."""

    def test_none_is_none(self):
        filters.refuse("")
        with self.assertRaises(errors.Rejected):
            filters.refuse("a=b")

    def test_a_flag_is_true_or_false(self):
        for text, expected in (("", False), ("force=true", True),
                               ("force=False", False)):
            self.assertEqual(expected, filters.parse_flag(text, "force"))
        for text in ("force=1", "force", "force=true&force=true",
                     "other=true", "force=true&other=1"):
            with self.assertRaises(errors.Rejected):
                filters.parse_flag(text, "force")

    def test_seconds_are_a_number_within_bounds(self):
        for text, expected in (("", 1.0), ("wait=0", 0.0),
                               ("wait=2.5", 2.5), ("wait=10", 10.0)):
            self.assertEqual(expected, filters.parse_seconds(
                text, "wait", 1.0, 10.0))
        for text in ("wait=-1", "wait=10.1", "wait=nan", "wait=inf",
                     "wait=1e400", "wait=", "wait=1&wait=1", "x=1"):
            with self.assertRaises(errors.Rejected):
                filters.parse_seconds(text, "wait", 1.0, 10.0)
