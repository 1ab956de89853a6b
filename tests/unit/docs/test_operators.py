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

"""The pages on operators' plug-ins say what the code says."""

import pathlib
import re
import unittest

from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_engine.triggers.sequence_failure import SEQUENCES

SOURCE = pathlib.Path(__file__).parents[3] / "doc/source"


class LifecyclesPageTest(unittest.TestCase):

    def test_the_table_is_that_of_the_code(self):
        text = (SOURCE / "reference/lifecycles.rst").read_text("utf-8")
        found = {}
        for name, seconds, told in re.findall(
                r"^``([a-z-]+)``, (\d+) s\n((?:    .*\n)+)", text,
                re.MULTILINE):
            types = re.findall(r"``([^`]+)``", told)
            by = re.search(r"Together by (.*)\.", told)
            found[name] = (float(seconds), types, bool(by))
        self.assertEqual({
            name: (one.seconds, [*one.start, *one.end] + (
                list(one.group_by) if one.group_by != ("resource_id",)
                else []), one.group_by != ("resource_id",))
            for name, one in LIFECYCLES.items()}, found)

    def test_every_sequence_is_named(self):
        text = (SOURCE / "admin/triggers.rst").read_text("utf-8")
        for name in SEQUENCES:
            self.assertIn(f"``{name}``", text)
