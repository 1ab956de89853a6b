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


"""The functional suites, unchanged, against whole installations: what they
say of the application in one process must hold of daemons over HTTP (B13–B15,
B18, B19, S1–S6), also while a part is down (F5, F7)."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import yaml

from monasca_events_api.identity import local
from tests.functional import service
from tests.integration import servers
from tests.integration.daemons import wait_for
from tests.integration.proxy import Proxy
from tests.integration.sites import EmbeddedSite
from tests.integration.sites import LiveSite
from tests.integration.sites import Site

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_YAML = "tests.functional.test_gabbi"
_OUTAGE = "tests.functional.test_outage"
_SUITES = ("tests.functional.test_matrix", "tests.functional.test_limits",
           "tests.functional.test_pages")

#: persona of the functional suites → (the site's project, role)
_PERSONAS = {"READER": ("A", "reader"), "MEMBER": ("A", "member"),
             "MANAGER": ("A", "manager"), "ADMIN": ("operator", "admin"),
             "SERVICE": ("operator", "service"),
             "FOREIGN_MEMBER": ("B", "member"),
             "NO_ROLE": ("A", "swiftoperator")}

#: Times that a request may take longer than promised before that is so: the
#: machine is shared with all the servers.
_ATTEMPTS = 10


def expected() -> tuple[int, int]:
    """Return how many tests the suites have, and how many are left out."""
    files = [yaml.safe_load(one.read_text()) for one in
             (_ROOT / "tests/functional/gabbits").glob("*.yaml")]
    # Who has an installation's dead letters put there is not the API.
    without = sum(len(one["tests"]) for one in files
                  if "Letters" in one["fixtures"])
    in_yaml = sum(len(one["tests"]) for one in files) - without
    # Only the table of routes wants to look into the application.
    return in_yaml + sum(
        unittest.defaultTestLoader.loadTestsFromName(one).countTestCases()
        for one in _SUITES), without + 1


class ContractTests:
    """Mixed into a TestCase with ``make_site``."""

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.site = cls.make_site(folder)
        cls.addClassCleanup(cls.site.close)
        cls.site.start()

    def token(self, project: str, role: str) -> str:
        return self.site.token(project, role)

    def environment(self) -> dict[str, str]:
        """Return what tests/functional/service.py reads."""
        values = {"URL": self.site.url,
                  "PROJECT": self.site.projects["A"],
                  "FOREIGN_PROJECT": self.site.projects["B"]}
        values.update({f"TOKEN_{name}": self.token(*who)
                       for name, who in _PERSONAS.items()})
        return {**os.environ, **{service.PREFIX + name: value
                                 for name, value in values.items()}}

    def test_the_functional_suites_hold_here(self):
        done = subprocess.run(
            [sys.executable, "-m", "unittest", _YAML, *_SUITES], cwd=_ROOT,
            env=self.environment(), capture_output=True, text=True,
            timeout=900, check=False)
        said = done.stderr[-20000:]
        self.assertEqual(0, done.returncode, said)
        ran = re.search(r"^Ran (\d+) tests", said, re.MULTILINE)
        runs, left_out = expected()
        self.assertEqual(runs, int(ran.group(1)), said)
        skipped = re.search(r"^OK \(skipped=(\d+)\)", said, re.MULTILINE)
        self.assertEqual(str(left_out), skipped and skipped.group(1), said)


class TestEmbeddedContract(ContractTests, unittest.TestCase):
    """Daemons on SQLite files, local tokens."""

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        return EmbeddedSite(folder, f"""
[sqlite_bus]
publish_timeout = {service.PATIENCE}
[sqlite_store]
busy_timeout = {service.PATIENCE}
query_timeout = {service.PATIENCE}
""")

    def token(self, project: str, role: str) -> str:
        if role not in ("manager", "swiftoperator"):
            return super().token(project, role)
        # The demonstration has no such account; the file may be edited.
        path = self.site.layout.tokens
        accounts = [local.Account(**one) for one in
                    json.loads(path.read_text())["accounts"]]
        roles = {"manager": ("manager", "member", "reader")}.get(role, (role,))
        added = local.Account(
            name=role, token="t" + uuid.uuid4().hex,
            user_id=uuid.uuid4().hex, project_name="demo", roles=roles,
            project_id=self.site.projects[project])
        local.write(str(path), [*accounts, added])
        return added.token


class TestLiveContract(ContractTests, unittest.TestCase):
    """Keystone's tokens and roles, Kafka, Elasticsearch."""

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        # As long as auth_token's default: one persona after the other calls,
        # and Keystone would be asked for each of some thousand requests.
        return LiveSite(folder, extra=f"""
[keystone_authtoken]
token_cache_time = 300
[kafka_events]
publish_timeout = {service.PATIENCE}
""")


