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

"""A measure: a firing becomes a value for the services that keep metrics.

It is put into the table ``measures`` for each of ``[metric_sinks] enabled``,
and leaves from there as the metric actions' measures do.
"""

from collections.abc import Mapping
import dataclasses
import hashlib

import orjson

from monasca_events_common.database.tables import MEASURES
from monasca_events_common.errors import Rejected
from monasca_events_common.event import parse_time
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Delivery
from monasca_events_engine.measures import GAUGE
from monasca_events_engine.measures import Measure
from monasca_events_engine.measures import row


class Metric(Action):
    """Hands firings to the metric sinks as values."""

    def execute(self, delivery: Delivery) -> Mapping:
        sinks = list(self.parts.sinks())
        if not sinks:
            raise Rejected("the engine hands metrics to no service",
                           code="no_sink")
        content = orjson.dumps(dataclasses.asdict(measure(delivery)))
        with self.parts.database.begin() as connection:
            connection.execute(
                self.parts.database.upsert(MEASURES, ["content"]),
                [row(_identity(delivery.delivery_id, sink), sink,
                     content.decode(), self.parts.clock())
                 for sink in sinks])
        return {"sinks": sinks}


def measure(delivery: Delivery) -> Measure:
    """Return the measure of a firing: its value, or 1 where it has none.

    Labels are the firing's key and the method's ``dimensions``; these win.
    """
    firing = delivery.firing
    value = firing.get("value")
    labels = {name: str(text) for name, text in firing["key"].items()
              if text is not None and name != "project_id"}
    labels |= delivery.settings.get("dimensions") or {}
    resource_id = labels.get("resource_id") or (
        firing.get("event") or {}).get("resource_id")
    return Measure(
        delivery.settings["name"], GAUGE,
        1.0 if value is None else float(value),
        parse_time(firing["at"]).timestamp(), labels,
        firing.get("subject_project_id") or delivery.project_id,
        resource_id, list(firing["event_ids"]))


def _identity(delivery_id: str, sink: str) -> bytes:
    """Return the row's id: the same for a repeat, while the row is there."""
    return hashlib.blake2b(f"{delivery_id} {sink}".encode(),
                           digest_size=16).digest()
