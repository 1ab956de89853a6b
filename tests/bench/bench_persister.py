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
bodies serialised beforehand; our persister, one process, reading them from
Kafka; each with several numbers of requests in flight, of which the best
counts. Where Debian's packages are there, also rsyslog's imkafka →
omelasticsearch: ``rsyslog`` does the persister's job (an index for each
tenant and month, ``create`` by id), ``rsyslog_text`` only passes text into
one index, without ids. Every rate is read from the node's own indexing
counter; before each the indices are made and what was written is on the disk,
so all are measured alike.
"""

import argparse
import http.client
import json
import os
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
IN_FLIGHT = (2, 3, 4)
ROUNDS = 2


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
    """Return documents per second, from the first tenth to the last.

    Nobody is at full speed while requests begin and while they run out.
    """
    first = None
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        done, now = node.indexed(pattern), time.monotonic()
        if done >= 0.9 * count:
            if first is None:
                raise RuntimeError("too few documents to measure a rate")
            return (done - first[1]) / (now - first[0])
        if first is None and done >= 0.1 * count:
            first = (now, done)
        time.sleep(0.05)
    raise TimeoutError(f"{node.indexed(pattern)} of {count} after "
                       f"{timeout:.0f} s")


def stored(document) -> bytes:
    """Return the document's line exactly as the driver sends it."""
    return b'%s,"index":%s,"project":"%s"}}' % (
        document.value[:-1], document.index[:-1],
        document.project_id.encode())


def bodies(prefix: str, docs) -> list[bytes]:
    """Return bulk bodies of the driver's documents."""
    lines = [b'{"create":{"_index":"%s","_id":"%s"}}\n%s\n' % (
        index_name(prefix, one).encode(), one.event_id.encode(), stored(one))
        for one in docs]
    return [b"".join(lines[at:at + BATCH])
            for at in range(0, len(lines), BATCH)]


def index_name(prefix: str, document) -> str:
    return f"{prefix}-{document.project_id}-{document.timestamp[:7]}"


def make_indices(node: Node, prefix: str, docs, template: dict) -> None:
    """Make them as our driver does, once a month for each tenant."""
    from monasca_events_common.store.elasticsearch_indices import write_alias
    for name in {index_name(prefix, one) for one in docs}:
        node.call("PUT", f"/{name}", {**template, "aliases": {
            write_alias(name): {}, name.rpartition("-")[0]: {}}})


def raw(node: Node, docs, in_flight: int, template: dict) -> float:
    """Return the rate of bare requests."""
    prefix = f"raw{uuid.uuid4().hex[:8]}"
    make_indices(node, prefix, docs, template)
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

    os.sync()
    threads = [threading.Thread(target=send) for _ in range(in_flight)]
    for one in threads:
        one.start()
    found = rate(node, f"{prefix}-*", len(docs), 300)
    for one in threads:
        one.join()
    node.forget(f"{prefix}-*")
    return found


def record(document) -> Record:
    """Return the record that the API publishes."""
    return Record(document.project_id.encode(), document.value, {
        "event_id": document.event_id.encode(),
        "event_type": document.event_type.encode(),
        "timestamp": document.timestamp.encode(), "schema": b"1",
        "index": document.index})


def text(document) -> Record:
    """Return one for who can read no headers: all is in the value."""
    return Record(document.project_id.encode(), stored(document), {})


def publish(uri: str, topic: str, docs, form=record) -> None:
    """Put the documents on the topic and both on the disk."""
    from monasca_events_common.bus.confluent import ConfluentBus
    bus = ConfluentBus(options(ConfluentBus.OPTS, uri=uri))
    for at in range(0, len(docs), 1000):
        bus.publish(topic, [form(one) for one in docs[at:at + 1000]])
    bus.close()
    os.sync()


def ours(node: Node, uri: str, docs, driver: str, in_flight: int,
         template: dict) -> float:
    """Return the rate of our persister, one process."""
    prefix, topic = f"our{uuid.uuid4().hex[:8]}", f"t{uuid.uuid4().hex[:8]}"
    make_indices(node, prefix, docs, template)
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
[database]
connection = sqlite:///{folder}/definitions.db
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


def peer(node: Node, uri: str, docs, template: dict,
         by_tenant: bool) -> float | None:
    """Return rsyslog's rate, or None where it cannot be had."""
    prefix, topic = f"rsys{uuid.uuid4().hex[:8]}", f"r{uuid.uuid4().hex[:8]}"
    try:
        rsyslog.install()
        if by_tenant:
            make_indices(node, prefix, docs, template)
        else:
            node.call("PUT", f"/{prefix}", template)
        publish(uri, topic, docs, text)
        with rsyslog.running(uri, topic, node.url, prefix, by_tenant):
            return rate(node, f"{prefix}*", len(docs), 300)
    except (Missing, TimeoutError) as error:
        print(f"rsyslog: {error}", file=sys.stderr)
        return None
    finally:
        node.forget(f"{prefix}*")


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
    raws, mine, theirs, texts = [], [], [], []
    for _ in range(1 if arguments.short else ROUNDS):
        # In turns, for other work on the machine comes and goes.
        for in_flight in IN_FLIGHT:
            raws.append((raw(node, docs, in_flight, template), in_flight))
            mine.append((ours(node, uri, docs, arguments.driver, in_flight,
                              template), in_flight))
        if not arguments.short:
            theirs.append(peer(node, uri, docs, template, True) or 0)
            texts.append(peer(node, uri, docs, template, False) or 0)
    answer |= {"raw_docs_s": round(max(raws)[0]),
               "raw_in_flight": max(raws)[1],
               "persister_docs_s": round(max(mine)[0]),
               "persister_in_flight": max(mine)[1],
               "ratio_to_raw": round(max(mine)[0] / max(raws)[0], 3)}
    for name, rates in (("rsyslog", theirs), ("rsyslog_text", texts)):
        if any(rates):
            answer |= {f"{name}_docs_s": round(max(rates)),
                       f"ratio_to_{name}": round(
                           max(mine)[0] / max(rates), 2)}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
