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

"""Deadlines: end what takes longer than it may.

A socket's timeout counts from one byte to the next, so that a receiver that
sends a byte a second holds its caller for ever. Here one thread watches all
of them and calls whoever can end it.
"""

from collections.abc import Callable, Iterator
import contextlib
import heapq
import itertools
import threading
import time


class Deadline:
    """One deadline. ``is_over`` once it has passed while being watched."""

    __slots__ = ("is_over", "is_off", "_end")

    def __init__(self) -> None:
        self.is_over = False
        self.is_off = False
        self._end: Callable[[], None] | None = None

    def ends_with(self, end: Callable[[], None] | None) -> None:
        """Name what is called when the time is up; at once if it is."""
        self._end = end
        if self.is_over:
            self.expire()

    def expire(self) -> None:
        """Called when the time is up."""
        self.is_over = True
        end = self._end
        if end is not None:
            end()


class Deadlines:
    """Watches deadlines in a thread of its own, which the first one starts."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watch(self, seconds: float) -> Iterator[Deadline]:
        """Watch what happens within the block.

        :param seconds: from now
        """
        deadline = Deadline()
        at = time.monotonic() + seconds
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            heapq.heappush(self._heap, (at, next(self._numbers), deadline))
            if self._heap[0][2] is deadline:
                self._changed.notify()
        try:
            yield deadline
        finally:
            deadline.is_off = True

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._heap \
                        or self._heap[0][0] > time.monotonic():
                    # One that is off is dropped when its time comes, or when
                    # it is in front.
                    while self._heap and self._heap[0][2].is_off:
                        heapq.heappop(self._heap)
                    self._changed.wait(
                        self._heap[0][0] - time.monotonic()
                        if self._heap else None)
                _at, _number, deadline = heapq.heappop(self._heap)
            if not deadline.is_off:
                deadline.expire()
