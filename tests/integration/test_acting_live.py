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

"""Events act on real servers, and real services hear of it.

RabbitMQ, Keystone, Kafka, Elasticsearch and MariaDB carry the events; Aodh
loses alarms, Gnocchi gets durations, and a monasca-notification sends on what
it is told.
"""

import pathlib
import unittest
import uuid

import sqlalchemy as sa

from monasca_events_agent.traffic import truth as truths
from tests.integration import acting
from tests.integration import servers
from tests.integration.daemons import wait_for
from tests.integration.receiver import Receiver
from tests.integration.sites import LiveSite
from tests.integration.sites import Site
from tests.integration.test_alarms import Cloud
from tests.integration.test_alarms import watching

_SECONDS = 120


class ActingSite(LiveSite):
    """Has an engine, and services that it acts on."""

    def __init__(self, folder: pathlib.Path, receiver: Receiver) -> None:
        super().__init__(folder, api_workers=1)
        self._receiver = receiver
        self.notification = servers.up("monasca-notification", "kafka")[
            "monasca-notification"]
        self.gnocchi = servers.up("gnocchi", "keystone", settings=[
            "gnocchi:auth_mode=keystone"])["gnocchi"]
        self.cloud = Cloud()

    @property
    def engine_port(self) -> int:
        return self._metrics + 20

    def _metrics_option(self) -> str:
        return f"{super()._metrics_option()},engine:{self.engine_port}"

    def configuration(self) -> str:
        return f"""{super().configuration()}
{acting.configuration(self._receiver, "delete_alarms")}
[engine]
operator_project_id = {self.projects["operator"]}
[actions]
enabled = webhook,event,monasca-notification,delete-alarms
[alarm_removal]
undo_seconds = 0
[monasca_notification]
uri = {self.servers["kafka"]["host"]}:{self.servers["kafka"]["port"]}
[metric_sinks]
enabled = gnocchi
interval = 0.2
[gnocchi]
interface = public
archive_policy = high
{self.cloud.conf()}"""

    def measured(self, instance: str) -> list[float]:
        """Return the deploy durations that Gnocchi has of an instance."""
        found = self._gnocchi(f"/v1/resource/generic/{instance}")
        metric = (found or {}).get("metrics", {}).get(
            "instance-create.duration")
        return [] if metric is None else [value for _, _, value in (
            self._gnocchi(f"/v1/metric/{metric}/measures", refresh="true",
                          granularity="1") or ())]

    def _gnocchi(self, path: str, **query):
        answer = self.cloud.session.get(self.gnocchi["url"] + path,
                                        params=query, timeout=_SECONDS)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()


class TestLive(acting.ActingTests, unittest.TestCase):

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        return ActingSite(folder, cls.receiver)

    @classmethod
    def engine_port(cls) -> int:
        return cls.site.engine_port

    def test_gnocchi_has_the_durations_of_the_truth_file(self):
        """B46: the deploy duration of each instance, and nothing else."""
        truth = self.folder / "durations.truth"
        # No seed: Gnocchi would know the instances of the run before.
        self.site.generate(truth, 300, "--services", "nova", "--rate", "60",
                           "--duplicates", "0.1")
        pairs = [one for one in truths.pairs(truths.read(str(truth)))
                 if one.operation == acting.CREATE and one.outcome == "end"]
        self.assertGreater(len(pairs), 10)
        for one in pairs:
            found = wait_for("Gnocchi has it", lambda: self.site.measured(
                one.resource_id))  # noqa: B023
            self.assertEqual(1, len(found))
            self.assertAlmostEqual(one.duration, found[0], places=5)

    def test_exactly_the_deleted_instances_alarms_go(self):
        """B2, S1: whatever of the same project's alarms watched it."""
        cloud, projects = self.site.cloud, self.site.projects
        instance, another = str(uuid.uuid4()), str(uuid.uuid4())
        gone = {cloud.alarm(projects["A"], kind, rule)
                for kind, rule in watching(instance).items()}
        stays = cloud.alarm(projects["A"], "event",
                            watching(another)["event"])
        foreign = cloud.alarm(projects["B"], "event",
                              watching(instance)["event"])
        self.assertEqual({*gone, stays}, set(cloud.alarms(projects["A"])))
        self.send(f"{acting.DELETE}.end", instance, state="deleted")
        wait_for("its alarms are gone", lambda: not gone & set(
            cloud.alarms(projects["A"])))
        self.assertEqual({stays}, set(cloud.alarms(projects["A"])))
        self.assertEqual({foreign}, set(cloud.alarms(projects["B"])))

    def test_monascas_notification_engine_sends_on_what_it_is_told(self):
        """B32: an alarm's transition becomes somebody's webhook."""
        method = self.create("notification-methods", "operator", "admin",
                             name="monasca", type="monasca-notification")
        trigger = self.create(
            "triggers", "operator", "admin", name="told", kind="match",
            group_by=["resource_id"], notify={"fired": [method]},
            pattern={"event_type": ["site.alert"]})
        receiver = Receiver()
        self.addCleanup(receiver.close)
        self.subscribe(trigger, receiver.url)
        resource = str(uuid.uuid4())

        def told() -> bytes:
            # A trigger holds for what comes after the engine heard of it.
            answer = self.site.call(
                "POST", "/v1.0/events",
                self.site.token("operator", "admin"), json={"events": [{
                    "event_type": "site.alert", "resource_id": resource}]})
            self.assertEqual(202, answer.status_code, answer.text)
            return b"".join(body for found in list(receiver.got.values())
                            for _, body in found)
        body = wait_for("the webhook is told", told, every=1.0).decode()
        self.assertIn(trigger, body)
        self.assertIn("ALARM", body)

    def subscribe(self, trigger: str, url: str) -> None:
        """Have Monasca's engine call a URL when the trigger fires."""
        engine = sa.create_engine(self.site.notification["database"])
        self.addCleanup(engine.dispose)
        method = str(uuid.uuid4())
        with engine.begin() as connection:
            connection.execute(sa.text(
                "INSERT INTO notification_method (id, name, type, address) "
                "VALUES (:id, 'us', 'WEBHOOK', :address)"),
                {"id": method, "address": url})
            connection.execute(sa.text(
                "INSERT INTO alarm_action VALUES (:trigger, 'ALARM', "
                ":method)"), {"trigger": trigger, "method": method})
