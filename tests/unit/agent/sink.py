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

"""What the agent's tests have in common: an API that a test steers, and
option groups."""

from collections.abc import Callable
import gzip
import http.server
import json
import ssl
import threading

from oslo_config import cfg

#: status, headers, body of an answer
Reply = tuple[int, dict, bytes]


def options(group: str, opts, **values):
    """Return an option group with some values set."""
    conf = cfg.ConfigOpts()
    conf.register_opts(opts, group=group)
    conf([], project="test", default_config_files=[], default_config_dirs=[])
    for name, value in values.items():
        conf.set_override(name, value, group=group)
    return conf[group]


def accept(events: list) -> Reply:
    """Answer as an API that takes everything."""
    return reply(202, {"accepted": len(events), "rejected": [],
                       "event_ids": []})


def reply(status: int, body, **headers: str) -> Reply:
    return status, headers, json.dumps(body).encode()


class Sink:
    """An HTTP server on loopback that remembers what was posted.

    :ivar answer: what it answers, given the events
    :ivar requests: (path, headers, events) of each request, in order
    :ivar accepted: event ids of all events in answers of 202, in order
    """

    def __init__(self, answer: Callable[[list], Reply] = accept,
                 tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.requests: list[tuple[str, dict, list]] = []
        self.accepted: list[str] = []
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                sink._handle(self)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """A client that was killed is what tests are about."""
        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, request) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        packed = request.headers.get("Content-Encoding") == "gzip"
        try:
            events = json.loads(gzip.decompress(body) if packed else body)[
                "events"]
            status, headers, content = self.answer(events)
        except ValueError:
            events = []
            status, headers, content = reply(400, {"message": "not JSON"})
        self.requests.append((request.path, dict(request.headers), events))
        if status == 202:
            rejected = {one["index"]
                        for one in json.loads(content)["rejected"]}
            self.accepted.extend(
                event["event_id"] for number, event in enumerate(events)
                if number not in rejected)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
