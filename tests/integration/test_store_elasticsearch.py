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

import unittest
import uuid

import elasticsearch
from oslo_config import cfg

from monasca_events_common import errors
from monasca_events_common.query import Query
from monasca_events_common.store import ALL
from monasca_events_common.store.elasticsearch import ElasticsearchStore
from monasca_events_common.store import elasticsearch_template
from tests.contract.store import at
from tests.contract.store import document
from tests.contract.store import make
from tests.contract.store import OURS
from tests.contract.store import StoreContract
from tests.contract.store import THEIRS
from tests.integration import servers


class ElasticsearchStoreCase(unittest.TestCase):
    """A store with names of its own on a real Elasticsearch."""

    layout = "tenant"
    options: dict = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.url = servers.up("elasticsearch")["url"]
        cls.client = elasticsearch.Elasticsearch(
            cls.url, request_timeout=60)
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        super().setUp()
        self.prefix = "t" + uuid.uuid4().hex[:12]
        self.addCleanup(self.remove)
        self.store = self.open()

    def open(self, **values) -> ElasticsearchStore:
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        group = ElasticsearchStore.GROUP
        conf.register_opts(ElasticsearchStore.OPTS, group=group)
        values = {"hosts": [self.url], "index_name": self.prefix,
                  "layout": self.layout, "replicas": 0,
                  # Tests refresh when they want to see.
                  "refresh_interval": "-1", "retry_wait": 0.01,
                  **self.options, **values}
        for name, value in values.items():
            conf.set_override(name, value, group=group)
        store = ElasticsearchStore(conf[group])
        self.addCleanup(store.close)
        return store

    def refresh(self) -> None:
        self.client.indices.refresh(index=f"{self.prefix}-*")

    def indices(self) -> list[str]:
        return sorted(self.client.indices.get(index=f"{self.prefix}-*").body)

    def remove(self) -> None:
        names = self.indices()
        if names:
            self.client.indices.delete(index=names)
        self.client.options(ignore_status=404).indices.delete_index_template(
            name=f"{self.prefix}-monasca-events")


class TestTenantLayout(ElasticsearchStoreCase, StoreContract):
    pass


class TestPooledLayout(ElasticsearchStoreCase, StoreContract):

    layout = "pooled"
    options = {"shards": 2}


