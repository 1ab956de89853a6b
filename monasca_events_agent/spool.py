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

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import logging
import os
import pathlib
import sqlite3
import threading
import time
import zlib

from oslo_config import cfg
import prometheus_client

from monasca_events_agent import quarantine
from monasca_events_agent.sources import Bookmark
from monasca_events_common import metrics
from monasca_events_common.errors import Misconfigured
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

QUARANTINED = prometheus_client.Counter(
    "monasca_events_spool_quarantined",
    "Spool files put aside because they were corrupt.")
BYTES = prometheus_client.Gauge(
    "monasca_events_spool_bytes", "Bytes of events in the spool.")
STAGE = "poster"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    spooled_at REAL NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS bookmarks (
    name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS totals (
    id INTEGER PRIMARY KEY CHECK (id = 1), rows INTEGER, bytes INTEGER);
INSERT OR IGNORE INTO totals VALUES (1, 0, 0);
"""
_INSERT = "INSERT INTO events (spooled_at, crc, body) VALUES (?, ?, ?)"
_MEASURE = "SELECT count(*), coalesce(sum(length(body)), 0) FROM events "
# A batch is what lies between its ends: ids only grow, and rows are removed
# from the old end alone.
_BATCH = (_MEASURE + "WHERE id BETWEEN ? AND ?",
          "DELETE FROM events WHERE id BETWEEN ? AND ?")
_OLD = (_MEASURE + "WHERE spooled_at < ?",
        "DELETE FROM events WHERE spooled_at < ?")
# Pages of 4 kB that an empty spool may keep for the next backlog.
_FREE_PAGES = 16384
# What SQLite says of a file that is not, or no longer, one of its own.
_CORRUPT = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
# What it says of the world around the file.
_PASSING = ("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR",
            "SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_PERM", "SQLITE_READONLY")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One spooled event.

    :ivar intact: its bytes are those that were written
    """

    id: int
    body: bytes
    intact: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Depth:
    """How much is in the spool."""

    rows: int
    bytes: int


class _Damaged(sqlite3.DatabaseError):
    """The file is a database, but not as it was written."""

    sqlite_errorname = "SQLITE_CORRUPT"


# With a damaged file, even SQLite's message may be no text.
_BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)


