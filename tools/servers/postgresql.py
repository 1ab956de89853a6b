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

"""PostgreSQL: an ordinary process with a cluster of its own."""

import glob
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Instance, Launch, Server
from servers import accounts
from servers import probes
from servers import sources
from servers import tasks

# Debian keeps each version in a folder of its own.
_PROGRAMS = "/usr/lib/postgresql/*/bin/{}"
_USER = "monasca_events"
_DATABASE = "monasca_events"


class Postgresql(Server):
    """Settings are lines of postgresql.conf."""

    name = "postgresql"

    def fetch(self, cache: pathlib.Path) -> None:
        accounts.needed(self.name)
        sources.debian("postgresql", _PROGRAMS.format("postgres"))

    def prepare(self, instance: Instance) -> None:
        home = instance.directory
        # The mark comes last: a first start that was cut off begins anew.
        if not (home / "created").exists():
            _create_data(instance)
            (home / "created").touch()
        (home / "data/postgresql.conf").write_text(render(instance))
        # Left behind by one that was killed. Nothing of it lives, or nobody
        # would call this; its number may be in use again.
        (home / "data/postmaster.pid").unlink(missing_ok=True)
        accounts.give(home)

    def launches(self, instance: Instance) -> Sequence[Launch]:
        return [Launch(self.name, _as_nobody(
            instance, "postgres", "-D", str(instance.directory / "data")))]

    def probe(self, instance: Instance) -> None:
        probes.printed(
            [_program("psql"), "-XAtw", "-h", HOST, "-p", str(instance.port),
             "-U", _USER, "-d", _DATABASE, "-c", "SELECT 1"],
            env={"PGPASSWORD": instance.secret})

    def describe(self, instance: Instance) -> dict[str, Any]:
        address = f"{_USER}:{instance.secret}@{HOST}:{instance.port}"
        return {"url": f"postgresql://{address}/{_DATABASE}",
                "drivername": "postgresql", "username": _USER,
                "password": instance.secret, "database": _DATABASE}


def render(instance: Instance) -> str:
    """Return postgresql.conf, instead of the one that initdb writes."""
    options: Mapping[str, str] = {
        "listen_addresses": f"'{HOST}'",
        "port": str(instance.port),
        # Its usual place belongs to the system's server.
        "unix_socket_directories": "''",
        "timezone": "'UTC'",
        "shared_buffers": "64MB",
        "max_connections": "200",
        **instance.settings}
    return "".join(f"{key} = {value}\n" for key, value in options.items())


def _create_data(instance: Instance) -> None:
    home = instance.directory
    password = home / "password"
    password.touch(mode=0o600)
    password.write_text(instance.secret)
    accounts.give(home)
    data = str(home / "data")
    shutil.rmtree(home / "data", ignore_errors=True)
    tasks.run("postgresql: initdb", _as_nobody(
        instance, "initdb", "-D", data, "-U", _USER, "--encoding=UTF8",
        "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync",
        f"--pwfile={password}"))
    # One statement to a server that nobody else can reach: it reads the
    # standard input, and ends there.
    tasks.run("postgresql: CREATE DATABASE", _as_nobody(
        instance, "postgres", "--single", "-D", data, "postgres"),
        text=f"CREATE DATABASE {_DATABASE}\n")
    password.unlink()


def _as_nobody(instance: Instance, program: str, *arguments: str
               ) -> list[str]:
    return accounts.without_root([_program(program), *arguments],
                                 [instance.directory / "data"])


def _program(name: str) -> str:
    """Return its path in the newest version that is installed."""
    return max(glob.glob(_PROGRAMS.format(name)),
               key=lambda path: int(path.split("/")[4]))
