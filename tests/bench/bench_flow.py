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

"""From a notification on RabbitMQ to its webhook, with every server here.

RabbitMQ, Keystone, Kafka, Elasticsearch and MariaDB, our four daemons, the
sender and the receiver all share this machine. The sender publishes a
notification of nova's at an even rate; of every hundred so many fire a
trigger and lead to a signed webhook. Timed is from handing one to RabbitMQ
until the receiver has the whole request, beside the 500 ms that it may take;
and by the event's and the firing's own times, where that goes. Run as
``python -m tests.bench.bench_flow [--rate 500] [--seconds 30] [--short]``.
"""

import argparse
import datetime
import json
import math
import multiprocessing
import pathlib
import random
import sys
import tempfile
import time
import unittest
from urllib import parse
import uuid

import amqp
import orjson
import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common.database import Database
from monasca_events_common.database.tables import FIRINGS
from tests.bench import notifications
from tests.bench.bench_actions import receive
from tests.bench.bench_actions import WANTED_MS
from tests.integration.daemons import wait_for
from tests.integration.sites import EngineSite

EXCHANGE = "openstack"

#: Types of the notifications that fire, and of those that do not.
FIRES, OTHER = "compute.instance.delete.end", "compute.instance.update"

#: Notifications of a hundred that fire: few, as in a cloud, and all.
SHARES = {"few": 10, "all": 100}


def resource(_fields, body: bytes) -> str:
    """Return the instance that a webhook is about."""
    return orjson.loads(body)["data"]["key"]["resource_id"]


def send(pipe, url: str, topic: str, project_id: str) -> None:
    """Publish what the pipe asks for; answer with instance → when.

    It asks by (a second, how many seconds, how many of a hundred fire).
    """
    broker = parse.urlsplit(url)
    connection = amqp.Connection(
        f"{broker.hostname}:{broker.port}", userid=broker.username,
        password=broker.password)
    connection.connect()
    channel = connection.channel()
    chance = random.Random(11)
    while (wanted := pipe.recv()) is not None:
        rate, seconds, share = wanted
        sent: dict[str, float] = {}
        start = time.monotonic()
        for number in range(int(rate * seconds)):
            instance, fires = str(uuid.uuid4()), number * share % 100 < share
            body = envelope(chance, project_id, instance, fires)
            wait = start + number / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            now = time.monotonic()
            channel.basic_publish(amqp.Message(
                body, content_type="application/json", delivery_mode=2,
                content_encoding="utf-8"), EXCHANGE, f"{topic}.info")
            if fires:
                sent[instance] = now
        pipe.send(sent)
    connection.close()


def envelope(chance: random.Random, project_id: str, instance: str,
             fires: bool) -> bytes:
    """Return a notification as oslo.messaging puts it on the wire."""
    _type, publisher_id, payload = notifications._legacy(
        chance, project_id, "u" * 32)
    payload["instance_id"] = instance
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps({
        "event_type": FIRES if fires else OTHER, "priority": "INFO",
        "publisher_id": publisher_id, "message_id": str(uuid.uuid4()),
        "timestamp": str(now), "payload": payload,
        "_context_project_id": project_id,
        "_unique_id": uuid.uuid4().hex})}).encode()


class FlowSite(EngineSite):
    """Its engine may speak to the receiver."""

    def __init__(self, folder: pathlib.Path, bus: str, port: int) -> None:
        super().__init__(folder, bus, f"""
[webhook]
schemes = http
ports = {port}
allowed_networks = 127.0.0.0/8
[keystone_authtoken]
# As it is where nobody says otherwise; tests want to see tokens end.
token_cache_time = 300
""", api_workers=1)


