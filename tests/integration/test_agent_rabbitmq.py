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

"""The agent on a real RabbitMQ, against an API on loopback that a test
steers. Both sources pass the same tests."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest
from urllib import parse
import uuid

import amqp
from oslo_config import cfg
import oslo_messaging

from monasca_events_agent.sources import rabbit
from monasca_events_common.deadletters import DeadLetters
from tests.integration import servers
from tests.integration.daemons import Daemons
from tests.integration.daemons import wait_for
from tests.unit.agent.sink import accept
from tests.unit.agent.sink import reply
from tests.unit.agent.sink import Sink

PATIENCE = 90

#: Messages that the agent may have in hand of each queue.
PREFETCH = 100

CONFIG = """
[DEFAULT]
use_stderr = true
[agent]
sources = {source}
operator_project_id = 00000000000000000000000000000000
[notifications]
{urls}
topics = {topic}
exchanges = {topic}
queue_type = {queue_type}
prefetch = {prefetch}
{more}
[spool]
path = {home}/spool/spool.db
max_bytes = {max_bytes}
[dead_letters]
connection = sqlite:///{home}/dead.db
[poster]
endpoints = {sink}
max_wait = 0.05
backoff_max = 1
[api_auth]
auth_type = none
"""


def until(condition, what):
    """Wait for a condition of another process; its absence is a failure."""
    wait_for(what, condition, PATIENCE, 0.05)


class Broker:
    """What services do to RabbitMQ, and what an operator sees there."""

    def __init__(self, facts: dict, topic: str, vhost: str = "/") -> None:
        self.topic = topic
        self._facts = facts
        self.url = facts["transport_url"].rstrip("/") + "/" + (
            vhost if vhost != "/" else "")
        self._vhost = vhost
        self.connect()

    def connect(self) -> None:
        found = parse.urlsplit(self.url)
        self._connection = amqp.Connection(
            f"{found.hostname}:{found.port}", userid=found.username,
            password=found.password, virtual_host=self._vhost)
        self._connection.connect()
        self.channel = self._connection.channel()

    def declare(self, queue_type: str) -> None:
        """Make the exchange and the INFO queue, as a notifier would."""
        durable = queue_type != "transient"
        self.channel.exchange_declare(self.topic, "topic", durable=durable,
                                      auto_delete=False)
        queue = f"{self.topic}.info"
        self.channel.queue_declare(
            queue, durable=durable, auto_delete=False,
            arguments={"x-queue-type": "quorum"}
            if queue_type == "quorum" else {})
        self.channel.queue_bind(queue, self.topic, queue)

    def send(self, bodies) -> None:
        for body in bodies:
            self.channel.basic_publish(amqp.Message(
                body, content_type="application/json", delivery_mode=2,
                content_encoding="utf-8"), self.topic, f"{self.topic}.info")

    def waiting(self) -> int:
        """Return the messages of the INFO queue, those in hand too."""
        return int(self.queues("messages").get(f"{self.topic}.info", 0))

    def in_hand(self) -> int:
        """Return the messages of the INFO queue that a consumer has."""
        return int(self.queues("messages_unacknowledged")[
            f"{self.topic}.info"])

    def queues(self, column: str) -> dict[str, str]:
        """Return queue → what the broker says of it."""
        # Only the broker's own tool counts what a consumer has in hand.
        done = self.ctl("list_queues", "name", column, "--quiet")
        return dict(line.split("\t") for line in done.stdout.splitlines())

    def ctl(self, *words) -> subprocess.CompletedProcess:
        tool = self._facts["ctl"]
        return subprocess.run([*tool["argv"], *words], env=tool["env"],
                              capture_output=True, text=True, check=True)

    def forget(self) -> None:
        for priority in rabbit.PRIORITIES:
            self.channel.queue_delete(f"{self.topic}.{priority}")
        self._connection.close()


def notification(number: int, **fields) -> dict:
    return {"_context_project_id": "1" * 32, "publisher_id": "compute.one",
            "event_type": "compute.instance.create.end", "priority": "INFO",
            "timestamp": "2026-11-22 10:00:00.000000",
            "message_id": f"m-{number}", "_unique_id": uuid.uuid4().hex,
            "payload": {"tenant_id": "1" * 32, "filler": "x" * 500},
            **fields}


def envelope(number: int, **fields) -> bytes:
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(
        notification(number, **fields))}).encode()


class _Sources:
    """The tests; each source inherits them."""

    source = ""

    def setUp(self):
        self.facts = servers.up("rabbitmq")
        self.home = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.topic = f"test_{uuid.uuid4().hex[:12]}"
        self.broker = Broker(self.facts, self.topic)
        self.addCleanup(self.broker.forget)
        self.sink = Sink()
        self.addCleanup(self.sink.close)
        self.daemons = Daemons(self.home)
        self.addCleanup(self.daemons.close)

    def configure(self, source=None, urls=(), queue_type="durable",
                  max_bytes=1024 ** 3, more=""):
        urls = "\n".join(f"transport_url = {url}"
                         for url in urls or [self.broker.url])
        self.daemons.configure(CONFIG.format(
            source=source or self.source, urls=urls, topic=self.topic,
            home=self.home, sink=self.sink.url, queue_type=queue_type,
            prefetch=PREFETCH, max_bytes=max_bytes, more=more))

    def start(self, **values):
        self.configure(**values)
        self.daemons.start("agent")

    def arrived(self, ids):
        """Wait until the API has accepted each of these."""
        wanted = set(ids)
        until(lambda: wanted <= set(self.sink.accepted),
              f"{len(wanted - set(self.sink.accepted))} events are missing")

    def test_what_a_notifier_sends_arrives_whatever_its_priority(self):
        """B9, D2: real oslo.messaging notifiers."""
        self.start()
        file = self.home / "nova.conf"
        file.write_text(f"[DEFAULT]\ncontrol_exchange = {self.topic}\n")
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[str(file)], default_config_dirs=[])
        transport = oslo_messaging.get_notification_transport(
            conf, f"{self.broker.url}?amqp_durable_queues=true")
        notifier = oslo_messaging.Notifier(
            transport, "compute.one", driver="messagingv2",
            topics=[self.topic])
        priorities = ("audit", "debug", "info", "warn", "error", "critical",
                      "sample")
        for priority in priorities:
            getattr(notifier, priority)(
                {}, f"test.{priority}", {"tenant_id": "2" * 32})
        transport.cleanup()
        seen = set()

        def complete():
            seen.update((event["event_type"], event["priority"],
                         event["project_id"])
                        for _path, _headers, events in
                        list(self.sink.requests) for event in events)
            return len(seen) == 7
        until(complete, "seven priorities")
        self.assertEqual({(f"test.{one}", one.upper(), "2" * 32)
                          for one in priorities}, seen)

    def test_kills_in_mid_stream_lose_nothing(self):
        """F1: kill -9 of the agent's process, again and again."""
        count, kills = 6000, 8
        self.broker.declare("durable")
        self.broker.send(envelope(number) for number in range(count))
        self.start()
        for turn in range(kills):
            until(lambda turn=turn: len(self.sink.accepted)
                  >= turn * count // (2 * kills), "progress")
            until(self.kill_worker, "a worker")
        self.arrived(f"m-{number}" for number in range(count))
        until(lambda: not self.broker.waiting(), "an empty queue")
        repeats = len(self.sink.accepted) - count
        # What is in hand of RabbitMQ, of the spool's last batch, per kill.
        self.assertLessEqual(repeats, kills * (PREFETCH + 1000))

    def test_a_full_spool_leaves_the_rest_in_rabbitmq(self):
        """F11: and takes no more into its hands than it may."""
        self.broker.declare("durable")
        self.sink.answer = lambda _events: reply(503, {})
        self.start(max_bytes=1024 ** 2)
        self.broker.send(envelope(number) for number in range(3000))
        until(lambda: "holds a batch" in self.log(), "a full spool")
        self.assertGreater(self.broker.waiting(), 1000)
        # The broker has more for it all the while, so what it has in hand is
        # what it asked for.
        until(lambda: self.broker.in_hand() == PREFETCH, "a full hand")
        for _ in range(3):
            self.assertLessEqual(self.broker.in_hand(), PREFETCH)
        self.sink.answer = accept
        self.arrived(f"m-{number}" for number in range(3000))
        until(lambda: not self.broker.waiting(), "an empty queue")

    def test_sigterm_while_the_spool_is_full_loses_nothing(self):
        """R10, F22"""
        self.broker.declare("durable")
        self.sink.answer = lambda _events: reply(503, {})
        self.start(max_bytes=1024 ** 2)
        self.broker.send(envelope(number) for number in range(2000))
        until(lambda: "holds a batch" in self.log(), "a full spool")
        self.assertEqual(0, self.daemons.stop("agent"))
        self.sink.answer = accept
        self.daemons.start("agent")
        self.arrived(f"m-{number}" for number in range(2000))

    def test_a_broker_that_closes_connections_is_come_back_to(self):
        """F10"""
        self.broker.declare("durable")
        self.start()
        self.broker.send(envelope(number) for number in range(500))
        self.arrived(f"m-{number}" for number in range(500))
        self.broker.ctl("close_all_connections", "test")
        self.broker.connect()
        self.broker.send(envelope(number) for number in range(500, 1000))
        self.arrived(f"m-{number}" for number in range(1000))

    def test_several_brokers_are_listened_to_at_once(self):
        """Nova's cells with a Rabbit each."""
        vhost = f"cell-{self.topic}"
        self.broker.ctl("add_vhost", vhost)
        self.addCleanup(self.broker.ctl, "delete_vhost", vhost)
        self.broker.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*",
                        ".*")
        cell = Broker(self.facts, self.topic, vhost)
        self.addCleanup(cell.forget)
        for broker in (self.broker, cell):
            broker.declare("durable")
        self.start(urls=[self.broker.url, cell.url])
        self.broker.send([envelope(1)])
        cell.send([envelope(2)])
        self.arrived(["m-1", "m-2"])

    def test_a_pool_takes_copies_and_leaves_others_theirs(self):
        """D14: what Ceilometer reads stays where Ceilometer reads it."""
        self.broker.declare("durable")
        pool = f"pool_{self.topic}"
        self.addCleanup(lambda: self.broker.channel.queue_delete(pool))
        self.start(more=f"pool = {pool}")
        wanted = "\t".join((self.topic, pool, f"{self.topic}.info"))
        until(lambda: wanted in self.broker.ctl(
            "list_bindings", "source_name", "destination_name",
            "routing_key", "--quiet").stdout, "the pool")
        self.broker.send(envelope(number) for number in range(100))
        self.arrived(f"m-{number}" for number in range(100))
        self.assertEqual(100, self.broker.waiting())

    def test_quorum_queues_are_read(self):
        self.broker.declare("quorum")
        self.broker.send(envelope(number) for number in range(300))
        self.start(queue_type="quorum")
        self.arrived(f"m-{number}" for number in range(300))

    def test_the_agent_declares_quorum_queues_where_it_comes_first(self):
        """T13"""
        self.start(queue_type="quorum")
        wanted = {f"{self.topic}.{priority}": "quorum"
                  for priority in rabbit.PRIORITIES}

        def declared() -> dict[str, str]:
            return {name: kind for name, kind
                    in self.broker.queues("type").items()
                    if name.startswith(f"{self.topic}.")}
        until(lambda: len(declared()) == len(wanted), "seven queues")
        self.assertEqual(wanted, declared())
        self.broker.send(envelope(number) for number in range(100))
        self.arrived(f"m-{number}" for number in range(100))

    def test_changing_the_source_needs_no_change_of_a_queue(self):
        self.broker.declare("durable")
        self.start(source="notifications")
        self.broker.send([envelope(1)])
        self.arrived(["m-1"])
        self.daemons.stop("agent")
        self.start(source="monasca_events_agent.sources.amqp:AmqpSource")
        self.broker.send([envelope(2)])
        self.arrived(["m-2"])
        self.daemons.stop("agent")
        self.start(source="notifications")
        self.broker.send([envelope(3)])
        self.arrived(["m-3"])
        self.assertNotIn("declared otherwise", self.log())

    def test_poison_is_buried_and_blocks_nobody(self):
        """F12"""
        self.broker.declare("durable")
        self.start()
        bad = [envelope(900, event_type=None), envelope(901, event_type=7)]
        odd = [envelope(910, priority=7), envelope(911, payload="text"),
               envelope(912, priority="unheard-of"),
               envelope(913, payload=None)]
        self.broker.send([envelope(1), *bad, *odd, envelope(2)])
        self.arrived(["m-1", "m-2", "m-910", "m-911", "m-912", "m-913"])
        self.assertEqual(2, sum(self.letters().values()))
        until(lambda: not self.broker.waiting(), "an empty queue")

    def kill_worker(self):
        """SIGKILL the daemon's process; return whether there was one."""
        return self.daemons.kill_worker("agent")

    def letters(self):
        letters = DeadLetters(f"sqlite:///{self.home}/dead.db")
        try:
            return letters.count()
        finally:
            letters.close()

    def log(self):
        return self.daemons.log("agent")


