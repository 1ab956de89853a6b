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

"""Events and rules for the tests of the rule language."""

from monasca_events_common import event as events
from monasca_events_common.rules import definition

PROJECT = "a" * 32
OTHER = "b" * 32

#: 2026-11-22T10:00:00Z as seconds since the epoch.
TEN = 1795341600.0


def stamp(seconds: float) -> str:
    """Return the canonical time so many seconds after ten o'clock."""
    return events.format_time(events.parse_time(TEN + seconds))


def event(event_type: str = "compute.instance.create.end", at: float = 0,
          name: str | None = None, **changed) -> dict:
    """Return a canonical event.

    :param at: seconds after ten o'clock
    :param name: the source's id; type, time and resource where not given
    """
    project_id = changed.get("project_id", PROJECT)
    name = name or f"{event_type}/{at}/{changed.get('resource_id')}"
    made = dict.fromkeys(events.FIELDS)
    made.update(
        event_id=events.event_id(project_id, name),
        project_id=project_id, event_type=event_type, timestamp=stamp(at),
        received_at=stamp(at), priority="INFO", source="notification",
        resource_type="compute.instance", resource_id="vm-1", traits={},
        dimensions={}, payload={}, marks={})
    return {**made, **changed}


def rule(kind: str, trigger_id: str = "t1", project_id: str = PROJECT,
         **content):
    """Return the rule of a definition, checked as the API checks it."""
    whole = {"name": "test", "kind": kind, **content}
    definition.check(whole)
    return definition.compile(whole, trigger_id=trigger_id,
                              project_id=project_id)
