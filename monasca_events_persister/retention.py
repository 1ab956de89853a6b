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

"""Retention: what is older than the tenant's time is removed.

Whole periods are dropped where the store keeps periods; the embedded store
deletes in small batches. Every persister may run it: removing twice removes
once.
"""

import datetime
import logging
import threading
import time

from oslo_config import cfg

from monasca_events_common import metrics
from monasca_events_common.errors import Unavailable
from monasca_events_common.event import format_time
from monasca_events_common.store import ALL
from monasca_events_common.store import Store

LOG = logging.getLogger(__name__)

OPTS = [
    cfg.IntOpt("days", default=366, min=1, mutable=True,
               help="Days that an event is kept after it happened. Events "
                    "are removed by whole periods where the store keeps "
                    "periods, so that one may stay up to a period longer."),
    cfg.IntOpt("interval", default=3600, min=1, mutable=True,
               help="Seconds between two runs of retention."),
]

#: (days of retention at most, period of an index): daily for weeks, monthly
#: for years, so that a drop comes soon enough and indices stay few.
_PERIODS = ((31, "day"), (92, "week"), (1830, "month"))


def period(days: int) -> str:
    """Return the period of an index that suits a retention time."""
    return next((name for most, name in _PERIODS if days <= most), "year")


class Retention:
    """Removes expired events, again and again."""

    def __init__(self, store: Store, conf) -> None:
        """:param conf: the group ``[retention]``"""
        self.conf = conf
        self._store = store

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        next_at = 0.0
        while not stop.is_set():
            if time.monotonic() >= next_at:
                self.expire(datetime.datetime.now(datetime.timezone.utc))
                next_at = time.monotonic() + self.conf.interval
            stop.wait(1.0)

    def expire(self, now: datetime.datetime) -> int:
        """Remove what is expired at ``now``; return how many events."""
        before = format_time(now - datetime.timedelta(days=self.conf.days))
        try:
            removed = self._store.purge(ALL, before)
        except Unavailable as error:
            LOG.warning("retention tries again later: %s", error)
            return 0
        metrics.DROPPED.labels("retention", "expired").inc(removed)
        if removed:
            LOG.info("retention removed %d events older than %s", removed,
                     before)
        return removed
