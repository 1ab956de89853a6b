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


"""Back-tests on the embedded store: events of one project, a few kinds of
rules, beside a loop that only reads and decodes the same rows. Run as
``python -m tests.bench.bench_backtest [--short] [--count N] [--store FILE]``.
"""

import argparse
import gc
import json
import os
import pathlib
import random
import resource
import sqlite3
import sys
import tempfile
import threading
import time
import uuid

from oslo_config import cfg
import orjson

from monasca_events_common import daemon
from monasca_events_common import event as events
from monasca_events_common.catalog import jobs
from monasca_events_common.database import Database
from monasca_events_common.store import Document
from monasca_events_common.store.sqlite import SqliteStore
from monasca_events_engine import options as engine_options
from monasca_events_engine.backtest import Backtester
from tests.bench.sample import event

#: Seconds wanted for 1,000,000 events.
WANTED = 60.0

PROJECT = f"{0:032x}"

_STARTED, _CREATED = ("compute.instance.create.start",
                      "compute.instance.create.end")

#: What is tried: of every event some, of two types all, of every event all.
RULES = {
    "one_type": {"kind": "match", "pattern": {
        "event_type": [_CREATED], "traits": {"host": ["host-7"]}}},
    "absence": {"kind": "absence", "within": 600,
                "group_by": ["resource_id"],
                "start": {"event_type": [_STARTED]},
                "expect": {"event_type": [_CREATED]}},
    "any_type": {"kind": "match", "pattern": {
        "traits": {"memory_mb": [{"numeric": [">", 3584]}]}}},
    "everything": {"kind": "threshold", "window": 300,
                   "compare": [">", 1e9], "group_by": ["traits.host"],
                   "pattern": {"priority": ["INFO"]}},
}


def configuration(folder: str, store: str) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    conf.register_opts(SqliteStore.OPTS, group="sqlite_store")
    for group, opts in engine_options.groups():
        conf.register_opts(opts, group=group)
    conf([])
    conf.set_override("path", store, group="sqlite_store")
    conf.set_override("connection", f"sqlite:///{folder}/definitions.db",
                      group="database")
    return conf


def fill(store: SqliteStore, count: int) -> None:
    """Store so many events of one project."""
    page = 20_000
    for first in range(0, count, page):
        rng = random.Random(first)
        made = []
        for number in range(first, min(count, first + page)):
            one = event(number, 1, rng)
            record = events.record(one)
            made.append(Document(
                one["project_id"], one["event_id"], one["event_type"],
                one["timestamp"], record.value, record.headers["index"]))
        store.write(made)
        print(f"{first + len(made)} stored", file=sys.stderr, flush=True)


def bare(path: str) -> tuple[int, float]:
    """Return how many rows there are, and seconds to read and decode them.
    """
    began = time.monotonic()
    count = 0
    for value, in sqlite3.connect(path).execute(
            "SELECT value FROM events ORDER BY id"):
        orjson.loads(value)
        count += 1
    return count, time.monotonic() - began


def run(database: Database, worker: Backtester, content: dict) -> dict:
    """Return what a back-test of everything found, and how long it took."""
    made = str(uuid.uuid4())
    table = jobs.Jobs(database)
    table.create(PROJECT, jobs.BACKTEST, made, {
        "definition": {"name": "bench", **content}, "trigger_id": None,
        "since": "2026-11-01T00:00:00.000000Z",
        "until": "2026-11-23T00:00:00.000000Z", "limit_firings": 1000},
        time.time())
    began = time.monotonic()
    worker.step(threading.Event())
    took = time.monotonic() - began
    job = table.get(PROJECT, jobs.BACKTEST, made)
    if job.status != jobs.FINISHED:
        raise SystemExit(f"{job.status}: {job.result.get('error')}")
    return {"seconds": round(took, 2),
            "events": job.result["progress"]["events"],
            "firings": job.result["firings_total"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true",
                        help="a few seconds, to see that it works")
    parser.add_argument("--count", type=int, help="events to store")
    parser.add_argument("--store", help="the store's file; one that is there "
                                        "is used as it is, and kept")
    arguments = parser.parse_args()
    count = arguments.count or (5_000 if arguments.short else 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.store or os.path.join(folder, "events.db")
        is_there = pathlib.Path(path).exists()
        conf = configuration(folder, path)
        store = SqliteStore(conf.sqlite_store)
        if not is_there:
            fill(store, count)
        database = Database(conf.database.connection)
        database.upgrade()
        worker = Backtester(database, lambda: store, conf)
        # As a daemon does for its loops.
        gc.collect()
        gc.freeze()
        gc.set_threshold(daemon.YOUNG)
        bare(path)  # so that no one has to wait for the disk
        count, alone = bare(path)
        found = {name: run(database, worker, content)
                 for name, content in RULES.items()}
        store.close()
        database.close()
    slowest = max(one["seconds"] for one in found.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({
        "bench": "backtest", "events": count,
        "bare_read_seconds": round(alone, 2), **found,
        "peak_mb": peak // 1024,
        "ratio_bare_to_slowest": round(alone / slowest, 3),
        "ratio_to_wanted": round(
            WANTED * count / 1_000_000 / slowest, 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
