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

"""The pattern: which events a rule wants.

A pattern is a JSON object of the shape of the event: keys are ANDed, the
values in a leaf's array are ORed, ``$or`` holds alternative patterns. It is
parsed and checked once, into closures; matching never parses. What is
accepted and what it costs is told in the reference page "Rules".
"""

from collections.abc import Callable, Mapping
import dataclasses

import orjson

from monasca_events_common import event as events
from monasca_events_common import metrics
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import operators
from monasca_events_common.rules.operators import is_number
from monasca_events_common.rules.operators import shown
from monasca_events_common.rules.operators import wrong

#: Bytes of a pattern as compact JSON.
MAX_BYTES = 16 * 1024

#: Nested keys of a pattern; one more than a payload's depth.
MAX_DEPTH = 21

#: Values in one leaf's array.
MAX_VALUES = 200

#: Operators in one leaf's array; plain values cost nothing each.
MAX_OPERATORS = 20

#: Alternatives that all ``$or`` together may stand for, multiplied out.
MAX_BRANCHES = 64

#: What one evaluation may spend on arrays, in elements compared with plain
#: values; an operator counts as its cost. An event may hold 100,000 numbers
#: in an array: beyond this a pattern does not match, and
#: ``monasca_events_limited{limit="pattern_elements"}`` counts it.
MAX_ELEMENTS = 5000

OR = "$or"

_MISSING = object()


class Exhausted(Exception):
    """The budget of one evaluation is used up."""


class Budget:
    """Elements of arrays that may still be looked at."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_ELEMENTS

    def renew(self) -> None:
        """Start again, for the next pattern."""
        self.left = MAX_ELEMENTS

    def spend(self, elements: int) -> None:
        """Take off that many; raise Exhausted when there are no more."""
        self.left -= elements
        if self.left < 0:
            raise Exhausted


@dataclasses.dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a pattern does not match an event.

    :ivar path: the first clause that does not hold
    :ivar expected: what it wants, in words
    :ivar found: what the event has there, shortened; None for nothing
    """

    path: str
    expected: str
    found: str | None

    def text(self) -> str:
        """Return a sentence."""
        found = "nothing" if self.found is None else self.found
        return f"{self.path} is {found}; expected {self.expected}"


class Leaf:
    """An array of alternatives for one value.

    :ivar strings: exact strings
    :ivar is_exact: it holds exact strings and numbers and nothing else
    """

    __slots__ = ("path", "strings", "numbers", "booleans", "is_null",
                 "exists", "tests", "is_exact", "cost", "holds")

    def __init__(self, path: tuple[str, ...], alternatives, where: str
                 ) -> None:
        if type(alternatives) is not list or not alternatives:
            raise wrong(where, shown(alternatives) if alternatives != []
                        else "an empty array", "an array of values, such as "
                        '["active"] or [{"prefix": "compute."}]')
        if len(alternatives) > MAX_VALUES:
            raise wrong(where, f"an array of {len(alternatives)}",
                        f"at most {MAX_VALUES} values")
        self.path = path
        strings, numbers, self.booleans = set(), set(), set()
        self.is_null = False
        self.exists: set[bool] = set()
        self.tests = []
        for at, one in enumerate(alternatives):
            place = f"{where}[{at}]"
            if type(one) is str:
                if len(one) > operators.MAX_STRING:
                    raise wrong(place, f"a string of {len(one)} characters",
                                f"at most {operators.MAX_STRING}")
                strings.add(one)
            elif type(one) is bool:
                self.booleans.add(one)
            elif one is None:
                self.is_null = True
            elif is_number(one):
                numbers.add(one)
            elif type(one) is dict and set(one) == {"exists"}:
                if type(one["exists"]) is not bool:
                    raise wrong(f"{place}.exists", shown(one["exists"]),
                                "true or false")
                self.exists.add(one["exists"])
            elif type(one) is dict:
                self.tests.append(operators.parse(one, place))
            else:
                raise wrong(place, shown(one), "a string, a number, true, "
                            "false, null, or an object with one of "
                            + ", ".join(operators.NAMES))
        if len(self.tests) > MAX_OPERATORS:
            raise wrong(where, f"an array with {len(self.tests)} operators",
                        f"at most {MAX_OPERATORS}")
        self.strings = frozenset(strings)
        self.numbers = frozenset(numbers)
        self.is_exact = not (self.booleans or self.is_null or self.exists
                             or self.tests)
        self.cost = 1 + len(path) + sum(one.cost for one in self.tests)
        self.holds = self._compile()

    def expected(self) -> str:
        """Return in words what it wants."""
        parts = [*map(repr, sorted(self.strings)[:10]),
                 *map(str, sorted(self.numbers)[:10]),
                 *(str(one).lower() for one in sorted(self.booleans)),
                 *["null"] * self.is_null,
                 *("any value" if one else "no value"
                   for one in sorted(self.exists)),
                 *(one.text for one in self.tests[:10])]
        more = len(self.strings) + len(self.numbers) + len(self.tests) \
            + len(self.booleans) + self.is_null + len(self.exists) \
            - len(parts)
        return " or ".join(parts) + (f" or one of {more} more" if more > 0
                                     else "")

    def _compile(self) -> Callable:
        """Return a function of (value, budget)."""
        strings, numbers, booleans = self.strings, self.numbers, self.booleans
        for_strings = tuple(one.holds for one in self.tests
                            if str in one.kinds)
        for_numbers = tuple(one.holds for one in self.tests
                            if int in one.kinds)
        for_booleans = tuple(one.holds for one in self.tests
                             if bool in one.kinds)
        is_null, exists = self.is_null, True in self.exists
        absent = False in self.exists
        weight = 1 + sum(one.cost for one in self.tests)

        def holds(value, budget: Budget) -> bool:
            kind = type(value)
            if kind is str:
                if value in strings or exists:
                    return True
                for test in for_strings:
                    if test(value):
                        return True
                return False
            if kind is int or kind is float:
                if value in numbers or exists:
                    return True
                for test in for_numbers:
                    if test(value):
                        return True
                return False
            if kind is bool:
                if value in booleans or exists:
                    return True
                for test in for_booleans:
                    if test(value):
                        return True
                return False
            if value is None:
                return is_null or absent
            if value is _MISSING:
                return absent
            if kind is dict:
                return exists if value else absent
            if not value:
                return absent
            budget.spend(len(value) * weight)
            for element in value:
                if element is not None and holds(element, budget):
                    return True
            return is_null and None in value
        return holds


