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

"""The queues between the database and the threads that execute."""

import collections
import random
import threading
import types
import unittest
from unittest import mock

from monasca_events_engine import queues
from monasca_events_engine.deliveries import Entry
from monasca_events_engine.queues import Queues
from tests.unit.engine.outgoing import until


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def entry(name: str, project_id: str = "p", source: str = "m",
          size: int = 10) -> Entry:
    return Entry(name, "f", project_id, source, "steered", "pending", 0, 0.0,
                 "x" * size)


class QueuesCase(unittest.TestCase):

    def setUp(self):
        self.clock = Clock()

    def make(self, **values) -> Queues:
        return Queues(types.SimpleNamespace(**{
            "threads": 100, "concurrency": 2, "queue_length": 10,
            "breaker_failures": 3, "breaker_seconds": 60.0, **values}),
            self.clock)

    def fill(self, made: Queues, *names: str, target: str = "t",
             **fields) -> None:
        for name in names:
            self.assertEqual([], made.put(target, entry(name, **fields)))

    def take(self, made: Queues) -> tuple[str, Entry] | None:
        """Return what a thread would get now, None where it would wait."""
        with made._changed:
            found = made._next()
        return found and found[:2]

    def names(self, made: Queues) -> list[str]:
        """Take all that can be taken without anything being done."""
        found = []
        while (taken := self.take(made)) is not None:
            found.append(taken[1].delivery_id)
        return found


class TestOrder(QueuesCase):

    def test_one_lane_keeps_its_order(self):
        made = self.make(concurrency=9)
        self.fill(made, "a", "b", "c")
        self.assertEqual(3, len(made))
        self.assertEqual(["a", "b", "c"], self.names(made))
        self.assertEqual(0, len(made))

    def test_projects_take_turns_however_much_one_has(self):
        made = self.make(concurrency=9)
        self.fill(made, *(f"a{n}" for n in range(6)), project_id="A")
        self.fill(made, "b0", "b1", project_id="B")
        self.fill(made, "c0", project_id="C", target="other")
        self.assertEqual(["a0", "b0", "c0", "a1", "b1", "a2"],
                         self.names(made)[:6])

    def test_targets_of_a_project_take_turns(self):
        made = self.make(concurrency=9)
        self.fill(made, "x0", "x1", "x2", target="x")
        self.fill(made, "y0", target="y")
        self.assertEqual(["x0", "y0", "x1", "x2"], self.names(made))

    def test_a_busy_target_holds_up_no_other(self):
        """F20"""
        made = self.make()
        self.fill(made, "s0", "s1", "s2", "s3", target="slow")
        self.fill(made, "q0", "q1", target="quick")
        self.assertEqual({"s0", "s1", "q0", "q1"}, set(self.names(made)))
        self.fill(made, "q2", target="quick")
        self.assertIsNone(self.take(made))
        made.done("quick", entry("q0"), True)
        self.assertEqual(["q2"], self.names(made))
        made.done("slow", entry("s0"), True)
        self.assertEqual(["s2"], self.names(made))

    def test_projects_take_turns_at_a_busy_target(self):
        made = self.make(concurrency=1)
        self.fill(made, "a0", "a1", "a2", project_id="A")
        self.fill(made, "b0", "b1", project_id="B")
        found = []
        for _ in range(5):
            target, taken = self.take(made)
            self.assertIsNone(self.take(made))
            found.append(taken.delivery_id)
            made.done(target, taken, True)
        self.assertEqual(["a0", "b0", "a1", "b1", "a2"], found)

    def test_a_project_has_half_of_the_threads(self):
        made = self.make(threads=4, concurrency=9)
        self.fill(made, *(f"a{n}" for n in range(8)), project_id="A")
        self.fill(made, "b", project_id="B")
        self.assertEqual(["a0", "b", "a1"], self.names(made))
        made.done("t", entry("a0", "A"), True)
        self.assertEqual(["a2"], self.names(made))

    def test_it_says_how_long_one_waited(self):
        made = self.make()
        self.fill(made, "a")
        self.clock.now += 7
        self.assertEqual(7, made.take()[2])

    def test_closed_it_gives_back_what_waits_and_takes_no_more(self):
        made = self.make(concurrency=1)
        self.fill(made, "a", "b", "c")
        self.take(made)
        self.assertEqual(["b", "c"], [one.delivery_id
                                      for one in made.close()])
        self.assertIsNone(made.take())
        self.assertEqual(["d"], [one.entry.delivery_id for one in
                                 made.put("t", entry("d"))])


class TestBounds(QueuesCase):
    """F20: what a slow target has to get does not fill the memory."""

    def test_what_does_not_fit_goes_back_and_its_source_is_full(self):
        made = self.make(queue_length=3)
        self.fill(made, "a", "b", "c")
        back, = made.put("t", entry("d"))
        self.assertEqual(("d", None), (back.entry.delivery_id, back.delay))
        self.assertEqual({"m"}, made.full())
        # Another project's lane to the same target has its own bound.
        self.fill(made, "x", project_id="other", source="n")
        self.assertEqual({"m"}, made.full())

    def test_a_source_may_come_again_when_half_is_done(self):
        made = self.make(queue_length=4, concurrency=9)
        self.fill(made, *"abcd")
        made.put("t", entry("e"))
        self.take(made)
        self.assertEqual({"m"}, made.full())
        self.assertFalse(made.has_room_again())
        self.take(made)
        self.assertEqual(set(), made.full())
        self.assertTrue(made.has_room_again())
        self.assertFalse(made.has_room_again())

    def test_when_memory_is_full_the_longest_lane_gives_back_half(self):
        made = self.make(queue_length=1000)
        with mock.patch.object(queues, "MAX_BYTES", 10_000):
            self.fill(made, *(f"s{n}" for n in range(9)), size=1000,
                      source="slow")
            self.fill(made, "q0", target="quick", project_id="Q", size=900)
            back = made.put("quick", entry("q1", "Q", "quick", 900))
        self.assertEqual(["s8", "s7", "s6", "s5", "s4"],
                         [one.entry.delivery_id for one in back])
        self.assertEqual({"slow"}, made.full())
        self.assertEqual(6, len(made))
        self.assertLess(0, made.room())

    def test_there_is_room_until_one_of_both_limits_is_reached(self):
        made = self.make()
        self.assertEqual(queues.MAX_ENTRIES, made.room())
        self.fill(made, "a")
        self.assertEqual(queues.MAX_ENTRIES - 1, made.room())
        with mock.patch.object(queues, "MAX_BYTES", 10):
            self.assertEqual(0, made.room())


