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

"""Cells of tables: what people read, and what programs do."""

from collections.abc import Mapping, Sequence
from typing import Any

from cliff import columns

from monasca_events_client.cli import moments
from monasca_events_client.cli import printable

#: Formats in which data is exact and needs no escaping: both write what a
#: terminal would obey as escapes.
EXACT = ("json", "yaml")


class Moment(columns.FormattableColumn):
    """A time: to the second for people."""

    def human_readable(self) -> str:
        return "" if self._value is None else moments.shown(self._value)


class Document(columns.FormattableColumn):
    """Any value: indented JSON for people."""

    def human_readable(self) -> str:
        return "" if self._value in (None, {}, []) \
            else printable.pretty(self._value)


class Pairs(columns.FormattableColumn):
    """A flat object: one ``name = value`` a line for people."""

    def human_readable(self) -> str:
        return "\n".join(
            f"{printable.escape(name)} = {printable.compact(value)}"
            for name, value in sorted((self._value or {}).items()))


class Lines(columns.FormattableColumn):
    """Several values: one a line for people."""

    def human_readable(self) -> str:
        return "\n".join(map(printable.compact, self._value or ()))


class Told(columns.FormattableColumn):
    """A value with the words in which people are told of it."""

    def __init__(self, value: Any, words: str) -> None:
        """:param words: lines; what tenants wrote in them is escaped here"""
        super().__init__(value)
        self._words = "\n".join(map(printable.escape, words.split("\n")))

    def human_readable(self) -> str:
        return self._words


def cell(value: Any, form: str) -> Any:
    """Return a value as one format shows it, safe for a terminal.

    :param form: the format's name, none of ``EXACT``
    """
    if isinstance(value, columns.FormattableColumn):
        if form == "table":
            return value.human_readable()
        value = value.machine_readable()
    if isinstance(value, (bool, int, float)):
        return value
    text = printable.compact(value)
    return printable.neutral(text) if form == "csv" else text


def fit(names: Sequence[str], rows: Sequence[Sequence[Any]], cells: int,
        floors: Mapping[str, int]) -> list[list[Any]]:
    """Return the rows with cells cut so that a table is so wide at most.

    Where that is not enough the table's own wrapping does the rest.

    :param floors: column → cells that it keeps at least; the first one is
        cut first. ``ID`` is cut to what finds it, without a mark
    """
    found = [list(row) for row in rows]
    widths = [max(printable.width(name), *(
        _widest(row[at]) for row in found)) if found
        else printable.width(name) for at, name in enumerate(names)]
    left = cells - (sum(widths) + 3 * len(names) + 1)
    for name, floor in floors.items():
        if left >= 0:
            break
        if name not in names:
            continue
        at = names.index(name)
        # Nothing is narrower than its heading.
        floor = max(floor, printable.width(name))
        size = max(floor, widths[at] + left)
        if name == "ID":
            # The beginning of a UUID up to a hyphen, which finds it.
            size = floor
        if size >= widths[at]:
            continue
        left += widths[at] - size
        mark = "" if name == "ID" else "…"
        for row in found:
            row[at] = "\n".join(printable.cut(line, size, mark) for line
                                in str(row[at]).split("\n"))
    return found


def _widest(value: Any) -> int:
    return max(map(printable.width, str(value).split("\n")))
