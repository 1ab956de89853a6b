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

"""The devstack plug-in, phase by phase, on real servers of its own.

B28: stack, a notification of Keystone ends in its project's list, stack over
it, unstack, clean, and stack once more, with Kafka and Elasticsearch first
and then with the embedded drivers. The host is a directory; see
``devstack/host.py``.
"""

from collections.abc import Iterator
import os
import pathlib
import shutil
import tempfile
import unittest
import uuid

from prometheus_client.parser import text_string_to_metric_families
import requests

from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from tests.cache import CACHE
from tests.integration import sites
from tests.integration.daemons import wait_for
from tests.integration.devstack.host import Host
from tests.integration.devstack.host import SERVICES
from tests.integration.test_wsgi_servers import fetched
from tests.integration.test_wsgi_servers import UWSGI

#: Whether the requirements are fetched, as on a host, which takes longer.
FETCH = bool(os.environ.get("MONASCA_EVENTS_TEST_FETCH"))

SECTION = "oslo_messaging_notifications"

#: file → topics after stacking: those that were there stay first.
TOPICS = {
    "nova.conf": "notifications,event_notifications",
    "nova_cell1.conf": "notifications,event_notifications",
    "cinder.conf": "notifications,event_notifications",
    "neutron.conf": "notifications,event_notifications",
    "glance-api.conf": "notifications,event_notifications",
    "heat.conf": "notifications,profiler,event_notifications",
    "keystone.conf": "notifications,event_notifications"}


class Keystone(sites.Keystone):
    """Leaves the catalog to the plug-in."""

    def register(self, endpoint: str) -> None:
        pass

    def catalog(self) -> list[tuple[str, str, str]]:
        """Return service, interface and URL of what has our type."""
        return sorted(
            (service.name, endpoint.interface, endpoint.url)
            for service in self._identity.services(type="event")
            for endpoint in self._identity.endpoints(service_id=service.id))

    def users(self) -> list[str]:
        return sorted(one.name for one in self._identity.users()
                      if one.name.startswith("monasca-events"))

    def operator(self) -> list[str]:
        """Return the ids of the operator's projects."""
        return [one.id for one in self._identity.projects(
            name="cloud-events")]


class StackedSite(sites.Site):
    """What the plug-in started, as the checker of the main job sees it."""

    def __init__(self, folder: pathlib.Path, host: Host) -> None:
        super().__init__(folder)
        self._host = host
        self.url = host.url
        self._tokens: dict[tuple[str, str], str] = {}
        self.keystone = Keystone(host.servers["keystone"],
                                 uuid.uuid4().hex[:6], host.url)

    def start(self) -> None:
        """Make two projects; the first of them is the test's notification."""
        operator, = self.keystone.operator()
        self.projects = {"operator": operator, **{
            name: self.keystone.project(name.lower()) for name in "AB"}}

    def token(self, project: str, role: str) -> str:
        if (project, role) not in self._tokens:
            user = self.keystone.user(f"{project}-{role}",
                                      self.projects[project], role)
            self._tokens[project, role] = self.keystone.token(
                *user, self.projects[project])
        return self._tokens[project, role]

    def destination(self) -> list[str]:
        return ["--transport-url",
                self._host.servers["rabbitmq"]["transport_url"],
                "--queues", "transient"]

    def metrics_ports(self) -> list[int]:
        return []

    def received(self) -> int:
        """Return how many notifications reached the agent since it began."""
        first = self._host.metrics["agent"]
        return sum(int(sample.value) for port in (first, first + 1)
                   for family in text_string_to_metric_families(requests.get(
                       f"http://127.0.0.1:{port}/metrics", timeout=30).text)
                   for sample in family.samples
                   if sample.name == "monasca_events_received_total"
                   and sample.labels["stage"] == "agent")

    def others_events(self) -> Iterator[dict]:
        # Keystone goes on speaking of the test's own users and roles.
        return iter(())

    def dead_letters(self) -> list[DeadLetter]:
        letters = DeadLetters(self._host.servers["mariadb"]["url"].rpartition(
            "/")[0] + "/monasca_events")
        try:
            return letters.list(limit=10000)
        finally:
            letters.close()

    def keystone_says(self) -> dict[str, set[str]]:
        """Return project → the projects of whose creation it is told."""
        return {name: {one["resource_id"] for one in self.get(
            "/v1.0/events", name, "reader",
            event_type="identity.project.created")["events"]}
            for name in ("A", "B")}


