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

"""The stream loop loses nothing, whatever the handler does (R1–R3, R10)."""

import pathlib
import random
import tempfile
import threading
import time
import unittest
from unittest import mock

import prometheus_client

from monasca_events_common import stream
from monasca_events_common.bus import Record
from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.handler import Handler
from monasca_events_common.handler import Rejected
from monasca_events_common.stream import StreamLoop
from tests.bench.sample import options


#: Seconds after which something that should have come will not come.
PATIENCE = 60.0


class Collector(Handler):
    """Keeps what it is given; fails or rejects when told to."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.failures = 0
        self.reject = lambda value: False
        self.calls = 0
        self.lock = threading.Lock()

    def handle(self, batch):
        with self.lock:
            self.calls += 1
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable("down")
            self.seen += [one.value for one in batch
                          if not self.reject(one.value)]
            return [Rejected(n, "bad", "it is bad")
                    for n, one in enumerate(batch) if self.reject(one.value)]


def received() -> float:
    """Return how many records have reached the loops of this process."""
    return prometheus_client.REGISTRY.get_sample_value(
        "monasca_events_received_total", {"stage": "persister"}) or 0.0


class LoopCase(unittest.TestCase):
    handler_class = Collector

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.bus = SqliteBus(options(SqliteBus.OPTS,
                                     path=str(self.folder / "bus.db"),
                                     publish_timeout=PATIENCE))
        self.addCleanup(self.bus.close)
        self.dead = DeadLetters(f"sqlite:///{self.folder}/dead.db")
        self.addCleanup(self.dead.close)
        self.handler = self.handler_class()

    def publish(self, count: int, start: int = 0) -> list[bytes]:
        values = [b"%05d" % n for n in range(start, start + count)]
        self.bus.publish("t", [Record(b"k%d" % (n % 7), value, {})
                               for n, value in enumerate(values)])
        return values

    def loop(self, clock=time.monotonic, **conf) -> StreamLoop:
        conf = {"batch_size": 10, "backoff_base": 0.01, "batch_wait": 0.01,
                **conf}
        return StreamLoop(
            "persister", "t",
            lambda watcher: self.bus.subscribe("t", "g", watcher),
            self.handler, self.dead, options(stream.OPTS, **conf),
            clock=clock, rng=random.Random(1))

    def step_until(self, loop, done) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            loop.step()
            if done():
                return
        self.fail("the loop did not get there")

    def run_until(self, loop, done) -> None:
        self.step_until(loop, done)
        stop = threading.Event()
        stop.set()
        loop.run(stop)


class TestStreamLoop(LoopCase):

    def test_every_record_is_handled_once_and_committed(self):
        values = self.publish(95)
        self.run_until(self.loop(), lambda: len(self.handler.seen) == 95)
        self.assertEqual(values, sorted(self.handler.seen))
        self.publish(5, start=95)
        self.run_until(self.loop(), lambda: len(self.handler.seen) >= 100)
        self.assertEqual(100, len(self.handler.seen))

    def test_an_unavailable_step_holds_and_then_goes_on(self):
        values = self.publish(40)
        self.handler.failures = 5
        self.run_until(self.loop(), lambda: len(self.handler.seen) >= 40)
        self.assertEqual(values, sorted(self.handler.seen))
        self.assertGreater(self.handler.calls, 5)

    def test_nothing_is_committed_while_the_step_is_unavailable(self):
        values = self.publish(5)
        self.handler.failures = 10 ** 9
        loop = self.loop()
        self.run_until(loop, lambda: self.handler.calls > 3)
        self.handler.failures = 0
        self.run_until(self.loop(), lambda: len(self.handler.seen) >= 5)
        self.assertEqual(values, sorted(self.handler.seen))

    def test_a_rejected_record_reaches_the_dead_letters(self):
        values = self.publish(30)
        self.handler.reject = lambda value: value.endswith(b"7")
        self.run_until(self.loop(), lambda: len(self.handler.seen) == 27
                       and len(self.dead.list()) == 3)
        letters = self.dead.list()
        self.assertEqual([v for v in values if v.endswith(b"7")],
                         sorted(one.raw for one in letters))
        self.assertEqual({("persister", "bad")}, set(self.dead.count()))
        self.assertTrue(all(one.position.startswith("t/")
                            for one in letters))

    def test_while_the_dead_letters_are_down_nothing_is_committed(self):
        self.publish(3)
        self.handler.reject = lambda value: True
        dead, self.dead = self.dead, DeadLetters("sqlite:////nowhere/x.db")
        self.run_until(self.loop(), lambda: self.handler.calls > 1)
        self.dead = dead
        self.run_until(self.loop(), lambda: len(dead.list()) == 3)

    def test_the_breaker_stops_it_and_an_operator_resumes_it(self):
        self.publish(1500)
        self.handler.reject = lambda value: True
        loop = self.loop(batch_size=500)
        self.step_until(loop, lambda: self.dead.tripped("persister"))
        for _ in range(10):
            loop.step()
        self.assertLess(len(self.dead.list(limit=5000)), 1500)
        self.handler.reject = lambda value: False
        self.dead.resume("persister")
        self.run_until(loop, lambda: len(self.handler.seen) + len(
            self.dead.list(limit=5000)) >= 1500)
        self.assertGreater(len(self.handler.seen), 0)

    def test_several_batches_in_flight_are_committed_in_order(self):
        values = self.publish(200)
        gate = threading.Event()
        first = []
        handle = self.handler.handle

        def slow(batch):
            if not first:
                first.append(True)
                gate.wait(PATIENCE)
            return handle(batch)
        self.handler.handle = slow
        loop = self.loop(in_flight=3)
        # Others are done, the oldest is not: nothing may be committed.
        self.step_until(loop, lambda: self.handler.seen)
        again = self.bus.subscribe("t", "other", None)
        again.close()
        gate.set()
        self.run_until(loop, lambda: len(self.handler.seen) == 200)
        self.assertEqual(values, sorted(self.handler.seen))

    def hold_the_first(self) -> threading.Event:
        """Let the first batch wait until the event is set."""
        gate = threading.Event()
        self.addCleanup(gate.set)
        handle, first = self.handler.handle, []

        def slow(batch):
            if not first:
                first.append(True)
                gate.wait(PATIENCE)
            return handle(batch)
        self.handler.handle = slow
        return gate

    def test_one_batch_is_gathered_while_another_is_handled(self):
        self.publish(100)
        gate = self.hold_the_first()
        loop = self.loop(in_flight=1)
        before = received()
        self.step_until(loop, lambda: received() - before >= 20)
        for _ in range(20):
            loop.step()
        self.assertEqual(20, received() - before)
        gate.set()
        self.run_until(loop, lambda: len(self.handler.seen) == 100)

    def test_who_keeps_up_is_never_paused(self):
        """What a client has fetched ahead would be thrown away."""
        self.publish(200)
        gate = self.hold_the_first()
        loop = self.loop(in_flight=1, clock=lambda: 0.0)
        paused, pause = [], loop._subscription.pause

        def noted():
            paused.append(len(self.handler.seen))
            pause()
        loop._subscription.pause = noted
        for _ in range(5):
            loop.step()
        gate.set()
        self.run_until(loop, lambda: len(self.handler.seen) == 200)
        self.assertEqual([], paused)

    def test_batches_done_behind_a_slow_one_make_place_for_few_others(self):
        values = self.publish(200)
        gate = self.hold_the_first()
        loop = self.loop(in_flight=2)
        self.step_until(loop, lambda: len(self.handler.seen) >= 30)
        for _ in range(60):
            loop.step()
        # Two were done beside the slow one and a third was started; then
        # what waits for its commit is as much as may be.
        self.assertEqual(30, len(self.handler.seen))
        self.assertEqual(200, sum(loop._subscription.lag().values()))
        gate.set()
        self.run_until(loop, lambda: len(self.handler.seen) == 200)
        self.assertEqual(values, sorted(self.handler.seen))

    def started_before_the_first_commit(self, in_flight: int) -> int:
        """Return how many batches begin before the first one is committed."""
        self.publish(100)
        gate, more = threading.Event(), threading.Event()
        self.addCleanup(gate.set)
        handle, begun, found = self.handler.handle, [], []

        def slow(batch):
            begun.append(batch)
            if len(begun) > in_flight:
                more.set()
            gate.wait(PATIENCE)
            return handle(batch)

        def positions(handled):
            if handled and not found:
                more.wait(0.2 if in_flight == 1 else PATIENCE)
                found.append(len(begun))
            return handled
        self.handler.handle = slow
        self.handler.positions = positions
        loop = self.loop(in_flight=in_flight)
        for _ in range(20):
            loop.step()
        gate.set()
        self.run_until(loop, lambda: len(self.handler.seen) == 100)
        return found[0]

    def test_the_next_batch_does_not_wait_for_a_commit(self):
        self.assertGreater(self.started_before_the_first_commit(2), 2)

    def test_one_at_a_time_means_until_it_is_committed(self):
        self.assertEqual(1, self.started_before_the_first_commit(1))

    def test_a_batch_that_failed_keeps_its_place(self):
        """With one in flight nothing may overtake it."""
        self.publish(50)
        self.handler.failures = 3
        handle, batches = self.handler.handle, []

        def watched(batch):
            batches.append(batch)
            return handle(batch)
        self.handler.handle = watched
        self.run_until(self.loop(in_flight=1),
                       lambda: len(self.handler.seen) >= 50)
        self.assertEqual([batches[0]] * 3, batches[1:4])
        self.assertEqual(50, len(self.handler.seen))

    def test_two_members_share_and_hand_over_without_loss(self):
        values = self.publish(300)
        one, two = self.loop(), self.loop()
        for _ in range(30):
            one.step()
            two.step()
        stop = threading.Event()
        stop.set()
        one.run(stop)
        self.run_until(two, lambda: len(set(self.handler.seen)) == 300)
        self.assertEqual(values, sorted(set(self.handler.seen)))


class Keeper(Collector):
    """Keeps positions of its own, as the engine does."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[int, int] = {}
        self.is_away = False
        self.asked = 0

    def assigned(self, partitions):
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("the positions are away")
        return {one: self.stored[one] for one in partitions
                if one in self.stored}

    def positions(self, handled):
        return {one: 0 for one in handled}