class Group:
    """Clauses of one object, all of which must hold."""

    __slots__ = ("children", "alternatives", "holds")

    def __init__(self, children: dict, alternatives: list) -> None:
        """:param children: key → Leaf or Group
        :param alternatives: for each ``$or`` its list of groups
        """
        self.children = children
        self.alternatives = alternatives
        self.holds = self._compile()

    def _compile(self) -> Callable:
        """Return a function of (value, budget)."""
        children = tuple((key, one.holds)
                         for key, one in self.children.items())
        alternatives = tuple(tuple(group.holds for group in groups)
                             for groups in self.alternatives)

        def holds(value, budget: Budget) -> bool:
            if type(value) is list and value:
                # One element must satisfy all clauses, not each another.
                budget.spend(len(value))
                for element in value:
                    if type(element) in (dict, list) \
                            and holds(element, budget):
                        return True
                return False
            is_object = type(value) is dict
            for key, test in children:
                if not test(value.get(key, _MISSING) if is_object
                            else _MISSING, budget):
                    return False
            for groups in alternatives:
                for group in groups:
                    if group(value, budget):
                        break
                else:
                    return False
            return True
        return holds

    def asks_beyond(self, *paths: tuple[str, ...]) -> bool:
        """Return whether it has a clause on anything but these paths."""
        return bool(self.alternatives) or any(
            one.asks_beyond(*paths) if isinstance(one, Group)
            else one.path not in paths for one in self.children.values())

    @property
    def cost(self) -> int:
        return 1 + sum(one.cost for one in self.children.values()) + sum(
            group.cost for groups in self.alternatives for group in groups)

    def branches(self) -> int:
        """Return how many alternatives it stands for, multiplied out."""
        found = 1
        for one in self.children.values():
            if isinstance(one, Group):
                found *= one.branches()
        for groups in self.alternatives:
            found *= sum(group.branches() for group in groups)
        return found


class Pattern:
    """A pattern, checked and compiled.

    :ivar content: the JSON that it was made from
    :ivar cost: about how many tenths of a microsecond one evaluation takes
    """

    __slots__ = ("content", "cost", "root", "_holds")

    def __init__(self, content, where: str = "pattern") -> None:
        """:param content: the decoded JSON
        :param where: its path in the definition, for errors
        :raises Rejected: it is not in the grammar, or beyond its limits
        """
        if type(content) is not dict:
            raise wrong(where, shown(content), "an object")
        try:
            size = len(orjson.dumps(content))
        except TypeError as error:  # beyond 254 levels or 64 bits
            raise wrong(where, f"no JSON of ours: {error}",
                        f"at most {MAX_DEPTH} levels and numbers of 64 bits"
                        ) from None
        if size > MAX_BYTES:
            raise wrong(where, f"a pattern of {size} bytes",
                        f"at most {MAX_BYTES}")
        self.content = content
        self.root = _group(content, (), where)
        branches = self.root.branches()
        if branches > MAX_BRANCHES:
            raise wrong(where, f"a pattern of {branches} alternatives",
                        f"at most {MAX_BRANCHES} when all {OR} are "
                        "multiplied out")
        self.cost = self.root.cost
        self._holds = self.root.holds

    def __eq__(self, other) -> bool:
        return isinstance(other, Pattern) and self.content == other.content

    def __hash__(self) -> int:
        return hash(orjson.dumps(self.content))

    def matches(self, event: Mapping) -> bool:
        """Return whether the canonical event is one that the pattern wants."""
        try:
            return self.decide(event)
        except Exhausted:
            return False

    def decide(self, event: Mapping) -> bool:
        """Return the same where that is known, else raise Exhausted."""
        try:
            return self._holds(event, Budget())
        except Exhausted:
            metrics.LIMITED.labels("pattern_elements").inc()
            raise

    def mismatch(self, event: Mapping) -> Mismatch | None:
        """Return the first clause that does not hold, None when all do."""
        if self.matches(event):
            return None
        try:
            return _mismatch(self.root, event, (), Budget())
        except Exhausted:
            return Mismatch("an array", f"at most {MAX_ELEMENTS} elements "
                            "to compare", "longer than that")

    @property
    def asks_type_only(self) -> bool:
        """Whether the event's type alone says if it matches."""
        return isinstance(self.root.children.get("event_type"), Leaf) \
            and not self.root.asks_beyond(("event_type",))

    def accepts_type(self, event_type: str) -> bool:
        """Return whether an event of this type can match at all."""
        return _accepts(self.root, event_type)


