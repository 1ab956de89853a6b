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


"""Jobs: work that takes a while and is asked about meanwhile.

The API makes jobs and shows them, a worker of another service claims them,
reports how far it has come and finishes them. Whoever works on one holds a
lease; when that runs out, because its process died, another begins it anew.
"""

from collections.abc import Mapping
import dataclasses

import orjson
import sqlalchemy as sa

from monasca_events_common.database import Database
from monasca_events_common.database.tables import JOBS
from monasca_events_common.database.tables import REVISIONS
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import NotFound
from monasca_events_common.store import ALL

#: Kinds of jobs. A receipt is finished from the start: nobody has to do it.
BACKTEST, RECEIPT = "backtest", "receipt"

QUEUED, RUNNING, FINISHED, FAILED, CANCELLED = (
    "queued", "running", "finished", "failed", "cancelled")

UNFINISHED = (QUEUED, RUNNING)

#: Times that a job is begun; one that takes its worker down with it each time
#: is not begun for ever.
ATTEMPTS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One job.

    :ivar request: what is to be done
    :ivar result: what is known of it so far
    :ivar created_at, updated_at: seconds since the epoch
    """

    job_id: str
    project_id: str
    kind: str
    status: str
    request: Mapping
    result: Mapping
    created_at: float
    updated_at: float


class Jobs:
    """The jobs of all projects. Safe for several threads.

    Every call raises Unavailable when the database cannot answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, project_id: str, kind: str, job_id: str,
               request: Mapping, now: float, *, quota: int | None = None,
               status: str = QUEUED) -> Job:
        """Return a new job once it is durable.

        :param quota: jobs of the kind that the project may have: unfinished
            ones, or such as it is itself where there is nothing to do
        :param status: ``FINISHED`` where there is nothing to do
        :raises Forbidden: it has as many
        """
        counted = UNFINISHED if status in UNFINISHED else (status,)
        made = Job(job_id, project_id, kind, status, request, {}, now, now)
        with self._database.begin() as connection:
            # Who makes jobs takes turns, so that two do not count alike.
            connection.execute(sa.select(REVISIONS.c.value).where(
                REVISIONS.c.name == "catalog").with_for_update())
            there = connection.scalar(sa.select(
                sa.func.count()).select_from(JOBS).where(
                    JOBS.c.project_id == project_id, JOBS.c.kind == kind,
                    JOBS.c.status.in_(counted)))
            if quota is not None and there >= quota:
                raise Forbidden(
                    f"the project has {there} unfinished {kind}s and "
                    "may have no more; wait for one, or cancel it"
                    if status in UNFINISHED else
                    f"the project has {there} {kind}s and may have no more "
                    "before the oldest are forgotten", code="quota_exceeded")
            connection.execute(JOBS.insert().values(
                job_id=job_id, project_id=project_id, kind=kind,
                status=status, request=_text(request), result=None,
                created_at=now, updated_at=now, lease_owner=None,
                lease_until=0.0))
        return made

    def get(self, project_id, kind: str, job_id: str) -> Job:
        """Return one. Raises NotFound, also for another project's.

        :param project_id: a project's id or ``ALL``
        """
        query = sa.select(JOBS).where(JOBS.c.job_id == job_id,
                                      JOBS.c.kind == kind)
        if project_id is not ALL:
            query = query.where(JOBS.c.project_id == project_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"there is no {kind} {job_id[:64]!r}")
        return _job(row)

    def remove(self, project_id: str, kind: str, job_id: str, now: float
               ) -> None:
        """Cancel a job that is unfinished, forget one that is finished."""
        self.get(project_id, kind, job_id)
        with self._database.begin() as connection:
            cancelled = connection.execute(JOBS.update().where(
                JOBS.c.job_id == job_id,
                JOBS.c.status.in_(UNFINISHED)).values(
                    status=CANCELLED, updated_at=now, lease_owner=None,
                    lease_until=0.0)).rowcount
            if not cancelled:
                connection.execute(JOBS.delete().where(
                    JOBS.c.job_id == job_id))

    # -- for whoever does them -----------------------------------------------

    def claim(self, kind: str, owner: str, now: float, until: float
              ) -> Job | None:
        """Return the oldest job that nobody works on; it is ours from now on.

        One that was begun too often becomes failed instead.

        :param owner: this worker, at most 36 characters
        :param until: when the lease ends, seconds since the epoch
        """
        wanted = sa.select(JOBS).where(
            JOBS.c.kind == kind, JOBS.c.status.in_(UNFINISHED),
            JOBS.c.lease_until <= now).order_by(
                JOBS.c.created_at, JOBS.c.job_id).limit(1)
        with self._database.read() as connection:
            # Mostly there is none, and who only reads is in nobody's way.
            if connection.execute(wanted).first() is None:
                return None
        with self._database.begin() as connection:
            row = connection.execute(wanted).mappings().first()
            if row is None:
                return None
            found = _job(row)
            attempts = found.result.get("attempts", 0) + 1
            if attempts > ATTEMPTS:
                found = dataclasses.replace(found, status=FAILED)
                values = {"status": FAILED, "lease_owner": None,
                          "lease_until": 0.0, "result": _text({
                              **found.result, "error": "the worker died "
                              f"{ATTEMPTS} times at it"})}
            else:
                found = dataclasses.replace(
                    found, status=RUNNING, result={"attempts": attempts})
                values = {"status": RUNNING, "lease_owner": owner,
                          "lease_until": until,
                          "result": _text(found.result)}
            mine = connection.execute(JOBS.update().where(
                JOBS.c.job_id == found.job_id,
                JOBS.c.status.in_(UNFINISHED),
                JOBS.c.lease_until <= now).values(updated_at=now, **values)
            ).rowcount
        return found if mine and found.status == RUNNING else None

    def report(self, job: Job, owner: str, result: Mapping, now: float,
               until: float) -> bool:
        """Keep what is known so far and prolong the lease.

        :return: False where it is not ours any more: it was cancelled, or
            the lease had run out
        """
        return self._put(job, owner, {"lease_until": until}, result, now)

    def finish(self, job: Job, owner: str, status: str, result: Mapping,
               now: float) -> bool:
        """Keep the result. The return value is that of :meth:`report`.

        :param status: ``FINISHED``, ``FAILED``, or ``QUEUED`` to give it
            back
        """
        return self._put(job, owner, {
            "status": status, "lease_owner": None, "lease_until": 0.0},
            result, now)

    def _put(self, job: Job, owner: str, values: Mapping, result: Mapping,
             now: float) -> bool:
        # What was given back was not tried.
        attempts = job.result.get("attempts", 1) \
            - (values.get("status") == QUEUED)
        with self._database.begin() as connection:
            return connection.execute(JOBS.update().where(
                JOBS.c.job_id == job.job_id, JOBS.c.lease_owner == owner,
                JOBS.c.status == RUNNING).values(
                    result=_text({"attempts": attempts, **result}),
                    updated_at=now, **values)).rowcount == 1

    def tidy(self, kind: str, before: float) -> int:
        """Forget jobs that have been finished since; return how many.

        :param before: seconds since the epoch
        """
        with self._database.begin() as connection:
            return connection.execute(JOBS.delete().where(
                JOBS.c.kind == kind, JOBS.c.status.not_in(UNFINISHED),
                JOBS.c.updated_at < before)).rowcount


def _text(content: Mapping) -> str:
    return orjson.dumps(content).decode()


def _job(row: Mapping) -> Job:
    return Job(**{
        field.name: row[field.name] for field in dataclasses.fields(Job)
        if field.name not in ("request", "result")},
        request=orjson.loads(row["request"]),
        result=orjson.loads(row["result"] or "{}"))
