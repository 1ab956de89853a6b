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

"""Triggers as a form has them.

The same as the API's definitions, flat and in what people type. Pure; the
form says what is wrong, the API what it thinks of it.
"""

from collections.abc import Mapping
from typing import Any

from monasca_events_dashboard import patterns
from monasca_events_dashboard.patterns import TooRich
from monasca_events_dashboard.patterns import Unclear
from monasca_events_dashboard.patterns import Wanted

#: Kind → the patterns that it has beside steps; those that may be empty end
#: with a question mark.
SLOTS: Mapping[str, tuple[str, ...]] = {
    "match": ("pattern",), "threshold": ("pattern",),
    "absence": ("start", "expect", "unless?"),
    "duration": ("start", "end"), "sequence": ("unless?",)}

#: Kind → its own fields that a form asks for, beside patterns.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "match": (),
    "threshold": ("window", "sliding", "aggregate", "field", "compare"),
    "absence": ("within",), "duration": ("compare",),
    "sequence": ("within", "ordered", "strict", "quiet")}

#: Steps that a form has room for.
STEPS = 8

OUTCOMES = ("fired", "missed", "recovered")

#: Kind → outcomes that it can have.
POSSIBLE: Mapping[str, tuple[str, ...]] = {
    "match": ("fired",), "threshold": ("fired", "recovered"),
    "absence": ("missed", "recovered"), "duration": ("fired",),
    "sequence": ("fired", "missed", "recovered"), "summary": ("fired",)}

#: What the API fills in where nothing is said.
DEFAULTS: Mapping[str, Any] = {
    "description": "", "severity": "LOW", "enabled": True, "dry_run": False,
    "group_by": [], "notify": {}, "mute": [], "rate_limit": None,
    "sliding": True, "aggregate": "count", "ordered": True, "strict": False,
    "quiet": False}

#: What the API says of a trigger beside its definition.
OF_THE_API = ("id", "project_id", "revision", "created_at", "updated_at",
              "links", "cost")

#: What a form leaves as it is.
KEPT = ("mute",)

_COMMON = ("name", "description", "severity", "enabled", "dry_run")


def definition(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """Return what somebody would have to write for this trigger."""
    found = {name: value for name, value in trigger.items()
             if name not in OF_THE_API
             and (name not in DEFAULTS or value != DEFAULTS[name])}
    notify = {outcome: ids for outcome, ids in
              trigger.get("notify", {}).items() if ids}
    return {**{name: value for name, value in found.items()
               if name != "notify"}, **({"notify": notify} if notify else {})}


def write(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition that a filled-in form says.

    :param given: ``kind``, the common fields, ``group_by`` (paths),
        ``slots`` (name → Wanted), ``steps`` (pairs of name and Wanted),
        ``notify`` (outcome → ids), ``rate_limit`` (firings and seconds, or
        None), ``kept``, and the kind's own fields
    :raises Unclear: it says none
    """
    kind = given["kind"]
    found: dict[str, Any] = {"kind": kind, **given.get("kept", {})}
    for name in (*_COMMON, *FIELDS[kind]):
        value = given.get(name)
        if value is not None and value != "":
            found[name] = value
    if found.get("aggregate", "count") == "count":
        found.pop("field", None)
    if "compare" in found:
        found["compare"] = list(found["compare"])
    if given.get("group_by"):
        found["group_by"] = list(given["group_by"])
    for slot in SLOTS[kind]:
        name = slot.rstrip("?")
        wanted = given["slots"].get(name) or Wanted()
        if wanted or slot == name:
            found[name] = patterns.write(wanted)
    if kind == "sequence":
        found["steps"] = [{"name": name, "pattern": patterns.write(wanted)}
                          for name, wanted in given["steps"]]
    found["notify"] = {outcome: list(ids) for outcome, ids in
                       given.get("notify", {}).items() if ids}
    if given.get("rate_limit"):
        firings, seconds = given["rate_limit"]
        found["rate_limit"] = {"firings": firings, "seconds": seconds}
    return definition(found)


def read(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form must be filled with to say this.

    :param trigger: a definition, or what somebody takes for one
    :raises TooRich: no form says it
    """
    try:
        return _read(definition(trigger))
    except TooRich:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # Not everything that is JSON is a trigger.
        raise TooRich("it is no trigger") from error


def _read(wanted: Mapping[str, Any]) -> dict[str, Any]:
    kind = wanted.get("kind", "")
    if kind not in SLOTS:
        raise TooRich(f"a trigger of the kind {kind!r}")
    filled = {**DEFAULTS, **wanted}
    limit = filled["rate_limit"]
    found: dict[str, Any] = {
        "kind": kind,
        **{name: filled.get(name, "") for name in (*_COMMON, *FIELDS[kind])},
        "group_by": list(filled["group_by"]), "notify": filled["notify"],
        "rate_limit": limit and (limit["firings"], limit["seconds"]),
        "slots": {}, "steps": [],
        "kept": {name: wanted[name] for name in KEPT if name in wanted}}
    for slot in SLOTS[kind]:
        name = slot.rstrip("?")
        if name in wanted:
            found["slots"][name] = patterns.read(wanted[name])
    for step in wanted.get("steps", ()):
        found["steps"].append((step["name"], patterns.read(step["pattern"])))
    try:
        same = write(found) == wanted and len(found["steps"]) <= STEPS
    except Unclear as error:
        raise TooRich(str(error)) from error
    if not same:
        raise TooRich("it says more than the form has fields")
    return found


def difference(before: Mapping[str, Any], after: Mapping[str, Any]
               ) -> dict[str, Any]:
    """Return the merge patch (RFC 7396) that makes one of the other."""
    found: dict[str, Any] = {name: None for name in before
                             if name not in after}
    for name, value in after.items():
        there = before.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            inner = difference(there, value)
            if inner:
                found[name] = inner
        elif name not in before or there != value \
                or isinstance(there, bool) != isinstance(value, bool):
            found[name] = value
    return found
