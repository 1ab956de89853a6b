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
the event as it was. All of them apply to an event or none does: where one
fails, the event is kept as it was, which its marks tell, but for what any of
them might have hidden. So a tenant's mistake neither loses an event nor shows
what was not to be seen.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses

import orjson

from monasca_events_common import event as events
from monasca_events_common.bus import Record
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import operations
from monasca_events_common.rules.allowance import Allowance
from monasca_events_common.rules.allowance import Failed
from monasca_events_common.rules.leaf import Exhausted
from monasca_events_common.rules.pattern import Pattern

#: Place of a transform that names none; lower ones come first.
POSITION = 100

#: Events that all transforms together may make of one.
MAX_EVENTS = 1000

#: Bytes of a definition as compact JSON.
MAX_BYTES = 64 * 1024

#: Characters of its name that an event's marks show.
MAX_NAME = 64

# Event types whose answer is remembered; tenants make them up.
_MAX_TYPES = 1000

# An event as large as the API takes by the operator's word must pass here
# too, with a little more. What transforms do not change was inside of the
# API's limits.
_LIMITS = events.Limits()
_MORE = 2 ** 14
_NONE = events.Limits(event_bytes=2 ** 62, depth=2 ** 62, keys=2 ** 62)

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
    size = len(orjson.dumps(content))
    if size > MAX_BYTES:
        raise Rejected(f"transform has {size} bytes; expected at most "
                       f"{MAX_BYTES}", code="invalid_definition",
                       where="transform")


class Transform:
    """One transform, compiled.

    :ivar name: as its project calls it
    :ivar operations: in their order
    """

    __slots__ = ("name", "position", "pattern", "operations", "_mark")

    def __init__(self, content: Mapping, revision: int | None = None) -> None:
        """:param content: a checked definition
        :param revision: of the definition, None of a draft
        :raises Rejected: a pattern or a path is wrong
        """
        self.name = content["name"]
        self.position = content.get("position", POSITION)
        self.pattern = Pattern(content["pattern"], "transform.pattern")
        self.operations = [
            operations.parse(one, f"transform.operations[{at}]")
            for at, one in enumerate(content["operations"])]
        self._mark = self.name[:MAX_NAME] + (
            "" if revision is None else f"@{revision}")

    @property
    def cost(self) -> int:
        """Tenths of a microsecond that one event may take, about."""
        return self.pattern.cost + sum(one.cost for one in self.operations)

    def wants(self, event: Mapping) -> bool:
        """Return whether it is to change an event. Raises Failed."""
        try:
            return self.pattern.decide(event)
        except Exhausted:
            raise Failed("the event has too long an array for the pattern"
                         ) from None

    def steps(self, event: dict, allowance: Allowance
              ) -> Iterator[list[dict]]:
        """Yield what there is of an event after each operation.

        The last is what becomes of it: itself, several events, none.

        :param event: one that it wants; changed, and changed again while
            this goes on
        :raises Failed: there is no sensible outcome
        """
        found = [event]
        for number, operation in enumerate(self.operations, 1):
            found = [made for one in found
                     for made in operation.apply(one, allowance)]
            if len(found) > MAX_EVENTS:
                raise Failed(f"it makes more than {MAX_EVENTS} events")
            if number == len(self.operations):
                for one in found:
                    one["marks"].setdefault("transformed", []).append(
                        self._mark)
            yield found


class Broken:
    """An enabled definition that cannot be compiled: of another release, or
    changed by hand.

    :ivar name, reason: what, and what is wrong with it
    """

    def __init__(self, content: Mapping, reason: str) -> None:
        self.name = str(content.get("name"))[:MAX_NAME]
        self.reason = reason
        try:
            self._pattern = Pattern(content.get("pattern"))
        except Rejected:
            self._pattern = None

    def error(self) -> Rejected:
        """Return what is said where nothing goes on without it."""
        return Rejected(f"the transform {self.name!r} cannot be applied: "
                        f"{self.reason}", code="transform_broken")

    def accepts_type(self, event_type: str) -> bool:
        """Return whether it might have wanted an event of this type."""
        return self._pattern is None or self._pattern.accepts_type(event_type)


