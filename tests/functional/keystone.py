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

"""A Keystone of a few lines, with switches: as much as auth_token asks for.

It stands in for the network's other end; the real one is met in the
integration tests.
"""

import datetime
import http.server
import json
import threading

_ROLES = {"reader": ["reader"], "member": ["member", "reader"],
          "service": ["service"]}


class Keystone:
    """Answers on a port of its own until closed.

    :ivar mode: ``ok``, ``500`` or ``hang``
    :ivar asked: how many tokens were validated
    """

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        self.mode = "ok"
        self.asked = 0
        self.release = threading.Event()
        keystone = self

        class Handler(_Handler):
            owner = keystone

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever,
                                        args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def token(self, subject: str) -> dict | None:
        """Return what a token is; its name is its role, or a scope."""
        role = subject.partition("-")[0]
        until = datetime.datetime.now(
            datetime.timezone.utc) + datetime.timedelta(hours=1)
        found = {"methods": ["password"], "audit_ids": ["a"],
                 "issued_at": "2026-01-01T00:00:00.000000Z",
                 "expires_at": until.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                 "user": {"id": "u1", "name": "user",
                          "domain": {"id": "default", "name": "Default"}},
                 "roles": [{"id": name, "name": name}
                           for name in _ROLES.get(role, ["reader"])],
                 "catalog": []}
        if role == "system":
            return {**found, "system": {"all": True}}
        if role == "domain":
            return {**found, "domain": {"id": "default", "name": "Default"}}
        if role == "unscoped":
            return found
        if role in _ROLES:
            return {**found, "project": {
                "id": self.project_id, "name": "p",
                "domain": {"id": "default", "name": "Default"}}}
        return None


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: Keystone

    def log_message(self, *args):
        """Say nothing."""

    def _give(self, status, body=None, **headers):
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.owner.mode == "hang":
            self.owner.release.wait(60)
            return
        if self.owner.mode == "500":
            self._give(500, {})
            return
        if not self.path.startswith("/v3/auth/tokens"):
            version = {"id": "v3.14", "status": "stable", "links": [
                {"rel": "self", "href": self.owner.url + "/v3/"}]}
            self._give(*((200, {"version": version})
                         if self.path.startswith("/v3") else
                         (300, {"versions": {"values": [version]}})))
            return
        self.owner.asked += 1
        token = self.owner.token(self.headers["X-Subject-Token"])
        if token is None:
            self._give(404, {"error": {"code": 404, "message": "no"}})
        else:
            self._give(200, {"token": token})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.owner.mode == "500":
            self._give(500, {})
            return
        catalog = [{"type": "identity", "id": "i", "name": "keystone",
                    "endpoints": [{"interface": interface, "region": "r",
                                   "region_id": "r", "id": interface,
                                   "url": self.owner.url + "/v3"}
                                  for interface in (
                                      "internal", "admin", "public")]}]
        token = {**self.owner.token("service"), "catalog": catalog}
        self._give(201, {"token": token}, X_Subject_Token="service-own")
