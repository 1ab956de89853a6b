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


"""Asks the sources of a timeline side by side, and waits for none too long."""

import concurrent.futures
from collections.abc import Iterable, Mapping
import dataclasses
import logging
from typing import Any

from monasca_events_api.timeline import Findings
from monasca_events_api.timeline import Source
from monasca_events_api.timeline import Subject
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)

#: Questions that are asked at once; a source that hangs holds one.
_AT_ONCE = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Gathered:
    """What all sources found.

    :ivar lists: key of the answer → things
    :ivar sources: name → ``{"error", "truncated"}``
    """

    lists: Mapping[str, list[dict]]
    sources: Mapping[str, dict[str, Any]]


class Gatherer:
    """Asks sources. Safe for several threads."""

    def __init__(self, sources: Mapping[str, Source], conf) -> None:
        """:param conf: the group ``[timeline]``"""
        self._sources = sources
        self._conf = conf
        self._pool = concurrent.futures.ThreadPoolExecutor(
            _AT_ONCE, thread_name_prefix="timeline")

    def gather(self, subject: Subject) -> Gathered:
        """Return what there is.

        :raises Unavailable: no source could answer
        """
        lists: dict[str, list[dict]] = {
            one.KEY: [] for one in self._sources.values()}
        told: dict[str, dict] = {}
        failures: list[BaseException] = []
        for later in (False, True):
            names = [name for name, one in self._sources.items()
                     if one.AFTER_EVENTS is later]
            if later:
                subject = _told(subject, lists.get("events", ()))
            for name, outcome in self._ask(names, subject):
                if isinstance(outcome, Findings):
                    lists[self._sources[name].KEY] += outcome.items
                    told[name] = {"error": None,
                                  "truncated": outcome.truncated}
                else:
                    failures.append(outcome)
                    told[name] = {"error": _sentence(name, outcome),
                                  "truncated": False}
        if failures and len(failures) == len(self._sources):
            raise Unavailable(
                "no source of the timeline could answer: "
                + "; ".join(one["error"] for one in told.values()))
        return Gathered(lists, told)

    def _ask(self, names: Iterable[str], subject: Subject
             ) -> Iterable[tuple[str, Findings | BaseException]]:
        asked = {name: self._pool.submit(self._sources[name].find, subject)
                 for name in names}
        patience = self._conf.patience
        concurrent.futures.wait(asked.values(), patience)
        for name, future in asked.items():
            if not future.done():
                future.cancel()
                yield name, Unavailable("it did not answer within "
                                        f"{patience:g} seconds")
            elif future.exception() is not None:
                yield name, future.exception()
            else:
                yield name, future.result()


def _sentence(name: str, error: BaseException) -> str:
    """Return what the caller is told of a failure."""
    if isinstance(error, EventsError):
        LOG.info("timelines lack %s: %s", name, error)
        return str(error)
    # What it says may hold data of the deployment.
    LOG.error("the source %s of timelines failed", name, exc_info=error)
    return f"it failed by a fault of its own: {type(error).__name__}"


def _told(subject: Subject, events: Iterable[Mapping]) -> Subject:
    """Return the subject with what its events tell of it."""
    newest = sorted(events, key=lambda one: one["timestamp"], reverse=True)
    if not newest:
        return subject
    # What asked for a request is not what was done for it.
    names = ("request_id",) if subject.is_request \
        else ("request_id", "global_request_id")
    requests = dict.fromkeys(one.get(name) for one in newest
                             for name in names)
    return dataclasses.replace(
        subject, first=newest[-1]["timestamp"], last=newest[0]["timestamp"],
        requests=tuple(one for one in requests
                       if one and one != subject.ident))
