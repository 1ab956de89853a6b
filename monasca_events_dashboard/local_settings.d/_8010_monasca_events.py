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

"""Policies of the event service, for Horizon to hide what is not allowed.

Run by Horizon within its settings. An operator's own file overrides single
rules: ``monasca_events_policy.yaml`` among Horizon's policy files.
"""

import importlib.util
import pathlib

POLICY_FILES["event"] = "monasca_events_policy.yaml"  # noqa: F821
# A path that is absolute stands for itself.
DEFAULT_POLICY_FILES["event"] = str(pathlib.Path(  # noqa: F821
    importlib.util.find_spec("monasca_events_dashboard").origin
).with_name("default_policies.yaml"))
