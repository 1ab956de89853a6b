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

"""From bus bytes to decision: what an event costs with 10 and 10,000 rules.

One process decides which rules an event fires, firings as values, nothing
stored. About every second event matches one rule. Twice: rules spread over
tenants, ten each, and all rules in one tenant, each pinned to an instance.
Beside it, on the same events and the same rules, in the same run: AWS
event-ruler and Esper, both from JSON text, Aodh's evaluator at 1,000 rules,
and a bare loop that decodes every event and looks its tenant and type up.
The hostile patterns of the unit tests are timed as well (S9–S11).
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile
import time

import orjson

from monasca_events_common import daemon
from monasca_events_common import event as events
from monasca_events_common.rules import definition
from monasca_events_common.rules.index import decode
from monasca_events_common.rules.index import Index
from monasca_events_common.rules.pattern import Pattern
from tests.bench.sample import event
from tests.bench.sample import Missing
from tests.unit.common.rules import hostile

TYPES = ("compute.instance.create.start", "compute.instance.create.end",
         "compute.instance.delete.end", "volume.attach.end",
         "port.update.end")
PER_TENANT = 10
BATCH = 2000


def spread(rules: int, count: int) -> tuple[list[dict], list[dict]]:
    """Return events and definitions: ten rules for each tenant."""
    tenants = max(1, rules // PER_TENANT)
    rng = random.Random(5)
    sent = [event(number, tenants, rng) for number in range(count)]
    made = []
    for number in range(rules):
        tenant, place = divmod(number, PER_TENANT)
        # Two rules for each type, on a quarter of the hosts each.
        first = place // len(TYPES) * 25
        made.append({
            "id": f"r{number}", "project_id": f"{tenant:032x}", "pattern": {
                "event_type": [TYPES[place % len(TYPES)]],
                "traits": {"host": [f"host-{host}" for host
                                    in range(first, first + 13)]}}})
    return sent, made


def pinned(rules: int, count: int) -> tuple[list[dict], list[dict]]:
    """Return events and definitions: one tenant, a rule an instance."""
    rng = random.Random(6)
    sent = [event(number, 1, rng) for number in range(2 * rules)]
    made = [{"id": f"r{number}", "project_id": one["project_id"], "pattern": {
        "event_type": [one["event_type"]],
        "resource_id": [one["resource_id"]]}}
        for number, one in enumerate(sent[::2])]
    return [sent[number % len(sent)] for number in range(count)], made


def compile_rules(made: list[dict]) -> Index:
    by_project: dict[str, list] = {}
    for one in made:
        by_project.setdefault(one["project_id"], []).append(
            definition.compile({"name": one["id"], "kind": "match",
                                "pattern": one["pattern"]},
                               trigger_id=one["id"],
                               project_id=one["project_id"]))
    return Index(by_project)


class Course:
    """Events and rules, and how fast the ones were judged by the others.

    :ivar fired: firings of a pass
    """

    def __init__(self, sent: list[dict], made: list[dict]) -> None:
        self._records = [events.record(one) for one in sent]
        self._index = compile_rules(made)
        self._best = float("inf")
        self.fired = 0

    @property
    def rate(self) -> float:
        """Events a second in the best pass."""
        return len(self._records) / self._best

    def run(self) -> None:
        """Judge every event once."""
        records, index = self._records, self._index
        fired = 0
        began = time.perf_counter()
        for start in range(0, len(records), BATCH):
            found = []  # firings live as long as a batch
            for record in records[start:start + BATCH]:
                hits = index.find(record.key, record.headers["event_type"],
                                  record.value)
                if hits is not None:
                    body, wanted = hits
                    if body is None:
                        body = decode(record, wanted)
                    for rule, slots in wanted:
                        found.extend(rule.judge.observe(body, slots))
            fired += len(found)
        self._best = min(self._best, time.perf_counter() - began)
        self.fired = fired

    def finding(self, rounds: int) -> float:
        """Return the share of a pass that it takes to find the rules that
        may want each event, which is what the index does."""
        records, find = self._records, self._index.find
        best = float("inf")
        for _ in range(rounds):
            began = time.perf_counter()
            for record in records:
                find(record.key, record.headers["event_type"], record.value)
            best = min(best, time.perf_counter() - began)
        return best / self._best


def ours(rounds: int, *data: tuple[list[dict], list[dict]]) -> list[Course]:
    """Return the courses after some passes, which took turns: what else the
    machine does comes upon all of them."""
    courses = [Course(*one) for one in data]
    daemon.spare_collector()
    for _ in range(rounds):
        for one in courses:
            one.run()
    return courses


def bare(sent: list[dict], made: list[dict], rounds: int) -> float:
    """Return the rate of decoding and one look into a dictionary."""
    values = [orjson.dumps(one) for one in sent]
    table: dict = {}
    for one in made:
        for name in one["pattern"]["event_type"]:
            table.setdefault((one["project_id"], name), []).append(one)
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for value in values:
            body = orjson.loads(value)
            table.get((body["project_id"], body["event_type"]))
        best = min(best, time.perf_counter() - began)
    return len(sent) / best


def peer(name: str, sent: list[dict], made: list[dict]) -> dict | None:
    """Return what a peer reports, None where it cannot be had."""
    from tests.bench import peers
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "events", pathlib.Path(folder) / "rules"
        lines[0].write_bytes(b"".join(orjson.dumps(one) + b"\n"
                                      for one in sent))
        lines[1].write_bytes(b"".join(orjson.dumps({
            **one, "pattern": {"project_id": [one["project_id"]],
                               **one["pattern"]}}) + b"\n" for one in made))
        try:
            return peers.run(name, *lines)
        except Missing as error:
            print(error, file=sys.stderr)
            return None


def slowest_hostile() -> float:
    """Return the milliseconds of the hostile pattern that takes longest."""
    target = hostile.event()
    worst = 0.0
    for content in hostile.PATTERNS:
        pattern = Pattern(content)
        best = float("inf")
        for _ in range(9):
            began = time.perf_counter()
            pattern.matches(target)
            best = min(best, time.perf_counter() - began)
        worst = max(worst, best)
    return worst * 1000


def main() -> int:
    parser = argparse.ArgumentParser("bench_rules")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    short = arguments.short
    count, rounds = (4000, 2) if short else (40000, 7)
    many = 1000 if short else 10000
    answer: dict = {"bench": "rules", "rules": many,
                    "hostile_worst_ms": round(slowest_hostile(), 3)}
    for name, make in (("spread", spread), ("pinned", pinned)):
        few = make(10, count)
        lots = make(many, count)
        courses = ours(rounds, few, lots)
        fast, rate = (one.rate for one in courses)
        fired = courses[-1].fired
        simple = bare(*lots, rounds)
        answer |= {f"{name}_10": round(fast), f"{name}_many": round(rate),
                   f"{name}_time_ratio": round(fast / rate, 2),
                   f"{name}_firing_share": round(fired / count, 2),
                   f"{name}_finding_share": round(
                       courses[-1].finding(rounds), 2),
                   f"{name}_to_bare_decode": round(rate / simple, 2)}
        if arguments.no_peers or short:
            continue
        for other in ("event-ruler", "esper"):
            for size, data, own in ((10, few, fast), ("many", lots, rate)):
                theirs = peer(other, *data)
                if theirs is None:
                    continue
                key = f"{name}_{other.replace('-', '_')}_{size}"
                answer |= {key: round(theirs["events_s"]),
                           f"{key}_ratio": round(own / theirs["events_s"], 2)}
                if size == "many" and theirs["matches"] != fired:
                    raise RuntimeError(f"{other} found {theirs['matches']} "
                                       f"matches, we {fired}")
        thousand = make(1000, 2000)
        theirs = peer("aodh", *thousand)
        if theirs is not None:
            own = ours(rounds, make(1000, count))[0].rate
            answer |= {f"{name}_aodh_1000": round(theirs["events_s"], 1),
                       f"{name}_aodh_1000_ratio":
                           round(own / theirs["events_s"])}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
