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

"""Values for a transform by JMESPath, with a budget.

JMESPath (jmespath.org, the ``jmespath`` package) selects and projects; it has
no loops, but several of its constructs multiply what they are given. So the
expression is checked before it is accepted and its evaluation is counted:
both ends of the rule language's promise that nothing of a tenant's costs more
than is known beforehand.
"""

from collections.abc import Mapping

import jmespath
from jmespath import exceptions
from jmespath import visitor

from monasca_events_common import metrics
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.allowance import Allowance
from monasca_events_common.rules.allowance import Failed

#: Characters of an expression.
MAX_LENGTH = 1024

#: Nested levels of a parsed expression.
MAX_DEPTH = 16

#: What all multi-selects of an expression may multiply its input by.
MAX_COPIES = 16

#: Nodes that one evaluation may visit; a projection visits one an element.
MAX_STEPS = 5000

#: Functions whose cost is linear in what they are given and that make nothing
#: larger than it.
FUNCTIONS = frozenset((
    "abs", "avg", "ceil", "contains", "ends_with", "floor", "join", "keys",
    "length", "max", "min", "not_null", "starts_with", "sum",
    "to_number", "type"))


class Projection:
    """One expression, checked.

    :ivar nodes: of which it consists
    """

    __slots__ = ("text", "nodes", "_parsed")

    def __init__(self, text, where: str) -> None:
        """:raises Rejected: it is no JMESPath, or beyond the limits"""
        if type(text) is not str or not 0 < len(text) <= MAX_LENGTH:
            raise _wrong(where, str(text)[:80], "a JMESPath expression of at "
                         f"most {MAX_LENGTH} characters")
        try:
            self._parsed = jmespath.compile(text).parsed
        except (exceptions.JMESPathError, RecursionError) as error:
            raise _wrong(where, repr(text[:80]), "a JMESPath expression: "
                         + " ".join(str(error).split())[:200]) from None
        self.text = text
        copies, self.nodes = _check(self._parsed, where, 1)
        if copies > MAX_COPIES:
            raise _wrong(where, f"an expression that copies {copies} times",
                         f"at most {MAX_COPIES}")

    def value(self, event: Mapping, allowance: Allowance):
        """Return the expression's value, None where there is none.

        It may share objects with the event.

        :raises Failed: it cannot be evaluated, or costs too much
        """
        try:
            return _Counted(allowance).visit(self._parsed, event)
        except exceptions.JMESPathTypeError as error:
            # Its own text shows the value.
            raise Failed(f"{error.function_name}() got {error.actual_type}, "
                         f"expected {' or '.join(error.expected_types)}"
                         ) from None
        except (exceptions.JMESPathError, ArithmeticError, ValueError,
                TypeError, AttributeError, LookupError) as error:
            # The library leaves to Python what its grammar does not see: a
            # step of 0, an infinite number, "a" < 1.
            raise Failed("the expression cannot be evaluated: "
                         + type(error).__name__) from None
        except _Spent:
            metrics.LIMITED.labels("projection_steps").inc()
            raise Failed(f"the expression takes more than {MAX_STEPS} steps"
                         ) from None


class _Spent(Exception):
    """The budget is used up."""


class _Counted(visitor.TreeInterpreter):
    """Evaluates and counts."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__()
        self._left = MAX_STEPS
        self._allowance = allowance

    def visit(self, node, *args, **kwargs):
        self._left -= 1
        if self._left < 0:
            raise _Spent
        self._allowance.step()
        found = super().visit(node, *args, **kwargs)
        if type(found) is list:
            # What makes an array has looked at its elements, and so does
            # what takes it: a function, a comparison, the next projection.
            self._allowance.step(len(found))
        return found


def _check(node: Mapping, where: str, depth: int) -> tuple[int, int]:
    """Return by what a node may multiply its input, and how many it is.

    :raises Rejected: it is unwise
    """
    kind = node["type"]
    if depth > MAX_DEPTH:
        raise _wrong(where, f"nested more than {MAX_DEPTH} levels deep",
                     "less")
    if kind == "expref":
        raise _wrong(where, "an expression with &", "none")
    if kind == "function_expression" and node["value"] not in FUNCTIONS:
        raise _wrong(where, f"the function {node['value']!r}",
                     "one of " + ", ".join(sorted(FUNCTIONS)))
    copies = nodes = 1
    for child in node.get("children", ()):
        if not isinstance(child, Mapping):
            continue  # a slice's numbers
        below, more = _check(child, where, depth + 1)
        copies, nodes = copies * below, nodes + more
    if kind in ("multi_select_list", "multi_select_dict"):
        copies *= len(node["children"])
    return copies, nodes


def _wrong(where: str, found: str, expected: str) -> Rejected:
    return Rejected(f"{where} is {found}; expected {expected}",
                    code="invalid_projection", where=where)
