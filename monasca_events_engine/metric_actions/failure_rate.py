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

"""The rate of failure: how often things end well, and how often they fail.

One metric action for each lifecycle of the table that can fail. It counts
``instance-create.finished`` and ``instance-create.failed`` and so on; an
operation that is tried again elsewhere has failed once each time.
"""

from collections.abc import Mapping, Sequence

from monasca_events_common.rules.lifecycles import Lifecycle
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_common.rules.trigger import Family
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger
from monasca_events_engine import lifecycles
from monasca_events_engine.measures import COUNTER
from monasca_events_engine.measures import Measure
from monasca_events_engine.metric_actions import labels
from monasca_events_engine.metric_actions import labels_option
from monasca_events_engine.metric_actions import MetricAction

FINISHED, FAILED = "finished", "failed"


class FailureRateOf(MetricAction):
    """Counts the ends of one lifecycle.

    Ordered though it keeps no state: an event that comes twice counts once.

    :cvar lifecycle: which one
    """

    lifecycle: Lifecycle

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Measure]:
        return [Measure(
            f"{self.lifecycle.name}.{slots[0]}", COUNTER, 1,
            seconds(event["timestamp"]),
            labels(event, self.conf.labels) if self.needs_all else {},
            event["project_id"], None, (event["event_id"],))]


class FailureRates(Family):
    """A metric action for each lifecycle that is wanted and can fail."""

    GROUP = "failure_rate"
    OPTS = [
        lifecycles.option("of which is counted how often they fail."),
        labels_option(()),
    ]

    @classmethod
    def configure(cls, conf) -> Mapping[str, type[Trigger]]:
        return {name: lifecycles.watch(
            FailureRateOf, LIFECYCLES[name], conf, {
                FINISHED: LIFECYCLES[name].end,
                FAILED: LIFECYCLES[name].error}, (), bool(conf.labels))
            for name in lifecycles.chosen(conf.lifecycles, cls.GROUP)
            if LIFECYCLES[name].error}
