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


"""Back-tests: the same findings as live, by a clock of the past; B34."""

import pathlib
import random
import tempfile
import threading
import unittest
import uuid

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from oslo_config import cfg
import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common import store as stores
from monasca_events_common.catalog import jobs
from monasca_events_common.database import Database
from monasca_events_common.database import tables
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.rules import definition
from monasca_events_common.store.sqlite import SqliteStore
from monasca_events_engine import options as engine_options
from monasca_events_engine import testing
from monasca_events_engine.backtest import Backtester
from monasca_events_engine.rehearsal import exact_types
from monasca_events_engine.rehearsal import Rehearsal
from tests.unit.common.rules import samples
from tests.unit.common.rules.samples import event
from tests.unit.common.rules.samples import PROJECT
from tests.unit.common.rules.samples import stamp
from tests.unit.common.rules.samples import TEN
from tests.unit.engine.outgoing import until

ABSENCE = {"kind": "absence", "within": 60, "group_by": ["resource_id"],
           "start": {"event_type": ["a"]}, "expect": {"event_type": ["b"]},
           "unless": {"event_type": ["c"]}}
#: Definitions of every kind that keeps a state.
KINDS = (
    ABSENCE,
    {"kind": "threshold", "window": 30, "compare": [">=", 3],
     "pattern": {"event_type": ["a", "b"]}},
    {"kind": "threshold", "window": 30, "compare": [">=", 2],
     "sliding": False, "group_by": ["resource_id"],
     "pattern": {"event_type": ["a"]}},
    {"kind": "sequence", "within": 40, "group_by": ["resource_id"],
     "steps": [{"pattern": {"event_type": [one]}} for one in "abc"]},
    {"kind": "sequence", "within": 40, "ordered": False,
     "steps": [{"pattern": {"event_type": [one]}} for one in "ab"]},
    {"kind": "duration", "compare": [">", 5], "group_by": ["resource_id"],
     "start": {"event_type": ["a"]}, "end": {"event_type": ["b"]}},
    {"kind": "summary", "window": 20, "aggregates": {
        "n": {"aggregate": "count"}}, "pattern": {"event_type": ["a"]}},
    {"kind": "match", "pattern": {"event_type": ["a"]}})


def rule(content):
    whole = {"name": "t", **content}
    definition.check(whole)
    return definition.compile(whole, trigger_id="t", project_id=PROJECT)


def documents(some):
    """Return what the store is given for events."""
    records = [events.record(one) for one in some]
    return [stores.Document(
        one["project_id"], one["event_id"], one["event_type"],
        one["timestamp"], record.value, record.headers["index"])
        for one, record in zip(some, records, strict=True)]


