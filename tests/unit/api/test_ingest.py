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

"""From a body to records: identity, time, projects, partial success."""

import datetime
import json
import re
import unittest

import hypothesis
from hypothesis import strategies
import orjson

from monasca_events_api import ingest
from monasca_events_common import errors
from monasca_events_common import event

NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.timezone.utc)
TEXT = "2026-11-22T12:00:00.000000Z"
OURS, OTHER = "a" * 32, "b" * 32
RULES = ingest.Rules(event.Limits(), 1000, datetime.timedelta(days=366),
                     re.compile("[0-9a-f]{32}"))
MEMBER = ingest.Sender(OURS)
DELEGATE = ingest.Sender(OURS, delegate=True)


def take(*items, sender=MEMBER, rules=RULES, **body):
    batch = ingest.open_json(orjson.dumps({"events": items, **body}))
    return ingest.ingest(batch, sender, rules, NOW)


def events(result):
    return [orjson.loads(record.value) for record in result.records]


def one(item, **options):
    return events(take(item, **options))[0]


class IdentityTest(unittest.TestCase):

    def test_the_clients_id_makes_the_identity_within_the_project(self):
        for name in ("event_id", "message_id"):
            found = one({"event_type": "x", name: "id-1"})
            self.assertEqual(event.event_id(OURS, "id-1"), found["event_id"])

    def test_event_id_wins_over_message_id(self):
        found = one({"event_type": "x", "event_id": "a", "message_id": "b"})
        self.assertEqual(event.event_id(OURS, "a"), found["event_id"])

    def test_events_without_an_id_are_distinct(self):
        result = take(*[{"event_type": "x"}] * 50)
        self.assertEqual(50, len(set(result.event_ids)))

    def test_the_answer_names_the_ids_in_order(self):
        result = take({"event_type": "x", "event_id": "1"}, {"bad": 1},
                      {"event_type": "x", "event_id": "2"})
        self.assertEqual([event.event_id(OURS, "1"),
                          event.event_id(OURS, "2")], result.event_ids)
        self.assertEqual(result.event_ids,
                         [e["event_id"] for e in events(result)])


class CanonicalTest(unittest.TestCase):

    def test_every_field_is_there_in_order(self):
        self.assertEqual(list(event.FIELDS), list(one({"event_type": "x"})))

    def test_defaults(self):
        found = one({"event_type": "x"})
        self.assertEqual(("INFO", "api", TEXT, TEXT, {}, {}, {}, {}),
                         (found["priority"], found["source"],
                          found["timestamp"], found["received_at"],
                          found["traits"], found["dimensions"],
                          found["payload"], found["marks"]))

    def test_the_record_is_keyed_by_the_project(self):
        record = take({"event_type": "x", "project_id": OTHER},
                      sender=DELEGATE).records[0]
        self.assertEqual(OTHER.encode(), record.key)
        self.assertEqual(b"x", record.headers["event_type"])

    def test_wrong_fields_are_named(self):
        for item, code in (
                ({"event_type": "x", "priority": 1}, "invalid_field"),
                ({"event_type": "x", "resource_id": ["a"]}, "invalid_field"),
                ({"event_type": "x", "request_id": "a" * 1025},
                 "field_too_large"),
                ({"event_type": "x" * 1025}, "field_too_large"),
                ({"event_type": "x", "event_id": 7}, "invalid_field"),
                ({"event_type": "  "}, "event_type_missing"),
                ({"event_type": 1}, "event_type_missing"),
                ({"event_type": "a\nb"}, "invalid_event_type"),
                ({"event_type": "x", "payload": []}, "invalid_payload"),
                ({"event_type": "x", "payload": "text"}, "invalid_payload"),
                ({"event_type": "x", "traits": {"a": {}}}, "invalid_traits"),
                ({"event_type": "x", "traits": {"a": 2 ** 63}},
                 "invalid_traits"),
                ({"event_type": "x", "dimensions": {"a": 1}},
                 "invalid_dimensions"),
                ({"event_type": "x", "dimensions": {
                    str(n): "" for n in range(101)}}, "too_many_dimensions"),
                ({"event_type": "x", "colour": 1}, "unknown_field"),
                ("text", "invalid_event")):
            with self.subTest(item=str(item)[:60]):
                result = take({"event_type": "good"}, item)
                self.assertEqual([(1, code)], [
                    (e["index"], e["code"]) for e in result.rejected])
                self.assertEqual(1, len(result.records))

    def test_server_set_fields_are_taken_from_delegates_only(self):
        """S12: marks such as hops cannot be forged."""
        item = {"event_type": "x", "source": "engine", "marks": {"hops": 1},
                "received_at": "2026-11-22T11:00:00Z"}
        self.assertEqual(("api", {}, TEXT), tuple(
            one(item)[name] for name in ("source", "marks", "received_at")))
        self.assertEqual(
            ("engine", {"hops": 1}, "2026-11-22T11:00:00.000000Z"),
            tuple(one(item, sender=DELEGATE)[name]
                  for name in ("source", "marks", "received_at")))


