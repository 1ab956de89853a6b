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


"""What keystone says: CADF records and its older, basic form.

A basic notification names one resource and no project, and a failed login
has no project either: both belong to nobody, which the agent must notice.
"""

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.services import audit

_PUBLISHER = f"identity.{clouds.CONTROLLER}"
_SECURITY = "service/security"


def login(life: Life) -> Scenario:
    """A user asks for a token; now and then the password is wrong."""
    user = life.user
    failed = life.chance(life.temper.errors)
    project_id = None if failed else life.tenant.project_id
    body = audit.record(
        life, action="authenticate", observer=_SECURITY,
        outcome="failure" if failed else "success", project_id=project_id,
        target={"typeURI": "service/security/account/user",
                "id": user.user_id})
    if failed:
        body["reason"] = {"reasonType": "HTTP", "reasonCode": "401"}
    yield life.say("keystone", "identity.authenticate", body,
                   publisher_id=_PUBLISHER, context={},
                   project_id=project_id, resource_id=user.user_id), 1.0


def account(life: Life) -> Scenario:
    """An account is made, changed and removed by an administrator."""
    user_id = life.hex()
    operator = life.cloud.operator
    basic = life.chance(0.3)
    for action in ("created", "updated", "deleted"):
        life.new_request(operator.users[0])
        if basic:
            yield life.say(
                "keystone", f"identity.user.{action}",
                {"resource_info": user_id}, publisher_id=_PUBLISHER,
                context={}, project_id=None,
                resource_id=user_id), life.about(200)
            continue
        body = audit.record(
            life, action=f"{action}.user", observer=_SECURITY,
            project_id=operator.project_id, resource_info=user_id,
            target={"typeURI": "data/security/account/user", "id": user_id})
        yield life.say(
            "keystone", f"identity.user.{action}", body,
            publisher_id=_PUBLISHER, context={},
            project_id=operator.project_id,
            resource_id=user_id), life.about(200)
