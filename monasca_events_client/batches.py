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

"""Events as the bodies of requests, none larger than the API takes.

Pure: what is posted, and how, is :mod:`.events`'s business.
"""

from collections.abc import Iterable, Iterator, Mapping
import dataclasses
from typing import Any
import uuid

from monasca_events_client.transport import dump


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """How events are told to the API.

    :ivar media_type: of a request
    :ivar head: what stands before the events in a body
    :ivar tail: what stands after them
    """

    media_type: str
    head: bytes
    tail: bytes


OWN = Form("application/json", b'{"events":[', b"]}")
CLOUDEVENTS = Form("application/cloudevents-batch+json", b"[", b"]")


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Some events for one request.

    :ivar first: index of the first one among all events
    :ivar events: each as JSON
    """

    first: int
    events: list[bytes]

    def body(self, form: Form) -> bytes:
        return b"".join((form.head, b",".join(self.events), form.tail))


def mint(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event with an id, so that it may be posted twice.

    What has one, as every CADF event has, is returned as it is.
    """
    if event.get("event_id") or event.get("message_id") or "typeURI" in event:
        return event
    return {**event, "event_id": str(uuid.uuid4())}


def check(event: Any, index: int) -> None:
    """Raise ValueError where the event would change what others beside it
    mean, or is none."""
    if not isinstance(event, Mapping):
        raise ValueError(f"events[{index}] is no object")
    if isinstance(event.get("event"), Mapping):
        raise ValueError(
            f"events[{index}] is in the form of the retired "
            "monasca-events-api; expected event_type at the top level")


def split(events: Iterable[Mapping[str, Any]], form: Form,
          max_events: int, max_bytes: int) -> Iterator[Batch]:
    """Yield batches of at most so many events, whose bodies are at most so
    large; an event that is too large by itself is a batch of its own."""
    first, some, size = 0, [], 0
    empty = len(form.head) + len(form.tail)
    for index, event in enumerate(events):
        text = dump(event)
        if some and (len(some) >= max_events
                     or empty + size + len(some) + len(text) > max_bytes):
            yield Batch(first, some)
            first, some, size = index, [], 0
        some.append(text)
        size += len(text)
    if some:
        yield Batch(first, some)
