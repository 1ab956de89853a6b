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


"""What swift's middleware, manila and trove say."""

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.services import audit


def objects(life: Life) -> Scenario:
    """Requests to swift, as ceilometermiddleware meters them in CADF."""
    account = f"AUTH_{life.tenant.project_id}"
    container = life.name()
    for _ in range(life.draw.randrange(1, 5)):
        method, action = life.draw.choice(
            (("PUT", "create"), ("GET", "read"), ("DELETE", "delete")))
        body = audit.record(
            life, action=action, project_id=life.tenant.project_id,
            observer="service/storage/object",
            target={"typeURI": "service/storage/object", "id": account,
                    "action": action,
                    "metadata": {"version": "v1", "container": container,
                                 "object": life.name(),
                                 "path": f"/v1/{account}/{container}"}},
            measurements=[{
                "metric": {"metricId": "openstack:" + life.uuid(),
                           "name": f"storage.objects.{way}.bytes",
                           "unit": "B"},
                "result": life.draw.randrange(10 ** 6)}
                for way in ("incoming", "outgoing")])
        body["initiator"]["id"] = life.tenant.project_id
        yield life.say("swift", "objectstore.http.request", body,
                       publisher_id="ceilometermiddleware", context={},
                       resource_id=account), life.about(30)
        life.new_request()


def share(life: Life) -> Scenario:
    """A manila share."""
    share_id, name, created = life.uuid(), f"{life.name()}-share", life.now

    def say(operation, edge):
        return life.say(
            "manila", f"share.{operation}.{edge}", {
                "share_id": share_id, "user_id": life.user.user_id,
                "project_id": life.tenant.project_id, "name": name,
                "display_name": name, "size": 10, "share_proto": "NFS",
                "snapshot_id": None, "share_group_id": None,
                "availability_zone": "nova", "is_public": False,
                "created_at": str(created.replace(tzinfo=None)),
                "status": "creating" if edge == "start" else "available",
                "host": "storage-2@cephfs#pool"},
            publisher_id="share.storage-2",
            priority="ERROR" if edge == "error" else "INFO",
            resource_id=share_id)

    for operation, seconds in (("create", 15), ("delete", 5)):
        if (yield from life.operation(
                lambda edge: say(operation, edge), seconds,  # noqa: B023
                rest=400)) != "end":
            return
        life.new_request()


def database(life: Life) -> Scenario:
    """A trove database instance."""
    database_id, name = life.uuid(), f"{life.name()}-mysql"
    server_id, created = life.uuid(), life.now

    def say(operation, edge):
        return life.say(
            "trove", f"trove.instance.{operation}.{edge}", {
                "tenant_id": life.tenant.project_id,
                "user_id": life.user.user_id, "instance_id": database_id,
                "nova_instance_id": server_id, "name": name,
                "instance_name": name, "instance_size": 2048,
                "instance_type": "m1.small", "instance_type_id": 2,
                "created_at": created.isoformat(), "launched_at": "",
                "region": clouds.REGION, "service_id": "mysql",
                "state": "BUILD" if edge == "start" else "ACTIVE",
                "state_description": edge, "availability_zone": "nova"},
            publisher_id=f"trove.{clouds.CONTROLLER}",
            priority="ERROR" if edge == "error" else "INFO",
            resource_id=database_id)

    for operation, seconds in (("create", 240), ("delete", 30)):
        if (yield from life.operation(
                lambda edge: say(operation, edge), seconds,  # noqa: B023
                rest=600)) != "end":
            return
        life.new_request()
