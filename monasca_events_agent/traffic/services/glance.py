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


"""What glance says. It sends no context: only ``owner`` names the tenant."""

from collections.abc import Generator

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.life import Step
from monasca_events_agent.traffic.notification import Notification


class Image:
    """An image as glance knows it."""

    def __init__(self, life: Life, name: str) -> None:
        self.life = life
        self.image_id = life.uuid()
        self.name = name
        self.status = "queued"
        self.size: int | None = None
        self.checksum: str | None = None
        self.created_at = life.now
        self.deleted_at = None

    def say(self, what: str) -> list[Notification]:
        """Return what glance says of ``image.WHAT``."""
        return self.life.say(
            "glance", f"image.{what}", {
                "id": self.image_id, "name": self.name, "status": self.status,
                "created_at": _zulu(self.created_at),
                "updated_at": _zulu(self.life.now), "min_disk": 0,
                "min_ram": 0, "protected": False, "checksum": self.checksum,
                "owner": self.life.tenant.project_id, "disk_format": "qcow2",
                "container_format": "bare", "size": self.size,
                "virtual_size": None, "is_public": False,
                "visibility": "private", "properties": {}, "tags": [],
                "deleted": self.deleted_at is not None,
                "deleted_at": _zulu(self.deleted_at)},
            publisher_id=f"image.{clouds.CONTROLLER}", context={},
            resource_id=self.image_id)

    def upload(self) -> Generator[Step, None, None]:
        self.status = "saving"
        yield self.say("prepare"), self.life.about(20)
        self.size = self.life.draw.randrange(10 ** 6, 10 ** 10)
        self.checksum = self.life.hex()
        self.status = "active"
        yield self.say("upload"), 0.1
        yield self.say("activate"), self.life.about(30)


def image(life: Life) -> Scenario:
    """An image from its record to its deletion."""
    it = Image(life, f"{life.name()}-image")
    yield it.say("create"), life.about(2)
    yield from it.upload()
    if life.chance(0.5):
        yield it.say("update"), life.about(60)
    if life.chance(0.5):
        yield life.say(
            "glance", "image.send", {
                "bytes_sent": it.size, "image_id": it.image_id,
                "owner_id": life.tenant.project_id,
                "receiver_tenant_id": life.tenant.project_id,
                "receiver_user_id": life.user.user_id,
                "destination_ip": "192.0.2.17"},
            publisher_id=f"image.{clouds.CONTROLLER}", context={},
            resource_id=it.image_id), life.about(60)
    it.status, it.deleted_at = "deleted", life.now
    yield it.say("delete"), 1.0


def _zulu(moment) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
