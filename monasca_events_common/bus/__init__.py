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

"""The bus between the API and the consumers: an ordered, durable log.

A topic has partitions; a record's key (the project id) chooses its partition,
so that one tenant's records keep their order. Consumers of one group share
the partitions between them. The drivers are siblings of this file and are
found by their plug-in name; nothing imports them.
"""

import abc
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monasca_events_common import plugins
from monasca_events_common.health import Health

NAMESPACE = "monasca_events.bus"

#: Version of the record's form, carried in the ``schema`` header. Records of
#: the retired monasca-events-api carry no such header.
SCHEMA = b"1"


class Record(NamedTuple):
    """What is published: opaque bytes with a key and a few headers.

    One is made for each event: a tuple costs a quarter of a frozen dataclass.

    :ivar key: the project id; equal keys keep their order
    :ivar value: the canonical event as JSON bytes, never decoded on the way
    :ivar headers: name → bytes; see :mod:`monasca_events_common.event`
    """

    key: bytes
    value: bytes
    headers: Mapping[str, bytes]


class Delivery(NamedTuple):
    """A record as a consumer sees it, with its place in the log."""

    key: bytes
    value: bytes
    headers: Mapping[str, bytes]
    partition: int
    offset: int


class Watcher(abc.ABC):
    """Told when partitions come and go; called from within ``poll``."""

    @abc.abstractmethod
    def assigned(self, partitions: Sequence[int]) -> None:
        """These partitions are ours from now on."""

    @abc.abstractmethod
    def revoked(self, partitions: Sequence[int]) -> None:
        """These partitions are another's as soon as this returns.

        Positions may still be committed from within this call; afterwards a
        commit for them is ignored.
        """


class Subscription(abc.ABC):
    """One member's view of a topic. Used from one thread only.

    :ivar gaps: times that records were gone before this member could read
        them, because the log had to let go of them
    """

    gaps: int = 0

    @abc.abstractmethod
    def poll(self, limit: int, timeout: float) -> Sequence[Delivery]:
        """Return up to ``limit`` records, waiting at most ``timeout`` seconds.

        Within a partition records come in order; across partitions they may
        come in any. Returns nothing while paused, yet keeps the membership
        alive. A record comes again after a restart, a rebalance or a seek
        unless its position was committed. Raises BusUnavailable.
        """

    @abc.abstractmethod
    def seek(self, positions: Mapping[int, int]) -> None:
        """Go on from these offsets (partition → next offset to read).

        Partitions that are not ours are ignored.
        """

    @abc.abstractmethod
    def commit(self, positions: Mapping[int, int]) -> None:
        """Return once the group's next offsets are durable.

        Positions of partitions that are no longer ours are ignored: their
        records will come to another member again. Raises BusUnavailable.
        """

    @abc.abstractmethod
    def pause(self) -> None:
        """Return no more records until ``resume``; polling goes on."""

    @abc.abstractmethod
    def resume(self) -> None:
        """Undo ``pause``."""

    @abc.abstractmethod
    def ends(self) -> Mapping[int, tuple[int, int]]:
        """Return partition → (next offset that ``poll`` gives, the offset
        behind the newest record), of our partitions, as it is now.

        Who has handled everything before the second number has seen all that
        was published before the call. Raises BusUnavailable.
        """

    @abc.abstractmethod
    def lag(self) -> Mapping[int, int]:
        """Return partition → records not yet committed, for our partitions.

        May be some seconds old. Raises BusUnavailable.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Leave the group without committing. May be called twice."""


class Member(NamedTuple):
    """One member of a consumer group.

    :ivar id: as the log names it
    :ivar host: from which it is connected
    :ivar partitions: those that are its own now
    """

    id: str
    host: str
    partitions: Sequence[int]


class Group(NamedTuple):
    """A consumer group as it is now.

    :ivar members: none where nobody consumes
    :ivar lag: partition → records not yet committed; of a group that never
        committed anything there all that are kept
    """

    name: str
    members: Sequence[Member]
    lag: Mapping[int, int]


class Tail(abc.ABC):
    """What is published to a topic, for one who only watches.

    It belongs to no group, shares with nobody, commits nothing, and holds
    nothing back: what the log lets go of before it was read is a gap. Used
    from one thread only.

    :ivar spans: partition → (offset at which reading began, offset behind
        the newest record at that time); empty until the first poll that
        reached the log
    :ivar gaps: times that records were gone before they were read
    """

    spans: Mapping[int, tuple[int, int]] = {}
    gaps: int = 0

    @abc.abstractmethod
    def poll(self, limit: int, timeout: float) -> Sequence[Delivery]:
        """Return up to ``limit`` records, waiting at most ``timeout`` seconds.

        Within a partition records come in order, each once. Raises
        BusUnavailable; a later call goes on where this one could not.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Release the connection. May be called twice."""


class Bus(abc.ABC):
    """A connection to the log. Safe to use from several threads."""

    @abc.abstractmethod
    def publish(self, topic: str, records: Sequence[Record]) -> None:
        """Return once every record survives a restart of the log.

        Raises BusUnavailable within the driver's ``publish_timeout``; then
        none, some or all of the records may have been published, so the
        caller repeats them all. Raises Rejected for a record larger than the
        log accepts, publishing none.
        """

    @abc.abstractmethod
    def subscribe(self, topic: str, group: str,
                  watcher: Watcher | None = None) -> Subscription:
        """Join ``group`` on ``topic``; a new group starts at the oldest one.

        Returns at once, also while the log is down; ``poll`` tells.
        """

    @abc.abstractmethod
    def tail(self, topic: str, backlog: int) -> Tail:
        """Watch ``topic`` from so many records before its end.

        :param backlog: of each partition, where there are as many

        Returns at once, also while the log is down; ``poll`` tells.
        """

    @abc.abstractmethod
    def groups(self, topic: str, names: Sequence[str]) -> Sequence[Group]:
        """Return how consumer groups of a topic stand, for operators.

        Groups that there are not have no members. Raises BusUnavailable.
        """

    @abc.abstractmethod
    def health(self) -> Health:
        """Return quickly what is known of the log; never raise."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release connections and threads. May be called twice."""


def get_bus(conf) -> Bus:
    """Return the bus that ``[bus] driver`` names.

    The driver gets its own option group and nothing else. Raises
    Misconfigured when there is no such driver or it lacks something.
    """
    return plugins.driver(NAMESPACE, conf, "bus")
