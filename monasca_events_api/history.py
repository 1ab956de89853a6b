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


"""What triggers did: firings and their deliveries, as the API shows them.

The engine writes both and executes deliveries. The API reads them, puts a
delivery back so that the engine tries it again, cancels one that waits, and
asks for tests; it executes nothing.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
import uuid

import orjson
import sqlalchemy as sa

from monasca_events_common.catalog import Definition
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.database.tables import STATES
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.firing import FIRED
from monasca_events_common.rules.firing import format_seconds
from monasca_events_common.rules.firing import HOLDS
from monasca_events_common.store import ALL

#: Trigger id of the firings that are tests of a notification method.
TEST = "test"

#: Statuses of deliveries that can be put back when they are named, and those
#: of them that are when none is.
REDELIVERABLE = ("parked", "cancelled", "delivered")
_UNFINISHED = REDELIVERABLE[:2]

#: Firings in whose texts one call searches at most.
LOOKED_AT = 5000


class History:
    """The tables. Safe for several threads.

    ``project_id`` is a project's id or, for reading, ``ALL``. Every call
    raises Unavailable when the database cannot answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def firings(self, project_id, *, trigger_ids: Sequence[str] = (),
             outcomes: Sequence[str] = (), since: float | None = None,
             until: float | None = None, after: str | None = None,
             limit: int = 100) -> tuple[list[dict], str | None]:
        """Return a page of firings, newest first, and the next one's marker.

        Those of all projects come in the order in which they were found.

        :param since, until: seconds since the epoch; from and before
        """
        order = FIRINGS.c.created_at if project_id is ALL else FIRINGS.c.at
        query = _of(project_id)
        if trigger_ids:
            query = query.where(FIRINGS.c.trigger_id.in_(trigger_ids))
        if outcomes:
            query = query.where(FIRINGS.c.outcome.in_(outcomes))
        if since is not None:
            query = query.where(FIRINGS.c.at >= since)
        if until is not None:
            query = query.where(FIRINGS.c.at < until)
        if after is not None:
            query = query.where(_behind(after, order, FIRINGS.c.firing_id))
        query = query.order_by(order.desc(), FIRINGS.c.firing_id.desc())
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)
                                      ).mappings().all()
            page = rows[:limit]
            deliveries = _deliveries(
                connection, [one["firing_id"] for one in page])
        marker = _marker(page[-1][order.name], page[-1]["firing_id"]) \
            if len(rows) > limit else None
        return [_shown(one, deliveries, whole=False) for one in page], marker

    def get(self, project_id, trigger_id: str, firing_id: str) -> dict:
        """Return one, with the event. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(_of(project_id).where(
                FIRINGS.c.firing_id == firing_id,
                FIRINGS.c.trigger_id == trigger_id)).mappings().first()
            if row is None:
                raise NotFound(f"there is no firing {firing_id[:64]!r}")
            return _shown(row, _deliveries(connection, [firing_id]),
                          whole=True)

    def knows(self, project_id, trigger_id: str) -> bool:
        """Return whether a trigger has ever fired."""
        with self._database.read() as connection:
            return connection.execute(_of(project_id).where(
                FIRINGS.c.trigger_id == trigger_id).limit(1)
            ).first() is not None

    def caused_by(self, project_id: str, trigger_id: str, event_id: str,
                  since: float) -> Sequence[dict]:
        """Return the firings that list an event, oldest first, without it.

        :param since: the event's time; none that it caused is earlier
        """
        query = _of(project_id).where(
            FIRINGS.c.trigger_id == trigger_id, FIRINGS.c.at >= since,
            FIRINGS.c.content.contains(f'"{event_id}"', autoescape=True)
        ).order_by(FIRINGS.c.at, FIRINGS.c.firing_id).limit(100)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
            deliveries = _deliveries(connection,
                                     [one["firing_id"] for one in rows])
        found = [_shown(one, deliveries, whole=False) for one in rows]
        return [one for one in found if event_id in one["event_ids"]]

    def about(self, project_id, ident: str, *, since: float | None,
              until: float | None, limit: int) -> tuple[list[dict], bool]:
        """Return firings whose key or event holds an id, oldest first, and
        whether there may be more.

        :param since, until: seconds since the epoch; from and until, this
            one included
        """
        query = _of(project_id)
        if since is not None:
            query = query.where(FIRINGS.c.at >= since)
        if until is not None:
            query = query.where(FIRINGS.c.at <= until)
        # So many are looked at, however few are found: nothing else bounds
        # what a search within texts costs.
        newest = query.order_by(FIRINGS.c.at.desc(),
                                FIRINGS.c.firing_id.desc()).limit(
                                    LOOKED_AT).subquery()
        text = orjson.dumps(ident).decode()
        chosen = sa.select(newest).where(newest.c.content.contains(
            text, autoescape=True)).order_by(
                newest.c.at.desc(), newest.c.firing_id.desc())
        with self._database.read() as connection:
            rows = connection.execute(chosen.limit(limit + 1)
                                      ).mappings().all()
            page = rows[limit - 1::-1] if len(rows) > limit else rows[::-1]
            deliveries = _deliveries(connection,
                                     [one["firing_id"] for one in page])
            looked_at = connection.scalar(
                sa.select(sa.func.count()).select_from(newest))
        return ([_shown(one, deliveries, whole=False) for one in page],
                len(rows) > limit or looked_at >= LOOKED_AT)

    def states(self, groups: Sequence[bytes]
               ) -> dict[bytes, tuple[str, float | None]]:
        """Return what the engine keeps of groups: id → (JSON, deadline)."""
        with self._database.read() as connection:
            return {bytes(row.id): (row.state, row.deadline)
                    for row in connection.execute(sa.select(
                        STATES.c.id, STATES.c.state, STATES.c.deadline
                    ).where(STATES.c.id.in_(groups)))}

    def deliveries_of(self, method_id: str, *, after: str | None = None,
                      limit: int = 100) -> tuple[list[dict], str | None]:
        """Return what a method delivered, what changed last first."""
        query = sa.select(
            DELIVERIES, FIRINGS.c.trigger_id, FIRINGS.c.outcome).select_from(
                DELIVERIES.outerjoin(FIRINGS, FIRINGS.c.firing_id
                                     == DELIVERIES.c.firing_id)).where(
            DELIVERIES.c.method_id == method_id)
        if after is not None:
            query = query.where(_behind(after, DELIVERIES.c.updated_at,
                                        DELIVERIES.c.delivery_id))
        query = query.order_by(DELIVERIES.c.updated_at.desc(),
                               DELIVERIES.c.delivery_id.desc())
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)
                                      ).mappings().all()
        page = rows[:limit]
        marker = _marker(page[-1]["updated_at"], page[-1]["delivery_id"]) \
            if len(rows) > limit else None
        return [{"firing_id": one["firing_id"],
                 "trigger_id": one["trigger_id"],
                 "outcome": one["outcome"], **_delivery(one)}
                for one in page], marker

    def redeliver(self, project_id: str, trigger_id: str, firing_id: str,
                  wanted: Sequence[str] | None, now: float) -> list[str]:
        """Put deliveries back, to be tried at once; return their ids.

        :param wanted: which; None means those that were given up
        :raises Rejected: the firing has no such delivery
        :raises Conflict: one of them is under way, or was never to be sent
        """
        def choose(statuses: Mapping[str, str]) -> list[str]:
            if wanted is None:
                return [one for one, status in statuses.items()
                        if status in _UNFINISHED]
            for at, one in enumerate(wanted):
                where = f"delivery_ids[{at}]"
                if one not in statuses:
                    raise Rejected(f"{where} is {one[:64]!r}; expected the "
                                   "id of a delivery of this firing",
                                   code="unknown_delivery", where=where)
                if statuses[one] not in REDELIVERABLE:
                    raise Conflict(
                        f"the delivery {one} is {statuses[one]}; only what "
                        f"is {', '.join(REDELIVERABLE)} can be delivered "
                        "again", code="not_redeliverable", where=where)
            return list(dict.fromkeys(wanted))
        return self._put(project_id, trigger_id, firing_id, choose,
                         REDELIVERABLE, {"status": "pending", "attempts": 0,
                                         "next_at": now}, now)

    def cancel(self, project_id: str, trigger_id: str, firing_id: str,
               now: float) -> list[str]:
        """Cancel the deliveries that still wait; return their ids.

        :raises Conflict: there are none
        """
        def choose(statuses: Mapping[str, str]) -> list[str]:
            found = [one for one, status in statuses.items()
                     if status == "waiting"]
            if not found:
                raise Conflict("nothing of this firing waits any more; it "
                               "was done, or is being done",
                               code="nothing_waits")
            return found
        return self._put(project_id, trigger_id, firing_id, choose,
                         ("waiting",), {"status": "cancelled"}, now)

    def _put(self, project_id: str, trigger_id: str, firing_id: str,
             choose, statuses: Sequence[str], values: dict, now: float
             ) -> list[str]:
        self.get(project_id, trigger_id, firing_id)
        with self._database.begin() as connection:
            chosen = choose(dict(connection.execute(sa.select(
                DELIVERIES.c.delivery_id, DELIVERIES.c.status).where(
                    DELIVERIES.c.firing_id == firing_id).order_by(
                        DELIVERIES.c.delivery_id)).all()))
            # The engine may have taken one up meanwhile; it stays with it.
            connection.execute(DELIVERIES.update().where(
                DELIVERIES.c.delivery_id.in_(chosen),
                DELIVERIES.c.status.in_(statuses)).values(
                    lease_owner=None, lease_until=0.0, updated_at=now,
                    **values))
        return chosen

    def ping(self, method: Definition, now: float) -> tuple[str, str]:
        """Have a test sent; return the ids of its firing and delivery."""
        firing_id, delivery_id = str(uuid.uuid4()), str(uuid.uuid4())
        content = {
            "firing_id": firing_id, "trigger_id": TEST,
            "trigger_name": f"test of {method.name}", "severity": "LOW",
            "outcome": FIRED, "key": {}, "at": format_seconds(now),
            "event_ids": [], "value": None,
            "reason": f"a test of the notification method {method.name}",
            **dict.fromkeys(HOLDS, False), "project_id": method.project_id,
            "subject_project_id": method.project_id, "event": None}
        with self._database.begin() as connection:
            connection.execute(FIRINGS.insert().values(
                firing_id=firing_id, project_id=method.project_id,
                trigger_id=TEST, at=now, outcome=FIRED, created_at=now,
                content=orjson.dumps(content).decode()))
            connection.execute(DELIVERIES.insert().values(
                delivery_id=delivery_id, firing_id=firing_id,
                project_id=method.project_id, method_id=method.id,
                action=method.content["type"], status="pending", attempts=0,
                next_at=now, lease_owner=None, lease_until=0.0,
                last_error=None, result=None, updated_at=now))
        return firing_id, delivery_id


def _of(project_id) -> sa.Select:
    """The one place where the project's filter is added."""
    query = sa.select(FIRINGS)
    return query if project_id is ALL else query.where(
        FIRINGS.c.project_id == project_id)


