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

"""The kind ``duration``: how long it takes from one event to another."""

from collections.abc import Mapping, Sequence

from monasca_events_common.rules import comparison
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.trigger import fired
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger

START, END = "start", "end"

#: Seconds for which a beginning is remembered while its end does not come.
MEMORY = 7 * 86400.0


class Duration(Trigger):
    """Measures from the latest beginning to the next end of its group."""

    __slots__ = ("compare", "memory", "begun", "event_id", "deadline")

    def __init__(self, compare: comparison.Comparison | None,
                 memory: float = MEMORY) -> None:
        """:param compare: of the seconds it took; None fires for every pair
        :param memory: seconds for which a beginning waits for its end
        """
        self.compare = compare
        self.memory = memory
        self._forget()

    def _forget(self) -> None:
        self.begun = 0.0
        self.event_id: str | None = None
        self.deadline = None

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        at = seconds(event["timestamp"])
        if END in slots and self.event_id is not None and at >= self.begun:
            took = round(at - self.begun, 6)
            first = self.event_id
            self._forget()
            found = ()
            if self.compare is None or self.compare.holds(took):
                wanted = f", which is {self.compare}" if self.compare else ""
                found = (fired(event, f"it took {took:g} s{wanted}",
                               value=took, others=[first]),)
            if START not in slots:
                return found
            self._begin(event, at)
            return found
        if START in slots:
            self._begin(event, at)
        return ()

    def _begin(self, event: Mapping, at: float) -> None:
        self.begun = at
        self.event_id = event["event_id"]
        self.deadline = at + self.memory

    def tick(self, now: float) -> Sequence[Finding]:
        if self.deadline is not None and self.deadline <= now:
            self._forget()
        return ()

    def dump(self) -> object | None:
        return None if self.event_id is None else [self.begun, self.event_id]

    def load(self, state: object) -> None:
        self.begun, self.event_id = state
        self.deadline = self.begun + self.memory

    def describe(self, now: float) -> str:
        if self.event_id is None:
            return "waits for a beginning"
        return f"waits for the end, {max(0.0, now - self.begun):.0f} s so far"
