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

"""The embedded store: one SQLite file with a full-text index.

Several processes may use one file: readers never wait, writers take turns.
It is the default of a small site and what unit tests use. Which events are
to be purged, and when, is not its business.
"""

from collections.abc import Iterator, Sequence
import contextlib
import logging
import queue
import sqlite3
import threading
import time

from oslo_config import cfg

from monasca_events_common.errors import EventsError
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.health import Health
from monasca_events_common.query import Query
from monasca_events_common.store import Aggregation
from monasca_events_common.store import ALL
from monasca_events_common.store import Document
from monasca_events_common.store import Page
from monasca_events_common.store import periods
from monasca_events_common.store import Rejection
from monasca_events_common.store import sqlite_count
from monasca_events_common.store import sqlite_query
from monasca_events_common.store import sqlite_rows
from monasca_events_common.store import sqlite_schema
from monasca_events_common.store.sqlite_schema import SLOTS
from monasca_events_common.store.sqlite_write import Writer
from monasca_events_common.store import Store
from monasca_events_common.store import Trait
from monasca_events_common.store import WriteResult

LOG = logging.getLogger(__name__)

# Rows that one transaction of a purge removes: about a tenth of a second, in
# which other writers wait.
_PURGED_AT_ONCE = 1000

# Steps of SQLite's machine between two looks at the clock: below 1 ms.
_STEPS = 20_000


