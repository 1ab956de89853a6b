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


"""The command line of ``monasca-events-generate``, read and checked."""

import argparse
from collections.abc import Sequence
import datetime
import random
import re

from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic.services import SERVICES
from monasca_events_common.errors import Rejected
from monasca_events_common.event import parse_time

PROG = "monasca-events-generate"

_EXAMPLES = """examples:
  one hundred notifications of two tenants into RabbitMQ:
    %(prog)s --transport-url rabbit://user:password@mq/ --count 100 --tenants 2
  a file of a month's events, with errors and operations that never end:
    %(prog)s --file month.ndjson --count 100000 --span 30d \\
        --errors 0.05 --missing-ends 0.01
  200 a second for a minute, some twice, in disorder, written down for a check:
    %(prog)s --transport-url rabbit://user:password@mq/ --rate 200 \\
        --seconds 60 --duplicates 0.1 --shuffle 1000 --truth truth.ndjson
  as fast as it goes, notifications of 1,250 bytes:
    %(prog)s --transport-url rabbit://user:password@mq/ --count 100000 \\
        --event-bytes 1250 --precompute --processes 2

The same seed gives the same notifications, ids included; only their times
follow the clock, unless --start or --span is given. Ctrl-C ends a run in good
order; the truth file also survives kill -9.
"""

_PROJECT = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse(argv: Sequence[str], now: datetime.datetime) -> argparse.Namespace:
    """Return what the command line says; exit with one line if it is wrong.

    Adds ``options``, a lifecycles.Options, and ``live``, whether times follow
    the clock.
    """
    parser = _parser()
    given = parser.parse_args(argv)
    if given.span is not None and given.count is None:
        parser.error("--span spreads a number of notifications: give --count")
    if given.precompute and given.count is None:
        parser.error("--precompute needs to know how many: give --count")
    given.live = given.start is None and given.span is None
    if given.seed is None:
        given.seed = random.randrange(10 ** 6)
    start = given.start or now
    if given.start is None and given.span is not None:
        start = now - datetime.timedelta(seconds=given.span)
    given.options = lifecycles.Options(
        count=given.count, start=start, span=given.span,
        pace=given.rate or 1000.0, services=given.services,
        nova_format=given.nova_format, errors=given.errors,
        missing_ends=given.missing_ends, duplicates=given.duplicates,
        shuffle=given.shuffle, canaries=given.canaries,
        event_bytes=given.event_bytes)
    given.tenants = given.project or given.tenants
    return given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROG, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Send the notifications of a made-up cloud: servers, "
        "volumes, networks and more, created, changed and deleted.")
    _add_destination(parser)
    _add_amount(parser)
    _add_content(parser)
    _add_trouble(parser)
    return parser


def _add_destination(parser) -> None:
    group = parser.add_argument_group("where to")
    either = group.add_mutually_exclusive_group(required=True)
    either.add_argument(
        "--transport-url", metavar="URL",
        help="the services' broker, such as rabbit://user:password@host:5672/")
    either.add_argument(
        "--file", metavar="PATH",
        help="append one line of JSON for each notification, by the "
        "notification driver monasca_events_file")
    group.add_argument("--topic", default="event_notifications",
                       help="topic of the notifications (%(default)s)")
    group.add_argument("--exchange", metavar="NAME",
                       help="control exchange (oslo.messaging's: openstack)")
    group.add_argument(
        "--queues", choices=("transient", "durable", "quorum"),
        default="durable",
        help="how queues are declared, as the listener does (%(default)s)")
    group.add_argument("--config-file", action="append", default=[],
                       metavar="PATH",
                       help="file with further options of oslo.messaging")
    group.add_argument(
        "--connections", type=_positive, default=None, metavar="N",
        help="connections a process, which wait for confirmations side by "
        "side; the order is kept within a lifecycle, with 1 altogether "
        "(8, or 1 with --file)")
    group.add_argument("--processes", type=_positive, default=1, metavar="N",
                       help="processes that share the work (%(default)s)")


def _add_amount(parser) -> None:
    group = parser.add_argument_group("how much")
    group.add_argument("--count", type=_positive, metavar="N",
                       help="notifications, repetitions and poison not "
                       "counted (until interrupted)")
    group.add_argument("--seconds", type=_duration, metavar="T",
                       help="stop after so long: 90, 15m, 2h, 1d")
    group.add_argument("--rate", type=_rate, default=0.0, metavar="R",
                       help="notifications a second; 0 for as fast as it "
                       "goes (0)")
    group.add_argument("--precompute", action="store_true",
                       help="make all of them before sending the first")
    group.add_argument("--quiet", action="store_true",
                       help="no progress, no summary")


def _add_content(parser) -> None:
    group = parser.add_argument_group("what")
    group.add_argument("--seed", type=int, metavar="N",
                       help="what all chance follows from (a random one)")
    who = group.add_mutually_exclusive_group()
    who.add_argument("--tenants", type=_positive, default=5, metavar="N",
                     help="tenants with made-up project ids (%(default)s)")
    who.add_argument("--project", action="append", type=_project,
                     metavar="ID", help="a tenant's project id; may be "
                     "repeated")
    group.add_argument("--services", type=_services, default=SERVICES,
                       metavar="A,B", help="who speaks: "
                       + ", ".join(SERVICES) + " (all)")
    group.add_argument("--nova-format", default="unversioned",
                       choices=("unversioned", "versioned", "both"),
                       help="as nova's notification_format (%(default)s)")
    group.add_argument("--event-bytes", type=_positive, metavar="N",
                       help="fill each notification up to N bytes of JSON")
    group.add_argument("--start", type=_time, metavar="TIME",
                       help="time of the first, instead of the clock's")
    group.add_argument("--span", type=_duration, metavar="T",
                       help="spread them over so long, ending now unless "
                       "--start is given, with lifelike durations")
    group.add_argument("--truth", metavar="PATH",
                       help="write down what was sent, for the checker")


def _add_trouble(parser) -> None:
    group = parser.add_argument_group("trouble (shares from 0 to 1)")
    for name, default, text in (
            ("--errors", 0.03, "operations that fail"),
            ("--missing-ends", 0.0, "operations whose end is never heard"),
            ("--duplicates", 0.0, "notifications that come again, same id"),
            ("--poison", 0.0, "notifications followed by a malformed message")
            ):
        group.add_argument(name, type=_share, default=default,
                           metavar="SHARE", help=f"{text} ({default:g})")
    group.add_argument("--shuffle", type=_positive, default=0,
                       metavar="WINDOW", help="random order among so many "
                       "notifications")
    group.add_argument("--canaries", action="store_true",
                       help="plant secrets, CANARY-1 and so on, where "
                       "services leak them")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


_positive.__name__ = "number"


def _rate(text: str) -> float:
    value = float(text)
    if not 0 <= value < 10 ** 9:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value


_rate.__name__ = "rate"


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


_share.__name__ = "share"


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not found or not float(found.group(1)):
        raise argparse.ArgumentTypeError(
            f"{text} is no duration; expected such as 90, 15m, 2h, 30d")
    return float(found.group(1)) * _UNITS[found.group(2)]


def _time(text: str) -> datetime.datetime:
    try:
        return parse_time(text)
    except Rejected as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _project(text: str) -> str:
    if not _PROJECT.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text} is no project id; expected 32 hexadecimal digits or a "
            "UUID, in lower case")
    return text


def _services(text: str) -> tuple[str, ...]:
    wanted = tuple(text.split(","))
    for name in wanted:
        if name not in SERVICES:
            raise argparse.ArgumentTypeError(
                f"{name!r} is none of " + ", ".join(SERVICES))
    return wanted
