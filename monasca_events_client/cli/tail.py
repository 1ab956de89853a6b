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

"""``event tail``: events as they come."""

import argparse
from collections.abc import Mapping
import json
from typing import Any

from monasca_events_client.cli import command
from monasca_events_client.cli import documents
from monasca_events_client.cli import filters
from monasca_events_client.cli import printable

#: Traits at the end of a line, at most.
_TRAITS = 6


class TailEvents(command.Ours):
    """Show events as they come, until Ctrl-C

    A connection that breaks is made again, and what came meanwhile is shown.
    """

    examples = ("tail", "tail --type 'compute.*' --priority error",
                "tail --lines 20 --trait state=error",
                "tail --pattern '{\"traits\": {\"memory_mb\": "
                "[{\"numeric\": [\">\", 4096]}]}}'",
                "tail -f json | jq .payload")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "-f", "--format", choices=("line", "json"), default="line",
            help="a line for people, or the event as JSON in one line (line)")
        parser.add_argument(
            "--lines", metavar="<number>", type=filters.number, default=10,
            help="events of before that are shown first (10)")
        parser.add_argument(
            "--count", metavar="<number>", type=filters.number,
            help="end after so many new events")
        parser.add_argument(
            "--pattern", metavar="<json>",
            help="a pattern as triggers have them; @FILE reads a file")
        filters.add_scope(parser)
        filters.add_fields(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        given = filters.of_events(parsed_args, self.project)
        pattern = {} if parsed_args.pattern is None else {
            "pattern": json.dumps(documents.value(parsed_args.pattern))}
        stream = self.client.stream(gap=self._tell, **given, **pattern)
        # First, so that nothing lies between what was and what comes.
        stream.open()
        shown = set()
        # What was before is not found by patterns.
        if parsed_args.lines and not pattern:
            for event in self._before(parsed_args.lines, given):
                shown.add(event["event_id"])
                self._show(event, parsed_args)
        left = parsed_args.count
        events = iter(stream)
        while left is None or left > 0:
            event = next(events)
            if event["event_id"] not in shown:
                self._show(event, parsed_args)
                left = None if left is None else left - 1

    def _before(self, number: int, given: Mapping[str, Any]
                ) -> list[dict[str, Any]]:
        """Return the last events, the oldest first.

        What came just before the stream was opened may not be stored yet,
        and no search finds it; the API remembers it.
        """
        events = self.client.events
        found: dict[str, dict[str, Any]] = {}
        for some in (events.list(limit=number, **given),
                     events.recent(limit=number, **given)):
            for one in reversed(list(some)):
                found.setdefault(one["event_id"], one)
        return sorted(found.values(), key=lambda one: one["timestamp"]
                      )[-number:]

    def _tell(self, gap: Mapping[str, Any]) -> None:
        missed = gap.get("missed")
        self.tell("events were left out here"
                  + (f", up to {missed}" if missed else "")
                  + "; 'openstack event list' has them")

    def _show(self, event: dict[str, Any], given: argparse.Namespace
              ) -> None:
        if given.format == "json":
            text = json.dumps(event)
        else:
            text = line(event)
            cells = self.width()
            if cells:
                text = printable.cut(text, cells)
        self.app.stdout.write(text + "\n")
        self.app.stdout.flush()


def line(event: dict[str, Any]) -> str:
    """Return an event in one line, safe for a terminal."""
    resource = "/".join(filter(None, (event.get("resource_type"),
                                      event.get("resource_id"))))
    traits = [f"{name}={printable.compact(value)}" for name, value
              in list((event.get("traits") or {}).items())[:_TRAITS]]
    return printable.escape("  ".join(filter(None, (
        event["timestamp"][:23].replace("T", " "),
        f"{event.get('priority') or '':5}", event["event_type"], resource,
        " ".join(traits)))))
