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


"""Who may see what could not go on, send it again and forget it."""

from monasca_events_api.policies import definitions

PATH = "/v1.0/dead-letters"

LIST = "dead_letters:list"
SHOW = "dead_letters:show"
REPLAY = "dead_letters:replay"
PURGE = "dead_letters:purge"

_OPERATOR = "role:admin"
_ONE = f"{PATH}/{{id}}"

RULES = [
    definitions.rule(
        LIST, _OPERATOR, "List the dead letters of all projects.",
        ("GET", PATH)),
    definitions.rule(
        SHOW, _OPERATOR, "Show one dead letter with the bytes that could not "
        "go on.", ("GET", _ONE)),
    definitions.rule(
        REPLAY, _OPERATOR, "Send dead letters on their way again.",
        ("POST", f"{_ONE}/replay"), ("POST", f"{PATH}/replay")),
    definitions.rule(
        PURGE, _OPERATOR, "Forget dead letters.",
        ("DELETE", _ONE), ("POST", f"{PATH}/purge")),
]
