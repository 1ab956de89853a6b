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

"""What the engine must not forget, in one transaction: the checkpoint.

Positions, the ids of events that were taken, the states of groups, firings
with their deliveries, measures. The positions are changed only where they are
as this process left them, so that a member which lost a partition without
noticing writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import logging

import orjson
import sqlalchemy as sa

from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.database.tables import MEASURES
from monasca_events_common.database.tables import POSITIONS
from monasca_events_common.database.tables import SEEN
from monasca_events_common.database.tables import STATES
from monasca_events_common.database.tables import TOTALS
from monasca_events_common.errors import EventsError

LOG = logging.getLogger(__name__)

#: Rows that one statement asks for; SQLite takes 32,766 parameters.
_CHUNK = 500


class Fenced(EventsError):
    """Another member has moved this process's positions.

    It must begin again from what the database says.
    """

    code = "fenced"


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """How far a partition was taken.

    :ivar next: read from here after a restart
    :ivar judged: up to here events that need no order were judged
    """

    next: int
    judged: int


@dataclasses.dataclass(slots=True)
class Work:
    """What one turn of the engine has to keep.

    :ivar positions: partition → (as it was, None for never; as it will be)
    :ivar seen: rows of events that were taken
    :ivar states: rows of groups with something to remember
    :ivar idle: ids of groups that have nothing to remember any more
    :ivar firings, deliveries, measures: rows
    :ivar totals: rows of running totals, whole
    """

    positions: dict[int, tuple[Position | None, Position]] = \
        dataclasses.field(default_factory=dict)
    seen: list[dict] = dataclasses.field(default_factory=list)
    states: list[dict] = dataclasses.field(default_factory=list)
    idle: list[bytes] = dataclasses.field(default_factory=list)
    firings: list[dict] = dataclasses.field(default_factory=list)
    deliveries: list[dict] = dataclasses.field(default_factory=list)
    measures: list[dict] = dataclasses.field(default_factory=list)
    totals: list[dict] = dataclasses.field(default_factory=list)

    def drop_firings(self, known: set[str]) -> None:
        """Leave out firings that are in the history, and second ones.

        :param known: ids of those in the history
        """
        kept = set()
        firings = []
        for one in self.firings:
            if one["firing_id"] not in known:
                known.add(one["firing_id"])
                kept.add(one["firing_id"])
                firings.append(one)
        if len(firings) == len(self.firings):
            return
        self.firings = firings
        self.deliveries = list({
            one["delivery_id"]: one for one in self.deliveries
            if one["firing_id"] in kept}.values())

    def __bool__(self) -> bool:
        return any(getattr(self, field.name)
                   for field in dataclasses.fields(self))


class Checkpoint:
    """Loads and saves. Every call raises Unavailable when it cannot."""

    def __init__(self, database: Database, consumers: str, topic: str
                 ) -> None:
        """:param consumers: the consumer group, which names the positions"""
        self._database = database
        self._mine = sa.and_(POSITIONS.c.consumers == consumers,
                             POSITIONS.c.topic == topic)
        self._key = {"consumers": consumers, "topic": topic}
        self._upsert_states = database.upsert(STATES, [
            column.name for column in STATES.columns
            if not column.primary_key])
        self._upsert_totals = database.upsert(TOTALS, ["content"])
        self._upsert_seen = database.upsert(SEEN, ["at"])
        self._upsert_measures = database.upsert(MEASURES, ["content"])

    # -- loading -----------------------------------------------------

    def positions(self, partitions: Sequence[int]) -> dict[int, Position]:
        """Return those that are known."""
        with self._database.read() as connection:
            return {row.partition: Position(row.next, row.judged)
                    for row in connection.execute(
                        sa.select(POSITIONS).where(
                            self._mine,
                            POSITIONS.c.partition.in_(list(partitions))))}

    def deadlines(self, partitions: Sequence[int], after: float,
                  until: float) -> list[tuple[float, bytes]]:
        """Return (deadline, group id) of groups due in a span of time.

        :param after, until: seconds since the epoch, the end included
        """
        with self._database.read() as connection:
            return [(row.deadline, bytes(row.id)) for row in
                    connection.execute(
                        sa.select(STATES.c.deadline, STATES.c.id).where(
                            STATES.c.partition.in_(list(partitions)),
                            STATES.c.deadline > after,
                            STATES.c.deadline <= until))]

    def states(self, ids: Sequence[bytes]) -> list[Mapping]:
        """Return the rows of those groups that have any."""
        return self._chunked(sa.select(STATES), STATES.c.id, ids)

    def seen(self, ids: Sequence[bytes]) -> set[bytes]:
        """Return those of the event ids that were taken already."""
        return {bytes(row["event_id"]) for row in self._chunked(
            sa.select(SEEN.c.event_id), SEEN.c.event_id, ids)}

    def fired(self, ids: Sequence[str]) -> set[str]:
        """Return those of the firing ids that are in the history."""
        return {row["firing_id"] for row in self._chunked(
            sa.select(FIRINGS.c.firing_id), FIRINGS.c.firing_id, ids)}

    def totals(self, partitions: Sequence[int]) -> list[Mapping]:
        """Return the running totals of partitions."""
        with self._database.read() as connection:
            return connection.execute(sa.select(TOTALS).where(
                TOTALS.c.partition.in_(list(partitions)))).mappings().all()

    def _chunked(self, query: sa.Select, column: sa.Column,
                 ids: Sequence) -> list[Mapping]:
        found: list[Mapping] = []
        if not ids:
            return found
        with self._database.read() as connection:
            for at in range(0, len(ids), _CHUNK):
                found.extend(connection.execute(query.where(
                    column.in_(ids[at:at + _CHUNK]))).mappings())
        return found

    # -- saving ------------------------------------------------------

    def save(self, work: Work, again: bool = False) -> None:
        """Return once all of it is durable; otherwise none of it is.

        :param again: it was tried before, and it is not known with what
            success: an answer may have been lost
        :raises Fenced: another member has moved one of the positions
        """
        with self._database.begin() as connection:
            if again and self._was_saved(connection, work):
                return
            for partition, (before, after) in work.positions.items():
                self._move(connection, partition, before, after)
            for statement, rows in (
                    (self._upsert_seen, work.seen),
                    (self._upsert_states, work.states),
                    (self._upsert_totals, work.totals),
                    (FIRINGS.insert(), work.firings),
                    (DELIVERIES.insert(), work.deliveries),
                    (self._upsert_measures, work.measures)):
                if rows:
                    connection.execute(statement, rows)
            for at in range(0, len(work.idle), _CHUNK):
                connection.execute(STATES.delete().where(
                    STATES.c.id.in_(work.idle[at:at + _CHUNK])))

    def _was_saved(self, connection, work: Work) -> bool:
        for partition, (_, after) in work.positions.items():
            row = connection.execute(sa.select(POSITIONS).where(
                self._mine, POSITIONS.c.partition == partition)).first()
            if row is None or (row.next, row.judged) != (after.next,
                                                         after.judged):
                return False
        for one in work.firings[:1]:
            if connection.execute(sa.select(FIRINGS.c.firing_id).where(
                    FIRINGS.c.firing_id == one["firing_id"])).first() is None:
                return False
        # Without either, saving it a second time changes nothing.
        return bool(work.positions or work.firings)

    def _move(self, connection, partition: int, before: Position | None,
              after: Position) -> None:
        values = {"next": after.next, "judged": after.judged}
        if before is None:
            connection.execute(POSITIONS.insert().values(
                **self._key, partition=partition, **values))
            return
        moved = connection.execute(POSITIONS.update().where(
            self._mine, POSITIONS.c.partition == partition,
            POSITIONS.c.next == before.next,
            POSITIONS.c.judged == before.judged).values(**values))
        if moved.rowcount != 1:
            raise Fenced(f"partition {partition} is not at "
                         f"{before.next} any more; another engine took over")

    # -- tidying -----------------------------------------------------

    def forget_seen(self, before: float, limit: int = 5000) -> int:
        """Forget events that were taken before a time; return how many."""
        return self._remove(SEEN, SEEN.c.event_id, SEEN.c.at < before, limit)

    def forget_generations(self, trigger_id: str, but: str | None,
                           partitions: Iterable[int]) -> int:
        """Remove states of a trigger that changed or is gone.

        :param but: the generation that is kept
        """
        wanted = sa.and_(STATES.c.trigger_id == trigger_id,
                         STATES.c.partition.in_(list(partitions)))
        if but is not None:
            wanted = sa.and_(wanted, STATES.c.generation != but)
        with self._database.begin() as connection:
            return connection.execute(STATES.delete().where(wanted)).rowcount

    def generations(self, partitions: Sequence[int]
                    ) -> set[tuple[str, str]]:
        """Return (trigger id, generation) of all states of partitions."""
        with self._database.read() as connection:
            return {(row.trigger_id, row.generation)
                    for row in connection.execute(
                        sa.select(STATES.c.trigger_id, STATES.c.generation)
                        .where(STATES.c.partition.in_(list(partitions)))
                        .distinct())}

    def _remove(self, table: sa.Table, key: sa.Column, condition,
                limit: int) -> int:
        with self._database.begin() as connection:
            ids = [row[0] for row in connection.execute(
                sa.select(key).where(condition).limit(limit))]
            for at in range(0, len(ids), _CHUNK):
                connection.execute(table.delete().where(
                    key.in_(ids[at:at + _CHUNK])))
        return len(ids)


def state_row(group, deadline: float | None) -> dict:
    """Return the row of a group's state."""
    return {"id": group.id, "partition": group.partition,
            "trigger_id": group.rule.id, "generation": group.rule.version,
            "project_id": group.project_id, "source": group.source,
            "group_key": orjson.dumps(group.key).decode(),
            "state": orjson.dumps(group.trigger.dump()).decode(),
            "lineage": group.lineage and orjson.dumps(
                group.lineage).decode(),
            "deadline": deadline}
