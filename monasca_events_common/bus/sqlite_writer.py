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

"""Group commit: many callers, one thread, one transaction.

Every change to the log, by whichever thread of the process, goes through one
writer. What arrives while a commit is under way is merged into the next one,
so that the cost of reaching the disk is shared. The writer never decides what
to write; callers hand it functions.
"""

import collections
from collections.abc import Callable
import sqlite3
import threading
import time
from typing import Any

from monasca_events_common.bus import sqlite_log
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import EventsError

#: What is done within the transaction. It may raise one of our errors only
#: where what it has changed until then may stay: others share the transaction.
Change = Callable[[sqlite3.Connection], Any]


class _Job:
    """One caller's change and what became of it."""

    __slots__ = ("change", "done", "error", "result")

    def __init__(self, change: Change) -> None:
        self.change = change
        self.done = threading.Event()
        self.result = None
        self.error: Exception | None = None


class Writer:
    """The only thread of this process that writes to the log.

    It starts with the first change, so that a bus made before a fork works
    in the child.
    """

    def __init__(self, path: str, timeout: Callable[[], float],
                 committed: Callable[[], None]) -> None:
        """:param timeout: tells how long a caller waits, in seconds
        :param committed: called after each transaction
        """
        self._path = path
        self._timeout = timeout
        self._committed = committed
        self._jobs: collections.deque[_Job] = collections.deque()
        self._wakeup = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._db: sqlite3.Connection | None = None

    def write(self, change: Change, timeout: float | None = None) -> Any:
        """Return the change's result once it is durable.

        Raises BusUnavailable when it could not be written within the
        timeout; it may then be written all the same, a little later.
        """
        job = _Job(change)
        with self._wakeup:
            if self._closing:
                raise BusUnavailable("the bus is closed")
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="sqlite-bus-writer", daemon=True)
                self._thread.start()
            self._jobs.append(job)
            self._wakeup.notify()
        if not job.done.wait(self._timeout() if timeout is None else timeout):
            self._forget(job)
            raise BusUnavailable(f"the log {self._path} did not take the "
                                 "change in time: locked or disk stalled")
        if job.error is not None:
            raise job.error
        return job.result

    def _forget(self, job: _Job) -> None:
        # A disk that hangs must not gather the jobs of callers that left.
        with self._wakeup:
            try:
                self._jobs.remove(job)
            except ValueError:
                pass

    def close(self) -> None:
        """Write what was handed over, then stop the thread."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(self._timeout())

    def _run(self) -> None:
        while True:
            with self._wakeup:
                while not self._jobs and not self._closing:
                    self._wakeup.wait()
                jobs = list(self._jobs)
                self._jobs.clear()
            if not jobs:
                break
            self._write(jobs)
            self._committed()
            for job in jobs:
                job.done.set()
        self._disconnect()

    def _write(self, jobs: list[_Job]) -> None:
        try:
            self._transact(jobs)
        except Exception as error:  # the callers get it, as from a future
            if len(jobs) == 1 or _is_busy(error):
                for job in jobs:
                    job.error = _unavailable(self._path, error)
                return
            # One of them may be what does not fit: a full disk that takes
            # no more records may still take a consumer's positions.
            for job in jobs:
                job.error = None
                self._write([job])

    def _transact(self, jobs: list[_Job]) -> None:
        try:
            if self._db is None:
                self._db = sqlite_log.connect(self._path, self._timeout() / 2)
            self._begin(self._db)
            for job in jobs:
                try:
                    job.result = job.change(self._db)
                except EventsError as error:
                    job.error = error
            self._db.execute("COMMIT")
        except BaseException as error:
            self._roll_back(error)
            raise

    def _begin(self, db: sqlite3.Connection) -> None:
        # SQLite's own waiting for a lock sleeps up to 100 ms at a time,
        # which starves a writer among many; this asks again sooner.
        deadline = time.monotonic() + self._timeout() / 2
        while True:
            try:
                db.execute("PRAGMA busy_timeout = 25")
                db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise

    def _roll_back(self, error: BaseException) -> None:
        if self._db is None:
            return
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()
            return
        if not _is_busy(error) and _code(error) != sqlite3.SQLITE_FULL:
            # After an I/O error the connection's view of the file is in
            # doubt; a new one recovers from the write-ahead log.
            self._disconnect()

    def _disconnect(self) -> None:
        if self._db is not None:
            try:
                self._db.close()
            except sqlite3.Error:
                pass
            self._db = None


def _code(error: BaseException) -> int | None:
    # The low byte is SQLite's primary code; the rest only tells why.
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _is_busy(error: BaseException) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _unavailable(path: str, error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        return BusUnavailable(f"the log {path} cannot be written: {error}")
    return error
