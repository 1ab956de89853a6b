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

"""The store: each tenant's events, searchable.

Every call names the project first; a driver adds the project's filter in one
place and there is no call that omits it, except the operator's ``ALL``. The
drivers are siblings of this file and are found by their plug-in name.
"""

import abc
from collections.abc import Mapping, Sequence
import dataclasses
from typing import NamedTuple

from monasca_events_common import plugins
from monasca_events_common.health import Health
from monasca_events_common.query import Query

NAMESPACE = "monasca_events.store"

#: The project argument with which an operator reads across all projects. Only
#: the API's ``all_projects`` policy may lead to it.
ALL = object()


class Document(NamedTuple):
    """An event on its way into the store.

    :ivar project_id: whose it is; chooses the index
    :ivar event_id: the identity; a second document with it is a repeat
    :ivar event_type: dotted type
    :ivar timestamp: canonical text, microseconds, UTC; chooses the period
    :ivar value: canonical JSON bytes, kept as they are
    :ivar index: JSON bytes of what is searchable but not shown (see
        :func:`monasca_events_common.event.searchable`)
    """

    project_id: str
    event_id: str
    event_type: str
    timestamp: str
    value: bytes
    index: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Rejection:
    """One document that can never be stored.

    :ivar position: its place in the sequence that was written
    :ivar code: a stable word, such as ``store_rejected``
    :ivar reason: what the store said, shortened, without the payload
    """

    position: int
    code: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class WriteResult:
    """stored + repeated + len(rejected) = number of documents written."""

    stored: int
    repeated: int
    rejected: Sequence[Rejection] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of a search.

    :ivar events: canonical JSON bytes, in the order asked for
    :ivar marker: where the next page begins, None on the last one
    """

    events: Sequence[bytes]
    marker: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Bucket:
    """One interval of a histogram.

    :ivar start: canonical text of its first instant, or None for no interval
    :ivar count: events in it
    :ivar groups: value → count of the ``by`` field, largest first
    """

    start: str | None
    count: int
    groups: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Aggregation:
    """A histogram. ``truncated`` says that some groups were left out."""

    buckets: Sequence[Bucket]
    truncated: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Trait:
    """A trait that occurs: name and type.

    ``type`` is one of string, integer, float, datetime, boolean.
    """

    name: str
    type: str


class Store(abc.ABC):
    """Where events are kept. Safe to use from several threads.

    ``project_id`` is a project's id or, for reading only, ``ALL``. Every call
    raises StoreUnavailable when the store cannot answer now, and Rejected for
    a query it cannot carry out.
    """

    @abc.abstractmethod
    def write(self, documents: Sequence[Document]) -> WriteResult:
        """Return once every document is durable, repeated or rejected.

        Raises StoreUnavailable when that cannot be said of one of them; the
        caller repeats the whole batch and the ids make that harmless.
        Documents become searchable together within the refresh interval.
        """

    @abc.abstractmethod
    def search(self, project_id, query: Query) -> Page:
        """Return the page of the project's events that ``query`` asks for.

        Pages joined by markers hold every event that matched when the first
        page was read exactly once; events stored meanwhile may be added.
        """

    @abc.abstractmethod
    def get(self, project_id, event_id: str) -> bytes:
        """Return the event. Raises NotFound, also for another project's."""

    @abc.abstractmethod
    def aggregate(self, project_id, query: Query, by: str | None,
                  interval: int | None) -> Aggregation:
        """Count what ``query`` matches.

        :param by: field to group by (``event_type``, ``resource_type``, …,
            ``traits.NAME``) or None
        :param interval: seconds of a bucket, or None for one bucket. Buckets
            begin at multiples of it since the epoch; empty ones are left out.
        """

    @abc.abstractmethod
    def traits(self, project_id, event_type: str | None) -> Sequence[Trait]:
        """Return what traits occur, of one event type or of all, by name."""

    @abc.abstractmethod
    def purge(self, project_id, before: str) -> int:
        """Remove what happened before ``before``; return how many events.

        ``project_id`` may be ``ALL``. A driver that drops whole periods
        removes only periods that lie wholly before that time.
        """

    @abc.abstractmethod
    def health(self) -> Health:
        """Return quickly what is known of the store; never raise."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release connections and threads. May be called twice."""


def get_store(conf) -> Store:
    """Return the store that ``[store] driver`` names.

    The driver gets its own option group and nothing else. Raises
    Misconfigured when there is no such driver or it lacks something.
    """
    return plugins.driver(NAMESPACE, conf, "store")
