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

"""The main job on real servers: RabbitMQ, Keystone, Kafka, Elasticsearch.

Real notifications of a real Keystone, notifications captured from nova,
neutron, glance and cinder, and generated ones pass the whole way with real
tokens, and two tenants see exactly their own.
"""

from collections.abc import Iterator, Mapping
import datetime
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import uuid

from kafka import KafkaProducer
import kombu
import requests
import sqlalchemy

from monasca_events_agent.traffic.notification import Notification
from monasca_events_agent.traffic.notification import wire_time
from monasca_events_agent.traffic.sender import to_rabbitmq
from monasca_events_common.event import event_id
from monasca_events_common.event import format_time
from tests.integration import flow
from tests.integration import servers
from tests.integration.daemons import wait_for
from tests.integration.sites import Keystone
from tests.integration.sites import LiveSite
from tests.integration.sites import Site

CAPTURED = (pathlib.Path(__file__).resolve().parents[3]
            / "shared/data/notifications/wire-captured.jsonl")


class LiveFlow(flow.FlowTests):
    """The flow on real servers, for each bus driver."""

    bus = "kafka"
    layout = "tenant"

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        return LiveSite(folder, bus=cls.bus, extra=f"[elasticsearch]\n"
                        f"layout = {cls.layout}\n")

    def test_what_the_retired_api_published_is_found_by_its_tenant(self):
        # §2 of the contract: an old API may feed a new persister. No headers,
        # a time in milliseconds as key, the old form as value.
        site = self.site
        received = datetime.datetime.now(datetime.timezone.utc).replace(
            microsecond=0)
        happened = received - datetime.timedelta(seconds=0.505394)

        def old(name: str, **fields) -> bytes:
            """Return a message as the retired API put it on the bus."""
            return json.dumps({
                "event": {"event_type": "backup.old", "priority": "INFO",
                          "publisher_id": f"old-{name}-host",
                          "dimensions": {"service": "backup"},
                          "payload": {"of": name}, **fields},
                "creation_time": int(received.timestamp()),
                "meta": {"project_id": site.projects[name]}}).encode()
        records = [
            *(old(name, timestamp=wire_time(happened),
                  message_id=f"old-{name}")
              for name in ("A", "B") for _repetition in range(2)),
            # The retired service gave no ids: the same again is another one.
            *(old("A", payload={"turn": 1}) for _ in range(2))]
        producer = KafkaProducer(
            bootstrap_servers=site.servers["kafka"]["bootstrap_servers"])
        try:
            for value in records:
                producer.send(f"monevents_{site.name}", value,
                              key=b"1793524511494").get(60)
        finally:
            producer.close()

        def found(name: str) -> list[dict]:
            return site.get("/v1.0/events", name, event_type="backup.old",
                            limit=100, sort="timestamp:asc")["events"]
        wait_for("three events are A's and one is B's",
                 lambda: (len(found("A")), len(found("B"))) == (3, 1))
        for name in ("A", "B"):
            first, *others = found(name)
            project_id = site.projects[name]
            self.assertEqual(
                (event_id(project_id, f"old-{name}"), project_id,
                 format_time(happened), {"service": "backup"}, {"of": name}),
                (first["event_id"], first["project_id"], first["timestamp"],
                 first["dimensions"], first["payload"]))
            for one in others:
                self.assertEqual(
                    (project_id, format_time(received), {"turn": 1}),
                    (one["project_id"], one["timestamp"], one["payload"]))
            by_word = site.get("/v1.0/events", name, q=f"old-{name}-host",
                               sort="timestamp:asc")["events"]
            self.assertEqual([first, *others], by_word)
        self.assertEqual([], [one for one in site.others_events()
                              if one["event_type"] == "backup.old"])

    def places_on_disk(self) -> list[str]:
        # RabbitMQ is the carrier; what is in it was never ours to hide.
        found = servers.up("kafka", "elasticsearch", "mariadb")
        ours = [str(one) for one in self.folder.iterdir()
                if one.suffix != ".truth"]
        return [*ours, *(one["directory"] for one in found.values())]

    def own_places(self) -> dict[str, list[str]]:
        # The servers' folders have what other sites left, too.
        name, found = self.site.name, self.site.servers
        indices = requests.get(
            f"{found['elasticsearch']['url']}/_cat/indices/ev{name}-*",
            params={"format": "json", "h": "uuid"}, timeout=30).json()
        return {"spool": [str(self.folder / "spool")],
                "bus": below(found["kafka"], f"monevents_{name}-*"),
                "store": [path for one in indices for path
                          in below(found["elasticsearch"], one["uuid"])],
                "dead letters": below(found["mariadb"], f"dead_{name}")}

    def write_out(self) -> None:
        engine = sqlalchemy.create_engine(self.site.dead_url)
        with engine.begin() as connection:
            for statement in ("FLUSH TABLES dead_letters FOR EXPORT",
                              "UNLOCK TABLES"):
                connection.execute(sqlalchemy.text(statement))
        engine.dispose()

    def shown(self) -> Iterator[bytes]:
        # Not by the API: it takes off what is only searched.
        url = self.site.servers["elasticsearch"]["url"]
        page = requests.post(
            f"{url}/ev{self.site.name}-*/_search?scroll=1m", timeout=30,
            json={"size": 500, "query": {"match_all": {}}})
        while True:
            page.raise_for_status()
            answer = page.json()
            if not answer["hits"]["hits"]:
                break
            yield page.content
            page = requests.post(f"{url}/_search/scroll", timeout=30, json={
                "scroll": "1m", "scroll_id": answer["_scroll_id"]})


