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

"""``monasca-events-db``: brings the database's tables up to date."""

from collections.abc import Sequence

from monasca_events_common import command_line
from monasca_events_common import config
from monasca_events_common import database
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable

PROG = "monasca-events-db"

DESCRIPTION = """Make the tables of [database] connection and bring them up to
date. Run it once before the services of a new release start; it may be run
again and does nothing then."""

EPILOG = """Examples:
  monasca-events-db upgrade --config-file /etc/monasca-events/events.conf
  monasca-events-db version

Exit status: 0 done or up to date; 1 the database cannot be reached, or its
tables are of a newer release; 3 `check` found that an upgrade is needed.
"""


def start(argv: Sequence[str]) -> int:
    """Do what the command line says; return the exit status."""
    parser = command_line.Parser(PROG, description=DESCRIPTION,
                                 epilog=EPILOG)
    command_line.add_config(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True,
                                  title="verbs")
    for name, (_, text) in _VERBS.items():
        verbs.add_parser(name, help=text, description=text)
    given = parser.parse_args(argv)
    conf = config.load(command_line.config_arguments(given), PROG,
                       [(database.GROUP, database.OPTS)])
    found = database.Database(conf[database.GROUP].connection)
    try:
        return _VERBS[given.verb][0](found)
    except Unavailable as error:
        raise Misconfigured(str(error)) from error
    finally:
        found.close()


def _upgrade(found: database.Database) -> int:
    before = found.version()
    found.upgrade()
    print(f"{before or 'no tables'} -> {found.version()}")
    return 0


def _version(found: database.Database) -> int:
    print(f"{found.version() or 'no tables'}; this release has "
          f"{database.NEWEST}")
    return 0


def _check(found: database.Database) -> int:
    try:
        found.check()
    except Misconfigured as error:
        print(error)
        return 3
    return 0


_VERBS = {
    "upgrade": (_upgrade, "make the tables or bring them up to date"),
    "version": (_version, "tell which version the tables have"),
    "check": (_check, "say whether an upgrade is needed"),
}


def main() -> int:
    """Console script."""
    return config.run(start)
