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

from collections.abc import Callable, Iterator, Mapping
import logging
import threading
import time

from oslo_config import cfg

from monasca_events_api.live import GROUP
from monasca_events_api.live import PATIENCE
from monasca_events_api.live import see
from monasca_events_api.live import Seen
from monasca_events_api.live import WAITING
from monasca_events_api.live.rings import Rings
from monasca_events_api.live.streams import Streams
from monasca_events_common.bus import Bus
from monasca_events_common.bus import Tail
from monasca_events_common.catalog import Catalog
from monasca_events_common.database import Database
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_common.store import Document
from monasca_events_common.transformer import Transformer

LOG = logging.getLogger(__name__)

_BATCH = 2000

#: Seconds between two looks at a bus on which something happens.
_PACE = 0.1

#: Seconds for which one poll waits; while somebody waits for what is there
#: already, a tenth of it.
_WAIT = 0.5

#: Seconds after which changed transforms are seen.
_FOLLOW = 1.0

#: Seconds between two attempts while something is away.
_PAUSE = 1.0


def transformed(transformer: Transformer, one: Seen) -> Iterator[Seen]:
    """Yield what is to be shown of an event: what would be stored of it.

    :raises Unavailable: that is not known yet
    """
    try:
        made = transformer.apply(Document(
            one.project_id, one.event_id, one.event_type, one.timestamp,
            one.value, b""))
    except Rejected:
        # A dead letter for the persister; nobody can say what may be shown.
        return
    if made is None:
        yield one
        return
    for document in made:
        yield one._replace(
            event_id=document.event_id, event_type=document.event_type,
            timestamp=document.timestamp, value=document.value)


class Watch:
    """What one turn of watching knows, from its begin to its end.

    :ivar rings: what is remembered
    :ivar trouble: why nothing is known yet
    :ivar following: partition → the offset that comes next
    """

    def __init__(self, conf, transformer: Transformer) -> None:
        self.rings = Rings(conf)
        self.trouble = Unavailable("the bus does not answer",
                                   code="bus_unavailable")
        self._transformer = transformer
        self._follow_at = float("-inf")
        self.following: dict[int, int] = {}
        self.began = threading.Event()
        self.caught_up = threading.Event()
        #: Partition → offset of the newest record that streams were told of.
        self.told: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._gaps = 0

    def take(self, tail: Tail, found) -> list:
        """Remember records; return the events among them.

        :raises Unavailable: it is not known yet what may be shown of them;
            the same ones are taken later
        """
        self._follow()
        seen = [shown for one in see(found)
                for shown in transformed(self._transformer, one)]
        for partition, (start, end) in tail.spans.items():
            if partition not in self._ends:
                self._ends[partition] = end
                self.following[partition] = start
                self.rings.begin(partition, start)
        if tail.gaps != self._gaps:
            self._gaps = tail.gaps
            for one in reversed(found):
                self.rings.begin(one.partition, one.offset)
        self.rings.add(seen)
        for one in found:
            self.following[one.partition] = one.offset + 1
        if tail.spans:
            self.began.set()
            if all(self.following[partition] >= end
                   for partition, end in self._ends.items()):
                self.caught_up.set()
        return seen

    def _follow(self) -> None:
        """Take over changed transforms, as often as the persister does."""
        now = time.monotonic()
        if now >= self._follow_at:
            self._transformer.follow()
            self._follow_at = now + _FOLLOW

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
                 transformer: Transformer,
                 clock: Callable[[], float] = time.monotonic,
                 patience: float = PATIENCE,
                 spare: int | None = None) -> None:
        """:param topic: returns the name of the topic
        :param conf: the group ``[live]``
        :param transformer: what projects want their events to look like
        :param patience: seconds for which a request waits for the bus
        :param spare: how many threads the server has for streams, None
            where it has as many as are configured
        """
        self._bus = bus
        self._topic = topic
        self._conf = conf
        self._transformer = transformer
        self._clock = clock
        self._patience = patience
        self.streams = Streams(conf, spare)
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
                self._watch = Watch(self._conf, self._transformer)
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
                raise watch.trouble
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
        found = None
        try:
            while not self._is_over():
                try:
                    if found is None:
                        found = tail.poll(
                            _BATCH, _WAIT if watch.caught_up.is_set()
                            else _WAIT / 10)
                    self.streams.offer(watch.take(tail, found))
                    watch.told = {partition: offset - 1 for partition, offset
                                  in watch.following.items()}
                    if found and watch.caught_up.is_set():
                        # What comes meanwhile is read together.
                        self._stop.wait(_PACE)
                    found = None
                except Unavailable as error:
                    LOG.debug("live events wait: %s", error)
                    watch.trouble = error
                    self._stop.wait(_PAUSE)
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


def get_follower(conf: cfg.ConfigOpts, bus: Bus, database: Database,
                 spare: int | None = None) -> Follower:
    """Return a follower of the topic of events; it starts by itself.

    :param spare: as of :class:`Follower`
    """
    return Follower(bus, lambda: conf.bus.topic, conf[GROUP],
                    Transformer(lambda: Catalog(database)), spare=spare)
