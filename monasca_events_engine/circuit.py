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

"""The circuit breaker of one target: stops trying what fails again and again.

Closed, it lets all through. After some failures in a row it opens, and
nothing is tried for a while; then it is half open: one try decides. Pure; the
time is an argument, of a clock that never goes back.
"""

CLOSED = "closed"
OPEN = "open"
HALF_OPEN = "half_open"


class Circuit:
    """Counts failures in a row.

    :ivar until: the time until which it is open
    """

    __slots__ = ("_conf", "_failures", "until")

    def __init__(self, conf) -> None:
        """:param conf: a group with ``breaker_failures`` and
            ``breaker_seconds``
        """
        self._conf = conf
        self._failures = 0
        self.until = 0.0

    def state(self, now: float) -> str:
        """Return CLOSED, OPEN or HALF_OPEN."""
        if self._failures < self._conf.breaker_failures:
            return CLOSED
        return OPEN if now < self.until else HALF_OPEN

    @property
    def is_calm(self) -> bool:
        """Whether there is nothing to remember of it."""
        return not self._failures

    def succeeded(self) -> None:
        """Take note of a try that worked."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """Take note of one that did not."""
        self._failures += 1
        if self._failures >= self._conf.breaker_failures:
            self.until = now + self._conf.breaker_seconds
