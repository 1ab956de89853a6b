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


"""Who may see timelines."""

from monasca_events_api.policies import definitions

PATH = "/v1.0/timeline"

SHOW = "timeline:show"
ALL_PROJECTS = "timeline:show:all_projects"

RULES = [
    definitions.rule(
        SHOW, definitions.READER, "See everything about a resource or a "
        "request of the token's project.", ("GET", PATH)),
    definitions.rule(
        ALL_PROJECTS, "role:admin", "See everything about a resource or a "
        "request of another project (project_id=…) or of all projects "
        "(all_projects=true).", ("GET", PATH)),
]