class Course:
    """The installation with a receiver and a sender, each a process."""

    def __init__(self, folder: pathlib.Path, bus: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._receiver, theirs = multiprocessing.Pipe()
        spawn.Process(target=receive, args=(theirs, resource),
                      daemon=True).start()
        port = self._receiver.recv()
        self.site = FlowSite(folder, bus, port)
        try:
            self.site.start()
            self._define(port)
        except BaseException:
            self.site.close()
            raise
        self._sender, theirs = multiprocessing.Pipe()
        spawn.Process(target=send, daemon=True, args=(
            theirs, self.site.servers["rabbitmq"]["transport_url"],
            self.site.topic, self.site.projects["A"])).start()

    def _define(self, port: int) -> None:
        """Have deletions fire, and wait until the engine knows."""
        method = self._create("notification-methods", type="webhook",
                              address=f"http://127.0.0.1:{port}/")
        self._create("triggers", kind="match", group_by=["resource_id"],
                     pattern={"event_type": [FIRES]},
                     rate_limit={"firings": 100_000, "seconds": 60},
                     notify={"fired": [method]})
        # It takes effect within a second.
        time.sleep(2)

    def _create(self, what: str, **content) -> str:
        answer = self.site.call(
            "POST", f"/v1.0/{what}", self.site.token("A", "member"),
            json={"name": "bench", **content})
        if answer.status_code != 201:
            raise RuntimeError(answer.text)
        return answer.json()["id"]

    def run(self, rate: float, seconds: float, share: int
            ) -> dict[str, list[float]]:
        """Return part → its milliseconds, sorted; ``whole`` is the sum."""
        self._sender.send((rate, seconds, share))
        sent = self._sender.recv()

        def arrived() -> dict[str, float] | None:
            self._receiver.send("tell")
            found = self._receiver.recv()
            return found if sent.keys() <= found.keys() else None
        try:
            found = wait_for("every webhook has come", arrived, 120)
        except AssertionError:
            for name in ("agent", "api", "engine"):
                sys.stderr.write(self.site.daemons.log(name)[-3000:])
            raise
        marks = self._marks(set(sent))
        parts: dict[str, list[float]] = {
            "whole": [], "to_agent": [], "to_engine": [], "to_receiver": []}
        for one, began in sent.items():
            steps = (began, *marks[one], found[one])
            parts["whole"].append(steps[-1] - steps[0])
            for name, before, after in zip(
                    list(parts)[1:], steps[:-1], steps[1:], strict=True):
                parts[name].append(after - before)
        return {name: sorted(value * 1000 for value in values)
                for name, values in parts.items()}

    def _marks(self, wanted: set[str]) -> dict[str, tuple[float, float]]:
        """Return instance → when the agent had it, and when it was judged."""
        offset = time.time() - time.monotonic()
        database = Database(self.site.dead_url)
        found = {}
        with database.read() as connection:
            for row in connection.execute(sa.select(FIRINGS)):
                content = orjson.loads(row.content)
                name = content["key"]["resource_id"]
                if name in wanted:
                    received = events.parse_time(
                        content["event"]["received_at"]).timestamp()
                    found[name] = received - offset, row.created_at - offset
        database.close()
        return found

    def close(self) -> None:
        self._sender.send(None)
        self.site.close()
        self._receiver.send("end")


def at(times: list[float], share: float) -> float:
    """Return a percentile, to be read as a latency: not below the truth."""
    return round(times[min(len(times), math.ceil(len(times) * share)) - 1], 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true",
                        help="some seconds at a tenth of the rate")
    parser.add_argument("--rate", type=float,
                        help="notifications a second (500)")
    parser.add_argument("--seconds", type=float,
                        help="how long, for each share (30)")
    parser.add_argument("--bus", default="kafka", help="the bus driver")
    arguments = parser.parse_args()
    short = arguments.short
    rate = arguments.rate or (50.0 if short else 500.0)
    seconds = arguments.seconds or (4.0 if short else 30.0)
    answer: dict = {"bench": "flow", "bus": arguments.bus, "rate": rate}
    with tempfile.TemporaryDirectory() as folder:
        try:
            course = Course(pathlib.Path(folder), arguments.bus)
        except unittest.SkipTest as error:
            print(error, file=sys.stderr)
            return 3
        try:
            course.run(rate, 2.0 if short else 5.0, 100)
            for name, share in SHARES.items():
                parts = course.run(rate, seconds, share)
                whole = parts.pop("whole")
                answer |= {f"{name}_webhooks": len(whole),
                           f"{name}_p50_ms": at(whole, 0.5),
                           f"{name}_p99_ms": at(whole, 0.99),
                           f"{name}_max_ms": at(whole, 1.0),
                           f"{name}_ratio": round(
                               WANTED_MS / at(whole, 0.99), 2)}
                for part, times in parts.items():
                    answer[f"{name}_{part}_p50_p99_ms"] = [
                        at(times, 0.5), at(times, 0.99)]
        finally:
            course.close()
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
