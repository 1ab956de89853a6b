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

"""``event transform …``: what becomes of events when they are stored."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import definitions
from monasca_events_client.cli import documents
from monasca_events_client.cli import events
from monasca_events_client.cli import filters
from monasca_events_client.cli import printable

_RESOURCE = "transforms"


class ListTransforms(definitions.ListDefinitions):
    """List transforms"""

    examples = ("transform list",)
    resource = _RESOURCE
    floors = {"ID": 8, "Description": 20, "Name": 20}
    short = ("ID", "Name", "State", "Position", "Description")
    long = ("ID", "Name", "State", "Position", "Description", "Cost",
            "Updated at", "Project ID")
    values = {
        "State": lambda one: "enabled" if one["enabled"] else "disabled",
        "Position": lambda one: one["position"],
        "Description": lambda one: one["description"],
        "Cost": lambda one: one["cost"]}


class ShowTransform(definitions.ShowDefinition):
    """Show a transform"""

    examples = ("transform show 'without names'",
                "transform show 'without names' -f yaml")
    resource = _RESOURCE
    metavar = "<transform>"


class ListVersions(command.Lister):
    """List what a transform says and said, newest first

    An event names in marks.transformed the revisions that changed it.
    """

    examples = ("transform versions 'without names'",
                "transform versions 'without names' -f json -c Definition")
    floors = {"Definition": 20, "User ID": 8}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("transform", metavar="<transform>",
                            help="name or id")
        filters.add_scope(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        scope = filters.scope(parsed_args, self.project)
        transforms = self.client.transforms
        found = transforms.versions(
            transforms.find(parsed_args.transform, **scope)["id"], **scope)
        return (("Revision", "At", "User ID", "Definition"),
                ((one["revision"], columns.Moment(one["at"]), one["user_id"],
                  one["definition"]) for one in found))


class CreateTransform(command.ShowOne):
    """Create a transform from a file"""

    examples = ("transform create --file without-names.yaml",
                "transform create 'without names' --file - < draft.json")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", nargs="?",
                            help="name, unless the file has one")
        parser.add_argument("--file", metavar="<file>", required=True,
                            help="file of a definition, JSON or YAML; - for "
                                 "standard input")
        _add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        made = {**documents.load_object(parsed_args.file),
                **_fields(parsed_args)}
        if parsed_args.name:
            made["name"] = parsed_args.name
        return definitions.shown(self.client.transforms.create(made))


class SetTransform(command.Ours):
    """Change a transform"""

    examples = ("transform set 'without names' --disable",
                "transform set 'without names' --file change.yaml")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("transform", metavar="<transform>",
                            help="name or id")
        parser.add_argument("--name", metavar="<name>", help="another name")
        parser.add_argument("--file", metavar="<file>",
                            help="file of the fields to change, JSON or "
                                 "YAML; objects are merged")
        _add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        patch = documents.load_object(parsed_args.file) \
            if parsed_args.file else {}
        patch.update(_fields(parsed_args))
        if parsed_args.name:
            patch["name"] = parsed_args.name
        if not patch:
            raise ValueError("nothing to change was given")
        transforms = self.client.transforms
        transforms.update(transforms.find(parsed_args.transform)["id"],
                          patch)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--description", metavar="<text>", help="for people")
    parser.add_argument("--position", metavar="<number>", type=int,
                        help="of several the one with the lowest comes first "
                             "(100)")
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--enable", dest="enabled", action="store_true",
                       default=None, help="let it change events")
    state.add_argument("--disable", dest="enabled", action="store_false",
                       default=None, help="keep it, and let it do nothing")


def _fields(given: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(given, name) for name in (
                "description", "enabled", "position")
            if getattr(given, name) is not None}


class DeleteTransforms(definitions.DeleteDefinitions):
    """Delete transforms"""

    examples = ("transform delete 'without names'",)
    resource = _RESOURCE
    metavar = "<transform>"


class TestTransform(command.ShowOne):
    """Try transforms on one event

    One that is there, a draft, or, without either, all that are in force.
    Nothing is stored.
    """

    examples = ("transform test 'no passwords' --event 884a19fd",
                "transform test --event 884a19fd -f json -c events",
                "transform test --file draft.yaml --event-file event.json")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("transform", metavar="<transform>", nargs="?",
                           help="name or id of one that is there")
        which.add_argument("--file", metavar="<file>",
                           help="file of a draft, JSON or YAML; it needs no "
                                "name")
        events.add_one(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        given = events.one(self, parsed_args)
        if parsed_args.transform:
            given["transform_id"] = self.client.transforms.find(
                parsed_args.transform)["id"]
        elif parsed_args.file:
            given["transform"] = documents.load_object(parsed_args.file)
        found = self.client.transforms.test(**given)
        if found["truncated"]:
            self.note("not all steps are shown: they would be too long")
        return (("summary", "outcome", "failed", "steps", "events"),
                (found["summary"], found["outcome"], found["failed"],
                 columns.Told(found["transforms"], "\n".join(
                     map(_steps, found["transforms"]))),
                 columns.Document(found["events"])))


def _steps(transform: Mapping[str, Any]) -> str:
    """Return what a transform did, a line for each operation."""
    name = printable.escape(transform["name"])
    if not transform["matches"]:
        mismatch = transform["mismatch"]
        return f"{name}: " + (mismatch["text"] if mismatch
                              else "does not match")
    return "\n".join(
        f"{name}: {printable.compact(one['operation'])} {one['outcome']}"
        + (f" ({one['reason']})" if one["reason"] else "")
        for one in transform["steps"])
