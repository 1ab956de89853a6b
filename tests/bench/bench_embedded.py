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


"""The whole suite on its embedded drivers, each daemon in its process.

Two figures: events a second from POST to searchable, in batches of 100, beside
a bare FTS5 insert of the same documents in the same run; and the time from a
notification's own time, as the generator writes it, until a GET shows its
event, at a moderate rate through file, agent, API and persister. Run as
``python -m tests.bench.bench_embedded [--short]``.
"""

import argparse
from collections.abc import Iterable, Sequence
import datetime
import json
import os
import pathlib
import queue
import random
import sys
import tempfile
import threading
import time

import orjson
import requests

from monasca_events_common import event as events
from tests.bench.bench_store import bare_fts5
from tests.bench.sample import event
from tests.integration.sites import EmbeddedSite

BATCH = 100
CLIENTS = 3
#: Events a second wanted from POST to searchable.
WANTED_RATE = 3000
#: Seconds wanted from a notification to its event in an answer, at p95.
WANTED_SECONDS = 1.0
PATIENCE = 120


def made_for(projects: Sequence[str], count: int,
             first: int = 0) -> list[dict]:
    """Return canonical events of now, in turns of the projects.

    :param first: the first one's number, from which the ids follow
    """
    rng = random.Random(first)
    now = events.format_time(datetime.datetime.now(datetime.timezone.utc))
    made = []
    for number in range(first, first + count):
        one = event(number, len(projects), rng)
        one["project_id"] = projects[number % len(projects)]
        one["event_id"] = events.event_id(one["project_id"], str(number))
        one["timestamp"] = one["received_at"] = now
        made.append(one)
    return made


