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

"""That the real servers which tests rely on do real work.

One thing of each: what the features' own tests build on, so that a failure
there is theirs.
"""

import http.server
import json
import pathlib
import queue
import re
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

from kafka import KafkaProducer
import pymysql
import requests

from tests.integration import servers

_SECONDS = 120
_PNG = b"\x89PNG\r\n"


def _token(keystone) -> str:
    answer = requests.post(f"{keystone['auth_url']}/auth/tokens", json={
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": keystone["username"],
                "password": keystone["password"],
                "domain": {"name": keystone["user_domain_name"]}}}},
            "scope": {"project": {
                "name": keystone["project_name"],
                "domain": {"name": keystone["project_domain_name"]}}}}},
        timeout=_SECONDS)
    answer.raise_for_status()
    return answer.headers["X-Subject-Token"]


class Receiver(http.server.BaseHTTPRequestHandler):
    """Puts what is posted into the server's `received`."""

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        self.server.received.put(json.loads(self.rfile.read(size)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class TestServers(unittest.TestCase):

    def test_aodh_keeps_an_event_alarm_for_who_has_a_token(self):
        found = servers.up("aodh", "keystone")
        url = f"{found['aodh']['url']}/v2/alarms"
        self.assertEqual(401, requests.get(url, timeout=_SECONDS).status_code)
        session = requests.Session()
        session.headers["X-Auth-Token"] = _token(found["keystone"])
        instance = str(uuid.uuid4())
        query = {"field": "traits.instance_id", "op": "eq",
                 "type": "string", "value": instance}
        made = session.post(url, timeout=_SECONDS, json={
            "name": f"watch {instance}", "type": "event",
            "event_rule": {"event_type": "compute.instance.*",
                           "query": [query]}})
        self.assertEqual(201, made.status_code, made.text)
        alarm = f"{url}/{made.json()['alarm_id']}"
        self.assertEqual([query], session.get(
            alarm, timeout=_SECONDS).json()["event_rule"]["query"])
        self.assertEqual(204, session.delete(
            alarm, timeout=_SECONDS).status_code)
        self.assertEqual(404, session.get(
            alarm, timeout=_SECONDS).status_code)

    def test_gnocchi_gives_back_a_measure_at_once(self):
        session = requests.Session()
        session.auth = ("admin", "")
        # Said, because a setting stays from one start to the next.
        found = servers.up("gnocchi", settings=["gnocchi:auth_mode=basic"])
        url = f"{found['url']}/v1/metric"
        made = session.post(url, json={"archive_policy_name": "low"},
                            timeout=_SECONDS)
        self.assertEqual(201, made.status_code, made.text)
        measures = f"{url}/{made.json()['id']}/measures"
        session.post(measures, timeout=_SECONDS, json=[
            {"timestamp": "2026-11-22T10:00:00", "value": 4.5}])
        read = session.get(measures, params={"refresh": "true"},
                           timeout=_SECONDS)
        self.assertEqual([["2026-11-22T10:00:00+00:00", 300.0, 4.5]],
                         read.json())

    def test_monasca_notification_tells_a_webhook(self):
        found = servers.up("monasca-notification", "kafka")
        engine = found["monasca-notification"]
        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        receiver.received = queue.Queue()
        serving = threading.Thread(target=receiver.serve_forever)
        serving.start()
        self.addCleanup(receiver.server_close)
        self.addCleanup(serving.join)
        self.addCleanup(receiver.shutdown)
        definition = self.definition(
            engine["database"], f"http://127.0.0.1:{receiver.server_port}/")
        alarm = {
            "tenantId": "a", "alarmId": str(uuid.uuid4()),
            "alarmDefinitionId": definition, "alarmName": "gone",
            "alarmDescription": "", "oldState": "OK", "newState": "ALARM",
            "actionsEnabled": True, "stateChangeReason": "because",
            "severity": "HIGH", "link": "", "lifecycleState": "",
            "metrics": [], "subAlarms": [],
            "timestamp": int(time.time() * 1000)}
        producer = KafkaProducer(
            bootstrap_servers=found["kafka"]["bootstrap_servers"])
        self.addCleanup(producer.close)
        producer.send(engine["topics"]["alarms"], json.dumps(
            {"alarm-transitioned": alarm}).encode()).get(_SECONDS)
        told = receiver.received.get(timeout=_SECONDS)
        self.assertEqual(("ALARM", alarm["alarmId"], "because"),
                         (told["state"], told["alarm_id"], told["message"]))

    def definition(self, database: str, address: str) -> str:
        """Have somebody told of an alarm definition; return its id."""
        method, definition = str(uuid.uuid4()), str(uuid.uuid4())
        url = urllib.parse.urlsplit(database)
        with pymysql.connect(
                host=url.hostname, port=url.port, user=url.username,
                password=url.password, database=url.path[1:],
                autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO notification_method (id, name, type, address) "
                "VALUES (%s, 'receiver', 'WEBHOOK', %s)", (method, address))
            cursor.execute("INSERT INTO alarm_action VALUES (%s, 'ALARM', %s)",
                           (definition, method))
        return definition

    def test_horizon_shows_its_login_page_to_chromium(self):
        found = servers.up("horizon", "chromium")
        with tempfile.TemporaryDirectory() as folder:
            picture = pathlib.Path(folder) / "login.png"
            done = subprocess.run(
                [found["chromium"]["browser"], "--headless=new",
                 "--no-sandbox", f"--user-data-dir={folder}/profile",
                 f"--screenshot={picture}", "--dump-dom",
                 found["horizon"]["url"]],
                capture_output=True, text=True, timeout=180, check=False)
            self.assertIn('id="id_username"', done.stdout, done.stderr)
            self.assertTrue(picture.read_bytes().startswith(_PNG))
        styles = re.findall(r'rel="stylesheet" href="([^"]+)', done.stdout)
        self.assertTrue(styles, done.stdout)
        for style in styles:
            self.assertEqual(200, requests.get(
                urllib.parse.urljoin(found["horizon"]["url"], style),
                timeout=_SECONDS).status_code)

    def test_promtool_tells_a_good_metric_from_a_bad_one(self):
        promtool = servers.up("prometheus")["promtool"]

        def check(text):
            return subprocess.run([promtool, "check", "metrics"], input=text,
                                  text=True, capture_output=True,
                                  check=False).returncode
        good = "# HELP a_total Words.\n# TYPE a_total counter\na_total 1\n"
        self.assertEqual(0, check(good))
        self.assertNotEqual(0, check(good.replace("a_total", "a")))

    def test_postgresql_lets_its_user_in(self):
        found = servers.up("postgresql")
        self.assertEqual("monasca_events", urllib.parse.urlsplit(
            found["url"]).path[1:])
        done = subprocess.run(
            ["psql", "-XAt", found["url"], "-c",
             "CREATE TEMPORARY TABLE a (b INT); INSERT INTO a VALUES (7);"
             "SELECT b FROM a"],
            capture_output=True, text=True, check=False)
        self.assertIn("7", done.stdout.split(), done.stderr)


