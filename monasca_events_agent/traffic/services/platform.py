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


"""What heat, octavia, designate, magnum and ironic say."""

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.services import audit


def stack(life: Life) -> Scenario:
    """A heat stack from creation to deletion."""
    stack_id, name, created = life.uuid(), f"{life.name()}-stack", life.now

    def say(operation):
        word = {"create": "CREATE", "update": "UPDATE",
                "delete": "DELETE"}[operation]

        def speak(edge):
            state = {"start": "IN_PROGRESS", "end": "COMPLETE",
                     "error": "FAILED"}[edge]
            return life.say(
                "heat", f"orchestration.stack.{operation}.{edge}", {
                    "tenant_id": life.tenant.project_id,
                    "user_id": life.user.user_id,
                    "username": life.user.name,
                    "user_identity": life.user.user_id,
                    "trustor_user_id": life.user.user_id,
                    "stack_identity":
                        f"arn:openstack:heat::{life.tenant.project_id}:"
                        f"stacks/{name}/{stack_id}",
                    "stack_name": name, "tags": [], "description": "",
                    "create_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "updated_at": None, "deleted_at": None,
                    "state": f"{word}_{state}",
                    "state_reason": f"Stack {word} "
                    + ("failed" if edge == "error" else "started"
                       if edge == "start" else "completed successfully")},
                publisher_id=f"orchestration.{clouds.CONTROLLER}",
                priority="ERROR" if edge == "error" else "INFO",
                resource_id=stack_id)
        return speak

    for operation, seconds in (("create", 90), ("update", 40),
                               ("delete", 30)):
        if (yield from life.operation(say(operation), seconds,
                                      rest=300)) != "end":
            return
        life.new_request()


def load_balancer(life: Life) -> Scenario:
    """An octavia load balancer; octavia tells only of ends."""
    balancer_id, name = life.uuid(), f"{life.name()}-lb"
    for operation in ("create", "update", "delete"):
        yield life.say(
            "octavia", f"octavia.loadbalancer.{operation}.end", {
                "id": balancer_id, "name": name,
                "project_id": life.tenant.project_id, "admin_state_up": True,
                "description": "", "operating_status": "ONLINE",
                "provisioning_status": "ACTIVE", "listeners": [],
                "pools": [], "vip_address": life.address(),
                "vip_network_id": life.tenant.network_id,
                "vip_subnet_id": life.tenant.subnet_id, "provider": "amphora"},
            publisher_id=f"octavia-worker.{clouds.CONTROLLER}",
            resource_id=balancer_id), life.about(120)
        life.new_request()


def zone(life: Life) -> Scenario:
    """A designate zone and its records."""
    zone_id, record_id = life.uuid(), life.uuid()
    name = f"{life.name()}.example.org."

    def say(what, resource_id, more):
        return life.say(
            "designate", f"dns.{what}", {
                "id": resource_id, "tenant_id": life.tenant.project_id,
                "name": name, "ttl": 3600, "status": "ACTIVE",
                "action": "NONE", "version": 1, "description": None,
                "created_at": str(life.now.replace(tzinfo=None)), **more},
            publisher_id=f"dns.{clouds.CONTROLLER}", resource_id=resource_id)

    serial = {"serial": int(life.now.timestamp()), "email": "dns@example.org",
              "type": "PRIMARY", "pool_id": life.uuid()}
    record = {"zone_id": zone_id, "type": "A",
              "records": [{"data": "203.0.113.9", "status": "ACTIVE"}]}
    yield say("zone.create", zone_id, serial), life.about(10)
    yield say("recordset.create", record_id, record), life.about(600)
    yield say("recordset.delete", record_id, record), life.about(20)
    yield say("zone.delete", zone_id, serial), 1.0


def cluster(life: Life) -> Scenario:
    """A magnum cluster; magnum speaks CADF."""
    cluster_id = life.uuid()
    for action in ("create", "update", "delete"):
        body = audit.record(
            life, action=action, project_id=life.tenant.project_id,
            observer="service/magnum/cluster",
            target={"typeURI": "service/magnum/cluster", "id": cluster_id})
        yield life.say("magnum", f"magnum.cluster.{action}", body,
                       publisher_id=f"magnum.{clouds.CONTROLLER}",
                       resource_id=cluster_id), life.about(500)
        life.new_request()


def bare_metal(life: Life) -> Scenario:
    """An ironic node changes its state; the tenant is the node's owner."""
    node_id = life.uuid()

    def say(edge):
        return life.say(
            "ironic", f"baremetal.node.provision_set.{edge}", {
                "ironic_object.name": "NodeSetProvisionStatePayload",
                "ironic_object.namespace": "ironic",
                "ironic_object.version": "1.20",
                "ironic_object.data": {
                    "uuid": node_id, "name": f"rack-3-{node_id[:4]}",
                    "owner": life.tenant.project_id, "lessee": None,
                    "driver": "redfish", "power_state": "power on",
                    "provision_state": "deploying"
                    if edge == "start" else "active",
                    "previous_provision_state": "available",
                    "target_provision_state": None, "event": "deploy",
                    "maintenance": False, "instance_uuid": None,
                    "properties": {"cpus": 32, "memory_mb": 131072},
                    "resource_class": "baremetal", "traits": [],
                    "last_error": "deploy step failed"
                    if edge == "error" else None}},
            publisher_id="ironic-conductor.metal-1",
            priority="ERROR" if edge == "error" else "INFO",
            resource_id=node_id)

    yield from life.operation(say, 400)
