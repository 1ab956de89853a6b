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


"""What every bus promises to who only looks on, as tests.

Inherited beside :class:`tests.contract.bus.BusContract`, which opens and
breaks the log.
"""

from collections.abc import Sequence
import time

from monasca_events_common.bus import Delivery
from monasca_events_common.bus import Tail
from monasca_events_common.errors import BusUnavailable
from tests.contract.bus import collect
from tests.contract.bus import numbers
from tests.contract.bus import Ownership
from tests.contract.bus import PATIENCE
from tests.contract.bus import polled
from tests.contract.bus import positions


class TailContract:
    """Inherited by a TestCase that inherits BusContract too."""

    # Groups, as operators see them.

    def test_how_a_group_stands_is_told_to_who_is_not_in_it(self):
        self.publish(40)
        name, other = self.group("persister"), self.group("nobody")
        first, second = (Ownership(), Ownership())
        members = {self.subscribe(watcher=first): first,
                   self.subscribe(watcher=second): second}
        self.settle(members)
        one = next(iter(members))
        one.seek(dict.fromkeys(first.partitions, 0))
        found = collect(one, 1)
        one.commit({delivery.partition: delivery.offset + 1
                    for delivery in found[:1]})
        group, nobody = self.open_bus().groups(self.topic, [name, other])
        self.assertEqual((name, other), (group.name, nobody.name))
        self.assertEqual(
            {tuple(sorted(first.partitions)),
             tuple(sorted(second.partitions))},
            {tuple(member.partitions) for member in group.members})
        self.assertEqual(40 - (found[0].offset + 1), sum(group.lag.values()))
        self.assertEqual([], list(nobody.members))
        self.assertEqual(40, sum(nobody.lag.values()))
        for member in group.members:
            self.assertTrue(member.id and member.host)

    # Tails.

    def tail(self, backlog: int = 0, bus=None) -> Tail:
        """Return a tail that has reached the log."""
        tail = (bus or self.bus).tail(self.topic, backlog)
        self.addCleanup(tail.close)
        return tail

    def begin(self, tail: Tail) -> list[Delivery]:
        """Poll until it has begun; return what came with that."""
        found: list[Delivery] = []
        deadline = time.monotonic() + PATIENCE
        while not tail.spans and time.monotonic() < deadline:
            found.extend(polled(tail, 100, 0.2))
        self.assertEqual(set(range(self.PARTITIONS)), set(tail.spans))
        return found

    def go_on(self, tail: Tail, count: int,
              found: Sequence[Delivery] = ()) -> list[Delivery]:
        """Poll until so many records came, and a little longer."""
        seen = list(found)
        deadline = time.monotonic() + PATIENCE
        while len(seen) < count and time.monotonic() < deadline:
            seen.extend(polled(tail, 7, 0.5))
        return [*seen, *polled(tail, 100, 0.3)]

    def test_a_tail_sees_what_is_published_from_then_on(self):
        self.publish(20)
        tail = self.tail()
        self.assertEqual([], self.begin(tail))
        self.assertEqual(20, sum(end for _, end in tail.spans.values()))
        self.open_bus().publish(self.topic, [])
        self.publish(30, first=20)
        found = self.go_on(tail, 30)
        self.assertEqual(list(range(20, 50)), sorted(numbers(found)))
        self.assertEqual(0, tail.gaps)

    def test_a_tail_begins_so_many_records_before_the_end(self):
        self.publish(100)
        tail = self.tail(backlog=5)
        before = self.begin(tail)
        wanted = sum(end - start for start, end in tail.spans.values())
        self.assertEqual(5 * self.PARTITIONS, wanted)
        found = self.go_on(tail, wanted, before)
        self.assertEqual({partition: list(range(start, end)) for
                          partition, (start, end) in tail.spans.items()},
                         {partition: [one.offset for one in found
                                      if one.partition == partition]
                          for partition in tail.spans})

    def test_a_tail_of_a_short_log_begins_at_its_first_record(self):
        self.publish(10)
        tail = self.tail(backlog=1000)
        found = self.go_on(tail, 10, self.begin(tail))
        self.assertEqual(list(range(10)), sorted(numbers(found)))

    def test_every_tail_sees_everything_and_takes_nothing(self):
        first, second = self.tail(), self.tail(bus=self.open_bus())
        self.begin(first)
        self.begin(second)
        group = self.subscribe()
        self.publish(20)
        for seen in (self.go_on(first, 20), self.go_on(second, 20),
                     collect(group, 20)):
            self.assertEqual(list(range(20)), sorted(numbers(seen)))
        group.commit(positions(seen))
        self.assertEqual(0, sum(group.lag().values()))

    def test_a_tail_outlives_a_log_that_is_down(self):
        self.bus = self.open_impatient_bus()
        tail = self.tail()
        self.begin(tail)
        self.eventually(lambda: self.publish(10))
        found = self.go_on(tail, 10)
        self.break_log()
        try:
            found.extend(polled(tail, 10, 1.0))
        finally:
            self.mend_log()
        self.eventually(lambda: self.publish(10, first=10))
        deadline = time.monotonic() + PATIENCE
        while not set(range(20)) <= set(numbers(found)) \
                and time.monotonic() < deadline:
            found.extend(polled(tail, 100, 1.0))
        # What was published twice, because nobody said yes, comes twice.
        self.assertEqual(set(range(20)), set(numbers(found)))
        places = [(one.partition, one.offset) for one in found]
        self.assertEqual(len(set(places)), len(places))

    def test_a_tail_ends_with_its_bus_and_may_be_closed_twice(self):
        bus = self.open_bus()
        tail = bus.tail(self.topic, 0)
        self.begin(tail)
        bus.close()
        with self.assertRaises(BusUnavailable):
            tail.poll(1, 0.1)
        tail.close()
        tail.close()
