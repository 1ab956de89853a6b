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

"""Patterns as a form has them: event types and rows of conditions.

What people fill in becomes a pattern of the rule language, and a pattern
becomes what they would have filled in, if a form can say it. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import re
from typing import Any

#: Operators of a condition, in the order in which a form offers them.
OPERATORS = ("is", "not", "begins", "ends", "contains", "ignoring-case",
             "above", "at-least", "below", "at-most", "network", "exists",
             "missing")

#: Operators that compare numbers, and how the rule language writes them.
NUMERIC: Mapping[str, str] = {
    "above": ">", "at-least": ">=", "below": "<", "at-most": "<="}

#: Operators that take no value, and what they are in the rule language.
_BARE: Mapping[str, bool] = {"exists": True, "missing": False}

_PLAIN: Mapping[str, str] = {
    "begins": "prefix", "ends": "suffix", "network": "cidr",
    "ignoring-case": "equals-ignore-case"}

#: What begins the paths whose values may be numbers and truths.
_TYPED = ("traits.", "payload.", "marks.")

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z")
_DOT = re.compile(r"(?<!\\)\.")


class Unclear(ValueError):
    """What was filled in makes no pattern; the sentence is for who did.

    :ivar row: number of the condition, from 0, or None
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class TooRich(ValueError):
    """A form cannot say this; JSON can."""


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One row: ``traits.memory_mb``, ``at-least``, ``2048``."""

    path: str
    operator: str
    value: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are meant.

    :ivar types: event types, of which one must fit; a star at the end of one
        stands for anything
    :ivar conditions: all of which must hold
    """

    types: Sequence[str] = ()
    conditions: Sequence[Condition] = ()

    def __bool__(self) -> bool:
        return bool(self.types or self.conditions)


def write(wanted: Wanted) -> dict[str, Any]:
    """Return the pattern.

    :raises Unclear: there is none
    """
    found: dict[str, Any] = {}
    if wanted.types:
        found["event_type"] = [_type(one) for one in wanted.types]
    leaves: dict[tuple[str, ...], list[Any]] = {}
    for row, one in enumerate(wanted.conditions):
        if not one.path:
            raise Unclear("the name of the field is missing", row)
        keys = tuple(key.replace("\\.", ".") for key in _DOT.split(one.path))
        if not all(keys):
            raise Unclear(f"{one.path!r} is not the name of a field", row)
        leaf = _leaf(one, row)
        there = leaves.get(keys)
        if there is not None:
            leaf = [_range(there, leaf, one.path, row)]
        elif keys == ("event_type",) and wanted.types:
            raise Unclear("the event type is said twice", row)
        leaves[keys] = leaf
    for keys, leaf in leaves.items():
        _put(found, keys, leaf)
    return found


def read(pattern: Mapping[str, Any]) -> Wanted:
    """Return what makes this pattern.

    :raises TooRich: nothing does
    """
    types: list[str] = []
    conditions: list[Condition] = []
    for keys, leaf in _leaves(pattern, ()):
        if keys == ("event_type",):
            types = [_type_text(one) for one in leaf]
        else:
            path = ".".join(key.replace(".", "\\.") for key in keys)
            conditions += _conditions(path, leaf)
    found = Wanted(tuple(types), tuple(conditions))
    try:
        if write(found) != pattern:
            raise TooRich("it is not what a form would have made of it")
    except Unclear as error:
        raise TooRich(str(error)) from error
    return found


def _type(text: str) -> Any:
    begin, star, rest = text.partition("*")
    if not star:
        return text
    if rest or not begin:
        return {"wildcard": text}
    return {"prefix": begin}


def _type_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("prefix"), str):
        return value["prefix"] + "*"
    if isinstance(value, Mapping) and isinstance(value.get("wildcard"), str):
        return value["wildcard"]
    raise TooRich("event_type")


