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

"""The guard: keeps a stage of the agent from burying nearly everything.

The kernel's breaker counts; this remembers what it said in the database of
the dead letters, where an operator says go on. Used by the pipeline and the
poster; both hold for as long as it raises.
"""

import logging
import threading

from monasca_events_common.breaker import Breaker
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)


class Guard:
    """One stage's breaker. Safe to use from several threads."""

    def __init__(self, stage: str, dead_letters: DeadLetters) -> None:
        self._stage = stage
        self._dead = dead_letters
        self._lock = threading.Lock()
        self._breaker = Breaker()
        self._reason: str | None = None
        # Until the database was asked, a trip of an earlier process may hold.
        self._closed = True
        self._stood = False

    def count(self, total: int, rejected: int) -> None:
        """Count a batch's outcomes, once, before any of it is buried."""
        with self._lock:
            self._reason = self._breaker.check(
                [(0, number < rejected) for number in range(total)]
            ) or self._reason

    def check(self, now: str) -> None:
        """Raise Unavailable while the stage must stand still.

        :param now: canonical timestamp
        """
        if not self._closed and self._reason is None:
            return
        with self._lock:
            if self._reason is not None:
                self._dead.trip(self._stage, self._reason, now)
                LOG.error("%s stands still: %s; see "
                          "monasca-events-dead-letters resume --help",
                          self._stage, self._reason)
                self._reason, self._closed = None, True
            standing = self._dead.tripped(self._stage)
            if standing:
                self._stood = True
                raise Unavailable(standing, code="breaker_tripped",
                                  retry_after=1.0)
            if self._stood:
                # An operator said go on: what was counted is settled.
                self._breaker.reset()
            self._stood = self._closed = False
