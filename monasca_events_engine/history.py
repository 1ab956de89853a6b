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

"""The history of firings: what is too old is removed, with its deliveries.

Every engine may run it: removing twice removes once. In small transactions,
so that nobody waits for it.
"""

from collections.abc import Callable
import logging
import threading
import time

from oslo_config import cfg
import sqlalchemy as sa

from monasca_events_common import metrics
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.errors import Unavailable
from monasca_events_engine.retry import PENDING
from monasca_events_engine.retry import WAITING

LOG = logging.getLogger(__name__)

GROUP = "firings"

STAGE = "actions"

OPTS = [
    cfg.IntOpt("retention_days", default=30, min=1, mutable=True,
               help="Days for which firings and what became of their "
                    "deliveries are kept. A delivery that has not been made "
                    "by then is dropped, which metrics count."),
    cfg.IntOpt("retention_interval", default=3600, min=1, mutable=True,
               help="Seconds between two removals of old firings."),
]

#: Firings that one transaction removes.
BATCH = 200

_DAY = 86400.0


class History:
    """Removes old firings, again and again."""

    def __init__(self, database: Database, conf,
                 clock: Callable[[], float] = time.time) -> None:
        """:param conf: the group ``[firings]``
        :param clock: returns seconds since the epoch
        """
        self._database = database
        self._conf = conf
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        next_at = 0.0
        while not stop.is_set():
            if time.monotonic() >= next_at:
                self.expire(stop)
                next_at = time.monotonic() + self._conf.retention_interval
            stop.wait(1.0)

    def expire(self, stop: threading.Event | None = None) -> int:
        """Remove what is too old now; return how many firings."""
        before = self._clock() - self._conf.retention_days * _DAY
        removed = count = 0
        try:
            while stop is None or not stop.is_set():
                count = self._remove(before)
                removed += count
                if count < BATCH:
                    break
        except Unavailable as error:
            LOG.warning("old firings are removed later: %s", error)
        if removed:
            LOG.info("removed %d firings older than %d days", removed,
                     self._conf.retention_days)
        return removed

    def _remove(self, before: float) -> int:
        with self._database.read() as connection:
            ids = sorted(connection.scalars(
                sa.select(FIRINGS.c.firing_id).where(
                    FIRINGS.c.created_at < before).order_by(
                        FIRINGS.c.created_at).limit(BATCH)))
        if not ids:
            return 0
        with self._database.begin() as connection:
            theirs = DELIVERIES.c.firing_id.in_(ids)
            left = connection.execute(DELIVERIES.delete().where(
                theirs, DELIVERIES.c.status.in_((PENDING, WAITING)))).rowcount
            connection.execute(DELIVERIES.delete().where(theirs))
            connection.execute(FIRINGS.delete().where(
                FIRINGS.c.firing_id.in_(ids)))
        if left:
            metrics.DROPPED.labels(STAGE, "expired").inc(left)
            LOG.warning("dropped %d deliveries that could not be made in %d "
                        "days", left, self._conf.retention_days)
        return len(ids)
