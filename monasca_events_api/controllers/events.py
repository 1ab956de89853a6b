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

"""``/v1.0/events``: take events, list them, show one."""

from collections.abc import Sequence
import datetime

import pecan

from monasca_events_api import context
from monasca_events_api import filters
from monasca_events_api import forms
from monasca_events_api import gate
from monasca_events_api import ingest
from monasca_events_api import intake
from monasca_events_api import receipts
from monasca_events_api.controllers import jobs
from monasca_events_api.controllers import recent
from monasca_events_api.controllers import resource
from monasca_events_api.controllers import statistics
from monasca_events_api.controllers import stream
from monasca_events_api.inputs import cloudevents
from monasca_events_api.middleware.body import BODY
from monasca_events_api.middleware.body import CONTENT_TYPE
from monasca_events_api.policies import events as rules
from monasca_events_common import event
from monasca_events_common import metrics
from monasca_events_common.bus import Record
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Unavailable

STAGE = "api"


class EventsController:
    """The collection."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts
        self._gate = gate.Gate(parts.bus)
        self._receipts = receipts.Receipts(
            parts.jobs, parts.store, parts.dead_letters, parts.catalog)
        self.types = statistics.TypesController(parts)
        self.traits = statistics.TraitsController(parts)
        self.statistics = statistics.StatisticsController(parts)
        self.recent = recent.RecentController(parts)
        self.stream = stream.StreamController(parts)

    @pecan.expose()
    def _lookup(self, event_id, *rest):
        return EventController(self._parts, event_id), rest

    @index.when("POST", content_type=forms.JSON)
    def post(self, req, resp):
        parts = self._parts
        who = context.of_request(req.environ)
        parts.policy.authorize(who, rules.POST)
        delegate = parts.policy.allows(who, rules.POST_DELEGATE)
        named, wants_receipt = _options(req)
        sender = self._sender(req, who.project_id, delegate, named)
        batch = intake.open_batch(
            req.environ, req.environ[CONTENT_TYPE], req.environ[BODY])
        try:
            result = ingest.ingest(batch, sender, self._rules(),
                                   parts.clock())
        except EventsError as error:
            _count(0, getattr(error, "rejected", ()))
            raise
        body, headers = result.body(), {}
        if wants_receipt:
            # Before: what was published and then not answered for comes again.
            body["job"], headers = self._receipt(req, who, result.records)
        self._publish(result.records)
        _count(len(result.records), result.rejected)
        return resource.answer(body, status=200 if result.old else 202,
                               headers=headers)

    def _receipt(self, req, who, records: list[Record]) -> tuple[dict, dict]:
        parts = self._parts
        quota = parts.conf.quotas.receipts
        made = self._receipts.open(
            who.project_id, records, parts.clock().timestamp(),
            parts.conf.ingest.keep_receipts, None if quota < 0 else quota)
        where = jobs.address(parts, req, made.job_id)
        return {"id": made.job_id, "links": [
            {"rel": "self", "href": where}]}, {"Location": where}

    def _publish(self, records: list[Record]) -> None:
        try:
            # One call: what one request brought becomes searchable together.
            self._gate.publish(self._parts.conf.bus.topic, records)
        except Unavailable as error:
            metrics.HELD.labels(STAGE, error.code).inc()
            raise

    def _sender(self, req, project_id: str, delegate: bool,
                named: str | None) -> ingest.Sender:
        """Return whose events these are; ``?project_id=`` is a delegate's."""
        pattern = self._parts.project_id
        ingest.check_project(project_id, pattern)
        if named is None or named == project_id:
            return ingest.Sender(project_id, delegate)
        self._parts.policy.authorize(
            context.of_request(req.environ), rules.POST_DELEGATE,
            {"project_id": named})
        ingest.check_project(named, pattern)
        return ingest.Sender(project_id, delegate, named)

    def _rules(self) -> ingest.Rules:
        limits = self._parts.conf.limits
        return ingest.Rules(
            event.Limits(limits.max_event_bytes, limits.max_depth,
                         limits.max_keys),
            limits.max_events,
            datetime.timedelta(days=self._parts.conf.ingest.accept_past),
            self._parts.project_id)

    @resource.reads(index, forms.JSON, forms.NDJSON, forms.CSV,
                    cloudevents.BATCH)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_request(req.query_string, parts.conf.limits)
        project_id = resource.scope(parts, req, rules.LIST, asked)
        page = parts.store.search(project_id, asked.query)
        links = resource.links(parts, req, "events", page.marker)
        headers = {"Link": resource.link_header(links), "Vary": "Accept"}
        media_type = req.pecan["content_type"]
        if media_type == forms.NDJSON:
            body = forms.as_ndjson(page.events)
        elif media_type == forms.CSV:
            body = forms.as_csv(page.events)
        elif media_type == cloudevents.BATCH:
            body = forms.as_array(map(cloudevents.of_event, page.events))
        else:
            body = forms.as_json(page.events, links)
        return resource.answer(body, media_type=media_type, headers=headers)


def _options(req) -> tuple[str | None, bool]:
    """Return ``project_id`` and ``job`` of the query."""
    given: dict[str, str] = {}
    for name, value in filters.split(req.query_string):
        if name not in ("project_id", "job") or name in given:
            raise filters.unknown(name)
        given[name] = value
    return given.get("project_id"), filters.boolean(
        "job", given.get("job", "false"))


def _count(passed: int, rejected: Sequence[dict]) -> None:
    """Count a request's events, once it is settled what became of them.

    Those of a request that is answered 503 come again and count then.
    """
    metrics.RECEIVED.labels(STAGE).inc(passed + len(rejected))
    metrics.PASSED.labels(STAGE).inc(passed)
    for one in rejected:
        metrics.REJECTED.labels(STAGE, one["code"]).inc()


class EventController:
    """One event."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, event_id: str) -> None:
        self._parts = parts
        self._event_id = event_id

    @resource.reads(index, forms.JSON, cloudevents.STRUCTURED)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_scope(req.query_string)
        project_id = resource.scope(parts, req, rules.SHOW, asked)
        found = parts.store.get(project_id, self._event_id)
        media_type = req.pecan["content_type"]
        if media_type == cloudevents.STRUCTURED:
            found = cloudevents.of_event(found)
        return resource.answer(found, media_type=media_type,
                               headers={"Vary": "Accept"})
