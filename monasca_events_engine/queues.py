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

"""The queues between the database and the threads that execute.

One lane for each target of each project. Threads take from projects in turn,
and from the targets of a project in turn, so that neither a busy project nor
a slow target holds up the others; no target occupies more than a few threads
and no project more than half of them. What does not fit goes back to the
database, which is the queue of last resort. No I/O.
"""

import collections
from collections.abc import Callable
import dataclasses
import threading
import time

from monasca_events_engine import circuit
from monasca_events_engine.circuit import Circuit
from monasca_events_engine.deliveries import Entry

#: Deliveries in memory, and bytes of their firings; at that number the
#: longest lane gives back half of what it has.
MAX_ENTRIES = 20_000
MAX_BYTES = 64 << 20

#: Seconds for which the failures of an idle target are remembered.
MEMORY = 3600.0


@dataclasses.dataclass(frozen=True, slots=True)
class Postponed:
    """An entry that goes back untried.

    :ivar delay: seconds for which it must wait, or None until there is room
    """

    entry: Entry
    delay: float | None = None


class _Station:
    """A target: its circuit, how many are at it, which lanes wait for it."""

    __slots__ = ("circuit", "busy", "lanes", "blocked", "used_at")

    def __init__(self, conf) -> None:
        self.circuit = Circuit(conf)
        self.busy = 0
        self.lanes: dict[str, _Lane] = {}
        self.blocked: collections.deque[_Lane] = collections.deque()
        self.used_at = 0.0


class _Lane:
    """What one project has for one target, in order."""

    __slots__ = ("project", "target", "entries", "bytes", "full")

    def __init__(self, project: "_Project", target: str) -> None:
        self.project = project
        self.target = target
        self.entries: collections.deque[tuple[Entry, float]] = \
            collections.deque()
        self.bytes = 0
        #: Sources of which something went back for want of room.
        self.full: set[str] = set()


class _Project:
    """A project: its lanes that may be taken from, its busy threads."""

    __slots__ = ("id", "busy", "lanes", "is_queued")

    def __init__(self, project_id: str) -> None:
        self.id = project_id
        self.busy = 0
        self.lanes: collections.deque[_Lane] = collections.deque()
        self.is_queued = False