class Transforms:
    """The transforms of one project, in their order.

    :ivar broken: what would have been among them
    """

    def __init__(self, several: Sequence[Transform],
                 broken: Sequence[Broken] = ()) -> None:
        """:param several: by creation, oldest first"""
        self._several = sorted(several, key=lambda one: one.position)
        self.broken = tuple(broken)
        #: Event type → what ``wants`` says; asked for each event there is.
        self._wanted: dict[str, bool] = {}
        self._retypes = any(operation.retypes for one in self._several
                            for operation in one.operations)

    def __iter__(self) -> Iterator[Transform]:
        """Yield them, the first first."""
        return iter(self._several)

    def wants(self, event_type: str) -> bool:
        """Return whether an event of this type need be decoded at all."""
        found = self._wanted.get(event_type)
        if found is None:
            if len(self._wanted) >= _MAX_TYPES:
                self._wanted.clear()
            found = self._wanted[event_type] = any(
                one.pattern.accepts_type(event_type)
                for one in self._several) or any(
                one.accepts_type(event_type) for one in self.broken)
        return found

    def apply(self, event: Mapping) -> list[dict]:
        """Return what is to be stored of an event; [] drops it.

        :param event: complete and canonical; stays as it is
        :raises Rejected: nobody can say what of it may be stored
        """
        for one in self.broken:
            if one.accepts_type(event["event_type"]):
                raise one.error()
        allowance = Allowance()
        found: list[dict] = [event]
        for transform in self._several:
            made = []
            try:
                for one in found:
                    if transform.wants(one):
                        if one is event:
                            one = _copy(event)
                        *_, last = transform.steps(one, allowance)
                        made.extend(last)
                    else:
                        made.append(one)
                if len(made) > MAX_EVENTS:
                    raise Failed(f"there are more than {MAX_EVENTS} events")
            except Failed as error:
                return [self.spare(event, transform.name, str(error))]
            found = made
        return found

    def records(self, event: Mapping, size: int
                ) -> list[tuple[dict, Record]] | None:
        """Return the same, each event with its bytes; None leaves it as it is.

        An event that would outgrow the limits of one is spared too.

        :param size: of the event, in bytes
        :raises Rejected: nobody can say what of it may be stored
        """
        made = self.apply(event)
        if len(made) == 1 and made[0] is event:
            return None
        limits = dataclasses.replace(_LIMITS, event_bytes=max(
            _LIMITS.event_bytes, size + _MORE))
        try:
            return [(one, events.record(one, limits)) for one in made]
        except Rejected as error:
            spared = self.spare(event, "*", str(error))
            return [(spared, events.record(spared, _NONE))]

    def spare(self, event: Mapping, name: str, reason: str) -> dict:
        """Return what is stored of an event that cannot be transformed.

        :param name: of the transform that failed
        :param reason: why, without any value of the event
        """
        spared = _copy(event)
        spared["marks"]["transform_failed"] = {
            name[:MAX_NAME]: reason[:200]}
        concerned = [
            operation for one in self._several
            # Where a type may be changed any of them may have its turn.
            if self._retypes or one.pattern.accepts_type(event["event_type"])
            for operation in one.operations]
        if any(one.hides for one in concerned):
            operations.withhold(spared, concerned)
            spared["marks"]["withheld"] = True
        return spared


def _copy(event: Mapping) -> dict:
    """Return a deep copy of an event, five times as fast as copy's."""
    return orjson.loads(orjson.dumps(event))


def compile_all(contents: Iterable[tuple[Mapping, int | None]]
                ) -> Transforms:
    """Return the enabled ones among definitions.

    :param contents: (content, revision) by creation, oldest first
    """
    found, broken = [], []
    for content, revision in contents:
        if not content.get("enabled", True):
            continue
        try:
            found.append(Transform(content, revision))
        except (Rejected, LookupError, TypeError, ValueError,
                AttributeError) as error:
            broken.append(Broken(content, str(error)))
    return Transforms(found, broken)
