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
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Instance, Launch, NotReady, Server
from servers import accounts
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
        accounts.needed(self.name)
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
        accounts.give(instance.directory)

    def launches(self, instance: Instance) -> Sequence[Launch]:
        temporary = instance.directory / "tmp"
        environment = {
            "ES_JAVA_HOME": str(sources.java_home()),
            "ES_PATH_CONF": str(instance.directory / "config"),
            "ES_TMPDIR": str(temporary),
            # The program that starts the server leaves folders behind.
            "CLI_JAVA_OPTS": f"-Djava.io.tmpdir={temporary}"}
        argv = accounts.without_root(
            [str(_home(instance) / "bin/elasticsearch")],
            [instance.directory, _home(instance)])
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
