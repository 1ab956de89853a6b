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

"""The other actions, and how actions are found."""

import logging
import pathlib
import shlex
import tempfile
import textwrap
import unittest
from unittest import mock

from oslo_config import cfg
import orjson
import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.database import Database
from monasca_events_common.database.tables import MEASURES
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_engine import actions
from monasca_events_engine import monasca_kafka
from monasca_events_engine.actions import get_actions
from monasca_events_engine.actions import log
from monasca_events_engine.actions import monasca_notification
from monasca_events_engine.actions.event import chain
from monasca_events_engine.actions.event import DerivedEvent
from monasca_events_engine.actions.log import LogLine
from monasca_events_engine.actions.metric import Metric
from tests.bench.sample import options
from tests.unit.engine.outgoing import delivery
from tests.unit.engine.outgoing import event
from tests.unit.engine.outgoing import firing
from tests.unit.engine.outgoing import parts
from tests.unit.engine.outgoing import PROJECT
from tests.unit.engine.outgoing import Steered

ROOT = pathlib.Path(__file__).parents[3]

EVIL = "x\n2026-11-22 10:00:00.000 1 INFO forged\r\x1b[31m\x00\u2028\u202ey"


class Broken(Steered):
    """An operator's class with a mistake in it."""

    def __init__(self, conf, parts):
        raise ZeroDivisionError("a mistake")


class Picky(Steered):
    """One whose options cannot work."""

    def __init__(self, conf, parts):
        raise Misconfigured("no endpoint")


def configuration(**values) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    conf.register_opts(actions.OPTS, group=actions.GROUP)
    conf([], project="test", default_config_files=[], default_config_dirs=[])
    for name, value in values.items():
        conf.set_override(name, value, group=actions.GROUP)
    return conf


class TestFinding(unittest.TestCase):

    def test_all_of_ours_are_made_and_connect_to_nothing(self):
        found = get_actions(configuration(), parts())
        self.addCleanup(found.close)
        self.assertEqual(["webhook", "email", "log", "event",
                          "monasca-notification", "metric"], found.names())

    def test_each_method_type_has_an_action_of_its_name(self):
        from monasca_events_common.catalog import methods
        self.assertEqual(set(methods.TYPES), set(
            get_actions(configuration(), parts()).names()))

    def test_a_name_that_is_none_stops_the_start(self):
        with self.assertRaisesRegex(Misconfigured, "no plug-in 'sms'"):
            get_actions(configuration(enabled=["log", "sms"]), parts())

    def test_an_operators_class_that_breaks_leaves_the_others(self):
        with self.assertLogs(actions.LOG, logging.ERROR) as logs:
            found = get_actions(configuration(enabled=[
                f"{__name__}:Broken", "log"]), parts())
        self.assertEqual(["log"], found.names())
        self.assertIn("cannot be made", logs.output[0])
        with self.assertRaisesRegex(Rejected, "is broken"):
            found.get(f"{__name__}:Broken")
        with self.assertRaisesRegex(Rejected, "is not enabled"):
            found.get("email")

    def test_options_that_cannot_work_stop_the_start(self):
        with self.assertRaisesRegex(Misconfigured, "no endpoint"):
            get_actions(configuration(enabled=[f"{__name__}:Picky"]),
                        parts())

    def test_the_example_of_the_documentation_works(self):
        """E14: what an operator copies from the page."""
        page = (ROOT / "doc/source/admin/actions.rst").read_text("utf-8")
        block = page.split(".. code-block:: python\n", 1)[1]
        lines = []
        for line in block.splitlines()[1:]:
            if line and not line.startswith("    "):
                break
            lines.append(line)
        scope: dict = {}
        exec(compile(textwrap.dedent("\n".join(lines)),  # noqa: S102
                     "example", "exec"), scope)
        cls = next(one for one in scope.values()
                   if isinstance(one, type)
                   and issubclass(one, actions.Action)
                   and one is not actions.Action)
        with tempfile.TemporaryDirectory() as folder:
            made = cls(options(cls.OPTS, folder=folder), parts())
            self.assertEqual({"file": f"{delivery().delivery_id}.json"},
                             dict(made.execute(delivery())))
            made.execute(delivery())
            file, = pathlib.Path(folder).iterdir()
            self.assertEqual("fired", orjson.loads(file.read_bytes())[
                "outcome"])


