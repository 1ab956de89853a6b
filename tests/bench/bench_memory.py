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


"""Resident memory of the API, the persister and the agent, over many events.

The whole suite on its embedded drivers, or with ``--bus`` on RabbitMQ,
Keystone, Kafka and Elasticsearch: most events are posted in batches, a fifth
are notifications through the agent. What counts is the
peak of each daemon beside 200 MB, and how much it grew from the middle of the
run to its end. A daemon's memory is its largest process's resident set and
what its others have for themselves. Run as
``python -m tests.bench.bench_memory [--count 1000000] [--bus kafka]
[--short]``.
"""

import argparse
from collections.abc import Mapping
import json
import pathlib
import statistics
import sys
import tempfile
import threading

from tests.bench.bench_embedded import await_count
from tests.bench.bench_embedded import bodies
from tests.bench.bench_embedded import Feeder
from tests.bench.bench_embedded import made_for
from tests.integration.sites import EmbeddedSite
from tests.integration.sites import LiveSite
from tests.integration.sites import Site

DAEMONS = ("api", "persister", "agent")
#: MB that a daemon may have resident.
WANTED = 200
#: Parts of a run; after each, everything sent so far is searchable.
STEPS, SHORT_STEPS = 20, 6
#: One of so many events is a notification.
NOTIFICATIONS = 5


def resident(site: Site, name: str) -> float:
    """Return the MB of a daemon's processes, shared pages counted once."""
    found = []
    for pid in [site.daemons.pid(name), *site.daemons.workers(name)]:
        try:
            found.append(_rollup(pid))
        except (FileNotFoundError, ProcessLookupError):
            continue
    largest = max(found, key=lambda one: one["Rss"])
    private = sum(one["Private_Clean"] + one["Private_Dirty"]
                  for one in found if one is not largest)
    return (largest["Rss"] + private) / 1024


def _rollup(pid: int) -> Mapping[str, int]:
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return {name: int(value.split()[0]) for name, value in (
        line.split(":", 1) for line in lines[1:])}


class Peak:
    """Looks twice a second and remembers the most of each daemon."""

    def __init__(self, site: Site) -> None:
        self.most = dict.fromkeys(DAEMONS, 0.0)
        self._site = site
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_error) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            for name in DAEMONS:
                self.most[name] = max(self.most[name],
                                      resident(self._site, name))


def step(site: Site, feeder: Feeder, number: int, size: int,
         folder: pathlib.Path) -> None:
    """Pass so many events, each new; return when all are searchable."""
    notified = size // NOTIFICATIONS
    process = site.generate(
        folder / f"truth-{number}", notified, "--seed", str(number),
        "--services", "nova,cinder,glance", wait=False)
    feeder.post(bodies(made_for([site.projects["A"], site.projects["B"]],
                                size - notified, number * size)))
    if process.wait(600):
        raise SystemExit("the generator failed")
    await_count(site, (number + 1) * size)
    for project in ("A", "B"):
        site.get("/v1.0/events", project, limit=100)


def course(site: Site, count: int, steps: int,
           folder: pathlib.Path) -> dict:
    """Return what each daemon had at most, and its growth."""
    feeder = Feeder(site)
    had: dict[str, list[float]] = {name: [] for name in DAEMONS}
    with Peak(site) as peak:
        for number in range(steps):
            step(site, feeder, number, count // steps, folder)
            for name in DAEMONS:
                had[name].append(resident(site, name))
            print(f"{(number + 1) * (count // steps)}: " + ", ".join(
                f"{name} {had[name][-1]:.1f} MB" for name in DAEMONS),
                file=sys.stderr, flush=True)
    answer: dict = {}
    for name, values in had.items():
        most = max(peak.most[name], *values)
        middle = statistics.median(values[steps // 2 - 2:steps // 2 + 1])
        answer |= {f"{name}_peak_mb": round(most, 1),
                   f"{name}_first_mb": round(values[0], 1),
                   f"{name}_middle_mb": round(middle, 1),
                   f"{name}_end_mb": round(values[-1], 1),
                   f"{name}_growth_mb": round(
                       statistics.median(values[-3:]) - middle, 2),
                   f"ratio_wanted_to_{name}": round(WANTED / most, 2)}
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true",
                        help="5,000 events only")
    parser.add_argument("--count", type=int, help="events (300,000)")
    parser.add_argument("--bus", choices=("sqlite", "kafka", "confluent"),
                        default="sqlite",
                        help="sqlite: no servers; the others: real ones, "
                             "which go on running")
    arguments = parser.parse_args()
    count = arguments.count or (5000 if arguments.short else 300000)
    steps = SHORT_STEPS if arguments.short else STEPS
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home)
        site = EmbeddedSite(folder) if arguments.bus == "sqlite" \
            else LiveSite(folder, arguments.bus, api_workers=1)
        try:
            site.start()
            answer = {"bench": "memory", "bus": arguments.bus,
                      "events": count // steps * steps,
                      **course(site, count, steps, folder)}
        finally:
            site.close()
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
