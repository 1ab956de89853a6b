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

"""Deliveries in the database, and who is at work on them.

The engine inserts them in the transaction of their firing; the API inserts
test pings and puts rows back for redelivery or cancels them. Whoever executes
one holds a lease on it. A lease that ran out, because its process died or
froze, lets another one have the row: so a delivery happens at least once, and
what happens twice has one id. The SQL is the same on SQLite, MariaDB, MySQL
and PostgreSQL: a lease is taken by an UPDATE that finds it free.
"""

from collections.abc import Iterable, Sequence
import dataclasses

import sqlalchemy as sa

from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_engine.retry import Outcome
from monasca_events_engine.retry import PENDING
from monasca_events_engine.retry import WAITING

#: Rows that one statement names.
CHUNK = 500

_OPEN = (PENDING, WAITING)


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A delivery as the database has it, with its firing.

    :ivar method_id: of the notification method, or None where a trigger of
        the operator names the action itself
    :ivar action: the method's type, or the action's name
    :ivar status: PENDING, or WAITING until ``next_at``
    :ivar attempts: that were made
    :ivar next_at: seconds since the epoch before which it is not sent
    :ivar content: the firing's JSON; None where the firing is gone
    """

    delivery_id: str
    firing_id: str
    project_id: str
    method_id: str | None
    action: str
    status: str
    attempts: int
    next_at: float
    content: str | None

    @property
    def source(self) -> str:
        """Method or action: what :meth:`Deliveries.claim` can leave out."""
        return self.method_id or self.action


#: Columns that make an entry, but for the firing's content.
FIELDS = ("delivery_id", "firing_id", "project_id", "method_id", "action",
          "status", "attempts", "next_at")

_COLUMNS = [*(DELIVERIES.c[name] for name in FIELDS), FIRINGS.c.content]


class Deliveries:
    """The statements. Safe for several threads.

    Every call raises Unavailable when the database cannot answer.
    """

    def __init__(self, database: Database, owner: str) -> None:
        """:param owner: this process, at most 36 characters"""
        self._database = database
        self._owner = owner

    def claim(self, now: float, until: float, limit: int,
              without: Iterable[str] = (), held: Iterable[str] = ()
              ) -> Sequence[Entry]:
        """Return deliveries that are due, ours from now on.

        :param until: when the lease ends, seconds since the epoch
        :param without: sources (methods, actions) to leave alone
        :param held: delivery ids that are in hand here, whatever the
            database says
        """
        ids = sorted(set(self._due(now, limit, without)).difference(held))
        if not ids:
            return []
        with self._database.begin() as connection:
            connection.execute(DELIVERIES.update().where(
                DELIVERIES.c.delivery_id.in_(ids),
                DELIVERIES.c.status.in_(_OPEN),
                DELIVERIES.c.next_at <= now,
                DELIVERIES.c.lease_until <= now,
            ).values(status=PENDING, lease_owner=self._owner,
                     lease_until=until))
            rows = connection.execute(sa.select(*_COLUMNS).select_from(
                DELIVERIES.outerjoin(
                    FIRINGS, FIRINGS.c.firing_id == DELIVERIES.c.firing_id)
            ).where(DELIVERIES.c.delivery_id.in_(ids),
                    DELIVERIES.c.lease_owner == self._owner)
            ).mappings().all()
        return sorted((Entry(**row) for row in rows),
                      key=lambda entry: (entry.next_at, entry.delivery_id))

    def _due(self, now: float, limit: int, without: Iterable[str]
             ) -> list[str]:
        without = sorted(without)
        found: list[str] = []
        with self._database.read() as connection:
            for status in _OPEN:
                query = sa.select(DELIVERIES.c.delivery_id).where(
                    DELIVERIES.c.status == status,
                    DELIVERIES.c.next_at <= now,
                    DELIVERIES.c.lease_until <= now)
                if without:
                    query = query.where(sa.func.coalesce(
                        DELIVERIES.c.method_id, DELIVERIES.c.action
                    ).not_in(without))
                # One status at a time, so that the index gives the order.
                found.extend(connection.scalars(query.order_by(
                    DELIVERIES.c.next_at).limit(limit - len(found))))
        return found

    def next_due(self, after: float) -> float | None:
        """Return when the next delivery becomes due that is not due yet."""
        with self._database.read() as connection:
            times = [connection.scalar(
                sa.select(sa.func.min(DELIVERIES.c.next_at)).where(
                    DELIVERIES.c.status == status,
                    DELIVERIES.c.next_at > after)) for status in _OPEN]
        return min((one for one in times if one is not None), default=None)

    def settle(self, outcomes: Sequence[Outcome],
               postponed: Sequence[tuple[str, float | None]],
               now: float) -> None:
        """Return once outcomes are durable and their leases given back.

        A row that is no longer ours, or that somebody cancelled meanwhile,
        stays as it is.

        :param postponed: (delivery id, when it is due or None for as it is)
            of deliveries that were not tried
        """
        mine = (DELIVERIES.c.delivery_id == sa.bindparam("id"),
                DELIVERIES.c.lease_owner == self._owner,
                DELIVERIES.c.status == PENDING)
        free = {"lease_owner": None, "lease_until": 0.0}
        with self._database.begin() as connection:
            if outcomes:
                connection.execute(DELIVERIES.update().where(*mine).values(
                    status=sa.bindparam("new_status"),
                    attempts=sa.bindparam("new_attempts"),
                    next_at=sa.bindparam("new_next_at"),
                    last_error=sa.bindparam("new_error"),
                    # An attempt that failed may have left a record.
                    result=sa.func.coalesce(sa.bindparam(
                        "new_result", type_=DELIVERIES.c.result.type),
                        DELIVERIES.c.result),
                    updated_at=now, **free), [
                        {"id": one.delivery_id, "new_status": one.status,
                         "new_attempts": one.attempts,
                         "new_next_at": one.next_at,
                         "new_error": one.error, "new_result": one.result}
                        for one in sorted(
                            outcomes, key=lambda one: one.delivery_id)])
            later = sorted(one for one in postponed if one[1] is not None)
            if later:
                connection.execute(DELIVERIES.update().where(*mine).values(
                    next_at=sa.bindparam("new_next_at"), updated_at=now,
                    **free), [{"id": name, "new_next_at": at}
                              for name, at in later])
            self._free(connection, [name for name, at in postponed
                                    if at is None], free)

    def _free(self, connection, ids: Sequence[str], free: dict) -> None:
        for chunk in _chunks(sorted(ids)):
            connection.execute(DELIVERIES.update().where(
                DELIVERIES.c.delivery_id.in_(chunk),
                DELIVERIES.c.lease_owner == self._owner).values(**free))

    def renew(self, ids: Iterable[str], until: float) -> None:
        """Prolong the leases of deliveries that are in hand."""
        ids = sorted(ids)
        if not ids:
            return
        with self._database.begin() as connection:
            for chunk in _chunks(ids):
                connection.execute(DELIVERIES.update().where(
                    DELIVERIES.c.delivery_id.in_(chunk),
                    DELIVERIES.c.lease_owner == self._owner
                ).values(lease_until=until))

    def is_ours(self, delivery_id: str) -> bool:
        """Return whether it still is to be sent, and by us."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(sa.true()).where(
                DELIVERIES.c.delivery_id == delivery_id,
                DELIVERIES.c.lease_owner == self._owner,
                DELIVERIES.c.status == PENDING)) is not None


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at:at + CHUNK] for at in range(0, len(ids), CHUNK))
