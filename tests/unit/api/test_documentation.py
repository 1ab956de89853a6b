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

"""What the API can do is in the documentation: codes, policies, parameters."""

import pathlib
import re
import unittest

from monasca_events_api import canonical
from monasca_events_api import faults
from monasca_events_api import filters
from monasca_events_api import policies
from monasca_events_api.policies import events
from monasca_events_common import query
from tests.unit.api import test_policies

ROOT = pathlib.Path(__file__).parents[3]
REFERENCE = (ROOT / "doc/source/reference/api.rst").read_text("utf-8")
GUIDE = (ROOT / "doc/source/admin/api.rst").read_text("utf-8")

#: What no client is ever told.
_INTERNAL = {"misconfigured", "error"}


def codes() -> set[str]:
    """Return every error code that the API's sources name."""
    sources = [*(ROOT / "monasca_events_api").rglob("*.py"),
               ROOT / "monasca_events_common/errors.py",
               ROOT / "monasca_events_common/event.py"]
    found = {code for path in sources for code in re.findall(
        r'\bcode ?= ?"([a-z_0-9]+)"', path.read_text("utf-8"))}
    found |= {code for code, _ in faults._FOREIGN.values()}
    return found - _INTERNAL


class DocumentationTest(unittest.TestCase):

    def test_every_error_code(self):
        self.assertEqual(set(), {code for code in codes()
                                 if f"``{code}``" not in REFERENCE})

    def test_every_policy(self):
        for rule in policies.list_rules():
            self.assertIn(f"``{rule.name}``", GUIDE)

    def test_every_parameter_and_operator(self):
        for name in (*query.FIELDS, *filters.SCOPE, *filters.PAGING):
            self.assertRegex(REFERENCE, f"``{name}(=true)?``")
        for name in query.OPERATORS:
            self.assertRegex(REFERENCE, f"``{name}:")

    def test_every_field_that_a_sender_may_set(self):
        for name in canonical.SETTABLE:
            self.assertIn(f"``{name}``", REFERENCE)

    def test_the_policy_sample_is_the_one_that_is_tested(self):
        for line in test_policies.OLD_ROLES.strip().splitlines():
            self.assertIn(line, GUIDE)
            self.assertIn(line.split('"')[1],
                          {rule.name for rule in events.RULES})
