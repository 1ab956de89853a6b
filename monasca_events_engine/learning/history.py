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

"""The history: what a store holds, event after event in the order of time."""

from collections.abc import Callable, Iterator, Sequence
import logging
import operator
import time

import orjson

from monasca_events_common.errors import Rejected
from monasca_events_common.errors import StoreUnavailable
from monasca_events_common.query import Query
from monasca_events_common.store import ALL
from monasca_events_common.store import Page
from monasca_events_common.store import Store
from monasca_events_engine.pages import pages

LOG = logging.getLogger(__name__)

#: Events of a page, and fewer where the store finds that too costly.
PAGE = 2000

#: Seconds for which a store that does not answer is asked again.
PATIENCE = 60.0

_event_id = operator.itemgetter("event_id")


class StoredEvents:
    """The events of some projects, or of all."""

    def __init__(self, store: Store, projects: Sequence[str],
                 since: str | None, until: str | None, *,
                 wait: Callable[[float], None] = time.sleep) -> None:
        """
        :param projects: their ids; none for all projects
        :param since, until: canonical times, the latter exclusive
        :param wait: lets seconds pass
        """
        self._store = store
        self._projects = list(dict.fromkeys(projects)) or [ALL]
        self._query = Query(since=since, until=until, descending=False,
                            limit=PAGE)
        self._wait = wait

    def count(self) -> int | None:
        """Return how many there are, None where counting costs too much.

        :raises StoreUnavailable: the store does not answer
        """
        try:
            found = [self._patiently(lambda one=project: self._store.aggregate(
                one, self._query, None, None)) for project in self._projects]
        except Rejected:
            return None
        return sum(bucket.count for one in found for bucket in one.buckets)

    def projects(self) -> Iterator[Iterator[dict]]:
        """Yield the events of each project, or of all together.

        :raises StoreUnavailable: the store does not answer
        """
        for project in self._projects:
            yield self._events(project)

    def _events(self, project) -> Iterator[dict]:
        def search(one: Query) -> Page:
            return self._patiently(lambda: self._store.search(project, one))

        # Stores order what happened at one moment as they like; triggers are
        # shown it by event id.
        moment: list[dict] = []
        for page in pages(search, self._query):
            for value in page.events:
                event = orjson.loads(value)
                if moment and event["timestamp"] != moment[0]["timestamp"]:
                    yield from sorted(moment, key=_event_id)
                    moment = []
                moment.append(event)
        yield from sorted(moment, key=_event_id)

    def _patiently(self, ask: Callable):
        """Return what the store answers.

        A history may take an hour to read, and a store restarts now and then.
        """
        waited = 0.0
        while True:
            try:
                return ask()
            except StoreUnavailable as error:
                if waited >= PATIENCE:
                    raise
                seconds = max(0.5, min(error.retry_after, PATIENCE - waited))
                LOG.warning("the store is asked again in %.1f s: %s",
                            seconds, error)
                self._wait(seconds)
                waited += seconds
