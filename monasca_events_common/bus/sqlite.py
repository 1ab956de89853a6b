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

"""The embedded bus: a log in one SQLite file, shared by local processes.

Any number of processes of one machine publish and consume the same file at
once. A publish returns after its transaction reached the disk; publishes that
arrive together share a transaction. Nothing is ever dropped: records leave
the file only after every group has consumed them, and a full log refuses
publishing until then.
"""

from collections.abc import Callable, Sequence
import socket
import sqlite3
import threading
import time
from typing import Any
import zlib

from oslo_config import cfg

from monasca_events_common.bus import Bus
from monasca_events_common.bus import Group
from monasca_events_common.bus import Record
from monasca_events_common.bus import sqlite_group
from monasca_events_common.bus import sqlite_log
from monasca_events_common.bus import Watcher
from monasca_events_common.bus.sqlite_subscription import SqliteSubscription
from monasca_events_common.bus.sqlite_tail import SqliteTail
from monasca_events_common.bus.sqlite_writer import Change
from monasca_events_common.bus.sqlite_writer import Writer
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import TooLarge
from monasca_events_common.health import Health

OPTS = [
    cfg.StrOpt("path", default="bus.db",
               help="File that holds the log. All services of the machine "
                    "name the same file. It must not lie on a network file "
                    "system."),
    cfg.IntOpt("partitions", default=4, min=1,
               max=sqlite_log.MAX_PARTITIONS,
               help="Partitions of a topic that is made from now on: as "
                    "many members of one consumer group can work at once. A "
                    "topic that exists keeps its number."),
    cfg.IntOpt("max_bytes", default=4 << 30, min=1 << 20, mutable=True,
               help="Bytes that the log may take on the disk, beside up to "
                    "64 MiB of write-ahead log. When they are used up, "
                    "publishing is refused until consumers have made room; "
                    "nothing is dropped."),
    cfg.IntOpt("max_record_bytes", default=1_000_000, min=1024, mutable=True,
               help="Bytes of the largest record, its headers included. A "
                    "larger one is rejected."),
    cfg.FloatOpt("publish_timeout", default=4.0, min=0.1, mutable=True,
                 help="Seconds after which publishing gives up and the "
                      "sender is told to try again. The API promises that "
                      "answer within five seconds."),
    cfg.FloatOpt("lease_seconds", default=10.0, min=0.1, mutable=True,
                 help="Seconds without a sign of life after which a "
                      "consumer's partitions are given to the other members "
                      "of its group. More than the longest time that a "
                      "batch takes."),
    cfg.FloatOpt("retention", default=600.0, min=0, mutable=True,
                 help="Seconds for which records are kept after they were "
                      "published although every group has consumed them, "
                      "for a group that is new. Ignored while the log is "
                      "more than half full. Records that a group has not "
                      "consumed are kept without a limit of time."),
]

#: Records of a partition that one transaction trims at most.
_TRIM_LIMIT = 2000


