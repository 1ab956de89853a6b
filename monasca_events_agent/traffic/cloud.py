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


"""The made-up cloud: its tenants, users, hosts, flavours and images.

All of it follows from the seed, so that two runs with one seed speak of the
same tenants. Nothing here belongs to anybody.
"""

from collections.abc import Sequence
import dataclasses
import datetime
import random

HOSTS = tuple(f"compute-{number}" for number in range(1, 25))
CONTROLLER = "controller-1"
REGION = "RegionOne"


@dataclasses.dataclass(frozen=True, slots=True)
class Flavor:
    name: str
    number: int
    vcpus: int
    memory_mb: int
    disk_gb: int


FLAVORS = (Flavor("m1.tiny", 1, 1, 512, 1), Flavor("m1.small", 2, 1, 2048, 20),
           Flavor("m1.medium", 3, 2, 4096, 40),
           Flavor("m1.large", 4, 4, 8192, 80),
           Flavor("c5.xlarge", 5, 8, 16384, 160))

IMAGES = (("3d2f1a7c-5a0e-4c8e-9b0e-0f4d5a3b7c11", "debian-12-amd64"),
          ("9a8e4d52-71c6-4f0a-8f0b-6f3f24c0e0d2", "ubuntu-24.04"),
          ("c2b1d7f0-28a9-4e6c-a3f8-54d6ab9e6f73", "cirros-0.6.2"))

NAMES = ("web", "db", "cache", "worker", "build", "gateway", "mail", "queue",
         "metrics", "batch", "frontend", "search", "proxy", "ledger")


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    user_id: str
    name: str
    roles: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Tenant:
    """A project with its people and the network that its servers use."""

    project_id: str
    name: str
    users: tuple[User, ...]
    network_id: str
    subnet_id: str
    security_group_id: str
    octet: int


@dataclasses.dataclass(frozen=True, slots=True)
class Cloud:
    """Everything that notifications refer to and nobody creates.

    :ivar operator: the project in which administrators act
    """

    tenants: tuple[Tenant, ...]
    operator: Tenant


def build(seed: int, tenants: int | Sequence[str]) -> Cloud:
    """Return the cloud of a seed.

    :param tenants: how many tenants, or their project ids
    """
    draw = random.Random(f"{seed}/cloud")
    operator = _tenant(draw, 0, None, ("admin", "member", "reader"))
    wanted = [None] * tenants if isinstance(tenants, int) else tenants
    return Cloud(
        tuple(_tenant(draw, number, project_id, ("member", "reader"))
              for number, project_id in enumerate(wanted, 1)), operator)


def _tenant(draw: random.Random, number: int, project_id: str | None,
            roles: tuple[str, ...]) -> Tenant:
    drawn = f"{draw.getrandbits(128):032x}"
    users = tuple(User(f"{draw.getrandbits(128):032x}", f"user-{number}-{who}",
                       roles) for who in range(3))
    return Tenant(project_id or drawn, f"project-{number}", users,
                  new_uuid(draw), new_uuid(draw), new_uuid(draw),
                  number % 250)


def new_uuid(draw: random.Random) -> str:
    """Return a random UUID, version 4 in form, that the seed decides."""
    digits = f"{draw.getrandbits(128):032x}"
    return (f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-"
            f"{'89ab'[int(digits[16], 16) & 3]}{digits[17:20]}-{digits[20:]}")


def context(tenant: Tenant, user: User, request_id: str,
            now: datetime.datetime, service: str) -> dict:
    """Return a request's context as that service's notifier sends it.

    A notifier since oslo.messaging 14.4 redacts it, hence no tokens.
    """
    admin = "admin" in user.roles
    found = {
        "user": user.user_id, "project_id": tenant.project_id,
        "system_scope": None, "project": tenant.project_id, "domain": None,
        "user_domain": "default", "project_domain": "default",
        "is_admin": admin, "read_only": False, "show_deleted": False,
        "auth_token": None, "request_id": request_id,
        "global_request_id": None, "resource_uuid": None,
        "roles": list(user.roles),
        "user_identity":
            f"{user.user_id} {tenant.project_id} - default default",
        "is_admin_project": True, "user_id": user.user_id,
        "project_name": tenant.name}
    if service in ("nova", "cinder"):
        found.update(read_deleted="no", remote_address=None,
                     timestamp=now.replace(tzinfo=None).isoformat(),
                     quota_class=None, service_catalog=[])
    if service == "nova":
        found["user_name"] = user.name
    elif service == "cinder":
        found.update(domain_id=None, message_resource_id=None,
                     message_resource_type=None, message_action=None)
    elif service == "neutron":
        found.update(timestamp=str(now.replace(tzinfo=None)),
                     user_name=user.name, has_global_access=admin,
                     can_set_project_id=admin)
    return found
