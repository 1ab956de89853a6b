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

"""The canonical event: identity, time, limits, words and sort order."""

import unittest

from hypothesis import given
from hypothesis import strategies as st
import orjson

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected

PROJECT = "a" * 32


def complete(**changed) -> dict:
    event = dict.fromkeys(events.FIELDS)
    event.update(event_id=events.event_id(PROJECT, "one"),
                 project_id=PROJECT, event_type="compute.instance.delete.end",
                 timestamp="2026-11-22T10:00:00.000000Z",
                 received_at="2026-11-22T10:00:01.000000Z", priority="INFO",
                 source="api", traits={}, dimensions={}, payload={}, marks={})
    return {**event, **changed}


class TestIdentity(unittest.TestCase):

    def test_the_same_message_of_a_project_has_the_same_id(self):
        self.assertEqual(events.event_id(PROJECT, "m"),
                         events.event_id(PROJECT, "m"))

    def test_another_project_cannot_take_an_events_id(self):
        self.assertNotEqual(events.event_id(PROJECT, "m"),
                            events.event_id("b" * 32, "m"))

    def test_the_id_never_changes_between_releases(self):
        # A new root would store every redelivered event twice.
        self.assertEqual("d5e0a085-a394-5b13-bc24-ed25f68d9297",
                         events.event_id(PROJECT, "m"))


class TestTime(unittest.TestCase):

    def test_every_spelling_seen_in_the_wild_is_understood(self):
        for text, expected in (
                ("2012-10-29T13:42:11Z+0200", "2012-10-29T11:42:11.000000Z"),
                ("2012-10-29T13:42:11Z+0000", "2012-10-29T13:42:11.000000Z"),
                ("2017-06-01 09:15:11.494606", "2017-06-01T09:15:11.494606Z"),
                ("2017-06-01 09:15:11", "2017-06-01T09:15:11.000000Z"),
                ("2026-11-22T11:00:00+05:30", "2026-11-22T05:30:00.000000Z"),
                ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"),
                (1700000000, "2023-11-14T22:13:20.000000Z"),
                (1700000000123, "2023-11-14T22:13:20.123000Z"),
                ("2038-01-19T03:14:08Z", "2038-01-19T03:14:08.000000Z")):
            with self.subTest(text=text):
                self.assertEqual(
                    expected, events.format_time(events.parse_time(text)))

    def test_what_is_no_time_is_rejected_with_what_was_expected(self):
        for value in ("yesterday", "", None, [], True, float("inf"), 10**30):
            with self.subTest(value=value), \
                    self.assertRaisesRegex(Rejected, "ISO 8601"):
                events.parse_time(value)


class TestLimits(unittest.TestCase):

    def test_a_payload_at_the_limits_passes(self):
        deep = {}
        for _ in range(19):
            deep = {"a": deep}
        events.record(complete(payload=deep))
        events.record(complete(payload={str(n): n for n in range(2000)}))

    def test_a_payload_beyond_a_limit_is_rejected_by_code(self):
        deep = {}
        for _ in range(20):
            deep = [deep]
        for payload, code in (({"a": deep}, "too_deep"),
                              ({str(n): n for n in range(2001)},
                               "too_many_keys"),
                              ({"a": "x" * 262144}, "event_too_large")):
            with self.subTest(code=code), \
                    self.assertRaises(Rejected) as caught:
                events.record(complete(payload=payload))
            self.assertEqual(code, caught.exception.code)

    def test_traits_are_flat_and_typed(self):
        for traits in ({"a": []}, {"a": {}}, {"a": None}, {"": 1}, [],
                       {"a b": 1}, {"a": 2**63}, {"a": "x" * 1025}):
            with self.subTest(traits=traits), \
                    self.assertRaises(Rejected) as caught:
                events.check_traits(traits)
            self.assertEqual("invalid_traits", caught.exception.code)


class TestRecord(unittest.TestCase):

    def test_the_bytes_are_the_event_and_begin_with_id_and_project(self):
        event = complete()
        record = events.record(event)
        self.assertEqual(event, orjson.loads(record.value))
        self.assertTrue(record.value.startswith(
            b'{"event_id":"%s","project_id":"%s",'
            % (event["event_id"].encode(), PROJECT.encode())))
        self.assertEqual(PROJECT.encode(), record.key)
        self.assertEqual({"event_id", "event_type", "timestamp", "schema",
                          "index"}, set(record.headers))

    def test_no_record_can_hold_a_line_break(self):
        record = events.record(complete(payload={"a": "x\ny\r\u2028"}))
        self.assertNotIn(b"\n", record.value)
        self.assertNotIn(b"\n", record.headers["index"])


class TestWords(unittest.TestCase):

    def test_a_word_is_found_whole_and_in_parts(self):
        self.assertEqual(
            {"compute-7.example.org", "compute", "7", "example", "org",
             "no", "valid", "host"},
            set(events.words(["No valid host: compute-7.example.org."])))

    def test_a_uuid_is_found_whole_only(self):
        uuid = "8b1d9b6e-1d0c-4d0e-9a6b-0f3f2f6f7c11"
        self.assertEqual([uuid], events.words([uuid.upper()]))

    @given(st.lists(st.text("aB9_.:@- \n\t\"\\/", max_size=200), max_size=4))
    def test_other_scripts_beside_them_change_no_word(self, texts):
        """ASCII goes a faster way, which must come to the same words."""
        self.assertEqual({*events.words(texts), "größe"},
                         set(events.words([*texts, "Größe"])))

    def test_a_word_that_is_too_long_is_left_out(self):
        for letter in "aä":
            most, more = letter * events.MAX_WORD, letter * 200
            with self.subTest(letter=letter):
                self.assertEqual({most, "b"}, set(events.words(
                    [f"{most} {more} b", f"{more}-b"])))

    @given(st.text(max_size=50))
    def test_the_header_has_the_words_as_json(self, text):
        event = complete(payload={"a": text})
        found = orjson.loads(events.record(event).headers["index"])["words"]
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(set(events.words([text])), set(found))

    def test_an_event_without_words_has_none(self):
        event = complete(event_type="...", publisher_id=None, traits={},
                         resource_id=None, request_id=None, payload={})
        index = orjson.loads(events.record(event).headers["index"])
        self.assertEqual([], index["words"])


class TestComparable(unittest.TestCase):

    @given(st.floats(allow_nan=False) | st.integers(-2**53, 2**53),
           st.floats(allow_nan=False) | st.integers(-2**53, 2**53))
    def test_encoded_numbers_sort_as_the_numbers_do(self, one, other):
        first, second = events.comparable(one), events.comparable(other)
        if one < other:
            self.assertLess(first, second)
        elif one == other and (one or other):
            self.assertEqual(first, second)

    def test_zero_has_one_encoding(self):
        self.assertEqual(events.comparable(0.0), events.comparable(-0.0))
        self.assertEqual(events.comparable(0), events.comparable(0.0))

    def test_types_do_not_mix(self):
        self.assertEqual(
            ["b1", "d2026-11-22T10:00:00.000000Z", "n", "s1"],
            [events.comparable(True),
             events.comparable("2026-11-22T10:00:00.000000Z"),
             events.comparable(1)[0], events.comparable("1")])
