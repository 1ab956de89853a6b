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

"""An engine for tests: the real one on SQLite, with a clock of the test's."""

from collections.abc import Iterable, Mapping, Sequence
import functools
import json
import uuid

from oslo_config import cfg
import sqlalchemy as sa

from monasca_events_common import event as events
from monasca_events_common import plugins
from monasca_events_common.bus import Delivery
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import METHODS
from monasca_events_common.catalog import TRIGGERS
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.database.tables import POSITIONS
from monasca_events_common.database.tables import STATES
from monasca_events_engine import options as engine_options
from monasca_events_engine.checkpoint import Checkpoint
from monasca_events_engine.engine import Engine
from monasca_events_engine.measures import Measures
from monasca_events_engine.outbox import Outbox
from monasca_events_engine.ruleset import Ruleset
from tests.bench.sample import options
from tests.unit.common.rules.samples import PROJECT
from tests.unit.common.rules.samples import TEN

NOW = "2026-11-22T10:00:00.000000Z"


class EngineSite:
    """One engine after the other on one database.

    :ivar now: seconds after ten o'clock, what the engine's clock says
    :ivar handed: deliveries that were handed over
    :ivar options: with the groups of the plug-ins that are enabled
    """

    def __init__(self, where: str, **conf) -> None:
        """:param where: URL of an empty database, or a folder"""
        self.database = Database(where if "://" in where else
                                 f"sqlite:///{where}/engine.db")
        self.database.upgrade()
        self.catalog = Catalog(self.database)
        self.now = 0.0
        self.handed: list[dict] = []
        self.log: list[Delivery] = []
        self.read = 0
        self.conf = options(engine_options.groups()[0][1],
                            follow_interval=0.05, **conf)
        self.options = cfg.ConfigOpts()
        self.options([], project="test", default_config_files=[],
                     default_config_dirs=[])
        self.start()

    def start(self, partitions: Sequence[int] = (0,)) -> Mapping[int, int]:
        """Begin with a new engine, as after a crash; return where."""
        ruleset = Ruleset(self.catalog, self.conf,
                          functools.partial(plugins.options, self.options))
        self.checkpoint = Checkpoint(self.database, "engine", "monevents")
        self.measures = Measures(lambda: ["sink"])
        self.engine = Engine(
            self.conf, ruleset, self.checkpoint,
            Outbox(self.conf, "me", ruleset.operator_methods), self.measures,
            lambda rows, firings: self.handed.extend(rows),
            clock=lambda: TEN + self.now)
        return self.engine.assigned(partitions)

    def restart(self) -> None:
        """Begin anew and read on from the positions."""
        positions = self.start()
        self.replay(positions.get(0, 0))

    def replay(self, offset: int) -> None:
        again = [one for one in self.log if one.offset >= offset]
        if again:
            self.engine.handle(again)

    def trigger(self, content: Mapping | None = None, *,
                project_id: str = PROJECT, **more) -> str:
        """Define a trigger; return its id."""
        made = str(uuid.uuid4())
        self.catalog.create(project_id, TRIGGERS, made,
                            {"name": made, **(content or {}), **more}, NOW)
        self.engine._follow_at = 0.0
        return made

    def method(self, project_id: str = PROJECT, kind: str = "webhook",
               name: str | None = None) -> str:
        """Define a notification method; return its id."""
        made = str(uuid.uuid4())
        self.catalog.create(project_id, METHODS, made, {
            "name": name or made, "type": kind, "address": "x"}, NOW)
        self.engine._follow_at = 0.0
        return made

    def set(self, **values) -> None:
        """Change mutable options of the engine, as SIGHUP does."""
        for name, value in values.items():
            self.conf._conf.set_override(name, value, group="x")
        self.engine._follow_at = 0.0

    def change(self, trigger_id: str, **changed) -> None:
        """Change a definition."""
        old = self.catalog.get(PROJECT, TRIGGERS, trigger_id)
        self.catalog.update(PROJECT, TRIGGERS, trigger_id,
                            {**old.content, **changed}, NOW)
        self.engine._follow_at = 0.0

    def deliveries_of(self, sent: Iterable[dict], partition: int = 0
                      ) -> list[Delivery]:
        """Return events as the bus delivers them, behind the earlier ones."""
        made = []
        for one in sent:
            record = events.record(one)
            made.append(Delivery(record.key, record.value, record.headers,
                                 partition, len(self.log) + len(made)))
        self.log += made
        self.read = len(self.log)
        return made

    def send(self, *sent: dict, at: float | None = None) -> None:
        """Let the engine handle events as one batch.

        :param at: seconds after ten o'clock; the latest event's by default
        """
        if at is None:
            at = max([self.now, *(
                events.parse_time(one["timestamp"]).timestamp() - TEN
                for one in sent)])
        self.now = at
        self.engine.handle(self.deliveries_of(sent))

    def pass_to(self, now: float) -> None:
        """Let time pass."""
        self.now = now
        # The first turn asks where the log ends, the next one knows.
        for _ in range(2):
            self.engine.tick(now, self.ends)

    def ends(self) -> Mapping[int, tuple[int, int]]:
        """Return what a subscription would tell of the log."""
        return {0: (self.read, len(self.log))}

    # -- what there is -------------------------------------------------------

    def firings(self) -> list[dict]:
        """Return the history, oldest first."""
        with self.database.read() as connection:
            return [json.loads(row.content) for row in connection.execute(
                sa.select(FIRINGS).order_by(FIRINGS.c.at))]

    def outcomes(self) -> list[tuple]:
        """Return (outcome, seconds after ten o'clock)."""
        return [(one["outcome"],
                 events.parse_time(one["at"]).timestamp() - TEN)
                for one in self.firings()]

    def deliveries(self) -> list[Mapping]:
        with self.database.read() as connection:
            return connection.execute(sa.select(DELIVERIES)
                                      ).mappings().all()

    def states(self) -> list[Mapping]:
        with self.database.read() as connection:
            return connection.execute(sa.select(STATES)).mappings().all()

    def position(self) -> Mapping | None:
        with self.database.read() as connection:
            return connection.execute(sa.select(POSITIONS)
                                      ).mappings().first()
