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
from monasca_events_common.rules.leaf import Budget
from monasca_events_common.rules.leaf import Exhausted
from monasca_events_common.rules.leaf import Leaf
from monasca_events_common.rules.leaf import MAX_ELEMENTS
from monasca_events_common.rules.leaf import MISSING
from monasca_events_common.rules.operators import shown
from monasca_events_common.rules.operators import wrong

#: Bytes of a pattern as compact JSON.
MAX_BYTES = 16 * 1024

#: Nested keys of a pattern; one more than a payload's depth.
MAX_DEPTH = 21

#: Alternatives that all ``$or`` together may stand for, multiplied out.
MAX_BRANCHES = 64

OR = "$or"


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
                if not test(value.get(key, MISSING) if is_object
                            else MISSING, budget):
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
        below = value.get(key, MISSING) if is_object else MISSING
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
    if value is MISSING or value is None:
        return None
    if type(value) in (dict, list):
        return orjson.dumps(value).decode()[:120]
    return shown(value)
