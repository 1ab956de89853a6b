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

"""The spool: events on disk between the pipeline and the poster.

A source lets RabbitMQ forget a notification once its event is here, so this
is where "no silent loss" begins. One SQLite file, mode 0600 in a directory of
mode 0700; a batch is one transaction, synced to disk before ``append``
returns. Order is kept. The bodies are the bytes that will be posted; nothing
here decodes them.
"""

from collections.abc import Callable, Sequence
import dataclasses
import logging
import threading
import time
import zlib

from oslo_config import cfg

from monasca_events_agent.sources import Bookmark
from monasca_events_agent.spoolfile import Depth
from monasca_events_agent.spoolfile import INSERT
from monasca_events_agent.spoolfile import SpoolFile
from monasca_events_agent.spoolfile import STAGE
from monasca_events_agent.spoolfile import Tally
from monasca_events_common import metrics
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)

GROUP = "spool"

OPTS = [
    cfg.StrOpt("path", default="agent-spool/spool.db",
               help="The spool's file, made with mode 0600. Its directory is "
                    "made with, or set to, mode 0700 and should hold nothing "
                    "else. With a disk that fails, events that were "
                    "acknowledged to RabbitMQ and not yet posted are lost."),
    cfg.IntOpt("max_bytes", default=1024 ** 3, min=1024 ** 2, mutable=True,
               help="Bytes of events that the spool holds at most. When it "
                    "is full, the agent stops consuming and RabbitMQ keeps "
                    "the rest. The file is about a fifth larger."),
    cfg.IntOpt("max_age", default=0, min=0, mutable=True,
               help="Seconds that an event may wait in the spool. Older ones "
                    "are dropped and counted with the reason spool_age. 0 "
                    "keeps them for as long as there is room."),
    cfg.StrOpt("synchronous", default="full", choices=["full", "normal"],
               help="Whether each batch is on the disk before it is "
                    "acknowledged (full), or may be lost by a power failure, "
                    "though not by a crash of the process (normal)."),
]

_MEASURE = "SELECT count(*), coalesce(sum(length(body)), 0) FROM events "
# A batch is what lies between its ends: ids only grow, and rows are removed
# from the old end alone.
_BATCH = (_MEASURE + "WHERE id BETWEEN ? AND ?",
          "DELETE FROM events WHERE id BETWEEN ? AND ?")
_OLD = (_MEASURE + "WHERE spooled_at < ?",
        "DELETE FROM events WHERE spooled_at < ?")
