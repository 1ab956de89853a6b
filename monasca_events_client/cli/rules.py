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

"""Options that make, or change, what a trigger says."""

import argparse
from typing import Any

from monasca_events_client.cli import documents
from monasca_events_client.cli import filters
from monasca_events_client.cli import moments
from monasca_events_client.client import Client

OUTCOMES = ("fired", "missed", "recovered")

_OPERATORS = {">": ">", ">=": ">=", "<": "<", "<=": "<="}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of what all kinds of triggers have."""
    parser.add_argument("--description", metavar="<text>",
                        help="for people")
    parser.add_argument("--severity", metavar="<severity>",
                        type=str.upper,
                        choices=("LOW", "MEDIUM", "HIGH", "CRITICAL"),
                        help="low, medium, high or critical")
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--enable", dest="enabled", action="store_true",
                       default=None, help="let it judge events")
    state.add_argument("--disable", dest="enabled", action="store_false",
                       default=None, help="keep it, and let it judge nothing")
    run = parser.add_mutually_exclusive_group()
    run.add_argument("--dry-run", dest="dry_run", action="store_true",
                     default=None, help="record what it finds, tell nobody")
    run.add_argument("--no-dry-run", dest="dry_run", action="store_false",
                     default=None, help="tell of what it finds")
    parser.add_argument(
        "--group-by", metavar="<path>", action="append",
        help="judge each value of this path by itself, such as resource_id "
             "or traits.host; repeat it for combinations")
    parser.add_argument(
        "--notify", metavar="[<outcome>=]<method>", action="append",
        default=[],
        help="tell this notification method (name or id) of an outcome, "
             "fired, missed or recovered (what the kind of trigger is for); "
             "repeatable")
    parser.add_argument("--within", metavar="<time>", type=filters.span,
                        help="time of an absence or a sequence: 90s, 15m")
    parser.add_argument(
        "--rate-limit", metavar="<firings>/<time>",
        help="deliver so many in that time at most, such as 10/1h")
    parser.add_argument(
        "--mute", metavar="<from>/<until>", action="append",
        help="deliver nothing between two times, ISO 8601")


def fields(given: argparse.Namespace, client: Client) -> dict[str, Any]:
    """Return the fields of a trigger that options set."""
    found: dict[str, Any] = {
        name: getattr(given, name)
        for name in ("description", "severity", "enabled", "dry_run",
                     "group_by", "within")
        if getattr(given, name) is not None}
    if given.rate_limit is not None:
        firings, sign, span = given.rate_limit.partition("/")
        if not sign or not firings.isdecimal():
            raise ValueError(f"--rate-limit {given.rate_limit!r}; "
                             "expected FIRINGS/TIME, such as 10/1h")
        found["rate_limit"] = {"firings": int(firings),
                               "seconds": moments.seconds(span)}
    if given.mute is not None:
        found["mute"] = [_muted(one) for one in given.mute]
    notify: dict[str, list[str]] = {}
    for text in given.notify:
        outcome, method_id = notified(text, client, _outcomes(given))
        for one in outcome.split(","):
            notify.setdefault(one, []).append(method_id)
    if notify:
        found["notify"] = notify
    return found


def _outcomes(given: argparse.Namespace) -> str:
    """Return what a method is told of where nothing is said."""
    if getattr(given, "template", None) or given.within is not None:
        return "missed,recovered"
    return "fired"


def notified(text: str, client: Client, default: str | None = None
             ) -> tuple[str, str | None]:
    """Return outcome and method id of an option.

    :param default: the outcome where only a method is named; without it a
        bare word is an outcome, and the method None
    """
    head, sign, rest = text.partition("=")
    if not sign:
        if default is None:
            outcome, method = head, None
        else:
            outcome, method = default, head
    else:
        outcome, method = head, rest
    for one in outcome.split(","):
        if one not in OUTCOMES:
            raise ValueError(f"--notify {text!r}: {one!r} is no "
                             f"outcome; expected {', '.join(OUTCOMES)}")
    if method is None:
        return outcome, None
    return outcome, client.notification_methods.find(method)["id"]


def _muted(text: str) -> dict[str, str]:
    begin, sign, end = text.partition("/")
    if not sign:
        raise ValueError(f"--mute {text!r}; expected FROM/UNTIL, such "
                         "as 2026-12-24T12:00Z/2026-12-27T06:00Z")
    return {"from": moments.moment(begin), "until": moments.moment(end)}


def pattern(given: argparse.Namespace) -> dict[str, Any]:
    """Return the pattern that filters stand for, empty where there are none.
    """
    if given.word or given.filter:
        raise ValueError("--word and --filter search only; a trigger "
                         "takes --type, --trait and the others")
    found: dict[str, Any] = {}
    for field in filters.FIELD_NAMES:
        values = getattr(given, f"field_{field}") or ()
        if values:
            found[field] = [_leaf(one) for one in values]
    traits: dict[str, list[Any]] = {}
    for text in given.trait:
        name, wanted = _trait(text)
        traits.setdefault(name, []).append(wanted)
    dimensions: dict[str, list[Any]] = {}
    for text in given.dimension:
        name, sign, rest = text.partition("=")
        dimensions.setdefault(name, []).append(
            _leaf(rest) if sign else {"exists": True})
    for name, some in (("traits", traits), ("dimensions", dimensions)):
        if some:
            found[name] = some
    return found


def _leaf(text: str) -> Any:
    if text == "*":
        return {"exists": True}
    if text.endswith("*") and "*" not in text[:-1]:
        return {"prefix": text[:-1]}
    return {"wildcard": text} if "*" in text else text


def _trait(text: str) -> tuple[str, Any]:
    """Return the name of a trait and a leaf of a pattern."""
    name, sign, wanted = filters.split_trait(text)
    if sign in ("", "!"):
        return name, {"exists": sign == ""}
    value = documents.typed(wanted)
    if sign in _OPERATORS:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"--trait {text!r}: {wanted!r} is no "
                             "number")
        return name, {"numeric": [_OPERATORS[sign], value]}
    if sign == "!=":
        return name, {"anything-but": [value]}
    return name, _leaf(wanted) if isinstance(value, str) else value
