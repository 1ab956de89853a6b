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

"""Orphans: found by what is known of deletions, removed, made again."""

import contextlib
import io
import itertools
import json
import pathlib
from unittest import mock
import uuid

import orjson

from monasca_events_common import event as events
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from monasca_events_common.store import Document
from monasca_events_common.store.sqlite import SqliteStore
from monasca_events_engine import options as engine_options
from monasca_events_engine.alarms import command
from monasca_events_engine.alarms import orphans
from monasca_events_engine.alarms.orphans import Remover
from monasca_events_engine.alarms.orphans import StoredDeletions
from monasca_events_engine.testing import event
from tests.bench.sample import options
from tests.unit.engine import api
from tests.unit.engine.test_alarms import alarm
from tests.unit.engine.test_alarms import OTHER
from tests.unit.engine.test_alarms import PROJECT
from tests.unit.engine.test_alarms import RemovalCase
from tests.unit.engine.test_alarms import resources
from tests.unit.engine.test_alarms import shelved
from tests.unit.engine.test_alarms import VM

#: The id of a volume, or of an instance that an alarm takes for one.
THING = "1679091c-5a88-4faf-afb5-e6087eb1b2dc"

DELETED = "compute.instance.delete.end"


def document(one: dict) -> Document:
    record = events.record(one)
    return Document(one["project_id"], one["event_id"], one["event_type"],
                    one["timestamp"], record.value, record.headers["index"])


class StoreCase(RemovalCase):

    def setUp(self):
        super().setUp()
        self.path = self.database.engine.url.database.removesuffix(
            "/engine.db")
        self.store = SqliteStore(options(
            SqliteStore.OPTS, path=f"{self.path}/store.db"))
        self.addCleanup(self.store.close)

    def keep(self, *sent: dict) -> None:
        self.store.write([document(one) for one in sent])


class TestOrphans(StoreCase):

    def find(self, *projects) -> list[tuple]:
        return [(one.alarm.id, one.instance_id) for one in orphans.find(
            [self.shelf], projects or [None], StoredDeletions(self.store),
            lambda looked, found: None)]

    def test_what_watches_a_deleted_instance_of_its_project(self):
        """B2, S1"""
        self.assertEqual([], self.find())
        self.keep(event(DELETED, resource_id=VM),
                  event("compute.instance.create.end", resource_id=VM,
                        project_id=OTHER))
        self.assertEqual([("one", VM), ("two", VM)], self.find())
        self.assertEqual([], self.find(OTHER))

    def test_many_of_them(self):
        ids = [str(uuid.UUID(int=number)) for number in range(700)]
        self.shelf.alarms = {one: shelved(one, vm=one) for one in ids}
        self.keep(*[event(DELETED, number, resource_id=one)
                    for number, one in enumerate(ids[::7])])
        self.assertEqual([(one, one) for one in ids[::7]], self.find())

    def test_instances_are_told_from_other_things_with_ids(self):
        self.keep(*[event("compute.instance.update", number, resource_id=VM)
                    for number in range(250)],
                  event("compute.instance.update", resource_id="b"),
                  event("volume.create.end", resource_id="c",
                        resource_type="volume.volume"))
        self.assertEqual({VM, "b"}, StoredDeletions(self.store).instances(
            PROJECT, [VM, "b", "c", "d"]))

    def test_a_removal_is_recorded_as_the_triggers_is(self):
        remover = Remover(self.database, options(
            engine_options.groups()[0][1], operator_project_id="0" * 32),
            self.action())
        firing_id, result = remover.remove(PROJECT, VM, "because", "e-1")
        self.assertEqual({"other-vm", "other-project"},
                         set(self.shelf.alarms))
        with self.database.read() as connection:
            row = connection.execute(FIRINGS.select()).mappings().one()
        content = orjson.loads(row["content"])
        self.assertEqual(
            (firing_id, "0" * 32, PROJECT, ["e-1"], "reconcile"),
            (content["firing_id"], content["project_id"],
             content["subject_project_id"], content["event_ids"],
             content["trigger_id"]))
        self.assertEqual({"delivered": 1}, self.table.statuses())
        self.assertEqual(1, len(self.published()))

    def test_one_that_fails_is_left_to_the_engines(self):
        self.shelf.fails = 1
        remover = Remover(self.database, options(
            engine_options.groups()[0][1]), self.action())
        with self.assertRaises(Unavailable):
            remover.remove(PROJECT, VM, "because", None)
        self.assertEqual({"pending": 1}, self.table.statuses())


