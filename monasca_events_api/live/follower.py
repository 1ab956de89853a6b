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


"""The thread that watches the bus while somebody asks."""

from collections.abc import Callable, Mapping
import logging
import threading
import time

from oslo_config import cfg

from monasca_events_api.live import GROUP
from monasca_events_api.live import PATIENCE
from monasca_events_api.live import see
from monasca_events_api.live import WAITING
from monasca_events_api.live.rings import Rings
from monasca_events_api.live.streams import Streams
from monasca_events_common.bus import Bus
from monasca_events_common.bus import Tail
from monasca_events_common.errors import BusUnavailable

LOG = logging.getLogger(__name__)

_BATCH = 500

#: Seconds for which one poll waits; while somebody waits for what is there
#: already, a tenth of it.
_WAIT = 0.5

#: Seconds between two attempts while the bus is away.
_PAUSE = 1.0


class Watch:
    """What one turn of watching knows, from its begin to its end.

    :ivar rings: what is remembered
    :ivar following: partition → the offset that comes next
    """

    def __init__(self, conf) -> None:
        self.rings = Rings(conf)
        self.following: dict[int, int] = {}
        self.began = threading.Event()
        self.caught_up = threading.Event()
        self._ends: dict[int, int] = {}
        self._gaps = 0

    def take(self, tail: Tail, found) -> list:
        """Remember records; return the events among them."""
        for partition, (start, end) in tail.spans.items():
            if partition not in self._ends:
                self._ends[partition] = end
                self.following[partition] = start
                self.rings.begin(partition, start)
        if tail.gaps != self._gaps:
            self._gaps = tail.gaps
            for one in reversed(found):
                self.rings.begin(one.partition, one.offset)
        seen = see(found)
        self.rings.add(seen)
        for one in found:
            self.following[one.partition] = one.offset + 1
        if tail.spans:
            self.began.set()
            if all(self.following[partition] >= end
                   for partition, end in self._ends.items()):
                self.caught_up.set()
        return seen

    def reaches(self, positions: Mapping[int, int], seconds: float) -> bool:
        """Return whether the bus has such offsets, as far as is known after
        so many seconds."""
        deadline = time.monotonic() + seconds
        while any(self.now().get(partition, -1) < offset
                  for partition, offset in positions.items()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def now(self) -> dict[int, int]:
        """Return partition → offset of the newest record there is, as far
        as is known."""
        return {partition: max(end, self.following.get(partition, 0)) - 1
                for partition, end in self._ends.items()}


class Follower:
    """Watches from the first request on, until nobody asked for a while."""

    def __init__(self, bus: Bus, topic: Callable[[], str], conf,
                 clock: Callable[[], float] = time.monotonic,
                 patience: float = PATIENCE) -> None:
        """:param topic: returns the name of the topic
        :param conf: the group ``[live]``
        :param patience: seconds for which a request waits for the bus
        """
        self._bus = bus
        self._topic = topic
        self._conf = conf
        self._clock = clock
        self._patience = patience
        self.streams = Streams(conf)
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(WAITING)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._watch: Watch | None = None
        self._used = clock()

    def watch(self) -> Watch:
        """Return what is known, once the bus is being watched.

        :raises BusUnavailable: it does not answer
        """
        with self._lock:
            if self._stop.is_set():
                raise BusUnavailable("the service is stopping")
            self._used = self._clock()
            if self._thread is None:
                self._watch = Watch(self._conf)
                self._thread = threading.Thread(
                    target=self._run, args=(self._watch,), daemon=True,
                    name="live")
                self._thread.start()
            found = self._watch
        if not found.began.is_set():
            self._await(found)
        return found

    def _await(self, watch: Watch) -> None:
        # A bus that is away must not take every thread there is.
        if not self._waiting.acquire(blocking=False):
            raise BusUnavailable("the bus is not being watched yet",
                                 retry_after=2)
        try:
            if not watch.began.wait(self._patience):
                raise BusUnavailable("the bus does not answer")
        finally:
            self._waiting.release()

    def close(self) -> None:
        """Stop watching and end every stream. May be called twice."""
        self._stop.set()
        self.streams.close()
        thread = self._thread
        if thread is not None:
            thread.join(5)

    def _run(self, watch: Watch) -> None:
        tail = self._bus.tail(self._topic(), self._conf.backlog)
        try:
            while not self._is_over():
                try:
                    found = tail.poll(_BATCH, _WAIT if watch.caught_up.is_set()
                                      else _WAIT / 10)
                except BusUnavailable as error:
                    LOG.debug("live events wait for the bus: %s", error)
                    self._stop.wait(_PAUSE)
                else:
                    self.streams.offer(watch.take(tail, found))
        finally:
            # Also after a fault of ours: whoever asks next begins anew, and
            # clients of streams come again.
            with self._lock:
                if self._watch is watch:
                    self._thread = None
            self.streams.end()
            tail.close()

    def _is_over(self) -> bool:
        if self._stop.is_set():
            return True
        with self._lock:
            if self.streams.count or \
                    self._clock() - self._used < self._conf.idle:
                return False
            self._thread = None
            return True


def get_follower(conf: cfg.ConfigOpts, bus: Bus) -> Follower:
    """Return a follower of the topic of events; it starts by itself."""
    return Follower(bus, lambda: conf.bus.topic, conf[GROUP])
