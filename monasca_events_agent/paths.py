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


"""Paths into a payload, compiled once to functions.

The grammar is small on purpose: names parted by dots; a number takes an item
of a list; ``*`` takes the first item that has what follows; a name with a dot
of its own is quoted (``"binding:x.y".z``); a last ``/`` takes what follows the
text's last slash; ``{0}``, ``{1}`` … stand for parts of the event type.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import re
from typing import NamedTuple

#: Takes a payload, returns what is there, or None.
Getter = Callable[[Mapping], object]


class Place(NamedTuple):
    """A path, compiled.

    :ivar names: its parts, unquoted
    :ivar get: follows it
    """

    names: tuple[str, ...]
    get: Getter


_SEGMENT = re.compile(r'"([^"]+)"|([^."]+)')
_PATH = re.compile(r'(?:"[^"]+"|[^."]+)(?:\.(?:"[^"]+"|[^."]+))*\Z')
_PART = re.compile(r"\{(\d)\}")


def check(path: str) -> bool:
    """Return whether the text is a path."""
    return type(path) is str and _PATH.match(path) is not None


def expand(text: str, parts: Sequence[str]) -> str | None:
    """Return the text with ``{n}`` replaced; None where a part is missing."""
    if "{" not in text:
        return text
    try:
        return _PART.sub(lambda match: parts[int(match[1])], text)
    except IndexError:
        return None


def segments(path: str) -> list[str]:
    """Return the names of a path, unquoted."""
    return [quoted or plain for quoted, plain in _SEGMENT.findall(path)]


def compile_path(path: str) -> Place:
    """Return the place that the path leads to."""
    names = tuple(segments(path))
    return Place(names, _getter(names))


def _getter(names: tuple[str, ...]) -> Getter:
    if not any(name in "*/" or name.isdecimal() for name in names):
        if len(names) == 1:
            return _one(names[0])
        if len(names) == 2:
            return _two(*names)
    if len(names) == 3 and names[1] == "*" \
            and not any(name in "*/" or name.isdecimal()
                        for name in names[::2]):
        return _first(names[0], names[2])
    return _many(names)


def _one(name: str) -> Getter:
    def get(payload):
        return payload.get(name)
    return get


def _two(outer: str, inner: str) -> Getter:
    def get(payload):
        below = payload.get(outer)
        return below.get(inner) if type(below) is dict else None
    return get


def _first(outer: str, inner: str) -> Getter:
    """Return what follows ``outer.*.inner``."""
    follow = _many(("*", inner))

    def get(payload):
        items = payload.get(outer)
        if type(items) is list and items and type(items[0]) is dict:
            found = items[0].get(inner)
            if found is not None:
                return found
        return follow(items)
    return get


def _many(names: tuple[str, ...]) -> Getter:
    name, rest = names[0], names[1:]
    further = _many(rest) if rest else None
    place = int(name) if name.isdecimal() else None

    def get(value):
        kind = type(value)
        if kind is dict:
            value = value.get(name)
        elif name == "/":
            return value.rsplit("/", 1)[-1] if kind is str else None
        elif kind is not list:
            return None
        elif name == "*":
            for item in value:
                found = item if further is None else further(item)
                if found is not None:
                    return found
            return None
        elif place is not None and place < len(value):
            value = value[place]
        else:
            return None
        return value if further is None or value is None else further(value)
    return get


def remove(payload: dict, path: Sequence[str]) -> None:
    """Take the place at the path out of the payload, where it is."""
    value = payload
    for name in path[:-1]:
        value = value.get(name) if type(value) is dict else None
    if type(value) is dict:
        value.pop(path[-1], None)
