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

"""Which one thing an alarm of Aodh watches, if it is one. Pure.

An alarm is removed with an instance only where it watches that instance and
nothing else: whoever reads more into a rule than is there removes what others
rely on. So whatever is not understood watches nothing.
"""

from collections.abc import Mapping
import json
import re

# Fields of a query that name one thing, and whether it is an instance.
_FIELDS = {"traits.instance_id": True, "traits.resource_id": False,
           "resource_id": False, "resource": False}

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# A selector of PromQL, braces included; strings may hold braces.
_SELECTOR = re.compile(r"""\{(?:[^{}"'`]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
                       r"""|`[^`]*`)*\}""")
_PINNED = re.compile(rf"""(?<!!)=~?\s*["'`]({_UUID})["'`]""")
_ANY_UUID = re.compile(_UUID)

# What stands in PromQL beside selectors: grouping, words, functions, numbers
# with units.
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)"
                       r"\s*\([^()]*\)", re.IGNORECASE)
_WORDS = frozenset(("and", "or", "unless", "offset", "bool", "atan2", "inf",
                    "nan", "group_left", "group_right", "start", "end"))
_NAME = re.compile(r"(?<![\w.])[a-zA-Z_:][\w:]*")


def subjects(alarm: Mapping) -> dict[str, bool]:
    """Return the ids of what an alarm watches and nothing else.

    :param alarm: as Aodh's API shows it
    :return: id → whether it is an instance for sure
    """
    kind = alarm.get("type")
    return _of_rule(kind, alarm.get(f"{kind}_rule"))


def _of_rule(kind, rule) -> dict[str, bool]:
    read = _READERS.get(kind)
    if read is None or not isinstance(rule, Mapping):
        return {}
    try:
        return read(rule)
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def _query(rule: Mapping) -> dict[str, bool]:
    """An event alarm's conditions, all of which must hold."""
    return {one["value"]: _FIELDS[one["field"]] for one in rule["query"]
            if one["field"] in _FIELDS and one.get("op", "eq") == "eq"
            and isinstance(one["value"], str)}


def _resource(rule: Mapping) -> dict[str, bool]:
    return {rule["resource_id"]: rule.get("resource_type") == "instance"}


def _resources(rule: Mapping) -> dict[str, bool]:
    """Gnocchi's query of resources, where only one has the id."""
    query = rule["query"]
    if isinstance(query, str):
        query = json.loads(query)
    is_instance = rule.get("resource_type") == "instance"
    return dict.fromkeys(_pinned(query), is_instance)


def _pinned(query: Mapping) -> set[str]:
    """Return the ids of which every resource that it finds must be one."""
    (operator, operand), = query.items()
    if operator in ("=", "==", "eq"):
        (field, value), = operand.items()
        return {value} if field == "id" and isinstance(value, str) else set()
    if operator in ("and", "∧"):
        return set().union(*map(_pinned, operand))
    if operator in ("or", "∨"):
        # One of several would still be watched when another is gone.
        each = list(map(_pinned, operand))
        return set.intersection(*each) if each else set()
    return set()


def _prometheus(rule: Mapping) -> dict[str, bool]:
    """A query every selector of which asks for one and the same id."""
    query = rule["query"]
    selectors = _SELECTOR.findall(query)
    pinned = [set(_PINNED.findall(one)) for one in selectors]
    ids = set(_ANY_UUID.findall(query))
    if len(ids) != 1 or not selectors or any(one != ids for one in pinned):
        return {}
    rest = _GROUPING.sub(" ", _SELECTOR.sub("{}", query))
    for name in _NAME.finditer(rest):
        behind = rest[name.end():].lstrip()
        if not behind.startswith(("{", "(")) \
                and name.group().lower() not in _WORDS:
            return {}  # a metric without a selector: of everything
    return {next(iter(ids)): False}


def _composite(rule: Mapping) -> dict[str, bool]:
    """Rules joined by and or or: what every one of them watches."""
    (_, parts), = rule.items()
    found = [_composite(part) if set(part) & {"and", "or"}
             else _of_rule(part.get("type"), part) for part in parts]
    common = set.intersection(*(set(one) for one in found))
    return {one: any(part[one] for part in found) for one in common}


_READERS = {
    "event": _query, "threshold": _query,
    "gnocchi_resources_threshold": _resource,
    "gnocchi_aggregation_by_resources_threshold": _resources,
    "prometheus": _prometheus, "composite": _composite,
}
