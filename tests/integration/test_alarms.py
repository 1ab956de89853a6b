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

"""Alarms of a real Aodh go with their instance, and come again.

The engine is a process on the embedded drivers; Aodh, Keystone and Gnocchi
are real. Alarms that Gnocchi's metrics feed need Gnocchi in the catalog.
"""

from collections.abc import Mapping
import json
import pathlib
import tempfile
import time
import unittest
import uuid

import orjson
import requests

from monasca_events_api.history import History
from monasca_events_common import event as events
from monasca_events_common.store import Document
from monasca_events_common.store.sqlite import SqliteStore
from monasca_events_engine import testing
from tests.bench.sample import options
from tests.integration import engine_site
from tests.integration import servers
from tests.integration.daemons import wait_for

_SECONDS = 120


class Cloud:
    """Keystone and Aodh, as an administrator uses them."""

    def __init__(self) -> None:
        found = servers.up("aodh", "keystone", "gnocchi", settings=[
            "gnocchi:auth_mode=keystone"])
        self.keystone, self.url = found["keystone"], found["aodh"]["url"]
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = self._token()
        # As Ceilometer makes it; 409 where it is there.
        self.session.post(f"{found['gnocchi']['url']}/v1/resource_type",
                          json={"name": "instance"}, timeout=_SECONDS)

    def _token(self) -> str:
        keystone = self.keystone
        answer = requests.post(f"{keystone['auth_url']}/auth/tokens", json={
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": {
                    "name": keystone["username"],
                    "password": keystone["password"],
                    "domain": {"name": keystone["user_domain_name"]}}}},
                "scope": {"project": {
                    "name": keystone["project_name"], "domain": {
                        "name": keystone["project_domain_name"]}}}}},
            timeout=_SECONDS)
        answer.raise_for_status()
        return answer.headers["X-Subject-Token"]

    def project(self) -> str:
        """Make a project; return its id."""
        answer = self.session.post(
            f"{self.keystone['auth_url']}/projects", timeout=_SECONDS,
            json={"project": {"name": uuid.uuid4().hex,
                              "domain_id": "default"}})
        answer.raise_for_status()
        return answer.json()["project"]["id"]

    def alarm(self, project_id: str, kind: str, rule: Mapping) -> str:
        """Make an alarm; return its name."""
        name = uuid.uuid4().hex
        answer = self.session.post(
            f"{self.url}/v2/alarms", timeout=_SECONDS, json={
                "name": name, "type": kind, f"{kind}_rule": rule,
                "project_id": project_id, "user_id": "u"})
        if answer.status_code != 201:
            raise AssertionError(answer.text)
        return name

    def alarms(self, project_id: str) -> dict[str, dict]:
        """Return name → alarm, without what Aodh alone decides."""
        answer = self.session.get(
            f"{self.url}/v2/alarms", timeout=_SECONDS, params={
                "q.field": "project_id", "q.op": "eq",
                "q.value": project_id})
        answer.raise_for_status()
        its_own = ("alarm_id", "timestamp", "state_timestamp",
                   "evaluate_timestamp")
        return {one["name"]: {key: value for key, value in one.items()
                              if key not in its_own}
                for one in answer.json()}

    def conf(self) -> str:
        keystone = self.keystone
        return f"""
[engine_auth]
auth_type = password
auth_url = {keystone["auth_url"]}
username = {keystone["username"]}
password = {keystone["password"]}
project_name = {keystone["project_name"]}
user_domain_name = {keystone["user_domain_name"]}
project_domain_name = {keystone["project_domain_name"]}
[aodh]
interface = public
"""


def watching(instance: str) -> dict[str, Mapping]:
    """Return kind → rule of alarms that watch an instance and no more."""
    threshold = {"metric": "cpu", "resource_id": instance,
                 "resource_type": "instance", "threshold": 1.0,
                 "aggregation_method": "mean", "granularity": 60,
                 "evaluation_periods": 1, "comparison_operator": "gt"}
    whole = {**threshold, "type": "gnocchi_resources_threshold"}
    aggregated = {**threshold, "query": json.dumps({"=": {"id": instance}})}
    del aggregated["resource_id"]
    return {
        "event": {"event_type": "compute.instance.*", "query": [
            {"field": "traits.instance_id", "op": "eq", "type": "string",
             "value": instance}]},
        "gnocchi_resources_threshold": threshold,
        "gnocchi_aggregation_by_resources_threshold": aggregated,
        "composite": {"or": [whole, {"and": [whole, whole]}]},
        "prometheus": {"query": f'ceilometer_cpu{{resource="{instance}"}}',
                       "threshold": 1.0, "comparison_operator": "gt"}}


