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


"""What cinder says: volumes, snapshots and backups."""

from collections.abc import Generator

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.life import Step
from monasca_events_agent.traffic.notification import Notification

_ZONE = "nova"


class Volume:
    """A volume as cinder knows it."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.volume_id = life.uuid()
        self.name = f"{life.name()}-data"
        self.size = life.draw.choice((1, 5, 10, 20, 50, 100))
        self.volume_type = life.draw.choice(("ssd", "hdd", "replicated"))
        self.created_at = life.now
        self.launched_at = None
        self.status = "creating"
        self.server_id: str | None = None
        self.pool = f"storage-{life.draw.randrange(1, 5)}@rbd#pool"

    def say(self, operation: str, edge: str) -> list[Notification]:
        """Return what cinder says of ``volume.OPERATION.EDGE``."""
        life = self.life
        failed = edge == "error"
        return life.say(
            "cinder", f"volume.{operation}.{edge}", {
                "tenant_id": life.tenant.project_id,
                "user_id": life.user.user_id, "host": self.pool,
                "availability_zone": _ZONE, "volume_id": self.volume_id,
                "volume_type": self.volume_type, "display_name": self.name,
                "created_at": self.created_at.isoformat(),
                "launched_at": self.launched_at.isoformat()
                if self.launched_at else None,
                "status": "error" if failed else self.status,
                "snapshot_id": None, "size": self.size,
                "replication_status": "disabled",
                "replication_extended_status": None,
                "replication_driver_data": None, "metadata": [],
                "volume_attachment": [] if self.server_id is None else [
                    {"instance_uuid": self.server_id, "attached_host": None,
                     "mountpoint": "/dev/vdb", "attach_mode": "rw"}]},
            publisher_id=f"volume.{self.pool.partition('#')[0]}",
            priority="ERROR" if failed else "INFO",
            resource_id=self.volume_id)

    def create(self) -> Generator[Step, None, str]:
        def say(edge):
            if edge == "end":
                self.status, self.launched_at = "available", self.life.now
            return self.say("create", edge)

        return (yield from self.life.operation(say, 3, rest=10))

    def delete(self) -> Generator[Step, None, str]:
        self.status = "deleting"
        return (yield from self.life.operation(
            lambda edge: self.say("delete", edge), 2))


def volume(life: Life) -> Scenario:
    """A volume that is extended, snapshotted or backed up, then deleted."""
    it = Volume(life)
    if (yield from it.create()) != "end":
        return
    for event in life.draw.choices((_extend, _snapshot, _backup),
                                   k=life.draw.randrange(3)):
        life.new_request()
        yield from event(life, it)
    life.new_request()
    yield from it.delete()


def _extend(life, it):
    it.status = "extending"
    it.size *= 2
    yield from life.operation(lambda edge: it.say("resize", edge), 4, rest=60)
    it.status = "available"


def _snapshot(life, it):
    snapshot_id, created_at = life.uuid(), life.now

    def say(operation, edge):
        return life.say(
            "cinder", f"snapshot.{operation}.{edge}", {
                "tenant_id": life.tenant.project_id,
                "user_id": life.user.user_id, "availability_zone": _ZONE,
                "volume_id": it.volume_id, "volume_size": it.size,
                "snapshot_id": snapshot_id, "display_name": f"{it.name}-snap",
                "created_at": created_at.isoformat(), "metadata": "",
                "status": {"start": "creating", "end": "available",
                           "error": "error"}[edge], "deleted": ""},
            publisher_id=f"snapshot.{clouds.CONTROLLER}",
            priority="ERROR" if edge == "error" else "INFO",
            resource_id=snapshot_id)

    fate = yield from life.operation(lambda edge: say("create", edge), 3,
                                     rest=90)
    if fate == "end":
        yield from life.operation(lambda edge: say("delete", edge), 2)


def _backup(life, it):
    backup_id, created_at = life.uuid(), life.now
    yield from life.operation(
        lambda edge: life.say(
            "cinder", f"backup.create.{edge}", {
                "tenant_id": life.tenant.project_id,
                "project_id": life.tenant.project_id,
                "user_id": life.user.user_id, "backup_id": backup_id,
                "volume_id": it.volume_id, "host": "storage-1",
                "display_name": f"{it.name}-backup", "size": it.size,
                "created_at": created_at.isoformat(),
                "status": {"start": "creating", "end": "available",
                           "error": "error"}[edge],
                "service_metadata": None, "service": "swift",
                "fail_reason": "the object store answered 503"
                if edge == "error" else None},
            publisher_id="backup.storage-1",
            priority="ERROR" if edge == "error" else "INFO",
            resource_id=backup_id), 40, rest=30)
