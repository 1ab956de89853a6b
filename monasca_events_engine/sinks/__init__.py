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

"""Metric sinks: services that measures are pushed to.

A sink is a class of the namespace ``monasca_events.metric_sinks``, named in
``[metric_sinks] enabled``. The pusher, and nobody else, calls it with what
waits in the table ``measures``: after the transaction that made it, at least
once.
"""

import abc
from collections.abc import Mapping, Sequence
import dataclasses

from oslo_config import cfg

from monasca_events_engine.account import Accounts
from monasca_events_engine.measures import Measure

NAMESPACE = "monasca_events.metric_sinks"

GROUP = "metric_sinks"

OPTS = [
    cfg.ListOpt("enabled", default=[], mutable=True,
                help="Services that the measures of metric actions are pushed "
                     "to: gnocchi, monasca, monasca-kafka, statsd, or "
                     "module:Class. Prometheus needs none, it reads them "
                     "from the engine's page."),
    cfg.IntOpt("batch_size", default=500, min=1, max=10000, mutable=True,
               help="Measures pushed at once."),
    cfg.FloatOpt("interval", default=1.0, min=0.05, mutable=True,
                 help="Seconds between two looks for new measures while "
                      "there are none."),
    cfg.FloatOpt("lease", default=60.0, min=1.0, mutable=True,
                 help="Seconds after which measures that a dead or hanging "
                      "engine had in hand are pushed by another one."),
    cfg.IntOpt("max_attempts", default=5, min=1, mutable=True,
               help="Attempts after which a measure is parked that made a "
                    "sink fail in a way that it does not know. A service "
                    "that is down is waited for and costs no attempt."),
    cfg.FloatOpt("backoff", default=1.0, min=0.01, mutable=True,
                 help="Seconds of the first delay after a push that failed; "
                      "each further one doubles, half of it by chance."),
    cfg.FloatOpt("max_backoff", default=60.0, min=0.01, mutable=True,
                 help="Seconds that a delay has at most."),
    cfg.IntOpt("breaker_failures", default=5, min=1, mutable=True,
               help="Failures in a row after which a service is left alone."),
    cfg.FloatOpt("breaker_seconds", default=30.0, min=0.01, mutable=True,
                 help="Seconds for which such a service is left alone; then "
                      "one push tries it."),
    cfg.IntOpt("max_waiting", default=1000000, min=1000, mutable=True,
               help="Measures that may wait for one service. Of more, the "
                    "oldest are dropped, which metrics count."),
    cfg.IntOpt("keep_parked_days", default=14, min=1, mutable=True,
               help="Days after which parked measures are dropped, which "
                    "metrics count. monasca-events-measures has them pushed "
                    "again before that."),
]


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """A measure that the service will never take.

    :ivar position: its place among those that were pushed
    :ivar reason: a sentence
    """

    position: int
    reason: str


class Sink(abc.ABC):
    """One service. Used from one thread at a time.

    :cvar GROUP: the option group that it gets, or None
    :cvar OPTS: the options in it
    """

    GROUP: str | None = None
    OPTS: Sequence[cfg.Opt] = ()

    def __init__(self, conf, accounts: Accounts) -> None:
        """Connect to nothing yet.

        :param conf: the option group GROUP, None without one
        :param accounts: makes services of the cloud
        :raises Misconfigured: the options cannot work
        """
        self.conf = conf
        self.accounts = accounts

    @abc.abstractmethod
    def push(self, measures: Sequence[Measure]) -> Sequence[Refusal]:
        """Return once the service has each measure, or refuses it for good.

        May be called again with measures that it has already: a crash may
        come before that is noted down.

        :raises Unavailable: it may take them later; then it may have taken
            some of them
        :raises Misconfigured: the operator has to put something right; tried
            again as well
        """

    def close(self) -> None:
        """Release connections. May be called twice."""


def named(measure: Measure) -> Mapping[str, str]:
    """Return a measure's labels with what it is of, for flat services."""
    found = dict(measure.labels)
    if measure.resource_id is not None:
        found.setdefault("resource_id", measure.resource_id)
    return found
