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

"""Notifications from files: one JSON object a line, replayed and followed.

What the notify driver ``monasca_events_file`` writes, what was captured from
a wire, what another host ships. How far a file was read is kept in the spool
in the same transaction as the events, so that a restart neither loses nor
repeats a line. A line that is no notification goes to the dead letters.
"""

from collections.abc import Sequence
import logging
import os
import threading

from oslo_config import cfg

from monasca_events_agent.sources import Bookmark
from monasca_events_agent.sources import Intake
from monasca_events_agent.sources import Notice
from monasca_events_agent.sources import Source
from monasca_events_agent.sources.place import find_rotated
from monasca_events_agent.sources.place import Place
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)


class FileSource(Source):
    """Reads files line by line; for one thread."""

    GROUP = "file"

    OPTS = [
        cfg.ListOpt("paths", default=[],
                    help="Files of notifications, one JSON object a line. A "
                         "file that is not there yet is waited for."),
        cfg.BoolOpt("follow", default=True,
                    help="Whether to wait for further lines, as tail -F "
                         "does: rotation by renaming and by truncating is "
                         "noticed. Otherwise the source ends with the last "
                         "file's last line."),
        cfg.FloatOpt("poll_interval", default=0.2, min=0.01, mutable=True,
                     help="Seconds between two looks for further lines."),
        cfg.IntOpt("batch_size", default=500, min=1, mutable=True,
                   help="Lines in one batch at most."),
        cfg.IntOpt("max_line_bytes", default=1024 ** 2, min=1024,
                   mutable=True,
                   help="Bytes of one line at most. Of a longer one the "
                        "beginning goes to the dead letters."),
    ]

    def __init__(self, conf) -> None:
        """:param conf: an option group with OPTS"""
        self.conf = conf
        if not conf.paths:
            raise Misconfigured("[file] paths names no file")

    def run(self, deliver: Intake, stop: threading.Event) -> None:
        readers = [Reader(os.path.abspath(path), self.conf, deliver)
                   for path in self.conf.paths]
        try:
            while not stop.is_set():
                # A list, not a generator: every file gets its turn.
                moved = any([reader.step() for reader in readers])
                if not moved:
                    if not self.conf.follow:
                        return
                    stop.wait(self.conf.poll_interval)
        except Unavailable as error:
            # Told to stop while the spool was full: the bookmark is where
            # it was, and the next process goes on from there.
            LOG.info("the file source stops: %s", error)
        finally:
            for reader in readers:
                reader.close()


class Reader:
    """One file, over its rotations."""

    def __init__(self, path: str, conf, deliver: Intake) -> None:
        self.conf = conf
        self._path = path
        self._name = f"file:{path}"
        self._deliver = deliver
        self._file = None
        self._place = Place.parse(deliver.bookmark(self._name))
        self._failed = False
        self._leaving = False
        self._begun = 0

    def step(self) -> bool:
        """Deliver one batch; return whether there was anything."""
        if self._file is None and not self._open():
            return False
        if not self._place.is_in(self._file):
            LOG.info("%s was truncated; it is read from its beginning",
                     self._path)
            self._place = Place.start(self._file)
        lines = self._read(final=not self.conf.follow)
        if not lines:
            return self._turn()
        self._leaving = False
        self._hand_over(lines)
        return True

    def _hand_over(self, lines: Sequence[bytes]) -> None:
        start = self._begun
        self._place.look(self._file)
        label = os.path.basename(self._path)
        notices = []
        for line in lines:
            if line.strip():
                notices.append(Notice(line.rstrip(b"\r\n"),
                                      f"file/{label}/{start}"))
            start += len(line)
        self._deliver(notices, Bookmark(self._name, str(self._place)))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        """Open the file where reading stopped, an older one first."""
        try:
            path = find_rotated(self._path, self._place) or self._path
            self._file = open(path, "rb")
        except OSError as error:
            if not self._failed and not isinstance(error, FileNotFoundError):
                LOG.warning("%s cannot be read: %s", self._path,
                            error.strerror)
            self._failed = True
            return False
        self._failed = False
        if not self._place.is_in(self._file):
            if self._place.offset:
                LOG.info("%s is another file than before; it is read from "
                         "its beginning", self._path)
            self._place = Place.start(self._file)
        return True

    def _read(self, final: bool) -> Sequence[bytes]:
        """Return the next whole lines; move the place behind them.

        :param final: whether a last line may lack its end
        """
        lines: list[bytes] = []
        self._begun = self._place.offset
        self._file.seek(self._begun)
        while len(lines) < self.conf.batch_size:
            line = self._file.readline(self.conf.max_line_bytes)
            if not line:
                break
            if not line.endswith(b"\n"):
                if len(line) >= self.conf.max_line_bytes:
                    skipped = self._skip()
                    if skipped is None and not final:
                        break
                    lines.append(line)
                    self._place.offset += len(line) + (skipped or 0)
                    # Its length differs from what was read: a batch of its
                    # own keeps the positions of the others right.
                    break
                if not final:
                    break
            lines.append(line)
            self._place.offset += len(line)
        return lines

    def _skip(self) -> int | None:
        """Return the bytes to the end of a line; None when it has none yet."""
        skipped = 0
        while True:
            part = self._file.readline(self.conf.max_line_bytes)
            skipped += len(part)
            if part.endswith(b"\n"):
                return skipped
            if not part:
                return None

    def _turn(self) -> bool:
        """At the end: look whether the path means another file by now."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False
        here = os.fstat(self._file.fileno())
        if (found.st_dev, found.st_ino) == (here.st_dev, here.st_ino):
            return False
        if self.conf.follow and not self._leaving:
            # Its writer may not have noticed yet: look once more.
            self._leaving = True
            return False
        self._leaving = False
        rest = self._read(final=True)
        if rest:
            self._hand_over(rest)
        self.close()
        self._place = Place.nowhere()
        return True
