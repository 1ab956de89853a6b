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

"""Who may define transforms and try them."""

from monasca_events_api.policies import definitions

PATH = "/v1.0/transforms"

RULES_OF = definitions.Rules("transforms", PATH, "transforms")

TEST = "transforms:test"
VERSIONS = "transforms:versions"

RULES = [
    *RULES_OF.defaults,
    definitions.rule(
        TEST, definitions.READER, "Try transforms on one event.",
        ("POST", f"{PATH}/test")),
    definitions.rule(
        VERSIONS, definitions.READER, "See what a transform of the token's "
        "project said before, and who said so.",
        ("GET", f"{PATH}/{{id}}/versions")),
]
