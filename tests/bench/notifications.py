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


"""Notifications for benchmarks, as services put them on the wire.

Everything that differs between two of a kind in a cloud differs here: ids,
times, addresses, names, hosts. Nothing of it was captured anywhere.
"""

import random
import uuid

#: When they arrive; they were sent within the hour.
NOW = "2026-11-22T12:30:00.000000Z"


def generated(count: int, seed: int = 1) -> list[dict]:
    """Return notifications of a usual day, of 1 to 2 kB each."""
    chance = random.Random(seed)
    kinds = (_legacy, _legacy, _versioned, _versioned, _volume, _port, _image,
             _user)
    return [_notification(chance, kinds[number % len(kinds)])
            for number in range(count)]


def _notification(chance: random.Random, kind) -> dict:
    project_id, user_id = _hex(chance), _hex(chance)
    event_type, publisher_id, payload = kind(chance, project_id, user_id)
    return {"event_type": event_type, "publisher_id": publisher_id,
            "priority": "INFO", "message_id": _uuid(chance),
            "timestamp": _moment(chance, 12, " "), "payload": payload,
            "context": {"user_id": user_id, "project_id": project_id,
                        "user": user_id, "project": project_id,
                        "request_id": "req-" + _uuid(chance),
                        "global_request_id": None, "is_admin": False,
                        "roles": ["member", "reader"], "auth_token": None,
                        "user_domain": "default", "service_catalog": [],
                        "project_domain": "default", "read_only": False}}


def _legacy(chance, project_id, user_id):
    number = chance.randrange(1000)
    image = _uuid(chance)
    return chance.choice(("compute.instance.create.end",
                          "compute.instance.update",
                          "compute.instance.delete.end")), \
        f"compute.cmp-{number % 40}", {
        "tenant_id": project_id, "user_id": user_id,
        "instance_id": _uuid(chance), "display_name": f"web-{number}",
        "reservation_id": f"r-{number}", "hostname": f"web-{number}",
        "instance_type": "m1.small", "instance_type_id": 2,
        "instance_flavor_id": "2", "architecture": "x86_64",
        "memory_mb": 2048, "disk_gb": 20, "vcpus": 1, "root_gb": 20,
        "ephemeral_gb": 0, "host": f"cmp-{number % 40}",
        "node": f"cmp-{number % 40}", "availability_zone": "nova",
        "cell_name": "",
        "created_at": _second(chance, 10, "+00:00", " "),
        "terminated_at": "", "deleted_at": "",
        "launched_at": _moment(chance, 11),
        "image_ref_url": f"http://glance:9292/images/{image}",
        "os_type": None, "kernel_id": "", "ramdisk_id": "",
        "state": "active", "state_description": "", "progress": "",
        "access_ip_v4": None, "access_ip_v6": None,
        "image_meta": {"min_ram": "0", "min_disk": "1", "disk_format": "raw",
                       "container_format": "bare", "base_image_ref": image},
        "metadata": {"role": "web", "team": "blue"}, "image_name": "debian",
        "fixed_ips": [{"version": 4, "address": f"10.0.0.{number % 250}",
                       "label": "private", "meta": {}, "floating_ips": []}],
        "message": "Success", "code": None}


def _object(name: str, /, **data) -> dict:
    return {"nova_object.name": name, "nova_object.namespace": "nova",
            "nova_object.version": "1.9", "nova_object.data": data}


def _versioned(chance, project_id, user_id):
    number = chance.randrange(1000)
    return chance.choice(("instance.create.end", "instance.update",
                          "instance.power_off.end")), \
        f"nova-compute:cmp-{number % 40}", _object(
        "InstanceActionPayload", fault=None, uuid=_uuid(chance),
        request_id="req-" + _uuid(chance), user_id=user_id,
        tenant_id=project_id, reservation_id=f"r-{number}",
        display_name=f"db-{number}", display_description=None,
        host_name=f"db-{number}", host=f"cmp-{number % 40}",
        node=f"cmp-{number % 40}", os_type=None, architecture="x86_64",
        availability_zone="nova", flavor=_object(
            "FlavorPayload", flavorid="2", memory_mb=2048, vcpus=1,
            root_gb=20, ephemeral_gb=0, name="m1.small", swap=0,
            rxtx_factor=1.0, vcpu_weight=0, disabled=False, is_public=True,
            extra_specs={"hw:watchdog_action": "disabled"}, projects=None,
            description=None),
        image_uuid=_uuid(chance), key_name="my-key", kernel_id="",
        ramdisk_id="", created_at=_second(chance, 10, "Z"),
        launched_at=_second(chance, 11, "Z"), terminated_at=None,
        deleted_at=None, updated_at=_second(chance, 11, "Z"),
        state="active",
        power_state="running", task_state=None, progress=0,
        ip_addresses=[_object(
            "IpPayload", label="private", mac="fa:16:3e:4c:2c:30", meta={},
            port_uuid=_uuid(chance), version=4,
            address=f"10.0.0.{number % 250}", device_name="tap1")],
        block_devices=[], metadata={"role": "db"}, locked=False,
        auto_disk_config="MANUAL", action_initiator_user=user_id,
        action_initiator_project=project_id, locked_reason=None, shares=[])


