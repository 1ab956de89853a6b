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

"""An HTTP API on loopback that a test plays, and accounts that lead there."""

from collections.abc import Callable, Mapping
import http.server
import json
import threading
from typing import NamedTuple
import urllib.parse

from oslo_config import cfg

from monasca_events_common import credentials
from monasca_events_common import plugins
from monasca_events_engine import account
from monasca_events_engine.account import Accounts


class Request(NamedTuple):
    """What came in.

    :ivar query: name → value
    :ivar body: decoded JSON, None without one
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: object
    headers: Mapping[str, str]


class Api:
    """Answers as the test says, and remembers what came.

    :ivar answer: of a request, returns (status, value for JSON or None)
    """

    def __init__(self, answer: Callable[[Request], tuple[int, object]]
                 ) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                api._handle(self)
            do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,),
                         daemon=True).start()

    def _handle(self, raw) -> None:
        length = int(raw.headers.get("Content-Length") or 0)
        body = raw.rfile.read(length)
        url = urllib.parse.urlsplit(raw.path)
        request = Request(raw.command, url.path,
                          dict(urllib.parse.parse_qsl(url.query)),
                          json.loads(body) if body else None,
                          dict(raw.headers))
        self.requests.append(request)
        status, value = self.answer(request)
        content = b"" if value is None else json.dumps(value).encode()
        raw.send_response(status)
        raw.send_header("Content-Type", "application/json")
        raw.send_header("Content-Length", str(len(content)))
        raw.end_headers()
        raw.wfile.write(content)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def make(cls, *more, **values):
    """Return a plug-in that speaks with services, on its own options.

    Its credentials are a fixed token, so that no identity service is asked.

    :param more: what its constructor takes beside the options and accounts
    :param values: of its options
    """
    conf = cfg.ConfigOpts()
    conf([], project="test", default_config_files=[], default_config_dirs=[])
    group = plugins.options(conf, cls)
    for name, value in values.items():
        conf.set_override(name, value, group=cls.GROUP)
    accounts = Accounts(conf)
    if "endpoint" in values:
        credentials.register(conf, account.GROUP)
        conf.register_opts(credentials.options(), group=account.GROUP)
        for name, value in (("auth_type", "admin_token"), ("token", "t0k3n"),
                            ("endpoint", values["endpoint"])):
            conf.set_override(name, value, group=account.GROUP)
    return cls(group, accounts, *more)
