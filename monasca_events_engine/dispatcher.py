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

"""The dispatcher: executes what is in the outbox.

What the engine has just committed is handed over in memory
(:meth:`Dispatcher.wake`) and leaves at once; what is due otherwise, retries,
rows of the API and leftovers of members that died, is claimed from the
database about once a second. Threads execute; one thread, in :meth:`run`,
speaks with the database for all of them and writes outcomes in groups.
"""

import collections
from collections.abc import Callable, Mapping, Sequence
import logging
import threading
import time
import uuid

from oslo_config import cfg

from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine import counters
from monasca_events_engine import retry
from monasca_events_engine.actions import Actions
from monasca_events_engine.attempts import Attempts
from monasca_events_engine.attempts import MISTAKE_SECONDS
from monasca_events_engine.deliveries import Deliveries
from monasca_events_engine.deliveries import Entry
from monasca_events_engine.deliveries import FIELDS
from monasca_events_engine.methods import Methods
from monasca_events_engine.methods import UnknownMethod
from monasca_events_engine.queues import Postponed
from monasca_events_engine.queues import Queues
from monasca_events_engine.retry import Outcome

LOG = logging.getLogger(__name__)

GROUP = "dispatcher"

OPTS = [
    cfg.IntOpt("threads", default=32, min=1,
               help="Deliveries that one engine process makes at once. One "
                    "project has at most half of them."),
    cfg.IntOpt("concurrency", default=8, min=1, mutable=True,
               help="Deliveries that are made to one target (a host and "
                    "port, a mail server) at once."),
    cfg.IntOpt("queue_length", default=1000, min=1, mutable=True,
               help="Deliveries of a project to one target that wait in "
                    "memory; more wait in the database."),
    cfg.FloatOpt("lease", default=60.0, min=0.1, mutable=True,
                 help="Seconds after which deliveries that a dead or hanging "
                      "engine had in hand are made by another one. Leases "
                      "are renewed three times in that time."),
    cfg.FloatOpt("poll_interval", default=1.0, min=0.01, mutable=True,
                 help="Seconds between two looks into the database for "
                      "deliveries that are due."),
    cfg.IntOpt("breaker_failures", default=5, min=1, mutable=True,
               help="Failures in a row after which a target is left alone. "
                    "Its deliveries wait meanwhile and lose no attempt."),
    cfg.FloatOpt("breaker_seconds", default=60.0, min=0.01, mutable=True,
                 help="Seconds for which such a target is left alone; then "
                      "one delivery tries it."),
]

#: Seconds between two transactions that write outcomes.
GROUP_SECONDS = 0.05

#: Outcomes that wait for such a transaction before threads pause: while the
#: database is away, nothing more is sent that could not be noted down.
MAX_UNWRITTEN = 2000

#: Deliveries that one look into the database takes.
CLAIM = 200

#: Seconds that executing deliveries have to finish when the engine stops.
GRACE = 10.0

#: Seconds after which a waiting entry is looked up again before it is sent,
#: for somebody may have cancelled it.
STALE = 1.0

_SWEEP = 60.0