def _volume(chance, project_id, user_id):
    return chance.choice(("volume.create.end", "volume.attach.end")), \
        "volume.blk-1@lvm", {
        "tenant_id": project_id, "user_id": user_id, "host": "blk-1@lvm#lvm",
        "availability_zone": "nova", "volume_id": _uuid(chance),
        "volume_type": _uuid(chance), "display_name": "data",
        "launched_at": _second(chance, 11, "+00:00"),
        "created_at": _second(chance, 10, "+00:00"),
        "status": "available",
        "snapshot_id": None, "size": 20, "replication_status": None,
        "replication_extended_status": None, "replication_driver_data": None,
        "metadata": [], "volume_attachment": [{
            "id": _uuid(chance), "instance_uuid": _uuid(chance),
            "attached_host": "cmp-3", "mountpoint": "/dev/vdb",
            "attach_mode": "rw", "attach_status": "attached"}]}


def _port(chance, project_id, user_id):
    return "port.update.end", "network.net-1", {"port": {
        "id": _uuid(chance), "name": "", "network_id": _uuid(chance),
        "tenant_id": project_id, "project_id": project_id,
        "mac_address": "fa:16:3e:e3:e0:e0", "admin_state_up": True,
        "status": "ACTIVE", "device_id": _uuid(chance),
        "device_owner": "compute:nova", "fixed_ips": [
            {"subnet_id": _uuid(chance), "ip_address": "10.4.0.211"}],
        "allowed_address_pairs": [], "extra_dhcp_opts": [],
        "security_groups": [_uuid(chance)], "description": "",
        "binding:vnic_type": "normal", "binding:profile": {},
        "binding:host_id": "cmp-1", "binding:vif_type": "ovs",
        "binding:vif_details": {"port_filter": True}, "tags": [],
        "created_at": _second(chance, 10, "Z"), "revision_number": 4}}


def _image(chance, project_id, user_id):
    return "image.update", "image.api-1", {
        "id": _uuid(chance), "name": "debian-13", "status": "active",
        "created_at": _second(chance, 10, "Z"), "min_disk": 0, "min_ram": 0,
        "updated_at": _second(chance, 11, "Z"), "protected": False,
        "checksum": _hex(chance), "owner": project_id, "disk_format": "qcow2",
        "container_format": "bare", "size": 340721664, "virtual_size": None,
        "is_public": False, "visibility": "shared", "tags": ["stable"],
        "properties": {"os_type": "linux", "hw_disk_bus": "virtio"},
        "deleted": False, "deleted_at": None}


def _user(chance, project_id, user_id):
    return "identity.authenticate", "identity.api-1", {
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
        "eventType": "activity", "action": "authenticate",
        "id": _uuid(chance), "eventTime": _moment(chance, 12) + "+0000",
        "outcome": "success", "initiator": {
            "typeURI": "service/security/account/user", "id": user_id,
            "user_id": user_id, "project_id": project_id,
            "request_id": "req-" + _uuid(chance),
            "host": {"agent": "python-keystoneclient",
                     "address": "10.0.0.9"}},
        "observer": {"typeURI": "service/security", "id": _hex(chance)},
        "target": {"typeURI": "service/security/account/user",
                   "id": user_id}}


def _second(chance: random.Random, hour: int, zone: str, joint: str = "T"
            ) -> str:
    return (f"2026-11-22{joint}{hour:02}:{chance.randrange(60):02}:"
            f"{chance.randrange(60):02}{zone}")


def _moment(chance: random.Random, hour: int, joint: str = "T") -> str:
    return _second(chance, hour, f".{chance.randrange(10 ** 6):06}", joint)


def _hex(chance: random.Random) -> str:
    return f"{chance.getrandbits(128):032x}"


def _uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))
