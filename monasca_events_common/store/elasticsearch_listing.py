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


"""The Elasticsearch store's listing: one page of events in a fixed order.

Events are in the order of time and, of one instant, of their ids. To sort by
ids as well costs Elasticsearch five times the time of all the rest, though
few events share an instant. So searches are sorted by time alone, and only an
instant that a page begins or ends in is asked for once more, by ids.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses

import orjson

from monasca_events_common.query import Query
from monasca_events_common.store import elasticsearch_query as translation
from monasca_events_common.store.elasticsearch_query import Place
from monasca_events_common.store import Page


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """A query's listing.

    :ivar ask: carries out a search: takes further filters and the search's
        other parameters, returns the hits
    """

    ask: Callable[..., Sequence[Mapping]]
    query: Query

    def page(self) -> Page:
        """Return the page that the query asks for; raise Rejected."""
        limit = self.query.limit
        after = None if self.query.marker is None \
            else translation.unmarked(self.query.marker)
        found: list[dict] = []
        if after is not None and after != after.past(self.query.descending):
            found = self._instant(after.timestamp, limit + 1, after)
        if len(found) <= limit:
            found += self._further(after, limit + 1 - len(found))
        page = found[:limit]
        marker = None
        if len(found) > limit:
            last = _place(page[-1])
            if last.timestamp != found[limit]["timestamp"]:
                last = last.past(self.query.descending)
            marker = translation.marker(last)
        return Page(tuple(canonical(source) for source in page), marker)

    def _further(self, after: Place | None, size: int) -> list[dict]:
        """Return the events of the instants after a place, in order."""
        found = self._asked(size, sort=translation.order(
            self.query.descending), **({} if after is None else {
                "search_after": [after.timestamp]}))
        if 1 < size == len(found) \
                and found[-1]["timestamp"] == found[-2]["timestamp"]:
            # Which ones of the last instant came is Elasticsearch's choice.
            last = found[-1]["timestamp"]
            found = [one for one in found if one["timestamp"] != last]
            found += self._instant(last, size - len(found), None)
            if len(found) < size:
                # A purge took some of them meanwhile.
                found += self._further(Place(last, "", ""),
                                       size - len(found))
        found.sort(key=_place, reverse=self.query.descending)
        return found

    def _instant(self, timestamp: str, size: int,
                 after: Place | None) -> list[dict]:
        """Return the events of one instant, after one of them, by ids."""
        return self._asked(
            size, translation.instant(timestamp),
            sort=translation.order_of_ids(self.query.descending),
            **({} if after is None else {
                "search_after": [after.event_id, after.project]}))

    def _asked(self, size: int, *filters: dict, **wanted) -> list[dict]:
        return [hit["_source"]
                for hit in self.ask(filters, size=size, **wanted)]


def canonical(source: dict) -> bytes:
    """Return the event's bytes; the order of its keys is the stored one."""
    source.pop("index", None)
    return orjson.dumps(source)


def _place(source: Mapping) -> Place:
    return Place(source["timestamp"], source["event_id"],
                 source["index"]["project"])
