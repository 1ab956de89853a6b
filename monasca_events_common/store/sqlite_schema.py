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

"""The SQLite store's file: tables, ids and the periods of its search index.

Opened by the SQLite store only. An event's row id is its timestamp in
microseconds times SLOTS plus a slot, so that rows lie in the order of time
and neither a listing nor a word search has to sort.

Words and exact values are found through FTS5 tables, one a period, without
contents of their own. SQLite before 3.43 can take a row out of such a table
only when told every word it was put in with; a whole table of a period is
dropped at once instead, when the last event of the period has gone. Until
then entries of purged events point nowhere, and searching skips them.
"""

import sqlite3

from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.sqlite_file import make_private
from monasca_events_common.sqlite_file import use_wal
from monasca_events_common.store import periods

#: Rows that can share one microsecond before they spill into the next.
SLOTS = 2048

_APPLICATION = 0x4D6F4576  # "MoEv", in the file's header for file(1)
_VERSION = 1

# The page caches. The writer's spares it reading what it has just written;
# a reader's is emptied by each transaction of another process, so that more
# than one query needs would only add up, over all threads of the API.
_WRITER_KIB = 32 * 1024
_READER_KIB = 8 * 1024

_TABLES = """
CREATE TABLE projects (
    project INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL UNIQUE);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    event_id NOT NULL,
    time INTEGER NOT NULL,
    event_type TEXT, publisher_id TEXT, priority TEXT, source TEXT,
    resource_type TEXT, resource_id TEXT, user_id TEXT, domain_id TEXT,
    request_id TEXT, global_request_id TEXT,
    traits TEXT, dimensions TEXT,
    value BLOB NOT NULL);
CREATE UNIQUE INDEX events_identity ON events (event_id, project);
CREATE INDEX events_in_time ON events (project, id, event_type);
CREATE TABLE periods (
    period INTEGER PRIMARY KEY AUTOINCREMENT,
    first INTEGER NOT NULL,
    past INTEGER NOT NULL);
CREATE TABLE trait_types (
    project INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    trait TEXT NOT NULL,
    period INTEGER NOT NULL,
    PRIMARY KEY (project, event_type, trait, period)) WITHOUT ROWID;
CREATE TABLE spill (microseconds INTEGER NOT NULL);
INSERT INTO spill VALUES (0);
"""

# Every character but space and control characters belongs to a term, so that
# a term stays whole. detail=none keeps rows only: no phrase is ever asked for.
_PUNCTUATION = "".join(chr(code) for code in range(33, 127)
                       if not chr(code).isalnum())
_TERMS = (
    "USING fts5(terms, content='', detail=none, columnsize=0, "
    "tokenize=\"ascii tokenchars '"
    + _PUNCTUATION.replace("'", "''").replace('"', '""') + "'\")")

# More segments before they are merged: a third off the cost of writing, for
# a fraction of a millisecond of searching. The hash holds a whole batch.
_TUNING = {"automerge": 8, "hashsize": 8 << 20}


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """Return what a failing statement means for the caller: wait."""
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return StoreUnavailable(f"the SQLite store cannot go on: {error} ({name})")


def _create_file(path: str) -> None:
    try:
        make_private(path)
    except OSError as error:
        raise Misconfigured(f"[sqlite_store] path {path!r} cannot be opened: "
                            f"{error.strerror}") from None


def connect(path: str, busy_timeout: float,
            cache_kib: int = _READER_KIB) -> sqlite3.Connection:
    """Return a connection that may be used from one thread at a time."""
    connection = sqlite3.connect(path, timeout=busy_timeout,
                                 isolation_level=None,
                                 check_same_thread=False,
                                 cached_statements=256)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA cache_size=-{cache_kib}")
    connection.execute("PRAGMA temp_store=MEMORY")
    # A page that several batches touch goes into the file once.
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    return connection


