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

"""Runs one rule over events as the engine does, in a few lines.

The engine adds what does not change a finding: batches, the database,
several partitions. Events are sorted first; deadlines pass between them.
"""

from collections.abc import Iterable, Sequence

import orjson

from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.trigger import Rule
from monasca_events_common.rules.trigger import seconds

from tests.unit.common.rules.samples import TEN


def run(rule: Rule, events: Iterable[dict], until: float | None = None
        ) -> list[tuple[str, Finding]]:
    """Return (group, finding) in order of their making.

    Each trigger's state goes through JSON between two events, so that one
    which forgets to dump something is found out.

    :param until: seconds after ten o'clock to which the clock goes at last
    """
    states: dict[str, tuple] = {}
    found: list[tuple[str, Finding]] = []

    def settle(group: str, trigger, findings: Sequence[Finding]) -> None:
        found.extend((group, one) for one in findings)
        state = trigger.dump()
        if state is None and trigger.deadline is None:
            states.pop(group, None)
        else:
            states[group] = (orjson.loads(orjson.dumps(state)),
                             trigger.deadline)

    def make(group: str):
        trigger = rule.make()
        if group in states and states[group][0] is not None:
            trigger.load(states[group][0])
        return trigger

    def advance(now: float, also_now: bool) -> None:
        while True:
            due = [(deadline, group) for group, (_, deadline)
                   in states.items() if deadline is not None
                   and (deadline <= now if also_now else deadline < now)]
            if not due:
                return
            _, group = min(due)
            trigger = make(group)
            settle(group, trigger, trigger.tick(now))

    for event in sorted(events, key=lambda one: (one["timestamp"],
                                                 one["event_id"])):
        slots = [slot for slot, pattern in rule.patterns.items()
                 if pattern.matches(event)]
        if not slots:
            continue
        # What happens at the deadline itself still is in time.
        advance(seconds(event["timestamp"]), also_now=False)
        group = orjson.dumps(list(rule.key(event, slots[0]).values())
                             ).decode()
        trigger = make(group)
        settle(group, trigger, trigger.observe(event, slots))
    if until is not None:
        advance(TEN + until, also_now=True)
    return found


def outcomes(rule: Rule, events: Iterable[dict], until: float | None = None
             ) -> list[tuple]:
    """Return (outcome, seconds after ten o'clock) of each finding."""
    return [(one.outcome, round(one.at - TEN, 6))
            for _, one in run(rule, events, until)]
