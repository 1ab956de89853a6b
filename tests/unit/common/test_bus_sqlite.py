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

"""The embedded bus: the contract, and what only a file can do."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from oslo_config import cfg

from monasca_events_common.bus import Record
from monasca_events_common.bus import sqlite_group
from monasca_events_common.bus import sqlite_log
from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import Misconfigured
from tests.contract import bus as contract
from tests.contract import bus_tails as tails

# Publishes until it is killed; says each number once it was acknowledged.
PUBLISHER = """
import sys
from tests.contract.bus import record
from tests.unit.common.test_bus_sqlite import open_bus
bus = open_bus(sys.argv[1])
number = int(sys.argv[2])
while number < int(sys.argv[3]):
    bus.publish("crash", [record(number, b"%d" % (number % 7))])
    sys.stdout.write("%d\\n" % number)
    sys.stdout.flush()
    number += 1
"""


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def configure(path: str, **options) -> cfg.ConfigOpts:
    """Return the options of a bus on that file, some of them set."""
    conf = cfg.ConfigOpts()
    conf.register_opts(SqliteBus.OPTS, group=SqliteBus.GROUP)
    conf([], default_config_files=[], default_config_dirs=[])
    # What is to succeed may take its time.
    for name, value in {"path": path, "publish_timeout": contract.PATIENCE,
                        **options}.items():
        conf.set_override(name, value, group=SqliteBus.GROUP)
    return conf


def open_bus(path: str, clock=None, now=None,
             conf: cfg.ConfigOpts | None = None) -> SqliteBus:
    """Return a bus on that file, with options of its own if told so."""
    conf = conf or configure(path)
    arguments = {}
    if clock is not None:
        arguments["clock"] = clock
    if now is not None:
        arguments["now"] = now
    return SqliteBus(conf[SqliteBus.GROUP], **arguments)


class FileCase(unittest.TestCase):
    """Gives each test a directory and a clock of its own."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "log", "bus.db")
        self.clock = Clock()
        self.now = Clock()
        #: The options of each bus that was opened.
        self.confs: list[cfg.ConfigOpts] = []
        super().setUp()

    def open(self, **options) -> SqliteBus:
        self.confs.append(configure(self.path, **options))
        bus = open_bus(self.path, self.clock, self.now, self.confs[-1])
        self.addCleanup(bus.close)
        return bus

    def query(self, statement: str):
        db = sqlite3.connect(self.path)
        try:
            return db.execute(statement).fetchall()
        finally:
            db.close()

    def check_integrity(self) -> None:
        self.assertEqual([("ok",)], self.query("PRAGMA integrity_check"))


class TestSqliteBus(contract.BusContract, tails.TailContract, FileCase):
    """The contract of every bus."""

    def setUp(self) -> None:
        self.lock: sqlite3.Connection | None = None
        super().setUp()

    def break_log(self) -> None:
        self.lock = sqlite3.connect(self.path, isolation_level=None)
        self.lock.execute("BEGIN IMMEDIATE")
        self.set_timeout(0.5)

    def mend_log(self) -> None:
        self.lock.close()
        self.set_timeout(contract.PATIENCE)

    def set_timeout(self, seconds: float) -> None:
        """Have every bus give up after so long."""
        for conf in self.confs:
            conf.set_override("publish_timeout", seconds,
                              group=SqliteBus.GROUP)

    def open_bus(self) -> SqliteBus:
        return self.open()

    def lose_member(self, topic: str, group: str) -> None:
        lost = self.open_bus().subscribe(topic, group)
        self.assertTrue(contract.collect(lost, 1))
        self.clock.now += 60


class TestTails(FileCase):
    """What only the file can show."""

    def test_a_tail_leaves_nothing_behind_and_keeps_nothing(self):
        bus = self.open(retention=0)
        bus.publish("t", contract.records(20))
        tail = bus.tail("t", 5)
        tail.poll(2, 0)
        self.assertEqual([], self.query("SELECT name FROM groups"))
        group = bus.subscribe("t", "g")
        group.commit(contract.positions(contract.collect(group, 20)))
        self.assertEqual([(0,)], self.query("SELECT COUNT(*) FROM records"))
        tail.close()

    def test_what_went_before_a_tail_read_it_is_a_gap(self):
        bus = self.open(retention=0)
        bus.publish("t", [contract.record(n) for n in range(20)])
        tail = bus.tail("t", 10)
        self.assertEqual([10, 11], contract.numbers(tail.poll(2, 0)))
        group = bus.subscribe("t", "g")
        group.commit(contract.positions(contract.collect(group, 20)))
        bus.publish("t", [contract.record(20)])
        self.assertEqual([20], contract.numbers(tail.poll(9, 0)))
        self.assertEqual(1, tail.gaps)


