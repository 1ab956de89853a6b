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

"""Keeps requests from queueing up at a bus that is down.

Each publish to a bus that does not answer holds a thread until the driver
gives up. Were all threads held, a request would wait for many such times, and
reading would stop as well. So while the bus fails, one request at a time tries
it and the others are told to come again at once.
"""

from collections.abc import Sequence
import threading

from monasca_events_common.bus import Bus
from monasca_events_common.bus import Record
from monasca_events_common.errors import BusUnavailable


class Gate:
    """Publishes, unless another request is finding out that it is no use."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lock = threading.Lock()
        self._failing: BusUnavailable | None = None
        self._trying = False

    def publish(self, topic: str, records: Sequence[Record]) -> None:
        """Return and raise as the bus's own ``publish`` does."""
        is_trial = self._enter()
        try:
            self._bus.publish(topic, records)
        except BusUnavailable as error:
            self._leave(is_trial, error)
            raise
        except BaseException:
            # Rejected, or a bug: it says nothing of the bus.
            self._leave(is_trial, self._failing)
            raise
        self._leave(is_trial, None)

    def _enter(self) -> bool:
        """Return whether this request is the one that tries a failing bus."""
        with self._lock:
            if self._failing is None:
                return False
            if self._trying:
                raise BusUnavailable(
                    str(self._failing), code=self._failing.code,
                    retry_after=self._failing.retry_after)
            self._trying = True
            return True

    def _leave(self, is_trial: bool, failing: BusUnavailable | None) -> None:
        with self._lock:
            self._failing = failing
            if is_trial:
                self._trying = False
