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

"""What both Kafka drivers share, whatever their client.

Of the bus: checks and deadlines of publishing, whether the brokers were well
lately, which subscriptions are open. Of a subscription: its progress, and
that it is made anew when it stands still.
"""

import abc
from collections.abc import Mapping, Sequence
import logging
import threading
import time

from monasca_events_common.bus import Bus
from monasca_events_common.bus import kafka_options
from monasca_events_common.bus import Record
from monasca_events_common.bus import Subscription
from monasca_events_common.bus import Watcher
from monasca_events_common.bus.kafka_progress import Progress
from monasca_events_common.bus.kafka_tail import KafkaTail
from monasca_events_common.errors import BusUnavailable
from monasca_events_common.errors import TooLarge
from monasca_events_common.health import Health

LOG = logging.getLogger(__name__)

#: Seconds for which a success says that Kafka is well.
_FRESH = 10.0

#: Seconds that asking for health may take.
_HEALTH_TIMEOUT = 1.0

#: Bytes that Kafka adds to a record at most, beside headers; and to a header.
_OVERHEAD = 70
_HEADER_OVERHEAD = 10


class KafkaBrokers(Bus):
    """A bus on Kafka; a driver says how it is spoken to."""

    OPTS = kafka_options.OPTS
    GROUP = kafka_options.GROUP

    def __init__(self, conf) -> None:
        """:param conf: the option group ``kafka_events``"""
        self.conf = conf
        self.closed = False
        self._lock = threading.Lock()
        self._topics: set[str] = set()
        self._subscriptions: set[Subscription] = set()
        self._worked_at = float("-inf")
        self._trouble = ""

    def publish(self, topic: str, records: Sequence[Record]) -> None:
        check_sizes(records, self.conf.max_record_bytes)
        if not records:
            return
        deadline = time.monotonic() + self.conf.publish_timeout
        self._publish(topic, records, deadline)
        self.worked()

    @abc.abstractmethod
    def _publish(self, topic: str, records: Sequence[Record],
                 deadline: float) -> None:
        """Return once all replicas in sync have all the records.

        :param deadline: of the monotonic clock
        """

    def subscribe(self, topic: str, group: str,
                  watcher: Watcher | None = None) -> Subscription:
        subscription = self._subscription(topic, group, watcher)
        self._subscriptions.add(subscription)
        return subscription

    def tail(self, topic: str, backlog: int) -> KafkaTail:
        return KafkaTail(self, topic, backlog)

    @abc.abstractmethod
    def _subscription(self, topic: str, group: str,
                      watcher: Watcher | None) -> Subscription:
        """Return a subscription that is not connected yet."""

    def health(self) -> Health:
        if self.closed:
            return Health(False, "the bus is closed")
        if self._trouble or time.monotonic() - self._worked_at > _FRESH:
            try:
                self._ask(_HEALTH_TIMEOUT)
            except BusUnavailable:
                return Health(False, f"Kafka does not answer: {self._trouble}")
            self.worked()
        return Health(True)

    @abc.abstractmethod
    def _ask(self, timeout: float) -> None:
        """Return when a broker has answered within ``timeout`` seconds."""

    def close(self) -> None:
        if self.closed:
            return
        for subscription in list(self._subscriptions):
            subscription.close()
        with self._lock:
            self.closed = True
        self._close()

    @abc.abstractmethod
    def _close(self) -> None:
        """Release the clients; the bus counts as closed already."""

    @abc.abstractmethod
    def make_topic(self, topic: str, timeout: float) -> None:
        """Return when the topic exists, as far as we can tell."""

    # What subscriptions need of the bus.

    def left(self, subscription: Subscription) -> None:
        """Take note that a subscription has closed."""
        self._subscriptions.discard(subscription)

    def worked(self) -> None:
        """Take note that Kafka answered."""
        self._worked_at = time.monotonic()
        self._trouble = ""

    def failed(self, what: str) -> None:
        """Take note that Kafka did not do what it should."""
        self._trouble = what

    def forget_topic(self, topic: str) -> None:
        """Make sure of the topic anew when it is next used."""
        self._topics.discard(topic)


class KafkaMembership(Subscription):
    """A subscription to Kafka; a driver says how its client is polled."""

    def __init__(self, bus: KafkaBrokers, topic: str, group: str,
                 watcher: Watcher | None) -> None:
        """:param bus: opens clients and makes topics"""
        self._bus = bus
        self._topic = topic
        self._group = group
        self._watcher = watcher
        self._progress = Progress(topic, time.monotonic)
        self._busy = threading.RLock()
        self._paused = self._closing = False
        #: Times that the watchdog made the consumer anew.
        self.rebuilds = 0

    @property
    def gaps(self) -> int:
        """Times that records were gone before they were delivered."""
        return self._progress.gaps

    def _watch(self, moved: bool) -> None:
        """Make the consumer anew when it stands still without a reason.

        :param moved: records came
        """
        if moved or self._paused:
            self._progress.rested()
            if moved:
                self._bus.worked()
            return
        seconds = self._bus.conf.watchdog_seconds
        if self._progress.still_for(seconds):
            self._progress.rested()
            if self._progress.behind(self._ends()):
                self._rebuild(f"no record for {seconds} seconds although "
                              "there are some")

    def _rebuild(self, reason: str) -> None:
        self.rebuilds += 1
        LOG.warning("group %s on %s: %s; its consumer is made anew",
                    self._group, self._topic, reason)
        self._disconnect()

    @abc.abstractmethod
    def _ends(self) -> Mapping[int, tuple[int, int]]:
        """Return our partitions' oldest offset and next one to be written.

        Raises the client's own error.
        """

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._bus.left(self)
        with self._busy:
            self._disconnect()

    @abc.abstractmethod
    def _disconnect(self) -> None:
        """Close the consumer, if there is one, without committing."""


def check_sizes(records: Sequence[Record], limit: int) -> None:
    """Raise TooLarge for a record of more than ``limit`` bytes."""
    for place, record in enumerate(records):
        headers = record.headers
        size = (len(record.key) + len(record.value) + _OVERHEAD
                + sum(map(len, headers)) + sum(map(len, headers.values()))
                + len(headers) * _HEADER_OVERHEAD)
        if size > limit:
            raise TooLarge(f"record {place} has {size} bytes; at most "
                           f"{limit} are accepted")
