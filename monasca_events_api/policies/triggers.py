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


"""Who may define triggers, try them, and ask why they fired."""

from monasca_events_api.policies import definitions

PATH = "/v1.0/triggers"

RULES_OF = definitions.Rules("triggers", PATH, "triggers",
                             f"{PATH}/templates",
                             f"{PATH}/templates/{{name}}")

TEST = "triggers:test"
EXPLAIN = "triggers:explain"
BACKTEST = "triggers:backtest"
BACKTEST_SHOW = "triggers:backtest:show"

RULES = [
    *RULES_OF.defaults,
    definitions.rule(
        TEST, definitions.READER, "Try a trigger on one event.",
        ("POST", f"{PATH}/test")),
    definitions.rule(
        EXPLAIN, definitions.READER, "Ask why a trigger did or did not fire "
        "for an event.", ("GET", f"{PATH}/{{id}}/explain")),
    definitions.rule(
        BACKTEST, definitions.MEMBER, "Run a trigger over the stored events "
        "of the token's project, and cancel that.",
        ("POST", f"{PATH}/backtest"), ("DELETE", f"{PATH}/backtest/{{id}}")),
    definitions.rule(
        BACKTEST_SHOW, definitions.READER, "See what a back-test of the "
        "token's project found.", ("GET", f"{PATH}/backtest/{{id}}")),
]
