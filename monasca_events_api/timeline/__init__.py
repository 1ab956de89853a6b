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


"""Timelines: what is known of one resource or one request, from all sources.

A source is a plug-in that finds one kind of things (events, log lines,
firings, metrics). The sources are asked side by side; one that fails, or does
not answer in time, is named in the answer and costs nobody else's part of it.
"""

import abc
from collections.abc import Sequence
import dataclasses
import datetime

from oslo_config import cfg

from monasca_events_api.history import History
from monasca_events_common import plugins
from monasca_events_common.store import Store

NAMESPACE = "monasca_events.timeline_sources"

GROUP = "timeline"

OPTS = [
    cfg.ListOpt("sources", default=["events", "logs", "firings"],
                help="Where timelines are made from: events, logs, firings, "
                     "gnocchi, monasca, or module:Class."),
    cfg.IntOpt("limit", default=1000, min=1, max=10000, mutable=True,
               help="Things that each source gives at most, the newest "
                    "ones."),
    cfg.FloatOpt("patience", default=5.0, min=0.1, mutable=True,
                 help="Seconds for which a timeline waits for its sources; "
                      "it is given without those that take longer."),
    cfg.ListOpt("log_sources", default=["syslog", "log"], mutable=True,
                help="Values of an event's field source that say that it is "
                     "a line of a log."),
]


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What a timeline is about.

    :ivar project_id: whose, or ``ALL``
    :ivar ident: the id of the resource or of the request
    :ivar is_request: which of both
    :ivar since, until: canonical timestamps, from and before, or None
    :ivar related: whether what only happened in the same requests counts
    :ivar limit: things that a source gives at most
    :ivar now: when it was asked for
    :ivar token: the caller's, for services that decide themselves what the
        caller may see
    :ivar first, last: once events were found, when the first and the last
        one happened
    :ivar requests: once events were found, the ids of the other requests in
        which they happened, the newest ones first
    """

    project_id: object
    ident: str
    is_request: bool
    since: str | None
    until: str | None
    related: bool
    limit: int
    now: datetime.datetime
    token: str
    first: str | None = None
    last: str | None = None
    requests: Sequence[str] = ()

    def narrowed(self) -> "Subject":
        """Return it with the time of its events where none was asked for."""
        return dataclasses.replace(self, since=self.since or self.first,
                                   until=self.until or self.last)


@dataclasses.dataclass(frozen=True, slots=True)
class Findings:
    """What a source found.

    :ivar items: JSON objects, oldest first
    :ivar truncated: whether there is more than the subject's limit
    """

    items: Sequence[dict]
    truncated: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Reach:
    """What sources may work with."""

    store: Store
    history: History
    conf: cfg.ConfigOpts


class Source(abc.ABC):
    """Finds one kind of things. Safe to use from several threads.

    :cvar KEY: under which the answer shows them; sources may share one
    :cvar AFTER_EVENTS: whether it wants to know when the events happened
        and in which requests, and so is asked after they were found
    """

    KEY: str
    AFTER_EVENTS = False

    def __init__(self, conf, reach: Reach) -> None:
        """:param conf: the source's own option group, None where it has none
        """
        self.conf = conf
        self.reach = reach

    @abc.abstractmethod
    def find(self, subject: Subject) -> Findings:
        """Return what there is of the subject, within its project only.

        Whatever it raises is told as this source's failure; Unavailable and
        Rejected with their message, which the caller sees.
        """


def get_sources(conf: cfg.ConfigOpts, reach: Reach) -> dict[str, Source]:
    """Return the sources that ``[timeline] sources`` names.

    :raises Misconfigured: there is no such source, or it lacks something
    """
    found = {}
    for name in dict.fromkeys(conf[GROUP].sources):
        cls = plugins.load(NAMESPACE, name)
        found[name] = cls(plugins.options(conf, cls), reach)
    return found
