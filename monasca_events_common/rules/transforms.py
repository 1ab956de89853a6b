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

"""Transforms: what a tenant wants changed in its events before they are kept.

The persister applies them, in their order, to what it stores; triggers see
the event as it was. An operation that fails leaves the event as it was before
that transform and is told in the marks: a tenant's mistake never loses an
event.
"""

from collections.abc import Mapping, Sequence
import copy

from monasca_events_common.errors import Rejected
from monasca_events_common.rules import operations
from monasca_events_common.rules.pattern import Pattern
from monasca_events_common.rules.projection import Failed

#: Place of a transform that names none; lower ones come first.
POSITION = 100

#: Events that all transforms together may make of one.
MAX_EVENTS = 1000

SCHEMA = {
    "type": "object", "additionalProperties": False,
    "required": ["name", "pattern", "operations"], "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": {"type": ["string", "null"], "maxLength": 2000},
        "enabled": {"type": "boolean"},
        "position": {"type": "integer", "minimum": 0, "maximum": 1000000},
        "pattern": {"type": "object", "minProperties": 1,
                    "description": "a pattern over the canonical event"},
        "operations": {"type": "array", "minItems": 1, "maxItems": 50,
                       "items": operations.SCHEMA}}}


def check(content) -> None:
    """Return when it has the shape of a transform's definition.

    :raises Rejected: with a sentence that says where and what was expected
    """
    # Only the API checks; the persister's hosts need no validator.
    from monasca_events_common.rules import schema
    schema.check(SCHEMA, content, "transform")


class Transform:
    """One transform, compiled.

    :ivar name: as its project calls it
    """

    __slots__ = ("name", "position", "pattern", "_operations")

    def __init__(self, content: Mapping) -> None:
        """:param content: a checked definition
        :raises Rejected: a pattern or a path is wrong
        """
        self.name = content["name"]
        self.position = content.get("position", POSITION)
        self.pattern = Pattern(content["pattern"], "transform.pattern")
        self._operations = [
            operations.parse(one, f"transform.operations[{at}]")
            for at, one in enumerate(content["operations"])]

    @property
    def cost(self) -> int:
        """Tenths of a microsecond that one event may take, about."""
        return self.pattern.cost + 10 * len(self._operations)

    def apply(self, event: dict) -> list[dict]:
        """Return what becomes of an event: itself, several, none.

        :param event: complete and canonical; may be changed
        """
        if not self.pattern.matches(event):
            return [event]
        before = copy.deepcopy(event)
        try:
            found = [event]
            for operation in self._operations:
                found = [made for one in found for made in operation(one)]
                if len(found) > MAX_EVENTS:
                    raise Failed(f"it makes more than {MAX_EVENTS} events")
        except Failed as error:
            before["marks"].setdefault("transform_failed", {})[
                self.name[:64]] = str(error)[:200]
            return [before]
        for one in found:
            one["marks"].setdefault("transformed", []).append(self.name[:64])
        return found


class Transforms:
    """The transforms of one project, in their order."""

    def __init__(self, several: Sequence[Transform]) -> None:
        """:param several: by creation, oldest first"""
        self._several = sorted(several, key=lambda one: one.position)

    def wants(self, event_type: str) -> bool:
        """Return whether an event of this type need be decoded at all."""
        return any(one.pattern.accepts_type(event_type)
                   for one in self._several)

    def apply(self, event: dict) -> list[dict]:
        """Return what is to be stored of an event; [] drops it."""
        found = [event]
        for transform in self._several:
            found = [made for one in found for made in transform.apply(one)]
            if not found:
                break
        return found


def compile_all(contents: Sequence[Mapping]) -> tuple[Transforms, list[str]]:
    """Return the enabled ones among definitions, and what is wrong with any.

    :param contents: by creation, oldest first
    """
    found, wrong = [], []
    for content in contents:
        if not content.get("enabled", True):
            continue
        try:
            found.append(Transform(content))
        except (Rejected, LookupError, TypeError, ValueError) as error:
            wrong.append(f"{content.get('name')!r}: {error}")
    return Transforms(found), wrong
