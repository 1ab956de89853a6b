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

"""The spool's file: SQLite, and what is done when it fails.

Opens the file, lends its connections, turns SQLite's errors into ours, and
puts a corrupt file aside. Several processes may have the file open: whichever
puts it aside has it alone meanwhile, and the others follow. Called by the
spool only; what is in the rows is the spool's business.
"""

from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import logging
import os
import pathlib
import sqlite3
import threading

import prometheus_client

from monasca_events_agent import quarantine
from monasca_events_agent.gate import Gate
from monasca_events_common import metrics
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from monasca_events_common.sqlite_file import make_private
from monasca_events_common.sqlite_file import use_wal

LOG = logging.getLogger(__name__)

#: The stage that what is in the file waits for.
STAGE = "poster"

QUARANTINED = prometheus_client.Counter(
    "monasca_events_spool_quarantined",
    "Spool files put aside because they were corrupt.")
BYTES = prometheus_client.Gauge(
    "monasca_events_spool_bytes", "Bytes of events in the spool.")

# Rows begin somewhere: what somebody fetched from a file that was put aside
# must never name rows of the next one, for removing them would remove others.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    spooled_at REAL NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS bookmarks (
    name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS totals (
    id INTEGER PRIMARY KEY CHECK (id = 1), rows INTEGER, bytes INTEGER);
INSERT OR IGNORE INTO totals VALUES (1, 0, 0);
INSERT INTO sqlite_sequence SELECT 'events', abs(random() / 4)
    WHERE NOT EXISTS (SELECT * FROM sqlite_sequence);
