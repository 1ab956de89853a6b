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

"""Chains: the steps that mostly follow one another in a request.

For each type of event those are looked for that come after it in most of the
requests in which it comes, and among these a longest line in which each one
mostly follows the one before. What only fits in as part of a longer chain is
left out, and so are pairs, which are spans.
"""

import collections
from collections.abc import Callable, Iterator, Mapping, Sequence
import dataclasses

from monasca_events_engine.learning.requests import Request
from monasca_events_engine.learning.samples import Durations

#: Steps that a trigger's sequence may have.
MAX_STEPS = 16

#: Event types that a chain's trigger names as ends without success.
MAX_UNLESS = 20

_LEAST = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """Steps that follow one another.

    :ivar by: the field that their events have in common
    :ivar steps: event types
    :ivar unless: event types that came only where steps were missing
    :ivar is_strict: whether no step ever came before its turn
    :ivar begun: requests in which the first step came
    :ivar durations: from the first step to the last one, where all came
    """

    by: str
    steps: tuple[str, ...]
    unless: tuple[str, ...]
    is_strict: bool
    begun: int
    durations: Durations


#: Types → the place of each in the order of time; equal times are one place.
_Order = Mapping[str, int]


def chains(requests: Sequence[Request], share: float, least: int,
           told: Callable[[int, int], None]) -> Iterator[Chain]:
    """Yield the chains of requests that have the same field in common.

    :param share: of the requests in which a step comes, the part in which
        the next one follows
    :param least: requests in which a chain must have begun
    :param told: is told how many types of events were looked at, of how many
    """
    counts = collections.Counter(_order(one) for one in requests)
    orders = [(dict(order), count) for order, count in counts.items()]
    begun: dict[str, list[tuple[_Order, int]]] = {}
    for order, count in orders:
        for name in order:
            begun.setdefault(name, []).append((order, count))
    totals = {name: sum(count for _, count in found)
              for name, found in begun.items()}
    made: dict[str, tuple[str, ...]] = {}
    for done, (name, total) in enumerate(totals.items(), 1):
        if total >= least:
            made[name] = _line(name, begun[name], share * total)
        told(done, len(totals))
    for name, steps in made.items():
        if len(steps) >= _LEAST and not _is_part(name, made, totals, share):
            if len(steps) > MAX_STEPS:
                # The last one is what everybody waits for.
                steps = (*steps[:MAX_STEPS - 1], steps[-1])
            yield _measured(steps, requests, totals[name])
            told(len(totals), len(totals))


def _order(request: Request) -> tuple[tuple[str, int], ...]:
    """Return (type, place) of each, in the order of time and name."""
    found = []
    place, last = -1, None
    for at, name in sorted(zip(request.times, request.types, strict=True)):
        place += at != last
        last = at
        found.append((name, place))
    return tuple(found)


def _line(first: str, begun: Sequence[tuple[_Order, int]], least: float
          ) -> tuple[str, ...]:
    """Return the chain that begins with a type of event.

    :param begun: the orders in which it comes, and how many requests each is
    :param least: requests in which one must follow the other
    """
    after: collections.Counter = collections.Counter()
    ranks: collections.Counter = collections.Counter()
    for order, count in begun:
        for name, place in order.items():
            if place > order[first]:
                after[name] += count
                ranks[name] += count * (place - order[first])
    often = sorted((name for name, count in after.items() if count >= least),
                   key=lambda name: (ranks[name] / after[name], name))
    steps = [first]
    for name in often:
        # Those in which all steps up to this one follow one another.
        kept = [(order, count) for order, count in begun
                if order.get(name, -1) > order[steps[-1]]]
        if sum(count for _, count in kept) >= least:
            steps.append(name)
            begun = kept
    return tuple(steps)


def _is_line(order: _Order, steps: Sequence[str]) -> bool:
    places = [order.get(name) for name in steps]
    return None not in places and all(
        before < after for before, after
        in zip(places, places[1:], strict=False))


def _is_part(first: str, made: Mapping[str, Sequence[str]],
             totals: Mapping[str, int], share: float) -> bool:
    """Return whether another chain says all that this one does."""
    steps = set(made[first])
    return any(first in other and name != first and steps.issubset(other)
               and totals[first] * share <= totals[name]
               for name, other in made.items())


def _measured(steps: tuple[str, ...], requests: Sequence[Request],
              begun: int) -> Chain:
    durations = Durations()
    whole: set[str] = set()
    broken: collections.Counter = collections.Counter()
    is_strict = True
    for one in requests:
        if steps[0] not in one.types:
            continue
        times = dict(zip(one.types, one.times, strict=True))
        if _is_line(times, steps):
            durations.add(one.flavors[one.types.index(steps[0])],
                          round(times[steps[-1]] - times[steps[0]], 6))
            whole.update(one.types)
            continue
        is_strict = is_strict and _is_line(
            times, [name for name in steps if name in times])
        broken.update(name for name, at in times.items()
                      if at > times[steps[0]])
    unless = [name for name, _ in broken.most_common()
              if name not in whole][:MAX_UNLESS]
    return Chain(requests[0].by, steps, tuple(sorted(unless)), is_strict,
                 begun, durations)