class Feeder:
    """Posts batches over several keep-alive connections."""

    def __init__(self, site: EmbeddedSite) -> None:
        self._url = f"{site.url}/v1.0/events"
        self._token = site.token("operator", "service")

    def post(self, bodies: Sequence[bytes], clients: int = CLIENTS) -> None:
        """Return once the API took all; raise what a client met."""
        todo: queue.SimpleQueue = queue.SimpleQueue()
        for body in bodies:
            todo.put(body)
        errors: list[BaseException] = []

        def work() -> None:
            try:
                self._work(todo)
            except (requests.RequestException, RuntimeError) as error:
                errors.append(error)
        threads = [threading.Thread(target=work) for _ in range(clients)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        if errors:
            raise errors[0]

    def _work(self, todo: queue.SimpleQueue) -> None:
        with requests.Session() as session:
            session.headers.update({"Content-Type": "application/json",
                                    "X-Auth-Token": self._token})
            while True:
                try:
                    body = todo.get_nowait()
                except queue.Empty:
                    return
                self._until_taken(session, body)

    def _until_taken(self, session: requests.Session, body: bytes) -> None:
        while True:
            answer = session.post(self._url, data=body, timeout=60)
            if answer.status_code == 202:
                return
            if answer.status_code != 503:
                raise RuntimeError(
                    f"{answer.status_code} {answer.text[:300]}")
            time.sleep(float(answer.headers.get("Retry-After", 1)))


def bodies(made: Sequence[dict]) -> list[bytes]:
    return [orjson.dumps({"events": made[at:at + BATCH]})
            for at in range(0, len(made), BATCH)]


def stored(site: EmbeddedSite) -> int:
    return site.count("A") + site.count("B")


def await_count(site: EmbeddedSite, count: int) -> None:
    """Return once so many events are counted of both projects."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = stored(site)
        if found >= count:
            return
        # Far from the end, counting only takes time from the persister.
        time.sleep(min(0.5, max(0.02, (count - found) / 20000)))
    raise SystemExit(f"{found} of {count} searchable after {PATIENCE} s")


def sustained(site: EmbeddedSite, count: int, folder: pathlib.Path) -> dict:
    """Return the rate from POST to searchable beside the bare insert's."""
    made = made_for([site.projects["A"], site.projects["B"]], count)
    feeder, parts = Feeder(site), bodies(made)
    rows = [_row(one) for one in made]
    path = os.path.join(folder, "bare.db")
    # Before and after, for other work on the machine comes and goes.
    half = count // 2
    bare = bare_fts5(path, rows[:half]).wall
    whole = bare_fts5(path, [(value.decode(), b"")
                             for _, value in rows[:half]]).wall * count / half
    there = stored(site)
    began = time.monotonic()
    feeder.post(parts)
    posted = time.monotonic() - began
    await_count(site, there + count)
    took = time.monotonic() - began
    bare += bare_fts5(path, rows[half:]).wall
    return {"events": count, "event_bytes": len(parts[0]) // BATCH,
            "posted_per_second": round(count / posted),
            "searchable_per_second": round(count / took),
            "bare_fts5_per_second": round(count / bare),
            "ratio_to_bare_fts5": round(bare / took, 3),
            # All of the text given to FTS5, not the words that ours picks.
            "bare_fts5_whole_text_per_second": round(count / whole),
            "ratio_to_bare_fts5_whole_text": round(whole / took, 3),
            "ratio_to_wanted_rate": round(count / took / WANTED_RATE, 2)}


def _row(one: dict) -> tuple[str, bytes]:
    record = events.record(one)
    words = orjson.loads(record.headers["index"])["words"]
    return " ".join(words), record.value


class Eye:
    """Asks for the newest events, as a person with a list open would."""

    def __init__(self, site: EmbeddedSite) -> None:
        self._site = site
        self._seen: set[str] = set()
        self.took: list[float] = []

    def look(self) -> int:
        """Note when events came into view; return how many are new."""
        return sum(self._note(self._site.get(
            "/v1.0/events", project, limit=200)["events"])
            for project in ("A", "B"))

    def sweep(self) -> None:
        """Note what came into view but never onto a first page."""
        for project in ("A", "B"):
            self._note(self._site.events(project))

    def _note(self, found: Iterable[dict]) -> int:
        now = datetime.datetime.now(datetime.timezone.utc)
        fresh = [one for one in found if one["event_id"] not in self._seen]
        for one in fresh:
            self._seen.add(one["event_id"])
            self.took.append((now - events.parse_time(
                one["timestamp"])).total_seconds())
        return len(fresh)


def latency(site: EmbeddedSite, rate: int, seconds: int,
            folder: pathlib.Path) -> dict:
    """Return how long notifications take to be seen, at a rate."""
    count = rate * seconds
    eye = Eye(site)
    process = site.generate(folder / "truth", count, "--rate", str(rate),
                            "--services", "nova,cinder,glance", "--seed",
                            "21", wait=False)
    deadline = time.monotonic() + seconds + PATIENCE
    while len(eye.took) < count and time.monotonic() < deadline:
        if not eye.look():
            time.sleep(0.02)
            if process.poll() is not None:
                eye.sweep()
    process.wait(60)
    if len(eye.took) < count:
        raise SystemExit(f"{len(eye.took)} of {count} notifications seen")
    took = sorted(eye.took)
    p95 = took[int(len(took) * 0.95)]
    return {"rate": rate, "notifications": count,
            "seen_p50_ms": round(1000 * took[len(took) // 2]),
            "seen_p95_ms": round(1000 * p95),
            "seen_max_ms": round(1000 * took[-1]),
            "ratio_wanted_to_seen_p95": round(WANTED_SECONDS / p95, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true",
                        help="a few seconds, to see that it works")
    parser.add_argument("--count", type=int, help="events to post")
    parser.add_argument("--rate", type=int, default=200,
                        help="notifications a second (%(default)s)")
    arguments = parser.parse_args()
    count = arguments.count or (4000 if arguments.short else 60000)
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home)
        site = EmbeddedSite(folder)
        try:
            site.start()
            answer = {"bench": "embedded",
                      **latency(site, arguments.rate,
                                3 if arguments.short else 20, folder)}
            answer |= sustained(site, count, folder)
        finally:
            site.close()
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
