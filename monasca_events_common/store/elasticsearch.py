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

"""The distributed store: Elasticsearch 8, by its official client.

One index per tenant and period, or one per period that all share. What has
to hold for the events of a project is put together in ``_scope`` alone. It
never asks for the server's version: some distributions do not answer that.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
import dataclasses
import time

import elasticsearch
from oslo_config import cfg

from monasca_events_common.errors import EventsError
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.health import Health
from monasca_events_common.query import Query
from monasca_events_common.store import Aggregation
from monasca_events_common.store import ALL
from monasca_events_common.store import Document
from monasca_events_common.store import elasticsearch_client
from monasca_events_common.store import elasticsearch_count as histogram
from monasca_events_common.store import elasticsearch_query as translation
from monasca_events_common.store.elasticsearch_indices import Indices
from monasca_events_common.store.elasticsearch_indices import Layout
from monasca_events_common.store.elasticsearch_listing import canonical
from monasca_events_common.store.elasticsearch_listing import Listing
from monasca_events_common.store.elasticsearch_write import Writer
from monasca_events_common.store import Page
from monasca_events_common.store import periods
from monasca_events_common.store import Store
from monasca_events_common.store import Trait
from monasca_events_common.store import WriteResult

# Times that a search is tried while shards are starting.
_SEARCHES = 4
# Events that one request of a purge in a shared index finds and removes.
_PURGED_AT_ONCE = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class _Scope:
    """Where a project's events are, and which of the events there."""

    target: str
    condition: dict
    routing: str | None