class AlarmsCase(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloud = Cloud()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.mine, self.others = self.cloud.project(), self.cloud.project()
        self.instance, self.another = (str(uuid.uuid4()) for _ in range(2))
        alarm = self.cloud.alarm
        self.watching = {alarm(self.mine, kind, rule) for kind, rule
                         in watching(self.instance).items()}
        whole = {**watching(self.instance)["gnocchi_resources_threshold"],
                 "type": "gnocchi_resources_threshold"}
        self.rest = {
            alarm(self.mine, "event", watching(self.another)["event"]),
            alarm(self.mine, "composite", {"or": [
                whole, {**whole, "resource_id": self.another}]}),
            alarm(self.mine, "prometheus", {
                "query": f'up + cpu{{resource="{self.instance}"}}',
                "threshold": 1.0, "comparison_operator": "gt"})}
        self.foreign = alarm(self.others, "event",
                             watching(self.instance)["event"])
        self.before = self.cloud.alarms(self.mine)

    def open_site(self, **removal) -> engine_site.EngineProcess:
        """Return an installation with the trigger ``delete_alarms``."""
        settings = "\n".join(f"{name} = {value}" for name, value in {
            "undo_seconds": 0, **removal}.items())
        context = engine_site.embedded(self.folder, f"""
[engine]
enabled_triggers = delete_alarms
[actions]
enabled = delete-alarms
[store]
driver = sqlite
[sqlite_store]
path = {self.folder}/store.db
[alarm_removal]
{settings}
{self.cloud.conf()}""")
        site = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.history = History(site.database)
        return site

    def deleted(self) -> dict:
        now = events.format_time(events.parse_time(time.time()))
        return testing.event(
            "compute.instance.delete.end", name=uuid.uuid4().hex,
            project_id=self.mine, resource_id=self.instance, timestamp=now,
            received_at=now)

    def delivery(self, status: str) -> tuple[dict, dict]:
        """Wait for the removal to come so far; return firing, delivery."""
        def look():
            found, _ = self.history.firings(self.mine)
            return [(one, delivery) for one in found
                    for delivery in one["deliveries"]
                    if delivery["status"] == status]
        try:
            return wait_for(f"the removal is {status}", look)[0]
        except AssertionError:
            print(self.history.firings(self.mine))
            raise

    def names(self) -> set[str]:
        return set(self.cloud.alarms(self.mine))

    def assert_foreign_is_there(self):
        self.assertEqual({self.foreign}, set(self.cloud.alarms(self.others)))


class TestRemoval(AlarmsCase):

    def test_exactly_the_instances_alarms_go_and_come_again(self):
        """B2, S1; issue 4: exactly the alarms of the deleted instance."""
        site = self.open_site()
        site.start()
        site.publish([self.deleted()])
        firing, delivery = self.delivery("delivered")
        self.assertEqual(self.rest, self.names())
        self.assert_foreign_is_there()
        result = delivery["result"]
        self.assertEqual({(name, "removed") for name in self.watching},
                         {(one["name"], one["state"])
                          for one in result["alarms"]})
        member = site.bus.subscribe(site.topic, "look")
        told = [orjson.loads(one.value) for one in member.poll(100, 2.0)]
        member.close()
        self.assertEqual(
            [("monasca_events.alarms.deleted", self.mine, self.instance)],
            [(one["event_type"], one["project_id"], one["resource_id"])
             for one in told if one["source"] == "engine"])
        for _ in range(2):
            done = site.daemons.run("alarms", "restore", firing["firing_id"])
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertEqual(self.before, self.cloud.alarms(self.mine))

    def test_a_dry_run_removes_nothing(self):
        site = self.open_site(dry_run="true")
        site.start()
        site.publish([self.deleted()])
        _, delivery = self.delivery("delivered")
        self.assertEqual((True, self.watching), (
            delivery["result"]["dry_run"],
            {one["name"] for one in delivery["result"]["alarms"]}))
        self.assertEqual(self.before, self.cloud.alarms(self.mine))

    def test_until_the_window_ends_it_can_be_cancelled(self):
        site = self.open_site(undo_seconds=4)
        site.start()
        site.publish([self.deleted()])
        firing, _ = self.delivery("waiting")
        self.history.cancel(self.mine, "delete_alarms", firing["firing_id"],
                            time.time())
        until = time.time() + 6
        wait_for("the window is over", lambda: time.time() > until)
        self.delivery("cancelled")
        self.assertEqual(self.before, self.cloud.alarms(self.mine))
        # Not cancelled, the next one does remove them.
        site.publish([self.deleted()])
        self.delivery("delivered")
        self.assertEqual(self.rest, self.names())


class TestReconcile(AlarmsCase):

    def test_what_was_left_behind_is_found_and_removed_when_asked_for(self):
        """B2: deleted while nothing listened."""
        site = self.open_site()
        gone = self.deleted()
        store = SqliteStore(options(SqliteStore.OPTS,
                                    path=f"{self.folder}/store.db"))
        record = events.record(gone)
        store.write([Document(self.mine, gone["event_id"],
                              gone["event_type"], gone["timestamp"],
                              record.value, record.headers["index"])])
        store.close()
        done = site.daemons.run("alarms", "reconcile", "--json")
        found = [json.loads(one) for one in done.stdout.splitlines()]
        self.assertEqual(self.watching, {
            one["name"] for one in found
            if one["project_id"] in (self.mine, self.others)}, done.stderr)
        self.assertEqual(self.before, self.cloud.alarms(self.mine))
        done = site.daemons.run("alarms", "reconcile", "--delete")
        self.assertIn("5 of 5 alarms removed", done.stdout, done.stderr)
        self.assertEqual(self.rest, self.names())
        self.assert_foreign_is_there()
        firing, _ = self.delivery("delivered")
        done = site.daemons.run("alarms", "restore", firing["firing_id"])
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(self.before, self.cloud.alarms(self.mine))
