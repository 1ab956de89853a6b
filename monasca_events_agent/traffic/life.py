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


"""One lifecycle in progress: its dice, its clock and its open operations.

A scenario (see ``services``) is a generator over a Life. It yields what the
services say now, and after how many seconds it wants to go on.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
import dataclasses
import datetime
import random

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.notification import Notification
from monasca_events_agent.traffic.notification import Span
from monasca_events_agent.traffic.notification import wire_time

#: What a scenario yields: notifications, and seconds until it goes on.
Step = tuple[list[Notification], float]
Scenario = Generator[Step, None, None]

_EDGES = ("start", "end", "error")


@dataclasses.dataclass(frozen=True, slots=True)
class Temper:
    """How well-behaved the cloud is, and who in it speaks.

    :ivar errors: share of operations that fail
    :ivar missing_ends: share of operations of which no end is ever heard
    :ivar services: names of the services that speak
    :ivar nova_format: as nova's option ``notification_format``:
        unversioned, versioned or both
    """

    errors: float = 0.03
    missing_ends: float = 0.0
    services: frozenset[str] = frozenset()
    nova_format: str = "unversioned"


class Life:
    """What a scenario works with. ``now`` is set before it goes on."""

    def __init__(self, number: int, draw: random.Random,
                 cloud: clouds.Cloud, temper: Temper,
                 now: datetime.datetime) -> None:
        self.number = number
        self.draw = draw
        self.cloud = cloud
        self.temper = temper
        self.now = now
        self.tenant = draw.choice(cloud.tenants)
        self.user = draw.choice(self.tenant.users)
        self.request_id = f"req-{self.uuid()}"
        self.fate = "end"
        self._open: dict[str, tuple[str, datetime.datetime]] = {}

    def uuid(self) -> str:
        return clouds.new_uuid(self.draw)

    def hex(self, digits: int = 32) -> str:
        return f"{self.draw.getrandbits(4 * digits):0{digits}x}"

    def name(self) -> str:
        return f"{self.draw.choice(clouds.NAMES)}-{self.draw.randrange(100)}"

    def about(self, seconds: float) -> float:
        """Return seconds, mostly near ``seconds``, now and then far more."""
        return seconds * self.draw.lognormvariate(-0.1, 0.5)

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def address(self) -> str:
        """Return an address in the tenant's network."""
        return f"10.{self.tenant.octet}.0.{self.draw.randrange(2, 254)}"

    def new_request(self, user: clouds.User | None = None) -> None:
        """What follows belongs to another request, perhaps of another user."""
        self.request_id = f"req-{self.uuid()}"
        self.user = user or self.draw.choice(self.tenant.users)

    def say(self, service: str, event_type: str, payload: Mapping, *,
            publisher_id: str, priority: str = "INFO",
            context: Mapping | None = None, resource_id: str | None = None,
            project_id: str | None = "") -> list[Notification]:
        """Return what the service says now: one notification, or nothing
        where that service does not speak in this run.

        :param context: None for the context of the current request
        :param project_id: whose event it will be, by default the tenant's
        """
        # Drawn also for one who is silent: the others' ids stay the same.
        message_id = self.uuid()
        if service not in self.temper.services:
            return []
        if context is None:
            context = clouds.context(self.tenant, self.user, self.request_id,
                                     self.now, service)
        return [Notification(
            context, publisher_id, event_type, priority, payload, message_id,
            wire_time(self.now),
            self.tenant.project_id if project_id == "" else project_id,
            resource_id, service, self.number,
            self._span(event_type, message_id))]

    def _span(self, event_type: str, message_id: str) -> Span | None:
        operation, _, edge = event_type.rpartition(".")
        if edge not in _EDGES:
            return None
        if edge == "start":
            self._open[operation] = message_id, self.now
            return Span(operation, edge, ends=self.fate)
        start_id, began = self._open.pop(operation, (None, None))
        if start_id is None:
            return None
        return Span(operation, edge, start_message_id=start_id,
                    duration=(self.now - began).total_seconds())

    def operation(self, say: Callable[[str], list[Notification]],
                  seconds: float, *, rest: float = 5.0,
                  may_fail: bool = True,
                  within: Callable[[str], Iterable[Step]] | None = None
                  ) -> Generator[Step, None, str]:
        """Start something, and say how it ended unless that is never heard.

        :param say: makes the notifications of an edge
        :param seconds: about how long it takes
        :param rest: seconds until the scenario goes on
        :param within: what happens before the end, told how that will be
        :returns: end, error or never
        """
        fate = self.fate = self._throw(may_fail)
        yield say("start"), self.about(seconds)
        self.fate = "end"
        if within is not None:
            yield from within(fate)
        if fate != "never":
            yield say(fate), self.about(rest)
        return fate

    def _throw(self, may_fail: bool) -> str:
        # Both dice are always thrown, so that one option does not change
        # what the other decides.
        lost = self.chance(self.temper.missing_ends)
        failed = self.chance(self.temper.errors)
        if lost:
            return "never"
        return "error" if failed and may_fail else "end"
