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


"""Who may define notification methods and send tests to them."""

from monasca_events_api.policies import definitions

PATH = "/v1.0/notification-methods"

RULES_OF = definitions.Rules("notification_methods", PATH,
                             "notification methods")

OPERATOR_TYPES = "notification_methods:operator_types"
ROTATE = "notification_methods:rotate"
TEST = "notification_methods:test"
DELIVERIES = "notification_methods:deliveries"

RULES = [
    *RULES_OF.defaults,
    definitions.rule(
        OPERATOR_TYPES, "role:admin", "Make notification methods of the "
        "types log, monasca-notification and metric, which reach what is "
        "the operator's.", ("POST", PATH), ("PATCH", f"{PATH}/{{id}}")),
    definitions.rule(
        ROTATE, definitions.MEMBER, "Replace the signing key of a webhook.",
        ("POST", f"{PATH}/{{id}}/rotate")),
    definitions.rule(
        TEST, definitions.MEMBER, "Have a test sent by a notification "
        "method.", ("POST", f"{PATH}/{{id}}/test")),
    definitions.rule(
        DELIVERIES, definitions.READER, "List what a notification method "
        "delivered, and what it did not.",
        ("GET", f"{PATH}/{{id}}/deliveries")),
]
