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

"""The store's contract: pages, order, time, and whose events they show."""

import itertools

import orjson

from monasca_events_common import errors
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store import ALL

from tests.contract.store_case import at
from tests.contract.store_case import make
from tests.contract.store_case import names
from tests.contract.store_case import OURS
from tests.contract.store_case import StoreCase
from tests.contract.store_case import THEIRS


class Listing(StoreCase):

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
        for descending, words, limit in itertools.product(
                (True, False), ((), ("compute",)), (1, 4, 5)):
            seen, marker = [], None
            while True:
                page = self.store.search(OURS, Query(
                    limit=limit, marker=marker, descending=descending,
                    words=words))
                seen += names(page)
                marker = page.marker
                if marker is None:
                    break
                self.assertEqual(limit, len(page.events))
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

    def test_a_marker_stays_right_whatever_is_stored_around_it(self):
        """At its own time, ahead of it and behind it, both ways."""
        for day, descending in enumerate((True, False)):
            asked = {"since": at(days=day), "until": at(days=day + 0.5),
                     "descending": descending}

            def put(day=day, **seconds: float) -> None:
                self.put(*(self.named(name, timestamp=at(second, days=day))
                           for name, second in seconds.items()))

            # Three of one time; the first page ends at one of them.
            put(**{f"{day}{name}": second for name, second in zip(
                "abcdefg", (100, 110, 120, 120, 120, 130, 140),
                strict=True)})
            before = names(self.store.search(OURS, Query(**asked)))
            first = self.store.search(OURS, Query(limit=3, **asked))
            ahead, behind = (105, 135) if descending else (135, 105)
            put(**{f"{day}same1": 120, f"{day}same2": 120,
                   f"{day}ahead": ahead, f"{day}behind": behind})
            events = [orjson.loads(value) for page in self.pages(
                first, **asked) for value in page.events]
            seen = [made["payload"]["name"] for made in events]
            with self.subTest(descending=descending):
                self.assertEqual(len(seen), len(set(seen)))
                self.assertEqual(before, [
                    name for name in seen if name in before])
                self.assertIn(f"{day}ahead", seen)
                self.assertNotIn(f"{day}behind", seen)
                times = [made["timestamp"] for made in events]
                self.assertEqual(sorted(times, reverse=descending), times)

    def pages(self, page, **asked):
        """Yield a page and those that follow it."""
        yield page
        while page.marker is not None:
            page = self.store.search(OURS, Query(
                limit=3, marker=page.marker, **asked))
            yield page

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
