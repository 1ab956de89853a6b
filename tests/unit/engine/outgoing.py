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

"""Deliveries for tests: rows as engine and API insert them, an action that a
test steers, and a dispatcher that runs beside the test."""

from collections.abc import Callable, Mapping, Sequence
import threading
import time
import uuid

from oslo_config import cfg
import orjson
import sqlalchemy as sa

from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import METHODS
from monasca_events_common.catalog import signing
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_engine import dispatcher
from monasca_events_engine import retry
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Actions
from monasca_events_engine.actions import Delivery
from monasca_events_engine.actions import Parts
from monasca_events_engine.dispatcher import Dispatcher

PROJECT = "a" * 32
AT = "2026-11-22T10:00:00.000000Z"

#: Seconds that a test waits for something before it gives up.
PATIENCE = 60.0


def until(what: str, condition: Callable[[], object]):
    """Return what the condition returns, once that is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")


def event(**fields) -> dict:
    """Return a canonical event."""
    return {"event_id": str(uuid.UUID(int=7)), "project_id": PROJECT,
            "event_type": "compute.instance.delete.end", "timestamp": AT,
            "received_at": AT, "publisher_id": "compute.host-1",
            "priority": "INFO", "source": "notification",
            "resource_type": "instance", "resource_id": "vm-1",
            "user_id": "u", "domain_id": "default", "request_id": "req-1",
            "global_request_id": None, "traits": {}, "dimensions": {},
            "payload": {}, "marks": {}, **fields}


def firing(**fields) -> dict:
    """Return a firing as the engine writes it down."""
    return {"firing_id": str(uuid.uuid4()), "trigger_id": "t-1",
            "trigger_name": "vm gone", "severity": "HIGH",
            "outcome": "fired", "key": {"resource_id": "vm-1"}, "at": AT,
            "event_ids": [str(uuid.UUID(int=7))],
            "reason": "an instance was deleted", "value": 3,
            "dry_run": False, "muted": False, "limited": False,
            "project_id": PROJECT, "subject_project_id": PROJECT,
            "event": event(), **fields}


def delivery(content: Mapping | None = None, **fields) -> Delivery:
    """Return what an action gets."""
    content = content or firing()
    return Delivery(**{
        "delivery_id": str(uuid.UUID(int=9)), "project_id": PROJECT,
        "attempt": 1, "firing": content, "method": {
            "name": "m", "type": "t", "address": "", "settings": {}},
        **fields})


def firing_row(content: Mapping, created_at: float) -> dict:
    return {"firing_id": content["firing_id"],
            "project_id": content["project_id"],
            "trigger_id": content["trigger_id"], "at": created_at,
            "outcome": content["outcome"],
            "content": orjson.dumps(content).decode(),
            "created_at": created_at}


def row(content: Mapping, now: float, **fields) -> dict:
    """Return the row of a delivery by the action ``steered``, due now."""
    return {"delivery_id": str(uuid.uuid4()),
            "firing_id": content["firing_id"],
            "project_id": content["project_id"], "method_id": None,
            "action": "steered", "status": "pending", "attempts": 0,
            "next_at": now, "lease_owner": None, "lease_until": 0.0,
            "last_error": None, "result": None, "updated_at": now, **fields}


class Table:
    """The tables of firings and deliveries, as a test looks at them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def insert(self, rows: Sequence[Mapping], content: Mapping,
               created_at: float | None = None) -> None:
        """Insert a firing with deliveries, in one transaction."""
        with self.database.begin() as connection:
            connection.execute(FIRINGS.insert(), [firing_row(
                content, time.time() if created_at is None else created_at)])
            if rows:
                connection.execute(DELIVERIES.insert(), list(rows))

    def add(self, count: int = 1, now: float | None = None, **fields
            ) -> list[dict]:
        """Insert that many deliveries of one firing; return their rows."""
        now = time.time() if now is None else now
        content = firing(**{
            name: fields[name] for name in ("project_id",) if name in fields})
        rows = [row(content, now, **fields) for _ in range(count)]
        self.insert(rows, content)
        return rows

    def get(self, delivery_id: str) -> Mapping:
        with self.database.read() as connection:
            return connection.execute(sa.select(DELIVERIES).where(
                DELIVERIES.c.delivery_id == delivery_id)).mappings().one()

    def statuses(self) -> dict[str, int]:
        with self.database.read() as connection:
            return dict(connection.execute(
                sa.select(DELIVERIES.c.status, sa.func.count()).group_by(
                    DELIVERIES.c.status)).all())

    def change(self, delivery_id: str, **values) -> None:
        """Change a row, as the API does."""
        with self.database.begin() as connection:
            connection.execute(DELIVERIES.update().where(
                DELIVERIES.c.delivery_id == delivery_id).values(**values))

    def await_status(self, delivery_id: str, status: str) -> Mapping:
        return until(f"{delivery_id} is {status}", lambda: (
            found if (found := self.get(delivery_id))["status"] == status
            else None))


