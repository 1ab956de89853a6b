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

"""The table of lifecycles, against what services are known to emit."""

import json
import pathlib
import unittest

from monasca_events_agent.traffic import lifecycles as traffic
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_common.rules.paths import Path

#: Notifications that real services sent, where they can be had.
CAPTURED = pathlib.Path(__file__).parents[5] / "shared/data/notifications"

STARTS = {one for each in LIFECYCLES.values() for one in each.start}
ENDS = {one for each in LIFECYCLES.values() for one in each.end}


class TestLifecycles(unittest.TestCase):

    def test_every_pair_of_the_generators_cloud_is_in_the_table(self):
        """B3, B36: the generator speaks as the services do."""
        heard = {one.event_type for one in traffic.stream(
            7, 2, traffic.Options(count=30_000, nova_format="both"))}
        begun = {one for one in heard if one.endswith(".start")}
        self.assertGreater(len(begun), 60)
        self.assertEqual(set(), begun - STARTS)
        ended = {one.removesuffix(".start") + ".end" for one in begun}
        self.assertEqual(set(), (ended & heard) - ENDS)

    def test_every_pair_that_real_services_sent_is_in_the_table(self):
        if not CAPTURED.is_dir():
            self.skipTest("no notifications of real services here")
        heard = set()
        for name in ("nova-versioned.jsonl", "wire-captured.jsonl"):
            for line in (CAPTURED / name).read_text("utf-8").splitlines():
                one = json.loads(line)
                heard.add(one.get("notification", one)["event_type"])
        begun = {one for one in heard if one.endswith(".start")}
        self.assertEqual(set(), begun - STARTS)

    def test_each_is_whole(self):
        for name, one in LIFECYCLES.items():
            with self.subTest(lifecycle=name):
                self.assertRegex(name, r"\A[a-z]+(-[a-z]+)+\Z|\Ascheduling\Z")
                self.assertTrue(one.description.endswith("."))
                self.assertTrue(one.start and one.end and one.seconds > 0)
                self.assertEqual(set(), set(one.start) & set(one.end))
                self.assertEqual(set(), set(one.end) & set(
                    [*one.error, *one.gone]))
                for path in one.group_by:
                    Path(path, "group_by")
                # As an operators' trigger: at most 64 characters.
                self.assertLess(len(f"missing_end.{name}"), 64)
