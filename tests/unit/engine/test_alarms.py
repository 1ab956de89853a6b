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

"""Which alarms watch an instance and nothing else, and their removal."""

import json
import tempfile
import threading
import unittest
import uuid

import orjson
import sqlalchemy as sa

from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine.alarms import Alarm
from monasca_events_engine.alarms import AlarmService
from monasca_events_engine.alarms.aodh import Aodh
from monasca_events_engine.alarms.monasca import Monasca
from monasca_events_engine.alarms.monasca import only_about
from monasca_events_engine.alarms.removal import DELETED
from monasca_events_engine.alarms.removal import DeleteAlarms
from monasca_events_engine.alarms.removal import from_record
from monasca_events_engine.alarms.removal import OPTS
from monasca_events_engine.alarms.watching import subjects
from tests.bench.sample import options
from tests.unit.engine import api
from tests.unit.engine.outgoing import delivery
from tests.unit.engine.outgoing import event
from tests.unit.engine.outgoing import firing
from tests.unit.engine.outgoing import parts
from tests.unit.engine.outgoing import PROJECT
from tests.unit.engine.outgoing import row
from tests.unit.engine.outgoing import Running
from tests.unit.engine.outgoing import Table

VM = "8f14e45f-ceea-467f-a0d6-0c5a4f1d2b11"
OTHER_VM = "c9f0f895-fb98-4ab9-859a-4cf2b0e3d722"
OTHER = "b" * 32


def condition(field: str, value: str = VM, **more) -> dict:
    return {"field": field, "op": "eq", "type": "string", "value": value,
            **more}


def event_rule(*query) -> dict:
    return {"type": "event", "event_rule": {"event_type": "*",
                                            "query": list(query)}}


def resources(query, resource_type: str = "instance") -> dict:
    kind = "gnocchi_aggregation_by_resources_threshold"
    return {"type": kind, f"{kind}_rule": {
        "resource_type": resource_type, "metric": "cpu",
        "query": query if isinstance(query, str) else json.dumps(query)}}


def prometheus(query: str) -> dict:
    return {"type": "prometheus", "prometheus_rule": {"query": query}}


def threshold(vm: str = VM, resource_type: str = "instance") -> dict:
    return {"type": "gnocchi_resources_threshold", "metric": "cpu",
            "resource_id": vm, "resource_type": resource_type}


def composite(rule) -> dict:
    return {"type": "composite", "composite_rule": rule}


