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

"""A bus that is down holds one thread, not all; F5."""

import tempfile
import threading
import time
import unittest

from monasca_events_api.gate import Gate
from monasca_events_common import bus as buses
from monasca_events_common import errors
from tests.functional import service

RECORD = buses.Record(b"a" * 32, b"{}", {"event_id": b"1"})


class Slow(buses.Bus):
    """The embedded bus with a door that the test opens.

    It stands for the network, which may keep a caller waiting.
    """

    def __init__(self, inner):
        self.inner = inner
        self.entered = threading.Semaphore(0)
        self.door = threading.Event()
        self.door.set()

    def publish(self, topic, records):
        self.entered.release()
        self.door.wait(30)
        self.inner.publish(topic, records)

    def subscribe(self, topic, group, watcher=None):
        return self.inner.subscribe(topic, group, watcher)

    def tail(self, topic, backlog):
        return self.inner.tail(topic, backlog)

    def groups(self, topic, names):
        return self.inner.groups(topic, names)

    def health(self):
        return self.inner.health()

    def close(self):
        self.inner.close()


class GateTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.conf = service.make_conf(folder.name)
        self.bus = Slow(buses.get_bus(self.conf))
        self.addCleanup(self.bus.close)
        self.gate = Gate(self.bus)
        self.gate.publish("t", [RECORD])

    def fails(self):
        with self.assertRaises(errors.BusUnavailable) as caught:
            self.gate.publish("t", [RECORD])
        return caught.exception

    def test_while_one_tries_the_others_are_told_at_once(self):
        with service.bus_away(self.conf):
            first = self.fails()
            self.bus.door.clear()
            self.bus.entered = threading.Semaphore(0)
            trial = threading.Thread(target=self.fails)
            trial.start()
            self.bus.entered.acquire()
            for _ in range(100):
                self.assertEqual(first.code, self.fails().code)
            self.assertFalse(self.bus.entered.acquire(blocking=False))
            self.bus.door.set()
            trial.join()

    def test_a_success_opens_it(self):
        with service.bus_away(self.conf):
            self.fails()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.gate.publish("t", [RECORD])
                break
            except errors.BusUnavailable:
                continue
        self.bus.door.clear()
        self.bus.entered = threading.Semaphore(0)
        threads = [threading.Thread(target=self.gate.publish,
                                    args=("t", [RECORD])) for _ in range(3)]
        for one in threads:
            one.start()
        for _ in threads:
            self.assertTrue(self.bus.entered.acquire(timeout=30))
        self.bus.door.set()
        for one in threads:
            one.join()

    def test_a_rejection_says_nothing_of_the_bus(self):
        with self.assertRaises(errors.Rejected):
            self.gate.publish("t", [buses.Record(
                b"a", b"x" * 2_000_000, {})])
        self.gate.publish("t", [RECORD])
