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

"""Triggers: what watches for something, and the rule that describes one.

A rule says which events are wanted, how they are grouped, and makes a trigger
for each group. A trigger is pure but for its own small state: it is given the
events of its group in the order in which they happened, and asked at its
deadline. The kinds that tenants choose from are siblings of this file; an
operator's plug-in is a subclass of Trigger, found by its entry point.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
import dataclasses
import datetime

from oslo_config import cfg

from monasca_events_common import event as events
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.pattern import Pattern


class Trigger(abc.ABC):
    """One trigger for one group of events.

    An operator's plug-in sets ``patterns`` and ``group_by`` and implements
    ``observe``; see the page "Writing a trigger". What is below the two
    methods has a default that suits a trigger without state.

    :cvar patterns: name → pattern (JSON) of the events that it wants
    :cvar group_by: paths; each combination of their values in one project is
        a group with a trigger and a state of its own
    :cvar is_ordered: False where each event is judged by itself: then events
        are given at once, without state, and ``deadline`` is not asked for
    :cvar actions: names of the engine's actions that a firing leads to,
        besides the notification methods that the operator names
    :cvar severity: LOW, MEDIUM, HIGH or CRITICAL
    :cvar version: to be changed with what makes an older state useless
    :cvar needs_all: False where only the fields before ``traits`` are looked
        at, which saves decoding the rest
    :cvar needs_head: False too where it is only ``event_id``,
        ``project_id``, ``event_type`` and ``timestamp``
    :cvar GROUP, OPTS: an option group that it gets, and the options in it,
        which should be mutable
    :cvar conf: that group, once the trigger is configured
    :ivar deadline: seconds since the epoch, event time, at which ``tick``
        wants to be called, or None
    """

    patterns: Mapping[str, Mapping] = {}
    group_by: Sequence[str] = ()
    is_ordered: bool = True
    actions: Sequence[str] = ()
    severity: str = "LOW"
    version: int | str = 1
    needs_all: bool = True
    needs_head: bool = True
    GROUP: str | None = None
    OPTS: Sequence[cfg.Opt] = ()
    conf = None
    deadline: float | None = None

    @classmethod
    def configure(cls, conf) -> "type[Trigger]":
        """Return the class as these options want it.

        Called when the engine starts, and again when one of OPTS changes.
        The default has the group as ``conf``, so that a mutable option that
        is read from there when it is used needs nothing else.

        :param conf: the option group GROUP, None without one
        :raises Misconfigured: the options cannot work
        """
        if conf is None:
            return cls
        return type(cls)(cls.__name__, (cls,), {
            "__doc__": cls.__doc__, "__module__": cls.__module__,
            "__slots__": (), "conf": conf})

    @abc.abstractmethod
    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        """Take note of an event; return what that shows.

        :param event: a canonical event; not to be changed
        :param slots: names of the patterns that it matches, at least one

        Events come ordered by (timestamp, event_id) as far as lateness is
        bounded; one that is later still comes at once. No event comes twice.
        """

    def tick(self, now: float) -> Sequence[Finding]:
        """Return what the passing of ``deadline`` shows.

        :param now: event time has reached this; at least ``deadline``
        """
        return ()

    def dump(self) -> object | None:
        """Return the state as JSON can say it; None when there is none.

        A group whose trigger has neither state nor deadline is forgotten.
        """
        return None

    def load(self, state: object) -> None:
        """Go on from what ``dump`` returned, in an earlier release perhaps."""

    def describe(self, now: float) -> str:
        """Return in a sentence what it waits for, for ``explain``."""
        return "nothing is under way"


class Family(abc.ABC):
    """Several triggers under one name, such as one for each lifecycle.

    What an operator enables instead of a single Trigger.

    :cvar GROUP, OPTS: as in Trigger
    """

    GROUP: str | None = None
    OPTS: Sequence[cfg.Opt] = ()

    @classmethod
    @abc.abstractmethod
    def configure(cls, conf) -> Mapping[str, type[Trigger]]:
        """Return part → class; the trigger's name is ``NAME.PART``.

        As :meth:`Trigger.configure` otherwise.
        """


def fired(event: Mapping, reason: str, outcome: str = "fired",
          value: float | int | None = None,
          others: Sequence[str] = ()) -> Finding:
    """Return a finding that one event completed.

    :param others: ids of the events before it that belong to it
    """
    return Finding(outcome, seconds(event["timestamp"]),
                   (*others, event["event_id"]), reason, value, event=event)


def seconds(timestamp: str) -> float:
    """Return a timestamp as seconds since the epoch.

    :raises Rejected: it is none
    """
    if len(timestamp) == 27 and timestamp[26] == "Z":
        try:  # canonical, as nearly all are
            return datetime.datetime.fromisoformat(timestamp).timestamp()
        except ValueError:
            pass
    return events.parse_time(timestamp).timestamp()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A trigger's description, checked and compiled.

    :ivar id: the trigger's id, or the entry point's name
    :ivar version: changes with every change that makes its state void, as
        :func:`definition.generation` says
    :ivar project_id: whose it is; None watches every project separately
    :ivar name, severity: for people
    :ivar patterns: slot → pattern; a slot is the name of a step
    :ivar group_by: slot → paths whose values make the group
    :ivar labels: names of those values in a firing's ``key``
    :ivar is_ordered: as in Trigger
    :ivar make: makes the trigger of one group
    :ivar judge: the one trigger of all groups where it is not ordered
    :ivar needs_all: False where triggers and groups look only at the fields
        before ``traits``, so that the rest need not be decoded
    :ivar needs_head: False where it is only the four before ``received_at``
    :ivar settings: what the engine itself goes by: ``notify``, ``dry_run``,
        ``mute``, ``rate_limit``
    """

    id: str
    version: str
    project_id: str | None
    name: str
    severity: str
    patterns: Mapping[str, Pattern]
    group_by: Mapping[str, tuple[Path, ...]]
    labels: tuple[str, ...]
    is_ordered: bool
    make: Callable[[], Trigger]
    needs_all: bool = True
    needs_head: bool = True
    settings: Mapping = dataclasses.field(default_factory=dict)
    judge: Trigger | None = None

    @property
    def cost(self) -> int:
        """Tenths of a microsecond that one event may take, about."""
        return sum(one.cost for one in self.patterns.values())

    def key(self, event: Mapping, slot: str) -> dict:
        """Return the group that an event belongs to: label → value."""
        return {label: path.first(event) for label, path
                in zip(self.labels, self.group_by[slot], strict=True)}


def of_class(name: str, cls: type[Trigger]) -> Rule:
    """Return the rule of an operator's trigger class.

    :param name: its entry point's name
    :raises Rejected: its patterns or paths are wrong
    """
    patterns = {slot: Pattern(dict(one), f"{name}.patterns.{slot}")
                for slot, one in cls.patterns.items()}
    paths = tuple(Path(text, f"{name}.group_by[{at}]")
                  for at, text in enumerate(cls.group_by))
    return Rule(
        id=name, version=str(cls.version), project_id=None, name=name,
        severity=cls.severity, needs_all=cls.needs_all,
        needs_head=cls.needs_head,
        patterns=patterns, group_by=dict.fromkeys(patterns, paths),
        labels=tuple(one.text for one in paths), is_ordered=cls.is_ordered,
        make=cls, settings={"actions": tuple(cls.actions)},
        judge=None if cls.is_ordered else cls())
