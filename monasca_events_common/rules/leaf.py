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

"""The leaf of a pattern: the values that one field may have.

It is compiled into a closure; how much of an event's arrays one evaluation
may look at is bounded by a budget.
"""

from collections.abc import Callable

from monasca_events_common.rules import operators
from monasca_events_common.rules.operators import is_number
from monasca_events_common.rules.operators import shown
from monasca_events_common.rules.operators import wrong

#: Values in one leaf's array.
MAX_VALUES = 200

#: Operators in one leaf's array; plain values cost nothing each.
MAX_OPERATORS = 20

#: What one evaluation may spend on arrays, in elements compared with plain
#: values; an operator counts as its cost. An event may hold 100,000 numbers
#: in an array: beyond this a pattern does not match, and
#: ``monasca_events_limited{limit="pattern_elements"}`` counts it.
MAX_ELEMENTS = 5000

#: Stands for a field that an event does not have.
MISSING = object()


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
            if value is MISSING:
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
