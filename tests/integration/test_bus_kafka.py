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

"""The contract of every bus on a real Kafka, with both drivers.

The module has a Kafka of its own, because the tests stop and kill it.
"""

import abc
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from oslo_config import cfg

from monasca_events_common.bus import Bus
from monasca_events_common.bus import Record
from monasca_events_common.bus.confluent import ConfluentBus
from monasca_events_common.bus.kafka import KafkaBus
from monasca_events_common.bus.kafka_options import GROUP
from monasca_events_common.bus.kafka_options import OPTS
from monasca_events_common.errors import BusUnavailable
from tests.contract import bus as contract
from tests.contract import bus_tails as tails

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Polls until it has records, says so, and waits for its death.
MEMBER = """
import sys
from tests.contract.bus import collect
from tests.integration.test_bus_kafka import open_bus
from monasca_events_common import plugins
bus = open_bus(plugins.load("monasca_events.bus", sys.argv[1]), sys.argv[2])
member = bus.subscribe(sys.argv[3], sys.argv[4])
collect(member, 1)
print("polled", flush=True)
sys.stdin.read()
"""


class Kafka:
    """A Kafka by the servers tool, in a directory of its own."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.uri = ""

    def run(self, *arguments: str) -> str:
        """Run a command of the tool; return what it prints."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools" / "servers"),
             "--state-dir", self._directory, *arguments],
            capture_output=True, text=True)
        if done.returncode == 3 and os.environ.get("CI") != "true":
            raise unittest.SkipTest(f"no Kafka here: {done.stderr.strip()}")
        if done.returncode:
            raise AssertionError(f"servers {arguments}: {done.stderr}")
        return done.stdout

    def up(self) -> None:
        """Return when it works."""
        facts = json.loads(self.run("up", "kafka", "--json"))["kafka"]
        self.uri = facts["url"]


kafka: Kafka | None = None


def setUpModule() -> None:
    global kafka
    directory = tempfile.TemporaryDirectory(prefix="kafka-")
    unittest.addModuleCleanup(directory.cleanup)
    kafka = Kafka(directory.name)
    unittest.addModuleCleanup(kafka.run, "wipe", "kafka")
    kafka.up()


def open_bus(driver, uri: str, **options) -> Bus:
    """Return a bus of that driver on that Kafka with its options set."""
    conf = cfg.ConfigOpts()
    conf.register_opts(OPTS, group=GROUP)
    conf([], default_config_files=[], default_config_dirs=[])
    # What is to succeed may take its time.
    for name, value in {"uri": uri, "partitions": 4, "session_timeout": 6.0,
                        "publish_timeout": 30.0, **options}.items():
        conf.set_override(name, value, group=GROUP)
    return driver(conf[GROUP])


