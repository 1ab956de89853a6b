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


"""What neutron says: ports, networks, routers, security groups.

A start of a deletion carries an id and nothing else, so that only the context
names the tenant.
"""

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.notification import Notification


def _say(life: Life, kind: str, operation: str, edge: str, body: dict
         ) -> list[Notification]:
    """Return what neutron says of creating, updating or deleting a thing.

    :param body: the thing; a deletion's start names only its id
    """
    if operation == "delete":
        payload = {f"{kind}_id": body["id"]}
        if edge == "end":
            payload[kind] = body
    elif operation == "update" and edge == "start":
        payload = {kind: {"name": body.get("name", "")}, "id": body["id"]}
    elif edge == "start":
        payload = {kind: {key: value for key, value in body.items()
                          if key not in ("id", "status")}}
    else:
        payload = {kind: body}
    # What is only asked for has no id yet.
    known = operation != "create" or edge != "start"
    return life.say("neutron", f"{kind}.{operation}.{edge}", payload,
                    publisher_id=f"network.{clouds.CONTROLLER}",
                    resource_id=body["id"] if known else None)


class Port:
    """A server's port."""

    def __init__(self, life: Life, port_id: str, server_id: str) -> None:
        self.life = life
        self.port_id = port_id
        self.server_id = server_id
        self.host = ""
        self.address = life.address()

    def say(self, operation: str, edge: str) -> list[Notification]:
        tenant = self.life.tenant
        return _say(self.life, "port", operation, edge, {
            "id": self.port_id, "name": "", "network_id": tenant.network_id,
            "tenant_id": tenant.project_id, "project_id": tenant.project_id,
            "mac_address": f"fa:16:3e:{self.port_id[:2]}:"
                           f"{self.port_id[2:4]}:{self.port_id[4:6]}",
            "admin_state_up": True,
            "status": "ACTIVE" if self.host else "DOWN",
            "device_id": self.server_id, "device_owner": "compute:nova",
            "fixed_ips": [{"subnet_id": tenant.subnet_id,
                           "ip_address": self.address}],
            "security_groups": [tenant.security_group_id],
            "binding:vnic_type": "normal", "binding:profile": {},
            "binding:host_id": self.host,
            "binding:vif_type": "ovs" if self.host else "unbound",
            "binding:vif_details": {}, "allowed_address_pairs": [],
            "extra_dhcp_opts": [], "description": ""})


def network(life: Life) -> Scenario:
    """A network with all that makes it useful, taken down again."""
    project_id = life.tenant.project_id
    owner = {"tenant_id": project_id, "project_id": project_id,
             "description": ""}
    things = [
        ("network", {"id": life.uuid(), "name": f"{life.name()}-net",
                     "admin_state_up": True, "status": "ACTIVE",
                     "shared": False, "mtu": 1450, "subnets": [],
                     "router:external": False, **owner}),
        ("subnet", {"id": life.uuid(), "name": f"{life.name()}-subnet",
                    "ip_version": 4, "cidr": f"10.{life.tenant.octet}.8.0/24",
                    "gateway_ip": f"10.{life.tenant.octet}.8.1",
                    "enable_dhcp": True, "dns_nameservers": [],
                    "host_routes": [], "allocation_pools": [],
                    "subnetpool_id": None, "ipv6_ra_mode": None,
                    "ipv6_address_mode": None, "service_types": [],
                    "router:external": False, **owner}),
        ("router", {"id": life.uuid(), "name": f"{life.name()}-router",
                    "admin_state_up": True, "status": "ACTIVE",
                    "external_gateway_info": None, "routes": [],
                    "distributed": False, "ha": False, "flavor_id": None,
                    "availability_zones": [], "availability_zone_hints": [],
                    **owner}),
        ("security_group", {"id": life.uuid(), "name": life.name(),
                            "stateful": True, "security_group_rules": [],
                            "shared": False,
                            **owner}),
        ("security_group_rule", {
            "id": life.uuid(), "direction": "ingress", "protocol": "tcp",
            "port_range_min": 443, "port_range_max": 443,
            "ethertype": "IPv4", "remote_ip_prefix": "0.0.0.0/0",
            "remote_group_id": None, "remote_address_group_id": None,
            "normalized_cidr": "0.0.0.0/0", "belongs_to_default_sg": False,
            **owner}),
        ("floatingip", {"id": life.uuid(), "status": "DOWN",
                        "floating_ip_address":
                            f"203.0.113.{life.draw.randrange(1, 255)}",
                        "fixed_ip_address": None, "port_id": None,
                        "router_id": None, **owner}),
    ]
    things[1][1]["network_id"] = things[0][1]["id"]
    things[4][1]["security_group_id"] = things[3][1]["id"]
    for kind, body in things:
        fate = yield from _both(life, kind, "create", body, 0.3, rest=2)
        if fate != "end":
            return
    interface = {"id": things[2][1]["id"], "port_id": life.uuid(),
                 "tenant_id": project_id, "project_id": project_id,
                 "network_id": things[0][1]["id"],
                 "subnet_id": things[1][1]["id"],
                 "subnet_ids": [things[1][1]["id"]]}
    yield _interface(life, "create", interface), life.about(300)
    life.new_request()
    yield from _both(life, "network", "update", things[0][1], 0.2, rest=300)
    life.new_request()
    yield _interface(life, "delete", interface), life.about(2)
    for kind, body in reversed(things):
        yield from _both(life, kind, "delete", body, 0.4, rest=1)


def _both(life, kind, operation, body, seconds, rest):
    return life.operation(
        lambda edge: _say(life, kind, operation, edge, body), seconds,
        rest=rest, may_fail=False)


def _interface(life, operation, body):
    return life.say("neutron", f"router.interface.{operation}",
                    {"router_interface": body},
                    publisher_id=f"network.{clouds.CONTROLLER}",
                    resource_id=body["id"])
