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


"""Audit records in CADF, as keystone and keystonemiddleware send them."""

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.notification import Notification

_CADF = "http://schemas.dmtf.org/cloud/audit/1.0/event"


def record(life: Life, *, action: str, target: dict, observer: str,
           outcome: str = "success", project_id: str | None = None,
           **more) -> dict:
    """Return a CADF activity.

    :param project_id: the initiator's project, where it has one
    """
    initiator = {"typeURI": "service/security/account/user",
                 "id": life.user.user_id, "user_id": life.user.user_id,
                 "username": life.user.name,
                 "request_id": life.request_id,
                 "host": {"address": f"192.0.2.{life.draw.randrange(1, 255)}",
                          "agent": "python-keystoneclient"}}
    if project_id is not None:
        initiator["project_id"] = project_id
    return {"typeURI": _CADF, "eventType": "activity", "id": life.uuid(),
            "eventTime": life.now.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
            "action": action, "outcome": outcome, "initiator": initiator,
            "target": target, "observer": {"typeURI": observer,
                                           "id": "target"}, **more}


def secret(life: Life) -> Scenario:
    """A secret stored in barbican, as the audit middleware sees it."""
    secret_id = life.uuid()
    for method, action, code in (("POST", "create", 201),
                                 ("GET", "read", 200),
                                 ("DELETE", "delete", 204)):
        life.new_request()
        # It has no id before it is made.
        resource = None if method == "POST" else secret_id
        path = f"/v1/secrets/{resource}" if resource else "/v1/secrets"
        yield _http(life, "request", method, action, path, None,
                    resource), life.about(0.2)
        yield _http(life, "response", method, action, path, code,
                    resource), life.about(60)


def _http(life: Life, half: str, method: str, action: str, path: str,
          code: int | None, resource_id: str | None) -> list[Notification]:
    # A collection is named where the thing has no id yet.
    resource_id = resource_id or "secrets"
    body = record(
        life, action=action, project_id=life.tenant.project_id,
        observer="service/security/keymanager",
        outcome="pending" if code is None else "success",
        target={"typeURI": "service/security/keymanager/secrets",
                "id": resource_id, "name": "barbican"},
        requestPath=path, tags=["correlation_id?value=" + life.request_id])
    if code is not None:
        body["reason"] = {"reasonType": "HTTP", "reasonCode": str(code)}
    return life.say("barbican", f"audit.http.{half}", body,
                    publisher_id=f"barbican-api.{clouds.CONTROLLER}",
                    resource_id=resource_id)
