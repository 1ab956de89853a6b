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

"""Requests: the steps of each, gathered from a history.

Events with a request id belong to the request, others to their resource. A
request is over when nothing has come of it for a while; then what is kept of
it is when each type of event came first. Of very many requests a random
choice is kept.
"""

from collections.abc import Iterator, Mapping
import random
import sys
from typing import NamedTuple

#: Seconds after the last event when a request is taken to be over.
GAP = 4 * 3600.0

#: Requests that are kept; of more a random choice is.
MAX_REQUESTS = 200_000

#: Types of events of one request of which note is taken.
MAX_TYPES = 64

BY_REQUEST, BY_RESOURCE = "request_id", "resource_id"


class Request(NamedTuple):
    """What is kept of a request, or of what a resource did in one go.

    :ivar by: the field that its events have in common
    :ivar types: event types, each once, in the order of their first coming
    :ivar times: when each came first, seconds since the epoch
    :ivar flavors: what each said then of the flavour, None for nothing
    """

    by: str
    types: tuple[str, ...]
    times: tuple[float, ...]
    flavors: tuple[str | None, ...]


class _Open:
    """A request that goes on."""

    __slots__ = ("steps", "last")

    def __init__(self) -> None:
        #: Event type → (when, flavour) of its first one.
        self.steps: dict[str, tuple[float, str | None]] = {}
        self.last = 0.0


class Requests:
    """All requests.

    :ivar count: how many are over
    """

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[Request] = []
        #: (project, field, value) → request, the longest silent first.
        self._open: dict[tuple[str, str, str], _Open] = {}
        self._dice = random.Random(1)  # noqa: S311 - no secret

    def observe(self, event: Mapping, at: float, flavor: str | None) -> None:
        """Take note of an event, in the order of time within a project.

        :param at: its time, seconds since the epoch
        """
        by = BY_REQUEST if event[BY_REQUEST] else BY_RESOURCE
        if not event[by]:
            return
        key = event["project_id"], by, event[by]
        found = self._open.pop(key, None)
        if found is not None and at - found.last > GAP:
            self._close(by, found)
            found = None
        if found is None:
            found = _Open()
        # Put back at the end: the first ones are those that say no more.
        self._open[key] = found
        found.last = at
        name = event["event_type"]
        if name not in found.steps and len(found.steps) < MAX_TYPES:
            found.steps[sys.intern(name)] = at, flavor and sys.intern(flavor)
        self._close_silent(at - GAP)

    def _close_silent(self, before: float) -> None:
        while self._open:
            key = next(iter(self._open))
            if self._open[key].last >= before:
                return
            self._close(key[1], self._open.pop(key))

    def _close(self, by: str, request: _Open) -> None:
        if len(request.steps) < 2:
            return
        self.count += 1
        place = self.count - 1
        if place >= MAX_REQUESTS:
            place = self._dice.randrange(self.count)
            if place >= MAX_REQUESTS:
                return
        made = Request(by, tuple(request.steps),
                       tuple(at for at, _ in request.steps.values()),
                       tuple(one for _, one in request.steps.values()))
        self._kept[place:place + 1] = [made]

    def finish(self) -> None:
        """No more events of these projects come."""
        for key, request in self._open.items():
            self._close(key[1], request)
        self._open.clear()

    def kept(self, by: str) -> list[Request]:
        """Return those of one kind."""
        return [one for one in self._kept if one.by == by]

    def limits(self) -> Iterator[str]:
        """Yield a sentence for each limit that was reached."""
        if self.count > MAX_REQUESTS:
            yield (f"of {self.count} requests {MAX_REQUESTS} were chosen at "
                   "random")
