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


"""``/v1.0/timeline``: everything about one resource or request on one axis."""

from monasca_events_api import filters
from monasca_events_api.controllers import resource
from monasca_events_api.policies import timeline as rules
from monasca_events_api.timeline import GROUP
from monasca_events_api.timeline import spans
from monasca_events_api.timeline import Subject
from monasca_events_common.errors import Rejected

_OWN = ("resource_id", "request_id", "related", "gap", "timestamp")

#: Seconds of the longest gap that one may ask for.
_GAP = 366 * 86400

#: Characters of an id, as long as those of events may be.
_LONGEST = 1024


class TimelineController:
    """The timeline."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_listing(req.query_string, parts.conf.limits,
                                      own=_OWN)
        for name, _ in filters.split(req.query_string):
            if name in ("limit", "marker"):
                # It has no pages.
                raise filters.unknown(name)
        name, ident = _subject(asked.rest)
        least = _gap(asked.rest.get("gap"))
        related = filters.boolean(
            "related", asked.rest.get("related", "true"))
        project_id = resource.scope(parts, req, rules.SHOW, asked,
                                    rules.ALL_PROJECTS)
        now = parts.clock()
        found = parts.timeline.gather(Subject(
            project_id, ident, name == "request_id", asked.query.since,
            asked.query.until, related, parts.conf[GROUP].limit, now,
            req.headers.get("X-Auth-Token", "")))
        events = found.lists.get("events", [])
        made = [spans.as_json(one, now) for one in spans.pair(events)]
        return resource.answer({
            name: ident, "since": asked.query.since,
            "until": asked.query.until, **found.lists,
            "spans": sorted(made, key=lambda one: (
                one["start"] or one["end"], one["name"])),
            "gaps": spans.gaps(events, made, least),
            "sources": found.sources,
            "truncated": any(one["truncated"]
                             for one in found.sources.values())})


def _subject(given: dict) -> tuple[str, str]:
    """Return by what things are looked for, and the id."""
    names = [name for name in ("resource_id", "request_id") if name in given]
    if len(names) != 1:
        raise Rejected("expected one of the parameters resource_id and "
                       "request_id", code="bad_query")
    name, = names
    if not 0 < len(given[name]) <= _LONGEST:
        raise Rejected(f"the parameter {name} has no id of 1 to {_LONGEST} "
                       "characters", code="invalid_parameter", where=name)
    return name, given[name]


def _gap(text: str | None) -> float | None:
    return None if text is None else filters.seconds("gap", text, _GAP)
