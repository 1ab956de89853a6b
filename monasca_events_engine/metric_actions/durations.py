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

"""Durations: how long things take in the cloud, from their start to their end.

One metric action for each lifecycle of the table. It measures what ended
well: ``instance-create.duration`` and so on, in seconds.
"""

from collections.abc import Mapping, Sequence

from monasca_events_common.rules.duration import Duration
from monasca_events_common.rules.duration import END
from monasca_events_common.rules.duration import START
from monasca_events_common.rules.lifecycles import Lifecycle
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.sequence import UNLESS
from monasca_events_common.rules.trigger import Family
from monasca_events_common.rules.trigger import Trigger
from monasca_events_engine import lifecycles
from monasca_events_engine.measures import HISTOGRAM
from monasca_events_engine.measures import Measure
from monasca_events_engine.metric_actions import labels
from monasca_events_engine.metric_actions import labels_option
from monasca_events_engine.metric_actions import MetricAction


class DurationOf(MetricAction, Duration):
    """Measures one lifecycle.

    :cvar lifecycle: which one
    :cvar keys: paths of what start and end have in common
    """

    lifecycle: Lifecycle
    keys: Sequence[Path]

    def __init__(self) -> None:
        super().__init__(None)

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Measure]:
        if lifecycles.lacks_key(self.keys, event):
            return ()
        if UNLESS in slots:
            self._forget()
            return ()
        return [Measure(
            f"{self.lifecycle.name}.duration", HISTOGRAM, one.value, one.at,
            labels(event, self.conf.labels), event["project_id"],
            event["resource_id"], one.event_ids)
            for one in Duration.observe(self, event, slots)]


class Durations(Family):
    """A metric action for each lifecycle that is wanted."""

    GROUP = "durations"
    OPTS = [
        lifecycles.option("whose duration is measured."),
        labels_option(("flavor", "host", "availability_zone", "image")),
    ]

    @classmethod
    def configure(cls, conf) -> Mapping[str, type[Trigger]]:
        return {name: lifecycles.watch(
            DurationOf, LIFECYCLES[name], conf, {
                START: LIFECYCLES[name].start, END: LIFECYCLES[name].end,
                UNLESS: lifecycles.unless(LIFECYCLES[name])})
            for name in lifecycles.chosen(conf.lifecycles, cls.GROUP)}