def _group(content: dict, path: tuple[str, ...], where: str) -> Group:
    if not content:
        raise wrong(where, "empty", "at least one field")
    if len(path) >= MAX_DEPTH:
        raise wrong(where, f"nested {len(path)} levels deep",
                    f"at most {MAX_DEPTH}")
    children: dict = {}
    alternatives = []
    for key, value in content.items():
        if type(key) is not str:
            raise wrong(where, f"the key {key!r}", "strings as keys")
        place = f"{where}.{key[:128]}"
        if key == OR:
            alternatives.append(_alternatives(value, path, place))
            continue
        below = (*path, key)
        _check_key(below, value, place)
        children[key] = (_group(value, below, place)
                         if type(value) is dict
                         else Leaf(below, value, place))
    return Group(children, alternatives)


def _alternatives(value, path: tuple[str, ...], where: str) -> list[Group]:
    if type(value) is not list or not 2 <= len(value) <= MAX_BRANCHES:
        raise wrong(where, shown(value) if type(value) is not list
                    else f"an array of {len(value)}",
                    f"an array of 2 to {MAX_BRANCHES} patterns")
    groups = []
    for at, one in enumerate(value):
        if type(one) is not dict:
            raise wrong(f"{where}[{at}]", shown(one), "an object")
        groups.append(_group(one, path, f"{where}[{at}]"))
    return groups


_NESTED = frozenset(("traits", "dimensions", "payload", "marks"))
_FLAT = frozenset(("traits", "dimensions"))


def _check_key(path: tuple[str, ...], value, where: str) -> None:
    """Refuse what can match no event, for it is a mistake."""
    root = path[0]
    if root not in events.FIELDS:
        raise Rejected(
            f"{where} names no field of an event; expected one of "
            f"{', '.join(events.FIELDS)}", code="invalid_pattern",
            where=where)
    is_object = type(value) is dict
    if root not in _NESTED and is_object:
        raise wrong(where, "an object", "an array of values: "
                    f"{root} holds no object")
    if root in _FLAT and is_object and len(path) > 1:
        raise wrong(where, "an object", f"an array of values: {root} are "
                    "flat")
    if root in _NESTED and len(path) == 1 and not is_object and not (
            type(value) is list and all(
                type(one) is dict and set(one) == {"exists"}
                for one in value)):
        raise wrong(where, shown(value), "an object with patterns of what "
                    f"stands in {root}")


def _accepts(group: Group, event_type: str) -> bool:
    leaf = group.children.get("event_type")
    if leaf is not None and not leaf.holds(event_type, Budget()):
        return False
    return all(any(_accepts(one, event_type) for one in groups)
               for groups in group.alternatives)


def _mismatch(group: Group, value, path: tuple[str, ...],
              budget: Budget) -> Mismatch | None:
    """Find the first failing clause; elements of arrays are not told apart."""
    is_object = type(value) is dict
    for key, one in group.children.items():
        below = value.get(key, _MISSING) if is_object else _MISSING
        if one.holds(below, budget):
            continue
        if isinstance(one, Group) and type(below) is dict:
            found = _mismatch(one, below, (*path, key), budget)
            if found is not None:
                return found
        return Mismatch(".".join((*path, key)),
                        one.expected() if isinstance(one, Leaf) else
                        "an object with " + ", ".join(one.children)
                        if one.children else "one that matches",
                        _found(below))
    for groups in group.alternatives:
        reasons = [_mismatch(one, value, path, budget) for one in groups]
        if all(reasons):
            return Mismatch(
                ".".join((*path, OR)), "; or ".join(
                    f"{one.path} to be {one.expected}"
                    for one in reasons[:5]), "none of them")
    return None


def _found(value) -> str | None:
    if value is _MISSING or value is None:
        return None
    if type(value) in (dict, list):
        return orjson.dumps(value).decode()[:120]
    return shown(value)
