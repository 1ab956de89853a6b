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

"""Bench of the store: how fast it writes and answers; prints one JSON line.

Writing is put in relation to a bare FTS5 table that is given the same words
and bytes in the same batches within the same run, so that the figure means
something on any machine. Run as ``python -m tests.bench.bench_store``.
"""

import argparse
from collections.abc import Iterator, Sequence
import concurrent.futures
import dataclasses
import datetime
import itertools
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid

import orjson

from monasca_events_common import event
from monasca_events_common import plugins
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store import Document
from monasca_events_common.store import NAMESPACE
from oslo_config import cfg

_TENANTS = 100
_BATCH = 500
_ROUNDS = 200
START = datetime.datetime(2026, 10, 1, tzinfo=datetime.timezone.utc)
SPAN = 30 * 86400

_TYPES = [f"{service}.{thing}.{verb}.{phase}"
          for service, thing in (("compute", "instance"), ("volume", "volume"),
                                 ("network", "port"), ("image", "image"))
          for verb in ("create", "update", "delete", "resize", "attach")
          for phase in ("start", "end")]


def documents(count: int, seed: int = 1) -> Iterator[Document]:
    """Yield documents in the order of time, of about 1.7 kB each."""
    chance = random.Random(seed)
    projects = [uuid.UUID(int=chance.getrandbits(128)).hex
                for _ in range(_TENANTS)]
    hosts = [f"compute-{number}.example.org" for number in range(500)]
    for number in range(count):
        yield _document(chance, chance.choice(projects), hosts, number,
                        SPAN * number / count)


def _document(chance: random.Random, project_id: str, hosts: Sequence[str],
              number: int, seconds: float) -> Document:
    happened = event.format_time(
        START + datetime.timedelta(seconds=seconds))
    instance, image, flavor, user, request = (
        str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(5))
    host = chance.choice(hosts)
    memory = chance.choice((512, 2048, 8192))
    made = dict.fromkeys(event.FIELDS)
    made.update(
        event_id=event.event_id(project_id, str(number)),
        project_id=project_id, event_type=chance.choice(_TYPES),
        timestamp=happened, received_at=happened,
        publisher_id=f"compute.{host}",
        priority="ERROR" if chance.random() < 0.02 else "INFO",
        source="notification", resource_type="instance",
        resource_id=instance, user_id=user, request_id=f"req-{request}",
        traits={"state": chance.choice(("active", "building", "error")),
                "memory_mb": memory, "vcpus": memory // 512, "host": host,
                "launched_at": happened, "flavor": f"m1.{memory}"},
        dimensions={}, marks={},
        payload={"nova_object.name": "InstanceActionPayload",
                 "nova_object.namespace": "nova",
                 "nova_object.version": "1.8",
                 "nova_object.data": {
                     "uuid": instance, "host": host, "node": host,
                     "display_name": f"server-{number % 5000}",
                     "image_uuid": image, "tenant_id": project_id,
                     "availability_zone": f"az{number % 3}",
                     "flavor": {"flavorid": flavor, "memory_mb": memory,
                                "name": f"m1.{memory}", "swap": 0},
                     "ip_addresses": [
                         {"address": f"10.{number % 250}.0.{number % 240}",
                          "label": "private", "version": 4,
                          "mac": f"fa:16:3e:00:{number % 90 + 10}:01"}],
                     "power_state": "running", "task_state": None,
                     "os_type": None, "architecture": "x86_64",
                     "created_at": happened, "metadata": {
                         "role": f"web-{number % 97}", "owner": "team-42"},
                     "fault": None, "progress": number % 100}})
    record = event.record(made)
    return Document(project_id, made["event_id"], made["event_type"],
                    happened, record.value, record.headers["index"])


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds that something took, by the clock and of the processor."""

    wall: float
    cpu: float


def timed(take, rows: Sequence) -> Cost:
    """Return what it costs to take the rows in batches."""
    wall, cpu = time.perf_counter(), time.process_time()
    for begin in range(0, len(rows), _BATCH):
        take(rows[begin:begin + _BATCH])
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def bare_fts5(path: str, rows: Sequence[tuple[str, bytes]]) -> Cost:
    """Return what a bare FTS5 table takes for the rows."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS bare "
                       "USING fts5(words, value UNINDEXED)")

    def insert(part) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO bare VALUES (?, ?)", part)
        connection.execute("COMMIT")

    cost = timed(insert, rows)
    connection.close()
    return cost


def inserts(store, folder: str, count: int) -> dict:
    """Return what writing costs, in alternating rounds of both.

    The first round is not counted: in it the store meets each tenant's event
    types and traits for the first time, which it does once in its life.
    """
    ours, bare = [], []
    made = list(documents(count * 6, seed=2))
    for part in range(6):
        batch = made[part * count:(part + 1) * count]
        rows = [(" ".join(orjson.loads(one.index)["words"]), one.value)
                for one in batch]
        bare.append(bare_fts5(os.path.join(folder, "bare.db"), rows))
        ours.append(timed(store.write, batch))
    del ours[0], bare[0]
    pairs = list(zip(ours, bare, strict=True))
    return {
        "events_per_second": round(
            count / statistics.median(one.wall for one in ours)),
        "bare_fts5_per_second": round(
            count / statistics.median(one.wall for one in bare)),
        "ratio_to_bare_fts5": round(statistics.median(
            other.wall / one.wall for one, other in pairs), 2),
        # The processor's share is what a busy neighbour does not change.
        "cpu_ratio_to_bare_fts5": round(statistics.median(
            other.cpu / one.cpu for one, other in pairs), 2)}


