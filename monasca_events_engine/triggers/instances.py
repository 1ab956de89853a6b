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

"""Instances that come and go: what most sites want to be told first."""

from collections.abc import Mapping, Sequence

from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.trigger import fired
from monasca_events_common.rules.trigger import Trigger

#: What nova says when an instance is ready, and when it is gone; in its
#: legacy and in its versioned format.
CREATED = ("compute.instance.create.end", "instance.create.end")
DELETED = ("compute.instance.delete.end", "instance.delete.end")


class VmCreated(Trigger):
    """Fires for each instance that has become ready."""

    patterns = {"created": {"event_type": list(CREATED)}}
    group_by = ("resource_id",)
    is_ordered = False
    needs_all = False

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        return [fired(event, f"instance {event['resource_id']} was created")]


class VmDeleted(Trigger):
    """Fires for each instance that is gone."""

    patterns = {"deleted": {"event_type": list(DELETED)}}
    group_by = ("resource_id",)
    is_ordered = False
    needs_all = False

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        return [fired(event, f"instance {event['resource_id']} was deleted")]


class DeleteAlarms(VmDeleted):
    """Has the alarms removed that watch an instance which is gone.

    Only what nova itself said counts: an event that somebody posted to the
    API has the source ``api``.
    """

    patterns = {"deleted": {"event_type": list(DELETED),
                            "source": ["notification"]}}
    actions = ("delete-alarms",)
