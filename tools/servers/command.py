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

"""The command line of the servers tool."""

import argparse
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from servers import HOST, Missing, Server, ServersError
from servers import aodh
from servers import elasticsearch
from servers import fleet
from servers import gnocchi
from servers import horizon
from servers import kafka
from servers import keystone
from servers import mariadb
from servers import monasca_notification
from servers import postgresql
from servers import programs
from servers import progress
from servers import rabbitmq

# In the order in which they are brought up: what another one needs, first.
SERVERS: Mapping[str, Server] = {server.name: server for server in (
    kafka.Kafka(), elasticsearch.Elasticsearch(), rabbitmq.Rabbitmq(),
    mariadb.Mariadb(), postgresql.Postgresql(), keystone.Keystone(),
    aodh.Aodh(), gnocchi.Gnocchi(),
    monasca_notification.MonascaNotification(), horizon.Horizon(),
    programs.CHROMIUM, programs.PROMETHEUS)}

_EXAMPLES = """examples:
  servers up kafka elasticsearch            start both, wait until they work
  servers up rabbitmq keystone --json       where they are, and credentials
  servers up elasticsearch --set elasticsearch:heap=512m \\
          --set elasticsearch:indexing_pressure.memory.limit=64kb
  servers up keystone --set keystone:notification_format=basic
  servers up aodh                           and what it cannot work without
  servers up horizon --set horizon:plugins=.
  servers --state-dir /tmp/second up kafka  another one, on other ports
  servers pause kafka; servers continue kafka
  servers down --all

settings (--set NAME:KEY=VALUE; kept until set again, dropped by an empty
VALUE; a server that runs is started again when its settings change):
  kafka          heap, or any line of server.properties
  elasticsearch  heap, or any line of elasticsearch.yml
  rabbitmq       any line of rabbitmq.conf
  mariadb        any line of my.cnf
  postgresql     any line of postgresql.conf
  keystone       transport_url, notification_topics, notification_format,
                 amqp_durable_queues, or SECTION.KEY of keystone.conf;
                 with a rabbitmq of the same state directory up, it sends
                 its notifications there unless told otherwise
  aodh           SECTION.KEY of aodh.conf
  gnocchi        auth_mode (basic; keystone needs that one up), or
                 SECTION.KEY of gnocchi.conf
  monasca-notification
                 SECTION.KEY of its configuration file
  horizon        plugins: paths of checkouts, by comma; requirements: what
                 these need and horizon has not, by comma; user_home; or any
                 setting of Django's, in capitals
chromium and prometheus are no servers: fetch gets their programs, up tells
where these are.

exit codes: 0 done; 1 something failed; 2 wrong usage; 3 a needed part cannot
be had on this machine (no Java, no root for apt, nothing to download from)

Servers listen on 127.0.0.1 only and go on running after the command ends.
Their ports are chosen once and kept, as is their data, until wipe.
"""
_ENVIRONMENT = """environment: MONASCA_EVENTS_CACHE, MONASCA_EVENTS_SERVERS
(the defaults of --cache-dir and --state-dir),
MONASCA_EVENTS_ELASTICSEARCH_HEAP (1g)."""


