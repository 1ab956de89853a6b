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

"""Alarm transitions through a real monasca-notification (B32)."""

import datetime
import http.server
import json
import queue
import threading
import time
import unittest
import uuid

from oslo_config import cfg
import sqlalchemy as sa

from monasca_events_common.errors import BusUnavailable
from monasca_events_common.event import format_time
from monasca_events_engine.actions import monasca_notification as monasca
from tests.integration import servers
from tests.unit.engine.outgoing import delivery
from tests.unit.engine.outgoing import firing
from tests.unit.engine.outgoing import parts

_SECONDS = 120


class _Receiver(http.server.BaseHTTPRequestHandler):

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.put(json.loads(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


def action(uri: str, driver: str = "kafka") -> monasca.MonascaNotification:
    conf = cfg.ConfigOpts()
    cls = monasca.MonascaNotification
    conf.register_opts(cls.OPTS, group="x")
    conf([], project="test", default_config_files=[], default_config_dirs=[])
    conf.set_override("uri", uri, group="x")
    conf.set_override("driver", driver, group="x")
    return cls(conf.x, parts())


class TestMonascaNotification(unittest.TestCase):

    def setUp(self):
        self.found = servers.up("monasca-notification", "kafka")
        self.receiver = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), _Receiver)
        self.receiver.received = queue.Queue()
        thread = threading.Thread(target=self.receiver.serve_forever)
        thread.start()
        self.addCleanup(self.receiver.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.receiver.shutdown)

    def subscribe(self, trigger_id: str) -> None:
        """Have the receiver told when a trigger fires and recovers."""
        where = self.found["monasca-notification"]["database"]
        engine = sa.create_engine(where)
        self.addCleanup(engine.dispose)
        method_id = str(uuid.uuid4())
        with engine.begin() as connection:
            connection.execute(sa.text(
                "INSERT INTO notification_method (id, name, type, address) "
                "VALUES (:id, 'us', 'WEBHOOK', :address)"), {
                    "id": method_id, "address":
                    f"http://127.0.0.1:{self.receiver.server_port}/"})
            for state in ("ALARM", "OK"):
                connection.execute(sa.text(
                    "INSERT INTO alarm_action VALUES (:trigger, :state, "
                    ":method)"), {"trigger": trigger_id, "state": state,
                                  "method": method_id})

    def test_what_fires_and_recovers_reaches_its_webhook(self):
        uri = self.found["kafka"]["bootstrap_servers"]
        now = format_time(datetime.datetime.now(datetime.timezone.utc))
        for driver in ("kafka", "confluent"):
            trigger_id = str(uuid.uuid4())
            self.subscribe(trigger_id)
            made = action(uri, driver)
            self.addCleanup(made.close)
            for outcome, state in (("missed", "ALARM"), ("recovered", "OK")):
                with self.subTest(driver=driver, outcome=outcome):
                    content = firing(trigger_id=trigger_id, at=now,
                                     outcome=outcome, reason="no end came")
                    started = time.monotonic()
                    made.execute(delivery(content))
                    told = self.receiver.received.get(timeout=_SECONDS)
                    print(f"{driver} {outcome}: "
                          f"{time.monotonic() - started:.2f} s")
                    self.assertEqual(
                        (state, monasca.alarm_id(trigger_id, content["key"]),
                         trigger_id, "no end came", "vm gone"),
                        tuple(told[name] for name in (
                            "state", "alarm_id", "alarm_definition_id",
                            "message", "alarm_name")))

    def test_while_kafka_is_away_the_delivery_waits(self):
        made = action("127.0.0.1:1")
        self.addCleanup(made.close)
        with self.assertRaises(BusUnavailable):
            made.execute(delivery())
