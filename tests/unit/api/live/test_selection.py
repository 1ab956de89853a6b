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


"""Filters mean in memory what they mean in a store; S5."""

import json
import random
import tempfile
import unittest

from oslo_config import cfg

from monasca_events_api.live import selection
from monasca_events_api.live.selection import Selection
from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store.sqlite import SqliteStore
from tests.contract.store_case import document
from tests.unit.api.live.sample import event
from tests.unit.api.live.sample import PROJECT

_TEXTS = ("a.b", "a.b.c", "ERROR", "r-1", "r-2", "x y", "größe", "5", "true",
          "2026-11-25T12:00:00.000001Z", "%", "")
_VALUES = (*_TEXTS, 5, 5.0, -7.5, 2 ** 53, True, False, 0, 1e300)


def some_event(number: int, generator: random.Random) -> dict:
    """Return an event of which each part may be there or not."""
    def text():
        return generator.choice(_TEXTS[:-1])
    return event(
        number, event_type=text(), resource_id=generator.choice(
            [None, text()]), user_id=generator.choice([None, text()]),
        request_id=generator.choice([None, text()]),
        traits={name: generator.choice(_VALUES) for name in generator.sample(
            "vwx", generator.randint(0, 3))},
        dimensions={name: text() for name in generator.sample(
            ("rack", "row"), generator.randint(0, 2))},
        payload={"words": [text(), {"deep": text()}]})


def some_query(generator: random.Random) -> Query:
    """Return a query that a client could ask."""
    def term():
        field = generator.choice(
            ["event_type", "resource_id", "user_id", "event_id", "traits.v",
             "traits.w", "dimensions.rack", "dimensions.none"])
        operator = generator.choice(
            ["eq", "ne", "prefix", "exists", "gt", "gte", "lt", "lte"])
        is_trait = field.startswith("traits.")
        values = [generator.choice(_VALUES if is_trait and operator
                                   != "prefix" else _TEXTS)
                  for _ in range(generator.randint(1, 3))]
        if operator == "exists":
            values = [generator.random() < 0.5]
        elif operator not in ("eq", "ne"):
            values = values[:1]
        return Term(field, operator, tuple(values))
    times = [event(n)["timestamp"] for n in range(40)]
    return Query(
        terms=[term() for _ in range(generator.randint(0, 3))],
        words=tuple(events.words(generator.sample(
            _TEXTS[:-1], generator.choice([0, 0, 0, 1, 2])))),
        since=generator.choice([None, None, generator.choice(times)]),
        until=generator.choice([None, None, generator.choice(times)]),
        limit=100)


class SelectionTest(unittest.TestCase):

    def test_it_finds_what_the_store_finds(self):
        """400 queries over 40 events, by both."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        conf = cfg.ConfigOpts()
        conf.register_opts(SqliteStore.OPTS, group=SqliteStore.GROUP)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override("path", f"{folder.name}/events.db",
                          group=SqliteStore.GROUP)
        store = SqliteStore(conf[SqliteStore.GROUP])
        self.addCleanup(store.close)
        generator = random.Random(20261125)
        stored = [some_event(n, generator) for n in range(40)]
        store.write(list(map(document, stored)))
        found_some = 0
        for _ in range(400):
            query = some_query(generator)
            with self.subTest(query=query):
                expected = {events_id(one) for one in store.search(
                    PROJECT, query).events}
                wants = Selection(query).wants
                self.assertEqual(expected, {
                    one["event_id"] for one in stored if wants(one)})
                found_some += 0 < len(expected) < 40
        self.assertGreater(found_some, 100)

    def test_a_pattern_narrows_too(self):
        wants = Selection(Query(), selection.parse_pattern(
            '{"traits": {"size": [{"numeric": [">", 5]}]}}', 500)).wants
        self.assertTrue(wants(event(traits={"size": 6})))
        self.assertFalse(wants(event(traits={"size": 5})))

    def test_what_is_no_pattern_is_refused(self):
        for text, code in (
                ("{", "invalid_pattern"), ("[]", "invalid_pattern"),
                ('{"a": 1}', "invalid_pattern"),
                ('{"event_type": ' + "[" * 400, "invalid_pattern"),
                (json.dumps({"payload": {"a": [
                    {"wildcard": "*a*b*"} for _ in range(20)]}}),
                 "too_costly")):
            with self.subTest(text=text[:40]):
                with self.assertRaises(Rejected) as caught:
                    selection.parse_pattern(text, 50)
                self.assertEqual(code, caught.exception.code)

    def test_what_only_looks_like_an_event_is_never_wanted(self):
        """S19"""
        query = Query(terms=[Term("traits.v", "gt", (5,)),
                             Term("dimensions.rack", "prefix", ("r",))],
                      words=("x",), since="2026-11-25T00:00:00.000000Z")
        wants = Selection(query).wants
        self.assertFalse(wants(event(traits={"v": [9]},
                                     dimensions={"rack": 7})))
        self.assertFalse(wants(event(timestamp=7)))
        self.assertFalse(wants({**event(), "traits": None}))


def events_id(value: bytes) -> str:
    return value[13:49].decode()
