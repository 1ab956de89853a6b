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

"""Serve a Python application from PyPI by gunicorn, on loopback."""

import pathlib
from collections.abc import Mapping, Sequence

from servers import HOST, Instance, Launch

GUNICORN = "gunicorn==23.0.0"
# The applications read the arguments of the process that they are loaded
# into, and gunicorn's own would make them exit: they are replaced before the
# application is imported.
_MODULE = """import sys

sys.argv = {arguments!r}

{source}
"""


def write(instance: Instance, source: str, arguments: Sequence[str]) -> None:
    """Write the module that gunicorn loads.

    `source` leaves the name `application`; `arguments` are what it finds in
    `sys.argv`.
    """
    _path(instance).write_text(_MODULE.format(
        source=source.strip(), arguments=list(arguments)))


def launch(instance: Instance, environment: pathlib.Path,
           env: Mapping[str, str] | None = None) -> Launch:
    """Return the process that serves what `write` wrote.

    One process, for what has SQLite below has one writer; threads, so that a
    slow request does not hold up the others.
    """
    home = instance.directory
    return Launch(instance.name, [
        str(environment / "bin/gunicorn"),
        "--bind", f"{HOST}:{instance.port}", "--workers", "1",
        "--threads", "4", "--timeout", "60", "--chdir", str(home),
        "--worker-tmp-dir", str(home), f"{_path(instance).stem}:application",
    ], env or {})


def _path(instance: Instance) -> pathlib.Path:
    return instance.directory / f"{instance.name}_wsgi.py"
