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


"""Queues of streams: bounded, each by itself."""

import concurrent.futures
import random
import unittest

from monasca_events_api.live import Seen
from monasca_events_api.live.selection import Selection
from monasca_events_api.live.streams import Fresh
from monasca_events_api.live.streams import Streams
from monasca_events_common.errors import Unavailable
from monasca_events_common.event import record
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store import ALL
from tests.unit.api.live import sample
from tests.unit.api.live.sample import OTHER
from tests.unit.api.live.sample import PROJECT
from tests.unit.api.live.sample import seen
from tests.unit.api.live.test_selection import some_event
from tests.unit.api.live.test_selection import some_query


ALL_OF_THEM = Selection(Query())


def of(**fields) -> Selection:
    """Return what wants these values of fields."""
    return Selection(Query(terms=tuple(
        Term(name, "eq", (value,)) for name, value in fields.items())))


def offsets(taken) -> list[int]:
    return [one.seen.offset for one in taken[0]]


class StreamsTest(unittest.TestCase):

    def streams(self, spare=None, **options) -> Streams:
        return Streams(sample.conf(**options), spare)

    def test_each_gets_its_projects_events_in_order(self):
        """S1"""
        streams = self.streams()
        mine, others, all_of_them = (
            streams.open(one, ALL_OF_THEM) for one in (PROJECT, OTHER, ALL))
        streams.offer([seen(1), seen(2, OTHER), seen(3)])
        self.assertEqual([1, 3], offsets(mine.take(0)))
        self.assertEqual([2], offsets(others.take(0)))
        self.assertEqual([1, 2, 3], offsets(all_of_them.take(0)))
        self.assertEqual(([], 0), mine.take(0))

    def test_an_event_is_decoded_once_for_all(self):
        streams = self.streams()
        first, second = (streams.open(one, ALL_OF_THEM)
                         for one in (PROJECT, ALL))
        streams.offer([seen(1)])
        (one,), (two,) = first.take(0)[0], second.take(0)[0]
        self.assertIs(one.event, two.event)
        self.assertEqual("a.b", one.event["event_type"])

    def test_each_gets_what_it_wants_whatever_others_want(self):
        streams = self.streams(streams_of_project=20, max_streams=50)
        wanted = {
            "one": of(resource_id="r-1"), "other": of(resource_id="r-2"),
            "both": Selection(Query(terms=(
                Term("resource_id", "eq", ("r-1", "r-2")),))),
            "type": of(event_type="t", source="api"),
            "trait": Selection(Query(terms=(Term("traits.n", "gt", (1,)),))),
            "odd": of(resource_id='a"b\\c'), "everything": ALL_OF_THEM,
            "word": Selection(Query(words=("blue",)))}
        opened = {name: streams.open(PROJECT, one)
                  for name, one in wanted.items()}
        again = streams.open(PROJECT, of(resource_id="r-1"))
        streams.offer([
            seen(0, resource_id="r-1", event_type="t"),
            seen(1, resource_id="r-2", traits={"n": 2}),
            seen(2, resource_id='a"b\\c', payload={"resource_id": "r-1"}),
            seen(3, event_type="t", source="syslog",
                 payload={"colour": "blue", "text": '"resource_id":"r-1"'}),
            seen(4, OTHER, resource_id="r-1")])
        self.assertEqual(
            {"one": [0], "other": [1], "both": [0, 1], "type": [0],
             "trait": [1], "odd": [2], "everything": [0, 1, 2, 3],
             "word": [3]},
            {name: offsets(one.take(0)) for name, one in opened.items()})
        self.assertEqual([0], offsets(again.take(0)))

    def test_any_events_reach_those_that_want_them_and_no_others(self):
        generator = random.Random(20261125)
        for _ in range(50):
            streams = self.streams(streams_of_project=50, max_streams=50)
            opened = [streams.open(PROJECT, Selection(
                some_query(generator))) for _ in range(20)]
            for gone in generator.sample(opened, 8):
                streams.leave(gone)
                opened.remove(gone)
            made = [some_event(n, generator) for n in range(10)]
            streams.offer([Seen(PROJECT, 0, n, one["event_id"],
                                one["event_type"], one["timestamp"],
                                record(one).value)
                           for n, one in enumerate(made)])
            for stream in opened:
                self.assertEqual(
                    [n for n, one in enumerate(made)
                     if stream.selection.wants(one)],
                    offsets(stream.take(0)))
            for stream in opened:
                streams.leave(stream)
            self.assertEqual({}, streams._projects)

    def test_what_is_no_event_is_none(self):
        for value in (b"", b"{", b"[]", b"{}", b'{"event_id":"x"}'):
            self.assertIsNone(Fresh(seen(1)._replace(value=value)).event)

    def test_a_slow_one_loses_the_oldest_and_knows_how_many(self):
        streams = self.streams(stream_events=3)
        slow, quick = (streams.open(PROJECT, ALL_OF_THEM) for _ in range(2))
        for number in range(10):
            streams.offer([seen(number)])
            self.assertEqual([number], offsets(quick.take(0)))
        found, missed = slow.take(0)
        self.assertEqual(([7, 8, 9], 7), (offsets((found,)), missed))
        streams.offer([seen(10)])
        found, missed = slow.take(0)
        self.assertEqual(([10], 0), (offsets((found,)), missed))

    def test_some_may_be_taken_and_the_others_later(self):
        streams = self.streams()
        stream = streams.open(PROJECT, ALL_OF_THEM)
        streams.offer([seen(number) for number in range(5)])
        self.assertEqual([0, 1], offsets(stream.take(0, 2)))
        self.assertEqual([2, 3, 4], offsets(stream.take(0, 10)))
        self.assertEqual([], offsets(stream.take(0, 1)))

    def test_bytes_are_bounded_too(self):
        streams = self.streams(stream_events=1000)
        slow = streams.open(PROJECT, ALL_OF_THEM)
        large = seen(0, payload={"text": "x" * 200_000})
        for _ in range(100):
            streams.offer([large])
        found, missed = slow.take(0)
        self.assertEqual(100, len(found) + missed)
        self.assertLessEqual(sum(len(one.seen.value) for one in found),
                             4 << 20)

    def test_their_number_is_bounded_for_all_and_for_each_project(self):
        streams = self.streams(max_streams=3, streams_of_project=2)
        first = streams.open(PROJECT, ALL_OF_THEM)
        streams.open(PROJECT, ALL_OF_THEM)
        for project_id in (PROJECT, PROJECT):
            with self.assertRaises(Unavailable) as caught:
                streams.open(project_id, ALL_OF_THEM)
        self.assertEqual("too_many_streams", caught.exception.code)
        streams.open(OTHER, ALL_OF_THEM)
        with self.assertRaises(Unavailable):
            streams.open("c" * 32, ALL_OF_THEM)
        self.assertEqual(3, streams.count)
        streams.leave(first)
        streams.leave(first)
        self.assertEqual(2, streams.count)
        streams.open("c" * 32, ALL_OF_THEM)

    def test_a_server_s_threads_bound_them_too(self):
        """S17"""
        for spare, most, of_project in ((None, 8, 6), (20, 8, 6), (5, 5, 2),
                                        (1, 1, 1), (0, 0, 1)):
            with self.subTest(spare=spare):
                streams = self.streams(spare, max_streams=8,
                                       streams_of_project=6)
                self.assertEqual(most, streams.most)
                opened = 0
                for _ in range(min(most, of_project)):
                    streams.open(PROJECT, ALL_OF_THEM)
                    opened += 1
                with self.assertRaises(Unavailable):
                    streams.open(PROJECT, ALL_OF_THEM)
                for number in range(most - opened):
                    streams.open(f"{number:032}", ALL_OF_THEM)
                with self.assertRaises(Unavailable):
                    streams.open(OTHER, ALL_OF_THEM)

    def test_who_waits_is_woken_by_an_event_and_by_the_end(self):
        streams = self.streams()
        stream = streams.open(PROJECT, ALL_OF_THEM)
        with concurrent.futures.ThreadPoolExecutor(1) as reader:
            waiting = reader.submit(stream.take, 30)
            streams.offer([seen(1)])
            self.assertEqual([1], offsets(waiting.result(30)))
            waiting = reader.submit(stream.take, 30)
            streams.close()
            self.assertIsNone(waiting.result(30))

    def test_after_closing_none_begins(self):
        streams = self.streams()
        streams.close()
        with self.assertRaises(Unavailable):
            streams.open(PROJECT, ALL_OF_THEM)