class Steered(Action):
    """An action that remembers what it executed and does as it is told.

    :ivar seen: deliveries in the order of execution
    """

    def __init__(self, does: Callable[[Delivery], Mapping | None] | None = None
                 ) -> None:
        self.does = does or (lambda delivery: None)
        self.seen: list[Delivery] = []

    def target(self, project_id, method):
        return (method or {}).get("address", "")

    def execute(self, delivery):
        self.seen.append(delivery)
        return self.does(delivery) or {"done": True}


def options(**values) -> cfg.ConfigOpts:
    """Return the options of dispatcher, retries and history.

    :param values: by name; names of the three groups are distinct
    """
    from monasca_events_engine import history
    conf = cfg.ConfigOpts()
    for module in (dispatcher, retry, history):
        conf.register_opts(module.OPTS, group=module.GROUP)
    conf([], project="test", default_config_files=[], default_config_dirs=[])
    for module in (dispatcher, retry, history):
        for opt in module.OPTS:
            if opt.dest in values:
                conf.set_override(opt.dest, values.pop(opt.dest),
                                  group=module.GROUP)
    if values:
        raise TypeError(f"no such options: {sorted(values)}")
    return conf


def parts(database: Database | None = None, bus=None,
          sinks: Sequence[str] = (), clock=time.time) -> Parts:
    return Parts(database, bus, "monevents", lambda: sinks, clock)


class Running:
    """A dispatcher at work in a thread of its own."""

    def __init__(self, database: Database, secrets: Secrets,
                 actions: Mapping[str, Action], **values) -> None:
        self.catalog = Catalog(database)
        self.secrets = secrets
        self.dispatcher = Dispatcher(
            database, self.catalog, secrets, Actions(actions),
            options(**{"poll_interval": 0.05, "interval": 0.01, "threads": 8,
                       **values}))
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=self.dispatcher.run, args=(self.stop,), daemon=True)

    def start(self) -> "Running":
        self.thread.start()
        return self

    def close(self) -> None:
        self.stop.set()
        if self.thread.ident is not None:
            self.thread.join(PATIENCE)

    def hand_over(self, table: Table, count: int = 1, **fields
                  ) -> list[dict]:
        """Insert deliveries and hand them over, as the engine does."""
        now = time.time()
        content = firing(**{
            name: fields[name] for name in ("project_id",) if name in fields})
        rows = [row(content, now, **{
            "lease_owner": self.dispatcher.owner, "lease_until": now + 60,
            **fields}) for _ in range(count)]
        table.insert(rows, content)
        self.dispatcher.wake(rows, [firing_row(content, now)])
        return rows


def method(catalog: Catalog, secrets: Secrets | None = None, *,
           project_id: str = PROJECT, kind: str = "steered",
           address: str = "", settings: Mapping | None = None,
           keys: Sequence[signing.Key] = ()) -> str:
    """Define a notification method; return its id."""
    made = str(uuid.uuid4())
    catalog.create(
        project_id, METHODS, made,
        {"name": made, "type": kind, "address": address,
         "settings": settings or {}}, AT,
        secret=secrets.encrypt(signing.dump_keys(keys)) if keys else None)
    return made