def _deliveries(connection, firing_ids: Sequence[str]
                ) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {one: [] for one in firing_ids}
    if firing_ids:
        for row in connection.execute(sa.select(DELIVERIES).where(
                DELIVERIES.c.firing_id.in_(firing_ids)).order_by(
                    DELIVERIES.c.delivery_id)).mappings():
            found[row["firing_id"]].append(_delivery(row))
    return found


def _shown(row: Mapping, deliveries: Mapping[str, Iterable[dict]],
           whole: bool) -> dict:
    """Return a firing's JSON; only ``whole`` has the event."""
    content = orjson.loads(row["content"])
    if not whole:
        content.pop("event", None)
    return {**content, "deliveries": deliveries[row["firing_id"]]}


def _delivery(row: Mapping) -> dict:
    return {**{name: row[name] for name in (
                "delivery_id", "method_id", "action", "status", "attempts",
                "last_error")},
            "next_at": format_seconds(row["next_at"]),
            "updated_at": format_seconds(row["updated_at"]),
            "result": row["result"] and orjson.loads(row["result"])}


def _marker(value: float, name: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([value, name])).decode()


def _behind(marker: str, order: sa.Column, name: sa.Column):
    """Return the condition of what comes behind a marker.

    :raises Rejected: it is none of ours
    """
    try:
        value, last = orjson.loads(base64.b64decode(
            marker.encode("ascii"), altchars=b"-_", validate=True))
        if type(value) not in (int, float) or type(last) is not str:
            raise ValueError(marker)
    except (ValueError, TypeError):
        raise Rejected("the marker is not one that this service gave",
                       code="invalid_marker", where="marker") from None
    return sa.or_(order < value, sa.and_(order == value, name < last))
