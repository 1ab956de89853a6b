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


"""The stream of notifications of a cloud, as pure values.

Many lifecycles run side by side; a heap decides who speaks next. Each has
dice of its own, made from the seed and its number, so that the same seed
gives the same notifications, ids included, and silencing a service leaves the
ids of the others as they were. Nothing here sends, reads a file or looks at
a clock of its own.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import datetime
import heapq
import itertools
import random

from monasca_events_agent.traffic import canaries
from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic import disturbance
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Temper
from monasca_events_agent.traffic.notification import Notification
from monasca_events_agent.traffic.services import SCENARIOS
from monasca_events_agent.traffic.services import SERVICES

EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)

# Lifecycles that are open at once, unless the time that they take decides.
_MOST_OPEN = 200
# Lifecycles, and notifications, played beforehand to learn how long one is.
_SAMPLE = 120


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What the stream is like.

    :ivar count: notifications, not counting repetitions; None for no end
    :ivar start: the first one's time
    :ivar span: seconds over which ``count`` notifications are spread with
        lifelike durations, or None: then they come evenly at ``pace``
    :ivar pace: notifications a second of the stream's own time
    :ivar services: who speaks
    :ivar nova_format: unversioned, versioned or both
    :ivar errors: share of operations that fail
    :ivar missing_ends: share of operations whose end is never heard
    :ivar duplicates: share of notifications that come again, same id
    :ivar shuffle: notifications among which the order is random; 0 keeps it
    :ivar canaries: plant secrets, see ``canaries``
    :ivar event_bytes: smallest size of a notification's JSON, or None
    """

    count: int | None = None
    start: datetime.datetime = EPOCH
    span: float | None = None
    pace: float = 1000.0
    services: Sequence[str] = SERVICES
    nova_format: str = "unversioned"
    errors: float = 0.03
    missing_ends: float = 0.0
    duplicates: float = 0.0
    shuffle: int = 0
    canaries: bool = False
    event_bytes: int | None = None


def stream(seed: int, tenants: int | Sequence[str],
           options: Options = Options(),  # noqa: B008
           clock: Callable[[], datetime.datetime] | None = None
           ) -> Iterator[Notification]:
    """Return the notifications of a seed, in the order in which to send them.

    :param tenants: how many tenants, or their project ids
    :param clock: says what time it is when each is made; None for the
        stream's own time, which ``options`` define
    """
    found = _spoken(seed, clouds.build(seed, tenants), options, clock)
    if options.canaries:
        found = canaries.planted(found)
    if options.event_bytes:
        found = disturbance.padded(found, options.event_bytes)
    if options.duplicates:
        found = disturbance.repeated(found, options.duplicates, seed)
    if options.shuffle > 1:
        found = disturbance.shuffled(found, options.shuffle, seed)
    return found


def _spoken(seed, cloud, options, clock) -> Iterator[Notification]:
    begin = _beginner(seed, cloud, options)
    gap, tempo = _arrivals(begin, options)
    dice = random.Random(f"{seed}/arrivals")
    numbers = itertools.count()
    # (when, number of the life, life, scenario); the number breaks ties.
    heap: list = []
    arrival = 0.0
    spoken = 0
    while True:
        while not heap or arrival <= heap[0][0]:
            number = next(numbers)
            heapq.heappush(heap, (arrival, number,
                                  *begin(number, options.start)))
            # Even but for some jitter, so that the total is near the plan.
            arrival = gap * (number + 1 + dice.random())
        when, number, life, scenario = heap[0]
        life.now = _now(options, clock, when, spoken)
        step = next(scenario, None)
        if step is None:
            heapq.heappop(heap)
            continue
        heapq.heapreplace(heap, (when + step[1] * tempo, number, life,
                                 scenario))
        for notification in step[0]:
            yield notification
            spoken += 1
            if spoken == options.count:
                return


def _now(options, clock, when, spoken) -> datetime.datetime:
    if clock is not None:
        return clock()
    if options.span is not None:
        seconds = min(when, options.span)
    else:
        seconds = spoken / options.pace
    return options.start + datetime.timedelta(seconds=seconds)


def _beginner(seed, cloud, options):
    """Return what begins the lifecycle of a number."""
    temper = Temper(options.errors, options.missing_ends,
                    frozenset(options.services), options.nova_format)
    weights = [kind.weight for kind in SCENARIOS]

    def begin(number, now):
        draw = random.Random(f"{seed}/{number}")
        kind, = draw.choices(SCENARIOS, weights)
        life = Life(number, draw, cloud, temper, now)
        if kind.service not in temper.services:
            # Chosen all the same, lest silence change the others' lives.
            return life, iter(())
        return life, kind.play(life)

    return begin


def _arrivals(begin, options) -> tuple[float, float]:
    """Return seconds between lifecycles, and a factor for all their waits."""
    lives = spoken = 0
    seconds = 0.0
    while lives < _SAMPLE or spoken < _SAMPLE:
        lives += 1
        life, scenario = begin(-lives, options.start)
        for step in scenario:
            spoken += len(step[0])
            seconds += step[1]
            life.now += datetime.timedelta(seconds=step[1])
    each, lasts = spoken / lives, seconds / lives
    if options.span is not None and options.count:
        # A lifecycle must be short against the span, or few would be whole.
        return (options.span * each / options.count,
                min(1.0, options.span / (20 * lasts)))
    few = max(4, (options.count or 10 ** 9) // 60)
    return lasts / min(_MOST_OPEN, few), 1.0
