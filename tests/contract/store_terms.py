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

"""The store's contract: what terms and words mean."""

from monasca_events_common import event
from monasca_events_common.query import Query
from monasca_events_common.query import Term

from tests.contract.store_case import at
from tests.contract.store_case import make
from tests.contract.store_case import OURS
from tests.contract.store_case import StoreCase
from tests.contract.store_case import THEIRS


class Terms(StoreCase):

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
