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

"""What the API takes for a page of Horizon, beside the store's bare answers.

A page of events is its first list and its histogram, one after the other, of
a day of a project that has a hundredth of all events, and of all projects as
an administrator sees them; a timeline is that of a server with a thousand
events. The API runs in this process, with its identity, policies and
databases; the store is asked for the same without it, in the same rounds.
With ``--horizon`` a real Horizon and Keystone are asked for the same pages by
HTTP, whose daemons of ours work on the same store.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
import dataclasses
import datetime
import json
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time

import httpx
import orjson
import requests

from monasca_events_common import event as events
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store import ALL
from monasca_events_common.store import Document
from monasca_events_common.store import Store
from monasca_events_dashboard import histogram
from tests.bench import bench_store
from tests.bench.bench_api import percentile
from tests.bench.sample import Missing
from tests.bench.sample import server
from tests.functional import service
from tests.integration import horizons

#: Rows of a list, as Horizon has them.
_ROWS = 20

_DAY = datetime.timedelta(days=1)
_END = bench_store.START + datetime.timedelta(seconds=bench_store.SPAN)

#: What happened to the server: so many operations of two events each, in a
#: request of its own, and something else in the newest requests.
_OPERATIONS, _RELATED = 500, 100
SERVER = "5e7e7e7e-0000-4000-8000-000000000001"


def story(project_id: str) -> list[Document]:
    """Return the server's thousand events, and what belongs to them."""
    found = []
    for number in range(_OPERATIONS):
        name = ("reboot", "pause", "unpause", "snapshot")[number % 4]
        begun = _END - datetime.timedelta(minutes=10 * (_OPERATIONS - number))
        request = f"req-{number:032x}"
        for seconds, edge in ((0, "start"), (30, "end")):
            found.append(_document(
                project_id, f"compute.instance.{name}.{edge}",
                begun + datetime.timedelta(seconds=seconds), SERVER, request))
        if number >= _OPERATIONS - _RELATED:
            found.append(_document(
                project_id, "port.update.end", begun, f"port-{number}",
                request))
    return found


def _document(project_id: str, event_type: str, at: datetime.datetime,
              resource_id: str, request_id: str) -> Document:
    made = dict.fromkeys(events.FIELDS)
    made.update(
        event_id=events.event_id(project_id, f"{request_id}{event_type}"),
        project_id=project_id, event_type=event_type,
        timestamp=events.format_time(at), received_at=events.format_time(at),
        publisher_id="compute.host-7", priority="INFO", source="notification",
        resource_type="instance", resource_id=resource_id,
        request_id=request_id, traits={"host": "host-7", "memory_mb": 2048},
        dimensions={}, marks={}, payload={"note": "x" * 800})
    record = events.record(made)
    return Document(project_id, made["event_id"], event_type,
                    made["timestamp"], record.value, record.headers["index"])


@dataclasses.dataclass(frozen=True)
class Question:
    """What a page asks: of the API by parameters, of the store by terms."""

    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    terms: Sequence[Term] = ()
    words: Sequence[str] = ()


def questions(sample: Document) -> dict[str, Question]:
    """Return name → what somebody looks for, about one event."""
    made = orjson.loads(sample.value)
    host = made["traits"]["host"]
    return {
        "newest": Question(),
        "type": Question({"event_type": "prefix:compute.instance."},
                         [Term("event_type", "prefix",
                               ["compute.instance."])]),
        "errors": Question({"priority": "ERROR"},
                           [Term("priority", "eq", ["ERROR"])]),
        "words": Question({"q": host.partition(".")[0]},
                          words=events.words([host.partition(".")[0]])),
        "resource": Question({"resource_id": made["resource_id"]},
                             [Term("resource_id", "eq",
                                   [made["resource_id"]])]),
    }


