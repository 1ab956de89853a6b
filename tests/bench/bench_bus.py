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

"""How fast the bus is, and how much it adds to the client below it.

Prints one line of JSON. For each driver the same records go through our bus
and through the bare client, in the same run and with the same settings:
batches of 100, each awaited; polls of 500. ``ratio`` is ours by theirs; at
the top level, by records per second of the client's CPU.

    python -m tests.bench.bench_bus [--short] [--driver NAME] [--uri HOST:PORT]

Without ``--uri`` the Kafka drivers use a Kafka of the servers tool's own;
exit status 3 says that none can be had here.
"""

import argparse
from collections.abc import Callable, Iterator
import contextlib
import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import confluent_kafka
import kafka
from oslo_config import cfg

from monasca_events_common import plugins
from monasca_events_common.bus import Bus
from monasca_events_common.bus import kafka_options
from monasca_events_common.bus import NAMESPACE
from monasca_events_common.bus import Record
from monasca_events_common.bus.sqlite_log import encode_headers

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH = 100
LIMIT = 500


def make_records(count: int) -> list[Record]:
    """Return records of the size of an instance's event."""
    return [Record(b"%032x" % (number % 50), os.urandom(625).hex().encode(), {
        "event_id": str(uuid.UUID(int=number)).encode(),
        "event_type": b"compute.instance.create.end",
        "timestamp": b"2026-01-31T23:59:59.000000Z", "schema": b"1",
        "index": b"w" * 400}) for number in range(count)]


def rates(count: int, work: Callable[[], None]) -> dict[str, int]:
    """Return records per second and per second of this process's CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"per_s": round(count / (time.perf_counter() - wall)),
            "per_cpu_s": round(count / (time.process_time() - cpu))}


def batches(records: list[Record]) -> Iterator[list[Record]]:
    for start in range(0, len(records), BATCH):
        yield records[start:start + BATCH]


def open_bus(name: str, **options) -> Bus:
    driver = plugins.load(NAMESPACE, name)
    conf = cfg.ConfigOpts()
    conf.register_opts(driver.OPTS, group=driver.GROUP)
    conf([], default_config_files=[], default_config_dirs=[])
    for option, value in options.items():
        conf.set_override(option, value, group=driver.GROUP)
    return driver(conf[driver.GROUP])


def through_bus(bus: Bus, records: list[Record]) -> dict:
    """Return the rates of our bus and its delay."""
    topic = f"bench-{uuid.uuid4().hex}"
    subscription = bus.subscribe(topic, "bench")
    bus.publish(topic, records[:1])
    while not subscription.poll(LIMIT, 1.0):
        pass

    found: dict = {"delay_ms": delays(bus, topic, subscription)}
    subscription.close()
    topic = f"bench-{uuid.uuid4().hex}"

    def produce() -> None:
        for batch in batches(records):
            bus.publish(topic, batch)

    found["produce"] = rates(len(records), produce)
    subscription = bus.subscribe(topic, "bench")
    left = len(records)
    while left == len(records):
        left -= len(subscription.poll(1, 1.0))

    def consume() -> None:
        nonlocal left
        while left > 0:
            left -= len(subscription.poll(LIMIT, 1.0))

    found["consume"] = rates(left, consume)
    subscription.close()
    return found


def delays(bus: Bus, topic: str, subscription) -> dict[str, float]:
    """Return milliseconds from before publish until poll returned."""
    found: list[float] = []

    def publish() -> None:
        for _ in range(100):
            bus.publish(topic, [Record(
                b"k", repr(time.monotonic()).encode(), {})])
            time.sleep(0.013)

    publisher = threading.Thread(target=publish)
    publisher.start()
    while len(found) < 100:
        for delivery in subscription.poll(LIMIT, 1.0):
            found.append(1000 * (time.monotonic() - float(delivery.value)))
    publisher.join()
    return {"p50": round(statistics.median(found), 1),
            "p95": round(statistics.quantiles(found, n=20)[-1], 1)}


def bare_sqlite(path: str, records: list[Record]) -> dict:
    """Return the rates of sqlite3 alone: one table, one thread."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE r (id INTEGER PRIMARY KEY, key, headers, value)")
    rows = [(r.key, encode_headers(r.headers), r.value) for r in records]

    def produce() -> None:
        for start in range(0, len(rows), BATCH):
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO r (key, headers, value)"
                           " VALUES (?, ?, ?)", rows[start:start + BATCH])
            db.execute("COMMIT")

    def consume() -> None:
        last = 0
        while last < len(rows):
            last = db.execute("SELECT * FROM r WHERE id > ? ORDER BY id"
                              f" LIMIT {LIMIT}", (last,)).fetchall()[-1][0]

    found = {"produce": rates(len(rows), produce),
             "consume": rates(len(rows), consume)}
    db.close()
    return found


