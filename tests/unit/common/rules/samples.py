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

"""Events and rules for the tests of the rule language."""

from monasca_events_common.rules import definition
from monasca_events_engine.testing import event
from monasca_events_engine.testing import PROJECT
from monasca_events_engine.testing import stamp
from monasca_events_engine.testing import START as TEN

OTHER = "b" * 32

__all__ = ["event", "OTHER", "PROJECT", "rule", "stamp", "TEN"]


def rule(kind: str, trigger_id: str = "t1", project_id: str = PROJECT,
         **content):
    """Return the rule of a definition, checked as the API checks it."""
    whole = {"name": "test", "kind": kind, **content}
    definition.check(whole)
    return definition.compile(whole, trigger_id=trigger_id,
                              project_id=project_id)
