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

from collections.abc import Callable, Iterator, Mapping
import copy

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.paths import FLAT
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.projection import Failed
from monasca_events_common.rules.projection import Projection

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

#: Changes an event in place; returns several where it was split, none where
#: it was dropped. Raises Failed where it has no sensible outcome.
Operation = Callable[[dict], list[dict]]


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
        return lambda event: []
    paths = [_removable(text, f"{where}[{at}]")
             for at, text in enumerate(operand)]

    def drop(event: dict) -> list[dict]:
        for path in paths:
            if len(path.segments) == 1:
                root = path.text
                event[root] = {} if root in (*FLAT, "payload") else None
                continue
            for holder, key in list(_holders(event, path.segments)):
                del holder[key]
        return [event]
    return drop


def _keep(operand, where: str) -> Operation:
    paths = [Path(text, f"{where}[{at}]") for at, text in enumerate(operand)]
    for at, path in enumerate(paths):
        if path.segments[0] not in (*FLAT, "payload"):
            raise Rejected(
                f"{where}[{at}] is {path.text!r}; what is not named is left "
                "out of traits, dimensions and payload only: expected a path "
                "of one of them", code="invalid_transform",
                where=f"{where}[{at}]")

    def keep(event: dict) -> list[dict]:
        for root in (*FLAT, "payload"):
            wanted = [path.segments[1:] for path in paths
                      if path.segments[0] == root]
            event[root] = _only(event[root], wanted) or {}
        return [event]
    return keep


def _only(value, wanted: list[tuple[str, ...]]):
    """Return what of a value stands at the paths, in the same places."""
    if () in wanted:
        return value
    if type(value) is list:
        return [_only(one, wanted) for one in value]
    if type(value) is not dict:
        return None
    kept = {}
    for key in dict.fromkeys(path[0] for path in wanted):
        if key in value:
            kept[key] = _only(value[key], [path[1:] for path in wanted
                                           if path[0] == key])
    return kept


def _rename(operand, where: str) -> Operation:
    pairs = [(_removable(old, f"{where}.{old}"), _path(new, f"{where}.{old}"))
             for old, new in operand.items()]

    def rename(event: dict) -> list[dict]:
        for old, new in pairs:
            found = list(_holders(event, old.segments))
            if len(found) > 1:
                raise Failed(f"{old.text} stands in several places")
            for holder, key in found:
                value = holder[key]
                if len(old.segments) == 1:
                    holder[key] = None
                else:
                    del holder[key]
                if value is not None:
                    _put(event, new, value)
        return [event]
    return rename


def _set(operand, where: str) -> Operation:
    pairs = [(_path(text, f"{where}.{text}"),
              _source(value, f"{where}.{text}"))
             for text, value in operand.items()]

    def set_(event: dict) -> list[dict]:
        # All are read before any is written.
        values = [source(event) for _, source in pairs]
        for (path, _), value in zip(pairs, values, strict=True):
            if value is not None:
                _put(event, path, value)
        return [event]
    return set_


def _source(value, where: str) -> Callable[[Mapping], object]:
    """Return what gives a value: a constant, a path or a projection."""
    if isinstance(value, dict):
        if set(value) == {"path"}:
            return Path(value["path"], f"{where}.path").first
        if set(value) == {"jmespath"}:
            projection = Projection(value["jmespath"], f"{where}.jmespath")
            return lambda event: copy.deepcopy(projection.value(event))
        raise Rejected(f'{where} is an object; expected {{"path": PATH}}, '
                       '{"jmespath": EXPRESSION} or a plain value',
                       code="invalid_transform", where=where)
    if isinstance(value, list) or value is None or events.trait_type(
            value) is None:
        raise Rejected(f"{where} is {str(value)[:80]}; expected a string, a "
                       "number, true or false",
                       code="invalid_transform", where=where)
    return lambda event: value


def _mask(operand, where: str) -> Operation:
    paths = [_path(text, f"{where}[{at}]") for at, text in enumerate(operand)]

    def mask(event: dict) -> list[dict]:
        for path in paths:
            for holder, key in _holders(event, path.segments):
                if holder[key] is not None:
                    holder[key] = MASK
        return [event]
    return mask


def _split(operand, where: str) -> Operation:
    path = _path(operand, where)
    if path.segments[0] != "payload":
        raise Rejected(f"{where} is {operand!r}; expected the path of an "
                       "array in the payload", code="invalid_transform",
                       where=where)

    def split(event: dict) -> list[dict]:
        found = list(_holders(event, path.segments))
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
            part = copy.deepcopy(event)
            part["event_id"] = events.event_id(
                event["project_id"], f"{event['event_id']}/{number}")
            parts.append(part)
        holder[key] = elements
        return parts or [event]
    return split


def _holders(value, segments: tuple[str, ...]
             ) -> Iterator[tuple[dict, str]]:
    """Yield the objects that hold the last key of a path, and that key."""
    if type(value) is list:
        for one in value:
            yield from _holders(one, segments)
    elif type(value) is dict and segments[0] in value:
        if len(segments) == 1:
            yield value, segments[0]
        else:
            yield from _holders(value[segments[0]], segments[1:])


def _put(event: dict, path: Path, value) -> None:
    """Set a value; make the objects on the way."""
    root = path.segments[0]
    if root in events.STRING_FIELDS or root == "dimensions":
        if type(value) in (dict, list):
            raise Failed(f"{path.text} would hold no string")
        value = str(value).lower() if type(value) is bool else str(value)
        if len(value) > events.MAX_STRING or not value:
            raise Failed(f"{path.text} would have {len(value)} characters")
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