class Spool:
    """The spool's file. Safe to use from several threads.

    Every call raises Unavailable while the disk is full or failing; nothing
    has been written then.
    """

    def __init__(self, conf, clock: Callable[[], float] = time.time) -> None:
        """Open the spool, putting a corrupt one aside.

        :param conf: an option group with OPTS
        :param clock: seconds since the epoch
        :raises Misconfigured: the directory cannot be made or used
        """
        self.conf = conf
        self._clock = clock
        self._lock = threading.RLock()
        self._grown = threading.Event()
        self.path = _prepare(conf.path)
        self._open()

    # -- writing ------------------------------------------------------------

    def append(self, bodies: Sequence[bytes],
               bookmark: Bookmark | None = None) -> None:
        """Return once the events and the bookmark are on the disk, or none."""
        size = sum(map(len, bodies))
        now = self._clock()
        with self._transaction(self._writer) as connection:
            held = self._totals(connection)
            # A batch larger than the whole spool must pass at some time.
            if held.rows and held.bytes + size > self.conf.max_bytes:
                raise Unavailable(
                    f"the spool holds {held.rows} events of {held.bytes} "
                    f"bytes; at most {self.conf.max_bytes} are allowed",
                    code="spool_full", retry_after=1.0)
            connection.executemany(_INSERT, [
                (now, zlib.crc32(body), body) for body in bodies])
            self._add(connection, len(bodies), size)
            if bookmark is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO bookmarks VALUES (?, ?)",
                    (bookmark.name, bookmark.value))
        metrics.RECEIVED.labels(STAGE).inc(len(bodies))
        self._grown.set()

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
        with self._transaction(self._reader) as connection:
            rows, size = connection.execute(measure, values).fetchone()
            if rows:
                connection.execute(delete, values)
                self._add(connection, -rows, -size)
            empty = not self._totals(connection).rows
        if empty:
            self._shrink()
        return rows

    def _shrink(self) -> None:
        """Give disk back when a large backlog is gone."""
        with self._guarded() as connection:
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
        with self._guarded() as connection:
            for row_id, crc, body in connection.execute(
                    "SELECT id, crc, body FROM events ORDER BY id LIMIT ?",
                    (limit,)):
                if type(body) is not bytes:
                    body, crc = repr(body).encode(), None
                size += len(body) + 1
                if rows and size > max_bytes:
                    break
                rows.append(Row(row_id, body, zlib.crc32(body) == crc))
            missing = 0 if rows else self._totals(connection).rows
        if missing:
            self._reconcile()
        return rows

    def _reconcile(self) -> None:
        """Say so when an empty table should hold something."""
        with self._transaction(self._writer) as connection:
            missing = self._totals(connection).rows - connection.execute(
                "SELECT count(*) FROM events").fetchone()[0]
            if missing > 0:
                connection.execute("UPDATE totals SET rows = rows - ?, "
                                   "bytes = 0", (missing,))
                LOG.error("%d events vanished from the spool %s: its file "
                          "was damaged", missing, self.path)
                metrics.DROPPED.labels(STAGE, "spool_corrupt").inc(missing)

    def bookmark(self, name: str) -> str | None:
        """Return a bookmark's value, or None."""
        with self._guarded() as connection:
            found = connection.execute(
                "SELECT value FROM bookmarks WHERE name = ?",
                (name,)).fetchone()
        return found and found[0]

    def depth(self) -> Depth:
        """Return how much there is."""
        with self._guarded() as connection:
            return self._totals(connection)

    def wait(self, timeout: float) -> None:
        """Return when something was appended since the last call, or after
        ``timeout`` seconds. For one thread only."""
        self._grown.wait(timeout)
        self._grown.clear()

    def close(self) -> None:
        """Release the file. May be called twice."""
        with self._lock:
            self._writer.close()
            self._reader.close()

    # -- the file -------------------------------------------------------------

    def _open(self) -> None:
        try:
            self._connect()
        except OSError as error:
            raise Misconfigured(f"[spool] path {self.path} cannot be used: "
                                f"{error.strerror}") from error
        except _BROKEN as error:
            if _name(error) in _PASSING:
                raise Misconfigured(
                    f"the spool {self.path} cannot be opened: "
                    f"{_name(error)}") from error
            self._replace(error)

    def _connect(self) -> None:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self._writer = _connection(self.path, self.conf.synchronous)
        self._reader = _connection(self.path, "normal")
        self._writer.executescript(_SCHEMA)
        self._show(self._totals(self._writer))
        metrics.RECEIVED.labels(STAGE).inc(self._totals(self._writer).rows)

    def _replace(self, error: Exception) -> None:
        """Put a corrupt file aside, open a new one, keep what is readable."""
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self.close()
        aside = quarantine.put_aside(self.path, self._clock())
        QUARANTINED.inc()
        LOG.error("the spool was corrupt (%s) and is now %s; a new one is in "
                  "its place", _name(error), aside)
        self._connect()
        saved = 0
        for events in quarantine.readable(aside):
            with self._transaction(self._writer) as connection:
                connection.executemany(_INSERT, events)
                self._add(connection, len(events),
                          sum(len(body) for _at, _crc, body in events))
            saved += len(events)
        with self._transaction(self._writer) as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO bookmarks VALUES (?, ?)",
                quarantine.bookmarks(aside))
        LOG.error("%d events were read from %s and spooled again", saved,
                  aside)
        metrics.RECEIVED.labels(STAGE).inc(saved)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        """Lend the reading connection; turn SQLite's errors into ours."""
        with self._lock:
            try:
                yield self._reader
            except _BROKEN as error:
                raise self._translate(error) from error

    @contextlib.contextmanager
    def _transaction(self, connection: sqlite3.Connection
                     ) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                depth = self._totals(connection)
                connection.execute("COMMIT")
            except _BROKEN as error:
                _roll_back(connection)
                raise self._translate(error) from error
            except BaseException:
                _roll_back(connection)
                raise
            self._show(depth)

    def _translate(self, error: Exception) -> Unavailable:
        name = _name(error)
        if name in _CORRUPT:
            self._replace(error)
            return Unavailable("the spool was corrupt and has been replaced",
                               code="spool_replaced", retry_after=0.0)
        code = {"SQLITE_FULL": "spool_disk_full"}.get(name, "spool_failing")
        return Unavailable(f"the spool cannot be used: {name}", code=code,
                           retry_after=1.0)

    @staticmethod
    def _totals(connection: sqlite3.Connection) -> Depth:
        found = connection.execute("SELECT rows, bytes FROM totals").fetchone()
        if not found or not all(type(value) is int for value in found):
            raise _Damaged("the totals are not numbers")
        return Depth(*found)

    @staticmethod
    def _add(connection: sqlite3.Connection, rows: int, size: int) -> None:
        connection.execute(
            "UPDATE totals SET rows = rows + ?, bytes = bytes + ?",
            (rows, size))

    @staticmethod
    def _show(depth: Depth) -> None:
        metrics.IN_FLIGHT.labels(STAGE).set(depth.rows)
        BYTES.set(depth.bytes)


def _prepare(path: str) -> pathlib.Path:
    """Make the directory ours alone; return the file's absolute path."""
    file = pathlib.Path(path).absolute()
    home = file.parent
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_mode & 0o077:
            LOG.warning("the spool's directory %s was open to others; it is "
                        "now 0700", home)
            home.chmod(0o700)
    except OSError as error:
        raise Misconfigured(f"[spool] path {file} cannot be used: "
                            f"{error.strerror}") from error
    return file


def _connection(path: pathlib.Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None,
                                 check_same_thread=False, timeout=5.0)
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    # A drained spool gives its disk back at the next checkpoint.
    connection.execute(f"PRAGMA journal_size_limit={64 * 1024 ** 2}")
    return connection


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        connection.execute("ROLLBACK")


def _name(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "SQLITE_CORRUPT"
    # Primary code only: SQLITE_IOERR_WRITE → SQLITE_IOERR.
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return "_".join(name.split("_")[:2])
