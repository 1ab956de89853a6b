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


"""What nova says, in its legacy and in its versioned form."""

from collections.abc import Mapping

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.notification import Notification

#: Name of each operation in the two forms, without ``compute.instance.`` and
#: ``instance.``; None where that form has no such notification.
OPERATIONS = {
    "create": ("create", "create"),
    "update": ("update", "update"),
    "exists": ("exists", "exists"),
    "delete": ("delete", "delete"),
    "shutdown": ("shutdown", "shutdown"),
    "resize_prep": ("resize.prep", "resize_prep"),
    "resize": ("resize", "resize"),
    "resize_finish": ("finish_resize", "resize_finish"),
    "resize_confirm": ("resize.confirm", "resize_confirm"),
    "resize_revert": ("resize.revert", "resize_revert"),
    "live_migration_pre": ("live_migration.pre", "live_migration_pre"),
    "live_migration_post": ("live_migration._post", "live_migration_post"),
    "live_migration_post_dest":
        ("live_migration.post.dest", "live_migration_post_dest"),
    "snapshot": ("snapshot", "snapshot"),
    "reboot": ("reboot", "reboot"),
    "power_off": ("power_off", "power_off"),
    "power_on": ("power_on", "power_on"),
    "pause": ("pause", "pause"),
    "unpause": ("unpause", "unpause"),
    "volume_attach": (None, "volume_attach"),
    "volume_detach": (None, "volume_detach"),
}

_PAYLOADS = {"create": ("InstanceCreatePayload", "1.13"),
             "update": ("InstanceUpdatePayload", "2.1"),
             "exists": ("InstanceExistsPayload", "2.1"),
             "snapshot": ("InstanceActionSnapshotPayload", "1.10"),
             "resize_prep": ("InstanceActionResizePrepPayload", "1.4"),
             "volume_attach": ("InstanceActionVolumePayload", "1.7"),
             "volume_detach": ("InstanceActionVolumePayload", "1.7")}

#: Legacy notifications that tell the addresses.
_WITH_ADDRESSES = ("resize", "finish_resize", "resize.confirm",
                   "live_migration.pre", "live_migration._post",
                   "live_migration.post.dest")

_FAULTS = (
    ("BuildAbortException", "Build of instance {} aborted: Volume {} did not "
     "finish being created even after we waited 187 seconds or 61 attempts."),
    ("NoValidHost", "No valid host was found for instance {}. There are not "
     "enough hosts available to give it volume {}."),
    ("InstanceFaultRollback", "Instance {} rolled back: copying volume {} "
     "was interrupted."),
)