class KafkaContract(contract.BusContract, tails.TailContract):
    """The contract and what is Kafka's own, for both drivers."""

    driver: type
    name: str

    def open_bus(self, **options) -> Bus:
        bus = open_bus(self.driver, kafka.uri, **options)
        self.addCleanup(bus.close)
        return bus

    def open_impatient_bus(self) -> Bus:
        return self.open_bus(publish_timeout=5.0)

    def break_log(self) -> None:
        kafka.run("pause", "kafka")

    def mend_log(self) -> None:
        kafka.run("continue", "kafka")

    def lose_member(self, topic: str, group: str) -> None:
        member = subprocess.Popen(
            [sys.executable, "-c", MEMBER, self.name, kafka.uri, topic,
             group], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        with member:
            self.assertEqual(b"polled\n", member.stdout.readline())
            member.kill()

    def test_a_restarted_kafka_is_found_again(self):
        """Killed without warning: nothing acknowledged is lost (F5)."""
        self.bus = self.open_impatient_bus()
        self.eventually(lambda: self.publish(10))
        subscription = self.subscribe()
        contract.collect(subscription, 10)
        kafka.run("kill", "kafka")
        with self.assertRaises(BusUnavailable):
            self.publish(10, first=10)
        kafka.up()
        self.eventually(lambda: self.publish(10, first=20))
        found: set[int] = set()

        def go_on():
            found.update(contract.numbers(subscription.poll(100, 1.0)))
            if not set(range(20, 30)) <= found:
                raise BusUnavailable("not yet")

        self.eventually(go_on)

    def test_it_starts_while_kafka_is_down_and_leaves_no_threads(self):
        """(F5)"""
        bus = open_bus(self.driver, "127.0.0.1:1", publish_timeout=1.0)
        self.addCleanup(bus.close)
        subscription = bus.subscribe(self.topic, self.group("persister"))
        self.addCleanup(subscription.close)
        before = None
        for _ in range(3):
            with self.assertRaises(BusUnavailable):
                bus.publish(self.topic, [contract.record(1)])
            with self.assertRaises(BusUnavailable):
                subscription.poll(1, 0.1)
            self.assertFalse(bus.health().ok)
            before = before or threading.active_count()
        self.assertLessEqual(threading.active_count(), before)

    def test_records_that_kafka_removed_are_a_gap(self):
        """Positions out of range go on at the oldest, and count (F25)."""
        self.bus.publish(self.topic,
                         [contract.record(n) for n in range(10)])
        first = self.subscribe()
        found = contract.collect(first, 10)
        partition = found[0].partition
        first.commit({partition: found[3].offset})
        first.close()
        self.remove_before(partition, found[6].offset)
        second = self.subscribe()
        with self.assertLogs("monasca_events_common.bus", "WARNING"):
            again = contract.collect(second, 4)
        self.assertEqual([6, 7, 8, 9], contract.numbers(again))
        self.assertEqual(1, second.gaps)

    @abc.abstractmethod
    def stall(self, subscription) -> None:
        """Make the client deliver nothing, as its faults once did."""

    def remove_before(self, partition: int, offset: int) -> None:
        from kafka import KafkaAdminClient
        from kafka import TopicPartition
        admin = KafkaAdminClient(bootstrap_servers=kafka.uri)
        try:
            admin.delete_records(
                {TopicPartition(self.topic, partition): offset})
        finally:
            admin.close()

    def test_a_consumer_that_stands_still_is_made_anew(self):
        """Nothing is lost, and the watcher knows."""
        bus = self.open_bus(watchdog_seconds=5.0)
        watcher = contract.Ownership()
        subscription = self.subscribe(watcher=watcher, bus=bus)
        self.publish(10)
        subscription.commit(contract.positions(
            contract.collect(subscription, 10)))
        self.stall(subscription)
        self.publish(10, first=10)
        self.assertEqual(set(range(10, 20)), set(contract.numbers(
            contract.collect(subscription, 10))))
        self.assertLessEqual(1, subscription.rebuilds)
        self.assertEqual(self.PARTITIONS, len(watcher.partitions))
        self.assertIn(("revoked", (0, 1, 2, 3)), watcher.told)

    def test_both_drivers_put_a_key_in_the_same_partition(self):
        keys = {}
        for driver in (KafkaBus, ConfluentBus):
            bus = open_bus(driver, kafka.uri)
            self.addCleanup(bus.close)
            bus.publish(self.topic, contract.records(16))
        for delivery in contract.collect(self.subscribe(), 32):
            keys.setdefault(delivery.key, set()).add(delivery.partition)
        self.assertEqual({1}, set(map(len, keys.values())))

    def test_members_that_come_and_go_lose_nothing(self):
        """A storm: no record missing, no partition stuck (F6)."""
        seen: set[int] = set()
        stop = threading.Event()
        errors: list[BaseException] = []

        def work(bus, rounds):
            subscription = bus.subscribe(self.topic, self.group("persister"))
            try:
                while not stop.is_set() and rounds:
                    found = contract.polled(subscription, 50, 0.3)
                    seen.update(contract.numbers(found))
                    # Without it they come again.
                    with contextlib.suppress(BusUnavailable):
                        subscription.commit(contract.positions(found))
                    rounds -= 1
            except BaseException as error:  # shown at the test's end
                errors.append(error)
            finally:
                subscription.close()

        def come_and_go(bus):
            while not stop.is_set():
                work(bus, 5)

        members = [threading.Thread(target=work, args=(self.bus, -1)),
                   *(threading.Thread(target=come_and_go, args=(
                       self.open_bus(),)) for _ in range(2))]
        for member in members:
            member.start()
        for first in range(0, 1000, 50):
            self.publish(50, first=first)
            time.sleep(0.2)
        deadline = time.monotonic() + contract.PATIENCE
        while len(seen) < 1000 and time.monotonic() < deadline:
            time.sleep(0.1)
        stop.set()
        for member in members:
            member.join()
        self.assertEqual([], errors)
        self.assertEqual(set(range(1000)), seen)


class TestKafkaBus(KafkaContract, unittest.TestCase):
    """By kafka-python."""

    driver = KafkaBus
    name = "kafka"

    def stall(self, subscription) -> None:
        consumer = subscription._member.consumer
        consumer.pause(*consumer.assignment())

    def test_it_waits_for_a_slow_kafka_without_turning_in_circles(self):
        """One request is under way and records for others are there."""
        bus = self.open_bus()
        self.publish(10)

        def publish(number: int) -> None:
            with contextlib.suppress(BusUnavailable):
                bus.publish(self.topic, [Record(b"%d" % number, b"{}", {})])
        bus.publish(self.topic, [Record(b"0", b"{}", {})])
        sender = time.pthread_getcpuclockid(bus._producer._sender.ident)
        publishers = [threading.Thread(target=publish, args=(number,))
                      for number in range(20)]
        self.break_log()
        try:
            for one in publishers:
                one.start()
                time.sleep(0.01)  # or one request takes all
            began = time.clock_gettime(sender)
            time.sleep(1.0)
            used = time.clock_gettime(sender) - began
        finally:
            self.mend_log()
            for one in publishers:
                one.join()
        self.assertLess(used, 0.2)


class TestConfluentBus(KafkaContract, unittest.TestCase):
    """By confluent-kafka."""

    driver = ConfluentBus
    name = "confluent"

    def stall(self, subscription) -> None:
        consumer = subscription._consumer
        consumer.pause(consumer.assignment())
