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


"""Who may see how the services stand, and let one go on."""

from monasca_events_api.policies import definitions

PATH = "/v1.0/services"

LIST = "services:list"
RESUME = "services:resume"

RULES = [
    definitions.rule(
        LIST, "role:admin", "See how the services stand: who consumes the "
        "bus and how far behind, what stands still, how many dead letters "
        "there are.", ("GET", PATH),
        ("GET", f"{PATH}/{{name}}")),
    definitions.rule(
        RESUME, "role:admin", "Let a service go on whose breaker tripped.",
        ("POST", f"{PATH}/{{name}}/resume")),
]