class Server:
    """An instance as nova knows it; scenarios change its attributes."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.instance_id = life.uuid()
        self.name = f"{life.name()}-{self.instance_id[:4]}"
        self.flavor = life.draw.choice(clouds.FLAVORS)
        self.image_id, self.image_name = life.draw.choice(clouds.IMAGES)
        self.host: str | None = None
        self.reservation_id = f"r-{life.hex(8)}"
        self.created_at = life.now
        self.launched_at = self.terminated_at = self.deleted_at = None
        self.state, self.task = "building", "scheduling"
        self.power = "pending"
        self.volumes: list[str] = []
        self.port_id = life.uuid()
        self.address = life.address()
        self.mac = f"fa:16:3e:{life.hex(2)}:{life.hex(2)}:{life.hex(2)}"

    def place(self) -> None:
        """Take a host, another one than before."""
        self.host = self.life.draw.choice(
            [host for host in clouds.HOSTS if host != self.host])

    def say(self, operation: str, edge: str | None = None,
            extra: Mapping | None = None) -> list[Notification]:
        """Return what nova says of an operation in the forms it is set to.

        :param edge: start, end or error; None for a single notification
        :param extra: further keys of the legacy payload
        """
        legacy, versioned = OPERATIONS[operation]
        chosen = self.life.temper.nova_format
        found: list[Notification] = []
        fault = self._fault() if edge == "error" else None
        tail = f".{edge}" if edge else ""
        if chosen in ("versioned", "both") and versioned:
            found += self._say_versioned(operation, versioned + tail, fault,
                                         extra)
        if chosen in ("unversioned", "both"):
            if legacy:
                found += self._say_legacy(operation, legacy + tail, fault,
                                          extra)
            elif operation.startswith("volume_") and edge == "end":
                # The older form tells of a volume once, when it is there.
                found += self._say_legacy(
                    operation, operation.replace("_", "."), fault, extra)
        return found

    def _fault(self) -> tuple[str, str]:
        kind, text = self.life.draw.choice(_FAULTS)
        return kind, text.format(self.instance_id,
                                 self.volumes[0] if self.volumes else "-")

    def _say_legacy(self, operation, name, fault, extra):
        payload = {
            **self._common(), "instance_id": self.instance_id,
            "hostname": self.name, "instance_type": self.flavor.name,
            "instance_type_id": self.flavor.number,
            "instance_flavor_id": str(self.flavor.number),
            "memory_mb": self.flavor.memory_mb,
            "disk_gb": self.flavor.disk_gb, "vcpus": self.flavor.vcpus,
            "root_gb": self.flavor.disk_gb, "ephemeral_gb": 0,
            "cell_name": "",
            "created_at": str(self.created_at.replace(microsecond=0)),
            "terminated_at": _naive(self.terminated_at),
            "deleted_at": _naive(self.deleted_at),
            "launched_at": _naive(self.launched_at),
            "image_ref_url": f"http://glance:9292/images/{self.image_id}",
            "state": self.state, "state_description": self.task or "",
            "progress": "", "access_ip_v4": None, "access_ip_v6": None,
            "image_meta": {"kernel_id": "nokernel", "ramdisk_id": "nokernel",
                           "architecture": "x86_64", "min_ram": "0",
                           "disk_format": "qcow2", "container_format": "bare",
                           "min_disk": str(self.flavor.disk_gb),
                           "base_image_ref": self.image_id},
            "metadata": {}, **(extra or {})}
        if name == "create.start":
            payload["image_name"] = self.image_name
        if name == "create.end":
            payload.update(message="Success", fixed_ips=[self._fixed_ip()])
        if name.rpartition(".")[0] in _WITH_ADDRESSES:
            payload["fixed_ips"] = [self._fixed_ip()]
        if fault:
            payload.update(
                code=500, message=fault[1],
                exception=str({"kwargs": {"code": 500}, "message": fault[1],
                               "class": fault[0]}))
        return self.life.say(
            "nova", f"compute.instance.{name}", payload,
            publisher_id=f"compute.{self.host or clouds.CONTROLLER}",
            priority="ERROR" if fault else "INFO",
            resource_id=self.instance_id)

    def _say_versioned(self, operation, name, fault, extra):
        life = self.life
        kind, version = _PAYLOADS.get(operation,
                                      ("InstanceActionPayload", "1.8"))
        data = {
            **self._common(), "uuid": self.instance_id,
            "display_description": None, "host_name": self.name,
            "flavor": _flavor(self.flavor),
            "image_uuid": self.image_id, "key_name": None,
            "created_at": _zulu(self.created_at),
            "launched_at": _zulu(self.launched_at),
            "terminated_at": _zulu(self.terminated_at),
            "deleted_at": _zulu(self.deleted_at),
            "updated_at": _zulu(life.now), "state": self.state,
            "power_state": self.power, "task_state": self.task,
            "progress": 0, "block_devices": [
                _object("BlockDevicePayload", "1.0", {
                    "device_name": "/dev/vdb", "boot_index": None,
                    "delete_on_termination": False, "volume_id": volume,
                    "tag": None}) for volume in self.volumes],
            "ip_addresses": [] if self.launched_at is None else [
                _object("IpPayload", "1.0", {
                    "label": "private", "mac": self.mac, "meta": {},
                    "port_uuid": self.port_id, "version": 4,
                    "address": self.address,
                    "device_name": f"tap{self.port_id[:11]}"})],
            "metadata": {}, "locked": False, "locked_reason": None,
            "shares": [],
            "auto_disk_config": "MANUAL", "request_id": life.request_id,
            "action_initiator_user": life.user.user_id,
            "action_initiator_project": life.tenant.project_id,
            "fault": fault and _object("ExceptionPayload", "1.1", {
                "module_name": "nova.compute.manager",
                "function_name": operation, "exception": fault[0],
                "exception_message": fault[1],
                "traceback": f"Traceback (most recent call last):\n"
                             f"nova.exception.{fault[0]}: {fault[1]}\n"})}
        data.update(self._more(operation, extra or {}))
        return life.say(
            "nova", f"instance.{name}", _object(kind, version, data),
            publisher_id=f"nova-compute:{self.host or clouds.CONTROLLER}",
            priority="ERROR" if fault else "INFO",
            resource_id=self.instance_id)

    def _common(self) -> dict:
        return {"tenant_id": self.life.tenant.project_id,
                "user_id": self.life.user.user_id,
                "display_name": self.name,
                "reservation_id": self.reservation_id, "host": self.host,
                "node": self.host, "availability_zone": "nova",
                "os_type": None, "architecture": "x86_64", "kernel_id": "",
                "ramdisk_id": ""}

    def _more(self, operation, extra) -> dict:
        """Return what only some versioned payloads have."""
        if operation == "create":
            return {"keypairs": [], "tags": [], "instance_name":
                    f"instance-{self.instance_id[:8]}",
                    "trusted_image_certificates": None}
        if operation == "resize_prep":
            return {"new_flavor": _flavor(self.flavor)}
        if operation == "snapshot":
            return {"snapshot_image_id": extra.get("image_id")}
        if operation in ("volume_attach", "volume_detach"):
            return {"volume_id": extra["volume_id"]}
        if operation not in ("update", "exists"):
            return {}
        period = _object("AuditPeriodPayload", "1.0", {
            "audit_period_beginning": _zulu(self.life.now.replace(
                minute=0, second=0)),
            "audit_period_ending": _zulu(self.life.now)})
        if operation == "exists":
            return {"audit_period": period}
        return {"audit_period": period, "old_display_name": None, "tags": [],
                "state_update": _object("InstanceStateUpdatePayload", "1.0", {
                    "old_state": extra["old_state"], "state": self.state,
                    "old_task_state": extra["old_task_state"],
                    "new_task_state": extra["new_task_state"]})}

    def _fixed_ip(self) -> dict:
        return {"version": 4, "address": self.address, "label": "private",
                "vif_mac": self.mac, "type": "fixed", "floating_ips": [],
                "meta": {}}


def schedule(vm: Server, edge: str) -> list[Notification]:
    """Return what the scheduler says of choosing a host."""
    life = vm.life
    return life.say(
        "nova", f"scheduler.select_destinations.{edge}", {
            "request_spec": {
                "num_instances": 1, "instance_type": {
                    "flavorid": str(vm.flavor.number), "name": vm.flavor.name,
                    "memory_mb": vm.flavor.memory_mb,
                    "vcpus": vm.flavor.vcpus, "root_gb": vm.flavor.disk_gb},
                "image": {"id": vm.image_id, "name": vm.image_name,
                          "status": "active", "tags": []},
                "instance_properties": {
                    "uuid": vm.instance_id,
                    "project_id": life.tenant.project_id,
                    "availability_zone": "nova", "numa_topology": None}}},
        publisher_id=f"scheduler.{clouds.CONTROLLER}",
        resource_id=vm.instance_id)


def _flavor(flavor: clouds.Flavor) -> dict:
    return _object("FlavorPayload", "1.4", {
        "flavorid": str(flavor.number), "name": flavor.name,
        "memory_mb": flavor.memory_mb, "vcpus": flavor.vcpus,
        "root_gb": flavor.disk_gb, "ephemeral_gb": 0, "swap": 0,
        "rxtx_factor": 1.0, "vcpu_weight": 0, "disabled": False,
        "is_public": True, "extra_specs": {}, "projects": None,
        "description": None})


def _object(name: str, version: str, data: Mapping) -> dict:
    return {"nova_object.name": name, "nova_object.namespace": "nova",
            "nova_object.version": version, "nova_object.data": data}


def _naive(moment) -> str:
    return moment.replace(tzinfo=None).isoformat() if moment else ""


def _zulu(moment) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
