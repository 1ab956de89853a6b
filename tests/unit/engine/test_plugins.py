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

"""Operators' plug-ins in the engine: found, configured, followed, isolated."""


from monasca_events_common import metrics
from monasca_events_common.catalog import Catalog
from monasca_events_common.errors import Misconfigured
from monasca_events_engine import options as engine_options
from monasca_events_engine.ruleset import Ruleset
from tests.bench.sample import options
from tests.unit.common.rules.samples import event
from tests.unit.common.rules.samples import OTHER
from tests.unit.common.rules.samples import PROJECT
from tests.unit.engine.test_engine import EngineCase

HERE = "tests.unit.engine.strangers"
CREATED, DELETED = "compute.instance.create.end", "compute.instance.delete.end"


def broken(name: str) -> float:
    return metrics.BROKEN.labels(name)._value.get()


class PlugInCase(EngineCase):
    enabled: list[str] = []

    def setUp(self):
        self.conf = {"enabled_triggers": self.enabled,
                     "operator_project_id": "0" * 32}
        super().setUp()

    def fired(self) -> list[str]:
        return sorted(one["trigger_id"] for one in self.site.firings())


class TestEnabled(PlugInCase):
    enabled = ["vm_deleted", "delete_alarms"]

    def test_they_watch_every_project_separately(self):
        """B1, B2, B47"""
        self.site.send(event(DELETED, 1), event(DELETED, 2,
                                                project_id=OTHER))
        self.assertEqual(["delete_alarms"] * 2 + ["vm_deleted"] * 2,
                         self.fired())
        self.assertEqual({PROJECT, OTHER}, {
            one["subject_project_id"] for one in self.site.firings()})
        self.assertEqual({"0" * 32}, {
            one["project_id"] for one in self.site.firings()})

    def test_a_triggers_own_action_becomes_a_delivery(self):
        self.site.send(event(DELETED, 1))
        row, = self.site.deliveries()
        self.assertEqual(("delete-alarms", None, "pending"),
                         (row["action"], row["method_id"], row["status"]))

    def test_the_operator_names_who_is_told(self):
        method = self.site.method("0" * 32, name="ops")
        self.site.set(notify=["vm_deleted = ops, no-such"])
        self.site.send(event(DELETED, 1))
        self.assertEqual({("delete-alarms", None), ("webhook", method)}, {
            (one["action"], one["method_id"])
            for one in self.site.deliveries()})

    def test_the_list_is_followed_while_running(self):
        """B48, D21"""
        self.site.set(enabled_triggers=["vm_created"])
        self.site.send(event(CREATED, 1), event(DELETED, 1))
        self.assertEqual(["vm_created"], self.fired())
        self.site.set(enabled_triggers=[])
        self.site.send(event(CREATED, 2))
        self.assertEqual(["vm_created"], self.fired())


class TestFamilies(PlugInCase):
    enabled = ["missing_end", f"{HERE}:Several"]

    def test_each_part_is_a_trigger(self):
        """B36"""
        method = self.site.method("0" * 32, name="ops")
        self.site.set(notify=["missing_end = ops"])
        self.site.send(event("compute.instance.create.start", 0))
        self.site.pass_to(901)
        self.assertEqual(
            ["missing_end.instance-create", f"{HERE}:Several.first",
             f"{HERE}:Several.second"], self.fired())
        self.assertEqual([method], [one["method_id"] for one in
                                    self.site.deliveries()])

    def test_an_open_wait_survives_a_restart_and_a_change_of_options(self):
        self.site.send(event("compute.instance.create.start", 0))
        self.site.pass_to(10)
        self.site.restart()
        self.site.options.set_override("lifecycles", ["instance-*"],
                                       group="missing_end")
        self.site.engine._follow_at = 0
        self.site.pass_to(20)
        self.site.send(event("port.create.start", 20, request_id="req-1"))
        self.site.pass_to(901)
        self.assertEqual([("fired", 0), ("fired", 0), ("missed", 900)],
                         self.site.outcomes())

    def test_what_is_no_longer_wanted_leaves_nothing(self):
        self.site.send(event("compute.instance.create.start", 0))
        self.site.pass_to(10)
        self.assertEqual(1, len(self.site.states()))
        self.site.options.set_override("lifecycles", ["port-*"],
                                       group="missing_end")
        self.site.engine._follow_at = 0
        self.site.pass_to(901)
        self.assertEqual([], self.site.states())
        self.assertNotIn("missed", dict(self.site.outcomes()))