class TestWatching(unittest.TestCase):
    """B2: an alarm goes only where it watches that instance alone."""

    def test_what_watches_one_instance(self):
        for alarm, sure in (
                (event_rule(condition("traits.instance_id")), True),
                (event_rule(condition("traits.resource_id")), False),
                (event_rule(condition("traits.state", "error"),
                            condition("traits.instance_id")), True),
                ({"type": "gnocchi_resources_threshold",
                  "gnocchi_resources_threshold_rule": threshold()}, True),
                ({"type": "gnocchi_resources_threshold",
                  "gnocchi_resources_threshold_rule": threshold(
                      resource_type="volume")}, False),
                (resources({"=": {"id": VM}}), True),
                # As Aodh writes it down for who is no administrator.
                (resources({"and": [
                    {"or": [{"=": {"created_by_project_id": PROJECT}},
                            {"and": [{"=": {"project_id": PROJECT}}]}]},
                    {"=": {"id": VM}}]}), True),
                (resources({"or": [{"=": {"id": VM}}, {"and": [
                    {"eq": {"id": VM}}, {"=": {"host": "h"}}]}]}), True),
                (prometheus(f'ceilometer_cpu{{resource="{VM}"}}'), False),
                (prometheus('sum by (vcpus) (rate(ceilometer_cpu'
                            f'{{resource=\'{VM}\',x="{{"}}[5m])) / 1e9 > 3'),
                 False),
                (composite({"and": [threshold(), threshold()]}), True),
                (composite({"or": [threshold(), {"and": [
                    threshold(resource_type="volume")]}]}), True)):
            with self.subTest(alarm=alarm):
                self.assertEqual({VM: sure}, subjects(alarm))

    def test_what_watches_more_or_something_else(self):
        for alarm in (
                {}, {"type": "event"}, {"type": "event", "event_rule": None},
                {"type": "event", "event_rule": {"query": "text"}},
                event_rule(),
                event_rule(condition("traits.instance_id", op="ne")),
                event_rule(condition("traits.name")),
                event_rule(condition("traits.instance_id", 7)),
                resources({"=": {"host": VM}}),
                resources({"or": [{"=": {"id": VM}},
                                  {"=": {"id": OTHER_VM}}]}),
                resources({"not": {"=": {"id": VM}}}),
                resources({"in": {"id": [VM]}}), resources("no json"),
                resources({}), resources([]),
                prometheus("up"), prometheus(f'up{{a!="{VM}"}}'),
                prometheus(f'up{{a!~"{VM}"}}'),
                prometheus(f'up{{a=~"{VM}|{OTHER_VM}"}}'),
                prometheus(f'a{{r="{VM}"}} or a{{r="{OTHER_VM}"}}'),
                prometheus(f'a{{r="{VM}"}} or b{{job="x"}}'),
                prometheus(f'a{{r="{VM}"}} + on (x) total'),
                prometheus(f'label_replace(up, "r", "{VM}", "", "")'),
                {"type": "prometheus", "prometheus_rule": {"query": 3}},
                composite({"and": [threshold(), threshold(OTHER_VM)]}),
                composite({"or": [threshold(), {"type": "event",
                                                "query": []}]}),
                composite({"or": []}), composite([]),
                {"type": "gnocchi_aggregation_by_metrics_threshold",
                 "gnocchi_aggregation_by_metrics_threshold_rule": {
                     "metrics": [VM]}}):
            with self.subTest(alarm=alarm):
                self.assertEqual({}, subjects(alarm))

    def test_of_monasca_only_an_expression_about_one_resource(self):
        for expression, expected in (
                (f"cpu{{resource_id={VM}}} > 1", VM),
                (f"max(cpu{{resource_id={VM}, host=h}}, 60) > 1 and "
                 f"avg(mem{{host=h,resource_id = {VM}}}) < 2", VM),
                (f"cpu{{resource_id={VM}}} > 1 or cpu > 2", None),
                (f"cpu{{resource_id={VM}}} > 1 or "
                 f"cpu{{resource_id={OTHER_VM}}} > 2", None),
                ("cpu{host=h} > 1", None), ("cpu > 1", None)):
            with self.subTest(expression=expression):
                self.assertEqual(expected, only_about(expression,
                                                      "resource_id"))


def alarm(number: int = 1, project_id: str = PROJECT, vm: str = VM, **more
          ) -> dict:
    """Return an alarm as Aodh shows it."""
    return {"alarm_id": f"alarm-{number}", "project_id": project_id,
            "name": f"n{number}", "state": "ok", "timestamp": "t",
            **event_rule(condition("traits.instance_id", vm)), **more}


class ApiCase(unittest.TestCase):

    def play(self, answer) -> api.Api:
        played = api.Api(answer)
        self.addCleanup(played.close)
        return played


