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


"""What a network does to a stream: repetition, disorder; and padding."""

from collections.abc import Iterable, Iterator
import dataclasses
import heapq
import itertools
import random

import orjson

from monasca_events_agent.traffic.notification import Notification

# A repetition comes at most so many notifications later.
_LATER = 50

_SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru",
              "sa", "te", "vi", "zo")


def repeated(notifications: Iterable[Notification], share: float,
             seed: int) -> Iterator[Notification]:
    """Yield some of the notifications again, soon and unchanged."""
    dice = random.Random(f"{seed}/repeated")
    waiting: list[tuple[int, int, Notification]] = []
    order = itertools.count()
    for place, notification in enumerate(notifications):
        yield notification
        copy = 1
        while dice.random() < share and copy < 5:
            copy += 1
            heapq.heappush(waiting, (
                place + dice.randrange(_LATER), next(order),
                dataclasses.replace(notification, copy=copy)))
        while waiting and waiting[0][0] <= place:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def shuffled(notifications: Iterable[Notification], window: int,
             seed: int) -> Iterator[Notification]:
    """Yield the notifications in random order within a moving window."""
    dice = random.Random(f"{seed}/shuffled")
    held: list[Notification] = []
    for notification in notifications:
        held.append(notification)
        if len(held) >= window:
            place = dice.randrange(len(held))
            held[place], held[-1] = held[-1], held[place]
            yield held.pop()
    dice.shuffle(held)
    yield from held


def padded(notifications: Iterable[Notification],
           size: int) -> Iterator[Notification]:
    """Yield the notifications with words added until they have ``size`` bytes.

    The size is that of the inner message's JSON without blanks; what is
    larger stays as it is.
    """
    dice = random.Random("words")
    text = " ".join("".join(dice.choices(_SYLLABLES, k=dice.randrange(2, 5)))
                    for _ in range(max(20000, size // 2)))
    # What the key itself costs: ,"notes":""
    key = 11
    for notification in notifications:
        lacking = size - len(orjson.dumps(notification.message())) - key
        if lacking <= 0:
            yield notification
            continue
        place = hash_of(notification.message_id) % (len(text) - lacking)
        yield dataclasses.replace(notification, payload={
            **notification.payload, "notes": text[place:place + lacking]})


def hash_of(message_id: str) -> int:
    """Return a number that the id decides, the same in every process."""
    return int(message_id[:8], 16)
