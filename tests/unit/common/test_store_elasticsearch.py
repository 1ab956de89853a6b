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

"""The Elasticsearch store against a scripted node on loopback.

What a real node does on its own is in the integration tests; here is what it
cannot be made to do at will.
"""

import http.server
import threading
import unittest
import urllib.parse

import orjson
from oslo_config import cfg

from monasca_events_common import errors
from monasca_events_common.query import Query
from monasca_events_common.store import ALL
from monasca_events_common.store.elasticsearch import ElasticsearchStore
from tests.contract.store import at
from tests.contract.store import document
from tests.contract.store import make
from tests.contract.store import OURS


class Node(http.server.ThreadingHTTPServer):
    """A node whose answers to bulk requests are scripted.

    :ivar script: functions from the actions of a request to (status, body);
        when it is used up everything is created
    :ivar bulks: the ids of each bulk request that came
    :ivar sources: its documents; ``wanted``: what it asked of each
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list = []
        self.bulks: list[list[str]] = []
        self.sources: list[list[dict]] = []
        self.wanted: list[str] = []
        self.searches: list[dict] = []
        self.answer: tuple[int, dict] = found()
        self.answers: list[tuple[int, dict]] = []
        self.made: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):

    protocol_version = "HTTP/1.1"

    def do_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        node, (path, _, query) = self.server, self.path.partition("?")
        if path.endswith("/_bulk"):
            node.wanted += urllib.parse.parse_qs(query)["filter_path"]
            lines = [orjson.loads(line) for line in body.splitlines()]
            actions = [next(iter(line.values())) for line in lines[::2]]
            node.sources.append(lines[1::2])
            node.bulks.append([action["_id"] for action in actions])
            script = node.script.pop(0) if node.script else statuses()
            status, answer = script(actions)
        elif path.endswith("/_search"):
            node.searches.append(orjson.loads(body))
            status, answer = node.answers.pop(0) if node.answers \
                else node.answer
        elif self.command in ("GET", "HEAD"):
            status, answer = 404, {}
        else:
            node.made.append(f"{self.command} {path}")
            status, answer = 200, {"acknowledged": True}
        sent = b"" if self.command == "HEAD" else orjson.dumps(answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any

    def log_message(self, *arguments):
        """Say nothing."""


def found(*events: dict) -> tuple[int, dict]:
    """Return the answer to a search that finds these."""
    return 200, {"timed_out": False, "hits": {"hits": [
        {"_source": {**one, "index": {"project": one["project_id"]}}}
        for one in events]}}


def statuses(*each: int, kind: str = "some_exception"):
    """Return a script that gives these statuses, 201 beyond them."""
    def script(actions):
        items = []
        for number, _ in enumerate(actions):
            status = each[number] if number < len(each) else 201
            item = {"status": status}
            if status > 201:
                item["error"] = {"type": kind, "reason": "because"}
            items.append({"create": item})
        return 200, {"errors": True, "items": items}
    return script


def refuses(status: int, when=lambda actions: True):
    """Return a script that refuses whole requests."""
    def script(actions):
        if when(actions):
            return status, {"error": {"type": "refused"}, "status": status}
        return statuses()(actions)
    return script


class ScriptedCase(unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.node = Node()
        self.addCleanup(self.node.server_close)
        self.addCleanup(self.node.shutdown)
        threading.Thread(target=self.node.serve_forever, args=(0.01,),
                         daemon=True).start()
        self.store = self.open()
        self.documents = [document(make(str(number))) for number in range(8)]
        self.ids = [one.event_id for one in self.documents]

    def open(self, **values) -> ElasticsearchStore:
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        group = ElasticsearchStore.GROUP
        conf.register_opts(ElasticsearchStore.OPTS, group=group)
        values = {"hosts": [self.node.url], "retry_wait": 0, **values}
        for name, value in values.items():
            conf.set_override(name, value, group=group)
        store = ElasticsearchStore(conf[group])
        self.addCleanup(store.close)
        return store


class TestBulk(ScriptedCase):

    def test_a_document_is_the_event_and_what_is_searched_of_it(self):
        self.store.write(self.documents)
        self.assertEqual(
            [{**orjson.loads(one.value),
              "index": {**orjson.loads(one.index), "project": OURS}}
             for one in self.documents], self.node.sources[0])

    def test_what_cannot_be_sent_leaves_the_others_whole(self):
        for bad in ({"value": b"no object"}, {"index": b'{"a":1}\n{}'},
                    {"timestamp": "2026-11-31T00:00:00.000000Z"},
                    {"timestamp": "2026-11-30T24:00:00.000000Z"},
                    {"project_id": "*"}, {"event_id": ""},
                    {"event_id": "x" * 513}):
            with self.subTest(bad=bad):
                documents = [*self.documents[:4],
                             self.documents[4]._replace(**bad),
                             *self.documents[5:]]
                self.node.sources = []
                result = self.store.write(documents)
                self.assertEqual([4], [one.position
                                       for one in result.rejected])
                self.assertEqual(
                    self.ids[:4] + self.ids[5:],
                    [one["event_id"] for one in self.node.sources[0]])

    def test_only_failed_items_are_sent_again(self):
        """F8: at once to hear why, then after a while."""
        self.node.script = [statuses(201, 429, 201, 503, 409, 500),
                            statuses(429, 503, 409, 500),
                            statuses(201, 429)]
        result = self.store.write(self.documents)
        failed = [self.ids[1], self.ids[3], self.ids[4], self.ids[5]]
        self.assertEqual([self.ids, failed, failed, [self.ids[3]]],
                         self.node.bulks)
        self.assertEqual((8, 0, 0), (result.stored, result.repeated,
                                     len(result.rejected)))

    def test_reasons_are_asked_for_where_an_item_is_not_new(self):
        """R5: without the reason a refusal cannot be told from a repeat."""
        conflict = "version_conflict_engine_exception"
        self.node.script = [
            statuses(201, 409, 400, kind=conflict),
            lambda actions: (200, {"errors": True, "items": [
                {"create": {"status": 409, "error": {"type": conflict}}},
                {"create": {"status": 400, "error": {
                    "type": "document_parsing_exception"}}}]})]
        result = self.store.write(self.documents)
        self.assertEqual((6, 1), (result.stored, result.repeated))
        self.assertEqual([2], [one.position for one in result.rejected])
        self.assertEqual([self.ids, self.ids[1:3]], self.node.bulks)
        self.assertEqual("errors,items.*.status", self.node.wanted[0])
        self.assertIn("items.*.error.type", self.node.wanted[1])

    def test_items_that_keep_failing_make_the_store_unavailable(self):
        """F8, F9: the caller commits nothing and repeats the batch."""
        self.node.script = [statuses(429)] * 10
        with self.assertRaises(errors.StoreUnavailable) as caught:
            self.store.write(self.documents)
        # The first is asked again for its reasons.
        self.assertEqual(5, len(self.node.bulks))
        self.assertIn("1 of 8", str(caught.exception))

    def test_the_circuit_breaker_is_waited_for(self):
        """R5: 429 for the whole request."""
        self.node.script = [refuses(429), refuses(429)]
        self.assertEqual(8, self.store.write(self.documents).stored)
        self.assertEqual(3, len(self.node.bulks))

    def test_a_request_too_large_is_split_down_to_the_event(self):
        """R5: 413"""
        def culprit(actions):
            return any(one["_id"] == self.ids[5] for one in actions)
        self.node.script = [refuses(413, culprit)] * 20
        result = self.store.write(self.documents)
        self.assertEqual(7, result.stored)
        self.assertEqual([5], [one.position for one in result.rejected])
        self.assertLessEqual(len(self.node.bulks), 7)

    def test_a_request_refused_whole_is_bisected_to_the_culprits(self):
        """R5: one item can fail the whole request with 400."""
        def culprit(actions):
            return any(one["_id"] in (self.ids[0], self.ids[6])
                       for one in actions)
        self.node.script = [refuses(400, culprit)] * 20
        result = self.store.write(self.documents)
        self.assertEqual(6, result.stored)
        self.assertEqual([0, 6], [one.position for one in result.rejected])

    def test_a_missing_index_is_made_before_its_items_go_again(self):
        self.node.script = 2 * [
            statuses(404, kind="index_not_found_exception")]
        self.assertEqual(8, self.store.write(self.documents).stored)
        self.assertEqual(2, sum(OURS in made for made in self.node.made))

    def test_refused_credentials_reject_no_event(self):
        """The operator has to act, the sender cannot."""
        for status in (401, 403, 500, 502, 503):
            self.node.script = [refuses(status)]
            with self.assertRaises(errors.StoreUnavailable):
                self.store.write(self.documents)

    def test_a_request_holds_at_most_so_many_bytes(self):
        large = [document(make(str(number), payload={"text": "x" * 20_000}))
                 for number in range(10)]
        store = self.open(bulk_bytes=64 * 1024)
        self.assertEqual(10, store.write(large).stored)
        self.assertEqual([3, 3, 3, 1], [len(ids) for ids in self.node.bulks])

    def test_a_store_that_closes_stops_waiting(self):
        store = self.open(retry_wait=3600)
        self.node.script = [statuses(429)]
        threading.Timer(0.05, store.close).start()
        with self.assertRaises(errors.StoreUnavailable):
            store.write(self.documents)


class TestSearch(ScriptedCase):

    def test_every_search_has_the_projects_filter(self):
        """S1: in one place, whatever is asked."""
        for ask in (lambda: self.store.search(OURS, Query(words=["x"])),
                    lambda: self.store.search(OURS, Query(quick=True)),
                    lambda: self.store.aggregate(OURS, Query(), None, 60),
                    lambda: self.store.traits(OURS, None)):
            ask()
        with self.assertRaises(errors.NotFound):
            self.store.get(OURS, "x")
        self.assertEqual(5, len(self.node.searches))
        for search in self.node.searches:
            self.assertEqual({"term": {"index.project": OURS}},
                             search["query"]["bool"]["filter"][0])

    def test_a_search_that_ran_out_of_time_is_rejected(self):
        """S5: half an answer is none."""
        self.node.answer = (200, {"timed_out": True, "hits": {"hits": []}})
        with self.assertRaises(errors.Rejected) as caught:
            self.store.search(ALL, Query())
        self.assertEqual("query_too_costly", caught.exception.code)
        self.assertEqual("5000ms", self.node.searches[0]["timeout"])

    def test_an_overloaded_node_is_unavailable(self):
        for status in (401, 403, 404, 429, 500, 503):
            self.node.answer = (status, {"error": {"type": "x"}})
            with self.assertRaises(errors.StoreUnavailable):
                self.store.search(OURS, Query())

    def test_nonsense_instead_of_an_answer_is_unavailable(self):
        self.node.server_close()
        with self.assertRaises(errors.StoreUnavailable):
            self.open(hosts=["http://127.0.0.1:9"],
                      max_retries=0).search(OURS, Query())


class TestListing(ScriptedCase):
    """Which searches a page takes, and what it makes of them."""

    def page(self, marker: str | None, *answers: list[dict]):
        self.node.answers = [found(*one) for one in answers]
        self.node.searches.clear()
        page = self.store.search(OURS, Query(limit=3, marker=marker))
        self.assertEqual(len(answers), len(self.node.searches))
        return [orjson.loads(one)["event_id"] for one in page.events], \
            page.marker

    def events(self, *seconds: int) -> list[dict]:
        """Return an event at each of these, with ids in that order."""
        return [{**make(str(number), timestamp=at(second)),
                 "event_id": f"e{number}"}
                for number, second in enumerate(seconds)]

    def test_a_page_of_different_instants_takes_one_search(self):
        ids, marker = self.page(None, self.events(9, 8, 7, 6))
        self.assertEqual(["e0", "e1", "e2"], ids)
        # Nothing is left of the last instant, so the next begins behind it.
        self.page(marker, self.events(6))
        self.assertEqual([at(7)], self.node.searches[0]["search_after"])

    def test_events_of_one_instant_are_put_in_the_order_of_ids(self):
        ids, marker = self.page(None, self.events(9, 9, 8))
        self.assertEqual((["e1", "e0", "e2"], None), (ids, marker))

    def test_a_page_that_ends_within_an_instant_asks_for_that_by_ids(self):
        one, *several = self.events(9, 8, 8, 8, 8)
        ids, marker = self.page(None, [one, *several[:3]],
                                [several[3], several[2], several[1]])
        self.assertEqual(["e0", "e4", "e3"], ids)
        first, second = self.node.searches
        self.assertEqual(["timestamp"], [name for part in first["sort"]
                                         for name in part])
        self.assertEqual(["event_id", "index.project"], [
            name for part in second["sort"] for name in part])
        self.assertEqual((4, 3), (first["size"], second["size"]))
        # The next page begins with the rest of that instant.
        ids, marker = self.page(marker, [several[1], several[0]],
                                self.events(7))
        self.assertEqual((["e2", "e1", "e0"], None), (ids, marker))
        rest, further = self.node.searches
        self.assertEqual(["e3", OURS], rest["search_after"])
        self.assertEqual([at(8)], further["search_after"])

    def test_what_a_purge_took_meanwhile_ends_no_listing(self):
        before = self.events(9, 8, 8, 8)
        ids, marker = self.page(None, before, before[1:2], self.events(7, 6))
        self.assertEqual(["e0", "e1", "e0"], ids)
        self.assertIsNotNone(marker)


class TestOptions(ScriptedCase):

    def test_contradicting_options_are_a_misconfiguration(self):
        for values in ({"api_key": "k", "username": "u"},
                       {"hosts": ["no-url"]},
                       {"hosts": ["https://x:1"], "ca_file": "/nowhere"},
                       {"project_id_expression": "("}):
            with self.assertRaises(errors.Misconfigured):
                self.open(**values)
