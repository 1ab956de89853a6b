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

"""``event list``, ``event show``: finding events."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client import errors
from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import documents
from monasca_events_client.cli import filters
from monasca_events_client.pages import Pages

_SHORT = ("Time", "Type", "Resource ID", "ID")
_LONG = ("Time", "Priority", "Type", "Resource type", "Resource ID",
         "Publisher", "User ID", "Request ID", "ID")

#: Column → what it shows.
_VALUES = {
    "Time": lambda event: columns.Moment(event["timestamp"]),
    "Type": lambda event: event["event_type"],
    "Priority": lambda event: event["priority"],
    "Resource type": lambda event: event["resource_type"],
    "Resource ID": lambda event: event["resource_id"],
    "Publisher": lambda event: event["publisher_id"],
    "User ID": lambda event: event["user_id"],
    "Request ID": lambda event: event["request_id"],
    "Project ID": lambda event: event["project_id"],
    "ID": lambda event: event["event_id"],
}

#: Field → how people see it; the others as they are.
_FIELDS = {"traits": columns.Pairs, "dimensions": columns.Pairs,
           "payload": columns.Document, "marks": columns.Document}

_DIRECTIONS = {"asc": "timestamp:asc", "desc": "timestamp:desc"}


class ListEvents(command.Lister):
    """List events, newest first"""

    examples = (
        "list --since 1h",
        "list --type 'compute.instance.*' --priority error --since 2d",
        "list --resource 9a7d1c3e-… --sort asc --limit 0",
        "list --trait 'memory_mb>=4096' --trait state=active --long",
        "list --word spawning --word compute-24 -f json",
        "list --all-projects --quick -f csv > events.csv")
    floors = {"ID": 8, "Project ID": 10, "User ID": 8, "Request ID": 13,
              "Resource ID": 13, "Publisher": 13, "Type": 24}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        filters.add_time(parser)
        filters.add_quick(parser)
        parser.add_argument(
            "--sort", choices=(*_DIRECTIONS, *_DIRECTIONS.values()),
            default="desc", metavar="<order>",
            help="asc for the oldest first, desc for the newest (desc)")
        filters.add_limit(parser)
        parser.add_argument("--long", action="store_true",
                            help="show more columns")
        filters.add_scope(parser)
        filters.add_fields(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        found = self.client.events.list(
            limit=parsed_args.limit or None,
            page_size=None if parsed_args.limit
            else self.client.version()["limits"]["max_page"],
            sort=_DIRECTIONS.get(parsed_args.sort, parsed_args.sort),
            **filters.of_events(parsed_args, self.project))
        names = _LONG if parsed_args.long else _SHORT
        if parsed_args.all_projects:
            names = (*names[:-1], "Project ID", names[-1])
        return names, self._rows(found, names)

    def _rows(self, found: Pages, names: Sequence[str]
              ) -> Iterator[Sequence[Any]]:
        with self.progress("reading events") as progress:
            for number, event in enumerate(found, 1):
                progress.show(f"{number}")
                yield [_VALUES[name](event) for name in names]
        if found.more:
            self.note("there are more events; --limit 0 shows all, a filter "
                      "fewer")


class ShowEvent(command.ShowOne):
    """Show an event"""

    examples = ("show 884a19fd-9158-5b9d-847b-50f09a0fa778",
                "show 884a19fd", "show 884a19fd -f json -c payload")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("event", metavar="<event>",
                            help="id of an event, or its beginning")
        filters.add_scope(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        event = find(self, parsed_args.event,
                     filters.scope(parsed_args, self.project))
        return tuple(event), [_FIELDS.get(name, lambda value: value)(value)
                              for name, value in event.items()]


def find(which: command.Ours, event_id: str,
         scope: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the event of an id, or of the beginning of one.

    :param which: the command that asks
    :param scope: whose it may be
    :raises NotFound: there is none
    :raises Conflict: it is the beginning of several
    """
    given = dict(scope or {})
    try:
        return which.client.events.get(event_id, **given)
    except errors.NotFound:
        if len(event_id) >= 36:
            raise
    found = list(which.client.events.list(
        event_id=f"prefix:{event_id}", limit=2, **given))
    if not found:
        raise errors.NotFound(f"there is no event {event_id!r}", status=404)
    if len(found) > 1:
        raise errors.Conflict(
            f"{event_id!r} begins more than one event's id", status=409,
            code="ambiguous")
    return found[0]


def add_one(parser: argparse.ArgumentParser) -> None:
    """Add the options that say on which event something is tried."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--event", metavar="<event>",
                        help="id of a stored event, or its beginning")
    source.add_argument("--event-file", metavar="<file>",
                        help="file of an event, JSON or YAML")
    source.add_argument("--type", metavar="<type>",
                        help="an event of this type")
    parser.add_argument("--resource", metavar="<id>",
                        help="resource id of that event")
    parser.add_argument("--trait", metavar="<name>=<value>",
                        action="append", default=[],
                        help="trait of that event")


def one(which: command.Ours, given: argparse.Namespace) -> dict[str, Any]:
    """Return ``event_id`` or ``event`` for the client.

    :param which: the command that asks
    """
    if given.event:
        return {"event_id": find(which, given.event)["event_id"]}
    if given.event_file:
        return {"event": documents.load_object(given.event_file)}
    event: dict[str, Any] = {"event_type": given.type}
    if given.resource:
        event["resource_id"] = given.resource
    if given.trait:
        event["traits"] = documents.traits(given.trait)
    return {"event": event}
