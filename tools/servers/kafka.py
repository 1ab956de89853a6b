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
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Failed, Instance, Launch, NotReady, Server
from servers import probes
from servers import sources
from servers import tasks

VERSION = "4.3.1"
_COORDINATES = (f"org.apache.kafka:kafka_2.13:{VERSION}",
                "org.slf4j:slf4j-simple:1.7.36")
_LOGGER = "-Dorg.slf4j.simpleLogger"
# Each request's number and the version of it that is spoken here.
_METADATA = (3, 5)
_LEAVE_GROUP = (13, 0)
_DESCRIBE_GROUPS = (15, 0)
_CREATE_TOPICS = (19, 2)
_ALREADY_EXISTS = 36


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
        port = first_broker_port(_answer(
            instance.port, request(_METADATA, struct.pack(">i?", 0, False))))
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


def create_topics(port: int, topics: Sequence[str]) -> None:
    """Return once the `topics` are there, with one partition each if new.

    Raises Failed if the broker at `port` refuses one.
    """
    asked = b"".join(text(topic) + struct.pack(">ihii", 1, 1, 0, 0)
                     for topic in topics)
    answer = _answer(port, request(_CREATE_TOPICS, struct.pack(
        ">i", len(topics)) + asked + struct.pack(">i?", 30000, False)))
    for topic, error in created(answer).items():
        if error not in (0, _ALREADY_EXISTS):
            raise Failed(f"kafka: topic {topic} is refused: error {error}")


def created(answer: bytes) -> dict[str, int]:
    """Return the error, 0 if none, for each topic that was to be made."""
    _correlation, _throttle, count = struct.unpack_from(">iii", answer)
    found, place = {}, 12
    for _ in range(count):
        topic, place = _text_at(answer, place)
        found[topic], = struct.unpack_from(">h", answer, place)
        _message, place = _text_at(answer, place + 2)
    return found


def group(port: int, name: str) -> tuple[str, list[str]]:
    """Return a consumer group's state and the ids of its members.

    The state is `Stable`, `Empty`, `Dead`, … as the broker calls it.
    """
    return described(_answer(port, request(
        _DESCRIBE_GROUPS, struct.pack(">i", 1) + text(name))))


def evict(port: int, name: str) -> None:
    """Have all members leave a consumer group: those of a process that died.

    Otherwise the broker goes on counting on them for most of a minute.
    """
    for member in group(port, name)[1]:
        _answer(port, request(_LEAVE_GROUP, text(name) + text(member)))


def described(answer: bytes) -> tuple[str, list[str]]:
    """Return state and members from an answer about one group."""
    # Behind the correlation, the count of groups and the error: the name,
    # the state, the protocol's type, the protocol.
    place, words = 10, []
    for _ in range(4):
        word, place = _text_at(answer, place)
        words.append(word)
    count, = struct.unpack_from(">i", answer, place)
    place += 4
    members = []
    for _ in range(count):
        member, place = _text_at(answer, place)
        members.append(member)
        # The client's name and its address.
        for _ in range(2):
            _word, place = _text_at(answer, place)
        # What it subscribed to and what was assigned to it.
        for _ in range(2):
            size, = struct.unpack_from(">i", answer, place)
            place += 4 + size
    return words[1], members


def _text_at(answer: bytes, place: int) -> tuple[str, int]:
    """Return the word at `place`, and the place behind it."""
    size, = struct.unpack_from(">h", answer, place)
    end = place + 2 + max(size, 0)
    return answer[place + 2:end].decode(), end


def request(kind: tuple[int, int], body: bytes) -> bytes:
    """Return what goes over the wire to ask for `kind`."""
    whole = struct.pack(">hhi", *kind, 1) + text("servers") + body
    return struct.pack(">i", len(whole)) + whole


def text(word: str) -> bytes:
    return struct.pack(">h", len(word)) + word.encode()


def _answer(port: int, question: bytes) -> bytes:
    with probes.connected(port) as peer:
        peer.sendall(question)
        size, = struct.unpack(">i", probes.exactly(peer, 4))
        return probes.exactly(peer, size)


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
    return tasks.run("kafka: the storage tool", [
        *_java(instance), f"{_LOGGER}.defaultLogLevel=warn",
        "kafka.tools.StorageTool", *arguments])
