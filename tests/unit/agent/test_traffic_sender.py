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


"""The sender: oslo.messaging's own notifier with ids of our choice."""

import json
import os
import tempfile
import threading
import unittest

from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic import poison
from monasca_events_agent.traffic import sender
from monasca_events_agent.traffic import truth
from monasca_events_agent.traffic.run import Run
from monasca_events_common.errors import Misconfigured


def some(count, **options):
    return list(lifecycles.stream(1, 3, lifecycles.Options(count=count,
                                                           **options)))


class TestToFile(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "out")
        self.truth = os.path.join(directory.name, "truth")

    def to_file(self):
        out = sender.to_file(self.path)
        self.addCleanup(out.close)
        return out

    def test_a_line_is_the_notification_as_it_is(self):
        items = some(200, canaries=True, nova_format="both")
        out = self.to_file()
        for item in items:
            out.send(item)
        with open(self.path) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([json.loads(json.dumps(item.message()))
                          for item in items], lines)

    def test_poison_is_written_raw(self):
        kind = next(kind for kind in poison.KINDS if kind.name == "bad_utf8")
        item = poison.make(kind, 1, some(1)[0], 1, "id")
        self.to_file().send(item)
        with open(self.path, "rb") as file:
            self.assertEqual(item.line + b"\n", file.read())

    def test_an_error_that_the_notifier_swallows_is_raised(self):
        out = self.to_file()
        os.unlink(self.path)
        os.mkdir(self.path)
        with self.assertRaises(OSError):
            out.send(some(1)[0])

    def test_a_broker_that_is_not_there_is_said_so(self):
        with self.assertRaisesRegex(Misconfigured, "does not answer"):
            sender.to_rabbitmq("rabbit://a:b@127.0.0.1:1/", "topic")

    def test_a_url_that_is_none_is_said_so(self):
        for url in ("nonsense", "nosuch://host/"):
            with self.assertRaisesRegex(Misconfigured, "transport-url"):
                sender.to_rabbitmq(url, "topic")


class Recorder:
    """A sender that keeps what it is given, and fails when told to."""

    def __init__(self, fail=lambda item: False):
        self.items = []
        self._fail = fail

    def send(self, item):
        if self._fail(item):
            raise OSError("it failed")
        self.items.append(item)


class TestRun(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.truth = os.path.join(directory.name, "truth")
        self.journal = truth.Journal(self.truth)
        self.addCleanup(self.journal.close)

    def outcomes(self):
        return [one.outcome for one in truth.read(self.truth)]

    def test_everything_is_sent_and_written_down(self):
        one = Recorder()
        items = some(100)
        counts = Run([one], self.journal).drive(enumerate(items))
        self.assertEqual(items, one.items)
        self.assertEqual((100, 0), (counts.sent, counts.unknown))
        self.assertEqual([truth.SENT] * 100, self.outcomes())

    def test_lanes_keep_the_order_of_each_lifecycle(self):
        lanes = [Recorder() for _ in range(4)]
        items = some(600)
        counts = Run(lanes, self.journal).drive(enumerate(items))
        self.assertEqual(600, counts.sent)
        for lane in lanes:
            self.assertGreater(len(lane.items), 20)
            lives = {item.life for item in lane.items}
            self.assertEqual([item for item in items if item.life in lives],
                             lane.items)

    def test_one_failure_is_unknown_and_the_run_goes_on(self):
        items = some(50)
        bad = items[20].message_id
        counts = Run([Recorder(lambda item: item.message_id == bad)],
                     self.journal).drive(enumerate(items))
        self.assertEqual((49, 1, None),
                         (counts.sent, counts.unknown, counts.error))
        self.assertEqual(1, self.outcomes().count(truth.UNKNOWN))

    def test_a_first_failure_ends_the_run(self):
        counts = Run([Recorder(lambda item: True)], None).drive(
            enumerate(some(50)))
        self.assertEqual((0, 1), (counts.sent, counts.unknown))
        self.assertIn("it failed", counts.error)

    def test_ten_failures_in_a_row_end_the_run(self):
        counts = Run([Recorder(lambda item: item.life > 1)], None).drive(
            enumerate(some(500)))
        self.assertIn("it failed", counts.error)
        self.assertLess(counts.sent, 100)

    def test_the_rate_decides_when_each_is_due(self):
        class Clock:
            now = 0.0

            def __call__(self):
                self.now += 0.01
                return self.now

        clock = Clock()
        stop = threading.Event()
        stop.wait = lambda timeout: setattr(clock, "now",
                                            clock.now + timeout)
        run = Run([Recorder()], None, rate=10, stop=stop, clock=clock)
        counts = run.drive(enumerate(some(51)))
        self.assertEqual(51, counts.sent)
        self.assertTrue(5.0 <= counts.seconds < 5.3, counts.seconds)

    def test_it_ends_after_its_seconds_or_when_stopped(self):
        ticks = iter(range(1000))
        run = Run([Recorder()], None, seconds=20,
                  clock=lambda: float(next(ticks)))
        self.assertEqual(19, run.drive(enumerate(some(500))).sent)
        stop = threading.Event()
        stop.set()
        self.assertEqual(0, Run([Recorder()], None, stop=stop).drive(
            enumerate(some(5))).sent)