class TimeTest(unittest.TestCase):
    """R7, R9."""

    def test_an_events_own_time_is_kept(self):
        found = one({"event_type": "x", "timestamp": "2026-11-22 11:59:00"},
                    timestamp="2026-11-22T11:00:00Z")
        self.assertEqual("2026-11-22T11:59:00.000000Z", found["timestamp"])
        self.assertEqual({}, found["marks"])

    def test_the_batch_time_is_the_fallback(self):
        found = one({"event_type": "x"}, timestamp="2026-11-22T13:30:00+0200")
        self.assertEqual("2026-11-22T11:30:00.000000Z", found["timestamp"])

    def test_canonical_text_is_taken_as_it_is(self):
        text = "2026-11-22T11:59:59.123456Z"
        self.assertEqual(text, one({"event_type": "x", "timestamp": text})[
            "timestamp"])
        week = "2026-W47-7T11:59:59.123456Z"
        self.assertEqual(text, one({"event_type": "x", "timestamp": week})[
            "timestamp"])
        leap = "2026-11-22T11:59:60.000000Z"
        self.assertEqual("2026-11-22T11:59:59.000000Z", one(
            {"event_type": "x", "timestamp": leap})["timestamp"])

    def test_more_than_an_hour_off_is_marked_with_what_was_said(self):
        found = one({"event_type": "x", "timestamp": "2026-11-22T10:59:59Z"})
        self.assertEqual("2026-11-22T10:59:59.000000Z", found["timestamp"])
        self.assertEqual({"clock_skew": "2026-11-22T10:59:59Z"},
                         found["marks"])

    def test_outside_of_the_window_an_event_with_an_id_is_refused(self):
        for moment in ("2025-11-21T11:59:59Z", "2026-11-23T12:00:01Z"):
            result = take({"event_type": "x", "event_id": "1",
                           "timestamp": moment}, {"event_type": "y"})
            self.assertEqual("timestamp_out_of_window",
                             result.rejected[0]["code"])

    def test_at_the_edges_of_the_window_it_is_taken(self):
        for moment in ("2025-11-21T12:00:00Z", "2026-11-23T12:00:00Z"):
            self.assertEqual([], take({
                "event_type": "x", "event_id": "1",
                "timestamp": moment}).rejected)

    def test_without_an_id_it_gets_its_arrival(self):
        found = one({"event_type": "x", "timestamp": "1999-01-01T00:00:00Z"})
        self.assertEqual(TEXT, found["timestamp"])
        self.assertEqual("1999-01-01T00:00:00Z", found["marks"]["clock_skew"])

    def test_a_doubtful_batch_time_refuses_nothing(self):
        """The sample of the old documentation is from 2012."""
        for moment in ("2012-10-29T13:42:11Z+0200", "yesterday", {"a": 1}):
            found = one({"event_type": "x", "event_id": "1"},
                        timestamp=moment)
            self.assertEqual(TEXT, found["timestamp"])
            self.assertIn("clock_skew", found["marks"])

    def test_an_own_time_that_is_none_is_refused(self):
        with self.assertRaises(errors.Rejected):
            take({"event_type": "x", "timestamp": "soon"})

    def test_nobody_saw_it_after_now(self):
        found = one({"event_type": "x",
                     "received_at": "2027-01-01T00:00:00Z"}, sender=DELEGATE)
        self.assertEqual(TEXT, found["received_at"])


