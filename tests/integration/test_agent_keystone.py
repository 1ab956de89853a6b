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

"""The agent and the API on a real Keystone that a test takes away.

Both reach Keystone through a proxy of their own; Keystone itself goes on for
everybody else.
"""

import concurrent.futures
import json
import pathlib
import signal
import tempfile
import time
import unittest
import uuid

from oslo_config import cfg
import orjson
import requests

from monasca_events_agent import endpoints
from monasca_events_agent import poster
from monasca_events_agent import spool
from monasca_events_agent.endpoints import Endpoints
from monasca_events_common.deadletters import DeadLetters
from tests.integration import servers
from tests.integration import sites
from tests.integration import topic
from tests.integration.daemons import Daemons
from tests.integration.daemons import wait_for
from tests.integration.proxy import Proxy
from tests.unit.agent.sink import options

TOKENS = "POST /v3/auth/tokens"

CONFIG = """
[DEFAULT]
use_stderr = true
[bus]
driver = sqlite
[sqlite_bus]
path = {home}/bus.db
[sqlite_store]
path = {home}/events.db
[dead_letters]
connection = sqlite:///{home}/dead.db
[database]
connection = sqlite:///{home}/definitions.db
[secrets]
key_file = {home}/secrets.key
[api]
port = {port}
[identity]
driver = keystone
[keystone_authtoken]
www_authenticate_uri = {api_keystone}
auth_url = {api_keystone}
auth_type = password
username = {user}
password = {password}
project_id = {project}
user_domain_id = default
interface = public
token_cache_time = {cache}
[agent]
sources = file
operator_project_id = {project}
[file]
paths = {home}/notifications.ndjson
poll_interval = 0.05
[spool]
path = {home}/spool/spool.db
[poster]
endpoints = http://127.0.0.1:{port}
max_wait = 0.05
backoff_max = 0.5
[api_auth]
auth_type = password
auth_url = {agent_keystone}
username = {user}
password = {password}
project_id = {project}
user_domain_id = default
timeout = 3
"""


