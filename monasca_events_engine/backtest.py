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


"""Back-tests: jobs that run a trigger's draft over a project's stored events.

The API makes the jobs and shows them. One worker does one job at a time; the
events are read from the store page by page, progress is written about once a
second. A worker that dies leaves a lease that runs out, and another begins
the job anew. Nothing but the job's own row is ever written.
"""

from collections.abc import Callable, Mapping
import logging
import threading
import time
import uuid

from oslo_config import cfg

from monasca_events_common import event as events
from monasca_events_common import query
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import jobs
from monasca_events_common.catalog import METHODS
from monasca_events_common.database import Database
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.errors import Unavailable
from monasca_events_common.rules import definition
from monasca_events_common.rules.firing import format_seconds
from monasca_events_common.store import Page
from monasca_events_common.store import Store
from monasca_events_engine.outbox import Outbox
from monasca_events_engine.pages import pages
from monasca_events_engine.rehearsal import exact_types
from monasca_events_engine.rehearsal import Rehearsal
from monasca_events_engine.rehearsal import TooManyGroups

LOG = logging.getLogger(__name__)

GROUP = "backtest"

OPTS = [
    cfg.IntOpt("workers", default=1, min=0,
               help="Processes beside those of this engine that do "
                    "back-tests, one at a time each. They read the store. "
                    "With 0, engines elsewhere have to do them."),
    cfg.FloatOpt("lease", default=30.0, min=5.0, mutable=True,
                 help="Seconds after which another worker begins a back-test "
                      "anew whose worker has not been heard of."),
    cfg.FloatOpt("poll_interval", default=0.2, min=0.01, mutable=True,
                 help="Seconds between two looks for back-tests to do."),
    cfg.IntOpt("page", default=2000, min=50, max=10000, mutable=True,
               help="Events that are read from the store at once."),
    cfg.IntOpt("max_groups", default=300000, min=1, mutable=True,
               help="Groups of events that a back-test may have under way at "
                    "once, each about a kilobyte of memory. One that needs "
                    "more fails."),
    cfg.IntOpt("keep", default=86400, min=60, mutable=True,
               help="Seconds for which the result of a back-test is kept."),
]

#: Seconds between two reports of progress.
_REPORT = 1.0

#: Seconds between two looks for results that are old.
_TIDY = 600.0


class Stopped(Exception):
    """The job is not ours any more, or the worker is to stop."""