def below(server: Mapping, name: str) -> list[str]:
    """Return the folders of a name, wherever they are among a server's."""
    return [str(one) for one in
            pathlib.Path(server["directory"]).rglob(name) if one.is_dir()]


class TestLiveFlow(LiveFlow, unittest.TestCase):
    bus = "kafka"


class TestLiveFlowConfluent(LiveFlow, unittest.TestCase):
    bus = "confluent"
    layout = "pooled"
    count = 1000

    def test_projects_share_indices_in_the_pooled_layout(self):
        truth = self.truth("pooled")
        self.site.generate(truth, 50, "--seed", "15")
        report = self.site.settle(truth)
        self.assertTrue(report.ok, report.text())
        url = self.site.servers["elasticsearch"]["url"]
        indices = requests.get(f"{url}/ev{self.site.name}-*/_alias",
                               timeout=30).json()
        self.assertTrue(indices)
        for one in indices:
            self.assertTrue(one.startswith(f"ev{self.site.name}-pool-"), one)


class TestRealNotifications(unittest.TestCase):
    """What real services said, not what our generator imagines they say."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.site = LiveSite(cls.folder, bus="confluent", api_workers=1)
        cls.addClassCleanup(cls.site.close)
        cls.site.start()

    def found(self) -> dict[str, list[dict]]:
        """Return project id → its events, each read as that tenant."""
        site = self.site
        events = {site.projects[name]: list(site.events(name))
                  for name in ("A", "B")}
        for one in site.others_events():
            events.setdefault(one["project_id"], []).append(one)
        return events

    def test_what_services_said_on_the_wire_reaches_its_tenant(self):
        # B25, D2, D3. Captured from nova, cinder, glance and neutron; sent
        # again through oslo.messaging's own notifier. Their projects become
        # A and B; an event must then lie with one of those it mentions.
        if not CAPTURED.exists():
            self.skipTest("shared/data/notifications is not here")
        site = self.site
        captured = [json.loads(line) for line in
                    CAPTURED.read_text().splitlines()]
        known = sorted(set(re.findall(
            r'"(?:tenant_id|project_id|owner|owner_id|member_id|tenant|project)"'
            r':\s*"([0-9a-f-]{32,36})"', CAPTURED.read_text())))
        tenants = (site.projects["A"], site.projects["B"])
        swap = {one: tenants[number % 2] for number, one in enumerate(known)}
        pattern = re.compile("|".join(map(re.escape, known)))
        mentioned: dict[str, set[str]] = {}
        types: dict[str, str] = {}
        sender = to_rabbitmq(site.servers["rabbitmq"]["transport_url"],
                             site.topic)
        self.addCleanup(sender.close)
        for one in captured:
            text = pattern.sub(lambda found: swap[found.group()],
                               json.dumps(one))
            one = json.loads(text)
            message_id = str(uuid.uuid4())
            types[message_id] = one["event_type"]
            mentioned[message_id] = {tenant for tenant in tenants
                                     if tenant in text}
            sender.send(Notification(
                context=one["context"], publisher_id=one["publisher_id"],
                event_type=one["event_type"], priority=one["priority"],
                payload=one["payload"], message_id=message_id,
                timestamp=one["timestamp"], project_id=None,
                resource_id=None, service=one["service"], life=0))
        operator = site.projects["operator"]
        owners = {event_id(tenant, message_id): (tenant, message_id)
                  for message_id in mentioned
                  for tenant in (*tenants, operator)}

        def arrived():
            stored = [(project_id, one["event_id"])
                      for project_id, events in self.found().items()
                      for one in events if one["event_id"] in owners]
            return stored if len(stored) >= len(captured) else None
        try:
            stored = wait_for("all captured notifications are stored",
                              arrived, 60, every=1.0)
        except AssertionError as error:
            there = {one["event_id"] for events in self.found().values()
                     for one in events}
            lost = [types[one] for one in mentioned if not any(
                event_id(tenant, one) in there
                for tenant in (*tenants, operator))]
            raise AssertionError(f"{error}: {lost[:20]} of {len(lost)}; "
                                 f"{site.dead_letters()[:5]}") from None
        self.assertEqual(len(captured), len(stored))
        self.assertEqual(len(captured), len(set(stored)))
        for project_id, one in stored:
            tenant, message_id = owners[one]
            self.assertEqual(tenant, project_id)
            if mentioned[message_id]:
                self.assertIn(project_id, mentioned[message_id])
            else:
                self.assertEqual(operator, project_id)
        # S14b: the callers' tokens were in these payloads.
        for events in self.found().values():
            self.assertNotIn("fake-token-", json.dumps(events))
        for name in ("kafka", "elasticsearch", "mariadb"):
            folder = site.servers[name]["directory"]
            done = subprocess.run(["grep", "-rl", "fake-token-", folder],
                                  capture_output=True, text=True,
                                  check=False)
            self.assertEqual("", done.stdout)

    def test_a_real_keystones_notifications_reach_their_projects(self):
        # Basic and CADF, from a real Keystone as projects, users and role
        # assignments are made and removed.
        for form in ("basic", "cadf"):
            with self.subTest(form=form):
                self.keystone_says(form)
        servers.up("keystone", settings=[
            "keystone:notification_topics=", "keystone:notification_format="])

    def keystone_says(self, form: str) -> None:
        site = self.site
        servers.up("keystone", settings=[
            f"keystone:notification_topics={site.topic}",
            f"keystone:notification_format={form}"])
        tap = Tap(site.servers["rabbitmq"], site.topic)
        self.addCleanup(tap.close)
        keystone = Keystone(servers.up("keystone"), uuid.uuid4().hex[:6],
                            site.url)
        projects = [keystone.project(f"p{number}") for number in range(3)]
        accounts = [keystone.user(f"u{number}", project_id, "member")
                    for number, project_id in enumerate(projects)]
        # Before it is asked what was said: this, too, is told.
        tokens = {project_id: keystone.token(*account, project_id)
                  for project_id, account
                  in zip(projects[:2], accounts, strict=False)}
        keystone.delete_project(projects[2])
        said = wait_for("Keystone has spoken", lambda: tap.read())
        self.assertGreaterEqual(len(said), 10, said)

        def arrived():
            events = self.found()
            ids = {one["event_id"]: project_id
                   for project_id, found in events.items() for one in found}
            placed = {}
            for one in tap.read():
                places = [project_id for project_id in events
                          if event_id(project_id, one["message_id"]) in ids]
                if len(places) != 1:
                    return None
                placed[one["message_id"]] = places[0]
            return placed
        placed = wait_for("what Keystone said is stored once", arrived, 60,
                          every=1.0)
        self.assert_each_sees_its_own(tokens, tap, placed)
        made = {one["payload"].get("resource_info"): placed[one["message_id"]]
                for one in tap.read()
                if one["event_type"] == "identity.project.created"}
        for project_id in projects:
            self.assertEqual(project_id, made.get(project_id),
                             "a project's creation is its own event")

    def assert_each_sees_its_own(self, tokens: dict[str, str], tap: "Tap",
                                 placed: dict[str, str]) -> None:
        """Two tenants list what Keystone said, each with a token of its own.

        :param tokens: project id → token; ``placed``: message id → project id
        """
        said = {one["message_id"]: one for one in tap.read()}
        for project_id, token in tokens.items():
            listed = list(self.site.every_event(token))
            self.assertEqual({project_id},
                             {one["project_id"] for one in listed})
            theirs = {event_id(project_id, message_id): message_id
                      for message_id, owner in placed.items()
                      if owner == project_id}
            self.assertEqual(sorted(theirs),
                             sorted(one["event_id"] for one in listed))
            self.assertIn("identity.project.created",
                          [one["event_type"] for one in listed])
            # Nor is it the placing alone that says whose they are.
            for message_id in theirs.values():
                self.assertIn(project_id, json.dumps(said[message_id]))
            for other in tokens.keys() - {project_id}:
                self.assertNotIn(other, json.dumps(listed))
                answer = self.site.call(
                    "GET", f"/v1.0/events/{listed[0]['event_id']}",
                    tokens[other])
                self.assertEqual(404, answer.status_code)


class Tap:
    """A second queue that hears all that is said to a topic."""

    def __init__(self, server, topic: str) -> None:
        self._connection = kombu.Connection(server["url"])
        self._channel = self._connection.channel()
        exchange = kombu.Exchange("keystone", "topic", durable=True)
        self._queue = kombu.Queue(f"tap-{uuid.uuid4().hex}", exchange,
                                  f"{topic}.info", channel=self._channel,
                                  durable=False, auto_delete=True)
        self._queue.declare()
        self._heard: list[dict] = []

    def read(self) -> list[dict]:
        """Return everything heard so far."""
        while True:
            message = self._queue.get(no_ack=True)
            if message is None:
                return self._heard
            envelope = json.loads(message.body)
            self._heard.append(json.loads(envelope["oslo.message"]))

    def close(self) -> None:
        self._connection.release()
