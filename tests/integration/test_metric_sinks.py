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

"""What metric actions measure reaches real services, and equals the truth."""

import pathlib
import subprocess
import tempfile
import time
import unittest
import urllib.request
import uuid

from kafka import KafkaConsumer
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
import orjson
from prometheus_client import parser
import requests
import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common.database.tables import MEASURES
from monasca_events_engine import testing
from monasca_events_engine.measures import Measure
from monasca_events_engine.measures import row
from monasca_events_engine.sinks.monasca_kafka import MonascaKafka
from tests.integration import engine_site
from tests.integration import servers
from tests.integration import sites
from tests.integration.daemons import wait_for
from tests.unit.engine import api

#: Labels of the measured instances.
TRAITS = {"flavor": "m1.small", "host": "node-1", "image_id": "i-1",
          "availability_zone": "nova"}


def pair(instance: str, took: float, at: float, project_id: str) -> list:
    """Return the events of an instance that took so long to be made."""
    def event(edge, when, **more):
        stamp = events.format_time(events.parse_time(when))
        return testing.event(
            f"compute.instance.create.{edge}", name=f"{instance}/{edge}",
            project_id=project_id, resource_id=instance, timestamp=stamp,
            received_at=stamp, **more)
    return [event("start", at - took), event("end", at, traits=TRAITS)]


class TestGnocchiAndPrometheus(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        found = servers.up("gnocchi", "prometheus", "keystone", settings=[
            "gnocchi:auth_mode=keystone"])
        cls.gnocchi, cls.keystone = found["gnocchi"], found["keystone"]
        cls.promtool = found["prometheus"]["promtool"]

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.port = sites.free_port()
        keystone = self.keystone
        context = engine_site.embedded(pathlib.Path(folder.name), f"""
[engine]
enabled_metric_actions = durations,failure_rate,event_rate
[metrics]
ports = engine:{self.port}
[metric_sinks]
enabled = gnocchi
interval = 0.1
[gnocchi]
interface = public
archive_policy = high
[engine_auth]
auth_type = password
auth_url = {keystone["auth_url"]}
username = {keystone["username"]}
password = {keystone["password"]}
project_name = {keystone["project_name"]}
user_domain_name = {keystone["user_domain_name"]}
project_domain_name = {keystone["project_domain_name"]}
""")
        self.site = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = self.token()

    def token(self) -> str:
        keystone = self.keystone
        return Session(v3.Password(
            auth_url=keystone["auth_url"], username=keystone["username"],
            password=keystone["password"],
            project_name=keystone["project_name"],
            user_domain_name=keystone["user_domain_name"],
            project_domain_name=keystone["project_domain_name"])).get_token()

    def waiting(self) -> int:
        with self.site.database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(
                MEASURES))

    def get(self, path: str, **params):
        answer = self.session.get(self.gnocchi["url"] + path, params=params,
                                  timeout=60)
        answer.raise_for_status()
        return answer.json()

    def measures(self, instance: str, aggregation: str) -> list:
        """Return [timestamp, value] of an instance's deploy durations."""
        metrics = self.get(f"/v1/resource/generic/{instance}")["metrics"]
        return [(at, value) for at, granularity, value in self.get(
            f"/v1/metric/{metrics['instance-create.duration']}/measures",
            refresh="true", aggregation=aggregation, granularity=1)]

    def page(self) -> str:
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/metrics", timeout=60) as found:
            return found.read().decode()

    def test_durations_equal_what_happened_and_a_repeat_changes_nothing(self):
        """B46; issue 4: the deploy duration in Prometheus and Gnocchi."""
        project_id = uuid.uuid4().hex
        now = time.time() - 1
        truth = {str(uuid.uuid4()): took for took in (1.25, 3.5, 6.0)}
        sent = [one for place, (instance, took) in enumerate(truth.items())
                for one in pair(instance, took, now - place, project_id)]
        self.site.start()
        self.site.publish(sorted(sent, key=lambda one: one["timestamp"]))
        wait_for("all are measured", lambda:
                 'duration_seconds_count{' in self._page_or_nothing()
                 and self._count() == 3)
        wait_for("all are pushed", lambda: self.waiting() == 0)
        for instance, took in truth.items():
            self.assertEqual([took], [value for _, value in self.measures(
                instance, "mean")])
            self.assertEqual([1.0], [value for _, value in self.measures(
                instance, "count")])
            resource = self.get(f"/v1/resource/generic/{instance}")
            self.assertEqual(project_id, resource["project_id"])
        self.push_again(truth, now, project_id)
        for instance, took in truth.items():
            self.assertEqual([(took, 1.0)], [
                (mean, count) for (_, mean), (_, count) in zip(
                    self.measures(instance, "mean"),
                    self.measures(instance, "count"), strict=True)])
        self.check_page(truth)

    def push_again(self, truth, now, project_id) -> None:
        """Have the same measures pushed once more, as after a crash."""
        with self.site.database.begin() as connection:
            connection.execute(MEASURES.insert(), [row(
                uuid.uuid4().bytes, "gnocchi", orjson.dumps(Measure(
                    "instance-create.duration", "histogram", took,
                    events.parse_time(events.format_time(events.parse_time(
                        now - place))).timestamp(), {}, project_id,
                    instance)).decode(), time.time())
                for place, (instance, took) in enumerate(truth.items())])
        wait_for("they are pushed again", lambda: self.waiting() == 0)

    def _page_or_nothing(self) -> str:
        try:
            return self.page()
        except OSError:
            return ""

    def samples(self) -> dict:
        return {(sample.name, tuple(sorted(sample.labels.items()))):
                sample.value for family in
                parser.text_string_to_metric_families(self.page())
                for sample in family.samples}

    def _count(self) -> float:
        return sum(value for (name, _), value in self.samples().items()
                   if name == "monasca_events_instance_create_duration_"
                   "seconds_count")

    def check_page(self, truth) -> None:
        found = self.samples()
        labels = tuple(sorted({"flavor": "m1.small", "host": "node-1",
                               "image": "i-1",
                               "availability_zone": "nova"}.items()))
        name = "monasca_events_instance_create_duration_seconds"
        self.assertAlmostEqual(sum(truth.values()),
                               found[f"{name}_sum", labels], places=4)
        self.assertEqual([0, 1, 2, 3], [
            found[f"{name}_bucket", tuple(sorted((*labels, ("le", bound))))]
            for bound in ("1", "2", "5", "+Inf")])
        done = subprocess.run([self.promtool, "check", "metrics"],
                              input=self.page(), text=True,
                              capture_output=True, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stdout), done.stderr)


