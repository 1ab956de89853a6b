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

"""Persister, Kafka → Elasticsearch, against the raw ``_bulk`` rate.

In one run, on the same documents: bare keep-alive connections that send
bodies serialised beforehand (one and two requests in flight); our persister,
one process, reading them from Kafka (two and three batches in flight); and,
where Debian's packages are there, rsyslog's imkafka → omelasticsearch. Every
rate is read from the node's own indexing counter, so all are measured alike.
"""

import argparse
import http.client
import json
import pathlib
import queue
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid

from monasca_events_common.bus import Record
from tests.bench import rsyslog
from tests.bench.sample import documents
from tests.bench.sample import Missing
from tests.bench.sample import options
from tests.bench.sample import server
from tests.integration.daemons import Daemons

BATCH = 2000
TENANTS = 4


class Node:
    """The Elasticsearch node, by bare HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = urllib.parse.urlsplit(url).netloc

    def call(self, method: str, path: str, body=None) -> dict:
        request = urllib.request.Request(
            f"{self.url}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def indexed(self, pattern: str) -> int:
        """Return how many documents were indexed, by the node's counter."""
        answer = self.call("GET", f"/{pattern}/_stats/indexing"
                           "?ignore_unavailable=true")
        return answer["_all"]["primaries"].get("indexing", {}).get(
            "index_total", 0)

    def forget(self, pattern: str) -> None:
        for name in self.call("GET", f"/{pattern}"):
            self.call("DELETE", f"/{name}")


def rate(node: Node, pattern: str, count: int, timeout: float) -> float:
    """Return documents per second, from the first seen to the last."""
    first = None
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        done, now = node.indexed(pattern), time.monotonic()
        if first is None and done:
            first = (now, done)
        if done >= count:
            if first is None or first[1] >= count:
                raise RuntimeError("too few documents to measure a rate")
            return (count - first[1]) / (now - first[0])
        time.sleep(0.05)
    raise TimeoutError(f"{node.indexed(pattern)} of {count} after "
                       f"{timeout:.0f} s")


def bodies(prefix: str, docs) -> list[bytes]:
    """Return bulk bodies exactly as the driver would send them."""
    lines = []
    for document in docs:
        name = index_name(prefix, document)
        lines.append(b'{"create":{"_index":"%s","_id":"%s"}}\n%s,"index":%s}\n'
                     % (name.encode(), document.event_id.encode(),
                        document.value[:-1], document.index))
    return [b"".join(lines[at:at + BATCH])
            for at in range(0, len(lines), BATCH)]


def index_name(prefix: str, document) -> str:
    return f"{prefix}-{document.project_id}-{document.timestamp[:7]}"


def raw(node: Node, docs, in_flight: int, template: dict) -> float:
    """Return the rate of bare requests."""
    prefix = f"raw{uuid.uuid4().hex[:8]}"
    for name in {index_name(prefix, one) for one in docs}:
        node.call("PUT", f"/{name}", template)
    todo: queue.SimpleQueue = queue.SimpleQueue()
    for body in bodies(prefix, docs):
        todo.put(body)

    def send() -> None:
        connection = http.client.HTTPConnection(node.host, timeout=120)
        while True:
            try:
                body = todo.get_nowait()
            except queue.Empty:
                return
            connection.request("POST", "/_bulk?filter_path=errors", body,
                               {"Content-Type": "application/x-ndjson"})
            answer = json.loads(connection.getresponse().read())
            if answer["errors"]:
                raise RuntimeError(f"bulk errors: {answer}")

    threads = [threading.Thread(target=send) for _ in range(in_flight)]
    for one in threads:
        one.start()
    found = rate(node, f"{prefix}-*", len(docs), 300)
    for one in threads:
        one.join()
    node.forget(f"{prefix}-*")
    return found


def publish(uri: str, topic: str, docs) -> None:
    """Put the documents on the topic as the API would."""
    from monasca_events_common.bus.confluent import ConfluentBus
    bus = ConfluentBus(options(ConfluentBus.OPTS, uri=uri))
    for at in range(0, len(docs), 1000):
        bus.publish(topic, [Record(
            one.project_id.encode(), one.value,
            {"event_id": one.event_id.encode(),
             "event_type": one.event_type.encode(),
             "timestamp": one.timestamp.encode(), "schema": b"1",
             "index": one.index}) for one in docs[at:at + 1000]])
    bus.close()