class Backtester:
    """Does back-tests, one after the other."""

    def __init__(self, database: Database, store: Callable[[], Store],
                 conf: cfg.ConfigOpts,
                 clock: Callable[[], float] = time.time) -> None:
        """:param store: opens the store; called for the first job
        :param conf: with the groups ``[backtest]`` and ``[engine]``
        :param clock: seconds since the epoch
        """
        conf.register_opts(OPTS, group=GROUP)
        self.conf = conf
        self._jobs = jobs.Jobs(database)
        self._catalog = Catalog(database)
        self._open = store
        self._opened: Store | None = None
        self._clock = clock
        self._owner = str(uuid.uuid4())
        self._tidied = 0.0

    @property
    def _store(self) -> Store:
        # Most engines never do one, and some have no way to a store.
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def close(self) -> None:
        """Close the store, if it was opened."""
        if self._opened is not None:
            self._opened.close()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; a job that is under way is given back.

        Meant for a process of its own: one that is busy for half a minute.
        """
        while not stop.is_set():
            try:
                if self.step(stop):
                    continue
                wait = self.conf[GROUP].poll_interval
            except Unavailable as error:
                LOG.warning("back-tests have to wait: %s", error)
                wait = error.retry_after
            stop.wait(wait)

    def step(self, stop: threading.Event) -> bool:
        """Do one job, if there is one; return whether there was.

        :raises Unavailable: the database cannot answer; the job begins anew
            when its lease has run out
        """
        now = self._clock()
        job = self._jobs.claim(jobs.BACKTEST, self._owner, now,
                               now + self.conf[GROUP].lease)
        if job is None:
            if now - self._tidied >= _TIDY:
                self._tidied = now
                self._jobs.tidy(jobs.BACKTEST, now - self.conf[GROUP].keep)
            return False
        LOG.info("back-test %s of project %s begins", job.job_id,
                 job.project_id)
        try:
            status, result = self._do(job, stop)
        except Stopped:
            return True
        self._jobs.finish(job, self._owner, status, result, self._clock())
        LOG.info("back-test %s is %s", job.job_id, status)
        return True

    def _do(self, job: jobs.Job, stop: threading.Event) -> tuple[str, dict]:
        request = job.request
        progress = _Progress(self, job, stop)
        try:
            rule = definition.compile(
                request["definition"], project_id=job.project_id,
                trigger_id=request["trigger_id"] or job.job_id)
            types = exact_types(rule)
            wanted = query.Query(
                terms=() if types is None or len(types) > query.MAX_VALUES
                else (query.Term("event_type", "eq", types),),
                since=request["since"], until=request["until"],
                descending=False, limit=self.conf[GROUP].page)
            rehearsal = Rehearsal(
                rule, progress.since, progress.until,
                limit=request["limit_firings"],
                max_groups=self.conf[GROUP].max_groups,
                methods=self._methods(job.project_id, request["definition"]),
                # An outbox of its own, whose rates are those of the past.
                hold=Outbox(self.conf.engine, self._owner,
                            lambda _: ()).hold)
            progress.of = self._count(job.project_id, wanted, progress)
            self._read(job.project_id, wanted, rehearsal, progress)
        except (Rejected, TooManyGroups) as error:
            reason = str(error) or (
                f"more than {self.conf[GROUP].max_groups} groups of events "
                "would be under way at once; narrow the pattern, the "
                "group_by or the time")
            return jobs.FAILED, {"error": reason,
                                 "progress": progress.shown()}
        return jobs.FINISHED, {"progress": progress.shown(),
                               **rehearsal.result()}

    def _methods(self, project_id: str, content: Mapping) -> dict[str, str]:
        found = {}
        for one in {one for wanted in (content.get("notify") or {}).values()
                    for one in wanted}:
            try:
                found[one] = self._catalog.get(project_id, METHODS,
                                               one).content["type"]
            except NotFound:
                continue
        return found

    def _count(self, project_id: str, wanted: query.Query,
               progress: "_Progress") -> int | None:
        """Return how many events there are, None where that costs too much.
        """
        try:
            found = progress.patiently(lambda: self._store.aggregate(
                project_id, wanted, None, None))
        except Rejected:
            return None
        return sum(one.count for one in found.buckets)

    def _read(self, project_id: str, wanted: query.Query,
              rehearsal: Rehearsal, progress: "_Progress") -> None:
        def search(one: query.Query) -> Page:
            return progress.patiently(
                lambda: self._store.search(project_id, one))

        for page in pages(search, wanted):
            rehearsal.show(page.events, is_last=page.marker is None)
            if page.events:
                progress.reach(page.events[-1], rehearsal)
        rehearsal.end()
        progress.at = progress.until


class _Progress:
    """How far a job has come, and that it is still ours to do."""

    def __init__(self, backtester: Backtester, job: jobs.Job,
                 stop: threading.Event) -> None:
        self._owner = backtester._owner
        self._jobs = backtester._jobs
        self._clock = backtester._clock
        self._conf = backtester.conf[GROUP]
        self._job = job
        self._stop = stop
        self._reported = time.monotonic()
        self.since = _seconds(job.request["since"])
        self.until = _seconds(job.request["until"])
        self.at = self.since
        self.events = 0
        self.of: int | None = None
        self._counts: dict = {}

    def reach(self, value: bytes, rehearsal: Rehearsal) -> None:
        """Take note of the event that was judged last.

        :raises Stopped: the job is to go no further
        """
        self.at = max(self.at, _time_of(value))
        self.events = rehearsal.events
        self._counts = rehearsal.counts()
        if time.monotonic() - self._reported >= _REPORT:
            self.report()
        if self._stop.is_set():
            self._jobs.finish(self._job, self._owner, jobs.QUEUED, {},
                              self._clock())
            raise Stopped

    def report(self) -> None:
        """Write it down and keep the lease. Raises Stopped."""
        self._reported = time.monotonic()
        now = self._clock()
        if not self._jobs.report(
                self._job, self._owner,
                {"progress": self.shown(), **self._counts}, now,
                now + self._conf.lease):
            raise Stopped

    def patiently(self, ask: Callable):
        """Return what the store answers, once it does.

        :raises Stopped: the job is to go no further meanwhile
        """
        while True:
            try:
                return ask()
            except StoreUnavailable as error:
                LOG.warning("the back-test %s has to wait: %s",
                            self._job.job_id, error)
                self.report()
                if self._stop.wait(min(error.retry_after,
                                       self._conf.lease / 4)):
                    self._jobs.finish(self._job, self._owner, jobs.QUEUED,
                                      {}, self._clock())
                    raise Stopped from None

    def shown(self) -> dict:
        """Return the JSON of it."""
        span = self.until - self.since
        return {"events": self.events, "of": self.of,
                "share": 1.0 if span <= 0 else round(
                    min(1.0, (self.at - self.since) / span), 4),
                "at": format_seconds(self.at)}


def _seconds(text: str) -> float:
    return events.parse_time(text).timestamp()


def _time_of(value: bytes) -> float:
    """Return the time of an event's canonical bytes, without decoding."""
    marker = b'"timestamp":"'
    at = value.find(marker) + len(marker)
    return _seconds(value[at:at + 27].decode())
