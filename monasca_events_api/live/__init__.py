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


"""What is happening now: the last events in memory, and streams of them.

One thread of a process watches the bus while somebody asks; it fills rings,
one for each project, and hands what it sees to the streams. It belongs to no
consumer group, so that nothing waits for it, and it holds nothing that is
not on the bus or in the store as well.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oslo_config import cfg
import orjson

from monasca_events_common import event as events
from monasca_events_common.bus import Delivery
from monasca_events_common.bus import SCHEMA

GROUP = "live"

OPTS = [
    cfg.IntOpt("max_streams", default=20, min=0, max=1000,
               help="Streams of events that one worker process serves at "
                    "once; each takes a thread, beside those of [api] "
                    "threads where monasca-events-api serves by itself. "
                    "Under another server they are fewer where that has "
                    "fewer than so many threads beside [api] threads: see "
                    "server_threads. 0 turns streams off."),
    cfg.IntOpt("server_threads", default=0, min=0, max=10000,
               help="Threads of each worker process of a server that does "
                    "not tell them, such as gunicorn's --threads; uwsgi and "
                    "mod_wsgi tell them. Streams leave [api] threads of them "
                    "to requests, and a half where there are fewer than "
                    "twice as many. 0 is for not known: a worker process "
                    "then serves one stream at a time."),
    cfg.IntOpt("streams_of_project", default=10, min=1, mutable=True,
               help="Streams of one project that one worker process serves "
                    "at once. Where a server's threads allow fewer streams "
                    "than max_streams, a project may have half of them."),
    cfg.IntOpt("stream_events", default=1000, min=1, mutable=True,
               help="Events that wait for one stream at most. Of a client "
                    "that reads more slowly than events come the oldest ones "
                    "are left out, and it is told how many."),
    cfg.FloatOpt("stream_rate", default=200.0, min=10.0, mutable=True,
                 help="Events a second that one stream gives at most, after "
                      "stream_events at once. What comes faster waits, and "
                      "is left out as above, so that streams cost those who "
                      "post little."),
    cfg.FloatOpt("streams_rate", default=2000.0, min=10.0, mutable=True,
                 help="Events a second that all streams of one worker process "
                      "give together at most, each an equal share. What "
                      "streams cost those who post is bounded so, however "
                      "many there are and whatever they want."),
    cfg.FloatOpt("stream_lifetime", default=600.0, min=1.0, mutable=True,
                 help="Seconds after which a stream ends. Its client asks "
                      "again, and its token and its roles are looked at "
                      "anew."),
    cfg.FloatOpt("heartbeat", default=15.0, min=0.1, mutable=True,
                 help="Seconds without an event after which a stream gives a "
                      "sign of life."),
    cfg.IntOpt("events", default=500, min=1, mutable=True,
               help="Events of one project that are remembered for "
                    "/v1.0/events/recent and for streams that go on where "
                    "they were."),
    cfg.IntOpt("project_bytes", default=2 << 20, min=1 << 10, mutable=True,
               help="Bytes of one project's remembered events at most."),
    cfg.IntOpt("bytes", default=64 << 20, min=1 << 20, mutable=True,
               help="Bytes of all remembered events of one worker process at "
                    "most. Beyond that the project that had no event for the "
                    "longest time is forgotten."),
    cfg.IntOpt("backlog", default=1000, min=0, mutable=True,
               help="Records of each of the bus's partitions that are read "
                    "when somebody asks for the first time, so that there is "
                    "something to remember."),
    cfg.FloatOpt("idle", default=600.0, min=1.0, mutable=True,
                 help="Seconds without a stream and without a request for "
                      "recent events after which a worker process stops "
                      "watching the bus and forgets what it remembered."),
]

#: Seconds for which a request waits until the bus is being watched, and
#: requests that may: the others are told to come again.
PATIENCE = 10.0
WAITING = 2

_FIELDS = frozenset(events.FIELDS)


class Seen(NamedTuple):
    """An event on the bus: where it stands there, and its bytes."""

    project_id: str
    partition: int
    offset: int
    event_id: str
    event_type: str
    timestamp: str
    value: bytes


def see(deliveries: Sequence[Delivery]) -> list[Seen]:
    """Return the events among records, in their order.

    Left out is what the store would not take as it is: forged records, and
    those of other releases, the retired API's among them.
    """
    found = []
    for one in deliveries:
        headers, value = one.headers, one.value
        try:
            if headers["schema"] != SCHEMA:
                continue
            event_id = headers["event_id"]
            # Whoever can write to the bus can claim another tenant's event,
            # and a line break would end a message.
            if _LINE_BREAK in value or not value.startswith(
                    b'{"event_id":"%b","project_id":"%b",'
                    % (event_id, one.key)):
                continue
            found.append(Seen(
                one.key.decode(), one.partition, one.offset,
                event_id.decode(), headers["event_type"].decode(),
                headers["timestamp"].decode(), value))
        except (KeyError, UnicodeDecodeError):
            continue
    return found


#: A number is found in bytes much faster than bytes of one are.
_LINE_BREAK = ord("\n")


def text_of(value: bytes, mark: bytes) -> str | None:
    """Return a field of an event that holds one string, or none, without
    decoding the event.

    The first such key is the event's own: before it there are only strings,
    and a quote within one is escaped.

    :param mark: ``"name":`` as it stands in the event
    """
    start = value.find(mark)
    if start < 0:
        return None
    start += len(mark)
    if value[start] != _QUOTE:
        return None
    end = value.find(b'"', start + 1)
    text = value[start + 1:end]
    if _ESCAPE in text:
        found = decode(value)
        return found and found.get(mark[1:-2].decode())
    return text.decode(errors="replace")


_QUOTE, _ESCAPE = ord('"'), ord("\\")


def source_of(value: bytes) -> str:
    """Return an event's ``source``."""
    return text_of(value, b'"source":') or ""


def decode(value: bytes) -> dict | None:
    """Return an event, None where the bytes are none: see :func:`see`."""
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if type(event) is dict and event.keys() >= _FIELDS and all(
            type(event[name]) is dict for name in (
                "payload", "traits", "dimensions")):
        return event
    return None


def positions_of(text: str) -> dict[int, int] | None:
    """Return partition → offset, of a message's id; None where it is none."""
    found = {}
    for pair in text.split(","):
        partition, dot, following = pair.partition(".")
        if not (dot and _is_number(partition, 6)
                and _is_number(following, 18)):
            return None
        found[int(partition)] = int(following) - 1
    return found


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= digits


def message_id(positions: Mapping[int, int]) -> str:
    """Return the id of a message behind which a stream stands there.

    :param positions: partition → offset, -1 before the first one
    """
    return ",".join(f"{partition}.{offset + 1}"
                    for partition, offset in sorted(positions.items()))
