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

"""The store's contract: writing, reading one event, removing."""

from monasca_events_common import errors
from monasca_events_common import event
from monasca_events_common.query import Query
from monasca_events_common.store import ALL
from monasca_events_common.store import Document
from monasca_events_common.store import Trait

from tests.contract.store_case import at
from tests.contract.store_case import document
from tests.contract.store_case import make
from tests.contract.store_case import names
from tests.contract.store_case import OURS
from tests.contract.store_case import StoreCase
from tests.contract.store_case import THEIRS


class Writing(StoreCase):

    def test_an_event_comes_back_byte_for_byte(self):
        """B6, B22, B23, D6"""
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
