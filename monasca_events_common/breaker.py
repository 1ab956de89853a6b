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

"""The breaker: stops a stage that rejects nearly everything.

A bad deploy or a bug of ours makes every event look like poison. Without a
limit the dead letters would swallow the stream. The limits are those of
Sentry's arroyo (``DlqLimit``): a share of the recent records, and a run of
consecutive ones in a partition. No I/O, no clock.
"""

import collections
from collections.abc import Iterable, Sequence
import itertools

#: Records over which the share is taken.
WINDOW = 1000
#: The share of rejected records in the window that trips.
RATIO = 0.5
#: Rejected records in a row, in one partition, that trip.
CONSECUTIVE = 1000


class Breaker:
    """Counts outcomes; says when it is too bad to go on."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was counted; called when an operator says go on."""
        self._recent: collections.deque[bool] = collections.deque(
            maxlen=WINDOW)
        self._bad = 0
        self._row: dict[int, int] = {}

    def is_calm(self) -> bool:
        """Return whether no record of the window was rejected."""
        return not self._bad

    def accept(self, partitions: Iterable[int], count: int) -> None:
        """Count a batch without a rejected record, while all is calm.

        The same as ``check`` for each of its records, at once.
        """
        self._recent.extend(itertools.repeat(False, min(count, WINDOW)))
        self._row.update(dict.fromkeys(partitions, 0))

    def check(self, outcomes: Sequence[tuple[int, bool]]) -> str | None:
        """Count a batch; return a sentence when the stage must stop.

        :param outcomes: (partition, rejected) of each record, in order
        """
        for partition, rejected in outcomes:
            if len(self._recent) == WINDOW:
                self._bad -= self._recent[0]
            self._recent.append(rejected)
            self._bad += rejected
            self._row[partition] = (self._row.get(partition, 0) + 1
                                    if rejected else 0)
            if self._row[partition] >= CONSECUTIVE:
                return (f"{CONSECUTIVE} records in a row were rejected in "
                        f"partition {partition}")
            if len(self._recent) == WINDOW and self._bad > RATIO * WINDOW:
                return (f"{self._bad} of the last {WINDOW} records were "
                        "rejected")
        return None
