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

"""The program ``openstack`` as a function, on a site of the tests."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import csv
import dataclasses
import io
import json
import logging
import os
import pathlib
import tempfile
from typing import Any
from unittest import mock

from openstackclient import shell
from osc_lib import clientmanager

from monasca_events_api.identity import clouds
from tests.functional import service
from tests.unit.client.site import SiteTest


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command did.

    :ivar code: exit code
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> Sequence[str]:
        return self.out.splitlines()

    @property
    def rows(self) -> Sequence[Mapping[str, str]]:
        """The rows of ``-f csv``."""
        return list(csv.DictReader(io.StringIO(self.out)))


class Screen(io.TextIOWrapper):
    """A stream that may be a terminal."""

    def __init__(self, terminal: bool, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8",
                         write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        return self.buffer.getvalue().decode()


@contextlib.contextmanager
def _own_logging() -> Iterator[None]:
    """Let the program set up logging as if it were alone."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def run(clouds_file: str, *arguments: str, cloud: str = "member",
        stdin: str = "", cells: int | None = None,
        out: Screen | None = None, err: Screen | None = None) -> Done:
    """Run ``openstack`` with arguments.

    :param cells: the width of the terminal; without it there is none
    :param out, err: where it shows things, for those who look meanwhile
    """
    if err is None:
        err = Screen(cells is not None)
    if out is None:
        out = Screen(cells is not None)
    names = {"OS_CLIENT_CONFIG_FILE": clouds_file, "OS_CLOUD": cloud,
             "COLUMNS": str(cells or 80)}
    given = Screen(False, stdin.encode())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
            mock.patch.dict(os.environ, names), _own_logging(), \
            mock.patch("sys.stdin", given):
        # The class would keep the client of the cloud before.
        vars(clientmanager.ClientManager)["event"]._handle = None
        try:
            code = shell.main(list(arguments))
        except SystemExit as ended:  # argparse's way
            code = ended.code
    return Done(code, out.text(), err.text())


class ShellTest(SiteTest):
    """Tests of ``openstack event …`` on one site for the class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.clouds = str(cls.folder / "clouds.yaml")
        clouds.write(cls.clouds, cls.site.url, [
            (one.name, one.token, one.project_id)
            for one in service.ACCOUNTS.values()])

    def event(self, *arguments: str, code: int = 0, **options) -> Done:
        """Run ``openstack event`` with arguments; expect an exit code."""
        done = run(self.clouds, "event", *arguments, **options)
        self.assertEqual(code, done.code, (arguments, done.out, done.err))
        return done

    def file(self, name: str, content: str | bytes) -> str:
        """Return the path of a new file."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes)
                         else content.encode())
        return str(path)
