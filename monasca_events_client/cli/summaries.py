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

"""``event type list``, ``event trait list``, ``event stats``: how many."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client.cli import bars
from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import filters
from monasca_events_client.cli import moments
from monasca_events_client.cli import printable

_NONE = "none"


class ListTypes(command.Lister):
    """List event types and how many events of each there are"""

    examples = ("type list", "type list --since 1d --type 'volume.*'",
                "type list -f value -c Type")
    floors = {"Type": 24}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        filters.add_time(parser)
        filters.add_quick(parser)
        filters.add_scope(parser)
        filters.add_fields(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        found = self.client.events.types(
            **filters.of_events(parsed_args, self.project))
        if found["truncated"]:
            self.note(f"these are the {len(found['types'])} most frequent "
                      "types; --type or --since shows others")
        return ("Type", "Count"), (
            (one["event_type"], one["count"]) for one in found["types"])


class ListTraits(command.Lister):
    """List traits, which --trait can ask for, and their types"""

    examples = ("trait list --type compute.instance.create.end",
                "trait list")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--type", metavar="<type>",
                            help="of events of this type; of all by default")
        filters.add_scope(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        found = self.client.events.traits(
            event_type=parsed_args.type,
            **filters.scope(parsed_args, self.project))
        return ("Name", "Type"), (
            (one["name"], one["type"]) for one in found["traits"])


class ShowStatistics(command.Pictured, command.Lister):
    """Count events by time and by group; drawn as bars"""

    examples = (
        "stats", "stats --since 7d --by priority",
        "stats --type compute.instance.create.end --since 7d --interval 1d "
        "--by traits.flavor",
        "stats --interval none --by event_type --since 30d",
        "stats --since 2h --interval 5m -f json")
    _found: Mapping[str, Any] = {}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        filters.add_time(parser, default="1d")
        parser.add_argument(
            "--interval", metavar="<time>", default="auto",
            help="seconds of one bar, or 5m, 1h, 1d; none for all in one "
                 "(chosen to fit)")
        parser.add_argument(
            "--by", metavar="<field>",
            help="tell groups apart: event_type, priority, resource_type, "
                 "traits.NAME, …")
        filters.add_quick(parser)
        filters.add_scope(parser)
        filters.add_fields(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        found = self._found = self.client.events.statistics(
            interval=_interval(parsed_args), by=parsed_args.by,
            **filters.of_events(parsed_args, self.project))
        if found["truncated"]:
            self.note("not all groups are told apart: there are more")
        names = ("Start", "Count", *(("Groups",) if parsed_args.by else ()))
        return names, ([
            columns.Moment(one["start"]), one["count"],
            *([columns.Pairs(one["groups"])] if parsed_args.by else ())]
            for one in found["buckets"])

    def draw(self, parsed_args: argparse.Namespace) -> Iterable[str]:
        buckets = self._found["buckets"]
        interval = self._found["interval"]
        total = sum(one["count"] for one in buckets)
        until = parsed_args.until or moments.moment("now")
        yield (f"{total} events from {moments.shown(parsed_args.since)} to "
               f"{moments.shown(until)} UTC"
               + (f", by {moments.duration(interval)}" if interval else ""))
        if interval is None:
            rows = [bars.Row(printable.cut(printable.escape(name), 40), count)
                    for one in buckets
                    for name, count in one["groups"].items()]
        else:
            rows = [bars.Row(bars.label(one["start"], interval),
                             one["count"], one["groups"])
                    for one in bars.filled(buckets, interval,
                                       parsed_args.since, until)]
        if rows:
            yield ""
        yield from bars.histogram(rows, self.room())


def _interval(given: argparse.Namespace) -> int | None:
    if given.interval == _NONE:
        return None
    if given.interval == "auto":
        return bars.interval(filters.whole(given.since, given.until)
                             .total_seconds())
    return moments.seconds(given.interval)
