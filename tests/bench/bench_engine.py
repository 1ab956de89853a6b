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

"""The whole engine: bus → judged → committed → handed over, one process.

One per cent of the events fires a match, a tenth belongs to sequences that
keep state; the rest is nobody's. Two runs in one: on Kafka with MariaDB, and
on SQLite alone. Beside each the bare consumer that throws everything away. In
a second part a million sequences are open at once, for their memory, for how
late their deadlines fire, and for how soon a restarted engine decides again.
"""

import argparse
from collections.abc import Callable, Mapping
import contextlib
import dataclasses
import json
import pathlib
import random
import sys
import tempfile
import time
import uuid

import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common.bus import Bus
from monasca_events_common.bus.confluent import ConfluentBus
from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import METHODS
from monasca_events_common.catalog import TRIGGERS
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.database.tables import POSITIONS
from monasca_events_common.database.tables import STATES
from monasca_events_engine.roads import PERIOD
from tests.bench.bench_api import cpu_of_children
from tests.bench.bench_memory import _rollup
from tests.bench.sample import event
from tests.bench.sample import Missing
from tests.bench.sample import options
from tests.bench.sample import server
from tests.integration.daemons import Daemons
from tests.integration.daemons import wait_for

TENANTS = 20
NOW = "2026-11-22T10:00:00.000000Z"


@dataclasses.dataclass
class Site:
    """A bus, a database and the engine's configuration on them."""

    bus: Bus
    database: Database
    topic: str
    text: str


@contextlib.contextmanager
def embedded(folder: pathlib.Path):
    url = f"sqlite:///{folder}/engine.db"
    bus = SqliteBus(options(SqliteBus.OPTS, path=f"{folder}/bus.db"))
    database = Database(url)
    database.upgrade()
    try:
        yield Site(bus, database, "monevents", f"""
[bus]
driver = sqlite
[sqlite_bus]
path = {folder}/bus.db
[database]
connection = {url}
""")
    finally:
        bus.close()
        database.close()


@contextlib.contextmanager
def distributed(folder: pathlib.Path, driver: str = "confluent"):
    kafka, mariadb = server("kafka"), server("mariadb")
    uri = f"{kafka['host']}:{kafka['port']}"
    name = f"bench_{uuid.uuid4().hex[:8]}"
    root = sa.create_engine(mariadb["url"])
    with root.begin() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = mariadb["url"].rpartition("/")[0] + f"/{name}"
    bus = ConfluentBus(options(ConfluentBus.OPTS, uri=uri))
    database = Database(url)
    database.upgrade()
    try:
        yield Site(bus, database, name, f"""
[bus]
driver = {driver}
topic = {name}
[kafka_events]
uri = {uri}
[database]
connection = {url}
""")
    finally:
        bus.close()
        database.close()
        with root.begin() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name}"))
        root.dispose()


def define(database: Database) -> None:
    """Define three triggers for each tenant."""
    catalog = Catalog(database)
    for tenant in range(TENANTS):
        project_id = f"{tenant:032x}"
        method = str(uuid.uuid4())
        catalog.create(project_id, METHODS, method, {
            "name": "log", "type": "log", "address": "", "settings": {}}, NOW)
        for name, content in {
                "fires": {"kind": "match", "notify": {"fired": [method]},
                          "group_by": ["resource_id"],
                          "pattern": {"event_type": ["bench.fires"]}},
                "missing": {"kind": "absence", "group_by": ["resource_id"],
                            "start": {"event_type": ["bench.start"]},
                            "expect": {"event_type": ["bench.end"]},
                            "within": 3600},
                "none": {"kind": "match", "pattern": {
                    "event_type": [{"prefix": "compute."}],
                    "resource_id": ["no-such"]}}}.items():
            catalog.create(project_id, TRIGGERS, str(uuid.uuid4()),
                           {"name": name, **content}, NOW)


