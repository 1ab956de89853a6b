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

"""Orphans: alarms that watch instances which are gone.

Instances are deleted while nothing listens. So what alarms watch is compared
with what is known of deletions, and what is removed is recorded as when the
trigger ``delete_alarms`` does it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import dataclasses
import time
import uuid

import orjson

from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import NotFound
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.rules import trigger
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.firing import FIRED
from monasca_events_common.rules.trigger import Trigger
from monasca_events_common.store import Store
from monasca_events_engine import account
from monasca_events_engine import retry
from monasca_events_engine.account import Service
from monasca_events_engine.actions import Delivery
from monasca_events_engine.alarms import Alarm
from monasca_events_engine.alarms import AlarmService
from monasca_events_engine.alarms.removal import DeleteAlarms
from monasca_events_engine.deliveries import Deliveries
from monasca_events_engine.outbox import Outbox
from monasca_events_engine.triggers.instances import DELETED

#: What the firings of a reconciliation say they are of.
TRIGGER = "reconcile"

#: Ids that one question to the store names.
CHUNK = 50

#: Alarms that are looked at together.
BATCH = 500

NOVA_GROUP = "nova"
NOVA_OPTS = account.opts("compute", "nova")


@dataclasses.dataclass(frozen=True, slots=True)
class Orphan:
    """An alarm whose instance is gone.

    :ivar why: how that is known, in a few words
    :ivar event_id: of the event that tells of the deletion, if one does
    """

    alarm: Alarm
    instance_id: str
    why: str
    event_id: str | None = None


#: Of a project and of ids (with whether each is an instance for sure), returns
#: id → (why, event id) of those that are gone.
Evidence = Callable[[str, Mapping[str, bool]],
                    Mapping[str, tuple[str, str | None]]]


class StoredDeletions:
    """What the stored events know of deletions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, project_id: str, ids: Mapping[str, bool]
                 ) -> dict[str, tuple[str, str | None]]:
        found: dict[str, tuple[str, str | None]] = {}
        for one in self._events(project_id, list(ids), [
                Term("event_type", "eq", list(DELETED))]):
            found[one["resource_id"]] = (f"deleted at {one['timestamp']}",
                                         one["event_id"])
        return found

    def instances(self, project_id: str, ids: Iterable[str]) -> set[str]:
        """Return those of the ids of which instances' events tell."""
        return {one["resource_id"] for one in self._events(
            project_id, list(ids), [
                Term("resource_type", "eq", ["compute.instance"])])}

    def _events(self, project_id: str, ids: Sequence[str],
                terms: Sequence[Term]) -> Iterator[Mapping]:
        """Yield at least one event of each id that has any."""
        for at in range(0, len(ids), CHUNK):
            wanted = set(ids[at:at + CHUNK])
            while wanted:
                page = [orjson.loads(one) for one in self._store.search(
                    project_id, Query([*terms, Term(
                        "resource_id", "eq", sorted(wanted))],
                        limit=200)).events]
                yield from page
                seen = {one["resource_id"] for one in page}
                if not seen or len(page) < 200:
                    break
                # One of them may have more events than a page holds.
                wanted -= seen


class NovaDeletions:
    """What nova knows: an instance that it does not have is gone."""

    def __init__(self, nova: Service, stored: StoredDeletions) -> None:
        """:param stored: tells which ids are instances at all"""
        self._nova = nova
        self._stored = stored

    def check(self) -> None:
        """Return when nova shows this account every project's instances.

        To one who is no administrator, all other instances would seem gone.

        :raises Misconfigured: it does not
        """
        self._nova.call("GET", "/servers", params={"all_tenants": "1",
                                                   "limit": "1"})

    def __call__(self, project_id: str, ids: Mapping[str, bool]
                 ) -> dict[str, tuple[str, str | None]]:
        unsure = [one for one, is_instance in ids.items() if not is_instance]
        known = self._stored.instances(project_id, unsure)
        found: dict[str, tuple[str, str | None]] = {}
        for one, is_instance in ids.items():
            if not (is_instance or one in known):
                continue
            try:
                self._nova.call("GET", f"/servers/{one}")
            except NotFound:
                found[one] = "nova has no such instance", None
        return found


def find(services: Sequence[AlarmService], projects: Sequence[str | None],
         evidence: Evidence, told: Callable[[int, int], None]
         ) -> Iterator[Orphan]:
    """Yield the orphans of projects, or of all for [None].

    :param told: is told how many alarms were looked at and are orphans
    """
    looked = orphans = 0
    batch: list[tuple[Alarm, Mapping[str, bool]]] = []
    pairs = ((service, project_id) for service in services
             for project_id in projects)
    for service, project_id in pairs:
        for pair in service.watching(project_id):
            looked += 1
            batch.append(pair)
            if len(batch) >= BATCH:
                for one in _orphans(batch, evidence):
                    orphans += 1
                    yield one
                batch = []
            told(looked, orphans)
    yield from _orphans(batch, evidence)


def _orphans(batch: Sequence[tuple[Alarm, Mapping[str, bool]]],
             evidence: Evidence) -> Iterator[Orphan]:
    by_project: dict[str, dict[str, bool]] = {}
    for alarm, subjects in batch:
        wanted = by_project.setdefault(alarm.project_id, {})
        for one, is_instance in subjects.items():
            wanted[one] = wanted.get(one, False) or is_instance
    gone = {project_id: evidence(project_id, ids)
            for project_id, ids in by_project.items()}
    for alarm, subjects in batch:
        for one in subjects:
            if one in gone[alarm.project_id]:
                yield Orphan(alarm, one, *gone[alarm.project_id][one])
                break


class _Reconcile(Trigger):
    """Stands for the reconciliation in the history of firings."""

    patterns = {"deleted": {"event_type": list(DELETED)}}
    group_by = ("resource_id",)
    actions = ("delete-alarms",)

    def observe(self, event, slots):
        return ()


class Remover:
    """Removes orphans as the engine does: with a firing and a record."""

    def __init__(self, database: Database, conf, action: DeleteAlarms,
                 clock: Callable[[], float] = time.time) -> None:
        """:param conf: the group ``[engine]``"""
        self._database = database
        self._action = action
        self._clock = clock
        owner = str(uuid.uuid4())
        self._deliveries = Deliveries(database, owner)
        self._outbox = Outbox(conf, owner, lambda _trigger: ())
        self._rule = trigger.of_class(TRIGGER, _Reconcile)

    def remove(self, project_id: str, instance_id: str, why: str,
               event_id: str | None) -> tuple[str, Mapping]:
        """Remove the alarms of one instance; return firing id and record.

        What fails is left to the engines, which try it again.
        """
        now = self._clock()
        firing, deliveries = self._outbox.rows(
            self._rule, {"resource_id": instance_id}, project_id, Finding(
                FIRED, now, (event_id,) if event_id else (),
                f"instance {instance_id} is gone ({why})"), now, {})
        with self._database.begin() as connection:
            connection.execute(FIRINGS.insert(), [firing])
            connection.execute(DELIVERIES.insert(), deliveries)
        row, = deliveries
        try:
            result = self._action.execute(Delivery(
                row["delivery_id"], row["project_id"], 1,
                orjson.loads(firing["content"])))
        except EventsError:
            self._deliveries.settle([], [(row["delivery_id"], None)], now)
            raise
        self._deliveries.settle([retry.delivered(
            row["delivery_id"], 1, self._clock(), result,
            self._action.MAX_RESULT)], [], self._clock())
        return firing["firing_id"], result
