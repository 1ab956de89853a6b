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


"""``/v1.0/firings`` and those of one trigger: what triggers did."""

import pecan

from monasca_events_api import documents
from monasca_events_api import filters
from monasca_events_api.controllers import resource
from monasca_events_api.policies import firings as rules
from monasca_events_common import catalog
from monasca_events_common import event as events
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.firing import OUTCOMES


class FiringsController:
    """Those of every trigger, or of one."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, trigger_id: str | None = None
                 ) -> None:
        """:param trigger_id: of a trigger, or the name of a plug-in of the
            operator's; None for all that there are
        """
        self._parts = parts
        self._trigger_id = trigger_id

    @pecan.expose()
    def _lookup(self, firing_id, *rest):
        if self._trigger_id is None:
            pecan.abort(404)
        resource.check_id(firing_id)
        return FiringController(self._parts, self._trigger_id,
                                firing_id), rest

    @resource.reads(index)
    def show(self, req, resp):
        parts, trigger_id = self._parts, self._trigger_id
        several = ("outcome",) if trigger_id else ("outcome", "trigger_id")
        asked = filters.parse_listing(req.query_string, parts.conf.limits,
                                      own=("timestamp",), several=several)
        project_id = resource.scope(parts, req, rules.LIST, asked,
                                    rules.ALL_PROJECTS)
        outcomes = asked.rest.get("outcome", ())
        for one in outcomes:
            if one not in OUTCOMES:
                raise Rejected("the parameter outcome is none of "
                               + ", ".join(OUTCOMES),
                               code="invalid_parameter", where="outcome")
        path = "firings"
        wanted = asked.rest.get("trigger_id", ())
        if trigger_id is not None:
            self._check(project_id)
            path, wanted = f"triggers/{trigger_id}/firings", (trigger_id,)
        found, marker = parts.history.firings(
            project_id, trigger_ids=wanted, outcomes=outcomes,
            since=_seconds(asked.query.since),
            until=_seconds(asked.query.until), after=asked.query.marker,
            limit=asked.query.limit)
        links = resource.links(parts, req, path, marker)
        return resource.answer({"firings": found, "links": links}, headers={
            "Link": resource.link_header(links)})

    def _check(self, project_id) -> None:
        """Raise NotFound unless there is, or was, such a trigger."""
        try:
            self._parts.catalog.get(project_id, catalog.TRIGGERS,
                                    self._trigger_id)
        except NotFound:
            # An operator's plug-in, or one that was deleted.
            if not self._parts.history.knows(project_id, self._trigger_id):
                raise


def _seconds(text: str | None) -> float | None:
    return None if text is None else events.parse_time(text).timestamp()


class FiringController:
    """One firing."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, trigger_id: str, firing_id: str
                 ) -> None:
        self._parts = parts
        self._trigger_id = trigger_id
        self._firing_id = firing_id
        self.redeliver = RedeliverController(parts, trigger_id, firing_id)
        self.cancel = CancelController(parts, trigger_id, firing_id)

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        project_id = resource.scope(
            parts, req, rules.SHOW, filters.parse_scope(req.query_string),
            rules.ALL_PROJECTS)
        return resource.answer(parts.history.get(
            project_id, self._trigger_id, self._firing_id))


class _Act:
    """What can be done with one firing."""

    def __init__(self, parts: resource.Parts, *names: str) -> None:
        """:param names: ids of the trigger and of the firing"""
        self._parts = parts
        self._names = names


class RedeliverController(_Act):
    """``…/redeliver``: try again what was given up."""

    index = resource.methods()

    @index.when("POST")
    def post(self, req, resp):
        parts = self._parts
        who = resource.caller(parts, req, rules.REDELIVER)
        wanted, = documents.take(documents.read_options(req.environ),
                                 "delivery_ids")
        if wanted is not None and not (
                type(wanted) is list and 0 < len(wanted) <= 100
                and all(type(one) is str for one in wanted)):
            raise Rejected("delivery_ids is no array of 1 to 100 ids",
                           code="invalid_field", where="delivery_ids")
        return resource.answer({"delivery_ids": parts.history.redeliver(
            who.project_id, *self._names, wanted,
            parts.clock().timestamp())}, status=202)


class CancelController(_Act):
    """``…/cancel``: leave undone what still waits."""

    index = resource.methods()

    @index.when("POST")
    def post(self, req, resp):
        parts = self._parts
        who = resource.caller(parts, req, rules.CANCEL)
        documents.take(documents.read_options(req.environ))
        return resource.answer({"delivery_ids": parts.history.cancel(
            who.project_id, *self._names, parts.clock().timestamp())},
            status=202)
