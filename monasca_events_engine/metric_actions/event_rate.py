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

"""The rate of events: how many come, by the beginning of their type.

It sees every event of every project, so it looks at nothing but the type; an
event that comes twice counts twice.
"""

from collections.abc import Mapping, Sequence

from oslo_config import cfg

from monasca_events_common.rules.trigger import seconds
from monasca_events_engine.measures import COUNTER
from monasca_events_engine.measures import Measure
from monasca_events_engine.measures import OTHER
from monasca_events_engine.metric_actions import MetricAction

#: Beginnings of types that are counted apart; senders make types up.
MAX_PREFIXES = 200

#: Types whose beginning is remembered.
MAX_TYPES = 4096


class EventRate(MetricAction):
    """Counts events."""

    patterns = {"any": {"event_type": [{"exists": True}]}}
    is_ordered = False
    needs_all = False
    needs_head = False

    GROUP = "event_rate"
    OPTS = [
        cfg.IntOpt("words", default=1, min=1, max=3, mutable=True,
                   help="How many words of an event's type the label prefix "
                        "has: 1 counts compute, 2 compute.instance."),
    ]

    def __init__(self) -> None:
        self._prefixes: set[str] = set()
        self._labels: dict[tuple[str, int], dict[str, str]] = {}

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Measure]:
        key = event["event_type"], self.conf.words
        found = self._labels.get(key)
        if found is None:
            found = self._remember(key)
        return (Measure("events.seen", COUNTER, 1,
                        seconds(event["timestamp"]), found,
                        event["project_id"], None, (event["event_id"],)),)

    def _remember(self, key: tuple[str, int]) -> dict[str, str]:
        event_type, words = key
        prefix = ".".join(event_type.split(".", words)[:words])
        if prefix not in self._prefixes:
            if len(self._prefixes) >= MAX_PREFIXES:
                prefix = OTHER
            self._prefixes.add(prefix)
        if len(self._labels) >= MAX_TYPES:
            self._labels.clear()
        found = self._labels[key] = {"prefix": prefix}
        return found
