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

"""Apache Kafka: one node that is broker and controller at once (KRaft)."""

import pathlib
import struct
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Failed, Instance, Launch, NotReady, Server
from servers import probes
from servers import sources

VERSION = "4.3.1"
_COORDINATES = (f"org.apache.kafka:kafka_2.13:{VERSION}",
                "org.slf4j:slf4j-simple:1.7.36")
_LOGGER = "-Dorg.slf4j.simpleLogger"
_METADATA = 3
_METADATA_VERSION = 5


class Kafka(Server):
    """Settings are lines of server.properties; `heap` is the JVM's."""

    name = "kafka"
    port_names = ("client", "controller")

    def fetch(self, cache: pathlib.Path) -> None:
        sources.java_home()
        sources.maven(cache, _libraries(cache), _COORDINATES)

    def prepare(self, instance: Instance) -> None:
        properties = instance.directory / "server.properties"
        properties.write_text(render(instance))
        if (instance.directory / "data/meta.properties").exists():
            return
        cluster = _storage_tool(instance, "random-uuid").split()[-1]
        _storage_tool(instance, "format", "-t", cluster, "-c",
                      str(properties))

    def launches(self, instance: Instance) -> Sequence[Launch]:
        heap = instance.settings.get("heap", "512m")
        return [Launch("kafka", [
            *_java(instance), f"-Xmx{heap}", "kafka.Kafka",
            str(instance.directory / "server.properties")])]

    def probe(self, instance: Instance) -> None:
        with probes.connected(instance.port) as peer:
            peer.sendall(metadata_request())
            size, = struct.unpack(">i", probes.exactly(peer, 4))
            port = first_broker_port(probes.exactly(peer, size))
        if port != instance.port:
            raise NotReady("the metadata name no broker yet")

    def describe(self, instance: Instance) -> dict[str, Any]:
        bootstrap = f"{HOST}:{instance.port}"
        return {"url": bootstrap, "bootstrap_servers": bootstrap,
                "version": VERSION}


def render(instance: Instance) -> str:
    """Return server.properties."""
    client, controller = instance.port, instance.ports["controller"]
    # The session time is what a start after a kill waits: until then the
    # controller takes the dead broker to be there (9 s if left alone).
    # Few partitions for the internal topics: each is files to open at every
    # start.  No delay of the first rebalance: a test's group is complete.
    properties: Mapping[str, str] = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{client},"
                     f"CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{client}",
        "listener.security.protocol.map":
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(instance.directory / "data"),
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "num.partitions": "6",
        "auto.create.topics.enable": "true",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.num.partitions": "10",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "5",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "5",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        **{key: value for key, value in instance.settings.items()
           if key != "heap"}}
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def metadata_request() -> bytes:
    """Return a question for the brokers, about no topic."""
    client = b"servers"
    body = struct.pack(">hhih", _METADATA, _METADATA_VERSION, 1, len(client))
    body += client + struct.pack(">i?", 0, False)
    return struct.pack(">i", len(body)) + body


def first_broker_port(answer: bytes) -> int | None:
    """Return the port of the first broker in an answer, None without one."""
    _correlation, _throttle, brokers = struct.unpack_from(">iii", answer)
    if brokers < 1:
        return None
    _node, host_size = struct.unpack_from(">ih", answer, 12)
    return struct.unpack_from(">i", answer, 18 + host_size)[0]


def _libraries(cache: pathlib.Path) -> pathlib.Path:
    return cache / f"kafka-{VERSION}"


def _java(instance: Instance) -> list[str]:
    return [str(sources.java_home() / "bin/java"),
            "-cp", f"{_libraries(instance.cache)}/*",
            f"{_LOGGER}.showDateTime=true",
            f"{_LOGGER}.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"]


def _storage_tool(instance: Instance, *arguments: str) -> str:
    done = subprocess.run(
        [*_java(instance), f"{_LOGGER}.defaultLogLevel=warn",
         "kafka.tools.StorageTool", *arguments],
        capture_output=True, text=True)
    if done.returncode:
        raise Failed("kafka: the storage tool refused: "
                     f"{(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout
