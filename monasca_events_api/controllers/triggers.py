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


"""``/v1.0/triggers``: what tenants want to be told of."""

from collections.abc import Mapping

from oslo_context.context import RequestContext
import pecan

from monasca_events_api.controllers import backtests
from monasca_events_api.controllers import definitions
from monasca_events_api.controllers import firings
from monasca_events_api.controllers import resource
from monasca_events_api.controllers import trials
from monasca_events_api.policies import triggers as policies
from monasca_events_common import catalog
from monasca_events_common import event as events
from monasca_events_common.catalog import Definition
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import definition
from monasca_events_common.rules import templates
from monasca_events_common.rules.trigger import Rule

#: What a definition holds that says nothing else.
DEFAULTS: Mapping = {"description": "", "severity": "LOW", "enabled": True,
                     "dry_run": False, "group_by": [], "notify": {},
                     "mute": [], "rate_limit": None}


class TriggerKind(definitions.Kind):
    """Triggers: rules and whom they tell."""

    resource = catalog.TRIGGERS
    key = "triggers"
    rules = policies.RULES_OF
    quota = "triggers"

    def expand(self, content: dict) -> dict:
        if "template" not in content:
            return content
        name = content["template"]
        if type(name) is not str:
            raise Rejected("trigger.template is no string; expected the name "
                           "of a template", code="unknown_template",
                           where="trigger.template")
        own = {key: value for key, value in content.items()
               if key != "template"}
        return {**templates.template(name), **own}

    def complete(self, who: RequestContext, content: dict,
                 old: Mapping | None) -> dict:
        made = self.check(who, content)
        if old is None or definition.generation(old) \
                != definition.generation(made):
            self.check_cost(self.compile(made, who.project_id))
        return made

    def check(self, who: RequestContext, content: dict) -> dict:
        """Return the checked definition with its defaults.

        :raises Rejected: it is wrong, whatever it costs
        """
        definition.check(content)
        made = {**DEFAULTS, **content}
        made["severity"] = made["severity"].upper()
        made["description"] = made["description"] or ""
        made["mute"] = [_span(span, f"trigger.mute[{at}]")
                        for at, span in enumerate(made["mute"])]
        definitions.check_name(made["name"], "trigger.name")
        self.compile(made, who.project_id)
        self._check_methods(who.project_id, made["notify"])
        return made

    def compile(self, content: Mapping, project_id: str,
                trigger_id: str = "draft") -> Rule:
        """Return the rule of a definition. Raises Rejected."""
        return definition.compile(content, trigger_id=trigger_id,
                                  project_id=project_id)

    def check_cost(self, rule: Rule) -> None:
        """:raises Rejected: its patterns cost too much"""
        limit = self.parts.conf.rules.max_cost
        if rule.cost > limit:
            raise Rejected(
                f"trigger costs {rule.cost}; expected at most {limit}: use "
                "fewer operators, wildcards and alternatives",
                code="too_costly", where="trigger")

    def _check_methods(self, project_id: str, notify: Mapping) -> None:
        for outcome, wanted in notify.items():
            known = trials.method_types(self.parts, project_id, wanted)
            for at, method_id in enumerate(wanted):
                if method_id not in known:
                    where = f"trigger.notify.{outcome}[{at}]"
                    raise Rejected(
                        f"{where} is {method_id!r}; expected the id of a "
                        "notification method of this project",
                        code="unknown_method", where=where)

    def show(self, found: Definition) -> dict:
        return {"cost": self.compile(found.content, found.project_id).cost}


def _span(span: Mapping, where: str) -> dict:
    """Return a span of muting in canonical times."""
    found = {}
    for name in ("from", "until"):
        try:
            found[name] = events.format_time(events.parse_time(span[name]))
        except Rejected as error:
            raise Rejected(f"{where}.{name}: {error}",
                           code="invalid_definition",
                           where=f"{where}.{name}") from None
    if found["from"] >= found["until"]:
        raise Rejected(f"{where} ends at {found['until']}, which is not "
                       f"after {found['from']}", code="invalid_definition",
                       where=where)
    return found


class TriggersController(definitions.DefinitionsController):
    """The collection."""

    index = definitions.DefinitionsController.index

    def __init__(self, parts: resource.Parts) -> None:
        kind = TriggerKind(parts)
        super().__init__(kind)
        self.templates = TemplatesController(parts)
        self.test = trials.TestController(kind)
        self.backtest = backtests.BacktestsController(kind)

    def _find(self, definition_id: str) -> "TriggerController":
        return TriggerController(self._kind, definition_id)


class TriggerController(definitions.DefinitionController):
    """One trigger."""

    index = definitions.DefinitionController.index

    def __init__(self, kind: TriggerKind, trigger_id: str) -> None:
        super().__init__(kind, trigger_id)
        self.explain = trials.ExplainController(kind, trigger_id)
        self.firings = firings.FiringsController(kind.parts, trigger_id)


class TemplatesController:
    """``/v1.0/triggers/templates``: triggers that need no writing."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @pecan.expose()
    def _lookup(self, name, *rest):
        return TemplateController(self._parts, name), rest

    @resource.reads(index)
    def show(self, req, resp):
        resource.caller(self._parts, req, policies.RULES_OF.list)
        links = resource.links(self._parts, req, "triggers/templates", None)
        return resource.answer({
            "templates": [_shown(self._parts, req, name)
                          for name in templates.TEMPLATES],
            "links": links})


class TemplateController:
    """One template."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, name: str) -> None:
        self._parts = parts
        self._name = name

    @resource.reads(index)
    def show(self, req, resp):
        resource.caller(self._parts, req, policies.RULES_OF.list)
        if self._name not in templates.TEMPLATES:
            raise NotFound(f"there is no template {self._name[:64]!r}")
        return resource.answer(_shown(self._parts, req, self._name))


def _shown(parts: resource.Parts, req, name: str) -> dict:
    made = templates.template(name)
    url = f"{resource.base_url(parts, req)}/v1.0/triggers/templates/{name}"
    return {"name": name, "description": made["description"],
            "definition": made, "links": [{"rel": "self", "href": url}]}
