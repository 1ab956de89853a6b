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

"""Definitions of triggers: from a tenant's JSON to a compiled rule.

The shapes are those of the API's ``/v1.0/triggers``. A definition is checked
against the schema of its kind first (:func:`check`), then compiled, which
finds what a schema cannot say: patterns, paths, names used twice. The engine
compiles what the catalog holds and does not check it again.
"""

from collections.abc import Callable, Mapping, Sequence
import hashlib

import orjson

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import match
from monasca_events_common.rules import threshold
from monasca_events_common.rules.comparison import Comparison
from monasca_events_common.rules.comparison import OPERATORS
from monasca_events_common.rules.duration import Duration
from monasca_events_common.rules.duration import END
from monasca_events_common.rules.duration import START
from monasca_events_common.rules.firing import OUTCOMES
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.pattern import Pattern
from monasca_events_common.rules.sequence import Steps
from monasca_events_common.rules.sequence import UNLESS
from monasca_events_common.rules.trigger import Rule
from monasca_events_common.rules.trigger import Trigger
from monasca_events_common.rules.window import AGGREGATES
from monasca_events_common.rules.window import COUNT

#: Fields of the canonical form that come before ``traits``.
HEAD_FIELDS = events.FIELDS[:events.FIELDS.index("traits")]

#: Seconds that a window or a deadline may be long.
MAX_SECONDS = 31 * 86400

SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")

_PATTERN = {"type": "object", "minProperties": 1,
            "description": "a pattern over the canonical event"}
_PATH = {"type": "string", "minLength": 1, "maxLength": 512}
_SECONDS = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_SECONDS,
            "description": "seconds"}
_COMPARE = {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [
    {"enum": list(OPERATORS)}, {"type": "number"}],
    "description": 'an operator and a number, such as [">=", 5]'}
_GROUP_BY = {"type": "array", "maxItems": 8, "uniqueItems": True,
             "items": _PATH}
_METHODS = {"type": "array", "maxItems": 10, "uniqueItems": True,
            "items": {"type": "string", "minLength": 1, "maxLength": 64}}
_TIME = {"type": "string", "maxLength": 64,
         "description": "a time such as 2026-01-31T23:59:59Z"}
_STEP_NAME = {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.: -]*$",
              "maxLength": 64, "description": "a name of letters, digits, "
              "_ . : - and blanks"}

#: What every trigger may say, whatever its kind.
COMMON = {
    "name": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": {"type": ["string", "null"], "maxLength": 2000},
    "severity": {"enum": [*SEVERITIES,
                          *(one.lower() for one in SEVERITIES)]},
    "enabled": {"type": "boolean"},
    "dry_run": {"type": "boolean"},
    "group_by": _GROUP_BY,
    "kind": {"enum": []},
    "notify": {"type": "object", "additionalProperties": False,
               "properties": dict.fromkeys(OUTCOMES, _METHODS)},
    "mute": {"type": "array", "maxItems": 20, "items": {
        "type": "object", "additionalProperties": False,
        "required": ["from", "until"],
        "properties": {"from": _TIME, "until": _TIME}}},
    "rate_limit": {"type": ["object", "null"], "additionalProperties": False,
                   "required": ["firings", "seconds"], "properties": {
                       "firings": {"type": "integer", "minimum": 1,
                                   "maximum": 100000},
                       "seconds": _SECONDS}},
}

_STEP = {"type": "object", "additionalProperties": False,
         "required": ["pattern"],
         "properties": {"name": _STEP_NAME, "pattern": _PATTERN,
                        "group_by": _GROUP_BY}}
_AGGREGATE = {"aggregate": {"enum": list(AGGREGATES)}, "field": _PATH}

