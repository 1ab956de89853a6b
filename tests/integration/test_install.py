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

"""The page about installing, followed word for word.

Its blocks of commands run in their order, and what it says belongs into a file
goes there. Host and passwords are replaced as the page tells its readers to;
the root directory is one of the test's own. Packages come from the environment
that runs the tests, except the suite itself, which is installed.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import uuid

from kafka.admin import KafkaAdminClient
import requests

from tests.integration import servers
from tests.integration import sites
from tests.integration.devstack import host
from tests.integration.devstack import programs
from tests.integration.test_wsgi_servers import fetched
from tests.integration.test_wsgi_servers import UWSGI

PAGE = host.ROOT / "doc/source/admin/install.rst"

#: A block: its language, the file that it goes to, and what is in it.
_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n"
                    r"(?:    :caption: (\S+)\n)?\n"
                    r"((?:    .*\n|\n)+)", re.MULTILINE)

#: What stands on the page for something of the reader's own.
_PASSWORDS = ("RABBIT_PASS", "EVENTS_DBPASS", "EVENTS_PASS", "AGENT_PASS")

UNITS = [f"monasca-events-{name}"
         for name in ("api", "persister", "engine", "agent")]

_DATABASE = "page_events"

#: Seconds that the page may take altogether.
SECONDS = 600

# useradd: its home directory; install: without the owner, who is not there.
_USERADD = """while [ $# -gt 0 ]; do
    [ "$1" = --home-dir ] && mkdir -p "$2"
    shift
done"""
_INSTALL = """for word; do
    shift
    case "$skip$word" in
        -o|-g) skip=yes-;;
        yes-*) skip=;;
        *) set -- "$@" "$word";;
    esac
