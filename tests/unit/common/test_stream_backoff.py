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

"""When the stream loop tries a batch again that its handler could not take."""

import random
import threading

from monasca_events_common import stream
from monasca_events_common.stream import StreamLoop
from tests.bench.sample import options
from tests.unit.common.test_stream import LoopCase


class Drawn(random.Random):
    """Remembers between what a delay was drawn, and draws the highest."""

    def __init__(self) -> None:
        super().__init__()
        self.between: list[tuple[float, float]] = []

    def uniform(self, a, b):
        self.between.append((a, b))
        return b


class StreamBackoffTest(LoopCase):
    """R4: full jitter, with a clock that only the test moves."""

    def setUp(self):
        super().setUp()
        self.now = 1000.0
        self.rng = Drawn()

    def start(self, **conf) -> StreamLoop:
        loop = StreamLoop(
            "persister", "t",
            lambda watcher: self.bus.subscribe("t", "g", watcher),
            self.handler, self.dead, options(stream.OPTS, **{
                "batch_wait": 0.0, **conf}),
            clock=lambda: self.now, rng=self.rng)
        self.addCleanup(self.stop, loop)
        return loop

    def stop(self, loop) -> None:
        stop = threading.Event()
        stop.set()
        loop.run(stop)

    def await_failure(self, loop, count: int) -> None:
        """Step until the loop has taken note of so many failures."""
        for _ in range(10000):
            loop.step()
            if len(self.rng.between) == count:
                return
        self.fail(f"there were {len(self.rng.between)} failures")

    def test_each_delay_is_drawn_below_twice_the_ceiling_before(self):
        self.publish(3)
        self.handler.failures = 7
        loop = self.start(backoff_base=0.5, backoff_max=10.0)
        for count, ceiling in enumerate((0.5, 1, 2, 4, 8, 10, 10), 1):
            self.await_failure(loop, count)
            self.now += ceiling
        self.assertEqual(
            [(0, 0.5), (0, 1), (0, 2), (0, 4), (0, 8), (0, 10), (0, 10)],
            self.rng.between)
        for _ in range(10000):
            loop.step()
            if self.handler.seen:
                break
        self.assertEqual(3, len(self.handler.seen))

    def test_it_is_not_tried_before_its_time(self):
        self.publish(3)
        self.handler.failures = 1
        loop = self.start(backoff_base=8.0, backoff_max=60.0)
        self.await_failure(loop, 1)
        self.now += 7.9
        for _ in range(5):
            loop.step()
        self.assertEqual(1, self.handler.calls)
        self.now += 0.2
        for _ in range(10000):
            loop.step()
            if self.handler.seen:
                break
        self.assertEqual((2, 3), (self.handler.calls,
                                  len(self.handler.seen)))

    def test_the_next_batch_begins_at_the_base_again(self):
        loop = self.start(backoff_base=0.5, backoff_max=10.0)
        for start in (0, 3):
            self.handler.failures = 2
            self.publish(3, start=start)
            for ceiling in (0.5, 1.0):
                self.await_failure(loop, len(self.rng.between) + 1)
                self.now += ceiling
            for _ in range(10000):
                loop.step()
                if len(self.handler.seen) == start + 3:
                    break
        self.assertEqual([(0, 0.5), (0, 1.0)] * 2, self.rng.between)