#: kind → (properties of its own, which of them are required).
KINDS: dict[str, tuple[dict, tuple[str, ...]]] = {
    "match": ({"pattern": _PATTERN}, ("pattern",)),
    "threshold": ({"pattern": _PATTERN, "window": _SECONDS,
                   "sliding": {"type": "boolean"}, **_AGGREGATE,
                   "compare": _COMPARE}, ("pattern", "window", "compare")),
    "sequence": ({"steps": {"type": "array", "minItems": 2, "maxItems": 16,
                            "items": _STEP},
                  "ordered": {"type": "boolean"},
                  "strict": {"type": "boolean"},
                  "quiet": {"type": "boolean"},
                  "within": _SECONDS, "unless": _PATTERN},
                 ("steps", "within")),
    "absence": ({"start": _PATTERN, "expect": _PATTERN, "within": _SECONDS,
                 "unless": _PATTERN}, ("start", "expect", "within")),
    "duration": ({"start": _PATTERN, "end": _PATTERN, "compare": _COMPARE},
                 ("start", "end", "compare")),
    "summary": ({"pattern": _PATTERN, "window": _SECONDS, "aggregates": {
        "type": "object", "minProperties": 1, "maxProperties": 8,
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$"},
        "additionalProperties": {
            "type": "object", "additionalProperties": False,
            "required": ["aggregate"], "properties": _AGGREGATE}}},
        ("pattern", "window", "aggregates")),
}
COMMON["kind"]["enum"] = list(KINDS)


def schema(kind: str) -> dict:
    """Return the JSON Schema of a whole definition of a kind."""
    properties, required = KINDS[kind]
    return {"type": "object", "additionalProperties": False,
            "required": ["name", "kind", *required],
            "properties": {**COMMON, "kind": {"const": kind}, **properties}}


def check(content) -> None:
    """Return when it has the shape of a trigger's definition.

    :raises Rejected: with a sentence that says where and what was expected
    """
    # Only the API checks; the engine's hosts need no validator.
    from monasca_events_common.rules import schema as schemas
    schemas.check({"type": "object", "required": ["name", "kind"],
                   "properties": {"kind": COMMON["kind"]}},
                  content, "trigger")
    schemas.check(schema(content["kind"]), content, "trigger")


def compile(content: Mapping, *, trigger_id: str, project_id: str | None
            ) -> Rule:
    """Return the rule of a checked definition.

    :raises Rejected: a pattern, a path or what they say together is wrong
    """
    paths = _paths(content.get("group_by", ()), "trigger.group_by")
    patterns, groups, make = _COMPILERS[content["kind"]](content, paths)
    looked_at = {path.segments[0] for several in groups.values()
                 for path in several}
    is_ordered = content["kind"] != "match"
    return Rule(
        id=trigger_id, version=generation(content), project_id=project_id,
        name=content["name"],
        severity=content.get("severity", SEVERITIES[0]).upper(),
        patterns=patterns, group_by=groups,
        labels=tuple(one.text for one in paths),
        is_ordered=is_ordered, make=make,
        judge=None if is_ordered else make(),
        needs_all=content["kind"] in ("threshold", "summary")
        or not looked_at.issubset(HEAD_FIELDS),
        needs_head=is_ordered
        or not looked_at.issubset(events.FIELDS[:4]),
        settings={name: content.get(name) for name in (
            "notify", "dry_run", "mute", "rate_limit", "description")})


