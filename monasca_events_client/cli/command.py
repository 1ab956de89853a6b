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

"""What all commands have in common: errors, examples, safe output.

A command ends with one of the codes below. What went wrong is one line on
standard error, with what to do about it; ``--debug`` shows the rest.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import contextlib
import itertools
import os
import shutil
import sys
from typing import Any, TextIO

from cliff import _argparse
from keystoneauth1 import exceptions as ksa
from openstack import exceptions as sdk
from osc_lib.command import command

from monasca_events_client import errors
from monasca_events_client.cli import advice
from monasca_events_client.cli import columns
from monasca_events_client.cli import printable
from monasca_events_client.cli.progress import Progress
from monasca_events_client.cli.progress import Waiting
from monasca_events_client.client import Client

#: Exit codes. 2 is argparse's too: what was given makes no sense.
FAILED, MISUSED, ABSENT, DENIED, LATER = 1, 2, 3, 4, 5

_CODES: Sequence[tuple[type[Exception], int]] = (
    (errors.NotFound, ABSENT), (errors.Forbidden, DENIED),
    (errors.Unauthorized, DENIED), (errors.NoCredentials, DENIED),
    (errors.ServiceUnavailable, LATER), (errors.TooManyRequests, LATER),
    (errors.Unreachable, LATER), (errors.NoEndpoint, LATER),
    (ValueError, MISUSED))


class _HelpFormatter(_argparse.SmartHelpFormatter):
    """Keeps the lines of examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part if part.startswith("Examples:")
            else super(_HelpFormatter, self)._fill_text(part, width, indent)
            for part in text.split("\n\n"))


class Ours(command.Command):
    """What every command of the plug-in is.

    :cvar examples: command lines without ``openstack event``, shown by
        ``--help``
    """

    examples: Sequence[str] = ()

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.formatter_class = _HelpFormatter
        return parser

    def get_epilog(self) -> str:
        lines = [f"  openstack event {one}" for one in self.examples]
        return "\n\n".join(part for part in (
            "\n".join(["Examples:", *lines]) if lines else "",
            super().get_epilog().strip()) if part)

    @property
    def client(self) -> Client:
        return self.app.client_manager.event

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._notes: list[str] = []
        # A terminal without Unicode shows question marks.
        self.app.stdout.reconfigure(errors="replace")
        try:
            with Waiting(self.app.stderr, self.width() or 80) as self._wait, \
                    _stopping(self.app, self._wait):
                code = super().run(parsed_args)
            for note in self._notes:
                self.tell(note)
            return code
        except (errors.ClientError, ValueError, OSError) as error:
            if isinstance(error, BrokenPipeError) or self.app.options.debug:
                raise
            return self.complain(error)

    def complain(self, error: Exception) -> int:
        """Tell of an error; return the exit code for it."""
        self.tell(f"openstack: {advice.sentence(error)}")
        return next((code for kind, code in _CODES
                     if isinstance(error, kind)), FAILED)

    def note(self, text: str) -> None:
        """Have a line on standard error after what is shown."""
        self._notes.append(text)

    def tell(self, text: str) -> None:
        """Write a line to standard error, now."""
        self._wait.stop()
        sys.stdout.flush()
        print(printable.escape(text), file=self.app.stderr)

    def progress(self, what: str) -> Progress:
        """Return what tells how far something has come."""
        return Progress(self.app.stderr, what, self.width() or 80,
                        before=self._wait.stop)

    def project(self, name_or_id: str | None) -> str | None:
        """Return a project's id.

        :raises ValueError: the identity service does not know the name
        """
        if name_or_id is None or _is_project_id(name_or_id):
            return name_or_id
        identity = self.app.client_manager.sdk_connection.identity
        try:
            # Where there is no Keystone there is nothing to ask.
            find = getattr(identity, "find_project", lambda *_: None)
            found = find(name_or_id)
        except (ksa.ClientException, sdk.SDKException):
            found = None
        if found is None:
            raise ValueError(f"the project {name_or_id!r} was not found by "
                             "its name; give its id")
        return found.id

    def width(self) -> int | None:
        """Return the width of the terminal that is written to; None where it
        is none."""
        if not self.app.stdout.isatty():
            return None
        return shutil.get_terminal_size().columns


