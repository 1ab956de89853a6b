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

"""Options that say which events are meant, and what the API is asked."""

import argparse
from collections.abc import Callable, Sequence
import datetime
import re
from typing import Any

from monasca_events_client.cli import moments

#: Words before a colon that the API takes for operators.
_OPERATORS = frozenset(("eq", "ne", "gt", "gte", "lt", "lte", "prefix",
                        "exists"))

#: option → (field, metavar, what it is)
_FIELDS = {
    "type": ("event_type", "<type>", "event type, such as "
             "compute.instance.create.end or compute.*"),
    "resource": ("resource_id", "<id>", "id of a resource"),
    "resource-type": ("resource_type", "<type>", "type of a resource, such "
                      "as compute.instance"),
    "user": ("user_id", "<id>", "id of a user"),
    "domain": ("domain_id", "<id>", "id of a domain"),
    "request": ("request_id", "<id>", "request id, req-…"),
    "global-request": ("global_request_id", "<id>", "global request id"),
    "priority": ("priority", "<priority>", "DEBUG, INFO, WARN, ERROR, …"),
    "publisher": ("publisher_id", "<id>", "who sent it, such as "
                  "compute.host-1"),
    "source": ("source", "<source>", "by which road it came: notification, "
               "api, engine, …"),
    "id": ("event_id", "<id>", "id of an event"),
}

#: The fields of the options, in their order.
FIELD_NAMES: Sequence[str] = tuple(field for field, *_ in _FIELDS.values())

_TRAIT = re.compile(r"(!?)([A-Za-z_][A-Za-z0-9_.\-]*?)"
                    r"(?:(!=|>=|<=|=|>|<)(.*))?\Z", re.DOTALL)

_COMPARISONS = {">": "gt:", ">=": "gte:", "<": "lt:", "<=": "lte:",
                "!=": "ne:"}


def add_fields(parser: argparse.ArgumentParser) -> None:
    """Add the filters that narrow by what an event says."""
    group = parser.add_argument_group(
        "filters", "Different options narrow, the same one again widens. A "
        "* at the end of a value stands for any rest.")
    for option, (field, metavar, what) in _FIELDS.items():
        group.add_argument(f"--{option}", dest=f"field_{field}",
                           action="append", metavar=metavar, help=what)
    group.add_argument(
        "--trait", action="append", default=[], metavar="<name>=<value>",
        help="trait with this value; also NAME!=VALUE, NAME>VALUE, >=, <, "
             "<=, NAME where there is any, !NAME where there is none (quote "
             "it for the shell)")
    group.add_argument(
        "--dimension", action="append", default=[], metavar="<name>=<value>",
        help="dimension with this value")
    group.add_argument(
        "--word", action="append", default=[], metavar="<word>",
        help="word of the payload, the type, traits, dimensions or ids; all "
             "that are given must occur")
    group.add_argument(
        "--filter", action="append", default=[], metavar="<name>=<value>",
        help="any parameter of the API as it is, such as priority=ne:INFO")


def add_time(parser: argparse.ArgumentParser, default: str | None = None
             ) -> None:
    """Add the filters that narrow by time."""
    text = f" ({default})" if default else ""
    parser.add_argument(
        "--since", metavar="<time>", default=default, type=_moment,
        help=f"from this time on: 1h, 2d ago, or ISO 8601 in UTC{text}")
    parser.add_argument(
        "--until", metavar="<time>", type=_moment,
        help="before this time")


def add_quick(parser: argparse.ArgumentParser) -> None:
    """Add what narrows to the newest period."""
    parser.add_argument(
        "--quick", action="store_true",
        help="look at the newest period of the store only, which is cheap "
             "and may miss what is older")


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Add whose things are meant."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--project", metavar="<project>",
                       help="of another project (name or id); administrators")
    group.add_argument("--all-projects", action="store_true",
                       help="of all projects; administrators")


