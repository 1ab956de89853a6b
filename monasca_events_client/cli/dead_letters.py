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

"""``event dead-letter …``: what could not go on; for operators."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import definitions
from monasca_events_client.cli import filters

_SHORT = ("ID", "Last at", "Stage", "Code", "Reason")
_LONG = (*_SHORT[:4], "Project ID", "Position", "Attempts", "Reason")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", metavar="<stage>",
                        help="given up by agent, persister, …")
    parser.add_argument("--code", metavar="<code>", help="given up for this")
    parser.add_argument("--project", metavar="<project>",
                        help="of this project (name or id)")


def _narrowing(which: command.Ours, given: argparse.Namespace
               ) -> dict[str, str | None]:
    return {"stage": given.stage, "code": given.code,
            "project_id": which.project(given.project)}


class ListDeadLetters(command.Lister):
    """List dead letters, oldest first"""

    examples = ("dead-letter list", "dead-letter list --stage persister "
                "--code event_too_large --long")
    floors = {"Reason": 24, "Code": 14}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        _add_filters(parser)
        filters.add_limit(parser)
        parser.add_argument("--long", action="store_true",
                            help="show more columns")
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        found = self.client.dead_letters.list(
            limit=parsed_args.limit or None, **_narrowing(self, parsed_args))
        names = _LONG if parsed_args.long else _SHORT

        def rows() -> Iterator[Sequence[Any]]:
            for one in found:
                values = {
                    "ID": one["id"], "Last at": columns.Moment(
                        one["last_at"]),
                    "Stage": one["stage"], "Code": one["code"],
                    "Project ID": one["project_id"],
                    "Position": one["position"],
                    "Attempts": one["attempts"],
                    "Reason": one["reason"]}
                yield [values[name] for name in names]
            if found.more:
                self.note("there are more; --limit 0 shows all")
        return names, rows()


class ShowDeadLetter(command.ShowOne):
    """Show a dead letter"""

    examples = ("dead-letter show 17",)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("letter", metavar="<dead-letter>",
                            type=filters.number, help="its id")
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        return definitions.shown(
            self.client.dead_letters.get(parsed_args.letter))


class _SomeLetters(command.Ours):
    """A command about letters that are named, or all of a filter."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("letters", metavar="<dead-letter>", nargs="*",
                            type=filters.number, help="ids")
        parser.add_argument("--all", action="store_true",
                            help="all that the filters leave")
        _add_filters(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        letters = parsed_args.letters
        narrowing = _narrowing(self, parsed_args)
        if bool(letters) == parsed_args.all or (
                letters and any(narrowing.values())):
            raise ValueError("give ids, or --all with filters or without")
        done, code = 0, 0
        with self.progress(self.doing) as progress:
            for answer in self.act(letters or None, narrowing):
                done += answer[self.done]
                progress.show(f"{done}", done / len(letters) if letters
                              else None)
                for one in answer.get("failed", ()):
                    self.tell(f"{one['id']}: {one['message']}")
                    code = command.FAILED
                if answer.get("left"):
                    self.tell("what they go to went away; try again later")
                    code = command.LATER
        self.tell(f"{done} {self.done}")
        return code

    doing = done = ""

    def act(self, letters: Sequence[int] | None,
            narrowing: Mapping[str, str | None]) -> Iterator[dict[str, Any]]:
        raise NotImplementedError


class ReplayDeadLetters(_SomeLetters):
    """Send dead letters on their way again"""

    examples = ("dead-letter replay 17 18",
                "dead-letter replay --all --code invalid_timestamp")
    doing, done = "replaying", "replayed"

    def act(self, letters: Sequence[int] | None,
            narrowing: Mapping[str, str | None]) -> Iterator[dict[str, Any]]:
        return self.client.dead_letters.replay(letters, **narrowing)


class PurgeDeadLetters(_SomeLetters):
    """Remove dead letters for good"""

    examples = ("dead-letter purge 17", "dead-letter purge --all --stage "
                "agent")
    doing, done = "purging", "purged"

    def act(self, letters: Sequence[int] | None,
            narrowing: Mapping[str, str | None]) -> Iterator[dict[str, Any]]:
        return self.client.dead_letters.purge(letters, **narrowing)
