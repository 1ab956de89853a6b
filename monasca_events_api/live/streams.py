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


"""Streams: each a queue that the follower fills and one request empties.

What they want is decided once for all that want the same, and a stream that
follows one resource is found by it: what a stream costs, an event does not
pay. A queue that is full loses its oldest events and counts them, so that a
slow client costs nobody else anything.
"""

import bisect
import collections
from collections.abc import Iterator, Mapping, Sequence
import itertools
import threading

from monasca_events_api.live import decode
from monasca_events_api.live import message_id
from monasca_events_api.live import Seen
from monasca_events_api.live import text_of
from monasca_events_api.live.selection import Selection
from monasca_events_common import metrics
from monasca_events_common.errors import Unavailable
from monasca_events_common.store import ALL

#: Bytes that wait for one stream at most.
_BYTES = 4 << 20


class Fresh:
    """An event on its way to streams: decoded once for all of them, and once
    made a message."""

    __slots__ = ("seen", "_event", "_message")

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self._event: Mapping | bool | None = None
        self._message: bytes | None = None

    @property
    def event(self) -> Mapping | None:
        """The event, decoded; None where it is none."""
        if self._event is None:
            self._event = decode(self.seen.value) or False
        return self._event or None

    @property
    def message(self) -> bytes:
        """The message of a stream of one project: its events are in one
        partition, and there its id is a short one."""
        if self._message is None:
            self._message = make_message(
                {self.seen.partition: self.seen.offset}, self.seen.value)
        return self._message


def make_message(positions: Mapping[int, int], value: bytes) -> bytes:
    """Return a server-sent event.

    :param positions: where the stream stands behind it
    """
    return b"id: %b\ndata: %b\n\n" % (message_id(positions).encode(), value)


class Batch:
    """Events that came together, for all streams that want them.

    :ivar before: how many bytes the first so many of them are
    """

    __slots__ = ("fresh", "before")

    def __init__(self, fresh: Sequence[Fresh]) -> None:
        self.fresh = fresh
        self.before = list(itertools.accumulate(
            (len(one.seen.value) for one in fresh), initial=0))


class Stream:
    """What waits for one client.

    Whole batches wait, and whole ones are left out: many streams cost little
    even where they want much more than they can give.
    """

    def __init__(self, project_id, selection: Selection, conf) -> None:
        """:param project_id: or ``ALL``"""
        self.project_id = project_id
        self.selection = selection
        # A stream lives for minutes: the next one sees a change.
        self._most = conf.stream_events
        self._changed = threading.Condition()
        # A batch, and where in it that begins which still waits.
        self._waiting: collections.deque[tuple[Batch, int]] = \
            collections.deque()
        self._count = 0
        self._bytes = 0
        self._missed = 0
        self._ended = threading.Event()

    def offer(self, batch: Batch) -> int:
        """Let events wait; never wait oneself. Return how many of those that
        waited are left out for them."""
        with self._changed:
            if not self._waiting:
                self._changed.notify()
            self._waiting.append((batch, 0))
            self._count += len(batch.fresh)
            self._bytes += batch.before[-1]
            missed = 0
            while self._count > self._most or self._bytes > _BYTES:
                missed += self._leave_out()
            self._missed += missed
        return missed

    def _leave_out(self) -> int:
        """Forget those of the oldest batch that are too many or too large;
        return how many."""
        batch, start = self._waiting[0]
        stop = max(start + self._count - self._most, bisect.bisect_left(
            batch.before, batch.before[start] + self._bytes - _BYTES))
        return len(self._pop(stop - start))

    def _pop(self, limit: int) -> Sequence[Fresh]:
        """Take so many at most from the oldest batch."""
        batch, start = self._waiting.popleft()
        stop = min(start + limit, len(batch.fresh))
        if stop < len(batch.fresh):
            self._waiting.appendleft((batch, stop))
        self._count -= stop - start
        self._bytes -= batch.before[stop] - batch.before[start]
        return batch.fresh[start:stop]

    def take(self, timeout: float, limit: int = 2 ** 31
             ) -> tuple[list[Fresh], int] | None:
        """Return what waits and how many were left out before it, waiting at
        most ``timeout`` seconds; None where the stream has ended.

        :param limit: how many at most, the oldest ones
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting or self._ended.is_set(), timeout)
            if self._ended.is_set():
                return None
            missed, self._missed = self._missed, 0
            found: list[Fresh] = []
            while self._waiting and len(found) < limit:
                found += self._pop(limit - len(found))
            return found, missed

    def end(self) -> None:
        """Have ``take`` return None from now on."""
        self._ended.set()
        with self._changed:
            self._changed.notify()

    def rest(self, seconds: float) -> None:
        """Wait, unless the stream ends; what comes meanwhile goes together."""
        self._ended.wait(seconds)


class _Wanting:
    """The streams of one project, by what they want."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        # What several streams want alike; where it has no anchor, and where
        # it is everything.
        self._alike: dict[object, list[Stream]] = {}
        self._unanchored: dict[object, Selection] = {}
        self._everything: dict[object, Selection] = {}
        # Field → value → what is wanted of it.
        self._anchored: dict[str, dict[str, dict[object, Selection]]] = {}

    def add(self, stream: Stream) -> None:
        """Take up a stream."""
        self.streams.append(stream)
        selection = stream.selection
        alike = self._alike.setdefault(selection.key, [])
        alike.append(stream)
        if len(alike) == 1:
            for place in self._places(selection):
                place[selection.key] = selection

    def remove(self, stream: Stream) -> None:
        """Forget a stream."""
        self.streams.remove(stream)
        selection = stream.selection
        alike = self._alike[selection.key]
        alike.remove(stream)
        if not alike:
            del self._alike[selection.key]
            for place in self._places(selection):
                del place[selection.key]
            self._tidy(selection)

    def _places(self, selection: Selection) -> list[dict]:
        if selection.is_everything:
            return [self._everything]
        if selection.anchor is None:
            return [self._unanchored]
        name, values = selection.anchor
        table = self._anchored.setdefault(name, {})
        return [table.setdefault(value, {}) for value in values]

    def _tidy(self, selection: Selection) -> None:
        if selection.anchor is not None:
            name, values = selection.anchor
            table = self._anchored[name]
            for value in values:
                if not table[value]:
                    del table[value]
            if not table:
                del self._anchored[name]

    def sort(self, fresh: Sequence[Fresh]
             ) -> Iterator[tuple[list[Stream], Batch]]:
        """Yield streams and what they want of some events."""
        for key in self._everything:
            yield list(self._alike[key]), Batch(fresh)
        if not (self._unanchored or self._anchored):
            return
        found: dict[object, list[Fresh]] = {}
        tables = [(name, f'"{name}":'.encode(), table)
                  for name, table in self._anchored.items()]
        for one in fresh:
            candidates = [*self._unanchored.items()]
            for name, mark, table in tables:
                value = one.seen.event_type if name == "event_type" \
                    else text_of(one.seen.value, mark)
                if value in table:
                    candidates += table[value].items()
            for key, selection in candidates:
                if one.event is not None and selection.wants(one.event):
                    found.setdefault(key, []).append(one)
        for key, wanted in found.items():
            yield list(self._alike[key]), Batch(wanted)


