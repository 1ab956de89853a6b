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

"""The poster: from the spool to the API, in order, until the API has them.

Takes batches from the old end of the spool and posts them. An event leaves
the spool when the API has accepted it, or when the API has said that it never
will: then it goes to the dead letters with the API's own words. Whatever may
pass in time, an API or identity service that is down or a role that is
missing, is waited for. One request at a time, so that order is kept; the same
events may be posted twice and keep their ids.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import datetime
import gzip
import logging
import random
import threading
import time

from oslo_config import cfg
import orjson

from monasca_events_agent.backoff import Backoff
from monasca_events_agent.endpoints import Answer
from monasca_events_agent.endpoints import Endpoints
from monasca_events_agent.endpoints import OPTS as ENDPOINT_OPTS
from monasca_events_agent.guard import Guard
from monasca_events_agent.spool import Row
from monasca_events_agent.spool import Spool
from monasca_events_agent.spoolfile import STAGE
from monasca_events_common import metrics
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Unavailable
from monasca_events_common.event import format_time

LOG = logging.getLogger(__name__)

GROUP = "poster"

OPTS = [
    *ENDPOINT_OPTS,
    cfg.IntOpt("max_batch_size", default=1000, min=1, mutable=True,
               help="Events in one request at most."),
    cfg.IntOpt("max_batch_bytes", default=1000000, min=1024, mutable=True,
               help="Bytes of one request's body at most, before "
                    "compression. When the API answers 413, smaller ones are "
                    "made until the agent is started again."),
    cfg.FloatOpt("max_wait", default=0.1, min=0.0, mutable=True,
                 help="Seconds between two requests that are not full. "
                      "Larger means fewer requests and later visibility."),
    cfg.BoolOpt("compress", default=False, mutable=True,
                help="Whether bodies are compressed with gzip. It saves "
                     "about four fifths of the traffic for some CPU time at "
                     "both ends; given up when the API answers 415."),
    cfg.IntOpt("backlog_send_rate", default=0, min=0, mutable=True,
               help="Events posted in a second at most, so that a backlog "
                    "does not crowd out others. 0 has no limit."),
    cfg.FloatOpt("backoff_base", default=0.5, min=0.01,
                 help="Seconds of the first delay after a failed request; "
                      "each further delay doubles, chosen at random up to "
                      "that."),
    cfg.FloatOpt("backoff_max", default=30.0, min=0.01,
                 help="Seconds that a delay between tries has at most. The "
                      "number of tries has no limit."),
]

# Seconds between two looks for events that waited too long in the spool.
_EXPIRE_EVERY = 30.0
# A body is never made smaller than this for a 413.
_SMALLEST_BODY = 16 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """An event that the API will never take.

    :ivar index: its place in the batch
    """

    index: int
    code: str
    message: str


class Split(Exception):
    """One event of the batch is to blame; the answer does not say which."""


class Poster:
    """Empties the spool. For one thread only."""

    def __init__(self, conf, spool: Spool, endpoints: Endpoints,
                 dead_letters: DeadLetters, *,
                 now: Callable[[], datetime.datetime] | None = None,
                 clock: Callable[[], float] = time.monotonic,
                 rng: random.Random | None = None) -> None:
        """
        :param conf: an option group with OPTS
        :param now: gives the time, aware
        """
        self.conf = conf
        self._spool = spool
        self._endpoints = endpoints
        self._dead = dead_letters
        self._guard = Guard(STAGE, dead_letters)
        self._now = now or _utc_now
        self._clock = clock
        self._rng = rng
        self._pieces: list[Sequence[Row]] = []
        self._settled: tuple[Sequence[Row], Sequence[Refusal]] | None = None
        self._learned_bytes: int | None = None
        self._compresses = True
        self._expired_at = clock()

    def run(self, stop: threading.Event) -> None:
        """Post until ``stop`` is set; what is left stays in the spool."""
        backoff = Backoff(self.conf.backoff_base, self.conf.backoff_max,
                          rng=self._rng, clock=self._clock)
        while not stop.is_set():
            try:
                self._expire()
                posted = self.step()
                if backoff.reset():
                    LOG.info("events are posted again")
                self._pause(posted, stop)
            except Unavailable as error:
                metrics.HELD.labels(STAGE, error.code).inc()
                delay = backoff.delay(at_least=error.retry_after)
                if backoff.should_log():
                    LOG.warning("events wait in the spool, try %d, again in "
                                "%.1f s: %s", backoff.tries, delay, error)
                stop.wait(delay)

    def _pause(self, posted: int, stop: threading.Event) -> None:
        """Wait for something to do, or for a batch to become worth it."""
        if posted and self.conf.backlog_send_rate:
            stop.wait(posted / self.conf.backlog_send_rate)
        if self._pieces or self._is_worth_it():
            return
        if posted:
            stop.wait(self.conf.max_wait)
        else:
            self._spool.wait(stop, 0.5)

    def _is_worth_it(self) -> bool:
        depth = self._spool.depth()
        return (depth.rows >= self.conf.max_batch_size
                or depth.bytes >= self._max_bytes())

    def _expire(self) -> None:
        if self._clock() - self._expired_at >= _EXPIRE_EVERY:
            self._expired_at = self._clock()
            self._spool.expire()

    # -- one turn -------------------------------------------------------------

    def step(self) -> int:
        """Post one batch and settle it; return how many events it had.

        Raises Unavailable when the API, the identity service or the disk
        cannot take part now; the batch stays where it is.
        """
        if self._settled is not None:
            # Posted before, when the disk could not be told so.
            return self._settle()
        if not self._pieces:
            rows = self._spool.fetch(self.conf.max_batch_size,
                                     self._max_bytes())
            if not rows:
                return 0
            self._pieces = [rows]
        piece = self._pieces[0]
        try:
            refusals = self._post(piece)
        except Split:
            half = len(piece) // 2
            self._pieces[:1] = [piece[:half], piece[half:]]
            return 0
        self._pieces.pop(0)
        self._settled = piece, refusals
        self._guard.count(len(piece), len(refusals))
        return self._settle()

    def _post(self, rows: Sequence[Row]) -> list[Refusal]:
        """Return what is refused for ever; the rest is with the API."""
        damaged = [Refusal(place, "spool_corrupt",
                           "the event's bytes changed on the disk")
                   for place, row in enumerate(rows) if not row.intact]
        places = [place for place, row in enumerate(rows) if row.intact]
        if not places:
            return damaged
        body = _body([rows[place].body for place in places])
        with metrics.SECONDS.labels(STAGE).time():
            answer = self._request(body)
        found = self._read(answer, len(places), len(body))
        return damaged + [dataclasses.replace(one, index=places[one.index])
                          for one in found]

    def _request(self, body: bytes) -> Answer:
        headers = {"Content-Type": "application/json",
                   "Accept": "application/json"}
        if self.conf.compress and self._compresses:
            packed = gzip.compress(body, 1)
            answer = self._endpoints.post(
                packed, {**headers, "Content-Encoding": "gzip"})
            if answer.status != 415:
                return answer
            LOG.warning("the API takes no gzip; bodies go uncompressed")
            self._compresses = False
        return self._endpoints.post(body, headers)

    def _read(self, answer: Answer, count: int, size: int) -> list[Refusal]:
        """Return what an answer refuses of ``count`` events.

        :raises Split: the batch must be cut to learn that
        :raises Unavailable: it refuses none for ever
        """
        if 200 <= answer.status < 300:
            return _refused(answer, count)
        if answer.status not in (400, 413, 422):
            # 401, 403, 404 and the like are the operator's to mend, and
            # burying a cloud's events meanwhile would help nobody.
            raise Unavailable(
                f"the API answered {answer.status} {_message(answer)}",
                code=f"api_{answer.status}",
                retry_after=max(answer.retry_after, 1.0))
        named = _named(answer, count)
        if len(named) == count:
            return named
        if count > 1:
            if answer.status == 413:
                self._learned_bytes = max(size // 2, _SMALLEST_BODY)
                LOG.warning("the API refused a body of %d bytes; at most %d "
                            "are posted from now on", size,
                            self._learned_bytes)
            raise Split
        return [Refusal(0, _code(answer), _message(answer))]

    def _max_bytes(self) -> int:
        if self._learned_bytes is None:
            return self.conf.max_batch_bytes
        return min(self.conf.max_batch_bytes, self._learned_bytes)

    def _settle(self) -> int:
        """Bury what was refused, then take the batch out of the spool."""
        rows, refusals = self._settled
        now = format_time(self._now())
        self._guard.check(now)
        if refusals:
            self._dead.put([_letter(rows[one.index], one)
                            for one in refusals], now)
        # After the answer: a crash before this posts the batch again, and
        # ids make the repeat harmless.
        self._spool.remove(rows)
        self._settled = None
        metrics.PASSED.labels(STAGE).inc(len(rows) - len(refusals))
        for one in refusals:
            metrics.DEAD.labels(STAGE, one.code).inc()
        return len(rows)


def _body(bodies: Sequence[bytes]) -> bytes:
    return b'{"events":[' + b",".join(bodies) + b"]}"


def _refused(answer: Answer, count: int) -> list[Refusal]:
    """Return the events that a 2xx answer refuses.

    It must account for every event: whatever else answers 200 on that
    address, a proxy's page for example, has not taken them.
    """
    refusals = _named(answer, count)
    if _object(answer).get("accepted") != count - len(refusals):
        raise Unavailable(
            f"the answer {answer.status} does not account for {count} "
            "events; is that the events API?", code="api_answer",
            retry_after=1.0)
    return refusals


def _named(answer: Answer, count: int) -> list[Refusal]:
    """Return the events that an answer names as rejected, each once."""
    found = _object(answer).get("rejected")
    named = {one.get("index"): one for one in found
             if isinstance(one, dict)} if isinstance(found, list) else {}
    return [Refusal(index, str(one.get("code") or "rejected")[:64],
                    str(one.get("message") or ""))
            for index, one in named.items()
            if type(index) is int and 0 <= index < count]


def _object(answer: Answer) -> Mapping:
    try:
        found = orjson.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _code(answer: Answer) -> str:
    errors = _object(answer).get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return str(errors[0].get("code") or f"api_{answer.status}")[:64]
    return f"api_{answer.status}"


def _message(answer: Answer) -> str:
    return str(_object(answer).get("message") or "")[:500]


def _letter(row: Row, refusal: Refusal) -> DeadLetter:
    try:
        event = orjson.loads(row.body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        event = {}
    return DeadLetter(
        stage=STAGE, code=refusal.code, reason=refusal.message,
        error="Rejected", raw=row.body, project_id=event.get("project_id"),
        position=f"event/{event.get('event_id', row.id)}")


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