class Misused(ServersError):
    """The command line makes no sense: exit code 2."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    options = parser().parse_args(arguments)
    cache = _directory(options.cache_dir, "MONASCA_EVENTS_CACHE",
                       pathlib.Path.home() / ".cache/monasca-events")
    state = _directory(options.state_dir, "MONASCA_EVENTS_SERVERS",
                       cache / "run")
    try:
        return options.run(fleet.Fleet(SERVERS, state, cache), options)
    except Misused as error:
        progress.say(str(error))
        return 2
    except ServersError as error:
        return _failed([error])
    except PermissionError as error:
        progress.say(f"{error}: were they started by another user?")
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the parser; each command names the function that runs it."""
    made = argparse.ArgumentParser(
        prog="servers", description="Bring real servers up and down by name "
        f'on {HOST}: {", ".join(SERVERS)}.',
        epilog=f"{_EXAMPLES}\n{_ENVIRONMENT}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    _add_directories(made, None)
    commands = made.add_subparsers(metavar="COMMAND", required=True)

    up = _add(commands, "up", up_command,
              "fetch, start and wait until ready; print where they are")
    _add_json(up)
    _add_settings(up)
    restart = _add(commands, "restart", restart_command,
                   "down and up again, on the same data and ports")
    _add_json(restart)
    _add_settings(restart)
    down = _add(commands, "down", down_command,
                "SIGTERM, then SIGKILL after a while", names="*")
    down.add_argument("--all", action="store_true",
                      help="every server of the state directory")
    status = _add(commands, "status", status_command,
                  "tell what runs where", names="*")
    _add_json(status)
    _add(commands, "fetch", _each(fleet.Fleet.fetch), "only fill the cache")
    _add(commands, "kill", _each(fleet.Fleet.kill), "SIGKILL, at once")
    _add(commands, "pause", _each(fleet.Fleet.pause), "SIGSTOP")
    _add(commands, "continue", _each(fleet.Fleet.resume), "SIGCONT")
    _add(commands, "wipe", _each(fleet.Fleet.wipe),
         "stop, delete the data and forget the ports; keeps the cache")
    return made


def up_command(servers: fleet.Fleet, options: argparse.Namespace) -> int:
    settings = settings_of(options.set, options.names)
    errors: dict[str, ServersError] = {}
    begun: list[str] = []

    def attempt(step: Callable[..., None], name: str, *more: Any) -> bool:
        try:
            step(name, *more)
        except ServersError as error:
            errors[name] = error
        return name not in errors

    for name in _ordered(with_needs(options.names)):
        server = SERVERS[name]
        for other in (*server.needs, *server.after):
            if other in begun and other not in errors:
                attempt(servers.await_ready, other)
        if broken := [other for other in server.needs if other in errors]:
            errors[name] = Missing(f"{name} needs {broken[0]}")
            continue
        if (attempt(servers.fetch, name)
                and attempt(servers.begin, name, settings.get(name, {}))):
            begun.append(name)
    ready = [name for name in begun if name not in errors
             and attempt(servers.await_ready, name)]
    _print(servers, ready, options.json)
    return _failed(list(errors.values()))


def restart_command(servers: fleet.Fleet, options: argparse.Namespace) -> int:
    for name in reversed(_ordered(options.names)):
        servers.down(name)
    return up_command(servers, options)


def down_command(servers: fleet.Fleet, options: argparse.Namespace) -> int:
    if bool(options.names) == options.all:
        raise Misused("down: name servers, or say --all")
    names = servers.known() if options.all else _ordered(options.names)
    for name in reversed(names):
        servers.down(name)
    return 0


def status_command(servers: fleet.Fleet, options: argparse.Namespace) -> int:
    known = servers.known()
    _print(servers, [name for name in known
                     if not options.names or name in options.names],
           options.json)
    return 0


def with_needs(names: Sequence[str]) -> list[str]:
    """Return `names` and all that these cannot work without."""
    return list({found: None for name in names for found in (
        *with_needs(SERVERS[name].needs), name)})


def settings_of(given: Sequence[str], names: Sequence[str]
                ) -> dict[str, dict[str, str]]:
    """Return {name: {key: value}} from NAME:KEY=VALUE words."""
    settings: dict[str, dict[str, str]] = {}
    for word in given:
        name, colon, rest = word.partition(":")
        key, equals, value = rest.partition("=")
        if not (colon and equals and key):
            raise Misused(f"--set {word}: want NAME:KEY=VALUE")
        if name not in names:
            raise Misused(f"--set {word}: {name} is not among the "
                               "servers of this command")
        settings.setdefault(name, {})[key] = value
    return settings


def exit_code(errors: Sequence[ServersError]) -> int:
    """Return 0, 1, or 3 if nothing but missing parts is the matter."""
    if not errors:
        return 0
    return 3 if all(isinstance(error, Missing) for error in errors) else 1


def _each(act: Callable[[fleet.Fleet, str], None]
          ) -> Callable[[fleet.Fleet, argparse.Namespace], int]:
    def run(servers: fleet.Fleet, options: argparse.Namespace) -> int:
        for name in _ordered(options.names):
            act(servers, name)
        return 0
    return run


def _ordered(names: Sequence[str]) -> list[str]:
    return [name for name in SERVERS if name in names]


def _print(servers: fleet.Fleet, names: Sequence[str], as_json: bool) -> None:
    described = {name: servers.describe(name) for name in names}
    if as_json:
        print(json.dumps(described, indent=2))
        return
    for name, facts in described.items():
        print(line_of(name, facts))


def line_of(name: str, facts: Mapping[str, Any]) -> str:
    """Return what a person wants to see of a server, on one line."""
    place = f'{facts["host"]}:{facts["port"]}' if facts["port"] else "-"
    words = [f"{name:20}", place,
             f'{facts["state"]:8}', f'pid {facts["pid"] or "-"}',
             facts["url"], f'log {facts["log"]}']
    if "password" in facts:
        words.insert(-1, f'{facts["username"]}/{facts["password"]}')
    return "  ".join(words)


def _failed(errors: Sequence[ServersError]) -> int:
    for error in errors:
        progress.say(str(error))
    return exit_code(errors)


def _directory(option: str | None, variable: str, default: pathlib.Path
               ) -> pathlib.Path:
    return pathlib.Path(option or os.environ.get(variable) or default
                        ).expanduser().absolute()


def _add(commands: Any, word: str, run: Callable[..., int], text: str,
         names: str = "+") -> argparse.ArgumentParser:
    made = commands.add_parser(word, help=text, description=text)
    made.add_argument("names", nargs=names, metavar="NAME", type=_name,
                      help=f'one of {", ".join(SERVERS)}')
    # Given after the command as well as before it.
    _add_directories(made, argparse.SUPPRESS)
    made.set_defaults(run=run)
    return made


def _name(word: str) -> str:
    if word not in SERVERS:
        raise argparse.ArgumentTypeError(
            f'no server {word!r}: there are {", ".join(SERVERS)}')
    return word


def _add_directories(made: argparse.ArgumentParser, default: Any) -> None:
    made.add_argument("--state-dir", default=default, metavar="DIR",
                      help="data, logs, ports and pids of this set of "
                      "servers (default: run in the cache)")
    made.add_argument("--cache-dir", default=default, metavar="DIR",
                      help="what was fetched (default: "
                      "~/.cache/monasca-events)")


def _add_json(made: argparse.ArgumentParser) -> None:
    made.add_argument("--json", action="store_true",
                      help="print JSON: {name: {host, port, url, …}}")


def _add_settings(made: argparse.ArgumentParser) -> None:
    made.add_argument("--set", action="append", default=[],
                      metavar="NAME:KEY=VALUE",
                      help="change a setting; see servers --help")
