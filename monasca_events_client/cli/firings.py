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

"""``event firing …``, ``event trigger firings``: what triggers did."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client import errors
from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import filters
from monasca_events_client.cli import printable
from monasca_events_client.cli.rules import OUTCOMES
from monasca_events_client.pages import Pages

_SHORT = ("At", "Trigger", "Outcome", "Deliveries", "Key", "ID")
_LONG = ("At", "Trigger", "Severity", "Outcome", "Deliveries", "Key",
         "Reason", "Events", "Project ID", "Trigger ID", "ID")
_FLOORS = {"ID": 8, "Key": 14, "Trigger": 14, "Deliveries": 10}


class ListFirings(command.Lister):
    """List what triggers did, newest first"""

    examples = ("firing list --since 1d", "firing list --outcome missed",
                "firing list --trigger 'instance stuck' --long")
    floors = _FLOORS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--trigger", metavar="<trigger>",
                            action="append", default=[],
                            help="of this trigger (name or id); repeatable")
        _add_filters(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        scope = filters.scope(parsed_args, self.project)
        return _listed(self, parsed_args, self.client.firings.list(
            trigger_id=[trigger_id(self, one, scope)
                        for one in parsed_args.trigger],
            outcome=parsed_args.outcome, limit=parsed_args.limit or None,
            **filters.time(parsed_args), **scope))


class ListTriggerFirings(command.Lister):
    """List what one trigger did, newest first

    Also of one that was deleted, by its id.
    """

    examples = ("trigger firings 'instance stuck' --since 7d",)
    floors = _FLOORS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("trigger", metavar="<trigger>",
                            help="name or id")
        _add_filters(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        scope = filters.scope(parsed_args, self.project)
        return _listed(self, parsed_args, self.client.triggers.firings(
            trigger_id(self, parsed_args.trigger, scope),
            outcome=parsed_args.outcome, limit=parsed_args.limit or None,
            **filters.time(parsed_args), **scope))


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--outcome", action="append", choices=OUTCOMES,
                        help="fired, missed or recovered; repeatable")
    filters.add_time(parser)
    filters.add_limit(parser)
    parser.add_argument("--long", action="store_true",
                        help="show more columns")
    filters.add_scope(parser)


def trigger_id(which: command.Ours, name: str, scope: Mapping[str, Any]
               ) -> str:
    """Return the id of a trigger, or what was given where none is there.

    Firings outlive their trigger, and some have none but a name.
    """
    try:
        return which.client.triggers.find(name, **scope)["id"]
    except errors.NotFound:
        return name


def _listed(which: command.Lister, given: argparse.Namespace, found: Pages
            ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    names = _LONG if given.long else _SHORT

    def rows() -> Iterator[Sequence[Any]]:
        for one in found:
            values = _values(one)
            yield [values[name] for name in names]
        if found.more:
            which.note("there are more; --limit 0 shows all")
    return names, rows()


def _values(firing: Mapping[str, Any]) -> dict[str, Any]:
    """Return column → value."""
    return {
        "At": columns.Moment(firing["at"]),
        "Trigger": firing["trigger_name"], "Severity": firing["severity"],
        "Outcome": firing["outcome"],
        "Deliveries": columns.Told(firing["deliveries"],
                                   _brief(firing["deliveries"])),
        "Key": columns.Told(firing["key"], "\n".join(
            printable.compact(one) for one in firing["key"].values())),
        "Reason": firing["reason"],
        "Events": columns.Lines(firing["event_ids"]),
        "Project ID": firing["project_id"],
        "Trigger ID": firing["trigger_id"], "ID": firing["firing_id"]}


def _brief(deliveries: Sequence[Mapping[str, Any]]) -> str:
    """Return how many deliveries are in which state."""
    counts: dict[str, int] = {}
    for one in deliveries:
        counts[one["status"]] = counts.get(one["status"], 0) + 1
    return "\n".join(status if count == 1 else f"{count} {status}"
                     for status, count in counts.items())


class _OneFiring(command.Ours):
    """A command about one firing."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("firing", metavar="<firing>",
                            help="id of a firing, or its beginning")
        parser.add_argument(
            "--trigger", metavar="<trigger>",
            help="its trigger (name or id); otherwise it is looked for in "
                 "the list")
        return parser

    def find(self, given: argparse.Namespace, scope: Mapping[str, Any]
             ) -> tuple[str, str]:
        """Return the ids of trigger and firing."""
        if given.trigger:
            found = trigger_id(self, given.trigger, scope)
            if len(given.firing) == 36:
                return found, given.firing
            scope = {**scope, "trigger_id": found}
        one = self.client.firings.find(given.firing, **scope)
        return one["trigger_id"], one["firing_id"]


class ShowFiring(_OneFiring, command.ShowOne):
    """Show a firing, its event and what became of its deliveries"""

    examples = ("firing show 0b5c72aa",
                "firing show 0b5c72aa --trigger 'instance stuck' -f json")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        filters.add_scope(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        scope = filters.scope(parsed_args, self.project)
        found = self.client.firings.get(*self.find(parsed_args, scope),
                                        **scope)
        kinds = {"key": columns.Pairs, "at": columns.Moment,
                 "event_ids": columns.Lines, "event": columns.Document,
                 "values": columns.Document}
        return tuple(found), [
            columns.Told(value, "\n".join(map(_delivery, value)))
            if name == "deliveries"
            else kinds.get(name, lambda value: value)(value)
            for name, value in found.items()]


def _delivery(one: Mapping[str, Any]) -> str:
    parts = [one["status"], one["action"], f"to {one['method_id']}"]
    if one.get("attempts"):
        parts.append(f"after {one['attempts']} attempt"
                     + ("" if one["attempts"] == 1 else "s"))
    if one.get("last_error"):
        parts.append(f"({one['last_error']})")
    return " ".join(map(str, parts))


class RedeliverFiring(_OneFiring):
    """Have deliveries of a firing tried again

    Those that were given up or cancelled, or the ones that are named.
    """

    examples = ("firing redeliver 0b5c72aa",
                "firing redeliver 0b5c72aa --delivery 77f0a1c2-…")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--delivery", metavar="<id>", action="append",
                            help="this delivery, also where it was "
                                 "delivered; repeatable")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        found = self.client.firings.redeliver(
            *self.find(parsed_args, {}), parsed_args.delivery)
        if not found:
            self.note("no delivery of it was given up or cancelled; "
                      "--delivery names one that was delivered")
        for one in found:
            self.app.stdout.write(f"{one}\n")


class CancelFiring(_OneFiring):
    """Leave undone what still waits to be delivered of a firing"""

    examples = ("firing cancel 0b5c72aa",)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        for one in self.client.firings.cancel(*self.find(parsed_args, {})):
            self.app.stdout.write(f"{one}\n")
