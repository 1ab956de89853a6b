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


"""The handler: what a consumer does with the records of the stream loop.

The persister, the engine and whoever else reads the bus implement it; the
loop of :mod:`monasca_events_common.stream` drives it.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
import dataclasses

from monasca_events_common.bus import Delivery


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A record of the batch that can never be handled.

    :ivar position: its place in the batch
    """

    position: int
    code: str
    reason: str
    error: str = "Rejected"


class Handler(abc.ABC):
    """What a consumer does with records."""

    @abc.abstractmethod
    def handle(self, batch: Sequence[Delivery]) -> Sequence[Rejected]:
        """Return once every record is durable or named in the answer.

        Raise Unavailable when that cannot be said of one of them: the same
        batch comes again after a while, in this process or another, perhaps
        cut differently, so that handling must be idempotent. Called from
        several threads when more than one batch may be in flight.
        """

    #: Seconds between two calls of ``tick``, about.
    tick_every: float = 1.0

    def tick(self, now: float, ends: Callable[
            [], Mapping[int, tuple[int, int]]]) -> None:
        """Called every so often from the loop's thread; may be Unavailable.

        :param now: of the loop's clock
        :param ends: the subscription's; asks the log
        """

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """These partitions are ours; return where to go on, if it is known.

        Called from the loop's thread before any of their records is handed
        over. A handler that keeps positions of its own returns partition →
        next offset; others go on where the group's commit is. Raise
        Unavailable to be asked again after a while.
        """
        return {}

    def positions(self, handled: Mapping[int, int]) -> Mapping[int, int]:
        """Return what may be committed for the group now.

        :param handled: next offsets after a batch that is finished; empty
            when asked after a ``tick``. A handler that still has something
            of the batch in hand returns less.
        """
        return handled

    def revoked(self, partitions: Sequence[int]) -> None:
        """These partitions go to another member; forget their state."""
