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


"""Definitions: what each event type's fields mean, read from YAML.

A definition says for which event types it holds, where the ids stand, which
traits there are, and what is dropped or masked. The last definition that
matches wins and inherits from the one it names, in the end from ``default``.
The normaliser asks :meth:`Definitions.choose`, which answers from memory
after the first event of a type. Reading files is the only I/O.
"""

from collections.abc import Sequence
import fnmatch
import pathlib
import re

import yaml

from monasca_events_agent import paths
from monasca_events_agent.definition_schema import check_entry
from monasca_events_agent.definition_schema import FORMATS
from monasca_events_agent.definition_schema import ID_KEYS
from monasca_events_agent.definition_schema import wrong
from monasca_events_agent.secret_keys import KeyRules
from monasca_events_agent.traits import TYPES
from monasca_events_common.errors import Misconfigured

#: The definitions that come with the agent.
SHIPPED = pathlib.Path(__file__).with_name("definitions.yaml")

#: The root of all inheritance; it matches every event type.
DEFAULT = "default"

#: Plans that are remembered. Senders choose event types, so it is bounded;
#: when it is full it is emptied, which costs a little time, never memory.
MEMO = 4096

# The C one where PyYAML was built with it; both make plain values only.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LISTS = ("drop", "mask")


class Plan:
    """One definition, compiled for one event type.

    :ivar ids: by id field, places where it may stand, best first
    :ivar traits: of each its name, converter, and such places
    :ivar drops: paths to take out of the payload
    :ivar rules: which keys carry secrets
    :ivar recipes: whatever somebody remembers of the plan
    :ivar twin: whether nova emits the same fact in its other format too
    """

    __slots__ = ("name", "service", "resource_type", "ids", "traits",
                 "drops", "rules", "recipes", "twin", "discard")

    def __init__(self, entry: dict, rules: KeyRules,
                 parts: Sequence[str]) -> None:
        self.name = entry["name"]
        self.service = entry.get("service")
        self.resource_type = paths.expand(entry.get("resource_type") or "",
                                          parts) or None
        self.ids = {key: _places(entry.get(key), parts) for key in ID_KEYS}
        self.traits = tuple(
            (name, TYPES[trait["type"]], _places(trait["path"], parts))
            for name, trait in entry.get("traits", {}).items())
        self.drops = tuple(tuple(paths.segments(path))
                           for path in entry.get("drop", ()))
        self.rules = rules
        self.recipes: dict = {}
        self.twin = entry.get("twin", False)
        self.discard = entry.get("discard", False)


class Definitions:
    """All definitions, ready to choose from."""

    def __init__(self, entries: Sequence[dict], where: str = "") -> None:
        """:param entries: checked entries, in order of files and of lines
        :raises Misconfigured: one inherits from what is not there, or from
            itself
        """
        named = {entry["name"]: entry for entry in entries}
        if DEFAULT not in named:
            raise Misconfigured(f"{where}: there is no definition "
                                f"{DEFAULT!r}; it is what others inherit from")
        self._rules: dict[frozenset[str], KeyRules] = {}
        self._entries = []
        for entry in entries:
            whole = _inherit(entry, named, (), where)
            if whole.get("event_type"):
                self._entries.append(
                    (_Types(whole), whole, _placeholders(whole)))
        self._plans: dict[str, Plan] = {}
        self._memo: tuple[dict[str, Plan], dict[str, Plan]] = ({}, {})

    @classmethod
    def load(cls, site: Sequence[str] = ()) -> "Definitions":
        """Return the shipped definitions with a site's files merged in.

        :raises Misconfigured: a file cannot be read or an entry is wrong; the
            message names file, entry, key and what was expected
        """
        merged: dict[str, dict] = {}
        for file in (SHIPPED, *site):
            for entry in read(str(file)):
                known = merged.get(entry["name"])
                merged[entry["name"]] = entry if known is None \
                    else _overlay(known, entry)
        return cls(list(merged.values()), ", ".join(map(str, site)))

    def choose(self, event_type: str, versioned: bool) -> Plan:
        """Return the plan for an event type in one of nova's two formats."""
        memo = self._memo[versioned]
        plan = memo.get(event_type)
        if plan is None:
            plan = self._find(event_type, versioned)
            if len(memo) >= MEMO:
                memo.clear()
            memo[event_type] = plan
        return plan

    def _find(self, event_type: str, versioned: bool) -> Plan:
        for types, entry, placeholders in reversed(self._entries):
            if not types.match(event_type, versioned):
                continue
            if placeholders:
                return self._compile(entry, event_type.split("."))
            name = entry["name"]
            if name not in self._plans:
                self._plans[name] = self._compile(entry, ())
            return self._plans[name]
        raise AssertionError("the default definition matches everything")

    def _compile(self, entry: dict, parts: Sequence[str]) -> Plan:
        masks = frozenset(entry.get("mask", ()))
        rules = self._rules.get(masks)
        if rules is None:
            rules = self._rules[masks] = KeyRules(masks)
        return Plan(entry, rules, parts)