class Queues:
    """Entries by project and target. Safe for several threads."""

    def __init__(self, conf, clock: Callable[[], float] = time.monotonic
                 ) -> None:
        """:param conf: the group ``[dispatcher]``
        :param clock: returns seconds and never goes back
        """
        self._conf = conf
        self._clock = clock
        self._changed = threading.Condition()
        self._stations: dict[str, _Station] = {}
        self._projects: dict[str, _Project] = {}
        self._ring: collections.deque[_Project] = collections.deque()
        self._full: set[str] = set()
        self._has_room_again = False
        self._count = 0
        self._bytes = 0
        self._is_closed = False

    def __len__(self) -> int:
        """Return how many entries wait."""
        return self._count

    def room(self) -> int:
        """Return how many entries may come, about."""
        if self._bytes >= MAX_BYTES:
            return 0
        return max(0, MAX_ENTRIES - self._count)

    def full(self) -> set[str]:
        """Return sources of which nothing more should come for now."""
        with self._changed:
            return set(self._full)

    def has_room_again(self) -> bool:
        """Return whether a source has left ``full`` since this was asked."""
        with self._changed:
            found, self._has_room_again = self._has_room_again, False
            return found

    def put(self, target: str, entry: Entry) -> list[Postponed]:
        """Take an entry in; return what goes back, itself perhaps."""
        with self._changed:
            if self._is_closed:
                return [Postponed(entry)]
            now = self._clock()
            station = self._stations.get(target)
            if station is None:
                station = self._stations[target] = _Station(self._conf)
            station.used_at = now
            if station.circuit.state(now) == circuit.OPEN:
                return [Postponed(entry, station.circuit.until - now)]
            lane = station.lanes.get(entry.project_id)
            if lane is None:
                lane = station.lanes[entry.project_id] = _Lane(
                    self._project(entry.project_id), target)
                self._offer(lane)
            elif len(lane.entries) >= self._conf.queue_length:
                self._mark_full(lane, entry.source)
                return [Postponed(entry)]
            lane.entries.append((entry, now))
            self._add(lane, 1, _size(entry))
            if self._count > MAX_ENTRIES or self._bytes > MAX_BYTES:
                return self._shorten()
            self._changed.notify()
            return []

    def _project(self, project_id: str) -> _Project:
        project = self._projects.get(project_id)
        if project is None:
            project = self._projects[project_id] = _Project(project_id)
        return project

    def _offer(self, lane: _Lane) -> None:
        """Let threads take from a lane."""
        lane.project.lanes.append(lane)
        self._enqueue(lane.project)

    def _enqueue(self, project: _Project) -> None:
        if not project.is_queued and project.lanes \
                and project.busy < max(1, self._conf.threads // 2):
            project.is_queued = True
            self._ring.append(project)

    def _add(self, lane: _Lane, count: int, size: int) -> None:
        lane.bytes += size
        self._bytes += size
        self._count += count
        if lane.full and len(lane.entries) <= self._conf.queue_length // 2:
            self._full -= lane.full
            lane.full.clear()
            self._has_room_again = True

    def _mark_full(self, lane: _Lane, source: str) -> None:
        lane.full.add(source)
        self._full.add(source)

    def _shorten(self) -> list[Postponed]:
        """Return the newer half of what the largest lane has."""
        lane = max((lane for station in self._stations.values()
                    for lane in station.lanes.values()),
                   key=lambda lane: (lane.bytes, len(lane.entries)))
        given_back = []
        for _ in range((len(lane.entries) + 1) // 2):
            entry, _since = lane.entries.pop()
            given_back.append(Postponed(entry))
            self._add(lane, -1, -_size(entry))
        for one in given_back:
            self._mark_full(lane, one.entry.source)
        return given_back

    def take(self) -> tuple[str, Entry, float] | None:
        """Return target, entry and seconds that it waited here.

        Waits for one; returns None once closed. Whoever took it says
        :meth:`done`.
        """
        with self._changed:
            while not self._is_closed:
                taken = self._next()
                if taken is not None:
                    return taken
                self._changed.wait()
            return None

    def _next(self) -> tuple[str, Entry, float] | None:
        now = self._clock()
        while self._ring:
            project = self._ring.popleft()
            project.is_queued = False
            taken = self._next_of(project, now)
            self._enqueue(project)
            if taken is not None:
                return taken
        return None

    def _next_of(self, project: _Project, now: float
                 ) -> tuple[str, Entry, float] | None:
        while project.lanes:
            lane = project.lanes.popleft()
            station = self._stations[lane.target]
            if not lane.entries:
                station.lanes.pop(project.id, None)
            elif station.busy >= self._places(station, now):
                station.blocked.append(lane)
            else:
                entry, since = lane.entries.popleft()
                self._add(lane, -1, -_size(entry))
                station.busy += 1
                project.busy += 1
                project.lanes.append(lane)
                return lane.target, entry, now - since
        return None

    def _places(self, station: _Station, now: float) -> int:
        state = station.circuit.state(now)
        return {circuit.CLOSED: self._conf.concurrency,
                circuit.HALF_OPEN: 1, circuit.OPEN: 0}[state]

    def done(self, target: str, entry: Entry, worked: bool | None
             ) -> list[Postponed]:
        """Take note that an attempt is over; return what has to wait.

        :param worked: None where it says nothing about the target
        """
        with self._changed:
            now = self._clock()
            station = self._stations[target]
            station.used_at = now
            station.busy -= 1
            project = self._projects[entry.project_id]
            project.busy -= 1
            if worked:
                station.circuit.succeeded()
            elif worked is False:
                station.circuit.failed(now)
            found = []
            if station.circuit.state(now) == circuit.OPEN:
                found = self._empty(station, station.circuit.until - now)
            freed = self._unblock(station, now)
            self._enqueue(project)
            # Whoever says this takes one itself; a place of the target and
            # one of the project may make room for two others.
            if self._count:
                self._changed.notify(max(freed, 2))
            return found

    def _empty(self, station: _Station, delay: float) -> list[Postponed]:
        found = []
        for lane in station.lanes.values():
            while lane.entries:
                entry, _since = lane.entries.popleft()
                self._add(lane, -1, -_size(entry))
                found.append(Postponed(entry, delay))
        # Nobody is at the target any more who could unblock them.
        while station.blocked:
            self._offer(station.blocked.popleft())
        return found

    def _unblock(self, station: _Station, now: float) -> int:
        """Return how many threads may now go to the target."""
        free = self._places(station, now) - station.busy
        left = free
        while station.blocked and left > 0:
            lane = station.blocked.popleft()
            left -= bool(lane.entries)
            self._offer(lane)
        return free

    def sweep(self) -> None:
        """Forget projects and targets that nothing is known of."""
        with self._changed:
            now = self._clock()
            for target, station in list(self._stations.items()):
                if not station.busy and not station.blocked and not any(
                        lane.entries for lane in station.lanes.values()) and (
                            station.circuit.is_calm
                            or now - station.used_at > MEMORY):
                    self._drop(target, station)
            for project in list(self._projects.values()):
                if not project.busy and not project.lanes and not any(
                        project.id in station.lanes
                        for station in self._stations.values()):
                    del self._projects[project.id]

    def _drop(self, target: str, station: _Station) -> None:
        for lane in station.lanes.values():
            if lane in lane.project.lanes:
                lane.project.lanes.remove(lane)
        del self._stations[target]

    def close(self) -> list[Entry]:
        """Let every ``take`` return None; return what still waits."""
        with self._changed:
            self._is_closed = True
            found = [entry for station in self._stations.values()
                     for lane in station.lanes.values()
                     for entry, _since in lane.entries]
            self._changed.notify_all()
            return found


def _size(entry: Entry) -> int:
    return len(entry.content or "")