@contextlib.contextmanager
def _stopping(app: Any, wait: Waiting) -> Iterator[None]:
    """Have the line of waiting go before the program's output comes."""
    app.stdout, before = _Announced(app.stdout, wait.stop), app.stdout
    try:
        yield
    finally:
        app.stdout = before


class _Announced:
    """A stream; something is done before each time that it is written to."""

    def __init__(self, stream: TextIO, before: Callable[[], None]) -> None:
        self._stream = stream
        self._before = before

    def write(self, text: str) -> int:
        self._before()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _is_project_id(text: str) -> bool:
    digits = text.replace("-", "")
    return len(digits) == 32 and all(
        one in "0123456789abcdef" for one in digits)


class Shown(Ours):
    """Commands that show data in a format of one's choice."""

    def plain(self, parsed_args: argparse.Namespace) -> bool:
        """Return whether the format shows data as it is."""
        return parsed_args.formatter in columns.EXACT


class Lister(Shown, command.Lister):
    """Commands that show a list.

    :cvar floors: column → cells that it keeps where the terminal is narrow,
        in the order in which columns are cut
    """

    floors: Mapping[str, int] = {}

    def produce_output(self, parsed_args: argparse.Namespace,
                       column_names: Sequence[str],
                       data: Iterable[Sequence[Any]]) -> int:
        form = parsed_args.formatter
        # Before a form's heading: until the first row is there it is told
        # that it is waited for.
        rows = iter(data)
        data = itertools.chain(list(itertools.islice(rows, 1)), rows)
        if not self.plain(parsed_args):
            data = ([columns.cell(value, form) for value in row]
                    for row in data)
        if form == "table":
            data = self._fitted(parsed_args, column_names, list(data))
        return super().produce_output(parsed_args, column_names, data)

    def _fitted(self, parsed_args: argparse.Namespace,
                names: Sequence[str], rows: list) -> list:
        cells = parsed_args.max_width if parsed_args.max_width > 0 \
            else self.width()
        if not cells:
            return rows
        shown = names
        if parsed_args.columns:
            shown, _ = self._generate_columns_and_selector(
                parsed_args, names)
        # What is not shown takes no room.
        places = [names.index(name) for name in shown]
        fitted = columns.fit(shown, [[row[at] for at in places]
                                     for row in rows], cells, self.floors)
        for row, some in zip(rows, fitted, strict=True):
            for at, value in zip(places, some, strict=True):
                row[at] = value
        return rows


class ShowOne(Shown, command.ShowOne):
    """Commands that show one thing."""

    def produce_output(self, parsed_args: argparse.Namespace,
                       column_names: Sequence[str],
                       data: Sequence[Any]) -> int:
        if not self.plain(parsed_args):
            data = [columns.cell(value, parsed_args.formatter)
                    for value in data]
        return super().produce_output(parsed_args, column_names, data)


class Pictured(Shown):
    """Commands whose own format, ``picture``, is drawn and not a table.

    A subclass is also a Lister or a ShowOne and implements :meth:`draw`.
    """

    formatter_default = "picture"

    def _load_formatter_plugins(self) -> "_WithPicture":
        return _WithPicture(super()._load_formatter_plugins())

    def plain(self, parsed_args: argparse.Namespace) -> bool:
        return parsed_args.formatter == "picture" \
            or super().plain(parsed_args)

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._formatter_plugins.picture.draw = lambda: self.draw(
            parsed_args)
        return super().run(parsed_args)

    def draw(self, parsed_args: argparse.Namespace) -> Iterable[str]:
        """Return the lines of the picture, after ``take_action``."""
        raise NotImplementedError

    def room(self) -> int:
        """Return the cells that a line may take."""
        return self.width() or int(os.environ.get("COLUMNS") or 0) or 80


class _Picture:
    """The format, as cliff knows formats."""

    draw = staticmethod(lambda: ())

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        pass

    def _emit(self, column_names, data, stdout, parsed_args) -> None:
        for line in self.draw():
            stdout.write(line + "\n")

    emit_list = emit_one = _emit


class _WithPicture:
    """cliff's formats and one more."""

    def __init__(self, others: Any) -> None:
        self._others = others
        self.picture = _Picture()
        self.obj = self.picture

    def names(self) -> list[str]:
        return [*self._others.names(), "picture"]

    def __getitem__(self, name: str) -> Any:
        return self if name == "picture" else self._others[name]

    def __iter__(self):
        return iter(self._others)
