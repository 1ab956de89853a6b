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


"""Bench of the normaliser: notifications a second of one core, in CPU time.

The peer is Ceilometer's own converter from notifications to events, given the
same notifications in the same run. Both get batches of a hundred, decoded
just before, as an agent has them; decoding does not count. Rounds of ours and
of the peer's alternate and the best of each counts, for the machine is
shared; every round has new notifications, so that nothing but what a cloud
repeats is remembered from the one before.

``ratio`` is ours with everything that the agent does to a notification
(redacting, cleaning, bounding, traits, tenant) to the peer with the
definitions that it ships, which only makes traits: fewer than ours, and five
at most of what it has no definition for, nova's versioned notifications for
example, a quarter of these. ``ratio_same_traits`` is to the peer with
definitions for all traits that ours makes. ``captured`` are real
notifications where there are some, the same ones in every round. Run as
``python -m tests.bench.bench_normalise``.
"""

import argparse
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import itertools
import json
import pathlib
import subprocess
import sys
import time

import orjson

from monasca_events_agent.definitions import Definitions
from monasca_events_agent.normalise import Normaliser
from monasca_events_agent.wire import read
from tests.bench import ceilometer_converter as peer
from tests.bench.notifications import generated
from tests.bench.notifications import NOW

CAPTURED = (pathlib.Path(__file__).parents[3]
            / "shared/data/notifications/wire-captured.jsonl")

#: Exit status where the peer cannot be had.
MISSING = 3

#: Notifications that are decoded together.
BATCH = 100

Batches = Sequence[Sequence[dict]]
Rounds = Sequence[Batches]


def ours(rounds: Rounds) -> float:
    """Return our rate in the best of the rounds."""
    normalise = Normaliser(Definitions.load(), "0" * 32).normalise
    best = 0.0
    for batches in rounds:
        spent, count = 0.0, 0
        for batch in map(orjson.dumps, batches):
            notifications = orjson.loads(batch)
            count += len(notifications)
            start = time.process_time()
            for notification in notifications:
                normalise(notification, NOW)
            spent += time.process_time() - start
        best = max(best, count / spent)
    return best


def definitions_of(notifications: Sequence[dict], events: Sequence[dict]
                   ) -> list[dict]:
    """Return definitions with which the peer makes our traits of these."""
    known = Definitions.load()
    found: dict[str, tuple[dict, set]] = {}
    for notification, event in zip(notifications, events, strict=True):
        _example, names = found.setdefault(
            event["event_type"], (notification, set()))
        names.update(event["traits"])
    return [peer.definition(event_type, example["payload"], {
        name: (convert.__name__, [place.names for place in places])
        for name, convert, places in known.choose(
            event_type, read(example).wrapper is not None).traits
        if name in names}) for event_type, (example, names) in found.items()]


def alternate(rounds: Rounds, times: int,
              *contenders: Callable[[Rounds], float]) -> list[float]:
    """Return the best rate of each, which have turns."""
    best = [0.0] * len(contenders)
    for _time in range(times):
        for number, contender in enumerate(contenders):
            best[number] = max(best[number], contender(rounds))
    return best


def samples(short: bool) -> Iterator[tuple[str, Rounds]]:
    """Yield names and rounds of notifications."""
    count, number = (400, 2) if short else (2000, 5)
    yield "", [_batches(generated(count, seed)) for seed in range(number)]
    if CAPTURED.exists():
        with CAPTURED.open() as lines:
            captured = [json.loads(line) for line in lines]
        yield "_captured", [_batches(captured)] * number


def _batches(notifications: Sequence[dict]) -> Batches:
    return [notifications[start:start + BATCH]
            for start in range(0, len(notifications), BATCH)]


def measure(name: str, rounds: Rounds, times: int) -> dict:
    """Return what is said of one sample."""
    notifications = list(itertools.chain(*rounds[-1]))
    normalise = Normaliser(Definitions.load(), "0" * 32).normalise
    events = [normalise(one, NOW) for one in notifications]
    shipped = peer.convert(rounds[-1:])
    same = definitions_of(notifications, events)
    rate, theirs, with_same = alternate(
        rounds, times, ours,
        lambda rounds: peer.convert(rounds)["rate"],
        lambda rounds: peer.convert(rounds[:2], same)["rate"])
    return {
        f"count{name}": len(notifications),
        f"bytes{name}": round(sum(len(orjson.dumps(found))
                                  for found in notifications)
                              / len(notifications)),
        f"rate{name}": round(rate),
        f"traits{name}": round(sum(len(event["traits"]) for event in events)
                               / len(events), 1),
        f"peer_rate{name}": round(theirs),
        f"peer_traits{name}": round(shipped["traits"], 1),
        f"peer_failed{name}": shipped["failed"],
        f"ratio{name}": round(rate / theirs, 1),
        f"peer_rate_same_traits{name}": round(with_same),
        f"ratio_same_traits{name}": round(rate / with_same, 1)}


def main() -> int:
    parser = argparse.ArgumentParser("bench_normalise")
    parser.add_argument("--short", action="store_true",
                        help="a few seconds, to see that it works")
    short = parser.parse_args().short
    try:
        peer.python()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"ceilometer cannot be installed: {error}", file=sys.stderr)
        return MISSING
    answer: dict = {"bench": "normalise", "unit": "notifications/CPU-second",
                    "peer": "ceilometer converter"}
    for name, rounds in samples(short):
        answer |= measure(name, rounds, 1 if short else 3)
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
