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

"""What the benchmarks share: sample events, options, servers."""

from collections.abc import Mapping
import json
import pathlib
import random
import subprocess
import sys

from oslo_config import cfg

from monasca_events_common import event as events
from monasca_events_common.store import Document


class Missing(Exception):
    """A server or a peer that the benchmark needs cannot be had here."""


def options(opts, **values):
    """Return an option group with these values, as a driver takes it."""
    conf = cfg.ConfigOpts()
    conf.register_opts(opts, group="x")
    conf([])
    for name, value in values.items():
        conf.set_override(name, value, group="x")
    return conf.x


def server(name: str) -> Mapping:
    """Bring a real server up; return where it is. Raises Missing."""
    done = subprocess.run(
        [sys.executable, str(pathlib.Path(__file__).parents[2]
                             / "tools/servers"), "up", name, "--json"],
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{name} cannot be had: {done.stderr.strip()}")
    return json.loads(done.stdout)[name]


def event(number: int, tenants: int, rng: random.Random) -> dict:
    """Return a canonical event of about 1.25 kB, as nova's usually are."""
    project_id = f"{number % tenants:032x}"
    instance = f"{rng.getrandbits(128):032x}"
    filler = "".join(rng.choices("abcdefghijklmnop qrstuvwxyz", k=120))
    return {
        "event_id": events.event_id(project_id, str(number)),
        "project_id": project_id,
        "event_type": rng.choice((
            "compute.instance.create.start", "compute.instance.create.end",
            "compute.instance.delete.end", "volume.attach.end",
            "port.update.end")),
        "timestamp": "2026-11-%02dT%02d:%02d:%02d.%06dZ" % (  # noqa: UP031
            1 + number % 20, rng.randrange(24), rng.randrange(60),
            rng.randrange(60), number % 1000000),
        "received_at": "2026-11-22T10:00:00.000000Z",
        "publisher_id": f"compute.host-{number % 50}",
        "priority": "INFO", "source": "notification",
        "resource_type": "instance", "resource_id": instance,
        "user_id": f"{rng.getrandbits(128):032x}", "domain_id": "default",
        "request_id": f"req-{instance}", "global_request_id": None,
        "traits": {"state": "active", "memory_mb": 512 * (number % 9),
                   "host": f"host-{number % 50}", "vcpus": number % 8},
        "dimensions": {},
        "payload": {
            "instance_id": instance, "tenant_id": project_id,
            "display_name": f"vm {number}", "state": "active",
            "instance_type": "m1.small", "memory_mb": 512 * (number % 9),
            "disk_gb": 20, "vcpus": number % 8, "host": "host",
            "image_ref_url": f"http://10.0.0.1:9292/images/{instance}",
            "created_at": "2026-11-22 10:00:00+00:00",
            "metadata": {"note": filler}, "fixed_ips": [
                {"address": f"10.{number % 250}.0.7", "version": 4,
                 "type": "fixed", "label": "private"}],
            "message": "Success"},
        "marks": {}}


def documents(count: int, tenants: int, seed: int = 7) -> list[Document]:
    """Return documents as the persister would hand them to the store."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        one = event(number, tenants, rng)
        record = events.record(one)
        found.append(Document(one["project_id"], one["event_id"],
                              one["event_type"], one["timestamp"],
                              record.value, record.headers["index"]))
    return found
