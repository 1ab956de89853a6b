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

"""The stream loop: poll, handle, commit.

The only place where offsets are committed. A consumer (persister, engine) is
a Handler; the loop gives it batches, keeps several in flight when asked to,
commits them in order, holds when a step is Unavailable, puts what the handler
rejects into the dead letters, and drains on stop. Nothing is ever skipped: a
record is passed on, dead-lettered or still uncommitted.
"""

import collections
from collections.abc import Callable, Sequence
import concurrent.futures
import dataclasses
import logging
import random
import threading
import time

from oslo_config import cfg

from monasca_events_common import metrics
from monasca_events_common.bus import Delivery
from monasca_events_common.bus import Subscription
from monasca_events_common.bus import Watcher
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Unavailable
from monasca_events_common.handler import Handler
from monasca_events_common.handler import Rejected
from monasca_events_common.rejections import Rejections

LOG = logging.getLogger(__name__)

OPTS = [
    cfg.IntOpt("batch_size", default=2000, min=1, max=100000, mutable=True,
               help="Records in one batch at most."),
    cfg.FloatOpt("batch_wait", default=0.1, min=0.0, mutable=True,
                 help="Seconds that a batch may wait to become full while "
                      "another one is in flight. Larger means fewer and "
                      "larger writes and later visibility."),
    cfg.IntOpt("in_flight", default=2, min=1, max=16,
               help="Batches handled at once. Offsets are still committed in "
                    "order."),
    cfg.FloatOpt("backoff_base", default=0.5, min=0.01, mutable=True,
                 help="Seconds of the first delay after a failed batch; each "
                      "further delay doubles, chosen at random up to that."),
    cfg.FloatOpt("backoff_max", default=60.0, min=0.01, mutable=True,
                 help="Seconds that a delay between tries has at most. The "
                      "number of tries has no limit."),
]


# Seconds for which a loop that is full just waits. Only then is the
# subscription told to pause: a client that is told so throws away what it has
# fetched ahead, which costs librdkafka most of its rate.
_BRIEFLY = 1.0


@dataclasses.dataclass(slots=True)
class _Batch:
    deliveries: Sequence[Delivery]
    positions: dict[int, int]
    future: concurrent.futures.Future | None = None
    tries: int = 0
    not_before: float = 0.0

    def is_done(self) -> bool:
        """Return whether only the commit is left."""
        return (self.future is not None and self.future.done()
                and self.future.exception() is None)


