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

"""The Elasticsearch store's writing: bulk requests and what comes of them.

Documents are passed through as bytes. Every item is created by its id, so a
repeat meets the first copy; only items that failed in passing are sent
again, and what can never be stored is told apart from what cannot be stored
now.
"""

from collections.abc import Iterable, Iterator, Sequence
import dataclasses
import functools
import random
import threading

import elasticsearch
import orjson

from monasca_events_common.errors import Rejected
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.store import Document
from monasca_events_common.store import elasticsearch_outcome as outcomes
from monasca_events_common.store.elasticsearch_indices import Indices
from monasca_events_common.store.elasticsearch_indices import Layout
from monasca_events_common.store.elasticsearch_indices import write_alias
from monasca_events_common.store import periods
from monasca_events_common.store import Rejection
from monasca_events_common.store import WriteResult

# One longer id fails the whole bulk request.
_LONGEST_ID = 512

_ANSWER = "errors,items.*.status,items.*.error.type,items.*.error.reason"


@dataclasses.dataclass(slots=True)
class Item:
    """One document on its way: its place, its index, its lines."""

    position: int
    index: str
    body: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a project's events of one day go.

    :ivar before: the action line up to the id; ``after``: the rest of it
    """

    slug: str
    index: str
    before: bytes
    after: bytes


@dataclasses.dataclass(slots=True)
class Tally:
    """What became of the items so far."""

    stored: int = 0
    repeated: int = 0
    rejected: list[Rejection] = dataclasses.field(default_factory=list)
    busy: list[Item] = dataclasses.field(default_factory=list)
    reason: str = ""

    def reject(self, item: Item, reason: str) -> None:
        self.rejected.append(
            Rejection(item.position, "store_rejected", reason))


class Writer:
    """Writes batches. Safe to use from several threads."""

    def __init__(self, client: elasticsearch.Elasticsearch, layout: Layout,
                 indices: Indices, conf) -> None:
        self._client = client
        self._layout = layout
        self._indices = indices
        self._conf = conf
        self._closing = threading.Event()
        # Nearly every event of a batch is of a project and day seen before.
        self._place = functools.lru_cache(maxsize=4096)(self._find_place)

    def write(self, documents: Sequence[Document]) -> WriteResult:
        """Return once each document is durable, repeated or rejected.

        :raises StoreUnavailable: some are none of these after all attempts
        """
        tally = Tally()
        pending = []
        for position, document in enumerate(documents):
            try:
                pending.append(self._item(position, document))
            except Rejected as error:
                tally.rejected.append(
                    Rejection(position, error.code, str(error)))
        attempt = 0
        while pending:
            self._indices.ensure({item.index for item in pending})
            for part in self._parts(pending):
                self._send(part, tally)
            pending, tally.busy = tally.busy, []
            if pending and (attempt >= self._conf.write_attempts
                            or self._wait(attempt)):
                raise StoreUnavailable(
                    f"Elasticsearch did not take {len(pending)} of "
                    f"{len(documents)} events: {tally.reason}")
            attempt += 1
        return WriteResult(tally.stored, tally.repeated, tuple(
            sorted(tally.rejected, key=lambda one: one.position)))

    def close(self) -> None:
        """Let writes that wait give up."""
        self._closing.set()

    def _wait(self, attempt: int) -> bool:
        """Wait a little longer each time; return whether we are closing."""
        return self._closing.wait(
            self._conf.retry_wait * 2 ** attempt
            * random.uniform(0.5, 1))  # noqa: S311 spreads, hides nothing

    def _item(self, position: int, document: Document) -> Item:
        value, index = _source(document)
        place = self._place(document.project_id, document.timestamp[:10])
        name = self._layout.document_id(place.slug, document.event_id)
        if not 0 < len(name.encode(errors="replace")) <= _LONGEST_ID:
            raise Rejected("the event id is empty or too long",
                           code="invalid_event_id", where="event_id")
        return Item(position, place.index, b"".join((
            place.before, orjson.dumps(name), place.after, value,
            b',"index":{"project":"', place.slug.encode(), b'",', index,
            b"}\n")))

    def _find_place(self, project_id: str, day: str) -> Place:
        """:param day: the first ten characters of a canonical timestamp"""
        slug = self._layout.slug(project_id)
        index = self._layout.index(slug, f"{day}T00:00:00.000000Z")
        routing = b',"routing":' + orjson.dumps(slug) \
            if self._layout.pooled else b""
        return Place(
            slug, index, b'{"create":{"_index":%b,"_id":' % orjson.dumps(
                write_alias(index)), routing + b"}}\n")

    def _parts(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        """Yield the items in requests of at most ``bulk_bytes``."""
        part: list[Item] = []
        size = 0
        for item in items:
            if part and size + len(item.body) > self._conf.bulk_bytes:
                yield part
                part, size = [], 0
            part.append(item)
            size += len(item.body)
        if part:
            yield part

    def _send(self, items: list[Item], tally: Tally) -> None:
        try:
            answer = self._client.bulk(
                operations=b"".join([item.body for item in items]),
                require_alias=True, filter_path=_ANSWER).body
        except elasticsearch.BadRequestError as error:
            self._halve(items, tally, f"{error.error} (status 400)")
        except elasticsearch.ApiError as error:
            if error.status_code == 413:
                self._halve(items, tally, "too large (status 413)")
            elif error.status_code == 429:
                # The parent circuit breaker or a full queue: all of it again.
                tally.busy += items
                tally.reason = f"{error.error} (status 429)"
            else:
                raise
        else:
            if answer.get("errors") is False \
                    and len(answer["items"]) == len(items):
                # Nothing but new documents, as nearly always.
                tally.stored += len(items)
                return
            self._count(items, answer["items"], tally)

    def _halve(self, items: list[Item], tally: Tally, reason: str) -> None:
        """Find the item for which a whole request was refused."""
        if len(items) == 1:
            tally.reject(items[0], reason)
            return
        middle = len(items) // 2
        self._send(items[:middle], tally)
        self._send(items[middle:], tally)

    def _count(self, items: Sequence[Item], answers: Sequence[dict],
               tally: Tally) -> None:
        missing = set()
        for item, answer in zip(items, answers, strict=True):
            found = outcomes.outcome(answer)
            if found.kind == outcomes.STORED:
                tally.stored += 1
            elif found.kind == outcomes.REPEATED:
                tally.repeated += 1
            elif found.kind == outcomes.REJECTED:
                tally.reject(item, found.reason)
            else:
                tally.busy.append(item)
                tally.reason = found.reason
                if found.kind == outcomes.MISSING:
                    missing.add(item.index)
        if missing:
            self._indices.forget(missing)


def _source(document: Document) -> tuple[bytes, bytes]:
    """Return the parts of the document's line: its bytes, open at the end,
    and what follows the project in ``index``.

    The project stands in ``index`` once more, made by us: it is what every
    search is filtered by, whatever the event says of itself.
    """
    periods.storable(document.timestamp)
    value, index = document.value, document.index
    for what, text in (("the event", value), ("the header index", index)):
        # A line break would begin the next action of the bulk request.
        if (not text.startswith(b'{"') or not text.endswith(b"}")
                or b"\n" in text or b"\r" in text):
            raise Rejected(f"{what} is not a canonical JSON object",
                           code="store_rejected")
    return value[:-1], index[1:]