class OutageTests:
    """An API whose bus is down before it starts; a ``driver`` says whose."""

    driver: str

    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.kafka = Proxy(servers.up("kafka")["port"])
        self.addCleanup(self.kafka.close)
        self.kafka.refuse()
        self.site = self.make_site(folder, f"""
[bus]
driver = {self.driver}
topic = monevents_{uuid.uuid4().hex}
[kafka_events]
uri = 127.0.0.1:{self.kafka.port}
""")

    def make_site(self, folder: pathlib.Path, extra: str) -> Site:
        site = EmbeddedSite(folder, extra)
        self.addCleanup(site.close)
        site.start_api()
        return site

    def post(self):
        return self.site.call("POST", "/v1.0/events",
                              self.site.token("A", "member"),
                              json={"events": [{"event_type": "outage"}]})

    def refused_after(self) -> float:
        """Return how many seconds the quickest of some answers took."""
        taken = []
        while len(taken) < _ATTEMPTS and min(taken, default=5) >= 5:
            began = time.monotonic()
            answer = self.post()
            taken.append(time.monotonic() - began)
            self.assertEqual(503, answer.status_code, answer.text)
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        return min(taken)

    def test_503_comes_within_5_seconds_until_the_bus_is_there(self):
        """It needs no restart: the same processes take events then (F5)."""
        workers = self.site.daemons.workers("api")
        with self.subTest("as the YAML files say it"):
            run_outage(self, self.site, "bus")
        with self.subTest("nobody listens"):
            self.assertLess(self.refused_after(), 5)
        self.kafka.resume()
        self.kafka.hang()
        with self.subTest("the broker hangs"):
            self.assertLess(self.refused_after(), 5)
        self.kafka.resume()
        wait_for("the API takes events",
                 lambda: self.post().status_code == 202, 120)
        wait_for("the API is healthy", lambda: self.site.call(
            "GET", "/healthcheck", "").status_code == 200, 120)
        self.assertNotEqual([], workers)
        self.assertEqual(workers, self.site.daemons.workers("api"))


class TestKafkaOutage(OutageTests, unittest.TestCase):
    """By kafka-python."""

    driver = "kafka"


class TestConfluentOutage(OutageTests, unittest.TestCase):
    """By confluent-kafka."""

    driver = "confluent"


class TestElasticsearchOutage(unittest.TestCase):
    """An API whose store is down before it starts."""

    def test_posting_goes_on_and_reading_waits(self):
        """F7"""
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        store = Proxy(servers.up("elasticsearch")["port"])
        self.addCleanup(store.close)
        store.refuse()
        site = EmbeddedSite(folder, f"""
[store]
driver = elasticsearch
[elasticsearch]
hosts = http://127.0.0.1:{store.port}
index_name = ev{uuid.uuid4().hex}
""")
        self.addCleanup(site.close)
        site.start_api()
        run_outage(self, site, "store")
        store.resume()
        wait_for("the API reads", lambda: site.call(
            "GET", "/v1.0/events",
            site.token("A", "member")).status_code == 200, 120)


def run_outage(case: unittest.TestCase, site: Site, part: str) -> None:
    """Run the YAML file of a part against a site where that part is down."""
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "-v", _OUTAGE], cwd=_ROOT,
        env={**os.environ, service.PREFIX + "URL": site.url,
             service.PREFIX + "TOKEN_MEMBER": site.token("A", "member"),
             service.PREFIX + "DOWN": part},
        capture_output=True, text=True, timeout=300, check=False)
    case.assertEqual(0, done.returncode, done.stderr)
    wanted = yaml.safe_load(
        (_ROOT / f"tests/functional/gabbits/outage/{part}.yaml").read_text())
    passed = re.findall(rf"^{part}: (.+) \.\.\. ok$", done.stderr,
                        re.MULTILINE)
    case.assertEqual([one["name"] for one in wanted["tests"]], passed,
                     done.stderr)