class TestLeases(FileCase):
    """Who owns a partition, decided by the file and the clock."""

    def setUp(self) -> None:
        super().setUp()
        self.bus = self.open()
        self.bus.publish("t", contract.records(80))

    def member(self):
        watcher = contract.Ownership()
        return self.bus.subscribe("t", "g", watcher), watcher

    def test_a_sleeper_s_commit_does_not_move_the_position(self):
        """It lost its lease without noticing: the fence is in the file."""
        sleeper, _ = self.member()
        found = contract.collect(sleeper, 80)
        self.clock.now += 60
        other, watcher = self.member()
        again = contract.collect(other, 80)
        self.assertEqual({0, 1, 2, 3}, watcher.partitions)
        other.commit({d.partition: 1 for d in again})
        sleeper.commit(contract.positions(found))
        self.assertEqual([(1,)] * 4, self.query("SELECT next FROM positions"))

    def test_a_sleeper_forgets_what_it_held(self):
        """It lost its lease and got it back: it goes on at the group's
        position, not at its own."""
        sleeper, watcher = self.member()
        sleeper.poll(3, 1.0)
        self.clock.now += 60
        other, _ = self.member()
        other.commit(contract.positions(contract.collect(other, 80)))
        other.close()
        self.assertEqual([], list(sleeper.poll(100, 0.1)))
        self.assertEqual(["assigned", "revoked", "assigned"],
                         [what for what, _ in watcher.told])

    def test_a_lonely_sleeper_keeps_its_partitions(self):
        sleeper, watcher = self.member()
        found = contract.collect(sleeper, 80)
        self.clock.now += 60
        sleeper.commit(contract.positions(found))
        sleeper.poll(1, 0)
        self.assertEqual(1, len(watcher.told))
        self.assertEqual({0}, set(sleeper.lag().values()))

    def test_polling_renews_the_lease_also_while_paused(self):
        """(F7)"""
        keeper, watcher = self.member()
        contract.collect(keeper, 80)
        keeper.pause()
        other, others = self.member()
        for _ in range(20):
            self.clock.now += 5
            keeper.poll(1, 0)
            other.poll(1, 0)
        self.assertEqual(2, len(watcher.partitions))
        self.assertEqual(2, len(others.partitions))

    def test_a_lease_of_before_the_machine_s_start_has_ended(self):
        """The clock began anew, so a renewal lies in the future."""
        contract.collect(self.member()[0], 80)
        self.clock.now = 3.0
        survivor, watcher = self.member()
        survivor.poll(1, 1.0)
        self.assertEqual({0, 1, 2, 3}, watcher.partitions)

    def test_more_members_than_partitions_leave_some_idle(self):
        members = [self.member() for _ in range(6)]
        for _ in range(4):
            for subscription, _ in members:
                subscription.poll(1, 0)
        held = [len(watcher.partitions) for _, watcher in members]
        self.assertEqual([0, 0, 1, 1, 1, 1], sorted(held))

    def test_closing_the_bus_gives_up_the_leases_at_once(self):
        bus = self.open()
        contract.collect(bus.subscribe("t", "g"), 80)
        bus.close()
        survivor, watcher = self.member()
        survivor.poll(1, 1.0)
        self.assertEqual({0, 1, 2, 3}, watcher.partitions)

    def test_a_forgotten_group_is_new_when_it_comes_back(self):
        subscription, watcher = self.member()
        subscription.commit(contract.positions(
            contract.collect(subscription, 80)))
        self.bus.forget("t", "g")
        self.assertEqual(80, len(contract.collect(subscription, 80)))
        self.assertEqual(["assigned", "revoked", "assigned"],
                         [what for what, _ in watcher.told])


class TestFairShare(unittest.TestCase):
    def test_who_holds_most_keeps_the_remainder(self):
        self.assertEqual(
            {"a": 1, "b": 2, "c": 1},
            sqlite_group.fair_share({"a": 0, "b": 4, "c": 0}, 4))

    def test_every_partition_is_somebody_s(self):
        for partitions in range(9):
            for members in range(1, 9):
                share = sqlite_group.fair_share(
                    {str(n): n for n in range(members)}, partitions)
                self.assertEqual(partitions, sum(share.values()))
                self.assertLessEqual(
                    max(share.values()) - min(share.values()), 1)


