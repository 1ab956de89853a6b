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

"""The kinds ``sequence`` and ``absence``: steps that must come in time.

A run begins with the first step and ends when all steps came, when an event
matches ``unless``, or when the time is up; then what came too late after all
is a recovery. A group has one run at a time: a first step that comes again
begins it anew.
"""

from collections.abc import Mapping, Sequence

from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.firing import FIRED
from monasca_events_common.rules.firing import MISSED
from monasca_events_common.rules.firing import RECOVERED
from monasca_events_common.rules.trigger import fired
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger

#: Slot of the pattern that ends a run without a finding.
UNLESS = "unless"

#: Seconds for which a missed run waits for its end, counted from the
#: deadline, or as long as ``within`` where that is more.
RECOVERY = 86400.0

_IDLE, _OPEN, _MISSED = "idle", "open", "missed"


class Steps(Trigger):
    """One run of steps.

    :ivar steps: slots of the steps, in their order
    """

    __slots__ = ("steps", "within", "is_in_order", "is_strict", "is_absence",
                 "status", "begun", "seen", "deadline")

    def __init__(self, steps: Sequence[str], within: float, *,
                 ordered: bool = True, strict: bool = False,
                 absence: bool = False) -> None:
        """
        :param within: seconds from the first step's event to the last one's
        :param ordered: the steps must come in their order
        :param strict: a later step that comes too early is a miss at once;
            otherwise it is passed over
        :param absence: all having come in time is no finding
        """
        self.steps = steps
        self.within = within
        self.is_in_order = ordered
        self.is_strict = strict and ordered
        self.is_absence = absence
        self._forget()

    def _forget(self) -> None:
        self.status = _IDLE
        self.begun = 0.0
        self.seen: dict[str, str] = {}  # slot → event id, in order of coming
        self.deadline = None

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        at = seconds(event["timestamp"])
        found: list[Finding] = []
        if self.status == _OPEN and at > self.deadline:
            # The clock has not come by yet, but this event says it is over.
            found.extend(self.tick(at))
        if self.status != _IDLE and at < self.begun:
            # From before the run; it came later than lateness allows.
            return found
        if UNLESS in slots:
            self._forget()
            return found
        step = self._next(slots)
        if step is None:
            return found + self._misplaced(event, slots)
        if self.status == _IDLE or step == self.steps[0] and step in self.seen:
            self._begin(at)
        self.seen[step] = event["event_id"]
        if len(self.seen) == len(self.steps):
            found.extend(self._complete(event, at))
        return found

    def _next(self, slots: Sequence[str]) -> str | None:
        """Return the step that an event is taken for, None for none."""
        if self.is_in_order:
            expected = self.steps[len(self.seen)]
            if expected in slots:
                return expected
            # The first step again: what came before it led nowhere.
            return self.steps[0] if self.steps[0] in slots else None
        missing = [one for one in self.steps
                   if one in slots and one not in self.seen]
        if missing:
            return missing[0]
        return None

    def _misplaced(self, event: Mapping, slots: Sequence[str]
                   ) -> list[Finding]:
        """A step that cannot come now: passed over, or a miss if strict."""
        if not (self.is_strict and self.status == _OPEN):
            return []
        early = [one for one in self.steps[len(self.seen):] if one in slots]
        if not early:
            return []
        expected = self.steps[len(self.seen)]
        found = fired(event, f"{early[0]} came before {expected}", MISSED,
                      others=list(self.seen.values()))
        self._forget()
        return [found]

    def _begin(self, at: float) -> None:
        self._forget()
        self.status = _OPEN
        self.begun = at
        self.deadline = at + self.within

    def _complete(self, event: Mapping, at: float) -> list[Finding]:
        took = round(at - self.begun, 6)
        others = list(self.seen.values())[:-1]
        was_missed = self.status == _MISSED
        last = list(self.seen)[-1]
        self._forget()
        if was_missed:
            return [fired(event, f"{last} came after all, {took:g} s after "
                          "the beginning", RECOVERED, took, others)]
        if self.is_absence:
            return []
        return [fired(event, f"all {len(self.steps)} steps came within "
                      f"{took:g} s", FIRED, took, others)]

    def tick(self, now: float) -> Sequence[Finding]:
        if self.status == _OPEN and self.deadline <= now:
            missing = [one for one in self.steps if one not in self.seen]
            found = Finding(
                MISSED, self.deadline, tuple(self.seen.values()),
                f"{' and '.join(missing)} did not come within "
                f"{self.within:g} s")
            self.status = _MISSED
            self.deadline += max(self.within, RECOVERY)
            return (found,)
        if self.status == _MISSED and self.deadline <= now:
            self._forget()
        return ()

    def dump(self) -> object | None:
        if self.status == _IDLE:
            return None
        return [self.status, self.begun, self.deadline, self.seen]

    def load(self, state: object) -> None:
        self.status, self.begun, self.deadline, seen = state
        self.seen = dict(seen)

    def describe(self, now: float) -> str:
        missing = [one for one in self.steps if one not in self.seen]
        if self.status == _OPEN:
            return (f"waits for {' and '.join(missing)}, "
                    f"{max(0.0, self.deadline - now):.0f} s are left")
        if self.status == _MISSED:
            return f"missed {' and '.join(missing)}, which may still come"
        return f"no run is under way; {self.steps[0]} would begin one"
