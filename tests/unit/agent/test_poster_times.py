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

"""When the poster posts: batches by size or time, and not before it may.

The clock is the test's: ``stop`` waits for nobody, tells how long it was
asked to wait, moves the clock on by that and does what the test wants to
happen meanwhile.
"""

from collections.abc import Callable
import random
import threading

from tests.unit.agent.sink import accept
from tests.unit.agent.sink import reply
from tests.unit.agent.test_poster import event
from tests.unit.agent.test_poster import PosterTest


class Highest(random.Random):
    """Draws the highest that may be drawn."""

    def uniform(self, a, b):
        return b


class Turns(threading.Event):
    """A stop that never waits.

    :ivar waits: seconds of each wait that was asked for
    """

    def __init__(self, *turns: Callable[[], None],
                 passed: Callable[[float], None]) -> None:
        """
        :param turns: what happens during each wait; after the last one it is
            set
        :param passed: told how many seconds are over
        """
        super().__init__()
        self.waits: list[float] = []
        self._turns = list(turns)
        self._passed = passed

    def wait(self, timeout=None):
        self.waits.append(timeout)
        self._passed(timeout)
        if self._turns:
            self._turns.pop(0)()
        else:
            self.set()
        return self.is_set()


def nothing() -> None:
    """Nothing happens during a wait."""


class WhenTest(PosterTest):

    def turns(self, *turns: Callable[[], None]) -> Turns:
        def passed(seconds: float) -> None:
            self.clock += seconds
        return Turns(*turns, passed=passed)

    def append(self, *numbers: int) -> None:
        self.spool.append([event(number) for number in numbers])

    def sizes(self) -> list[int]:
        return [len(events) for _path, _headers, events
                in self.sink.requests]

    def test_a_partial_batch_waits_max_wait_and_is_then_sent(self):
        """B9: batches by size or time."""
        stop = self.turns(lambda: self.append(2), lambda: self.append(3, 4))
        self.append(0, 1)
        self.poster(max_batch_size=10, max_wait=0.7).run(stop)
        # What came during a wait went together when it was over.
        self.assertEqual([2, 1, 2], self.sizes())
        self.assertEqual([0.7, 0.7, 0.7], stop.waits)
        self.assertEqual(self.ids(*range(5)), self.sink.accepted)

    def test_a_full_batch_waits_for_nothing(self):
        """The rest, which is none, waits like any other."""
        stop = self.turns(nothing)
        self.append(*range(25))
        self.poster(max_batch_size=10, max_wait=0.7).run(stop)
        self.assertEqual([10, 10, 5], self.sizes())
        self.assertEqual([0.7, 0.7], stop.waits)

    def test_bytes_make_a_batch_full_too(self):
        stop = self.turns(nothing)
        self.spool.append([event(number, payload="x" * 500)
                           for number in range(5)])
        self.poster(max_batch_bytes=1200, max_wait=0.7).run(stop)
        self.assertEqual([2, 2, 1], self.sizes())
        self.assertEqual([0.7, 0.7], stop.waits)

    def test_nothing_is_posted_before_retry_after(self):
        """M15: the API says when; the jitter comes on top of it."""
        at: list[float] = []

        def answer(events):
            at.append(self.clock)
            return reply(503, {}, Retry_After="7") if len(at) < 6 \
                else accept(events)
        self.sink.answer = answer
        stop = self.turns(*[nothing] * 5)
        self.append(0)
        self.poster(rng=random.Random(11), backoff_base=0.5,
                    backoff_max=3.0).run(stop)
        ceilings = (0.5, 1.0, 2.0, 3.0, 3.0)
        for seconds, ceiling in zip(stop.waits[:5], ceilings, strict=True):
            self.assertTrue(7.0 <= seconds <= 7.0 + ceiling, stop.waits)
        self.assertEqual(5, len(set(stop.waits[:5])))
        for one, other in zip(at[:5], at[1:], strict=True):
            self.assertTrue(other - one >= 7.0, at)
        self.assertEqual(self.ids(0), self.sink.accepted)

    def test_without_retry_after_the_delays_double_up_to_their_bound(self):
        count = 0

        def answer(events):
            nonlocal count
            count += 1
            return accept(events) if count == 6 or count > 7 \
                else reply(500, {})
        self.sink.answer = answer
        # The sixth is accepted; the next failure begins at the base again.
        stop = self.turns(*[nothing] * 5, lambda: self.append(1), nothing)
        self.append(0)
        self.poster(rng=Highest(), backoff_base=0.5, backoff_max=3.0,
                    max_wait=0.25).run(stop)
        self.assertEqual([0.5, 1.0, 2.0, 3.0, 3.0, 0.25, 0.5, 0.25],
                         stop.waits)
        self.assertEqual(self.ids(0, 1), self.sink.accepted)
