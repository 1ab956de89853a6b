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

"""``/v1.0/jobs/{id}``: what became of a POST that asked for a receipt."""

import time

import pecan

from monasca_events_api import context
from monasca_events_api import filters
from monasca_events_api import receipts
from monasca_events_api.controllers import resource
from monasca_events_api.policies import jobs as rules
from monasca_events_common.catalog import jobs

#: Seconds that a request waits for the end at most.
MAX_WAIT = 10.0

_POLL = 0.2


class JobsController:
    """The collection; it has no list."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts
        self._receipts = receipts.Receipts(
            parts.jobs, parts.store, parts.dead_letters, parts.catalog)

    @pecan.expose()
    def _lookup(self, job_id, *rest):
        resource.check_id(job_id)
        return JobController(self._parts, self._receipts, job_id), rest


class JobController:
    """One receipt."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, found: receipts.Receipts,
                 job_id: str) -> None:
        self._parts = parts
        self._receipts = found
        self._id = job_id

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        who = context.of_request(req.environ)
        parts.policy.authorize(who, rules.SHOW)
        wait = filters.parse_seconds(req.query_string, "wait", 0.0, MAX_WAIT)
        ends = time.monotonic() + wait
        while True:
            found = self._receipts.look(who.project_id, self._id)
            if found["status"] not in jobs.UNFINISHED \
                    or time.monotonic() >= ends:
                break
            time.sleep(_POLL)
        return resource.answer({**found, "links": [
            {"rel": "self", "href": address(parts, req, self._id)}]})


def address(parts: resource.Parts, req, job_id: str) -> str:
    """Return where the receipt is."""
    return f"{resource.base_url(parts, req)}/v1.0/jobs/{job_id}"
