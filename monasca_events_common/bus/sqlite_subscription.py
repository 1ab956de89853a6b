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

"""One member of a consumer group on the SQLite log.

Made by the SQLite bus. It reads by a connection of its own and writes through
the bus's writer. It is the only place where a member waits: for this
process's commits by a condition, for other processes' by SQLite's data
version.
"""

from collections.abc import Callable, Mapping, Sequence
import logging
import sqlite3
import time
import uuid

from monasca_events_common.bus import Delivery
from monasca_events_common.bus import sqlite_group
from monasca_events_common.bus import sqlite_log
from monasca_events_common.bus import Subscription
from monasca_events_common.bus import Watcher
from monasca_events_common.errors import BusUnavailable

LOG = logging.getLogger(__name__)

#: Seconds between two looks for another process's records: half of it is
#: the usual delay, and an idle consumer costs about 1 % of a processor.
LOOK_EVERY = 0.02

#: One poll returns no more than this, however large the records are.
POLL_BYTES = 16 << 20


class SqliteSubscription(Subscription):
    """One member of a group on the SQLite log."""

    def __init__(self, bus, topic: str, group: str, watcher: Watcher | None,
                 clock: Callable[[], float]) -> None:
        """:param bus: the SqliteBus: writes, connects and says when to look
        :param clock: seconds, the same for all processes of the machine
        """
        self._bus = bus
        self._topic_name = topic
        self._group_name = group
        self._watcher = watcher
        self._clock = clock
        self._member = uuid.uuid4().hex
        self._topic = self._group = -1
        self._db: sqlite3.Connection | None = None
        self._next: dict[int, int] = {}
        self._turn = 0
        self._renew_at = float("-inf")
        self._seen_changes: int | None = -1
        self._seen_version = -1
        self._paused = False
        self._closed = False
        #: Jumps over records that are no longer there; see ``_fetch``.
        self.gaps = 0

    def poll(self, limit: int, timeout: float) -> Sequence[Delivery]:
        deadline = time.monotonic() + timeout
        while True:
            if self._closed or self._bus.closed:
                raise BusUnavailable("the subscription is closed")
            seen = self._bus.commits
            try:
                self._keep_membership()
                found = [] if self._paused else self._fetch(limit)
                if found or not self._wait(seen, deadline):
                    return found
            except sqlite3.Error as error:
                self._disconnect()
                raise BusUnavailable(f"the log {self._bus.path} cannot be "
                                     f"read: {error}") from error

    def _connect(self) -> None:
        self._db = self._bus.connect()
        self._topic, self._group = self._bus.write(self._join)
        self._seen_version = -1

    def _join(self, db: sqlite3.Connection) -> tuple[int, int]:
        topic = self._bus.make_topic(db, self._topic_name)
        return topic, sqlite_group.join(db, topic, self._group_name)

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _keep_membership(self) -> None:
        if self._db is None:
            self._connect()
        lease = self._bus.lease_seconds
        now = self._clock()
        count = sqlite_group.changes(self._db, self._group)
        if now < self._renew_at and count == self._seen_changes:
            return
        if count is None:
            self._topic, self._group = self._bus.write(self._join)
        share = self._bus.write(lambda db: sqlite_group.balance(
            db, self._group, self._member, now, lease), trim=True)
        self._renew_at = now + lease / 3
        self._revoke(sorted(self._next if share.evicted
                            else self._next.keys() - share.owned.keys()))
        if share.excess:
            self._revoke([p for p in share.excess if p in self._next])
            self._bus.write(lambda db: sqlite_group.release(
                db, self._group, self._member, share.excess))
        self._assign({partition: position
                      for partition, position in share.owned.items()
                      if partition not in share.excess})
        self._seen_changes = count

    def _revoke(self, partitions: Sequence[int]) -> None:
        if not partitions:
            return
        LOG.info("group %s gives up partitions %s of %s", self._group_name,
                 partitions, self._topic_name)
        if self._watcher is not None:
            self._watcher.revoked(partitions)
        for partition in partitions:
            del self._next[partition]

    def _assign(self, owned: Mapping[int, int]) -> None:
        new = sorted(owned.keys() - self._next.keys())
        if not new:
            return
        LOG.info("group %s takes partitions %s of %s", self._group_name, new,
                 self._topic_name)
        for partition in new:
            self._next[partition] = owned[partition]
        if self._watcher is not None:
            self._watcher.assigned(new)

    def _fetch(self, limit: int) -> list[Delivery]:
        ends = sqlite_log.ends(self._db, self._topic)
        found: list[Delivery] = []
        # Kept aside until all is read: a fault on the way must not leave
        # records behind that were read and not returned.
        following: dict[int, int] = {}
        room = POLL_BYTES
        self._turn += 1
        ordered = sorted(self._next)
        turn = self._turn % len(ordered) if ordered else 0
        for partition in ordered[turn:] + ordered[:turn]:
            start, end = self._next[partition], ends[partition][1]
            if not ends[partition][0] <= start <= end:
                start = self._jump(partition, ends[partition][0])
            if start >= end:
                continue
            rows = sqlite_log.read(self._db, self._topic, partition, start,
                                   limit - len(found))
            for row_id, key, headers, value in rows:
                start = sqlite_log.offset(row_id) + 1
                room -= len(headers) + len(value)
                found.append(Delivery(
                    key, value, sqlite_log.decode_headers(headers),
                    partition, start - 1))
                if room <= 0:
                    break
            rows.close()
            following[partition] = start
            if len(found) >= limit or room <= 0:
                break
        self._next.update(following)
        return found

    def _jump(self, partition: int, oldest: int) -> int:
        self.gaps += 1
        LOG.warning("group %s asks for offset %d of partition %d of %s, which"
                    " is not there; going on at the oldest, %d",
                    self._group_name, self._next[partition], partition,
                    self._topic_name, oldest)
        self._next[partition] = oldest
        return oldest

    def _wait(self, seen: int, deadline: float) -> bool:
        """Return whether something may have changed before the deadline."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self._bus.wait_for_commit(seen, min(left, LOOK_EVERY)):
                return True
            version, = self._db.execute("PRAGMA data_version").fetchone()
            if version != self._seen_version:
                self._seen_version = version
                return True
            if self._clock() >= self._renew_at:
                return True

    def seek(self, positions: Mapping[int, int]) -> None:
        for partition, position in positions.items():
            if partition in self._next:
                self._next[partition] = position

    def commit(self, positions: Mapping[int, int]) -> None:
        if self._closed or self._db is None or not positions:
            return
        foreign = self._bus.write(lambda db: sqlite_group.commit(
            db, self._group, self._member, positions), trim=True)
        if foreign:
            LOG.info("positions of partitions %s of %s were not committed:"
                     " they are another member's of group %s now", foreign,
                     self._topic_name, self._group_name)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def ends(self) -> Mapping[int, tuple[int, int]]:
        if self._db is None:
            return {}
        try:
            ends = sqlite_log.ends(self._db, self._topic)
        except sqlite3.Error as error:
            raise BusUnavailable(f"the log {self._bus.path} cannot be read: "
                                 f"{error}") from error
        return {partition: (max(following, ends[partition][0]),
                            ends[partition][1])
                for partition, following in self._next.items()}

    def lag(self) -> Mapping[int, int]:
        if self._db is None:
            return {}
        try:
            return dict(self._db.execute(
                "SELECT c.partition, p.next - c.next FROM positions c"
                " JOIN partitions p ON p.partition = c.partition"
                " WHERE c.grp = ? AND c.owner = ? AND p.topic = ?",
                (self._group, self._member, self._topic)).fetchall())
        except sqlite3.Error as error:
            raise BusUnavailable(f"the log {self._bus.path} cannot be read: "
                                 f"{error}") from error

    def close(self) -> None:
        self.abandon()
        self._disconnect()

    def abandon(self) -> None:
        """Give up the leases at once; what the bus does when it closes."""
        if self._closed:
            return
        self._closed = True
        self._bus.left(self)
        self._next.clear()
        if self._group >= 0:
            try:
                self._bus.write(lambda db: sqlite_group.leave(
                    db, self._group, self._member))
            except BusUnavailable as error:
                LOG.info("the leases of group %s were not given up and will"
                         " expire: %s", self._group_name, error)
