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

"""Actions: what a firing leads to outside of the engine.

An action is a class of the namespace ``monasca_events.actions``; its name is
the type of the notification methods that it executes. The dispatcher, and
nobody else, calls it, from the outbox and never from a trigger: so what it
does happens after the firing is durable, at least once, and each time with
the same id.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
import dataclasses
import logging
import time

from oslo_config import cfg

from monasca_events_common import plugins
from monasca_events_common.bus import Bus
from monasca_events_common.database import Database
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_engine.account import Accounts

LOG = logging.getLogger(__name__)

NAMESPACE = "monasca_events.actions"

GROUP = "actions"

OPTS = [
    cfg.ListOpt("enabled",
                default=["webhook", "email", "log", "event",
                         "monasca-notification", "metric"],
                help="Names of the actions that this engine executes: entry "
                     "points of monasca_events.actions, or module:Class. What "
                     "is to be delivered by another one is parked."),
]


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One firing on its way to one notification method.

    :ivar delivery_id: the same at each attempt, and after a crash: whoever
        receives it twice can tell
    :ivar project_id: whose firing it is
    :ivar attempt: 1 for the first one
    :ivar firing: what the API shows of the firing, and ``event``, the
        canonical event that completed it, or None
    :ivar method: the notification method's content (``address``,
        ``settings``); None for an operator's trigger that names an action
    :ivar secrets: the method's live keys, newest first
    :ivar target: what :meth:`Action.target` returned
    """

    delivery_id: str
    project_id: str
    attempt: int
    firing: Mapping
    method: Mapping | None = None
    secrets: Sequence[str] = dataclasses.field(default=(), repr=False)
    target: str = ""

    @property
    def settings(self) -> Mapping:
        """The method's settings; empty where there is none."""
        return (self.method or {}).get("settings") or {}


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What of the engine an action may use.

    :ivar database: the engine's own
    :ivar bus: where events come from
    :ivar topic: the events' topic on it
    :ivar sinks: returns where measures are to go now, by name
    :ivar clock: returns seconds since the epoch
    :ivar options: of a plug-in of the action's own, returns its option group
    :ivar accounts: makes services of the cloud
    """

    database: Database
    bus: Bus
    topic: str
    sinks: Callable[[], Sequence[str]]
    clock: Callable[[], float] = time.time
    options: Callable[[type], object] = lambda _plugin: None
    accounts: Accounts | None = None


class Action(abc.ABC):
    """One way to act. Made once a process; used from several threads.

    :cvar GROUP: the option group that it gets, or None
    :cvar OPTS: the options in it
    :cvar MAX_RESULT: bytes of JSON of what it returns at most
    """

    GROUP: str | None = None
    OPTS: Sequence[cfg.Opt] = ()
    MAX_RESULT: int = 16 * 1024

    def __init__(self, conf, parts: Parts) -> None:
        """Connect to nothing yet: the engine starts while others are down.

        :param conf: the option group GROUP, None without one
        :raises Misconfigured: the options cannot work
        """
        self.conf = conf
        self.parts = parts

    @classmethod
    def check(cls, conf, options: Callable[[type], object],
              accounts: Accounts) -> None:
        """Look at what the options name beside themselves.

        Called once when the engine starts, in the process that supervises
        it; must leave nothing open.

        :param conf: the option group GROUP, None without one
        :param options, accounts: as in Parts
        :raises Misconfigured: the engine must not start
        """

    @property
    def delay(self) -> float:
        """Seconds for which a delivery may be cancelled before it is made.

        For operators' triggers that name the action.
        """
        return 0.0

    def target(self, project_id: str, method: Mapping | None) -> str:
        """Return what a delivery goes to, such as a host and port.

        Deliveries with one target share a queue and a circuit breaker: a
        target that is slow or down holds up nothing else. The default is
        one for the whole action. Does no I/O.

        :raises Rejected: there is no such target
        """
        return ""

    @abc.abstractmethod
    def execute(self, delivery: Delivery) -> Mapping:
        """Return once it is done, with what shall be remembered of it.

        The result is kept with the delivery and shown to the project: a
        small JSON object, without secrets and without what others answered.

        May be called again for the same delivery, at any time and from
        another process, because a crash may come before the result is kept.
        Takes bounded time, some ten seconds at the most.

        :raises Rejected: it can never succeed; the delivery is parked at
            once, with the sentence
        :raises Unavailable: it may succeed later; tried again after
            ``retry_after`` seconds, or later
        :raises Misconfigured: the operator has to put something right; tried
            again as well
        """

    def close(self) -> None:
        """Release connections. May be called twice."""


class Actions:
    """The actions of this process, by name."""

    def __init__(self, found: Mapping[str, Action],
                 broken: Mapping[str, str] | None = None) -> None:
        """:param broken: name → why it could not be made"""
        self._found = dict(found)
        self._broken = dict(broken or {})

    def names(self) -> list[str]:
        """Return the names of those that work, in order."""
        return list(self._found)

    def get(self, name: str) -> Action:
        """:raises Rejected: there is none"""
        action = self._found.get(name)
        if action is None:
            why = "is broken" if name in self._broken else "is not enabled"
            raise Rejected(f"the action {name!r} {why} in this engine",
                           code="no_action")
        return action

    def delay(self, name: str) -> float:
        """Return the seconds for which a delivery by it may be cancelled."""
        action = self._found.get(name)
        return 0.0 if action is None else action.delay

    def close(self) -> None:
        for action in self._found.values():
            action.close()


def check_actions(conf: cfg.ConfigOpts, options: Callable[[type], object],
                  accounts: Accounts) -> None:
    """Look for what must stop the start; make nothing.

    :raises Misconfigured: there is no such plug-in, or its options are wrong
    """
    for name in conf[GROUP].enabled:
        cls = plugins.load(NAMESPACE, name)
        cls.check(options(cls), options, accounts)


def get_actions(conf: cfg.ConfigOpts, parts: Parts) -> Actions:
    """Return the actions that ``[actions] enabled`` names.

    One whose constructor fails is left out and reported: the others, and the
    triggers, shall work without it.

    :raises Misconfigured: there is no such plug-in, or its options are wrong
    """
    conf.register_opts(OPTS, group=GROUP)
    found, broken = {}, {}
    for name in conf[GROUP].enabled:
        cls = plugins.load(NAMESPACE, name)
        group = plugins.options(conf, cls)
        try:
            found[name] = cls(group, parts)
        except Misconfigured:
            raise
        except Exception as error:  # whatever a third party's class raises
            LOG.exception("the action %s cannot be made; its deliveries will "
                          "be parked", name)
            broken[name] = f"{type(error).__name__}: {error}"
    return Actions(found, broken)
