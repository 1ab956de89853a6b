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


"""Events as the follower sees them, for the tests of what is live."""

from oslo_config import cfg

from monasca_events_api import live
from monasca_events_common import event as events
from tests.contract.store_case import make

PROJECT, OTHER = "a" * 32, "b" * 32


def conf(**options):
    """Return the group ``[live]`` with some options set."""
    made = cfg.ConfigOpts()
    made.register_opts(live.OPTS, group=live.GROUP)
    made([], default_config_files=[], default_config_dirs=[])
    for name, value in options.items():
        made.set_override(name, value, group=live.GROUP)
    return made[live.GROUP]


def event(number: int = 0, project_id: str = PROJECT, **fields) -> dict:
    """Return a canonical event."""
    return make(str(number), project_id, **{
        "event_type": "a.b", "source": "api",
        "timestamp": f"2026-11-25T12:00:00.{number:06}Z", **fields})


def seen(number: int, project_id: str = PROJECT, partition: int = 0,
         **fields) -> live.Seen:
    """Return an event whose offset is its number."""
    found = event(number, project_id, **fields)
    return live.Seen(project_id, partition, number, found["event_id"],
                     found["event_type"], found["timestamp"],
                     events.record(found).value)
