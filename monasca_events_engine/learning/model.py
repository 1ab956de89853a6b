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

"""The model: what a history says is usual, event after event."""

from collections.abc import Callable, Iterator, Mapping
import dataclasses

from monasca_events_common.rules.trigger import seconds
from monasca_events_engine.learning import requests
from monasca_events_engine.learning.chains import Chain
from monasca_events_engine.learning.chains import chains
from monasca_events_engine.learning.requests import Requests
from monasca_events_engine.learning.spans import Spans
from monasca_events_engine.transitions import transition
from monasca_events_engine.transitions import UPDATED

#: Kinds of transitions of which note is taken.
MAX_TRANSITIONS = 2000


@dataclasses.dataclass(slots=True)
class Transition:
    """What instances did.

    :ivar before, after: their states, None where nova did not say
    :ivar count: how often
    :ivar last: canonical time of the last one
    """

    before: str | None
    after: str | None
    count: int = 0
    last: str = ""


def _word(value) -> str | None:
    return value if type(value) is str else None


class Model:
    """What was learnt.

    :ivar events: how many events it was shown
    :ivar first, last: canonical times of the first and the last of them
    :ivar spans: operations, from start to end
    :ivar transitions: of instances, as :func:`transition` words them
    """

    def __init__(self) -> None:
        self.events = 0
        self.first = self.last = ""
        self.spans = Spans()
        self.transitions: dict[str, Transition] = {}
        self._requests = Requests()

    def observe(self, event: Mapping) -> None:
        """Take note of an event; in the order of time within a project."""
        self.events += 1
        self.first = min(self.first or event["timestamp"],
                         event["timestamp"])
        self.last = max(self.last, event["timestamp"])
        at = seconds(event["timestamp"])
        flavor = event["traits"].get("flavor")
        if type(flavor) is not str or not 0 < len(flavor) <= 64:
            flavor = None  # others may post what they like
        self.spans.observe(event, at, flavor)
        self._requests.observe(event, at, flavor)
        if event["event_type"] in UPDATED \
                and event["source"] == "notification":
            self._move(event)

    def _move(self, event: Mapping) -> None:
        words = transition(event)
        if words is None:
            return
        found = self.transitions.get(words)
        if found is None:
            if len(self.transitions) >= MAX_TRANSITIONS:
                return
            found = self.transitions[words] = Transition(
                _word(event["traits"].get("old_state")),
                _word(event["traits"].get("state")))
        found.count += 1
        found.last = max(found.last, event["timestamp"])

    def finish(self) -> None:
        """No more events of these projects come; others may."""
        self.spans.finish()
        self._requests.finish()

    def chains(self, share: float, least: int,
               told: Callable[[int, int], None]) -> Iterator[Chain]:
        """Yield the chains of requests, and of resources without them.

        The parameters are those of :func:`chains.chains`.
        """
        for by in (requests.BY_REQUEST, requests.BY_RESOURCE):
            yield from chains(self._requests.kept(by), share, least, told)

    def limits(self) -> Iterator[str]:
        """Yield a sentence for each limit that was reached."""
        yield from self.spans.limits()
        yield from self._requests.limits()
        if len(self.transitions) >= MAX_TRANSITIONS:
            yield (f"no more than {MAX_TRANSITIONS} kinds of transitions "
                   "were looked at")
