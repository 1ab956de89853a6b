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

"""The pusher: takes measures from the database to the metric sinks.

Each sink has a thread, so that a slow service holds up nothing but its own
measures, and a circuit breaker, so that one that is down is not asked all the
time. The list of sinks is followed while running. What was pushed is deleted,
what is refused is parked and counted: nothing vanishes quietly.
"""

from collections.abc import Callable, Sequence
import functools
import logging
import random
import threading
import time
import uuid

from oslo_config import cfg
import orjson
import prometheus_client

from monasca_events_common import metrics
from monasca_events_common import plugins
from monasca_events_common import printable
from monasca_events_common.database import Database
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from monasca_events_engine import circuit
from monasca_events_engine import sinks
from monasca_events_engine.account import Accounts
from monasca_events_engine.circuit import Circuit
from monasca_events_engine.measures import Measure
from monasca_events_engine.pending import PARKED
from monasca_events_engine.pending import Pending
from monasca_events_engine.pending import PendingMeasures
from monasca_events_engine.sinks import Refusal
from monasca_events_engine.sinks import Sink

LOG = logging.getLogger(__name__)

STAGE = "measures"

MEASURES = prometheus_client.Counter(
    "monasca_events_measures",
    "Measures by sink and by what became of them: pushed, failed (tried "
    "again), parked.", ["sink", "outcome"])
WAITING = prometheus_client.Gauge(
    "monasca_events_measures_waiting",
    "Measures in the database, of all engines: due, or parked.",
    ["sink", "state"])
SECONDS = prometheus_client.Histogram(
    "monasca_events_push_seconds", "Time that a sink takes for one push.",
    ["sink"])

#: Seconds between two looks at how many wait.
_SWEEP = 30.0

#: Seconds after which a sink that could not be made is tried again.
_AGAIN = 60.0

_DAY = 86400.0


def make_sink(conf: cfg.ConfigOpts, name: str) -> Sink:
    """Return a sink by its name in ``[metric_sinks] enabled``.

    :raises Misconfigured: there is none, or its options cannot work
    """
    cls = plugins.load(sinks.NAMESPACE, name)
    return cls(plugins.options(conf, cls), Accounts(conf))