# Seconds between two looks whether another process has written.
_LOOK = 0.02
# Pages of 4 kB that an empty spool may keep for the next backlog.
_FREE_PAGES = 16384


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One spooled event.

    :ivar intact: its bytes are those that were written
    """

    id: int
    body: bytes
    intact: bool = True


class Spool:
    """The spool's file. Safe to use from several threads and processes.

    Every call raises Unavailable while the disk is full or failing; nothing
    has been written then.
    """

    def __init__(self, conf, clock: Callable[[], float] = time.time, *,
                 counts: bool = True) -> None:
        """Open the spool, putting a corrupt one aside.

        :param conf: an option group with OPTS
        :param clock: seconds since the epoch
        :param counts: whether this process shows the metrics of what is in
            the spool: the one that empties it does
        :raises Misconfigured: the directory cannot be made or used
        """
        self.conf = conf
        self._clock = clock
        self._version: int | None = None
        self._file = SpoolFile(conf.path, conf.synchronous, clock,
                               Tally() if counts else None)

    # -- writing ------------------------------------------------------------

    def append(self, bodies: Sequence[bytes],
               bookmark: Bookmark | None = None) -> None:
        """Return once the events and the bookmark are on the disk, or none."""
        size = sum(map(len, bodies))
        now = self._clock()
        with self._file.writing() as connection:
            held = self._file.totals(connection)
            # A batch larger than the whole spool must pass at some time.
            if held.rows and held.bytes + size > self.conf.max_bytes:
                raise Unavailable(
                    f"the spool holds {held.rows} events of {held.bytes} "
                    f"bytes; at most {self.conf.max_bytes} are allowed",
                    code="spool_full", retry_after=1.0)
            connection.executemany(INSERT, [
                (now, zlib.crc32(body), body) for body in bodies])
            self._file.add(connection, len(bodies), size)
            if bookmark is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO bookmarks VALUES (?, ?)",
                    (bookmark.name, bookmark.value))

    def remove(self, rows: Sequence[Row]) -> None:
        """Forget a batch that ``fetch`` returned.

        Not synced: a power failure brings the batch back, and ids make the
        repeat harmless.
        """
        if rows:
            self._forget(_BATCH, (rows[0].id, rows[-1].id))

    def expire(self) -> int:
        """Drop what is older than ``max_age``; return how many there were."""
        if not self.conf.max_age:
            return 0
        gone = self._forget(_OLD, (self._clock() - self.conf.max_age,))
        if gone:
            LOG.warning("%d events waited longer than %d s in the spool and "
                        "were dropped", gone, self.conf.max_age)
            metrics.DROPPED.labels(STAGE, "spool_age").inc(gone)
        return gone

    def _forget(self, queries: tuple[str, str], values: tuple) -> int:
        measure, delete = queries
        with self._file.writing(durable=False) as connection:
            rows, size = connection.execute(measure, values).fetchone()
            if rows:
                connection.execute(delete, values)
                self._file.add(connection, -rows, -size)
            empty = not self._file.totals(connection).rows
        if empty:
            self._shrink()
        return rows

    def _shrink(self) -> None:
        """Give disk back when a large backlog is gone."""
        with self._file.reading() as connection:
            free, = connection.execute("PRAGMA freelist_count").fetchone()
            if free > _FREE_PAGES:
                connection.execute("PRAGMA incremental_vacuum").fetchall()

    # -- reading --------------------------------------------------------------

    def fetch(self, limit: int, max_bytes: int) -> list[Row]:
        """Return the oldest events, at least one if there is any.

        :param limit: how many at most
        :param max_bytes: their size at most, but for the first
        """
        rows: list[Row] = []
        size = 0
        with self._file.reading() as connection:
            for row_id, crc, body in connection.execute(
                    "SELECT id, crc, body FROM events ORDER BY id LIMIT ?",
                    (limit,)):
                if type(body) is not bytes:
                    body, crc = repr(body).encode(), None
                size += len(body) + 1
                if rows and size > max_bytes:
                    break
                rows.append(Row(row_id, body, zlib.crc32(body) == crc))
            missing = 0 if rows else self._file.totals(connection).rows
        if missing:
            self._reconcile()
        return rows

    def _reconcile(self) -> None:
        """Say so when an empty table should hold something."""
        with self._file.writing() as connection:
            missing = self._file.totals(connection).rows - connection.execute(
                "SELECT count(*) FROM events").fetchone()[0]
            if missing > 0:
                connection.execute("UPDATE totals SET rows = rows - ?, "
                                   "bytes = 0", (missing,))
                LOG.error("%d events vanished from the spool %s: its file "
                          "was damaged", missing, self._file.path)
                metrics.DROPPED.labels(STAGE, "spool_corrupt").inc(missing)

    def bookmark(self, name: str) -> str | None:
        """Return a bookmark's value, or None."""
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT value FROM bookmarks WHERE name = ?",
                (name,)).fetchone()
        return found and found[0]

    def depth(self) -> Depth:
        """Return how much there is."""
        return self._file.depth()

    def wait(self, stop: threading.Event, timeout: float) -> None:
        """Return when somebody has written since the last call, or after
        ``timeout`` seconds, or soon after ``stop`` is set. For one thread
        only. Raises Unavailable."""
        for _look in range(max(round(timeout / _LOOK), 1)):
            with self._file.reading() as connection:
                version, = connection.execute(
                    "PRAGMA data_version").fetchone()
            if version != self._version:
                self._version = version
                return
            if stop.wait(_LOOK):
                return

    def close(self) -> None:
        """Release the file. May be called twice."""
        self._file.close()
