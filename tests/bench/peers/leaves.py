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

"""Take a pattern apart, for the peers that have another language."""

from collections.abc import Iterator, Mapping, Sequence

#: Operator and value, as in ``("=", "active")`` or ``("prefix", "comp")``.
Comparison = tuple[str, str | float]


def leaves(pattern: Mapping, path: str = ""
           ) -> Iterator[tuple[str, list[Sequence[Comparison]]]]:
    """Yield each field's path with its alternatives.

    All comparisons of one alternative hold, of any alternative.

    :raises ValueError: an operator is none that all peers have
    """
    for name, content in pattern.items():
        if isinstance(content, Mapping):
            yield from leaves(content, f"{path}{name}.")
        else:
            yield path + name, [_comparisons(one) for one in content]


def _comparisons(leaf) -> list[Comparison]:
    if isinstance(leaf, str | int | float) and not isinstance(leaf, bool):
        return [("=", leaf)]
    if isinstance(leaf, Mapping) and len(leaf) == 1:
        (operator, value), = leaf.items()
        if operator == "prefix":
            return [("prefix", value)]
        if operator == "numeric":
            return list(zip(value[::2], value[1::2], strict=True))
    raise ValueError(f"no peer is given {leaf!r}")