class Dispatcher:
    """Executes deliveries until told to stop.

    :ivar owner: what ``deliveries.lease_owner`` says of this process
    :ivar methods: the notification methods, as the catalog has them
    :ivar is_stopping: it takes nothing more
    """

    def __init__(self, database: Database, catalog: Catalog,
                 secrets: Secrets, actions: Actions, conf,
                 clock: Callable[[], float] = time.time) -> None:
        """:param conf: has the groups ``dispatcher`` and ``retry_engine``
        :param clock: returns seconds since the epoch
        """
        self.owner = str(uuid.uuid4())
        self._conf = conf
        self._clock = clock
        self._actions = actions
        self._deliveries = Deliveries(database, self.owner)
        self.methods = Methods(catalog, secrets)
        self._queues = Queues(conf.dispatcher)
        self._attempts = Attempts(actions, self.methods, conf, clock)
        #: Delivery id → entry, of all that this process has a lease on.
        self._held: dict[str, Entry] = {}
        #: Entries whose method is not known here yet.
        self._unknown: collections.deque[Entry] = collections.deque()
        self._outcomes: collections.deque[Outcome] = collections.deque()
        self._postponed: collections.deque[tuple[str, float | None]] = \
            collections.deque()
        self._signal = threading.Event()
        self._may_send = threading.Event()
        self._may_send.set()
        self.is_stopping = False
        self._is_ill = False
        self._times = dict.fromkeys(("poll", "renew", "write", "sweep"), 0.0)

    # -- what the engine calls

    def wake(self, deliveries: Sequence[Mapping],
             firings: Sequence[Mapping]) -> None:
        """Take over rows that were committed with :attr:`owner`'s lease.

        Returns at once. To be called after the commit, from any thread. Rows
        that wait for their time, or are nobody's, are found in the database
        when they are due; what comes while this one stops is given back.

        :param deliveries: rows of the table, those of these firings
        :param firings: rows of the table
        """
        now = self._clock()
        contents = {row["firing_id"]: row["content"] for row in firings}
        ours = [row for row in deliveries if row["status"] == retry.PENDING
                and row["lease_owner"] == self.owner
                and row["lease_until"] > now]
        if self.is_stopping:
            self._give_back(ours)
            return
        for row in ours:
            entry = Entry(*(row[name] for name in FIELDS),
                          content=contents[row["firing_id"]])
            self._held[entry.delivery_id] = entry
            self._file(entry)
        self._signal.set()

    def _give_back(self, rows: Sequence[Mapping]) -> None:
        try:
            self._deliveries.settle(
                [], [(row["delivery_id"], None) for row in rows],
                self._clock())
        except Unavailable as error:
            # Their leases end by themselves.
            LOG.info("%d deliveries are left to their leases: %s",
                     len(rows), error)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then finish what is being executed."""
        threads = [threading.Thread(target=self._work, daemon=True,
                                    name=f"action-{number}")
                   for number in range(self._conf.dispatcher.threads)]
        for one in threads:
            one.start()
        try:
            while not stop.is_set():
                self._turn()
                self._signal.wait(self._pause())
                self._signal.clear()
        finally:
            self._finish(threads)

    # -- filing entries

    def _file(self, entry: Entry) -> None:
        """Put an entry where a thread finds it."""
        try:
            target = self._attempts.target(entry)
        except UnknownMethod:
            self._unknown.append(entry)
        except Rejected as error:
            self._settle(entry, retry.given_up(
                entry.delivery_id, entry.attempts, self._clock(),
                str(error)))
        else:
            self._put_back(self._queues.put(target, entry))

    def _put_back(self, postponed: Sequence[Postponed]) -> None:
        now = self._clock()
        for one in postponed:
            self._postpone(one.entry,
                           None if one.delay is None else now + one.delay)

    def _postpone(self, entry: Entry, at: float | None) -> None:
        self._postponed.append((entry.delivery_id, at))
        self._signal.set()

    def _settle(self, entry: Entry, outcome: Outcome) -> None:
        counters.DELIVERIES.labels(
            self._attempts.label(entry.action),
            "failed" if outcome.status == retry.PENDING else outcome.status
        ).inc()
        if outcome.status == retry.PARKED:
            LOG.warning("delivery %s of project %s by %s is parked: %s",
                        entry.delivery_id, entry.project_id,
                        self._attempts.label(entry.action), outcome.error)
        self._outcomes.append(outcome)
        if len(self._outcomes) > MAX_UNWRITTEN:
            # Until the next group is written.
            self._may_send.clear()
        self._signal.set()

    # -- executing, in several threads

    def _work(self) -> None:
        while (taken := self._queues.take()) is not None:
            target, entry, waited = taken
            counters.QUEUED_SECONDS.observe(waited)
            self._may_send.wait()
            worked = None
            try:
                worked = self._execute(target, entry, waited)
            finally:
                self._put_back(self._queues.done(target, entry, worked))

    def _execute(self, target: str, entry: Entry, waited: float
                 ) -> bool | None:
        """Make one attempt; return whether the target answered well."""
        try:
            if waited > STALE and not self._deliveries.is_ours(
                    entry.delivery_id):
                self._held.pop(entry.delivery_id, None)
                return None
            outcome, worked = self._attempts.make(target, entry)
        except UnknownMethod:
            self._unknown.append(entry)
            self._signal.set()
            return None
        except (Misconfigured, Unavailable) as error:
            LOG.error("delivery %s of project %s has to wait: %s",
                      entry.delivery_id, entry.project_id, error)
            self._postpone(entry, self._clock() + MISTAKE_SECONDS)
            return None
        self._settle(entry, outcome)
        return worked

    # -- the one thread that speaks with the database

    def _pause(self) -> float:
        """Return the seconds until there is something to do, at most."""
        now = time.monotonic()
        at = min(self._times["poll"], self._times["renew"])
        if self._outcomes or self._postponed:
            at = min(at, self._times["write"])
        # Not longer, for ``stop`` does not wake us.
        return min(max(at - now, 0.0), 0.25)

    def _turn(self) -> None:
        """Do what is due now."""
        now = time.monotonic()
        times = self._times
        try:
            if now >= times["write"] and (self._outcomes or self._postponed):
                times["write"] = now + GROUP_SECONDS
                self._write()
            if self._unknown:
                self._file_unknown()
            if now >= times["renew"]:
                times["renew"] = now + self._conf.dispatcher.lease / 3
                self._deliveries.renew(
                    list(self._held),
                    self._clock() + self._conf.dispatcher.lease)
            if now >= times["poll"] or self._queues.has_room_again():
                times["poll"] = now + self._conf.dispatcher.poll_interval
                self._poll(now)
            if now >= times["sweep"]:
                times["sweep"] = now + _SWEEP
                self._queues.sweep()
        except Unavailable as error:
            if not self._is_ill:
                LOG.warning("deliveries wait for the database: %s", error)
            self._is_ill = True
            for name in times:
                times[name] = max(times[name], now + 1.0)
        else:
            if self._is_ill:
                LOG.info("the database answers again")
            self._is_ill = False
        counters.QUEUED.set(len(self._queues))

    def _write(self) -> None:
        """Write all outcomes that there are, in one transaction."""
        outcomes = list(self._outcomes)
        postponed = list(self._postponed)
        self._deliveries.settle(outcomes, postponed, self._clock())
        self._may_send.set()
        for one in outcomes:
            self._outcomes.popleft()
            self._held.pop(one.delivery_id, None)
        for name, _at in postponed:
            self._postponed.popleft()
            self._held.pop(name, None)

    def _file_unknown(self) -> None:
        """File what names a method that was not known; cancel the rest."""
        entries = [self._unknown.popleft()
                   for _ in range(len(self._unknown))]
        try:
            self.methods.refresh()
        except Unavailable:
            self._unknown.extend(entries)
            raise
        for entry in entries:
            if self._attempts.knows(entry):
                self._file(entry)
            else:
                self._settle(entry, retry.given_up(
                    entry.delivery_id, entry.attempts, self._clock(),
                    "its notification method is no longer there",
                    retry.CANCELLED))

    def _poll(self, now: float) -> None:
        """Claim what is due, as far as there is room."""
        self.methods.refresh()
        wall = self._clock()
        limit = min(CLAIM, self._queues.room())
        entries = self._deliveries.claim(
            wall, wall + self._conf.dispatcher.lease, limit,
            self._queues.full(), list(self._held)) if limit else ()
        for entry in entries:
            self._held[entry.delivery_id] = entry
            self._file(entry)
        if limit and len(entries) == limit:
            self._times["poll"] = now
            self._signal.set()
            return
        upcoming = self._deliveries.next_due(wall)
        if upcoming is not None:
            self._times["poll"] = min(self._times["poll"],
                                      now + max(upcoming - wall, 0.0))

    def _finish(self, threads: Sequence[threading.Thread]) -> None:
        """Let executing deliveries end; give the others back."""
        self.is_stopping = True
        waiting = self._queues.close()
        self._may_send.set()
        deadline = time.monotonic() + GRACE
        for one in threads:
            one.join(max(0.0, deadline - time.monotonic()))
        self._postponed.extend(
            (entry.delivery_id, None) for entry in (*waiting, *self._unknown))
        try:
            self._write()
        except Unavailable as error:
            # Their leases end by themselves, and then they are made again.
            LOG.warning("%d outcomes could not be noted down: %s",
                        len(self._outcomes), error)
        self._actions.close()
