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

"""The action ``delete-alarms``: an instance's alarms go with it.

What is to be removed is written down, whole, before the first alarm goes: a
crash at any moment leaves a record from which every alarm can be made again.
A delivery that is made twice removes nothing twice.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import logging

from oslo_config import cfg
import orjson
import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common import metrics
from monasca_events_common import plugins
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_engine.account import Accounts
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Delivery
from monasca_events_engine.actions import Parts
from monasca_events_engine.actions.event import chain
from monasca_events_engine.actions.event import derived
from monasca_events_engine.alarms import Alarm
from monasca_events_engine.alarms import AlarmService
from monasca_events_engine.alarms import NAMESPACE

LOG = logging.getLogger(__name__)

GROUP = "alarm_removal"

OPTS = [
    cfg.ListOpt("services", default=["aodh"],
                help="Services whose alarms are removed with the instance "
                     "that they watch: aodh, monasca, or module:Class."),
    cfg.BoolOpt("dry_run", default=False, mutable=True,
                help="Whether alarms are only looked for: what would have "
                     "been removed is recorded with the firing, and nothing "
                     "is."),
    cfg.FloatOpt("undo_seconds", default=60.0, min=0.0, mutable=True,
                 help="Seconds from the instance's deletion until its alarms "
                      "are removed. Until then the API's cancel keeps them."),
]

#: Type of the event that tells a tenant which of its alarms are gone. Derived
#: events of tenants cannot have it.
DELETED = "monasca_events.alarms.deleted"

REMOVED, GONE, INTENDED = "removed", "gone", "intended"


def get_services(conf, options: Callable[[type], object],
                 accounts: Accounts) -> list[AlarmService]:
    """Return the services that ``[alarm_removal] services`` names.

    :param conf: the group ``[alarm_removal]``
    :param options: of a plug-in, returns its option group
    :raises Misconfigured: there is none of a name, or its options are wrong
    """
    found = []
    for name in conf.services:
        cls = plugins.load(NAMESPACE, name)
        found.append(cls(options(cls), accounts, name))
    if not found:
        raise Misconfigured(f"[{GROUP}] services names none")
    return found


class DeleteAlarms(Action):
    """Removes the alarms that watch the instance of a firing's event."""

    GROUP = GROUP
    OPTS = OPTS
    #: The record holds alarms whole.
    MAX_RESULT = 1 << 20

    def __init__(self, conf, parts: Parts,
                 services: Sequence[AlarmService] | None = None) -> None:
        """:param services: other ones than the options name"""
        super().__init__(conf, parts)
        if services is None:
            services = get_services(conf, parts.options, parts.accounts)
        self._services = {one.name: one for one in services}

    @classmethod
    def check(cls, conf, options: Callable[[type], object],
              accounts: Accounts) -> None:
        get_services(conf, options, accounts)

    @property
    def delay(self) -> float:
        return self.conf.undo_seconds

    def execute(self, delivery: Delivery) -> Mapping:
        project_id, instance_id = subject(delivery)
        record = Record(project_id, instance_id,
                        self._recorded(delivery.delivery_id))
        for one in self._services.values():
            for alarm in one.find(project_id, instance_id):
                record.add(alarm, self.MAX_RESULT)
        if self.conf.dry_run:
            return record.result(dry_run=True)
        if record.alarms:
            self._intend(delivery.delivery_id, record)
            self._remove(record)
            self._tell(delivery, record)
        return record.result(dry_run=False)

    def _recorded(self, delivery_id: str) -> Mapping:
        """Return what an earlier attempt wrote down."""
        with self.parts.database.read() as connection:
            found = connection.scalar(sa.select(DELIVERIES.c.result).where(
                DELIVERIES.c.delivery_id == delivery_id))
        found = orjson.loads(found) if found else {}
        return {} if found.get("dry_run") else found

    def _intend(self, delivery_id: str, record: "Record") -> None:
        """Write down, durably, what is going to be removed."""
        with self.parts.database.begin() as connection:
            connection.execute(DELIVERIES.update().where(
                DELIVERIES.c.delivery_id == delivery_id).values(
                    result=orjson.dumps(record.result(False)).decode()))

    def _remove(self, record: "Record") -> None:
        for key, alarm in record.alarms.items():
            if record.states[key] == REMOVED:
                continue
            service = self._services.get(alarm.service)
            if service is None:
                continue  # taken out of the options since
            was_there = service.delete(alarm)
            # One that an earlier attempt saw went with that attempt.
            record.states[key] = REMOVED if was_there \
                or key in record.earlier else GONE
            LOG.info("alarm %s of project %s in %s: %s with instance %s",
                     alarm.id, alarm.project_id, alarm.service,
                     record.states[key], record.instance_id)

    def _tell(self, delivery: Delivery, record: "Record") -> None:
        """Tell the tenant, by an event; a repeat is the same event."""
        hops, origin = chain(delivery.firing)
        gone = [{"service": one.service, "id": one.id, "name": one.name,
                 "kind": one.kind} for one in record.alarms.values()]
        made = derived(
            delivery, DELETED, record.project_id,
            {"instance_id": record.instance_id, "alarms": len(gone)},
            {"instance_id": record.instance_id, "alarms": gone[:100],
             "firing_id": delivery.firing["firing_id"]},
            {"hops": hops + 1,
             "origin": [*origin, delivery.firing["trigger_id"]]},
            self.parts.clock())
        self.parts.bus.publish(self.parts.topic, [events.record(made)])