def generation(content: Mapping) -> str:
    """Return a digest of what a trigger's state depends on.

    A new name or another method leaves the state as it is; another pattern,
    window or group makes it start fresh.
    """
    properties, _ = KINDS[content["kind"]]
    matter = {name: content[name] for name in ("kind", "group_by",
                                               *properties)
              if name in content}
    return hashlib.sha256(orjson.dumps(
        matter, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


_Compiled = tuple[Mapping[str, Pattern], Mapping[str, tuple[Path, ...]],
                  Callable[[], Trigger]]


def _paths(texts: Sequence[str], where: str) -> tuple[Path, ...]:
    return tuple(Path(text, f"{where}[{at}]")
                 for at, text in enumerate(texts))


def _one(content: Mapping, paths: tuple[Path, ...],
         make: Callable[[], Trigger]) -> _Compiled:
    pattern = Pattern(content["pattern"], "trigger.pattern")
    return {"pattern": pattern}, {"pattern": paths}, make


def _match(content: Mapping, paths: tuple[Path, ...]) -> _Compiled:
    return _one(content, paths, match.make)


def _threshold(content: Mapping, paths: tuple[Path, ...]) -> _Compiled:
    aggregate = content.get("aggregate", COUNT)
    field = _field(content, "trigger")
    compare = Comparison(content["compare"], "trigger.compare")
    length = float(content["window"])
    if content.get("sliding", True):
        return _one(content, paths, lambda: threshold.Sliding(
            aggregate, length, field, compare))
    return _one(content, paths, lambda: threshold.Tumbling(
        length, {aggregate: (aggregate, field)}, compare))


def _summary(content: Mapping, paths: tuple[Path, ...]) -> _Compiled:
    aggregates = {
        name: (one["aggregate"], _field(one, f"trigger.aggregates.{name}"))
        for name, one in content["aggregates"].items()}
    length = float(content["window"])
    return _one(content, paths, lambda: threshold.Tumbling(
        length, aggregates, None))


def _field(content: Mapping, where: str) -> Path | None:
    aggregate, text = content.get("aggregate", COUNT), content.get("field")
    if aggregate == COUNT:
        if text is not None:
            raise Rejected(f"{where}.field is given, but count counts "
                           "events; expected no field, or distinct",
                           code="invalid_definition", where=f"{where}.field")
        return None
    if text is None:
        raise Rejected(f"{where} lacks 'field'; expected the path whose "
                       f"{aggregate} is taken", code="invalid_definition",
                       where=f"{where}.field")
    return Path(text, f"{where}.field")


def _sequence(content: Mapping, paths: tuple[Path, ...]) -> _Compiled:
    patterns: dict[str, Pattern] = {}
    groups: dict[str, tuple[Path, ...]] = {}
    for at, step in enumerate(content["steps"]):
        where = f"trigger.steps[{at}]"
        name = step.get("name", f"step {at + 1}")
        if name in patterns or name == UNLESS:
            raise Rejected(f"{where}.name is {name!r}; expected a name that "
                           f"no other step has, and not {UNLESS!r}",
                           code="invalid_definition", where=f"{where}.name")
        patterns[name] = Pattern(step["pattern"], f"{where}.pattern")
        groups[name] = paths
        if "group_by" in step:
            groups[name] = _paths(step["group_by"], f"{where}.group_by")
        if len(groups[name]) != len(paths):
            raise Rejected(
                f"{where}.group_by has {len(groups[name])} paths; expected "
                f"{len(paths)}, one for each of trigger.group_by",
                code="invalid_definition", where=f"{where}.group_by")
    steps = tuple(patterns)
    _unless(content, paths, patterns, groups)
    within = float(content["within"])
    ordered = content.get("ordered", True)
    strict = content.get("strict", False)
    quiet = content.get("quiet", False)
    return patterns, groups, lambda: Steps(
        steps, within, ordered=ordered, strict=strict, absence=quiet)


def _absence(content: Mapping, paths: tuple[Path, ...]) -> _Compiled:
    patterns = {name: Pattern(content[name], f"trigger.{name}")
                for name in ("start", "expect")}
    groups = dict.fromkeys(patterns, paths)
    steps = tuple(patterns)
    _unless(content, paths, patterns, groups)
    within = float(content["within"])
    return patterns, groups, lambda: Steps(steps, within, absence=True)


def _unless(content: Mapping, paths: tuple[Path, ...], patterns: dict,
            groups: dict) -> None:
    if "unless" in content:
        patterns[UNLESS] = Pattern(content["unless"], "trigger.unless")
        groups[UNLESS] = paths


def _duration(content: Mapping, paths: tuple[Path, ...]) -> _Compiled:
    patterns = {name: Pattern(content[name], f"trigger.{name}")
                for name in (START, END)}
    compare = Comparison(content["compare"], "trigger.compare")
    return (patterns, dict.fromkeys(patterns, paths),
            lambda: Duration(compare))


_COMPILERS = {"match": _match, "threshold": _threshold, "summary": _summary,
              "sequence": _sequence, "absence": _absence,
              "duration": _duration}
