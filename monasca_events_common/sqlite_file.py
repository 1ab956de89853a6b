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

"""Making a SQLite file that only its owner can read, and that many can use.

SQLite's locks are POSIX locks, and closing any descriptor of a file drops all
locks that the process holds on it ("How To Corrupt An SQLite Database File",
section 2.2). An innocent open-and-close beside a live connection lets another
process believe itself alone; it then removes the write-ahead log under the
first one's feet, and the file is corrupt. So the file is touched only where
there is none yet, one thread at a time.
"""

import errno
import os
import pathlib
import sqlite3
import threading
import time

_LOCK = threading.Lock()


def make_private(path: str | os.PathLike) -> None:
    """Make the file and its directory, readable by their owner only.

    A file that exists is left alone. SQLite gives the files beside it the
    same mode.

    :raises OSError: it cannot be made
    """
    file = pathlib.Path(path).absolute()
    with _LOCK:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL,
                                 0o600)
        except FileExistsError:
            _check(file)
            return
        os.close(descriptor)


def use_wal(connection: sqlite3.Connection, timeout: float = 5.0) -> None:
    """Let the file's readers go on while one writes (write-ahead log).

    SQLite does not call its busy handler for this change, so that of several
    processes that make the file together all but one would fail; they wait
    here instead.

    :param timeout: seconds to wait for another process's lock
    :raises sqlite3.OperationalError: it was not to be had for so long
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorname != "SQLITE_BUSY"
                    or time.monotonic() > deadline):
                raise
            time.sleep(0.01)


def _check(file: pathlib.Path) -> None:
    """Raise what opening the file would raise, without opening it."""
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(file, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
