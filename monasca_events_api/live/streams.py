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

A queue that is full loses its oldest events and counts them, so that a slow
client costs nobody else anything.
"""

import collections
from collections.abc import Mapping, Sequence
import threading

from monasca_events_api.live import decode
from monasca_events_api.live import Seen
from monasca_events_common import metrics
from monasca_events_common.errors import Unavailable
from monasca_events_common.store import ALL

#: Bytes that wait for one stream at most.
_BYTES = 4 << 20


class Fresh:
    """An event on its way to streams, decoded once for all of them."""

    __slots__ = ("seen", "_event")

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self._event: Mapping | bool | None = None

    @property
    def event(self) -> Mapping | None:
        """The event, decoded; None where it is none."""
        if self._event is None:
            self._event = decode(self.seen.value) or False
        return self._event or None


class Stream:
    """What waits for one client."""

    def __init__(self, project_id, conf) -> None:
        """:param project_id: or ``ALL``"""
        self.project_id = project_id
        self._conf = conf
        self._changed = threading.Condition()
        self._waiting: collections.deque[Fresh] = collections.deque()
        self._bytes = 0
        self._missed = 0
        self._ended = threading.Event()

    def offer(self, fresh: Sequence[Fresh]) -> None:
        """Let events wait; never wait oneself."""
        with self._changed:
            for one in fresh:
                self._waiting.append(one)
                self._bytes += len(one.seen.value)
            missed = 0
            while len(self._waiting) > self._conf.stream_events \
                    or self._bytes > _BYTES:
                self._bytes -= len(self._waiting.popleft().seen.value)
                missed += 1
            self._missed += missed
            self._changed.notify()
        if missed:
            metrics.LIMITED.labels("stream").inc(missed)

    def take(self, timeout: float) -> tuple[list[Fresh], int] | None:
        """Return what waits and how many were left out before it, waiting at
        most ``timeout`` seconds; None where the stream has ended."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting or self._ended.is_set(), timeout)
            if self._ended.is_set():
                return None
            found, missed = list(self._waiting), self._missed
            self._waiting.clear()
            self._bytes = self._missed = 0
            return found, missed

    def end(self) -> None:
        """Have ``take`` return None from now on."""
        self._ended.set()
        with self._changed:
            self._changed.notify()

    def rest(self, seconds: float) -> None:
        """Wait, unless the stream ends; what comes meanwhile goes together."""
        self._ended.wait(seconds)


class Streams:
    """The streams that are open. Safe for several threads."""

    def __init__(self, conf) -> None:
        """:param conf: the group ``[live]``"""
        self._conf = conf
        self._lock = threading.Lock()
        self._streams: dict = {}
        self._closed = False

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self._streams.values()))

    def open(self, project_id) -> Stream:
        """Return a new stream; ``leave`` ends it.

        :raises Unavailable: there are as many as there may be
        """
        with self._lock:
            mine = self._streams.setdefault(project_id, [])
            if self._closed or self.count >= self._conf.max_streams \
                    or len(mine) >= self._conf.streams_of_project:
                if not mine:
                    del self._streams[project_id]
                metrics.LIMITED.labels("streams").inc()
                raise Unavailable("there are as many streams as there may be",
                                  code="too_many_streams", retry_after=10)
            stream = Stream(project_id, self._conf)
            mine.append(stream)
            return stream

    def leave(self, stream: Stream) -> None:
        """Forget a stream. May be called twice."""
        with self._lock:
            mine = self._streams.get(stream.project_id, [])
            if stream in mine:
                mine.remove(stream)
            if not mine:
                self._streams.pop(stream.project_id, None)

    def offer(self, seen: Sequence[Seen]) -> None:
        """Hand events to the streams of their projects."""
        with self._lock:
            if not self._streams:
                return
            streams = {project_id: list(found) for project_id, found
                       in self._streams.items()}
        by_project: dict = collections.defaultdict(list)
        everything = ALL in streams
        for one in seen:
            if one.project_id in streams or everything:
                fresh = Fresh(one)
                by_project[one.project_id].append(fresh)
                if everything:
                    by_project[ALL].append(fresh)
        for project_id, fresh in by_project.items():
            for stream in streams.get(project_id, ()):
                stream.offer(fresh)

    def end(self) -> None:
        """End every stream that is open."""
        with self._lock:
            for found in self._streams.values():
                for stream in found:
                    stream.end()

    def close(self) -> None:
        """End every stream, and let none begin."""
        self._closed = True
        self.end()