def bare_kafka(uri: str, topic: str, records: list[Record]) -> dict:
    """Return the rates of kafka-python alone."""
    producer = kafka.KafkaProducer(
        bootstrap_servers=uri, acks="all", enable_idempotence=False,
        max_in_flight_requests_per_connection=1,
        linger_ms=kafka_options.LINGER_MS,
        batch_size=kafka_options.BATCH_BYTES)
    prepared = [(r.value, r.key, list(r.headers.items())) for r in records]

    def produce() -> None:
        for start in range(0, len(prepared), BATCH):
            for future in [producer.send(topic, value, key, headers)
                           for value, key, headers
                           in prepared[start:start + BATCH]]:
                future.get(10)

    found = {"produce": rates(len(records), produce)}
    producer.close()
    consumer = kafka.KafkaConsumer(
        topic, bootstrap_servers=uri, group_id=topic,
        enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_max_bytes=16 << 20, max_partition_fetch_bytes=2 << 20)
    left = len(records) - sum(map(len, consumer.poll(
        20_000, max_records=1).values()))

    def consume() -> None:
        nonlocal left
        while left > 0:
            left -= sum(map(len, consumer.poll(
                1000, max_records=LIMIT).values()))

    found["consume"] = rates(left, consume)
    consumer.close()
    return found


def bare_confluent(uri: str, topic: str, records: list[Record]) -> dict:
    """Return the rates of confluent-kafka alone."""
    producer = confluent_kafka.Producer({
        "bootstrap.servers": uri, "enable.idempotence": True,
        "linger.ms": kafka_options.LINGER_MS,
        "batch.size": kafka_options.BATCH_BYTES})
    prepared = [(r.value, r.key, list(r.headers.items())) for r in records]

    def produce() -> None:
        for start in range(0, len(prepared), BATCH):
            for value, key, headers in prepared[start:start + BATCH]:
                producer.produce(topic, value, key, headers=headers)
            producer.flush(10)

    found = {"produce": rates(len(records), produce)}
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": uri, "group.id": topic,
        "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    left = len(records)
    while left == len(records):
        left -= len(consumer.consume(1, 1.0))

    def consume() -> None:
        nonlocal left
        while left > 0:
            for message in consumer.consume(LIMIT, 1.0):
                message.value(), message.key(), message.headers()
                left -= 1

    found["consume"] = rates(left, consume)
    consumer.close()
    return found


@contextlib.contextmanager
def own_kafka() -> Iterator[str]:
    """Bring up a Kafka that is nobody else's; yield its address."""
    with tempfile.TemporaryDirectory(prefix="kafka-") as directory:
        tool = [sys.executable, str(ROOT / "tools" / "servers"),
                "--state-dir", directory]
        up = subprocess.run([*tool, "up", "kafka", "--json"],
                            stdout=subprocess.PIPE, check=False)
        if up.returncode:
            sys.exit(up.returncode)
        try:
            yield json.loads(up.stdout)["kafka"]["url"]
        finally:
            subprocess.run([*tool, "wipe", "kafka"], check=True,
                           capture_output=True)


def measure_sqlite(records: list[Record]) -> dict:
    with tempfile.TemporaryDirectory(dir=".") as directory:
        bus = open_bus("sqlite", path=os.path.join(directory, "bus.db"))
        ours = through_bus(bus, records)
        bus.close()
        return compared(ours, bare_sqlite(
            os.path.join(directory, "bare.db"), records))


def measure_kafka(name: str, uri: str, records: list[Record]) -> dict:
    bus = open_bus(name, uri=uri)
    ours = through_bus(bus, records)
    topic = f"bare-{uuid.uuid4().hex}"
    bus.make_topic(topic, 10.0)
    bus.close()
    bare = bare_kafka if name == "kafka" else bare_confluent
    return compared(ours, bare(uri, topic, records))


def compared(ours: dict, bare: dict) -> dict:
    """Return both and what part of the bare client's rate is ours."""
    return {"bus": ours, "bare": bare, "ratio": {
        what: {unit: round(ours[what][unit] / bare[what][unit], 2)
               for unit in bare[what]} for what in bare}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true",
                        help="5,000 records instead of 50,000")
    parser.add_argument("--driver", choices=["sqlite", "kafka", "confluent"],
                        help="only this one")
    parser.add_argument("--uri", help="a Kafka that runs already")
    options = parser.parse_args()
    names = [options.driver] if options.driver else [
        "sqlite", "kafka", "confluent"]
    records = make_records(5_000 if options.short else 50_000)
    found: dict[str, object] = {"bench": "bus", "records": len(records)}
    with contextlib.ExitStack() as stack:
        uri = options.uri
        for name in names:
            if name == "sqlite":
                found[name] = measured = measure_sqlite(records)
            else:
                uri = uri or stack.enter_context(own_kafka())
                found[name] = measured = measure_kafka(name, uri, records)
            for what, ratio in measured["ratio"].items():
                found[f"ratio_{name}_{what}"] = ratio["per_cpu_s"]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
