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

"""An engine as a process on a bus and a database, embedded or real."""

from collections.abc import Iterable, Mapping
import contextlib
import json
import pathlib
import time
import uuid

import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common.bus import Bus
from monasca_events_common.bus.kafka import KafkaBus
from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import METHODS
from monasca_events_common.catalog import signing
from monasca_events_common.catalog import TRIGGERS
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.database.tables import STATES
from tests.bench.sample import options
from tests.integration import servers
from tests.integration.daemons import Daemons
from tests.integration.receiver import Receiver

NOW = "2026-11-22T10:00:00.000000Z"


class EngineProcess:
    """Engines that share a consumer group, and what they work on.

    :ivar daemons: started under the names ``engine``, ``engine2``, …
    """

    def __init__(self, folder: pathlib.Path, bus: Bus, topic: str, url: str,
                 text: str, extra: str = "") -> None:
        """:param text: the configuration of bus and database
        :param extra: further lines of the configuration file
        """
        self.bus, self.topic = bus, topic
        self.receiver = Receiver()
        self.database = Database(url)
        self.database.upgrade()
        self.catalog = Catalog(self.database)
        self.secrets = Secrets(folder / "secrets.key", make=True)
        self.daemons = Daemons(folder)
        self.daemons.configure(f"""
[DEFAULT]
use_stderr = true
{text}
[database]
connection = {url}
[secrets]
key_file = {folder}/secrets.key
[dead_letters]
connection = sqlite:///{folder}/dead.db
[backtest]
workers = 0
{self.receiver.conf}
{extra}
""")

    def start(self, name: str = "engine") -> None:
        self.daemons.start(name, "engine")

    def method(self, project_id: str) -> str:
        """Make a webhook of the project to the receiver; return its id."""
        made = str(uuid.uuid4())
        self.catalog.create(
            project_id, METHODS, made, {
                "name": made, "type": "webhook",
                "address": self.receiver.url, "settings": {}}, NOW,
            secret=self.secrets.encrypt(
                signing.dump_keys([signing.make_key()])))
        return made

    def trigger(self, project_id: str, content: Mapping) -> str:
        made = str(uuid.uuid4())
        self.catalog.create(project_id, TRIGGERS, made,
                            {"name": made, **content}, NOW)
        return made

    def publish(self, sent: Iterable[dict]) -> None:
        self.bus.publish(self.topic, [events.record(one) for one in sent])

    def firings(self) -> list[dict]:
        with self.database.read() as connection:
            return [json.loads(one) for one in connection.scalars(
                sa.select(FIRINGS.c.content))]

    def undelivered(self) -> int:
        with self.database.read() as connection:
            return connection.scalar(
                sa.select(sa.func.count()).select_from(DELIVERIES).where(
                    DELIVERIES.c.status != "delivered"))

    def open_groups(self) -> int:
        with self.database.read() as connection:
            return connection.scalar(
                sa.select(sa.func.count()).select_from(STATES))

    def close(self) -> None:
        self.daemons.close()
        self.receiver.close()
        self.bus.close()
        self.database.close()


@contextlib.contextmanager
def embedded(folder: pathlib.Path, extra: str = ""):
    """Yield an installation on SQLite files."""
    bus = SqliteBus(options(SqliteBus.OPTS, path=f"{folder}/bus.db",
                            lease_seconds=2.0, publish_timeout=30.0))
    site = EngineProcess(folder, bus, "monevents",
                         f"sqlite:///{folder}/engine.db", f"""
[bus]
driver = sqlite
[sqlite_bus]
path = {folder}/bus.db
lease_seconds = 2
""", extra)
    try:
        yield site
    finally:
        site.close()


@contextlib.contextmanager
def live(folder: pathlib.Path, url: str, extra: str = ""):
    """Yield an installation on Kafka and a database server."""
    kafka = servers.up("kafka")
    uri = f"{kafka['host']}:{kafka['port']}"
    topic = f"engine_{uuid.uuid4().hex[:8]}"
    bus = KafkaBus(options(KafkaBus.OPTS, uri=uri, session_timeout=6.0,
                           publish_timeout=30.0))
    site = EngineProcess(folder, bus, topic, url, f"""
[bus]
driver = kafka
topic = {topic}
[kafka_events]
uri = {uri}
session_timeout = 6
""", extra)
    try:
        yield site
    finally:
        site.close()


def made(event_type: str, project_id: str, resource_id: str,
         source_id: str) -> dict:
    """Return a canonical event of now."""
    now = events.format_time(events.parse_time(time.time()))
    found = dict.fromkeys(events.FIELDS)
    found.update(event_id=events.event_id(project_id, source_id),
                 project_id=project_id, event_type=event_type, timestamp=now,
                 received_at=now, source="notification", priority="INFO",
                 resource_type="server", resource_id=resource_id, traits={},
                 dimensions={}, payload={}, marks={})
    return found
