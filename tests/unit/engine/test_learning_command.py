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


"""The command that learns, on a real store."""

import contextlib
import io
import json
import pathlib
import stat
import tempfile
import unittest
from unittest import mock

import yaml

from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.store import Page
from monasca_events_common.store.sqlite import SqliteStore
from monasca_events_engine.learning import command
from monasca_events_engine.learning import history
from monasca_events_engine.learning.history import StoredEvents
from monasca_events_engine.testing import event
from monasca_events_engine.testing import outcomes
from monasca_events_engine.testing import PROJECT
from monasca_events_engine.testing import START
from monasca_events_engine.triggers.never_seen_transition import \
    NeverSeenTransition
from tests.bench.sample import options
from tests.unit.engine.test_alarms_command import document
from tests.unit.engine.test_learning import CREATE
from tests.unit.engine.test_learning import rule


class MoodyStore(SqliteStore):
    """A store that fails as it is told to before it answers.

    :ivar is_turned: whether of what happened at one moment it gives the last
        event id of a page first
    """

    failures: list = []
    is_turned = False

    def search(self, project_id, query):
        self.limits.append(query.limit)
        if self.failures:
            raise self.failures.pop(0)
        page = super().search(project_id, query)
        if not self.is_turned:
            return page
        return Page(sorted(reversed(page.events), key=lambda value: json.loads(
            value)["timestamp"]), page.marker)

    def aggregate(self, project_id, query, by, interval):
        if self.failures:
            raise self.failures.pop(0)
        return super().aggregate(project_id, query, by, interval)


class TestHistory(unittest.TestCase):

    AWAY = StoreUnavailable("away", retry_after=25)
    COSTLY = Rejected("too much", code="query_too_costly")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.store = MoodyStore(options(
            SqliteStore.OPTS, path=f"{folder.name}/store.db"))
        self.addCleanup(self.store.close)
        self.store.write([document(event("a", at % 7, name=str(at)))
                          for at in range(30)])
        self.store.limits = []
        self.waits = []
        self.stored = StoredEvents(self.store, [], None, None,
                                   wait=self.waits.append)

    def read(self, *failures: Exception) -> list[str]:
        self.store.failures = list(failures)
        return [one["event_id"] for found in self.stored.projects()
                for one in found]

    def test_every_event_is_read_once_in_the_order_of_time(self):
        with mock.patch.object(history, "PAGE", 4):
            self.stored = StoredEvents(self.store, [], None, None)
            found = [one for events in self.stored.projects()
                     for one in events]
        self.assertEqual(30, len({one["event_id"] for one in found}))
        places = [(one["timestamp"], one["event_id"]) for one in found]
        self.assertEqual(sorted(places), places)
        self.assertEqual(8, len(self.store.limits))

    def test_a_moment_is_read_as_triggers_are_shown_it(self):
        """Stores order what happened at the same time as they like."""
        usual = self.read()
        self.store.is_turned = True
        # Moments of four and five events, in pages of three.
        with mock.patch.object(history, "PAGE", 3):
            self.stored = StoredEvents(self.store, [], None, None)
            self.assertEqual(usual, self.read())

    def test_a_store_that_is_away_is_asked_again_for_a_while(self):
        self.assertEqual(30, len(self.read(self.AWAY, self.AWAY)))
        self.assertEqual([25, 25], self.waits)
        self.waits.clear()
        with self.assertRaises(StoreUnavailable):
            self.read(*[self.AWAY] * 9)
        self.assertEqual(60, sum(self.waits))

    def test_a_page_that_costs_too_much_is_made_smaller(self):
        self.assertEqual(30, len(self.read(self.COSTLY, self.COSTLY)))
        self.assertEqual([2000, 1000, 500], self.store.limits)
        with self.assertRaises(Rejected):
            self.read(*[self.COSTLY] * 20)

    def test_what_cannot_be_counted_is_read_all_the_same(self):
        self.assertEqual(30, self.stored.count())
        self.store.failures = [self.COSTLY]
        self.assertIsNone(self.stored.count())


