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


class Failed(Exception):
    """The expression has no value for this event; the message says why."""


class Projection:
    """One expression, checked."""

    __slots__ = ("text", "_parsed")

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
        copies = _check(self._parsed, where, 1)
        if copies > MAX_COPIES:
            raise _wrong(where, f"an expression that copies {copies} times",
                         f"at most {MAX_COPIES}")

    def value(self, event: Mapping):
        """Return the expression's value, None where there is none.

        :raises Failed: it cannot be evaluated, or costs too much
        """
        try:
            return _Counted().visit(self._parsed, event)
        except exceptions.JMESPathError as error:
            raise Failed(" ".join(str(error).split())[:200]) from None
        except _Spent:
            metrics.LIMITED.labels("projection_steps").inc()
            raise Failed(f"more than {MAX_STEPS} steps") from None


class _Spent(Exception):
    """The budget is used up."""


class _Counted(visitor.TreeInterpreter):
    """Evaluates and counts."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MAX_STEPS

    def visit(self, node, *args, **kwargs):
        self._left -= 1
        if self._left < 0:
            raise _Spent
        return super().visit(node, *args, **kwargs)


def _check(node: Mapping, where: str, depth: int) -> int:
    """Return by what a node may multiply its input; refuse what is unwise."""
    kind = node["type"]
    if depth > MAX_DEPTH:
        raise _wrong(where, f"nested more than {MAX_DEPTH} levels deep",
                     "less")
    if kind == "expref":
        raise _wrong(where, "an expression with &", "none")
    if kind == "function_expression" and node["value"] not in FUNCTIONS:
        raise _wrong(where, f"the function {node['value']!r}",
                     "one of " + ", ".join(sorted(FUNCTIONS)))
    copies = 1
    for child in node.get("children", ()):
        copies *= _check(child, where, depth + 1)
    if kind in ("multi_select_list", "multi_select_dict"):
        copies *= len(node["children"])
    return copies


def _wrong(where: str, found: str, expected: str) -> Rejected:
    return Rejected(f"{where} is {found}; expected {expected}",
                    code="invalid_projection", where=where)
