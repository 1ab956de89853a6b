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


"""Who may see what triggers did, and have it delivered again."""

from monasca_events_api.policies import definitions

PATH = "/v1.0/firings"
OF_TRIGGER = "/v1.0/triggers/{id}/firings"
ONE = f"{OF_TRIGGER}/{{firing_id}}"

LIST = "firings:list"
SHOW = "firings:show"
REDELIVER = "firings:redeliver"
CANCEL = "firings:cancel"
ALL_PROJECTS = "firings:list:all_projects"

RULES = [
    definitions.rule(
        LIST, definitions.READER, "List what the triggers of the token's "
        "project did.", ("GET", PATH), ("GET", OF_TRIGGER)),
    definitions.rule(
        SHOW, definitions.READER, "Show one firing of the token's project.",
        ("GET", ONE)),
    definitions.rule(
        REDELIVER, definitions.MEMBER, "Have a firing of the token's project "
        "delivered again.", ("POST", f"{ONE}/redeliver")),
    definitions.rule(
        CANCEL, definitions.MEMBER, "Cancel what a firing of the token's "
        "project is still waiting to do.", ("POST", f"{ONE}/cancel")),
    definitions.rule(
        ALL_PROJECTS, "role:admin", "Read the firings of another project "
        "(project_id=…) or of all projects (all_projects=true).",
        ("GET", PATH), ("GET", OF_TRIGGER), ("GET", ONE)),
]
