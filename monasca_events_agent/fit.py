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


"""Makes an oversized payload fit: fewer keys, shorter strings, fewer parts.

Called by the normaliser for the rare event that exceeds a limit. The same
payload always loses the same parts, so that a repeated notification becomes
the same event, and every loss is named in the list of truncated paths.
"""

import orjson

from monasca_events_agent.walk import label

#: Shortest length to which strings are cut before whole parts are left out.
SHORTEST = 64

# What a cut string ends with.
_CUT = "…"


def fit_keys(payload: dict, limit: int, truncated: list[str]) -> None:
    """Leave ``limit`` keys, those nearest to the root, in their order.

    Ids stand near the root, so an event remains findable however much hangs
    below. A container that loses keys is named; what loses all of them
    becomes null.
    """
    room = limit
    level: list[tuple[list, object]] = [([], payload)]
    while level:
        below: list[tuple[list, object]] = []
        for path, container in level:
            if type(container) is dict:
                if len(container) > room:
                    truncated.append(label(path))
                    for key in list(container)[room:]:
                        del container[key]
                room -= len(container)
                places = container.items()
            else:
                places = enumerate(container)
            for place, value in list(places):
                if type(value) is dict and value and room <= 0:
                    container[place] = None
                    truncated.append(label([*path, place]))
                elif type(value) is dict or type(value) is list:
                    below.append(([*path, place], value))
        level = below


def fit_bytes(payload: dict, limit: int, truncated: list[str]) -> bytes:
    """Cut the payload to ``limit`` encoded bytes and return them.

    First the longest strings are halved, again and again; then the largest
    parts at the root go.
    """
    encoded = orjson.dumps(payload)
    length = _longest(payload)
    cut: set[str] = set()
    while len(encoded) > limit and length > SHORTEST:
        length = max(length // 2, SHORTEST)
        _shorten(payload, length, [], cut)
        encoded = orjson.dumps(payload)
    truncated.extend(sorted(cut))
    if len(encoded) > limit:
        sizes = {key: len(orjson.dumps(value)) + len(key.encode())
                 for key, value in payload.items()}
        excess = len(encoded) - limit
        for key in sorted(sizes, key=lambda key: (-sizes[key], key)):
            if excess <= 0:
                break
            del payload[key]
            truncated.append(label([key]))
            excess -= sizes[key]
        encoded = orjson.dumps(payload)
    return encoded


def _longest(value) -> int:
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is dict:
        return max(map(_longest, value.values()), default=0)
    if kind is list:
        return max(map(_longest, value), default=0)
    return 0


def _shorten(container, length: int, path: list, cut: set[str]) -> None:
    places = list(container.items() if type(container) is dict
                  else enumerate(container))
    for place, value in places:
        kind = type(value)
        if kind is str:
            if len(value) > length:
                container[place] = value[:length - 1] + _CUT
                cut.add(label([*path, place]))
        elif kind is dict or kind is list:
            _shorten(value, length, [*path, place], cut)
