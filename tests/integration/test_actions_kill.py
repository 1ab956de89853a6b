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

"""kill -9 of processes that deliver: nothing is lost, and what comes twice
has one id (F4, R1, R10)."""

import collections
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import sqlalchemy as sa

from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import signing
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.errors import Unavailable
from tests.integration import servers
from tests.integration.daemons import wait_for
from tests.integration.databases import make_database
from tests.unit.engine.outgoing import method
from tests.unit.engine.outgoing import Table
from tests.unit.engine.receiver import Receiver

ROOT = pathlib.Path(__file__).resolve().parents[2]
KILLS = 10
SEED = 20261122


class KillTests:
    """Mixed into a TestCase with ``url``, an empty database's."""

    url: str

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.key_file = pathlib.Path(folder.name) / "key"
        self.folder = folder.name
        secrets = Secrets(self.key_file, make=True)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.database = self.make()
        self.addCleanup(self.database.close)
        self.database.upgrade()
        self.method_id = method(
            Catalog(self.database), secrets, kind="webhook",
            address=f"http://127.0.0.1:{self.receiver.port}/",
            keys=[signing.make_key()])

    def start(self, *options: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.delivering",
             self.database.engine.url.render_as_string(hide_password=False),
             str(self.key_file), str(self.receiver.port), *options],
            cwd=ROOT, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(b"ready\n", process.stdout.readline())
        return process

    def open(self) -> int:
        with self.database.read() as connection:
            return connection.scalar(
                sa.select(sa.func.count()).select_from(DELIVERIES).where(
                    DELIVERIES.c.status != "delivered"))

    def added(self, table: Table) -> list[dict]:
        """Insert deliveries; return none where the database is busy."""
        try:
            return table.add(5, method_id=self.method_id, action="webhook")
        except Unavailable:
            return []

    def test_every_delivery_arrives_and_has_one_id(self):
        """F4: two members, one of which is killed now and then."""
        rng = random.Random(SEED)
        table = Table(self.database)
        inserting = ["--insert", self.method_id]
        members = [self.start(*inserting), self.start(*inserting)]
        for _ in range(KILLS):
            before = len(self.receiver.requests)
            wait_for("something arrives", lambda before=before: len(
                self.receiver.requests) > before)
            # What the API puts there.
            wait_for("they are taken", lambda: self.added(table))
            time.sleep(rng.uniform(0.0, 0.8))
            place = rng.randrange(2)
            members[place].send_signal(signal.SIGKILL)
            members[place].wait()
            members[place] = self.start(*inserting)
        for one in members:
            one.send_signal(signal.SIGTERM)
        self.assertEqual([0, 0], [one.wait(120) for one in members])
        last = self.start()
        wait_for("all are delivered", lambda: self.open() == 0, 120)
        last.send_signal(signal.SIGTERM)
        self.assertEqual(0, last.wait(120))
        self.check()

    def check(self) -> None:
        with self.database.read() as connection:
            wanted = set(connection.scalars(sa.select(
                DELIVERIES.c.delivery_id)))
        arrived = collections.Counter(self.receiver.ids)
        self.assertEqual(wanted, set(arrived))
        self.assertGreater(len(wanted), 50 * KILLS // 10)
        bodies = collections.defaultdict(set)
        for _, headers, body in self.receiver.requests:
            bodies[headers["webhook-id"]].add(body)
        # The same firing each time, so that a repeat really is one.
        self.assertEqual({1}, {len(one) for one in bodies.values()})
        repeated = sum(arrived.values()) - len(arrived)
        print(f"seed {SEED}: {len(wanted)} deliveries, {KILLS} kills, "
              f"{repeated} repeats", file=sys.stderr)
        # Of each kill what its threads had in hand and what was not written
        # down yet: a group's time at most.
        self.assertLess(repeated, KILLS * 100)


class TestSqlite(KillTests, unittest.TestCase):

    def make(self) -> Database:
        return Database(f"sqlite:///{self.folder}/events.db")


class TestMariadb(KillTests, unittest.TestCase):

    def make(self) -> Database:
        return Database(make_database(
            type(self), "mariadb", servers.up("mariadb")))


class TestPostgresql(KillTests, unittest.TestCase):

    def make(self) -> Database:
        return Database(make_database(
            type(self), "postgresql", servers.up("postgresql")))
