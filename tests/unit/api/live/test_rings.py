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


"""What is remembered, and what is known to be missing; E17, E21, S1."""

import unittest

from monasca_events_api.live.rings import MAX_COUNTED
from monasca_events_api.live.rings import Rings
from monasca_events_common.store import ALL
from tests.unit.api.live import sample
from tests.unit.api.live.sample import OTHER
from tests.unit.api.live.sample import PROJECT
from tests.unit.api.live.sample import seen


def offsets(found) -> list[int]:
    return [one.offset for one in found]


class RingsTest(unittest.TestCase):

    def rings(self, **options) -> Rings:
        return Rings(sample.conf(**options))

    def test_a_project_has_its_own_events_and_all_has_both(self):
        rings = self.rings()
        rings.add([seen(1), seen(2, OTHER), seen(3)])
        self.assertEqual([1, 3], offsets(rings.events(PROJECT)))
        self.assertEqual([2], offsets(rings.events(OTHER)))
        self.assertEqual([1, 2, 3], sorted(offsets(rings.events(ALL))))
        self.assertEqual([], rings.events("c" * 32))

    def test_the_newest_stay(self):
        rings = self.rings(events=3)
        rings.add([seen(n) for n in range(10)])
        self.assertEqual([7, 8, 9], offsets(rings.events(PROJECT)))

    def test_a_busy_project_takes_nothing_from_a_quiet_one(self):
        rings = self.rings(events=3)
        rings.add([seen(0, OTHER), *[seen(n) for n in range(1, 1000)]])
        self.assertEqual([0], offsets(rings.events(OTHER)))

    def test_large_events_are_fewer(self):
        rings = self.rings(project_bytes=20_000)
        rings.add([seen(n, payload={"text": "x" * 5000}) for n in range(10)])
        self.assertEqual([7, 8, 9], offsets(rings.events(PROJECT)))

    def test_all_together_are_bounded_and_the_quietest_goes_first(self):
        rings = self.rings(bytes=1 << 20)
        rings.add([seen(0, OTHER), seen(1, OTHER)])
        rings.add([seen(n, f"{n:032}", payload={"text": "x" * 100_000})
                   for n in range(2, 14)])
        self.assertEqual([], rings.events(OTHER))
        self.assertEqual([13], offsets(rings.events(f"{13:032}")))
        self.assertLess(sum(len(one.value) for one in rings.events(ALL)),
                        1 << 20)

    def test_what_comes_behind_a_position_is_found(self):
        rings = self.rings()
        rings.begin(0, 0)
        rings.add([seen(n) for n in range(5)])
        found, whole = rings.behind(PROJECT, {0: 2})
        self.assertEqual(([3, 4], True), (offsets(found), whole))
        self.assertEqual(([], True), rings.behind(PROJECT, {0: 4}))

    def test_what_is_missing_behind_a_position_is_known(self):
        rings = self.rings(events=3)
        rings.begin(0, 0)
        rings.add([seen(n) for n in range(5)])
        self.assertTrue(rings.behind(PROJECT, {0: 1})[1])
        self.assertFalse(rings.behind(PROJECT, {0: 0})[1])

    def test_others_events_leave_no_gap(self):
        rings = self.rings(events=1)
        rings.begin(0, 0)
        rings.add([seen(0), *[seen(n, OTHER) for n in range(1, 50)]])
        self.assertEqual(([], True), rings.behind(PROJECT, {0: 0}))
        self.assertFalse(rings.behind(ALL, {0: 0})[1])

    def test_what_was_before_watching_began_is_missing(self):
        rings = self.rings()
        rings.begin(0, 100)
        self.assertFalse(rings.behind(PROJECT, {0: 50})[1])
        self.assertTrue(rings.behind(PROJECT, {0: 99})[1])
        rings.add([seen(100)])
        self.assertFalse(rings.behind(PROJECT, {0: 50})[1])

    def test_a_forgotten_project_has_a_gap_and_a_new_one_has_none(self):
        rings = self.rings(bytes=1 << 20)
        rings.begin(0, 0)
        rings.add([seen(0, OTHER), seen(1, OTHER)])
        rings.add([seen(n, f"{n:032}", payload={"text": "x" * 100_000})
                   for n in range(2, 14)])
        self.assertFalse(rings.behind(OTHER, {0: 0})[1])
        rings.add([seen(20, OTHER)])
        found, whole = rings.behind(OTHER, {0: 0})
        self.assertEqual(([20], False), (offsets(found), whole))

    def test_a_gap_of_the_bus_is_a_gap_of_every_project(self):
        rings = self.rings()
        rings.begin(0, 0)
        rings.add([seen(0)])
        rings.begin(0, 10)
        rings.add([seen(10)])
        self.assertFalse(rings.behind(PROJECT, {0: 0})[1])
        self.assertTrue(rings.behind(PROJECT, {0: 9})[1])

    def test_types_are_counted_and_their_number_is_bounded(self):
        rings = self.rings(events=2)
        rings.add([seen(n, event_type=f"t.{n}")
                   for n in range(MAX_COUNTED + 3)])
        rings.add([seen(1, OTHER)])
        received, types = rings.counts(PROJECT)
        self.assertEqual(MAX_COUNTED + 3, received)
        self.assertEqual((1, 3), (types["t.0"], types[""]))
        self.assertEqual(MAX_COUNTED + 4, rings.counts(ALL)[0])