def ours(node: Node, uri: str, docs, driver: str, in_flight: int) -> float:
    """Return the rate of our persister, one process."""
    prefix, topic = f"our{uuid.uuid4().hex[:8]}", f"t{uuid.uuid4().hex[:8]}"
    publish(uri, topic, docs)
    with tempfile.TemporaryDirectory() as folder:
        daemons = Daemons(pathlib.Path(folder))
        daemons.configure(f"""
[bus]
driver = {driver}
topic = {topic}
[kafka_events]
uri = {uri}
[store]
driver = elasticsearch
[elasticsearch]
hosts = {node.url}
index_name = {prefix}
[dead_letters]
connection = sqlite:///{folder}/dead.db
[persister]
batch_size = {BATCH}
in_flight = {in_flight}
""")
        daemons.start("persister")
        try:
            return rate(node, f"{prefix}-*", len(docs), 300)
        except TimeoutError:
            sys.stderr.write(daemons.log("persister")[-3000:])
            raise
        finally:
            daemons.close()
            node.forget(f"{prefix}-*")


def peer(node: Node, uri: str, docs, template: dict) -> float | None:
    """Return rsyslog's rate, or None where it cannot be had."""
    index, topic = f"rsys{uuid.uuid4().hex[:8]}", f"r{uuid.uuid4().hex[:8]}"
    node.call("PUT", f"/{index}", template)
    try:
        rsyslog.install()
        publish(uri, topic, docs)
        with rsyslog.running(uri, topic, node.url, index):
            return rate(node, index, len(docs), 300)
    except (Missing, TimeoutError) as error:
        print(f"rsyslog: {error}", file=sys.stderr)
        return None
    finally:
        node.forget(index)


def template_of(node: Node) -> dict:
    """Return settings and mappings of the indices that our driver makes."""
    from monasca_events_common.store.elasticsearch import ElasticsearchStore
    prefix = f"tpl{uuid.uuid4().hex[:8]}"
    store = ElasticsearchStore(options(
        ElasticsearchStore.OPTS, hosts=[node.url], index_name=prefix))
    store.write(documents(1, 1))
    store.close()
    (name, found), = node.call("GET", f"/{prefix}-*").items()
    node.forget(name)
    settings = {key: value for key, value in found["settings"]["index"].items()
                if key in ("number_of_shards", "number_of_replicas",
                           "refresh_interval")}
    return {"settings": {"index": settings}, "mappings": found["mappings"]}


def main() -> int:
    parser = argparse.ArgumentParser("bench_persister")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--driver", default="confluent",
                        choices=("kafka", "confluent"))
    parser.add_argument("--count", type=int)
    arguments = parser.parse_args()
    count = arguments.count or (12000 if arguments.short else 120000)
    try:
        node = Node(server("elasticsearch")["url"])
        kafka = server("kafka")
    except Missing as error:
        print(error, file=sys.stderr)
        return 3
    uri = f"{kafka['host']}:{kafka['port']}"
    docs = documents(count, TENANTS)
    template = template_of(node)
    answer: dict = {"bench": "persister", "driver": arguments.driver,
                    "documents": count,
                    "bytes": sum(len(one.value) for one in docs) // count}
    raw(node, docs[:BATCH * 4], 2, template)  # the server warms up
    rounds = 1 if arguments.short else 2
    raws, mine = [], []
    for _ in range(rounds):
        for in_flight in (1, 2):
            raws.append((raw(node, docs, in_flight, template), in_flight))
        for in_flight in (2, 3):
            mine.append((ours(node, uri, docs, arguments.driver, in_flight),
                         in_flight))
    theirs = None if arguments.short else peer(node, uri, docs, template)
    answer |= {"raw_docs_s": round(max(raws)[0]),
               "raw_in_flight": max(raws)[1],
               "persister_docs_s": round(max(mine)[0]),
               "persister_in_flight": max(mine)[1],
               "ratio_to_raw": round(max(mine)[0] / max(raws)[0], 3)}
    if theirs:
        answer |= {"rsyslog_docs_s": round(theirs),
                   "ratio_to_rsyslog": round(max(mine)[0] / theirs, 2)}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
