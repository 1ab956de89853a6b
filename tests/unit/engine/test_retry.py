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

"""What becomes of a delivery after an attempt."""

import random
import types
import unittest

import orjson

from monasca_events_engine import retry

CONF = types.SimpleNamespace(interval=30.0, max_attempts=5,
                             max_interval=3600.0)


def failed(attempt: int, retry_after: float = 0.0, seed: int = 1,
           error: str = "e", conf=CONF) -> retry.Outcome:
    return retry.failed("d", attempt, 1000.0, error, retry_after, conf,
                        random.Random(seed))


class TestRetry(unittest.TestCase):

    def test_the_delay_doubles_and_half_of_it_is_chance(self):
        """R4"""
        for attempt, ceiling in ((1, 30), (2, 60), (3, 120), (4, 240)):
            delays = [failed(attempt, seed=seed).next_at - 1000
                      for seed in range(200)]
            self.assertLessEqual(ceiling / 2, min(delays))
            self.assertGreaterEqual(ceiling, max(delays))
            self.assertGreater(max(delays) - min(delays), ceiling / 4)

    def test_it_does_not_grow_beyond_the_limit(self):
        conf = types.SimpleNamespace(interval=30.0, max_attempts=1000,
                                     max_interval=100.0)
        self.assertGreaterEqual(1100, failed(900, conf=conf).next_at)

    def test_the_last_attempt_parks(self):
        found = failed(5)
        self.assertEqual((retry.PARKED, 5), (found.status, found.attempts))
        self.assertEqual(retry.PENDING, failed(4).status)

    def test_the_receivers_wish_counts_if_it_is_longer(self):
        self.assertEqual(1500, failed(1, 500.0).next_at)
        self.assertLess(failed(1, 1.0).next_at, 1031)
        self.assertEqual(4600, failed(1, 1e9).next_at)

    def test_an_error_is_one_short_line(self):
        """S15"""
        found = failed(1, error="a\r\n\x1b[31m" + "x" * 5000).error
        self.assertTrue(found.isprintable())
        self.assertLess(len(found), 600)

    def test_a_result_is_kept_as_json(self):
        self.assertEqual({"a": 1}, orjson.loads(retry.delivered(
            "d", 1, 0.0, {"a": 1}).result))

    def test_a_result_that_is_no_json_or_too_long_says_so(self):
        for result, key in (({"a": object()}, "unreadable"),
                            ({"a": "x" * 100_000}, "truncated")):
            found = retry.delivered("d", 1, 0.0, result)
            self.assertEqual(retry.DELIVERED, found.status)
            self.assertEqual([key], list(orjson.loads(found.result)))
