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

"""Text of tenants as a terminal may show it.

A line break would forge a second line, an escape sequence would steer the
terminal, a mark of direction would show something else than is there.
"""

import json
import re
from typing import Any

from wcwidth import wcwidth

# C0, DEL, C1, line and paragraph separators, marks of direction, and halves
# of characters, which no terminal can show.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c"
                       "\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

#: What a spreadsheet takes for the beginning of a formula.
_FORMULAS = ("=", "+", "-", "@")


def escape(text: str) -> str:
    r"""Return the text with such characters as ``\uXXXX``."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def pretty(value: Any, cells: int = 60) -> str:
    """Return a value as indented JSON without such characters.

    :param cells: what fits in so many is one line
    """
    return "\n".join(map(escape, _pretty(value, cells, "").split("\n")))


def _pretty(value: Any, cells: int, indent: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value \
            or len(text) + len(indent) <= cells:
        return text
    deeper = indent + "  "
    if isinstance(value, list):
        begin, end = "[]"
        parts = [_pretty(one, cells, deeper) for one in value]
    else:
        begin, end = "{}"
        parts = [f"{json.dumps(name, ensure_ascii=False)}: "
                 f"{_pretty(one, cells, deeper)}"
                 for name, one in value.items()]
    return f",\n{deeper}".join([f"{begin}\n{deeper}{parts[0]}",
                               *parts[1:]]) + f"\n{indent}{end}"


def compact(value: Any) -> str:
    """Return a value in one line: a string as it is, others as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return escape(value)
    return escape(json.dumps(value, ensure_ascii=False))


def neutral(text: str) -> str:
    """Return the text so that a spreadsheet does not compute it."""
    if text.lstrip()[:1] in _FORMULAS:
        return f"'{text}"
    return text


def width(text: str) -> int:
    """Return the cells of a terminal that a line takes."""
    return len(text) if text.isascii() \
        else sum(max(wcwidth(one), 0) for one in text)


def cut(text: str, cells: int, mark: str = "…") -> str:
    """Return the text in so many cells of a terminal, with a mark at the end
    where something is missing."""
    if width(text) <= cells:
        return text
    left, kept = cells - len(mark), []
    for one in text:
        left -= max(wcwidth(one), 0)
        if left < 0:
            break
        kept.append(one)
    return "".join(kept) + mark


def pad(text: str, cells: int) -> str:
    """Return the text in exactly so many cells."""
    text = cut(text, cells)
    return text + " " * (cells - width(text))
