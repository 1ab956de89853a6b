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

"""Measures in the database that wait for a service, and who pushes them.

A lease is taken by an UPDATE that finds it free, so that each measure is in
one process's hand. What was pushed is deleted; what a service refuses is
parked: due at the end of time, until somebody puts it back.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses

import sqlalchemy as sa

from monasca_events_common import printable
from monasca_events_common.database import Database
from monasca_events_common.database.tables import MEASURES

#: When what is parked is due, in seconds since the epoch.
PARKED = 1e15

#: Rows that one statement names.
CHUNK = 500

#: Characters of an error that are kept.
MAX_ERROR = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """A measure that waits.

    :ivar id: 16 bytes
    :ivar content: JSON of the measure
    :ivar attempts: that failed in a way that the sink did not know
    """

    id: bytes
    content: str
    attempts: int


class PendingMeasures:
    """The statements. Safe for several threads.

    Every call raises Unavailable when the database cannot answer.
    """

    def __init__(self, database: Database, owner: str) -> None:
        """:param owner: this process, at most 36 characters"""
        self._database = database
        self._owner = owner

    def claim(self, sink: str, now: float, until: float, limit: int
              ) -> list[Pending]:
        """Return what is due for a sink, ours from now on, oldest first.

        :param until: when the lease ends, seconds since the epoch
        """
        free = (MEASURES.c.sink == sink, MEASURES.c.next_at <= now,
                MEASURES.c.lease_until <= now)
        with self._database.read() as connection:
            ids = list(connection.scalars(
                sa.select(MEASURES.c.id).where(*free).order_by(
                    MEASURES.c.next_at, MEASURES.c.created_at).limit(limit)))
        found: list[Pending] = []
        for chunk in _chunks(ids):
            mine = MEASURES.c.id.in_(sorted(chunk))
            with self._database.begin() as connection:
                connection.execute(MEASURES.update().where(
                    mine, *free).values(lease_owner=self._owner,
                                        lease_until=until))
                found += [Pending(bytes(row.id), row.content, row.attempts)
                          for row in connection.execute(sa.select(
                              MEASURES.c.id, MEASURES.c.content,
                              MEASURES.c.attempts).where(
                                  mine, MEASURES.c.lease_owner == self._owner,
                                  MEASURES.c.lease_until == until))]
        return found

    def settle(self, done: Iterable[bytes],
               later: Mapping[bytes, tuple[float, int, str]]) -> None:
        """Return once it is durable what became of measures in hand.

        :param done: ids of those that the service has
        :param later: id → (when it is due, attempts, error) of the others
        """
        mine = MEASURES.c.lease_owner == self._owner
        with self._database.begin() as connection:
            for chunk in _chunks(sorted(done)):
                connection.execute(MEASURES.delete().where(
                    MEASURES.c.id.in_(chunk), mine))
            if later:
                connection.execute(MEASURES.update().where(
                    MEASURES.c.id == sa.bindparam("key"), mine).values(
                        next_at=sa.bindparam("at"),
                        attempts=sa.bindparam("tries"),
                        last_error=sa.bindparam("error"),
                        lease_owner=None, lease_until=0.0), [
                            {"key": one, "at": at, "tries": attempts,
                             "error": printable.escape(error, MAX_ERROR)}
                            for one, (at, attempts, error)
                            in sorted(later.items())])

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return sink → (how many wait, how many are parked)."""
        is_parked = sa.case((MEASURES.c.next_at >= PARKED, 1), else_=0)
        with self._database.read() as connection:
            return {row.sink: (row.count - int(row.parked), int(row.parked))
                    for row in connection.execute(sa.select(
                        MEASURES.c.sink, sa.func.count().label("count"),
                        sa.func.sum(is_parked).label("parked")
                    ).group_by(MEASURES.c.sink))}

    def parked(self, sink: str | None = None, limit: int = 100
               ) -> list[Mapping]:
        """Return rows that are parked, the newest first."""
        query = sa.select(MEASURES).where(MEASURES.c.next_at >= PARKED)
        if sink is not None:
            query = query.where(MEASURES.c.sink == sink)
        with self._database.read() as connection:
            return connection.execute(query.order_by(
                MEASURES.c.created_at.desc()).limit(limit)).mappings().all()

    def retry(self, sink: str) -> int:
        """Have a sink's parked measures pushed again; return how many."""
        with self._database.begin() as connection:
            return connection.execute(MEASURES.update().where(
                MEASURES.c.sink == sink, MEASURES.c.next_at >= PARKED
            ).values(next_at=0.0, attempts=0)).rowcount

    def drop_parked(self, before: float, sink: str | None = None) -> int:
        """Remove parked measures that were made before a time."""
        where = [MEASURES.c.next_at >= PARKED,
                 MEASURES.c.created_at < before]
        if sink is not None:
            where.append(MEASURES.c.sink == sink)
        return self._drop(*where)

    def drop_oldest(self, sink: str, count: int) -> int:
        """Remove the oldest of what waits for a sink; return how many."""
        dropped = 0
        while count > 0:
            with self._database.read() as connection:
                ids = list(connection.scalars(sa.select(MEASURES.c.id).where(
                    MEASURES.c.sink == sink, MEASURES.c.next_at < PARKED
                ).order_by(MEASURES.c.created_at).limit(min(count, CHUNK))))
            if not ids:
                break
            dropped += self._drop(MEASURES.c.id.in_(sorted(ids)))
            count -= len(ids)
        return dropped

    def _drop(self, *where) -> int:
        with self._database.begin() as connection:
            return connection.execute(MEASURES.delete().where(
                *where)).rowcount


def _chunks(ids: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (ids[at:at + CHUNK] for at in range(0, len(ids), CHUNK))
