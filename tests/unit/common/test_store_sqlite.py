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

import concurrent.futures
import contextlib
import os
import pathlib
import sqlite3
import stat
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import hypothesis
import hypothesis.strategies
from oslo_config import cfg

from monasca_events_common import errors
from monasca_events_common import event
from monasca_events_common.query import OPERATORS
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store import conditions
from monasca_events_common.store import sqlite_count
from monasca_events_common.store.sqlite import SqliteStore
from tests.contract.store import at
from tests.contract.store import document
from tests.contract.store import make
from tests.contract.store import names
from tests.contract.store import OURS
from tests.contract.store import StoreContract
from tests.contract.store import THEIRS


def configured(**values):
    """Return the driver's option group, with some values set."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    conf.register_opts(SqliteStore.OPTS, group=SqliteStore.GROUP)
    for name, value in values.items():
        conf.set_override(name, value, group=SqliteStore.GROUP)
    return conf[SqliteStore.GROUP]


class SqliteStoreCase(unittest.TestCase):
    """A store in a file of its own."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "events.db")
        self.store = self.open()

    def open(self, **values) -> SqliteStore:
        store = SqliteStore(configured(path=self.path, **values))
        self.addCleanup(store.close)
        return store


class TestContract(SqliteStoreCase, StoreContract):
    pass