"""
INSERT = "INSERT INTO events (spooled_at, crc, body) VALUES (?, ?, ?)"
# What SQLite says of a file that is not, or no longer, one of its own.
_CORRUPT = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
# What it says of the world around the file.
_PASSING = ("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR",
            "SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_PERM", "SQLITE_READONLY")


@dataclasses.dataclass(frozen=True, slots=True)
class Depth:
    """How much is in the spool."""

    rows: int
    bytes: int


class Tally:
    """Keeps the metrics of what is in the file, whoever puts it there.

    Only the process that takes events out may have one: then what it has
    counted is what has passed through the file since it began.
    """

    def __init__(self) -> None:
        self._rows = 0

    def begin(self, depth: Depth) -> None:
        """Take over a file, with what is in it."""
        self._rows = 0
        self.saw(depth, depth)

    def saw(self, before: Depth, after: Depth) -> None:
        """Learn how much there was and is, around what this process did."""
        metrics.RECEIVED.labels(STAGE).inc(
            max(before.rows - self._rows, 0)
            + max(after.rows - before.rows, 0))
        self._rows = after.rows
        metrics.IN_FLIGHT.labels(STAGE).set(after.rows)
        BYTES.set(after.bytes)


class _Damaged(sqlite3.DatabaseError):
    """The file is a database, but not as it was written."""

    sqlite_errorname = "SQLITE_CORRUPT"


# With a damaged file, even SQLite's message may be no text.
_BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)


class SpoolFile:
    """Two connections to one file. Safe to use from several threads."""

    def __init__(self, path: str, synchronous: str,
                 clock: Callable[[], float], tally: "Tally | None") -> None:
        """Open the file, putting a corrupt one aside.

        :param synchronous: how SQLite syncs what must survive
        :param tally: counts what is in the file
        :raises Misconfigured: it cannot be made or used
        """
        self.path = _prepare(path)
        self._synchronous = synchronous
        self._clock = clock
        self._tally = tally
        self._lock = threading.RLock()
        self._gate = Gate(self.path.parent)
        self._identity: tuple[int, int] | None = None
        self._open()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection. Raises Unavailable."""
        with self._lock, self._gate.shared():
            try:
                self._follow()
                yield self.reader
            except _BROKEN as error:
                raise self._translate(error) from error

    @contextlib.contextmanager
    def writing(self, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Lend a connection within a transaction, committed at the end.

        :param durable: whether it must survive a power failure
        :raises Unavailable: nothing was written
        """
        with self._lock, self._gate.shared():
            try:
                self._follow()
                with self._transaction(durable) as connection:
                    yield connection
            except _BROKEN as error:
                raise self._translate(error) from error

    @contextlib.contextmanager
    def _transaction(self, durable: bool) -> Iterator[sqlite3.Connection]:
        connection = self.writer if durable else self.reader
        try:
            connection.execute("BEGIN IMMEDIATE")
            before = self.totals(connection)
            yield connection
            after = self.totals(connection)
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        if self._tally is not None:
            self._tally.saw(before, after)

    def depth(self) -> Depth:
        """Return how much there is. Raises Unavailable."""
        with self.reading() as connection:
            depth = self.totals(connection)
            if self._tally is not None:
                self._tally.saw(depth, depth)
        return depth

    def close(self) -> None:
        """Release the file. May be called twice."""
        with self._lock:
            self._disconnect()
            self._gate.close()

    @staticmethod
    def totals(connection: sqlite3.Connection) -> Depth:
        """Return how much there is."""
        found = connection.execute("SELECT rows, bytes FROM totals").fetchone()
        if not found or not all(type(value) is int for value in found):
            raise _Damaged("the totals are not numbers")
        return Depth(*found)

    @staticmethod
    def add(connection: sqlite3.Connection, rows: int, size: int) -> None:
        """Count what was added, or with negative numbers removed."""
        connection.execute(
            "UPDATE totals SET rows = rows + ?, bytes = bytes + ?",
            (rows, size))

    def _open(self) -> None:
        try:
            # Alone: two that make the same new file would be in each other's
            # way.
            with self._gate.alone():
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
        make_private(self.path)
        self._identity = _identity(self.path)
        self.writer = _connection(self.path, self._synchronous)
        self.reader = _connection(self.path, "normal")
        self.writer.executescript(_SCHEMA)
        if self._tally is not None:
            self._tally.begin(self.totals(self.writer))

    def _disconnect(self) -> None:
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self.writer.close()
            self.reader.close()

    def _follow(self) -> None:
        """Open the file again where another process has put it aside.

        What would be written to the old one, nobody would ever read.
        """
        if _identity(self.path) == self._identity:
            return
        LOG.warning("the spool %s is another file by now", self.path)
        self._disconnect()
        try:
            self._connect()
        except (OSError, *_BROKEN) as error:
            if _name(error) not in _CORRUPT:
                # The next use tries again.
                self._identity = None
            if isinstance(error, OSError):
                raise Unavailable(
                    f"the spool cannot be used: {error.strerror}",
                    code="spool_failing", retry_after=1.0) from error
            raise

    def _replace(self, error: Exception) -> None:
        """Put a corrupt file aside, open a new one, keep what is readable."""
        with self._gate.alone():
            if _identity(self.path) == self._identity:
                self._begin_anew(error)
            else:
                self._follow()

    def _begin_anew(self, error: Exception) -> None:
        self._disconnect()
        aside = quarantine.put_aside(self.path, self._clock())
        QUARANTINED.inc()
        LOG.error("the spool was corrupt (%s) and is now %s; a new one is in "
                  "its place", _name(error), aside)
        self._connect()
        saved = 0
        for events in quarantine.readable(aside):
            with self._transaction(durable=True) as connection:
                connection.executemany(INSERT, events)
                self.add(connection, len(events),
                          sum(len(body) for _at, _crc, body in events))
            saved += len(events)
        with self._transaction(durable=True) as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO bookmarks VALUES (?, ?)",
                quarantine.bookmarks(aside))
        LOG.error("%d events were read from %s and spooled again", saved,
                  aside)

    def _translate(self, error: Exception) -> Unavailable:
        name = _name(error)
        if name in _CORRUPT:
            self._replace(error)
            return Unavailable("the spool was corrupt and has been replaced",
                               code="spool_replaced", retry_after=0.0)
        code = {"SQLITE_FULL": "spool_disk_full"}.get(name, "spool_failing")
        return Unavailable(f"the spool cannot be used: {name}", code=code,
                           retry_after=1.0)


def _identity(path: pathlib.Path) -> tuple[int, int] | None:
    """Return what tells the file at the path from any other."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


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
    use_wal(connection)
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