class Bench:
    """Asks the API and the store, and notes how long each took.

    :ivar took: what was asked → seconds of each time, by the clock
    """

    def __init__(self, store: Store, client: httpx.Client,
                 rounds: int) -> None:
        self._store, self._client, self._rounds = store, client, rounds
        self.took: dict[str, list[float]] = {}

    def note(self, name: str, act: Callable[[], object]) -> object:
        begun = time.perf_counter()
        found = act()
        self.took.setdefault(name, []).append(time.perf_counter() - begun)
        return found

    def get(self, path: str, **query: str | Sequence[str]) -> dict:
        answer = self._client.get(path, params=query,
                                  headers=service.token("ADMIN"))
        if answer.status_code != 200:
            raise SystemExit(f"{answer.status_code} {answer.text[:300]}")
        return answer.json()

    def pages(self, sample: Sequence[Document]) -> None:
        """Ask for first pages, each time of another project and day."""
        chance = random.Random(5)
        for _ in range(self._rounds):
            one = chance.choice(sample)
            until = _END - _DAY * 10 * chance.random()
            for name, question in questions(one).items():
                self._page(name, one.project_id, until, question)
            self._page("all_projects", None, until, Question())

    def _page(self, name: str, project_id: str | None,
              until: datetime.datetime, question: Question) -> None:
        since = until - _DAY
        width = histogram.width(since, until)
        times = {"since": events.format_time(since),
                 "until": events.format_time(until)}
        query = {"timestamp": [f"gte:{times['since']}",
                               f"lt:{times['until']}"],
                 **question.parameters}
        query |= {"all_projects": "true"} if project_id is None \
            else {"project_id": project_id}

        def ask() -> None:
            self.get("/v1.0/events", limit=str(_ROWS), sort="timestamp:desc",
                     **query)
            self.get("/v1.0/events/statistics", interval=str(width),
                     by="priority", **query)

        def bare() -> None:
            whose = ALL if project_id is None else project_id
            asked = Query(terms=question.terms, words=question.words,
                          limit=_ROWS, **times)
            self._store.search(whose, asked)
            self._store.aggregate(whose, asked, "priority", width)
        self.note(name, ask)
        self.note(f"bare {name}", bare)

    def timelines(self, project_id: str) -> None:
        """Ask for the server's timeline, and for its events alone."""
        for _ in range(self._rounds):
            found = self.note("timeline", lambda: self.get(
                "/v1.0/timeline", resource_id=SERVER, project_id=project_id))
            own = [one for one in found["events"] if not one["related"]]
            if len(found["spans"]) < _OPERATIONS * 0.9 or len(
                    found["events"]) != 1000 or len(own) < 900:
                raise SystemExit(f"{len(own)} events of the server, "
                                 f"{len(found['spans'])} spans")
            self.note("bare timeline", lambda: self._bare(project_id))

    def _bare(self, project_id: str) -> None:
        marker = None
        for _ in range(2):
            page = self._store.search(project_id, Query(
                terms=[Term("resource_id", "eq", [SERVER])], limit=500,
                marker=marker))
            marker = page.marker

    def ratio(self, *names: str) -> float:
        """Return the API's time in that of the bare store."""
        return round(statistics.median(
            ours / bare for name in names for ours, bare in zip(
                self.took[name], self.took[f"bare {name}"], strict=True)), 2)


