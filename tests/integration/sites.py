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

"""Whole installations to run the same tests on: embedded, and real servers.

A site has two projects A and B with tokens by role, daemons that can be
killed, and a way in for generated notifications.
"""

import abc
import atexit
from collections.abc import Iterator, Mapping, Sequence
import contextlib
import datetime
import json
import pathlib
import random
import socket
import subprocess
import sys
import uuid

import orjson
from prometheus_client.parser import text_string_to_metric_families
import requests
import sqlalchemy

from monasca_events_agent.traffic import checker
from monasca_events_agent.traffic import truth as truth_file
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.event import format_time
from monasca_events_standalone.layout import Layout
from tests.integration import servers
from tests.integration.daemons import Daemons
from tests.integration.daemons import program
from tests.integration.daemons import Unavailable
from tests.integration.daemons import wait_for

# At the end of the search path: it hides nothing there.
sys.path.append(str(pathlib.Path(__file__).parents[2] / "tools"))
from servers import ports  # noqa: E402

#: Where ports of the tests are: below those that the system gives to outgoing
#: connections, which would take one of a row in passing, and below those of
#: tools/servers.
PORTS = range(10000, 20000)

#: Ports in a row, of which a site takes some.
ROW = 24


def free_port() -> int:
    """Return the first of a row of ports that nobody uses and that no other
    process of tests is given."""
    for first in random.SystemRandom().sample(PORTS[::ROW],
                                              len(PORTS) // ROW):
        mine = socket.socket(socket.AF_UNIX)
        try:
            mine.bind(f"\0monasca-events-test-ports-{first}")
        except OSError:
            mine.close()
            continue
        # What other processes see of the row, until this one ends.
        atexit.register(mine.close)
        if all(map(ports.is_free, range(first, first + ROW))):
            return first
    raise AssertionError(f"all ports of {PORTS} are in use")


class Site(abc.ABC):
    """What the flow and fault tests need of an installation.

    :ivar projects: ``A`` and ``B`` → project id; ``operator`` likewise
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.daemons = Daemons(folder)
        self.projects: dict[str, str] = {}
        self._session = requests.Session()
        # Truth files that were settled, and what there was after the last.
        self._settled: set[pathlib.Path] = set()
        self._rested = 0
        self._since: dict[str, str] = {}

    @abc.abstractmethod
    def start(self) -> None:
        """Bring everything up; return when the API answers."""

    @abc.abstractmethod
    def token(self, project: str, role: str) -> str:
        """Return a token: ``token("A", "member")``."""

    @abc.abstractmethod
    def destination(self) -> list[str]:
        """Return the generator's options that say where to send."""

    @abc.abstractmethod
    def dead_letters(self) -> list[DeadLetter]:
        """Return every dead letter of every stage."""

    def close(self) -> None:
        self.daemons.close()
        self._session.close()

    @abc.abstractmethod
    def metrics_ports(self) -> list[int]:
        """Return the ports on which workers serve their metrics."""

    def processes(self) -> dict[str, list[int]]:
        """Return daemon → its process and its workers, once all work."""
        def work() -> bool:
            try:
                return bool(self.balances())
            except requests.RequestException:
                return False
        wait_for("all workers serve their metrics", work)
        return {name: [self.daemons.pid(name),
                       *sorted(self.daemons.workers(name))]
                for name in ("agent", "api", "persister")}

    def balances(self) -> dict[str, dict[str, int]]:
        """Return stage → counter → sum over all workers and labels."""
        found: dict[str, dict[str, int]] = {}
        for port in self.metrics_ports():
            text = self._session.get(f"http://127.0.0.1:{port}/metrics",
                                     timeout=30).text
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if "stage" in sample.labels and sample.name.startswith(
                            "monasca_events_") and "bucket" not in sample.name:
                        name = sample.name.removeprefix("monasca_events_")
                        stage = found.setdefault(sample.labels["stage"], {})
                        stage[name] = stage.get(name, 0) + int(sample.value)
        return found

    def await_api(self) -> None:
        def answers() -> bool:
            try:
                return self._session.get(f"{self.url}/",
                                         timeout=2).status_code == 200
            except requests.RequestException:
                return False
        wait_for("the API answers", answers)

    def call(self, method: str, path: str, token: str,
             **options) -> requests.Response:
        return self._session.request(
            method, f"{self.url}{path}", timeout=60,
            headers={"X-Auth-Token": token, **options.pop("headers", {})},
            **options)

    def get(self, path: str, project: str = "A", role: str = "member",
            **query) -> dict:
        answer = self.call("GET", path, self.token(project, role),
                           params=query)
        if answer.status_code == 503:
            raise Unavailable(f"{path}: 503 {answer.text[:500]}")
        if answer.status_code != 200:
            raise AssertionError(f"{path}: {answer.status_code} "
                                 f"{answer.text[:500]}")
        return answer.json()

    def count(self, project: str) -> int:
        """Return how many events the project has."""
        answer = self.get("/v1.0/events/statistics", project)
        return sum(one["count"] for one in answer["buckets"])

    def events(self, project: str) -> Iterator[dict]:
        """Return every event that the project's reader sees, by paging."""
        return self.every_event(self.token(project, "reader"))

    def every_event(self, token: str) -> Iterator[dict]:
        """Return every event that the bearer of a token sees, by paging."""
        return self._pages(token, {})

    def others_events(self) -> Iterator[dict]:
        """Return what is not A's or B's, as the administrator sees it."""
        theirs = {self.projects["A"], self.projects["B"]}
        return (one for one in self._pages(
            self.token("operator", "admin"),
            {"all_projects": "true", **self._since})
            if one["project_id"] not in theirs)

    def _pages(self, token: str, query: dict) -> Iterator[dict]:
        path, query = "/v1.0/events", {**query, "limit": 500}
        while True:
            answer = self.call("GET", path, token, params=query)
            if answer.status_code == 503:
                raise Unavailable(f"503 {answer.text}")
            if answer.status_code != 200:
                raise AssertionError(f"{answer.status_code} {answer.text}")
            page = orjson.loads(answer.content)
            yield from page["events"]
            following = [one["href"] for one in page["links"]
                         if one["rel"] == "next"]
            if not following:
                return
            path, query = following[0].removeprefix(self.url), {}

    def generate(self, truth: pathlib.Path, count: int, *options: str,
                 wait: bool = True, projects: Sequence[str] = ("A", "B")
                 ) -> subprocess.Popen:
        """Send generated notifications of projects, named as ours are."""
        command = [program("monasca-events-generate"), *self.destination(),
                   "--truth", str(truth), "--count", str(count), "--quiet",
                   *(f"--project={self.projects[name]}"
                     for name in projects), *options]
        with open(self.folder / "generate.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        if wait and process.wait(600):
            raise AssertionError(
                (self.folder / "generate.log").read_text()[-2000:])
        return process

    def report(self, *truths: pathlib.Path) -> checker.Report:
        """Return the checker's verdict on all that is stored and dead."""
        found = [(self.projects[name], event) for name in ("A", "B")
                 for event in self.events(name)]
        found += [(one["project_id"], one) for one in self.others_events()]
        return checker.check(
            [str(one) for one in truths], found, self.dead_letters(),
            operator_project_id=self.projects["operator"], others=True)

    def arrived(self) -> int:
        """Return how many events and dead letters there are; cheap."""
        answer = self.get("/v1.0/events/statistics", "operator", "admin",
                          all_projects="true")
        return len(self.dead_letters()) + sum(
            one["count"] for one in answer["buckets"])

    def settle(self, *truths: pathlib.Path,
               seconds: float = 120) -> checker.Report:
        """Wait until nothing is lost any more; return the verdict."""
        # To read all again and again takes from those that are still to be
        # stored what they need: until enough came they are only counted.
        enough = 0 if self._settled & set(truths) else self._rested + sum(
            one.outcome == truth_file.SENT
            for one in truth_file.read(*map(str, truths)))
        last: list[checker.Report] = []

        def quiet() -> bool:
            if self.arrived() < enough:
                return False
            last[:] = [self.report(*truths)]
            return not last[0].lost
        try:
            wait_for("all that was sent is stored or dead", quiet, seconds,
                     every=0.5)
        except AssertionError as error:
            report = wait_for("all can be read",
                              lambda: self.report(*truths))
            raise AssertionError(f"{error}\n{report.text()}") from None
        self._settled |= set(truths)
        self._rested = wait_for("all can be counted",
                                lambda: (self.arrived(),))[0]
        return last[0]


class EmbeddedSite(Site):
    """SQLite files only, notifications by the file driver."""

    def __init__(self, folder: pathlib.Path, extra: str = "") -> None:
        """:param extra: further lines of the configuration file"""
        super().__init__(folder)
        self._extra = extra
        self.layout = Layout(folder / "state", self.port)
        self._accounts: Mapping[str, Mapping] = {}

    def start(self) -> None:
        self.start_api()
        self._configure(self._accounts["service"]["token"],
                        self.projects["operator"])
        self.daemons.start("persister")
        self.daemons.start("agent")

    def start_api(self) -> None:
        """Start the API alone, which makes the accounts."""
        self.layout.prepare()
        self._configure()
        self.daemons.config = self.layout.config
        self.daemons.start("api")
        self.await_api()
        content = json.loads(self.layout.tokens.read_text())
        self._accounts = {one["name"]: one for one in content["accounts"]}
        self.projects = {
            "A": self._accounts["demo-member"]["project_id"],
            "B": self._accounts["alt-member"]["project_id"],
            "operator": self._accounts["admin"]["project_id"]}

    def _configure(self, token: str = "", operator: str = "") -> None:
        self.layout.configure(token, operator)
        with open(self.layout.config, "a", encoding="utf-8") as file:
            file.write(self._extra)

    def metrics_ports(self) -> list[int]:
        return [port for name in self.layout.metrics_ports
                if self.daemons.runs(name)
                for port in self.layout.metrics_of(name)]

    def token(self, project: str, role: str) -> str:
        if role == "service":
            return self._accounts["service"]["token"]
        if project == "operator" or role == "admin":
            return self._accounts["admin"]["token"]
        name = {"A": "demo", "B": "alt"}[project]
        return self._accounts[f"{name}-{role}"]["token"]

    def destination(self) -> list[str]:
        return ["--file", str(self.layout.notifications)]

    def dead_letters(self) -> list[DeadLetter]:
        letters = DeadLetters(
            f"sqlite:///{self.layout.root}/dead-letters.db")
        try:
            return letters.list(limit=100000)
        finally:
            letters.close()


class LiveSite(Site):
    """RabbitMQ, Keystone, Kafka, Elasticsearch and MariaDB.

    Every site has its own topic, index names, exchange, projects and users,
    so that one set of servers serves many tests.
    """

    def __init__(self, folder: pathlib.Path, bus: str = "kafka",
                 extra: str = "", api_workers: int = 2) -> None:
        """
        :param bus: the bus driver
        :param extra: further lines of the configuration file
        """
        super().__init__(folder)
        self.name = uuid.uuid4().hex[:8]
        self.topic = f"events_{self.name}"
        self._bus, self._extra = bus, extra
        self._api_workers = api_workers
        self._metrics = free_port()
        self._tokens: dict[tuple[str, str], str] = {}
        self._turn = 0
        self.servers: Mapping[str, Mapping] = {}

    def start(self) -> None:
        self.servers = servers.up("rabbitmq", "kafka", "elasticsearch",
                                  "mariadb", "keystone")
        self.keystone = Keystone(self.servers["keystone"], self.name,
                                 self.url)
        self.projects = {"operator": self.keystone.project("operator")}
        self.renew()
        self._make_database()
        self.daemons.configure(self.configuration())
        self.daemons.start("api")
        self.await_api()
        self.daemons.start("persister")
        self.daemons.start("agent")
        # A queue that nobody declared yet drops what is sent to it.
        wait_for("the agent's queue is there", self._queue_is_there)

    def renew(self) -> None:
        """Give the site other projects A and B, which have no events yet.

        Of what all projects have, only what happens from now on is read.
        """
        if self._turn:
            self._since = {"timestamp": "gte:" + format_time(
                datetime.datetime.now(datetime.timezone.utc))}
        self._turn += 1
        for name in ("A", "B"):
            self.projects[name] = self.keystone.project(
                f"{name.lower()}{self._turn}")
        self._tokens = {key: token for key, token in self._tokens.items()
                        if key[0] == "operator"}

    def _queue_is_there(self) -> bool:
        return self.topic in rabbitmqctl(self.servers["rabbitmq"],
                                         "list_queues", "name")

    def configuration(self) -> str:
        """Return the daemons' configuration file."""
        found = self.servers
        auth = found["keystone"]
        user = self.keystone.user("service", self.projects["operator"],
                                  "service")
        return f"""
[DEFAULT]
use_stderr = true
[bus]
driver = {self._bus}
topic = monevents_{self.name}
[kafka_events]
uri = {found["kafka"]["host"]}:{found["kafka"]["port"]}
# The least that Kafka allows: the time until a member that was killed is gone.
session_timeout = 6
[store]
driver = elasticsearch
[elasticsearch]
hosts = {found["elasticsearch"]["url"]}
index_name = ev{self.name}
[dead_letters]
connection = {self.dead_url}
[database]
connection = {self.dead_url}
auto_upgrade = true
[secrets]
key_file = {self.folder}/secrets.key
[api]
port = {self.port}
workers = {self._api_workers}
[metrics]
ports = {self._metrics_option()}
[identity]
driver = keystone
[keystone_authtoken]
www_authenticate_uri = {auth["auth_url"]}
auth_url = {auth["auth_url"]}
auth_type = password
username = {user[0]}
password = {user[1]}
project_id = {self.projects["operator"]}
user_domain_id = default
interface = public
# Keystone may be busy.
token_cache_time = 300
http_connect_timeout = 60
http_request_max_retries = 3
[agent]
sources = notifications
operator_project_id = {self.projects["operator"]}
[notifications]
transport_url = {found["rabbitmq"]["transport_url"]}
topics = {self.topic}
exchanges = openstack,keystone
[spool]
path = {self.folder}/spool/spool.db
[api_auth]
auth_type = password
auth_url = {auth["auth_url"]}
username = {user[0]}
password = {user[1]}
project_id = {self.projects["operator"]}
user_domain_id = default
[poster]
endpoints = {self.url}
[persister]
batch_wait = 0.05
backoff_max = 5
{self._extra}
"""

    def _metrics_option(self) -> str:
        return (f"api:{self._metrics},persister:{self._metrics + 8},"
                f"agent:{self._metrics + 9}")

    def metrics_ports(self) -> list[int]:
        return [*range(self._metrics, self._metrics + self._api_workers),
                self._metrics + 8, self._metrics + 9, self._metrics + 10]

    @property
    def dead_url(self) -> str:
        """Return the URL of the site's own database of dead letters."""
        return self.servers["mariadb"]["url"].rpartition("/")[0] \
            + f"/dead_{self.name}"

    def _make_database(self) -> None:
        engine = sqlalchemy.create_engine(self.servers["mariadb"]["url"])
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(
                f"CREATE DATABASE dead_{self.name}"))
        engine.dispose()

    def close(self) -> None:
        super().close()
        if not self.servers:
            return
        # An Elasticsearch that keeps them all takes longer to start.
        url = self.servers["elasticsearch"]["url"]
        with contextlib.suppress(requests.RequestException):
            for index in self._session.get(f"{url}/ev{self.name}-*/_alias",
                                           timeout=30).json():
                self._session.delete(f"{url}/{index}", timeout=30)

    def token(self, project: str, role: str) -> str:
        key = (project, role)
        if key not in self._tokens:
            kind = "operator" if project == "operator" else "tenant"
            name, password = self.keystone.user(
                f"{kind}-{role}", self.projects[project], role)
            self._tokens[key] = self.keystone.token(
                name, password, self.projects[project])
        return self._tokens[key]

    def destination(self) -> list[str]:
        return ["--transport-url",
                self.servers["rabbitmq"]["transport_url"],
                "--topic", self.topic]

    def dead_letters(self) -> list[DeadLetter]:
        letters = DeadLetters(self.dead_url)
        try:
            return letters.list(limit=100000)
        finally:
            letters.close()


class EngineSite(LiveSite):
    """Real servers for all, and an engine."""

    def start(self) -> None:
        super().start()
        self.daemons.start("engine")


def rabbitmqctl(server: Mapping, *arguments: str) -> str:
    """Run rabbitmqctl against the test's own node; return what it prints."""
    ctl = server["ctl"]
    return subprocess.run([*ctl["argv"], *arguments], env=ctl["env"],
                          capture_output=True, text=True, check=True).stdout


class Keystone:
    """Makes projects, users and tokens on a real Keystone."""

    def __init__(self, where: Mapping, prefix: str, endpoint: str) -> None:
        from openstack import connection
        self._where = where
        self._prefix = prefix
        self._admin = connection.Connection(
            auth_type="password", auth={
                "auth_url": where["auth_url"],
                "username": where["username"],
                "password": where["password"],
                "project_name": where["project_name"],
                "user_domain_id": where["user_domain_id"],
                "project_domain_id": where["project_domain_id"]},
            region_name=where["region_name"], compute_api_version="2.1")
        self._identity = self._admin.identity
        self._users: dict[str, tuple[str, str]] = {}
        self._ids: dict[str, str] = {}
        self.register(endpoint)

    def register(self, endpoint: str) -> None:
        """Put the service into the catalog."""
        self._made = self.offer("event", endpoint)

    def offer(self, kind: str, endpoint: str) -> str:
        """Put a service of any type into the catalog; return its id."""
        made = self._identity.create_service(
            name=f"monasca-events-{self._prefix}", type=kind).id
        for interface in ("public", "internal", "admin"):
            self._identity.create_endpoint(
                service_id=made, interface=interface, url=endpoint,
                region_id=self._where["region_name"])
        return made

    def forget(self, kind: str) -> None:
        """Take what `offer` put there out again."""
        for one in self._identity.services(type=kind):
            self._identity.delete_service(one.id)

    def withdraw(self, others: bool = False) -> None:
        """Take the service out of the catalog again.

        :param others: those of other sites instead, which are not up
        """
        for one in self._identity.services(type="event"):
            if (one.id != self._made) == others:
                self._identity.delete_service(one.id)

    def project(self, name: str) -> str:
        return self._identity.create_project(
            name=f"{name}-{self._prefix}", domain_id="default").id

    def user(self, name: str, project_id: str, role: str) -> tuple[str, str]:
        """Return name and password of a user with a role in a project."""
        if name not in self._users:
            full, password = f"{name}-{self._prefix}", uuid.uuid4().hex
            user = self._identity.create_user(
                name=full, password=password, domain_id="default")
            self._users[name] = (full, password)
            self._ids[full] = user.id
        full = self._users[name][0]
        found = self._identity.find_role(role) or \
            self._identity.create_role(name=role)
        self._identity.assign_project_role_to_user(
            project_id, self._ids[full], found)
        return self._users[name]

    def token(self, name: str, password: str, project_id: str) -> str:
        from keystoneauth1.identity import v3
        from keystoneauth1.session import Session
        return Session(auth=v3.Password(
            self._where["auth_url"], username=name, password=password,
            user_domain_id="default", project_id=project_id)).get_token()

    def delete_project(self, project_id: str) -> None:
        self._identity.delete_project(project_id)