class TestFile(SqliteStoreCase):
    """What the file promises by itself."""

    def test_what_was_written_is_there_after_opening_again(self):
        self.put("a")
        self.store.close()
        again = self.open()
        self.assertEqual(["a"], names(again.search(OURS, Query())))
        self.assertEqual(1, again.write([document(make("a"))]).repeated)

    def test_the_file_is_readable_by_its_owner_only(self):
        """S22"""
        for name in os.listdir(os.path.dirname(self.path)):
            path = os.path.join(os.path.dirname(self.path), name)
            self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))

    def test_a_file_that_is_no_database_is_a_misconfiguration(self):
        self.path += "-other"
        for content in (b"this is not a database " * 100,
                        b"SQLite format 3\0" + b"\xff" * 4000):
            with open(self.path, "wb") as file:
                file.write(content)
            error = self.assert_misconfigured()
            self.assertNotIn("\n", str(error))
            self.assertIn(self.path, str(error))

    def test_another_programs_database_is_left_alone(self):
        self.path += "-other"
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            other.execute("CREATE TABLE theirs (x)")
        self.assert_misconfigured()

    def test_a_newer_releases_file_is_refused(self):
        self.store.close()
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            other.execute("PRAGMA user_version=99")
        self.assert_misconfigured()

    def test_a_path_that_cannot_be_opened_is_a_misconfiguration(self):
        self.path = os.path.dirname(self.path)
        self.assert_misconfigured()
        self.path = "/proc/no-such-folder/events.db"
        self.assert_misconfigured()

    def test_two_stores_on_one_file_see_each_other(self):
        """The API reads while the persister writes."""
        other = self.open()
        self.put("a")
        self.assertEqual(["a"], names(other.search(OURS, Query())))
        other.write([document(make("b", payload={"name": "b"}))])
        self.assertEqual(1, self.store.write([document(make("b"))]).repeated)
        other.purge(OURS, at(days=40))
        self.put("c", timestamp=at(days=1))
        self.assertEqual(["c"], names(other.search(OURS,
                                                   Query(words=["c"]))))

    def test_threads_read_and_write_at_once(self):
        """F24: no client sees "database is locked"."""
        stores = [self.store, self.open()]

        def work(number: int) -> int:
            store = stores[number % 2]
            store.write([document(make(f"{number}-{one}"))
                         for one in range(20)])
            return len(store.search(OURS, Query(limit=500,
                                                words=["compute"])).events)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            counts = list(pool.map(work, range(32)))
        self.assertEqual(640, max(counts + [len(self.store.search(
            OURS, Query(limit=1000)).events)]))
        for count in counts:
            self.assertGreaterEqual(count, 20)

    def test_a_writer_that_was_killed_leaves_a_sound_file(self):
        """F24: whatever was reported as stored is there."""
        program = (
            "import sys\n"
            "from tests.contract.store import document, make\n"
            "from tests.unit.common.test_store_sqlite import configured\n"
            "from monasca_events_common.store.sqlite import SqliteStore\n"
            "store = SqliteStore(configured(path=sys.argv[1]))\n"
            "number = 0\n"
            "while True:\n"
            "    store.write([document(make(f'{number}-{one}'))\n"
            "                 for one in range(20)])\n"
            "    number += 1\n"
            "    print(number, flush=True)\n")
        root = pathlib.Path(__file__).resolve().parents[3]
        with subprocess.Popen([sys.executable, "-c", program, self.path],
                              cwd=root, stdout=subprocess.PIPE) as writer:
            for _ in range(5):
                last = int(writer.stdout.readline())
            writer.kill()
            told = writer.stdout.read().split()
        last = int(told[-1]) if told else last
        found = self.store.search(OURS, Query(limit=5000, words=["compute"]))
        self.assertGreaterEqual(len(found.events), last * 20)
        self.assertEqual(0, len(found.events) % 20)
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            self.assertEqual(("ok",), other.execute(
                "PRAGMA integrity_check").fetchone())

    def test_a_full_disk_is_unavailable_and_passes(self):
        """F16: no corrupt file, and it recovers by itself."""
        connection = self.store._writer.connection
        pages, = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 20}")
        stored = 0
        with self.assertRaises(errors.StoreUnavailable):
            while True:
                stored += self.put(*(f"{stored}-{one}" for one in range(20)))
        self.assertFalse(self.store.health().ok)
        self.assertEqual(stored, len(self.store.search(
            OURS, Query(limit=5000)).events))
        connection.execute("PRAGMA max_page_count=1000000")
        self.assertEqual(1, self.put("after"))
        self.assertTrue(self.store.health().ok)
        self.assertEqual(("ok",), connection.execute(
            "PRAGMA integrity_check").fetchone())

    def test_a_writer_that_holds_the_file_makes_it_unavailable(self):
        store = self.open(busy_timeout=0)
        with contextlib.closing(sqlite3.connect(
                self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with self.assertRaises(errors.StoreUnavailable):
                store.write([document(make("a"))])
            self.assertEqual(0, len(store.search(OURS, Query()).events))
        self.assertEqual(1, store.write([document(make("a"))]).stored)

    def test_a_query_that_takes_too_long_is_rejected(self):
        """S5, S6"""
        self.put(*(str(number) for number in range(3000)))
        store = self.open(query_timeout=0.001)
        slow = Query(terms=[Term("dimensions.none", "ne", ["x"])] * 50)
        with self.assertRaises(errors.Rejected) as caught:
            for _ in range(50):
                store.aggregate(OURS, slow, "resource_id", 1)
        self.assertEqual("query_too_costly", caught.exception.code)
        self.assertEqual(1, len(store.search(OURS, Query(limit=1)).events))

    def test_rows_are_counted_once_whatever_is_taken_at_once(self):
        self.put(*(str(number) for number in range(7)))
        self.put(*(f"later-{number}" for number in range(5)),
                 timestamp=at(days=40), event_type="x.y")
        for query in (Query(), Query(words=["compute"]), Query(words=["no"])):
            whole = self.store.aggregate(OURS, query, "event_type", 3600)
            for rows in (1, 2, 6, 7, 12):
                with mock.patch.object(sqlite_count, "_CHUNK", rows):
                    self.assertEqual(whole, self.store.aggregate(
                        OURS, query, "event_type", 3600))

    def test_more_groups_than_can_be_counted_are_rejected(self):
        with mock.patch.object(conditions, "MAX_COUNTED", 10):
            self.put(*(str(number) for number in range(11)))
            with self.assertRaises(errors.Rejected) as caught:
                self.store.aggregate(OURS, Query(), "event_id", None)
        self.assertEqual("query_too_costly", caught.exception.code)

    def put(self, *each: str, **fields) -> int:
        return self.store.write([
            document(make(name, payload={"name": name}, **fields))
            for name in each]).stored

    def assert_misconfigured(self) -> errors.Misconfigured:
        with self.assertRaises(errors.Misconfigured) as caught:
            self.open()
        return caught.exception


class TestPeriods(SqliteStoreCase):
    """The search tables within the file."""

    def put(self, name: str, days: float = 0, project_id: str = OURS) -> None:
        self.store.write([document(make(
            name, project_id=project_id, timestamp=at(days=days),
            payload={"name": name}))])

    def tables(self) -> int:
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            tables, periods = other.execute(
                "SELECT (SELECT count(*) FROM sqlite_master WHERE name LIKE "
                "'terms\\__' ESCAPE '\\'), (SELECT count(*) FROM periods)") \
                .fetchone()
        self.assertEqual(tables, periods)
        return tables

    def test_a_purge_is_exact_within_a_period(self):
        self.put("old", days=0)
        self.put("edge", days=1)
        self.put("new", days=2)
        self.assertEqual(1, self.store.purge(OURS, at(days=1)))
        self.assertEqual(["new", "edge"],
                         names(self.store.search(OURS, Query())))
        self.assertEqual([], names(self.store.search(OURS,
                                                     Query(words=["old"]))))
        counted = self.store.aggregate(OURS, Query(words=["compute"]), None,
                                       None)
        self.assertEqual(2, counted.buckets[0].count)

    def test_a_search_table_goes_with_the_last_event_of_its_period(self):
        """T25, E12"""
        self.put("ours", days=-60)
        self.put("theirs", days=-60, project_id=THEIRS)
        self.put("new")
        self.assertEqual(2, self.tables())
        self.store.purge(OURS, at(days=-20))
        self.assertEqual(2, self.tables())
        self.store.purge(THEIRS, at(days=-20))
        self.assertEqual(1, self.tables())
        self.assertEqual(["new"], names(self.store.search(
            OURS, Query(words=["new"]))))

    def test_a_large_purge_lets_others_write_in_between(self):
        for begin in range(0, 2500, 500):
            self.store.write([document(make(str(number)))
                              for number in range(begin, begin + 500)])
        # Another connection, which does not wait for anybody.
        other = self.open(busy_timeout=0)
        written: list[int] = []
        left: list[int] = []

        def between(statement: str) -> None:
            """Write before a transaction of the purge begins."""
            if statement == "BEGIN IMMEDIATE":
                written.append(other.write([document(make(
                    f"new-{len(written)}", timestamp=at(days=90)))]).stored)
                left.append(sum(one.count for one in other.aggregate(
                    OURS, Query(until=at(days=60)), None, None).buckets))

        connection = self.store._writer.connection
        connection.set_trace_callback(between)
        self.assertEqual(2500, self.store.purge(OURS, at(days=60)))
        connection.set_trace_callback(None)
        # Three batches, and what tidies up.
        self.assertEqual([2500, 1500, 500, 0], left)
        self.assertEqual([1, 1, 1, 1], written)
        self.assertEqual(4, len(self.store.search(OURS, Query()).events))
        self.assertEqual(1, self.tables())

    def test_the_period_can_change_between_starts(self):
        self.put("a", days=0)
        self.store.close()
        for period, days in (("day", -17.4), ("week", -18), ("year", 50),
                             ("month", 3)):
            self.store = self.open(period=period)
            self.put(period, days=days)
            self.store.close()
        self.store = self.open()
        for query in (Query(), Query(words=["compute"])):
            self.assertEqual(["year", "month", "a", "day", "week"],
                             names(self.store.search(OURS, query)))
        self.assertEqual(["year"], names(self.store.search(
            OURS, Query(quick=True))))

    def test_the_years_at_the_edge_are_stored(self):
        for year in (1970, 2099):
            for moment in ("01-01T00:00:00.000000Z",
                           "12-31T23:59:59.999999Z"):
                self.store.write([document(make(
                    f"{year}-{moment}", timestamp=f"{year}-{moment}",
                    payload={"name": f"{year}-{moment}"}))])
        self.assertEqual(4, len(names(self.store.search(
            OURS, Query(words=["compute"])))))


class TestTerms(SqliteStoreCase):
    """Nothing that a tenant sends becomes syntax."""

    @hypothesis.given(hypothesis.strategies.lists(
        hypothesis.strategies.text(min_size=1, max_size=20), max_size=4))
    @hypothesis.settings(max_examples=300, deadline=None)
    def test_any_word_is_looked_for_or_rejected(self, words):
        """S6: fuzz of the MATCH builder."""
        try:
            self.store.search(OURS, Query(words=words))
        except errors.Rejected as error:
            self.assertEqual("invalid_query", error.code)

    @hypothesis.given(
        hypothesis.strategies.sampled_from(OPERATORS),
        hypothesis.strategies.text(max_size=12),
        hypothesis.strategies.one_of(
            hypothesis.strategies.text(max_size=20),
            hypothesis.strategies.booleans(),
            hypothesis.strategies.integers(),
            hypothesis.strategies.floats()))
    @hypothesis.settings(max_examples=300, deadline=None)
    def test_any_value_is_compared_or_rejected(self, operator, name, value):
        """S6"""
        for field in (f"traits.{name}", f"dimensions.{name}", "resource_id",
                      "event_id", name):
            query = Query(terms=[Term(field, operator, [value])])
            try:
                self.store.search(OURS, query)
                self.store.aggregate(OURS, query, field, 60)
            except errors.Rejected as error:
                self.assertEqual("invalid_query", error.code)

    @hypothesis.given(hypothesis.strategies.text(max_size=30),
                      hypothesis.strategies.text(max_size=30))
    @hypothesis.settings(max_examples=100, deadline=None)
    def test_whatever_was_stored_is_found_by_its_value(self, name, value):
        made = make("one", event_type="t", resource_id=value,
                    traits={"v": value}, dimensions={name or "n": value},
                    payload={"name": "one", "text": value})
        store = self.store
        store.write([document(made)])
        try:
            for field in ("resource_id", "traits.v",
                          f"dimensions.{name or 'n'}"):
                for operator in ("eq", "prefix", "gte", "lte"):
                    self.assertEqual(["one"], names(store.search(
                        OURS, Query(terms=[Term(field, operator, [value])]))),
                        (field, operator))
            counted = store.aggregate(OURS, Query(), "resource_id", None)
            self.assertEqual({value: 1}, dict(counted.buckets[0].groups))
            for word in event.words([value]):
                self.assertEqual(["one"], names(store.search(
                    OURS, Query(words=[word]))), word)
        finally:
            store.purge(OURS, at(days=60))
