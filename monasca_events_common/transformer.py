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

"""Tenants' transforms, followed from the catalog and applied to documents.

Used wherever events leave the bus for a reader: by the persister, and by what
shows events that are not stored yet. An event whose tenant has no transform
for its type passes through undecoded. Until the catalog was read once nothing
passes at all, for a tenant may have asked for something not to be shown; after
that an absent database stops nothing. What a definition that is none of this
release's might have wanted does not pass either.
"""

from collections.abc import Callable, Mapping
import logging
import threading

import orjson

from monasca_events_common import event as events
from monasca_events_common import metrics
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import Definition
from monasca_events_common.catalog import TRANSFORMS
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_common.rules import transforms
from monasca_events_common.rules.transforms import Transforms
from monasca_events_common.store import Document

LOG = logging.getLogger(__name__)

class Transformer:
    """The transforms in force. Safe for several threads."""

    def __init__(self, open_catalog: Callable[[], Catalog],
                 count: Callable[[str], None] = lambda outcome: None) -> None:
        """:param open_catalog: returns the catalog; Unavailable while its
            database does not answer, and then asked again
        :param count: called with ``changed``, ``split``, ``dropped`` or
            ``failed`` for each event that transforms wanted
        """
        self._open = open_catalog
        self._count = count
        self._catalog: Catalog | None = None
        self._revision: int | None = None
        self._definitions: dict[str, Definition] = {}
        self._lock = threading.Lock()
        #: Project id → its transforms; replaced whole.
        self._current: Mapping[str, Transforms] = {}

    def follow(self) -> None:
        """Take over what changed.

        :raises Unavailable: the database does not answer, and never has
        """
        with self._lock:
            try:
                self._follow()
            except Unavailable as error:
                if self._revision is None:
                    raise
                LOG.debug("transforms stay as they are: %s", error)

    def _follow(self) -> None:
        if self._catalog is None:
            self._catalog = self._open()
        revision = self._catalog.revision()
        if revision == self._revision:
            return
        changed = set()
        for one in self._catalog.changes(self._revision or 0, [TRANSFORMS]):
            changed.add(one.project_id)
            self._definitions.pop(one.id, None)
            if not one.deleted:
                self._definitions[one.id] = one
        if changed:
            self._current = self._compiled(changed)
        # Last: who sees a revision without its lock takes what is current.
        self._revision = revision

    def _compiled(self, changed: set[str]) -> dict[str, Transforms]:
        current = {project_id: found for project_id, found
                   in self._current.items() if project_id not in changed}
        for project_id in changed:
            own = [(one.content, one.revision) for one in sorted(
                self._definitions.values(),
                key=lambda one: (one.created_at, one.id))
                if one.project_id == project_id]
            if not own:
                continue
            current[project_id] = transforms.compile_all(own)
            for one in current[project_id].broken:
                metrics.BROKEN.labels("definition").inc()
                LOG.error("the transform %r of project %s cannot be applied, "
                          "events that it might want are dead letters: %s",
                          one.name, project_id, one.reason)
        return current

    def apply(self, document: Document) -> list[Document] | None:
        """Return what is to be stored instead; None leaves it as it is.

        :raises Unavailable: it is not known yet what tenants want
        :raises Rejected: nobody can say what of it may be stored
        """
        if self._revision is None:
            self.follow()
        found = self._current.get(document.project_id)
        if found is None or not found.wants(document.event_type):
            return None
        made = found.records(_decoded(document), len(document.value))
        if made is None:
            return None
        self._count(_outcome([event for event, _ in made]))
        return [Document(
            event["project_id"], event["event_id"], event["event_type"],
            event["timestamp"], record.value, record.headers["index"])
            for event, record in made]


def _decoded(document: Document) -> dict:
    """Return the event. Raises Rejected where it is not a canonical one."""
    try:
        event = orjson.loads(document.value)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"the record is not JSON: {error}",
                       code="not_json") from None
    if not set(events.FIELDS) <= set(event) or any(
            type(event[name]) is not dict
            for name in ("traits", "dimensions", "payload", "marks")):
        raise Rejected("the event is not canonical", code="invalid_record")
    return event


def _outcome(made: list[dict]) -> str:
    if not made:
        return "dropped"
    if any("transform_failed" in one["marks"] for one in made):
        return "failed"
    return "split" if len(made) > 1 else "changed"