class _Types:
    """The event types of one definition."""

    def __init__(self, entry: dict) -> None:
        globs = entry["event_type"]
        self._versioned = FORMATS[entry.get("format", "any")]
        self._included = _regex([g for g in globs if g[0] != "!"] or ["*"])
        excluded = [g[1:] for g in globs if g[0] == "!"]
        self._excluded = _regex(excluded) if excluded else None

    def match(self, event_type: str, versioned: bool) -> bool:
        if self._versioned is not None and self._versioned != versioned:
            return False
        return bool(self._included(event_type)) and not (
            self._excluded and self._excluded(event_type))


def read(file: str) -> list[dict]:
    """Return a file's entries, checked and in their long form.

    :raises Misconfigured: the file cannot be read or an entry is wrong
    """
    try:
        with open(file, encoding="utf-8") as stream:
            content = yaml.load(stream, _Loader)  # noqa: S506
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: "
                            f"{error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        shown = " ".join(str(error).split())
        raise Misconfigured(f"{file}: is not YAML: {shown}") from None
    if content is None:
        return []
    if not isinstance(content, list):
        raise Misconfigured(f"{file}: is {type(content).__name__}; expected "
                            "a list of definitions")
    entries = [check_entry(file, number, entry)
               for number, entry in enumerate(content, 1)]
    names = [entry["name"] for entry in entries]
    for number, name in enumerate(names, 1):
        if names.index(name) != number - 1:
            raise wrong(file, number, name, "name", name,
                        "a name used once in a file")
    return entries


def _inherit(entry: dict, named: dict, seen: tuple[str, ...],
             where: str) -> dict:
    name = entry["name"]
    if name == DEFAULT:
        return entry
    parent = entry.get("inherits", DEFAULT)
    if parent == name or parent in seen:
        raise Misconfigured(f"{where}: definition {name!r}: inherits is "
                            f"{parent!r}; expected one that does not inherit "
                            "from it in turn")
    if parent not in named:
        raise Misconfigured(f"{where}: definition {name!r}: inherits is "
                            f"{parent!r}; expected the name of a definition")
    whole = _overlay(_inherit(named[parent], named, (*seen, name), where),
                     entry)
    for own in ("event_type", "format", "discard", "twin"):
        if own in entry:
            whole[own] = entry[own]
        else:
            whole.pop(own, None)
    return whole


def _overlay(below: dict, above: dict) -> dict:
    """Return ``below`` with ``above`` over it: ids replace, lists add up."""
    whole = {**below, **above}
    traits = {**below.get("traits", {}), **above.get("traits", {})}
    whole["traits"] = {name: trait for name, trait in traits.items()
                       if trait is not None}
    for key in _LISTS:
        whole[key] = [*below.get(key, ()), *above.get(key, ())]
    return whole


def _regex(globs: Sequence[str]):
    return re.compile("|".join(map(fnmatch.translate, globs))).match


def _placeholders(entry: dict) -> bool:
    """Return whether the plan depends on the event type's own parts."""
    texts = [entry.get("resource_type") or ""]
    for key in ID_KEYS:
        texts.extend(entry.get(key, ()))
    for trait in entry.get("traits", {}).values():
        texts.extend(trait["path"])
    return any("{" in text for text in texts)


def _places(found: Sequence[str] | None,
            parts: Sequence[str]) -> tuple[paths.Place, ...]:
    expanded = (paths.expand(path, parts) for path in found or ())
    return tuple(paths.compile_path(path) for path in expanded
                 if path and paths.check(path))