class TestOwnPositions(LoopCase):
    """A handler that says itself where to go on (R8)."""

    handler_class = Keeper

    def test_it_goes_on_where_the_handler_says(self):
        values = self.publish(95)
        self.run_until(self.loop(), lambda: len(self.handler.seen) == 95)
        # Nothing was committed for the group, so that all would come again.
        self.handler.stored = self.ends()
        self.publish(5, start=95)
        self.run_until(self.loop(), lambda: len(self.handler.seen) >= 100)
        self.assertEqual(100, len(self.handler.seen))
        self.assertEqual(values, sorted(self.handler.seen)[:95])

    def ends(self) -> dict[int, int]:
        again = self.bus.subscribe("t", "reader", None)
        found = {}
        while polled := again.poll(1000, 0.2):
            found.update((one.partition, one.offset + 1) for one in polled)
        again.close()
        return found

    def test_it_may_be_sent_back(self):
        values = self.publish(20)
        self.run_until(self.loop(), lambda: len(self.handler.seen) == 20)
        self.handler.stored = dict.fromkeys(range(4), 0)
        self.run_until(self.loop(), lambda: len(self.handler.seen) == 40)
        self.assertEqual(sorted(values * 2), sorted(self.handler.seen))

    def test_until_the_positions_can_be_told_nothing_is_handed_over(self):
        values = self.publish(20)
        self.handler.is_away = True
        loop = self.loop()
        for _ in range(3):
            loop.step()
        self.assertEqual([], self.handler.seen)
        self.assertGreater(self.handler.asked, 0)
        self.handler.is_away = False
        self.run_until(loop, lambda: len(self.handler.seen) == 20)
        self.assertEqual(values, sorted(self.handler.seen))

    def test_until_the_bus_can_go_there_nothing_is_handed_over(self):
        self.publish(20)
        self.handler.stored = self.ends()
        failures = iter([BusUnavailable("not yet")])
        subscribe = self.bus.subscribe

        def subscribe_late(*arguments):
            subscription = subscribe(*arguments)
            seek = subscription.seek

            def late(positions):
                for failure in failures:
                    raise failure
                seek(positions)

            subscription.seek = late
            return subscription

        with mock.patch.object(self.bus, "subscribe", subscribe_late):
            loop = self.loop()
        values = self.publish(3, start=20)
        self.run_until(loop, lambda: len(self.handler.seen) >= 3)
        self.assertEqual(values, sorted(self.handler.seen))
        self.assertEqual([], list(failures))

    def test_what_it_still_has_in_hand_is_not_committed(self):
        self.publish(20)
        self.run_until(self.loop(), lambda: len(self.handler.seen) == 20)
        member = self.bus.subscribe("t", "g", None)
        self.assertEqual(20, len(member.poll(100, 1.0)))
        member.close()
