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

"""A kit for tests of triggers and metric actions; it needs no server.

Events go through a trigger as the engine shows them to it: sorted by their
time, by groups, with deadlines passing between them and the state going
through JSON each time. What the engine adds (batches, the database, several
partitions) changes nothing of what is found.
"""

from collections.abc import Iterable, Mapping, Sequence
import math

from oslo_config import cfg
import orjson

from monasca_events_common import event as events
from monasca_events_common import plugins
from monasca_events_common.rules import groups as grouping
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.trigger import Family
from monasca_events_common.rules.trigger import Rule
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger
from monasca_events_engine.measures import Measure
from monasca_events_engine.ruleset import PlugIn

#: The project of :func:`event`, unless it is told another one.
PROJECT = "a" * 32

#: 2026-11-22T10:00:00Z as seconds since the epoch; times of the kit are
#: seconds after that.
START = 1795341600.0


def event(event_type: str = "compute.instance.create.end", at: float = 0,
          name: str | None = None, **changed) -> dict:
    """Return a canonical event.

    :param at: seconds after START at which it happened
    :param name: the source's id; type, time and resource where not given, so
        that the same three are the same event
    :param changed: further fields, such as ``traits={"host": "one"}``
    """
    project_id = changed.get("project_id", PROJECT)
    name = name or f"{event_type}/{at}/{changed.get('resource_id')}"
    made = dict.fromkeys(events.FIELDS)
    made.update(
        event_id=events.event_id(project_id, name),
        project_id=project_id, event_type=event_type, timestamp=stamp(at),
        received_at=stamp(at), priority="INFO", source="notification",
        resource_type="compute.instance", resource_id="vm-1", traits={},
        dimensions={}, payload={}, marks={})
    return {**made, **changed}


def stamp(at: float) -> str:
    """Return the canonical time so many seconds after START."""
    return events.format_time(events.parse_time(START + at))


def rules(plugin: type[Trigger] | type[Family], **options) -> dict[str, Rule]:
    """Return what the engine makes of a plug-in, by name.

    A trigger's name is ``tested``, that of a family's part ``tested.PART``.

    :param options: values of its OPTS; the others have their defaults
    :raises Misconfigured: as when the engine starts
    """
    conf = cfg.ConfigOpts()
    conf([], project="testing", default_config_files=[],
         default_config_dirs=[])
    group = plugins.options(conf, plugin)
    for name, value in options.items():
        conf.set_override(name, value, group=plugin.GROUP)
    return {one.id: one for one in PlugIn("tested", plugin, group).rules}


def run(what: type[Trigger] | type[Family] | Rule, sent: Iterable[dict],
        until: float | None = None, **options
        ) -> list[tuple[Mapping, Finding | Measure]]:
    """Return (key of the group, finding) in the order of their making.

    :param what: a plug-in's class, or one of its :func:`rules`
    :param sent: events in any order
    :param until: seconds after START to which the clock goes at last
    :param options: values of the plug-in's options
    """
    if isinstance(what, Rule):
        return _Run(what).over(sent, until)
    sent = list(sent)
    found = [one for rule in rules(what, **options).values()
             for one in _Run(rule).over(sent, until)]
    return sorted(found, key=lambda one: one[1].at)


def outcomes(what: type[Trigger] | type[Family] | Rule,
             sent: Iterable[dict], until: float | None = None, **options
             ) -> list[tuple[str, float]]:
    """Return (outcome, seconds after START) of each finding of a trigger.

    The parameters are those of :func:`run`.
    """
    return [(one.outcome, round(one.at - START, 6))
            for _, one in run(what, sent, until, **options)]


class _Run:
    """One rule over events; states are kept as the database keeps them."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._instance = None if rule.is_ordered else rule.make()
        #: Group → (state, deadline), and its key.
        self._states: dict[bytes, tuple[object, float | None]] = {}
        self._keys: dict[bytes, Mapping] = {}
        self._found: list[tuple[Mapping, Finding | Measure]] = []

    def over(self, sent: Iterable[dict], until: float | None
             ) -> list[tuple[Mapping, Finding | Measure]]:
        rule = self._rule
        for one in sorted(sent, key=lambda one: (one["timestamp"],
                                                 one["event_id"])):
            slots = [slot for slot, pattern in rule.patterns.items()
                     if pattern.matches(one)]
            if not slots:
                continue
            if self._instance is not None:
                self._note(rule.key(one, slots[0]),
                           self._instance.observe(one, slots))
                continue
            # What happens at the deadline itself still is in time.
            self._advance(math.nextafter(seconds(one["timestamp"]), 0.0))
            for group, _, key, wanted in grouping.requests(
                    one, [(rule, slots)]):
                self._keys[group] = key
                trigger = self._load(group)
                self._settle(group, trigger, trigger.observe(one, wanted))
        if until is not None:
            self._advance(START + until)
        return self._found

    def _advance(self, now: float) -> None:
        while due := [(deadline, group) for group, (_, deadline)
                      in self._states.items()
                      if deadline is not None and deadline <= now]:
            deadline, group = min(due)
            trigger = self._load(group)
            found = trigger.tick(now)
            if trigger.deadline == deadline:
                trigger.deadline = None  # as the engine does
            self._settle(group, trigger, found)

    def _load(self, group: bytes) -> Trigger:
        trigger = self._rule.make()
        state, deadline = self._states.get(group, (None, None))
        if state is not None:
            trigger.load(state)
        if deadline is not None:
            trigger.deadline = deadline
        return trigger

    def _settle(self, group: bytes, trigger: Trigger,
                found: Sequence[Finding | Measure]) -> None:
        self._note(self._keys[group], found)
        state = orjson.loads(orjson.dumps(trigger.dump()))
        if state is None and trigger.deadline is None:
            self._states.pop(group, None)
        else:
            self._states[group] = state, trigger.deadline

    def _note(self, key: Mapping, found: Sequence[Finding | Measure]
              ) -> None:
        self._found.extend((key, one) for one in found)
