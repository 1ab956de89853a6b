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

"""A comparison with a bound, written ``[">=", 5]`` in a definition."""

from monasca_events_common.errors import Rejected
from monasca_events_common.rules.operators import is_number

_HOLDS = {
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    "=": lambda value, bound: value == bound,
    "!=": lambda value, bound: value != bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}

#: The operators, as a definition writes them.
OPERATORS = tuple(_HOLDS)


class Comparison:
    """An operator and its bound."""

    __slots__ = ("operator", "bound")

    def __init__(self, content, where: str) -> None:
        """:param content: the decoded JSON
        :raises Rejected: it is no comparison
        """
        if type(content) is not list or len(content) != 2 \
                or type(content[0]) is not str or content[0] not in _HOLDS \
                or not is_number(content[1]):
            raise Rejected(
                f"{where} is {str(content)[:80]}; expected an operator "
                f"({', '.join(_HOLDS)}) and a number, such as [\">=\", 5]",
                code="invalid_comparison", where=where)
        self.operator, self.bound = content

    def holds(self, value: float | int) -> bool:
        return _HOLDS[self.operator](value, self.bound)

    def __str__(self) -> str:
        return f"{self.operator} {self.bound}"
