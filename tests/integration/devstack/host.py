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

"""A host as devstack leaves it before its plug-ins run, in one directory.

RabbitMQ, MariaDB and Keystone are real and this host's own; what stands for
devstack's functions is in ``functions``. Nothing outside the directory is
changed.
"""

from collections.abc import Mapping
import configparser
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import unittest

from tests.integration.devstack import programs

ROOT = pathlib.Path(__file__).resolve().parents[3]
HARNESS = pathlib.Path(__file__).resolve().parent

#: What a phase may take, installing included.
SECONDS = 300

#: The suite's services, as devstack names them.
SERVICES = ("monasca-events-api", "monasca-events-agent",
            "monasca-events-persister", "monasca-events-engine")

#: Of the sources, what an installation reads.
_SOURCES = ("devstack", "etc", "tools", "README.rst", "setup.cfg", "setup.py",
            "pyproject.toml", "requirements.txt", "constraints.txt",
            "MANIFEST.in")

#: file → what devstack wrote into it before: with Ceilometer away, cinder and
#: neutron are not told to notify at all.
_FILES: Mapping[str, str] = {
    "nova/nova.conf": """[DEFAULT]
transport_url = {url}
[oslo_messaging_notifications]
transport_url = {url}
driver = messagingv2
""",
    "nova/nova_cell1.conf": "[DEFAULT]\ntransport_url = {url}nova_cell1\n",
    "cinder/cinder.conf": "[DEFAULT]\ntransport_url = {url}\n",
    "neutron/neutron.conf": "[DEFAULT]\ntransport_url = {url}\n",
    "glance/glance-api.conf": """[DEFAULT]
transport_url = {url}
[oslo_messaging_notifications]
driver = messagingv2
""",
    # As with Ceilometer for something else already.
    "heat/heat.conf": """[DEFAULT]
transport_url = {url}
[oslo_messaging_notifications]
driver = messagingv2
topics = notifications,profiler
""",
    "tempest.conf": "[service_available]\nnova = True\n"}


