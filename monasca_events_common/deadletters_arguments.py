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


"""The command line of ``monasca-events-dead-letters``."""

import argparse
from collections.abc import Sequence

from monasca_events_common import command_line

PROG = "monasca-events-dead-letters"

DESCRIPTION = """\
Look at what could not be delivered, and deliver or forget it. Letters keep
the raw bytes, the stage that gave up, the reason and the position."""

EPILOG = f"""\
examples:
  {PROG} list --stage persister --code forged_record
  {PROG} show 17
  {PROG} replay 17 18
  {PROG} replay --stage agent --all
  {PROG} purge --code not_json --all
  {PROG} resume persister

Stages are agent, poster, persister and engine. Letters of agent and poster
want to be replayed on the agent's host, with its configuration file."""

_EXAMPLES = {
    "list": ("--stage persister --limit 20", "--code forged_record --json"),
    "show": ("17",),
    "replay": ("17 18", "--stage agent --code field_too_large --all"),
    "purge": ("17", "--project-id 63596a868ac94ead8fba1e8982ac7bfb --all"),
    "resume": ("persister",),
}


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return what the command line says; end the process where it is wrong.

    ``config`` holds the arguments for :func:`monasca_events_common.config
    .load`, ``action`` the action's name, the rest is the action's own.
    """
    parser = command_line.Parser(PROG, description=DESCRIPTION,
                                 epilog=EPILOG)
    command_line.add_config(parser)
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, title="actions",
        description="ACTION --help tells the options of each.")
    _add_list(actions)
    _add(actions, "show", "everything of some letters, as JSON").add_argument(
        "ids", type=_number, nargs="+", metavar="ID")
    _add_choice(_add(actions, "replay",
                     "send letters again, and forget those that went"))
    _add_choice(_add(actions, "purge", "forget letters"))
    _add(actions, "resume", "let a stage go on whose breaker tripped"
         ).add_argument("stage", metavar="STAGE", help="such as persister")
    given = parser.parse_args(argv)
    _check_choice(parser, given)
    given.config = command_line.config_arguments(given)
    return given


def _add(actions, name: str, what: str) -> argparse.ArgumentParser:
    lines = [f"  {PROG} {name} {one}" for one in _EXAMPLES[name]]
    return actions.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}.",
        epilog="\n".join(["examples:", *lines]))


def _add_list(actions) -> None:
    one = _add(actions, "list", "which letters there are, oldest first")
    _add_filters(one)
    one.add_argument("--limit", type=_number, default=100, metavar="N",
                     help="letters shown at most (default: %(default)s)")
    one.add_argument("--json", action="store_true",
                     help="everything of each letter, one object a line")


def _add_choice(parser) -> None:
    parser.add_argument("ids", type=_number, nargs="*", metavar="ID")
    parser.add_argument("--all", action="store_true",
                        help="every letter that the filters leave")
    _add_filters(parser)


def _add_filters(parser) -> None:
    parser.add_argument("--stage", help="letters of one stage: agent, poster, "
                                        "persister or engine")
    parser.add_argument("--project-id", metavar="ID",
                        help="letters of one project")
    parser.add_argument("--code", help="letters with one reason code")


def _check_choice(parser, given: argparse.Namespace) -> None:
    """Refuse what could be meant in two ways: it deletes."""
    if given.action not in ("replay", "purge"):
        return
    if given.ids and (given.all or given.stage or given.project_id
                      or given.code):
        parser.error(f"{given.action}: name letters by id, or say --all with "
                     "filters, not both")
    if not given.ids and not given.all:
        parser.error(f"{given.action}: name letters by id, or say --all")


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2 ** 63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)
