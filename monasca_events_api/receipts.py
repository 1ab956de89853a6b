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

"""Receipts: what became of a request's events, one by one, until stored.

A receipt is a job that nobody has to do: it keeps which events a request
brought, and is answered by looking where they are now. So the persister
need not know of it, and who asks for none pays nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import itertools
import uuid

import orjson

from monasca_events_common import catalog
from monasca_events_common import query
from monasca_events_common.bus import Record
from monasca_events_common.catalog import jobs
from monasca_events_common.catalog import Catalog
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import transforms
from monasca_events_common.rules.firing import format_seconds
from monasca_events_common.store import Store

#: What may become of an event.
ACCEPTED, STORED, DEAD, DROPPED = "accepted", "stored", "dead", "dropped"

#: Dead letters that are looked at in one go.
_PAGE = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class _Event:
    """One event of a request.

    :ivar becomes: ids under which its project's transforms have it stored;
        its own where there are none, nothing where they drop it
    """

    project_id: str
    event_id: str
    becomes: Sequence[str]


class Receipts:
    """Makes receipts and answers them. Safe for several threads.

    Every call raises Unavailable when the database, the store or the dead
    letters cannot answer.
    """

    def __init__(self, made: jobs.Jobs, store: Store,
                 dead_letters: DeadLetters, definitions: Catalog) -> None:
        self._jobs = made
        self._store = store
        self._dead_letters = dead_letters
        self._definitions = definitions

    def open(self, project_id: str, records: Sequence[Record], now: float,
             keep: float, quota: int | None) -> jobs.Job:
        """Return a receipt for records that are about to be published.

        :param project_id: of who may look at it
        :param now: seconds since the epoch
        :param keep: seconds that receipts are kept
        :param quota: receipts that the project may have
        :raises Forbidden: it has as many
        """
        self._jobs.tidy(jobs.RECEIPT, now - keep)
        several: dict[str, transforms.Transforms] = {}
        found = []
        for record in records:
            event = orjson.loads(record.value)
            owner, event_id = event["project_id"], event["event_id"]
            if owner not in several:
                several[owner] = self._transforms(owner)
            becomes = _becomes(several[owner], event)
            found.append([owner, event_id,
                          *([] if becomes == [event_id] else [becomes])])
        return self._jobs.create(
            project_id, jobs.RECEIPT, str(uuid.uuid4()), {"events": found},
            now, quota=quota, status=jobs.FINISHED)

    def _transforms(self, project_id: str) -> transforms.Transforms:
        return transforms.compile_all(
            (one.content, one.revision) for one in self._definitions.every(
                project_id, catalog.TRANSFORMS))

    def look(self, project_id: str, job_id: str) -> dict:
        """Return what became of the events so far.

        :raises NotFound: the project has no such receipt
        """
        job = self._jobs.get(project_id, jobs.RECEIPT, job_id)
        found = [_Event(owner, event_id, *(more or ([event_id],)))
                 for owner, event_id, *more in job.request["events"]]
        states: dict[tuple[str, str], dict] = {}
        for owner, several in itertools.groupby(
                sorted(found, key=lambda one: one.project_id),
                key=lambda one: one.project_id):
            states |= {(owner, event_id): state for event_id, state
                       in self._states(owner, list(several),
                                       job.created_at).items()}
        answers = [{"event_id": one.event_id, "project_id": one.project_id,
                    **states[one.project_id, one.event_id]} for one in found]
        counts = dict.fromkeys((ACCEPTED, STORED, DEAD, DROPPED), 0)
        for one in answers:
            counts[one["status"]] += 1
        return {"id": job.job_id, "project_id": job.project_id,
                "status": jobs.RUNNING if counts[ACCEPTED] else jobs.FINISHED,
                "created_at": format_seconds(job.created_at),
                "counts": counts, "events": answers}

    def _states(self, project_id: str, several: Sequence[_Event],
                since: float) -> dict[str, Mapping]:
        # Under its own id too, should a transform have been made or undone
        # between the request and the persister.
        stored = self._stored(project_id, {
            event_id for one in several
            for event_id in (one.event_id, *one.becomes)})
        states: dict[str, Mapping] = {}
        for one in several:
            if one.event_id in stored or (
                    one.becomes and stored.issuperset(one.becomes)):
                states[one.event_id] = {"status": STORED}
            else:
                states[one.event_id] = {
                    "status": ACCEPTED if one.becomes else DROPPED}
        missing = {event_id for event_id, state in states.items()
                   if state["status"] != STORED}
        if missing:
            states |= self._dead(project_id, missing, since)
        return states

    def _stored(self, project_id: str, ids: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for chunk in _chunks(sorted(ids), query.MAX_VALUES):
            page = self._store.search(project_id, query.Query(
                terms=(query.Term("event_id", "eq", chunk),),
                limit=len(chunk)))
            found.update(orjson.loads(one)["event_id"]
                         for one in page.events)
        return found

    def _dead(self, project_id: str, ids: set[str], since: float
              ) -> dict[str, Mapping]:
        found, after = {}, 0
        begun = format_seconds(since)
        while letters := self._dead_letters.list(
                project_id=project_id, since=begun, after=after,
                limit=_PAGE, whole=False):
            after = letters[-1].id
            for one in letters:
                event_id = one.headers.get("event_id")
                if event_id in ids:
                    found[event_id] = {"status": DEAD, "code": one.code,
                                       "reason": one.reason}
        return found


def _becomes(several: transforms.Transforms, event: dict) -> list[str]:
    if not several.wants(event["event_type"]):
        return [event["event_id"]]
    try:
        return [one["event_id"] for one in several.apply(event)]
    except Rejected:
        return [event["event_id"]]  # it will be a dead letter


def _chunks(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(values), size):
        yield values[at:at + size]