class SqliteBus(Bus):
    """The log in a file. Opens it at the first call that needs it."""

    OPTS = OPTS
    GROUP = "sqlite_bus"

    def __init__(self, conf, *, clock: Callable[[], float] = time.monotonic,
                 now: Callable[[], float] = time.time) -> None:
        """:param conf: the option group ``sqlite_bus``
        :param clock: measures leases; the same for all processes of the
            machine, and never set
        :param now: seconds since the epoch, for the retention
        """
        self.conf = conf
        self.path = conf.path
        self.closed = False
        #: Transactions of this process so far.
        self.commits = 0
        self._clock = clock
        self._now = now
        self._changed = threading.Condition()
        self._subscriptions: set[SqliteSubscription] = set()
        self._tails: set[SqliteTail] = set()
        self._writer = Writer(conf.path, lambda: self.conf.publish_timeout,
                              self._count_commit)

    def publish(self, topic: str, records: Sequence[Record]) -> None:
        rows = []
        total = 0
        for place, record in enumerate(records):
            size = sqlite_log.size(record)
            if size > self.conf.max_record_bytes:
                raise TooLarge(
                    f"record {place} has {size} bytes; at most "
                    f"{self.conf.max_record_bytes} are accepted")
            total += size
            rows.append((zlib.crc32(record.key), record.key,
                         sqlite_log.encode_headers(record.headers),
                         record.value))

        def append(db: sqlite3.Connection) -> list[tuple[int, int]]:
            self._make_room(db, total)
            return sqlite_log.append(db, self.make_topic(db, topic),
                                     self._now(), rows)

        if rows:
            places = self._writer.write(append)
            for tail in list(self._tails):
                tail.hand(topic, places, records)

    def _make_room(self, db: sqlite3.Connection, size: int) -> None:
        if sqlite_log.used_bytes(db) + size <= self.conf.max_bytes:
            return
        while sqlite_log.trim(db, float("inf"), _TRIM_LIMIT):
            if sqlite_log.used_bytes(db) + size <= self.conf.max_bytes:
                return
        slowest = sqlite_log.slowest_group(db)
        raise BusUnavailable(
            f"the log has reached {self.conf.max_bytes} bytes; "
            + ("group {} has {} records to consume".format(*slowest)
               if slowest else "no group consumes it"), code="bus_full")

    def subscribe(self, topic: str, group: str,
                  watcher: Watcher | None = None) -> SqliteSubscription:
        subscription = SqliteSubscription(self, topic, group, watcher,
                                          self._clock)
        self._subscriptions.add(subscription)
        return subscription

    def tail(self, topic: str, backlog: int) -> SqliteTail:
        tail = SqliteTail(self, topic, backlog)
        self._tails.add(tail)
        return tail

    def groups(self, topic: str, names: Sequence[str]) -> list[Group]:
        try:
            db = self.connect()
            try:
                number = self.write(lambda db: self.make_topic(db, topic))
                return [sqlite_group.describe(
                    db, number, name, self._clock(), socket.gethostname())
                    for name in names]
            finally:
                db.close()
        except sqlite3.Error as error:
            raise BusUnavailable(f"the log {self.path} cannot be read: "
                                 f"{error}") from error

    def health(self) -> Health:
        if self.closed:
            return Health(False, "the bus is closed")
        try:
            db = sqlite_log.connect(self.path, 0.5)
            try:
                used = sqlite_log.used_bytes(db)
                db.execute("BEGIN IMMEDIATE")
                db.execute("ROLLBACK")
            finally:
                db.close()
        except EventsError as error:
            return Health(False, str(error))
        except sqlite3.Error as error:
            return Health(False, f"the log cannot be used: {error}")
        if used >= self.conf.max_bytes:
            return Health(False, f"the log is full: {used} bytes")
        return Health(True)

    def close(self) -> None:
        if self.closed:
            return
        for subscription in list(self._subscriptions):
            subscription.abandon()
        self.closed = True
        self._writer.close()
        self._count_commit()

    def forget(self, topic: str, group: str) -> None:
        """Remove a group that will never come back.

        Until then everything that it has not consumed is kept for it. If it
        does come back, it starts as a new group.
        """
        self._writer.write(
            lambda db: sqlite_group.forget(
                db, self.make_topic(db, topic), group))

    # What subscriptions need of the bus.

    @property
    def lease_seconds(self) -> float:
        return self.conf.lease_seconds

    def connect(self) -> sqlite3.Connection:
        """Return a connection for reading. Raises sqlite3.Error."""
        return sqlite_log.connect(self.path, self.conf.publish_timeout / 2)

    def make_topic(self, db: sqlite3.Connection, name: str) -> int:
        """Return the topic's number, making it if it is new."""
        return sqlite_log.make_topic(db, name, self.conf.partitions)

    def write(self, change: Change, trim: bool = False) -> Any:
        """Return the change's result once it is durable.

        :param trim: then also remove what every group has consumed
        """
        if not trim:
            return self._writer.write(change)

        def change_and_trim(db: sqlite3.Connection) -> Any:
            result = change(db)
            half_full = sqlite_log.used_bytes(db) > self.conf.max_bytes / 2
            sqlite_log.trim(db, float("inf") if half_full
                            else self._now() - self.conf.retention,
                            _TRIM_LIMIT)
            return result

        return self._writer.write(change_and_trim)

    def left(self, reader: SqliteSubscription | SqliteTail) -> None:
        """Take note that a subscription or a tail has closed."""
        self._subscriptions.discard(reader)
        self._tails.discard(reader)

    def wait_for_commit(self, seen: int, timeout: float) -> bool:
        """Return whether this process committed more than ``seen``."""
        with self._changed:
            return self._changed.wait_for(lambda: self.commits != seen,
                                          timeout)

    def _count_commit(self) -> None:
        with self._changed:
            self.commits += 1
            self._changed.notify_all()