class DevstackTest(unittest.TestCase):

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        uwsgi = fetched(UWSGI) / "bin/uwsgi"
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="stack-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.host = Host(cls.folder / "host", sites.free_port(), {
            name: sites.free_port() for name in ("persister", "engine",
                                                 "agent")
        }, uwsgi, CACHE)
        cls.host.folder.mkdir()
        cls.addClassCleanup(cls.host.close)
        cls.host.prepare()

    def tearDown(self):
        # Whatever failed, nothing goes on running.
        self.host.run("unstack")
        super().tearDown()

    def assert_works(self):
        """Assert that it runs, hears Keystone and does its main job."""
        self.assertEqual(set(SERVICES), self.host.active())
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        site = StackedSite(folder, self.host)
        self.addCleanup(site.close)
        before = self.heard(site)
        site.start()
        wait_for("each project is told of its own creation alone", lambda:
                 site.keystone_says() == {name: {site.projects[name]}
                                          for name in ("A", "B")})
        ours, theirs = (after - earlier for after, earlier in zip(
            self.heard(site), before, strict=True))
        self.assertGreaterEqual(ours, 2)
        self.assertEqual(ours, theirs, "Ceilometer's queue has them too")
        self.assert_generated_arrive(site, folder / "truth")

    def heard(self, site):
        """Return how many notifications the agent took, and how many are in
        Ceilometer's queue, which nobody empties; once none is on its way."""
        seen: list = []

        def rests() -> bool:
            queues = self.host.queues()
            seen.append((site.received(), queues.get("notifications.info", 0),
                         queues.get("event_notifications.info")))
            # Twice the same: what Keystone says comes in both at once.
            return seen[-1][2] == 0 and seen[-2:-1] == seen[-1:]
        wait_for("the agent has taken all", rests, every=0.5)
        return seen[-1][:2]

    def assert_generated_arrive(self, site, truth):
        site.generate(truth, 300, "--seed", "28", "--services",
                      "nova,cinder,neutron,glance,heat")
        found: list = []

        def arrived():
            found[:] = [site.report(truth)]
            return not found[0].lost
        wait_for("all that was sent is stored", arrived, 60, every=0.5)
        # Nobody of ours sent what Keystone said of the projects.
        self.assertEqual(set(), set(found[0].faults) - {"strange"},
                         found[0].text())

    def assert_services_notify(self):
        options = self.host.options()
        self.assertEqual(TOPICS, {name: options[name][SECTION]["topics"]
                                  for name in TOPICS})
        self.assertEqual({"messagingv2"}, {
            options[name][SECTION]["driver"] for name in TOPICS})
        # Nobody listens to a cell's own virtual host.
        self.assertEqual(options["nova.conf"][SECTION]["transport_url"],
                         options["nova_cell1.conf"][SECTION]["transport_url"])

    def assert_panels_are_there(self):
        links = [path for folder in ("enabled", "local_settings.d")
                 for path in (self.host.horizon / folder).iterdir()]
        self.assertGreaterEqual(len(links), 6)
        for link in links:
            self.assertIn(self.host.dest, link.resolve(strict=True).parents)

    def test_stack_unstack_clean_and_stack_again(self):
        """B28"""
        host = self.host
        files, options = host.files(), host.options()
        keystone = Keystone(host.servers["keystone"], "test", host.url)

        first = {} if FETCH else host.quick
        host.run("stack", **first)
        self.assert_works()
        self.assert_services_notify()
        self.assert_panels_are_there()
        self.assertEqual("True", host.options()["tempest.conf"][
            "service_available"]["monasca_events"])
        # Java and Maven, for Kafka and Elasticsearch.
        self.assertEqual(["default-jre-headless", "maven"], host.packages())
        stacked = self.facts(keystone)
        self.assertEqual([("monasca-events", "internal", host.url),
                          ("monasca-events", "public", host.url)],
                         stacked["catalog"])

        host.run("stack", **first)
        self.assertEqual(stacked, self.facts(keystone))
        self.assert_works()

        host.run("unstack")
        self.assertEqual((set(), []), (host.active(), host.processes()))

        host.run("clean")
        self.assert_nothing_is_left(files, options, keystone)

        asked = host.packages()
        with self.assertRaisesRegex(AssertionError, "MONASCA_EVENTS_DRIVERS: "
                                    "servers or embedded, not sqlite"):
            host.run("stack", **{**host.quick,
                                 "MONASCA_EVENTS_DRIVERS": "sqlite"})
        self.assertEqual((asked, []), (host.packages(), host.processes()))
        self.assert_nothing_is_left(files, options, keystone)

        embedded = {"MONASCA_EVENTS_DRIVERS": "embedded", **host.quick}
        host.run("stack", **embedded)
        self.assertEqual(asked, host.packages())
        self.assert_works()
        host.run("unstack", **embedded)
        # As clean.sh does, which then removes these servers altogether.
        host.stop_servers()
        told = host.run("clean", **embedded)
        for name in ("Keystone", "RabbitMQ", "The database server"):
            self.assertIn(f"{name} is down and keeps", told)
        self.assert_host_is_as_before(files, options)

    def facts(self, keystone):
        """Return what a second stack must find and leave as it is."""
        return {"files": {one: (self.host.folder / one).read_text()
                          for one in self.host.files()
                          if one.startswith("etc/monasca-events/")
                          or one.endswith(".service")},
                "options": self.host.options(),
                "catalog": keystone.catalog(), "users": keystone.users(),
                "operator": keystone.operator()}

    def assert_nothing_is_left(self, files, options, keystone):
        host = self.host
        self.assert_host_is_as_before(files, options)
        self.assertNotIn("monasca_events", host.databases())
        self.assertEqual([], [name for name in host.queues()
                              if name.startswith("event_notifications")])
        self.assertEqual(([], [], []), (
            keystone.catalog(), keystone.users(), keystone.operator()))

    def assert_host_is_as_before(self, files, options):
        self.assertEqual(files, self.host.files())
        self.assertEqual(options, self.host.options())
        self.assertEqual([], self.host.processes())


if __name__ == "__main__":
    unittest.main()
