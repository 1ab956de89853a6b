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

"""Failed sequences: a step that came without the one before it.

Nova takes an instance through steps on several hosts. Within one request
each of them must follow the one before: where it came first, or that one
never came, something went wrong which no end alone would show. That a step is
followed by the next one is what missing ends are for.
"""

from collections.abc import Mapping, Sequence

from oslo_config import cfg

from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.firing import MISSED
from monasca_events_common.rules.firing import RECOVERED
from monasca_events_common.rules.trigger import Family
from monasca_events_common.rules.trigger import fired
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger


def _both(legacy: str, versioned: str | None = None) -> tuple[str, str]:
    """Return an event type's names in nova's two formats."""
    return (f"compute.instance.{legacy}", f"instance.{versioned or legacy}")


_SELECTED = ("scheduler.select_destinations.end",)

#: name → steps in their usual order, each the event types that it may be.
#: Only what nova does one after the other: where it hands on to another host
#: before it says that it has ended, the beginnings follow one another.
SEQUENCES: Mapping[str, Sequence[Sequence[str]]] = {
    "schedule": (("scheduler.select_destinations.start",), _SELECTED),
    "create": (_SELECTED, _both("create.start"), _both("create.end")),
    "delete": (_both("delete.start"), _both("delete.end")),
    "rebuild": (_both("rebuild.start"), _both("rebuild.end")),
    "resize": (_both("resize.prep.start", "resize_prep.start"),
               _both("resize.start"),
               _both("finish_resize.start", "resize_finish.start"),
               _both("finish_resize.end", "resize_finish.end")),
    "live-migrate": (
        _both("live_migration.pre.start", "live_migration_pre.start"),
        _both("live_migration.pre.end", "live_migration_pre.end"),
        _both("live_migration._post.start", "live_migration_post.start"),
        _both("live_migration.post.dest.start",
              "live_migration_post_dest.start"),
        _both("live_migration.post.dest.end",
              "live_migration_post_dest.end")),
}


class Order(Trigger):
    """The steps of one request.

    :cvar steps: slots in their usual order
    """

    __slots__ = ("seen", "early", "missed", "forget_at", "deadline")

    severity = "MEDIUM"
    group_by = ("request_id",)
    needs_all = False
    steps: Sequence[str]

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        #: Steps that came.
        self.seen: list[str] = []
        #: Step → [when, event id] of one whose step before may still come,
        #: for clocks differ.
        self.early: dict[str, list] = {}
        #: Step → the same, of one that was reported.
        self.missed: dict[str, list] = {}
        self.forget_at = 0.0
        self.deadline = None

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        if event["request_id"] is None:
            return ()
        at = seconds(event["timestamp"])
        found: list[Finding] = []
        for step in slots:
            place = self.steps.index(step)
            if place and self.steps[place - 1] not in self.seen \
                    and step not in self.missed:
                self.early.setdefault(step, [at, event["event_id"]])
            if step not in self.seen:
                self.seen.append(step)
            found += self._came(place, event, at)
        self.forget_at = max(self.forget_at, at + self.conf.memory)
        self._wait()
        return found

    def _came(self, place: int, event: Mapping, at: float) -> list[Finding]:
        """Take note that a step came, which the next one may have missed."""
        following = self.steps[place + 1:place + 2]
        if not following:
            return []
        self.early.pop(following[0], None)
        was = self.missed.pop(following[0], None)
        if was is None:
            return []
        return [fired(
            event, f"{self.steps[place]} came after all, "
            f"{abs(at - was[0]):g} s from {following[0]}", RECOVERED,
            others=[was[1]])]

    def _wait(self) -> None:
        times = [when + self.conf.tolerance
                 for when, _ in self.early.values()]
        self.deadline = min([*times, self.forget_at])

    def tick(self, now: float) -> Sequence[Finding]:
        found = []
        for step, (when, event_id) in list(self.early.items()):
            at = when + self.conf.tolerance
            if at <= now:
                before = self.steps[self.steps.index(step) - 1]
                found.append(Finding(
                    MISSED, at, (event_id,),
                    f"{step} came without {before} before it"))
                self.missed[step] = self.early.pop(step)
        if self.forget_at <= now:
            self._forget()
        else:
            self._wait()
        return found

    def dump(self) -> object | None:
        if not self.seen:
            return None
        return [self.seen, self.early, self.missed, self.forget_at]

    def load(self, state: object) -> None:
        self.seen, self.early, self.missed, self.forget_at = state
        self._wait()

    def describe(self, now: float) -> str:
        if not self.seen:
            return f"waits for {self.steps[0]}"
        return f"{', '.join(self.seen)} came"


class SequenceFailures(Family):
    """A trigger for each of nova's sequences."""

    GROUP = "sequence_failure"
    OPTS = [
        cfg.FloatOpt("tolerance", default=5.0, min=0.0, mutable=True,
                     help="Seconds that a step may come before the one that "
                          "it follows, since hosts' clocks differ."),
        cfg.FloatOpt("memory", default=86400.0, min=60.0, mutable=True,
                     help="Seconds for which a request's steps are remembered "
                          "after its last one. A step that comes later is "
                          "reported, because what it follows is forgotten."),
    ]

    @classmethod
    def configure(cls, conf) -> Mapping[str, type[Trigger]]:
        return {name: _class(name, steps, conf)
                for name, steps in SEQUENCES.items()}


def _class(name: str, steps: Sequence[Sequence[str]], conf) -> type[Order]:
    # Named after the legacy format, without what all have in common.
    slots = tuple(types[0].removeprefix("compute.instance.")
                  for types in steps)
    return type(Order)("Order", (Order,), {
        "__slots__": (), "__doc__": f"The usual steps of: {name}.",
        "steps": slots, "conf": conf,
        "patterns": {slot: {"event_type": list(types)}
                     for slot, types in zip(slots, steps, strict=True)}})