class TestOptions(PlugInCase):
    enabled = [f"{HERE}:Tuned"]

    def send(self, at: float) -> int:
        before = len(self.site.firings())
        self.site.send(event(CREATED, at, traits={"memory_mb": 20}),
                       event("other", at, traits={"memory_mb": 99}))
        return len(self.site.firings()) - before

    def change(self, **values) -> None:
        for name, value in values.items():
            self.site.options.set_override(name, value, group="tuned")
        self.site.engine._follow_at = 0.0

    def test_a_plug_in_has_options_of_its_own_that_are_followed(self):
        self.assertEqual(1, self.send(1))
        self.change(above=50)
        self.assertEqual(0, self.send(2))
        self.change(above=10, event_type="other")
        self.assertEqual(1, self.send(3))
        self.assertEqual("other", self.site.firings()[-1]["event"][
            "event_type"])

    def test_options_that_cannot_work_leave_what_was(self):
        """F23"""
        with self.assertLogs("monasca_events_engine", "ERROR") as logged:
            self.change(event_type="impossible")
            self.assertEqual(1, self.send(1))
            self.assertEqual(1, self.send(2))
        self.assertEqual(1, len(logged.output))
        self.assertIn("cannot be impossible", logged.output[0])

    def test_a_list_that_cannot_work_leaves_what_was(self):
        """F23"""
        with self.assertLogs("monasca_events_engine", "ERROR") as logged:
            self.site.set(enabled_triggers=["vm_deleted", "vm_delete"])
            self.assertEqual(1, self.send(1))
        self.assertIn("no plug-in 'vm_delete'", logged.output[0])


class TestIsolation(PlugInCase):
    enabled = [f"{HERE}:Raises", f"{HERE}:RaisesLater", "vm_created"]

    def test_a_broken_plug_in_is_reported_and_stops_no_other(self):
        """Issue 4: a broken plug-in is isolated and reported."""
        names = [f"{HERE}:Raises", f"{HERE}:RaisesLater"]
        before = [broken(name) for name in names]
        with self.assertLogs("monasca_events_engine", "ERROR") as logged:
            self.site.send(event(CREATED, 0), event(CREATED, 1,
                                                    project_id=OTHER))
            self.site.pass_to(30)
        self.assertEqual(["vm_created"] * 2, self.fired())
        self.assertEqual([before[0] + 2, before[1] + 2],
                         [broken(name) for name in names])
        self.assertIn("broken on purpose", "".join(logged.output))
        self.assertEqual(2, self.site.position()["next"])


class TestStart(PlugInCase):

    def start(self, *names: str) -> None:
        Ruleset(Catalog(self.site.database), options(
            engine_options.groups()[0][1], enabled_triggers=list(names)))

    def test_what_cannot_be_used_stops_the_start_with_one_line(self):
        for name, expected in (
                ("vm_delete", "no plug-in 'vm_delete'.*vm_deleted"),
                (f"{HERE}:NoSuch", "NoSuch"),
                ("no.such.module:Class", "no.such.module"),
                (f"{HERE}:not_a_class", "expected a subclass of Trigger"),
                (f"{HERE}:BadPattern", "no_such_field"),
                (f"{HERE}:CannotBeMade", "ZeroDivisionError: while"),
                (f"{HERE}:" + "F" * 60, "F")):
            with self.subTest(name=name), self.assertRaisesRegex(
                    Misconfigured,
                    rf"\[engine\] enabled_triggers: .*{expected}") as caught:
                self.start(name)
            self.assertNotIn("\n", str(caught.exception))

    def test_one_that_is_there_twice_stops_the_start(self):
        with self.assertRaisesRegex(Misconfigured, "vm_created is there"):
            self.start("vm_created", "vm_created")


