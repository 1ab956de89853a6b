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

"""A derived event: the firing goes back to the bus as an event.

So triggers can build on triggers, and firings are found and kept as events
are. What could run in a circle is marked: each derived event carries the
number of firings behind it and the triggers they were of, both put there by
the engine only, and a chain that is too long ends here.
"""

from collections.abc import Mapping
import datetime

from oslo_config import cfg

from monasca_events_common import event as events
from monasca_events_common import metrics
from monasca_events_common.catalog import methods
from monasca_events_common.errors import Rejected
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Delivery

STAGE = "actions"

SOURCE = "engine"

_COPIED = ("resource_type", "resource_id", "user_id", "domain_id",
           "request_id", "global_request_id")


class DerivedEvent(Action):
    """Publishes firings as events of their project."""

    GROUP = methods.GROUP
    OPTS = [
        *methods.OPTS,
        cfg.IntOpt("max_hops", default=3, min=1, mutable=True,
                   help="Firings that may follow from one another by derived "
                        "events. What comes after the last is not "
                        "published, which metrics count as dropped."),
        cfg.IntOpt("max_repeats", default=1, min=1, mutable=True,
                   help="Times that one trigger may take part in such a "
                        "chain."),
    ]

    def execute(self, delivery: Delivery) -> Mapping:
        made = self._event(delivery)
        self.parts.bus.publish(self.parts.topic, [events.record(made)])
        return {"event_id": made["event_id"],
                "event_type": made["event_type"]}

    def _event(self, delivery: Delivery) -> dict:
        firing = delivery.firing
        kind = methods.derived_type(delivery.settings, firing["outcome"])
        if not methods.is_derived(kind, self.conf.prefixes):
            raise Rejected(
                f"the event type {kind!r} does not begin with "
                f"{' or '.join(self.conf.prefixes)}", code="invalid_type")
        return derived(
            delivery, kind, delivery.project_id, _traits(firing),
            {name: value for name, value in firing.items()
             if name not in ("event", "marks")},
            self._marks(firing), self.parts.clock())

    def _marks(self, firing: Mapping) -> dict:
        """Return what guards against loops.

        :raises Rejected: the chain ends here
        """
        hops, origin = chain(firing)
        trigger_id = firing["trigger_id"]
        if hops >= self.conf.max_hops:
            metrics.DROPPED.labels(STAGE, "too_many_hops").inc()
            raise Rejected(
                f"dropped: {hops} firings follow from one another by derived "
                "events, and there may be no more", code="loop")
        if origin.count(trigger_id) >= self.conf.max_repeats:
            metrics.DROPPED.labels(STAGE, "trigger_loop").inc()
            raise Rejected("dropped: the trigger fired because of an event "
                           "that followed from its own firing", code="loop")
        return {"hops": hops + 1, "origin": [*origin, trigger_id]}


def derived(delivery: Delivery, kind: str, project_id: str, traits: Mapping,
            payload: Mapping, marks: Mapping, now: float) -> dict:
    """Return the canonical event of the engine's own that a firing leads to.

    What ties the event that completed the firing to others is copied.

    :param kind: its event type
    :param project_id: whose event it is to be
    :param now: seconds since the epoch
    """
    firing = delivery.firing
    cause = firing.get("event") or {}
    copied = {name: cause.get(name) for name in _COPIED}
    resource_id = firing["key"].get("resource_id")
    if copied["resource_id"] is None and type(resource_id) is str:
        copied["resource_id"] = resource_id
    return {
        # A repeat is the same event, so the store keeps one.
        "event_id": events.event_id(project_id, delivery.delivery_id),
        "project_id": project_id, "event_type": kind,
        "timestamp": firing["at"],
        "received_at": events.format_time(datetime.datetime.fromtimestamp(
            now, datetime.timezone.utc)),
        "publisher_id": "monasca-events-engine", "priority": "INFO",
        "source": SOURCE, **copied, "traits": traits, "dimensions": {},
        "payload": payload, "marks": marks}


def chain(firing: Mapping) -> tuple[int, list[str]]:
    """Return hops and origin of what caused a firing.

    They are in the marks of the event that completed it, and in those of the
    firing where earlier events of its group came a longer way. Marks of
    another form are none of the engine's.
    """
    return max((_chain(one.get("marks") or {}) for one in
                (firing, firing.get("event") or {})),
               key=lambda found: found[0])


def _chain(marks: Mapping) -> tuple[int, list[str]]:
    hops, origin = marks.get("hops"), marks.get("origin")
    return (hops if type(hops) is int and hops > 0 else 0,
            [one for one in origin if type(one) is str]
            if type(origin) is list else [])


def _traits(firing: Mapping) -> dict:
    found = {"trigger_id": firing["trigger_id"],
             "trigger_name": firing["trigger_name"][:events.MAX_STRING],
             "outcome": firing["outcome"], "severity": firing["severity"],
             "value": firing.get("value")}
    return {name: value for name, value in found.items()
            if value is not None and events.trait_type(value) is not None}