class TestNotifications(_Sources, unittest.TestCase):
    source = "notifications"


class TestAmqp(_Sources, unittest.TestCase):
    source = "monasca_events_agent.sources.amqp:AmqpSource"

    def test_what_oslo_messaging_would_throw_away_is_buried(self):
        """F12, R2: no silent loss."""
        self.broker.declare("durable")
        self.start()
        self.broker.send([b"garbage", b"[]", b"\xff\xfe", json.dumps(
            {"oslo.version": "9.0", "oslo.message": "{}"}).encode(),
            envelope(1)])
        self.arrived(["m-1"])
        until(lambda: sum(self.letters().values()) == 4, "four letters")

    def test_a_queue_that_was_declared_otherwise_is_read_as_it_is(self):
        self.broker.declare("transient")
        self.start(queue_type="durable")
        until(lambda: "declared otherwise" in self.log(), "a warning")
        self.broker.send([envelope(1)])
        self.arrived(["m-1"])

    def test_large_messages_come_in_several_frames(self):
        self.broker.declare("durable")
        self.start()
        self.broker.send([envelope(1, payload={
            "tenant_id": "1" * 32, "text": "word " * 200000}), envelope(2)])
        self.arrived(["m-1", "m-2"])


if __name__ == "__main__":
    unittest.main()