class Record:
    """What is removed with one instance, whole: the audit record.

    :ivar alarms: (service, id) → alarm
    :ivar states: the same → REMOVED, GONE (somebody else was first) or
        INTENDED
    :ivar earlier: those that an earlier attempt wrote down
    """

    def __init__(self, project_id: str, instance_id: str,
                 earlier: Mapping) -> None:
        """:param earlier: what an earlier attempt's :meth:`result` was"""
        self.project_id = project_id
        self.instance_id = instance_id
        self.alarms: dict[tuple[str, str], Alarm] = {}
        self.states: dict[tuple[str, str], str] = {}
        self._size = 0
        self._left = 0
        for one in earlier.get("alarms", ()):
            alarm = from_record(one)
            self.alarms[alarm.service, alarm.id] = alarm
            self.states[alarm.service, alarm.id] = one["state"]
            self._size += _size(alarm)
        self.earlier = frozenset(self.alarms)

    def add(self, alarm: Alarm, most: int) -> None:
        """Take an alarm in, unless the record would become too large.

        :param most: bytes of the whole record
        """
        if alarm.project_id != self.project_id:
            return  # never another project's, whatever a service says
        key = alarm.service, alarm.id
        if key not in self.alarms:
            self._size += _size(alarm)
            if self._size > most * 0.9:
                # Nothing is removed that could not be made again.
                self._left += 1
                metrics.LIMITED.labels("alarm_record").inc()
                LOG.warning("alarm %s of project %s is left alone: the "
                            "record of one instance is full", alarm.id,
                            alarm.project_id)
                return
            self.alarms[key] = alarm
        self.states[key] = INTENDED

    def result(self, dry_run: bool) -> dict:
        """Return it as JSON."""
        made = {"instance_id": self.instance_id,
                "project_id": self.project_id, "dry_run": dry_run,
                "alarms": [{**dataclasses.asdict(alarm),
                            "state": self.states[key]}
                           for key, alarm in self.alarms.items()]}
        if self._left:
            made["left"] = self._left
        return made


def _size(alarm: Alarm) -> int:
    return len(orjson.dumps(alarm)) + 30


def from_record(entry: Mapping) -> Alarm:
    """Return an alarm from a record's entry.

    :raises Rejected: it is none
    """
    try:
        return Alarm(*(entry[field.name]
                       for field in dataclasses.fields(Alarm)))
    except (KeyError, TypeError):
        raise Rejected("that is no record of removed alarms",
                       code="no_record") from None


def subject(delivery: Delivery) -> tuple[str, str]:
    """Return project and instance that a firing is about.

    :raises Rejected: it is about none
    """
    firing = delivery.firing
    event = firing.get("event") or {}
    instance_id = event.get("resource_id") or firing["key"].get("resource_id")
    project_id = firing.get("subject_project_id")
    if not instance_id or not project_id:
        raise Rejected("the firing is about no instance", code="no_instance")
    return project_id, instance_id