class TestFaults(ElasticsearchStoreCase):
    """What Elasticsearch may do to us, and what we answer."""

    def put(self, *each: str, store=None, **fields):
        return (store or self.store).write([
            document(make(name, payload={"name": name}, **fields))
            for name in each])

    def assert_stops(self, *each: str, reason: str) -> None:
        with self.assertRaises(errors.StoreUnavailable) as caught:
            self.put(*each)
        self.assertIn(reason, str(caught.exception))

    def test_a_blocked_index_stops_writing_until_the_block_goes(self):
        """F9, R5: nothing is rejected, and it resumes by itself."""
        self.put("a")
        index, = self.indices()
        for block, reason in (("read_only_allow_delete", "status 429"),
                              ("write", "status 403"),
                              ("read_only", "status 403")):
            self.client.indices.put_settings(
                index=index, settings={f"index.blocks.{block}": True})
            self.assert_stops("a", block, reason=reason)
            self.client.indices.put_settings(
                index=index, settings={f"index.blocks.{block}": None})
            result = self.put("a", block)
            self.assertEqual((1, 1), (result.stored, result.repeated))

    def test_a_closed_index_stops_writing_until_it_opens(self):
        """F9"""
        self.put("a")
        index, = self.indices()
        self.client.indices.close(index=index)
        self.assert_stops("b", reason="index_closed_exception")
        self.client.indices.open(index=index)
        self.assertEqual(1, self.put("b").stored)

    def test_what_can_be_stored_is_stored_beside_a_blocked_index(self):
        """F8: the repeat finds the first copies."""
        self.put("a")
        index, = self.indices()
        self.client.indices.put_settings(
            index=index, settings={"index.blocks.write": True})
        batch = [document(make("b")),
                 document(make("c", timestamp=at(days=60)))]
        with self.assertRaises(errors.StoreUnavailable):
            self.store.write(batch)
        self.client.indices.put_settings(
            index=index, settings={"index.blocks.write": None})
        result = self.store.write(batch)
        self.assertEqual((1, 1), (result.stored, result.repeated))

    def test_an_index_that_vanished_is_made_anew_with_our_mapping(self):
        """F9: it is never created dynamically."""
        self.put("a")
        index, = self.indices()
        self.client.indices.delete(index=index)
        self.client.indices.delete_index_template(
            name=f"{self.prefix}-monasca-events")
        self.assertEqual(2, self.put("a", "b").stored)
        self.assert_ours(index)

    def test_a_template_that_cannot_be_put_stops_writing(self):
        """F9"""
        self.client.indices.put_index_template(
            name=f"{self.prefix}-other", priority=300,
            index_patterns=[f"{self.prefix}-*"])
        self.addCleanup(self.client.indices.delete_index_template,
                        name=f"{self.prefix}-other")
        self.assert_stops("a", reason="status 400")
        self.assertEqual([], self.indices())

    def test_an_index_with_another_mapping_is_not_written(self):
        self.client.indices.create(index=f"{self.prefix}-{OURS}-2026.11")
        self.assert_stops("a", reason="another's mapping")

    def test_an_index_that_another_process_made_is_used(self):
        other = self.open()
        self.assertEqual(1, self.put("a").stored)
        self.assertEqual(1, self.put("a", store=other).repeated)
        index, = self.indices()
        # Between the creation and the aliases, as far as others can see.
        self.client.indices.delete_alias(index=index, name="*")
        self.assertEqual(1, self.put("a", store=self.open()).repeated)

    def test_an_index_has_the_shards_and_the_refresh_that_are_configured(self):
        """B27, T26, T27"""
        store = self.open(shards=5, replicas=1, refresh_interval="3s")
        self.put("a", store=store)
        index, = self.indices()
        found = self.client.indices.get_settings(index=index).body[index]
        self.assertEqual(
            ("5", "1", "3s"),
            tuple(found["settings"]["index"][name] for name in (
                "number_of_shards", "number_of_replicas",
                "refresh_interval")))

    def test_an_older_template_is_replaced_and_a_newer_one_kept(self):
        name = f"{self.prefix}-monasca-events"
        for version, expected in ((0, elasticsearch_template.VERSION),
                                  (99, 99)):
            self.client.indices.put_index_template(
                name=name, index_patterns=[f"{self.prefix}-*"], priority=300,
                version=version, meta={"owner": "monasca-events"},
                template={"mappings": elasticsearch_template.mappings()})
            self.put("a", store=self.open(), timestamp=at(days=version))
            found = self.client.indices.get_index_template(name=name).body
            self.assertEqual(expected, found["index_templates"][0]
                             ["index_template"]["version"])

    def test_one_event_larger_than_a_request_is_sent_alone(self):
        store = self.open(bulk_bytes=64 * 1024)
        result = store.write([
            document(make(str(number), payload={"text": "x" * 50_000}))
            for number in range(5)]
            + [document(make("large", payload={"text": "x" * 200_000}))])
        self.assertEqual(6, result.stored)

    def test_an_id_that_would_fail_the_whole_request_is_rejected(self):
        """R5: an _id of more than 512 bytes fails every item beside it."""
        good = document(make("good"))
        bad = [good._replace(event_id=event_id)
               for event_id in ("", "x" * 513, "ü" * 300)]
        result = self.store.write([*bad, good])
        self.assertEqual(1, result.stored)
        self.assertEqual(["invalid_event_id"] * 3,
                         [one.code for one in result.rejected])

    def test_a_project_id_never_becomes_another_index(self):
        """S4: two of these names Elasticsearch itself would create."""
        good = document(make("good"))
        hostile = ("../x", "*", "_all", "a,b", ".security", "<x-{now/d}>",
                   "-x", OURS.upper(), "0" * 300, "☃" * 32, "pool",
                   OURS + '"}}\n{"delete":{"_index":"x"}}')
        result = self.store.write(
            [good._replace(project_id=one) for one in hostile]
            + [good])
        self.assertEqual(1, result.stored)
        self.assertEqual(["invalid_project_id"] * len(hostile),
                         [one.code for one in result.rejected])
        self.assertEqual([f"{self.prefix}-{OURS}-2026.11"], self.indices())

    def test_bytes_never_become_another_action(self):
        """S4: a line break would."""
        good = document(make("good"))
        action = b'\n{"delete":{"_index":"%b","_id":"x"}}\n{"a":1}' % (
            self.prefix.encode())
        result = self.store.write([
            good._replace(value=good.value[:-1] + action),
            good._replace(index=good.index[:-1] + action)])
        self.assertEqual(["store_rejected"] * 2,
                         [one.code for one in result.rejected])

    def test_an_event_of_another_project_stays_where_it_was_sent(self):
        """S19: what the event says of itself does not show it to others."""
        forged = document(make("forged", project_id=THEIRS))._replace(
            project_id=OURS)
        self.store.write([forged])
        self.refresh()
        self.assertEqual(0, len(self.store.search(THEIRS, Query()).events))
        self.assertEqual(1, len(self.store.search(OURS, Query()).events))

    def test_nobody_at_the_address_is_unavailable(self):
        """F7: and the store can be made all the same."""
        store = self.open(hosts=["http://127.0.0.1:9"], max_retries=0)
        self.assertFalse(store.health().ok)
        for call in (lambda: store.search(OURS, Query()),
                     lambda: store.get(OURS, "x"),
                     lambda: store.purge(OURS, at()),
                     lambda: self.put("a", store=store)):
            with self.assertRaises(errors.StoreUnavailable):
                call()

    def test_old_readers_find_the_names_that_they_know(self):
        """Section 2 of monasca.md."""
        self.put("a")
        self.refresh()
        pattern = f"{self.prefix}-{OURS}*"
        for query in ({"match": {"event_type":
                                 " Compute.instance.create.end "}},
                      {"term": {"event_type.keyword":
                                "compute.instance.create.end"}},
                      {"range": {"@timestamp": {"gte": at(-1),
                                                "lte": at(1)}}},
                      {"term": {"project_id": OURS}}):
            found = self.client.search(index=pattern, query=query).body
            self.assertEqual(1, found["hits"]["total"]["value"], query)

    def test_too_many_buckets_are_too_costly(self):
        self.put("a")
        self.put("b", timestamp="2097-01-01T00:00:00.000000Z")
        self.refresh()
        self.client.cluster.put_settings(
            persistent={"search.max_buckets": 1})
        self.addCleanup(self.client.cluster.put_settings,
                        persistent={"search.max_buckets": None})
        with self.assertRaises(errors.Rejected) as caught:
            self.store.aggregate(OURS, Query(), "event_type", 60)
        self.assertEqual("query_too_costly", caught.exception.code)

    def assert_ours(self, index: str) -> None:
        mapping = self.client.indices.get_mapping(index=index).body
        self.assertEqual("false", mapping[index]["mappings"]["dynamic"])


