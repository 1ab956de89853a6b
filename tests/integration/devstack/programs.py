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

"""Programs that take the place of a host's own, as scripts of a directory."""

from collections.abc import Mapping
import pathlib
import re
import shlex
import sys

HARNESS = pathlib.Path(__file__).resolve().parent

# What a new environment has of its own, and the suite itself.
_OWN = re.compile(r"monasca_events|__|pip|setuptools|pkg_resources|_dist"
                  r"|.*\.pth$")

_PYTHON = """{python} "$@" || exit
case "$*" in
    "-m venv "*) echo {site} >"$3/lib/python{version}/site-packages/test.pth"
        ln -s {uwsgi} "$3/bin/uwsgi";;
esac
"""


def write(folder: pathlib.Path, programs: Mapping[str, str]) -> None:
    """Write name → what the shell does; the arguments are ``"$@"``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, command in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{command}\n")
        path.chmod(0o755)


def of_servers(servers: Mapping[str, Mapping], client: str) -> dict[str, str]:
    """Return rabbitmqctl, and MariaDB's client by the name that is wanted.

    :param servers: what tools/servers tells of rabbitmq and mariadb
    """
    control = servers["rabbitmq"]["ctl"]
    settings = shlex.join(f"{name}={value}" for name, value
                          in control["env"].items())
    return {
        "rabbitmqctl": f'exec env {settings} {shlex.join(control["argv"])} '
                       '"$@"',
        client: "exec /usr/bin/mariadb --no-defaults --protocol=tcp "
                f'--host=127.0.0.1 --port={servers["mariadb"]["port"]} "$@"'}


def systemctl(units: pathlib.Path, logs: pathlib.Path) -> str:
    """Return what knows the units of a directory; see ``systemctl.py``."""
    return (f"UNITS={units} LOGS={logs} exec {sys.executable} -I -S "
            f'{HARNESS}/systemctl.py "$@"')


def ours(name: str) -> str:
    """Return a program of the environment that runs the tests."""
    path = pathlib.Path(sys.executable).parent / name
    return f'exec {shlex.quote(str(path))} "$@"'


def python(site: pathlib.Path, uwsgi: pathlib.Path) -> str:
    """Return a Python whose new environments have the test's packages.

    What pip is told to install it finds there, but for the suite itself,
    and fetches nothing.

    :param site: a new directory, for links to the packages
    :param uwsgi: the program, with its environment; in new ones likewise
    """
    site.mkdir()
    for prefix in (pathlib.Path(sys.prefix), uwsgi.parents[1]):
        packages, = (prefix / "lib").glob("python*/site-packages")
        for path in packages.iterdir():
            if not _OWN.match(path.name):
                (site / path.name).symlink_to(path)
    return _PYTHON.format(
        python=sys.executable, site=site, uwsgi=uwsgi,
        version=f"{sys.version_info[0]}.{sys.version_info[1]}")