class TestRoom(FileCase):
    """A full log, trimming, retention."""

    def large(self, count: int) -> list[Record]:
        return [Record(b"%d" % number, os.urandom(10_000), {})
                for number in range(count)]

    def fill(self, bus) -> int:
        """Publish until refused; return how many records were taken."""
        count = 0
        while True:
            try:
                bus.publish("t", self.large(10))
            except BusUnavailable:
                return count
            count += 10

    def test_a_full_log_refuses_and_takes_again_when_consumed(self):
        """(F16)"""
        bus = self.open(max_bytes=1 << 20)
        slow = bus.subscribe("t", "slow")
        slow.poll(1, 0)
        count = self.fill(bus)
        self.assertGreater(count, 50)
        with self.assertRaises(BusUnavailable) as caught:
            bus.publish("t", self.large(10))
        self.assertEqual("bus_full", caught.exception.code)
        self.assertIn("slow", str(caught.exception))
        found = contract.collect(slow, count)
        self.assertEqual(count, len(found))
        slow.commit(contract.positions(found))
        self.assertGreater(self.fill(bus), 50)
        self.assertLessEqual(os.stat(self.path).st_size, 1.1 * (1 << 20))
        self.check_integrity()

    def test_a_full_log_drops_nothing_that_nobody_consumes(self):
        bus = self.open(max_bytes=1 << 20)
        count = self.fill(bus)
        self.assertEqual(
            count, len(contract.collect(bus.subscribe("t", "g"), count)))

    def test_a_full_disk_is_unavailable_and_recovers(self):
        """(F16) What SQLite says is what it says on a full disk."""
        bus = self.open()
        bus.publish("t", self.large(10))
        subscription = bus.subscribe("t", "g")
        found = contract.collect(subscription, 10)
        pages = bus.write(lambda db: db.execute(
            "PRAGMA page_count").fetchone()[0])
        bus.write(lambda db: db.execute(
            f"PRAGMA max_page_count = {pages + 100}").fetchone())
        self.fill(bus)
        self.check_integrity()
        subscription.commit(contract.positions(found))
        bus.write(lambda db: db.execute(
            "PRAGMA max_page_count = 1000000").fetchone())
        bus.publish("t", self.large(100))
        self.check_integrity()

    def test_one_record_that_does_not_fit_fails_alone(self):
        """Callers whose changes share a transaction do not share a fault."""
        bus = self.open()
        bus.publish("t", self.large(1))
        with self.assertRaises(ZeroDivisionError):
            bus.write(lambda db: 1 // 0)
        bus.publish("t", self.large(1))
        self.assertEqual([(2,)], self.query("SELECT count(*) FROM records"))

    def test_consumed_records_are_trimmed_after_the_retention(self):
        bus = self.open(retention=600)
        bus.publish("t", contract.records(40))
        one, two = bus.subscribe("t", "one"), bus.subscribe("t", "two")
        done = contract.positions(contract.collect(one, 40))
        self.assertEqual(done,
                         contract.positions(contract.collect(two, 40)))
        one.commit(done)
        self.now.now += 601
        one.commit(done)
        self.assertEqual([(40,)], self.query("SELECT count(*) FROM records"))
        two.commit(done)
        self.assertEqual([(0,)], self.query("SELECT count(*) FROM records"))
        bus.publish("t", contract.records(10, first=40))
        self.assertEqual(set(range(40, 50)),
                         set(contract.numbers(contract.collect(one, 10))))

    def test_a_gap_is_seen_and_counted(self):
        """Offsets go on after trimming, so that a gap shows (F25)."""
        bus = self.open(retention=0, partitions=1)
        subscription = bus.subscribe("t", "g")
        bus.publish("t", contract.records(10))
        contract.collect(subscription, 10)
        self.now.now += 1
        subscription.commit({0: 6})
        with self.assertLogs("monasca_events_common.bus", "WARNING"):
            subscription.seek({0: 0})
            found = contract.collect(subscription, 4)
        self.assertEqual([6, 7, 8, 9], [d.offset for d in found])
        self.assertEqual(1, subscription.gaps)


class TestFile(FileCase):
    """The file itself."""

    def test_nobody_else_can_read_it(self):
        """(S22)"""
        bus = self.open()
        bus.publish("t", contract.records(1))
        for name in ("", "-wal", "-shm"):
            self.assertEqual(
                0o600, os.stat(self.path + name).st_mode & 0o777)

    def test_a_newer_release_s_file_is_left_alone(self):
        db = sqlite_log.connect(self._made(), 1.0)
        db.execute(f"PRAGMA user_version = {sqlite_log.VERSION + 1}")
        db.close()
        with self.assertRaises(Misconfigured):
            self.open().publish("t", contract.records(1))

    def _made(self) -> str:
        self.open().publish("t", contract.records(1))
        return self.path

    def test_what_is_no_log_is_unavailable_and_left_alone(self):
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as other:
            other.write(b"not a database" * 1000)
        bus = self.open()
        with self.assertRaises(BusUnavailable):
            bus.publish("t", contract.records(1))
        self.assertFalse(bus.health().ok)
        with open(self.path, "rb") as other:
            self.assertEqual(14_000, len(other.read()))

    def test_headers_keep_names_values_and_order(self):
        headers = {"b": b"\x00\xff" * 20_000, "a": b"", "é\n": b"{}"}
        again = sqlite_log.decode_headers(sqlite_log.encode_headers(headers))
        self.assertEqual(list(headers.items()), list(again.items()))


class TestProcesses(FileCase):
    """Several processes, some of which die."""

    def start(self, first: int, last: int) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, self.path, str(first),
             str(last)], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def stored(self) -> list[int]:
        return [int(value) for value, in
                self.query("SELECT CAST(value AS TEXT) FROM records")]

    def test_a_killed_publisher_loses_nothing_acknowledged(self):
        """(F24)"""
        acknowledged: set[int] = set()
        for run in range(10):
            publisher = self.start(run * 100_000, (run + 1) * 100_000)
            for _ in range(20 + 7 * run):
                acknowledged.add(int(publisher.stdout.readline()))
            publisher.send_signal(signal.SIGKILL)
            acknowledged.update(map(int, publisher.stdout))
            publisher.wait()
        self.check_integrity()
        stored = self.stored()
        self.assertEqual(len(stored), len(set(stored)))
        self.assertLessEqual(acknowledged, set(stored))
        # At most the one that was under way was stored unacknowledged.
        self.assertLessEqual(len(stored) - len(acknowledged), 10)
        found = contract.collect(
            self.open().subscribe("crash", "g"), len(stored))
        self.assertEqual(sorted(stored), sorted(contract.numbers(found)))

    def test_eight_processes_publish_at_once(self):
        """(F24)"""
        publishers = [self.start(n * 1000, n * 1000 + 60) for n in range(8)]
        said = []
        for publisher in publishers:
            said.extend(map(int, publisher.stdout))
            self.assertEqual(0, publisher.wait())
        self.assertEqual(480, len(said))
        self.assertEqual(sorted(said), sorted(self.stored()))
        self.check_integrity()
        self.assertEqual(
            [(480,)], self.query("SELECT SUM(next) FROM partitions"))