class TestRehearsal(unittest.TestCase):

    @given(strategies.sampled_from(KINDS), strategies.integers(1, 4),
           strategies.lists(strategies.tuples(
               strategies.sampled_from("abc"), strategies.integers(0, 120),
               strategies.sampled_from(["vm-1", "vm-2"])), max_size=20,
               unique=True))
    @settings(max_examples=200, deadline=None)
    def test_it_finds_what_the_engine_finds(self, content, page, drawn):
        watched = rule(content)
        some = sorted((event(kind, at, name=f"{kind}{at}{resource}",
                             resource_id=resource)
                       for kind, at, resource in drawn),
                      key=lambda one: one["timestamp"])
        rehearsal = Rehearsal(
            watched, TEN, TEN + 130, limit=1000, max_groups=100, methods={},
            hold=lambda *_: None)
        values = [events.record(one).value for one in some]
        for at in range(0, len(values) or 1, page):
            rehearsal.show(values[at:at + page],
                           is_last=at + page >= len(values))
        rehearsal.end()
        found = rehearsal.result()
        expected = sorted(
            (round(one.at, 6), one.outcome, tuple(one.event_ids), one.reason)
            for _, one in testing.run(watched, some, until=130))
        self.assertEqual(expected, sorted(
            (round(events.parse_time(one["at"]).timestamp(), 6),
             one["outcome"], tuple(one["event_ids"]), one["reason"])
            for one in found["firings"]))
        self.assertEqual(len(expected), found["firings_total"])
        self.assertEqual(len(expected), sum(
            one["count"] for one in found["histogram"]["buckets"]))

    def test_types_are_known_where_every_pattern_names_them(self):
        for content, expected in (
                (ABSENCE, ("a", "b", "c")),
                ({"kind": "match", "pattern": {"event_type": ["b", "a"]}},
                 ("a", "b")),
                ({"kind": "match", "pattern": {"event_type": [
                    "a", {"prefix": "b"}]}}, None),
                ({"kind": "match", "pattern": {"resource_id": ["x"]}},
                 None),
                ({"kind": "match", "pattern": {"event_type": ["a", None]}},
                 None)):
            self.assertEqual(expected, exact_types(rule(content)))

    def test_a_type_with_a_quote_is_read_from_the_bytes(self):
        odd = event('say "a"\\', 0)
        rehearsal = Rehearsal(
            rule({"kind": "match", "pattern": {
                "event_type": [odd["event_type"]]}}), TEN, TEN + 9,
            limit=9, max_groups=9, methods={}, hold=lambda *_: None)
        rehearsal.show([events.record(odd).value], is_last=True)
        self.assertEqual(1, rehearsal.total)

    def test_large_events_are_shown_without_their_payload_beyond_a_limit(
            self):
        rehearsal = Rehearsal(
            rule({"kind": "match", "pattern": {"event_type": ["a"]}}), TEN,
            TEN + 999, limit=1000, max_groups=9, methods={},
            hold=lambda *_: None)
        rehearsal.show([events.record(event(
            "a", n, payload={"x": "y" * 30_000})).value
            for n in range(500)], is_last=True)
        found = rehearsal.result()["firings"]
        self.assertEqual(500, len(found))
        self.assertEqual(30_000, len(found[0]["event"]["payload"]["x"]))
        self.assertIsNone(found[-1]["event"]["payload"])
        self.assertEqual(["payload"],
                         found[-1]["event"]["marks"]["truncated"])


class Stalling:
    """A store that fails at the times it is told."""

    def __init__(self, store, *failures) -> None:
        self._store = store
        self._failures = list(failures)

    def _fail(self):
        if self._failures:
            raise self._failures.pop(0)

    def search(self, project_id, query):
        self._fail()
        self.limit = query.limit
        return self._store.search(project_id, query)

    def aggregate(self, *arguments):
        return self._store.aggregate(*arguments)