def queries(store, sample: Sequence[Document]) -> dict:
    """Return the p95 of each kind of query, in milliseconds."""
    chance = random.Random(3)

    def p95(ask) -> float:
        taken = []
        for _ in range(_ROUNDS):
            one = chance.choice(sample)
            begun = time.perf_counter()
            ask(one, orjson.loads(one.value))
            taken.append(time.perf_counter() - begun)
        return round(sorted(taken)[int(_ROUNDS * 0.95)] * 1000, 2)

    def listed(*terms: Term, words: Sequence[str] = ()):
        return Query(terms=terms, words=words, limit=50)

    return {"p95_ms": {
        "newest": p95(lambda one, made: store.search(
            one.project_id, listed())),
        "type": p95(lambda one, made: store.search(
            one.project_id, listed(
                Term("event_type", "eq", [one.event_type])))),
        "type_prefix": p95(lambda one, made: store.search(
            one.project_id, listed(
                Term("event_type", "prefix", ["volume.volume.res"])))),
        "resource": p95(lambda one, made: store.search(
            one.project_id, listed(
                Term("resource_id", "eq", [made["resource_id"]])))),
        "trait": p95(lambda one, made: store.search(
            one.project_id, listed(
                Term("traits.host", "eq", [made["traits"]["host"]])))),
        "trait_range": p95(lambda one, made: store.search(
            one.project_id, listed(Term("traits.vcpus", "gt", [4])))),
        "priority": p95(lambda one, made: store.search(
            one.project_id, listed(Term("priority", "eq", ["ERROR"])))),
        "common_word": p95(lambda one, made: store.search(
            one.project_id, listed(words=["running"]))),
        "rare_word": p95(lambda one, made: store.search(
            one.project_id, listed(words=[chance.choice(
                orjson.loads(one.index)["words"])]))),
        "two_words": p95(lambda one, made: store.search(
            one.project_id, listed(words=["web", "az1"]))),
        "get": p95(lambda one, made: store.get(
            one.project_id, one.event_id)),
        "hours": p95(lambda one, made: store.aggregate(
            one.project_id, Query(), None, 3600)),
        "hours_by_type": p95(lambda one, made: store.aggregate(
            one.project_id, Query(), "event_type", 3600)),
        "day_by_minute": p95(lambda one, made: store.aggregate(
            one.project_id, Query(
                since=one.timestamp[:10] + "T00:00:00.000000Z",
                until=one.timestamp[:10] + "T23:59:59.000000Z"),
            "event_type", 60)),
        "hours_of_errors": p95(lambda one, made: store.aggregate(
            one.project_id, listed(Term("priority", "eq", ["ERROR"])),
            None, 3600)),
    }}


def opened(driver: str, **options):
    """Return a store of a driver with some of its options set."""
    cls = plugins.load(NAMESPACE, driver)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    conf.register_opts(cls.OPTS, group=cls.GROUP)
    for name, value in options.items():
        conf.set_override(name, value, group=cls.GROUP)
    return cls(conf[cls.GROUP])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true",
                        help="20,000 events only")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--driver", default="sqlite",
                        choices=("sqlite", "elasticsearch"))
    parser.add_argument("--url", default="http://127.0.0.1:9200",
                        help="where Elasticsearch answers")
    parser.add_argument("--layout", default="pooled",
                        choices=("tenant", "pooled"),
                        help="layout of the indices in Elasticsearch")
    parser.add_argument("--file", help="SQLite file to build once and keep")
    options = parser.parse_args(arguments)
    count = 20_000 if options.short else options.events
    sample = list(documents(min(count, 2000)))
    with tempfile.TemporaryDirectory() as folder:
        result: dict = {"bench": "store", "driver": options.driver,
                        "events": count}
        if options.driver == "sqlite":
            fresh = opened("sqlite", path=os.path.join(folder, "fresh.db"))
            result.update(inserts(fresh, folder, 4000))
            fresh.close()
            path = options.file or os.path.join(folder, "events.db")
            store = opened("sqlite", path=path)
        else:
            store = opened("elasticsearch", hosts=[options.url],
                           index_name=f"bench_{options.layout}_{count}",
                           layout=options.layout, replicas=0)
            result["layout"] = options.layout
        result.update(fill(store, count, 1 if options.driver == "sqlite"
                           else 2))
        result.update(queries(store, sample))
        store.close()
    print(json.dumps(result))
    return 0


def fill(store, count: int, workers: int) -> dict:
    """Write the events unless an earlier run left them."""
    taken = 0.0
    made = documents(count)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        while pending := list(itertools.islice(made, 20 * _BATCH)):
            size = _BATCH * workers ** 2
            parts = [pending[begin:begin + size]
                     for begin in range(0, len(pending), size)]
            begun = time.perf_counter()
            results = list(pool.map(store.write, parts))
            taken += time.perf_counter() - begun
            if sum(one.repeated for one in results) == len(pending):
                return {}
    return {"filled_per_second": round(count / taken)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
