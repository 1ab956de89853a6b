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

"""The operations of a transform: keep, drop, rename, set, mask, split.

Each is parsed once and then changes events in place. Ids, times, the project
and the marks are not theirs to change: an event stays the event that it was.
"""

from collections.abc import Callable, Iterable, Mapping
import dataclasses
import math

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.allowance import Allowance
from monasca_events_common.rules.allowance import Failed
from monasca_events_common.rules.paths import FLAT
from monasca_events_common.rules.paths import holders
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.sources import parse_source

#: What a masked value becomes; the same as the agent's redaction.
MASK = "***"

#: Events that one event may be split into.
MAX_SPLIT = 200

#: Paths that one operation may name.
MAX_PATHS = 50

#: Fields that an operation may change; below the last three by path.
CHANGEABLE = frozenset((
    "event_type", "publisher_id", "priority", "resource_type", "resource_id",
    "user_id", "domain_id", "request_id", "global_request_id", "traits",
    "dimensions", "payload"))

#: Of these there is always a value.
_NEEDED = frozenset(("event_type",))

#: Fields that hold objects, and always one.
_OBJECTS = (*sorted(FLAT), "payload")

# Tenths of a microsecond, about: of a path, and of an operation that goes over
# the whole event.
_PATH, _WHOLE = 8, 30


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One operation, parsed.

    :ivar apply: changes an event in place; returns several where it was
        split, none where it was dropped. Raises Failed where it has no
        sensible outcome; the event may be changed by half then.
    :ivar cost: about how many tenths of a microsecond it takes
    :ivar names: where something is that it takes away, moves or overwrites
    :ivar hides: whether it has something not be kept
    :ivar is_drop: it drops events
    """

    apply: Callable[[dict, Allowance], list[dict]]
    cost: int
    names: tuple[Path, ...] = ()
    hides: bool = False
    is_drop: bool = False

    @property
    def retypes(self) -> bool:
        """Whether another event type may come of it."""
        return any(path.text == "event_type" for path in self.names)


def parse(content: Mapping, where: str) -> Operation:
    """Return the operation of ``{"mask": ["payload.password"]}`` and such.

    :raises Rejected: it is none; ``where`` is its path in the definition
    """
    (name, operand), = content.items()
    return _PARSERS[name](operand, f"{where}.{name}")


def _path(text, where: str, is_needed: bool = True) -> Path:
    path = Path(text, where)
    root = path.segments[0]
    if root not in CHANGEABLE:
        raise Rejected(
            f"{where} is {text!r}; a transform may change "
            f"{', '.join(sorted(CHANGEABLE))}", code="invalid_transform",
            where=where)
    if is_needed and len(path.segments) == 1 and root in (
            "traits", "dimensions", "payload"):
        raise Rejected(f"{where} is {text!r}; expected something below it",
                       code="invalid_transform", where=where)
    return path


def _removable(text, where: str) -> Path:
    path = _path(text, where, is_needed=False)
    if path.segments[0] in _NEEDED:
        raise Rejected(f"{where} is {text!r}, which an event cannot be "
                       "without", code="invalid_transform", where=where)
    return path


def _drop(operand, where: str) -> Operation:
    if operand is True:
        return Operation(lambda event, allowance: [], 1, hides=True,
                         is_drop=True)
    paths = [_removable(text, f"{where}[{at}]")
             for at, text in enumerate(operand)]

    def drop(event: dict, allowance: Allowance) -> list[dict]:
        for path in paths:
            for holder, key in list(holders(event, path, allowance)):
                _remove(holder, key, holder is event)
        return [event]
    return Operation(drop, _PATH * len(paths), tuple(paths), hides=True)


def _remove(holder: dict, key: str, is_field: bool) -> None:
    """Take a key away; the event's own fields are always there."""
    if not is_field:
        del holder[key]
    else:
        holder[key] = {} if key in _OBJECTS else None


def _keep(operand, where: str) -> Operation:
    paths = [Path(text, f"{where}[{at}]") for at, text in enumerate(operand)]
    for at, path in enumerate(paths):
        if path.segments[0] not in _OBJECTS:
            raise Rejected(
                f"{where}[{at}] is {path.text!r}; what is not named is left "
                "out of traits, dimensions and payload only: expected a path "
                "of one of them", code="invalid_transform",
                where=f"{where}[{at}]")

    def keep(event: dict, allowance: Allowance) -> list[dict]:
        for root in _OBJECTS:
            wanted = [path.segments[1:] for path in paths
                      if path.segments[0] == root]
            event[root] = _only(event[root], wanted, allowance) or {}
        return [event]
    return Operation(keep, _WHOLE + _PATH * len(paths), hides=True)


def _only(value, wanted: list[tuple[str, ...]], allowance: Allowance):
    """Return what of a value stands at the paths, in the same places."""
    if () in wanted:
        return value
    if type(value) is list:
        allowance.step(len(value))
        return [_only(one, wanted, allowance) for one in value]
    if type(value) is not dict:
        return None
    kept = {}
    for key in dict.fromkeys(path[0] for path in wanted):
        if key in value:
            kept[key] = _only(value[key], [path[1:] for path in wanted
                                           if path[0] == key], allowance)
    return kept