def add_limit(parser: argparse.ArgumentParser, default: int = 100) -> None:
    """Add how many are shown."""
    parser.add_argument(
        "--limit", metavar="<number>", type=number, default=default,
        help=f"show so many at most, 0 for all ({default})")


def of_events(given: argparse.Namespace, project: Callable
              ) -> dict[str, Any]:
    """Return the client's filters of some options.

    :param project: returns the id of a project's name
    """
    found: dict[str, Any] = {
        field: [value(one) for one in getattr(given, f"field_{field}") or ()]
        for field, *_ in _FIELDS.values()}
    found = {field: values for field, values in found.items() if values}
    if "priority" in found:
        found["priority"] = [one.upper() if one == one.lower() else one
                             for one in found["priority"]]
    traits: dict[str, list[str]] = {}
    for text in given.trait:
        name, wanted = trait(text)
        traits.setdefault(name, []).append(wanted)
    dimensions: dict[str, list[str]] = {}
    for text in given.dimension:
        name, sign, rest = text.partition("=")
        dimensions.setdefault(name, []).append(
            value(rest) if sign else "exists:true")
    for text in given.filter:
        name, sign, rest = text.partition("=")
        if not sign:
            raise ValueError(f"--filter {text!r} has no =; expected "
                             "NAME=VALUE")
        found.setdefault(name, [])
        found[name].append(rest)
    return {**found, "traits": traits, "dimensions": dimensions,
            "words": given.word, **time(given),
            "quick": getattr(given, "quick", False),
            **scope(given, project)}


def time(given: argparse.Namespace) -> dict[str, str]:
    """Return ``since`` and ``until`` where they are given.

    ``--since 1h`` means the same moment for every request of a command.
    """
    return {name: getattr(given, name) for name in ("since", "until")
            if getattr(given, name, None) is not None}


def scope(given: argparse.Namespace, project: Callable) -> dict[str, Any]:
    """Return whose things are asked for."""
    if getattr(given, "all_projects", False):
        return {"all_projects": True}
    named = getattr(given, "project", None)
    return {"project_id": project(named)} if named else {}


def value(text: str) -> str:
    """Return one value of a field as the API reads it."""
    if text == "*":
        return "exists:true"
    if "*" in text[:-1]:
        raise ValueError(f"{text!r}: a * may stand at the end only")
    if text.endswith("*"):
        return f"prefix:{text[:-1]}"
    if text.partition(":")[0] in _OPERATORS:
        return f"eq:{text}"
    return text


def split_trait(text: str) -> tuple[str, str, str]:
    """Return name, sign and value of ``--trait``.

    :return: the sign is empty where the trait is to be there at all, ``!``
        where it is not to be
    :raises ValueError: it is no such thing
    """
    found = _TRAIT.match(text)
    if not found or (found[1] and found[3]):
        raise ValueError(f"--trait {text!r}; expected NAME=VALUE, "
                         "NAME!=VALUE, NAME>VALUE, NAME or !NAME")
    return found[2], found[3] or found[1], found[4] or ""


def trait(text: str) -> tuple[str, str]:
    """Return the name of a trait and what the API is asked of it."""
    name, sign, wanted = split_trait(text)
    if sign in ("", "!"):
        return name, f"exists:{'false' if sign else 'true'}"
    if sign == "=":
        return name, value(wanted)
    return name, _COMPARISONS[sign] + wanted


def _moment(text: str) -> str:
    return _typed(moments.moment, text)


def span(text: str) -> int:
    """Return seconds, for argparse."""
    return _typed(moments.seconds, text)


def number(text: str) -> int:
    """Return a number that is not below zero, for argparse."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _typed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole(since: str, until: str | None) -> datetime.timedelta:
    """Return the time between two moments, the second being now by default."""
    end = datetime.datetime.now(datetime.timezone.utc) if until is None \
        else datetime.datetime.fromisoformat(until)
    return end - datetime.datetime.fromisoformat(since)
