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


"""What a definition may say, and what is said when it says something else."""

import re

from monasca_events_agent import paths
from monasca_events_agent.traits import TYPES
from monasca_events_common.errors import Misconfigured

#: Keys that hold the places of an id, best first.
ID_KEYS = ("resource_id", "project_id", "user_id", "domain_id", "request_id",
           "global_request_id")

#: Whether a format is the versioned one; None where it does not matter.
FORMATS = {"any": None, "legacy": False, "versioned": True}

# The names that the kernel's event.check_traits accepts.
_TRAIT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}\Z")

_STRINGS = ("name", "description", "inherits", "service", "resource_type")
_FLAGS = ("twin", "discard")
_KEYS = frozenset((*_STRINGS, *ID_KEYS, *_FLAGS, "event_type", "format",
                   "traits", "drop", "mask"))


def wrong(file: str, number: int, name: object, key: str, value: object,
          expected: str) -> Misconfigured:
    """Return the error that names file, entry, key and what was expected."""
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    named = f" {name!r}" if name else ""
    return Misconfigured(f"{file}: definition {number}{named}: {key} is "
                         f"{shown}; expected {expected}")


def check_entry(file: str, number: int, entry: object) -> dict:
    """Return an entry in its long form.

    :raises Misconfigured: it says something that a definition cannot say
    """
    if not isinstance(entry, dict):
        raise wrong(file, number, None, "it", entry, "a mapping with a name")
    name = entry.get("name")

    def fail(key, value, expected):
        return wrong(file, number, name, key, value, expected)

    if not isinstance(name, str) or not name:
        raise fail("name", name, "a word that is this definition's own")
    for key in entry:
        if key not in _KEYS:
            raise fail("a key", key, "one of " + ", ".join(sorted(_KEYS)))
    checked = dict(entry)
    for key in _STRINGS:
        if key in entry and not isinstance(entry[key], str):
            raise fail(key, entry[key], "a string")
    for key in _FLAGS:
        if key in entry and not isinstance(entry[key], bool):
            raise fail(key, entry[key], "true or false")
    if entry.get("format", "any") not in FORMATS:
        raise fail("format", entry["format"], "one of " + ", ".join(FORMATS))
    if "event_type" in entry:
        checked["event_type"] = globs = _several(entry["event_type"])
        if not globs or not all(isinstance(g, str) and g.lstrip("!")
                                for g in globs):
            raise fail("event_type", entry["event_type"],
                       "a glob such as compute.instance.*, or a list of them")
    for key in (*ID_KEYS, "drop"):
        if key in entry:
            checked[key] = _paths(entry[key], key, fail)
    if "mask" in entry:
        checked["mask"] = masks = _several(entry["mask"])
        if not all(isinstance(key, str) and key for key in masks):
            raise fail("mask", entry["mask"], "a list of keys")
    if "traits" in entry:
        checked["traits"] = _traits(entry["traits"], fail)
    return checked


def _traits(traits: object, fail) -> dict:
    if not isinstance(traits, dict):
        raise fail("traits", traits, "a mapping of names to types")
    checked: dict = {}
    for name, trait in traits.items():
        where = f"traits.{name}"
        if not isinstance(name, str) or not _TRAIT_NAME.match(name):
            raise fail(where, name, "a name of a letter or _ and up to 63 "
                       "letters, digits, '_', '-' or '.'")
        if trait is None:
            checked[name] = None
            continue
        if isinstance(trait, str):
            trait = {"type": trait}
        if not isinstance(trait, dict) or not trait.keys() <= {"type", "path"}:
            raise fail(where, trait, "a type, or type and path")
        kind = trait.get("type", "string")
        if kind not in TYPES:
            raise fail(f"{where}.type", kind, "one of " + ", ".join(TYPES))
        path = _paths(trait.get("path", name), f"{where}.path", fail)
        checked[name] = {"type": kind, "path": path}
    return checked


def _paths(value: object, key: str, fail) -> list[str]:
    found = _several(value)
    for path in found:
        if not paths.check(path):
            raise fail(key, path, "a path such as port.id, or a list of them")
    return found


def _several(value: object) -> list:
    return list(value) if isinstance(value, list) else [value]