def publish(site: Site, count: int) -> int:
    """Fill the topic; return how many of the events must fire."""
    rng = random.Random(8)
    fires, records = 0, []
    base = time.time() - count / 10_000
    for number in range(count):
        one = event(number, TENANTS, rng)
        one["timestamp"] = events.format_time(
            events.parse_time(base + number / 10_000))
        place = number % 100
        if place == 0:
            one["event_type"] = "bench.fires"
            fires += 1
        elif place <= 10:
            pair, is_end = divmod(place - 1, 2)
            one["event_type"] = "bench.end" if is_end else "bench.start"
            one["resource_id"] = f"r{number // 100}-{pair}"
            one["project_id"] = f"{(number // 100) % TENANTS:032x}"
        records.append(events.record(one))
        if len(records) == 1000:
            site.bus.publish(site.topic, records)
            records = []
    if records:
        site.bus.publish(site.topic, records)
    return fires


def bare(site: Site, count: int) -> float:
    """Return the rate of a consumer that throws everything away."""
    member = site.bus.subscribe(site.topic, f"bare-{uuid.uuid4().hex[:6]}")
    seen, began = 0, None
    while seen < count:
        found = member.poll(2000, 5.0)
        if not found:
            raise RuntimeError(f"the bare consumer saw {seen} of {count}")
        if began is None:
            began = time.perf_counter()
        else:
            seen += len(found)
            continue
        seen += len(found)
    rate = seen / (time.perf_counter() - began)
    member.close()
    return rate


def judged(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(sa.select(sa.func.sum(
            POSITIONS.c.judged))) or 0)


def counted(database: Database, table: sa.Table, *where) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(
            table).where(*where))


def pace_of(done: Callable[[], int], count: int, timeout: float,
            cpu: Callable[[], float]) -> tuple[float, float]:
    """Return the rate from the first progress that is seen to the end, and
    the CPU seconds of one."""
    first, deadline = None, time.monotonic() + timeout
    while time.monotonic() < deadline:
        now_done, now = done(), time.perf_counter()
        if first is None and now_done:
            first = now, now_done, cpu()
        if now_done >= count:
            made = count - first[1]
            return made / (now - first[0]), (cpu() - first[2]) / made
        time.sleep(0.02)
    raise TimeoutError(f"{done()} of {count}")


def run(make, count: int, prefix: str) -> dict:
    """Measure one installation."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with make(folder) as site:
            define(site.database)
            fires = publish(site, count)
            raw = bare(site, count)
            daemons = Daemons(folder)
            daemons.configure(_conf(folder, site))
            daemons.start("engine")
            try:
                rate, cpu = pace_of(
                    lambda: judged(site.database), count, 300,
                    lambda: cpu_of_children(daemons.pid("engine")))
                wait_for("every firing is delivered", lambda: counted(
                    site.database, DELIVERIES,
                    DELIVERIES.c.status == "delivered") == fires, 120)
                wait_for("every sequence has ended", lambda: counted(
                    site.database, STATES) == 0, 120)
                found = counted(site.database, FIRINGS)
                if found != fires:
                    raise RuntimeError(f"{found} firings, expected {fires}")
                memory = _rollup(daemons.workers("engine")[0])["Rss"] / 1024
            except (AssertionError, TimeoutError):
                sys.stderr.write(daemons.log("engine")[-3000:])
                raise
            finally:
                daemons.close()
    return {f"{prefix}_events_s": round(rate), f"{prefix}_bare": round(raw),
            f"{prefix}_ratio": round(rate / raw, 2),
            f"{prefix}_cpu_us": round(cpu * 1e6, 1),
            f"{prefix}_firings": fires, f"{prefix}_mb": round(memory)}


def _conf(folder: pathlib.Path, site: Site) -> str:
    return f"""
[DEFAULT]
use_stderr = true
default_log_levels = monasca_events_engine.actions=WARNING
{site.text}
[dead_letters]
connection = sqlite:///{folder}/dead.db
[backtest]
workers = 0
[secrets]
key_file = {folder}/secrets.key
"""


def open_sequences(make, count: int) -> Mapping:
    """Open many sequences, let some miss their deadline, restart."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with make(folder) as site:
            return _open(site, folder, count)


