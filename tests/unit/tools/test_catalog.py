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

"""How a server gets into Keystone's catalog, against a stand-in for it.

A socket on loopback answers as the identity API does, so far as it is asked.
"""

import http.server
import json
import pathlib
import sys
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

from servers import Failed, catalog  # noqa: E402


class Identity(http.server.BaseHTTPRequestHandler):
    """Keeps services and endpoints in the server's `kept`."""

    def do_GET(self):
        kind = self.path.removeprefix("/v3/")
        self.answer(200, {kind: self.server.kept[kind]})

    def do_POST(self):
        if self.path == "/v3/auth/tokens":
            self.answer(201, {}, {"X-Subject-Token": "t0ken"})
            return
        (kind, content), = self.content().items()
        kept = self.server.kept[f"{kind}s"]
        kept.append({"id": f"{kind}-{len(kept)}", **content})
        self.answer(201, {kind: kept[-1]})

    def do_PATCH(self):
        kind, identity = self.path.removeprefix("/v3/").split("/")
        for one in self.server.kept[kind]:
            if one["id"] == identity:
                one.update(self.content()[kind.removesuffix("s")])
        self.answer(200, {})

    def content(self):
        return json.loads(self.rfile.read(
            int(self.headers["Content-Length"])))

    def answer(self, status, body, headers=None):
        if (self.path != "/v3/auth/tokens"
                and self.headers["X-Auth-Token"] != "t0ken"):
            status, body = 401, {}
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *arguments):
        pass


class CatalogTest(unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Identity)
        self.server.kept = {"services": [], "endpoints": []}
        serving = threading.Thread(target=self.server.serve_forever)
        serving.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(serving.join)
        self.addCleanup(self.server.shutdown)
        self.keystone = {
            "auth_url": f"http://127.0.0.1:{self.server.server_port}/v3",
            "username": "admin", "password": "secret",
            "project_name": "admin", "user_domain_name": "Default",
            "project_domain_name": "Default", "region_name": "RegionOne"}

    def register(self, url):
        catalog.register(self.keystone, "alarming", "aodh", url)
        return [endpoint["url"] for endpoint in self.server.kept["endpoints"]]

    def test_a_service_is_registered_once(self):
        self.register("http://127.0.0.1:20001")
        self.assertEqual(["http://127.0.0.1:20001"],
                         self.register("http://127.0.0.1:20001"))
        self.assertEqual(
            [{"id": "service-0", "type": "alarming", "name": "aodh"}],
            self.server.kept["services"])

    def test_a_service_that_moved_is_found_where_it_is_now(self):
        self.register("http://127.0.0.1:20001")
        self.assertEqual(["http://127.0.0.1:20002"],
                         self.register("http://127.0.0.1:20002"))

    def test_what_was_put_among_the_settings_is_found_again(self):
        self.assertEqual(self.keystone, catalog.credentials(
            catalog.options(self.keystone)))

    def test_no_keystone_is_told(self):
        self.keystone["auth_url"] = "http://127.0.0.1:1/v3"
        with self.assertRaisesRegex(Failed, "keystone: POST auth/tokens"):
            catalog.token(self.keystone)
