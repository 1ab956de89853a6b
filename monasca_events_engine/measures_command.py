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

"""``monasca-events-measures``: what waits for metric sinks or is parked."""

import argparse
from collections.abc import Sequence
import time

import orjson

from monasca_events_common import command_line
from monasca_events_common import config
from monasca_events_common import database
from monasca_events_common import printable
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from monasca_events_common.rules.firing import format_seconds
from monasca_events_engine.pending import PendingMeasures

PROG = "monasca-events-measures"

DESCRIPTION = """Look at the measures of metric actions that have not reached
their sink, and have parked ones pushed again or forgotten. A measure is parked
when the service refuses it, or when it broke the sink again and again."""

EPILOG = f"""Examples:
  {PROG} count
  {PROG} list gnocchi --limit 20
  {PROG} retry gnocchi
  {PROG} purge gnocchi
"""


def start(argv: Sequence[str]) -> int:
    """Do what the command line says; return the exit status."""
    given = _parse(argv)
    conf = config.load(command_line.config_arguments(given), PROG,
                       [(database.GROUP, database.OPTS)])
    found = database.get_database(conf)
    try:
        return _VERBS[given.verb][0](PendingMeasures(found, PROG), given)
    except Unavailable as error:
        raise Misconfigured(str(error)) from error
    finally:
        found.close()


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = command_line.Parser(PROG, description=DESCRIPTION,
                                 epilog=EPILOG)
    command_line.add_config(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True,
                                  title="verbs")
    for name, (_, text) in _VERBS.items():
        one = verbs.add_parser(name, help=text, description=text)
        if name != "count":
            one.add_argument("sink", metavar="SINK")
        if name == "list":
            one.add_argument("--limit", type=int, default=100, metavar="N",
                             help="measures shown at most (%(default)s)")
    return parser.parse_args(argv)


def _count(pending: PendingMeasures, given: argparse.Namespace) -> int:
    for sink, (waiting, parked) in sorted(pending.counts().items()):
        print(f"{sink}: {waiting} wait, {parked} parked")
    return 0


def _list(pending: PendingMeasures, given: argparse.Namespace) -> int:
    for row in pending.parked(given.sink, given.limit):
        one = orjson.loads(row["content"])
        print(printable.escape(
            f"{format_seconds(row['created_at'])}  {one['name']}  "
            f"{one['value']:g}  {one['project_id']}  "
            f"{one['resource_id'] or '-'}  {row['last_error']}"))
    return 0


def _retry(pending: PendingMeasures, given: argparse.Namespace) -> int:
    print(f"{pending.retry(given.sink)} measures are pushed again")
    return 0


def _purge(pending: PendingMeasures, given: argparse.Namespace) -> int:
    print(f"{pending.drop_parked(time.time(), given.sink)} measures are "
          "forgotten")
    return 0


_VERBS = {
    "count": (_count, "tell how many wait and are parked for each sink"),
    "list": (_list, "show a sink's parked measures, the newest first"),
    "retry": (_retry, "have a sink's parked measures pushed again"),
    "purge": (_purge, "forget a sink's parked measures"),
}


def main() -> int:
    """Console script."""
    return config.run(start)
