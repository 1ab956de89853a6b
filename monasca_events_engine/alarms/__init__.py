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

"""Alarms that other services keep, and that die with what they watch.

An alarm service is a class of the namespace ``monasca_events.alarm_services``,
named in ``[alarm_removal] services``. It finds the alarms that watch an
instance, removes them and makes them again; when that happens is the business
of the action ``delete-alarms`` and of ``monasca-events-alarms``.
"""

import abc
from collections.abc import Iterator, Mapping, Sequence
import dataclasses

from oslo_config import cfg

from monasca_events_engine.account import Accounts

NAMESPACE = "monasca_events.alarm_services"

#: Kinds of what is removed. A definition makes alarms, and takes them along.
ALARM, DEFINITION = "alarm", "definition"


@dataclasses.dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm, whole.

    :ivar service: the name of its service among ours
    :ivar id: its id there
    :ivar project_id: whose it is
    :ivar name: for people
    :ivar kind: ALARM or DEFINITION
    :ivar definition: all that the service tells of it
    """

    service: str
    id: str
    project_id: str
    name: str
    kind: str
    definition: Mapping


#: Ids of what an alarm watches and nothing else; each with whether it is an
#: instance for sure, or may be something else with an id.
Subjects = Mapping[str, bool]


class AlarmService(abc.ABC):
    """One service with alarms. Safe for several threads.

    Every call raises Unavailable when it may succeed later, and Misconfigured
    where the operator has to put something right.

    :cvar GROUP: the option group that it gets
    :cvar OPTS: the options in it
    """

    GROUP: str | None = None
    OPTS: Sequence[cfg.Opt] = ()

    def __init__(self, conf, accounts: Accounts, name: str) -> None:
        """Connect to nothing yet.

        :param conf: the option group GROUP, None without one
        :param accounts: makes services of the cloud
        :param name: what ``Alarm.service`` is to be
        :raises Misconfigured: the options cannot work
        """
        self.conf = conf
        self.accounts = accounts
        self.name = name

    @abc.abstractmethod
    def watching(self, project_id: str | None
                 ) -> Iterator[tuple[Alarm, Subjects]]:
        """Yield the alarms of a project, or of all, with what they watch.

        Those that watch nothing, or other things too, may be left out.

        :raises Rejected: it cannot tell of all projects at once
        """

    def find(self, project_id: str, instance_id: str) -> list[Alarm]:
        """Return the alarms of a project that watch one instance only."""
        return [alarm for alarm, subjects in self.watching(project_id)
                if instance_id in subjects]

    @abc.abstractmethod
    def delete(self, alarm: Alarm) -> bool:
        """Return once it is gone; False where it was gone before."""

    @abc.abstractmethod
    def restore(self, alarm: Alarm) -> str | None:
        """Make an alarm again; return its new id, None where it is there.

        :raises Rejected: this cannot be made again; the sentence says why
        """
