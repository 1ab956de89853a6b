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

"""What every store does, on whatever driver: mixed into a driver's test case.

A test case sets ``self.store`` in setUp and may override ``refresh``, which
returns once what was written can be searched.
"""

import datetime
import itertools

import orjson

from monasca_events_common import errors
from monasca_events_common import event
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store import ALL
from monasca_events_common.store import Bucket
from monasca_events_common.store import Document
from monasca_events_common.store import Trait

OURS = "0a" * 16
THEIRS = "0b" * 16

NOON = datetime.datetime(2026, 11, 18, 12, tzinfo=datetime.timezone.utc)


def at(seconds: float = 0, days: float = 0) -> str:
    """Return canonical text of a time after noon of the tests' day."""
    return event.format_time(
        NOON + datetime.timedelta(days=days, seconds=seconds))


def make(source_id: str, project_id: str = OURS, **fields) -> dict:
    """Return a complete canonical event."""
    made = dict.fromkeys(event.FIELDS)
    made.update(
        event_id=event.event_id(project_id, source_id),
        project_id=project_id, event_type="compute.instance.create.end",
        timestamp=at(), received_at=at(1), publisher_id="compute.node-1",
        priority="INFO", source="notification", traits={}, dimensions={},
        payload={}, marks={})
    made.update(fields)
    return made


def document(made: dict) -> Document:
    """Return the document of an event, the way the persister makes it."""
    record = event.record(made)
    return Document(
        project_id=record.key.decode(),
        event_id=record.headers["event_id"].decode(),
        event_type=record.headers["event_type"].decode(),
        timestamp=record.headers["timestamp"].decode(),
        value=record.value, index=record.headers["index"])


def names(page) -> list[str]:
    """Return the ``name`` of each event's payload."""
    return [orjson.loads(value)["payload"]["name"] for value in page.events]