class SqliteStore(Store):
    """Events in one SQLite file."""

    GROUP = "sqlite_store"
    OPTS = [
        cfg.StrOpt("path", default="events.db",
                   help="File in which the SQLite store keeps the events. "
                        "It is created with mode 0600 if it is missing; a "
                        "relative name is relative to the working "
                        "directory."),
        cfg.StrOpt("period", default="month", choices=periods.PERIODS,
                   help="Span of one search index within the file. The "
                        "space that search entries of purged events take is "
                        "freed when the last event of such a period is "
                        "purged, and a quick search looks at the newest one "
                        "only. A change applies to periods to come."),
        cfg.FloatOpt("busy_timeout", default=5.0, min=0,
                     help="Seconds that a call waits while another process "
                          "writes to the file, before it fails as "
                          "unavailable."),
        cfg.FloatOpt("query_timeout", default=5.0, min=0.001, mutable=True,
                     help="Seconds after which a query is stopped and "
                          "refused as too costly."),
    ]

    def __init__(self, conf) -> None:
        """Open the file, creating it if need be.

        :param conf: the group ``[sqlite_store]``
        :raises Misconfigured: it cannot be opened or is no store
        """
        self.conf = conf
        self._writer = Writer(
            sqlite_schema.open_file(conf.path, conf.busy_timeout))
        self._turn = threading.Lock()
        # As many readers as there were threads at once, each in use by one.
        self._readers: queue.SimpleQueue = queue.SimpleQueue()
        self._closed = False
        self._trouble = ""

    def write(self, documents: Sequence[Document]) -> WriteResult:
        rows, rejected = [], []
        for position, document in enumerate(documents):
            try:
                rows.append(sqlite_rows.row(document))
            except Rejected as error:
                rejected.append(Rejection(position, error.code, str(error)))
        # In the order of row ids, which is how the file lies.
        rows.sort(key=lambda row: row.id)
        stored = 0
        if rows:
            with self._writing() as connection:
                known = sqlite_schema.Periods(connection, self.conf.period)
                stored = self._writer.insert(rows, known)
        return WriteResult(stored, len(rows) - stored, tuple(rejected))

    def search(self, project_id, query: Query) -> Page:
        with self._reading() as connection:
            plan = self._plan(connection, project_id, query)
            if query.marker is not None:
                row = sqlite_query.unmarked(query.marker)
                plan = plan.narrow(past=row) if query.descending \
                    else plan.narrow(first=row + 1)
            found: list[tuple[int, bytes]] = []
            for part, number in self._parts(connection, plan,
                                            query.descending):
                source, bound = part.source(number)
                found += connection.execute(
                    f"SELECT id, value {source} ORDER BY {part.order(number)} "
                    f"{'DESC' if query.descending else 'ASC'} LIMIT ?",
                    [*bound, query.limit + 1 - len(found)])
                if len(found) > query.limit:
                    break
        page = found[:query.limit]
        return Page(tuple(value for _, value in page),
                    sqlite_query.marker(page[-1][0])
                    if len(found) > query.limit else None)

    def get(self, project_id, event_id: str) -> bytes:
        with self._reading() as connection:
            found = connection.execute(
                "SELECT value FROM events WHERE event_id = ? "
                "AND (? OR project = ?) LIMIT 1",
                (sqlite_rows.identity(event_id), project_id is ALL,
                 _project(connection, project_id))).fetchone()
        if found is None:
            raise NotFound(f"there is no event {event_id[:64]!r}")
        return found[0]

    def aggregate(self, project_id, query: Query, by: str | None,
                  interval: int | None) -> Aggregation:
        with self._reading() as connection:
            plan = self._plan(connection, project_id, query)
            return sqlite_count.count(
                connection, self._parts(connection, plan, True), by, interval,
                spilled=_spill(connection) > 0)

    def traits(self, project_id, event_type: str | None) -> Sequence[Trait]:
        with self._reading() as connection:
            found = connection.execute(
                "SELECT DISTINCT trait FROM trait_types "
                "WHERE (? OR project = ?) AND (? OR event_type = ?) "
                "ORDER BY trait",
                (project_id is ALL, _project(connection, project_id),
                 event_type is None, event_type)).fetchall()
        return tuple(Trait(*text.rsplit(":", 1)) for text, in found)

    def purge(self, project_id, before: str) -> int:
        limit = periods.microseconds(before)
        purged = 0
        while True:
            with self._writing() as connection:
                removed = self._writer.remove(
                    _project(connection, project_id), project_id is ALL,
                    limit, _spill(connection), _PURGED_AT_ONCE)
            purged += removed
            if removed < _PURGED_AT_ONCE:
                break
        with self._writing() as connection:
            self._writer.tidy(
                sqlite_schema.Periods(connection, self.conf.period),
                _project(connection, project_id), project_id is ALL,
                limit * SLOTS)
        return purged

    def health(self) -> Health:
        if self._trouble:
            return Health(False, self._trouble)
        try:
            with self._reading() as connection:
                connection.execute("SELECT 1 FROM projects").fetchone()
        except EventsError as error:
            return Health(False, str(error))
        return Health(True)

    def close(self) -> None:
        with self._turn:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(queue.Empty):
                while True:
                    self._readers.get_nowait().close()
            # The last connection takes the write-ahead log into the file.
            self._writer.connection.close()

    def _connect(self) -> sqlite3.Connection:
        try:
            return sqlite_schema.connect(self.conf.path,
                                         self.conf.busy_timeout)
        except sqlite3.Error as error:
            raise sqlite_schema.unavailable(error) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that writes: all of it is durable, or nothing."""
        with self._turn:
            self._check_open()
            connection = self._writer.connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._writer.begin()
                yield connection
                connection.execute("COMMIT")
                self._writer.committed()
                self._trouble = ""
            except sqlite3.Error as error:
                failure = sqlite_schema.unavailable(error)
                self._trouble = str(failure)
                raise failure from error
            finally:
                if connection.in_transaction:
                    # A full disk may have rolled back by itself already.
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the file, for a limited time."""
        self._check_open()
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect()
        deadline = time.monotonic() + self.conf.query_timeout
        try:
            connection.set_progress_handler(
                lambda: time.monotonic() > deadline, _STEPS)
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) \
                    == sqlite3.SQLITE_INTERRUPT:
                raise Rejected(
                    f"the query took more than {self.conf.query_timeout} s; "
                    "narrow it by time or by another term",
                    code="query_too_costly") from None
            raise sqlite_schema.unavailable(error) from error
        finally:
            connection.set_progress_handler(None, 0)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if self._closed:
                connection.close()
            else:
                self._readers.put(connection)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the SQLite store is closed")

    def _plan(self, connection: sqlite3.Connection, project_id,
              query: Query) -> sqlite_query.Plan:
        """Return the plan; the one place where the project's filter is set."""
        project = _project(connection, project_id)
        plan = sqlite_query.plan(query, project, _spill(connection))
        if query.quick:
            newest, = connection.execute(
                "SELECT max(id) FROM events" if project is None else
                "SELECT max(id) FROM events WHERE project = ?",
                () if project is None else (project,)).fetchone()
            around = None if newest is None else sqlite_schema.Periods(
                connection, self.conf.period).around(newest)
            plan = plan.narrow(first=around[0] if around else plan.past)
        return plan

    def _parts(self, connection: sqlite3.Connection, plan: sqlite_query.Plan,
               descending: bool) -> Iterator[tuple]:
        """Yield the plan cut at the search tables, with their numbers."""
        if plan.match is None:
            yield plan, None
            return
        known = list(sqlite_schema.Periods(connection, self.conf.period))
        for first, past, number in reversed(known) if descending else known:
            part = plan.narrow(first, past)
            if part.first < part.past:
                yield part, number


def _project(connection: sqlite3.Connection, project_id) -> int | None:
    """Return the project's number, -1 for an unknown one, None for ALL."""
    if project_id is ALL:
        return None
    found = connection.execute(
        "SELECT project FROM projects WHERE project_id = ?",
        (project_id,)).fetchone()
    return found[0] if found else -1


def _spill(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT microseconds FROM spill").fetchone()[0]
