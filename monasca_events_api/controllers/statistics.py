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

"""What there is: types, traits and counts of events."""

import datetime
import re

from monasca_events_api import filters
from monasca_events_api.controllers import resource
from monasca_events_api.policies import events as rules
from monasca_events_common import event
from monasca_events_common import query
from monasca_events_common.errors import Rejected

_INTERVAL = re.compile(r"([0-9]{1,9})([smhd]?)\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class TypesController:
    """``/v1.0/events/types``: event types with their numbers."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_request(req.query_string, parts.conf.limits,
                                      paging=False)
        project_id = resource.scope(parts, req, rules.SUMMARIZE, asked)
        found = parts.store.aggregate(project_id, asked.query, "event_type",
                                      None)
        types = [{"event_type": name, "count": count}
                 for bucket in found.buckets
                 for name, count in bucket.groups.items()]
        return resource.answer({"types": types,
                                "truncated": found.truncated})


class TraitsController:
    """``/v1.0/events/traits``: names and types of traits."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_scope(req.query_string, own=("event_type",))
        project_id = resource.scope(parts, req, rules.SUMMARIZE, asked)
        found = parts.store.traits(project_id, asked.rest.get("event_type"))
        return resource.answer({"traits": [
            {"name": one.name, "type": one.type} for one in found]})


class StatisticsController:
    """``/v1.0/events/statistics``: how many, by time and by group."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_request(req.query_string, parts.conf.limits,
                                      paging=False, own=("interval", "by"))
        project_id = resource.scope(parts, req, rules.SUMMARIZE, asked)
        by = asked.rest.get("by")
        if by is not None:
            filters.check_name(by)
        interval = _interval(asked.rest.get("interval"))
        if interval is not None:
            self._check_span(asked.query, interval)
        found = parts.store.aggregate(project_id, asked.query, by, interval)
        return resource.answer({
            "interval": interval,
            "buckets": [{"start": one.start, "count": one.count,
                         "groups": dict(one.groups)}
                        for one in found.buckets],
            "truncated": found.truncated})

    def _check_span(self, asked: query.Query, interval: int) -> None:
        """Refuse a histogram that may have more buckets than allowed."""
        parts = self._parts
        now = parts.clock()
        since = event.parse_time(asked.since) if asked.since else (
            now - datetime.timedelta(days=parts.conf.ingest.accept_past))
        until = (event.parse_time(asked.until) if asked.until
                 else now + datetime.timedelta(days=1))
        limit = parts.conf.limits.max_buckets
        if (until - since).total_seconds() > interval * limit:
            raise Rejected(
                f"the interval of {interval} s makes more than {limit} "
                "buckets; give a longer one or narrow timestamp=gte:… and "
                "timestamp=lt:…", code="too_many_buckets", where="interval")


def _interval(text: str | None) -> int | None:
    """Return seconds: ``3600``, ``60m`` and ``1h`` are the same."""
    if text is None:
        return None
    found = _INTERVAL.match(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 1 <= seconds <= 366 * 86400:
        raise Rejected("the parameter interval is no time such as 3600, 60m, "
                       "1h or 1d", code="invalid_parameter",
                       where="interval")
    return seconds
