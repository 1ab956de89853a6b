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


"""``/v1.0/triggers/test`` and ``…/{id}/explain``: what would, what did."""

from collections.abc import Iterable

import orjson
from oslo_context.context import RequestContext

from monasca_events_api import documents
from monasca_events_api import filters
from monasca_events_api import trial
from monasca_events_api.controllers import resource
from monasca_events_api.policies import triggers as policies
from monasca_events_common import catalog
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import groups as grouping
from monasca_events_common.rules.trigger import Rule
from monasca_events_common.rules.trigger import seconds

#: The name of a draft that has none.
DRAFT = "draft"


def rule_of(kind, who: RequestContext, draft, trigger_id
            ) -> tuple[Rule, dict]:
    """Return the rule of a draft, or of a trigger that is there.

    :param kind: the :class:`~.triggers.TriggerKind`
    :param draft: of the request, None where there is none
    :param trigger_id: the same
    :return: the rule and its definition
    :raises Rejected: there is neither or both, or the draft is wrong
    """
    if (draft is None) == (trigger_id is None):
        raise Rejected("expected either trigger, a draft, or trigger_id",
                       code="invalid_field", where="trigger")
    if trigger_id is not None:
        if not resource.is_id(trigger_id):
            raise Rejected("trigger_id is no id", code="invalid_field",
                           where="trigger_id")
        found = kind.parts.catalog.get(who.project_id, catalog.TRIGGERS,
                                       trigger_id)
        return (kind.compile(found.content, who.project_id, found.id),
                found.content)
    if type(draft) is not dict:
        raise Rejected("trigger is no object", code="invalid_definition",
                       where="trigger")
    content = kind.complete(who, kind.expand({"name": DRAFT, **draft}
                                             if "template" not in draft
                                             else draft), None)
    return kind.compile(content, who.project_id), content


def method_types(parts: resource.Parts, project_id: str,
                 wanted: Iterable[str]) -> dict[str, str]:
    """Return id → type of those notification methods that there are."""
    found = {}
    for one in filter(resource.is_id, dict.fromkeys(wanted)):
        try:
            found[one] = parts.catalog.get(
                project_id, catalog.METHODS, one).content["type"]
        except NotFound:
            continue
    return found


def event_of(parts: resource.Parts, project_id: str, given, event_id
             ) -> dict:
    """Return the canonical event that is to be tried.

    :param given: of the request, None where there is none
    :param event_id: the same, of an event that is stored
    :raises Rejected: there is neither or both, or the event is wrong
    """
    if (given is None) == (event_id is None):
        raise Rejected("expected either event or event_id",
                       code="invalid_field", where="event")
    if event_id is None:
        return trial.complete_event(given, project_id, parts.clock())
    if not resource.is_id(event_id):
        raise Rejected("event_id is no id", code="invalid_field",
                       where="event_id")
    return orjson.loads(parts.store.get(project_id, event_id))


class TestController:
    """Try a trigger on one event; nothing is kept."""

    index = resource.methods()

    def __init__(self, kind) -> None:
        self._kind = kind
        self._parts = kind.parts

    @index.when("POST")
    def post(self, req, resp):
        parts = self._parts
        who = resource.caller(parts, req, policies.TEST)
        draft, trigger_id, given, event_id = documents.take(
            documents.read_document(req.environ), "trigger", "trigger_id",
            "event", "event_id")
        rule, content = rule_of(self._kind, who, draft, trigger_id)
        event = event_of(parts, who.project_id, given, event_id)
        named = [one for wanted in content.get("notify", {}).values()
                 for one in wanted]
        return resource.answer(trial.attempt(
            rule, event, method_types(parts, who.project_id, named)))


class ExplainController:
    """Why a trigger did or did not fire for an event."""

    index = resource.methods()

    def __init__(self, kind, trigger_id: str) -> None:
        self._kind = kind
        self._parts = kind.parts
        self._id = trigger_id

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_scope(req.query_string, own=("event_id",))
        scope = resource.scope(parts, req, policies.EXPLAIN, asked,
                               self._kind.rules.all_projects)
        event_id = asked.rest.get("event_id")
        if not event_id:
            raise Rejected("the parameter event_id is missing",
                           code="invalid_parameter", where="event_id")
        found = parts.catalog.get(scope, catalog.TRIGGERS, self._id)
        project_id = found.project_id
        event = orjson.loads(parts.store.get(project_id, event_id))
        rule = self._kind.compile(found.content, project_id, found.id)
        tried = trial.match(rule, event)
        asked_for = [one for one, *_ in grouping.requests(
            event, [(rule, tried.matched)] if tried.matched else [])]
        past = trial.Past(
            found.content.get("enabled", True), found.updated_at,
            parts.history.states(asked_for),
            parts.history.caused_by(project_id, found.id,
                                    event["event_id"],
                                    seconds(event["timestamp"])))
        return resource.answer({"trigger_id": found.id, **trial.explain(
            rule, event, past, parts.clock().timestamp())})
