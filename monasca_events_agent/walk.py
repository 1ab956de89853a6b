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


"""The walk over a payload: hides what keys give away, and makes plain JSON.

The redactor starts it. One walk does both, because two would cost twice as
much. It never raises for what it is given.
"""

from collections.abc import Mapping
import math

from monasca_events_agent import secret_text
from monasca_events_agent.secret_keys import CATALOG
from monasca_events_agent.secret_keys import CONTEXT
from monasca_events_agent.secret_keys import HIDE
from monasca_events_agent.secret_keys import is_catalog
from monasca_events_agent.secret_keys import is_context
from monasca_events_agent.secret_keys import KEEP
from monasca_events_agent.secret_keys import KeyRules
from monasca_events_agent.secret_keys import LOOSE
from monasca_events_agent.secret_keys import MAX_KEY
from monasca_events_agent.secret_keys import REMOVE
from monasca_events_agent.secret_keys import RENAME
from monasca_events_agent.secret_text import MASK
from monasca_events_agent.secret_text import TEXT_ONLY

#: What takes a value's place where nothing may take it.
GONE = object()

_SMALLEST = -2 ** 63
_LARGEST = 2 ** 63 - 1


def label(path: list) -> str:
    """Return the dotted path of a place in the payload."""
    return ".".join(("payload", *map(str, path)))[:MAX_KEY]


class Walk:
    """One pass over one payload; collects what it did on the way.

    :ivar keys: how many keys the result has, all levels together
    :ivar texts: its strings
    :ivar redacted: paths of what was masked or removed
    :ivar truncated: paths of what was too deep, or had too long a key
    """

    __slots__ = ("rules", "depth", "wrapper", "path", "keys", "texts",
                 "redacted", "truncated")

    def __init__(self, rules: KeyRules, depth: int,
                 wrapper: str | None) -> None:
        self.rules = rules
        self.depth = depth
        self.wrapper = wrapper
        self.path: list = []
        self.keys = 0
        self.texts: list[str] = []
        self.redacted: list[str] = []
        self.truncated: list[str] = []

    def object(self, source: Mapping, depth: int, memo) -> object:
        wrapper = self.wrapper
        while wrapper is not None and wrapper in source:
            source = source[wrapper]
            if type(source) is not dict:
                return self.value(source, depth, memo)
        out = {}
        path = self.path
        texts = self.texts
        for key, value in source.items():
            decision = memo[key]
            kind = type(value)
            if decision is not KEEP:
                below = memo
                if decision is LOOSE:
                    below = self.rules.loose
                elif decision is RENAME:
                    key = self._rename(key, out)
                    decision = self.rules.strict[key]
                    if decision is RENAME:
                        decision = KEEP
                if decision is not LOOSE and decision is not KEEP:
                    if decision is REMOVE and "user_id" in source \
                            and depth > 1 and is_context(source):
                        self.redacted.append(label(path))
                        return GONE
                    value = self._hide(key, value, decision)
                    if value is GONE:
                        continue
                    kind = type(value)
                if kind is dict or kind is list:
                    path.append(key)
                    value = self.value(value, depth + 1, below)
                    path.pop()
                    if value is not GONE:
                        out[key] = value
                    continue
            if kind is str:
                out[key] = value
                texts.append(value)
            elif value is None or kind is bool:
                out[key] = value
            elif kind is int:
                out[key] = value if _SMALLEST <= value <= _LARGEST \
                    else _decimal(value)
            else:
                path.append(key)
                value = self.value(value, depth + 1, memo)
                path.pop()
                if value is not GONE:
                    out[key] = value
        self.keys += len(out)
        if "value" in out and len(out) <= 8:
            self._pair(out, memo)
        return out

    def value(self, value, depth: int, memo) -> object:
        """Return the JSON form of anything; a container is at ``depth``."""
        kind = type(value)
        if kind is dict or kind is list:
            if depth > self.depth:
                self.truncated.append(label(self.path))
                return None
            if kind is dict:
                return self.object(value, depth, memo)
            return self._array(value, depth, memo)
        if kind is str:
            self.texts.append(value)
            return value
        if kind is bool or value is None:
            return value
        if kind is int:
            return value if _SMALLEST <= value <= _LARGEST \
                else _decimal(value)
        if kind is float:
            return value if math.isfinite(value) else str(value)
        if isinstance(value, (bytes, bytearray)):
            return self.value(bytes(value).decode("utf-8", "replace"),
                              depth, memo)
        if isinstance(value, Mapping):
            return self.value(dict(value), depth, memo)
        if isinstance(value, (tuple, set, frozenset)):
            return self.value(list(value), depth, memo)
        return self.value(str(value), depth, memo)

    def _array(self, source: list, depth: int, memo) -> list:
        out = []
        path = self.path
        for index, value in enumerate(source):
            if type(value) is str:
                self.texts.append(value)
            else:
                path.append(index)
                value = self.value(value, depth + 1, memo)
                path.pop()
                if value is GONE:
                    continue
            out.append(value)
        return out

    def _hide(self, key: str, value, decision: int) -> object:
        """Return what stands in for a secret's value; GONE for nothing."""
        if decision is CONTEXT and not is_context(value) or (
                decision is CATALOG and not is_catalog(value)) or (
                key in TEXT_ONLY and type(value) is not str):
            return value
        empty = value is None or value == "" or value == [] or value == {}
        if decision is HIDE:
            if empty or type(value) is bool or value == MASK:
                return value
            self.redacted.append(label([*self.path, key]))
            return MASK
        if not empty:
            self.redacted.append(label([*self.path, key]))
        return GONE

    def _pair(self, out: dict, memo) -> None:
        """Mask the value in ``{"key": "db_password", "value": …}``."""
        name = out.get("key") or out.get("name") or out.get("parameter_key")
        if type(name) is str and memo[name] is HIDE:
            out["value"] = self._hide("value", out["value"], HIDE)

    def _rename(self, key, out: dict) -> str:
        """Return a key that JSON and our limits take, and that is free."""
        name = secret_text.mask(str(key), self.rules.hides)
        if name != key and type(key) is str:
            self.redacted.append(label([*self.path, name]))
        if len(name) > MAX_KEY:
            name = name[:MAX_KEY - 8]
            self.truncated.append(label([*self.path, name]))
            number = 1
            while f"{name}~{number}" in out:
                number += 1
            name = f"{name}~{number}"
        return name


def _decimal(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        # Python refuses to write more than 4,300 digits.
        return hex(value)
