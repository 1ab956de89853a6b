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
import re
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

# Bytes of an action line and of what else is added to a document, about.
_ACTION = 256

# At first only whether each item is new, as nearly always all are: to look for
# reasons costs Elasticsearch 1.5 µs an item. What is not new is sent again.
_STATUSES = "errors,items.*.status"
_REASONS = f"{_STATUSES},items.*.error.type,items.*.error.reason"

# A number is found in bytes four times as fast as bytes of that one are.
_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"

# What follows the day in a canonical timestamp.
_CLOCK = re.compile(
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a project's events of one day go.

    :ivar prefix: what ids begin with there
    :ivar before: the action line up to the id; ``after``: the rest of it
    :ivar end: ends ``index`` with the project once more, made by us: it is
        what every search is filtered by, whatever the event says of itself
    """

    index: str
    prefix: str
    before: bytes
    after: bytes
    end: bytes


@dataclasses.dataclass(slots=True)
class Request:
    """Documents that are sent together.

    :ivar positions: their places in the batch; ``indices``: where they go
    :ivar body: their lines
    """

    positions: list[int] = dataclasses.field(default_factory=list)
    indices: list[str] = dataclasses.field(default_factory=list)
    body: bytearray = dataclasses.field(default_factory=bytearray)


@dataclasses.dataclass(slots=True)
class Tally:
    """What became of the documents so far; ``busy`` are places in the batch.
    """

    stored: int = 0
    repeated: int = 0
    rejected: list[Rejection] = dataclasses.field(default_factory=list)
    busy: list[int] = dataclasses.field(default_factory=list)
    reason: str = ""

    def reject(self, position: int, reason: str,
               code: str = "store_rejected") -> None:
        self.rejected.append(Rejection(position, code, reason))


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
        pending: Sequence[int] = range(len(documents))
        attempt = 0
        while pending:
            self._write(documents, pending, tally,
                        _REASONS if attempt else _STATUSES)
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

    def _write(self, documents: Sequence[Document],
               positions: Iterable[int], tally: Tally, wanted: str) -> None:
        """Send some of the documents once.

        :param wanted: what is asked of each, _STATUSES or _REASONS
        """
        for request in self._requests(documents, positions, tally):
            self._indices.ensure(set(request.indices))
            self._send(documents, request, tally, wanted)

    def _requests(self, documents: Sequence[Document],
                  positions: Iterable[int], tally: Tally
                  ) -> Iterator[Request]:
        """Yield requests of at most ``bulk_bytes``; reject what cannot be."""
        limit = self._conf.bulk_bytes
        request = Request()
        for position in positions:
            document = documents[position]
            size = len(document.value) + len(document.index) + _ACTION
            if len(request.body) + size > limit and request.positions:
                yield request
                request = Request()
            try:
                index = self._put(document, request.body)
            except Rejected as error:
                tally.reject(position, str(error), error.code)
                continue
            request.positions.append(position)
            request.indices.append(index)
        if request.positions:
            yield request

    def _put(self, document: Document, body: bytearray) -> str:
        """Add a document's two lines to a body; return where it goes.

        Grown in place, it is one copy of the document and no other object:
        this is the hot path. Raises Rejected, adding nothing.
        """
        project_id, event_id, _, timestamp, value, index = document
        if not _CLOCK.fullmatch(timestamp, 10):
            periods.storable(timestamp)  # says what is wrong with it
        if not (_is_line(value) and _is_line(index)):
            raise Rejected("the event or its header index is not a canonical "
                           "JSON object", code="store_rejected")
        place = self._place(project_id, timestamp[:10])
        name = orjson.dumps(place.prefix + event_id)
        if not event_id or len(name) > _LONGEST_ID + len('""'):
            raise Rejected("the event id is empty or too long",
                           code="invalid_event_id", where="event_id")
        body += place.before
        body += name
        body += place.after
        body += value
        del body[-1]
        body += b',"index":'
        body += index
        del body[-1]
        body += place.end
        return place.index

    def _find_place(self, project_id: str, day: str) -> Place:
        """:param day: the first ten characters of a canonical timestamp"""
        slug = self._layout.slug(project_id)
        index = self._layout.index(slug, f"{day}T00:00:00.000000Z")
        routing = b',"routing":' + orjson.dumps(slug) \
            if self._layout.pooled else b""
        return Place(
            index, self._layout.document_id(slug, ""),
            b'{"create":{"_index":%b,"_id":' % orjson.dumps(
                write_alias(index)), routing + b"}}\n",
            b',"project":%b}}\n' % orjson.dumps(slug))

    def _send(self, documents: Sequence[Document], request: Request,
              tally: Tally, wanted: str) -> None:
        try:
            answer = self._client.bulk(operations=request.body,
                                       require_alias=True,
                                       filter_path=wanted).body
        except elasticsearch.BadRequestError as error:
            self._halve(documents, request, tally, wanted,
                        f"{error.error} (status 400)")
        except elasticsearch.ApiError as error:
            if error.status_code == 413:
                self._halve(documents, request, tally, wanted,
                            "too large (status 413)")
            elif error.status_code == 429:
                # The parent circuit breaker or a full queue: all of it again.
                tally.busy += request.positions
                tally.reason = f"{error.error} (status 429)"
            else:
                raise
        else:
            items = answer["items"]
            if answer.get("errors") is False \
                    and len(items) == len(request.positions):
                # Nothing but new documents, as nearly always.
                tally.stored += len(items)
            elif wanted == _STATUSES:
                self._ask_again(documents, request, items, tally)
            else:
                self._count(request, items, tally)

    def _ask_again(self, documents: Sequence[Document], request: Request,
                   answers: Sequence[dict], tally: Tally) -> None:
        """Send what was not stored once more, to hear why."""
        unclear = [position for position, answer in zip(
            request.positions, answers, strict=True)
            if not outcomes.is_stored(answer)]
        tally.stored += len(request.positions) - len(unclear)
        self._write(documents, unclear, tally, _REASONS)

    def _halve(self, documents: Sequence[Document], request: Request,
               tally: Tally, wanted: str, reason: str) -> None:
        """Find the document for which a whole request was refused."""
        positions = request.positions
        if len(positions) == 1:
            tally.reject(positions[0], reason)
            return
        middle = len(positions) // 2
        self._write(documents, positions[:middle], tally, wanted)
        self._write(documents, positions[middle:], tally, wanted)

    def _count(self, request: Request, answers: Sequence[dict],
               tally: Tally) -> None:
        missing = set()
        for position, index, answer in zip(
                request.positions, request.indices, answers, strict=True):
            found = outcomes.outcome(answer)
            if found.kind == outcomes.STORED:
                tally.stored += 1
            elif found.kind == outcomes.REPEATED:
                tally.repeated += 1
            elif found.kind == outcomes.REJECTED:
                tally.reject(position, found.reason)
            else:
                tally.busy.append(position)
                tally.reason = found.reason
                if found.kind == outcomes.MISSING:
                    missing.add(index)
        if missing:
            self._indices.forget(missing)


def _is_line(text: bytes) -> bool:
    """Return whether this may be an object on one line.

    A line break would begin the next action of the bulk request.
    """
    return (text[:2] == b'{"' and text[-1:] == b"}"
            and _LINE_FEED not in text and _CARRIAGE_RETURN not in text)
