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

"""A webhook's receiver: a real HTTP server that remembers what came."""

from collections.abc import Iterator
import contextlib
import http.server
import threading


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A sender that is killed is what these tests are about."""


class Receiver:
    """Answers 200 and keeps bodies by ``webhook-id``.

    :ivar got: webhook-id → list of (headers, body) in order of coming
    :ivar refused: webhook-ids of what was answered otherwise, likewise
    """

    def __init__(self) -> None:
        self.got: dict[str, list[tuple[dict, bytes]]] = {}
        self.refused: list[str] = []
        self._status = 200
        self._pause = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # the sender was killed in mid-request
                self.send_response(receiver._take(dict(self.headers), body))
                self.send_header("Content-Length", "0")
                if receiver._pause:
                    self.send_header("Retry-After", str(receiver._pause))
                self.end_headers()

            def log_message(self, *_):
                """Tests print nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever,
                         daemon=True).start()

    def _take(self, headers: dict, body: bytes) -> int:
        """Return the status of the answer."""
        name = headers.get("webhook-id", "")
        with self._lock:
            if self._status == 200:
                self.got.setdefault(name, []).append((headers, body))
            else:
                self.refused.append(name)
            return self._status

    @contextlib.contextmanager
    def refusing(self, status: int = 500, pause: int = 0) -> Iterator[None]:
        """Answer so meanwhile, and keep nothing of it.

        :param pause: seconds for which it asks to be left alone, with 429 or
            503
        """
        self._status, self._pause = status, pause
        try:
            yield
        finally:
            self._status, self._pause = 200, 0

    @property
    def conf(self) -> str:
        """Return the option group that lets webhooks come here."""
        return (f"[webhook]\nschemes = http\nports = {self.port}\n"
                "allowed_networks = 127.0.0.0/8\n")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
