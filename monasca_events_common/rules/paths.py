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

"""Paths: where in an event a value stands, written as ``traits.size``.

Used by ``group_by``, ``field`` and transforms. Segments are joined by dots;
a dot within a key is written ``\\.``, for payloads of nova have keys such as
``nova_object.data``. A path goes through arrays: every element is looked at.
"""

from collections.abc import Iterator, Mapping
import re

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.allowance import Allowance

#: Segments that a path may have; the payload is at most 20 levels deep.
MAX_SEGMENTS = 21

#: Characters of a path.
MAX_LENGTH = 512

#: Fields that hold flat values by name.
FLAT = frozenset(("traits", "dimensions"))

_DOT = re.compile(r"(?<!\\)\.")

Scalar = str | int | float | bool


class Path:
    """One path, parsed.

    :ivar text: as it was written
    :ivar segments: the keys from the root
    """

    __slots__ = ("text", "segments")

    def __init__(self, text: str, where: str = "path") -> None:
        """:param text: such as ``resource_id`` or ``traits.memory_mb``
        :param where: of the definition, for the error
        :raises Rejected: it is no path into a canonical event
        """
        if type(text) is not str or not 0 < len(text) <= MAX_LENGTH:
            raise Rejected(
                f"{where} is {str(text)[:80]!r}; expected a path such as "
                f"resource_id or traits.size, of at most {MAX_LENGTH} "
                "characters", code="invalid_path", where=where)
        segments = tuple(one.replace("\\.", ".") for one in _DOT.split(text))
        if segments[0] in FLAT and len(segments) > 2:
            # These are flat, and their names may have dots.
            segments = (segments[0], ".".join(segments[1:]))
        if segments[0] not in events.FIELDS or "" in segments \
                or len(segments) > MAX_SEGMENTS:
            raise Rejected(
                f"{where} is {text!r}; expected a field of the event "
                f"({', '.join(events.FIELDS)}) and, below traits, "
                "dimensions, payload or marks, keys joined by dots",
                code="invalid_path", where=where)
        if len(segments) > 1 and segments[0] in events.STRING_FIELDS:
            raise Rejected(
                f"{where} is {text!r}, but {segments[0]} holds a string and "
                "nothing below it", code="invalid_path", where=where)
        self.text = text
        self.segments = segments

    def __repr__(self) -> str:
        return f"Path({self.text!r})"

    def __eq__(self, other) -> bool:
        return isinstance(other, Path) and self.segments == other.segments

    def __hash__(self) -> int:
        return hash(self.segments)

    def first(self, event: Mapping) -> Scalar | None:
        """Return the first scalar that stands there, or None."""
        value = event
        for segment in self.segments:
            if type(value) is not dict:
                return next(leaves(event, self.segments), None)
            value = value.get(segment)
        if type(value) in (dict, list):
            return next(leaves(event, self.segments), None)
        return value


def leaves(value, segments: tuple[str, ...]) -> Iterator[Scalar]:
    """Yield every scalar at the path, going through arrays; no nulls."""
    for place, segment in enumerate(segments):
        if type(value) is list:
            for element in value:
                yield from leaves(element, segments[place:])
            return
        if type(value) is not dict:
            return
        value = value.get(segment)
    yield from _scalars(value)


def _scalars(value) -> Iterator[Scalar]:
    if type(value) is list:
        for element in value:
            yield from _scalars(element)
    elif value is not None and type(value) is not dict:
        yield value


def holders(event: Mapping, path: Path, allowance: Allowance
             ) -> Iterator[tuple[dict, str]]:
    """Yield the objects that hold the last key of a path, and that key.

    :raises Failed: there are more elements of arrays on the way than allowed
    """
    return _below(event, path.segments, allowance)


def _below(value, segments: tuple[str, ...], allowance: Allowance
           ) -> Iterator[tuple[dict, str]]:
    if type(value) is list:
        for one in value:
            allowance.step()
            yield from _below(one, segments, allowance)
    elif type(value) is dict and segments[0] in value:
        if len(segments) == 1:
            yield value, segments[0]
        else:
            yield from _below(value[segments[0]], segments[1:], allowance)
