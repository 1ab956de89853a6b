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

"""What every bus promises, as tests (B21, B26, D5).

A driver's test module inherits :class:`BusContract` beside ``TestCase`` and
says how to open a bus, how to break the log and how a member dies. The same
tests run on the embedded log and on a real Kafka.
"""

import abc
from collections.abc import Mapping, Sequence
import concurrent.futures
import time
import uuid

from monasca_events_common.bus import Bus
from monasca_events_common.bus import Delivery
from monasca_events_common.bus import Record
from monasca_events_common.bus import Subscription
from monasca_events_common.bus import Tail
from monasca_events_common.bus import Watcher
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import Rejected

#: Seconds after which something that should have come will not come.
PATIENCE = 60.0


class Ownership(Watcher):
    """Remembers which partitions are ours and what was told."""

    def __init__(self) -> None:
        self.partitions: set[int] = set()
        self.told: list[tuple[str, tuple[int, ...]]] = []

    def assigned(self, partitions: Sequence[int]) -> None:
        self.told.append(("assigned", tuple(partitions)))
        self.partitions.update(partitions)

    def revoked(self, partitions: Sequence[int]) -> None:
        self.told.append(("revoked", tuple(partitions)))
        self.partitions.difference_update(partitions)


def record(number: int, key: bytes = b"project") -> Record:
    """Return a record whose value is its number."""
    return Record(key, str(number).encode(), {"event_id": b"%d" % number})


def records(count: int, keys: int = 16, first: int = 0) -> list[Record]:
    """Return that many numbered records of several keys."""
    return [record(number, b"project-%d" % (number % keys))
            for number in range(first, first + count)]


def numbers(deliveries: Sequence[Delivery]) -> list[int]:
    """Return the numbers of such records as they came."""
    return [int(delivery.value) for delivery in deliveries]


def positions(deliveries: Sequence[Delivery]) -> dict[int, int]:
    """Return what to commit after these deliveries."""
    following: dict[int, int] = {}
    for delivery in deliveries:
        following[delivery.partition] = max(
            delivery.offset + 1, following.get(delivery.partition, 0))
    return following


def polled(reader: Subscription | Tail, limit: int,
           timeout: float) -> list[Delivery]:
    """Return what a poll brings; nothing while the log is not reached yet,
    as every poll may say."""
    try:
        return list(reader.poll(limit, timeout))
    except BusUnavailable:
        return []


def collect(subscription: Subscription, count: int) -> list[Delivery]:
    """Poll until that many records came, and then some more that may come."""
    found: list[Delivery] = []
    deadline = time.monotonic() + PATIENCE
    while len(found) < count and time.monotonic() < deadline:
        found.extend(polled(subscription, 100, 0.5))
    return found


def collect_all(subscription: Subscription, wanted: set[int],
                found: Sequence[Delivery] = ()) -> set[int]:
    """Poll until all that is wanted came; some may come more than once."""
    seen = set(numbers(found))
    deadline = time.monotonic() + PATIENCE
    while not wanted <= seen and time.monotonic() < deadline:
        seen.update(numbers(polled(subscription, 100, 0.5)))
    return seen