class StreamLoop(Watcher):
    """Drives one handler over one subscription until told to stop."""

    def __init__(self, stage: str, topic: str, subscribe: Callable[
                     [Watcher], Subscription], handler: Handler,
                 dead_letters: DeadLetters, conf,
                 clock: Callable[[], float] = time.monotonic,
                 rng: random.Random | None = None) -> None:
        """
        :param stage: the name in metrics, logs and dead letters
        :param subscribe: makes the subscription, given the loop as watcher
        :param conf: an option group with OPTS
        :param clock: seconds, monotonic
        """
        self.conf = conf
        self._stage = stage
        self._handler = handler
        self._rejections = Rejections(stage, topic, dead_letters)
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._flight: collections.deque[_Batch] = collections.deque()
        self._gathered: list[Delivery] = []
        self._gathered_at = 0.0
        self._pool = concurrent.futures.ThreadPoolExecutor(
            conf.in_flight, thread_name_prefix=stage)
        self._ticked = clock()
        self._told = 0.0
        self._paused = False
        self._gaps = 0
        self._full_since = 0.0
        # Partitions of which is not known yet where to go on, each with the
        # first offset that came meanwhile, if any did.
        self._unplaced: dict[int, int | None] = {}
        self._place_at = 0.0
        self._subscription = subscribe(self)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; then finish what is in flight."""
        try:
            self._rejections.resume()
            while not stop.is_set():
                self.step()
            self._drain()
        finally:
            self._pool.shutdown(wait=True)
            self._subscription.close()

    # -- one turn ---------------------------------------------------------

    def step(self) -> None:
        """Poll, hand over, settle what is finished; at most about 1 s."""
        now = self._clock()
        if now - self._ticked >= self._handler.tick_every:
            self._ticked = now
            self._tick(now)
        if self._unplaced and now >= self._place_at:
            self._place()
        if len(self._gathered) >= self.conf.batch_size:
            # The last turn may have made a place for it; and who is full
            # with nothing in flight would be paused.
            self._hand_over()
        if self._is_full():
            self._full_since = self._full_since or now
            if self._flight and now - self._full_since < _BRIEFLY:
                self._await()
                # Before what is done is committed, which takes as long as
                # the log does.
                self._hand_over()
                self._settle()
                return
        else:
            self._full_since = 0.0
        self._flow(full=self._is_full())
        try:
            polled = self._subscription.poll(
                max(1, self.conf.batch_size - len(self._gathered)),
                self._patience())
        except Unavailable as error:
            self._wait(error)
            return
        if self._unplaced:
            polled = self._put_back(polled)
        if polled:
            if not self._gathered:
                self._gathered_at = self._clock()
            self._gathered.extend(polled)
            metrics.RECEIVED.labels(self._stage).inc(len(polled))
        self._hand_over()
        self._settle()

    def _is_full(self) -> bool:
        # One batch is gathered ahead: it starts as soon as another is done.
        return (self._rejections.is_tripped or bool(self._unplaced)
                or len(self._gathered) >= self.conf.batch_size)

    def _flow(self, full: bool) -> None:
        """Pause while no more can be taken; polling keeps the membership."""
        if full != self._paused:
            self._paused = full
            if full:
                self._subscription.pause()
            else:
                self._subscription.resume()

    def _patience(self) -> float:
        """Seconds to wait in poll: little while something is in flight."""
        if self._flight:
            return 0.01 if self._paused else 0.005
        return 0.0 if self._gathered else min(0.5, self._handler.tick_every)

    def _hand_over(self) -> None:
        """Start a batch when there is a place and it is worth it."""
        if not self._gathered or self._rejections.is_tripped:
            return
        if not self._has_place():
            return
        waited = self._clock() - self._gathered_at
        if (self._flight and len(self._gathered) < self.conf.batch_size
                and waited < self.conf.batch_wait):
            return
        size = self.conf.batch_size
        deliveries, self._gathered = (self._gathered[:size],
                                      self._gathered[size:])
        self._gathered_at = self._clock()
        batch = _Batch(deliveries, _positions(deliveries))
        self._flight.append(batch)
        self._start(batch)

    def _has_place(self) -> bool:
        """Return whether one more batch may be handled now.

        A batch that is done and waits for its commit, or behind one that is
        not done, takes no place, or all would wait for the slowest; but
        neither do such batches pile up. A handler that is given one at a
        time gets the next after the commit.
        """
        most = self.conf.in_flight
        if len(self._flight) < most:
            return True
        return 1 < most and len(self._flight) < 2 * most and sum(
            not one.is_done() for one in self._flight) < most

    def _start(self, batch: _Batch) -> None:
        batch.future = self._pool.submit(self._handle, batch.deliveries)

    def _show_flight(self) -> None:
        metrics.IN_FLIGHT.labels(self._stage).set(
            sum(len(one.deliveries) for one in self._flight)
            + len(self._gathered))

    def _handle(self, deliveries: Sequence[Delivery]) -> Sequence[Rejected]:
        with metrics.SECONDS.labels(self._stage).time():
            return self._handler.handle(deliveries)

    # -- settling, in order -------------------------------------------------

    def _await(self) -> None:
        """Wait a little for a place, if none is free for what is gathered."""
        if (self._flight and self._is_full() and not self._has_place()
                and not self._paused):
            running = [one.future for one in self._flight
                       if one.future and not one.future.done()]
            if running:
                concurrent.futures.wait(
                    running, timeout=0.05,
                    return_when=concurrent.futures.FIRST_COMPLETED)
            elif self._flight[0].future is None:
                # Those that failed wait for their next try.
                time.sleep(0.01)

    def _settle(self) -> None:
        """Commit what is finished, oldest first; try again what failed."""
        self._retry()
        while self._flight:
            head = self._flight[0]
            if head.future is None or not head.future.done():
                break
            try:
                self._finish(head, head.future.result())
            except Unavailable as error:
                self._postpone(head, error)
                break
            self._flight.popleft()
        self._show_flight()

    def _retry(self) -> None:
        now = self._clock()
        for batch in self._flight:
            done = batch.future is not None and batch.future.done()
            if done and isinstance(batch.future.exception(), Unavailable) \
                    and batch is not self._flight[0]:
                self._postpone(batch, batch.future.exception())
            if batch.future is None and now >= batch.not_before \
                    and not self._rejections.is_tripped:
                self._start(batch)

    def _postpone(self, batch: _Batch, error: Unavailable) -> None:
        """Try the batch again later, with full jitter."""
        batch.tries += 1
        batch.future = None
        ceiling = min(self.conf.backoff_max,
                      self.conf.backoff_base * 2 ** min(batch.tries - 1, 20))
        delay = self._rng.uniform(0, ceiling)
        batch.not_before = self._clock() + delay
        metrics.HELD.labels(self._stage, error.code).inc()
        LOG.warning("%s holds %d records, try %d, again in %.1f s: %s",
                    self._stage, len(batch.deliveries), batch.tries, delay,
                    error)

    def _finish(self, batch: _Batch, rejected: Sequence[Rejected]) -> None:
        """Bury what was rejected, then commit.

        Commit after the handler answered: a crash between the two repeats the
        batch, and ids make the repeat harmless.
        """
        self._rejections.check(batch.deliveries, batch.positions, rejected)
        self._subscription.commit(self._handler.positions(batch.positions))
        for one in rejected:
            metrics.DEAD.labels(self._stage, one.code).inc()
        metrics.PASSED.labels(self._stage).inc(
            len(batch.deliveries) - len(rejected))

    # -- the rest -------------------------------------------------------------

    def _tick(self, now: float) -> None:
        try:
            self._handler.tick(now, self._subscription.ends)
            moved = self._handler.positions({})
            if moved:
                self._subscription.commit(moved)
        except Unavailable as error:
            metrics.HELD.labels(self._stage, error.code).inc()
            LOG.warning("%s: %s", self._stage, error)
        gaps = self._subscription.gaps
        metrics.DROPPED.labels(self._stage, "offset_gap").inc(
            max(0, gaps - self._gaps))
        self._gaps = gaps
        if self._rejections.is_tripped:
            self._rejections.resume()
        if now - self._told < 1.0:
            return
        self._told = now
        try:
            for partition, lag in self._subscription.lag().items():
                metrics.LAG.labels(self._stage, partition).set(lag)
        except Unavailable as error:
            LOG.debug("%s cannot tell its lag: %s", self._stage, error)

    def _wait(self, error: Unavailable) -> None:
        metrics.HELD.labels(self._stage, error.code).inc()
        LOG.warning("%s cannot poll: %s", self._stage, error)
        time.sleep(self._rng.uniform(0.1, 1.0))

    def _drain(self) -> None:
        """Finish what was handed over; leave the rest to the next member."""
        self._gathered = []
        deadline = self._clock() + 20
        while self._flight and self._clock() < deadline:
            futures = [one.future for one in self._flight if one.future]
            if not futures:
                break
            concurrent.futures.wait(futures, timeout=1.0)
            try:
                self._settle()
            except Unavailable as error:
                LOG.warning("%s leaves a batch uncommitted: %s", self._stage,
                            error)
                return

    def assigned(self, partitions: Sequence[int]) -> None:
        LOG.info("%s has partitions %s", self._stage, sorted(partitions))
        self._unplaced.update(dict.fromkeys(partitions))
        self._place()

    def _place(self) -> None:
        """Go on where the handler says; until it can, nothing is read."""
        try:
            found = dict(self._handler.assigned(sorted(self._unplaced)))
            for partition, offset in self._unplaced.items():
                if offset is not None:
                    found.setdefault(partition, offset)
            if found:
                self._subscription.seek(found)
        except Unavailable as error:
            metrics.HELD.labels(self._stage, error.code).inc()
            LOG.warning("%s cannot tell where to go on: %s", self._stage,
                        error)
            self._place_at = self._clock() + self._rng.uniform(0.5, 1.5)
            return
        self._unplaced.clear()

    def _put_back(self, polled: Sequence[Delivery]) -> Sequence[Delivery]:
        """Leave records alone that will be read again when they are placed."""
        kept = []
        for one in polled:
            if one.partition not in self._unplaced:
                kept.append(one)
            elif self._unplaced[one.partition] is None:
                self._unplaced[one.partition] = one.offset
        return kept

    def revoked(self, partitions: Sequence[int]) -> None:
        """Finish or forget: the next member reads from the last commit."""
        gone = set(partitions)
        for partition in gone:
            self._unplaced.pop(partition, None)
        futures = [one.future for one in self._flight if one.future]
        concurrent.futures.wait(futures, timeout=5.0)
        self._settle()
        self._gathered = [one for one in self._gathered
                          if one.partition not in gone]
        for batch in self._flight:
            for partition in gone & set(batch.positions):
                del batch.positions[partition]
        self._handler.revoked(partitions)
        LOG.info("%s gave up partitions %s", self._stage, sorted(gone))


def _positions(deliveries: Sequence[Delivery]) -> dict[int, int]:
    """Return the next offset of each partition after these records."""
    return {one.partition: one.offset + 1 for one in deliveries}
