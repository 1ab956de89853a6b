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

"""The store's contract: histograms, groups and the traits that occur."""

from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store import ALL
from monasca_events_common.store import Bucket
from monasca_events_common.store import Trait

from tests.contract.store_case import at
from tests.contract.store_case import OURS
from tests.contract.store_case import StoreCase
from tests.contract.store_case import THEIRS


class Counting(StoreCase):

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
                 self.named("f", traits={"v": True}), self.named("g"),
                 self.named("h", traits={"v": "5"}))
        counted = self.store.aggregate(OURS, Query(), "traits.v", None)
        self.assertEqual({"5": 3, "2.5": 1, "five": 1, at(): 1, "true": 1},
                         dict(counted.buckets[0].groups))
        self.assertEqual("5", next(iter(counted.buckets[0].groups)))
        self.assertEqual(8, counted.buckets[0].count)

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

    def test_each_bucket_shows_groups_of_its_own(self):
        """More groups altogether than one bucket may show."""
        self.put(*(self.named(str(number), resource_id=f"r{number:02}",
                              timestamp=at(number % 2 * 3600))
                   for number in range(60)),
                 self.named("without", timestamp=at(7200)))
        counted = self.store.aggregate(OURS, Query(), "resource_id", 3600)
        self.assertFalse(counted.truncated)
        self.assertEqual([(at(0), 30), (at(3600), 30), (at(7200), 1)],
                         [(one.start, one.count) for one in counted.buckets])
        self.assertEqual([f"r{number:02}" for number in range(0, 60, 2)],
                         list(counted.buckets[0].groups))
        self.assertEqual({}, counted.buckets[2].groups)
        self.put(*(self.named(f"more-{number}", resource_id=f"s{number}")
                   for number in range(30)))
        counted = self.store.aggregate(OURS, Query(), "resource_id", 3600)
        self.assertTrue(counted.truncated)
        self.assertEqual([50, 30, 0], [len(one.groups)
                                       for one in counted.buckets])

    def test_groups_of_a_bucket_are_the_largest_first(self):
        kinds = ["b", "a", "c", "c", "b", "c"]
        self.put(*(self.named(str(number), event_type=kind)
                   for number, kind in enumerate(kinds)),
                 self.named("later", event_type="a", timestamp=at(60)),
                 self.named("and", event_type="b", timestamp=at(60)))
        counted = self.store.aggregate(OURS, Query(), "event_type", 60)
        self.assertEqual(
            [[("c", 3), ("b", 2), ("a", 1)], [("a", 1), ("b", 1)]],
            [list(one.groups.items()) for one in counted.buckets])

    def test_a_count_outside_the_grammar_is_rejected(self):
        for by, interval in (("payload.x", None), ("traits.a b", None),
                             ("project_id", None), ("value", 60), (None, 0),
                             (None, -1)):
            self.assert_rejected("invalid_query", self.store.aggregate, OURS,
                                 Query(), by, interval)

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
