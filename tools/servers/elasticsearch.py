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

"""Elasticsearch: one node of the distribution made for integration tests."""

import os
import pathlib
import pwd
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Instance, Launch, Missing, NotReady, Server
from servers import probes
from servers import sources

VERSION = "8.19.21"
HEAP_VARIABLE = "MONASCA_EVENTS_ELASTICSEARCH_HEAP"
_COORDINATE = ("org.elasticsearch.distribution.integ-test-zip:"
               f"elasticsearch:{VERSION}:zip")


class Elasticsearch(Server):
    """Settings are lines of elasticsearch.yml; `heap` is the JVM's."""

    name = "elasticsearch"
    port_names = ("client", "transport")

    def fetch(self, cache: pathlib.Path) -> None:
        sources.java_home()
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            raise Missing("elasticsearch refuses root, and there is no "
                          "setpriv to run it as nobody: install util-linux")
        packed = cache / f"elasticsearch-{VERSION}.zip"
        sources.maven(cache, packed, [_COORDINATE], transitive=False)
        sources.unpacked(packed / f"elasticsearch-{VERSION}.zip",
                         cache / f"elasticsearch-{VERSION}")

    def prepare(self, instance: Instance) -> None:
        config = instance.directory / "config"
        # Each start leaves files behind there that no other start uses.
        shutil.rmtree(instance.directory / "tmp", ignore_errors=True)
        for name in ("config", "data", "logs", "tmp"):
            (instance.directory / name).mkdir(exist_ok=True)
        shutil.copy(_home(instance) / "config/log4j2.properties", config)
        (config / "elasticsearch.yml").write_text(render(instance))
        (config / "jvm.options").write_text(render_jvm(instance))
        if os.geteuid() == 0:
            _give_to_nobody(instance.directory)

    def launches(self, instance: Instance) -> Sequence[Launch]:
        temporary = instance.directory / "tmp"
        environment = {
            "ES_JAVA_HOME": str(sources.java_home()),
            "ES_PATH_CONF": str(instance.directory / "config"),
            "ES_TMPDIR": str(temporary),
            # The program that starts the server leaves folders behind.
            "CLI_JAVA_OPTS": f"-Djava.io.tmpdir={temporary}"}
        argv = [str(_home(instance) / "bin/elasticsearch")]
        if os.geteuid() == 0:
            argv = [*_as_nobody([instance.directory, _home(instance)]), *argv]
        return [Launch("elasticsearch", argv, environment)]

    def probe(self, instance: Instance) -> None:
        status, health = probes.http_answer(instance.port, "GET",
                                            "/_cluster/health")
        if status != 200 or health.get("status") not in ("yellow", "green"):
            raise NotReady(f"_cluster/health says {status} "
                           f'{health.get("status")}')

    def describe(self, instance: Instance) -> dict[str, Any]:
        return {"url": f"http://{HOST}:{instance.port}", "version": VERSION}


def render(instance: Instance) -> str:
    """Return elasticsearch.yml."""
    options: Mapping[str, str] = {
        "cluster.name": "monasca-events",
        "node.name": "one",
        "path.data": str(instance.directory / "data"),
        "path.logs": str(instance.directory / "logs"),
        "network.host": HOST,
        "http.port": str(instance.port),
        "transport.port": str(instance.ports["transport"]),
        "discovery.type": "single-node",
        "xpack.security.enabled": "false",
        # A disk that is nearly full of other things must not make indices
        # read-only in a test.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
        **{key: value for key, value in instance.settings.items()
           if key != "heap"}}
    return "".join(f"{key}: {value}\n" for key, value in options.items())


def render_jvm(instance: Instance) -> str:
    """Return jvm.options: the distribution's would write into its home."""
    heap = (instance.settings.get("heap")
            or os.environ.get(HEAP_VARIABLE) or "1g")
    errors = instance.directory / "logs/hs_err_pid%p.log"
    return "".join(f"{option}\n" for option in (
        f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseG1GC",
        "-Djava.io.tmpdir=${ES_TMPDIR}", f"-XX:ErrorFile={errors}"))


def _home(instance: Instance) -> pathlib.Path:
    return (instance.cache / f"elasticsearch-{VERSION}"
            / f"elasticsearch-{VERSION}")


def _give_to_nobody(directory: pathlib.Path) -> None:
    account = pwd.getpwnam("nobody")
    for path in (directory, *directory.rglob("*")):
        if path.name != "record.json":
            os.chown(path, account.pw_uid, account.pw_gid)


def _as_nobody(paths: Sequence[pathlib.Path]) -> list[str]:
    """Return the start of a command line that leaves root behind.

    Where a folder above, such as root's home, is closed to others, nobody
    may still pass through and read: that one capability is left to it.
    """
    account = pwd.getpwnam("nobody")
    argv = ["setpriv", f"--reuid={account.pw_uid}",
            f"--regid={account.pw_gid}", "--clear-groups"]
    above = {parent for path in paths for parent in path.parents}
    if not all(parent.stat().st_mode & 0o001 for parent in above):
        argv += ["--securebits=+no_setuid_fixup",
                 "--inh-caps=+dac_read_search",
                 "--ambient-caps=+dac_read_search"]
    return [*argv, "--"]
