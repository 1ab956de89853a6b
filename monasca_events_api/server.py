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

"""One worker's HTTP server: Waitress, told to stop gracefully.

Waitress buffers requests and answers in front of the application, so that a
slow client never holds a thread.
"""

from collections.abc import Callable
import logging
import socket
import threading
import time

from oslo_config import cfg
import waitress
from waitress import channel
from waitress import task
from waitress import wasyncore

from monasca_events_api import context
from monasca_events_api import faults
from monasca_events_api.identity import Application
from monasca_events_api.middleware import request_id

#: Seconds that running requests have after a stop.
DRAIN = 20.0

#: A body larger than this is cut off by Waitress before the application sees
#: it, whatever the application's own, lower limit: a client is told 413
#: properly only if its whole body was read.
_FIRM_LIMIT = 16 * 1024 * 1024

_HEADERS_LIMIT = 64 * 1024

#: Bytes of a body in memory; what is beyond goes to a temporary file.
_IN_MEMORY = 1024 * 1024 + 1

#: Where streams are. Their answers go on for minutes, and each turn of the
#: loop asks each of its connections what it is waiting for; many of them
#: would slow every other request down. So they have turns of their own, this
#: many seconds apart, for what their threads could not write at once.
_STREAM = "/events/stream"
_ASIDE = 0.1

#: Bytes taken from a connection at once: a batch in two turns of the loop
#: instead of fifteen.
_RECEIVED = 64 * 1024


class _ErrorTask(task.ErrorTask):
    """Answers what cannot be parsed, in our form and with a request id."""

    def execute(self) -> None:
        status, headers, _ = self.request.error.to_response("")
        answer = faults.of_foreign(int(status[:3]), headers)

        def refuse(environ, start_response):
            body = answer.body(environ[context.REQUEST_ID])
            start_response(faults.status_line(answer.status), [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body)))])
            return [body]

        def start(status, headers, exc_info=None):
            self.status = status
            self.response_headers.extend(headers)

        body, = request_id.RequestId(refuse)(
            {"REQUEST_METHOD": "?", "PATH_INFO": "?"}, start)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(channel.HTTPChannel):
    error_task_class = _ErrorTask

    def service(self) -> None:
        """Answer a request, from a thread; a stream aside of the others."""
        request = self.requests[0]
        # What cannot be parsed has no path.
        if request.error or not request.path.rstrip("/").endswith(_STREAM):
            super().service()
            return
        others = self._map
        self._move(self.server.aside)
        try:
            super().service()
        finally:
            self._move(others)
            # Its next request may have come while nobody looked.
            self.server.pull_trigger()

    def _move(self, sockets: dict) -> None:
        """Have another turn of the loop look after the connection."""
        before, self._map = self._map, sockets
        if before.pop(self._fileno, None) is not None:
            sockets[self._fileno] = self


def run(application: Application, sock: socket.socket, conf: cfg.ConfigOpts,
        stop: threading.Event, stopping: Callable[[], None] = lambda: None,
        clock=time.monotonic) -> None:
    """Serve until ``stop`` is set, then finish the requests in hand.

    :param sock: listening; other processes may accept from it as well
    :param stopping: called then, to end those that would not end
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # The parent's descriptor stays open when Waitress closes this one.
    own = sock.dup()
    own.setblocking(False)
    sockets: dict = {}
    server = waitress.create_server(
        application, map=sockets, sockets=[own],
        # A stream holds its thread: it must be none of those that serve.
        threads=conf.api.threads + conf.live.max_streams,
        backlog=conf.api.backlog, ident=None, expose_tracebacks=False,
        connection_limit=conf.api.max_connections,
        channel_timeout=conf.api.idle_timeout,
        max_request_body_size=max(_FIRM_LIMIT,
                                  4 * conf.limits.max_body_bytes),
        max_request_header_size=_HEADERS_LIMIT, inbuf_overflow=_IN_MEMORY,
        recv_bytes=_RECEIVED, asyncore_use_poll=True)
    server.channel_class = _Channel
    server.aside = {}
    looked = clock()
    try:
        while not stop.is_set():
            wasyncore.loop(timeout=_ASIDE if server.aside else 0.5,
                           use_poll=True, map=sockets, count=1)
            if server.aside and clock() - looked >= _ASIDE:
                wasyncore.loop(timeout=0, use_poll=True, map=server.aside,
                               count=1)
                looked = clock()
        stopping()
        _drain(server, sockets, clock)
    finally:
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)
        wasyncore.close_all(server.aside)


def _drain(server, sockets: dict, clock) -> None:
    """Accept no more; answer what came."""
    server.accepting = False
    server.socket.close()
    sockets.pop(server._fileno, None)
    deadline = clock() + DRAIN
    while clock() < deadline:
        busy = [one for one in list(server.active_channels.values())
                if one.requests or one.request or one.total_outbufs_len]
        if not busy:
            return
        wasyncore.loop(timeout=0.1, use_poll=True, map=sockets, count=1)
