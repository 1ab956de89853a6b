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

"""The gate: keeps a file in its place while several processes use it.

SQLite lets processes share a file, but not rename it under each other. So
each use of the spool's file passes the gate, together with others, and
whoever puts the file aside waits until it is alone. Called by the spool's
file only.
"""

from collections.abc import Iterator
import contextlib
import fcntl
import os
import pathlib

from monasca_events_common.errors import Unavailable


class Gate:
    """A lock between processes, of the file's directory: it stays where it is
    when the file does not. A process that dies lets go of it. For one thread
    at a time.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Raises OSError."""
        self._directory = os.open(directory, os.O_RDONLY)
        self._inside = False

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside together with others. Raises Unavailable."""
        self._take(fcntl.LOCK_SH)
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            self._take(fcntl.LOCK_UN)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be inside with nobody else; may be asked for within ``shared``,
        and others may have been alone in between. Raises Unavailable."""
        self._take(fcntl.LOCK_EX)
        try:
            yield
        finally:
            self._take(fcntl.LOCK_SH if self._inside else fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the directory. May be called twice."""
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def _take(self, kind: int) -> None:
        try:
            fcntl.flock(self._directory, kind)
        except OSError as error:
            raise Unavailable(
                f"the spool's directory cannot be locked: {error.strerror}",
                code="spool_failing", retry_after=1.0) from error