class StoreContract:
    """The behaviour of a store."""

    def refresh(self) -> None:
        """Return once everything written is searchable."""

    def put(self, *events: dict):
        result = self.store.write([document(made) for made in events])
        self.refresh()
        return result

    def named(self, name: str, **fields) -> dict:
        """Return an event that ``names`` shows by its name."""
        return make(name, payload={"name": name}, **fields)

    def found(self, *terms: Term, project_id=OURS, **query) -> set[str]:
        query.setdefault("limit", 100)
        return set(names(self.store.search(
            project_id, Query(terms=terms, **query))))

    def assert_rejected(self, code: str, call, *arguments) -> None:
        with self.assertRaises(errors.Rejected) as caught:
            call(*arguments)
        self.assertEqual(code, caught.exception.code)

    # Writing

    def test_an_event_comes_back_byte_for_byte(self):
        """B22, B23"""
        made = make(
            "bytes", traits={"size": 1.0, "huge": 1e300, "many": 2 ** 62},
            dimensions={"rack": "r1"},
            payload={"nova_object.data": {"ü": ["☃", None, True, 1e22, -0.0]},
                     "zeta": 1, "alpha": {"b": 2, "a": 1}, "index": "mine"},
            marks={"redacted": ["payload.password"]})
        value = event.record(made).value
        self.put(made)
        self.assertEqual(value, self.store.get(OURS, made["event_id"]))
        self.assertEqual((value,),
                         tuple(self.store.search(OURS, Query()).events))

    def test_a_repeat_is_counted_and_kept_once(self):
        """Section 2.2 of reliability.md; F19"""
        first = self.put(self.named("a"), self.named("b"))
        again = self.put(self.named("b"), self.named("c"), self.named("a"))
        self.assertEqual((2, 0), (first.stored, first.repeated))
        self.assertEqual((1, 2), (again.stored, again.repeated))
        self.assertEqual(["a", "b", "c"],
                         sorted(names(self.store.search(OURS, Query()))))

    def test_a_repeat_within_one_batch_is_a_repeat(self):
        result = self.put(self.named("a"), self.named("a"))
        self.assertEqual((1, 1, 0), (result.stored, result.repeated,
                                     len(result.rejected)))

    def test_the_same_id_in_two_projects_is_two_events(self):
        """S1: nobody takes the identity of another's event."""
        ours = self.named("ours")
        theirs = self.named("theirs", project_id=THEIRS)
        theirs["event_id"] = ours["event_id"]
        result = self.put(ours, theirs)
        self.assertEqual(2, result.stored)
        self.assertEqual({"ours"}, self.found())
        self.assertEqual({"theirs"}, self.found(project_id=THEIRS))

    def test_an_event_that_can_never_be_stored_does_not_hold_up_others(self):
        """F12: poison never blocks."""
        good, bad = document(self.named("good")), document(self.named("bad"))
        poison = [
            Document(OURS, bad.event_id, "t", at(), value, index)
            for value, index in ((b"{\xff}", bad.index), (b"[]", bad.index),
                                 (b"", bad.index), (b"{}x", bad.index),
                                 (b"null", bad.index), (bad.value, b"{"),
                                 (bad.value[:-1], bad.index))]
        poison.append(Document(OURS, bad.event_id, "t", "yesterday",
                               bad.value, bad.index))
        poison.append(Document(OURS, bad.event_id, "t",
                               "2312-01-01T00:00:00.000000Z",
                               bad.value, bad.index))
        result = self.store.write([*poison[:3], good, *poison[3:]])
        self.refresh()
        self.assertEqual((1, 0), (result.stored, result.repeated))
        self.assertEqual([0, 1, 2, 4, 5, 6, 7, 8, 9],
                         sorted(one.position for one in result.rejected))
        for one in result.rejected:
            self.assertTrue(one.code and one.reason)
            self.assertNotIn("bad", one.reason)
        self.assertEqual({"good"}, self.found())

    def test_an_empty_batch_is_written_at_once(self):
        result = self.store.write([])
        self.assertEqual((0, 0, 0), (result.stored, result.repeated,
                                     len(result.rejected)))

    def test_payloads_of_clashing_shapes_live_side_by_side(self):
        """R6: one tenant's payload cannot spoil another's mapping."""
        shapes = [1, "text", None, [], {"a": {"b": 1}}, {"a": "scalar"},
                  {"a": 2 ** 63}, {"": 1}, {"a.b": {"c": [1, "x", {}]}}]
        result = self.put(*(
            make(str(number), payload={"name": str(number), "body": shape},
                 project_id=project)
            for number, shape in enumerate(shapes)
            for project in (OURS, THEIRS)))
        self.assertEqual(2 * len(shapes), result.stored)
        self.assertEqual(len(shapes), len(self.found()))

    # Reading one

    def test_an_unknown_event_is_not_found(self):
        with self.assertRaises(errors.NotFound):
            self.store.get(OURS, "no-such-event")
        with self.assertRaises(errors.NotFound):
            self.store.get(OURS, "x" * 2000)

    def test_anothers_event_is_not_found(self):
        """S1"""
        theirs = self.named("theirs", project_id=THEIRS)
        self.put(theirs, self.named("ours"))
        with self.assertRaises(errors.NotFound):
            self.store.get(OURS, theirs["event_id"])
        self.assertEqual(event.record(theirs).value,
                         self.store.get(ALL, theirs["event_id"]))

    def test_an_event_is_found_by_id_in_whatever_period_it_lies(self):
        """T21"""
        events = [self.named(str(days), timestamp=at(days=days))
                  for days in (-400, -40, 0)]
        self.put(*events)
        for made in events:
            self.assertEqual(event.record(made).value,
                             self.store.get(OURS, made["event_id"]))

    # Listing

    def test_the_newest_event_comes_first(self):
        self.put(self.named("b", timestamp=at(0.000001)),
                 self.named("d", timestamp=at(days=40)),
                 self.named("a", timestamp=at(0)),
                 self.named("c", timestamp=at(1)))
        self.assertEqual(["d", "c", "b", "a"],
                         names(self.store.search(OURS, Query())))
        self.assertEqual(["a", "b", "c", "d"], names(
            self.store.search(OURS, Query(descending=False))))

    def test_a_project_without_events_has_an_empty_page(self):
        page = self.store.search(OURS, Query(words=["x"]))
        self.assertEqual((0, None), (len(page.events), page.marker))
        quick = self.store.search(OURS, Query(quick=True))
        self.assertEqual((0, None), (len(quick.events), quick.marker))

    def test_pages_joined_hold_every_event_once(self):
        """Equal timestamps and both directions, over several periods."""
        events = [self.named(f"{day}-{number}", timestamp=at(days=day))
                  for day in (0, 35, 70) for number in range(5)]
        self.put(*events, self.named("theirs", project_id=THEIRS))
        for descending, words in itertools.product(
                (True, False), ((), ("compute",))):
            seen, marker = [], None
            while True:
                page = self.store.search(OURS, Query(
                    limit=4, marker=marker, descending=descending,
                    words=words))
                seen += names(page)
                marker = page.marker
                if marker is None:
                    break
                self.assertEqual(4, len(page.events))
            days = [int(name.split("-")[0]) for name in seen]
            self.assertEqual(sorted(days, reverse=descending), days)
            self.assertEqual(15, len(seen))
            self.assertEqual(15, len(set(seen)))

    def test_the_last_full_page_has_no_marker(self):
        self.put(self.named("a"), self.named("b"))
        self.assertIsNone(self.store.search(OURS, Query(limit=2)).marker)

    def test_events_stored_meanwhile_do_not_disturb_the_pages(self):
        self.put(*(self.named(str(number), timestamp=at(number))
                   for number in range(4)))
        first = self.store.search(OURS, Query(limit=2))
        self.put(self.named("new", timestamp=at(60)))
        second = self.store.search(OURS, Query(limit=2, marker=first.marker))
        self.assertEqual(["3", "2", "1", "0"], names(first) + names(second))

    def test_a_marker_that_nobody_gave_is_rejected(self):
        """S1"""
        for marker in ("", "!", "zzz", "W10=", "bnVsbA==", "-1", "1g999",
                       "f" * 400, "e30=", "☃", "W3siYSI6MX1d"):
            self.assert_rejected("invalid_marker", self.store.search, OURS,
                                 Query(marker=marker))

    def test_a_marker_of_another_project_shows_nothing_of_it(self):
        """S1"""
        self.put(*(self.named(str(number), project_id=THEIRS)
                   for number in range(3)), self.named("ours"))
        marker = self.store.search(THEIRS, Query(limit=1)).marker
        for descending in (True, False):
            self.assertLessEqual(self.found(marker=marker,
                                            descending=descending), {"ours"})

    def test_times_are_bounded_to_the_microsecond(self):
        self.put(*(self.named(str(number), timestamp=at(number / 1_000_000))
                   for number in range(5)))
        self.assertEqual({"1", "2"}, self.found(
            since=at(0.000001), until=at(0.000003)))
        self.assertEqual(set(), self.found(since=at(1), until=at(1)))
        self.assertEqual({"3", "4"}, self.found(
            since=at(0.000003), until="9999-12-31T00:00:00.000000Z"))
        self.assert_rejected("invalid_timestamp", self.store.search, OURS,
                             Query(since="today"))

    def test_more_events_of_one_microsecond_than_slots_stay_in_time(self):
        """Senders without fractions put a second's events on one instant."""
        events = [make(f"same-{number}", payload={"name": str(number)},
                       timestamp=at(3599.999999)) for number in range(2200)]
        for begin in range(0, 2200, 1100):
            self.put(*events[begin:begin + 1100])
        self.put(self.named("later", timestamp=at(3600)))
        counted = self.store.aggregate(OURS, Query(), None, 3600)
        self.assertEqual([(at(0), 2200), (at(3600), 1)],
                         [(one.start, one.count) for one in counted.buckets])
        within = Query(since=at(0), until=at(3600), limit=1500)
        first = self.store.search(OURS, within)
        second = self.store.search(OURS, Query(
            since=at(0), until=at(3600), limit=1500, marker=first.marker))
        self.assertEqual(2200, len(set(names(first) + names(second))))
        self.assertEqual({"later"}, self.found(since=at(3600)))
        self.assertEqual(2200, self.put(*events).repeated)

    def test_a_quick_search_sees_the_newest_period_only(self):
        """T24"""
        self.put(self.named("old", timestamp=at(days=-40)),
                 self.named("new"), self.named("new-too"),
                 self.named("theirs", timestamp=at(days=40),
                            project_id=THEIRS))
        self.assertEqual({"new", "new-too"}, self.found(quick=True))
        self.assertEqual({"new", "new-too"},
                         self.found(quick=True, words=("compute",)))
        self.assertEqual({"theirs"}, self.found(quick=True, project_id=ALL))

    # Isolation

    def test_every_call_stays_within_its_project(self):
        """S1, D13, D17: what another project has shows nowhere."""
        theirs = self.named(
            "theirs", project_id=THEIRS, event_type="secret.type",
            resource_id="r-theirs", traits={"secret": 1},
            dimensions={"secret": "d"})
        self.put(theirs)
        for query in (
                Query(), Query(words=("theirs",)), Query(quick=True),
                Query(terms=[Term("event_id", "eq", [theirs["event_id"]])]),
                Query(terms=[Term("resource_id", "eq", ["r-theirs"])]),
                Query(terms=[Term("resource_id", "ne", ["x"])]),
                Query(terms=[Term("traits.secret", "gte", [0])]),
                Query(terms=[Term("traits.secret", "exists", [True])]),
                Query(terms=[Term("dimensions.secret", "prefix", ["d"])])):
            self.assertEqual(
                0, len(self.store.search(OURS, query).events), query)
            self.assertEqual(
                0, len(self.store.aggregate(
                    OURS, query, "event_type", 60).buckets), query)
            self.assertEqual(
                1, len(self.store.search(THEIRS, query).events), query)
            self.assertEqual(
                1, len(self.store.search(ALL, query).events), query)
        self.assertEqual(0, len(self.store.traits(OURS, None)))
        self.assertEqual(0, self.store.purge(OURS, at(days=400)))
        self.assertEqual({"theirs"}, self.found(project_id=THEIRS))

    def test_a_project_id_is_never_a_pattern(self):
        """S4, S6"""
        self.put(self.named("ours"))
        for project_id in ("*", "_all", "%", "_" * 32, OURS + "," + THEIRS,
                           "", "../" + OURS, OURS[:-1] + "*", "-" + OURS,
                           OURS.upper(), "<x-{now/d}>", "' OR 1=1 --",
                           "pool", OURS + "\n", "☃" * 32, "a" * 300):
            self.assertEqual(set(), self.found(project_id=project_id))
            self.assertEqual((), tuple(self.store.traits(project_id, None)))
            self.assertEqual(0, self.store.purge(project_id, at(days=400)))
            with self.assertRaises(errors.NotFound):
                self.store.get(project_id,
                               self.named("ours")["event_id"])
        self.assertEqual({"ours"}, self.found())

    # Terms

    def test_fields_are_compared(self):
        self.put(
            self.named("a", resource_id="r-1", priority="ERROR"),
            self.named("b", resource_id="r-2", event_type="volume.delete"),
            self.named("c", user_id="u-1"))
        for field, operator, values, expected in (
                ("event_type", "eq", ["volume.delete"], "b"),
                ("event_type", "eq", ["volume.delete", "compute.instance."
                                      "create.end"], "abc"),
                ("event_type", "eq", ["volume"], ""),
                ("event_type", "eq", ["VOLUME.DELETE"], ""),
                ("event_type", "prefix", ["compute.instance."], "ac"),
                ("event_type", "prefix", ["%"], ""),
                ("event_type", "prefix", ["*"], ""),
                ("event_type", "ne", ["volume.delete"], "ac"),
                ("priority", "eq", ["ERROR"], "a"),
                ("resource_id", "eq", ["r-1", "r-2"], "ab"),
                ("resource_id", "ne", ["r-1"], "bc"),
                ("resource_id", "ne", ["r-1", "r-2"], "c"),
                ("resource_id", "exists", [True], "ab"),
                ("resource_id", "exists", [False], "c"),
                ("resource_id", "gt", ["r-1"], "b"),
                ("resource_id", "gte", ["r-1"], "ab"),
                ("resource_id", "lt", ["r-2"], "a"),
                ("resource_id", "lte", ["r-2"], "ab"),
                ("user_id", "eq", ["u-1"], "c"),
                ("request_id", "exists", [True], ""),
                ("event_id", "eq", [event.event_id(OURS, "a")], "a"),
                ("event_id", "eq", ["nonsense"], ""),
                ("event_id", "ne", [event.event_id(OURS, "a")], "bc"),
                ("event_id", "prefix", [event.event_id(OURS, "b")[:30]], "b"),
                ("event_id", "gte", ["0"], "abc"),
                ("event_id", "exists", [True], "abc")):
            self.assertEqual(set(expected),
                             self.found(Term(field, operator, values)),
                             (field, operator, values))

    def test_traits_are_compared_by_their_type(self):
        self.put(
            self.named("i", traits={"v": 5}),
            self.named("f", traits={"v": 5.0}),
            self.named("g", traits={"v": -7.5}),
            self.named("s", traits={"v": "5"}),
            self.named("d", traits={"v": at()}),
            self.named("t", traits={"v": True}),
            self.named("o", traits={"w": 5}),
            self.named("n"))
        for operator, values, expected in (
                ("eq", [5], "if"), ("eq", [5.0], "if"), ("eq", ["5"], "s"),
                ("eq", [True], "t"), ("eq", [False], ""),
                ("eq", [at()], "d"), ("eq", [5, "5", True], "ifst"),
                ("eq", [1], ""),
                ("ne", [5], "gsdton"), ("ne", ["5", at()], "ifgton"),
                ("gt", [-8], "ifg"), ("gt", [-7.5], "if"),
                ("gte", [5], "if"), ("gt", [5], ""),
                ("lt", [5], "g"), ("lte", [5.0], "ifg"),
                ("lt", [0], "g"), ("gte", [-1e308], "ifg"),
                ("gte", ["5"], "sd" if "5" < at() else "s"),
                ("gt", ["2026-11-18"], "sd"),
                ("lt", ["2026-11-19"], "d"),
                ("lte", [at()], "d"), ("lt", [at()], ""),
                ("prefix", ["2026-11"], "d"), ("prefix", ["5"], "s"),
                ("prefix", [""], "sd"), ("prefix", ["%"], ""),
                ("exists", [True], "ifgsdt"), ("exists", [False], "on")):
            self.assertEqual(set(expected),
                             self.found(Term("traits.v", operator, values)),
                             (operator, values))

    def test_dimensions_are_compared(self):
        self.put(
            self.named("a", dimensions={"rack": "r1", "row x.\"'%": "1"}),
            self.named("b", dimensions={"rack": "r2"}),
            self.named("c", dimensions={"other": "r1"}))
        for field, operator, values, expected in (
                ("rack", "eq", ["r1"], "a"),
                ("rack", "eq", ["r1", "r2"], "ab"),
                ("rack", "ne", ["r1"], "bc"), ("rack", "prefix", ["r"], "ab"),
                ("rack", "gt", ["r1"], "b"), ("rack", "lte", ["r1"], "a"),
                ("rack", "exists", [True], "ab"),
                ("rack", "exists", [False], "c"),
                ("row x.\"'%", "eq", ["1"], "a"),
                ("row x.\"'%", "exists", [True], "a"),
                ("row x.\"'%", "prefix", ["1"], "a"),
                ("rac", "exists", [True], ""), ("RACK", "eq", ["r1"], "")):
            self.assertEqual(
                set(expected),
                self.found(Term("dimensions." + field, operator, values)),
                (field, operator, values))

    def test_all_terms_and_words_have_to_hold(self):
        self.put(
            self.named("a", resource_id="r", traits={"v": 1}),
            self.named("b", resource_id="r", traits={"v": 2}),
            self.named("c", traits={"v": 1}),
            self.named("d", resource_id="r", traits={"v": 1},
                       timestamp=at(days=60)))
        terms = (Term("resource_id", "eq", ["r"]), Term("traits.v", "lt", [2]))
        self.assertEqual({"a", "d"}, self.found(*terms))
        self.assertEqual({"a"}, self.found(*terms, until=at(days=30)))
        self.assertEqual({"d"}, self.found(*terms, words=("d",)))

    def test_words_are_found_whole_and_in_parts(self):
        """D17, T5, S5, S6"""
        self.put(
            make("w1", payload={"name": "a", "host": "compute-7.example.org",
                                "text": "Disk FULL on /dev/vda naïve ßtraße"}),
            make("w2", payload={"name": "b", "text": "disk is fine 雪"}))
        for words, expected in (
                (["disk"], "ab"), (["full"], "a"), (["disk", "full"], "a"),
                (["disk", "nowhere"], ""), (["dis"], ""),
                (["compute-7.example.org"], "a"), (["example"], "a"),
                (["naïve"], "a"), (["naive"], ""), (["雪"], "b"),
                (["compute.node-1"], "ab"), (["instance"], "ab"),
                (["\""], ""), (["disk\""], ""), (["disk*"], ""),
                (["dis*"], ""), (["or"], ""), (["near(disk"], ""),
                (["terms:disk"], ""), (["^disk"], ""), (["-disk"], ""),
                (["disk'"], ""), (["=p1"], ""), (["\\"], "")):
            self.assertEqual(set(expected), self.found(words=words), words)

    def test_a_query_outside_the_grammar_is_rejected(self):
        """S5, S6: closed grammar, bounded cost."""
        for query in (
                Query(terms=[Term("payload.name", "eq", ["x"])]),
                Query(terms=[Term("project_id", "eq", [THEIRS])]),
                Query(terms=[Term("index.words", "eq", ["x"])]),
                Query(terms=[Term("value", "eq", ["x"])]),
                Query(terms=[Term("traits", "eq", ["x"])]),
                Query(terms=[Term("traits.", "eq", ["x"])]),
                Query(terms=[Term("traits.a\"b", "eq", ["x"])]),
                Query(terms=[Term("traits.a b", "eq", ["x"])]),
                Query(terms=[Term("traits.*", "exists", [True])]),
                Query(terms=[Term("dimensions.", "eq", ["x"])]),
                Query(terms=[Term("event_type", "regexp", [".*"])]),
                Query(terms=[Term("event_type", "eq", [])]),
                Query(terms=[Term("event_type", "eq", [1])]),
                Query(terms=[Term("event_type", "eq", ["x" * 2000])]),
                Query(terms=[Term("event_type", "eq", ["\ud800"])]),
                Query(terms=[Term("event_type", "prefix", ["a", "b"])]),
                Query(terms=[Term("event_type", "exists", ["true"])]),
                Query(terms=[Term("event_type", "eq", ["x"] * 51)]),
                Query(terms=[Term("event_type", "eq", ["x"])] * 51),
                Query(terms=[Term("traits.v", "prefix", [1])]),
                Query(terms=[Term("traits.v", "gt", [float("nan")])]),
                Query(terms=[Term("traits.v", "gt", [2 ** 70])]),
                Query(terms=[Term("traits.v", "gt", [{"a": 1}])]),
                Query(words=["two words"]), Query(words=[""]),
                Query(words=["nul\0"]), Query(words=["x" * 200]),
                Query(words=["x"] * 51), Query(limit=0),
                Query(limit=10 ** 9)):
            self.assert_rejected("invalid_query", self.store.search, OURS,
                                 query)
            self.assert_rejected("invalid_query", self.store.aggregate, OURS,
                                 query, None, None)

    def test_the_largest_query_of_the_grammar_is_answered(self):
        self.put(self.named("a"))
        values = [f"v{number}" for number in range(50)]
        terms = [Term(field, operator, values) for operator in ("eq", "ne")
                 for field in ("event_type", "traits.v", "dimensions.d",
                               "event_id", "resource_id")] * 5
        words = [f"w{number}" for number in range(50)]
        self.assertEqual(set(), self.found(*terms, words=words))

    # Counting

    def test_events_are_counted_by_interval_and_field(self):
        """M10, D9, T29"""
        self.put(
            self.named("a", timestamp=at(0)),
            self.named("b", timestamp=at(3599.999999), event_type="x.y"),
            self.named("c", timestamp=at(3600), event_type="x.y"),
            self.named("d", timestamp=at(7200 + 3600 * 24 * 40),
                       event_type="x.y"),
            self.named("e", project_id=THEIRS))
        create = "compute.instance.create.end"
        counted = self.store.aggregate(OURS, Query(), "event_type", 3600)
        self.assertFalse(counted.truncated)
        self.assertEqual([
            Bucket(at(0), 2, {create: 1, "x.y": 1}),
            Bucket(at(3600), 1, {"x.y": 1}),
            Bucket(at(7200, days=40), 1, {"x.y": 1})], list(counted.buckets))
        whole = self.store.aggregate(OURS, Query(), "event_type", None)
        self.assertEqual([Bucket(None, 4, {"x.y": 3, create: 1})],
                         list(whole.buckets))
        self.assertEqual(["x.y", create], list(whole.buckets[0].groups))
        plain = self.store.aggregate(OURS, Query(), None, None)
        self.assertEqual([Bucket(None, 4, {})], list(plain.buckets))
        everywhere = self.store.aggregate(ALL, Query(), None, None)
        self.assertEqual([Bucket(None, 5, {})], list(everywhere.buckets))

    def test_a_query_narrows_what_is_counted(self):
        self.put(*(self.named(str(number), timestamp=at(number),
                              resource_id=f"r{number % 2}",
                              traits={"v": number})
                   for number in range(6)))
        for query, by, expected in (
                (Query(since=at(2), until=at(5)), "resource_id",
                 {"r0": 2, "r1": 1}),
                (Query(terms=[Term("traits.v", "gte", [3])]), "resource_id",
                 {"r1": 2, "r0": 1}),
                (Query(terms=[Term("resource_id", "eq", ["r1"])]), None, {}),
                (Query(words=["4"]), "resource_id", {"r0": 1})):
            counted = self.store.aggregate(OURS, query, by, None)
            self.assertEqual(expected, dict(counted.buckets[0].groups))
            self.assertEqual(sum(expected.values()) or 3,
                             counted.buckets[0].count)
        nothing = self.store.aggregate(OURS, Query(words=["nowhere"]), None,
                                       None)
        self.assertEqual(0, len(nothing.buckets))

    def test_events_are_counted_by_a_traits_value(self):
        self.put(self.named("a", traits={"v": 5}),
                 self.named("b", traits={"v": 5.0}),
                 self.named("c", traits={"v": 2.5}),
                 self.named("d", traits={"v": "five", "vv": "no"}),
                 self.named("e", traits={"v": at()}),
                 self.named("f", traits={"v": True}), self.named("g"))
        counted = self.store.aggregate(OURS, Query(), "traits.v", None)
        self.assertEqual({"5": 2, "2.5": 1, "five": 1, at(): 1, "true": 1},
                         dict(counted.buckets[0].groups))
        self.assertEqual(7, counted.buckets[0].count)

    def test_events_are_counted_by_a_dimension(self):
        self.put(self.named("a", dimensions={"ra.k*": "1"}),
                 self.named("b", dimensions={"ra.k*": "1"}),
                 self.named("c", dimensions={"ra-k": "2"}))
        counted = self.store.aggregate(OURS, Query(), "dimensions.ra.k*",
                                       None)
        self.assertEqual({"1": 2}, dict(counted.buckets[0].groups))

    def test_groups_that_are_left_out_are_told(self):
        """No silent caps."""
        self.put(*(self.named(str(number), resource_id=f"r{number}")
                   for number in range(60)))
        counted = self.store.aggregate(OURS, Query(), "resource_id", None)
        self.assertTrue(counted.truncated)
        self.assertEqual(60, counted.buckets[0].count)
        self.assertEqual(50, len(counted.buckets[0].groups))

    def test_a_count_outside_the_grammar_is_rejected(self):
        for by, interval in (("payload.x", None), ("traits.a b", None),
                             ("project_id", None), ("value", 60), (None, 0),
                             (None, -1)):
            self.assert_rejected("invalid_query", self.store.aggregate, OURS,
                                 Query(), by, interval)

    # Traits

    def test_traits_that_occur_are_listed_with_their_types(self):
        """B25"""
        self.put(
            self.named("a", traits={"size": 1, "name": "x", "up": True}),
            self.named("b", traits={"size": 1.5, "when": at()}),
            self.named("c", traits={"other": 1}, event_type="x.y"))
        self.assertEqual(
            [Trait("name", "string"), Trait("size", "float"),
             Trait("size", "integer"), Trait("up", "boolean"),
             Trait("when", "datetime")],
            list(self.store.traits(OURS, "compute.instance.create.end")))
        self.assertEqual([Trait("other", "integer")],
                         list(self.store.traits(OURS, "x.y")))
        self.assertEqual(6, len(self.store.traits(OURS, None)))
        self.assertEqual(0, len(self.store.traits(THEIRS, None)))
        self.assertEqual(6, len(self.store.traits(ALL, None)))

    # Removing

    def test_a_purge_removes_whole_periods_of_one_project(self):
        """T25, E12, M11; what a driver does within a period is its own."""
        for name, days in (("old", -70), ("mid", -40), ("new", 0)):
            self.put(self.named(name, timestamp=at(days=days),
                                traits={name: 1}),
                     self.named(f"their-{name}", timestamp=at(days=days),
                                project_id=THEIRS))
        purged = self.store.purge(OURS, at(days=-10))
        self.refresh()
        self.assertEqual(2, purged)
        self.assertEqual({"new"}, self.found())
        self.assertEqual(set(), self.found(words=("old",)))
        self.assertEqual([Trait("new", "integer")],
                         list(self.store.traits(OURS, None)))
        self.assertEqual({"their-old", "their-mid", "their-new"},
                         self.found(project_id=THEIRS))
        with self.assertRaises(errors.NotFound):
            self.store.get(OURS, event.event_id(OURS, "old"))

    def test_a_purge_of_all_removes_old_periods_of_every_project(self):
        for days in (-70, 0):
            self.put(self.named(str(days), timestamp=at(days=days)),
                     self.named(str(days), timestamp=at(days=days),
                                project_id=THEIRS))
        self.assertEqual(2, self.store.purge(ALL, at(days=-20)))
        self.refresh()
        self.assertEqual({"0"}, self.found())
        self.assertEqual({"0"}, self.found(project_id=THEIRS))
        self.assertEqual(0, self.store.purge(ALL, at(days=-20)))

    def test_what_was_purged_can_be_stored_again(self):
        """Replay of a purged span, from the bus or an archive."""
        old = self.named("old", timestamp=at(days=-70))
        self.put(old)
        self.store.purge(OURS, at(days=-20))
        self.assertEqual(1, self.put(old).stored)
        self.assertEqual({"old"}, self.found(words=("old",)))

    def test_a_purge_asks_for_a_time(self):
        self.assert_rejected("invalid_timestamp", self.store.purge, OURS, "x")

    # The rest

    def test_a_working_store_is_healthy(self):
        self.assertTrue(self.store.health().ok)

    def test_a_closed_store_is_unavailable_and_closes_again(self):
        self.store.close()
        self.store.close()
        with self.assertRaises(errors.StoreUnavailable):
            self.store.write([document(self.named("a"))])
        with self.assertRaises(errors.StoreUnavailable):
            self.store.search(OURS, Query())
        self.assertFalse(self.store.health().ok)
