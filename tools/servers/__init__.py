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

"""Real servers for tests and development: brought up and down by name.

What every server module implements is declared here; `fleet` drives them,
`command` is the command line.  Only the standard library is used, because
this runs before any virtual environment of the project exists.  Nothing
here ever listens on, or talks to, an address other than 127.0.0.1.
"""

import abc
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

HOST = "127.0.0.1"


class ServersError(Exception):
    """The base of what this tool tells its caller in one line."""


class Failed(ServersError):
    """Something was there but did not do what it should: exit code 1."""


class Missing(ServersError):
    """A needed part cannot be had on this machine: exit code 3."""


class NotReady(Exception):
    """The server has not answered yet; asking again may help."""


@dataclasses.dataclass(frozen=True)
class Instance:
    """One server of one state directory: where it lives, how it is set."""

    name: str
    directory: pathlib.Path
    cache: pathlib.Path
    ports: Mapping[str, int]
    settings: Mapping[str, str]
    secret: str

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.ports["client"]

    def log(self, launch_name: str = "") -> pathlib.Path:
        return self.directory / f"{launch_name or self.name}.log"


@dataclasses.dataclass(frozen=True)
class Launch:
    """One process to start.

    The environment is built from nothing plus `env`, so that a variable of
    the caller's shell cannot bend a server.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Server(abc.ABC):
    """One kind of server.

    `port_names` are the ports it needs; the one called `client` is what the
    world talks to.  `needs` names the servers that it cannot work without:
    they are brought up first.  `after` names those that it makes use of:
    they must be ready first when they are brought up in the same command.
    """

    name: str
    port_names: Sequence[str] = ("client",)
    needs: Sequence[str] = ()
    after: Sequence[str] = ()
    ready_seconds: float = 120.0
    stop_seconds: float = 30.0

    @abc.abstractmethod
    def fetch(self, cache: pathlib.Path) -> None:
        """Return when everything needed is on this machine.

        Returns at once if it already was.  Raises Missing if it cannot be
        had; may be repeated after that.
        """

    @abc.abstractmethod
    def prepare(self, instance: Instance) -> None:
        """Write configuration and, the first time, create the data.

        Called before every start; must leave existing data alone.
        """

    @abc.abstractmethod
    def launches(self, instance: Instance) -> Sequence[Launch]:
        """Return the processes to start, in order.

        The last is the main one and is named as the server: its pid is told
        to clients, its log is quoted when a start fails.
        """

    @abc.abstractmethod
    def probe(self, instance: Instance) -> None:
        """Return if the server does real work now.

        Raises NotReady or OSError if not; is called again until it returns
        or `ready_seconds` are over, so it must not wait long itself.
        """

    @abc.abstractmethod
    def describe(self, instance: Instance) -> dict[str, Any]:
        """Return what a client needs beyond host and port; at least url."""

    def defaults(self, peers: Mapping[str, Mapping[str, Any]]
                 ) -> dict[str, str]:
        """Return settings that follow from the running `peers`.

        `peers` maps a name to that server's description, for those of
        `needs` and `after` that run.  What the user set goes before what is
        returned here.
        """
        return {}