class TestHandedOver(FileCase):
    """A tail gives what its own process published without reading it, and is
    no different for it."""

    def setUp(self) -> None:
        super().setUp()
        self.bus = self.open(partitions=1)
        self.tail = self.bus.tail("t", 0)
        self.addCleanup(self.tail.close)
        self.tail.poll(10, 0)
        self.other = self.open(partitions=1)
        self.numbers = itertools.count()

    def publish(self, bus: SqliteBus, count: int, size: int = 10) -> None:
        bus.publish("t", [
            Record(b"key", b"%d " % next(self.numbers) + b"." * size,
                   {"schema": b"1"}) for _ in range(count)])

    def check(self, count: int) -> None:
        """All that was published comes, in its order, as it is in the log."""
        found: list = []
        while more := self.tail.poll(3, 0):
            found += more
        self.assertEqual(list(range(count)), [one.offset for one in found])
        again = self.other.tail("t", 1000)
        self.addCleanup(again.close)
        self.assertEqual(
            [(one.key, dict(one.headers), one.value) for one in found],
            [(one.key, dict(one.headers), one.value)
             for one in again.poll(1000, 1)])

    def test_what_others_publish_comes_in_between(self):
        for _ in range(10):
            self.publish(self.bus, 2)
            self.publish(self.other, 1)
        self.check(30)

    def test_what_is_too_much_to_keep_is_read(self):
        for _ in range(30):
            self.publish(self.bus, 1, 700_000)
        self.check(30)

    def test_what_was_read_first_does_not_come_again(self):
        places = []
        hand, self.tail.hand = self.tail.hand, (
            lambda *handed: places.append(handed))
        self.publish(self.bus, 3)
        found = self.tail.poll(2, 0)
        for one in places:
            hand(*one)
        self.tail.hand = hand
        self.publish(self.bus, 2)
        found += self.tail.poll(10, 0)
        self.assertEqual(list(range(5)), [one.offset for one in found])

    def test_a_closed_tail_is_handed_nothing(self):
        self.tail.close()
        self.publish(self.bus, 1)
        self.assertFalse(self.tail._handed)

    def test_another_topics_records_do_not_come(self):
        self.bus.publish("u", [Record(b"key", b"x", {})])
        self.publish(self.bus, 1)
        self.check(1)
