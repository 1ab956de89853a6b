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


"""One process's run: takes what is to be sent, paces it, keeps the books.

Each sender has a lane. A lifecycle stays in one lane, so that its order is
kept while several connections wait for the broker's confirmations.
"""

from collections.abc import Callable, Iterable, Sequence
import dataclasses
import queue
import threading
import time

from monasca_events_agent.traffic.notification import Notification
from monasca_events_agent.traffic.poison import Poison
from monasca_events_agent.traffic.sender import Sender
from monasca_events_agent.traffic.truth import Journal

# Items that a lane holds beyond the one that it sends.
_LANE = 100
# Failures in a row after which going on makes no sense.
_MOST_FAILURES = 10
# Seconds after which a waiting thread looks whether it should stop.
_GLANCE = 0.2
# Seconds that a lane may take to finish its last message.
_LAST = 5.0


@dataclasses.dataclass(slots=True)
class Counts:
    """What a run did.

    :ivar sent: messages that the broker or the file has, repetitions too
    :ivar repetitions: those among them that came before with the same id
    :ivar poison: those among them that are poisonous
    :ivar unknown: messages of which that cannot be said
    :ivar seconds: how long sending took
    """

    sent: int = 0
    repetitions: int = 0
    poison: int = 0
    unknown: int = 0
    seconds: float = 0.0
    projects: dict[str, int] = dataclasses.field(default_factory=dict)
    error: str | None = None

    def note(self, item: Notification | Poison) -> None:
        self.sent += 1
        if isinstance(item, Poison):
            self.poison += 1
            return
        if item.copy > 1:
            self.repetitions += 1
            return
        project = item.project_id or ""
        self.projects[project] = self.projects.get(project, 0) + 1

    def add(self, other: "Counts") -> None:
        self.sent += other.sent
        self.repetitions += other.repetitions
        self.poison += other.poison
        self.unknown += other.unknown
        # Runs added together ran side by side.
        self.seconds = max(self.seconds, other.seconds)
        self.error = self.error or other.error
        for project, count in other.projects.items():
            self.projects[project] = self.projects.get(project, 0) + count


class Run:
    """Sends items through some senders."""

    def __init__(self, senders: Sequence[Sender], journal: Journal | None, *,
                 rate: float = 0.0, seconds: float | None = None,
                 stop: threading.Event | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """:param rate: items a second; 0 for as fast as it goes
        :param seconds: how long to go on, or None
        :param stop: set by whoever wants the run to end
        """
        self.counts = Counts()
        self._journal = journal
        self._rate = rate
        self._seconds = seconds
        self._stop = stop or threading.Event()
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._lanes = ([_Lane(self, sender) for sender in senders]
                       if len(senders) > 1 else [])
        self._only = senders[0]

    def drive(self, items: Iterable[tuple[int, Notification | Poison]]
              ) -> Counts:
        """Send the items; return when all are sent or the run has to stop.

        :param items: each with its place in the whole stream, which decides
            when it is due
        """
        began = self._clock()
        for number, item in items:
            if not self._wait(began, number):
                break
            if self._lanes:
                self._lanes[item.life % len(self._lanes)].put(number, item)
            else:
                self.send(self._only, number, item)
        for lane in self._lanes:
            lane.finish()
        for lane in self._lanes:
            if not lane.join():
                self.counts.unknown += 1
        self.counts.seconds = self._clock() - began
        return self.counts

    def _wait(self, began: float, number: int) -> bool:
        """Wait until an item is due; return False where the run is over."""
        while not self._stop.is_set():
            passed = self._clock() - began
            if self._seconds is not None and passed >= self._seconds:
                return False
            early = number / self._rate - passed if self._rate else 0.0
            if early <= 0:
                return True
            self._stop.wait(min(early, _GLANCE))
        return False

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def send(self, sender: Sender, number: int,
             item: Notification | Poison) -> None:
        """Send one item and write down what became of it."""
        if self._journal:
            self._journal.sending(number, item)
        try:
            sender.send(item)
        except Exception as error:  # whatever a driver raises
            self._failed(number, error)
            return
        if self._journal:
            self._journal.sent(number)
        with self._lock:
            self._failures = 0
            self.counts.note(item)

    def _failed(self, number: int, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        if self._journal:
            self._journal.failed(number, reason[:500])
        with self._lock:
            self.counts.unknown += 1
            self._failures += 1
            if not self.counts.sent or self._failures >= _MOST_FAILURES:
                self.counts.error = reason
                self._stop.set()


class _Lane:
    """A thread with a sender of its own and a short queue before it."""

    def __init__(self, run: Run, sender: Sender) -> None:
        self._run = run
        self._sender = sender
        self._queue: queue.Queue = queue.Queue(_LANE)
        # Not waited for at exit: it may be waiting for a broker in vain.
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, number: int, item: Notification | Poison) -> None:
        """Return once the lane has room, or the run stops."""
        while not self._run.stopped:
            try:
                self._queue.put((number, item), timeout=_GLANCE)
                return
            except queue.Full:
                continue

    def finish(self) -> None:
        """Send what is in the queue, then end."""
        self.put(-1, None)

    def join(self) -> bool:
        """Return whether it came to its end; once stopped, wait no longer
        than a last message may take."""
        while self._thread.is_alive() and not self._run.stopped:
            self._thread.join(_GLANCE)
        self._thread.join(_LAST)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while not self._run.stopped:
            try:
                number, item = self._queue.get(timeout=_GLANCE)
            except queue.Empty:
                continue
            if item is None:
                return
            self._run.send(self._sender, number, item)
