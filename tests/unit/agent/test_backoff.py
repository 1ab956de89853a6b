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

"""How long who failed waits: full jitter below a ceiling that doubles."""

import random
import unittest

from monasca_events_agent.backoff import Backoff
from monasca_events_agent.backoff import LOG_EVERY


class Highest(random.Random):
    """Draws the highest that may be drawn, so that it is seen."""

    def uniform(self, a, b):
        self.lowest = a
        return b


class BackoffTest(unittest.TestCase):
    """R4, M15"""

    def test_the_ceiling_doubles_up_to_its_bound(self):
        rng = Highest()
        backoff = Backoff(0.5, 30.0, rng=rng)
        self.assertEqual([0.5, 1, 2, 4, 8, 16, 30, 30],
                         [backoff.delay() for _ in range(8)])
        self.assertEqual(0, rng.lowest)
        # After weeks of failures too, and without a number that is too large.
        for _ in range(5000):
            self.assertEqual(30.0, backoff.delay())
        self.assertEqual(5008, backoff.tries)

    def test_a_delay_is_anywhere_between_nothing_and_the_ceiling(self):
        """A thousand agents must not come back at the same moment."""
        drawn = []
        for seed in range(1000):
            backoff = Backoff(0.5, 30.0, rng=random.Random(seed))
            drawn.append([backoff.delay() for _ in range(8)])
        for delays, ceiling in zip(zip(*drawn, strict=True),
                                   (0.5, 1, 2, 4, 8, 16, 30, 30),
                                   strict=True):
            self.assertGreaterEqual(min(delays), 0)
            self.assertLessEqual(max(delays), ceiling)
            tenths = {int(10 * delay / ceiling) for delay in delays}
            self.assertLessEqual(set(range(10)), tenths)

    def test_the_same_seed_draws_the_same(self):
        one, other = (Backoff(0.5, 30.0, rng=random.Random(7))
                      for _ in range(2))
        self.assertEqual([one.delay() for _ in range(8)],
                         [other.delay() for _ in range(8)])

    def test_what_was_asked_for_is_waited_for_before_the_jitter(self):
        """Nobody comes back before Retry-After."""
        backoff = Backoff(0.5, 30.0, rng=Highest())
        self.assertEqual(7.5, backoff.delay(at_least=7.0))
        self.assertEqual(1.0, backoff.delay())
        for seed in range(100):
            backoff = Backoff(0.5, 30.0, rng=random.Random(seed))
            self.assertGreaterEqual(backoff.delay(at_least=7.0), 7.0)

    def test_a_success_begins_anew(self):
        backoff = Backoff(0.5, 30.0, rng=Highest())
        self.assertFalse(backoff.reset())
        for _ in range(5):
            backoff.delay()
        self.assertTrue(backoff.reset())
        self.assertFalse(backoff.reset())
        self.assertEqual(0.5, backoff.delay())

    def test_a_failure_that_lasts_is_logged_once_a_minute(self):
        now = [100.0]
        backoff = Backoff(0.5, 30.0, clock=lambda: now[0])
        self.assertEqual([True, False], [backoff.should_log()
                                         for _ in range(2)])
        now[0] += LOG_EVERY - 0.1
        self.assertFalse(backoff.should_log())
        now[0] += 0.2
        self.assertTrue(backoff.should_log())
        backoff.reset()
        self.assertTrue(backoff.should_log())


if __name__ == "__main__":
    unittest.main()