def _rename(operand, where: str) -> Operation:
    pairs = [(_removable(old, f"{where}.{old}"), _path(new, f"{where}.{old}"))
             for old, new in operand.items()]

    def rename(event: dict, allowance: Allowance) -> list[dict]:
        for old, new in pairs:
            found = list(holders(event, old, allowance))
            if len(found) > 1:
                raise Failed(f"{old.text} stands in several places")
            for holder, key in found:
                value = holder[key]
                _remove(holder, key, holder is event)
                if value is not None:
                    _put(event, new, value)
        return [event]
    return Operation(rename, 2 * _PATH * len(pairs),
                     tuple(path for pair in pairs for path in pair))


def _set(operand, where: str) -> Operation:
    pairs = [(_path(text, f"{where}.{text}"),
              parse_source(value, f"{where}.{text}"))
             for text, value in operand.items()]

    def set_(event: dict, allowance: Allowance) -> list[dict]:
        # All are read before any is written.
        values = [source.value(event, allowance) for _, source in pairs]
        for (path, _), value in zip(pairs, values, strict=True):
            if value is not None:
                _put(event, path, value)
        return [event]
    return Operation(set_, sum(_PATH + source.cost for _, source in pairs),
                     tuple(path for path, _ in pairs))


def _mask(operand, where: str) -> Operation:
    paths = [_path(text, f"{where}[{at}]") for at, text in enumerate(operand)]

    def mask(event: dict, allowance: Allowance) -> list[dict]:
        for path in paths:
            _cover(event, path, allowance)
        return [event]
    return Operation(mask, _PATH * len(paths), tuple(paths), hides=True)


def _cover(event: dict, path: Path, allowance: Allowance) -> None:
    for holder, key in holders(event, path, allowance):
        if holder[key] is not None:
            holder[key] = MASK


def withhold(event: dict, several: Iterable[Operation]) -> None:
    """Take from an event whatever some operations might have taken from it.

    For an event to which they cannot be applied in their order. More goes
    than need go: all that they name is masked, wherever it was to be moved,
    and only what each ``keep`` names stays.
    """
    allowance = Allowance()
    several = list(several)
    try:
        if any(one.is_drop for one in several):
            raise Failed("nothing of it was to be kept")
        for one in several:
            if one.hides and not one.names:
                one.apply(event, allowance)
            for path in one.names:
                if path.text in _OBJECTS:
                    event[path.text] = {}
                elif path.segments[0] not in _NEEDED:
                    _cover(event, path, allowance)
    except Failed:
        event.update({root: {} for root in _OBJECTS})


def _split(operand, where: str) -> Operation:
    path = _path(operand, where)
    if path.segments[0] != "payload":
        raise Rejected(f"{where} is {operand!r}; expected the path of an "
                       "array in the payload", code="invalid_transform",
                       where=where)

    def split(event: dict, allowance: Allowance) -> list[dict]:
        found = list(holders(event, path, allowance))
        if len(found) != 1 or type(found[0][0][found[0][1]]) is not list:
            return [event]
        holder, key = found[0]
        elements = holder[key]
        if len(elements) > MAX_SPLIT:
            raise Failed(f"{path.text} has {len(elements)} elements, it may "
                         f"be split into {MAX_SPLIT}")
        parts = []
        for number, element in enumerate(elements):
            holder[key] = element
            part = allowance.copy(event)
            part["event_id"] = events.event_id(
                event["project_id"], f"{event['event_id']}/{number}")
            parts.append(part)
        return parts or [event]
    return Operation(split, _WHOLE + _PATH)


def _put(event: dict, path: Path, value) -> None:
    """Set a value; make the objects on the way."""
    root = path.segments[0]
    if type(value) is float and not math.isfinite(value):
        raise Failed(f"{path.text} would be no number that JSON can say")
    if root in events.STRING_FIELDS or root == "dimensions":
        if type(value) in (dict, list):
            raise Failed(f"{path.text} would hold no string")
        value = str(value).lower() if type(value) is bool else str(value)
        if len(value) > events.MAX_STRING or not value:
            raise Failed(f"{path.text} would have {len(value)} characters")
        if root == "event_type" and not (value.isprintable()
                                         and value.strip()):
            raise Failed("event_type would have characters that cannot be "
                         "printed")
    elif root == "traits":
        try:
            events.check_traits({path.segments[-1]: value})
        except Rejected as error:
            raise Failed(str(error)) from None
    holder = event
    for segment in path.segments[:-1]:
        below = holder.get(segment)
        if type(below) is not dict:
            if below is not None:
                raise Failed(f"{path.text} goes through a value that is no "
                             "object")
            below = holder[segment] = {}
        holder = below
    holder[path.segments[-1]] = value


_PARSERS = {"drop": _drop, "keep": _keep, "rename": _rename, "set": _set,
            "mask": _mask, "split": _split}

_PATHS = {"type": "array", "minItems": 1, "maxItems": MAX_PATHS,
          "items": {"type": "string", "minLength": 1, "maxLength": 512}}

#: The JSON Schema of one operation: an object with one of these keys.
SCHEMA = {
    "type": "object", "minProperties": 1, "maxProperties": 1,
    "additionalProperties": False, "properties": {
        "drop": {"anyOf": [{"const": True}, _PATHS],
                 "description": "true, or an array of paths"},
        "keep": _PATHS, "mask": _PATHS,
        "rename": {"type": "object", "minProperties": 1,
                   "maxProperties": MAX_PATHS, "additionalProperties": {
                       "type": "string", "minLength": 1, "maxLength": 512}},
        "set": {"type": "object", "minProperties": 1,
                "maxProperties": MAX_PATHS},
        "split": {"type": "string", "minLength": 1, "maxLength": 512}}}
