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

"""Tests of the example; they need no server."""

import unittest

from example_trigger import Lifetimes
from example_trigger import ManyReboots
from monasca_events_engine.testing import event
from monasca_events_engine.testing import outcomes
from monasca_events_engine.testing import run
from monasca_events_engine.testing import stamp

REBOOT = "compute.instance.reboot.end"


class TestManyReboots(unittest.TestCase):

    def test_three_reboots_within_an_hour_are_told_once(self):
        sent = [event(REBOOT, at) for at in (0, 600, 1200, 1800)]
        self.assertEqual([("fired", 1200)], outcomes(ManyReboots, sent))

    def test_reboots_far_apart_are_not(self):
        sent = [event(REBOOT, hour * 3600) for hour in range(5)]
        self.assertEqual([], outcomes(ManyReboots, sent))

    def test_each_instance_counts_by_itself(self):
        sent = [event(REBOOT, at, resource_id=f"vm-{at % 2}")
                for at in range(4)]
        self.assertEqual([], outcomes(ManyReboots, sent))

    def test_the_limit_is_an_option(self):
        self.assertEqual([("fired", 0)], outcomes(
            ManyReboots, [event(REBOOT, 0)], limit=1))


class TestLifetimes(unittest.TestCase):

    def test_an_instance_of_an_hour(self):
        (_, found), = run(Lifetimes, [event(
            "instance.delete.end", 3600, traits={
                "launched_at": stamp(0), "flavor": "m1.small"})])
        self.assertEqual((3600, {"flavor": "m1.small"}),
                         (found.value, found.labels))


if __name__ == "__main__":
    unittest.main()
