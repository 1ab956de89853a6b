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

"""``event notification-method …``: where somebody is told."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import definitions
from monasca_events_client.cli import documents
from monasca_events_client.cli import filters

_RESOURCE = "notification_methods"


class ListMethods(definitions.ListDefinitions):
    """List notification methods"""

    examples = ("notification-method list",)
    resource = _RESOURCE
    floors = {"ID": 8, "Address": 20, "Name": 16}
    short = ("ID", "Name", "Type", "Address")
    long = ("ID", "Name", "Type", "Address", "Settings", "Updated at",
            "Project ID")
    values = {"Type": lambda one: one["type"],
              "Address": lambda one: one.get("address"),
              "Settings": lambda one: columns.Pairs(one.get("settings"))}


class ShowMethod(definitions.ShowDefinition):
    """Show a notification method"""

    examples = ("notification-method show ops",)
    resource = _RESOURCE
    metavar = "<notification-method>"


class CreateMethod(command.ShowOne):
    """Create a notification method

    Of a webhook the secret is shown, with which a receiver checks what comes;
    it is shown this once.
    """

    examples = (
        "notification-method create ops --type webhook \\\n"
        "      --address https://hooks.example.org/events",
        "notification-method create mail --type email \\\n"
        "      --address ops@example.org --setting subject_prefix='[cloud]'",
        "notification-method create --file method.yaml",
        "notification-method create ops --type webhook --address https://… "
        "-f value -c secret")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", nargs="?",
                            help="name, unless the file has one")
        parser.add_argument("--type", metavar="<type>",
                            help="webhook, email, event, or one of the "
                                 "operator's")
        parser.add_argument("--file", metavar="<file>",
                            help="file of a definition, JSON or YAML")
        _add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        made = documents.load_object(parsed_args.file) \
            if parsed_args.file else {}
        for name in ("name", "type"):
            if getattr(parsed_args, name):
                made[name] = getattr(parsed_args, name)
        made.update(_fields(parsed_args, made.get("settings")))
        for name, how in (("name", "a name"), ("type", "--type")):
            if not made.get(name):
                raise ValueError(f"give {how} or --file")
        return definitions.shown(
            self.client.notification_methods.create(made))


class SetMethod(command.Ours):
    """Change a notification method"""

    examples = ("notification-method set ops "
                "--address https://hooks.example.org/other",
                "notification-method set ops --name on-call")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("method", metavar="<notification-method>",
                            help="name or id")
        parser.add_argument("--name", metavar="<name>", help="another name")
        _add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        patch = _fields(parsed_args)
        if parsed_args.name:
            patch["name"] = parsed_args.name
        if not patch:
            raise ValueError("nothing to change was given")
        methods = self.client.notification_methods
        methods.update(methods.find(parsed_args.method)["id"], patch)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", metavar="<address>",
                        help="an https URL, or a mail address")
    parser.add_argument("--setting", metavar="<name>=<value>",
                        action="append", default=[],
                        help="setting of the type, such as subject_prefix; "
                             "repeatable")


def _fields(given: argparse.Namespace,
            settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if given.address is not None:
        found["address"] = given.address
    if given.setting:
        found["settings"] = dict(settings or {})
    for text in given.setting:
        name, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"--setting {text!r}; expected NAME=VALUE")
        # An object is a setting too: dimensions of a metric.
        found["settings"][name] = documents.value(value) \
            if value.startswith("{") else value
    return found


class DeleteMethods(definitions.DeleteDefinitions):
    """Delete notification methods"""

    examples = ("notification-method delete ops",
                "notification-method delete ops --force")
    resource = _RESOURCE
    metavar = "<notification-method>"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--force", action="store_true",
                            help="take it out of the triggers that name it")
        return parser

    def delete(self, name: str, given: argparse.Namespace) -> None:
        methods = self.client.notification_methods
        methods.delete(methods.find(name)["id"], force=given.force)


class RotateMethod(command.ShowOne):
    """Make another signing key for a webhook

    It is shown this once. The key before stays valid for a while: what is
    sent until then carries both signatures.
    """

    examples = ("notification-method rotate ops",
                "notification-method rotate ops --keep 1h -f value "
                "-c secret")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("method", metavar="<notification-method>",
                            help="name or id")
        parser.add_argument("--keep", metavar="<time>", type=filters.span,
                            help="how long the key before stays valid (1d)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        methods = self.client.notification_methods
        found = methods.rotate(methods.find(parsed_args.method)["id"],
                               keep_seconds=parsed_args.keep)
        names = ("id", "name", "secret", "previous_until")
        return names, [found.get(name) for name in names]


class TestMethod(command.ShowOne):
    """Have a test sent by a notification method"""

    examples = ("notification-method test ops",)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("method", metavar="<notification-method>",
                            help="name or id")
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        methods = self.client.notification_methods
        found = methods.test(methods.find(parsed_args.method)["id"])
        self.note("it is on its way; 'openstack event notification-method "
                  "deliveries' tells what became of it")
        return tuple(found), tuple(found.values())


class ListDeliveries(command.Lister):
    """List what a notification method delivered and what not, latest first"""

    examples = ("notification-method deliveries ops",)
    floors = {"ID": 8, "Firing ID": 9}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("method", metavar="<notification-method>",
                            help="name or id")
        filters.add_limit(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        methods = self.client.notification_methods
        found = methods.deliveries(methods.find(parsed_args.method)["id"],
                                   limit=parsed_args.limit or None)

        def rows() -> Iterator[Sequence[Any]]:
            for one in found:
                yield (columns.Moment(one["updated_at"]), one["status"],
                       one["outcome"], one["attempts"], one["firing_id"],
                       one["delivery_id"], one["last_error"])
            if found.more:
                self.note("there are more; --limit 0 shows all")
        return ("Updated at", "Status", "Outcome", "Attempts", "Firing ID",
                "ID", "Error"), rows()