class TestLog(unittest.TestCase):

    def test_a_firing_is_one_line_with_its_ids(self):
        action = LogLine(options(LogLine.OPTS, level="WARNING"), parts())
        content = firing()
        with self.assertLogs(log.LOG, logging.WARNING) as logs:
            action.execute(delivery(content))
        line, = logs.output
        for part in (f"firing_id={content['firing_id']}", "outcome=fired",
                     f"project_id={PROJECT}", 'trigger_name="vm gone"'):
            self.assertIn(part, line)

    def test_whatever_a_tenant_writes_it_stays_one_line(self):
        """S15"""
        found = log.line(delivery(firing(
            trigger_name=EVIL, reason='a" outcome=missed b="' + EVIL,
            key={EVIL: EVIL}, value=EVIL)))
        self.assertTrue(found.isprintable(), found)
        names = [one.partition("=")[0] for one in shlex.split(found)]
        self.assertEqual(["delivery_id", *log._FIELDS], names)
        self.assertLess(len(log.line(delivery(firing(
            reason="r" * 10_000)))), 2000)


class TestDerivedEvent(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        conf = options(SqliteBus.OPTS, path=f"{folder.name}/bus.db")
        self.bus = SqliteBus(conf)
        self.addCleanup(self.bus.close)

    def action(self, **values) -> DerivedEvent:
        return DerivedEvent(options(DerivedEvent.OPTS, **values),
                            parts(bus=self.bus))

    def execute(self, content, kind="derived.vm", action=None):
        return (action or self.action()).execute(delivery(content, method={
            "settings": {"event_type": kind} if kind else {}}))

    def published(self) -> list[dict]:
        reader = self.bus.subscribe("monevents", "test")
        self.addCleanup(reader.close)
        return [orjson.loads(one.value) for one in reader.poll(100, 1.0)]

    def test_a_firing_becomes_an_event_of_its_project(self):
        """B32, B42"""
        content = firing()
        found = self.execute(content)
        made, = self.published()
        self.assertEqual(list(events.FIELDS), list(made))
        self.assertEqual(found["event_id"], made["event_id"])
        self.assertEqual(
            (PROJECT, "derived.vm", content["at"], "engine", "instance",
             "vm-1", "req-1"),
            tuple(made[name] for name in (
                "project_id", "event_type", "timestamp", "source",
                "resource_type", "resource_id", "request_id")))
        self.assertEqual(
            {"trigger_id": "t-1", "trigger_name": "vm gone",
             "outcome": "fired", "severity": "HIGH", "value": 3},
            made["traits"])
        self.assertEqual("an instance was deleted", made["payload"]["reason"])
        self.assertNotIn("event", made["payload"])
        self.assertEqual({"hops": 1, "origin": ["t-1"]}, made["marks"])

    def test_a_repeat_is_the_same_event(self):
        content = firing()
        self.assertEqual(self.execute(content)["event_id"],
                         self.execute(content)["event_id"])
        other = DerivedEvent(options(DerivedEvent.OPTS),
                             parts(bus=self.bus)).execute(delivery(
                                 content, method={"settings": {}},
                                 delivery_id="other"))
        self.assertNotEqual(other["event_id"],
                            self.execute(content)["event_id"])

    def test_a_firing_without_an_event_names_its_resource(self):
        self.execute(firing(event=None, outcome="missed", value=None))
        made, = self.published()
        self.assertEqual("vm-1", made["resource_id"])
        self.assertNotIn("value", made["traits"])

    def test_none_passes_for_an_event_of_a_service(self):
        for kind in ("compute.instance.delete.end", "deriv", "xderived.a"):
            with self.assertRaisesRegex(Rejected, "does not begin with"):
                self.execute(firing(), kind)
        self.assertEqual("monasca-events.trigger.fired",
                         self.execute(firing(), None)["event_type"])
        self.assertEqual([], [one for one in self.published()
                              if one["event_type"].startswith("compute")])

    def test_a_trigger_that_matches_its_own_event_stops_at_once(self):
        """S12: at most three rounds."""
        self.assertEqual(1, self.rounds(["A"]))

    def test_two_triggers_that_feed_each_other_stop(self):
        """S12"""
        self.assertEqual(2, self.rounds(["A", "B"]))

    def test_a_long_circle_stops_after_three_hops(self):
        """S12"""
        self.assertEqual(3, self.rounds(["A", "B", "C", "D", "E"]))

    def test_where_a_trigger_may_come_again_the_hops_still_end_it(self):
        """S12"""
        self.assertEqual(3, self.rounds(["A"], max_repeats=99))

    def rounds(self, triggers: list[str], **values) -> int:
        """Return how many events a circle of triggers makes."""
        action = self.action(**values)
        cause, count = event(), 0
        while count < 50:
            content = firing(trigger_id=triggers[count % len(triggers)],
                             event=cause)
            try:
                cause = action._event(delivery(content, method={
                    "settings": {}}))
            except Rejected as error:
                self.assertEqual("loop", error.code)
                return count
            count += 1
        raise AssertionError("it goes round and round")

    def test_marks_that_somebody_forged_count_for_nothing(self):
        """S12: only what the engine writes shortens a chain."""
        for marks in ({"hops": -1000}, {"hops": "9"}, {"hops": True},
                      {"origin": "t-1"}, {"origin": [1, None]}, {}, None):
            with self.subTest(marks=marks):
                self.assertEqual((0, []), chain(firing(
                    event=event(marks=marks))))

    def test_a_chain_goes_on_over_a_missing_event(self):
        """S12: a firing that no event completed carries the marks itself."""
        with self.assertRaises(Rejected):
            self.execute(firing(event=None, marks={
                "hops": 3, "origin": ["x", "y", "z"]}))

    def test_a_bus_that_is_down_is_tried_again(self):
        self.bus.close()
        with self.assertRaises(BusUnavailable):
            self.execute(firing())


class TestMonascaNotification(unittest.TestCase):

    def test_a_firing_is_an_alarm_and_a_recovery_is_none(self):
        """B32: what monasca-notification reads, see facts of Monasca."""
        for outcome, states in (("fired", ("OK", "ALARM")),
                                ("missed", ("OK", "ALARM")),
                                ("recovered", ("ALARM", "OK"))):
            found = monasca_notification.transition(delivery(
                firing(outcome=outcome)))
            self.assertEqual(states, (found["oldState"], found["newState"]))
        self.assertEqual({
            "alarmId": monasca_notification.alarm_id(
                "t-1", {"resource_id": "vm-1"}),
            "tenantId": PROJECT, "alarmDefinitionId": "t-1",
            "alarmName": "vm gone",
            "alarmDescription": "an instance was deleted",
            "oldState": "ALARM", "newState": "OK",
            "stateChangeReason": "an instance was deleted",
            "severity": "HIGH", "actionsEnabled": True,
            "lifecycleState": None, "link": None,
            "timestamp": 1795341600000, "metrics": [
                {"id": None, "name": "vm gone",
                 "dimensions": {"resource_id": "vm-1"}}],
            "subAlarms": []}, found)

    def test_an_alarm_is_one_trigger_and_one_group(self):
        ids = {monasca_notification.alarm_id(trigger, key)
               for trigger in "AB" for key in ({"a": 1}, {"a": 2})}
        self.assertEqual(4, len(ids))
        self.assertEqual(
            monasca_notification.alarm_id("A", {"a": 1, "b": 2}),
            monasca_notification.alarm_id("A", {"b": 2, "a": 1}))

    def test_without_a_kafka_library_only_its_own_deliveries_suffer(self):
        cls = monasca_notification.MonascaNotification
        conf = options(cls.OPTS)
        with mock.patch.object(
                monasca_kafka.plugins, "load",
                side_effect=Misconfigured("is its extra installed?")):
            made = cls(conf, parts())
        with self.assertRaisesRegex(Misconfigured, "extra installed"):
            made.execute(delivery())


class TestMetric(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.database = Database(f"sqlite:///{folder.name}/events.db")
        self.addCleanup(self.database.close)
        self.database.upgrade()

    def execute(self, content, *sinks: str, **settings):
        return Metric(None, parts(self.database, sinks=sinks)).execute(
            delivery(content, method={"settings": {"name": "vm.gone",
                                                   **settings}}))

    def rows(self) -> list[tuple[str, dict]]:
        with self.database.read() as connection:
            return [(one.sink, orjson.loads(one.content))
                    for one in connection.execute(
                        sa.select(MEASURES).order_by(MEASURES.c.sink))]

    def test_a_firing_becomes_a_measure_for_each_sink(self):
        """B46"""
        self.assertEqual({"sinks": ["gnocchi", "statsd"]}, self.execute(
            firing(), "gnocchi", "statsd", dimensions={"team": "a"}))
        (first, content), (second, other) = self.rows()
        self.assertEqual(("gnocchi", "statsd"), (first, second))
        self.assertEqual(content, other)
        self.assertEqual(
            {"name": "vm.gone", "kind": "gauge", "value": 3.0,
             "at": 1795341600.0,
             "labels": {"resource_id": "vm-1", "team": "a"},
             "project_id": PROJECT, "resource_id": "vm-1",
             "event_ids": firing()["event_ids"]}, content)

    def test_a_repeat_is_the_same_row(self):
        content = firing()
        for _ in range(2):
            self.execute(content, "statsd")
        self.assertEqual(1, len(self.rows()))

    def test_a_firing_without_a_value_counts_one(self):
        self.execute(firing(value=None, event=None), "statsd")
        self.assertEqual(1.0, self.rows()[0][1]["value"])

    def test_an_operators_measure_is_of_the_project_that_it_is_about(self):
        self.execute(firing(subject_project_id="theirs", key={
            "project_id": "theirs", "resource_id": "vm-1"}), "statsd")
        content = self.rows()[0][1]
        self.assertEqual("theirs", content["project_id"])
        self.assertEqual({"resource_id": "vm-1"}, content["labels"])

    def test_without_a_sink_it_is_parked_and_says_so(self):
        with self.assertRaisesRegex(Rejected, "to no service"):
            self.execute(firing())