class ElasticsearchStore(Store):
    """Events in Elasticsearch."""

    GROUP = "elasticsearch"
    OPTS = [
        cfg.ListOpt("hosts", default=["http://127.0.0.1:9200"],
                    help="URLs of the Elasticsearch nodes. Requests are "
                         "spread over them."),
        cfg.StrOpt("username",
                   help="Name with which the service signs in to "
                        "Elasticsearch, if it asks for one."),
        cfg.StrOpt("password", secret=True,
                   help="Password that belongs to the username."),
        cfg.StrOpt("api_key", secret=True,
                   help="API key with which the service signs in to "
                        "Elasticsearch, instead of name and password."),
        cfg.StrOpt("ca_file",
                   help="File with the certificates of the authorities that "
                        "may have signed the nodes' certificates. The "
                        "system's are used if it is not set."),
        cfg.BoolOpt("verify", default=True,
                    help="Whether the nodes' certificates are checked. "
                         "Without it anybody in between can read and forge "
                         "events."),
        cfg.StrOpt("index_name", default="events",
                   regex=r"[a-z][a-z0-9_]{0,31}",
                   help="What the names of indices, aliases and the index "
                        "template begin with."),
        cfg.StrOpt("layout", default="tenant", choices=("tenant", "pooled"),
                   help="Whether each tenant has indices of its own "
                        "(tenant), or all share one index a period (pooled), "
                        "which keeps thousands of small tenants below "
                        "Elasticsearch's limit of shards a node. It must "
                        "not change once events are stored."),
        cfg.StrOpt("period", default="month", choices=periods.PERIODS,
                   help="Span of time that one index holds. Whole indices "
                        "are removed when their events are too old: days "
                        "suit a retention of weeks, months one of years. "
                        "Where this is not set, the persister takes what "
                        "suits [retention] days when it starts: day up to "
                        "31, week up to 92, month up to 1830, year beyond. "
                        "After a change, repeats of events that are stored "
                        "already are stored once more."),
        cfg.StrOpt("project_id_expression",
                   default="[0-9a-f]{32}|"
                           "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
                   help="Regular expression that a project id has to match "
                        "as a whole to become part of an index name. Events "
                        "of other projects are rejected."),
        cfg.IntOpt("shards", default=1, min=1, max=1024,
                   help="Primary shards of a new index."),
        cfg.IntOpt("replicas", default=1, min=0, max=100,
                   help="Copies of each shard of a new index, besides the "
                        "primary. Without one, events are lost with the "
                        "node that holds them."),
        cfg.StrOpt("refresh_interval", default="1s",
                   regex=r"[0-9]+(ms|s|m)|-1",
                   help="Time after which stored events can be searched, in "
                        "Elasticsearch's notation. A longer one makes "
                        "storing cheaper. It applies to new indices."),
        cfg.IntOpt("bulk_bytes", default=5 * 1024 * 1024, min=64 * 1024,
                   mutable=True,
                   help="Bytes of one bulk request at most; a larger event "
                        "is sent alone. Two requests of more than 6 MB at "
                        "once can exceed the memory of a node with a heap "
                        "of 1 GB."),
        cfg.FloatOpt("timeout", default=30.0, min=0.1,
                     help="Seconds that a request may take before it fails "
                          "as unavailable."),
        cfg.FloatOpt("query_timeout", default=5.0, min=0.01, mutable=True,
                     help="Seconds after which Elasticsearch stops a search, "
                          "which is then refused as too costly."),
        cfg.IntOpt("max_retries", default=2, min=0,
                   help="Times that a request is sent again, to another node "
                        "if there is one, when a connection fails."),
        cfg.IntOpt("write_attempts", default=3, min=0, mutable=True,
                   help="Times that events which Elasticsearch did not take "
                        "for now are sent again before the whole batch "
                        "fails as unavailable."),
        cfg.FloatOpt("retry_wait", default=0.25, min=0, mutable=True,
                     help="Seconds before events are sent again for the "
                          "first time; each further wait is twice as long."),
    ]

    def __init__(self, conf) -> None:
        """Prepare a client; Elasticsearch itself may come up later.

        :param conf: the group ``[elasticsearch]``
        :raises Misconfigured: the options contradict one another
        """
        self.conf = conf
        self._layout = Layout(
            conf.index_name, conf.layout == "pooled", conf.period,
            periods.slug_expression(conf.project_id_expression))
        self._client = elasticsearch_client.client(conf)
        self._indices = Indices(self._client, self._layout, conf)
        self._writer = Writer(self._client, self._layout, self._indices, conf)
        self._closed = False

    def write(self, documents: Sequence[Document]) -> WriteResult:
        with self._using(changing=True):
            return self._writer.write(documents)

    def search(self, project_id, query: Query) -> Page:
        filters = translation.filters(query)
        scope = self._scope(project_id)
        with self._using():
            if query.quick and scope is not None:
                scope = self._newest(project_id, scope)

            def ask(further: Sequence[dict], **wanted) -> Sequence[dict]:
                return () if scope is None else self._search(
                    scope, [*filters, *further], **wanted)["hits"]["hits"]
            return Listing(ask, query).page()

    def get(self, project_id, event_id: str) -> bytes:
        scope = self._scope(project_id)
        with self._using():
            hits = [] if scope is None else self._search(
                scope, [{"term": {"event_id": event_id}}],
                size=1)["hits"]["hits"]
        if not hits:
            raise NotFound(f"there is no event {event_id[:64]!r}")
        return canonical(hits[0]["_source"])

    def aggregate(self, project_id, query: Query, by: str | None,
                  interval: int | None) -> Aggregation:
        filters = translation.filters(query)
        by_time = histogram.by_time(by, interval)
        scope = self._scope(project_id)
        with self._using():
            if query.quick and scope is not None:
                scope = self._newest(project_id, scope)
            if scope is None:
                return Aggregation((), False)
            if by is not None and interval is not None:
                found = histogram.of_group(self._counted(
                    scope, filters, histogram.by_group(by, interval)), by)
                if found is not None:
                    return found
            return histogram.of_time(self._counted(
                scope, filters, by_time, whole=interval is None), by)

    def _counted(self, scope: _Scope, filters: Sequence[dict], wanted: dict,
                 whole: bool = False) -> dict:
        """Return aggregations, and with ``whole`` the ``doc_count`` of all."""
        found = self._search(scope, filters, size=0, aggregations=wanted,
                             track_total_hits=whole)
        # Without a single index there are no aggregations.
        counted = found.get("aggregations", {})
        if whole:
            counted["doc_count"] = found["hits"]["total"]["value"]
        return counted

    def traits(self, project_id, event_type: str | None) -> Sequence[Trait]:
        scope = self._scope(project_id)
        filters = [] if event_type is None else [
            {"term": {"event_type.keyword": event_type}}]
        found: list[Trait] = []
        after = None
        while scope is not None:
            with self._using():
                page = self._search(
                    scope, filters, size=0,
                    aggregations=translation.trait_types(after)) \
                    .get("aggregations", {}).get("traits", {})
            found += [Trait(*one["key"]["trait"].rsplit(":", 1))
                      for one in page.get("buckets", ())]
            after = page.get("after_key")
            if after is None:
                break
        return tuple(sorted(found, key=lambda one: (one.name, one.type)))

    def purge(self, project_id, before: str) -> int:
        periods.microseconds(before)
        scope = self._scope(project_id)
        if scope is None:
            return 0
        with self._using(changing=True):
            if project_id is not ALL and self._layout.pooled:
                return self._remove(scope, before)
            return self._indices.drop(self._layout.past(
                self._indices.of(project_id), before))

    def health(self) -> Health:
        try:
            with self._using():
                status = self._client.options(
                    request_timeout=2, max_retries=0).cluster.health(
                        filter_path="status").body["status"]
        except EventsError as error:
            return Health(False, str(error))
        if status == "red":
            return Health(False, "some shards of Elasticsearch are away")
        return Health(True)

    def close(self) -> None:
        self._closed = True
        self._writer.close()
        self._client.close()

    def _using(self, changing: bool = False) -> AbstractContextManager:
        if self._closed:
            raise StoreUnavailable("the Elasticsearch store is closed")
        return elasticsearch_client.errors_told(changing)

    def _scope(self, project_id) -> _Scope | None:
        """Return where to look; the one place of the project's filter.

        None stands for a project id that can have no events.
        """
        if project_id is ALL:
            return _Scope(self._layout.everything(),
                          {"exists": {"field": "index.project"}}, None)
        try:
            slug = self._layout.slug(project_id)
        except Rejected:
            return None
        return _Scope(self._layout.target(slug),
                      {"term": {"index.project": slug}},
                      slug if self._layout.pooled else None)

    def _newest(self, project_id, scope: _Scope) -> _Scope | None:
        """Return the scope of the newest period that has events."""
        hits = self._search(
            scope, [], size=1, sort=translation.order(True),
            source=False)["hits"]["hits"]
        if not hits:
            return None
        return dataclasses.replace(scope, target=self._layout.alongside(
            hits[0]["_index"], project_id))

    def _search(self, scope: _Scope, filters: Sequence[dict],
                **wanted) -> dict:
        wanted.setdefault("track_total_hits", False)
        found = self._patiently(
            index=scope.target, routing=scope.routing,
            query={"bool": {"filter": [scope.condition, *filters]}},
            timeout=f"{round(self.conf.query_timeout * 1000)}ms",
            ignore_unavailable=True, allow_no_indices=True,
            allow_partial_search_results=False, **wanted)
        if found["timed_out"]:
            raise elasticsearch_client.too_costly(self.conf.query_timeout)
        return found

    def _patiently(self, **search) -> dict:
        """Search; ask again for a moment while a shard is starting.

        A tenant's first event in a period makes an index, and for some
        hundredths of a second every search that would include it fails.
        """
        wait = self.conf.retry_wait
        for _ in range(_SEARCHES - 1):
            try:
                return self._client.search(**search).body
            except elasticsearch.ApiError as error:
                if error.status_code != 503:
                    raise
            time.sleep(wait)
            wait *= 2
        return self._client.search(**search).body

    def _remove(self, scope: _Scope, before: str) -> int:
        """Remove one project's events from shared indices, by their ids."""
        removed = 0
        filters = translation.filters(Query(until=before))
        while True:
            self._client.indices.refresh(index=scope.target,
                                         ignore_unavailable=True)
            hits = self._search(scope, filters, size=_PURGED_AT_ONCE,
                                source=False)["hits"]["hits"]
            if not hits:
                return removed
            answer = self._client.bulk(
                filter_path="items.*.status",
                operations=[{"delete": {
                    "_index": hit["_index"], "_id": hit["_id"],
                    "routing": scope.routing}} for hit in hits]).body
            done = sum(item["delete"]["status"] == 200
                       for item in answer["items"])
            if not done:
                raise StoreUnavailable(
                    "Elasticsearch removes no events for now")
            removed += done