class ProjectTest(unittest.TestCase):
    """B15, S2, S4."""

    def test_a_member_may_name_its_own(self):
        self.assertEqual(OURS, one({"event_type": "x", "project_id": OURS})[
            "project_id"])

    def test_a_member_may_name_no_other(self):
        result = take({"event_type": "x", "project_id": OTHER},
                      {"event_type": "x"})
        self.assertEqual("forbidden_project", result.rejected[0]["code"])
        with self.assertRaises(errors.Forbidden):
            take({"event_type": "x", "project_id": OTHER})

    def test_a_delegate_may_name_any(self):
        found = events(take({"event_type": "x", "project_id": OTHER},
                            {"event_type": "x"}, sender=DELEGATE))
        self.assertEqual([OTHER, OURS], [e["project_id"] for e in found])

    def test_a_default_project_is_for_events_that_name_none(self):
        sender = ingest.Sender(OURS, True, OTHER)
        found = events(take({"event_type": "x", "project_id": OURS},
                            {"event_type": "x"}, sender=sender))
        self.assertEqual([OURS, OTHER], [e["project_id"] for e in found])


class OldFormTest(unittest.TestCase):

    def test_what_has_no_place_of_its_own_stays_in_the_payload(self):
        found = one({"event": {"event_type": "x", "payload": {"a": 1},
                               "extra": 2}})
        self.assertEqual({"a": 1, "extra": 2}, found["payload"])
        found = one({"event": {"event_type": "x", "extra": 2}})
        self.assertEqual({"extra": 2}, found["payload"])
        found = one({"event": {"event_type": "x", "payload": {"a": 1},
                               "a": 2}})
        self.assertEqual({"a": 1, "event.a": 2}, found["payload"])
        found = one({"event": {"event_type": "x", "payload": [1]}})
        self.assertEqual({"payload": [1]}, found["payload"])

    def test_the_context_with_its_token_is_dropped_and_named(self):
        found = one({"event": {
            "event_type": "x", "payload": {},
            "_context_auth_token": "gAAAA-secret",
            "_context_request_id": "req-1"}})
        self.assertNotIn("secret", str(found))
        self.assertEqual("req-1", found["request_id"])
        self.assertEqual({"redacted": ["_context_auth_token"]},
                         found["marks"])

    def test_scalar_dimensions_become_text(self):
        found = one({"event": {"event_type": "x"},
                     "dimensions": {"a": 1, "b": "c"}})
        self.assertEqual({"a": "1", "b": "c"}, found["dimensions"])

    def test_marks_and_source_inside_are_payload(self):
        found = one({"event": {"event_type": "x", "marks": {"hops": 9},
                               "source": "engine"}}, sender=DELEGATE)
        self.assertEqual(({}, "api"), (found["marks"], found["source"]))
        self.assertEqual({"marks": {"hops": 9}, "source": "engine"},
                         found["payload"])


class RefusalTest(unittest.TestCase):

    def test_nothing_accepted_names_the_first_and_lists_all(self):
        with self.assertRaises(ingest.NothingAccepted) as caught:
            take({"payload": {}}, {"event_type": "x", "priority": 1})
        self.assertEqual([0, 1], [e["index"]
                                  for e in caught.exception.rejected])
        self.assertIn("events[0]", str(caught.exception))

    def test_an_unknown_field_of_the_body_is_refused_in_our_form_only(self):
        with self.assertRaises(errors.Rejected):
            take({"event_type": "x"}, colour="red")
        self.assertEqual(1, len(take({"event": {"event_type": "x"}},
                                     colour="red").records))


_JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers()
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.text(max_size=20),
    lambda inner: strategies.lists(inner, max_size=4)
    | strategies.dictionaries(strategies.text(max_size=10), inner,
                              max_size=4), max_leaves=20)


class PropertyTest(unittest.TestCase):

    @hypothesis.settings(deadline=None, max_examples=150)
    @hypothesis.given(strategies.lists(strategies.dictionaries(
        strategies.sampled_from([*event.FIELDS, "message_id", "event", "z"]),
        _JSON, max_size=6), min_size=1, max_size=4))
    def test_every_event_is_accepted_or_rejected_and_never_both(self, items):
        body = json.dumps({"events": items}).encode()
        try:
            result = ingest.ingest(ingest.open_json(body), MEMBER, RULES, NOW)
        except (errors.Rejected, errors.Forbidden) as refusal:
            told = getattr(refusal, "rejected", None)
            if told is not None:
                self.assertEqual(list(range(len(items))),
                                 [entry["index"] for entry in told])
            return
        self.assertEqual(len(items),
                         len(result.records) + len(result.rejected))
        for made in events(result):
            self.assertEqual(OURS, made["project_id"])
            self.assertEqual(list(event.FIELDS), list(made))
