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


"""``monasca_events_file``: an oslo.messaging driver that writes to a file.

A service that names it in ``[oslo_messaging_notifications] driver`` appends
each of its notifications to one file, which the agent's file source follows;
the generator uses it too. One line is one JSON object, the same as the inner
message on RabbitMQ: ``message_id``, ``publisher_id``, ``event_type``,
``priority``, ``payload``, ``timestamp`` and the context's fields, each with
``_context_`` before its name.
"""

import fcntl
import os
import threading

from oslo_config import cfg
from oslo_messaging.notify import notifier
from oslo_serialization import jsonutils

from monasca_events_common.errors import Misconfigured

GROUP = "monasca_events_file"

OPTS = [
    cfg.StrOpt("path",
               help="The file to which the notification driver "
                    "monasca_events_file appends one line of JSON for each "
                    "notification. Every service that writes to it needs the "
                    "right to; a new file is readable by its owner and group "
                    "only. Without a path the driver does not load."),
]

_PREFIX = "_context_"


class FileDriver(notifier.Driver):
    """Appends notifications to a file. Safe with threads and processes."""

    def __init__(self, conf: cfg.ConfigOpts, topics, transport) -> None:
        super().__init__(conf, topics, transport)
        conf.register_opts(OPTS, group=GROUP)
        path = conf[GROUP].path
        if not path:
            raise Misconfigured(
                f"the notification driver monasca_events_file needs [{GROUP}] "
                "path, the file to append to")
        self._log = LineFile(path)

    def notify(self, ctxt, msg, priority, retry) -> None:
        """Return once the line is in the file, though perhaps not on disk."""
        line = dict(msg)
        fields = ctxt if isinstance(ctxt, dict) else ctxt.to_dict()
        for name, value in fields.items():
            line[_PREFIX + name] = value
        self._log.append(jsonutils.dumps(line).encode())


class LineFile:
    """A file of whole lines to which several processes append.

    A writer holds a lock for each line, takes back what a full disk let it
    write in part, ends a line that another left open when it was killed, and
    goes on in a new file when the old one was moved away.
    """

    def __init__(self, path: str) -> None:
        """:raises Misconfigured: the file cannot be opened"""
        self._path = path
        self._mutex = threading.Lock()
        self._fd = -1
        try:
            self._open()
        except OSError as error:
            raise Misconfigured(
                f"cannot append to {path}: {error.strerror}") from None

    def append(self, line: bytes) -> None:
        """Return once the line is in the file, whole; raise OSError."""
        # flock is the process's: threads need a lock of their own.
        with self._mutex:
            self._lock_current()
            try:
                self._write(line + b"\n")
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        with self._mutex:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o640)

    def _lock_current(self) -> None:
        """Lock the file that has our name now."""
        while True:
            if self._fd < 0:
                self._open()
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(self._fd),
                                    os.stat(self._path)):
                    return
            except FileNotFoundError:
                pass
            # Rotated: closing releases the lock as well.
            os.close(self._fd)
            self._fd = -1

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError:
            if written:
                os.ftruncate(self._fd, size)
            raise
