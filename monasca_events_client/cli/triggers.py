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

"""``event trigger …``: making triggers, changing them, looking at them."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import definitions
from monasca_events_client.cli import documents
from monasca_events_client.cli import filters
from monasca_events_client.cli import rules

#: Fields whose values are rules, and not read at a glance.
_DOCUMENTS = frozenset((
    "pattern", "start", "expect", "end", "unless", "steps", "aggregates",
    "mute", "rate_limit", "notify"))


class ListTriggers(definitions.ListDefinitions):
    """List triggers"""

    examples = ("trigger list", "trigger list --long",
                "trigger list --all-projects -f json")
    resource = "triggers"
    floors = {"ID": 8, "Name": 20}
    short = ("ID", "Name", "Kind", "Severity", "State")
    long = ("ID", "Name", "Kind", "Severity", "State", "Group by", "Cost",
            "Description", "Updated at", "Project ID")
    values = {
        "Kind": lambda one: one["kind"],
        "Severity": lambda one: one["severity"],
        "State": lambda one: _state(one),
        "Group by": lambda one: columns.Lines(one["group_by"]),
        "Cost": lambda one: one["cost"],
        "Description": lambda one: one["description"],
    }


def _state(one: Mapping[str, Any]) -> str:
    if not one["enabled"]:
        return "disabled"
    return "dry run" if one["dry_run"] else "enabled"


class ShowTrigger(definitions.ShowDefinition):
    """Show a trigger"""

    examples = ("trigger show 'instance stuck'",
                "trigger show 'instance stuck' -f json > stuck.json")
    resource = "triggers"
    metavar = "<trigger>"

    def shown(self, found: Mapping[str, Any]) -> Any:
        return shown(found)


def shown(found: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[Any]]:
    """Return the columns of one trigger."""
    return definitions.shown(found, _DOCUMENTS)


class CreateTrigger(command.ShowOne):
    """Create a trigger

    From a file that holds a definition, from a template, or, for a match of
    single events, from filters. Options take the place of what the file or
    the template says.
    """

    examples = (
        "trigger create --template instance-create --notify missed=ops",
        "trigger create stuck --template instance-create --within 5m",
        "trigger create --file stuck.yaml",
        "trigger create 'large order' --type shop.order.placed \\\n"
        "      --trait 'total>=1000' --group-by resource_id --notify ops")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", nargs="?",
                            help="name, unless the file or the template has "
                                 "one")
        origin = parser.add_mutually_exclusive_group()
        origin.add_argument("--file", metavar="<file>",
                            help="file of a definition, JSON or YAML; - for "
                                 "standard input")
        origin.add_argument("--template", metavar="<template>",
                            help="a trigger that needs no writing")
        rules.add_options(parser)
        filters.add_fields(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        made: dict[str, Any] = {}
        if parsed_args.file:
            made = documents.load_object(parsed_args.file)
        elif parsed_args.template:
            made = {"template": parsed_args.template}
        pattern = rules.pattern(parsed_args)
        if pattern:
            made = {"kind": "match", **made, "pattern": pattern}
        elif not made:
            raise ValueError("give --file, --template, or filters such "
                             "as --type")
        if parsed_args.name:
            made["name"] = parsed_args.name
        made.update(rules.fields(parsed_args, self.client))
        return shown(self.client.triggers.create(made))


class SetTrigger(command.Ours):
    """Change a trigger"""

    examples = ("trigger set 'instance stuck' --within 10m --severity high",
                "trigger set 'instance stuck' --disable",
                "trigger set 'instance stuck' --notify missed=ops",
                "trigger set 'instance stuck' --file change.yaml")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("trigger", metavar="<trigger>",
                            help="name or id")
        parser.add_argument("--name", metavar="<name>", help="another name")
        parser.add_argument("--file", metavar="<file>",
                            help="file of the fields to change, JSON or "
                                 "YAML; objects are merged")
        rules.add_options(parser)
        filters.add_fields(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        patch: dict[str, Any] = documents.load_object(parsed_args.file) \
            if parsed_args.file else {}
        pattern = rules.pattern(parsed_args)
        if pattern:
            patch["pattern"] = pattern
        if parsed_args.name:
            patch["name"] = parsed_args.name
        patch.update(rules.fields(parsed_args, self.client))
        if not patch:
            raise ValueError("nothing to change was given")
        triggers = self.client.triggers
        triggers.update(triggers.find(parsed_args.trigger)["id"], patch)


class UnsetTrigger(command.Ours):
    """Take something out of a trigger, so that its default comes in"""

    examples = ("trigger unset 'instance stuck' --mute --rate-limit",
                "trigger unset 'instance stuck' --notify missed=ops",
                "trigger unset 'instance stuck' --notify missed")
    _FLAGS = {"description": "the description",
              "group_by": "what makes groups",
              "mute": "all spans of muting",
              "rate_limit": "the limit of firings",
              "unless": "the pattern that ends a wait"}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("trigger", metavar="<trigger>",
                            help="name or id")
        for name, what in self._FLAGS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name,
                                action="store_true", help=what)
        parser.add_argument(
            "--notify", metavar="<outcome>[=<method>]", action="append",
            default=[], help="a method, or all of an outcome")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        found = self.client.triggers.find(parsed_args.trigger)
        patch: dict[str, Any] = {
            name: None for name in self._FLAGS
            if getattr(parsed_args, name)}
        notify: dict[str, list[str]] = {}
        for text in parsed_args.notify:
            outcome, method_id = rules.notified(text, self.client)
            left = notify.get(outcome, found["notify"].get(outcome, []))
            notify[outcome] = [] if method_id is None else [
                one for one in left if one != method_id]
        if notify:
            patch["notify"] = notify
        if not patch:
            raise ValueError("nothing to take out was given")
        self.client.triggers.update(found["id"], patch,
                                    revision=found["revision"])


class DeleteTriggers(definitions.DeleteDefinitions):
    """Delete triggers"""

    examples = ("trigger delete 'instance stuck'",)
    resource = "triggers"
    metavar = "<trigger>"


class ListTemplates(command.Lister):
    """List triggers that need no writing"""

    examples = ("trigger template list",)
    floors = {"Description": 30}

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        return ("Name", "Kind", "Description"), (
            (one["name"], one["definition"]["kind"], one["description"])
            for one in self.client.triggers.templates())


class ShowTemplate(command.ShowOne):
    """Show what a template stands for"""

    examples = ("trigger template show instance-create",
                "trigger template show instance-create -f yaml > mine.yaml")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<template>", help="its name")
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        return shown(self.client.triggers.template(
            parsed_args.name)["definition"])