class Desk:
    """An administrator at a Horizon of its own.

    :ivar took: page → seconds of each time, from asking to the last byte
    """

    def __init__(self, folder: str, settings: str) -> None:
        """:param settings: the store's, as lines of a configuration file"""
        self._site = horizons.EmbeddedKeystoneSite(pathlib.Path(folder),
                                                   extra=settings)
        self._http = requests.Session()
        self.took: dict[str, list[float]] = {}
        try:
            self._site.start()
            self._site.keystone.withdraw(others=True)
            self._url = horizons.horizon()
            self._log_in()
        except BaseException:
            self.close()
            raise

    def _log_in(self) -> None:
        name, password = self._site.keystone.user(
            "desk-admin", self._site.projects["operator"], "admin")
        url = f"{self._url}/auth/login/"
        self._http.get(url, timeout=60).raise_for_status()
        self._http.post(url, timeout=60, headers={"Referer": url}, data={
            "csrfmiddlewaretoken": self._http.cookies["csrftoken"],
            "username": name, "password": password,
            "region": "default"}).raise_for_status()

    def ask(self, rounds: int) -> None:
        """Ask for pages of a day, and for the server's timeline."""
        chance = random.Random(5)
        for _ in range(rounds):
            until = _END - _DAY * 10 * chance.random()
            self._page("horizon_all_projects", "", "me-bars", {
                "range": "between", "since": (until - _DAY).isoformat()[:19],
                "until": until.isoformat()[:19]})
            self._page("horizon_timeline", "timeline/", "me-entries",
                       {"resource_id": SERVER})

    def _page(self, name: str, path: str, shown: str,
              query: Mapping[str, str]) -> None:
        begun = time.perf_counter()
        answer = self._http.get(f"{self._url}/admin/events/{path}",
                                params=query, timeout=60)
        self.took.setdefault(name, []).append(time.perf_counter() - begun)
        if answer.status_code != 200 or shown not in answer.text:
            raise SystemExit(f"{name}: {answer.status_code} {answer.url}")

    def close(self) -> None:
        if hasattr(self._site, "keystone"):
            self._site.keystone.withdraw()
        self._site.close()
        self._http.close()


def milliseconds(took: Mapping[str, Sequence[float]], share: float
                 ) -> dict[str, float]:
    """Return name → percentile of its seconds."""
    return {name: round(percentile(taken, share) * 1000, 1)
            for name, taken in took.items() if not name.startswith("bare ")}


def _lines(settings: Mapping[str, str]) -> str:
    """Return settings, group__option → value, as a configuration file."""
    return "".join("[{}]\n{} = {}\n".format(*name.split("__"), value)
                   for name, value in settings.items())


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true",
                        help="20,000 events only")
    parser.add_argument("--count", type=int, default=1_000_000,
                        help="events of all projects")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--driver", default="sqlite",
                        choices=("sqlite", "elasticsearch"))
    parser.add_argument("--layout", default="tenant",
                        choices=("tenant", "pooled"),
                        help="layout of the indices in Elasticsearch")
    parser.add_argument("--file", help="SQLite file to build once and keep")
    parser.add_argument("--fill", action="store_true",
                        help="only build what is asked later")
    parser.add_argument("--horizon", action="store_true",
                        help="ask a Horizon for the pages, too")
    given = parser.parse_args(arguments)
    count, rounds = (20_000, 10) if given.short else (given.count,
                                                      given.rounds)
    result: dict = {"bench": "pages", "driver": given.driver,
                    "events": count}
    service.set_environment()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"store__driver": given.driver}
        if given.driver == "sqlite":
            settings["sqlite_store__path"] = given.file or os.path.join(
                folder, "many.db")
        else:
            try:
                settings["elasticsearch__hosts"] = server(
                    "elasticsearch")["url"]
            except Missing as missing:
                print(missing, file=sys.stderr)
                return 3
            # What the bench of the store has left may be asked as well.
            settings["elasticsearch__index_name"] = (
                f"bench_{given.layout}_{count}")
            settings["elasticsearch__layout"] = given.layout
            settings["elasticsearch__replicas"] = "0"
        api = service.Service(pump=False, settings=settings)
        store = api.parts.store
        sample = list(bench_store.documents(min(count, 2000)))
        owner = sample[0].project_id
        bench_store.fill(store, count,
                         1 if given.driver == "sqlite" else 2)
        store.write(story(owner))
        if not given.fill:
            bench = Bench(store, service.client(api.application), rounds)
            bench.pages(sample)
            bench.timelines(owner)
            took = dict(bench.took)
            if given.horizon:
                # Tokens are remembered as they are by default.
                desk = Desk(folder, _lines({
                    **settings,
                    "keystone_authtoken__token_cache_time": "300"}))
                try:
                    desk.ask(rounds)
                finally:
                    desk.close()
                took |= desk.took
            result.update(
                p50_ms=milliseconds(took, 0.5),
                p95_ms=milliseconds(took, 0.95),
                ratio_page_to_bare_store=bench.ratio(
                    "newest", "type", "errors", "words", "resource"),
                ratio_timeline_to_bare_store=bench.ratio("timeline"))
        api.close()
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