class _KeystoneTest(unittest.TestCase):
    """An API with SQLite drivers, and accounts of this class's own."""

    #: [keystone_authtoken] token_cache_time
    cache = 300

    @classmethod
    def setUpClass(cls):
        home = tempfile.TemporaryDirectory(prefix="monasca-events-")
        cls.addClassCleanup(home.cleanup)
        cls.home = pathlib.Path(home.name)
        where = servers.up("keystone")
        cls.where = where
        cls.api_side, cls.agent_side = (Proxy(where["port"]),
                                        Proxy(where["port"]))
        for one in (cls.api_side, cls.agent_side):
            cls.addClassCleanup(one.close)
        port = sites.free_port()
        cls.url = f"http://127.0.0.1:{port}"
        cls.keystone = sites.Keystone(where, uuid.uuid4().hex[:8], cls.url)
        cls.project = cls.keystone.project("agents")
        cls.user, cls.password = cls.keystone.user("agent", cls.project,
                                                   "service")
        cls.reader = cls.keystone.user("reader", cls.project, "reader")
        cls.daemons = Daemons(cls.home)
        cls.addClassCleanup(cls.daemons.close)
        cls.daemons.configure(CONFIG.format(
            home=cls.home, port=port, cache=cls.cache, user=cls.user,
            password=cls.password, project=cls.project,
            api_keystone=f"http://127.0.0.1:{cls.api_side.port}/v3",
            agent_keystone=f"http://127.0.0.1:{cls.agent_side.port}/v3"))
        cls.daemons.start("api")
        wait_for("the API answers", cls.answers)

    @classmethod
    def answers(cls):
        try:
            return requests.get(cls.url + "/", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def setUp(self):
        self.addCleanup(self.api_side.resume)
        self.addCleanup(self.agent_side.resume)

    def token(self):
        """Return a new token, not through a proxy."""
        return self.keystone.token(self.user, self.password, self.project)

    def call(self, method, token, path="/v1.0/events", **headers):
        body = {"events": [{"event_type": "a.b"}]}
        return requests.request(
            method, self.url + path, timeout=60,
            json=body if method == "POST" else None,
            headers={"X-Auth-Token": token, **headers})

    def assert_unavailable(self, answer):
        self.assertEqual(503, answer.status_code, answer.text)
        self.assertEqual("identity_unavailable",
                         answer.json()["errors"][0]["code"])
        self.assertIn("Retry-After", answer.headers)


class TestSessions(_KeystoneTest):
    """M15: the agent's session; nothing is cached by the API."""

    cache = -1

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="monasca-events-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.spool = spool.Spool(options(
            "spool", spool.OPTS, path=f"{folder.name}/s/spool.db"))
        self.addCleanup(self.spool.close)
        self.letters = DeadLetters(f"sqlite:///{folder.name}/dead.db")
        self.addCleanup(self.letters.close)

    def session(self, **settings):
        path = self.folder / "agent.conf"
        settings = {
            "auth_url": f"http://127.0.0.1:{self.agent_side.port}/v3",
            **settings}
        path.write_text("[api_auth]\n" + "".join(
            f"{name} = {value}\n" for name, value in settings.items()))
        conf = cfg.ConfigOpts()
        conf(["--config-file", str(path)], project="test")
        return endpoints.make_session(conf)

    def with_password(self):
        return self.session(
            auth_type="password", username=self.user, password=self.password,
            project_id=self.project, user_domain_id="default")

    def with_credential(self, **rules):
        """Return a session of a new application credential of the user."""
        session = self.with_password()
        user = session.get_user_id()
        answer = session.post(
            f"{self.where['auth_url']}/users/{user}/application_credentials",
            json={"application_credential": {
                "name": uuid.uuid4().hex, **rules}}, redirect=False)
        made = answer.json()["application_credential"]
        return self.session(auth_type="v3applicationcredential",
                            application_credential_id=made["id"],
                            application_credential_secret=made["secret"])

    def poster(self, session):
        conf = options("poster", poster.OPTS, endpoints=[self.url])
        return poster.Poster(conf, self.spool, Endpoints(conf, session),
                             self.letters)

    def assert_posts(self, made):
        """Three events pass, and are on the bus."""
        marks = [uuid.uuid4().hex for _number in range(3)]
        self.spool.append([orjson.dumps(
            {"event_id": mark, "project_id": self.project,
             "event_type": "a.b", "payload": {"mark": mark}})
            for mark in marks])
        self.assertEqual(3, made.step())
        self.assertEqual([], self.letters.list())
        self.assertEqual(0, self.spool.depth().rows)
        there = [json.loads(one)["payload"].get("mark")
                 for one in topic.records(self.daemons.config)]
        self.assertEqual(marks, [one for one in there if one in marks])

    def refusals(self):
        return self.daemons.log("api").count("POST /v1.0/events 401")

    def test_events_are_posted_with_a_password(self):
        made = self.poster(self.with_password())
        before = self.agent_side.count(TOKENS)
        self.assert_posts(made)
        self.assert_posts(made)
        self.assertEqual(1, self.agent_side.count(TOKENS) - before)

    def test_events_are_posted_with_an_application_credential(self):
        self.assert_posts(self.poster(self.with_credential()))

    def test_a_credential_may_be_good_for_posting_only(self):
        """The example of doc/source/admin/api.rst."""
        session = self.with_credential(access_rules=[
            {"service": "event", "method": "POST", "path": "/v1.0/events"}])
        self.assert_posts(self.poster(session))
        token = session.get_token()
        for method, path in (("GET", "/v1.0/events"),
                             ("GET", "/v1.0/events/statistics"),
                             ("POST", "/v1.0/events/types")):
            with self.subTest(method=method, path=path):
                answer = self.call(method, token, path)
                self.assertEqual(401, answer.status_code, answer.text)

    def test_a_credential_for_something_else_cannot_post(self):
        session = self.with_credential(access_rules=[
            {"service": "event", "method": "GET", "path": "/v1.0/events"}])
        answer = self.call("POST", session.get_token())
        self.assertEqual(401, answer.status_code, answer.text)

    def test_a_revoked_token_is_renewed_once(self):
        """401, a new token, 202."""
        session = self.with_password()
        made = self.poster(session)
        self.assert_posts(made)
        old = session.get_token()
        session.delete(f"{self.where['auth_url']}/auth/tokens",
                       headers={"X-Subject-Token": old})
        tokens, refusals = self.agent_side.count(TOKENS), self.refusals()
        self.assert_posts(made)
        self.assertNotEqual(old, session.get_token())
        self.assertEqual(1, self.agent_side.count(TOKENS) - tokens)
        wait_for("the API logs the refusal",
                 lambda: self.refusals() == refusals + 1)

    def test_a_token_that_expired_is_renewed_before_it_is_used(self):
        session = self.with_password()
        made = self.poster(session)
        self.assert_posts(made)
        # What the session remembers of its token, an hour later.
        state = json.loads(session.auth.get_auth_state())
        state["body"]["token"]["expires_at"] = "2020-01-01T00:00:00.000000Z"
        session.auth.set_auth_state(json.dumps(state))
        tokens, refusals = self.agent_side.count(TOKENS), self.refusals()
        self.assert_posts(made)
        self.assertEqual(1, self.agent_side.count(TOKENS) - tokens)
        self.assertEqual(refusals, self.refusals())