class BusContract(abc.ABC):
    """Inherited by a TestCase, which sets up and opens buses."""

    #: Partitions of a new topic.
    PARTITIONS = 4

    #: More bytes than the log accepts in one record.
    TOO_LARGE = 2 << 20

    @abc.abstractmethod
    def open_bus(self) -> Bus:
        """Return a bus on the log under test, as another process would
        open it; the test closes it at its end."""

    def open_impatient_bus(self) -> Bus:
        """Return one that soon gives up where the log is unavailable.

        What is to succeed on it is done ``eventually``.
        """
        return self.open_bus()

    @abc.abstractmethod
    def break_log(self) -> None:
        """Make the log unavailable."""

    @abc.abstractmethod
    def mend_log(self) -> None:
        """Undo ``break_log``."""

    @abc.abstractmethod
    def lose_member(self, topic: str, group: str) -> None:
        """Have a member own partitions and die without closing.

        Returns when it is dead; its partitions may still be its own for the
        time that the driver waits for a sign of life.
        """

    def setUp(self) -> None:
        super().setUp()
        self.topic = f"topic-{uuid.uuid4().hex}"
        self.bus = self.open_bus()

    def group(self, name: str) -> str:
        """Return a group's name that no other test uses."""
        return f"{name}-{self.topic}"

    def publish(self, count: int, first: int = 0) -> None:
        self.bus.publish(self.topic, records(count, first=first))

    def subscribe(self, group: str = "persister", watcher=None,
                  bus: Bus | None = None) -> Subscription:
        subscription = (bus or self.bus).subscribe(
            self.topic, self.group(group), watcher)
        self.addCleanup(subscription.close)
        return subscription

    def settle(self, members: Mapping[Subscription, Ownership],
               enough=None) -> list[Delivery]:
        """Poll all members in turn until they share all partitions."""
        found: list[Delivery] = []
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for subscription in members:
                found.extend(polled(subscription, 100, 0.2))
            held = [len(owner.partitions) for owner in members.values()]
            if sum(held) == self.PARTITIONS and min(held) > 0:
                return found
        self.fail(f"the partitions were not shared: {held}")

    # Round trip and order.

    def test_a_record_comes_back_as_it_was_published(self):
        """Keys, values and headers are bytes of any kind (R1)."""
        every_byte = bytes(range(256)) * 300
        published = [
            Record(b"\x00\xff key", every_byte,
                   {"event_id": b"1", "index": every_byte, "empty": b""}),
            Record(b"\x00\xff key", b"", {})]
        self.bus.publish(self.topic, published)
        found = collect(self.subscribe(), 2)
        self.assertEqual(
            [(r.key, r.value, dict(r.headers)) for r in published],
            [(d.key, d.value, dict(d.headers)) for d in found])
        self.assertEqual(1, len({d.partition for d in found}))
        self.assertEqual(found[0].offset + 1, found[1].offset)

    def test_publishing_nothing_does_nothing(self):
        self.bus.publish(self.topic, [])

    def test_records_of_one_key_keep_their_order(self):
        for first in range(0, 400, 40):
            self.publish(40, first=first)
        by_key: dict[bytes, list[int]] = {}
        for delivery in collect(self.subscribe(), 400):
            by_key.setdefault(delivery.key, []).append(int(delivery.value))
        self.assertEqual(16, len(by_key))
        for values in by_key.values():
            self.assertEqual(sorted(values), values)
        self.assertEqual(400, sum(map(len, by_key.values())))

    def test_a_poll_returns_no_more_than_asked_for(self):
        self.publish(50)
        subscription = self.subscribe()
        found = []
        deadline = time.monotonic() + PATIENCE
        while len(found) < 50 and time.monotonic() < deadline:
            batch = polled(subscription, 7, 5.0)
            self.assertLessEqual(len(batch), 7)
            found.extend(batch)
        self.assertEqual(list(range(50)), sorted(numbers(found)))

    def test_threads_may_publish_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda part: self.publish(25, first=part * 25),
                          range(16)))
        found = collect(self.subscribe(), 400)
        self.assertEqual(list(range(400)), sorted(numbers(found)))

    def test_a_poll_wakes_for_another_process_s_records(self):
        subscription = self.subscribe()
        self.assertEqual([], polled(subscription, 10, 0.2))
        self.open_bus().publish(self.topic, [record(1)])
        self.assertEqual([1], numbers(collect(subscription, 1)))

    # Groups and positions.

    def test_a_new_group_starts_at_the_oldest_record(self):
        self.publish(20)
        first = self.subscribe("persister")
        first.commit(positions(collect(first, 20)))
        self.publish(5, first=20)
        found = collect(self.subscribe("engine"), 25)
        self.assertEqual(list(range(25)), sorted(numbers(found)))

    def test_a_group_goes_on_where_it_committed(self):
        """Committed records do not come again, others do (R1)."""
        self.publish(30)
        bus = self.open_bus()
        first = self.subscribe(bus=bus)
        found = collect(first, 30)
        last = found[-1].partition
        done = [d for d in found if d.partition != last]
        rest = [d for d in found if d.partition == last]
        done += rest[:len(rest) // 2]
        first.commit(positions(done))
        first.close()
        bus.close()
        again = collect(self.subscribe(), 30 - len(done))
        self.assertEqual(set(range(30)) - set(numbers(done)),
                         set(numbers(again)))
        self.assertEqual(30 - len(done), len(again))

    def test_what_was_not_committed_comes_again(self):
        self.publish(10)
        first = self.subscribe()
        self.assertEqual(10, len(collect(first, 10)))
        first.close()
        self.assertEqual(list(range(10)),
                         sorted(numbers(collect(self.subscribe(), 10))))

    def test_groups_do_not_disturb_one_another(self):
        self.publish(20)
        persister, engine = self.subscribe("persister"), self.subscribe("eng")
        persister.commit(positions(collect(persister, 20)))
        self.assertEqual(20, len(collect(engine, 20)))
        self.assertEqual({20}, {sum(engine.lag().values())})
        self.assertEqual({0}, {sum(persister.lag().values())})

    def test_lag_counts_down(self):
        self.publish(40)
        subscription = self.subscribe()
        found = collect(subscription, 40)
        self.assertEqual(40, sum(subscription.lag().values()))
        done = found[:15]
        subscription.commit({p: n for p, n in positions(done).items()})
        self.assertEqual(
            40 - len([d for d in found if d.offset <
                      positions(done).get(d.partition, 0)]),
            sum(subscription.lag().values()))
        subscription.commit(positions(found))
        self.assertEqual({0}, set(subscription.lag().values()))

    def test_ends_tell_what_is_still_to_come(self):
        self.publish(40)
        subscription = self.subscribe()
        found = collect(subscription, 40)
        ends = subscription.ends()
        self.assertEqual(positions(found), {
            partition: end for partition, (_, end) in ends.items() if end})
        self.assertTrue(all(following == end
                            for following, end in ends.values()))
        subscription.seek({found[0].partition: found[0].offset})
        following, end = subscription.ends()[found[0].partition]
        self.assertEqual((found[0].offset, positions(found)[
            found[0].partition]), (following, end))

    def test_seek_goes_back_and_forth(self):
        self.bus.publish(self.topic, [record(n) for n in range(10)])
        subscription = self.subscribe()
        found = collect(subscription, 10)
        partition, start = found[0].partition, found[0].offset
        subscription.seek({partition: start + 3})
        self.assertEqual([3, 4, 5, 6, 7, 8, 9],
                         numbers(collect(subscription, 7)))
        subscription.seek({partition: start})
        self.assertEqual([0, 1], numbers(subscription.poll(2, PATIENCE)))
        subscription.seek({partition: start + 9, 4095: 7})
        self.assertEqual([9], numbers(collect(subscription, 1)))

    def test_a_watcher_may_seek_when_it_is_told_of_partitions(self):
        """As who keeps positions elsewhere does, to begin there."""
        self.bus.publish(self.topic, [record(n) for n in range(10)])
        first = self.subscribe()
        found = collect(first, 10)
        first.commit(positions(found))
        first.close()

        class Seeking(Ownership):
            def assigned(self, partitions):
                super().assigned(partitions)
                second.seek({found[6].partition: found[6].offset})

        second = self.subscribe(watcher=Seeking())
        self.assertEqual([6, 7, 8, 9], numbers(collect(second, 4)))

    def test_a_seek_before_the_first_record_counts(self):
        watcher = Ownership()
        subscription = self.subscribe(watcher=watcher)
        self.bus.publish(self.topic, [record(n) for n in range(10)])
        other = self.subscribe("other")
        found = collect(other, 10)
        while not watcher.partitions:
            subscription.pause()
            polled(subscription, 10, 0.0)
        subscription.seek({found[4].partition: found[4].offset})
        subscription.resume()
        self.assertEqual([4, 5, 6, 7, 8, 9], numbers(collect(subscription, 6)))

    def test_what_a_watcher_raises_reaches_the_caller_of_poll(self):
        class Failing(Ownership):
            def assigned(self, partitions):
                raise ZeroDivisionError

        subscription = self.subscribe(watcher=Failing())
        with self.assertRaises(ZeroDivisionError):
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                polled(subscription, 1, 0.5)

    def test_a_watcher_that_raises_costs_no_record(self):
        self.publish(40)

        class FailingOnce(Ownership):
            def assigned(self, partitions):
                super().assigned(partitions)
                if len(self.told) == 1:
                    raise ZeroDivisionError

        subscription = self.subscribe(watcher=FailingOnce())
        with self.assertRaises(ZeroDivisionError):
            collect(subscription, 40)
        found = collect(subscription, 40)
        self.assertEqual(list(range(40)), sorted(numbers(found)))

    def test_closing_the_bus_ends_a_poll_in_another_thread(self):
        bus = self.open_bus()
        subscription = bus.subscribe(self.topic, self.group("persister"))
        polled(subscription, 1, 0.5)

        def poll():
            while not subscription.poll(100, 0.5):
                pass

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            polling = pool.submit(poll)
            bus.close()
            self.assertIsInstance(polling.exception(), BusUnavailable)

    def test_pause_returns_nothing_and_keeps_the_membership(self):
        watcher = Ownership()
        subscription = self.subscribe(watcher=watcher)
        self.publish(5)
        self.assertEqual(5, len(collect(subscription, 5)))
        subscription.pause()
        self.publish(5, first=5)
        for _ in range(5):
            self.assertEqual([], polled(subscription, 10, 0.2))
        self.assertEqual(self.PARTITIONS, len(watcher.partitions))
        subscription.resume()
        self.assertEqual(list(range(5, 10)),
                         sorted(numbers(collect(subscription, 5))))

    def test_a_seek_while_paused_counts(self):
        self.bus.publish(self.topic, [record(n) for n in range(6)])
        subscription = self.subscribe()
        found = collect(subscription, 6)
        subscription.pause()
        subscription.seek({found[2].partition: found[2].offset})
        self.assertEqual([], polled(subscription, 10, 0.2))
        subscription.resume()
        self.assertEqual([2, 3, 4, 5], numbers(collect(subscription, 4)))

    # Members.

    def share(self) -> tuple[dict[Subscription, Ownership], list[Delivery]]:
        """Return two members that share the partitions, and what came."""
        members = {}
        for _ in range(2):
            watcher = Ownership()
            members[self.subscribe(watcher=watcher,
                                   bus=self.open_bus())] = watcher
        return members, self.settle(members)

    def test_members_share_the_partitions_without_overlap(self):
        """(F6)"""
        members, _ = self.share()
        self.publish(80)
        found: list[Delivery] = []

        def poll(timeout):
            for subscription, watcher in members.items():
                mine = polled(subscription, 100, timeout)
                self.assertLessEqual({d.partition for d in mine},
                                     watcher.partitions)
                found.extend(mine)

        deadline = time.monotonic() + PATIENCE
        while len(found) < 80 and time.monotonic() < deadline:
            poll(0.2)
        poll(1.0)
        self.assertEqual(list(range(80)), sorted(numbers(found)))

    def test_when_a_member_closes_the_other_takes_over(self):
        """(F6)"""
        members, _ = self.share()
        leaver, stayer = members
        self.publish(80)
        taken = collect(leaver, 10)
        leaver.commit(positions(taken))
        leaver.close()
        done = set(numbers(taken))
        found = self.settle({stayer: members[stayer]})
        # What it had read before the change of members may come again.
        wanted = set(range(80)) - done
        self.assertEqual(wanted, collect_all(stayer, wanted, found))

    def test_when_a_member_dies_the_other_takes_over(self):
        """Its partitions come with what it had not committed (F6)."""
        self.publish(80)
        self.lose_member(self.topic, self.group("persister"))
        watcher = Ownership()
        survivor = self.subscribe(watcher=watcher)
        found = self.settle({survivor: watcher})
        found += collect(survivor, 80 - len(found))
        self.assertEqual(list(range(80)), sorted(numbers(found)))

    def test_a_member_may_commit_while_it_is_told_to_give_up(self):
        self.publish(80)
        outer = self

        class Committing(Ownership):
            committed: dict[int, int] = {}

            def revoked(self, partitions):
                gone = {p: n for p, n in positions(outer.found).items()
                        if p in partitions}
                outer.first.commit(gone)
                self.committed.update(gone)
                super().revoked(partitions)

        mine, others = Committing(), Ownership()
        self.first = self.subscribe(watcher=mine)
        self.found = collect(self.first, 80)
        second = self.subscribe(watcher=others, bus=self.open_bus())
        again = self.settle({self.first: mine, second: others})
        self.assertTrue(mine.committed)
        again += polled(second, 100, 0.5)
        self.assertEqual(
            [], [d for d in again if d.partition in others.partitions])

    def test_a_commit_for_another_s_partition_is_ignored(self):
        """(F6)"""
        self.publish(80)
        mine, others = Ownership(), Ownership()
        first = self.subscribe(watcher=mine)
        found = collect(first, 80)
        second = self.subscribe(watcher=others, bus=self.open_bus())
        self.settle({first: mine, second: others})
        foreign = {int(d.value) for d in found
                   if d.partition in others.partitions}
        self.assertTrue(foreign)
        first.commit(positions(found))
        first.close()
        second.close()
        self.assertEqual(foreign, set(numbers(
            collect(self.subscribe(), len(foreign)))))

    # Failing.

    def test_a_record_too_large_is_rejected_and_none_is_published(self):
        large = Record(b"project", b"x" * self.TOO_LARGE, {})
        with self.assertRaises(Rejected):
            self.bus.publish(self.topic, [record(1), large, record(2)])
        self.bus.publish(self.topic, [record(3)])
        self.assertEqual([3], numbers(collect(self.subscribe(), 1)))

    def test_a_bus_that_is_down_says_so_and_recovers(self):
        """(F5)"""
        self.bus = self.open_impatient_bus()
        self.eventually(lambda: self.publish(10))
        self.eventually(self.check_health)
        self.break_log()
        try:
            with self.assertRaises(BusUnavailable):
                self.publish(10, first=10)
            self.assertFalse(self.bus.health().ok)
        finally:
            self.mend_log()
        self.eventually(lambda: self.publish(10, first=20))
        self.eventually(self.check_health)
        # What failed may have been published all the same, in part.
        wanted = {*range(10), *range(20, 30)}
        self.assertLessEqual(wanted, collect_all(self.subscribe(), wanted))

    def test_threads_do_not_pile_up_while_the_bus_is_down(self):
        """Every caller is answered, and the bus works again (F5)."""
        self.bus = self.open_impatient_bus()
        self.eventually(lambda: self.publish(1))
        self.break_log()
        try:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                waiting = [pool.submit(self.publish, 1, n)
                           for n in range(1, 17)]
                for future in waiting:
                    self.assertIsInstance(future.exception(), BusUnavailable)
        finally:
            self.mend_log()
        self.eventually(lambda: self.publish(1, first=17))

    def test_a_subscription_outlives_a_log_that_is_down(self):
        """(F5)"""
        self.bus = self.open_impatient_bus()
        self.eventually(lambda: self.publish(10))
        subscription = self.subscribe()
        done = positions(collect(subscription, 10))
        self.eventually(lambda: subscription.commit(done))
        self.break_log()
        try:
            try:
                subscription.poll(10, 1.0)
            except BusUnavailable:
                pass
        finally:
            self.mend_log()
        self.eventually(lambda: self.publish(10, first=10))
        found: list[Delivery] = []

        def go_on():
            found.extend(subscription.poll(100, 1.0))
            subscription.commit(positions(found))
            if not set(range(10, 20)) <= set(numbers(found)):
                raise BusUnavailable("not yet")

        self.eventually(go_on)

    def test_subscribing_returns_while_the_log_is_down(self):
        self.bus = self.open_impatient_bus()
        self.eventually(lambda: self.publish(1))
        self.break_log()
        try:
            subscription = self.subscribe()
        finally:
            self.mend_log()
        found: list[Delivery] = []

        def poll():
            found.extend(subscription.poll(10, 1.0))
            if not found:
                raise BusUnavailable("not yet")

        self.eventually(poll)
        self.assertEqual({0}, set(numbers(found)))

    def test_closing_twice_does_no_harm(self):
        bus = self.open_bus()
        subscription = bus.subscribe(self.topic, self.group("persister"))
        self.publish(1)
        collect(subscription, 1)
        subscription.close()
        subscription.close()
        bus.close()
        bus.close()
        self.assertFalse(bus.health().ok)
        with self.assertRaises(BusUnavailable):
            bus.publish(self.topic, [record(1)])
        with self.assertRaises(BusUnavailable):
            subscription.poll(1, 0.1)

    def check_health(self) -> None:
        """Raise BusUnavailable unless the bus says that it is well."""
        health = self.bus.health()
        if not health.ok:
            raise BusUnavailable(health.detail)

    def eventually(self, act) -> None:
        """Repeat what fails for want of the log until it succeeds."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return act()
            except BusUnavailable:
                if time.monotonic() > deadline:
                    raise
