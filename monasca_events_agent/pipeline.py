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

"""The pipeline: from a batch of notices to spooled events.

Opens, filters, normalises and encodes each notification, then makes the whole
batch safe: dead letters first, then events and bookmark in one transaction.
What cannot be stored now is held and tried again; a source is answered only
when every notice is safe. At a quiet point received = spooled + dead +
dropped.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import datetime
import json
import logging
import random
import threading

from monasca_events_agent.backoff import Backoff
from monasca_events_agent.filters import Filter
from monasca_events_agent.guard import Guard
from monasca_events_agent.normalise import Dropped
from monasca_events_agent.redact import redact_bytes
from monasca_events_agent.sources import Bookmark
from monasca_events_agent.sources import Intake
from monasca_events_agent.sources import Notice
from monasca_events_agent.spool import Spool
from monasca_events_agent.wire import open_envelope
from monasca_events_common import metrics
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_common.event import encode
from monasca_events_common.event import format_time

LOG = logging.getLogger(__name__)

STAGE = "agent"

#: Bytes of a dead letter's raw form at most.
MAX_RAW = 1024 * 1024

#: A notification, when ours first saw it and by which road it came → the
#: canonical event. Raises Rejected or Dropped.
Normalise = Callable[[Mapping, str, str], Mapping]


@dataclasses.dataclass(slots=True)
class Outcome:
    """What became of a batch, before any of it is on disk."""

    events: list[bytes] = dataclasses.field(default_factory=list)
    letters: list[DeadLetter] = dataclasses.field(default_factory=list)
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)


class Pipeline(Intake):
    """What sources deliver to. Safe to call from several threads."""

    def __init__(self, normalise: Normalise, chosen: Filter, spool: Spool,
                 dead_letters: DeadLetters, stop: threading.Event, *,
                 now: Callable[[], datetime.datetime] | None = None,
                 rng: random.Random | None = None) -> None:
        """
        :param chosen: says which notifications are taken
        :param stop: set when nobody shall be kept waiting any more
        :param now: gives the time, aware
        """
        self._normalise = normalise
        self._filter = chosen
        self._spool = spool
        self._dead = dead_letters
        self._stop = stop
        self._now = now or _utc_now
        self._rng = rng
        self._guard = Guard(STAGE, dead_letters)

    def bookmark(self, name: str) -> str | None:
        return self._spool.bookmark(name)

    def __call__(self, notices: Sequence[Notice],
                 bookmark: Bookmark | None = None) -> None:
        received_at = format_time(self._now())
        outcome = self.prepare(notices, received_at)
        self._guard.count(len(notices), len(outcome.letters))
        backoff = Backoff(0.05, 5.0, rng=self._rng)
        with metrics.SECONDS.labels(STAGE).time():
            while True:
                try:
                    self._guard.check(received_at)
                    self._keep(outcome, bookmark, received_at)
                    break
                except Unavailable as error:
                    self._hold(error, len(notices), backoff)
        if backoff.reset():
            LOG.info("%s goes on", STAGE)
        _count(len(notices), outcome)

    # -- pure ---------------------------------------------------------------

    def prepare(self, notices: Sequence[Notice], received_at: str) -> Outcome:
        """Return what becomes of each notice. No I/O; never raises for what
        is in a notice."""
        outcome = Outcome()
        self._filter.refresh()
        for notice in notices:
            try:
                body = notice.body
                if type(body) is bytes:
                    body = open_envelope(body)
                reason = self._filter.refuses(body)
                if reason is None:
                    outcome.events.append(encode(
                        self._normalise(body, received_at, notice.source)))
                    continue
            except Dropped as dropped:
                reason = dropped.reason
            except Rejected as rejected:
                outcome.letters.append(_letter(notice, rejected))
                continue
            outcome.dropped[reason] = outcome.dropped.get(reason, 0) + 1
        return outcome

    # -- making it safe -------------------------------------------------------

    def _keep(self, outcome: Outcome, bookmark: Bookmark | None,
              now: str) -> None:
        # Letters first: a crash between the two repeats the batch, and a
        # letter put twice is one letter.
        if outcome.letters:
            self._dead.put(outcome.letters, now)
        if outcome.events or bookmark is not None:
            self._spool.append(outcome.events, bookmark)

    def _hold(self, error: Unavailable, count: int, backoff: Backoff) -> None:
        """Wait before the next try; raise the error when told to stop."""
        metrics.HELD.labels(STAGE, error.code).inc()
        if backoff.should_log():
            LOG.warning("%s holds a batch of %d: %s", STAGE, count, error)
        if self._stop.wait(backoff.delay()):
            raise error


def _letter(notice: Notice, rejected: Rejected) -> DeadLetter:
    body = notice.body
    if type(body) is not bytes:
        # Not orjson: it refuses what may be the very reason.
        body = json.dumps(body, default=repr).encode()
    return DeadLetter(stage=STAGE, code=rejected.code, reason=str(rejected),
                      error=type(rejected).__name__,
                      position=notice.position,
                      raw=redact_bytes(body[:MAX_RAW]))


def _count(notices: int, outcome: Outcome) -> None:
    metrics.RECEIVED.labels(STAGE).inc(notices)
    metrics.PASSED.labels(STAGE).inc(len(outcome.events))
    for letter in outcome.letters:
        metrics.DEAD.labels(STAGE, letter.code).inc()
    for reason, number in outcome.dropped.items():
        metrics.DROPPED.labels(STAGE, reason).inc(number)


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
