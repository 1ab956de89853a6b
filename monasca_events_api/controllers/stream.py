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


"""``/v1.0/events/stream``: events as they come, as server-sent events.

Each message's id says where on the bus the stream stands, so that a client
which lost its connection goes on there with ``Last-Event-ID``, with any worker
of the API. Where memory does not reach back so far, it is told.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import itertools
import time

import orjson
import webob

from monasca_events_api import filters
from monasca_events_api.controllers import resource
from monasca_events_api.live import message_id
from monasca_events_api.live import positions_of
from monasca_events_api.live import Seen
from monasca_events_api.live.follower import Watch
from monasca_events_api.live.selection import parse_pattern
from monasca_events_api.live.selection import Selection
from monasca_events_api.live.streams import Fresh
from monasca_events_api.live.streams import make_message
from monasca_events_api.live.streams import Stream
from monasca_events_api.policies import events as rules
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.store import ALL

EVENT_STREAM = "text/event-stream"

#: Milliseconds after which a client asks again.
_RETRY = 1000

#: Seconds for which another worker of the API may be ahead of this one; after
#: them a position that is not there is one of another log.
_PATIENCE = 2.0

#: Remembered events that are given at once.
_TOGETHER = 100

#: Seconds between two writes: what comes meanwhile goes together.
_PACE = 0.1

#: Writes a second of all streams together. Waking a thread costs more than
#: the few events that it then writes, and ingest would pay for it; so each of
#: many streams writes less often: of 200, once a second.
_WRITES = 200


class _Endless(webob.Response):
    """An answer whose body nobody looks at before it is sent.

    Pecan would read all of it, to say 204 where there is none.
    """

    body = b"to come"


class StreamController:
    """The stream."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @resource.reads(index, EVENT_STREAM)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_request(req.query_string, parts.conf.limits,
                                      paging=False, own=("pattern",))
        project_id = resource.scope(parts, req, rules.STREAM, asked)
        query = asked.query
        for name, given in (("timestamp", query.since or query.until),
                            ("quick", query.quick)):
            if given:
                raise filters.unknown(name)
        pattern = asked.rest.get("pattern")
        selection = Selection(query, None if pattern is None else
                              parse_pattern(pattern,
                                            parts.conf.rules.max_cost))
        positions = _positions(req.headers.get("Last-Event-ID"))
        # A process that serves one request at a time would serve no other.
        if not parts.live.streams.most or not req.environ.get(
                "wsgi.multithread", True):
            raise NotFound("this service has no streams")
        body: Iterable[bytes] = ()
        if req.method != "HEAD":
            body = self._begin(project_id, selection, positions)
        return _Endless(app_iter=body, headerlist=[
            ("Content-Type", EVENT_STREAM), ("Cache-Control", "no-store"),
            # nginx would keep messages until it has enough of them.
            ("X-Accel-Buffering", "no")])

    def _begin(self, project_id, selection: Selection, positions
               ) -> "Messages":
        live = self._parts.live
        watch = live.watch()
        stream = live.streams.open(project_id, selection)
        try:
            return self._prepare(watch, stream, positions)
        except BaseException:
            live.streams.leave(stream)
            raise

    def _prepare(self, watch: Watch, stream: Stream,
                 positions: dict[int, int] | None) -> "Messages":
        # From here on what comes waits in the stream, so that nothing lies
        # between what is remembered and what is new.
        begin = watch.now()
        found: Sequence = ()
        whole = True
        if positions is not None:
            whole = watch.reaches(positions, _PATIENCE)
            if whole:
                found, whole = watch.rings.behind(stream.project_id,
                                                  positions)
                begin.update(positions)
        return Messages(self._parts.live.streams, stream, watch,
                        self._parts.conf.live, begin, found, whole)


class Messages:
    """The body of an answer: what a stream brings, until it ends.

    Iterated by the web server's thread; closed by it when the client is gone.
    """

    def __init__(self, streams, stream: Stream, watch: Watch, conf,
                 positions: dict[int, int], before: Sequence[Seen],
                 whole: bool) -> None:
        """:param positions: behind which offsets it stands
        :param before: what it gives first
        :param whole: whether that is all that was missed
        """
        self._streams = streams
        self._stream = stream
        self._watch = watch
        self._conf = conf
        self._positions = positions
        self._before = before
        self._whole = whole
        self._messages = self._iterate()

    def __iter__(self) -> Iterator[bytes]:
        return self._messages

    def close(self) -> None:
        """Give up the stream, however far it was read."""
        self._streams.leave(self._stream)

    def _iterate(self) -> Iterator[bytes]:
        ends = time.monotonic() + self._conf.stream_lifetime
        yield b"retry: %d\n%b" % (_RETRY, self._beat())
        if not self._whole:
            yield _gap("forgotten", None)
        wants = self._stream.selection.wants
        before = self._new(one for one in map(Fresh, self._before)
                           if one.event is not None and wants(one.event))
        while parts := list(itertools.islice(before, _TOGETHER)):
            yield b"".join(parts)
        self._before = ()
        room, at = self._share()[1], time.monotonic()
        while (left := ends - time.monotonic()) > 0:
            told = self._watch.told
            taken = self._stream.take(min(left, self._conf.heartbeat),
                                      max(1, int(room)))
            if taken is None:
                return
            found, missed = taken
            now = time.monotonic()
            rate, most = self._share()
            room = min(room + (now - at) * rate, most) - len(found)
            at = now
            if not found:
                # Nothing was wanted of what came: nobody need look again.
                self._advance(told)
            parts = [_gap("too_slow", missed)] if missed else []
            parts += self._new(found)
            yield b"".join(parts) or self._beat()
            self._stream.rest(max(_PACE, self._streams.count / _WRITES))

    def _share(self) -> tuple[float, float]:
        """Return how many events a second the stream may give, and at once.
        """
        rate = min(self._conf.stream_rate,
                   self._conf.streams_rate / max(1, self._streams.count))
        return rate, self._conf.stream_events * rate / self._conf.stream_rate

    def _new(self, found: Iterable[Fresh]) -> Iterator[bytes]:
        """Yield the messages of what was not given yet."""
        place = None
        is_one = self._stream.project_id is not ALL
        for one in found:
            _, partition, offset, *_ = one.seen
            # Of one record several events may have been made; they are
            # always together.
            if offset <= self._positions.get(partition, -1) \
                    and place != (partition, offset):
                continue
            place = partition, offset
            if one.event is None:
                continue
            if is_one:
                self._positions = {partition: offset}
                yield one.message
            else:
                self._positions[partition] = offset
                yield make_message(self._positions, one.seen.value)

    def _advance(self, told: Mapping[int, int]) -> None:
        """Go on to where the follower was before nothing came."""
        for partition in self._positions:
            self._positions[partition] = max(
                self._positions[partition], told.get(partition, -1))

    def _beat(self) -> bytes:
        return b"id: %b\n\n" % message_id(self._positions).encode()


def _gap(reason: str, missed: int | None) -> bytes:
    """Return the message that events were left out.

    :param missed: how many, None where nobody knows
    """
    return b"event: gap\ndata: %b\n\n" % orjson.dumps(
        {"reason": reason, "missed": missed})


def _positions(header: str | None) -> dict[int, int] | None:
    if not header:
        return None
    found = positions_of(header) if len(header) <= 4096 else None
    if found is None:
        raise Rejected("Last-Event-ID is not one that this service gave",
                       code="invalid_marker", where="Last-Event-ID")
    return found
