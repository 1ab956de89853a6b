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

"""The command, as an operator starts it: workers, signals, exit status."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import httpx
import sqlalchemy

from monasca_events_common import database
from tests.functional import service

# Each on a connection of its own, to which either worker answers.
_get = functools.partial(httpx.get, timeout=service.PATIENCE)
_post = functools.partial(httpx.post, timeout=service.PATIENCE)


@unittest.skipIf(service.is_live(), "these tests start a service themselves")
class CommandTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = f"{self.folder}/api.conf"

    def write(self, **groups):
        groups = {"api": {"port": 0, "workers": 2},
                  "sqlite_bus": {"path": f"{self.folder}/bus.db",
                                 "publish_timeout": service.PATIENCE},
                  "sqlite_store": {"path": f"{self.folder}/events.db"},
                  "identity_local": {
                      "tokens_file": f"{self.folder}/tokens.json",
                      "clouds_file": f"{self.folder}/clouds.yaml"},
                  "database": {"connection":
                               f"sqlite:///{self.folder}/definitions.db"},
                  "secrets": {"key_file": f"{self.folder}/secrets.key"},
                  **groups}
        with open(self.file, "w", encoding="utf-8") as file:
            for group, values in groups.items():
                file.write(f"[{group}]\n")
                for name, value in values.items():
                    file.write(f"{name} = {value}\n")

    def start(self):
        self.log = open(f"{self.folder}/log", "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        process = subprocess.Popen(
            [sys.executable, "-m", "monasca_events_api.command",
             "--config-file", self.file], stderr=self.log, stdout=self.log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def said(self):
        with open(f"{self.folder}/log", encoding="utf-8") as file:
            return file.read()

    def eventually(self, check):
        """Return what ``check`` returns once it is true."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                found = check()
            except (OSError, httpx.HTTPError):
                found = None
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(self.said())

    def endpoint(self):
        with open(f"{self.folder}/clouds.yaml", encoding="utf-8") as file:
            found = re.search(r'endpoint: "(.*)"', file.read())
        return found and found[1]

    def await_api(self):
        """Return the URL of an API that answers, and a token."""
        url = self.eventually(self.endpoint)
        self.eventually(lambda: _get(url).status_code == 200)
        with open(f"{self.folder}/tokens.json", encoding="utf-8") as file:
            return url, json.load(file)["accounts"][0]["token"]

    def test_it_serves_reloads_and_stops(self):
        """F22, F23, R10"""
        self.write()
        process = self.start()
        url, token = self.await_api()

        def post():
            return _post(
                f"{url}/v1.0/events", headers={"X-Auth-Token": token},
                json={"events": [{"event_type": "x"}] * 2}).status_code

        self.assertEqual(202, post())
        self.write(limits={"max_events": 1})
        os.kill(process.pid, signal.SIGHUP)
        # Both workers: a request may meet either.
        self.eventually(lambda: [post() for _ in range(6)] == [413] * 6)
        self.write(limits={"max_events": "many"})
        os.kill(process.pid, signal.SIGHUP)
        self.eventually(lambda: "stays as it was" in self.said())
        self.assertEqual(413, post())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(60), self.said())

    def test_a_callers_request_id_stands_beside_ours_in_the_log(self):
        """B18, S15: kept where it looks like one, shown nowhere where not."""
        self.write()
        self.start()
        url, token = self.await_api()
        theirs, forged = f"req-{uuid.uuid4()}", f"req-{uuid.uuid4()}x"
        ours = [_get(f"{url}/v1.0/events", headers={
            "X-Auth-Token": token, "X-Openstack-Request-Id": given}).headers[
                "x-openstack-request-id"] for given in (theirs, forged)]
        self.assertEqual(4, len({*ours, theirs, forged}))

        def logged(request_id):
            return [line for line in self.said().splitlines()
                    if request_id in line and "GET /v1.0/events" in line]
        first, second = (self.eventually(lambda one=one: logged(one))[0]
                         for one in ours)
        self.assertIn(f"[{theirs} {ours[0]} ", first)
        self.assertNotIn(forged, self.said())
        self.assertIn(f"[None {ours[1]} ", second)

    def test_every_limit_of_events_changes_while_it_runs(self):
        """B19"""
        self.write()
        process = self.start()
        url, token = self.await_api()
        payloads = {
            "max_body_bytes": (2048, "body_too_large", {"a": "b" * 4000}),
            "max_event_bytes": (1024, "event_too_large", {"a": "b" * 2000}),
            "max_depth": (2, "too_deep", {"a": {"b": {"c": {}}}}),
            "max_keys": (3, "too_many_keys", dict.fromkeys("abcd", 0))}

        def post(payload):
            """Return what became of an event."""
            answer = _post(
                f"{url}/v1.0/events", headers={"X-Auth-Token": token},
                json={"events": [{"event_type": "x", "payload": payload}]})
            return answer.status_code if answer.is_success \
                else answer.json()["errors"][0]["code"]

        def announced():
            return _get(f"{url}/v1.0", headers={"X-Auth-Token": token}
                        ).json()["version"]["limits"]

        for _limit, _code, payload in payloads.values():
            self.assertEqual(202, post(payload))
        for name, (limit, code, payload) in payloads.items():
            with self.subTest(name=name):
                self.assertNotEqual(limit, announced()[name])
                self.write(limits={name: limit})
                os.kill(process.pid, signal.SIGHUP)
                # Both workers: a request may meet either.
                self.eventually(lambda payload=payload, code=code: [
                    post(payload) for _ in range(6)] == [code] * 6)
                self.eventually(lambda name=name, limit=limit: [
                    announced()[name] for _ in range(6)] == [limit] * 6)

    def test_local_tokens_on_a_public_address_stop_the_start(self):
        self.write(api={"host": "0.0.0.0", "port": 0})
        self.assertEqual(1, self.start().wait(60))
        self.assertEqual(1, self.said().count("\n"), self.said())
        self.assertIn("[api] host = 0.0.0.0", self.said())

    def test_it_starts_while_the_bus_is_down(self):
        self.write(bus={"driver": "kafka"},
                   kafka_events={"uri": "127.0.0.1:1"},
                   api={"port": 0})
        process = self.start()
        url = self.eventually(self.endpoint)
        answer = self.eventually(lambda: _get(f"{url}/healthcheck"))
        self.assertEqual(503, answer.status_code)
        self.assertFalse(answer.json()["parts"]["bus"]["ok"])
        with open(f"{self.folder}/tokens.json", encoding="utf-8") as file:
            token = json.load(file)["accounts"][0]["token"]
        answer = _post(
            f"{url}/v1.0/events", headers={"X-Auth-Token": token},
            json={"events": [{"event_type": "x"}]})
        self.assertEqual(503, answer.status_code, answer.text)
        self.assertIn("retry-after", answer.headers)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(60), self.said())

    def test_it_starts_while_the_database_is_down(self):
        os.mkdir(f"{self.folder}/definitions.db")
        self.write(api={"port": 0})
        self.start()
        url = self.eventually(self.endpoint)
        answer = self.eventually(lambda: _get(f"{url}/healthcheck"))
        self.assertEqual(503, answer.status_code)
        self.assertEqual(
            {"bus": True, "store": True, "identity": True,
             "database": False},
            {name: part["ok"] for name, part
             in answer.json()["parts"].items()})
        os.rmdir(f"{self.folder}/definitions.db")
        self.eventually(
            lambda: _get(f"{url}/healthcheck").status_code == 200)

    def test_tables_of_another_release_stop_the_start(self):
        path = f"{self.folder}/definitions.db"
        found = database.Database(f"sqlite:///{path}")
        found.upgrade()
        with found.begin() as connection:
            connection.execute(sqlalchemy.text(
                "UPDATE alembic_version SET version_num = '9999'"))
        found.close()
        self.write()
        self.assertEqual(1, self.start().wait(60))
        self.assertIn("error: the database is at version 9999",
                      self.said().splitlines()[-1])

    def test_another_server_may_load_the_application(self):
        self.write()
        # Among the module's own names, where uwsgi and mod_wsgi look.
        code = ("from monasca_events_api import wsgi;"
                "a = vars(wsgi)['application'];"
                "import sys;"
                "print(b''.join(a({'REQUEST_METHOD': 'GET', 'PATH_INFO': "
                "'/healthcheck', 'QUERY_STRING': '', 'wsgi.url_scheme': "
                "'http', 'SERVER_NAME': 'e', 'SERVER_PORT': '1'}, "
                "lambda *_: None)).decode())")
        shown = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True,
            text=True, env={**os.environ,
                            "MONASCA_EVENTS_CONFIG": self.file}).stdout
        self.assertTrue(json.loads(shown.splitlines()[-1])["healthy"])
