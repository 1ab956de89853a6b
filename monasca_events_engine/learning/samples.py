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

"""Samples: durations by flavour, and the percentiles of them."""

import array
from collections.abc import Iterator
import math
import random

#: Durations that are kept one by one; of more a random choice is.
MAX_SAMPLES = 100_000

#: Flavours of one operation that are told apart.
MAX_FLAVORS = 100


class Samples:
    """Durations in seconds.

    Of more than MAX_SAMPLES a reservoir is kept, each having had the same
    chance to be in it (Vitter, "Random Sampling with a Reservoir", 1985,
    algorithm R). The dice are seeded: the same history gives the same answer.

    :ivar count: how many there were
    """

    __slots__ = ("count", "_kept", "_dice")

    def __init__(self) -> None:
        self.count = 0
        self._kept = array.array("d")
        self._dice: random.Random | None = None

    def add(self, seconds: float) -> None:
        """Take note of one more."""
        self.count += 1
        if len(self._kept) < MAX_SAMPLES:
            self._kept.append(seconds)
            return
        if self._dice is None:
            self._dice = random.Random(1)  # noqa: S311 - no secret
        place = self._dice.randrange(self.count)
        if place < MAX_SAMPLES:
            self._kept[place] = seconds

    def percentile(self, percent: float) -> float:
        """Return the smallest sample that so many percent do not exceed.

        It is the nearest rank, so it is a duration that occurred.

        :param percent: above 0, up to 100
        :raises IndexError: there are no samples
        """
        # Of 1000 samples 99.9 % are 999, whatever binary fractions say.
        rank = math.ceil(round(percent * len(self._kept) / 100, 9))
        return sorted(self._kept)[max(1, rank) - 1]


class Durations:
    """How long one operation took.

    :ivar total: all of its durations
    :ivar flavors: flavour → durations; those without any are only in total
    """

    __slots__ = ("total", "flavors")

    def __init__(self) -> None:
        self.total = Samples()
        self.flavors: dict[str, Samples] = {}

    def add(self, flavor: str | None, seconds: float) -> None:
        """Take note of one more."""
        self.total.add(seconds)
        if flavor is None:
            return
        found = self.flavors.get(flavor)
        if found is None:
            if len(self.flavors) >= MAX_FLAVORS:
                return
            found = self.flavors[flavor] = Samples()
        found.add(seconds)

    def limits(self) -> Iterator[str]:
        """Yield a sentence for each limit that was reached."""
        if self.total.count > MAX_SAMPLES:
            yield (f"of {self.total.count} durations {MAX_SAMPLES} were "
                   "chosen at random")
        if len(self.flavors) >= MAX_FLAVORS:
            yield f"no more than {MAX_FLAVORS} flavours were told apart"
