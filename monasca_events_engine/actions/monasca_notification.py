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

"""Alarm transitions for Monasca's notification engine, on its Kafka topic.

That engine looks up in its own database what is to be done for the alarm
definition that a transition names, and does it. So a site with Monasca keeps
its notification methods, and our firings reach them.
"""

from collections.abc import Mapping
import uuid

from oslo_config import cfg
import orjson

from monasca_events_common.bus import Record
from monasca_events_common.event import parse_time
from monasca_events_common.rules import firing as firings
from monasca_events_engine import monasca_kafka
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Delivery
from monasca_events_engine.actions import Parts

# Root of the name-based ids of alarms (RFC 9562, version 5).
_NAMESPACE = uuid.UUID("8a5b7a1e-2f0e-5d3c-9c56-3f1d1f0f6e21")


class MonascaNotification(Action):
    """Publishes firings as transitions of alarms."""

    GROUP = "monasca_notification"
    OPTS = [
        *monasca_kafka.OPTS,
        cfg.StrOpt("topic", default="alarm-state-transitions",
                   help="The topic that monasca-notification reads."),
    ]

    def __init__(self, conf, parts: Parts) -> None:
        super().__init__(conf, parts)
        self._publisher = monasca_kafka.Publisher(conf)

    def execute(self, delivery: Delivery) -> Mapping:
        alarm = transition(delivery)
        self._publisher.publish([Record(
            alarm["alarmId"].encode(),
            orjson.dumps({"alarm-transitioned": alarm}), {})])
        return {"alarm_id": alarm["alarmId"], "state": alarm["newState"]}

    def close(self) -> None:
        self._publisher.close()


def alarm_id(trigger_id: str, key: Mapping) -> str:
    """Return the alarm that a trigger and a group of its events make."""
    return str(uuid.uuid5(_NAMESPACE, orjson.dumps(
        [trigger_id, key], option=orjson.OPT_SORT_KEYS).decode()))


def transition(delivery: Delivery) -> dict:
    """Return the body of ``alarm-transitioned``.

    ``alarmDefinitionId`` is the trigger's id: for a row of Monasca's table
    ``alarm_action`` with it, its notification engine acts.
    """
    firing = delivery.firing
    is_well = firing["outcome"] == firings.RECOVERED
    new, old = ("OK", "ALARM") if is_well else ("ALARM", "OK")
    return {
        "alarmId": alarm_id(firing["trigger_id"], firing["key"]),
        "tenantId": delivery.project_id,
        "alarmDefinitionId": firing["trigger_id"],
        "alarmName": firing["trigger_name"],
        "alarmDescription": firing["reason"],
        "oldState": old, "newState": new,
        "stateChangeReason": firing["reason"],
        "severity": firing["severity"], "actionsEnabled": True,
        "lifecycleState": None, "link": None,
        # Milliseconds, as monasca-thresh writes it.
        "timestamp": round(parse_time(firing["at"]).timestamp() * 1000),
        "metrics": [{"id": None, "name": firing["trigger_name"],
                     "dimensions": {name: str(value) for name, value
                                    in firing["key"].items()}}],
        "subAlarms": []}
