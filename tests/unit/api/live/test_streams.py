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
import unittest

from monasca_events_api.live.streams import Fresh
from monasca_events_api.live.streams import Streams
from monasca_events_common.errors import Unavailable
from monasca_events_common.store import ALL
from tests.unit.api.live import sample
from tests.unit.api.live.sample import OTHER
from tests.unit.api.live.sample import PROJECT
from tests.unit.api.live.sample import seen


def offsets(taken) -> list[int]:
    return [one.seen.offset for one in taken[0]]


class StreamsTest(unittest.TestCase):

    def streams(self, **options) -> Streams:
        return Streams(sample.conf(**options))

    def test_each_gets_its_projects_events_in_order(self):
        """S1"""
        streams = self.streams()
        mine, others, all_of_them = map(streams.open, (PROJECT, OTHER, ALL))
        streams.offer([seen(1), seen(2, OTHER), seen(3)])
        self.assertEqual([1, 3], offsets(mine.take(0)))
        self.assertEqual([2], offsets(others.take(0)))
        self.assertEqual([1, 2, 3], offsets(all_of_them.take(0)))
        self.assertEqual(([], 0), mine.take(0))

    def test_an_event_is_decoded_once_for_all(self):
        streams = self.streams()
        first, second = streams.open(PROJECT), streams.open(ALL)
        streams.offer([seen(1)])
        (one,), (two,) = first.take(0)[0], second.take(0)[0]
        self.assertIs(one.event, two.event)
        self.assertEqual("a.b", one.event["event_type"])

    def test_what_is_no_event_is_none(self):
        for value in (b"", b"{", b"[]", b"{}", b'{"event_id":"x"}'):
            self.assertIsNone(Fresh(seen(1)._replace(value=value)).event)

    def test_a_slow_one_loses_the_oldest_and_knows_how_many(self):
        streams = self.streams(stream_events=3)
        slow, quick = streams.open(PROJECT), streams.open(PROJECT)
        for number in range(10):
            streams.offer([seen(number)])
            self.assertEqual([number], offsets(quick.take(0)))
        found, missed = slow.take(0)
        self.assertEqual(([7, 8, 9], 7), (offsets((found,)), missed))
        streams.offer([seen(10)])
        found, missed = slow.take(0)
        self.assertEqual(([10], 0), (offsets((found,)), missed))

    def test_bytes_are_bounded_too(self):
        streams = self.streams(stream_events=1000)
        slow = streams.open(PROJECT)
        large = seen(0, payload={"text": "x" * 200_000})
        for _ in range(100):
            streams.offer([large])
        found, missed = slow.take(0)
        self.assertEqual(100, len(found) + missed)
        self.assertLessEqual(sum(len(one.seen.value) for one in found),
                             4 << 20)

    def test_their_number_is_bounded_for_all_and_for_each_project(self):
        streams = self.streams(max_streams=3, streams_of_project=2)
        first = streams.open(PROJECT)
        streams.open(PROJECT)
        for project_id in (PROJECT, PROJECT):
            with self.assertRaises(Unavailable) as caught:
                streams.open(project_id)
        self.assertEqual("too_many_streams", caught.exception.code)
        streams.open(OTHER)
        with self.assertRaises(Unavailable):
            streams.open("c" * 32)
        self.assertEqual(3, streams.count)
        streams.leave(first)
        streams.leave(first)
        self.assertEqual(2, streams.count)
        streams.open("c" * 32)

    def test_who_waits_is_woken_by_an_event_and_by_the_end(self):
        streams = self.streams()
        stream = streams.open(PROJECT)
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
            streams.open(PROJECT)
