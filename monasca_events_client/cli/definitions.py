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

"""Listing, showing and deleting what tenants define, whatever it is."""

import argparse
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client import errors
from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import filters
from monasca_events_client.pages import Pages

#: Column → what it shows, of all that is defined.
_VALUES: Mapping[str, Callable[[Mapping], Any]] = {
    "ID": lambda one: one["id"],
    "Name": lambda one: one["name"],
    "Created at": lambda one: columns.Moment(one["created_at"]),
    "Updated at": lambda one: columns.Moment(one["updated_at"]),
    "Project ID": lambda one: one["project_id"],
}

#: Fields that people look for first.
_FIRST = ("id", "name")

#: Fields of an answer that people need not see.
_HIDDEN = ("links",)


class ListDefinitions(command.Lister):
    """Lists a resource.

    :cvar resource: the client's attribute
    :cvar short: columns, and with ``--long``
    :cvar values: column → what it shows, beyond what all have
    """

    resource: str
    short: Sequence[str]
    long: Sequence[str]
    values: Mapping[str, Callable[[Mapping], Any]]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--long", action="store_true",
                            help="show more columns")
        filters.add_limit(parser, 0)
        filters.add_scope(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        found = getattr(self.client, self.resource).list(
            limit=parsed_args.limit or None,
            **filters.scope(parsed_args, self.project))
        names = self.long if parsed_args.long else self.short
        values = {**_VALUES, **self.values}
        return names, self._rows(found, names, values)

    def _rows(self, found: Pages, names: Sequence[str],
              values: Mapping[str, Callable[[Mapping], Any]]
              ) -> Iterator[Sequence[Any]]:
        for one in found:
            yield [values[name](one) for name in names]
        if found.more:
            self.note("there are more; --limit 0 shows all")


class ShowDefinition(command.ShowOne):
    """Shows one of a resource.

    :cvar resource: the client's attribute
    :cvar metavar: what one is called
    """

    resource: str
    metavar: str

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar=self.metavar, help="name or id")
        filters.add_scope(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        return self.shown(getattr(self.client, self.resource).find(
            parsed_args.name, **filters.scope(parsed_args, self.project)))

    def shown(self, found: Mapping[str, Any]) -> Any:
        """Return the columns of one."""
        return shown(found)


class DeleteDefinitions(command.Ours):
    """Deletes some of a resource.

    :cvar resource: the client's attribute
    :cvar metavar: what one is called
    """

    resource: str
    metavar: str

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("names", metavar=self.metavar, nargs="+",
                            help="names or ids")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        return each(self, parsed_args.names,
                    lambda name: self.delete(name, parsed_args))

    def delete(self, name: str, given: argparse.Namespace) -> None:
        """Delete one."""
        collection = getattr(self.client, self.resource)
        collection.delete(collection.find(name)["id"])


def each(which: command.Ours, names: Sequence[str],
         act: Callable[[str], None]) -> int:
    """Do something with each; tell of those with which it failed.

    :return: the exit code, that of the last failure
    """
    code = 0
    for name in names:
        try:
            act(name)
        except errors.ClientError as error:
            if len(names) == 1:
                raise
            code = which.complain(error)
    return code


def shown(found: Mapping[str, Any], documents: Collection[str] = ()
          ) -> tuple[Sequence[str], Sequence[Any]]:
    """Return the columns of one.

    :param documents: fields whose values are structured
    """
    names = [*(name for name in _FIRST if name in found), *(
        name for name in found if name not in (*_FIRST, *_HIDDEN))]
    return names, [_cell(name, found[name], documents) for name in names]


def _cell(name: str, value: Any, documents: Collection[str]) -> Any:
    if name.endswith("_at"):
        return columns.Moment(value)
    if name in documents or isinstance(value, dict):
        return columns.Document(value)
    if isinstance(value, list):
        return columns.Lines(value)
    return value
