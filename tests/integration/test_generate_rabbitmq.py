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


"""Generated notifications through a real RabbitMQ, compared with the truth."""

import json
import os
import tempfile
import threading
import unittest
import uuid

import kombu
from oslo_config import cfg
import oslo_messaging

from monasca_events_agent.traffic import checker
from monasca_events_agent.traffic import command
from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic import poison
from monasca_events_agent.traffic import truth
from monasca_events_common.event import event_id
from monasca_events_common.event import format_time
from monasca_events_common.event import parse_time
from tests.integration import servers

OPERATOR = "f" * 32


class Listener:
    """An oslo.messaging listener that keeps what it gets."""

    def __init__(self, url, exchange, topic):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        oslo_messaging.TransportURL.parse(conf)
        conf.set_override("control_exchange", exchange)
        self._transport = oslo_messaging.get_notification_transport(
            conf, url=url)
        conf.set_override("amqp_durable_queues", True,
                          group="oslo_messaging_rabbit")
        self.got = []
        self._more = threading.Condition()
        self._listener = oslo_messaging.get_notification_listener(
            self._transport, [oslo_messaging.Target(topic=topic)], [self],
            executor="threading")
        self._listener.start()

    def _take(self, context, publisher_id, event_type, payload, metadata):
        # The listener's own addition.
        context.pop("client_timeout", None)
        with self._more:
            self.got.append((metadata["message_id"], metadata["timestamp"],
                             publisher_id, event_type, dict(context),
                             payload))
            self._more.notify()

    info = error = _take

    def wait(self, count):
        with self._more:
            self._more.wait_for(lambda: len(self.got) >= count, timeout=60)

    def stop(self):
        self._listener.stop()
        self._listener.wait()
        self._transport.cleanup()


class TestRabbitmq(unittest.TestCase):

    def setUp(self):
        self.url = servers.up("rabbitmq")["transport_url"]
        self.name = f"generate-{uuid.uuid4().hex[:8]}"
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.truth = os.path.join(directory.name, "truth")

    def generate(self, *more):
        code = command.main([
            "--transport-url", self.url, "--exchange", self.name, "--topic",
            self.name, "--truth", self.truth, "--quiet", "--seed", "8",
            "--start", "2026-01-01", *more])
        self.assertEqual(0, code)

    def bodies(self, priority="info"):
        """Return the raw bodies that wait in a queue."""
        found = []
        with kombu.Connection(self.url.replace("rabbit:", "amqp:")) as peer:
            queue = peer.channel()
            while True:
                message = queue.basic_get(f"{self.name}.{priority}",
                                          no_ack=True)
                if message is None:
                    return found
                body = message.body
                # Decoded already where it could be.
                found.append(body if isinstance(body, bytes)
                             else body.encode())

    def test_a_listener_gets_what_the_truth_says(self):
        # F19: with repetitions and in disorder.
        listener = Listener(self.url, self.name, self.name)
        self.addCleanup(listener.stop)
        self.generate("--count", "500", "--errors", "0.1", "--duplicates",
                      "0.1", "--shuffle", "50", "--nova-format", "both")
        expected = truth.read(self.truth)
        sent = sum(one.copies for one in expected)
        listener.wait(sent)
        self.assertEqual(sent, len(listener.got))
        made = {one.message_id: one for one in lifecycles.stream(
            8, 5, lifecycles.Options(count=500, errors=0.1,
                                     nova_format="both"))}
        found = {}
        for message_id, time, publisher, kind, context, payload \
                in listener.got:
            one = made[message_id]
            self.assertEqual(
                (one.publisher_id, one.event_type, dict(one.context),
                 one.payload, one.timestamp),
                (publisher, kind, context, payload, time))
            project_id = one.project_id or OPERATOR
            found[message_id] = project_id, {
                "event_id": event_id(project_id, message_id),
                "project_id": project_id, "event_type": kind,
                "timestamp": format_time(parse_time(time)),
                "resource_id": one.resource_id,
                "request_id": context.get("request_id")}
        report = checker.check(self.truth, found.values(),
                               operator_project_id=OPERATOR)
        self.assertTrue(report.ok, report.text())
        self.assertEqual(500, report.stored)

    def test_the_envelope_is_that_of_a_service(self):
        self.generate("--count", "20", "--services", "cinder", "--errors",
                      "0")
        made = {one.message_id: one for one in lifecycles.stream(
            8, 5, lifecycles.Options(count=20, services=("cinder",),
                                     errors=0.0))}
        bodies = self.bodies()
        self.assertEqual(20, len(bodies))
        for body in bodies:
            outer = json.loads(body)
            self.assertEqual("2.0", outer["oslo.version"])
            inner = json.loads(outer["oslo.message"])
            del inner["_unique_id"]
            one = made[inner["message_id"]]
            self.assertEqual(json.loads(json.dumps(one.message())), inner)

    def test_poison_arrives_byte_by_byte(self):
        # F12
        self.generate("--count", "200", "--poison", "0.3")
        bodies = set(self.bodies())
        items = poison.mixed(
            lifecycles.stream(8, 5, lifecycles.Options(count=200)), 0.3, 8)
        bad = [item for item in items if isinstance(item, poison.Poison)]
        self.assertGreater(len({item.kind for item in bad}), 20)
        for item in bad:
            self.assertTrue(item.body in bodies, item.kind)

    def test_several_processes_and_connections_lose_nothing(self):
        self.generate("--count", "600", "--processes", "2",
                      "--connections", "3")
        bodies = self.bodies() + self.bodies("error")
        ids = {json.loads(json.loads(body)["oslo.message"])["message_id"]
               for body in bodies}
        self.assertEqual(600, len(bodies))
        self.assertEqual({one.message_id for one in truth.read(self.truth)},
                         ids)
