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


"""A watcher of the SQLite log that belongs to no group.

A group would keep every record until it came back; a watcher that dies must
leave nothing behind. What its own process publishes is handed to it, so that
it need not read that again: where one worker takes all events in, it reads
nothing.
"""

import collections
from collections.abc import Mapping, Sequence
import sqlite3
import threading
import time

from monasca_events_common.bus import Delivery
from monasca_events_common.bus import Record
from monasca_events_common.bus import sqlite_log
from monasca_events_common.bus import Tail
from monasca_events_common.errors import BusUnavailable

#: Seconds after which it is looked whether another process has published.
LOOK_EVERY = 0.05

#: Bytes of values handed over that may wait, beside headers of about as many;
#: beyond, they are read from the log.
_HANDED = 4 << 20


class SqliteTail(Tail):
    """Reads the log by a connection of its own."""

    def __init__(self, bus, topic: str, backlog: int) -> None:
        """:param bus: the SqliteBus: connects and says when to look"""
        self._bus = bus
        self._topic_name = topic
        self._backlog = backlog
        self._topic = -1
        self._db: sqlite3.Connection | None = None
        self._next: dict[int, int] = {}
        self._closed = False
        self._lock = threading.Lock()
        # Partition → offset → what was published there.
        self._handed: dict[int, dict[int, Record]] = \
            collections.defaultdict(dict)
        self._handed_bytes = 0
        self.spans: Mapping[int, tuple[int, int]] = {}
        self.gaps = 0

    def poll(self, limit: int, timeout: float) -> Sequence[Delivery]:
        deadline = time.monotonic() + timeout
        while True:
            if self._closed or self._bus.closed:
                raise BusUnavailable("the bus is closed")
            seen = self._bus.commits
            try:
                if self._db is None:
                    self._connect()
                found = self._fetch(limit)
            except sqlite3.Error as error:
                self._disconnect()
                raise BusUnavailable(f"the log {self._bus.path} cannot be "
                                     f"read: {error}") from error
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            self._bus.wait_for_commit(seen, min(left, LOOK_EVERY))

    def hand(self, topic: str, places: Sequence[tuple[int, int]],
             records: Sequence[Record]) -> None:
        """Take over records that are in the log now.

        :param places: the partition and the offset of each
        """
        if topic != self._topic_name:
            return
        with self._lock:
            for (partition, place), record in zip(places, records,
                                                  strict=True):
                self._handed[partition][place] = record
                self._handed_bytes += len(record.value)
            if self._handed_bytes > _HANDED:
                self._drop()

    def _drop(self) -> None:
        self._handed.clear()
        self._handed_bytes = 0

    def _connect(self) -> None:
        self._db = self._bus.connect()
        self._topic = self._bus.write(
            lambda db: self._bus.make_topic(db, self._topic_name))
        if not self.spans:
            self.spans = {
                partition: (max(oldest, end - self._backlog), end)
                for partition, (oldest, end)
                in sqlite_log.ends(self._db, self._topic).items()}
            self._next = {partition: start for partition, (start, _)
                          in self.spans.items()}

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _fetch(self, limit: int) -> list[Delivery]:
        found: list[Delivery] = []
        following = dict(self._next)
        for partition, (oldest, end) in sqlite_log.ends(
                self._db, self._topic).items():
            start = following.get(partition, oldest)
            if not oldest <= start <= end:
                self.gaps += 1
                start = oldest
            start = self._take(partition, start, end, limit, found)
            for row_id, key, headers, value in sqlite_log.read(
                    self._db, self._topic, partition, start,
                    limit - len(found)) if start < end else ():
                start = sqlite_log.offset(row_id) + 1
                found.append(Delivery(key, value, sqlite_log.Headers(headers),
                                      partition, start - 1))
            following[partition] = start
        self._next = following
        return found

    def _take(self, partition: int, start: int, end: int, limit: int,
              found: list[Delivery]) -> int:
        """Append what was handed over and comes next; return the offset
        behind it."""
        with self._lock:
            handed = self._handed[partition]
            while start < end and len(found) < limit and start in handed:
                record = handed.pop(start)
                self._handed_bytes -= len(record.value)
                found.append(Delivery(record.key, record.value,
                                      record.headers, partition, start))
                start += 1
            # Read from the log before it was handed over.
            for place in [one for one in handed if one < start]:
                self._handed_bytes -= len(handed.pop(place).value)
        return start

    def close(self) -> None:
        self._closed = True
        self._bus.left(self)
        with self._lock:
            self._drop()
        self._disconnect()
