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


"""Rejections: what a stage's handler refuses goes to the dead letters.

Unless it refuses nearly everything: then the breaker trips, and the stage
stands still until somebody has looked.
"""

from collections.abc import Iterable, Sequence
import datetime
import logging

from monasca_events_common.breaker import Breaker
from monasca_events_common.bus import Delivery
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Unavailable
from monasca_events_common.event import format_time
from monasca_events_common.handler import Rejected

LOG = logging.getLogger(__name__)


class Rejections:
    """Those of one stage.

    :ivar is_tripped: whether the stage is to stand still
    """

    def __init__(self, stage: str, topic: str, dead_letters: DeadLetters
                 ) -> None:
        self.is_tripped = False
        self._stage = stage
        self._topic = topic
        self._dead = dead_letters
        self._breaker = Breaker()

    def check(self, deliveries: Sequence[Delivery], partitions: Iterable[int],
              rejected: Sequence[Rejected]) -> None:
        """Return once what was rejected of a batch is in the dead letters.

        :param partitions: those of the batch
        :raises Unavailable: the breaker tripped, and none of them is there;
            or they cannot be kept now, and some may be there
        """
        if not rejected and self._breaker.is_calm():
            self._breaker.accept(partitions, len(deliveries))
            return
        bad = {one.position for one in rejected}
        reason = self._breaker.check(
            [(one.partition, number in bad)
             for number, one in enumerate(deliveries)])
        if reason:
            self._dead.trip(self._stage, reason, _now())
            self.is_tripped = True
            LOG.error("%s stands still: %s; see monasca-events-dead-letters "
                      "resume --help", self._stage, reason)
            raise Unavailable(reason, code="breaker_tripped")
        if rejected:
            self._dead.put([self._letter(deliveries[one.position], one)
                            for one in rejected], _now())

    def _letter(self, delivery: Delivery, one: Rejected) -> DeadLetter:
        return DeadLetter(
            stage=self._stage, code=one.code, reason=one.reason,
            error=one.error, raw=delivery.value,
            project_id=delivery.key.decode(errors="replace")[:64] or None,
            position=f"{self._topic}/{delivery.partition}/{delivery.offset}",
            headers={name: value.decode("latin-1") for name, value in
                     delivery.headers.items() if name != "index"})

    def resume(self) -> None:
        """Stand still for as long as the breaker's row is there."""
        try:
            self.is_tripped = self._dead.tripped(self._stage) is not None
        except Unavailable as error:
            LOG.warning("%s: %s", self._stage, error)
            return
        if not self.is_tripped:
            self._breaker.reset()


def _now() -> str:
    return format_time(datetime.datetime.now(datetime.timezone.utc))