class Pusher:
    """Pushes until told to stop."""

    def __init__(self, database: Database, conf,
                 make: Callable[[str], Sink],
                 clock: Callable[[], float] = time.time) -> None:
        """:param conf: the group ``[metric_sinks]``
        :param make: of a sink's name, makes it; may raise Misconfigured
        :param clock: seconds since the epoch
        """
        self.conf = conf
        self._pending = PendingMeasures(database, str(uuid.uuid4()))
        self._make = make
        self._clock = clock
        self._lines: dict[str, tuple[threading.Thread,
                                     threading.Event]] = {}
        self._swept_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; what is being pushed may finish."""
        try:
            while not stop.is_set():
                self._follow()
                if time.monotonic() - self._swept_at >= _SWEEP:
                    self._swept_at = time.monotonic()
                    self.sweep()
                stop.wait(0.25)
        finally:
            for _, one in self._lines.values():
                one.set()
            for thread, _ in self._lines.values():
                thread.join(10.0)

    def _follow(self) -> None:
        wanted = set(self.conf.enabled)
        for name in wanted - self._lines.keys():
            stop = threading.Event()
            line = Line(name, self.conf, self._pending, functools.partial(
                self._make, name), self._clock)
            thread = threading.Thread(target=line.run, args=(stop,),
                                      name=f"sink-{name}", daemon=True)
            self._lines[name] = thread, stop
            thread.start()
        for name in self._lines.keys() - wanted:
            self._lines.pop(name)[1].set()

    def sweep(self) -> None:
        """Count what waits, and drop what is too much or too old."""
        try:
            parked = self._pending.drop_parked(
                self._clock() - self.conf.keep_parked_days * _DAY)
            if parked:
                metrics.DROPPED.labels(STAGE, "parked_too_long").inc(parked)
                LOG.warning("dropped %d measures that were parked for %d "
                            "days", parked, self.conf.keep_parked_days)
            for name, (waiting, parked) in self._pending.counts().items():
                over = waiting - self.conf.max_waiting
                if over > 0:
                    over = self._pending.drop_oldest(name, over)
                    metrics.DROPPED.labels(STAGE, "too_many_waiting").inc(
                        over)
                    LOG.warning("dropped %d measures for %s: more than %d "
                                "wait", over, name, self.conf.max_waiting)
                WAITING.labels(name, "due").set(waiting - max(over, 0))
                WAITING.labels(name, "parked").set(parked)
        except Unavailable as error:
            LOG.info("measures are counted later: %s", error)


class Line:
    """One sink at work."""

    def __init__(self, name: str, conf, pending: PendingMeasures,
                 make: Callable[[], Sink],
                 clock: Callable[[], float] = time.time) -> None:
        """:param make: makes the sink; may raise Misconfigured
        :param clock: seconds since the epoch
        """
        self.name = name
        self.conf = conf
        self._pending = pending
        self._make = make
        self._clock = clock
        self._sink: Sink | None = None
        self._circuit = Circuit(conf)
        self._rng = random.Random()  # noqa: S311 - jitter
        self._failures = 0
        #: What became of measures and could not be written down yet.
        self._done: set[bytes] = set()
        self._later: dict[bytes, tuple[float, int, str]] = {}

    def run(self, stop: threading.Event) -> None:
        """Push until ``stop`` is set."""
        try:
            while not stop.is_set():
                stop.wait(self.step())
        finally:
            if self._sink is not None:
                self._sink.close()

    def step(self) -> float:
        """Push one batch; return the seconds until the next one."""
        try:
            self._write()
            if self._sink is None:
                self._sink = self._make()
            now = time.monotonic()
            if self._circuit.state(now) == circuit.OPEN:
                return self._circuit.until - now
            wall = self._clock()
            rows = self._pending.claim(self.name, wall,
                                       wall + self.conf.lease,
                                       self.conf.batch_size)
            self._push_all(rows)
            self._write()
        except Unavailable as error:
            LOG.warning("measures for %s wait for the database: %s",
                        self.name, error)
            return self.conf.interval
        except Exception as error:
            # A sink that cannot be made, a third party's among them.
            metrics.BROKEN.labels(self.name).inc()
            LOG.error("the metric sink %s cannot be made: %s", self.name,
                      error)
            return _AGAIN
        return 0.0 if rows else self.conf.interval

    def _push_all(self, rows: Sequence[Pending]) -> None:
        fresh = [one for one in rows if not one.attempts]
        # Those that failed go one by one: the others are not to suffer for
        # the one that is to blame.
        for batch in (fresh, *([one] for one in rows if one.attempts)):
            if batch:
                self._push(batch)

    def _push(self, rows: Sequence[Pending]) -> None:
        measures = [Measure(**orjson.loads(one.content)) for one in rows]
        try:
            with SECONDS.labels(self.name).time():
                refusals = self._sink.push(measures)
        except (Unavailable, Misconfigured) as error:
            self._failed(rows, error, getattr(error, "retry_after", 0.0))
        except Exception as error:
            # The edge of plug-ins: whatever escapes one push must not end
            # the thread that makes the others.
            LOG.exception("the metric sink %s failed in a way that it does "
                          "not know", self.name)
            metrics.BROKEN.labels(self.name).inc()
            self._broke(rows, error)
        else:
            self._circuit.succeeded()
            self._failures = 0
            self._settle(rows, refusals)

    def _failed(self, rows: Sequence[Pending], error: Exception,
                retry_after: float) -> None:
        self._circuit.failed(time.monotonic())
        self._failures += 1
        at = self._clock() + max(self._delay(), min(
            retry_after, self.conf.max_backoff))
        MEASURES.labels(self.name, "failed").inc(len(rows))
        LOG.warning("%d measures for %s wait: %s", len(rows), self.name,
                    error)
        for one in rows:
            self._later[one.id] = at, one.attempts, str(error)

    def _delay(self) -> float:
        ceiling = min(self.conf.max_backoff,
                      self.conf.backoff * 2 ** min(self._failures - 1, 20))
        return self._rng.uniform(ceiling / 2, ceiling)

    def _broke(self, rows: Sequence[Pending], error: Exception) -> None:
        self._failures += 1
        at = self._clock() + self._delay()
        for one in rows:
            attempts = one.attempts + 1
            is_last = attempts >= self.conf.max_attempts
            MEASURES.labels(self.name,
                            "parked" if is_last else "failed").inc()
            self._later[one.id] = (PARKED if is_last else at, attempts,
                                   f"{type(error).__name__}: {error}")

    def _settle(self, rows: Sequence[Pending], refusals: Sequence[Refusal]
                ) -> None:
        refused = {one.position: one.reason for one in refusals}
        for place, one in enumerate(rows):
            if place in refused:
                self._later[one.id] = (PARKED, one.attempts, refused[place])
            else:
                self._done.add(one.id)
        if refused:
            LOG.warning("%d measures are parked, %s refuses them: %s",
                        len(refused), self.name, printable.escape(
                            next(iter(refused.values()))))
        MEASURES.labels(self.name, "parked").inc(len(refused))
        MEASURES.labels(self.name, "pushed").inc(len(rows) - len(refused))

    def _write(self) -> None:
        """Write down what became of measures, now or the next time."""
        if self._done or self._later:
            self._pending.settle(self._done, self._later)
            self._done.clear()
            self._later.clear()
