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

"""``event timeline``: all about one resource or request on one axis."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from monasca_events_client import errors
from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import filters
from monasca_events_client.cli import spans


class ShowTimeline(command.Pictured, command.ShowOne):
    """Draw what happened to a resource, or in a request, and how long it took

    Starts and ends are paired to bars; what began and was never heard of
    again is marked, and so are firings of triggers, lines of logs, and
    stretches in which nothing happened.
    """

    examples = ("timeline 9a7d1c3e-5a1f-4f7e-9a0e-1f0c5b7f2d11",
                "timeline req-2d0858e9-fe69-4c93-9661-313d5f3002a8",
                "timeline 4711 --since 2d -f json -c spans")
    _found: Mapping[str, Any] = {}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("subject", metavar="<resource|request>",
                            help="id of a resource, or req-… of a request")
        filters.add_time(parser)
        parser.add_argument(
            "--gap", metavar="<time>", type=filters.span,
            help="from which on a silence is marked (a quarter of the time)")
        parser.add_argument(
            "--no-related", dest="related", action="store_false",
            help="leave out what only happened in the same requests")
        filters.add_scope(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        found = self._found = self.client.timeline(
            **{_field(parsed_args.subject): parsed_args.subject},
            gap=parsed_args.gap,
            related=None if parsed_args.related else False,
            **filters.time(parsed_args),
            **filters.scope(parsed_args, self.project))
        for name, one in found["sources"].items():
            if one["error"]:
                self.note(f"{name} could not be asked: {one['error']}")
        if not any(found.get(name) for name in ("events", "firings",
                                                "logs")):
            raise errors.NotFound(
                f"nothing is known of {_title(parsed_args.subject)}; check "
                "the id, --since and the project", status=404)
        if found["truncated"]:
            self.note("there is more than is shown here; --since and --until "
                      "narrow the time")
        return tuple(found), [
            columns.Document(value) if isinstance(value, (dict, list))
            else value for value in found.values()]

    def draw(self, parsed_args: argparse.Namespace) -> Iterable[str]:
        return spans.draw(_title(parsed_args.subject), self._found,
                          self.room())


def _field(subject: str) -> str:
    return "request_id" if subject.startswith("req-") else "resource_id"


def _title(subject: str) -> str:
    return f"{_field(subject).partition('_')[0]} {subject}"