class TestAodh(ApiCase):

    def setUp(self):
        self.alarms = {one["alarm_id"]: one for one in (
            alarm(1), alarm(2, vm=OTHER_VM), alarm(3, OTHER))}
        self.played = self.play(self.answer)
        self.service = api.make(Aodh, "aodh", endpoint=self.played.url)

    def answer(self, request):
        name = request.path.rpartition("/")[2]
        if request.method == "GET":
            found = sorted(self.alarms.values(),
                           key=lambda one: one["alarm_id"])
            after = request.query.get("marker", "")
            return 200, [one for one in found if one["alarm_id"] > after][
                :int(request.query["limit"])]
        if request.method == "POST":
            made = {**request.body, "alarm_id": str(uuid.uuid4())}
            self.alarms[made["alarm_id"]] = made
            return 201, made
        return (204, None) if self.alarms.pop(name, None) else (404, {})

    def test_only_the_projects_own_alarms_are_found(self):
        """B2, S1: whatever the service's filter does."""
        found, = self.service.find(PROJECT, VM)
        self.assertEqual(("aodh", "alarm-1", PROJECT, "n1", "alarm",
                          self.alarms["alarm-1"]), (
            found.service, found.id, found.project_id, found.name,
            found.kind, found.definition))
        self.assertEqual(
            {"q.field": "project_id", "q.op": "eq", "q.value": PROJECT},
            {name: value for name, value in self.played.requests[0].query
             .items() if name.startswith("q.")})

    def test_all_projects_are_listed_page_by_page(self):
        self.alarms = {f"a{number:04}": alarm(number) | {
            "alarm_id": f"a{number:04}"} for number in range(1200)}
        self.assertEqual(1200, len(list(self.service.watching(None))))
        self.assertEqual(3, len(self.played.requests))

    def test_one_that_is_gone_already_is_no_error(self):
        found, = self.service.find(PROJECT, VM)
        self.assertEqual([True, False], [self.service.delete(found)
                                         for _ in range(2)])
        self.assertEqual({"alarm-2", "alarm-3"}, set(self.alarms))

    def test_it_is_made_again_once_without_what_was_aodhs_own(self):
        found, = self.service.find(PROJECT, VM)
        self.assertIsNone(self.service.restore(found))
        self.service.delete(found)
        made = self.service.restore(found)
        self.assertEqual(
            {"project_id", "name", "type", "event_rule"},
            set(self.played.requests[-1].body))
        self.assertIn(made, self.alarms)
        self.assertIsNone(self.service.restore(found))


    def test_aodhs_own_condition_on_the_project_is_not_joined_twice(self):
        query = {"=": {"id": VM}}
        scoped = json.dumps({"and": [
            {"=": {"created_by_project_id": PROJECT}}, query]})
        self.alarms["a5"] = alarm(5, vm=OTHER_VM) | resources(scoped) | {
            "alarm_id": "a5"}
        found, = [one for one in self.service.find(PROJECT, VM)
                  if one.id == "a5"]
        self.service.delete(found)
        self.service.restore(found)
        kind = "gnocchi_aggregation_by_resources_threshold_rule"
        self.assertEqual(query, json.loads(
            self.played.requests[-1].body[kind]["query"]))
        self.assertIsNone(self.service.restore(found))


class TestMonasca(ApiCase):

    def setUp(self):
        self.gone = []
        self.played = self.play(self.answer)
        self.service = api.make(Monasca, "monasca",
                                endpoint=self.played.url + "/v2.0")

    def elements(self, request):
        about = f"cpu{{resource_id={VM}}} > 1"
        if request.path.endswith("/alarm-definitions"):
            return [{"id": "d1", "name": "mine", "expression": about,
                     "links": [], "match_by": []},
                    {"id": "d2", "name": "all", "expression": "cpu > 1"}]

        def metrics(*vms):
            return [{"name": "cpu", "dimensions": {"resource_id": vm}}
                    for vm in vms]
        return [
            {"id": "a1", "alarm_definition": {"id": "d1", "name": "mine"},
             "metrics": metrics(VM)},
            {"id": "a2", "alarm_definition": {"id": "d2", "name": "all"},
             "metrics": metrics(VM, VM)},
            {"id": "a3", "alarm_definition": {"id": "d2", "name": "all"},
             "metrics": metrics(VM, OTHER_VM)},
            {"id": "a4", "alarm_definition": {"id": "d2", "name": "all"},
             "metrics": metrics(OTHER_VM)}]

    def answer(self, request):
        if request.method == "DELETE":
            self.gone.append(request.path)
            return 204, None
        if request.method == "POST":
            return 201, {"id": "new"}
        found = self.elements(request)
        at = int(request.query.get("offset", 0))
        links = [{"rel": "next", "href": f"http://x/?offset={at + 2}"}] \
            if at + 2 < len(found) else []
        return 200, {"elements": found[at:at + 2], "links": links}

    def test_alarms_of_that_resource_and_definitions_about_it_alone(self):
        """B2"""
        found = self.service.find(PROJECT, VM)
        self.assertEqual([("definition", "d1"), ("alarm", "a2")],
                         [(one.kind, one.id) for one in found])
        for one in found:
            self.service.delete(one)
        self.assertEqual(["/v2.0/alarm-definitions/d1", "/v2.0/alarms/a2"],
                         self.gone)

    def test_a_definition_can_be_made_again_an_alarm_comes_by_itself(self):
        definition, one = self.service.find(PROJECT, VM)
        with self.assertRaisesRegex(Rejected, "by itself"):
            self.service.restore(one)
        self.assertIsNone(self.service.restore(definition))
        self.elements = lambda request: []
        self.assertEqual("new", self.service.restore(definition))
        self.assertEqual({"name": "mine", "match_by": [],
                          "expression": f"cpu{{resource_id={VM}}} > 1"},
                         self.played.requests[-1].body)

    def test_all_projects_at_once_are_beyond_it(self):
        with self.assertRaisesRegex(Rejected, "one project at a time"):
            list(self.service.watching(None))