class TestMonascaKafka(unittest.TestCase):

    def test_the_envelope_is_what_monascas_persister_reads(self):
        """Facts of the Monasca family: the topic metrics."""
        kafka = servers.up("kafka")
        topic = f"metrics_{uuid.uuid4().hex[:8]}"
        sink = api.make(MonascaKafka, topic=topic,
                        uri=f"{kafka['host']}:{kafka['port']}")
        self.addCleanup(sink.close)
        at = time.time()
        sink.push([Measure("instance-create.duration", "histogram", value,
                           at, {"flavor": "m1.small"}, "a" * 32, "vm-1")
                   for value in (7.5, 8.5)])
        consumer = KafkaConsumer(
            topic, bootstrap_servers=kafka["bootstrap_servers"],
            auto_offset_reset="earliest", consumer_timeout_ms=60000)
        self.addCleanup(consumer.close)
        found = [orjson.loads(one.value) for one, _ in zip(
            consumer, range(2), strict=False)]
        self.assertEqual([7.5, 8.5], [one["metric"]["value"]
                                      for one in found])
        self.assertEqual(
            {"metric": {"name": "instance-create.duration", "value": 7.5,
                        "timestamp": round(at * 1000), "value_meta": None,
                        "dimensions": {"flavor": "m1.small",
                                       "resource_id": "vm-1"}},
             "meta": {"tenantId": "a" * 32, "region": "RegionOne"},
             "creation_time": found[0]["creation_time"]}, found[0])
        self.assertLess(abs(found[0]["creation_time"] - at), 60)
