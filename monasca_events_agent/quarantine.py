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

"""What is done with a corrupt spool: put aside, never deleted, read as far as
it goes. Called by the spool's file only."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import sqlite3
import time

#: (time, checksum, body) of one event.
Saved = tuple[float, int, bytes]

_CHUNK = 500
_COLUMNS = "SELECT id, spooled_at, crc, body FROM events "
_FORWARDS = _COLUMNS + "ORDER BY id"
_BACKWARDS = "SELECT id FROM events WHERE id > ? ORDER BY id DESC"
_ONE = _COLUMNS + "WHERE id = ?"


def put_aside(path: pathlib.Path, now: float) -> pathlib.Path:
    """Rename the file and its journal; return the new path."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    count = 0
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{count}")
    os.rename(path, aside)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


def readable(path: pathlib.Path) -> Iterator[list[Saved]]:
    """Yield what SQLite can still read, oldest first, in chunks.

    Forwards to the break, then, one by one, what can be seen behind it.
    """
    with contextlib.closing(_open(path)) as connection:
        last = 0
        chunk: list[Saved] = []
        for row in _until_broken(connection, _FORWARDS):
            last = row[0]
            _keep(chunk, row)
            if len(chunk) >= _CHUNK:
                yield chunk
                chunk = []
        behind = sorted(row[0] for row in _until_broken(
            connection, _BACKWARDS, (last,)))
        for row_id in behind:
            for row in _until_broken(connection, _ONE, (row_id,)):
                _keep(chunk, row)
            if len(chunk) >= _CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


def bookmarks(path: pathlib.Path) -> list[tuple[str, str]]:
    """Return the bookmarks that can still be read."""
    with contextlib.closing(_open(path)) as connection:
        return [row for row in _until_broken(
            connection, "SELECT name, value FROM bookmarks")
            if all(type(value) is str for value in row)]


def _open(path: pathlib.Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def _until_broken(connection: sqlite3.Connection, query: str,
                  values: tuple = ()) -> Iterator:
    with contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        yield from connection.execute(query, values)


def _keep(chunk: list[Saved], row: tuple) -> None:
    _id, at, crc, body = row
    if type(body) is bytes and type(crc) is int:
        chunk.append((float(at) if type(at) in (int, float) else 0.0, crc,
                      body))