class Host:
    """The directory, its servers, and the phases.

    :ivar servers: name → what tools/servers tells of it
    :ivar metrics: service → first port of its metrics
    """

    def __init__(self, folder: pathlib.Path, port: int,
                 metrics: Mapping[str, int], uwsgi: pathlib.Path,
                 cache: pathlib.Path) -> None:
        """
        :param port: of the API
        :param metrics: service → first port of its metrics
        :param uwsgi: that program
        :param cache: of what tools/servers fetches
        """
        self.folder = folder
        self.dest = folder / "stack"
        self.data = self.dest / "data"
        self.configuration = folder / "etc/monasca-events"
        self.state = self.data / "monasca-events"
        self.units = folder / "systemd"
        self.logs = folder / "logs"
        self.horizon = self.dest / "horizon/openstack_dashboard/local"
        self.url = f"http://127.0.0.1:{port}"
        self.log = ""
        self._port = port
        self.metrics = metrics
        self._uwsgi = uwsgi
        self._cache = cache

    def prepare(self) -> None:
        """Bring the servers up and lay out what devstack has by then.

        :raises unittest.SkipTest: one cannot be had on this machine
        """
        # The plug-in brings these up itself.
        self._tool("fetch", "kafka", "elasticsearch")
        # As in devstack: queues are transient, topics are oslo.messaging's.
        self.servers = json.loads(self._tool(
            "up", "rabbitmq", "mariadb", "keystone", "--json",
            "--set", "keystone:notification_topics=notifications",
            "--set", "keystone:amqp_durable_queues=false"))
        for path in (self.data, self.units, self.logs,
                     self.horizon / "enabled",
                     self.horizon / "local_settings.d"):
            path.mkdir(parents=True)
        # Where devstack's enable_plugin clones them to.
        copy_sources(self.dest / "monasca-events")
        for name, text in _FILES.items():
            path = self.folder / "etc" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(url=self.servers["rabbitmq"][
                "transport_url"]))
        (self.units / "devstack@keystone.service").write_text(
            f"[Service]\nPIDFile={self.folder}/keystone.pid\n")
        (self.folder / "keystone.pid").write_text(
            str(self.servers["keystone"]["pid"]))
        (self.folder / "clouds.yaml").write_text(json.dumps({"clouds": {
            "devstack-system-admin": {
                "region_name": "RegionOne", "identity_api_version": "3",
                "auth": {"auth_url": self.servers["keystone"]["auth_url"],
                         "username": self.servers["keystone"]["username"],
                         "password": self.servers["keystone"]["password"],
                         "user_domain_id": "default",
                         "system_scope": "all"}}}}))
        self._write_programs()
        subprocess.run([sys.executable, "-m", "venv", self.data / "venv"],
                       check=True)

    def stop_servers(self) -> None:
        """Stop RabbitMQ, MariaDB and Keystone."""
        self._tool("down", "--all")

    def close(self) -> None:
        """End the servers and forget their data."""
        self._tool("wipe", "keystone", "mariadb", "rabbitmq")

    @property
    def quick(self) -> dict[str, str]:
        """Return the variables with which requirements are the test's own."""
        return {"PYTHON": str(self.folder / "bin/python3")}

    def run(self, mode: str, **variables: str) -> str:
        """Run ``stack``, ``unstack`` or ``clean``; return what it says.

        :param variables: of local.conf
        """
        file = self.folder / "variables"
        file.write_text("".join(
            f"export {name}={shlex.quote(str(value))}\n" for name, value
            in {**self._variables(), **variables}.items()))
        done = subprocess.run(
            ["bash", str(HARNESS / "run.sh"), str(file), mode],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
            check=False, env={"PATH": os.environ["PATH"],
                              "HOME": str(pathlib.Path.home()),
                              "LANG": "C.UTF-8"})
        self.log += done.stdout
        if done.returncode or "that is known here" in done.stdout:
            raise AssertionError(f"{mode}: {done.returncode}\n"
                                 f"{done.stdout[-6000:]}\n{self.tails()}")
        return done.stdout

    def tails(self) -> str:
        """Return the ends of what the units said."""
        return "\n".join(
            f"{path.name}: {path.read_text(errors='replace')[-1500:]}"
            for path in sorted(self.logs.glob("*.log")))

    def files(self) -> set[str]:
        """Return every path that a plug-in could have left behind."""
        apart = ("servers", "site", "logs", "bin", "variables",
                 "stack/packages")
        return {name for path in self.folder.rglob("*")
                if not (name := str(path.relative_to(self.folder)))
                .startswith(apart) and "__pycache__" not in path.parts}

    def packages(self) -> list[str]:
        """Return what the system was to install since the host was made."""
        file = self.dest / "packages"
        return file.read_text().split() if file.exists() else []

    def options(self) -> dict[str, dict]:
        """Return file → section → option → value, of other services."""
        found = {}
        for path in (*(self.folder / "etc" / name for name in _FILES),
                     self.keystone_file):
            parsed = configparser.RawConfigParser(default_section="")
            parsed.read(path)
            found[path.name] = {name: dict(parsed[name])
                                for name in parsed if parsed[name]}
        return found

    @property
    def keystone_file(self) -> pathlib.Path:
        """Return the file that the real Keystone reads."""
        return pathlib.Path(self.servers["keystone"]["directory"],
                            "keystone.conf")

    def active(self) -> set[str]:
        """Return which of the suite's units run."""
        return {name for name in SERVICES if not subprocess.run(
            [str(self.folder / "bin/systemctl"), "is-active",
             f"devstack@{name}.service"], check=False).returncode}

    def processes(self) -> list[str]:
        """Return the command lines of processes of the installation."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(self.state) in line or str(self.configuration) in line:
                found.append(line)
        return found

    def databases(self) -> list[str]:
        return self.program("mysql", f"-u{self._mariadb['username']}",
                            f"-p{self._mariadb['password']}", "-N",
                            "-e", "SHOW DATABASES").split()

    def queues(self) -> dict[str, int]:
        """Return queue → messages that nobody has taken yet."""
        rows = self.program("rabbitmqctl", "-q", "list_queues", "name",
                            "messages").splitlines()
        return {name: int(count) for name, count in (
            row.split() for row in rows if row.split()[-1].isdigit())}

    def program(self, name: str, *arguments: str) -> str:
        """Run one of the host's programs; return what it prints."""
        return subprocess.run(
            [str(self.folder / "bin" / name), *arguments], check=True,
            capture_output=True, text=True).stdout

    @property
    def _mariadb(self) -> Mapping:
        return self.servers["mariadb"]

    def _tool(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools/servers"), "--state-dir",
             str(self.folder / "servers"), *arguments],
            capture_output=True, text=True, check=False)
        if done.returncode == 3 and os.environ.get("CI") != "true":
            raise unittest.SkipTest(done.stderr.strip())
        if done.returncode:
            raise AssertionError(f"servers {arguments}: {done.stderr}")
        return done.stdout

    def _write_programs(self) -> None:
        """Write what devstack finds on its PATH."""
        programs.write(self.folder / "bin", {
            **programs.of_servers(self.servers, "mysql"),
            "sudo": 'exec "$@"',
            "openstack": programs.ours("openstack"),
            "uwsgi": f'exec {shlex.quote(str(self._uwsgi))} "$@"',
            "systemctl": programs.systemctl(self.units, self.logs),
            "python3": programs.python(self.folder / "site", self._uwsgi)})

    def _variables(self) -> dict[str, str]:
        """Return what devstack knows when it sources a plug-in."""
        keystone, rabbit = (self.servers[name] for name in
                            ("keystone", "rabbitmq"))
        etc = self.folder / "etc"
        user = subprocess.run(["id", "-un"], capture_output=True, text=True,
                              check=True).stdout.strip()
        return {
            "HARNESS_BIN": self.folder / "bin",
            "HARNESS_PYTHON": sys.executable,
            "DEST": self.dest, "DATA_DIR": self.data,
            "DEVSTACK_VENV": self.data / "venv", "GLOBAL_VENV": "True",
            "SYSTEMD_DIR": self.units,
            "SYSTEMCTL": self.folder / "bin/systemctl",
            "STACK_USER": user, "PYTHON": sys.executable,
            # What is used is compiled when it is.
            "PIP_NO_COMPILE": "1",
            # A copy without git has no version of its own.
            "PBR_VERSION": "0.0.1",
            "ENABLED_SERVICES": "key,rabbit,mysql,horizon,tempest,n-api,"
                                "n-cond,n-cpu,c-api,q-svc,g-api,h-eng",
            "SERVICE_HOST": "127.0.0.1",
            "SERVICE_LISTEN_ADDRESS": "127.0.0.1",
            "SERVICE_TIMEOUT": "60", "API_WORKERS": "2",
            "SERVICE_PASSWORD": "secret", "SERVICE_PROJECT_NAME": "service",
            "SERVICE_DOMAIN_NAME": "Default", "REGION_NAME": "RegionOne",
            "ENABLE_DEBUG_LOG_LEVEL": "False", "MEMCACHE_SERVERS": "",
            "SSL_BUNDLE_FILE": "", "CURL_GET": "curl -g",
            "DATABASE_TYPE": "mysql", "MYSQL_HOST": "127.0.0.1",
            "DATABASE_HOST": f'127.0.0.1:{self._mariadb["port"]}',
            "DATABASE_USER": self._mariadb["username"],
            "DATABASE_PASSWORD": self._mariadb["password"],
            "RABBIT_HOST": f'127.0.0.1:{rabbit["port"]}',
            "RABBIT_USERID": rabbit["username"],
            "RABBIT_PASSWORD": rabbit["password"],
            "KEYSTONE_SERVICE_URI": keystone["auth_url"],
            "KEYSTONE_CONF": self.keystone_file,
            "NOVA_CONF_DIR": etc / "nova", "NOVA_CONF": etc / "nova/nova.conf",
            "NOVA_NUM_CELLS": "1",
            "CINDER_CONF": etc / "cinder/cinder.conf",
            "NEUTRON_CONF": etc / "neutron/neutron.conf",
            "GLANCE_API_CONF": etc / "glance/glance-api.conf",
            "HEAT_CONF": etc / "heat/heat.conf",
            "HORIZON_DIR": self.dest / "horizon",
            "TEMPEST_CONFIG": etc / "tempest.conf",
            "HARNESS_ADMIN": keystone["username"],
            "HARNESS_PASSWORD": keystone["password"],
            "OS_CLIENT_CONFIG_FILE": self.folder / "clouds.yaml",
            "MONASCA_EVENTS_CONF_DIR": self.configuration,
            "MONASCA_EVENTS_CACHE_DIR": self._cache,
            "MONASCA_EVENTS_SERVICE_PORT": str(self._port),
            "MONASCA_EVENTS_METRICS": ",".join(
                f"{name}:{port}" for name, port in self.metrics.items())}


def copy_sources(target: pathlib.Path) -> None:
    """Copy of the sources what an installation reads."""
    target.mkdir(parents=True)
    for path in (*(ROOT / name for name in _SOURCES),
                 *ROOT.glob("monasca_events_*")):
        if path.is_dir():
            shutil.copytree(path, target / path.name,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, target)
