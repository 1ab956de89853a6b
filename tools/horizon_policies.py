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

"""Writes the policies in the form that Horizon reads.

Run by ``tox -e genpolicy`` with the address of the file; a test says so when
the file is not what the code says.
"""

import pathlib
import sys

import yaml

from monasca_events_api import policies


def dump() -> str:
    """Return YAML with every rule that the API knows."""
    return yaml.safe_dump([
        {"name": one.name, "check_str": one.check_str,
         "description": one.description,
         "scope_types": list(one.scope_types),
         "operations": [dict(each) for each in one.operations]}
        for one in policies.list_rules()], sort_keys=False)


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text(dump(), encoding="utf-8")