class TestPurge(ElasticsearchStoreCase):

    def test_a_period_that_lies_partly_before_is_kept(self):
        self.store.write([document(make("a"))])
        self.assertEqual(0, self.store.purge(OURS, at(days=5)))
        self.assertEqual(1, len(self.indices()))
        self.refresh()
        self.assertEqual(1, self.store.purge(OURS, at(days=15)))
        self.assertEqual([], self.indices())

    def test_an_index_of_somebody_else_is_never_removed(self):
        for name in ("other", "audit-1999.01", f"{OURS}-2026-01-01",
                     "x-2026.13"):
            self.client.indices.create(index=f"{self.prefix}-{name}")
        before = self.indices()
        self.assertEqual(0, self.store.purge(ALL, at(days=400)))
        self.assertEqual(before, self.indices())


class TestPooledPurge(ElasticsearchStoreCase):

    layout = "pooled"

    def test_a_projects_purge_of_a_shared_index_is_exact(self):
        for begin in range(0, 1200, 400):
            self.store.write([document(make(str(number), timestamp=at(number)))
                              for number in range(begin, begin + 400)])
        self.store.write([document(make("theirs", project_id=THEIRS))])
        self.assertEqual(1100, self.store.purge(OURS, at(1100)))
        self.refresh()
        self.assertEqual(100, len(self.store.search(
            OURS, Query(limit=500)).events))
        self.assertEqual(1, len(self.store.search(THEIRS, Query()).events))
