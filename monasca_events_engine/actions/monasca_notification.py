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

from monasca_events_common import bus
from monasca_events_common import plugins
from monasca_events_common.bus import kafka_options
from monasca_events_common.bus import Record
from monasca_events_common.errors import Misconfigured
from monasca_events_common.event import parse_time
from monasca_events_common.rules import firing as firings
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Delivery
from monasca_events_engine.actions import Parts

# Root of the name-based ids of alarms (RFC 9562, version 5).
_NAMESPACE = uuid.UUID("8a5b7a1e-2f0e-5d3c-9c56-3f1d1f0f6e21")

# Publishing needs these of the options of Kafka.
_KAFKA = ("uri", "security_protocol", "sasl_mechanism", "sasl_username",
          "sasl_password", "ssl_cafile", "ssl_certfile", "ssl_keyfile",
          "ssl_check_hostname", "partitions", "replication", "compression",
          "max_record_bytes", "publish_timeout")


class MonascaNotification(Action):
    """Publishes firings as transitions of alarms."""

    GROUP = "monasca_notification"
    OPTS = [
        cfg.StrOpt("driver", default="kafka", choices=["kafka", "confluent"],
                   help="The client library that speaks with Monasca's "
                        "Kafka."),
        cfg.StrOpt("topic", default="alarm-state-transitions",
                   help="The topic that monasca-notification reads."),
        *(opt for opt in kafka_options.OPTS if opt.name in _KAFKA),
    ]

    def __init__(self, conf, parts: Parts) -> None:
        super().__init__(conf, parts)
        self._bus: bus.Bus | None = None
        try:
            self._bus = plugins.load(bus.NAMESPACE, conf.driver)(conf)
        except Misconfigured as error:
            # Where there is no Kafka its library is missing too, which
            # concerns nobody until a method of this type is used.
            self._missing = str(error)

    def execute(self, delivery: Delivery) -> Mapping:
        if self._bus is None:
            raise Misconfigured(self._missing)
        alarm = transition(delivery)
        self._bus.publish(self.conf.topic, [Record(
            alarm["alarmId"].encode(),
            orjson.dumps({"alarm-transitioned": alarm}), {})])
        return {"alarm_id": alarm["alarmId"], "state": alarm["newState"]}

    def close(self) -> None:
        if self._bus is not None:
            self._bus.close()


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
