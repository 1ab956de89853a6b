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

"""What only a real server and a real socket can show; S3, S13, S15."""

import contextlib
import io
import json
import logging
import resource
import socket
import threading
import time
import unittest

import keystoneauth1.adapter
import keystoneauth1.session
from keystoneauth1 import token_endpoint
import prometheus_client

from monasca_events_api import command
from monasca_events_api import server
from monasca_events_common import database
from tests.functional import service


class Running:
    """Our own server around an application, in threads of this process."""

    def __init__(self, application, conf, stopping=lambda: None) -> None:
        self.sock = command.listen("127.0.0.1", 0, 16)
        self.port = self.sock.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=server.run, args=(
            application, self.sock, conf, self._stop, stopping))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self.sock.close()

    def client(self):
        return service.client(url=f"http://127.0.0.1:{self.port}")

    def raw(self, *parts: bytes) -> tuple[int, dict, bytes]:
        """Send bytes as they are; return status, headers, body."""
        with socket.create_connection(("127.0.0.1", self.port),
                                      timeout=30) as sock:
            # The server may answer and close before all is sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for part in parts:
                    sock.sendall(part)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while part := sock.recv(65536):
                    answer += part
        head, _, body = answer.removeprefix(
            b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), headers, body


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class ServerTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        service.set_environment()
        cls.service = service.Service()
        cls.addClassCleanup(cls.service.close)
        cls.running = Running(cls.service.application, cls.service.parts.conf)
        cls.addClassCleanup(cls.running.stop)

    def ask(self, *lines: str, body: bytes = b"", method="GET",
            path="/v1.0/events"):
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: events",
                            "Connection: close", *lines, "", ""])
        return self.running.raw(head.encode("latin-1") + body)

    def token(self, persona="MEMBER"):
        return f"X-Auth-Token: {service.ACCOUNTS[persona].token}"

    def test_identity_cannot_be_claimed_by_headers(self):
        """S3"""
        claims = [("X-Identity-Status: Confirmed", "X-Roles: admin",
                   f"X-Project-Id: {service.PROJECT}", "X-User-Id: u"),
                  ("X_Identity_Status: Confirmed", "X_Roles: admin",
                   f"X_Project_Id: {service.PROJECT}"),
                  ("X-Service-Identity-Status: Confirmed",
                   "X-Service-Roles: service"),
                  ("X-Is-Admin-Project: true", "X-Role: admin"),
                  ("OpenStack-System-Scope: all",)]
        for claim in claims:
            with self.subTest(claim=claim):
                status, headers, body = self.ask(*claim)
                self.assertEqual(401, status)
                self.assertIn("x-openstack-request-id", headers)
                self.assertEqual("unauthorized",
                                 json.loads(body)["errors"][0]["code"])

    def test_headers_add_nothing_to_a_token(self):
        """S3"""
        for claim in (["X-Roles: admin"], ["X_Roles: admin"],
                      ["X-Roles: admin", "X-Roles: service"],
                      ["X-Project-Id: " + service.FOREIGN],
                      ["X-Is-Admin-Project: true"],
                      ["OpenStack-System-Scope: all"],
                      ["X-Domain-Id: default"]):
            with self.subTest(claim=claim):
                status, _, _ = self.ask(self.token("READER"), *claim,
                                        path="/v1.0/events?all_projects=true")
                self.assertEqual(403, status)
                status, _, _ = self.ask(self.token("READER"), *claim)
                self.assertEqual(200, status)

    def test_two_tokens_are_none(self):
        """S3"""
        status, _, _ = self.ask(self.token("READER"), self.token("ADMIN"))
        self.assertEqual(401, status)

    def test_what_is_no_request_is_answered_in_our_form(self):
        for garbage in (b"GARBAGE\r\n\r\n",
                        b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
                        b"POST /v1.0/events HTTP/1.1\r\n"
                        b"Transfer-Encoding: gzip\r\n\r\n",
                        b"POST /v1.0/events HTTP/1.1\r\n"
                        b"Content-Length: -1\r\n\r\n",
                        b"GET / HTTP/1.1\r\nA: " + b"b" * 100_000
                        + b"\r\n\r\n"):
            with self.subTest(garbage=garbage[:40]):
                status, headers, body = self.running.raw(garbage)
                self.assertIn(status, (400, 431, 501))
                self.assertEqual("application/json", headers["content-type"])
                said = json.loads(body)["errors"][0]
                self.assertEqual(headers["x-openstack-request-id"],
                                 said["request_id"])

    def test_a_chunked_body_is_counted(self):
        """S13"""
        chunk = b"%x\r\n%s\r\n" % (65536, b" " * 65536)
        head = (f"POST /v1.0/events HTTP/1.1\r\nHost: e\r\n{self.token()}\r\n"
                "Content-Type: application/json\r\nConnection: close\r\n"
                "Transfer-Encoding: chunked\r\n\r\n").encode()
        status, headers, body = self.running.raw(
            head, chunk * 20, b"0\r\n\r\n")
        self.assertEqual(413, status)
        self.assertEqual("body_too_large",
                         json.loads(body)["errors"][0]["code"])
        self.assertIn("x-openstack-request-id", headers)
        status, _, _ = self.running.raw(
            head, b'21\r\n{"events": [{"event_type": "x"}]}\r\n',
            b"0\r\n\r\n")
        self.assertEqual(202, status)

    def test_100_mb_cost_neither_time_nor_memory(self):
        """S13: refused by its length, before it is sent."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        head = (f"POST /v1.0/events HTTP/1.1\r\nHost: e\r\n{self.token()}\r\n"
                "Content-Type: application/json\r\n"
                f"Content-Length: {100 * 2 ** 20}\r\n\r\n").encode()
        status, headers, _ = self.running.raw(head)
        self.assertEqual(413, status)
        self.assertIn("x-openstack-request-id", headers)
        endless = [b"10000\r\n" + b" " * 65536 + b"\r\n"] * 1600
        self.running.raw(
            head.replace(b"Content-Length: 104857600",
                         b"Transfer-Encoding: chunked"), *endless)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, 40 * 1024)

    def test_a_request_is_one_line_in_the_log(self):
        """S15"""
        shown = io.StringIO()
        handler = logging.StreamHandler(shown)
        logger = logging.getLogger("monasca_events_api")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            evil = "%0a2026-11-22%20INFO%20forged%1b%5b31m%00%e2%80%ae"
            self.ask(self.token(), "User-Agent: a\x1b[31m",
                     "X-Openstack-Request-Id: req-\x1b[31m",
                     path=f"/v1.0/events/{evil}?q={evil}")
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
        text = shown.getvalue()
        self.assertEqual(1, text.count("\n"), text)
        self.assertTrue(text.rstrip("\n").isprintable(), text)

    def test_openstacks_clients_find_the_version(self):
        auth = token_endpoint.Token(
            f"http://127.0.0.1:{self.running.port}",
            service.ACCOUNTS["READER"].token)
        adapter = keystoneauth1.adapter.Adapter(
            keystoneauth1.session.Session(auth), service_type="event",
            min_version="1.0", max_version="1.latest")
        found = adapter.get_endpoint_data()
        self.assertEqual((1, 0), found.api_version)
        self.assertTrue(found.url.endswith("/v1.0/"))
        self.assertEqual(200, adapter.get(
            "/v1.0/events").status_code)

    def test_a_stop_answers_what_has_begun(self):
        started, go = threading.Event(), threading.Event()

        def slow(environ, start_response):
            started.set()
            go.wait(60)
            start_response("200 OK", [("Content-Length", "4")])
            return [b"done"]

        running = Running(slow, self.service.parts.conf)
        answers: list = []
        asker = threading.Thread(target=lambda: answers.append(running.raw(
            b"GET / HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n")))
        asker.start()
        self.assertTrue(started.wait(60))
        stopper = threading.Thread(target=running.stop)
        stopper.start()
        go.set()
        asker.join(30)
        stopper.join(30)
        self.assertEqual((200, b"done"), (answers[0][0], answers[0][2]))


def _counted():
    """Return what the stage has received, passed on and rejected so far."""
    def value(name, **labels):
        return prometheus_client.REGISTRY.get_sample_value(
            f"monasca_events_{name}_total", {"stage": "api", **labels}) or 0
    return (value("received"), value("passed"),
            value("rejected", code="unknown_field"))


class _Open(service.identity.Identity):
    """What a deployment has that forgot its identity middleware."""

    GROUP, OPTS = "open", []

    def protect(self, application):
        return application

    def health(self):
        raise NotImplementedError


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class OutageTest(unittest.TestCase):
    """F5, F14 and what a deployment may lack."""

    def setUp(self):
        service.set_environment()
        self.service = service.Service(pump=False)
        self.addCleanup(self.service.close)
        self.parts = self.service.parts
        self.client = service.client(self.service.application)

    def post(self, client):
        return client.post("/v1.0/events", headers=service.token("MEMBER"),
                           json={"events": [{"event_type": "x"}]})

    def test_a_bus_that_is_down_is_503_with_retry_after(self):
        self.assertEqual(202, self.post(self.client).status_code)
        with service.bus_away(self.parts.conf):
            began = time.monotonic()
            answer = self.post(self.client)
            took = time.monotonic() - began
        self.assertEqual(503, answer.status_code, answer.text)
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        self.assertEqual("bus_unavailable",
                         answer.json()["errors"][0]["code"])
        # Not a measurement: a hang would take until the client gives up.
        self.assertLess(took, service.PATIENCE)
        self.assertEqual(202, self.post(self.client).status_code)

    def test_every_event_is_counted_once_when_it_is_settled(self):
        before = _counted()
        with service.bus_away(self.parts.conf):
            self.assertEqual(503, self.post(self.client).status_code)
            self.assertEqual(before, _counted())
        for events in ([{"event_type": "x"}, {"bad": 1}], [{"bad": 1}]):
            self.client.post("/v1.0/events", json={"events": events},
                             headers=service.token("MEMBER"))
        received, passed, rejected = (
            after - then for after, then in zip(_counted(), before,
                                                strict=True))
        self.assertEqual((3, 1, 2), (received, passed, rejected))

    def test_without_the_database_only_its_resources_are_503(self):
        """What needs no definition goes on."""
        away = database.Database(f"sqlite:///{self.parts.folder}")
        self.addCleanup(away.close)
        client = service.client(service.make_application(
            self.parts, database=away))
        for path in ("triggers", "notification-methods", "firings",
                     "triggers/x", "triggers/x/firings"):
            answer = client.get(f"/v1.0/{path}",
                                headers=service.token("READER"))
            self.assertEqual(503, answer.status_code, answer.text)
            self.assertEqual("database_unavailable",
                             answer.json()["errors"][0]["code"])
            self.assertIn("retry-after", answer.headers)
        answer = client.post(
            "/v1.0/triggers", headers=service.token("MEMBER"),
            json={"template": "instance-create"})
        self.assertEqual(503, answer.status_code, answer.text)
        self.assertEqual(202, self.post(client).status_code)
        self.assertEqual(200, client.get(
            "/v1.0/events", headers=service.token("READER")).status_code)
        self.assertEqual(200, client.get(
            "/v1.0/triggers/templates",
            headers=service.token("READER")).status_code)

    def test_without_an_identity_middleware_nobody_is_let_in(self):
        """S3"""
        bare = service.client(service.make_application(
            self.parts, identity=_Open()))
        answer = bare.get("/v1.0/events", headers={
            "X-Identity-Status": "Confirmed", "X-Roles": "admin",
            "X-Project-Id": service.PROJECT})
        self.assertEqual(503, answer.status_code)
        self.assertEqual("identity_unconfirmed",
                         answer.json()["errors"][0]["code"])

    def test_a_bug_is_500_and_tells_nothing(self):
        with self.assertLogs("monasca_events_api", "ERROR"):
            answer = service.client(service.make_application(
                self.parts, store=None)).get(
                    "/v1.0/events", headers=service.token("READER"))
        self.assertEqual(500, answer.status_code)
        self.assertEqual("internal_error", answer.json()["errors"][0]["code"])
        self.assertNotIn("NoneType", answer.text)
