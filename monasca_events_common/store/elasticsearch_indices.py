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

"""The Elasticsearch store's indices: names, creation, age and removal.

In the layout ``tenant`` a project has an index a period,
``events-<project>-<period>``, under the alias ``events-<project>``; in the
layout ``pooled`` all projects share ``events-pool-<period>``, each routed to
one shard. Writing goes through an alias of each index and asks for that
alias, so that an index that vanished is never made again behind our back
with a mapping that Elasticsearch guesses.
"""

from collections.abc import Iterable
import dataclasses
import re
import threading

import elasticsearch

from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.store import ALL
from monasca_events_common.store import elasticsearch_template
from monasca_events_common.store import periods

_WRITE = ".write"


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """How projects and times become names.

    :ivar prefix: what every name begins with
    :ivar pooled: projects share indices
    :ivar period: day, week, month or year
    :ivar expression: what a project id has to match
    """

    prefix: str
    pooled: bool
    period: str
    expression: re.Pattern

    def slug(self, project_id: str) -> str:
        """Return the project's part of names; raise Rejected."""
        return periods.slug(project_id, self.expression)

    def index(self, slug: str, timestamp: str) -> str:
        """Return the index of an event; raise Rejected."""
        return periods.index_name(
            self.prefix, periods.POOL if self.pooled else slug, timestamp,
            self.period)

    def document_id(self, slug: str, event_id: str) -> str:
        """Return what is unique within an index."""
        return f"{slug}.{event_id}" if self.pooled else event_id

    def everything(self) -> str:
        """Return the pattern of all indices."""
        return f"{self.prefix}-*"

    def target(self, slug: str) -> str:
        """Return what a project's searches look into: never a list."""
        return f"{self.prefix}-{periods.POOL if self.pooled else slug}"

    def alongside(self, index: str, project_id) -> str:
        """Return what holds a project's events of the period of an index."""
        if project_id is not ALL:
            return index
        return f"{self.prefix}-*-{periods.label_of(index)}"

    def past(self, indices: Iterable[str], before: str) -> list[str]:
        """Return those of the indices that lie wholly before a time."""
        found = []
        for index in indices:
            span = periods.span(periods.label_of(index))
            if (index.startswith(self.prefix + "-") and span is not None
                    and span[1] <= before):
                found.append(index)
        return sorted(found)


def write_alias(index: str) -> str:
    """Return the name under which an index is written."""
    return index + _WRITE


class Indices:
    """The indices of one cluster, made when first needed."""

    def __init__(self, client: elasticsearch.Elasticsearch, layout: Layout,
                 conf) -> None:
        self._client = client
        self._layout = layout
        self._conf = conf
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._template_checked = False

    def ensure(self, indices: Iterable[str]) -> None:
        """Return once every index is there, as it has to be.

        :raises StoreUnavailable: one is there but is not ours, or cannot be
        """
        missing = set(indices) - self._known
        if not missing:
            return
        with self._lock:
            for index in sorted(missing - self._known):
                self._make(index)
                self._known.add(index)

    def forget(self, indices: Iterable[str]) -> None:
        """Look again the next time: these were said to be missing."""
        with self._lock:
            self._known -= set(indices)
            self._template_checked = False

    def of(self, project_id) -> list[str]:
        """Return the names of the indices of a project, or of all."""
        name = self._layout.everything() if project_id is ALL \
            else self._layout.target(self._layout.slug(project_id))
        try:
            if project_id is ALL:
                found = self._client.indices.get_alias(
                    index=name, expand_wildcards="all")
            else:
                found = self._client.indices.get_alias(name=name)
        except elasticsearch.NotFoundError:
            return []
        return sorted(found.body)

    def drop(self, indices: Iterable[str]) -> int:
        """Remove those of the indices that are ours; return their events."""
        events = 0
        for index in indices:
            try:
                if not self._is_ours(index):
                    continue
                events += self._client.count(
                    index=index, query={"exists": {"field": "index.project"}}
                ).body["count"]
                self._client.indices.delete(index=index)
            except elasticsearch.NotFoundError:
                continue  # another purge was faster
            self.forget([index])
        return events

    def _make(self, index: str) -> None:
        if self._client.indices.exists_alias(name=write_alias(index)):
            return
        self._ensure_template()
        aliases = {write_alias(index): {}, index.rpartition("-")[0]: {}}
        try:
            self._client.indices.create(index=index, aliases=aliases)
            return
        except elasticsearch.BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
        # Another process made it meanwhile, or somebody else altogether.
        if not self._is_ours(index):
            raise StoreUnavailable(
                f"the index {index} exists with another's mapping; remove it",
                code="store_foreign_index")
        self._client.indices.update_aliases(actions=[
            {"add": {"index": index, "alias": alias}} for alias in aliases])

    def _is_ours(self, index: str) -> bool:
        mapping = self._client.indices.get_mapping(index=index).body
        return elasticsearch_template.is_ours(mapping[index]["mappings"])

    def _ensure_template(self) -> None:
        """Put our template where there is none or an older one."""
        if self._template_checked:
            return
        name = f"{self._layout.prefix}-monasca-events"
        try:
            found = self._client.indices.get_index_template(name=name).body
            current = found["index_templates"][0]["index_template"]
        except elasticsearch.NotFoundError:
            current = None
        if current is None or elasticsearch_template.is_older(current):
            body = elasticsearch_template.template(
                self._layout.prefix, self._conf.shards, self._conf.replicas,
                self._conf.refresh_interval)
            self._client.indices.put_index_template(
                name=name, index_patterns=body["index_patterns"],
                priority=body["priority"], version=body["version"],
                meta=body["_meta"], template=body["template"])
        self._template_checked = True