class TestCommand(StoreCase):
    """The whole command, with Aodh and nova played."""

    def setUp(self):
        super().setUp()
        self.alarms = {one["alarm_id"]: one for one in (
            alarm(1), alarm(2), alarm(3, OTHER),
            alarm(4) | resources({"=": {"id": THING}}, "volume"))}
        self.servers = {VM}
        self.may_list = True
        self.broken: set[str] = set()
        self.played = api.Api(self.answer)
        self.addCleanup(self.played.close)
        self.config = pathlib.Path(self.path, "events.conf")
        self.configure()

    def configure(self, more: str = "") -> None:
        self.config.write_text(f"""
[database]
connection = sqlite:///{self.path}/engine.db
[store]
driver = sqlite
[sqlite_store]
path = {self.path}/store.db
[bus]
driver = sqlite
[sqlite_bus]
path = {self.path}/bus.db
[engine_auth]
auth_type = admin_token
token = t
endpoint = {self.played.url}
[aodh]
endpoint = {self.played.url}
[nova]
endpoint = {self.played.url}
{more}
""")

    def answer(self, request):
        head, _, name = request.path.rpartition("/")
        if name in self.broken:
            return 500, {}
        if request.path == "/servers":
            return (200, {}) if self.may_list else (403, {})
        if head == "/servers":
            return (200, {}) if name in self.servers else (404, {})
        if request.method == "GET":
            wanted = request.query["q.value"]
            return 200, [one for one in self.alarms.values()
                         if wanted in ("true", one["project_id"])]
        if request.method == "POST":
            made = {**request.body, "alarm_id": str(uuid.uuid4())}
            self.alarms[made["alarm_id"]] = made
            return 201, made
        return (204, None) if self.alarms.pop(name, None) else (404, {})

    def run_command(self, *arguments: str, status: int = 0) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as said, \
                contextlib.redirect_stderr(io.StringIO()) as told:
            self.assertEqual(status, command.start(
                [f"--config-file={self.config}", *arguments]))
        self.told = told.getvalue()
        return said.getvalue()

    def gone(self) -> list[str]:
        return [json.loads(one)["alarm_id"] for one in
                self.run_command("reconcile", "--json").splitlines()]

    def test_nothing_is_removed_unless_it_is_asked_for(self):
        self.keep(event(DELETED, resource_id=VM))
        self.assertEqual(["alarm-1", "alarm-2"], self.gone())
        table = self.run_command("reconcile", "--project", PROJECT)
        self.assertRegex(table, rf"aodh +alarm-1 +{PROJECT} +{VM} +n1 +"
                         r"\(deleted at 2026-11-22T10:00:00")
        self.assertEqual(table, self.run_command(
            "reconcile", "--project", PROJECT, "--dry-run"))
        self.assertEqual("2 alarms watch instances that are gone; --delete "
                         "removes them\n", self.told)
        self.assertEqual(4, len(self.alarms))

    def test_what_fails_is_told_and_the_others_go_all_the_same(self):
        other = str(uuid.uuid4())
        self.alarms["alarm-5"] = alarm(5) | resources({"=": {"id": other}})
        self.keep(event(DELETED, resource_id=VM),
                  event(DELETED, 1, resource_id=other))
        self.broken = {"alarm-1"}
        said = self.run_command("reconcile", "--delete", status=1)
        self.assertNotIn("alarm-5", self.alarms)
        self.assertIn("alarm-1", self.alarms)
        self.assertRegex(self.told, rf"(?m)^{VM}: .*500")
        self.assertRegex(self.told, r"1 alarms removed, 1 instances failed")
        firing_id = said.rpartition("firing ")[2].strip()
        self.broken = {"alarms"}
        self.run_command("restore", firing_id, status=1)
        self.assertRegex(self.told, "aodh alarm-5 n5: .*500")

    def test_it_says_how_far_it_has_come_when_it_takes_long(self):
        self.keep(event(DELETED, resource_id=VM))
        times = itertools.count(0, 3)
        with mock.patch.object(command.time, "monotonic",
                               lambda: next(times)):
            self.run_command("reconcile")
        self.assertRegex(self.told, r"(?m)^4 alarms looked at, \d of "
                         "instances that are gone$")

    def test_orphans_are_removed_and_made_again_from_their_record(self):
        """B2"""
        self.keep(event(DELETED, resource_id=VM))
        said = self.run_command("reconcile", "--delete")
        self.assertIn("2 of 2 alarms removed", said)
        self.assertEqual({"alarm-3", "alarm-4"}, set(self.alarms))
        firing_id = said.rpartition("firing ")[2].strip()
        said = self.run_command("restore", firing_id)
        self.assertEqual(2, said.count("made again as"))
        self.assertEqual(4, len(self.alarms))
        said = self.run_command("restore", firing_id)
        self.assertEqual(2, said.count("is there already"))
        self.assertEqual(4, len(self.alarms))

    def test_a_file_with_what_the_api_shows_will_do(self):
        self.keep(event(DELETED, resource_id=VM))
        self.run_command("reconcile", "--delete")
        with self.database.read() as connection:
            row = connection.execute(DELIVERIES.select()).mappings().one()
        path = pathlib.Path(self.path, "firing.json")
        path.write_text(json.dumps({"firing_id": "x", "deliveries": [
            {"result": None}, {"result": json.loads(row["result"])}]}))
        self.assertEqual(2, self.run_command("restore", str(path)).count(
            "made again as"))

    def test_nova_is_asked_only_of_what_is_an_instance(self):
        self.servers.clear()
        found = self.run_command("reconcile", "--nova", "--json")
        self.assertEqual({"alarm-1", "alarm-2", "alarm-3"}, {
            json.loads(one)["alarm_id"] for one in found.splitlines()})
        self.keep(event("compute.instance.update", resource_id=THING))
        found = self.run_command("reconcile", "--nova", "--json")
        self.assertEqual(4, len(found.splitlines()))

    def test_nova_must_show_every_projects_instances(self):
        self.servers.clear()
        self.may_list = False
        with self.assertRaisesRegex(Misconfigured, "nova answered 403"):
            self.run_command("reconcile", "--nova", "--delete")
        self.assertEqual(4, len(self.alarms))

    def test_what_cannot_be_restored_is_told(self):
        for record in (str(uuid.uuid4()), str(self.config)):
            with self.assertRaises(Misconfigured):
                self.run_command("restore", record)

    def test_a_dry_run_in_the_options_holds_here_too(self):
        self.configure("[alarm_removal]\ndry_run = true\n")
        self.keep(event(DELETED, resource_id=VM))
        self.assertIn("dry_run is set",
                      self.run_command("reconcile", "--delete"))
        self.assertEqual(4, len(self.alarms))
