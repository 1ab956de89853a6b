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

"""How long to wait before the next try, and when to say so.

Used where the agent holds: the pipeline before a full spool, the poster
before an API that is down, the AMQP source before a broker that is. No I/O;
clock and chance are arguments.
"""

from collections.abc import Callable
import random
import time

#: Seconds between two log lines about the same trouble.
LOG_EVERY = 60.0


class Backoff:
    """Full jitter: each delay is drawn below a ceiling that doubles."""

    def __init__(self, base: float, ceiling: float, *,
                 rng: random.Random | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """
        :param base: seconds of the first ceiling
        :param ceiling: seconds of the last one
        """
        self.tries = 0
        self._base = base
        self._ceiling = ceiling
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._clock = clock
        self._logged: float | None = None

    def delay(self, at_least: float = 0.0) -> float:
        """Count a failed try; return the seconds to wait.

        :param at_least: what the other side asked for, or a floor
        """
        ceiling = min(self._ceiling, self._base * 2 ** min(self.tries, 20))
        self.tries += 1
        return at_least + self._rng.uniform(0, ceiling)

    def should_log(self) -> bool:
        """Return whether this failure deserves a line: the first does, and
        one a minute while it lasts."""
        now = self._clock()
        if self._logged is None or now - self._logged >= LOG_EVERY:
            self._logged = now
            return True
        return False

    def reset(self) -> bool:
        """Forget failures; return whether there were any."""
        failed, self.tries, self._logged = self.tries > 0, 0, None
        return failed