def _open(site: Site, folder: pathlib.Path, count: int) -> Mapping:
    project_id = "a" * 32
    catalog = Catalog(site.database)
    made = {}
    for name, content in {
            "open": {"kind": "absence", "group_by": ["resource_id"],
                     "start": {"event_type": ["o.start"]},
                     "expect": {"event_type": ["o.end"]}, "within": 86400},
            "soon": {"kind": "absence", "group_by": ["resource_id"],
                     "start": {"event_type": ["s.start"]},
                     "expect": {"event_type": ["s.end"]}, "within": 3},
            "plain": {"kind": "match", "pattern": {
                "event_type": ["p"]}}}.items():
        made[name] = str(uuid.uuid4())
        catalog.create(project_id, TRIGGERS, made[name],
                       {"name": name, **content}, NOW)
    daemons = Daemons(folder)
    daemons.configure(_conf(folder, site))
    daemons.start("engine")
    peak, began = 0.0, time.monotonic()
    try:
        for start in range(0, count, 1000):
            site.bus.publish(site.topic, [
                _small(project_id, "o.start", f"{start + n}")
                for n in range(min(1000, count - start))])
            workers = daemons.workers("engine")
            if workers and not start % 20000:
                peak = max(peak, _rollup(workers[0])["Rss"] / 1024)
                print(f"{start} published, {peak:.0f} MB", file=sys.stderr)
        wait_for("all are open", lambda: counted(
            site.database, STATES) >= count, 1200, every=1.0)
        peak = max(peak, _rollup(daemons.workers("engine")[0])["Rss"] / 1024)
        filled = time.monotonic() - began
        # They came faster than they were taken; the engine waits for events
        # of a project that come late for as long as it remembers that.
        time.sleep(2 * PERIOD)
        site.bus.publish(site.topic, [
            _small(project_id, "s.start", f"soon-{n}") for n in range(500)])
        errors = _deadline_errors(site, made["soon"], 500)
        daemons.kill("engine")
        site.bus.publish(site.topic, [_small(project_id, "p", "first")])
        began = time.monotonic()
        daemons.start("engine")
        wait_for("a restarted engine decides", lambda: counted(
            site.database, FIRINGS, FIRINGS.c.trigger_id == made["plain"]),
            120)
        restart = time.monotonic() - began
        site.bus.publish(site.topic, [
            _small(project_id, "o.end", f"{n}") for n in range(1000)])
        wait_for("what was open before can end", lambda: counted(
            site.database, STATES,
            STATES.c.trigger_id == made["open"]) == count - 1000, 60)
        peak = max(peak, _rollup(daemons.workers("engine")[0])["Rss"] / 1024)
        return {"open": count, "open_mb": round(peak),
                "open_seconds": round(filled),
                "deadline_error_s": round(max(errors), 2),
                "restart_s": round(restart, 1)}
    except (AssertionError, TimeoutError):
        sys.stderr.write(daemons.log("engine")[-3000:])
        raise
    finally:
        daemons.close()


def _small(project_id: str, event_type: str, resource: str):
    made = dict.fromkeys(events.FIELDS)
    now = events.format_time(events.parse_time(time.time()))
    made.update(event_id=events.event_id(project_id, uuid.uuid4().hex),
                project_id=project_id, event_type=event_type, timestamp=now,
                received_at=now, source="api", priority="INFO",
                resource_id=resource, traits={}, dimensions={}, payload={},
                marks={})
    return events.record(made)


def _deadline_errors(site: Site, trigger_id: str, count: int) -> list[float]:
    wait_for("the deadlines have fired", lambda: counted(
        site.database, FIRINGS, FIRINGS.c.trigger_id == trigger_id) >= count,
        60)
    with site.database.read() as connection:
        return [row.created_at - row.at for row in connection.execute(
            sa.select(FIRINGS).where(FIRINGS.c.trigger_id == trigger_id))]


def main() -> int:
    parser = argparse.ArgumentParser("bench_engine")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--count", type=int)
    parser.add_argument("--open", type=int)
    parser.add_argument("--only", choices=("embedded", "kafka", "open"))
    arguments = parser.parse_args()
    short = arguments.short
    count = arguments.count or (5000 if short else 100_000)
    answer: dict = {"bench": "engine", "events": count}
    if arguments.only in (None, "embedded"):
        answer |= run(embedded, count, "embedded")
    try:
        if arguments.only in (None, "kafka"):
            answer |= run(distributed, count, "kafka")
    except Missing as error:
        print(error, file=sys.stderr)
        return 3
    if arguments.only == "open" or not short and not arguments.only:
        answer |= open_sequences(embedded, arguments.open or 1_000_000)
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