done
exec /usr/bin/install "$@"
"""


def blocks() -> list[tuple[str, str]]:
    """Return what is to be done, as (file or nothing, text)."""
    found = []
    for language, file, text in _BLOCK.findall(PAGE.read_text("utf-8")):
        if file or language == "shell":
            lines = [line.removeprefix("    ") for line in text.splitlines()]
            found.append((file, "\n".join(lines).strip("\n") + "\n"))
    return found


def script() -> str:
    """Return a shell script of what is to be done."""
    parts = [f"cat >>{file} <<'END_OF_BLOCK'\n\n{text}END_OF_BLOCK\n"
             if file else text for file, text in blocks()]
    return "\n".join(["set -o errexit -o pipefail", *parts])


class InstallTest(unittest.TestCase):

    def setUp(self):
        super().setUp()
        uwsgi = fetched(UWSGI) / "bin/uwsgi"
        self.servers = servers.up("rabbitmq", "kafka", "elasticsearch",
                                  "mariadb", "keystone")
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="install-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.url = f"http://127.0.0.1:{sites.free_port()}"
        self.source = self.root / "source"
        self.units = self.root / "etc/systemd/system"
        self.logs = self.root / "logs"
        self.keystone = Keystone(self.servers["keystone"], "page", self.url)
        self.forget()
        self.addCleanup(self.forget)
        self.prepare(uwsgi)
        self.addCleanup(self.systemctl, "stop", *UNITS)

    def prepare(self, uwsgi):
        """Lay out what a host has, and the sources."""
        for path in (self.units, self.logs, self.root / "etc/keystone",
                     self.root / "opt", self.root / "var/lib"):
            path.mkdir(parents=True)
        host.copy_sources(self.source)
        for path in (self.source / "etc").rglob("*"):
            if path.is_file():
                path.write_text(self.own(path.read_text()))
        self.write_credentials()
        self.wheels = self.root / "wheels"
        self.environment = {
            **os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}",
            "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COMPILE": "1"}
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
             "--wheel-dir", str(self.wheels), str(self.source)], check=True,
            env={**os.environ, "PBR_VERSION": "0.0.1"})
        programs.write(self.root / "bin", {
            **programs.of_servers(self.servers, "mariadb_client"),
            "mariadb": f'exec {self.root}/bin/mariadb_client '
                       f'-u{self.servers["mariadb"]["username"]} '
                       f'-p{self.servers["mariadb"]["password"]} "$@"',
            "python3": programs.python(self.root / "site", uwsgi),
            "openstack": programs.ours("openstack"),
            "useradd": _USERADD, "install": _INSTALL,
            "systemctl": programs.systemctl(self.units, self.logs)})

    def write_credentials(self):
        found = self.servers["keystone"]
        (self.source / "admin-openrc").write_text("".join(
            f"export OS_{name}={value}\n" for name, value in {
                "AUTH_URL": found["auth_url"],
                "IDENTITY_API_VERSION": "3", "INTERFACE": "public",
                "REGION_NAME": found["region_name"],
                "USERNAME": found["username"],
                "PASSWORD": found["password"],
                "PROJECT_NAME": found["project_name"],
                "USER_DOMAIN_ID": "default",
                "PROJECT_DOMAIN_ID": "default"}.items()))

    def own(self, text: str) -> str:
        """Return the page's words with what is the reader's own in them."""
        if not hasattr(self, "_own"):
            address = self.url.removeprefix("http://")
            self._own = {
                "/opt/": f"{self.root}/opt/", "/etc/": f"{self.root}/etc/",
                "/var/lib/": f"{self.root}/var/lib/",
                "controller:5656": address, "127.0.0.1:5656": address,
                # The shared server's own database has the page's name.
                "DATABASE monasca_events": f"DATABASE {_DATABASE}",
                "ON monasca_events.": f"ON {_DATABASE}.",
                "@controller/monasca_events":
                    f"@127.0.0.1:{self.servers['mariadb']['port']}/"
                    f"{_DATABASE}",
                **{f"controller:{port}":
                   f"127.0.0.1:{self.servers[name]['port']}"
                   for name, port in (("rabbitmq", 5672), ("keystone", 5000),
                                      ("kafka", 9092),
                                      ("elasticsearch", 9200))},
                **{f":{port}": f":{sites.free_port()}"
                   for port in (9311, 9321, 9331)},
                **{name: uuid.uuid4().hex for name in _PASSWORDS}}
        return re.sub("|".join(map(re.escape, sorted(
            self._own, key=len, reverse=True))),
            lambda found: self._own[found[0]], text)

    def systemctl(self, *words: str) -> int:
        return subprocess.run(
            [str(self.root / "bin/systemctl"), *words], check=False,
            env=self.environment).returncode

    def forget(self):
        """Take out of the shared servers what the page puts into them."""
        self.keystone.forget()
        found = self.servers["mariadb"]
        subprocess.run(
            ["/usr/bin/mariadb", "--no-defaults", "--protocol=tcp",
             "--host=127.0.0.1", f"--port={found['port']}",
             f"-u{found['username']}", f"-p{found['password']}", "-e",
             f"DROP DATABASE IF EXISTS {_DATABASE}; "
             "DROP USER IF EXISTS 'events'@'%'"], check=True)
        with_queues = self.servers["rabbitmq"]
        queues = sites.rabbitmqctl(with_queues, "-q", "list_queues", "name")
        for queue in queues.split():
            if queue.startswith("event_notifications."):
                sites.rabbitmqctl(with_queues, "delete_queue", queue)
        if "events" in sites.rabbitmqctl(with_queues, "-q",
                                         "list_users").split():
            sites.rabbitmqctl(with_queues, "delete_user", "events")
        admin = KafkaAdminClient(
            bootstrap_servers=self.servers["kafka"]["url"])
        try:
            if "monevents" in admin.list_topics():
                admin.delete_topics(["monevents"])
        finally:
            admin.close()
        url = self.servers["elasticsearch"]["url"]
        for index in requests.get(f"{url}/events-*/_alias",
                                  timeout=30).json():
            requests.delete(f"{url}/{index}", timeout=30)

    def test_who_follows_the_page_has_an_installation(self):
        """B28: with the samples of ``etc`` and the units in it."""
        said = self.logs / "page.log"
        with open(said, "wb") as log:
            page = subprocess.Popen(
                ["bash", "-x", "-c", self.own(script())], cwd=self.source,
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        try:
            status = page.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(page.pid, signal.SIGKILL)
            status = page.wait()
        output = said.read_text()
        told = self.tails()
        self.assertEqual(0, status, told)
        self.assertIn('"healthy":true', output.replace(" ", ""), told)
        self.assertRegex(output, r"(?m)^\|.*identity\.project\.created")
        for name in UNITS:
            with self.subTest(unit=name):
                self.assertEqual(0, self.systemctl("is-active", name))
        configuration = self.root / "etc/monasca-events/monasca-events.conf"
        self.assertEqual(0o640, configuration.stat().st_mode & 0o777)
        self.assertNotIn("OPERATOR_PROJECT_ID", configuration.read_text())
        home = self.root / "var/lib/monasca-events"
        self.assertEqual(0o700, home.stat().st_mode & 0o777)
        self.assertEqual({"secrets.key", "spool"},
                         {path.name for path in home.iterdir()})

    def tails(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-2500:]}"
                         for path in sorted(self.logs.iterdir()))


class Keystone(sites.Keystone):
    """Has what every cloud has, and nothing of ours."""

    def register(self, endpoint: str) -> None:
        if not self._identity.find_project("service"):
            self._identity.create_project(name="service",
                                          domain_id="default")
        if not self._identity.find_role("service"):
            self._identity.create_role(name="service")

    def forget(self) -> None:
        """Remove what the page makes, and services of other tests' sites."""
        for one in self._identity.services(type="event"):
            self._identity.delete_service(one)
        for one in self._identity.users():
            if one.name in ("monasca-events", "monasca-events-agent"):
                self._identity.delete_user(one)
        for one in self._identity.projects():
            if one.name in ("cloud-events", "hello-events"):
                self._identity.delete_project(one)


if __name__ == "__main__":
    unittest.main()
