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

"""``/v1.0/events/stream``: events as they come, by server-sent events.

The stream goes on where it was after a broken connection: each message has an
id, and the last one is told to the API in ``Last-Event-ID``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
import dataclasses
import json
import time
from typing import Any

import requests

from monasca_events_client import errors
from monasca_events_client.transport import Query
from monasca_events_client.transport import Transport

PATH = "/v1.0/events/stream"

#: Seconds without a byte after which a connection is taken for dead; the API
#: gives a sign of life more often.
_SILENCE = 60.0

#: Seconds before a stream that ended is asked for again, unless the API says.
_PAUSE = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One block of a stream.

    :ivar kind: ``message`` where it does not say
    :ivar data: None of a block that only says where the stream is
    :ivar last_id: the id behind which to go on
    :ivar retry: seconds before a stream that ended is asked for again, or
        None
    """

    kind: str
    data: str | None
    last_id: str
    retry: float | None = None


def messages(chunks: Iterable[bytes], last_id: str = "") -> Iterator[Message]:
    """Yield the blocks of a stream's bytes, as HTML's standard reads them.

    What the bytes end with is a block only after an empty line.
    """
    kind, data, retry = "", [], None
    for line in _lines(chunks):
        if not line:
            yield Message(kind or "message",
                          "\n".join(data) if data else None, last_id, retry)
            kind, data, retry = "", [], None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and value.isascii() and value.isdecimal():
            retry = int(value) / 1000


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    before = b""
    for chunk in chunks:
        *whole, before = (before + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")


class Stream:
    """Events as they come; iterating does not end by itself.

    :ivar last_id: of the last event that was given; another stream with it
        goes on behind that
    """

    def __init__(self, transport: Transport, query: Query = (), *,
                 last_id: str = "", patience: float = 300.0,
                 gap: Callable[[Mapping[str, Any]], None] | None = None,
                 sleep: Callable[[float], None] = time.sleep,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """
        :param patience: seconds for which a stream that was there once may
            be away
        :param gap: told that events were left out: ``reason``, ``missed``
        """
        self._transport = transport
        self._query = query
        self._patience = patience
        self._gap = gap or (lambda told: None)
        self._sleep = sleep
        self._clock = clock
        self._pause = _PAUSE
        self._response: requests.Response | None = None
        self.last_id = last_id

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield events.

        :raises NotFound: the API has no streams
        :raises ServiceUnavailable, Unreachable: it has no room for one, or
            does not come back
        """
        if self._response is None:
            self.open()
        while True:
            try:
                yield from self._read(self._response)
            finally:
                self.close()
            self._again()

    def open(self) -> None:
        """Return when the API has begun to stream.

        What happens from then on is in the stream, however late it is read.
        Errors are those of iterating.
        """
        headers = {"Accept": "text/event-stream"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        self._response = self._transport.request(
            "GET", PATH, query=self._query, headers=headers, stream=True,
            timeout=_SILENCE)

    def close(self) -> None:
        """Let the API have the stream's place; iterating opens it again."""
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def _again(self) -> None:
        """Open a stream that ended once more."""
        ends = self._clock() + self._patience
        while True:
            self._sleep(self._pause)
            try:
                self.open()
                return
            except (errors.Unreachable, errors.ServerError):
                if self._clock() > ends:
                    raise

    def _read(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """Yield events until the connection ends."""
        # What is not chunked would be read to an end that does not come.
        size = None if getattr(response.raw, "chunked", False) else 1
        try:
            for message in messages(response.iter_content(size),
                                    self.last_id):
                self.last_id = message.last_id
                if message.retry is not None:
                    self._pause = message.retry
                if message.data is not None:
                    content = json.loads(message.data)
                    if message.kind == "message":
                        yield content
                    elif message.kind == "gap":
                        self._gap(content)
        except requests.RequestException:
            return
