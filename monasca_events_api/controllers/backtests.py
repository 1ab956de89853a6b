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


"""``/v1.0/triggers/backtest``: what a trigger would have done.

A worker of the engine does it; here the job is made, waited for a little,
and shown.
"""

from collections.abc import Mapping
import datetime
import time
import uuid

import pecan

from monasca_events_api import context
from monasca_events_api import documents
from monasca_events_api import filters
from monasca_events_api import ingest
from monasca_events_api.controllers import resource
from monasca_events_api.controllers import trials
from monasca_events_api.policies import triggers as policies
from monasca_events_common import event as events
from monasca_events_common.catalog import jobs
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.firing import format_seconds

#: How far back it goes unless the request says.
_SPAN = datetime.timedelta(days=7)

#: Firings that an answer shows at most, and unless the request says fewer.
MAX_FIRINGS = 1000

#: Seconds that a request waits for the result: by default, and at most.
WAIT, MAX_WAIT = 1.0, 10.0

_POLL = 0.05

#: What a result holds that is not shown.
_OWN = ("attempts",)


class BacktestsController:
    """The collection; it has no list."""

    index = resource.methods()

    def __init__(self, kind) -> None:
        """:param kind: the :class:`~.triggers.TriggerKind`"""
        self._kind = kind
        self._parts = kind.parts

    @pecan.expose()
    def _lookup(self, job_id, *rest):
        resource.check_id(job_id)
        return BacktestController(self._kind, job_id), rest

    @index.when("POST")
    def post(self, req, resp):
        parts = self._parts
        who = context.of_request(req.environ)
        parts.policy.authorize(who, policies.BACKTEST)
        wait = filters.parse_seconds(req.query_string, "wait", WAIT, MAX_WAIT)
        ingest.check_project(who.project_id, parts.project_id)
        draft, trigger_id, since, until, limit = documents.take(
            documents.read_document(req.environ), "trigger", "trigger_id",
            "since", "until", "limit_firings")
        _, content = trials.rule_of(self._kind, who, draft, trigger_id)
        now = parts.clock()
        since, until = _span(since, until, now)
        quota = parts.conf.quotas.backtests
        made = parts.jobs.create(
            who.project_id, jobs.BACKTEST, str(uuid.uuid4()),
            {"definition": content, "trigger_id": trigger_id,
             "since": since, "until": until, "limit_firings": _limit(limit)},
            now.timestamp(), quota=None if quota < 0 else quota)
        ends = time.monotonic() + wait
        while made.status in jobs.UNFINISHED and time.monotonic() < ends:
            time.sleep(_POLL)
            made = parts.jobs.get(who.project_id, jobs.BACKTEST, made.job_id)
        if made.status not in jobs.UNFINISHED:
            return resource.answer(_shown(parts, req, made))
        return resource.answer(_shown(parts, req, made), status=202, headers={
            "Location": _address(parts, req, made.job_id)})


class BacktestController:
    """One back-test."""

    index = resource.methods()

    def __init__(self, kind, job_id: str) -> None:
        self._kind = kind
        self._parts = kind.parts
        self._id = job_id

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        project_id = resource.scope(
            parts, req, policies.BACKTEST_SHOW,
            filters.parse_scope(req.query_string),
            self._kind.rules.all_projects)
        return resource.answer(_shown(parts, req, parts.jobs.get(
            project_id, jobs.BACKTEST, self._id)))

    @index.when("DELETE")
    def delete(self, req, resp):
        parts = self._parts
        who = resource.caller(parts, req, policies.BACKTEST)
        parts.jobs.remove(who.project_id, jobs.BACKTEST, self._id,
                          parts.clock().timestamp())
        return resource.empty()


def _span(since, until, now: datetime.datetime) -> tuple[str, str]:
    """Return the time to run over, in canonical text."""
    end = now if until is None else min(now, _time(until, "until"))
    begin = end - _SPAN if since is None else _time(since, "since")
    if begin >= end:
        raise Rejected(f"since is {events.format_time(begin)}; expected a "
                       f"time before {events.format_time(end)}",
                       code="invalid_field", where="since")
    return events.format_time(begin), events.format_time(end)


def _time(value, where: str) -> datetime.datetime:
    try:
        return events.parse_time(value)
    except Rejected as error:
        raise Rejected(f"{where}: {error}", code="invalid_field",
                       where=where) from None


def _limit(value) -> int:
    if value is None:
        return MAX_FIRINGS
    if type(value) is not int or not 0 <= value <= MAX_FIRINGS:
        raise Rejected(f"limit_firings is {str(value)[:80]}; expected a "
                       f"whole number from 0 to {MAX_FIRINGS}",
                       code="invalid_field", where="limit_firings")
    return value


def _shown(parts: resource.Parts, req, job: jobs.Job) -> Mapping:
    found = {name: value for name, value in job.result.items()
             if name not in _OWN}
    return {"id": job.job_id, "project_id": job.project_id,
            "status": job.status,
            "created_at": format_seconds(job.created_at),
            "updated_at": format_seconds(job.updated_at),
            "trigger_id": job.request["trigger_id"],
            "since": job.request["since"], "until": job.request["until"],
            "progress": {"events": 0, "of": None, "share": 0.0,
                         "at": job.request["since"]},
            "firings": [], "firings_total": 0, "by_outcome": {}, "held": {},
            "histogram": None, "truncated": False, **found,
            "links": [{"rel": "self",
                       "href": _address(parts, req, job.job_id)}]}


def _address(parts: resource.Parts, req, job_id: str) -> str:
    return (f"{resource.base_url(parts, req)}/v1.0/triggers/backtest/"
            f"{job_id}")