class TestReload(_KeystoneTest):

    def test_sighup_changes_limits_and_keeps_what_keystone_said(self):
        """F22: with the options that auth_token registers by itself."""
        known = self.token()
        self.assertEqual(202, self.call("POST", known).status_code)
        reader = self.keystone.token(*self.reader, self.project)
        self.assertEqual(200, self.call(
            "GET", reader, "/v1.0/events?limit=8").status_code)
        text = self.daemons.config.read_text()
        self.addCleanup(self.daemons.configure, text)
        self.daemons.configure(text + "[limits]\nmax_page = 7\n")
        self.daemons.signal("api", signal.SIGHUP)
        wait_for("the new limit holds", lambda: self.call(
            "GET", reader, "/v1.0/events?limit=8").status_code == 400)
        self.api_side.refuse()
        self.assertEqual(202, self.call("POST", known).status_code)
        self.assertNotIn("SIGHUP:", self.daemons.log("api"))


class TestKeystoneAway(_KeystoneTest):
    """F14"""

    def test_the_api_says_503_to_new_tokens_and_serves_known_ones(self):
        known, *others = (self.token() for _number in range(5))
        self.assertEqual(202, self.call("POST", known).status_code)
        for number, away in enumerate((self.api_side.refuse,
                                       self.api_side.hang)):
            with self.subTest(away=away.__name__):
                away()
                with concurrent.futures.ThreadPoolExecutor() as pool:
                    asked = [pool.submit(self.call, "POST", one)
                             for one in (others[number], others[number + 2])]
                    # While those wait for Keystone, known ones do not.
                    for _turn in range(3):
                        self.assertEqual(
                            202, self.call("POST", known).status_code)
                    for one in asked:
                        self.assert_unavailable(one.result())
                        # http_connect_timeout is 5 unless set; without it
                        # nothing would be answered.
                        self.assertLess(one.result().elapsed.total_seconds(),
                                        50)
                self.api_side.resume()
                self.assertEqual(
                    202, self.call("POST", others[number]).status_code)

    def notify(self, *numbers):
        with open(self.home / "notifications.ndjson", "a") as file:
            for number in numbers:
                file.write(json.dumps({
                    "message_id": f"{self.id()}-{number}",
                    "event_type": "compute.instance.create.end",
                    "publisher_id": "compute.one", "priority": "INFO",
                    "timestamp": "2026-11-22 10:00:00.000000",
                    "_context_project_id": self.project,
                    "payload": {"tenant_id": self.project,
                                "mark": f"{self.id()}-{number}"}}) + "\n")

    def arrived(self):
        there = [json.loads(one)["payload"].get("mark", "")
                 for one in topic.records(self.daemons.config)]
        return [one for one in there if one.startswith(self.id())]

    def assert_agent_recovers(self, away):
        """An agent without a token holds, asks at most once a second on
        average, and goes on by itself."""
        away()
        before = len(self.agent_side.connections)
        started = time.monotonic()
        self.daemons.start("agent")
        self.addCleanup(self.daemons.stop, "agent")
        self.notify(*range(5))
        wait_for("the agent has asked a few times", lambda: len(
            self.agent_side.connections) - before >= 4, 180)
        passed = time.monotonic() - started
        asked = len(self.agent_side.connections) - before
        self.assertLessEqual(asked, passed + 2)
        self.assertIn("no token for the agent", self.daemons.log("agent"))
        self.assertEqual([], self.arrived())
        self.agent_side.resume()
        expected = [f"{self.id()}-{number}" for number in range(5)]
        wait_for("the events arrive", lambda: self.arrived() == expected, 60)

    def test_an_agent_holds_while_keystone_refuses_and_recovers(self):
        self.assert_agent_recovers(self.agent_side.refuse)

    def test_an_agent_holds_while_keystone_hangs_and_recovers(self):
        self.assert_agent_recovers(self.agent_side.hang)

    def test_an_agent_with_a_token_posts_on_while_keystone_is_away(self):
        self.daemons.start("agent")
        self.addCleanup(self.daemons.stop, "agent")
        self.notify(0)
        wait_for("an event arrives", lambda: len(self.arrived()) == 1)
        self.api_side.refuse()
        self.agent_side.refuse()
        asked = len(self.agent_side.connections)
        self.notify(1)
        wait_for("the next one does", lambda: len(self.arrived()) == 2)
        self.assertEqual(asked, len(self.agent_side.connections))


if __name__ == "__main__":
    unittest.main()
