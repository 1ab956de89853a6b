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

"""Runs under Aodh's interpreter: times its evaluator on alarms and events.

Alarms come from memory instead of a database, and one that fires is counted
instead of stored; everything between is Aodh's own. Called by ``aodh``.
"""

import json
import logging
import sys
import time
import types

from aodh.evaluator import event as evaluation


class Alarms:
    """Stands where Aodh's storage does: alarms by project."""

    def __init__(self, lines: list[str]) -> None:
        self._by_project: dict[str, list] = {}
        for number, line in enumerate(lines):
            alarm = json.loads(line)
            self._by_project.setdefault(alarm["project_id"], []).append(
                types.SimpleNamespace(
                    alarm_id=str(number), rule_id=alarm["rule_id"],
                    state="ok", repeat_actions=True, rule={
                        "event_type": alarm["event_type"],
                        "query": alarm["query"]}))

    def get_alarms(self, enabled: bool, type: str, project_id: str) -> list:
        return self._by_project.get(project_id, [])


class Evaluator(evaluation.EventAlarmEvaluator):
    """Aodh's, but for what goes to the database and to the notifier."""

    def __init__(self, alarms: Alarms) -> None:
        # Aodh's own would connect to both.
        self.conf = types.SimpleNamespace(event_alarm_cache_ttl=3600)
        self.caches = {}
        self.storage_conn = alarms
        self.fired: set[str] = set()

    def _fire_alarm(self, alarm, event) -> None:
        self.fired.add(alarm.obj.rule_id)


def one_pass(evaluator: Evaluator, events: list[str]) -> int:
    """Return how many rules matched, summed over the events."""
    matches = 0
    for event in events:
        evaluator.fired.clear()
        evaluator.evaluate_events([json.loads(event)])
        matches += len(evaluator.fired)
    return matches


def passes(evaluator: Evaluator, events: list[str], seconds: float
           ) -> tuple[int, float]:
    """Return how many whole passes were made until the seconds were over,
    and the seconds of the best."""
    end, made, best = time.perf_counter() + seconds, 0, float("inf")
    while not made or time.perf_counter() < end:
        began = time.perf_counter()
        one_pass(evaluator, events)
        best = min(best, time.perf_counter() - began)
        made += 1
    return made, best


def main() -> None:
    logging.disable(logging.CRITICAL)
    with open(sys.argv[1]) as file:
        lines = file.read().splitlines()
    with open(sys.argv[2]) as file:
        events = file.read().splitlines()
    rules = len({json.loads(line)["rule_id"] for line in lines})
    evaluator = Evaluator(Alarms(lines))
    matches = one_pass(evaluator, events)
    # Nothing is compiled here: one more pass shows nothing new.
    if float(sys.argv[3]) > 0 and len(events) < 1000:
        passes(evaluator, events, min(float(sys.argv[3]), 1.0))
    made, best = passes(evaluator, events, float(sys.argv[4]))
    print(json.dumps({
        "events_s": round(len(events) / best, 1), "matches": matches,
        "rules": rules, "alarms": len(lines), "events": len(events),
        "passes": made}))


if __name__ == "__main__":
    main()
