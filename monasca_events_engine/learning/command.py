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

"""``monasca-events-learn``: proposes triggers from the stored history."""

import argparse
from collections.abc import Callable, Sequence
import datetime
import re
import sys
import time

from monasca_events_common import command_line
from monasca_events_common import config
from monasca_events_common import event as events
from monasca_events_common import printable
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.store import get_store
from monasca_events_engine.learning import report
from monasca_events_engine.learning.history import StoredEvents
from monasca_events_engine.learning.model import Model
from monasca_events_engine.learning.proposals import propose
from monasca_events_engine.learning.proposals import Wish

PROG = "monasca-events-learn"

DESCRIPTION = """Read stored events, learn how long operations take and which
steps follow one another, and propose definitions of triggers to review: for
an end or a step that is late, and for transitions of instances that none has
made. Shows a table; nothing is changed."""

EPILOG = f"""Examples:
  {PROG}
  {PROG} --since 30d --percentile 99.9 --output proposals.json
  {PROG} --project 4b9fd1cbd2a34a0c8bd1d8eb0f3de0f0 --minimum 100
  {PROG} --since 2026-11-01 --until 2026-11-08T12:00:00Z

The table has a line for all flavours of an operation (*) and one for each:
N ended well, NO END neither ended nor failed, the rest is in seconds.

Exit status: 0 done; 1 something could not be done; 2 wrong command line.
"""

_USUAL = Wish()

#: Seconds between two lines that tell how far it has come.
_TELL = 2.0

_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])\Z")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def start(argv: Sequence[str],
          clock: Callable[[], float] = time.time) -> int:
    """Do what the command line says; return the exit status.

    :param clock: seconds since the epoch
    """
    given = _parse(argv, clock())
    conf = config.load(command_line.config_arguments(given), PROG)
    wish = Wish(given.percentile, given.minimum, given.share)
    store = get_store(conf)
    try:
        model = _read(StoredEvents(store, given.project, given.since,
                                   given.until))
    except Misconfigured:
        raise
    except EventsError as error:
        raise Misconfigured(printable.escape(str(error))) from error
    finally:
        store.close()
    if not model.events:
        raise Misconfigured("the store holds no such events")
    return _tell(model, wish, given.output)


def _parse(argv: Sequence[str], now: float) -> argparse.Namespace:
    def moment(text: str) -> str:
        return _moment(text, now)

    parser = command_line.Parser(PROG, description=DESCRIPTION,
                                 epilog=EPILOG)
    command_line.add_config(parser)
    parser.add_argument("--project", action="append", default=[],
                        metavar="ID", help="only this project's events; may "
                        "be repeated (default: all projects together)")
    for option, what in (("--since", "from this time on"),
                         ("--until", "before this time")):
        parser.add_argument(
            option, type=moment, metavar="TIME",
            help=f"only events {what}: 2026-01-31, 2026-01-31T23:59:59Z, or "
            "so long ago: 12h, 30d, 4w")
    parser.add_argument("--percentile", type=_percent, metavar="P",
                        default=_USUAL.percentile, help="percentage of those "
                        "that ended well which a deadline lets pass "
                        "(%(default)g)")
    parser.add_argument("--minimum", type=_count, metavar="N",
                        default=_USUAL.least, help="samples without which "
                        "nothing is proposed (%(default)s)")
    parser.add_argument("--share", type=_share, metavar="S",
                        default=_USUAL.share, help="part of the requests with "
                        "a step, from 0.5 to 1, in which another must follow "
                        "to be expected (%(default)g)")
    parser.add_argument("--output", metavar="FILE", help="write the "
                        "definitions there as JSON; replaces the file")
    return parser.parse_args(argv)


def _moment(text: str, now: float) -> str:
    found = _SPAN.match(text)
    try:
        if found:
            now -= float(found[1]) * _UNITS[found[2]]
            return events.format_time(datetime.datetime.fromtimestamp(
                now, datetime.timezone.utc))
        return events.format_time(events.parse_time(text))
    except (Rejected, OverflowError, ValueError, OSError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a time such as 2026-01-31T23:59:59Z nor a "
            "span such as 30d") from None


def _within(low: float, high: float, what: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = low - 1
        if not low <= found <= high:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not {what} from {low:g} to {high:g}")
        return found
    return read


_percent = _within(1, 100, "a percentage")
_share = _within(0.5, 1, "a part")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10 ** 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _read(stored: StoredEvents) -> Model:
    """Return what the history teaches; tell how far it has come."""
    progress = _Progress()
    total = stored.count()
    model = Model()
    for history in stored.projects():
        for event in history:
            model.observe(event)
            # The clock is not asked for each of a million events.
            if not model.events % 256:
                progress.tell(
                    f"{model.events} of "
                    f"{'unknown' if total is None else total} events read, "
                    f"up to {event['timestamp']}")
        model.finish()
    return model


class _Progress:
    """Tells how far it has come, when it takes long."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def tell(self, text: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TELL:
            self._told_at = now
            _say(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _tell(model: Model, wish: Wish, output: str | None) -> int:
    progress = _Progress()
    found = propose(model, wish, lambda done, of: progress.tell(
        f"what follows {done} of {of} types of events is known"))
    for line in report.table(found.rows):
        print(line)
    if found.seconds_of:
        print("\n[missing_end]\nseconds_of = " + ",".join(
            f"{name}:{seconds:g}" for name, seconds
            in found.seconds_of.items()))
    for line in report.transitions(model, wish.least):
        print(line)
    for sentence in model.limits():
        _say(f"note: {printable.escape(sentence)}")
    if output is not None:
        report.write(output, report.document(model, found))
    _say(f"{model.events} events from {model.first} to {model.last}; "
         f"{len(found.triggers)} triggers are proposed"
         + (f" in {output}" if output else "; --output writes them"))
    return 0


def main() -> int:
    """Console script."""
    return config.run(start)
