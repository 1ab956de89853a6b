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

"""Tells of instances that are rebooted again and again; measures lifetimes."""

from oslo_config import cfg

from monasca_events_common.rules.trigger import fired
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger
from monasca_events_engine.measures import HISTOGRAM
from monasca_events_engine.measures import Measure
from monasca_events_engine.metric_actions import MetricAction


class ManyReboots(Trigger):
    """Fires when an instance is rebooted too often within an hour."""

    GROUP = "many_reboots"
    OPTS = [cfg.IntOpt("limit", default=3, min=1, mutable=True,
                       help="Reboots within an hour that are too many.")]

    patterns = {"reboot": {"event_type": ["compute.instance.reboot.end",
                                          "instance.reboot.end"]}}
    group_by = ("resource_id",)

    def __init__(self):
        self.times = []

    def observe(self, event, slots):
        now = seconds(event["timestamp"])
        self.times = [one for one in self.times if one > now - 3600] + [now]
        self.deadline = now + 3600
        if len(self.times) == self.conf.limit:
            return [fired(event, f"rebooted {len(self.times)} times in an "
                          "hour", value=len(self.times))]
        return []

    def tick(self, now):
        self.times, self.deadline = [], None
        return []

    def dump(self):
        return self.times or None

    def load(self, state):
        self.times = state


class Lifetimes(MetricAction):
    """Measures how old instances were when they were deleted."""

    patterns = {"gone": {"event_type": ["compute.instance.delete.end",
                                        "instance.delete.end"],
                         "traits": {"launched_at": [{"exists": True}]}}}

    def observe(self, event, slots):
        at = seconds(event["timestamp"])
        return [Measure("instance.lifetime", HISTOGRAM,
                        at - seconds(event["traits"]["launched_at"]), at,
                        {"flavor": event["traits"].get("flavor", "")},
                        event["project_id"], event["resource_id"],
                        (event["event_id"],))]