class TestCommand(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.config = self.folder / "events.conf"
        self.config.write_text(
            "[store]\ndriver = sqlite\n[sqlite_store]\n"
            f"path = {self.folder}/store.db\n")
        self.store = SqliteStore(options(
            SqliteStore.OPTS, path=f"{self.folder}/store.db"))
        self.addCleanup(self.store.close)
        self.keep(PROJECT, 40, 5.0)

    def keep(self, project_id: str, count: int, took: float) -> None:
        self.store.write([document(event(
            f"{CREATE}.{edge}", number * 60 + took * (edge == "end"),
            resource_id=f"vm-{number}", project_id=project_id,
            traits={"flavor": "m1.small"}))
            for number in range(count) for edge in ("start", "end")])

    def learn(self, *arguments: str, now: float = START + 3600) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as said, \
                contextlib.redirect_stderr(io.StringIO()) as told:
            self.assertEqual(0, command.start(
                [f"--config-file={self.config}", *arguments],
                clock=lambda: now))
        self.told = told.getvalue()
        return said.getvalue()

    def learnt(self, *arguments: str, **more) -> dict:
        path = self.folder / "proposals.json"
        self.learn("--output", str(path), *arguments, **more)
        return json.loads(path.read_text())

    def test_it_shows_a_table_and_what_missing_end_wants(self):
        said = self.learn()
        self.assertRegex(said, r"(?m)^OPERATION +FLAVOR +N +NO END +P50 +P95 "
                         r"+DEADLINE$")
        for flavor, unended in ((r"\*", "0"), ("m1.small", "-")):
            self.assertRegex(said, rf"(?m)^instance-create +{flavor} +40 +"
                             rf"{unended} +5\.000 +5\.000 +5\.000$")
        self.assertIn("[missing_end]\nseconds_of = instance-create:5\n", said)
        self.assertIn("2 triggers are proposed; --output", self.told)

    def test_the_file_holds_definitions_and_is_for_its_owner_alone(self):
        found = self.learnt()
        self.assertEqual(2, len(found["triggers"]))
        for one in found["triggers"]:
            rule(one)
        self.assertEqual((80, {"instance-create": 5.0}), (
            found["events"], found["missing_end"]["seconds_of"]))
        path = self.folder / "proposals.json"
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        self.assertEqual([], [one for one in self.folder.iterdir()
                              if one.name.startswith("tmp")])

    def test_the_file_tells_the_operators_trigger_what_is_known(self):
        self.store.write([document(event(
            "compute.instance.update", 1, resource_id=name,
            traits={"old_state": "active", "state": "stopped"}))
            for name in ("vm-1", "vm-2")])
        self.assertEqual([("active/- -> stopped/-", 2)], [
            (one["transition"], one["count"])
            for one in self.learnt()["transitions"]])
        path = self.folder / "proposals.json"
        self.assertEqual([("fired", 9)], outcomes(NeverSeenTransition, [
            event("compute.instance.update", at, traits={
                "old_state": "active", "state": state})
            for at, state in ((8, "stopped"), (9, "error"))],
            learning_seconds=0, known_file=str(path)))
        self.assertEqual(json.loads(path.read_text()),
                         yaml.safe_load(path.read_text()))
        self.assertIn("active/- -> stopped/-  2, last at", self.learn())

    def test_a_project_is_learnt_by_itself_or_with_all_others(self):
        other = "b" * 32
        self.keep(other, 60, 9.0)
        for arguments, count, seconds in (
                ((), 100, 9.0), (("--project", other), 60, 9.0),
                (("--project", PROJECT), 40, 5.0),
                (("--project", PROJECT, "--project", other), 100, 9.0)):
            with self.subTest(arguments=arguments):
                first = self.learnt(*arguments)["operations"][0]
                self.assertEqual((count, seconds), (first["count"],
                                                    first["deadline"]))

    def test_the_time_can_be_bounded(self):
        for arguments, count in (
                (("--since", "10m"), 10), (("--until", "10m"), 30),
                (("--since", "2026-11-22T10:30:00Z"), 10)):
            with self.subTest(arguments=arguments):
                found = self.learnt(*arguments, now=START + 2400)
                self.assertEqual(count, found["operations"][0]["count"])

    def test_percentile_and_minimum_are_for_people_to_choose(self):
        self.keep("b" * 32, 60, 9.0)
        found = self.learnt("--percentile", "40", "--minimum", "100")
        self.assertEqual([5.0], [one["deadline"] for one
                                 in found["operations"] if not one["flavor"]])
        self.assertEqual([], self.learnt("--minimum", "101")["triggers"])

    def test_it_says_how_far_it_has_come_when_it_takes_long(self):
        self.keep("b" * 32, 300, 9.0)
        times = iter(range(0, 10000, 3))
        with mock.patch.object(command.time, "monotonic",
                                        lambda: next(times)):
            self.learn()
        self.assertRegex(self.told, r"(?m)^512 of 680 events read, up to "
                         r"2026-11-22T1\d:")
        self.assertRegex(self.told, r"(?m)^what follows 2 of 2 types of "
                         "events is known$")

    def test_without_events_there_is_nothing_to_learn(self):
        with self.assertRaisesRegex(Misconfigured, "no such events"):
            self.learn("--project", "c" * 32)

    def test_a_file_that_cannot_be_written_is_one_line(self):
        with self.assertRaisesRegex(Misconfigured, "cannot write /nowhere"):
            self.learn("--output", "/nowhere/proposals.json")

    def test_a_wrong_command_line_is_told_in_a_line(self):
        for arguments in (("--percentile", "0"), ("--percentile", "101"),
                          ("--minimum", "0"), ("--since", "yesterday"),
                          ("--share", "0.2"), ("--since", "9" * 99 + "d"),
                          ("--nonsense",)):
            with self.subTest(arguments=arguments), \
                    contextlib.redirect_stderr(io.StringIO()) as told, \
                    self.assertRaises(SystemExit) as ended:
                command.start(arguments)
            self.assertEqual(2, ended.exception.code)
            self.assertEqual(1, told.getvalue().count("\n"))