class Streams:
    """The streams that are open. Safe for several threads."""

    def __init__(self, conf, spare: int | None = None) -> None:
        """:param conf: the group ``[live]``
        :param spare: how many threads the server has for them, None where
            it has as many as are configured
        """
        self._conf = conf
        self._spare = spare
        self._lock = threading.Lock()
        self._projects: dict[object, _Wanting] = {}
        self._closed = False
        #: How many there are.
        self.count = 0

    @property
    def most(self) -> int:
        """How many there may be at once."""
        most = self._conf.max_streams
        return most if self._spare is None else min(most, self._spare)

    @property
    def most_of_project(self) -> int:
        """How many of them one project may have."""
        most = self._conf.streams_of_project
        if self.most < self._conf.max_streams:
            # Nobody has said that one project may have all that is left.
            most = min(most, max(1, self.most // 2))
        return most

    def open(self, project_id, selection: Selection) -> Stream:
        """Return a new stream; ``leave`` ends it.

        :param project_id: or ``ALL``
        :raises Unavailable: there are as many as there may be
        """
        with self._lock:
            mine = self._projects.get(project_id)
            if self._closed or self.count >= self.most \
                    or mine and len(mine.streams) >= self.most_of_project:
                metrics.LIMITED.labels("streams").inc()
                raise Unavailable("there are as many streams as there may be",
                                  code="too_many_streams", retry_after=10)
            stream = Stream(project_id, selection, self._conf)
            self._projects.setdefault(project_id, _Wanting()).add(stream)
            self.count += 1
            return stream

    def leave(self, stream: Stream) -> None:
        """Forget a stream. May be called twice."""
        with self._lock:
            mine = self._projects.get(stream.project_id)
            if mine is None or stream not in mine.streams:
                return
            mine.remove(stream)
            self.count -= 1
            if not mine.streams:
                del self._projects[stream.project_id]

    def offer(self, seen: Sequence[Seen]) -> None:
        """Hand events to the streams that want them."""
        if not self._projects:
            return
        with self._lock:
            by_project: dict[object, list[Fresh]] = \
                collections.defaultdict(list)
            everything = ALL in self._projects
            for one in seen:
                if everything or one.project_id in self._projects:
                    fresh = Fresh(one)
                    by_project[one.project_id].append(fresh)
                    if everything:
                        by_project[ALL].append(fresh)
            found = [pair for project_id, fresh in by_project.items()
                     if project_id in self._projects
                     for pair in self._projects[project_id].sort(fresh)]
        missed = sum(stream.offer(batch) for streams, batch in found
                     for stream in streams)
        if missed:
            metrics.LIMITED.labels("stream").inc(missed)

    def end(self) -> None:
        """End every stream that is open."""
        with self._lock:
            for mine in self._projects.values():
                for stream in mine.streams:
                    stream.end()

    def close(self) -> None:
        """End every stream, and let none begin."""
        self._closed = True
        self.end()
