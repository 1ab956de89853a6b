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

"""Configuration: one ConfigOpts object a process, made by its command.

There is no global configuration. A command calls :func:`load` and hands what
it got to those who need it; a driver gets its own group only.
"""

import argparse
from collections.abc import Iterable
from collections.abc import Sequence
import importlib
import os
import re
import sys
import warnings

from oslo_config import cfg
from oslo_config import types
from oslo_log import log

from monasca_events_common.errors import Misconfigured

PROJECT = "monasca-events"

BUS_OPTS = [
    cfg.StrOpt("driver", default="sqlite",
               help="The bus between the API and its consumers: sqlite (one "
                    "machine, no server), kafka, confluent (Kafka by "
                    "librdkafka), or module:Class."),
    cfg.StrOpt("topic", default="monevents",
               help="The topic that carries the events."),
]

STORE_OPTS = [
    cfg.StrOpt("driver", default="sqlite",
               help="The store of events: sqlite (one machine, no server), "
                    "elasticsearch, or module:Class."),
]

METRICS_OPTS = [
    cfg.StrOpt("host", default="127.0.0.1",
               help="The address on which Prometheus metrics are served."),
    cfg.Opt("ports", type=types.Dict(value_type=types.Port()), default={},
            help="For each service the port on which its first worker serves "
                 "Prometheus metrics at /metrics, such as "
                 "api:9301,persister:9311,agent:9321; the next worker takes "
                 "the next port. A service that is not named serves none."),
]

#: (group, options) that every command knows.
COMMON = (("bus", BUS_OPTS), ("store", STORE_OPTS), ("metrics", METRICS_OPTS))

#: Modules of the kernel whose class has GROUP and OPTS, for the sample file.
_DRIVERS = ("monasca_events_common.bus.sqlite:SqliteBus",
            "monasca_events_common.bus.kafka:KafkaBus",
            "monasca_events_common.store.sqlite:SqliteStore",
            "monasca_events_common.store.elasticsearch:ElasticsearchStore")


class Configuration(cfg.ConfigOpts):
    """oslo.config's object that can also look before it leaps.

    ``mutate_config_files`` takes over what the files say and only then finds
    that a value cannot be parsed. A running daemon must keep its old values
    instead, so :meth:`mutate` reads the files into a second object first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._registered: list[tuple[str, Sequence[cfg.Opt]]] = []
        self._call: dict = {}

    def __call__(self, *args, **kwargs):
        self._call = kwargs
        return super().__call__(*args, **kwargs)

    def _pre_setup(self, *args, **kwargs):
        found = super()._pre_setup(*args, **kwargs)
        # oslo.config has no way to keep the lines of examples apart.
        self._oparser.formatter_class = argparse.RawDescriptionHelpFormatter
        return found

    def register_opts(self, opts, group=None) -> None:
        """Register options and remember them for the next look."""
        if group is not None:
            # By name: keystoneauth hands over an OptGroup, which belongs to
            # one object.
            name = getattr(group, "name", group)
            self._registered.append((name, opts))
        super().register_opts(opts, group=group)

    def mutate(self) -> None:
        """Take over mutable options from the files as they are now.

        :raises Misconfigured: a file is wrong; then nothing has changed
        """
        fresh = cfg.ConfigOpts()
        log.register_options(fresh)
        for group, opts in self._registered:
            fresh.register_opts(opts, group=group)
        files = [f"--config-file={name}" for name in self.config_file or ()]
        try:
            fresh(**{**self._call, "args": files})
            for group, opts in self._registered:
                check(fresh, group, opts)
            self.mutate_config_files()
            # oslo.config empties its cache before it reads the files: a thread
            # that asks meanwhile would put an old value back, for good.
            # Registering, even nothing, empties it again.
            super().register_opts(())
        except (cfg.Error, ValueError, OSError) as error:
            raise Misconfigured(_one_line(error)) from None


def load(argv: Sequence[str], prog: str,
         options: Iterable[tuple[str, Sequence[cfg.Opt]]] = (), *,
         description: str = "",
         epilog: str | None = None) -> Configuration:
    """Return the configuration of one process.

    :param argv: the command's arguments without its name
    :param prog: the command's name; without ``--config-file`` it reads
        ``monasca-events.conf`` and ``PROG.conf`` where oslo.config looks
    :param options: further (group, options) of the package
    :raises Misconfigured: a file or value is wrong; one line says which
    """
    conf = Configuration()
    log.register_options(conf)
    for group, opts in (*COMMON, *options):
        conf.register_opts(opts, group=group)
    files = cfg.find_config_files(project=PROJECT, prog=prog)
    try:
        conf(args=list(argv), project=PROJECT, prog=prog,
             default_config_files=files, version=_version(),
             description=description, epilog=epilog)
    except (cfg.Error, ValueError) as error:
        raise Misconfigured(f"configuration: {_one_line(error)}") from error
    for group, opts in (*COMMON, *options):
        check(conf, group, opts)
    return conf


def check(conf: cfg.ConfigOpts, group: str, opts: Sequence[cfg.Opt]) -> None:
    """Read every option once, because oslo.config parses on first use.

    :raises Misconfigured: a value is not what its option expects
    """
    for opt in opts:
        try:
            getattr(conf[group], opt.dest)
        except (cfg.Error, ValueError) as error:
            raise Misconfigured(
                f"[{group}] {opt.name}: {_one_line(error)}") from None


def set_up_logging(conf: cfg.ConfigOpts) -> None:
    """Start oslo.log for this process."""
    log.setup(conf, PROJECT)


def _version() -> str:
    from importlib import metadata
    return metadata.version("monasca-events")


def _one_line(error: Exception) -> str:
    # oslo.config says where a value is from by the repr of its own class.
    told = re.sub(r"LocationInfo\(location=<[^>]*>, detail='?([^')]*)'?\)",
                  r"\1", str(error))
    return " ".join(told.split())


def run(main, argv: Sequence[str] | None = None) -> int:
    """Run a command's main function; an operator's mistake is one line.

    :param main: takes the arguments, returns an exit status
    """
    # Spools, stores and dead letters hold tenants' data: what we create is
    # for the service's user alone.
    os.umask(0o077)
    # oslo.messaging imports eventlet, unused, which then warns at length.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    try:
        return main(sys.argv[1:] if argv is None else argv) or 0
    except Misconfigured as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options for oslo-config-generator: the kernel's and its drivers'."""
    found = [(group, list(opts)) for group, opts in COMMON]
    for spelling in _DRIVERS:
        module, name = spelling.split(":")
        try:
            cls = getattr(importlib.import_module(module), name)
        except ImportError:  # its extra is not installed
            continue
        found.append((cls.GROUP, list(cls.OPTS)))
    from monasca_events_common import database
    from monasca_events_common import deadletters
    from monasca_events_common.catalog import methods
    from monasca_events_common.catalog import secrets
    from monasca_events_common.catalog import targets
    for module in (database, deadletters, methods, secrets, targets):
        found.append((module.GROUP, list(module.OPTS)))
    return found