class TestBacktester(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.database = Database(f"sqlite:///{self.folder}/events.db")
        self.addCleanup(self.database.close)
        self.database.upgrade()
        self.conf = cfg.ConfigOpts()
        self.conf.register_opts(SqliteStore.OPTS, group="sqlite_store")
        for group, opts in engine_options.groups():
            self.conf.register_opts(opts, group=group)
        self.conf([])
        self.conf.set_override("path", f"{self.folder}/store.db",
                               group="sqlite_store")
        self.store = SqliteStore(self.conf.sqlite_store)
        self.addCleanup(self.store.close)
        self.jobs = jobs.Jobs(self.database)
        self.now = TEN + 10_000
        self.worker = self.make_worker()
        self.stop = threading.Event()

    def make_worker(self, store=None):
        made = Backtester(self.database, lambda: store or self.store,
                          self.conf, clock=lambda: self.now)
        self.conf.set_override("page", 50, group="backtest")
        return made

    def ask(self, content=ABSENCE, since=0, until=5_000, limit=1000,
            trigger_id=None) -> str:
        made = str(uuid.uuid4())
        self.jobs.create(PROJECT, jobs.BACKTEST, made, {
            "definition": {"name": "draft", **content},
            "trigger_id": trigger_id, "since": stamp(since),
            "until": stamp(until), "limit_firings": limit}, self.now)
        return made

    def found(self, job_id):
        return self.jobs.get(PROJECT, jobs.BACKTEST, job_id)

    def write(self, *some):
        self.store.write(documents(some))

    def fill(self, count=300):
        """Store creations of which every tenth does not end."""
        draw = random.Random(7)
        some = []
        for n in range(count):
            some.append(event("a", n, name=f"a{n}", resource_id=f"vm-{n}"))
            if n % 10:
                some.append(event("b", n + draw.uniform(0, 30), name=f"b{n}",
                                  resource_id=f"vm-{n}"))
            some.append(event("noise", n, name=f"n{n}"))
        self.write(*some)

    def test_a_draft_over_the_past_tells_what_would_have_been(self):
        self.fill()
        wanted = self.ask(trigger_id="t-1")
        self.assertTrue(self.worker.step(self.stop))
        job = self.found(wanted)
        self.assertEqual(jobs.FINISHED, job.status)
        found = job.result
        self.assertEqual((30, {"missed": 30}, {}, False), (
            found["firings_total"], found["by_outcome"], found["held"],
            found["truncated"]))
        # The noise was not even read.
        self.assertEqual({"events": 570, "of": 570, "share": 1.0,
                          "at": stamp(5_000)}, found["progress"])
        first = found["firings"][0]
        self.assertEqual(
            ("t-1", {"resource_id": "vm-0"}, stamp(60), []),
            (first["trigger_id"], first["key"], first["at"],
             first["notifications"]))
        self.assertEqual(sorted(one["at"] for one in found["firings"]),
                         [one["at"] for one in found["firings"]])
        self.assertEqual(30, sum(one["count"] for one
                                 in found["histogram"]["buckets"]))

    def test_the_store_is_opened_for_the_first_job_and_closed(self):
        opened = []

        def open_store():
            opened.append(SqliteStore(self.conf.sqlite_store))
            return opened[-1]
        worker = Backtester(self.database, open_store, self.conf,
                            clock=lambda: self.now)
        self.assertFalse(worker.step(self.stop))
        worker.close()
        self.assertEqual([], opened)
        for _ in range(2):
            self.ask()
            self.assertTrue(worker.step(self.stop))
        worker.close()
        store, = opened
        with self.assertRaises(StoreUnavailable):
            store.get(PROJECT, "x")

    def test_nothing_but_the_job_changes(self):
        self.fill(50)
        before = self.everything()
        self.ask(limit=3)
        self.worker.step(self.stop)
        self.assertEqual(before, self.everything())

    def everything(self):
        with self.database.read() as connection:
            return {one.name: connection.execute(sa.select(one)).all()
                    for one in tables.META.sorted_tables
                    if one is not tables.JOBS}

    def test_only_the_time_that_was_asked_for_is_looked_at(self):
        self.fill(100)
        wanted = self.ask({"kind": "match", "pattern": {
            "event_type": ["a"]}}, since=10, until=20)
        self.worker.step(self.stop)
        self.assertEqual(10, self.found(wanted).result["firings_total"])

    def test_other_projects_events_are_not(self):
        """S1"""
        self.write(event("a", 1), event("a", 2, project_id=samples.OTHER))
        wanted = self.ask({"kind": "match", "pattern": {
            "priority": ["INFO"]}})
        self.worker.step(self.stop)
        self.assertEqual(1, self.found(wanted).result["firings_total"])

    def test_more_firings_than_asked_for_are_counted_and_not_shown(self):
        self.fill(100)
        wanted = self.ask({"kind": "match", "pattern": {
            "event_type": ["a"]}}, limit=5)
        self.worker.step(self.stop)
        found = self.found(wanted).result
        self.assertEqual((100, 5, True), (
            found["firings_total"], len(found["firings"]),
            found["truncated"]))

    def test_it_says_what_would_only_have_been_recorded(self):
        self.write(*(event("a", n) for n in range(100)))
        wanted = self.ask({
            "kind": "match", "pattern": {"event_type": ["a"]},
            "rate_limit": {"firings": 2, "seconds": 10},
            "mute": [{"from": stamp(50), "until": stamp(1000)}]})
        self.worker.step(self.stop)
        found = self.found(wanted).result
        self.assertEqual({"limited": 40, "muted": 50}, found["held"])
        self.assertEqual([False, False, True],
                         [one["limited"] for one in found["firings"][:3]])

    def test_a_draft_that_cannot_be_is_a_failed_job(self):
        wanted = self.ask({"kind": "match", "pattern": {"event_type": "a"}})
        self.worker.step(self.stop)
        job = self.found(wanted)
        self.assertEqual(jobs.FAILED, job.status)
        self.assertIn("expected an array", job.result["error"])

    def test_more_groups_than_memory_is_meant_for_fail(self):
        self.fill(200)
        self.conf.set_override("max_groups", 100, group="backtest")
        wanted = self.ask({**ABSENCE, "expect": {"event_type": ["never"]},
                           "within": 5_000})
        self.worker.step(self.stop)
        job = self.found(wanted)
        self.assertEqual(jobs.FAILED, job.status)
        self.assertIn("more than 100 groups", job.result["error"])

    def test_a_query_that_costs_too_much_is_made_smaller(self):
        self.fill(100)
        self.conf.set_override("page", 400, group="backtest")
        store = Stalling(self.store, *(
            Rejected("x", code="query_too_costly") for _ in range(2)))
        worker = self.make_worker(store)
        self.conf.set_override("page", 400, group="backtest")
        wanted = self.ask()
        worker.step(self.stop)
        self.assertEqual(100, store.limit)
        self.assertEqual(10, self.found(wanted).result["firings_total"])

    def test_a_store_that_is_away_is_waited_for(self):
        self.fill(50)
        worker = self.make_worker(Stalling(
            self.store, StoreUnavailable("away", retry_after=0.01),
            StoreUnavailable("away", retry_after=0.01)))
        wanted = self.ask()
        with self.assertLogs("monasca_events_engine.backtest", "WARNING"):
            worker.step(self.stop)
        self.assertEqual(5, self.found(wanted).result["firings_total"])

    def test_one_that_was_cancelled_is_left_alone(self):
        self.fill(50)
        wanted = self.ask()
        store = Stalling(self.store, StoreUnavailable("x", retry_after=0.01))
        # Cancelled between the claim and the first report.
        store.aggregate = lambda *_: (self.jobs.remove(
            PROJECT, jobs.BACKTEST, wanted, self.now),
            stores.Aggregation((), False))[1]
        with self.assertLogs("monasca_events_engine.backtest", "WARNING"):
            self.assertTrue(self.make_worker(store).step(self.stop))
        self.assertEqual(jobs.CANCELLED, self.found(wanted).status)

    def test_a_worker_that_stops_gives_its_job_back(self):
        self.fill(100)
        wanted = self.ask()
        self.stop.set()
        self.worker.step(self.stop)
        self.assertEqual(jobs.QUEUED, self.found(wanted).status)
        self.assertTrue(self.make_worker().step(threading.Event()))
        self.assertEqual(10, self.found(wanted).result["firings_total"])

    def test_the_job_of_a_worker_that_died_is_begun_anew(self):
        """F4"""
        self.fill(100)
        wanted = self.ask()
        self.jobs.claim(jobs.BACKTEST, "dead", self.now, self.now + 30)
        self.assertFalse(self.worker.step(self.stop))
        self.now += 31
        self.assertTrue(self.worker.step(self.stop))
        self.assertEqual(10, self.found(wanted).result["firings_total"])

    def test_the_loop_does_jobs_until_it_is_stopped(self):
        self.fill(20)
        self.conf.set_override("poll_interval", 0.01, group="backtest")
        thread = threading.Thread(target=self.worker.run, args=(self.stop,))
        thread.start()
        asked = [self.ask() for _ in range(3)]
        until("all are done", lambda: all(
            self.found(one).status == jobs.FINISHED for one in asked))
        self.stop.set()
        thread.join(30)
        self.assertFalse(thread.is_alive())
        self.assertEqual([jobs.FINISHED] * 3,
                         [self.found(one).status for one in asked])
