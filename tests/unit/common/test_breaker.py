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

"""The breaker stops a stage that rejects nearly everything (R3, F13)."""

import unittest

from monasca_events_common.breaker import Breaker


class TestBreaker(unittest.TestCase):

    def test_a_percent_of_poison_never_trips(self):
        breaker = Breaker()
        for _ in range(50):
            self.assertIsNone(breaker.check(
                [(0, number == 7) for number in range(100)]))

    def test_more_than_half_of_a_thousand_trips(self):
        breaker = Breaker()
        self.assertIsNone(breaker.check(
            [(n % 3, n % 2 == 0) for n in range(1000)]))
        self.assertIn("501 of the last 1000",
                      breaker.check([(1, True), (2, True)]))

    def test_a_thousand_in_a_row_of_one_partition_trips(self):
        # Other partitions keep the share low.
        breaker = Breaker()
        outcomes = []
        for _ in range(1000):
            outcomes += [(1, True), (2, False), (2, False)]
        self.assertIn("in a row", breaker.check(outcomes))

    def test_after_a_reset_it_counts_anew(self):
        breaker = Breaker()
        self.assertIsNotNone(breaker.check([(0, True)] * 1000))
        breaker.reset()
        self.assertIsNone(breaker.check([(0, True)] * 999))

    def test_a_clean_batch_counts_as_its_records_do(self):
        # At once or one by one: what follows trips at the same record.
        for clean in (0, 1, 499, 500, 1000, 3000):
            with self.subTest(clean=clean):
                one, other = Breaker(), Breaker()
                one.accept({0, 1}, clean)
                other.check([(n % 2, False) for n in range(clean)])
                bad = [(2, True)] * 502
                self.assertEqual(
                    [other.check([outcome]) is None for outcome in bad],
                    [one.check([outcome]) is None for outcome in bad])

    def test_a_clean_batch_ends_a_row_of_rejected_ones(self):
        breaker = Breaker()
        breaker.check([(1, True)] * 400 + [(0, False)] * 1000)
        self.assertTrue(breaker.is_calm())
        breaker.accept([1], 1500)
        breaker.check([(1, True)] * 400)
        self.assertIsNone(breaker.check([(0, False)] * 1000
                                        + [(1, True)] * 400))