def _leaf(condition: Condition, row: int) -> list[Any]:
    operator, text = condition.operator, condition.value.strip()
    if operator in _BARE:
        return [{"exists": _BARE[operator]}]
    if not text:
        raise Unclear("a value is missing", row)
    if operator in NUMERIC:
        return [{"numeric": [NUMERIC[operator], _number(text, row)]}]
    values = [one for one in (part.strip() for part in text.split(","))
              if one]
    if operator in ("is", "not"):
        typed = condition.path.startswith(_TYPED)
        given = [value for one in values for value in _literals(one, typed)]
        return given if operator == "is" else [{"anything-but": given}]
    if operator == "contains":
        return [{"wildcard": f"*{_quoted(text)}*"}]
    return [{_PLAIN[operator]: text}]


def _conditions(path: str, leaf: Sequence[Any]) -> Iterator[Condition]:
    if all(not isinstance(one, Mapping) for one in leaf):
        yield Condition(path, "is", _texts(leaf))
        return
    if len(leaf) != 1:
        raise TooRich(path)
    (operator, value), = leaf[0].items()
    if operator == "exists":
        yield Condition(path, "exists" if value else "missing")
    elif operator == "anything-but" and isinstance(value, list):
        yield Condition(path, "not", _texts(value))
    elif operator == "numeric":
        names = {sign: name for name, sign in NUMERIC.items()}
        for sign, number in zip(value[::2], value[1::2], strict=True):
            if sign not in names:
                raise TooRich(path)
            yield Condition(path, names[sign], f"{number}")
    elif operator == "wildcard" and isinstance(value, str):
        yield Condition(path, "contains", re.sub(r"\\(.)", r"\1",
                                                 value[1:-1]))
    else:
        names = {theirs: ours for ours, theirs in _PLAIN.items()}
        if operator not in names or not isinstance(value, str):
            raise TooRich(path)
        yield Condition(path, names[operator], value)


def _literals(text: str, typed: bool) -> list[Any]:
    """Return what a value may be: whether ``512`` is a number where it is
    looked for is not known here, so that both are wanted."""
    if typed and text in ("true", "false"):
        return [text, text == "true"]
    if typed and _INTEGER.match(text):
        return [text, int(text)]
    return [text]


def _texts(values: Iterable[Any]) -> str:
    """Return the text of which ``_literals`` makes these values, or nearly.
    """
    return ", ".join(one for one in values if isinstance(one, str))


def _number(text: str, row: int) -> int | float:
    try:
        return int(text) if _INTEGER.match(text) else _finite(text)
    except ValueError:
        raise Unclear(f"{text!r} is not a number", row) from None


def _finite(text: str) -> float:
    found = float(text)
    if found in (float("inf"), float("-inf")) or found != found:
        raise ValueError
    return found


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*")


def _range(first: list[Any], second: list[Any], path: str, row: int) -> Any:
    """Return two comparisons of one number as one."""
    both = [one[0]["numeric"] for one in (first, second)
            if len(one) == 1 and isinstance(one[0], Mapping)
            and len(one[0].get("numeric", ())) == 2]
    if len(both) == 2 and both[0][0][0] == ">" and both[1][0][0] == "<":
        return {"numeric": [*both[0], *both[1]]}
    if len(both) == 2 and both[0][0][0] == "<" and both[1][0][0] == ">":
        return {"numeric": [*both[1], *both[0]]}
    raise Unclear(
        f"{path} has two conditions; only a lower and an upper bound go "
        "together", row)


def _put(found: dict[str, Any], keys: Sequence[str], leaf: list[Any]) -> None:
    for key in keys[:-1]:
        found = found.setdefault(key, {})
        if not isinstance(found, dict):
            raise Unclear(f"{'.'.join(keys)} stands within another condition")
    if keys[-1] in found:
        raise Unclear(f"{'.'.join(keys)} stands around another condition")
    found[keys[-1]] = leaf


def _leaves(pattern: Mapping[str, Any], keys: tuple[str, ...]
            ) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    for key, value in pattern.items():
        if key == "$or":
            raise TooRich("$or")
        if isinstance(value, Mapping):
            yield from _leaves(value, (*keys, key))
        else:
            yield (*keys, key), value