class TestBreaker(QueuesCase):
    """F20: the circuit of a target."""

    def opened(self) -> Queues:
        made = self.make()
        self.fill(made, *"abcdef")
        for _ in range(2):
            taken = [self.take(made)[1], self.take(made)[1]]
            for one in taken:
                self.back = made.done("t", one, False)
                if self.back:
                    return made
        raise AssertionError("it did not open")

    def test_after_some_failures_what_waits_goes_back_for_a_while(self):
        made = self.opened()
        self.assertEqual([("e", 60.0), ("f", 60.0)], [
            (one.entry.delivery_id, one.delay) for one in self.back])
        self.assertEqual(0, len(made))
        self.clock.now += 10
        back, = made.put("t", entry("g"))
        self.assertEqual(50.0, back.delay)

    def test_then_one_tries_and_the_others_wait_for_it(self):
        made = self.opened()
        made.done("t", entry("d"), None)
        self.clock.now += 60
        self.fill(made, "g", "h", "i")
        self.assertEqual(["g"], self.names(made))
        made.done("t", entry("g"), True)
        self.assertEqual(["h", "i"], self.names(made))

    def test_if_that_fails_too_the_others_go_back_again(self):
        made = self.opened()
        made.done("t", entry("d"), None)
        self.clock.now += 60
        self.fill(made, "g", "h")
        self.take(made)
        back = made.done("t", entry("g"), False)
        self.assertEqual([("h", 60.0)], [
            (one.entry.delivery_id, one.delay) for one in back])

    def test_a_lane_that_was_blocked_when_it_opened_is_served_later(self):
        made = self.make(concurrency=1)
        for project_id in "ABCD":
            self.fill(made, f"{project_id}0", project_id=project_id)
        for _ in range(3):
            target, taken = self.take(made)
            self.assertIsNone(self.take(made))
            made.done(target, taken, False)
        self.clock.now += 60
        for project_id in "ABCD":
            self.fill(made, f"{project_id}1", project_id=project_id)
        found = []
        while (taken := self.take(made)) is not None:
            found.append(taken[1].delivery_id)
            made.done(*taken, True)
        self.assertEqual(["A1", "B1", "C1", "D1"], sorted(found))

    def test_another_target_is_not_concerned(self):
        made = self.opened()
        self.fill(made, "x", target="other")
        self.assertEqual(["x"], self.names(made))

    def test_what_says_nothing_of_the_target_counts_for_nothing(self):
        made = self.make()
        for number in range(9):
            self.fill(made, str(number))
            made.done(*self.take(made), None)
        self.fill(made, "a")


class TestSweep(QueuesCase):

    def test_what_is_idle_is_forgotten_but_for_recent_failures(self):
        made = self.make()
        for target, worked in (("good", True), ("bad", False)):
            self.fill(made, "a", target=target)
            made.done(*self.take(made), worked)
        self.fill(made, "b", target="good", project_id="waits")
        made.sweep()
        self.assertEqual({"good", "bad"}, set(made._stations))
        self.names(made)
        made.done("good", entry("b", "waits"), True)
        made.sweep()
        self.assertEqual({"bad"}, set(made._stations))
        self.clock.now += queues.MEMORY + 1
        made.sweep()
        self.assertEqual(({}, {}), (made._stations, made._projects))


class TestThreads(QueuesCase):

    def test_nothing_gets_lost_or_stuck_whatever_happens(self):
        """A model would say: each entry is executed or given back, once.

        Threads with random outcomes against a random stream of entries.
        """
        for seed in range(5):
            with self.subTest(seed=seed):
                self.check(seed)

    def check(self, seed: int) -> None:
        rng = random.Random(seed)
        self.clock.now = 0.0
        made = self.make(threads=6, queue_length=5, breaker_seconds=3.0)
        found = collections.Counter()
        lock = threading.Lock()

        def note(entries, name):
            with lock:
                found.update(one.delivery_id for one in entries)

        def work(mine):
            while (taken := made.take()) is not None:
                target, one, _waited = taken
                note([one], "done")
                back = made.done(target, one, mine.choice(
                    (True, True, None, target != "t0")))
                note([back_one.entry for back_one in back], "back")

        threads = [threading.Thread(target=work, daemon=True,
                                    args=(random.Random(seed * 10 + n),))
                   for n in range(6)]
        for one in threads:
            one.start()
        total = 3000
        for number in range(total):
            self.clock.now += 0.01
            note([one.entry for one in made.put(
                f"t{rng.randrange(4)}",
                entry(str(number), f"p{rng.randrange(5)}"))], "put")
            if number % 500 == 0:
                made.sweep()
        def empty() -> bool:
            self.clock.now += 1.0
            return not len(made)
        until("all are done", empty)
        note(made.close(), "closed")
        for one in threads:
            one.join(60)
        self.assertEqual(total, len(found))
        self.assertEqual({1}, set(found.values()))
