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

"""A receiver of webhooks on loopback, which a test steers."""

from collections.abc import Callable
import http.server
import ssl
import threading
import time

Answer = tuple[int, dict, bytes]


def ok(_request) -> Answer:
    return 200, {}, b"thanks"


class Receiver:
    """An HTTP server that remembers what it got.

    :ivar requests: (path, headers, body) of each request, in order
    :ivar connections: how many there were, also those without a request
    :ivar answer: what it answers; may write to the handler itself and return
        None
    """

    def __init__(self, answer: Callable[..., Answer | None] = ok,
                 tls: ssl.SSLContext | None = None,
                 address: str = "127.0.0.1", port: int = 0) -> None:
        self.answer = answer
        self.requests: list[tuple[str, dict, bytes]] = []
        self.times: list[float] = []
        self.connections = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                receiver.connections += 1
                if tls is not None:
                    # In the connection's own thread: a client that says
                    # nothing must not hold up the others.
                    self.request = tls.wrap_socket(self.request,
                                                   server_side=True)
                super().setup()

            def finish(self):
                super().finish()
                if tls is not None:
                    self.request.close()

            def do_POST(self):
                receiver._handle(self)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                """Clients that go away are what tests are about."""
        self._server = Server((address, port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,),
                         daemon=True).start()

    @property
    def ids(self) -> list[str]:
        """The header webhook-id of each request, in order."""
        return [headers["webhook-id"] for _, headers, _ in self.requests]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, request) -> None:
        length = int(request.headers["Content-Length"])
        body = request.rfile.read(length)
        if len(body) < length:
            # Its sender was killed in the middle of it.
            request.close_connection = True
            return
        self.requests.append((request.path, dict(request.headers), body))
        self.times.append(time.monotonic())
        answer = self.answer(request)
        if answer is None:
            return
        status, headers, content = answer
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