def open_file(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Return a connection to a file that is a store, making it one if new.

    :raises Misconfigured: it cannot be opened or is something else
    """
    _create_file(path)
    connection = None
    try:
        connection = connect(path, busy_timeout, _WRITER_KIB)
        _prepare(connection, path)
        return connection
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise unavailable(error) from error
        if isinstance(error, sqlite3.DatabaseError):
            raise Misconfigured(f"[sqlite_store] path {path!r} is not a "
                                f"sound SQLite database: {error}") from None
        raise


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    try:
        connection.execute("CREATE VIRTUAL TABLE temp.probe USING fts5(x)")
        connection.execute("DROP TABLE temp.probe")
    except sqlite3.OperationalError:
        raise Misconfigured("this Python's SQLite has no FTS5, which the "
                            "SQLite store needs") from None
    use_wal(connection)
    connection.execute("PRAGMA journal_size_limit=67108864")
    connection.execute("BEGIN IMMEDIATE")
    try:
        _create(connection, path)
        connection.execute("SELECT max(id) FROM events").fetchone()
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _create(connection: sqlite3.Connection, path: str) -> None:
    application, = connection.execute("PRAGMA application_id").fetchone()
    version, = connection.execute("PRAGMA user_version").fetchone()
    tables, = connection.execute("SELECT count(*) FROM sqlite_master") \
        .fetchone()
    if tables == 0:
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={_APPLICATION}")
        connection.execute(f"PRAGMA user_version={_VERSION}")
    elif application != _APPLICATION:
        raise Misconfigured(f"[sqlite_store] path {path!r} is another "
                            "program's SQLite database")
    elif version != _VERSION:
        raise Misconfigured(
            f"[sqlite_store] path {path!r} has version {version} of the "
            f"store's tables; this release knows version {_VERSION}")


class Periods:
    """The search tables of one transaction's view of the file."""

    def __init__(self, connection: sqlite3.Connection, kind: str) -> None:
        """:param kind: the period of tables that are still to be made"""
        self._connection = connection
        self._kind = kind
        self._known = connection.execute(
            "SELECT first, past, period FROM periods ORDER BY first") \
            .fetchall()

    def __iter__(self):
        """Yield (first id, id past the last, number), oldest first."""
        return iter(self._known)

    def around(self, row: int) -> tuple[int, int, int] | None:
        """Return the period that holds a row id, or None."""
        for known in reversed(self._known):
            if known[0] <= row < known[1]:
                return known
        return None

    def ensure(self, row: int) -> tuple[int, int, int]:
        """Return the period that holds a row id, making it if need be."""
        found = self.around(row)
        if found is None:
            found = self._make(*self._bounds(row))
            self._known = sorted([*self._known, found])
        return found

    def drop(self, number: int) -> None:
        """Remove a period with its search table and its traits."""
        self._connection.execute(f"DROP TABLE terms_{number:d}")
        self._connection.execute(
            "DELETE FROM trait_types WHERE period = ?", (number,))
        self._connection.execute(
            "DELETE FROM periods WHERE period = ?", (number,))

    def _bounds(self, row: int) -> tuple[int, int]:
        moment = periods.timestamp(row // SLOTS)
        first, past = (periods.microseconds(text) * SLOTS
                       for text in periods.bounds(moment, self._kind))
        # Periods of another kind, from before the option changed, stay as
        # they are; a new one takes the room between them.
        for known_first, known_past, _ in self._known:
            if known_past <= row:
                first = max(first, known_past)
            elif known_first > row:
                past = min(past, known_first)
        return first, past

    def _make(self, first: int, past: int) -> tuple[int, int, int]:
        number = self._connection.execute(
            "INSERT INTO periods (first, past) VALUES (?, ?)",
            (first, past)).lastrowid
        table = f"terms_{number:d}"
        self._connection.execute(f"CREATE VIRTUAL TABLE {table} {_TERMS}")
        for option, value in _TUNING.items():
            self._connection.execute(
                f"INSERT INTO {table} ({table}, rank) "  # noqa: S608
                "VALUES (?, ?)", (option, value))
        return first, past, number
