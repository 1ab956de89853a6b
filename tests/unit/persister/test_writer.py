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

"""Bus to store on the embedded drivers: stored, repeated, dead, expired."""

import datetime
import pathlib
import tempfile
import threading
import time
import unittest

import orjson

from monasca_events_common import event as events
from monasca_events_common import stream
from monasca_events_common.bus import Record
from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.query import Query
from monasca_events_common.store.sqlite import SqliteStore
from monasca_events_common.stream import StreamLoop
from monasca_events_persister import retention
from monasca_events_persister.retention import Retention
from monasca_events_persister.writer import STAGE
from monasca_events_persister.writer import Writer
from tests.bench.sample import options
from tests.unit.common.test_event import complete

PROJECT, OTHER = "a" * 32, "b" * 32


def record(source_id: str, project_id: str = PROJECT, **changed) -> Record:
    return events.record(complete(
        event_id=events.event_id(project_id, source_id),
        project_id=project_id, **changed))


class TestPersister(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.bus = SqliteBus(options(SqliteBus.OPTS,
                                     path=str(self.folder / "bus.db")))
        self.addCleanup(self.bus.close)
        self.store = SqliteStore(options(SqliteStore.OPTS,
                                         path=str(self.folder / "s.db")))
        self.addCleanup(self.store.close)
        self.dead = DeadLetters(f"sqlite:///{self.folder}/dead.db")
        self.addCleanup(self.dead.close)

    def persist(self, records) -> None:
        """Publish, then drive the loop until nothing is left."""
        self.bus.publish("monevents", records)
        loop = StreamLoop(
            STAGE, "monevents",
            lambda watcher: self.bus.subscribe("monevents", "p", watcher),
            Writer(self.store), self.dead,
            options(stream.OPTS, batch_wait=0.0))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            loop.step()
            lag = loop._subscription.lag()
            if lag and not sum(lag.values()):
                break
        else:
            self.fail("the loop did not finish")
        stop = threading.Event()
        stop.set()
        loop.run(stop)

    def found(self, project_id: str = PROJECT) -> list[dict]:
        return [orjson.loads(one) for one in
                self.store.search(project_id, Query(limit=500)).events]

    def test_each_tenant_finds_its_own(self):
        # B11, B16, B24, D13
        self.persist([record("1"), record("2"), record("1", OTHER)])
        self.assertEqual(2, len(self.found()))
        self.assertEqual([OTHER], [one["project_id"]
                                   for one in self.found(OTHER)])

    def test_a_repeat_is_a_success_and_in_view_once(self):
        self.persist([record("1"), record("1")])
        self.persist([record("1")])
        self.assertEqual(1, len(self.found()))
        self.assertEqual([], self.dead.list())

    def test_poison_among_good_ones_reaches_the_dead_letters(self):
        good = record("1")
        old = Record(PROJECT.encode(), orjson.dumps(
            {"event": {"event_type": "a.b", "payload": {}},
             "creation_time": 1700000000,
             "meta": {"project_id": PROJECT}}), {})
        self.persist([
            Record(b"\xff", b"\xfe", {}), good,
            Record(OTHER.encode(), good.value, good.headers), old,
            Record(PROJECT.encode(), good.value,
                   {**good.headers, "schema": b"99"})])
        self.assertEqual(2, len(self.found()))
        self.assertEqual([], self.found(OTHER))
        self.assertEqual(
            {("persister", "not_json"): 1, ("persister", "forged_record"): 1,
             ("persister", "unsupported_version"): 1}, self.dead.count())

    def test_a_letter_names_its_place_and_can_be_put_back(self):
        good = record("1")
        self.persist([Record(good.key, good.value,
                             {**good.headers, "schema": b"99"})])
        letter, = self.dead.list()
        self.assertRegex(letter.position, r"^monevents/\d+/\d+$")
        self.persist([Record(letter.project_id.encode(), letter.raw,
                             {**{name: value.encode() for name, value in
                                 letter.headers.items()},
                              "schema": b"1"})])
        self.assertEqual(1, len(self.found()))

    def test_retention_removes_what_has_expired_and_nothing_else(self):
        # E12, T25
        self.persist([
            record("old", timestamp="2026-01-01T00:00:00.000000Z"),
            record("new", timestamp="2026-11-20T00:00:00.000000Z"),
            record("other", OTHER, timestamp="2026-01-01T00:00:00.000000Z")])
        removed = Retention(self.store, options(
            retention.OPTS, days=30)).expire(
                datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc))
        self.assertEqual(2, removed)
        self.assertEqual([events.event_id(PROJECT, "new")],
                         [one["event_id"] for one in self.found()])
        self.assertEqual([], self.found(OTHER))
