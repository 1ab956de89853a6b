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

"""Tenants' transforms are applied to what is stored, and to nothing else
(B40, B41, B49)."""

import pathlib
import tempfile
import unittest
import uuid

import orjson

from monasca_events_common import event as events
from monasca_events_common.bus import Delivery
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import TRANSFORMS
from monasca_events_common.database import Database
from monasca_events_common.errors import Unavailable
from monasca_events_common.query import Query
from monasca_events_common.store.sqlite import SqliteStore
from monasca_events_common.transformer import Transformer
from monasca_events_persister.writer import Writer
from tests.bench.sample import options
from tests.unit.common.rules.samples import event
from tests.unit.common.rules.samples import OTHER
from tests.unit.common.rules.samples import PROJECT

NOW = "2026-11-22T10:00:00.000000Z"


def deliveries(*sent: dict) -> list[Delivery]:
    made = [events.record(one) for one in sent]
    return [Delivery(one.key, one.value, one.headers, 0, number)
            for number, one in enumerate(made)]


class TestTransformer(unittest.TestCase):
    """B36, D7"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.database = Database(f"sqlite:///{self.folder}/d.db")
        self.database.upgrade()
        self.addCleanup(self.database.close)
        self.catalog = Catalog(self.database)
        self.store = SqliteStore(options(SqliteStore.OPTS,
                                         path=str(self.folder / "s.db")))
        self.addCleanup(self.store.close)
        self.writer = Writer(self.store, Transformer(lambda: self.catalog))

    def define(self, *operations, event_type="vm", **more) -> str:
        made = str(uuid.uuid4())
        self.catalog.create(PROJECT, TRANSFORMS, made, {
            "name": made, "pattern": {"event_type": [event_type]},
            "operations": list(operations), **more}, NOW)
        return made

    def write(self, *sent: dict):
        self.writer.tick(0.0, dict)
        return self.writer.handle(deliveries(*sent))

    def stored(self, project_id: str = PROJECT) -> list[dict]:
        return [orjson.loads(one) for one in self.store.search(
            project_id, Query(descending=False)).events]

    def test_a_tenants_events_are_changed_and_no_other_tenants(self):
        self.define({"mask": ["payload.password"]})
        self.write(event("vm", payload={"password": "pw"}),
                   event("vm", 1, project_id=OTHER,
                         payload={"password": "pw"}))
        self.assertEqual("***", self.stored()[0]["payload"]["password"])
        self.assertEqual("pw", self.stored(OTHER)[0]["payload"]["password"])

    def test_what_is_masked_is_not_found_by_its_words(self):
        self.define({"mask": ["payload.password"]})
        self.write(event("vm", payload={"password": "topsecret"}))
        self.assertEqual([], list(self.store.search(
            PROJECT, Query(words=["topsecret"])).events))

    def test_an_event_that_no_transform_wants_keeps_its_bytes(self):
        self.define({"drop": True}, event_type="other")
        sent = event("vm")
        self.write(sent)
        self.assertEqual([events.record(sent).value],
                         list(self.store.search(PROJECT, Query()).events))

    def test_events_are_dropped_and_split(self):
        self.define({"drop": True}, event_type="noise")
        self.define({"split": "payload.parts"}, event_type="several")
        several = event("several", payload={"parts": [1, 2, 3]})
        for _ in range(2):  # a repeat is a repeat of each part
            self.assertEqual([], self.write(event("noise"), several))
        self.assertEqual([1, 2, 3], sorted(
            one["payload"]["parts"] for one in self.stored()))

    def test_changes_take_effect_without_a_restart(self):
        made = self.define({"set": {"traits.x": 1}})
        self.write(event("vm", 1))
        old = self.catalog.get(PROJECT, TRANSFORMS, made)
        self.catalog.update(PROJECT, TRANSFORMS, made, {
            **old.content, "operations": [{"set": {"traits.x": 2}}]}, NOW)
        self.write(event("vm", 2))
        self.catalog.delete(PROJECT, TRANSFORMS, made, NOW)
        self.write(event("vm", 3))
        self.assertEqual([1, 2, None], [one["traits"].get("x")
                                        for one in self.stored()])

    def test_what_a_broken_one_might_want_is_a_dead_letter(self):
        """Neither lost nor stored as it must not be; others go on."""
        self.define({"drop": ["timestamp"]}, event_type="secret")
        self.define({"set": {"traits.x": 1}})
        rejected, = self.write(event("vm", 1), event("secret", 2),
                               event("secret", 3, project_id=OTHER))
        self.assertEqual((1, "transform_broken"),
                         (rejected.position, rejected.code))
        self.assertEqual([1], [one["traits"].get("x")
                               for one in self.stored()])
        self.assertEqual(1, len(self.stored(OTHER)))

    def test_what_fails_is_stored_without_what_was_to_be_hidden(self):
        self.define({"mask": ["payload.password"]}, {"set": {
            "traits.x": {"jmespath": "abs(payload.password)"}}})
        self.assertEqual([], self.write(
            event("vm", payload={"password": "topsecret", "a": 1})))
        found, = self.stored()
        self.assertEqual({"password": "***", "a": 1}, found["payload"])
        self.assertEqual([], list(self.store.search(
            PROJECT, Query(words=["topsecret"])).events))

    def test_a_record_that_is_no_event_is_a_dead_letter(self):
        """Whoever can write to the bus can write half an event."""
        self.define({"mask": ["payload.password"]})
        self.writer.tick(0.0, dict)
        good, = deliveries(event("vm"))
        for value in (good.value[:-1],
                      good.value.partition(b',"event_type"')[0] + b',"x":1}',
                      good.value.replace(b'"payload":{}', b'"payload":[]')):
            with self.subTest(value=value[-20:]):
                found, = self.writer.handle(
                    [good._replace(value=value)])
                self.assertIn(found.code, ("not_json", "invalid_record"))

    def test_until_it_is_known_what_tenants_want_nothing_is_stored(self):
        def away():
            raise Unavailable("the database is away")
        writer = Writer(self.store, Transformer(away))
        with self.assertRaises(Unavailable):
            writer.handle(deliveries(event("vm")))
        self.assertEqual([], self.stored())

    def test_once_it_is_known_an_absent_database_stops_nothing(self):
        self.define({"set": {"traits.x": 1}})
        self.write(event("vm", 1))
        self.database.close()
        self.catalog._database = Database(f"sqlite:///{self.folder}/no/x.db")
        self.write(event("vm", 2))
        self.assertEqual([1, 1], [one["traits"]["x"]
                                  for one in self.stored()])

    def test_an_event_that_would_outgrow_its_limit_stays_as_it_was(self):
        self.define({"split": "payload.p"}, {"set": {
            f"payload.copy{n}": {"jmespath": "payload.big"}
            for n in range(5)}}, {"mask": ["payload.q"]})
        self.write(event("vm", payload={"big": ["x" * 1000] * 60,
                                        "p": [1], "q": "pw"}))
        found, = self.stored()
        self.assertIn("*", found["marks"]["transform_failed"])
        self.assertNotIn("copy0", found["payload"])
        self.assertEqual("***", found["payload"]["q"])

    def test_an_event_that_the_operator_lets_be_larger_is_changed_too(self):
        self.define({"mask": ["payload.q"]})
        sent = event("vm", payload={"big": ["x" * 1000] * 400, "q": "pw"})
        record = events.record(sent, events.Limits(event_bytes=2 ** 20))
        self.writer.tick(0.0, dict)
        self.assertEqual([], self.writer.handle([Delivery(
            record.key, record.value, record.headers, 0, 0)]))
        found, = self.stored()
        self.assertEqual("***", found["payload"]["q"])
        self.assertNotIn("transform_failed", found["marks"])

    def test_the_revision_that_changed_an_event_is_in_its_marks(self):
        made = self.define({"set": {"traits.x": 1}})
        self.write(event("vm"))
        found, = self.stored()
        self.assertEqual([f"{made}@" + str(self.catalog.get(
            PROJECT, TRANSFORMS, made).revision)],
            found["marks"]["transformed"])