class Shelf(AlarmService):
    """A service whose alarms are in memory."""

    def __init__(self, *alarms: Alarm) -> None:
        self.name = "shelf"
        self.alarms = {one.id: one for one in alarms}
        self.deleted: list[str] = []
        self.fails = 0

    def watching(self, project_id):
        for one in list(self.alarms.values()):
            if project_id in (None, one.project_id):
                yield one, {one.definition["vm"]: True}

    def delete(self, alarm):
        if self.fails and len(self.deleted) >= self.fails:
            raise Unavailable("away")
        self.deleted.append(alarm.id)
        return self.alarms.pop(alarm.id, None) is not None

    def restore(self, alarm):
        if alarm.id in self.alarms:
            return None
        self.alarms[alarm.id] = alarm
        return alarm.id


def shelved(name: str, project_id: str = PROJECT, vm: str = VM,
            size: int = 0) -> Alarm:
    return Alarm("shelf", name, project_id, name, "alarm",
                 {"vm": vm, "filler": "x" * size})


class RemovalCase(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.database = Database(f"sqlite:///{folder.name}/engine.db")
        self.addCleanup(self.database.close)
        self.database.upgrade()
        self.bus = SqliteBus(options(SqliteBus.OPTS,
                                     path=f"{folder.name}/bus.db"))
        self.addCleanup(self.bus.close)
        self.shelf = Shelf(shelved("one"), shelved("two"),
                           shelved("other-vm", vm=OTHER_VM),
                           shelved("other-project", OTHER))
        self.table = Table(self.database)

    def action(self, **values) -> DeleteAlarms:
        return DeleteAlarms(options(OPTS, **values), parts(
            self.database, self.bus), [self.shelf])

    def insert(self, **fields) -> dict:
        """Insert a firing with its delivery, as the engine does."""
        self.content = firing(
            key={"project_id": PROJECT, "resource_id": VM},
            event=event(resource_id=VM), project_id="0" * 32,
            trigger_id="delete_alarms", **fields)
        made = row(self.content, 0.0, action="delete-alarms")
        self.table.insert([made], self.content)
        return made

    def delivery_of(self, made: dict, attempt: int = 1):
        return delivery(self.content, delivery_id=made["delivery_id"],
                        project_id="0" * 32, method=None, attempt=attempt)

    def published(self) -> list[dict]:
        member = self.bus.subscribe("monevents", str(uuid.uuid4()))
        self.addCleanup(member.close)
        return [orjson.loads(one.value) for one in member.poll(100, 0.5)]


class TestRemoval(RemovalCase):

    def test_exactly_the_instances_alarms_of_its_project_go(self):
        """B2, S1"""
        made = self.insert()
        result = self.action().execute(self.delivery_of(made))
        self.assertEqual({"other-vm", "other-project"},
                         set(self.shelf.alarms))
        self.assertEqual(
            (VM, PROJECT, False, [("one", "removed"), ("two", "removed")]),
            (result["instance_id"], result["project_id"], result["dry_run"],
             [(one["id"], one["state"]) for one in result["alarms"]]))

    def test_the_record_has_each_alarm_whole(self):
        made = self.insert()
        result = self.action().execute(self.delivery_of(made))
        self.assertEqual([shelved("one"), shelved("two")],
                         [from_record(one) for one in json.loads(
                             json.dumps(result))["alarms"]])

    def test_the_tenant_is_told_by_an_event(self):
        made = self.insert()
        self.action().execute(self.delivery_of(made))
        told, = self.published()
        self.assertEqual(
            (DELETED, PROJECT, VM, {"instance_id": VM, "alarms": 2},
             ["one", "two"], {"hops": 1, "origin": ["delete_alarms"]}),
            (told["event_type"], told["project_id"], told["resource_id"],
             told["traits"], [one["id"] for one in
                              told["payload"]["alarms"]], told["marks"]))

    def test_a_dry_run_finds_and_leaves(self):
        made = self.insert()
        result = self.action(dry_run=True).execute(self.delivery_of(made))
        self.assertEqual((True, ["one", "two"]), (
            result["dry_run"], [one["id"] for one in result["alarms"]]))
        self.assertEqual(4, len(self.shelf.alarms))
        self.assertEqual([], self.published())
        # A real one after it begins anew.
        self.assertEqual(2, len(self.action().execute(
            self.delivery_of(made))["alarms"]))

    def test_where_there_is_none_nothing_is_told(self):
        self.shelf.alarms.clear()
        made = self.insert()
        result = self.action().execute(self.delivery_of(made))
        self.assertEqual([], result["alarms"])
        self.assertEqual([], self.published())

    def test_a_repeat_removes_nothing_twice_and_tells_once(self):
        made = self.insert()
        for attempt in (1, 2):
            result = self.action().execute(self.delivery_of(made, attempt))
        self.assertEqual(["removed"] * 2, [one["state"] for one in
                                           result["alarms"]])
        self.assertEqual(1, len({one["event_id"]
                                 for one in self.published()}))

    def test_a_crash_between_leaves_a_record_of_all(self):
        """F4: what is to be removed is written down before."""
        made = self.insert()
        self.shelf.fails = 1
        with self.assertRaises(Unavailable):
            self.action().execute(self.delivery_of(made))
        written = json.loads(self.table.get(made["delivery_id"])["result"])
        self.assertEqual(["one", "two"],
                         [one["id"] for one in written["alarms"]])
        self.shelf.fails = 0
        result = self.action().execute(self.delivery_of(made, 2))
        self.assertEqual([("one", "removed"), ("two", "removed")], [
            (one["id"], one["state"]) for one in result["alarms"]])
        self.assertEqual({"other-vm", "other-project"},
                         set(self.shelf.alarms))

    def test_what_the_record_cannot_hold_is_left_alone(self):
        """Design 4: no silent caps."""
        self.shelf.alarms = {name: shelved(name, size=400_000)
                             for name in ("a", "b", "c", "d")}
        made = self.insert()
        with self.assertLogs("monasca_events_engine", "WARNING"):
            result = self.action().execute(self.delivery_of(made))
        self.assertEqual((2, 2), (result["left"], len(self.shelf.alarms)))
        self.assertLess(len(json.dumps(result)), DeleteAlarms.MAX_RESULT)

    def test_a_firing_about_no_instance_is_given_up(self):
        self.insert()
        self.content["event"] = None
        self.content["key"] = {}
        with self.assertRaises(Rejected):
            self.action().execute(delivery(self.content))

    def test_a_service_must_be_named(self):
        with self.assertRaisesRegex(Misconfigured, "services names none"):
            DeleteAlarms.check(options(OPTS, services=[]), None, None)


class TestDelivered(RemovalCase):
    """Through the dispatcher, as the engine makes it."""

    def running(self) -> Running:
        found = Running(self.database, None,
                        {"delete-alarms": self.action()})
        self.addCleanup(found.close)
        return found.start()

    def test_the_record_is_kept_with_the_delivery(self):
        made = self.insert()
        self.running()
        found = self.table.await_status(made["delivery_id"], "delivered")
        self.assertEqual(2, len(json.loads(found["result"])["alarms"]))

    def test_a_failed_attempt_keeps_what_it_wrote_down(self):
        made = self.insert()
        self.shelf.fails = 1
        running = self.running()
        reached = threading.Event()

        def delete(alarm, plain=self.shelf.delete):
            try:
                return plain(alarm)
            except Unavailable:
                reached.set()
                raise
        self.shelf.delete = delete
        self.assertTrue(reached.wait(60))
        running.close()
        with self.database.read() as connection:
            found = connection.execute(sa.select(DELIVERIES).where(
                DELIVERIES.c.delivery_id == made["delivery_id"])
            ).mappings().one()
        self.assertEqual(2, len(json.loads(found["result"])["alarms"]))

    def test_until_the_window_ends_it_can_be_cancelled(self):
        action = self.action(undo_seconds=5)
        self.assertEqual(5, action.delay)
        made = self.insert()
        self.table.change(made["delivery_id"], status="waiting",
                          next_at=4e9)
        self.running()
        self.table.change(made["delivery_id"], status="cancelled")
        self.assertEqual(4, len(self.shelf.alarms))
        self.assertEqual("cancelled", self.table.get(
            made["delivery_id"])["status"])
