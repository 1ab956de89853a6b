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

"""The log in one SQLite file: its tables and what is done to them.

Called by the SQLite bus and its subscriptions with a connection; whatever
writes is called inside a transaction that the writer opened. Nothing here
opens transactions, waits, or knows of threads.

A record's row id is its whole address, topic, partition and offset packed
into 63 bits, so that a partition is a range of one B-tree and reading it
needs no index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import sqlite3
import struct

import orjson

from monasca_events_common.bus import Record
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import Misconfigured
from monasca_events_common.sqlite_file import make_private
from monasca_events_common.sqlite_file import use_wal

#: Form of the file; a greater one was written by a newer release.
VERSION = 1

_OFFSET_BITS = 40
_PARTITION_BITS = 12
MAX_PARTITIONS = 1 << _PARTITION_BITS
_OFFSETS = (1 << _OFFSET_BITS) - 1

_TABLES = """
CREATE TABLE topics (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE partitions (
    topic INTEGER NOT NULL, partition INTEGER NOT NULL,
    oldest INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE records (
    id INTEGER PRIMARY KEY, at REAL NOT NULL,
    key BLOB NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL);
CREATE TABLE groups (
    id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, name TEXT NOT NULL,
    changes INTEGER NOT NULL, UNIQUE (topic, name));
CREATE TABLE members (
    grp INTEGER NOT NULL, member TEXT NOT NULL,
    renewed REAL NOT NULL, lease REAL NOT NULL,
    PRIMARY KEY (grp, member)) WITHOUT ROWID;
CREATE TABLE positions (
    grp INTEGER NOT NULL, partition INTEGER NOT NULL,
    next INTEGER NOT NULL, owner TEXT,
    PRIMARY KEY (grp, partition)) WITHOUT ROWID;
"""

_LENGTH = struct.Struct("<I")


def connect(path: str, timeout: float) -> sqlite3.Connection:
    """Return a connection to the log, made where there is none.

    :param timeout: seconds to wait for another process's lock
    :raises sqlite3.Error: it cannot be opened now
    :raises Misconfigured: it is of a newer release
    """
    try:
        make_private(path)
    except OSError as error:
        raise BusUnavailable(
            f"the log {path} cannot be opened: {error.strerror}") from error
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None,
                         check_same_thread=False)
    try:
        use_wal(db, timeout)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        db.execute(f"PRAGMA journal_size_limit = {64 << 20}")
        _make_tables(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _make_tables(db: sqlite3.Connection, path: str) -> None:
    version, = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        db.execute("BEGIN IMMEDIATE")
        try:
            version, = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")
                version = VERSION
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    if version > VERSION:
        raise Misconfigured(
            f"the log {path} has version {version}; this release reads "
            f"version {VERSION}: it was written by a newer release")


def encode_headers(headers: Mapping[str, bytes]) -> bytes:
    """Return headers as bytes: length, JSON of names and sizes, values."""
    names: list = []
    for name, value in headers.items():
        names.append(name)
        names.append(len(value))
    head = orjson.dumps(names)
    return b"".join((_LENGTH.pack(len(head)), head, *headers.values()))


def decode_headers(data: bytes) -> dict[str, bytes]:
    """Undo :func:`encode_headers`."""
    start = 4 + _LENGTH.unpack_from(data)[0]
    names = iter(orjson.loads(data[4:start]))
    headers = {}
    for name in names:
        end = start + next(names)
        headers[name] = data[start:end]
        start = end
    return headers


class Headers(Mapping):
    """Encoded headers of which only those are decoded that are asked for.

    Who watches a log looks at few of them, and one is half a record long.
    """

    __slots__ = ("_data", "_spans")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._spans: dict[str, tuple[int, int]] | None = None

    def _find(self) -> dict[str, tuple[int, int]]:
        if self._spans is None:
            start = 4 + _LENGTH.unpack_from(self._data)[0]
            names = iter(orjson.loads(self._data[4:start]))
            self._spans = {}
            for name in names:
                end = start + next(names)
                self._spans[name] = start, end
                start = end
        return self._spans

    def __getitem__(self, name: str) -> bytes:
        start, end = self._find()[name]
        return self._data[start:end]

    def __iter__(self) -> Iterator[str]:
        return iter(self._find())

    def __len__(self) -> int:
        return len(self._find())


def size(record: Record) -> int:
    """Return about how many bytes a record takes in the file."""
    return (len(record.key) + len(record.value) + 64 + sum(
        len(name) + len(value) + 8
        for name, value in record.headers.items()))


def first_id(topic: int, partition: int) -> int:
    """Return the row id of a partition's offset 0; add an offset to it."""
    return (topic << _PARTITION_BITS | partition) << _OFFSET_BITS


def offset(row_id: int) -> int:
    """Return the offset within a row id."""
    return row_id & _OFFSETS


def make_topic(db: sqlite3.Connection, name: str, partitions: int) -> int:
    """Return the topic's number; make it with that many partitions if new."""
    row = db.execute("SELECT id FROM topics WHERE name = ?",
                     (name,)).fetchone()
    if row:
        return row[0]
    topic = db.execute("INSERT INTO topics (name) VALUES (?)",
                       (name,)).lastrowid
    db.executemany("INSERT INTO partitions VALUES (?, ?, 0, 0)",
                   [(topic, partition) for partition in range(partitions)])
    return topic


def ends(db: sqlite3.Connection,
         topic: int) -> dict[int, tuple[int, int]]:
    """Return partition → (oldest offset kept, next offset to be written)."""
    return {partition: (oldest, following)
            for partition, oldest, following in db.execute(
                "SELECT partition, oldest, next FROM partitions"
                " WHERE topic = ?", (topic,))}


def append(db: sqlite3.Connection, topic: int, now: float,
           rows: Iterable[tuple[int, bytes, bytes, bytes]]
           ) -> list[tuple[int, int]]:
    """Write rows (hash of the key, key, headers, value) at the log's end;
    return the partition and the offset of each."""
    following = {partition: end for partition, (_, end)
                 in ends(db, topic).items()}
    count = len(following)
    changed = set()
    addressed, places = [], []
    for hashed, key, headers, value in rows:
        partition = hashed % count
        place = following[partition]
        following[partition] = place + 1
        changed.add(partition)
        places.append((partition, place))
        addressed.append((first_id(topic, partition) + place, now, key,
                          headers, value))
    db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", addressed)
    db.executemany(
        "UPDATE partitions SET next = ? WHERE topic = ? AND partition = ?",
        [(following[partition], topic, partition) for partition in changed])
    return places


def used_bytes(db: sqlite3.Connection) -> int:
    """Return the size of the pages in use; freed ones are not counted."""
    pages, = db.execute("PRAGMA page_count").fetchone()
    free, = db.execute("PRAGMA freelist_count").fetchone()
    page_size, = db.execute("PRAGMA page_size").fetchone()
    return (pages - free) * page_size


def trim(db: sqlite3.Connection, before: float, limit: int) -> int:
    """Delete what every group has consumed; return how many records.

    A topic that no group knows yet keeps everything.

    :param before: only records written before this time
    :param limit: records of one partition at most, to bound the time
    """
    deleted = 0
    consumed = db.execute(
        "SELECT p.topic, p.partition, p.oldest, MIN(o.next, p.next)"
        " FROM partitions p JOIN ("
        "   SELECT g.topic AS topic, c.partition AS partition,"
        "          MIN(c.next) AS next"
        "   FROM positions c JOIN groups g ON g.id = c.grp"
        "   GROUP BY g.topic, c.partition) o"
        " ON o.topic = p.topic AND o.partition = p.partition"
        " WHERE o.next > p.oldest").fetchall()
    for topic, partition, oldest, bound in consumed:
        start = first_id(topic, partition)
        bound = min(bound, oldest + limit)
        # Written in order of time, so the first younger one ends the search.
        young = db.execute(
            "SELECT id FROM records WHERE id >= ? AND id < ? AND at > ?"
            " ORDER BY id LIMIT 1",
            (start + oldest, start + bound, before)).fetchone()
        if young:
            bound = offset(young[0])
        if bound > oldest:
            db.execute("DELETE FROM records WHERE id >= ? AND id < ?",
                       (start + oldest, start + bound))
            db.execute("UPDATE partitions SET oldest = ?"
                       " WHERE topic = ? AND partition = ?",
                       (bound, topic, partition))
            deleted += bound - oldest
    return deleted


def slowest_group(db: sqlite3.Connection) -> tuple[str, int] | None:
    """Return the name of the group that is furthest behind, and how far."""
    return db.execute(
        "SELECT g.name, SUM(p.next - c.next) AS behind FROM positions c"
        " JOIN groups g ON g.id = c.grp JOIN partitions p"
        " ON p.topic = g.topic AND p.partition = c.partition"
        " GROUP BY g.id ORDER BY behind DESC LIMIT 1").fetchone()


def read(db: sqlite3.Connection, topic: int, partition: int, start: int,
         limit: int) -> Sequence[tuple[int, bytes, bytes, bytes]]:
    """Return a cursor over (row id, key, headers, value) from an offset on."""
    base = first_id(topic, partition)
    return db.execute(
        "SELECT id, key, headers, value FROM records"
        " WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?",
        (base + start, base + _OFFSETS, limit))
